# SPDX-License-Identifier: Apache-2.0
# Lifecycle.StartContainer: containers made of a program alone, in the file system of the sandbox. Argument: socket. The root
# file system has busybox in /bin, users in /etc/passwd and groups in /etc/group.
import json, os, socket, sys, time

from rpc_caller import call, check, connect, good, patience, read_all
from rpc_events import Events

path = sys.argv[1]
connect(path)
ENOENT, ESRCH, EBADF, EACCES, EAGAIN, EEXIST, ENODEV, ENOTDIR, EINVAL, ENOSPC = 2, 3, 9, 13, 11, 17, 19, 20, 22, 28


number = 0


def start(fds=(), **arg):
    """The reply, and the id."""
    global number
    number += 1
    arg.setdefault("container_id", "c%d" % number)
    return call("Lifecycle.StartContainer", arg, fds), arg["container_id"]


def destroy(cid):
    call("containerManager.DestroySubcontainer", cid)


def output(script, **arg):
    """What a shell writes, and its status."""
    r, w = os.pipe()
    arg.setdefault("argv", ["sh", "-c", script])
    arg.setdefault("filename", "/bin/sh")
    reply, cid = start([w], donated_fds=[1], **arg)
    os.close(w)
    if not reply["success"]:
        os.close(r)
        return repr(reply), -1
    text = read_all(r).decode()
    status = call("containerManager.Wait", cid)["result"]
    destroy(cid)
    return text, status


def bad(errno, text, fds=(), **arg):
    r, cid = start(fds, **arg)
    check(not r["success"] and r["errno"] == errno and r["err"] != "", "StartContainer %s is refused%s" % (text, "" if r["errno"] == errno else ": %r" % r))
    check(call("containerManager.ContainerRuntimeState", cid)["result"] == 3 and call("containerManager.State", cid)["errno"] == ENOENT, "... and leaves nothing") if cid != "r" else None
    return r["err"]


path_env = ["PATH=/bin"]
# ---- program, arguments, environment, directory, user
check(output("echo $0 $A $B; pwd; id -u; id -g; echo $$; umask", envv=["PATH=/bin", "A=1"], secret_envv=["B=2"], wd="/etc") == ("sh 1 2\n/etc\n0\n0\n1\n0022\n", 0),
      "a program with arguments, environment, secrets, directory; first of its own pid namespace")
check(output("exit 3") == ("", 3 << 8), "... its status")
check(output("id -u; id -g; grep Cap /proc/self/status", envv=path_env, KUID=1000, KGID=1001)[0].startswith("1000\n1001\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t000001ff"),
      "KUID, KGID: no capabilities but those that it could get")
check("CapEff:\t000001ff" in output("cat /proc/self/status", envv=path_env)[0], "... and all for user 0")
for user, want in (("user", "1000\n1001\n"), ("1000", "1000\n1001\n"), ("55", "55\n0\n"), ("user:staff", "1000\n50\n"), ("0:7", "0\n7\n")):
    check(output("id -u; id -g", envv=path_env, user=user)[0] == want, "user %s" % user)
check("CapEff:\t0000000000000000" in output("cat /proc/self/status", envv=path_env, user="user")[0], "... without capabilities")
bad(ENOENT, "of a user that there is not", filename="/bin/true", argv=["true"], user="nosuch")
bad(ENOENT, "of a group that there is not", filename="/bin/true", argv=["true"], user="user:nosuch")
bad(EINVAL, "with a user and KUID", filename="/bin/true", argv=["true"], user="user", KUID=5)
check(output("echo ${HOME-none}", envv=path_env, KUID=1000)[0] == "none\n", "no HOME")
check(output("echo $HOME", envv=path_env, KUID=1000, resolve_home=True, secret_envv=["B=2"])[0] == "/home/user\n", "... but with resolve_home")
check(output("echo $HOME", envv=path_env + ["HOME=/x"], resolve_home=True)[0] == "/x\n", "... that of the environment first")

