# SPDX-License-Identifier: Apache-2.0
# Further containers over the control socket: the three methods with arguments of every kind, and clients that race. Arguments: socket, casemate-fsd, root
# directory, config.json.
import json, os, random, select, socket, subprocess, sys, threading, time

from rpc_caller import bad, call, check, connect, good, patience

path, fsd, rootfs, config = sys.argv[1:]
spec = json.load(open(config))
fsd, rootfs = os.path.abspath(fsd), os.path.abspath(rootfs)
connect(path, "containerManager.")
ENOENT, ESRCH, EAGAIN, EEXIST, EINVAL, ENOSPC, EPIPE, EOPNOTSUPP, EALREADY = 2, 3, 11, 17, 22, 28, 32, 95, 114
children = []


def program(*args, **more):
    c = json.loads(json.dumps(spec))
    c["process"]["args"] = list(args)
    c["process"].update(more)
    c["mounts"] = [m for m in c["mounts"] if m["type"] != "bind"]
    c["linux"]["namespaces"] = [{"type": "pid"}, {"type": "mount"}]
    return c


null = os.open("/dev/null", os.O_RDWR)


class Server:
    """A file server, and our end of its socket."""

    def __enter__(self):
        self.s, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root = os.open(rootfs, os.O_PATH)
        fds = (theirs.fileno(), root)
        children.append(subprocess.Popen([fsd, "--plug-fd=%d" % fds[0], "--root-fd=%d" % fds[1]], pass_fds=fds))
        theirs.close()
        os.close(root)
        return [null, null, null, self.s.fileno()]

    def __exit__(self, *what):
        self.s.close()


def start(cid, *args, hold=False):
    with Server() as fds:
        return call("StartSubcontainer", {"CID": cid, "Spec": program(*args), "Conf": {}, "Hold": hold}, fds)


loop = ("/bin/sh", "-c", "while :; do sleep 0.1; done")

# ---- create
for arg, errno, text in ((None, EINVAL, "without argument"), (7, EINVAL, "with a number"), ({}, EINVAL, "without id"), ({"CID": 5}, EINVAL, "with a number as id"),
                         ({"CID": ""}, EINVAL, "with an empty id"), ({"CID": "../x"}, EINVAL, "with a path as id"), ({"CID": "r"}, EEXIST, "of the root container")):
    bad("CreateSubcontainer", arg, errno, text)
bad("CreateSubcontainer", {"CID": "s"}, EINVAL, "with two descriptors", [null, null])
check(call("CreateSubcontainer", {"CID": "x" * 10000000}) is None, "10 MB for CreateSubcontainer end the connection")
good("CreateSubcontainer", {"CID": "s"})
check("container with id exists: 's'" == bad("CreateSubcontainer", {"CID": "s"}, EEXIST, "again"), "... in runc's words")
check(good("ContainerRuntimeState", "s") == 1, "... it is creating")
check(good("State", "s")["status"] == "creating", "... also by name")
bad("Processes", "s", ESRCH, "of one that is not started")
bad("ExecuteAsync", {"CID": "s", "argv": ["/bin/true"]}, ESRCH, "in one that is not started")
check("cannot go from creating to running" in bad("StartRoot", "s", EINVAL, "of it"), "... the error names both states")

# ---- start
whole = {"CID": "s", "Spec": program(*loop), "Conf": {}}
for change, errno, text in (({"CID": None}, ENOENT, "without id"), ({"CID": "x"}, ENOENT, "of an unknown container"), ({"CID": "r"}, EINVAL, "of the root container"),
                            ({"Spec": None}, EINVAL, "without Spec"), ({"Spec": 5}, EINVAL, "with a number as Spec"), ({"Spec": {}}, EINVAL, "with an empty Spec"),
                            ({"Conf": "x"}, EINVAL, "with a string as Conf"), ({"IsDevIoFilePresent": True}, EOPNOTSUPP, "with a file for /dev"),
                            ({"NumGoferFilestoreFDs": 1}, EOPNOTSUPP, "with a filestore"), ({}, EINVAL, "without descriptors")):
    arg = {k: v for k, v in dict(whole, **change).items() if v is not None}
    bad("StartSubcontainer", arg, errno, text)
