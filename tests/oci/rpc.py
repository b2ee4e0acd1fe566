# SPDX-License-Identifier: Apache-2.0
# A client of the control socket that knows nothing but docs/RPC.md.
import json, mmap, os, re, socket, struct, sys, time

from rpc_events import Events, message
from rpc_wire import Connection

path, output, doc, log, busybox = sys.argv[1:]
patience = int(os.environ.get("CASEMATE_TEST_PATIENCE", "1"))
called = set()
directory, name = os.path.split(path)
output, doc = os.path.abspath(output), os.path.abspath(doc)
os.chdir(directory)


def check(good, text):
    print(("ok " if good else "not ok: ") + text, flush=True)


class Client(Connection):
    def __init__(self, seconds=20):
        super().__init__(name, seconds * patience)

    def call(self, method, arg=None, fds=()):
        called.add(method)
        return super().call(method, arg, fds)


def call(method, arg=None, fds=()):
    return Client().call(method, arg, fds)


def good(method, arg=None, fds=(), text=""):
    r = call(method, arg, fds)
    check(r and r["success"] and r["errno"] == 0, "%s %s" % (method, text) + ("" if r and r["success"] else ": %r" % r))
    return r and r["result"]


def bad(method, arg, errno, text, fds=()):
    r = call(method, arg, fds)
    check(r is not None and not r["success"] and r["errno"] == errno and r["err"] != "", "%s %s is refused" % (method, text) + ("" if r and r["errno"] == errno else ": %r" % r))


ENOENT, ESRCH, EAGAIN, EINVAL, ENOSYS, ENOTSUP, ETIMEDOUT, ECANCELED = 2, 3, 11, 22, 38, 95, 110, 125

# ---- created
check(good("containerManager.ContainerRuntimeState", "r") == 1, "... created is 1")
check(good("containerManager.ContainerRuntimeState", "other") == 3, "... an unknown container is stopped")
check(good("Lifecycle.IsContainerRunning", {"container_id": "r"}) is False, "... false before the start")
bad("containerManager.StartRoot", "other", ENOENT, "of an unknown container")
bad("containerManager.StartRoot", None, ENOENT, "without argument")
bad("containerManager.StartRoot", 7, ENOENT, "with a number")
bad("containerManager.Pause", "r", EINVAL, "of a created container")
# ---- events
bad("Lifecycle.Reap", {"container_id": "r"}, 107, "without a channel")
events = Events(name, 20 * patience)
called.add("casemate.Events")
check(events.given, "casemate.Events takes a socket")
bad("casemate.Events", {}, EINVAL, "without descriptor")
bad("casemate.Events", {}, 88, "with a file", [sys.stdout.fileno()])
bad("Lifecycle.Reap", {"container_id": "x"}, ENOENT, "of an unknown container")
bad("Lifecycle.Reap", {}, ENOENT, "of no container")
good("Lifecycle.Reap", {"container_id": "r"})
started = time.time()
good("containerManager.StartRoot", "r")
name_, event = events.next()
stamps = [message(event[i]) for i in (3, 4)]
check(name_ == "ContainerStartedEvent" and event[1] == 1 and event[2] == b"r", "... and an event says so")
check(started - 1 <= stamps[0][1] <= stamps[1][1] <= time.time() + 1, "... with the times")
bad("containerManager.StartRoot", "r", EINVAL, "again")
end = time.time() + 10 * patience
while "up" not in open(output).read() and time.time() < end:
    time.sleep(0.05)
check("up" in open(output).read(), "... the program runs")
check(good("containerManager.ContainerRuntimeState", "r") == 2, "... running is 2")
check(good("Lifecycle.IsContainerRunning", {"container_id": "r"}) is True, "... true while it runs")
check(good("Lifecycle.IsContainerRunning", {"container_id": "x"}) is False, "... false for an unknown container")
bad("Lifecycle.GetExitStatus", {"container_id": "r"}, EAGAIN, "while it runs")
bad("Lifecycle.GetExitStatus", {"container_id": "x"}, ENOENT, "of an unknown container")
check(good("containerManager.State", "r")["status"] == "running", "... the status")
check(good("casemate.Process", "r")["cwd"] == "/", "... is the process of config.json")

# ---- processes
ps = good("containerManager.Processes", "r")
check(ps[0]["pid"] == 1 and ps[0]["uid"] == 0 and isinstance(ps[0]["cmd"], str), "... has the first process")
bad("containerManager.Processes", "x", ENOENT, "of an unknown container")
check(1 in json.loads(good("Proc.Ps", {"JSON": True})), "... numbers as JSON in a string")
check("CMD" in good("Proc.Ps", {"JSON": False}), "... or a table")
event = good("containerManager.Event", "r")["event"]
check(event["type"] == "stats" and event["id"] == "r" and event["data"]["pids"]["current"] >= 1, "... has statistics")
usage = good("Usage.Collect", {"Full": True})
check(0 < usage["Anonymous"] < usage["Total"], "... has the memory")

# ---- exec
def run(method, arg, fds=True):
    r, w = os.pipe()
    null = os.open("/dev/null", os.O_RDWR)
    reply = call(method, arg, [null, w, null] if fds else ())
    os.close(w)
    os.close(null)
    return reply, r


