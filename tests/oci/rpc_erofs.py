# SPDX-License-Identifier: Apache-2.0
# Images of erofs, mounted over the control socket of a microVM, against the directory that mkfs.erofs made them of. Arguments: socket of a created container,
# casemate-fsd, its root directory (with `tree` in /bin), config.json, a directory to work in.
import json, os, random, signal, socket, stat, subprocess, sys, threading, time

from rpc_caller import bad, call, check, connect, connection, good, patience, shell as run

path, fsd, rootfs, config, work = (os.path.abspath(a) for a in sys.argv[1:])
small = "CASEMATE_TEST_EMULATED" in os.environ
spec = json.load(open(config))
directory = os.path.dirname(path)
connect(path)
ENOENT, ESRCH, EBADF, EAGAIN, EBUSY, EISDIR, EINVAL, EBADMSG, EOPNOTSUPP, ETIMEDOUT, EUCLEAN = 2, 3, 9, 11, 16, 21, 22, 74, 95, 110, 117


def link(p):
    try:
        return os.readlink(p)
    except OSError:
        return ""


def images(pid):
    """That a process has open."""
    try:
        fds = os.listdir("/proc/%s/fd" % pid)
    except OSError:
        return 0
    return sum(link("/proc/%s/fd/%s" % (pid, f)).startswith(work + "/") for f in fds)


def open_images():
    """In all file servers of ours, and in the sandbox process, which has the socket's directory as its own."""
    return sum(images(p) for p in os.listdir("/proc") if p.isdigit() and (link("/proc/%s/exe" % p) == fsd or link("/proc/%s/cwd" % p) == directory) and int(p) != os.getpid())


def closed(text):
    for i in range(100 * patience):
        if open_images() == 0:
            break
        time.sleep(0.02)
    check(open_images() == 0, text)


