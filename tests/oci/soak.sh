#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Long runs, `make check-soak`: RUNS (1000) containers one after the other, CROWD (50) at once, KILLS (20) VMMs killed at random moments.
# Nothing may be left: processes, mounts, state, files of the helpers; the machine's memory and our descriptors stay flat.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$tmp/libexec/"
runs=${RUNS:-1000} crowd=${CROWD:-50} kills=${KILLS:-20}

# kB that the machine could give away: caches count as free, and so do the free pages that each CPU keeps in lists of its own, hundreds of
# megabytes, which MemAvailable leaves out.
available() {
	awk '/^MemAvailable:/ { n += $2 } FILENAME ~ /zoneinfo/ && $1 == "count:" { n += $2 * 4 } END { print n }' /proc/meminfo /proc/zoneinfo
}

config /bin/true
run warm </dev/null
before=$(available)
failed=0
for i in $(seq "$runs"); do
	run "r$i" </dev/null
	if [ "$rc" != 0 ]; then
		failed=$((failed + 1))
		[ $failed -gt 3 ] || echo "# run $i: status $rc: $(err)"
	fi
done
is "$failed" 0 "$runs runs in a row succeed"
wait_for 5 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left of them"
lost=$((before - $(available)))
echo "# memory: $lost kB less available after $runs runs"
[ "$lost" -lt 65536 ]
ok $? "memory is flat"

for i in $(seq "$crowd"); do
	($cm run -b "$bundle" "c$i" </dev/null >"$tmp/out.$i" 2>&1; echo $? >"$tmp/rc.$i") &
done
wait
is "$(cat "$tmp"/rc.* | sort | uniq -c | tr -d ' \n')" "${crowd}0" "$crowd at once succeed"
cat "$tmp"/out.* | head -n 5 | sed 's/^/# /'
wait_for 5 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left of them"

config /bin/sh -c 'while :; do echo x >/tmp/x; done'
late=0
for i in $(seq "$kills"); do
	$cm run -b "$bundle" "k$i" </dev/null >/dev/null 2>&1 &
	client=$!
	sleep "0.$(awk -v s="$i$$" 'BEGIN { srand(s); printf "%03d", rand() * 300 }')"
	vmm=$(leftover | sed -n 's,^/proc/\([0-9]*\) casemate-vmm.*,\1,p')
	# shellcheck disable=SC2086
	[ -z "$vmm" ] || kill -9 $vmm 2>/dev/null
	stopped() { s=$(field "k$i" status); [ -z "$s" ] || [ "$s" = stopped ]; }
	[ -z "$vmm" ] || wait_for 1 stopped || { late=$((late + 1)); echo "# k$i is $(field "k$i" status)"; }
	[ -n "$vmm" ] || kill -9 $client 2>/dev/null
	wait $client 2>/dev/null
	$cm delete --force "k$i" >/dev/null 2>&1
done
is "$late" 0 "a VMM killed at $kills random moments: stopped within a second"
wait_for 5 no_leftover
is "$(leftover)$(state_entries)" "" "delete --force leaves nothing"
is "$(grep -F "$tmp" /proc/mounts)" "" "no mount is left"
plan