process = {"args": ["/bin/sh", "-c", "echo $A $(id -u); exit 7"], "cwd": "/tmp", "env": ["PATH=/bin", "A=b"], "user": {"uid": 3, "gid": 4}}
reply, out = run("containerManager.ExecuteAsync", {"CID": "r", "Process": process})
check(reply["success"] and reply["result"] > 1, "containerManager.ExecuteAsync with an OCI process")
for i in range(2):
    check(good("containerManager.WaitPID", {"CID": "r", "PID": reply["result"]}) == 7 << 8, "... its status, as often as asked")
check(os.read(out, 100) == b"b 3\n", "... and output")
os.close(out)
reply, out = run("containerManager.ExecuteAsync", {"ContainerID": "r", "argv": ["/bin/sh", "-c", "pwd; id -g; kill -9 $$"], "envv": ["PATH=/bin"],
                                                  "wd": "/bin", "KUID": 0, "KGID": 9, "Capabilities": {"EffectiveCaps": 1, "PermittedCaps": 1}})
check(reply["success"], "containerManager.ExecuteAsync with ExecArgs")
check(good("containerManager.WaitPID", {"CID": "r", "PID": reply["result"]}) == 9, "... the status of a signal")
check(os.read(out, 100) == b"/bin\n9\n", "... and output")
os.close(out)
reply, out = run("Proc.Exec", {"ContainerID": "r", "argv": ["/bin/sh", "-c", "echo sync; exit 3"], "envv": ["PATH=/bin"]})
check(reply["success"] and reply["result"] == 3 << 8 and os.read(out, 10) == b"sync\n", "Proc.Exec waits and gives the status")
os.close(out)
reply, out = run("containerManager.ExecuteAsync", {"CID": "r", "Process": {"args": ["/bin/true"], "cwd": "/"}}, fds=False)
check(reply["success"], "containerManager.ExecuteAsync without descriptors")
os.close(out)
# What is different from the container's process, and the status after the number without another call.
words = {"args": ["/bin/sh", "-c", "echo $A$B $(id -u):$(id -g) $(pwd); exit 5"], "env": ["A=x", "B=y"], "uid": 5, "gid": 6, "cwd": "/bin", "noNewPrivileges": True}
client = Client()
r, w = os.pipe()
null = os.open("/dev/null", os.O_RDWR)
first = client.call("containerManager.ExecuteAsync", {"CID": "r", "Words": words, "Wait": True}, [null, w, null])
os.close(w)
check(first["success"] and first["result"] > 1, "containerManager.ExecuteAsync with Words%s" % ("" if first["success"] else ": %r" % first))
second = client.receive()
check(second["success"] and second["result"] == 5 << 8, "... with Wait its status follows: %r" % second)
check(os.read(r, 100) == b"xy 5:6 /bin\n", "... and output")
check(client.call("containerManager.WaitPID", {"CID": "r", "PID": first["result"]})["result"] == 5 << 8, "... the next call has its own answer")
os.close(r)
os.close(null)
waiting = Client()
first = waiting.call("containerManager.ExecuteAsync", {"CID": "r", "Words": {"args": ["/bin/sleep", "1000"]}, "Wait": True})
good("containerManager.Signal", {"CID": "r", "PID": first["result"], "Signo": 9, "Mode": 0})
check(waiting.receive()["result"] == 9, "... also when a signal ends it later")
gone = Client()
first = gone.call("containerManager.ExecuteAsync", {"CID": "r", "Words": {"args": ["/bin/sleep", "1"]}, "Wait": True})
gone.s.close()
check(good("containerManager.WaitPID", {"CID": "r", "PID": first["result"]}) == 0, "... and nobody has to be there for it")

for arg, text in (({"CID": "r"}, "without argv"), ({"CID": "r", "argv": []}, "with an empty argv"), ({"CID": "r", "argv": "x"}, "with a string as argv"),
                  ({"CID": "r", "Process": 5}, "with a number as Process"), ({"CID": "r", "Process": {"args": ["a"], "cwd": "x"}}, "with a relative directory"),
                  ({"CID": "r", "Words": 5}, "with a number as Words"), ({"CID": "r", "Words": {"cwd": "/"}}, "with Words without args"),
                  ({"CID": "r", "Words": {"args": [5]}}, "with a number in args"), ({"CID": "r", "Words": {"args": ["a"], "env": [5]}}, "with a number in env"),
                  ({"CID": "r", "Words": {"args": ["a"], "uid": "x"}}, "with a string as uid"), ({"CID": "r", "Words": {"args": ["a"], "capabilities": [{}]}}, "with an object as capability"),
                  ({"CID": "r", "argv": ["a"], "KUID": -5}, "with a negative user")):
    bad("containerManager.ExecuteAsync", arg, EINVAL, text)
