#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Outside suites of OCI runtimes, each test program under a reference runtime first and then under casemate, in one job:
# `make check-oci RUNTIME_TOOLS_DIR=... CRUN_TESTS_DIR=...`, or `make check-oci-suites` for these alone.
#
# RUNTIME_TOOLS_DIR  a built opencontainers/runtime-tools: runtimetest, rootfs-*.tar.gz, validation/NAME/NAME.t
# CRUN_TESTS_DIR     one or more source trees of crun (a colon between them), each with its tests/init built
# SUITE_REFERENCE    the runtime to compare with (runc); empty: none
# SUITE_TESTS        only the programs whose name matches this extended regular expression
# SUITE_LIMIT        seconds that one program may take (120)
# SUITE_OUT          where RUNTIME.SUITE.tsv (NAME RESULT) and the outputs go (suites/ in the build directory)
#
# A program of runtime-tools passes when none of its points fails; of crun's, each point counts. Exit status 1: something that passes under the
# reference fails under casemate and is not in tests/oci/suites-known (SUITE NAME REASON...).
set -u
here=$(cd "$(dirname "$0")" && pwd)
top_srcdir=${top_srcdir:-$(cd "$here/../.." && pwd)}
top_builddir=${top_builddir:-$top_srcdir/build}
reference=${SUITE_REFERENCE-runc}
limit=${SUITE_LIMIT:-120}
out=${SUITE_OUT:-$top_builddir/suites}

if [ -z "${RUNTIME_TOOLS_DIR:-}${CRUN_TESTS_DIR:-}" ]; then
	echo "1..0 # SKIP neither RUNTIME_TOOLS_DIR nor CRUN_TESTS_DIR is set"
	exit 0
fi
# A hybrid host's v2 hierarchy is more than some runtimes take: without it, in a mount namespace of our own.
if [ -z "${SUITE_INSIDE:-}" ]; then
	SUITE_INSIDE=1 exec unshare -m "$0"
fi
umount /sys/fs/cgroup/unified 2>/dev/null
mkdir -p "$out" || exit 2
work=$(mktemp -d) || exit 2

# What a program that was cut off leaves: frozen groups of the suites, processes of our own build.
sweep() {
	local p
	for p in /sys/fs/cgroup/freezer/frozen/freezer.state; do
		[ -e "$p" ] && echo THAWED >"$p"
	done
	for p in /proc/[0-9]*; do
		case $(readlink "$p/exe" 2>/dev/null) in "$work"/*) kill -KILL "${p#/proc/}" 2>/dev/null ;; esac
	done
}
trap 'sweep; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cp "$top_builddir"/casemate "$top_builddir"/casemate-vmm "$top_builddir"/casemate-fsd "$top_builddir"/casemate-debug "$work/" || exit 2
cat >"$work/wrapped" <<E2
#!/bin/sh
CASEMATE_LIBEXECDIR=$work exec $work/casemate "\$@"
E2
# crun's own options, in the words that all runtimes know.
cat >"$work/crun-words" <<'E2'
#!/usr/bin/env python3
import os, sys
words, out = sys.argv[1:], []
while words:
    if words[0] == "--cgroup-manager":
        del words[:2]
    elif words[:2] == ["--config", "config.json"]:
        del words[:2]
    else:
        out.append(words.pop(0))
os.execvp(os.environ["SUITE_RUNTIME"], [os.environ["SUITE_RUNTIME"]] + out)
E2
chmod 755 "$work/wrapped" "$work/crun-words"

wanted() { printf '%s\n' "$1" | grep -qE "^(${SUITE_TESTS:-.*})$"; }

runtime_tools() { # runtime_tools RUNTIME LABEL
	local t name log
	cd "$RUNTIME_TOOLS_DIR" || return 2
	for t in validation/*/*.t; do
		name=$(basename "$t" .t)
		wanted "$name" || continue
		log=$out/$2.runtime-tools.$name
		if RUNTIME=$1 timeout -k 5 "$limit" "$t" >"$log" 2>&1 </dev/null && grep -q '^ok' "$log" && ! grep -q '^not ok' "$log"; then
			echo "$name PASS"
		else
			echo "$name FAIL"
		fi
		sweep
	done | sort >"$out/$2.runtime-tools.tsv"
}

crun_tests() { # crun_tests RUNTIME LABEL DIRECTORY
	local t name log suite
	suite=crun-$(cat "$3/.tarball-version" 2>/dev/null || git -C "$3" describe --tags 2>/dev/null || basename "$3")
	cd "$3" || return 2
	for t in tests/test_*.py; do
		name=$(basename "$t" .py)
		wanted "$name" || continue
		log=$out/$2.$suite.$name
		SUITE_RUNTIME=$1 OCI_RUNTIME=$work/crun-words INIT=$3/tests/init timeout -k 5 "$limit" python3 "$t" >"$log" 2>"$log.err" </dev/null
		sed -n "s/^ok [0-9]* - \([^ ]*\) *#SKIP.*/$name:\1 SKIP/p; t
			s/^ok [0-9]* - \([^ ]*\).*/$name:\1 PASS/p; t
			s/^not ok [0-9]* - \([^ ]*\).*/$name:\1 FAIL/p" "$log"
		sweep
	done | sort >"$out/$2.$suite.tsv"
	suites="$suites $suite"
}

suites=
if [ -n "${RUNTIME_TOOLS_DIR:-}" ]; then
	RUNTIME_TOOLS_DIR=$(realpath "$RUNTIME_TOOLS_DIR")
	[ -z "$reference" ] || runtime_tools "$reference" reference
	runtime_tools "$work/wrapped" casemate
	suites=runtime-tools
fi
IFS=: read -ra trees <<<"${CRUN_TESTS_DIR:-}"
for tree in "${trees[@]}"; do
	tree=$(realpath "$tree")
	[ -z "$reference" ] || { crun_tests "$(command -v "$reference")" reference "$tree" && suites=${suites% *}; }
	crun_tests "$work/wrapped" casemate "$tree"
done

n=0 bad=0
for suite in $suites; do
	count() { grep -c " PASS$" "$out/$1.$suite.tsv" 2>/dev/null; }
	echo "# $suite: casemate $(count casemate), ${reference:-no reference} $(count reference)"
	[ -n "$reference" ] || continue
	while read -r name result; do
		n=$((n + 1))
		reason=$(sed -n "s/^$suite $name //p" "$here/suites-known")
		if [ "$result" = PASS ] || [ "$result" = SKIP ]; then
			echo "ok $n - $suite $name"
		elif [ -n "$reason" ]; then
			echo "not ok $n - $suite $name # TODO $reason"
		else
			echo "not ok $n - $suite $name"
			bad=1
		fi
	done < <(join <(sed -n 's/ PASS$//p' "$out/reference.$suite.tsv") <(join -a1 -e FAIL -o 0,2.2 "$out/reference.$suite.tsv" "$out/casemate.$suite.tsv"))
done
echo "1..$n"
exit $bad
