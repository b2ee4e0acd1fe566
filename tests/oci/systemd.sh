#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# --systemd-cgroup, with a systemd of its own: in PID, mount and cgroup namespaces, with a message bus and no other service than the points below. The
# script runs three times: to make the namespaces, as what becomes systemd (init), and as systemd's service (inside).
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"

# In a group of its own in each hierarchy, which is the root of those for systemd.
outside() {
	for tool in /usr/lib/systemd/systemd /usr/bin/busctl /usr/bin/dbus-daemon /usr/bin/systemctl; do
		[ -x $tool ] || skip_all "$tool is missing"
	done
	[ "$(id -u)" = 0 ] || skip_all "needs root"
	[ -w /dev/kvm ] || skip_all "/dev/kvm is missing or not accessible"
	outer=$(mktemp -d) name=casemate-test.$$
	groups=$(awk '$3 ~ /^cgroup/ { print $2 }' /proc/self/mounts)
	trap leave EXIT
	trap 'exit 1' HUP INT TERM
	top_srcdir=$(realpath "$top_srcdir") top_builddir=$(realpath "$top_builddir")
	export outer groups top_srcdir top_builddir
	(
		for group in $groups; do
			mkdir "$group/$name" || exit 1
			for file in cpuset.cpus cpuset.mems; do
				[ -e "$group/$name/$file" ] && [ -z "$(cat "$group/$name/$file")" ] && cat "$group/$file" >"$group/$name/$file"
			done
			echo 0 >"$group/$name/cgroup.procs" || exit 1
		done
		exec timeout -s KILL $((100 * patience)) unshare -pfmC --kill-child --propagation private bash "$top_srcdir/tests/oci/systemd.sh" init
	) >"$outer/log" 2>&1 </dev/null
	# Nothing of ours has run before the points.
	[ -s "$outer/result" ] || skip_all "systemd does not run in namespaces here: $(tail -n 1 "$outer/log")"
	cat "$outer/result"
	grep -q '^1\.\.' "$outer/result" || tail -n 40 "$outer/log" | sed 's/^/# /'
}

leave() {
	for group in $groups; do
		# Killed ones are gone from their groups a moment later.
		for _ in $(seq 50); do
			find "$group/$name" -depth -type d -exec rmdir {} + 2>/dev/null
			[ -d "$group/$name" ] || break
			sleep 0.1
		done
	done
	rm -rf "$outer"
}

init() {
	mount -t proc proc /proc
	mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys # the host's settings are not systemd's here
	mount -t tmpfs tmpfs /run
	options=$(awk '$3 ~ /^cgroup/ { print $2, $3, $4 }' /proc/self/mounts)
	echo "$options" | while read -r group type words; do
		words=$(echo "$words" | sed 's/\(^\|,\)\(rw\|relatime\|nosuid\|nodev\|noexec\|nsdelegate\|memory_recursiveprot\)//g; s/^,//')
		case $words in name=*) words=none,$words ;; esac
		umount "$group" && mount -t "$type" ${words:+-o "$words"} "$type" "$group"
	done
	mkdir -p /run/units /run/dbus
	cat >/run/dbus/config <<'CONFIG'
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
CONFIG
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/dbus/system_bus_socket\n' >/run/units/dbus.socket
	printf '[Unit]\nDefaultDependencies=no\nRequires=dbus.socket\nAfter=dbus.socket\nFailureAction=exit-force\n[Service]\nType=notify\nNotifyAccess=main\nExecStart=/usr/bin/dbus-daemon --config-file=/run/dbus/config --address=systemd: --nofork --nopidfile --systemd-activation\n' >/run/units/dbus.service
	cat >/run/units/points.service <<UNIT