bad("containerManager.ExecuteAsync", {"CID": "x", "argv": ["a"]}, ENOENT, "in an unknown container")
bad("containerManager.ExecuteAsync", {"CID": "r", "argv": ["nosuch"]}, ENOENT, "of a missing program")
null = os.open("/dev/null", os.O_RDWR)
bad("containerManager.ExecuteAsync", {"CID": "r", "argv": ["/bin/true"]}, EINVAL, "with two descriptors", [null, null])
bad("containerManager.ExecuteAsync", {"CID": "r", "argv": ["/bin/true"]}, EINVAL, "with 100 descriptors", [null] * 100)
more_r, more_w = os.pipe()
reply = call("containerManager.ExecuteAsync", {"CID": "r", "argv": ["/bin/sh", "-c", "echo four >&4; echo nine >&9; exec 4>&- 9>&-; sleep 1000"], "envv": ["PATH=/bin"], "donated_fds": [9, 4]},
             [null, null, null, more_w, more_w])
os.close(more_w)
text = b""
while True:
    part = os.read(more_r, 100)
    if not part:
        break
    text += part
check(reply["success"] and text in (b"four\nnine\n", b"nine\nfour\n"), "containerManager.ExecuteAsync with donated_fds, whose end is theirs%s" % ("" if reply["success"] else ": %r" % reply))
call("containerManager.Signal", {"CID": "r", "PID": reply["result"], "Signo": 9, "Mode": 0})
os.close(more_r)
for numbers, n, text in (([4], 3, "without the descriptor"), ([], 4, "without numbers"), (None, 4, "with four descriptors"), ([2], 4, "with a standard one as donated"), ([1024], 4, "with a number too large"),
                         ([5, 5], 5, "with a number twice"), (["5"], 4, "with a string as number"), (5, 4, "with a number as list"), (list(range(3, 20)), 20, "with 17 donated ones")):
    bad("containerManager.ExecuteAsync", {"CID": "r", "argv": ["/bin/true"], "donated_fds": numbers}, EINVAL, text, [null] * n)
for kind, errno, text in (("/", 95, "of a directory"), (None, 9, "of a path")):
    odd = os.open("/dev/null", os.O_PATH) if kind is None else os.open(kind, os.O_RDONLY)
    bad("containerManager.ExecuteAsync", {"CID": "r", "argv": ["/bin/true"], "donated_fds": [7]}, errno, text, [null, null, null, odd])
    os.close(odd)
bad("containerManager.ExecuteAsync", {"CID": "r", "argv": ["/bin/sh"], "StdioIsPty": True}, EINVAL, "of a terminal without descriptors")
bad("containerManager.WaitPID", {"CID": "r", "PID": 0}, EINVAL, "of process 0")
bad("containerManager.WaitPID", {"CID": "r", "PID": 99999}, ESRCH, "of an unknown process")
bad("containerManager.WaitPID", {"CID": "r"}, EINVAL, "without process")
bad("containerManager.WaitPID", {"CID": "r", "PID": "1"}, EINVAL, "with a string as process")

# A process that is owned by its connection ends with it, another one stays.
owner = Client()
owned = owner.call("containerManager.ExecuteAsync", {"CID": "r", "Owned": True, "Process": {"args": ["/bin/sleep", "1000"], "cwd": "/"}})["result"]
free = call("containerManager.ExecuteAsync", {"CID": "r", "Process": {"args": ["/bin/sleep", "1000"], "cwd": "/"}})["result"]
owner.s.close()
check(good("containerManager.WaitPID", {"CID": "r", "PID": owned}) == 9, "... an owned process ends with its owner")
check(free in [p["pid"] for p in call("containerManager.Processes", "r")["result"]], "... another one does not")
good("Proc.SignalProcess", {"pid": free, "signo": 15})
check(good("containerManager.WaitPID", {"CID": "r", "PID": free}) == 15, "... a signal ends it")
bad("Proc.SignalProcess", {"pid": 0, "signo": 9}, EINVAL, "of process 0")
bad("Proc.SignalProcess", {"pid": 99999, "signo": 9}, ESRCH, "of an unknown process")
bad("casemate.WindowSize", {"CID": "r", "PID": 0, "Rows": 1, "Columns": 2}, 25, "without terminal")
bad("casemate.WindowSize", {"CID": "r", "PID": 0, "Rows": 70000, "Columns": 2}, EINVAL, "with too many rows")

# ---- terminals: what the guest keeps of one that ended
def terminals(n):
    for i in range(n):
        ours, theirs = socket.socketpair()
        r = call("Proc.Exec", {"ContainerID": "r", "argv": ["/bin/true"], "envv": [], "StdioIsPty": True}, [theirs.fileno()] * 3)
        theirs.close()
        ours.close()
        if not r or r["result"] != 0:
            return False
    return True


check(terminals(20), "Proc.Exec with a terminal")
before = call("Usage.Collect")["result"]["System"]
check(terminals(300), "... 300 times")
grown = call("Usage.Collect")["result"]["System"] - before
check(grown < 2 << 20, "... takes no memory: %d KiB" % (grown >> 10))

# ---- what the sentry logs
good("Logging.Change", {"SetStrace": True, "EnableStrace": True, "StraceAllowlist": ["getppid", "clock_nanosleep"]})
end = time.time() + 10 * patience
while not re.search(r"clock_nanosleep\(", open(log, errors="replace").read()) and time.time() < end:
    call("containerManager.Processes", "r")
    time.sleep(0.1)
