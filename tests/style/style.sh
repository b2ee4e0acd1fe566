#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The house rules that a program can check.
cd "$top_srcdir" || exit 1
n=0
check() {
	n=$((n + 1))
	text=$("$2" . 2>&1)
	case $? in
	0) echo "ok $n - $1" ;;
	77) echo "ok $n - $1 # SKIP the tool is not installed" ;;
	*) echo "not ok $n - $1"; echo "$text" | head -n 30 | sed 's/^/# /' ;;
	esac
}
echo 1..5
check "includes stay inside the rooms" tools/check-includes
check "functions and files keep their size limits" tools/check-length
check "no banned construct" tools/check-banned
check "clang-format agrees" tools/check-format
check "every system call has a test or a reason, docs/SYSCALLS.md is up to date" tools/check-syscalls