# ---- where the program is
check(output("", filename="", argv=["/bin/echo", "a"])[0] == "a\n", "without filename: argv[0]")
check(output("", filename="/bin/busybox", argv=["echo", "b"])[0] == "b\n", "a filename, and another argv[0]")
check(output("", filename="/bin/pwd", argv=[])[0] == "/\n", "without argv")
bad(ENOENT, "of a name without search", filename="", argv=["echo", "c"], envv=path_env)
check(output("", filename="", argv=["echo", "c"], wd="/bin")[0] == "c\n", "... which is looked for in the directory")
check(output("", filename="", argv=["echo", "d"], envv=path_env, resolve_binary_path=True)[0] == "d\n", "resolve_binary_path: in PATH")
check(output("", filename="bin/echo", argv=["echo", "e"], resolve_binary_path=True)[0] == "e\n", "... with a slash: below the directory")
check("nosuch" in bad(ENOENT, "of a program that there is not", filename="/nosuch", argv=["x"]), "... the error names it")
bad(EACCES, "of a file that is no program", filename="/etc/passwd", argv=["x"])
bad(ENOENT, "in a directory that there is not", filename="/bin/true", argv=["true"], wd="/none/there")
bad(ENOTDIR, "in a file", filename="/bin/true", argv=["true"], wd="/etc/passwd")

# ---- limits, groups
check(output("ulimit -n; ulimit -Hn; ulimit -c", limits={"RLIMIT_NOFILE": {"Cur": 77, "Max": 88}, "RLIMIT_CORE": {"cur": 18446744073709551615, "max": 18446744073709551615}})[0] == "77\n88\nunlimited\n",
      "limits, also of 2^64-1")
bad(EINVAL, "with a limit that there is not", filename="/bin/true", argv=["true"], limits={"RLIMIT_FROB": {"Cur": 1, "Max": 1}})
bad(EINVAL, "with a soft limit above the hard one", filename="/bin/true", argv=["true"], limits={"RLIMIT_NOFILE": {"Cur": 9, "Max": 8}})
bad(EINVAL, "with a limit without values", filename="/bin/true", argv=["true"], limits={"RLIMIT_NOFILE": {}})
check(call("Cgroups.WriteControlFiles", {"args": [{"file": {"controller": "pids", "path": "/r", "name": "pids.max"}, "value": "max"}]})["success"], "a control group")
r, cid = start(filename="/bin/sleep", argv=["sleep", "1000"], initial_cgroups={"memory": "/r", "pids": "/r"})
procs = call("Cgroups.ReadControlFiles", {"args": [{"file": {"controller": "pids", "path": p, "name": "cgroup.procs"}} for p in ("/r", "/" + cid)]})["result"]["results"]
check(r["success"] and len(procs[0]["value"].split()) == 2 and procs[1]["value"] == "", "initial_cgroups: there it begins")
check(call("containerManager.Pause", cid)["errno"] == 95, "... and cannot be paused alone")
destroy(cid)
bad(ENODEV, "with a controller that there is not", filename="/bin/true", argv=["true"], initial_cgroups={"job": "/r"})
bad(ENOENT, "in a group that there is not", filename="/bin/true", argv=["true"], initial_cgroups={"cpu": "/none"})
bad(EINVAL, "in a group above", filename="/bin/true", argv=["true"], initial_cgroups={"cpu": "/../r"})
bad(EINVAL, "in two groups", filename="/bin/true", argv=["true"], initial_cgroups={"cpu": "/r", "pids": "/"})

# ---- descriptors
ours, theirs = socket.socketpair()
file = open("donated", "wb+")
file.write(b"in the file\n")
file.flush()
file.seek(0)
readonly = os.open("donated", os.O_RDONLY)
out_r, out_w = os.pipe()
reply, cid = start([out_w, theirs.fileno(), readonly], filename="/bin/sh", argv=["sh", "-c", "read a <&7; echo got $a >&7; cat <&1000; ls -l /proc/self/fd | wc -l; read b <&7"], envv=path_env,
                   donated_fds=[1, 7, 1000])