[Unit]
DefaultDependencies=no
Requires=dbus.service
After=dbus.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
Environment=outer=$outer top_srcdir=$top_srcdir top_builddir=$top_builddir CASEMATE_TEST_PATIENCE=$patience TMPDIR=$outer
StandardOutput=file:$outer/result
StandardError=file:$outer/log
TimeoutStartSec=infinity
ExecStart=/bin/bash $top_srcdir/tests/oci/systemd.sh inside
UNIT
	printf '[Unit]\nDefaultDependencies=no\n' | tee /run/units/shutdown.target /run/units/exit.target >/run/units/basic.target
	export container=other SYSTEMD_GENERATOR_PATH=/run/units SYSTEMD_UNIT_PATH=/run/systemd/system.control:/run/systemd/transient:/run/units
	exec /usr/lib/systemd/systemd --system --unit=points.service --log-target=console --log-level=warning --show-status=no
}

show() { systemctl show --value -p "$2" "$1"; }
path_of() { # path_of PID: its group in systemd's hierarchy
	sed -n 's/^0:://p; s/^[0-9]*:name=systemd://p' "/proc/$1/cgroup" | grep -v '^/$' | sort -u
}
is_gone() { [ "$(show "$1" LoadState):$(show "$1" ActiveState)" = not-found:inactive ]; }
refused() { # refused NAME TEXT: `run` fails with one line that has the text
	run refused
	case "$rc:$(err | wc -l):$(err)" in 1:1:*"$2"*) ok 0 "$1" ;; *) ok 1 "$1: $rc $(err)" ;; esac
}
where() { edit "c['linux']['cgroupsPath'] = '$1'"; }

# podman, as it calls a runtime by default where there is systemd.
engine_points() {
	runtime_script
	podman="timeout -k 5 $((60 * patience)) podman --root $tmp/podman/root --runroot /run/podman --storage-driver=vfs --cgroup-manager=systemd --events-backend=file --runtime $tmp/runtime"
	tar -C "$bundle/rootfs" -c . | $podman import - image >/dev/null 2>&1
	$podman run -d --name c --log-driver k8s-file --network=none --ulimit nofile=1024:4096 --ulimit nproc=4096:4096 --pids-limit 50 image /bin/sleep 1000 >"$tmp/out" 2>&1
	is "$?:$(path_of "$($podman inspect -f '{{.State.Pid}}' c)")" "0:/machine.slice/libpod-$(cat "$tmp/out").scope" "podman with --cgroup-manager=systemd"
	is "$(show "libpod-$(cat "$tmp/out").scope" TasksMax)" 114 "... its limits"
	is "$($podman exec c /bin/echo inside 2>&1)" inside "... exec"
	$podman rm -f -t 0 c >/dev/null 2>&1
	wait_for 5 is_gone "libpod-$(cat "$tmp/out").scope"
	ok $? "... rm -f takes the scope along"
	umount "$tmp/podman/root/overlay" 2>/dev/null
}

