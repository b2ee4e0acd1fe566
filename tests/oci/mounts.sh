#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What config.json mounts: volumes of the host and file systems of the guest.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
for applet in stat mount mkdir mknod rm mv ln chmod touch df test grep sed; do
	ln -s busybox "$bundle/rootfs/bin/$applet"
done
mount_add() { # mount_add DESTINATION TYPE SOURCE OPTION...
	edit "c['mounts'].append({'destination': sys.argv[2], 'type': sys.argv[3], 'source': sys.argv[4], 'options': sys.argv[5:]})" "$@"
}
script() { config /bin/sh -c "exec 2>&1; $1"; } # script SCRIPT: config.json that runs it
out() { # what a run says; errors without their beginning
	$cm run -b "$bundle" "$@" m </dev/null 2>&1 | sed 's/.*: //'
}

# ---- volumes
mkdir -p "$tmp/vol/sub" "$tmp/ro" "$tmp/host"
echo from-host >"$tmp/vol/file"
echo keep >"$tmp/ro/file"
echo "nameserver 192.0.2.1" >"$tmp/resolv.conf"
script 'cat /vol/file; echo from-guest >/vol/new; echo more >>/vol/file; mkdir /vol/dir; ls /vol'
mount_add /vol bind "$tmp/vol" rbind rprivate rw
is "$(out)" "from-host
dir
file
new
sub" "a directory of the host is there"
is "$(cat "$tmp/vol/new" "$tmp/vol/file")" "from-guest
from-host
more" "... and takes what is written"
[ -d "$bundle/rootfs/vol" ]
ok $? "its mount point was made"

# A device node is one to the guest alone.
script 'for d in /vol /; do cd $d; mknod -m 600 node c 1 5 && stat -c "%A %t:%T %s" node && head -c 3 node | grep -c . && echo lost >node; rm -f link; ln node link; done
	stat -c %h node; mv link /moved; rm node; stat -c %A /moved'
mount_add /vol bind "$tmp/vol" rbind rprivate rw
edit "[c['process']['capabilities'][k].append('CAP_MKNOD') for k in ('bounding', 'effective', 'permitted')]"
if touch "$tmp/vol/probe" && python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.probe", b"")' "$tmp/vol/probe" 2>/dev/null; then
	is "$(out)" "crw------- 1:5 0
1
crw------- 1:5 0
1
2
crw-------" "device nodes on a volume and on the root directory"
	is "$(stat -c '%A %s' "$tmp/vol/node" "$bundle/rootfs/moved")" "-rw------- 0
-rw------- 0" "... and empty files on the host"
else
	is "$(out | head -n 1)" "Operation not permitted" "no device nodes where the host keeps no attributes"
fi
rm -f "$tmp/vol/node" "$tmp/vol/probe" "$bundle/rootfs/moved"

script 'echo x >/ro/file; echo x >/ro/new; rm /ro/file; chmod 777 /ro/file; touch /ro; cat /ro/file; mount -o remount,rw /ro; echo x 2>/dev/null >/ro/file || echo refused'
mount_add /ro bind "$tmp/ro" bind ro
# A program with every capability may change its own mounts; the host still says no.
edit "c['process']['capabilities'] = {k: ['CAP_SYS_ADMIN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER'] for k in ('bounding', 'effective', 'permitted')}"
is "$(out | grep -c 'Read-only file system'):$(cat "$tmp/ro/file"):$(ls "$tmp/ro")" 5:keep:file "a read-only volume stays as it is"
is "$(out | tail -n 1)" refused "... even when the guest mounts it writable"

script 'cat /etc/resolv.conf; echo changed >/etc/resolv.conf; echo x >/etc/hosts; mv /etc/hosts /etc/other; rm /etc/hosts'
mount_add /etc/resolv.conf bind "$tmp/resolv.conf" bind
cp "$tmp/resolv.conf" "$tmp/hosts"
mount_add /etc/hosts none "$tmp/hosts" bind ro
is "$(out)" "nameserver 192.0.2.1
Read-only file system
Device or resource busy
Device or resource busy" "files can be volumes"
is "$(cat "$tmp/resolv.conf"):$(cat "$tmp/hosts")" "changed:nameserver 192.0.2.1" "... each with its own rights"
[ -f "$bundle/rootfs/etc/resolv.conf" ]
ok $? "... and get a file to be mounted on"
rm -rf "$bundle/rootfs/etc" "$bundle/rootfs/vol" "$bundle/rootfs/ro"