text = open(log, errors="replace").read()
check("clock_nanosleep(" in text and "wait4(" not in text, "... system calls that are on the list are in the log, no others")
good("Logging.Change", {"SetStrace": True, "EnableStrace": False})
for level in (0, "debug", 2, "error", "info", 1):
    good("Logging.Change", {"SetLevel": True, "Level": level}, text="to %s" % level)
good("Logging.Change", {}, text="of nothing")
for arg, errno, text in ((None, EINVAL, "of nothing at all"), ({"SetLevel": True, "Level": 3}, EINVAL, "to level 3"), ({"SetLevel": True, "Level": "loud"}, EINVAL, "to loud"),
                         ({"SetLevel": True}, EINVAL, "without level"), ({"SetStrace": True, "StraceAllowlist": ["frob"]}, EINVAL, "of a call that there is not"),
                         ({"SetStrace": True, "StraceAllowlist": "read"}, EINVAL, "of a string as list"), ({"SetStrace": True, "StraceAllowlist": [1]}, EINVAL, "of a number as name"),
                         ({"SetLogPackets": True, "LogPackets": True}, ENOTSUP, "of packets"), ({"SetEventStrace": True}, ENOTSUP, "of events")):
    bad("Logging.Change", arg, errno, text)

# ---- memory, as a page
monitor = Client()
monitor.send(b'{"method":"Usage.UsageFD","arg":{"Version":1}}')
called.add("Usage.UsageFD")
data, fds, flags, address = socket.recv_fds(monitor.s, 4096, 4)
check(json.loads(data)["success"] and len(fds) == 1, "Usage.UsageFD gives a descriptor")
page = mmap.mmap(fds[0], 4096, mmap.MAP_SHARED, mmap.PROT_READ)


def figures():
    while True:
        version, size, before, ns, total, free, anon, cache, cpu, processes = struct.unpack_from("<II8Q", page)
        if before % 2 == 0 and before == struct.unpack_from("<Q", page, 8)[0]:
            return version, size, ns, total, anon, processes


first = figures()
check(first[:2] == (1, 72) and first[3] > first[4] > 0 and first[5] >= 1 and abs(first[2] / 1e9 - time.time()) < 60 * patience, "... a page with the figures")
end = time.time() + 10 * patience
while figures()[2] == first[2] and time.time() < end:
    time.sleep(0.1)
check(figures()[2] > first[2], "... that are renewed")
for attempt in ("a write", lambda: os.write(fds[0], b"x")), ("a shared writable mapping", lambda: mmap.mmap(fds[0], 4096)), ("another size", lambda: os.ftruncate(fds[0], 0)):
    try:
        attempt[1]()
        check(False, "... %s is refused" % attempt[0])
    except PermissionError:
        check(True, "... %s is refused" % attempt[0])
monitor.s.close()
time.sleep(1)
last = figures()[2]
time.sleep(1.2)
check(figures()[2] == last, "... and not any more when the connection is closed")
os.close(fds[0])
for arg, text in ((None, "without version"), ({"Version": 2}, "of version 2"), ({"Version": "1"}, "of a string as version")):
    bad("Usage.UsageFD", arg, EINVAL, text)

# ---- processes as /proc has them
dump = good("containerManager.ProcfsDump")
sh = [p for p in dump if p["status"]["pid"] == 1][0]
check(sh["exe"] == "/bin/busybox" and sh["args"][:2] == ["/bin/sh", "-c"] and "PATH" in "".join(sh["env"]) and sh["cwd"] == "/" and sh["root"] == "/", "... exe, args, env, cwd, root")
check(sh["status"]["comm"] == "sh" and sh["status"]["uid"] == {"real": 0, "effective": 0, "saved": 0} and sh["status"]["vm_size"] > sh["status"]["vm_rss"] > 0, "... status")
check(sh["stat"]["pgid"] == 1 and sh["limits"]["RLIMIT_NOFILE"]["max"] >= sh["limits"]["RLIMIT_NOFILE"]["cur"] > 0, "... stat, limits")
check([f["number"] for f in sh["fdlist"]][:3] == [0, 1, 2] and sh["fdlist"][0]["mode"] >> 12 == 2 and sh["fdlist"][0]["path"] == "/dev/null", "... open files")
m = [v for v in sh["maps"] if v["pathname"] == "/bin/busybox" and v["permissions"]["Execute"]][0]
check(m["private"] and m["address"]["End"] > m["address"]["Start"] and m["inode"] > 0, "... mappings")
check(abs(sh["clone_ts"] / 1e9 - time.time()) < 600 * patience and sh["cgroup"][0]["path"].startswith("/"), "... start, cgroup")
check(len(good("containerManager.ProcfsDump", "r")) >= 1, "... by container")
bad("containerManager.ProcfsDump", "x", ENOENT, "of an unknown container")