os.close(out_w)
os.close(readonly)
theirs.close()
check(reply["success"], "three donated files%s" % ("" if reply["success"] else ": %r" % reply))
ours.settimeout(20 * patience)
ours.sendall(b"word\n")
check(ours.recv(100) == b"got word\n", "... a socket goes both ways")
text = b""
while text.count(b"\n") < 2:
    text += os.read(out_r, 1000)
check(text.startswith(b"in the file\n"), "... a file is read, whatever its number")
ours.sendall(b"end\n")
check(good("containerManager.Wait", cid) == 0 and ours.recv(100) == b"", "... and ends with the container")
destroy(cid)
os.close(out_r)
null = os.open("/dev/null", os.O_RDWR)
opath = os.open("donated", os.O_PATH)
os.unlink("donated")
for errno, fds, numbers, text in ((EINVAL, [null], [], "files without numbers"), (EINVAL, [], [1], "numbers without files"), (EINVAL, [null, null], [4, 4], "a number twice"), (EINVAL, [null], [-1], "a negative number"),
                                  (EINVAL, [null], [1024], "a number too large"), (EINVAL, [null], ["1"], "a string as number"), (EINVAL, [null] * 17, list(range(3, 20)), "17 files"), (EBADF, [opath], [5], "a path")):
    bad(errno, "with " + text, fds, filename="/bin/true", argv=["true"], donated_fds=numbers)
check(output("", filename="/bin/true", argv=["true"])[1] == 0, "... and one that is right, afterwards")
reply, cid = start([null] * 16, filename="/bin/sh", argv=["sh", "-c", "for i in 3 9 18; do [ -e /proc/self/fd/$i ] || exit 1; done"], donated_fds=list(range(3, 19)))
check(reply["success"] and call("containerManager.Wait", cid)["result"] == 0, "16 files")
destroy(cid)

# ---- events, state, signals
events = Events(os.path.basename(path), 20 * patience)
check(events.given, "an event channel")
before = time.time()
reply, cid = start(filename="/bin/sh", argv=["sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.1; done"], envv=path_env, secret_envv=["SECRET=swordfish"])
kind, event = events.next()
check(reply["success"] and kind == "ContainerStartedEvent" and event[1] == 1 and event[2] == cid.encode() and events.time(event, 3) >= before - 1
      and events.time(event, 4) >= events.time(event, 3), "ContainerStartedEvent, with both times")
check(good("containerManager.State", cid)["status"] == "running" and good("Lifecycle.IsContainerRunning", {"container_id": cid}) is True, "... it runs")
check(start(container_id=cid, filename="/bin/true", argv=["true"])[0]["errno"] == EEXIST and start(container_id="r", filename="/bin/true", argv=["true"])[0]["errno"] == EEXIST, "one of the same id is refused")
check([p["pid"] for p in good("containerManager.Processes", cid)][0] == 1, "... its processes")
pid = good("containerManager.ExecuteAsync", {"CID": cid, "argv": ["/bin/sh", "-c", "echo 1 >/tmp/shared"], "envv": path_env})
good("containerManager.WaitPID", {"CID": cid, "PID": pid}, text="of one more process")
good("Lifecycle.Reap", {"container_id": cid})
good("Lifecycle.SignalContainer", {"container_id": cid, "signo": 15})
check(good("containerManager.Wait", cid) == 4 << 8 and events.next() == ("ContainerExitEvent", {1: cid.encode(), 2: 4 << 8}), "ContainerExitEvent, with the status")
check(good("Lifecycle.GetExitStatus", {"container_id": cid}) == 4 << 8 and events.next()[0] == "ContainerExitEvent", "... and again for who asks")
check(good("containerManager.State", cid)["status"] == "stopped", "... it is there until it is destroyed")
good("containerManager.DestroySubcontainer", cid)
check(output("cat /tmp/shared")[0] == "1\n", "files are those of the sandbox")

