#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The file system chain (sentry, virtqueue, VMM, casemate-fsd) with one and two vCPUs: the sentry's own test (command line `fstest`), then
# what the host finds in the directory.
. "$top_srcdir/tests/kvm/lib.sh"
[ -w /dev/kvm ] || { echo "1..0 # SKIP no /dev/kvm"; exit 0; }
echo 1..30

for cpus in 1 2; do
	dir=$TMP/tree$cpus
	mkdir "$dir"
	timeout -k 5 $((60 * patience)) "$top_builddir/tests/kvm/fs_pair" "$dir" "$top_builddir/casemate-fsd" "$VMM" --memory=64M \
		--cpus=$cpus --cmdline=fstest >"$TMP/log" 2>&1
	status=$?
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		logged "\] [A-Z] ok $i - "
		point $? "$cpus vCPUs: $(sed -n "s/.*ok $i - \(.*\): .*/\1/p" "$TMP/log")"
	done
	[ $status -eq 0 ]; point $? "$cpus vCPUs: the test ended in order"
	[ "$(cat "$dir/known")" = text ] && [ "$(cat "$dir"/unpack/* | sort | uniq -c | tr -d ' ')" = 200content ] &&
		[ "$(wc -c <"$dir/big")" -eq 4194304 ]; point $? "$cpus vCPUs: the host has every byte"
	[ "$(cat "$dir/t3-98")" = "thread 3 file 98" ] && [ ! -e "$dir/t3-99" ] && [ ! -e "$dir/again" ] &&
		[ "$(ls "$dir" | wc -l)" -eq 203 ]; point $? "$cpus vCPUs: and every name"
done