# ---- files
def copy(method, arg, errno=0, text="", room=None):
    r, w = os.pipe()
    if room:
        os.close(r)
    reply = call(method, arg, [w])
    os.close(w)
    got = b""
    while not room:
        part = os.read(r, 1 << 20)
        if not part:
            break
        got += part
    if not room:
        os.close(r)
    check(reply and reply["errno"] == errno and reply["success"] == (errno == 0), "%s %s" % (method, text) + ("" if reply and reply["errno"] == errno else ": %r" % reply))
    return got


import hashlib
want = open(busybox, "rb").read()
with open("busybox.copy", "wb+") as f:
    check(call("Fs.Cat", {"files": ["/bin/busybox"]}, [f.fileno()])["result"] == len(want), "Fs.Cat of a whole program")
    f.seek(0)
    check(hashlib.sha1(f.read()).digest() == hashlib.sha1(want).digest(), "... intact, into a file")
os.unlink("busybox.copy")
check(copy("Fs.Cat", {"files": ["/etc/words", "/etc/link"]}, text="of two files") == b"one two three\n" * 2, "... one after the other, and by a link")
check(copy("Fs.Read", {"container_id": "r", "path": "/etc/words", "offset": 4, "size": 3}, text="of a part") == b"two", "... which it is")
check(copy("Fs.Read", {"container_id": "r", "path": "/etc/words", "offset": 1000}, text="behind the end") == b"", "... nothing")
check(copy("Fs.Read", {"container_id": "r", "path": "/proc/1/comm"}, text="of /proc") == b"sh\n", "... inside")
copy("Fs.Cat", {"files": ["/etc/none"]}, ENOENT, "of a missing file is refused")
copy("Fs.Cat", {"files": ["/etc"]}, 21, "of a directory is refused")
copy("Fs.Cat", {"files": ["/dev/null"]}, EINVAL, "of a device is refused")
copy("Fs.Cat", {"files": ["/etc/fifo"]}, EINVAL, "of a FIFO is refused")
copy("Fs.Cat", {"files": ["/etc/words", "/etc/none"]}, ENOENT, "of two files of which one is missing is refused")
copy("Fs.Cat", {"files": ["/" + "x" * 5000]}, 36, "of a long name is refused")
copy("Fs.Cat", {"files": ["/bin/busybox"]}, 32, "into a pipe without reader fails", room=1)
for arg, text in (({}, "of nothing"), ({"files": []}, "of no files"), ({"files": "x"}, "of a string"), ({"files": [1]}, "of a number")):
    copy("Fs.Cat", arg, EINVAL, text + " is refused")
for arg, text in (({"container_id": "r"}, "without path"), ({"container_id": "r", "path": "/etc/words", "offset": -1}, "from -1"), ({"container_id": "r", "path": 1}, "of a number"),
                  ({"container_id": "r", "path": "/etc/words", "size": "1"}, "of a string as size")):
    copy("Fs.Read", arg, EINVAL, text + " is refused")
copy("Fs.Read", {"container_id": "x", "path": "/etc/words"}, ENOENT, "of an unknown container is refused")
bad("Fs.Cat", {"files": ["/etc/words"]}, EINVAL, "without descriptor")
null = os.open("/dev/null", os.O_RDWR)
bad("Fs.Read", {"container_id": "r", "path": "/etc/words"}, EINVAL, "with two descriptors", [null, null])
bad("Fs.TarRootfsUpperLayer", {"ContainerID": "r"}, ENOTSUP, "of a root that is no overlay", [null])
# One that does not read, and leaves: its stream ends with it.
r, w = os.pipe()
c = Client()
c.send(json.dumps({"method": "Fs.Cat", "arg": {"files": ["/bin/busybox"] * 100}}).encode(), [w])
time.sleep(0.3)
c.s.close()
os.close(r)
os.close(w)
check(copy("Fs.Cat", {"files": ["/etc/words"]}, text="after a client that left") == b"one two three\n", "... works")

# ---- mounts
def inside(command):
    reply, out = run("Proc.Exec", {"ContainerID": "r", "argv": ["/bin/sh", "-c", command], "envv": ["PATH=/bin"]})
    text = os.read(out, 4096).decode()
    os.close(out)
    return text.strip()


