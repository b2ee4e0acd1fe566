#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# config.json beyond mounts: hooks, devices, sysctl, limits, host cgroups, and what is refused.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
for applet in stat grep dd wc awk; do
	ln -s busybox "$bundle/rootfs/bin/$applet"
done
script() { config /bin/sh -c "exec 2>&1; $1"; } # script SCRIPT: config.json that runs it
out() { $cm run -b "$bundle" "$@" m </dev/null 2>&1; }
refused() { # refused MESSAGE NAME
	id=m
	rc=0
	$cm run -b "$bundle" m </dev/null >"$tmp/err" 2>&1 || rc=$?
	case "$rc:$(wc -l <"$tmp/err"):$(err)" in
	1:1:*"$1"*) ok 0 "$2" ;;
	*) ok 1 "$2 ($rc: $(err))" ;;
	esac
}

# ---- hooks
cat >"$tmp/hook" <<'END'
#!/bin/sh
echo "$1 $HOOK $(pwd) $(cat)" >>"${0%/*}/hooks"
exit "${2:-0}"
END
chmod +x "$tmp/hook"
hooks() { # hooks [KIND=STATUS]...: one hook of each kind, ending in STATUS
	rm -f "$tmp/hooks"
	edit "
kinds = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop']
end = dict(w.split('=') for w in sys.argv[2:])
c['annotations'] = {'a': 'b'}
c['hooks'] = {k: [{'path': '$tmp/hook', 'args': ['hook', k, end.get(k, '0')], 'env': ['HOOK=' + k, 'PATH=' + '$PATH']}] for k in kinds}" "$@"
}
script 'echo program >/ran; sleep 0.1'
hooks
run h </dev/null
seen() { # the hooks that ran, a line each, with what they were told
	python3 -c "
import json
for line in open('$tmp/hooks'):
    word = line.split(' ', 3)
    s = json.loads(word[3])
    print(*word[:3], s['id'], s['status'], s['pid'] > 0, s['annotations']['a'], s['bundle'])"
}
want() { # want KIND STATUS PID
	echo "$1 $1 $bundle h $2 $3 b $bundle"
}
all="$(want prestart creating True)
$(want createRuntime creating True)
$(want createContainer creating True)
$(want poststart running True)
$(want poststop stopped False)"
is "$rc:$(seen)" "0:$all" "hooks run in order, with the state as input, in the bundle"
for kind in prestart createRuntime createContainer; do
	rm -f "$bundle/rootfs/ran"
	hooks "$kind=7"
	run h </dev/null
	case "$rc:$(err)" in
	1:*"error running hook: hooks.$kind[0]: '$tmp/hook': exit status 7") ok 0 "a $kind hook that fails is told" ;;
	*) ok 1 "a $kind hook that fails is told ($rc: $(err))" ;;
	esac
	is "$(ls "$bundle/rootfs" | grep -c ran):$(sed -n '$s/ .*//p' "$tmp/hooks")" "0:$kind" "... and nothing runs after it"
