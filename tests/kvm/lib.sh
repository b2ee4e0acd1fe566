# SPDX-License-Identifier: Apache-2.0
# TAP and helpers for tests that boot the VMM. Source it; call plan first, check COMMAND for each point.
VMM=$top_builddir/casemate-vmm
KERNEL=$top_builddir/tests/kvm/kernel.elf
TMP=$(mktemp -d) || exit 1
trap 'rm -rf "$TMP"' EXIT
tap_n=0
# Multiplies every limit on time, for slow machines.
patience=${CASEMATE_TEST_PATIENCE:-1}

plan() {
	[ -w /dev/kvm ] || { echo "1..0 # SKIP no /dev/kvm"; exit 0; }
	"$VMM" --help | grep -q guest-image || { echo "1..0 # SKIP not a developer build"; exit 0; }
	echo "1..$1"
}

# point STATUS TEXT: one TAP point, with the log of the last run when it fails
point() {
	tap_n=$((tap_n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_n - $2"
	else
		echo "not ok $tap_n - $2"
		head -n 40 "$TMP/log" 2>/dev/null | sed 's/^/# /'
	fi
}

skip() {
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

# boot TEST [option]...: run the test kernel; $status and $TMP/log hold the outcome
boot() {
	boot_test=$1
	shift
	timeout -k 5 $((30 * patience)) "$VMM" --memory=64M --guest-image="$KERNEL" --cmdline="test=$boot_test" "$@" \
		>"$TMP/log" 2>&1
	status=$?
}

logged() {
	grep -q -- "$1" "$TMP/log"
}
