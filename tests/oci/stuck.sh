#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A guest that hangs with interrupts off: nothing that does not need it waits for it, what does need it is told so in time.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
"$top_builddir/casemate-vmm" --help | grep -q guest-image || skip_all "needs --enable-devel: only there the sentry can be made to hang"
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$top_builddir/casemate-debug" "$tmp/libexec/"
mkdir "$tmp/libexec/guest" && cp "$top_builddir/guest/sentry.elf" "$tmp/libexec/guest/"
config /bin/sleep 1000

# start ID: a container whose guest hangs by now
start() {
	$cm run -d -b "$bundle" --guest-cmdline debugtest=loop,$((300 * patience)) "$1" </dev/null >"$tmp/out" 2>&1 || sed 's/^/# /' "$tmp/out"
	wait_for 10 hangs "$1"
}
hangs() { urpc "$1" '{"method":"debug.Stacks"}' >"$tmp/stacks"; grep -q fault_test_loop "$tmp/stacks"; }
ms() { echo $(($(date +%s%N) / 1000000)); }
# in_time MS NAME: since $begin; longer on slow machines
in_time() {
	took=$(($(ms) - begin))
	[ $took -lt $(($1 * patience)) ]
	ok $? "$2 ($took ms)"
}

start a
ok $? "debug.Stacks shows where it hangs"
begin=$(ms)
is "$(field a status)" running "state answers"
in_time 2000 "... in time"
begin=$(ms)
case "$(urpc a '{"method":"containerManager.Processes","arg":"a","deadline_ms":300}')" in *'"errno":110'*) ok 0 "a call of the guest ends at its deadline" ;; *) ok 1 "deadline" ;; esac
in_time 2500 "... in time"
urpc a '{"method":"containerManager.Processes","arg":"a","id":"mine"}' "$tmp/sent" >"$tmp/cancelled" &
waiter=$!
wait_for 5 test -e "$tmp/sent"
cancel() { case "$(urpc a '{"method":"casemate.Cancel","arg":"mine"}')" in *'"result":1'*) ;; *) return 1 ;; esac; }
wait_for 5 cancel
ok $? "one can be cancelled by its id"
wait $waiter
case "$(cat "$tmp/cancelled")" in *'"errno":125'*'"id":"mine"'*) ok 0 "... and is told" ;; *) ok 1 "... and is told: $(cat "$tmp/cancelled")" ;; esac
begin=$(ms)
rc=0
$cm exec a /bin/true 2>"$tmp/err" </dev/null || rc=$?
is "$rc" 255 "exec fails"
in_time 12000 "... after the guest had its time"
begin=$(ms)
$cm kill a KILL 2>"$tmp/err"
is "$?$(err)" 0 "kill says nothing"
wait_for 10 is_status a stopped
ok $? "kill ends it"
in_time 6000 "... in time"
$cm delete -f a

start b
begin=$(ms)
$cm delete --force b
is "$?$(state_entries)" 0 "delete --force ends and removes it"
in_time 6000 "... in time"

# One that stands, by casemate pause, has its stacks too.
$cm run -d -b "$bundle" c </dev/null >/dev/null 2>&1
$cm pause c
case "$(urpc c '{"method":"debug.Stacks","arg":"c"}')" in *'vCPU 0'*'task 1 sleep'*) ok 0 "debug.Stacks of a paused guest" ;; *) ok 1 "debug.Stacks of a paused guest" ;; esac
is "$(field c status)" paused "... leaves it paused"
$cm delete -f c
wait_for 5 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left"
plan