good("Fs.Mount", {"container_id": "r", "fs_type": "tmpfs", "source": "mine", "target": "/mnt", "flags": 8, "data": "size=1m"})
check("mine /mnt tmpfs" in inside("cat /proc/mounts") and "noexec" in inside("cat /proc/mounts"), "... is there, its directory was made")
good("Fs.Mount", {"container_id": "r", "fs_type": "bind", "source": "/etc", "target": "/mnt/etc", "flags": 1}, text="of a directory of the container") if inside("mkdir /mnt/etc") == "" else None
check(inside("cat /mnt/etc/words; echo x 2>/dev/null >/mnt/etc/new || echo no") == "one two three\nno", "... shows it, read-only")
bad("Fs.Umount", {"container_id": "r", "target": "/mnt"}, 16, "of one that is in use")
good("Fs.Umount", {"container_id": "r", "target": "/mnt/etc"})
good("Fs.Umount", {"container_id": "r", "target": "/mnt"})
check("/mnt" not in inside("cat /proc/mounts"), "... gone")
bad("Fs.Umount", {"container_id": "r", "target": "/mnt"}, EINVAL, "again")
good("containerManager.Mount", {"ContainerID": "r", "FsType": "tmpfs", "Destination": "/mnt"})
good("Fs.Umount", {"container_id": "r", "target": "/mnt", "flags": 2})
for arg, errno, text in (({"container_id": "x", "fs_type": "tmpfs", "target": "/mnt"}, ENOENT, "in an unknown container"), ({"container_id": "r", "target": "/mnt"}, EINVAL, "without type"),
                         ({"container_id": "r", "fs_type": "ext4", "target": "/mnt"}, 19, "of ext4"), ({"container_id": "r", "fs_type": "virtiofs", "source": "root", "target": "/mnt"}, 19, "of the host's files"),
                         ({"container_id": "r", "fs_type": "tmpfs", "target": "mnt"}, EINVAL, "at a relative path"), ({"container_id": "r", "fs_type": "tmpfs"}, EINVAL, "without target"),
                         ({"container_id": "r", "fs_type": "tmpfs", "target": "/mnt", "flags": 1 << 20}, EINVAL, "with other flags"), ({"container_id": "r", "fs_type": "tmpfs", "target": "/a/b/c"}, ENOENT, "without parent"),
                         ({"container_id": "r", "fs_type": "bind", "source": "/none", "target": "/mnt"}, ENOENT, "of a missing directory"), ({"container_id": "r", "fs_type": "bind", "target": "/mnt"}, EINVAL, "of no source"),
                         ({"container_id": "r", "fs_type": "tmpfs", "target": "/" + "x" * 5000}, 36, "at a long name"), ({"container_id": "r", "fs_type": "tmpfs", "target": "/mnt", "data": "frob=1"}, EINVAL, "with an option that there is not")):
    bad("Fs.Mount", arg, errno, text)
bad("Fs.Mount", {"container_id": "r", "fs_type": "tmpfs", "target": "/mnt"}, EINVAL, "with a descriptor", [null])
bad("containerManager.Mount", {"ContainerID": "r", "FsType": "erofs", "Destination": "/mnt"}, EINVAL, "of erofs without an image")
bad("containerManager.Mount", {"ContainerID": "x", "FsType": "tmpfs", "Destination": "/mnt"}, ENOENT, "in an unknown container")
bad("containerManager.Mount", {"ContainerID": "r", "FsType": "tmpfs", "Destination": ""}, EINVAL, "at no path")
bad("Fs.Umount", {"container_id": "r", "target": "/mnt", "flags": 1}, EINVAL, "by force")
bad("Fs.Umount", {"container_id": "r"}, EINVAL, "of nothing")
bad("Fs.Umount", {"container_id": "x", "target": "/"}, ENOENT, "in an unknown container")
bad("Fs.Umount", {"container_id": "r", "target": "/"}, 16, "of the root")

# ---- control groups
def control(*files, value=None):
    args = [{"file": dict(zip(("controller", "path", "name"), f))} for f in files]
    for a in args:
        if value is not None:
            a["value"] = value
    results = good("Cgroups.ReadControlFiles" if value is None else "Cgroups.WriteControlFiles", {"args": args})["results"]
    return [(r["value"], r["is_error"]) for r in results]


check(control(("pids", "/r", "pids.max"), ("memory", "/r", "memory.max"), ("cpu", "/r", "cgroup.procs"))[2][0].split()[0] == "1", "... has the container's processes")
check(control(("pids", "/r", "pids.max"), value="123") == [("", False)], "... takes a value")
check(control(("pids", "/r", "pids.max")) == [("123\n", False)], "... which is there then")
check(control(("pids", "/r", "pids.max"), value="max") == [("", False)], "... and goes")
errors = control(("pids", "/r", "pids.frob"), ("pids", "/none", "pids.max"), ("job", "/", "job.id"), ("pids", "/r", "memory.max"), ("pids", "/../r", "pids.max"), ("pids", "/r", "pids.current"))
check([e[1] for e in errors] == [True] * 5 + [False] and all(e[0] for e in errors), "... what fails fails alone")
check(control(("pids", "/r", "pids.max"), value="many")[0][1] and control(("pids", "/r", "pids.max"), value="x" * 100000)[0][1], "... as does a value that makes no sense")
for method in ("Cgroups.ReadControlFiles", "Cgroups.WriteControlFiles"):
    for arg, text in ((None, "of nothing"), ({"args": 1}, "of a number"), ({"args": [1]}, "of a list of numbers"), ({"args": [{"file": {"controller": "pids", "path": 1, "name": "pids.max"}}]}, "of a number as path"),
                      ({"args": [{"file": {"controller": "pids", "path": "/", "name": "pids.max"}}] * 65}, "of too many files")):
        bad(method, arg, EINVAL, text)
check(good("Cgroups.ReadControlFiles", {"args": []}) == {"results": []}, "... of no files are none")