bad("StartSubcontainer", [], ENOENT, "with a list")
bad("StartSubcontainer", whole, EINVAL, "with three descriptors", [null] * 3)
bad("StartSubcontainer", whole, EINVAL, "with five descriptors", [null] * 5)
bad("StartSubcontainer", dict(whole, donated_fds=[3]), EINVAL, "with one descriptor less than donated_fds has", [null] * 4)
bad("StartSubcontainer", dict(whole, donated_fds=[3, 3]), EINVAL, "with one number twice", [null] * 6)
bad("StartSubcontainer", dict(whole, donated_fds="3"), EINVAL, "with a string as donated_fds", [null] * 4)
bad("StartSubcontainer", dict(whole, Spec=program("/bin/sh", terminal=True)), EINVAL, "with a terminal that Create did not get", [null])
check(call("StartSubcontainer", dict(whole, Spec={"x": "y" * 10000000})) is None, "10 MB for StartSubcontainer end the connection")
check(good("ContainerRuntimeState", "s") == 1, "... it is creating still")
check(start("s", *loop)["success"], "StartSubcontainer")
check(good("State", "s")["status"] == "running" and good("ContainerRuntimeState", "s") == 2, "... it runs")
r = start("s", *loop)
check(r["errno"] == EINVAL and "cannot go from running to created" in r["err"], "StartSubcontainer again: the error names both states")
check([p["pid"] for p in good("Processes", "s")][0] == 1, "... its numbers are those of its own namespace")
check(good("Event", "s")["event"]["id"] == "s", "... statistics of it")
pid = good("ExecuteAsync", {"CID": "s", "argv": ["/bin/sh", "-c", "exit 5"], "envv": ["PATH=/bin"]})
check(good("WaitPID", {"CID": "s", "PID": pid}) == 5 << 8, "... a process in it")
bad("WaitPID", {"CID": "r", "PID": pid}, ESRCH, "of that process in another container")

# ---- destroy
for arg, errno, text in ((None, ENOENT, "without argument"), (5, ENOENT, "with a number"), ("x", ENOENT, "of an unknown container"), ("r", EINVAL, "of the root container"),
                         ({"CID": "x"}, ENOENT, "of an unknown container, as a member")):
    bad("DestroySubcontainer", arg, errno, text)
check(call("DestroySubcontainer", "x" * 10000000) is None, "10 MB for DestroySubcontainer end the connection")
good("DestroySubcontainer", "s", text="of a running one")
bad("DestroySubcontainer", "s", ENOENT, "again")
check(good("ContainerRuntimeState", "s") == 3, "... it is unknown")
good("CreateSubcontainer", {"CID": "s"}, text="with the same id")
good("DestroySubcontainer", "s", text="of one that was never started")

# ---- starts that fail leave a stopped container
good("CreateSubcontainer", {"CID": "f"})
r = start("f", "/nosuch")
check(r["errno"] == ENOENT and "nosuch" in r["err"], "StartSubcontainer of a missing program")
check(good("ContainerRuntimeState", "f") == 3 and good("Wait", "f") == 127 << 8, "... is the end of it")
good("DestroySubcontainer", "f")
good("CreateSubcontainer", {"CID": "f"})
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
theirs.close()
bad("StartSubcontainer", dict(whole, CID="f"), EPIPE, "without a file server at the socket's end", [null, null, null, ours.fileno()])
good("DestroySubcontainer", "f")

# ---- held, released, waited for by several; a client that leaves
good("CreateSubcontainer", {"CID": "h"})
check(start("h", "/bin/sh", "-c", "exit 4", hold=True)["success"] and good("State", "h")["status"] == "created", "StartSubcontainer with Hold: created")
waiters = []
for i in range(20):
    t = threading.Thread(target=lambda: waiters.append(call("Wait", "h")["result"]))
    t.start()
    children.append(t)
time.sleep(0.3)
good("StartRoot", "h", text="lets it go")
check(good("Wait", "h") == 4 << 8, "... its status")
for t in [t for t in children if isinstance(t, threading.Thread)]:
    t.join()
    children.remove(t)
check(waiters == [4 << 8] * 20, "... for each of 20 waiters")
good("DestroySubcontainer", "h")
good("CreateSubcontainer", {"CID": "c"})
with Server() as fds:
    call("StartSubcontainer", {"CID": "c", "Spec": program(*loop), "Conf": {}}, fds, wait=False)
end = time.time() + 20 * patience
while call("ContainerRuntimeState", "c")["result"] == 1 and time.time() < end:
    time.sleep(0.05)
check(good("ContainerRuntimeState", "c") == 2, "a client that leaves before the answer: its container runs")
good("DestroySubcontainer", "c")