# ---- the source and the images
src = work + "/src"
os.makedirs(src + "/dir/sub/deep")
for size in (0, 1, 11, 500, 4095, 4096, 4097, 100000):
    with open("%s/size%d" % (src, size), "wb") as f:
        f.write(bytes(i * 7 + i // 251 & 255 for i in range(size)))
with open(src + "/large", "wb") as f:
    f.write(random.Random(1).randbytes(1000000 if small else 8000000))
with open(src + "/hole", "wb") as f:
    f.write(b"begin")
    f.seek(300000)
    f.write(b"end")
for i in range(200 if small else 700):
    open("%s/dir/name-%04d" % (src, i), "w").close()
for i in range(5):
    with open("%s/dir/sub/x%d" % (src, i), "w") as f:
        f.write("x" * i)
os.link(src + "/size4097", src + "/dir/hard")
os.symlink("size11", src + "/link")
os.symlink("l" * 1500, src + "/longlink")
os.mkfifo(src + "/fifo", 0o640)
os.mknod(src + "/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
os.mknod(src + "/disk", 0o600 | stat.S_IFBLK, os.makedev(259, 70000))
s = socket.socket(socket.AF_UNIX)
s.bind(src + "/socket")
s.close()
subprocess.run(["cp", rootfs + "/bin/busybox", src + "/busybox"], check=True)
os.chmod(src + "/size1", 0o4711)
os.chmod(src + "/dir/sub", 0o1777)
os.chown(src + "/size500", 1000, 1001)
os.chown(src + "/size4096", 70000, 80000)
for f, attr in (("size11", "user.one"), ("size11", "security.casemate"), ("dir", "trusted.two"), ("link", "trusted.three"), ("size4096", "trusted.empty")):
    try:
        os.setxattr(src + "/" + f, attr, b"" if "empty" in attr else b"value of " + attr.encode(), follow_symlinks=False)
    except OSError as e:
        print("# %s: %s" % (attr, e), flush=True)  # the directory's file system has none of this kind
for i in range(5):
    os.setxattr("%s/dir/sub/x%d" % (src, i), "trusted.shared", b"the same of all" * 20)
for i, (top, dirs, files) in enumerate(os.walk(src, topdown=False)):
    for k, f in enumerate(sorted(files + dirs)):
        os.utime(os.path.join(top, f), ns=(1, 1500000000123456789 + k * 1000000007 + i), follow_symlinks=False)


def make(image, *options):
    out = subprocess.run(["mkfs.erofs", *options, work + "/" + image, src], capture_output=True, text=True)
    if out.returncode:
        print("# mkfs.erofs %s: %s%s" % (options, out.stdout, out.stderr), flush=True)


make("plain", "--preserve-mtime")
make("compact", "-T1000000000")
make("chunks", "--chunksize=4096", "-T1000000000")
make("nosum", "-x-1", "--ignore-mtime", "-Enosbcrc")
make("lz4", "-zlz4")


def image(f="plain", flags=os.O_RDONLY):
    return os.open(work + "/" + f, flags)


def mount(target, f="plain", cid="r", **more):
    fd = image(f)
    r = call("containerManager.Mount", dict({"ContainerID": cid, "Source": "/images/" + f, "Destination": target, "FsType": "erofs"}, **more), [fd])
    os.close(fd)
    return r


def umount(target, cid="r", flags=0):
    return call("Fs.Umount", {"container_id": cid, "target": target, "flags": flags})


def compare(f, text, *options):
    check(mount("/mnt", f)["success"], "an image %s is mounted" % text)
    want = subprocess.run([rootfs + "/bin/tree", *options, src], capture_output=True, text=True).stdout
    got = run("tree %s /mnt" % " ".join(options))[0]
    if want != got:
        a, b = want.splitlines(), got.splitlines()
        print("# %d and %d lines" % (len(a), len(b)))
        for x, y in [(x, y) for x, y in zip(a, b) if x != y][:5]:
            print("# want %s\n# got  %s" % (x, y))
    check(want == got and len(want.splitlines()) > 200, "... and has what its source has, %d names" % len(got.splitlines()))
    check(umount("/mnt")["success"], "... and unmounted")


good("containerManager.StartRoot", "r")
check(run("mkdir /mnt; ls /mnt") == ("", 0), "a program of its own looks at the files")
compare("plain", "with extended inodes")
compare("compact", "with compact inodes", "-t")
compare("chunks", "of chunks", "-t")

# ---- one that is mounted
good("Fs.Mount", {"container_id": "r", "source": "mine", "target": "/mnt", "fs_type": "erofs", "flags": 2}, [image()])
line = [l for l in run("cat /proc/mounts")[0].splitlines() if " /mnt " in l]
check(line and line[0].startswith("mine /mnt erofs ro,nosuid,relatime"), "/proc/mounts: %r" % line)
check("\n\terofs\n" in run("cat /proc/filesystems")[0], "/proc/filesystems has it")
check(run("stat -f -c %t:%s:%l /mnt")[0] == "e0f5e1e2:4096:255\n", "statfs tells type, block size and length of names")
check(run("/mnt/busybox echo a program of the image") == ("a program of the image\n", 0), "a program of the image runs")
check("Read-only file system" in run("echo >/mnt/size0")[0] and "Read-only file system" in run("mkdir /mnt/new")[0], "nothing can be written")
check("Read-only" in run("mount -o remount,rw /mnt; mkdir /mnt/new")[0], "... also after a remount")
check(run("cat /mnt/size11 /mnt/none 2>/dev/null; cat /mnt/dir/name-0001 /mnt/dir/sub/x3") [0].endswith("xxx"), "files are read")
check("lock device required" in run("mount -t erofs /dev/null /mnt")[0], "mount(2) mounts none: " + run("mount -t erofs /dev/null /mnt")[0].strip())
check(open_images() == 1, "the image is open in the file server alone")
bad("containerManager.Mount", {"ContainerID": "r", "FsType": "erofs", "Destination": "/mnt/none/there"}, ENOENT, "below a directory that there is not", [image()])
check(umount("/mnt")["success"] and run("ls /mnt") == ("", 0), "it is unmounted")

# ---- what is refused
ask = {"ContainerID": "r", "FsType": "erofs", "Destination": "/mnt"}
with open(work + "/text", "w") as f:
    f.write("no image" * 1000)
subprocess.run(["cp", work + "/plain", work + "/short"], check=True)
os.truncate(work + "/short", os.path.getsize(work + "/plain") // 2)
subprocess.run(["cp", work + "/plain", work + "/sum"], check=True)
with open(work + "/sum", "r+b") as f:
    f.seek(1024 + 50)
    f.write(b"another uuid")
bad("containerManager.Mount", ask, EINVAL, "without descriptor")
bad("containerManager.Mount", ask, EINVAL, "with two descriptors", [image(), image()])
bad("containerManager.Mount", ask, EISDIR, "of a directory", [os.open(src, os.O_RDONLY)])
bad("containerManager.Mount", ask, EBADF, "of a file that is open for writing alone", [image("text", os.O_WRONLY)])
bad("containerManager.Mount", ask, EBADF, "of an O_PATH descriptor", [image("plain", os.O_PATH)])
bad("containerManager.Mount", ask, EINVAL, "of an image that could be written", [image("plain", os.O_RDWR)])
bad("containerManager.Mount", ask, EINVAL, "of a device", [os.open("/dev/zero", os.O_RDONLY)])
bad("containerManager.Mount", ask, EINVAL, "of a pipe", [os.pipe()[0]])
bad("containerManager.Mount", ask, EINVAL, "of another file", [image("text")])
bad("containerManager.Mount", ask, EINVAL, "of an empty file", [image("src/size0")])
bad("containerManager.Mount", ask, EUCLEAN, "of a part of an image", [image("short")])
bad("containerManager.Mount", ask, EBADMSG, "of one whose checksum is wrong", [image("sum")])
bad("containerManager.Mount", ask, EOPNOTSUPP, "of a compressed one", [image("lz4")])
for change, errno, text in (({"ContainerID": "x"}, ENOENT, "in an unknown container"), ({"Destination": "mnt"}, EINVAL, "at a relative path"),
                            ({"Destination": None}, EINVAL, "at no path"), ({"Destination": "/none/there"}, ENOENT, "where even the parent is missing"),
                            ({"Destination": "/bin/busybox"}, 20, "on a file"), ({"Destination": 5}, EINVAL, "at a number")):
    bad("containerManager.Mount", dict(ask, **change), errno, text, [image()])
bad("Fs.Mount", {"container_id": "r", "target": "/mnt", "fs_type": "erofs", "data": "user_xattr"}, EINVAL, "with options", [image()])
bad("Fs.Mount", {"container_id": "r", "target": "/mnt", "fs_type": "erofs", "flags": 1 << 20}, EINVAL, "with an unknown flag", [image()])
check(" erofs " not in run("cat /proc/mounts")[0], "... and none of them left a mount")
closed("... or an open file in the file server")

# ---- many at once
errors = []


def one(i):
    r = mount("/mnt/m%d" % i)
    if not r["success"]:
        errors.append(r)


good("containerManager.Mount", {"ContainerID": "r", "FsType": "tmpfs", "Destination": "/mnt"})
threads = [threading.Thread(target=one, args=(i,)) for i in range(24)]
for t in threads:
    t.start()
for t in threads:
    t.join()
check(not errors and run("for m in /mnt/m*; do cat $m/dir/sub/x4 $m/size1; done | wc -c")[0] == "120\n", "24 mounts at once %r" % errors)
good("containerManager.Pause", "r")
bad("containerManager.Mount", dict(ask, Destination="/mnt/p"), EAGAIN, "in a paused container", [image()])
good("containerManager.Resume", "r")
check(run("cat /mnt/m3/size4097 | wc -c")[0] == "4097\n", "... they are there after a pause")
pid = call("containerManager.ExecuteAsync", {"CID": "r", "argv": ["/bin/sh", "-c", "cd /mnt/m5 && exec sleep 1000"], "envv": ["PATH=/bin"]})["result"]
for i in range(100 * patience):
    if any(p["cwd"] == "/mnt/m5" for p in call("containerManager.ProcfsDump", "r")["result"]):
        break
    time.sleep(0.05)
check(umount("/mnt/m5")["errno"] == EBUSY, "one that is in use is not unmounted")
check(umount("/mnt/m5", flags=2)["success"], "... but detached")
call("containerManager.Signal", {"CID": "r", "Signo": 9, "PID": pid, "Mode": 0})
call("containerManager.WaitPID", {"CID": "r", "PID": pid})
check(all(umount("/mnt/m%d" % i)["success"] for i in range(24) if i != 5), "... and all are unmounted")
closed("... and closed in the file server")

# ---- the same image again and again
slow = time.time()
check(all(mount("/mnt/again")["success"] and umount("/mnt/again")["success"] for i in range(30 if small else 60)), "mounted and unmounted many times")
print("# %.2f ms each" % ((time.time() - slow) * 1000 / (30 if small else 60)), flush=True)
closed("... nothing is left")

# ---- damaged images, and one that becomes shorter
data = open(work + "/nosum", "rb").read()
rng = random.Random(7)
mounted = 0
for i in range(8 if small else 15):
    copy = bytearray(data)
    for k in range(rng.randrange(1, 40)):
        # The inodes lie at the front, the directories' entries are spread.
        copy[rng.randrange(1200, 20000) if k % 2 else rng.randrange(1200, len(copy))] = rng.randrange(256)
    with open(work + "/damaged", "wb") as f:
        f.write(copy)
    r = mount("/mnt/damaged", "damaged")
    mounted += r["success"]
    if r["success"]:
        run("tree /mnt/damaged >/dev/null; cat /mnt/damaged/* /mnt/damaged/dir/* >/dev/null 2>&1 </dev/null & sleep 0.3; kill $!")
        if not umount("/mnt/damaged", flags=2)["success"]:
            break
check(mounted > 0 and run("echo alive") == ("alive\n", 0), "%d damaged images were read" % mounted)
subprocess.run(["cp", work + "/plain", work + "/shrinks"], check=True)
check(mount("/mnt/shrinks", "shrinks")["success"], "an image that will be shorter")
os.truncate(work + "/shrinks", 0)
check(run("cat /mnt/shrinks/large >/dev/null 2>&1")[1] != 0, "... its files cannot be read")
check(umount("/mnt/shrinks")["success"] and run("echo alive") == ("alive\n", 0), "... and that is all")

# ---- one that is removed, and a file server that hangs
subprocess.run(["cp", work + "/compact", work + "/removed"], check=True)
fd = image("removed")
os.unlink(work + "/removed")
good("containerManager.Mount", dict(ask, Destination="/mnt/removed"), [fd], text="of an image that was removed")
os.close(fd)
check(run("cat /mnt/removed/dir/sub/x3 /mnt/removed/size500 | wc -c")[0] == "503\n" and umount("/mnt/removed")["success"], "... it can be read")
pid = [int(p) for p in os.listdir("/proc") if p.isdigit() and link("/proc/%s/exe" % p) == fsd][0]
os.kill(pid, signal.SIGSTOP)
c = connection()
c.send(json.dumps({"method": "containerManager.Mount", "arg": dict(ask, Destination="/mnt/hangs"), "deadline_ms": 500}).encode(), [image()])
r = c.receive()
check(r["errno"] == ETIMEDOUT, "a file server that hangs takes no image: %r" % r["err"])
check(call("containerManager.State", "r")["success"], "... and holds up nobody else")
os.kill(pid, signal.SIGCONT)
check(run("ls /mnt")[0] == "again\ndamaged\nm0\n" + "".join("m%d\n" % i for i in sorted(range(1, 24), key=str)) + "removed\nshrinks\n", "... which goes on, without it")
closed("... and closes it")

# ---- further containers
null = os.open("/dev/null", os.O_RDWR)


def further(cid, *args):
    """One with a file server of its own."""
    c = json.loads(json.dumps(spec))
    c["process"]["args"] = list(args)
    c["mounts"] = [m for m in c["mounts"] if m["type"] != "bind"]
    c["linux"]["namespaces"] = [{"type": "pid"}, {"type": "mount"}]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    root = os.open(rootfs, os.O_PATH)
    fds = (theirs.fileno(), root)
    p = subprocess.Popen([fsd, "--plug-fd=%d" % fds[0], "--root-fd=%d" % fds[1]], pass_fds=fds)
    theirs.close()
    os.close(root)
    call("containerManager.CreateSubcontainer", {"CID": cid})
    r = call("containerManager.StartSubcontainer", {"CID": cid, "Spec": c, "Conf": {}}, [null, null, null, ours.fileno()])
    ours.close()
    check(r["success"], "a further container%s" % ("" if r["success"] else ": %r" % r))
    return p


server = further("b", "/bin/sh", "-c", "while :; do cat /mnt/large >/dev/null 2>&1; sleep 0.01; done")
check(mount("/mnt", "plain", "b")["success"], "an image in it")
r = call("containerManager.ExecuteAsync", {"CID": "b", "argv": ["/bin/sh", "-c", "cat /mnt/dir/sub/x4 | grep -q xxxx"], "envv": ["PATH=/bin"]})
check(r["success"] and call("containerManager.WaitPID", {"CID": "b", "PID": r["result"]})["result"] == 0, "... it is there")
check("x4" not in run("ls /mnt /mnt/dir/sub 2>&1")[0], "... and not in the root container")
check(images(server.pid) == 1 and open_images() == 1, "... its own file server has the image")
good("containerManager.DestroySubcontainer", "b", text="of one that reads an image")
server.wait()
check(run("echo alive") == ("alive\n", 0), "... the others live")
closed("... nothing of it is left")
bad("containerManager.Mount", dict(ask, ContainerID="b"), ENOENT, "in it", [image()])
# For who deletes the container: mounted and in use.
check(mount("/mnt/last")["success"], "a last one")
call("containerManager.ExecuteAsync", {"CID": "r", "argv": ["/bin/sh", "-c", "while :; do cat /mnt/last/large >/dev/null; done"], "envv": ["PATH=/bin"]})
print("ok end", flush=True)
