#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# casemate update: limits of a living container, in the guest and in its cgroup on the host; the words that conmon says.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
for applet in grep awk dd; do
	[ -e "$bundle/rootfs/bin/$applet" ] || ln -s busybox "$bundle/rootfs/bin/$applet"
done
mkdir -p "$bundle/rootfs/proc"

inside() { $cm exec "$1" /bin/sh -c "$2" 2>&1 </dev/null; }
total() { inside u 'grep MemTotal /proc/meminfo | tr -dc 0-9'; }
forks() { inside u 'i=0; while [ $i -lt 20 ]; do sleep 1 & i=$((i + 1)); done; wait; echo all' | grep -c all; }
update() { rc=0; $cm update "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || rc=$?; }
refused() { # refused NAME TEXT WORD...
	name=$1 text=$2
	shift 2
	update "$@"
	case "$rc:$(err | wc -l):$(err)" in 1:1:*"$text"*) ok 0 "$name" ;; *) ok 1 "$name: $rc $(err)" ;; esac
}

# ---- without a cgroup: memory and tasks, in the guest
config /bin/sleep 1000
edit "c['mounts'] += [{'destination': '/sys/fs/cgroup', 'type': 'cgroup', 'source': 'cgroup', 'options': ['ro']}]"
[ -e "$bundle/rootfs/bin/tr" ] || ln -s busybox "$bundle/rootfs/bin/tr"
run u -d </dev/null >/dev/null
whole=$(total)
update --memory 128M --pids-limit 10 u
is "$rc$(cat "$tmp/out")$(err)" 0 "update says nothing"
is "$(total)" $(((128 - 24) * 1024)) "the guest has so much memory less what carries it"
is "$(forks)" 0 "and so many tasks"
inside u 'dd if=/dev/zero of=/tmp/cache bs=1M count=60' >/dev/null
update --memory 80M --pids-limit 100 u
is "$rc:$(inside u 'echo lives')" "0:lives" "a limit below what is cached leaves the programs alone"
is "$(inside u 'awk "BEGIN { while (1) a[i++] = i }"; echo $?' | grep -v Killed)" 137 "one that is reached ends who reached it"
printf '{"memory": {"limit": -1}, "pids": {"limit": -1}}' >"$tmp/res.json"
update --resources="$tmp/res.json" u
is "$rc:$(total):$(forks)" "0:$whole:1" "--resources=FILE: -1 is no limit"
rc=0
printf '{"pids": {"limit": 9}}' | $cm update -r - u || rc=$?
is "$rc:$(forks)" "0:0" "... and of standard input"
update u
is "$rc:$(forks)" "0:0" "what is not named stays"
update --kernel-memory 5M u
is "$rc" 0 "--kernel-memory is taken"
update --pids-limit 100 u
# What a file of the container's group in the guest holds.
inner() { inside u "cat /sys/fs/cgroup/$1"; }
is "$(inner cpu.max):$(inner cpu.weight)" "max 100000:100" "CPU time inside: no limit"
update --cpu-quota 50000 u
is "$rc$(err):$(inner cpu.max)" "0:50000 100000" "--cpu-quota is the guest's, too"
update --cpu-period 200000 u
is "$rc:$(inner cpu.max)" "0:50000 200000" "... --cpu-period alone keeps it"
update --cpu-quota -1 --cpu-share 512 --memory-reservation 10M u
is "$rc:$(inner cpu.max):$(inner cpu.weight):$(inner memory.low)" "0:max 200000:20:10485760" "... and so are weight and reservation"
refused "limits of the host need a cgroup" "linux.resources.cpu.cpus: container 'u' has no cgroup" --cpuset-cpus 0 --cpu-quota 50000 u
is "$(inner cpu.max)" "max 200000" "... the guest is as it was"
refused "... blockIO too" "linux.resources.blockIO: container 'u' has no cgroup" --blkio-weight 100 u
refused "... and swap" "linux.resources.memory.swap: container 'u' has no cgroup" --memory-swap 1G u
refused "what the guest refuses is named" "the guest's cpu.max: Invalid argument" --cpu-quota 5 --pids-limit 50 u
is "$(inner cpu.max):$(inner pids.max)" "max 200000:100" "... and leaves it as it was"
refused "a wrong size" "memory: 'much' is not a size" --memory much u
refused "a wrong number" "'x' is not a number" --pids-limit x u
refused "what cannot be had" "--l3-cache-schema" --l3-cache-schema x u
refused "an unknown option" "unknown option" --what u
refused "a missing word" "a word is missing" --memory 1G
refused "an unknown container" "container 'v' does not exist" --memory 1G v
printf '[]' >"$tmp/bad.json"
refused "a file that holds no object" "not an object" -r "$tmp/bad.json" u
printf '{"memory": {"limit": "1"}}' >"$tmp/bad.json"
refused "a member of another type" "memory.limit" -r "$tmp/bad.json" u
refused "a missing file" "No such file" -r "$tmp/none.json" u
$cm pause u
refused "a paused container takes no CPU time" "is paused" --cpu-quota 50000 --pids-limit 30 u
update --pids-limit 100 u
is "$rc" 0 "... but memory and tasks"
$cm resume u
is "$(forks)" 1 "... when it goes on"
$cm kill u KILL
wait_for 5 is_status u stopped
refused "a stopped container" "cannot update container 'u' that is stopped" --memory 1G u
$cm delete u