# ---- one is paused, the other goes on
class Ticker:
    """A container that writes a byte again and again; its output is ours."""

    def __init__(self, cid):
        self.cid = cid
        good("CreateSubcontainer", {"CID": cid})
        self.out, w = os.pipe()
        with Server() as fds:
            good("StartSubcontainer", {"CID": cid, "Spec": program("/bin/sh", "-c", "(while :; do echo; sleep 0.02; done) & while :; do :; done"), "Conf": {}},
                 [null, w, null, fds[3]])
        os.close(w)

    def ticks(self):
        """Does it go on writing? What lies in the pipe and behind it is no sign of that."""
        begin = last = time.time()
        while time.time() - last < 1 * patience:
            if select.select([self.out], [], [], 0.1)[0]:
                last = time.time()
                os.read(self.out, 65536)
            if last - begin > 2:
                return True
        return False

    def status(self):
        return call("State", self.cid)["result"]["status"]


a, b = Ticker("pa"), Ticker("pb")
check(a.ticks() and b.ticks(), "two containers run")
good("Pause", "pa", text="of one of them")
check((a.status(), b.status()) == ("paused", "running"), "... it alone is paused")
check(not a.ticks(), "... its programs stand still")
check(b.ticks(), "... those of the other go on")
bad("ExecuteAsync", {"CID": "pa", "argv": ["/bin/true"], "envv": ["PATH=/bin"]}, EAGAIN, "in it")
check(len(good("Processes", "pa")) >= 2, "... its processes can be listed")
pid = good("ExecuteAsync", {"CID": "pb", "argv": ["/bin/true"], "envv": ["PATH=/bin"]}, text="in the other")
check(good("WaitPID", {"CID": "pb", "PID": pid}) == 0, "... which runs")
good("Pause", "pa", text="again")
good("Resume", "pa")
check(a.status() == "paused" and not a.ticks(), "... pauses of it nest")
good("Signal", {"CID": "pa", "Signo": 0})
bad("Resume", "pb", EINVAL, "of one that is not paused")
good("Resume", "pa")
check(a.status() == "running" and a.ticks(), "... it goes on")
bad("Resume", "pa", EINVAL, "of one that goes on")
good("Pause", "pa")
# Nothing is started in one that is paused; all that asks about it is answered.
for method, arg in (("containerManager.ExecuteAsync", {"CID": "pa", "argv": ["/bin/true"]}), ("Proc.Exec", {"CID": "pa", "argv": ["/bin/true"]}), ("containerManager.ExecuteAsync", {"CID": "pa", "Process": {"args": ["/bin/true"], "cwd": "/"}})):
    r = call(method, arg)
    check(r["errno"] == EAGAIN and "paused" in r["err"], "%s in a paused container is refused" % method)
works = (("containerManager.Processes", "pa"), ("containerManager.Event", "pa"), ("containerManager.State", "pa"), ("containerManager.ContainerRuntimeState", "pa"), ("Usage.Collect", {"ContainerID": "pa"}),
         ("containerManager.ProcfsDump", "pa"), ("casemate.Process", "pa"), ("casemate.Limit", {"CID": "pa", "Pids": 100}), ("containerManager.Signal", {"CID": "pa", "Signo": 0}),
         ("Cgroups.ReadControlFiles", {"args": [{"file": {"controller": "pids", "path": "/pa", "name": "pids.max"}}]}),
         ("Cgroups.WriteControlFiles", {"args": [{"file": {"controller": "cpu", "path": "/pa", "name": "cpu.weight"}, "value": "50"}]}),
         ("containerManager.Mount", {"ContainerID": "pa", "Source": "none", "Destination": "/tmp", "FsType": "tmpfs"}), ("Fs.Umount", {"container_id": "pa", "target": "/tmp", "flags": 0}))
for method, arg in works:
    r = call(method, arg)
    check(r["success"] and "'is_error': True" not in str(r), "%s of a paused container%s" % (method, "" if r["success"] else ": %r" % r))