points() {
	setup_bundle
	cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
	cm="timeout -k 5 $((60 * patience)) $casemate --systemd-cgroup --root $tmp/state"

	config /bin/sleep 1000
	where a-b.slice:libpod:one
	edit "c['linux']['resources'] = {'memory': {'limit': 268435456}, 'pids': {'limit': 100}, 'cpu': {'shares': 2048, 'quota': 50000, 'period': 100000}}"
	run one -d </dev/null
	is "$rc:$(err)" 0: "a container is started in a scope"
	pid=$(field one pid) scope=/a.slice/a-b.slice/libpod-one.scope
	is "$(path_of "$pid")" $scope "its process is in the scope"
	is "$(path_of "$(recorded one vmmPid)"):$(path_of "$(recorded one fsdPid)")" "$scope:$scope" "... and so are VMM and file server"
	is "$(grep -c "$scope\$" "/proc/$pid/cgroup")" "$(grep -vc '^0::/$' "/proc/$pid/cgroup")" "... in every hierarchy"
	is "$(show libpod-one.scope ActiveState):$(show libpod-one.scope Slice):$(show libpod-one.scope Delegate)" active:a-b.slice:yes "systemd knows it"
	is "$(show libpod-one.scope TasksMax):$(show libpod-one.scope CPUQuotaPerSecUSec)" 164:500ms "... and its limits"
	case "$(show libpod-one.scope MemoryMax):$(show libpod-one.scope MemoryLimit)" in
	*268435456*) ok 0 "... of memory, too" ;;
	*) ok 1 "... of memory, too: $(show libpod-one.scope MemoryMax):$(show libpod-one.scope MemoryLimit)" ;;
	esac
	systemctl daemon-reload
	is "$(cat /sys/fs/cgroup/*/"$scope/pids.max" "/sys/fs/cgroup/$scope/pids.max" 2>/dev/null | sort -u)" 164 "systemd leaves the limits when it loads its units anew"
	$cm update --pids-limit 50 --cpu-quota -1 one
	is "$?:$(show libpod-one.scope TasksMax):$(show libpod-one.scope CPUQuotaPerSecUSec)" 0:114:infinity "update tells systemd"
	where a-b.slice:libpod:one
	refused "a scope that is there already" "libpod-one.scope"
	is "$(show libpod-one.scope ActiveState):$(field one status)" active:running "... stays as it is"
	$cm kill one KILL
	wait_for 5 is_status one stopped
	$cm delete one
	wait_for 5 is_gone libpod-one.scope
	ok $? "delete takes the scope along"
	is "$(find /sys/fs/cgroup -name '*libpod-one*')" "" "... in every hierarchy"

	config /bin/sh -c 'exit 7'
	run two
	is "$rc:$(err)" 7: "run in the foreground, without linux.cgroupsPath"
	wait_for 5 is_gone casemate-two.scope
	is "$?:$(find /sys/fs/cgroup -name '*casemate-two*')" 0: "... leaves no scope"
	config /bin/sleep 1000
	$cm create --bundle "$bundle" three </dev/null >"$tmp/out" 2>&1
	is "$?:$(path_of "$(field three pid)")" 0:/system.slice/casemate-three.scope "... is casemate-ID.scope in system.slice"
	kill -9 "$(field three pid)"
	wait_for 5 is_status three stopped
	$cm delete --force three
	wait_for 5 is_gone casemate-three.scope
	ok $? "a sandbox process that was killed leaves none either"
	where :pre:fix
	edit "c['hooks'] = {'createRuntime': [{'path': '/bin/false'}]}"
	refused "a creation that fails" "hooks.createRuntime"
	wait_for 5 is_gone pre-fix.scope
	is "$?:$(find /sys/fs/cgroup -name '*pre-fix*')" 0: "... leaves no scope"

	config /bin/true
	where /a/path
	refused "a path that is none of systemd's" "linux.cgroupsPath: '/a/path' is not of the form slice:prefix:name"
	where a/b.slice:x:y
	refused "a slice that is none" "linux.cgroupsPath: 'a/b.slice' is no name of a slice"
	where :x:a/b
	refused "a scope that is none" "linux.cgroupsPath: 'x-a/b.scope' is no name of a scope"
	where :x:y
	cm="timeout -k 5 $((60 * patience)) $casemate --root $tmp/state"
	refused "systemd's form without --systemd-cgroup" "need --systemd-cgroup"
	cm="timeout -k 5 $((60 * patience)) env DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere $casemate --systemd-cgroup --root $tmp/state"
	refused "no systemd to ask" "systemd: '/usr/bin/busctl': exit status 1"
	if command -v podman >/dev/null && command -v conmon >/dev/null; then
		engine_points
	else
		n=$((n + 1))
		echo "ok $n - podman # SKIP it is not installed"
	fi
	is "$(state_entries)" "" "nothing is left"
	no_leftover
	ok $? "no process is left"
	plan
}

case ${1:-outside} in
inside) points ;;
*) ${1:-outside} ;;
esac
