#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `make check-cycles`: CYCLES (200) lives of a container - create, start, exec, kill, delete - CROWD (10) at a time, while processes of ours are
# killed (SIGKILL) at random moments; then a kill of each process at each step of a life. No command takes longer than five seconds, `state` never
# says that something lives which does not, `delete --force` cleans, nothing is left.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
mkdir -p "$bundle/rootfs/proc" "$bundle/rootfs/sys" "$bundle/rootfs/dev" # guests that share a root directory do not make them side by side
config /bin/sh -c 'trap "exit 0" TERM; while :; do sleep 1; done'
python3 "$top_srcdir/tests/oci/cycles.py" "$casemate" "$tmp" "$bundle" "${CYCLES:-200}" "${CROWD:-10}" "$patience" >"$tmp/cycles" 2>&1
while read -r verdict text; do
	case "$verdict" in ok) ok 0 "$text" ;; not) ok 1 "$text" ;; *) echo "# $verdict $text" ;; esac
done <"$tmp/cycles"
[ "$n" -gt 0 ]
ok $? "the cycles ran to their end"
wait_for 5 no_leftover
is "$(leftover)" "" "no process is left"
is "$(state_entries)" "" "no state is left"
is "$(grep -F "$tmp" /proc/mounts)" "" "no mount is left"
plan
