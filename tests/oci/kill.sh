#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SIGKILL for each of our processes in each state of a container: what is left says the truth and can be deleted.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"

victim() { # victim ID NAME: process id
	case "$2" in
	sandbox) field "$1" pid ;;
	vmm) recorded "$1" vmmPid ;;
	fsd) recorded "$1" fsdPid ;;
	esac
}
bring() { # bring ID STATE
	$cm create -b "$bundle" "$1" >"$tmp/out" 2>&1 </dev/null || return
	[ "$2" = created ] && return
	$cm start "$1"
	[ "$2" = running ] || $cm pause "$1"
}
config /bin/sh -c 'sleep 1000 & wait'
for state in created running paused; do
	for who in sandbox vmm fsd; do
		bring k $state
		is "$(field k status)" $state "$state"
		kill -9 "$(victim k $who)"
		wait_for 10 is_status k stopped
		is "$(field k status):$(field k pid)" stopped:0 "... without its $who it is stopped"
		$cm delete k
		is "$?:$(state_entries)" "0:" "... and can be deleted"
	done
done

# An exec whose sandbox dies ends, as killed; so does a wait.
for who in sandbox vmm; do
	bring k running
	$cm exec k /bin/sleep 1000 </dev/null >/dev/null 2>&1 &
	e=$!
	$cm wait k >"$tmp/wait" 2>&1 &
	w=$!
	wait_for 10 sh -c "[ \$($cm ps --format json k | tr , '\n' | wc -l) = 2 ]"
	kill -9 "$(victim k $who)"
	rc=0
	wait $e || rc=$?
	is "$rc" 137 "an exec ends with its $who, as killed"
	wait $w
	is "$?" 0 "... and a wait"
	wait_for 10 is_status k stopped
	$cm delete k
done

# An exec that begins when the container ends: the guest waits for /etc/passwd, where HOME stands, until the first process has ended. What it knew of that
# file is a second old.
mkdir -p "$bundle/rootfs/etc"
echo root:x:0:0::/root:/bin/sh >"$bundle/rootfs/etc/passwd"
config /bin/sh -c 'read line'
edit "c['annotations'] = {'io.casemate.root-cache': 'shared'}"
mkfifo "$tmp/in"
exec 7<>"$tmp/in"
$cm create -b "$bundle" k <"$tmp/in" >"$tmp/out" 2>&1
exec 8>"$tmp/in" 7>&-
$cm start k
sleep 1.5
kill -STOP "$(victim k fsd)"
$cm exec k /bin/sleep 1000 </dev/null >"$tmp/eout" 2>&1 8>&- &
e=$!
sleep 0.5
exec 8>&-
sleep 0.5
kill -CONT "$(victim k fsd)"
wait_for 10 is_status k stopped
is "$(field k status):$(field k exitStatus)" stopped:256 "a container ends although an exec begins"
rc=0
wait $e || rc=$?
is "$rc:$(cat "$tmp/eout")" "255:casemate: exec failed: container not running" "... which is told"
$cm delete --force k

# Output that nobody takes: what waits for that can be killed as well.
rm "$tmp/in"
mkfifo "$tmp/in"
exec 7<>"$tmp/in"
config /bin/yes
$cm create -b "$bundle" k </dev/null >"$tmp/in" 2>"$tmp/err" 7>&-
$cm start k
sleep 0.5
$cm kill k KILL
is "$?" 0 "kill of a container whose output nobody takes"
wait_for 10 is_status k stopped
is "$(field k status):$(field k exitStatus)" stopped:9 "... stops it"
$cm delete k
config /bin/head -c 150000 /dev/zero
$cm create -b "$bundle" k </dev/null >"$tmp/in" 2>"$tmp/err" 7>&-
$cm start k
sleep 1
is "$(field k status)" running "one whose last output nobody takes"
$cm kill k KILL
is "$?" 0 "... can be killed"
wait_for 2 is_status k stopped
is "$(field k status):$(field k exitStatus)" stopped:0 "... which stops it, with its own exit status"
$cm delete k
exec 7>&-

# The command may die at any moment of create: either there is no container, or one that can be deleted.
i=0 bad=0
while [ $i -lt 10 ]; do
	"$casemate" --root "$tmp/state" create -b "$bundle" "c$i" >/dev/null 2>&1 </dev/null &
	c=$!
	sleep "0.0$i"
	kill -9 $c 2>/dev/null
	wait $c 2>/dev/null
	$cm delete --force "c$i" || bad=$((bad + 1))
	i=$((i + 1))
done
is "$bad" 0 "10 creates whose command was killed can be deleted"
gone() { for i in $(state_entries); do $cm delete --force "$i"; done; [ -z "$(state_entries)" ]; }
wait_for 20 gone
is "$(state_entries)" "" "... and nothing of them appears later"
wait_for 1 no_leftover
is "$(leftover)" "" "no process is left"
plan
