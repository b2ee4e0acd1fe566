# SPDX-License-Identifier: Apache-2.0
# Fs.TarRootfsUpperLayer: the archive against what was done in the container, read by Python and by tar(1). Arguments: socket of a created container with
# an overlay, its root directory. Lines "ok NAME", "not ok: NAME".
import io, json, os, subprocess, sys, tarfile, threading, time

from rpc_caller import call, check, connect, connection, patience, read_all, shell

path, rootfs = sys.argv[1:]
rootfs = os.path.abspath(rootfs)
connect(path)
EINVAL, ENOENT, EPIPE = 22, 2, 32


def run(script):
    text, status = shell(script, "-ec")
    if status != 0:
        print("# %r: %d %r" % (script, status, text), flush=True)
    return text


def archive():
    r, w = os.pipe()
    out = []
    t = threading.Thread(target=lambda: out.append(read_all(r)), daemon=True)
    t.start()
    reply = call("Fs.TarRootfsUpperLayer", {"ContainerID": "r"}, [w])
    os.close(w)
    t.join()
    data = out[0]
    check(reply["success"] and reply["result"] == len(data) and len(data) % 512 == 0, "an archive of %d bytes%s" % (len(data), "" if reply["success"] else ": %r" % reply))
    return data


def members(data):
    return {m.name: m for m in tarfile.open(fileobj=io.BytesIO(data))}


before = set(members(archive()))
check("." in before and not [n for n in before if n.startswith(("etc", "bin"))], "nothing of the image is in it at first: %r" % sorted(before))
long_name, deep = "n" * 200, "/".join("d%d" % i for i in range(60))
run("""
echo more >>/etc/words
chown 7:8 /etc/mode; chmod 4711 /etc/mode
rm /etc/gone
rm -r /old; mkdir /old; echo x >/old/new
rm -r /away
mv /etc/from /etc/to
echo a >/etc/swap.new; mv /etc/swap.new /etc/swap
ln -s ../etc/words /tmp/link
mkfifo /tmp/fifo
mknod /tmp/null c 1 3; mknod /tmp/disk b 259 70000
ln /etc/words /tmp/hard
mkdir -p /tmp/deep/%s; echo deep >/tmp/deep/%s/end
echo long >/tmp/%s
echo e >/tmp/déjà
head -c 3000001 /dev/zero | tr '\\0' x >/tmp/big
: >/tmp/empty
mkdir /tmp/mode; chmod 1777 /tmp/mode
mkdir /lower/a/b/made
echo 2 >/lower/a/c
mkdir -p /mnt
""" % (deep, deep, long_name))
check(call("Fs.Mount", {"container_id": "r", "fs_type": "tmpfs", "target": "/mnt"})["success"], "a mount")
check(call("Fs.Mount", {"container_id": "r", "fs_type": "tmpfs", "target": "/lower/a"})["success"], "... and one that hides changes")
run("echo 1 >/mnt/not; echo 1 >/lower/a/not")
data = archive()
got = members(data)
want = {"etc", "etc/words", "etc/mode", "etc/gone", "etc/from", "etc/to", "etc/swap", "old", "old/new", "away", "tmp", "tmp/link", "tmp/fifo", "tmp/null", "tmp/disk", "tmp/hard", "tmp/deep", "tmp/deep/%s/end" % deep,
        "tmp/" + long_name, "tmp/déjà", "tmp/big", "tmp/empty", "tmp/mode", "lower", "lower/a", "lower/a/b", "lower/a/b/made", "lower/a/c", "mnt"}
want |= {"tmp/deep/" + "/".join(deep.split("/")[:i + 1]) for i in range(60)}
check(set(got) - before == want - before, "what was changed is in it: missing %r, too much %r" % (sorted(want - set(got)), sorted(set(got) - want - before)))


def text(n):
    return tarfile.open(fileobj=io.BytesIO(data)).extractfile(n).read()


check(text("etc/words") == b"one two three\nmore\n" and text("etc/swap") == b"a\n" and text("etc/to") == b"from\n" and text("tmp/hard") == text("etc/words") and text("lower/a/c") == b"2\n", "contents")
check(text("tmp/big") == b"x" * 3000001 and text("tmp/empty") == b"" and text("tmp/deep/%s/end" % deep) == b"deep\n" and text("tmp/" + long_name) == b"long\n", "... large, empty, deep and long ones")
m = got["etc/mode"]
check((m.mode, m.uid, m.gid, m.size) == (0o4711, 7, 8, 5) and got["tmp/mode"].mode == 0o1777, "mode and owner")
check(abs(got["etc/words"].mtime - time.time()) < 600 * patience, "time")
check(got["tmp/link"].issym() and got["tmp/link"].linkname == "../etc/words" and got["tmp/fifo"].isfifo(), "a link, a FIFO")
check(got["tmp/null"].ischr() and (got["tmp/null"].devmajor, got["tmp/null"].devminor) == (1, 3) and got["tmp/disk"].isblk() and (got["tmp/disk"].devmajor, got["tmp/disk"].devminor) == (259, 70000), "devices")
check(all(got[n].ischr() and (got[n].devmajor, got[n].devminor) == (0, 0) for n in ("etc/gone", "etc/from", "away")), "what was removed is a character device 0:0")
opaque = "SCHILY.xattr.trusted.overlay.opaque"
check(got["old"].pax_headers.get(opaque) == "y" and opaque not in got["etc"].pax_headers and opaque not in got["lower/a"].pax_headers, "a directory that hides another is opaque")
order = list(got)
check(all("/" not in n or order.index(n.rsplit("/", 1)[0]) < order.index(n) for n in order), "directories come before what they hold")
listing = subprocess.run(["tar", "tvf", "-"], input=data, capture_output=True)
check(listing.returncode == 0 and listing.stdout.count(b"\n") == len(got) and not listing.stderr, "tar tvf reads it%s" % ("" if listing.returncode == 0 else ": %r" % listing.stderr))
check(sorted(os.listdir(rootfs + "/etc")) == sorted(["words", "mode", "gone", "from", "swap"]), "... and the image is as it was")

# ---- readers that leave, arguments that make no sense
r, w = os.pipe()
os.close(r)
check(call("Fs.TarRootfsUpperLayer", {"ContainerID": "r"}, [w])["errno"] == EPIPE, "a pipe without reader")
os.close(w)
r, w = os.pipe()
c = connection()
c.send(json.dumps({"method": "Fs.TarRootfsUpperLayer", "arg": {"ContainerID": "r"}}).encode(), [w])
time.sleep(0.3)
c.s.close()
os.close(r)
os.close(w)
end = time.time() + 20 * patience
null = os.open("/dev/null", os.O_RDWR)
while not call("Fs.TarRootfsUpperLayer", {"ContainerID": "r"}, [null])["success"] and time.time() < end:
    time.sleep(0.1)
check(set(members(archive())) == set(got), "... one that leaves: the next one gets all")
for errno, arg, fds, words in ((EINVAL, {"ContainerID": "r"}, [], "without descriptor"), (EINVAL, {"ContainerID": "r"}, [null, null], "with two"), (ENOENT, {"ContainerID": "x"}, [null], "of an unknown container"), (ENOENT, {}, [null], "of none")):
    check(call("Fs.TarRootfsUpperLayer", arg, fds)["errno"] == errno, "%s is refused" % words)
print("ok end")
