#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The control side against a stand-in for the VMM that runs the program on the host, and that can be told to misbehave.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/tests/oci/fake_vmm" "$tmp/libexec/casemate-vmm"
cp "$top_builddir/tests/oci/fake_vmm" "$tmp/libexec/casemate-fsd"
noexec=/etc/passwd
. "$top_srcdir/tests/oci/lifecycle.sh"

config /bin/true
for mode in die garbage badexit bigframe abi nohello; do
	run a --guest-cmdline $mode </dev/null
	is "$rc:$(err | wc -l)" 1:1 "guest that does '$mode': one line, exit code 1"
done
$cm run -b "$bundle" --guest-cmdline hang a </dev/null 2>"$tmp/err" &
run_pid=$!
sleep 0.3
$cm delete --force a
rc=0
wait "$run_pid" || rc=$?
is "$rc" 1 "guest that never answers: delete --force ends the start"
wait_for 2 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left of them"

# ---- the control connection of a container that runs: one breach, and its life is over; nothing is connected anew
config /bin/sleep 100
for mode in noise replay unasked reset; do
	case "$mode" in reset) why="the guest hung up" ;; *) why="message of the guest" ;; esac
	run a --guest-cmdline $mode </dev/null
	case "$rc:$(err | wc -l):$(err)" in
	137:1:*"$why"*) ok 0 "guest that does '$mode' while the program runs: one line, exit code 137" ;;
	*) ok 1 "guest that does '$mode' while the program runs: $rc $(err)" ;;
	esac
	is "$(field a status) $(field a exitStatus)" "stopped 9" "... state says stopped"
	$cm delete a
done
run a --detach --guest-cmdline hangup </dev/null >/dev/null 2>&1
is "$rc" 0 "guest that hangs up when it is asked to signal"
urpc a '{"method":"containerManager.Wait","arg":"a"}' "$tmp/asked" >"$tmp/waited" &
wait_for 10 test -e "$tmp/asked"
rc=0
rm "$tmp/err" # the sandbox process has it for its own standard error, and says there why it ends
$cm kill a 0 2>"$tmp/err" || rc=$?
bad "container not running" "... who asked is told"
wait
grep -q '"result":9' "$tmp/waited"
ok $? "... who waits too: $(cat "$tmp/waited")"
wait_for 2 is_status a stopped
ok $? "... state says stopped"
$cm delete a
run a --detach --guest-cmdline othertype </dev/null >/dev/null 2>&1
$cm kill a 0 2>/dev/null
wait_for 2 is_status a stopped
ok $? "guest that answers as if it had been asked something else: state says stopped"
$cm delete a
run a --detach --guest-cmdline half </dev/null >/dev/null 2>&1
is "$(field a status)" running "guest that stops within a frame: its program runs"
$cm kill a KILL
ok $? "... and can be killed all the same"
wait_for 1 is_status a stopped
ok $? "... state says stopped"
$cm delete a

# ---- a guest that takes every SIGKILL and ends nothing has 30 s from the first one on
run a --detach --guest-cmdline undying </dev/null >/dev/null 2>&1
killed=$(date +%s)
while is_status a running && [ $(($(date +%s) - killed)) -lt $((50 * patience)) ]; do
	$cm kill a KILL
	sleep 4
done 2>/dev/null
took=$(($(date +%s) - killed))
ok "$([ $took -ge 28 ] && [ $took -lt $((45 * patience)) ]; echo $?)" "guest that takes kills and goes on: the sandbox ends, more kills do not put that off ($took s)"
is "$(field a status)" stopped "... state says stopped"
$cm delete a
wait_for 2 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left of them"
plan