out_r, out_w = os.pipe()
r = call("Fs.Read", {"container_id": "pa", "path": "/bin/busybox", "offset": 1, "size": 3}, [out_w])
check(r["success"] and r["result"] == 3 and os.read(out_r, 10) == b"ELF", "Fs.Read of a file of a paused container")
os.close(out_r)
os.close(out_w)
good("ExecuteAsync", {"CID": "pb", "argv": ["/bin/true"]}, text="in the other")
check(a.status() == "paused" and not a.ticks(), "... it stands still all the time")
good("Pause", "pb")
check(not a.ticks() and not b.ticks(), "... both")
good("DestroySubcontainer", "pa", text="of a paused one")
good("Signal", {"CID": "pb", "Signo": 9}, text="to a paused one")
check(good("Wait", "pb") == 9, "... ends it")
good("DestroySubcontainer", "pb")
good("CreateSubcontainer", {"CID": "pa"})
bad("Pause", "pa", EINVAL, "of one that is not started")
good("DestroySubcontainer", "pa")
a = Ticker("pa")
check(a.ticks(), "one with the same id runs")
good("DestroySubcontainer", "pa")

# ---- its memory is its own
good("CreateSubcontainer", {"CID": "mem"})
limited = program(*loop)
limited["linux"]["resources"] = {"memory": {"limit": 100 << 20}}
with Server() as fds:
    good("StartSubcontainer", {"CID": "mem", "Spec": limited, "Conf": {}}, fds, "with a limit of memory")
read = call("Cgroups.ReadControlFiles", {"args": [{"file": {"controller": "memory", "path": "/mem", "name": "memory.max"}}]})
check(read["result"]["results"][0]["value"] == "%d\n" % (100 << 20), "... which it has whole: %r" % read)
usage = [good("Event", cid)["event"]["data"]["memory"]["usage"]["usage"] for cid in ("mem", "r")]
check(0 < usage[0] < usage[1], "... Event counts its own: %r" % usage)
collect = [call("Usage.Collect", arg)["result"]["Total"] for arg in ({"ContainerID": "mem"}, {})]
check(0 < collect[0] < collect[1], "... so does Usage.Collect with ContainerID: %r" % collect)
check(call("Usage.Collect", {"ContainerID": "x"})["errno"] == ENOENT, "... of an unknown container it is refused")
good("DestroySubcontainer", "mem")

# ---- as many as there may be
n = 0
while n < 40 and call("CreateSubcontainer", {"CID": "n%d" % n})["success"]:
    n += 1
check(n == 15, "15 containers besides the root's: %d" % n)
bad("CreateSubcontainer", {"CID": "more"}, ENOSPC, "of one more")
for i in range(n):
    call("DestroySubcontainer", "n%d" % i)

# ---- races: everybody gets a legal answer, whatever came first
legal = {0, ENOENT, ESRCH, EAGAIN, EINVAL, EALREADY}
calls = [lambda c: call("Signal", {"CID": c, "Signo": 9, "Mode": 1}), lambda c: call("Signal", {"CID": c, "Signo": 15}),
         lambda c: call("ExecuteAsync", {"CID": c, "argv": ["/bin/true"], "envv": ["PATH=/bin"]}), lambda c: call("Wait", c),
         lambda c: call("WaitPID", {"CID": c, "PID": 1}), lambda c: call("Processes", c), lambda c: call("DestroySubcontainer", c),
         lambda c: call("State", c), lambda c: call("StartRoot", c), lambda c: call("Event", c)]
random.seed(int(os.environ.get("SEED", "1")))
rounds, wrong, answers = int(os.environ.get("RACES", "12")), [], 0


def race(c, mine):
    global answers
    for f in mine:
        r = f(c)
        answers += 1
        if r is None or r["errno"] not in legal or (r["errno"] == 0) != r["success"]:
            wrong.append(r)


for i in range(rounds):
    c = "race%d" % i
    call("CreateSubcontainer", {"CID": c})
    r = start(c, *loop, hold=i % 3 == 0)
    if not r["success"]:
        wrong.append(r)
    sure = [calls[0], calls[3], calls[6], calls[2]]
    threads = [threading.Thread(target=race, args=(c, random.sample(calls, 3) + [sure[k % 4]])) for k in range(6)]
    for t in threads:
        t.start()
    # Everybody who would have killed it may be waiting for its end: whoever still waits then must be answered.
    for t in threads:
        t.join(0.5 * patience)
    if call("DestroySubcontainer", c)["errno"] not in (0, ENOENT):
        wrong.append("destroy")
    for t in threads:
        t.join(60 * patience)
    if any(t.is_alive() for t in threads):
        wrong.append("a call that hangs in round %d" % i)
check(not wrong, "%d answers to clients that race, all legal %r" % (answers, wrong[:3]))
check(good("ContainerRuntimeState", "r") in (1, 2), "... and the root container lives")
for p in children:
    p.wait(20 * patience)
check(True, "every file server ended with its container")
print("ok end")
