#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Lives of containers, with processes of ours killed meanwhile; for cycles.sh. Prints "ok TEXT", "not TEXT" and remarks.
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

casemate, tmp, bundle = sys.argv[1:4]
cycles, crowd, patience = map(int, sys.argv[4:7])
root = tmp + "/state"
limit = 5.0 * patience
seed = int(os.environ.get("SEED", os.getpid()))
print("seed", seed, flush=True)
slowest = [0.0, ""]
faults = []
counts = {"whole": 0, "killed": 0}
lock = threading.Lock()


def fault(text):
    with lock:
        faults.append(text)


def command(*words, victim=None):
    """Run a command of casemate; victim: seconds after which the command itself is killed. (exit status, output)."""
    begin = time.monotonic()
    out = tempfile.TemporaryFile()  # not a pipe: a container that it makes holds it until its program ends
    p = subprocess.Popen([casemate, "--root", root, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    if victim is not None:
        time.sleep(victim)
        p.kill()
    try:
        status = p.wait(limit + 10)
    except subprocess.TimeoutExpired:
        p.kill()
        status = p.wait()
        fault("%s hangs" % " ".join(words))
    took = time.monotonic() - begin
    with lock:
        if took > slowest[0]:
            slowest[:] = [took, " ".join(words)]
    if took > limit:
        fault("%s took %.1f s" % (" ".join(words), took))
    out.seek(0)
    text = out.read().decode(errors="replace")
    out.close()
    return status, text


def record(cid):
    try:
        with open("%s/%s/state.json" % (root, cid)) as f:
            return json.load(f)
    except (OSError, ValueError):
        return {}


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def kill(cid, what):
    """SIGKILL for the sandbox process ("pid"), the VMM ("vmmPid") or the file server ("fsdPid") of a container."""
    pid = record(cid).get(what, 0)
    if pid > 0:
        try:
            os.kill(pid, signal.SIGKILL)
            return pid
        except ProcessLookupError:
            pass
    return 0


def status(cid):
    code, out = command("state", cid)
    if code:
        return "gone"
    try:
        return json.loads(out)["status"]
    except ValueError:
        return out


def truthful(cid, where):
    """After a kill: soon nothing says that the container lives."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        s = status(cid)
        if s in ("gone", "stopped"):
            return
        time.sleep(0.05)
    fault("%s: state says %s" % (where, s))


def clean(cid, where):
    pids = [record(cid).get(k, 0) for k in ("pid", "vmmPid", "fsdPid")]
    code, out = command("delete", "--force", cid)
    if code:
        fault("%s: delete --force: %d %s" % (where, code, out.strip()))
    if status(cid) != "gone":
        fault("%s: there after delete --force" % where)
    end = time.monotonic() + limit
    while any(p > 0 and alive(p) for p in pids) and time.monotonic() < end:
        time.sleep(0.02)
    if any(p > 0 and alive(p) for p in pids):
        fault("%s: a process lives after delete --force" % where)


def expect(got, where):
    code, out = got
    if code:
        fault("%s: %d %s" % (where, code, out.strip()))


STEPS = ("create", "start", "exec", "kill", "delete")


def step(cid, name, victim=None):
    if name == "create":
        return command("create", "-b", bundle, cid, victim=victim)
    if name == "exec":
        return command("exec", cid, "/bin/true", victim=victim)
    if name == "kill":
        return command("kill", cid, "KILL", victim=victim)
    if name == "delete":
        end = time.monotonic() + limit
        while status(cid) == "running" and time.monotonic() < end:
            time.sleep(0.01)
    return command(name, cid, victim=victim)


def life(n, rng):
    cid = "c%d" % n
    murder = rng.random() < 0.5
    what = rng.choice(("pid", "vmmPid", "fsdPid", "cli"))
    at = rng.choice(STEPS)
    for name in STEPS:
        where = "cycle %d (%s of %s), %s" % (n, what if murder else "nothing", at, name)
        if not murder or name != at:
            expect(step(cid, name), where)
            continue
        if what == "cli":
            step(cid, name, victim=rng.random() * 0.05)
        else:
            timer = threading.Timer(rng.random() * 0.05, kill, (cid, what))
            timer.start()
            step(cid, name)
            timer.join()
            if kill(cid, what):
                truthful(cid, where)
        clean(cid, where)
        break
    with lock:
        counts["killed" if murder else "whole"] += 1


def worker(share, number):
    rng = random.Random(seed * 1000 + number)
    for n in share:
        try:
            life(n, rng)
        except Exception as e:  # what the other workers do still counts
            fault("cycle %d: %r" % (n, e))


def crowd_of_lives():
    threads = [threading.Thread(target=worker, args=(range(i, cycles, crowd), i)) for i in range(crowd)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def every_step():
    """A kill of each process after each step, and of the command within it."""
    for what in ("pid", "vmmPid", "fsdPid"):
        for last in ("create", "start", "exec", "kill"):
            cid = "f-%s-%s" % (what, last)
            for name in STEPS[: STEPS.index(last) + 1]:
                expect(step(cid, name), cid)
            if kill(cid, what):
                truthful(cid, cid)
            clean(cid, cid)
        cid = "f-%s-pause" % what
        for name in ("create", "start", "pause"):
            expect(step(cid, name), cid)
        if kill(cid, what):
            truthful(cid, cid)
        clean(cid, cid)
    for last in STEPS:
        for delay in (0.0, 0.003, 0.02):
            cid = "f-cli-%s-%d" % (last, delay * 1000)
            for name in STEPS[: STEPS.index(last)]:
                expect(step(cid, name), cid)
            step(cid, last, victim=delay)
            clean(cid, cid)


def hooked_bundle():
    """A bundle whose createRuntime hook takes its time, and tells that it began."""
    path = tmp + "/hooked"
    os.mkdir(path)
    with open(bundle + "/config.json") as f:
        c = json.load(f)
    c["root"]["path"] = os.path.realpath(bundle + "/rootfs")
    c["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "echo >%s/began; sleep 1; exit 0" % path]}]}
    with open(path + "/config.json", "w") as f:
        json.dump(c, f)
    return path


def within_a_hook():
    """A kill of each process, and of the command, while a hook of the creation runs."""
    path = hooked_bundle()
    for what in ("pid", "vmmPid", "fsdPid", "cli"):
        cid = "h-%s" % what
        p = subprocess.Popen([casemate, "--root", root, "create", "-b", path, cid], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        end = time.monotonic() + limit
        while not os.path.exists(path + "/began") and time.monotonic() < end:
            time.sleep(0.01)
        if not os.path.exists(path + "/began"):
            fault("%s: the hook did not begin" % cid)
        elif what == "cli":
            p.kill()
        elif not kill(cid, what):
            fault("%s: the record names no process" % cid)
        try:
            if p.wait(limit) == 0:
                fault("%s: created all the same" % cid)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            fault("%s: create hangs" % cid)
        truthful(cid, cid)
        clean(cid, cid)
        if os.path.exists(path + "/began"):
            os.unlink(path + "/began")


def told(text):
    for f in faults[:10]:
        print(f)
    print("not" if faults else "ok", text, flush=True)
    faults.clear()


crowd_of_lives()
print("slowest command: %.2f s, %s" % (slowest[0], slowest[1]))
told("%d cycles, %d at a time, %d whole and %d with a kill at random" % (cycles, crowd, counts["whole"], counts["killed"]))
every_step()
told("a kill of every process after each step, and of the command within it")
within_a_hook()
told("a kill of every process, and of the command, within a hook of the creation")
