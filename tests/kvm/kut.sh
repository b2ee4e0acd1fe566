#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kvm-unit-tests, built in $KVM_UNIT_TESTS_DIR, through casemate kvmtest and beside it by their own scripts under QEMU with the same KVM. A point
# for each test: what passes under QEMU must pass here; what fails in both is KVM's. Long: a target of its own, make check-kut.
#   KVM_UNIT_TESTS_NAMES   only these tests
#   KVM_UNIT_TESTS_LIMIT   seconds that each may take under both, instead of the file's
set -u
: "${top_builddir:=.}"
export CASEMATE_LIBEXECDIR=$top_builddir
dir=${KVM_UNIT_TESTS_DIR:-}
limit=${KVM_UNIT_TESTS_LIMIT:-}
[ -w /dev/kvm ] || { echo "1..0 # SKIP no /dev/kvm"; exit 0; }
[ -n "$dir" ] || { echo "1..0 # SKIP KVM_UNIT_TESTS_DIR is not set"; exit 0; }
[ -r "$dir/x86/unittests.cfg" ] || { echo "Bail out! $dir holds no x86/unittests.cfg"; exit 1; }
casemate=$(realpath "$top_builddir/casemate")
n=0
for name in ${KVM_UNIT_TESTS_NAMES:-$("$casemate" kvmtest suite --list "$dir/x86")}; do
	ours=$("$casemate" kvmtest suite ${limit:+--timeout "$limit"} "$dir/x86" "$name" | sed -n "s/^\([a-zKV ]*[a-z]\)  *$name (\(.*\))\$/\1: \2/p")
	theirs="not run"
	command -v "${QEMU:-qemu-system-x86_64}" >/dev/null &&
		theirs=$(cd "$dir" && ACCEL=kvm TIMEOUT=${limit:+${limit}s} ./run_tests.sh -j 1 "$name" 2>/dev/null </dev/null | sed 's/\x1b\[[0-9;]*m//g' | tail -n 1)
	n=$((n + 1))
	ok=ok
	case $theirs in PASS*) case $ours in passed*) ;; *) ok="not ok" ;; esac ;; esac
	echo "$ok $n - $name: $ours; QEMU: ${theirs/ $name/}"
done
echo "1..$n"