done
config /bin/sleep 1000
hooks poststart=3
run h </dev/null
case "$rc:$(err)" in 1:*"hooks.poststart[0]"*"exit status 3"*) ok 0 "a poststart hook that fails ends the container" ;; *) ok 1 "a poststart hook that fails ends the container ($rc: $(err))" ;; esac
run h -d </dev/null >/dev/null
is "$rc:$(state_entries)" "1:" "... a detached one too, and nothing is left of it"
$cm create -b "$bundle" h </dev/null >/dev/null 2>&1
$cm start h 2>"$tmp/err"
is "$?:$(state_entries)" "1:" "... and one that start started"
script 'exit 5'
hooks poststop=3
run h </dev/null
case "$rc:$(err)" in 5:*"hooks.poststop[0]"*"exit status 3"*) ok 0 "a poststop hook that fails is told, no more" ;; *) ok 1 "a poststop hook that fails is told, no more ($rc: $(err))" ;; esac
config /bin/sleep 1000
hooks
run h -d </dev/null >/dev/null
$cm delete -f h
is "$(sed -n '$s/ .*//p' "$tmp/hooks")" poststop "poststop hooks of a detached container run at delete"
config /bin/sleep 1000
hooks
$cm create -b "$bundle" h </dev/null >/dev/null 2>&1
is "$(sed -n '$s/ .*//p' "$tmp/hooks")" createContainer "create runs the hooks of the creation"
$cm start h
is "$?:$(sed -n '$s/ .*//p' "$tmp/hooks")" 0:poststart "start runs the poststart hooks"
$cm delete -f h
is "$(sed -n '$s/ .*//p' "$tmp/hooks")" poststop "delete runs the poststop hooks"
script 'sleep 1000'
hooks
rm -f "$tmp/hooks"
$casemate --root "$tmp/state" run -b "$bundle" h </dev/null >/dev/null 2>&1 &
foreground=$!
wait_for 10 is_status h running
wait_for 10 grep -q ^poststart "$tmp/hooks"
kill -9 $foreground
wait $foreground 2>/dev/null
$cm delete -f h
is "$(grep -c ^poststop "$tmp/hooks"):$(state_entries)" "1:" "so does delete --force of a run whose command was killed"
rm -f "$bundle/rootfs/ran"
script 'echo >/ran; exit 4'
hooks
ended() { [ -e "$bundle/rootfs/ran" ] && { [ ! -e "$tmp/state/h" ] || is_status h stopped; }; }
mkfifo "$tmp/late.tmp"
$cm run -b "$bundle" --pid-file "$tmp/late" h </dev/null 2>"$tmp/err" &
foreground=$!
wait_for 10 ended # the command writes its pid file first, which takes until somebody reads
cat "$tmp/late.tmp" >/dev/null
rc=0
wait $foreground || rc=$?
is "$rc:$(seen | cut -d' ' -f1 | tr '\n' ' '):$(state_entries)" "4:prestart createRuntime createContainer poststart poststop :" \
	"hooks of a program that ended before the command looked at them"
edit "c['hooks'] = {'prestart': [{'path': '/bin/sleep', 'args': ['sleep', '1000'], 'timeout': 1}]}"
run h </dev/null
case "$rc:$(err)" in 1:*"hooks.prestart[0]: '/bin/sleep' after 1 s: Connection timed out"*) ok 0 "a hook has its time" ;; *) ok 1 "a hook has its time ($rc: $(err))" ;; esac
edit "c['hooks'] = {'prestart': [{'path': '$busybox', 'args': ['sh', '-c', 'echo one thing is wrong; echo two; exit 1']}]}"
refused "exit status 1: one thing is wrong" "what a hook says is told"
edit "c['hooks'] = {'prestart': [{'path': '/nonexistent'}]}"
refused "hooks.prestart[0]: '/nonexistent': exit status 127: No such file or directory" "a hook that is missing"

# ---- hooks inside
inside() { # inside SCRIPT...: startContainer hooks before a program that tells of itself
	script 'echo "program $A" >>/ran'
	rm -f "$bundle/rootfs/ran"
	edit "c['process']['env'].append('A=1')
c['process']['user'] = {'uid': 5, 'gid': 6}
c['hooks'] = {'startContainer': [{'path': '/bin/sh', 'args': ['sh', '-c', w]} for w in sys.argv[2:]]}
c['hooks']['startContainer'][0]['env'] = ['PATH=/bin', 'A=hook']" "$@"
	: >"$bundle/rootfs/ran"
	chmod 666 "$bundle/rootfs/ran"
}
ran() { tr '\n' ' ' <"$bundle/rootfs/ran"; }
inside 'echo "first $A $(id -u) $(grep -c created)" >>/ran' 'echo "second $A" >>/ran'
run h </dev/null
is "$rc:$(ran)" "0:first hook 5 1 second 1 program 1 " "startContainer hooks run inside before the program, as its user, with the state"
inside 'echo "first $A" >>/ran'
$cm create -b "$bundle" h </dev/null >/dev/null 2>&1
is "$(ran)" "" "... not before start"
$cm start h
wait_for 10 is_status h stopped
is "$(ran)" "first hook program 1 " "... but by start"
$cm delete h
for what in 'exit 3/exit status 3' 'kill -9 $$/killed by signal 9'; do
	inside "${what%/*}" 'echo second >>/ran'
	run h </dev/null
	case "$rc:$(ran):$(err)" in
	1::*"error running hook: hooks.startContainer[0]: '/bin/sh': ${what#*/}") ok 0 "one that fails ends the container (${what#*/})" ;;
	*) ok 1 "one that fails ends the container ($rc: $(ran): $(err))" ;;
	esac
