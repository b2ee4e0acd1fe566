#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Linux kernel's own selftests inside a container, with all capabilities but those that change the machine: `make check-abi KSELFTEST_DIR=...`.
#
# KSELFTEST_DIR        tools/testing/selftests of a kernel tree (6.1), built there for Debian 12
# KSELFTEST_RUNTIME    casemate (default), or an OCI runtime to compare with, such as runc
# KSELFTEST_ENTRIES    only those whose name (FOLDER/PROGRAM) matches this extended regular expression
# KSELFTEST_REFERENCE  RUNTIME.tsv of another run: docs/CONFORMANCE.md is rewritten to compare with it
# KSELFTEST_OUT        where RUNTIME.tsv and RUNTIME.log go (kselftest/ in the build directory)
#
# ltp.sh runs them: a list of commands is all that it knows of a suite. Left out: programs for 32 bits, of which the sentry runs none, what sets
# clocks or suspends the machine, and what needs a file system in user space.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top_srcdir=${top_srcdir:-$(cd "$here/../.." && pwd)}
top_builddir=${top_builddir:-$top_srcdir/build}
dir=${KSELFTEST_DIR:?"KSELFTEST_DIR is not set: tools/testing/selftests of a kernel tree, built"}
folders="breakpoints capabilities clone3 core exec futex/functional ipc kcmp membarrier memfd mincore mount mount_setattr move_mount_set_group openat2 pid_namespace pidfd prctl proc ptrace
	rseq seccomp sigaltstack splice timers tmpfs vDSO mqueue sched x86"
left_out='_32$|/fuse_|step_after_suspend|clocksource-switch|leapcrash|adjtick|set-(tai|2038|tz)|leap-a-day|freq-step|valid-adjtimex|_skew|skew_|alarmtimer-suspend'
left_out="$left_out|/validate_cap|/rtcpie|exec/script|splice_read|seccomp_benchmark|unprivileged-remount|stress-test|param_test_"
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/runtest" "$work/testcases/bin"
for folder in $folders; do
	[ -d "$dir/$folder" ] || continue
	mkdir -p "$work/testcases/$folder"
	cp -aL "$dir/$folder/." "$work/testcases/$folder/" 2>/dev/null
	find "$work/testcases/$folder" -maxdepth 1 -type f -perm /111 ! -name '*.*' -o -maxdepth 1 -type f -perm /111 -name 'load_address.*' ! -name '*.c' |
		sed "s|^$work/testcases/||" | sort
done | grep -Ev "$left_out" | grep -E "^(${KSELFTEST_ENTRIES:-.*})$" | while read -r name; do
	# Their 4 is "not applicable", as 32 is to LTP.
	echo "$name cd /opt/ltp/testcases/${name%/*} && ./${name##*/}; rc=\$?; [ \$rc -ne 4 ] || rc=32; exit \$rc"
done >"$work/runtest/syscalls"
out=${KSELFTEST_OUT:-$top_builddir/kselftest}
LTP_DIR=$work LTP_CAPS=all LTP_OUT=$out LTP_RUNTIME=${KSELFTEST_RUNTIME:-casemate} LTP_REFERENCE='' LTP_ENTRIES='' LTP_LIMIT=${KSELFTEST_LIMIT:-120} \
	"$here/ltp.sh"
rc=$?
[ -z "${KSELFTEST_REFERENCE:-}" ] ||
	"$here/ltp-table" --doc "$top_srcdir/docs/CONFORMANCE.md" "$out/${KSELFTEST_RUNTIME:-casemate}.tsv" "$KSELFTEST_REFERENCE" \
		"$here/kselftest-reasons" kselftest || exit 2
exit $rc