# ---- secrets
reply, cid = start(filename="/bin/sh", argv=["sh", "-c", "while :; do sleep 0.2; done"], envv=["PATH=/bin", "OPEN=here"], secret_envv=["SECRET=swordfish"], resolve_home=True)
texts = {"casemate.Process": json.dumps(call("casemate.Process", cid)), "containerManager.State": json.dumps(call("containerManager.State", cid))}
end = time.time() + 10 * patience
dump = []
while not [p for p in dump if p["status"]["pid"] != 1 and not p["env"]] and time.time() < end:  # a child that has executed its program
    dump = call("containerManager.ProcfsDump", cid)["result"]
texts["containerManager.ProcfsDump"] = json.dumps(dump)
check(all("swordfish" not in t and "SECRET" not in t for t in texts.values()), "a secret is in no %s" % ", ".join(texts))
first = [p for p in dump if p["status"]["pid"] == 1][0]
check("OPEN=here" in first["env"] and "HOME=/root" in first["env"], "... but the rest of the environment is")
check([p for p in dump if p["status"]["pid"] != 1 and not p["env"]], "... nothing of that which a program handed on")
check("swordfish" in output("cat /proc/self/environ", envv=path_env, secret_envv=["SECRET=swordfish"])[0], "... the program itself has it")
destroy(cid)
for inner, open_, text in (("(sh -c 'kill -SEGV $PPID'; sleep 9); true", "1", "of the program"), ("sh -c 'kill -SEGV $$; sleep 9'; true", "0", "of another that it executes")):
    output("cd /tmp; rm -f core; " + inner, envv=path_env + ["OPEN=here"], secret_envv=["SECRET=swordfish", "TWO=swordfish2"], limits={"RLIMIT_CORE": {"Cur": 1 << 40, "Max": 1 << 40}})
    got = output("[ -s /tmp/core ] && grep -q OPEN=here /tmp/core && echo 1 || echo 0; grep -c swordfish /tmp/core", envv=path_env)
    check(got[0] == open_ + "\n0\n", "... nor in a core %s: %r" % (text, got))

# ---- what makes no sense
for arg, text in (({"argv": "x"}, "with a string as argv"), ({"argv": [1]}, "with numbers as argv"), ({}, "of nothing"), ({"argv": ["/bin/true"], "envv": "x"}, "with a string as envv"), ({"argv": ["/bin/true"], "secret_envv": [1]}, "with a number as secret"),
                  ({"argv": ["/bin/true"], "wd": "etc"}, "in a relative directory"), ({"argv": ["/bin/true"], "KUID": -1}, "of user -1"), ({"argv": ["/bin/true"], "KUID": 1 << 32}, "of user 2^32"), ({"argv": ["/bin/true"], "user": 5}, "with a number as user"),
                  ({"argv": ["/bin/true"], "limits": []}, "with a list of limits"), ({"argv": ["/bin/true"], "resolve_home": 1}, "with a number for resolve_home")):
    bad(EINVAL, text, **arg)
check(start(container_id="../x", argv=["/bin/true"])[0]["errno"] == EINVAL and call("Lifecycle.StartContainer", {"argv": ["/bin/true"]})["errno"] == EINVAL and call("Lifecycle.StartContainer")["errno"] == EINVAL, "an id that is none is refused")
ids = []
while True:
    reply, cid = start(filename="/bin/sleep", argv=["sleep", "1000"])
    if not reply["success"]:
        break
    ids.append(cid)
check(len(ids) == 15 and reply["errno"] == ENOSPC, "15 at a time: %d" % len(ids))
for cid in ids[1:]:
    destroy(cid)
good("containerManager.StartRoot", "r")
good("Lifecycle.Pause", {})
check(start(filename="/bin/true", argv=["true"])[0]["errno"] == EAGAIN, "none while the sandbox is paused")
good("Lifecycle.Resume", {})
good("Lifecycle.Shutdown", {})
check(True, "the sandbox ends with one that runs")
print("ok end")