done
inside 'sleep 100'
edit "c['hooks']['startContainer'][0]['timeout'] = 1"
$cm create -b "$bundle" h </dev/null >/dev/null 2>&1
$cm start h 2>"$tmp/err"
case "$?:$(ran):$(err)" in 1::*"hooks.startContainer[0]: '/bin/sh': after 1 s"*) ok 0 "one has its time" ;; *) ok 1 "one has its time ($(err))" ;; esac
wait_for 10 is_status h stopped
ok $? "... and the container is stopped"
$cm delete -f h

script true
hooks
edit "c['hooks'] = {'prestart': [{'path': '/bin/sh', 'args': ['sh', '-c', 'test \"\$FROM_CALLER\" = yes']}]}"
FROM_CALLER=yes run h </dev/null
is "$rc" 0 "a hook without an environment has the caller's"

# ---- how the program is scheduled, and what it takes itself for
script 'cut -d" " -f19,40,41 /proc/self/stat; uname -m'
edit "c['process']['scheduler'] = {'policy': 'SCHED_BATCH', 'nice': 7}; c['linux']['personality'] = {'domain': 'LINUX32'}"
is "$(out)" "7 0 3
i686" "process.scheduler, linux.personality"
script 'cut -d" " -f40,41 /proc/self/stat; uname -m'
edit "c['process']['scheduler'] = {'policy': 'SCHED_RR', 'priority': 5}"
is "$(out)" "5 2
x86_64" "a real-time policy"

# ---- HOME as runc makes it
mkdir -p "$bundle/rootfs/etc"
printf 'root:x:0:0:root:/r:/bin/sh\nuser:x:7:7::/home/user:/bin/sh\n' >"$bundle/rootfs/etc/passwd"
home() { # home PYTHON: HOME of a process
	script 'echo $HOME'
	edit "$1"
	out
}
is "$(home pass)/$(home "c['process']['user']['uid'] = 7")/$(home "c['process']['user']['uid'] = 8")/$(home "c['process']['env'].append('HOME=/x')")" \
	"/r//home/user////x" "HOME is that of the user, when the configuration has none"
rm "$bundle/rootfs/etc/passwd"

# ---- devices, sysctl, names
script 'stat -c "%n %F %a %u %g %t:%T" /dev/a /dev/b /dev/c/d /dev/null; dd if=/dev/a bs=1 count=1 2>&1 | grep -c "1+0 records in"; cat /dev/b'
edit "c['linux']['devices'] = [
 {'path': '/dev/a', 'type': 'c', 'major': 1, 'minor': 5, 'fileMode': 0o640, 'uid': 3, 'gid': 4},
 {'path': '/dev/b', 'type': 'b', 'major': 8, 'minor': 666},
 {'path': '/dev/c/d', 'type': 'p', 'fileMode': 0o600},
 {'path': '/dev/null', 'type': 'c', 'major': 1, 'minor': 3, 'fileMode': 0o600}]