# ---- in the cgroup
base=/casemate-update-$$
edit "c['linux']['cgroupsPath'] = '$base/c'"
if run u -d </dev/null >/dev/null; [ "$rc" = 0 ]; then
	file() { # file CONTROLLER V1-NAME V2-NAME: of the group
		if [ -e /sys/fs/cgroup/cgroup.controllers ]; then cat "/sys/fs/cgroup$base/c/$3"; else cat "/sys/fs/cgroup/$1$base/c/$2"; fi 2>/dev/null
	}
	update --memory 256M --pids-limit 200 --cpu-quota 20000 --cpu-period 100000 --cpu-share 512 u
	is "$rc$(err)" 0 "update of a container with a cgroup"
	is "$(file memory memory.limit_in_bytes memory.max):$(file pids pids.max pids.max)" "268435456:264" "memory and tasks on the host"
	case "$(file cpu cpu.cfs_quota_us cpu.max)" in 20000*) ok 0 "CPU time" ;; *) ok 1 "CPU time: $(file cpu cpu.cfs_quota_us cpu.max)" ;; esac
	is "$(total)" $(((256 - 24) * 1024)) "and in the guest"
	refused "a limit that the host refuses is named" "linux.resources.cpu.cpus: write" --memory 200M --cpuset-cpus 4000 u
	is "$(total)" $(((256 - 24) * 1024)) "... and leaves the guest as it was"
	if [ -n "$(file blkio blkio.bfq.weight io.bfq.weight)$(file blkio blkio.weight io.weight)" ]; then
		update --blkio-weight 500 u
		is "$rc$(err)" 0 "--blkio-weight"
		case "$(file blkio blkio.bfq.weight io.bfq.weight) $(file blkio blkio.weight io.weight)" in *500* | *4950*) ok 0 "... is the host's" ;; *) ok 1 "... is the host's" ;; esac
		printf '{"blockIO": {"weight": 300}}' >"$tmp/res.json"
		update -r "$tmp/res.json" u
		case "$rc:$(file blkio blkio.bfq.weight io.bfq.weight) $(file blkio blkio.weight io.weight)" in 0:*300* | 0:*2930*) ok 0 "... by --resources, too" ;; *) ok 1 "... by --resources, too" ;; esac
	else
		n=$((n + 1))
		echo "ok $n - --blkio-weight # SKIP this host has no weights of block devices"
	fi
	refused "a weight out of range" "blockIO.weight: 1001 is not from 1 to 1000" --blkio-weight 1001 u
	$cm delete -f u
	is "$(find /sys/fs/cgroup -path "*$base/c" -prune -print)" "" "delete removes the cgroup"
	find /sys/fs/cgroup -depth -path "*$base" -exec rmdir {} + 2>/dev/null
else
	n=$((n + 1))
	echo "ok $n - cgroups # SKIP none can be made here: $(err)"
fi
wait_for 2 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left"
plan
