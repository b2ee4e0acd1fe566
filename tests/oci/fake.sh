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
for mode in die garbage badexit bigframe abi; do
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
plan