c['process']['capabilities'] = {k: ['CAP_DAC_OVERRIDE'] for k in ('bounding', 'effective', 'permitted')}"
is "$(out | sed 's/special file/device/')" "/dev/a character device 640 3 4 1:5
/dev/b block device 666 0 0 8:29a
/dev/c/d fifo 600 0 0 0:0
/dev/null character device 600 0 0 1:3
1
cat: can't open '/dev/b': No such device or address" "devices are made; one without a driver cannot be opened"
edit "c['linux']['devices'] = [{'path': '/dev/null', 'type': 'b', 'major': 1, 'minor': 3}]"
refused "linux.devices[0]: make '/dev/null': file exists" "a device in the place of another"
if python3 -c "import os; os.setxattr('$bundle', 'user.casemate.test', b'1'); os.removexattr('$bundle', 'user.casemate.test')" 2>/dev/null; then
	mkdir "$tmp/outside"
	ln -s "$tmp/outside" "$bundle/rootfs/leads-out"
	script 'stat -c "%n %F %a %u %g %t:%T" /own-a /own/b /own/p /leads-out/z; dd if=/own-a bs=1 count=1 2>&1 | grep -c "1+0 records in"; touch /own/x'
	edit "c['root']['readonly'] = True; c['linux']['devices'] = [
 {'path': '/own-a', 'type': 'c', 'major': 1, 'minor': 5, 'fileMode': 0o640, 'uid': 3, 'gid': 4},
 {'path': '/own/b/', 'type': 'b', 'major': 8, 'minor': 666},
 {'path': '/own/p', 'type': 'p', 'fileMode': 0o604, 'uid': 5},
 {'path': '/leads-out/z', 'type': 'c', 'major': 1, 'minor': 7, 'fileMode': 0o600}]
c['process']['capabilities'] = {k: ['CAP_DAC_OVERRIDE'] for k in ('bounding', 'effective', 'permitted')}"
	for time in "on a root that is read-only" "... and again, where they are"; do
		is "$(out | sed 's/special file/device/')" "/own-a character device 640 3 4 1:5
/own/b block device 666 0 0 8:29a
/own/p fifo 604 5 0 0:0
/leads-out/z character device 600 0 0 1:7
1
touch: /own/x: Read-only file system" "devices outside of /dev $time"
	done
	is "$(ls -A "$tmp/outside"):$(stat -c '%F %s' "$bundle/rootfs/own-a")" ":regular empty file 0" "... none outside of the root, and none that the host would take for one"
	edit "c['linux']['devices'] = [{'path': '/own-a', 'type': 'c', 'major': 1, 'minor': 6, 'fileMode': 0o640, 'uid': 3, 'gid': 4}]"
	refused "linux.devices[0]: make '/own-a': file exists" "... not in the place of another"
	edit "c['linux']['devices'] = [{'path': '//', 'type': 'c', 'major': 1, 'minor': 6}]"
	refused "linux.devices[0].path: '//' is the root directory" "... nor of the root"
	rm -rf "$bundle/rootfs/leads-out" "$bundle/rootfs/own" "$bundle/rootfs/own-a"
else
	n=$((n + 1))
	echo "ok $n - devices on a root that is read-only # SKIP no user attributes here"
fi
script 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/sem /proc/sys/kernel/shm_rmid_forced /proc/sys/kernel/domainname'
edit "c['linux']['sysctl'] = {'net.ipv4.ip_forward': '1', 'kernel.sem': '1 2 3 4', 'kernel.shm_rmid_forced': '1', 'kernel.domainname': 'example.org'}"
is "$(out | tr '\t' ' ')" "1
1 2 3 4
1
example.org" "sysctl"
script true
edit "c['linux']['sysctl'] = {'net.ipv4.ip_forward': '1'}; c['linux']['namespaces'] = [n for n in c['linux']['namespaces'] if n['type'] != 'network']"
refused "linux.sysctl.net.ipv4.ip_forward: linux.namespaces has no network namespace" "sysctl of a namespace that is not the container's own"
for bad in net.nothing:"linux.sysctl.net.nothing: no such file or directory" \
	net.core.rmem_max:"linux.sysctl.net.core.rmem_max: read-only file system" net.ipv4.ip_forward:"linux.sysctl.net.ipv4.ip_forward: invalid argument"; do
	script true
	edit "c['linux']['sysctl'] = {sys.argv[2]: 'x'}" "${bad%%:*}"
	refused "${bad#*:}" "refused: ${bad#*:}"
