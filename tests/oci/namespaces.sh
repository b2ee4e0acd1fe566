#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# linux.namespaces: those of the process that engines are told of, by path and new ones; and user namespaces inside.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "namespaces are made by root"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
for applet in stat hostname mount touch chown grep; do
	ln -s busybox "$bundle/rootfs/bin/$applet"
done
kinds='cgroup ipc mnt net pid user uts'
holder=
trap '[ -z "$holder" ] || kill -KILL "$holder" 2>/dev/null; rm -rf "$tmp"' EXIT
ns() { for k in $kinds; do readlink "/proc/$1/ns/$k"; done; }
create() { # create ID: $pid is its process
	$cm create -b "$bundle" --pid-file "$tmp/pid" "$1" </dev/null >"$tmp/out" 2>"$tmp/err" || return 1
	pid=$(cat "$tmp/pid")
}
own=$(ns self)

# ---- inherited, and new
config /bin/sleep 1000
edit "c['linux']['namespaces'] = []; c.pop('hostname', None)"
create a
is "$(ns "$pid")" "$own" "without linux.namespaces the process is in those of its runtime"
$cm delete -f a

edit "c['linux']['namespaces'] = [{'type': t} for t in 'cgroup ipc mount network pid user uts'.split()]
c['linux']['uidMappings'] = [{'containerID': 0, 'hostID': 1000, 'size': 1000}]
c['linux']['gidMappings'] = [{'containerID': 0, 'hostID': 2000, 'size': 1000}]"
create b
is "$(ns "$pid" | sort -u | grep -cvxF "$own")" 7 "a new one of each kind"
is "$(recorded b pid):$(field b pid)" "$pid:$pid" "its number is the host's"
is "$(awk '$1 == 0 { print $2, $3 }' "/proc/$pid/uid_map" "/proc/$pid/gid_map" | tr '\n' ';')" "1000 1000;2000 1000;" "the user namespace has the mappings"
vmm=$(recorded b vmmPid)
case $(readlink "/proc/$vmm/exe") in */casemate-vmm) ok 0 "the VMM's number is the host's" ;; *) ok 1 "the VMM's number is the host's ($vmm)" ;; esac
is "$(ls "/proc/$pid/root/bin/busybox")" "/proc/$pid/root/bin/busybox" "its root is the container's"
$cm start b
is "$?:$(field b status)" "0:running" "it starts"
mkdir -p "$bundle/rootfs/tmp" && chmod 1777 "$bundle/rootfs/tmp"
start='{"method":"Lifecycle.StartContainer","arg":{"container_id":"p","filename":"/bin/sh","argv":["sh","-c","exec >/tmp/p; id -u; id -g; hostname there || echo not mine"],"envv":["PATH=/bin"]}}'
reply=$(urpc b "$start")
case $reply in *'"success":true'* | *'"success": true'*) ok 0 "StartContainer beside it" ;; *) ok 1 "StartContainer beside it: $reply" ;; esac
urpc b '{"method":"containerManager.Wait","arg":"p"}' >/dev/null
is "$(tr -s ' \n' ' ' <"$bundle/rootfs/tmp/p"):$(stat -c '%u %g' "$bundle/rootfs/tmp/p")" "0 0 :1000 2000" "... is in the same user namespace: its ids, and its rights"
urpc b '{"method":"containerManager.DestroySubcontainer","arg":"p"}' >/dev/null
is "$($cm exec b /bin/id -u):$($cm exec b /bin/cat /proc/self/uid_map | tr -s ' ')" "0: 0 1000 1000" "exec is in the user namespace inside"
kill -KILL "$pid"
wait_for 5 no_leftover
ok $? "killed, it takes all of the sandbox along"
is "$(field b status)" stopped "... and the container is stopped"
$cm delete b

# ---- signals and the exit code are the program's
config /bin/sh -c 'trap "exit 7" TERM; touch /ready; while :; do sleep 0.05; done'
rm -f "$bundle/rootfs/ready"
edit "c['linux']['namespaces'] = [{'type': t} for t in 'cgroup ipc mount network pid uts'.split()]"
create s
$cm start s
wait_for 10 test -e "$bundle/rootfs/ready"
kill -TERM "$pid"
wait_for 10 is_status s stopped
ok $? "a signal from outside of the PID namespace reaches the program"
$cm delete -f s