script 'cat /etc/a/resolv.conf; touch /new; ls -d /deep/er; cat /deep/er/file; cat /deep/er/sub/file'
edit "c['root']['readonly'] = True"
mount_add /etc/a/resolv.conf bind "$tmp/resolv.conf" bind
mount_add /deep/er bind "$tmp/vol" rbind ro
mount_add /deep/er/sub bind "$tmp/ro" rbind ro
is "$(out)" "changed
Read-only file system
/deep/er
from-host
more
keep" "volumes in a read-only root"
rm -rf "$bundle/rootfs/etc" "$bundle/rootfs/deep"
is "$(out --overlay | tail -n 1)" keep "volumes above an overlay"
[ ! -e "$bundle/rootfs/etc" ]
ok $? "... whose mount points are in memory"

script 'ln /a/file /b/file; mv /a/file /b/ && cat /b/file && ls /a; cd /a/sub && ls .. && pwd; stat -c %i /a/.. /; cat /bin/link/secret 2>&1'
echo secret >"$tmp/host/secret"
ln -sfn "$tmp/host" "$tmp/vol/link"
mount_add /a bind "$tmp/vol" bind
mkdir "$tmp/b"
mount_add /b bind "$tmp/b" bind
is "$(out | head -n 3)" "Invalid cross-device link
from-host
more" "links do not cross from one volume to another; mv copies"
is "$(ls "$tmp/vol"; cat "$tmp/b/file" | head -n 1)" "dir
link
new
sub
from-host" "... as the host sees"

# Changes of the host are seen: contents at every open, names at once when they are new.
mkfifo "$tmp/vol/go" "$tmp/vol/gone"
script 'cat /vol/new; echo ready; read x; cat /vol/new /vol/later; read x; cat /vol/later'
mount_add /vol bind "$tmp/vol" bind
exec 9<>"$tmp/vol/go"
$cm run -b "$bundle" m <"$tmp/vol/go" >"$tmp/out" 2>&1 9<&- &
pid=$!
wait_for 10 grep -q ready "$tmp/out"
echo changed-by-the-host >"$tmp/vol/new"
echo new-on-the-host >"$tmp/vol/later"
echo >&9
wait_for 10 grep -q new-on "$tmp/out"
rm "$tmp/vol/later"
sleep 2
echo >&9
wait "$pid"
exec 9>&-
is "$(sed 's/.*: //' "$tmp/out")" "from-guest
ready
changed-by-the-host
new-on-the-host
No such file or directory" "what the host changes is seen"

# Not only the top of a tree; and without "r" only that.
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	mkdir "$tmp/tree" "$tmp/tree/below"
	script 'cat /r/below/f; cat /n/below/f'
	mount_add /r none "$tmp/tree" rbind
	mount_add /n none "$tmp/tree" bind
	is "$(unshare -m sh -c 'mount -t tmpfs none "$0" && echo deep >"$0/f" && exec "$@"' "$tmp/tree/below" $cm run -b "$bundle" m </dev/null 2>&1 | sed 's/.*: //')" "deep
No such file or directory" "rbind brings the mounts below along, bind does not"
fi

# ---- volumes that cannot be
refused() { # refused MESSAGE NAME
	id=m
	rc=0
	$cm run -b "$bundle" m </dev/null >"$tmp/err" 2>&1 || rc=$?
	case "$rc:$(wc -l <"$tmp/err"):$(err)" in
	1:1:*"$1"*) ok 0 "$2" ;;
	*) ok 1 "$2 ($rc: $(err))" ;;
	esac
}
script true
mount_add /x bind "$tmp/nothing" bind
refused "config.json: mounts[5].source: open '$tmp/nothing': No such file" "a source that is missing"
script true
mount_add /x bind /dev/zero bind
refused "mounts[5].source: '/dev/zero' is a device" "a device of the host"
script true
mount_add /x bind "$tmp/vol" bind idmap
refused "mounts[5].options: 'idmap' is not supported ('/x')" "a volume with mapped ids"
script true
mount_add /bin/busybox bind "$tmp/vol" bind
refused "mount '/bin/busybox': not a directory" "a directory on a file"
script true
edit "c['mounts'] += [{'destination': '/v%d' % i, 'source': '$tmp/vol', 'options': ['bind']} for i in range(65)]"
refused "mounts" "more volumes than there may be"
is "$(state_entries)" "" "nothing is left of them"