done
script 'cat /proc/self/oom_score_adj; echo $(ulimit -n) $(ulimit -H -n)'
edit "c['process']['oomScoreAdj'] = 123; c['process']['rlimits'] = [{'type': 'RLIMIT_NOFILE', 'soft': 77, 'hard': 5000000}]"
is "$(out)" "123
77 5000000" "oomScoreAdj, and limits that no host has a say in"

# ---- seccomp
seccomp() { # seccomp PYTHON: the profile
	edit "c['linux']['seccomp'] = $1"
}
script 'mkdir /tmp/d; grep Seccomp: /proc/self/status | tr -d "\\t"; kill -0 $$ && echo kill allowed; exec chmod 700 /tmp'
ln -s busybox "$bundle/rootfs/bin/mkdir"
ln -s busybox "$bundle/rootfs/bin/chmod"
ln -s busybox "$bundle/rootfs/bin/tr"
edit "c['process']['noNewPrivileges'] = False"
seccomp "{'defaultAction': 'SCMP_ACT_ALLOW', 'architectures': ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'], 'syscalls': [
 {'names': ['mkdir', 'mkdirat', 'no_such_call'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 122},
 {'names': ['kill'], 'action': 'SCMP_ACT_ERRNO', 'args': [{'index': 1, 'value': 9, 'op': 'SCMP_CMP_EQ'}]},
 {'names': ['chmod', 'fchmodat'], 'action': 'SCMP_ACT_KILL_PROCESS'}]}"
run s </dev/null >"$tmp/out"
is "$rc:$(cat "$tmp/out")" "159:mkdir: can't create directory '/tmp/d': Disk quota exceeded
Seccomp:2
kill allowed" "a seccomp profile"
script 'kill -9 $$; true'
seccomp "{'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrnoRet': 38, 'syscalls': [{'names': ['read', 'write', 'exit_group'], 'action': 'SCMP_ACT_ALLOW'}]}"
run s </dev/null >/dev/null
[ "$rc" != 0 ]
ok $? "a profile that forbids nearly everything"
for bad in "{}|defaultAction: an action is missing" "{'defaultAction': 'X'}|defaultAction: action 'X' is not supported" \
	"{'defaultAction': 'SCMP_ACT_ALLOW', 'flags': ['X']}|flags[0]: 'X' is not supported" \
	"{'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [{'names': ['read'], 'action': 'SCMP_ACT_NOTIFY'}]}|syscalls[0]: action 'SCMP_ACT_NOTIFY' is not supported" \
	"{'defaultAction': 'SCMP_ACT_ALLOW', 'listenerPath': '/x'}|listenerPath: is not supported"; do
	script true
	seccomp "${bad%%|*}"
	refused "config.json: linux.seccomp.${bad#*|}" "refused: linux.seccomp.${bad#*|}"
done

# ---- what a guest cannot do
refuse() { # refuse PYTHON MESSAGE
	script true
	edit "$1"
	refused "config.json: $2" "refused: $2"
}
refuse "c['linux']['namespaces'] = [{'type': 'ipc', 'path': '/proc/self/ns/uts'}]" "linux.namespaces[0].path: '/proc/self/ns/uts' is no ipc namespace"
refuse "c['linux']['namespaces'] = [{'type': 'network', 'path': '/nonexistent'}]" "linux.namespaces[0].path: '/nonexistent': No such file or directory"
refuse "c['linux']['namespaces'] = [{'type': 'user'}]; c['linux']['uidMappings'] = c['linux']['gidMappings'] = [{'containerID': 0, 'hostID': 1000 * i, 'size': 10} for i in range(65)]" "linux.uidMappings: 65 elements, at most 64 are supported"
is "$(state_entries)" "" "nothing is left of them"

