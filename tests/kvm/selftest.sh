#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The sentry's self-test (command line `selftest`) with one and two vCPUs.
vmm=$top_builddir/casemate-vmm
[ -w /dev/kvm ] || { echo "1..0 # SKIP no /dev/kvm"; exit 0; }

# The guest's log lines carry a prefix and a time; what follows is TAP. The points of both runs are numbered through.
n=0
for cpus in 1 2; do
	log=$(timeout -k 5 $((90 * ${CASEMATE_TEST_PATIENCE:-1})) "$vmm" --memory=64M --cpus=$cpus --cmdline=selftest 2>&1)
	status=$?
	printf '%s\n' "$log" | sed -n "s/.*\] [A-Z] \(\(not \)\{0,1\}ok\) [0-9]* - \(.*\)/\1 $cpus vCPUs: \3/p" |
		awk -v n=$n '{ i = index($0, "ok ") + 2; n++; print substr($0, 1, i - 1), n, "-", substr($0, i + 1) }'
	n=$((n + $(printf '%s\n' "$log" | grep -c '\] [A-Z] \(not \)\{0,1\}ok [0-9]')))
	n=$((n + 1))
	if [ $status -eq 0 ]; then
		echo "ok $n - $cpus vCPUs: the self-test ended in order"
	else
		echo "not ok $n - $cpus vCPUs: the self-test ended with status $status"
		printf '%s\n' "$log" | tail -n 30 | sed 's/^/# /'
	fi
done
echo "1..$n"