script pwd
edit "c['root']['readonly'] = True; c['process']['cwd'] = '/made/here'"
is "$(out)" /made/here "the directory to work in is made, in a read-only root too"

# ---- a root directory that others change
R=$bundle/rootfs
for cache in exclusive shared; do
	rm -rf "$R/looked" "$R/made"
	mkdir "$R/looked"
	echo old | tee "$R/looked/read" "$R/looked/stat" >"$R/looked/over"
	script 'cd /looked; cat absent /made/later; cat read over >/dev/null; stat stat >/dev/null; mkdir /made; echo mine >mine; echo ready; read line
		while ! { cat absent /made/later read stat over; } >/tmp/seen 2>&1 || ! grep -q new-over /tmp/seen; do [ $((i = i + 1)) -lt 100 ] || break; sleep 0.1; done
		cat /tmp/seen mine; echo back >back; sleep 0.1'
	edit "c['annotations'] = {'io.casemate.root-cache': '$cache'}"
	[ $cache = shared ] || sed -i 's/-lt 100/-lt 15/' "$bundle/config.json"
	mkfifo "$tmp/go"
	: >"$tmp/seen" # the run empties it when it has the fifo, which is too late for who looks for its "ready"
	$cm run -b "$bundle" m <"$tmp/go" >"$tmp/seen" 2>&1 &
	run=$!
	exec 9>"$tmp/go"
	wait_for 10 grep -q ready "$tmp/seen"
	echo new-absent >"$R/looked/absent"
	echo new-made >"$R/made/later"
	echo new-read >"$R/looked/read"
	echo new-stat >"$R/looked/stat"
	echo new-over >"$R/looked/over.new"
	mv "$R/looked/over.new" "$R/looked/over"
	echo go >&9
	exec 9>&-
	wait $run
	rm "$tmp/go"
	got="$(sed '1,/ready/d' "$tmp/seen" | grep -c '^new-[a-z]*$') $(tail -n 1 "$tmp/seen") $(cat "$R/looked/mine" "$R/looked/back" | tr '\n' ' ')"
	case $cache in
	exclusive) is "${got#*[0-4] }" "mine mine back " "a root directory that is the container's alone: not all of what others change is seen" ;;
	shared) is "$got" "5 mine mine back " "io.casemate.root-cache=shared: what others change is seen, what it writes is theirs" ;;
	esac
done
edit "c['annotations'] = {'io.casemate.root-cache': 'none'}"
is "$(out)" "'none' is neither exclusive nor shared" "another word is refused"
edit "c['annotations'] = {'io.casemate.root-cache': 'shared'}"
is "$(out --overlay)" "what is below an overlay cannot be shared" "... and so is shared with --overlay"

# ---- file systems of the guest
script 'df -k /t | tail -n 1; stat -c "%a %u %g" /t; grep -c " /t .*nosuid,nodev,noexec" /proc/mounts; cat /dev/zero >/t/f'
ln -s busybox "$bundle/rootfs/bin/tail"
ln -s busybox "$bundle/rootfs/bin/head"
mount_add /t tmpfs tmpfs nosuid nodev noexec size=1m mode=1757 uid=7 gid=8
is "$(out | sed 's/  */ /g')" "tmpfs 1024 0 1024 0% /t
1757 7 8
1
No space left on device" "a tmpfs has the size, mode and owner that it was given"
mkdir -m 712 "$bundle/rootfs/covered"
for readonly in True False; do
	script 'stat -c %a /covered /other; touch /covered/f || echo not'
	edit "c['root']['readonly'] = $readonly"
	mount_add /covered tmpfs tmpfs ro
	mount_add /other tmpfs tmpfs mode=1750
	is "$(out)" "712
1750
Read-only file system
not" "a tmpfs without mode has that of the directory below, with one it has that; read-only root: $readonly"
done
rm -rf "$bundle/rootfs/fresh"
script 'stat -c %a /fresh'
mount_add /fresh tmpfs tmpfs
is "$(out)" 1777 "... or the usual one"