refuse "c['process']['scheduler'] = {'policy': 'SCHED_DEADLINE'}" "process.scheduler.policy: 'SCHED_DEADLINE' is not supported"
refuse "c['process']['scheduler'] = {'policy': 'SCHED_FIFO', 'priority': 0}" "process.scheduler.priority: 0 is none of this policy"
refuse "c['process']['scheduler'] = {'policy': 'SCHED_OTHER', 'nice': 20}" "process.scheduler.nice: 20 is out of range"
refuse "c['linux']['personality'] = {'domain': 'BSD'}" "linux.personality.domain: only LINUX and LINUX32 are supported"

# ---- limits in the guest
script 'grep MemTotal /proc/meminfo | tr -dc 0-9; echo; awk "BEGIN { while (1) a[i++] = i }"; echo $?'
edit "c['linux']['resources'] = {'memory': {'limit': 48 << 20}}"
cgroups=1
total=$(out --keep | head -n 1)
if [ -z "$total" ]; then cgroups=0; fi
if [ "$cgroups" = 1 ]; then
	[ "$total" -le $((48 * 1024)) ] && [ "$total" -gt $((20 * 1024)) ]
	ok $? "memory.limit is what the guest has ($total KiB)"
	is "$($cm state m | python3 -c "import json, sys; print(json.load(sys.stdin).get('oomKilled'))")" True "a kill for want of memory is in the state"
	$cm delete m
	script 'i=0; while [ $i -lt 40 ]; do sleep 2 & i=$((i + 1)); done; wait; echo all'
	edit "c['linux']['resources'] = {'pids': {'limit': 20}}"
	is "$(out | grep -c -e 'Resource temporarily' -e "can't fork")" 1 "pids.limit: more tasks than that are refused"

	# ---- the container's own cgroup in the guest
	script 'cd /sys/fs/cgroup; cat memory.max memory.low pids.max cpu.weight cpu.max /proc/self/cgroup; grep -c . cgroup.procs; mkdir x && echo made'
	edit "c['linux']['resources'] = {'memory': {'limit': 128 << 20, 'reservation': 8 << 20}, 'pids': {'limit': 33},
 'cpu': {'shares': 512, 'quota': 50000, 'period': 100000}}"
	edit "c['mounts'] = [m for m in c['mounts'] if m['destination'] != '/sys/fs/cgroup'] + [
 {'destination': '/sys/fs/cgroup', 'type': 'cgroup', 'source': 'cgroup', 'options': ['nosuid', 'noexec', 'nodev', 'rw']}]"
	is "$(out | tr '\n' ' ')" "109051904 8388608 33 20 50000 100000 0::/ 2 made " "limits of the container's cgroup inside, which is the root there"

	# ---- the cgroup of the host
	base=/casemate-test-$$
	script 'sleep 30'
	edit "c['linux']['cgroupsPath'] = '$base/c'; c['linux']['resources'] = {'devices': [{'allow': False, 'access': 'rwm'}],
 'memory': {'limit': 128 << 20}, 'cpu': {'shares': 512, 'quota': 50000, 'period': 100000}, 'pids': {'limit': 100}}"
	run c -d </dev/null >/dev/null
	is "$rc" 0 "a container with a cgroup of its own"
	v2=
	[ -e /sys/fs/cgroup/cgroup.controllers ] && v2=1
	file() { # file CONTROLLER NAME: of the group
		cat "/sys/fs/cgroup${v2:+/}${v2:-/$1}$base/c/$2" 2>/dev/null
	}
	[ -n "$v2" ] && file() { cat "/sys/fs/cgroup$base/c/$2"; }
	if [ -n "$v2" ]; then
		is "$(file x memory.max):$(file x cpu.max):$(file x cpu.weight):$(file x pids.max)" "134217728:50000 100000:20:164" "its limits"
	else
		is "$(file memory memory.limit_in_bytes):$(file cpu cpu.shares):$(file cpu cpu.cfs_quota_us):$(file cpu cpu.cfs_period_us):$(file pids pids.max)" \
			"134217728:512:50000:100000:164" "its limits"
	fi
	disk=$(cat /sys/block/[hnsv][dv]*/dev 2>/dev/null | head -n 1)
	io=$(file blkio blkio.throttle.read_bps_device >/dev/null 2>&1 && echo blkio.throttle.read_bps_device || echo io.max)
	if [ -n "$disk" ] && file blkio "$io" >/dev/null 2>&1; then
		echo '{"blockIO": {"throttleReadBpsDevice": [{"major": '"${disk%:*}"', "minor": '"${disk#*:}"', "rate": 7000000}]}}' >"$tmp/res.json"
		$cm update -r "$tmp/res.json" c
		case "$?:$(file blkio "$io")" in 0:"$disk 7000000" | 0:"$disk rbps=7000000"*) ok 0 "a rate of a block device" ;; *) ok 1 "a rate of a block device: $(file blkio "$io")" ;; esac
	else
		n=$((n + 1))
		echo "ok $n - a rate of a block device # SKIP no block device, or no such cgroup"
	fi
	procs=$(file memory cgroup.procs | sort -n | tr '\n' ' ')
	is "$procs" "$(for k in pid vmmPid fsdPid; do recorded c $k; done | sort -n | tr '\n' ' ')" "all processes of the sandbox are in it, and no other"
	$cm delete -f c
	is "$(find /sys/fs/cgroup -path "*$base/c" -prune -print)" "" "delete removes it"
	script 'true'
	edit "c['linux']['cgroupsPath'] = '$base/c'"
	run c </dev/null
	is "$rc:$(find /sys/fs/cgroup -path "*$base/c" -prune -print)" "0:" "so does the end of run"
	config /nonexistent
	edit "c['linux']['cgroupsPath'] = '$base/c'"
	run c </dev/null
	is "$rc:$(find /sys/fs/cgroup -path "*$base/c" -prune -print)" "1:" "so does a start that fails"
	script 'sleep 30'
	edit "c['linux']['cgroupsPath'] = '$base/c'"
	run c -d </dev/null >/dev/null
	kill -9 "$(recorded c pid)"
	wait_for 5 sh -c "! kill -0 $(recorded c vmmPid) 2>/dev/null"
	$cm delete c
	is "$(find /sys/fs/cgroup -path "*$base/c" -prune -print)" "" "so does delete after the sandbox was killed"
	refuse "c['linux']['cgroupsPath'] = '$base/c'; c['linux']['resources'] = {'cpu': {'cpus': '4000'}}" "linux.resources.cpu.cpus: write"
	is "$(find /sys/fs/cgroup -path "*$base/c" -prune -print)" "" "nothing is left of a limit that is refused"
	find /sys/fs/cgroup -depth -path "*$base" -exec rmdir {} + 2>/dev/null
