# SPDX-License-Identifier: Apache-2.0
# Terminals of containers, from both sides: as an engine (--console-socket) and as a user before a terminal. Lines "ok NAME", "not ok: NAME".
import fcntl, json, os, pty, select, socket, struct, subprocess, sys, termios, time

casemate, tmp, bundle = sys.argv[1:]
patience = int(os.environ.get("CASEMATE_TEST_PATIENCE", "1"))
base = [casemate, "--root", tmp + "/state"]


def check(good, name):
    print(("ok " if good else "not ok: ") + name, flush=True)


def config(*args, **process):
    c = json.load(open(bundle + "/config.json"))
    c["process"].update(args=list(args), terminal=True, **process)
    json.dump(c, open(bundle + "/config.json", "w"))


class Screen:
    """The user's end of a terminal."""

    def __init__(self, fd):
        self.fd, self.text = fd, ""

    def read(self, timeout):
        if not select.select([self.fd], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.fd, 4096)
        except OSError:
            data = b""
        self.text += data.decode(errors="replace")
        return bool(data)

    def wait(self, word, seconds=10):
        end = time.time() + seconds * patience
        while word not in self.text and time.time() < end:
            if not self.read(0.2) and select.select([self.fd], [], [], 0)[0]:
                break
        return word in self.text

    def ended(self, seconds=10):
        end = time.time() + seconds * patience
        while time.time() < end:
            if select.select([self.fd], [], [], 0.2)[0] and not self.read(0):
                return True
        return False

    def type(self, text):
        os.write(self.fd, text.encode())

    def size(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


def console(path):
    if os.path.exists(path):
        os.unlink(path)
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(1)
    return s


def accept(s):
    s.settimeout(20 * patience)
    c, _ = s.accept()
    c.settimeout(20 * patience)
    _, fds, _, _ = socket.recv_fds(c, 200, 4)
    return Screen(fds[0])


def run(*words):
    return subprocess.run(base + list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 * patience)


def state(cid):
    r = run("state", cid)
    return json.loads(r.stdout) if r.returncode == 0 else {}


def wait_stopped(cid):
    end = time.time() + 10 * patience
    while state(cid).get("status") != "stopped" and time.time() < end:
        time.sleep(0.05)
    return state(cid)


def engine():
    config("/bin/sh", consoleSize={"height": 11, "width": 22})
    path = tmp + "/console.sock"
    s = console(path)
    p = subprocess.Popen(base + ["create", "-b", bundle, "--console-socket", path, "t"], stdin=subprocess.DEVNULL)
    screen = accept(s)
    check(p.wait(60 * patience) == 0, "create --console-socket sends a terminal")
    check(run("start", "t").returncode == 0, "... and the container starts")
    screen.type("stty size; tty; echo e''nd\n")
    check(screen.wait("end\r\n") and "11 22" in screen.text, "process.consoleSize is its size")
    check("/dev/pts/0" in screen.text, "... the program has a terminal of its own")
    screen.size(33, 44)
    screen.type("trap 'echo w''inch' WINCH; sleep 0.2; stty size\n")
    check(screen.wait("33 44"), "the engine's window size arrives")
    screen.type("echo f''irst; sleep 1000; echo st''ill\n")
    screen.wait("first")
    time.sleep(1)
    screen.type("\x03")
    screen.type("echo r''eady\n")
    check(screen.wait("ready") and "still" not in screen.text, "Ctrl-C interrupts the foreground alone")

    path2 = tmp + "/console2.sock"
    s2 = console(path2)
    p = subprocess.Popen(base + ["exec", "-d", "-t", "--console-socket", path2, "--pid-file", tmp + "/tpid", "t", "/bin/sh"], stdin=subprocess.DEVNULL)
    second = accept(s2)
    check(p.wait(60 * patience) == 0, "exec -d -t --console-socket")
    second.type("tty; exit 4\n")
    check(second.wait("/dev/pts/1"), "... has another terminal")
    check(second.ended(), "... which hangs up when its program ends")
    os.close(second.fd)

    s2 = console(path2)
    subprocess.run(base + ["exec", "-d", "-t", "--console-socket", path2, "t", "/bin/sh", "-c", "trap 'echo hup > /tmp/hup' HUP; echo up; while :; do sleep 0.1; done"], stdin=subprocess.DEVNULL)
    third = accept(s2)
    third.wait("up")
    os.close(third.fd)
    end = time.time() + 10 * patience
    while not os.path.exists(bundle + "/rootfs/tmp/hup") and time.time() < end:
        time.sleep(0.05)
    check(os.path.exists(bundle + "/rootfs/tmp/hup"), "an engine that closes the terminal hangs the program up")
    screen.type("exit 6\n")
    check(screen.ended() and wait_stopped("t").get("exitStatus") == 6 << 8, "the shell's end is the container's")
    os.close(screen.fd)
    check(run("delete", "t").returncode == 0, "... which can be deleted")
    r = run("create", "-b", bundle, "t")
    check(r.returncode == 1 and b"--console-socket" in r.stderr, "create with a terminal needs --console-socket")


def user():
    """run and exec -t before the user's own terminal."""
    config("/bin/sh")
    pid, fd = pty.fork()
    if pid == 0:
        os.execv("/bin/sh", ["sh", "-c", "stty rows 20 cols 50; stty -a > %s/before; '%s' --root %s/state run -b %s u; echo code=$?; stty -a > %s/after"
                 % (tmp, casemate, tmp, bundle, tmp)])
    screen = Screen(fd)
    screen.type("")
    check(screen.wait("/ #"), "run with a terminal shows the shell's prompt")
    screen.type("stty size\n")
    check(screen.wait("20 50"), "... with the size of the user's terminal")
    screen.size(21, 51)
    time.sleep(0.3)
    screen.type("stty size\n")
    check(screen.wait("21 51"), "... and its changes")
    screen.type("echo f''irst; sleep 1000\n")
    screen.wait("first")
    time.sleep(1)
    screen.type("\x1a")
    check(screen.wait("Stopped"), "Ctrl-Z stops the foreground")
    screen.type("kill -9 %1; wait\nexit 8\nexit 8\n")
    check(screen.wait("code=8"), "the exit code is the shell's")
    screen.ended()
    os.close(fd)
    os.waitpid(pid, 0)
    check(open(tmp + "/before").read().replace("20", "21").replace("50", "51") == open(tmp + "/after").read().replace("20", "21").replace("50", "51"), "the user's terminal is as it was")

    c = json.load(open(bundle + "/config.json"))
    c["process"].update(args=["/bin/sleep", "1000"], terminal=False)
    json.dump(c, open(bundle + "/config.json", "w"))
    subprocess.run(base + ["run", "-d", "-b", bundle, "x"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    pid, fd = pty.fork()
    if pid == 0:
        os.execv("/bin/sh", ["sh", "-c", "'%s' --root %s/state exec -t x /bin/sh -c 'tty; read a; echo got $a; exit 3'; echo code=$?; read b; echo after $b" % (casemate, tmp)])
    screen = Screen(fd)
    check(screen.wait("/dev/pts/0"), "exec -t has a terminal")
    screen.type("one\r")
    check(screen.wait("got one") and screen.wait("code=3"), "... what is typed reaches it")
    screen.type("two\r")
    check(screen.wait("after two"), "... and after its end whoever reads next")
    os.close(fd)
    os.waitpid(pid, 0)
    run("delete", "-f", "x")


engine()
user()