echo linked >"$tmp/linked"
# A mount point that is a link to nothing: what it leads to is made, inside the root.
for readonly in True False; do
	rm -rf "$bundle/rootfs/deep"
	mkdir -p "$bundle/rootfs/etc" "$bundle/rootfs/deep"
	ln -sfn ../../../deep/a/file "$bundle/rootfs/etc/link"
	ln -sfn /etc/link "$bundle/rootfs/etc/link2"
	script 'cat /deep/a/file; stat -c %F /etc/link2'
	edit "c['root']['readonly'] = $readonly"
	mount_add /etc/link2 bind "$tmp/linked" bind ro
	is "$(out)" "linked
symbolic link" "a mount point that is a link to nothing; read-only root: $readonly"
done
ln -sfn loop "$bundle/rootfs/etc/loop"
script true
edit "c['root']['readonly'] = True"
mount_add /etc/loop bind "$tmp/linked" bind ro
refused "make mount point '/etc/loop'" "... to itself"
rm -rf "$bundle/rootfs/etc/"*

# ---- propagation of the root directory
for word in "" private shared rshared slave unbindable runbindable; do
	script 'sed -n "s,^[^/]* / / [^ ]* \\(.*\\)- .*,\\1,p; s,^[^/]* / /proc [^ ]* \\(.*\\)- .*,\\1,p" /proc/self/mountinfo | sed "s/:[0-9]*//g"'
	edit "c['linux']['rootfsPropagation'] = '$word'"
	case $word in
	shared) wanted="shared /" ;;
	rshared) wanted="shared / shared" ;;
	unbindable) wanted="unbindable /" ;;
	runbindable) wanted="unbindable / unbindable" ;;
	*) wanted=/ ;;
	esac
	is "$($cm run -b "$bundle" m </dev/null 2>&1 | sed 's/ *$//' | paste -sd/ | sed 's,/, / ,; s/^ *//; s/ *$//')" "$wanted" "rootfsPropagation '$word'"
done
script true
edit "c['linux']['rootfsPropagation'] = 'sideways'"
refused "linux.rootfsPropagation: 'sideways' is no propagation" "a propagation that is none"
script 'grep -c " /vol/sub ro,nosuid,nodev,noexec,relatime " /proc/self/mountinfo'
mount_add /vol bind "$tmp/vol" rbind nosuid nodev noexec
edit "c['linux']['readonlyPaths'] = ['/vol/sub']"
is "$(out)" 1 "a read-only path keeps what the mount that it lies in forbids"
mkdir -p "$bundle/rootfs/filled/dir"
echo image >"$bundle/rootfs/filled/dir/file"
script 'cat /filled/dir/file && echo new >/filled/dir/file && cat /filled/dir/file && grep -c " /filled .*nosuid" /proc/mounts'
mount_add /filled tmpfs tmpfs tmpcopyup nosuid
is "$(out):$(cat "$bundle/rootfs/filled/dir/file")" "image
new
1:image" "tmpcopyup: the image's files in memory"
is "$(out --overlay)" "image
new
1" "... above an overlay too"
script 'grep -c " /dev tmpfs ro" /proc/mounts; readlink /dev/ptmx; ls /dev/pts/ptmx; touch /dev/x; echo inner >/dev/inner/f; echo $?; stat -c %a /x
	grep -c "/\(dev/inner\|x\) .* shared:.* - " /proc/self/mountinfo; grep -c " /dev .* shared:" /proc/self/mountinfo'
ln -s busybox "$bundle/rootfs/bin/readlink"
edit "c['mounts'][1]['options'].append('ro')"
mount_add /dev/inner tmpfs tmpfs shared
mount_add /x bind "$tmp/vol" bind rshared mode=700
is "$(out | sed 's/.*: //')" "1
pts/ptmx
/dev/pts/ptmx
Read-only file system
0
755
2
0" "a /dev that is read-only when all in it is made; propagation; data without effect"
script 'grep -c " /sys/fs/cgroup " /proc/mounts; ls /sys/fs/cgroup | head -n 1; touch /sys/fs/cgroup/x'
mount_add /sys/fs/cgroup cgroup cgroup nosuid noexec nodev relatime ro
is "$(out | grep -v ^cgroup)" "1
Read-only file system" "what the sentry does not have is an empty read-only directory"
wait_for 2 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left of them"
plan