else
	n=$((n + 1))
	echo "ok $n - limits and cgroups # SKIP no cgroups that can be written"
fi

# ---- virtual CPUs
cpus() { # cpus LIMITS OPTION...: the guest's number of CPUs under these limits of linux.resources.cpu
	limits=$1
	shift
	edit "c['linux']['resources'] = {'cpu': $limits}"
	out "$@"
}
if [ "$cgroups" = 1 ] && [ "$(nproc)" -ge 2 ]; then
	script 'grep -c ^processor /proc/cpuinfo'
	is "$(cpus '{}')" "$(($(nproc) < 16 ? $(nproc) : 16))" "as many CPUs as the host has"
	is "$(cpus "{'quota': 100000}")" "1" "no more than the quota pays for"
	is "$(cpus "{'quota': 150000}")" "2" "rounded up"
	is "$(cpus "{'cpus': '0'}")" "1" "nor than the set of CPUs has"
	is "$(cpus "{'quota': 100000}" --cpus 2)" "2" "--cpus has the last word"
	edit "c['linux']['resources'] = {}"
	is "$(taskset -c 0 $cm run -b "$bundle" m </dev/null)" "1" "nor than the command may run on"
else
	n=$((n + 1))
	echo "ok $n - virtual CPUs # SKIP no cgroups that can be written, or one CPU"
fi
wait_for 2 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left of them"
plan
