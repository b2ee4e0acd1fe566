# SPDX-License-Identifier: Apache-2.0
# A client of the control socket that knows nothing but docs/RPC.md: one JSON value a message, descriptors as SCM_RIGHTS on its first byte.
import json, os, re, socket, sys, time

path, output, doc = sys.argv[1:]
patience = int(os.environ.get("CASEMATE_TEST_PATIENCE", "1"))
called = set()
directory, name = os.path.split(path)
output, doc = os.path.abspath(output), os.path.abspath(doc)
os.chdir(directory)


def check(good, text):
    print(("ok " if good else "not ok: ") + text, flush=True)


class Client:
    def __init__(self, seconds=20):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(seconds * patience)
        self.s.connect(name)

    def send(self, data, fds=()):
        if fds:
            socket.send_fds(self.s, [data[:1]], fds)
            data = data[1:]
        self.s.sendall(data)

    def receive(self):
        text = b""
        while True:
            part = self.s.recv(65536)
            if not part:
                return None
            text += part
            try:
                return json.loads(text)
            except ValueError:
                continue

    def call(self, method, arg=None, fds=()):
        called.add(method)
        request = {"method": method}
        if arg is not None:
            request["arg"] = arg
        self.send(json.dumps(request).encode(), fds)
        return self.receive()


def call(method, arg=None, fds=()):
    return Client().call(method, arg, fds)


def good(method, arg=None, fds=(), text=""):
    r = call(method, arg, fds)
    check(r and r["success"] and r["errno"] == 0, "%s %s" % (method, text) + ("" if r and r["success"] else ": %r" % r))
    return r and r["result"]


def bad(method, arg, errno, text, fds=()):
    r = call(method, arg, fds)
    check(r is not None and not r["success"] and r["errno"] == errno and r["err"] != "", "%s %s is refused" % (method, text) + ("" if r and r["errno"] == errno else ": %r" % r))


ENOENT, ESRCH, EAGAIN, EINVAL, ENOSYS, ETIMEDOUT, ECANCELED = 2, 3, 11, 22, 38, 110, 125

# ---- created
check(good("containerManager.ContainerRuntimeState", "r") == 1, "... created is 1")
check(good("containerManager.ContainerRuntimeState", "other") == 3, "... an unknown container is stopped")
check(good("Lifecycle.IsContainerRunning", {"container_id": "r"}) is False, "... false before the start")
bad("containerManager.StartRoot", "other", ENOENT, "of an unknown container")
bad("containerManager.StartRoot", None, ENOENT, "without argument")
bad("containerManager.StartRoot", 7, ENOENT, "with a number")
bad("containerManager.Pause", "r", EINVAL, "of a created container")
good("containerManager.StartRoot", "r")
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
for arg, text in (({"CID": "r"}, "without argv"), ({"CID": "r", "argv": []}, "with an empty argv"), ({"CID": "r", "argv": "x"}, "with a string as argv"),
                  ({"CID": "r", "Process": 5}, "with a number as Process"), ({"CID": "r", "Process": {"args": ["a"], "cwd": "x"}}, "with a relative directory"),
                  ({"CID": "r", "argv": ["a"], "KUID": -5}, "with a negative user")):
    bad("containerManager.ExecuteAsync", arg, EINVAL, text)
bad("containerManager.ExecuteAsync", {"CID": "x", "argv": ["a"]}, ENOENT, "in an unknown container")
bad("containerManager.ExecuteAsync", {"CID": "r", "argv": ["nosuch"]}, ENOENT, "of a missing program")
null = os.open("/dev/null", os.O_RDWR)
bad("containerManager.ExecuteAsync", {"CID": "r", "argv": ["/bin/true"]}, EINVAL, "with two descriptors", [null, null])
bad("containerManager.ExecuteAsync", {"CID": "r", "argv": ["/bin/true"]}, EINVAL, "with 100 descriptors", [null] * 100)
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

# ---- what docs/RPC.md says
table = re.findall(r"^\| `([\w.]+)` \|[^|]*\| ([^|]*) \|", open(doc).read(), re.M)
for method, state in table:
    if state.startswith("not yet"):
        bad(method, {}, ENOSYS, "(not yet)")

# ---- the end
twice = [request(method="Lifecycle.Shutdown", arg={}) for i in range(2)]
check(all(c.receive()["success"] for c in twice), "Lifecycle.Shutdown, and again")
called.add("Lifecycle.Shutdown")
check(all(c.receive()["result"] == 9 for c in crowd), "100 waiters get the status")
called.add("containerManager.Wait")
missing = [m for m, state in table if state.startswith("works") and m not in called]
check(not missing and len(table) > 30, "every method of docs/RPC.md was called: %s" % missing)
check(not [m for m in called if m not in dict(table) and m not in ("nosuch.Method", "containerManager.wait")], "every method called is in docs/RPC.md")
print("ok end")
