# SPDX-License-Identifier: Apache-2.0
# The sentry's end of the control connection, by include/casemate/rpc.h: what it answers, and what ends it. Arguments: VMM, directory for the socket.
import os, socket, struct, subprocess, sys

vmm, directory = sys.argv[1:]
patience = int(os.environ.get("CASEMATE_TEST_PATIENCE", "1"))
MAGIC, STREAM_MAGIC, REPLY, EVENT = 0x31504D43, 0x31534D43, 0x8000, 0x4000
HELLO, PS, TRACE, USAGE = 1, 4, 5, 10
CONTROL, STREAM = 1024, 1025
ESRCH, ENOSYS, EPROTO = 3, 38, 71
os.chdir(directory)


def check(good, text):
    print(("ok " if good else "not ok: ") + text, flush=True)


def frame(kind, number, payload=b"", magic=MAGIC, version=1, size=None, error=0, reserved=0):
    size = len(payload) if size is None else size
    return struct.pack("<IHHIIiI", magic, version, kind, number, size, error, reserved) + payload


hello = struct.pack("<IIII", 1, 0, 0, 0)


class Machine:
    """A microVM with nothing but the agent in it, whose sandbox process we are."""

    def __enter__(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("vsock.sock")
        listener.listen(16)
        self.p = subprocess.Popen([vmm, "--memory=64M", "--vsock-fd=%d" % listener.fileno()], pass_fds=[listener.fileno()],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        listener.close()
        return self

    def __exit__(self, *what):
        self.p.kill()
        self.p.communicate()
        os.unlink("vsock.sock")

    def connect(self, port):
        """A connection that the guest took, or None."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20 * patience)
        s.connect("vsock.sock")
        s.sendall(b"CONNECT %d\n" % port)
        line = b""
        while not line.endswith(b"\n"):
            part = s.recv(1)
            if not part:
                return None
            line += part
        return s

    def stream(self, token, magic=STREAM_MAGIC, kind=4):
        s = self.connect(STREAM)
        s.sendall(struct.pack("<IHHQ", magic, 1, kind, token))
        return s

    def end(self):
        """Exit status and log; a status of None: it lives."""
        try:
            return self.p.wait(20 * patience), self.p.stdout.read().decode()
        except subprocess.TimeoutExpired:
            return None, ""


def whole(s, size):
    data = b""
    while len(data) < size:
        part = s.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


def reply(s):
    """Type, id, error and payload of the next frame."""
    head = whole(s, 24)
    if not head:
        return None
    magic, version, kind, number, size, error, reserved = struct.unpack("<IHHIIiI", head)
    return kind, number, error, whole(s, size)


def ask(s, *args, **more):
    s.sendall(frame(*args, **more))
    return reply(s)


def hung_up(s):
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


# ---- answers
with Machine() as m:
    s = m.connect(CONTROL)
    r = ask(s, HELLO, 7, hello)
    check(r and r[:3] == (HELLO | REPLY, 7, 0) and struct.unpack("<I", r[3][:4])[0] == 1, "HELLO is answered, with its id")
    check(m.connect(CONTROL) is None, "a second control connection is refused")
    check(ask(s, HELLO, 8, hello)[:3] == (HELLO | REPLY, 8, 0), "... the first one works on")
    check(ask(s, 99, 9)[:3] == (99 | REPLY, 9, ENOSYS), "an unknown request: ENOSYS")
    check(ask(s, HELLO, 10, b"short")[:3] == (HELLO | REPLY, 10, EPROTO), "a payload of the wrong size: EPROTO")
    check(ask(s, USAGE, 11, struct.pack("<II", 5, 0))[:3] == (USAGE | REPLY, 11, ESRCH), "a container that there is not: ESRCH")
    check(ask(s, 2, 12, b"\xff" * 300)[2] > 0, "START with noise is refused")
    # All at once, the last one cut in two.
    text = b"".join(frame([HELLO, PS][i % 2], 100 + i, hello if i % 2 == 0 else struct.pack("<II", 1, 0)) for i in range(200))
    s.sendall(text[:-5])
    got = [reply(s)[:2] for i in range(199)]
    s.sendall(text[-5:])
    got.append(reply(s)[:2])
    check(got == [([HELLO, PS][i % 2] | REPLY, 100 + i) for i in range(200)], "200 requests at once: each one's reply, in order")
    # Streams: only one with the right first bytes, and with a token of its own.
    s.sendall(frame(TRACE, 400, struct.pack("<IIQ", 1, 1, 5)))
    noise, other, wanted = m.stream(5, magic=0x12345678), m.stream(6), m.stream(5)
    check(reply(s)[:3] == (TRACE | REPLY, 400, 0), "a request waits for its stream")
    check(hung_up(noise), "... a connection that begins with something else is hung up")
    s.sendall(frame(TRACE, 401, struct.pack("<IIQ", 1, 1, 7)))
    again, next_one = m.stream(5), m.stream(7)
    check(reply(s)[:3] == (TRACE | REPLY, 401, 0), "... the next request for its own")
    check(hung_up(again), "... a stream with a token that is in use is hung up")
    check(ask(s, HELLO, 402, hello)[:3] == (HELLO | REPLY, 402, 0) and m.p.poll() is None, "... none of which harms the connection")

# ---- ends
breaches = (("noise", b"this is not a frame of the protocol at all"), ("another magic number", frame(HELLO, 1, hello, magic=MAGIC + 1)),
            ("another version", frame(HELLO, 1, hello, version=2)), ("a reply", frame(HELLO | REPLY, 1, hello)), ("an event", frame(EVENT | 1, 1)),
            ("id 0", frame(HELLO, 0, hello)), ("an error", frame(HELLO, 1, hello, error=5)), ("reserved bits", frame(HELLO, 1, hello, reserved=1)),
            ("a payload that is too large", frame(HELLO, 1, size=(256 << 10) + 1)))
for name, data in breaches:
    with Machine() as m:
        s = m.connect(CONTROL)
        check(ask(s, HELLO, 1, hello) is not None, "before a breach it answers")
        s.sendall(data)
        status, log = m.end()
        check(status == 0 and "control connection ended" in log, "%s is a breach: the guest powers off, status %r" % (name, status))
for name, data in (("between two frames", b""), ("within a header", frame(HELLO, 2, hello)[:10]), ("within a payload", frame(HELLO, 2, hello)[:30])):
    with Machine() as m:
        s = m.connect(CONTROL)
        check(ask(s, HELLO, 1, hello) is not None, "before the end it answers")
        s.sendall(data)
        s.close()
        status, log = m.end()
        check(status == 0 and "control connection ended" in log, "a connection that ends %s: the guest powers off, status %r" % (name, status))
print("ok end")