# ---- by path
unshare -imnpuC --fork sh -c 'hostname held; echo $$ >/dev/null; exec sleep 1000' &
holder=$!
in_them() { [ "$(readlink "/proc/$holder/ns/uts")" != "$(readlink /proc/self/ns/uts)" ] && [ "$(readlink "/proc/$holder/ns/pid_for_children")" != "$(readlink /proc/self/ns/pid)" ]; }
wait_for 5 in_them
child=$(pgrep -P "$holder")
config /bin/hostname
edit "
kinds = {'cgroup': 'cgroup', 'ipc': 'ipc', 'mount': 'mnt', 'network': 'net', 'pid': 'pid', 'uts': 'uts'}
c['linux']['namespaces'] = [{'type': t, 'path': '/proc/$child/ns/' + k} for t, k in kinds.items()]
c.pop('hostname', None)"
create p
is "$(ns "$pid")" "$(ns "$child")" "it joins those that have a path"
$cm start p
wait_for 10 grep -q . "$tmp/out"
is "$(cat "$tmp/out")" held "the name of a uts namespace is taken over"
$cm delete -f p
rc=0
$cm run -b "$bundle" r </dev/null >"$tmp/out" 2>&1 || rc=$?
is "$rc:$(cat "$tmp/out")" "0:held" "so it is by run"
is "$(ns self)" "$own" "the caller stays where it was"
kill -KILL "$holder" "$child"
wait "$holder" 2>/dev/null
holder=

# ---- hooks run where the runtime does
config /bin/sleep 1000
cat >"$tmp/hook" <<'H'
#!/bin/sh
readlink /proc/self/ns/pid >>"${0%/*}/hooks"
python3 -c 'import json, os, sys; os.kill(json.load(sys.stdin)["pid"], 0)' || echo none >>"${0%/*}/hooks"
H
chmod +x "$tmp/hook"
edit "c['hooks'] = {k: [{'path': '$tmp/hook'}] for k in ('prestart', 'createRuntime', 'createContainer', 'poststart')}"
create h
$cm start h
is "$(sort -u "$tmp/hooks"):$(wc -l <"$tmp/hooks")" "$(readlink /proc/self/ns/pid):4" "hooks run in the runtime's PID namespace and know the process by its number"
$cm delete -f h

# ---- user namespaces inside
user() { # user SCRIPT: run it with mappings from 1000 on
	config /bin/sh -c "exec 2>&1; $1"
	edit "
c['linux']['namespaces'].append({'type': 'user'})
c['linux']['uidMappings'] = [{'containerID': 0, 'hostID': 1000, 'size': 1000}]
c['linux']['gidMappings'] = [{'containerID': 0, 'hostID': 2000, 'size': 1000}]
for k in 'bounding', 'effective', 'permitted':
    c['process']['capabilities'][k]+= ['CAP_SYS_ADMIN', 'CAP_CHOWN']"
}
out() { $cm run -b "$bundle" u </dev/null 2>&1; }
user 'id -u; id -g; stat -c "%u %g" / /dev /dev/shm; hostname there && hostname; mount -t tmpfs none /mnt && echo mounted; hostname -F /x 2>/dev/null'
mkdir -p "$bundle/rootfs/mnt"
is "$(out | tr '\n' ' ')" "0 0 65534 65534 0 0 0 0 there mounted " "root inside: its names and mounts, not the image's files"
user 'touch /home/x; chown 5:6 /home/x; stat -c "%u %g" /home/x'
mkdir -p "$bundle/rootfs/home"
chown 1000:2000 "$bundle/rootfs/home"
is "$(out):$(stat -c '%u %g' "$bundle/rootfs/home/x")" "5 6:1005 2006" "files have the mapped owner on the host"
user 'id -u; id -G'
edit "c['process']['user'] = {'uid': 7, 'gid': 8, 'additionalGids': [9, 3]}"
is "$(out | tr '\n' ' ')" "7 8 3 9 " "ids of process.user are the container's"
edit "c['process']['user'] = {'uid': 1000, 'gid': 0}"
case $(out) in *"invalid argument"*) ok 0 "an id that is not mapped is refused" ;; *) ok 1 "an id that is not mapped is refused ($(out))" ;; esac
user 'cat /proc/self/uid_map | tr -s " "'
edit "c['linux']['uidMappings'] = c['linux']['gidMappings'] = [{'containerID': 0, 'hostID': 0, 'size': 4294967295}]"
is "$(out)" " 0 0 4294967295" "all ids may be mapped"

is "$(state_entries)" "" "no state is left"
wait_for 5 no_leftover
ok $? "no process is left"
plan