# ---- limits
check(good("casemate.Limit", {"CID": "r", "Memory": 256 << 20, "Pids": 50}) == {"Memory": -1, "Pids": -1}, "... there was none")
check(good("casemate.Limit", {"CID": "r", "Memory": -1}) == {"Memory": 256 << 20}, "... the one before")
good("casemate.Limit", {"CID": "r", "Pids": -1})
for arg, text in (({"CID": "r"}, "of nothing"), ({"CID": "r", "Memory": 0}, "of no memory"), ({"CID": "r", "Memory": -2}, "of -2 bytes"),
                  ({"CID": "r", "Pids": 1 << 32}, "of too many tasks"), ({"CID": "r", "Memory": "1M"}, "with a string"), ({"CID": "r", "Pids": 1.5}, "with half a task")):
    bad("casemate.Limit", arg, EINVAL, text)
bad("casemate.Limit", {"CID": "x", "Pids": 5}, ENOENT, "of an unknown container")

# ---- ids, deadlines, cancelling
def request(**members):
    c = Client()
    c.send(json.dumps(members).encode())
    return c


check(request(method="containerManager.State", arg="r", id=7).receive()["id"] == 7, "a reply has the id of its request")
check(request(method="nosuch.Method", id="x").receive()["id"] == "x", "... a refusal too")
check("id" not in request(method="containerManager.State", arg="r").receive(), "... and none without")
for members, text in ((dict(id=1.5), "a fraction as id"), (dict(id=[1]), "a list as id"), (dict(id="x" * 129), "a long id"), (dict(deadline_ms=0), "a deadline of 0"),
                      (dict(deadline_ms=-1), "a deadline in the past"), (dict(deadline_ms="1"), "a string as deadline")):
    check(request(method="containerManager.State", arg="r", **members).receive()["errno"] == EINVAL, "%s is refused" % text)
began = time.time()
for method, arg in (("containerManager.Wait", "r"), ("containerManager.WaitPID", {"CID": "r", "PID": 1})):
    check(request(method=method, arg=arg, deadline_ms=100).receive()["errno"] == ETIMEDOUT, "%s ends at its deadline" % method)
check(0.2 <= time.time() - began < 5 * patience, "... in time")
check(request(method="containerManager.State", arg="r", deadline_ms=1 << 60).receive()["success"], "a deadline far away")
waiters = [request(method="containerManager.Wait", arg="r", id="w") for i in range(3)] + [request(method="containerManager.Wait", arg="r", id="v")]
time.sleep(0.2)
check(good("casemate.Cancel", "w") == 3, "... ends all calls of that id")
check(all(w.receive()["errno"] == ECANCELED for w in waiters[:3]), "... which are told")
check(good("casemate.Cancel", "w") == 0, "... once")
check(waiters[0].call("containerManager.State", "r")["success"], "... and whose connections go on")
bad("casemate.Cancel", None, EINVAL, "without id")
bad("casemate.Cancel", {}, EINVAL, "of an object")
waiters[3].s.close()

# ---- stacks, from outside
stacks = good("debug.Stacks")
check("vCPU 0" in stacks and re.search(r"task 1 sh", stacks) and "syscall_dispatch+0x" in stacks, "... of vCPUs and tasks, with symbols")
crowd = [request(method="debug.Stacks") for i in range(10)]
check(all("vCPU 0" in c.receive()["result"] for c in crowd), "... for ten at a time")
request(method="debug.Stacks").s.close()
check(request(method="debug.Stacks", deadline_ms=1).receive() is not None and "vCPU 0" in good("debug.Stacks"), "... also after one that left, and one that did not wait")
bad("debug.Stacks", "x", ENOENT, "of an unknown container")

# ---- pause
good("containerManager.Pause", "r")
good("Lifecycle.Pause", {})
bad("containerManager.Processes", "r", EAGAIN, "while paused")
bad("containerManager.ExecuteAsync", {"CID": "r", "argv": ["/bin/true"]}, EAGAIN, "while paused")
bad("containerManager.StartRoot", "r", EINVAL, "while paused")
good("Lifecycle.Resume", {})
check(call("containerManager.State", "r")["result"]["status"] == "paused", "... of two pauses one is left")
good("containerManager.Resume", "r")
bad("containerManager.Resume", "r", EINVAL, "of a container that is not paused")
bad("containerManager.Pause", "x", ENOENT, "of an unknown container")

# ---- signals
for arg, errno, text in (({"CID": "x", "Signo": 15}, ENOENT, "to an unknown container"), ({"CID": "r", "Signo": 65}, EINVAL, "of number 65"),
                         ({"CID": "r", "Signo": -1}, EINVAL, "of number -1"), ({"CID": "r", "Signo": 15, "Mode": 9}, EINVAL, "of mode 9"),
                         ({"CID": "r", "Signo": 15, "Mode": 1, "PID": 1}, EINVAL, "to all and one"), ({"CID": "r", "Signo": 15, "PID": -1}, EINVAL, "to process -1"),
                         ({"Signo": 15}, ENOENT, "without container"), ([], ENOENT, "with a list"), ("r", ENOENT, "with a string")):
    bad("containerManager.Signal", arg, errno, text)
good("containerManager.Signal", {"CID": "r", "Signo": 0}, text="0 looks")
good("containerManager.Signal", {"CID": "r", "Signo": 0, "Mode": 2}, text="to the foreground")
bad("containerManager.Signal", {"CID": "r", "Signo": 15, "Mode": 3}, EINVAL, "to process group 0")
bad("containerManager.Signal", {"CID": "r", "Signo": 15, "Mode": 3, "PID": 9999}, ESRCH, "to a process group that there is not")
bad("containerManager.Signal", {"CID": "r", "Signo": 15, "Mode": 3, "PID": -5}, EINVAL, "to process group -5")
group = call("containerManager.ExecuteAsync", {"CID": "r", "Process": {"args": ["/bin/sh", "-c", "sleep 1000 & sleep 1000 & wait"], "cwd": "/"}})["result"]
end = time.time() + 10 * patience
while len([p for p in call("containerManager.ProcfsDump")["result"] if p["stat"]["pgid"] == group]) < 3 and time.time() < end:
    time.sleep(0.1)
good("containerManager.Signal", {"CID": "r", "Signo": 0, "Mode": 3, "PID": group}, text="0 to a process group")
good("containerManager.Signal", {"CID": "r", "Signo": 9, "Mode": 3, "PID": group}, text="to a process group")
check(good("containerManager.WaitPID", {"CID": "r", "PID": group}) == 9, "... ends its leader")
end = time.time() + 10 * patience
while [p for p in call("containerManager.ProcfsDump")["result"] if p["stat"]["pgid"] == group] and time.time() < end:
    time.sleep(0.1)
check(not [p for p in call("containerManager.ProcfsDump")["result"] if p["stat"]["pgid"] == group], "... and the others")
bad("Lifecycle.SignalContainer", {"container_id": "x", "signo": 15}, ENOENT, "of an unknown container")
good("Lifecycle.SignalContainer", {"container_id": "r", "signo": 28, "signalAll": True})

# ---- messages of every wrong kind: answered, or hung up; the server stays
for text, data in (("no JSON", b"hello"), ("a number", b"12 "), ("a list", b"[1]"), ("no method", b'{"arg":1}'), ("a number as method", b'{"method":3}'),
                   ("half of a message", b'{"method":"containerManager.St')):
    c = Client(2)
    c.send(data)
    try:
        r = c.receive()
        check(r is None or not r["success"], "%s is refused" % text)
    except socket.timeout:
        check(text == "half of a message", "%s is waited for" % text)
    except ConnectionResetError:
        check(True, "%s is refused" % text)
for method in ("containerManager.State", "containerManager.ExecuteAsync"):
    c = Client()
    try:
        c.send(json.dumps({"method": method, "arg": {"CID": "x" * 10000000, "argv": ["a" * 10000000]}}).encode())
        r = c.receive()
    except (BrokenPipeError, ConnectionResetError):
        r = None
    check(r is None, "10 MB for %s end the connection" % method)
c = Client()
c.send(b'{"method":"containerManager.Wait","arg":"r"}')
c.s.close()
check(True, "a waiter that leaves is forgotten")
crowd = [Client() for i in range(100)]
for c in crowd:
    c.send(b'{"method":"containerManager.Wait","arg":"r"}')
bad("nosuch.Method", None, ENOSYS, "an unknown method")
bad("containerManager.wait", "r", ENOSYS, "a method in other letters")

# ---- further containers: rpc_pod.py, rpc_start.py
bad("Lifecycle.StartContainer", {"container_id": "s"}, EINVAL, "of nothing")
bad("containerManager.CreateSubcontainer", {"CID": "r"}, 17, "of one that exists")
bad("containerManager.StartSubcontainer", {"CID": "r"}, EINVAL, "of the root container")
bad("containerManager.DestroySubcontainer", "r", EINVAL, "of the root container")

# ---- what docs/RPC.md says
table = re.findall(r"^\| `([\w.]+)` \|[^|]*\| ([^|]*) \|", open(doc).read(), re.M)
for method, state in table:
    if state.startswith("not yet"):
        bad(method, {}, ENOSYS, "(not yet)")

# ---- the end
twice = [Client() for i in range(2)]
shutdown = json.dumps({"method": "Lifecycle.Shutdown", "arg": {}}).encode()
twice[0].send(shutdown)
# The sandbox may be gone before it reads that, or before it is sent.
try:
    twice[1].send(shutdown)
    second = twice[1].receive()
except (BrokenPipeError, ConnectionResetError):
    second = None
check(twice[0].receive()["success"], "Lifecycle.Shutdown")
check((second or {"success": True})["success"], "... and again")
called.add("Lifecycle.Shutdown")
check(all(c.receive()["result"] == 9 for c in crowd), "100 waiters get the status")
check(events.next() == ("ContainerExitEvent", {1: b"r", 2: 9}) and events.next() is None, "an event tells the end, and is the last")
called.add("containerManager.Wait")
missing = [m for m, state in table if state.startswith("works") and m not in called]
check(not missing and len(table) > 30, "every method of docs/RPC.md was called: %s" % missing)
check(not [m for m in called if m not in dict(table) and m not in ("nosuch.Method", "containerManager.wait")], "every method called is in docs/RPC.md")
print("ok end")
