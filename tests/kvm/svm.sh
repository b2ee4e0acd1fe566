#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tests that boot microVMs, on hardware-like KVM (svm-leg): the same scripts, in a Debian system under QEMU. Each of their points is a point here,
# and so is each script's end. What is left out or cut there is a point that is skipped, with its reason.
set -u
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${top_builddir:=.}"

# Scripts, and the seconds that each may take there.
tests="
60 kvm/probe.sh
120 kvm/boot.sh
60 kvm/jail.sh
400 kvm/kvmtest.sh
120 kvm/hostfs.sh
120 kvm/selftest.sh
120 kvm/agent.sh
600 guest/guest.sh
300 oci/microvm.sh
300 oci/debian.sh
400 oci/debug.sh
"
limit=${CASEMATE_SVM_LIMIT:-1800}
patience=${CASEMATE_TEST_PATIENCE:-1}
only=${CASEMATE_SVM_TESTS:-}
for script in $only; do
	case $tests in *" $script
"*) ;; *) tests="$tests$limit $script
" ;; esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
t=$work/t
mkdir -p "$t/tests/kvm" "$t/tests/oci" "$t/tests/guest" "$t/tests/lib"
cp "$top_builddir"/casemate "$top_builddir"/casemate-vmm "$top_builddir"/casemate-fsd "$t/" || exit 1
mkdir -p "$t/guest" "$t/lib"
cp "$top_builddir/casemate-debug" "$t/" && cp "$top_builddir/guest/sentry.elf" "$t/guest/" || exit 1
# It is the only program of ours that is not static.
ldd "$top_builddir/casemate-debug" | sed -n 's/.* => \(.*\) (.*/\1/p' | grep -v '/libc\.so' | xargs -I{} cp {} "$t/lib/" || exit 1
cp "$top_builddir"/tests/kvm/{kernel.elf,example.elf,pctest.elf,with_fs,fs_pair} "$top_srcdir"/tests/kvm/*.{sh,py} "$t/tests/kvm/" || exit 1
mkdir "$t/docs" && cp "$top_srcdir/docs/RPC.md" "$t/docs/" || exit 1
cp "$top_srcdir"/tests/oci/*.{sh,py} "$t/tests/oci/" && cp "$top_srcdir"/tests/lib/debian-rootfs "$t/tests/lib/" || exit 1
cp "$top_srcdir"/tests/guest/{guest.sh,run-guest-tests} "$t/tests/guest/" || exit 1
cp "$top_builddir/tests/oci/ticker" "$t/tests/oci/" || exit 1
for program in "$top_builddir"/tests/guest/*; do
	[ -f "$program" ] && [ -x "$program" ] && case ${program##*/} in *.* | run-guest-tests) ;; *) cp "$program" "$t/tests/guest/" ;; esac
done

# gdb, with the libraries that the Debian system lacks.
libraries() {
	ldd "$1" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | while read -r file; do
		[ -e "$rootfs$file" ] || [ -e "$rootfs/usr$file" ] || cp "$file" "$t/lib/"
	done
}
if case $only in *gdb*) ;; *) false ;; esac && rootfs=$("$top_srcdir/tests/lib/debian-rootfs") && command -v gdb >/dev/null; then
	mkdir -p "$t/tools/gdb"
	cp "$top_srcdir"/tools/gdb/*.py "$t/tools/gdb/" || exit 1
	cp "$(command -v gdb)" "$t/lib/gdb" && cp -r /usr/share/gdb "$t/lib/gdb-data" || exit 1
	libraries "$t/lib/gdb"
	printf '#!/bin/sh\nexec /t/lib/gdb --data-directory=/t/lib/gdb-data "$@"\n' >"$t/gdb"
	chmod +x "$t/gdb"
fi
# mkfs.erofs, which the Debian system lacks as well.
if case $only in *erofs*) ;; *) false ;; esac && rootfs=$("$top_srcdir/tests/lib/debian-rootfs") && mkfs=$(command -v mkfs.erofs); then
	mkdir -p "$t/bin" && cp "$mkfs" "$t/bin/" && libraries "$mkfs" || exit 1
	cp "$top_builddir/tests/oci/tree" "$t/tests/oci/" || exit 1
fi
# kvm-unit-tests, and QEMU to run them beside us.
if case $only in *kut*) ;; *) false ;; esac; then
	: "${KVM_UNIT_TESTS_DIR:?}" && rootfs=$("$top_srcdir/tests/lib/debian-rootfs") || exit 1
	mkdir -p "$t/kut/x86" && cp -r "$KVM_UNIT_TESTS_DIR"/{config.mak,errata.txt,run_tests.sh,scripts} "$t/kut/" || exit 1
	sed -i "s,$KVM_UNIT_TESTS_DIR,/t/kut,g" "$t/kut/config.mak"
	cp "$KVM_UNIT_TESTS_DIR"/x86/{*.flat,run,unittests.cfg} "$t/kut/x86/" || exit 1
	qemu=$(command -v qemu-system-x86_64) && cp "$qemu" "$t/lib/" && libraries "$qemu"
	mkdir "$t/qemu-data" && find /usr/share/qemu /usr/share/seabios -name '*.bin' -o -name '*.rom' | xargs -I{} cp -L {} "$t/qemu-data/"
	printf '#!/bin/sh\nexec /t/lib/qemu-system-x86_64 -L /t/qemu-data "$@"\n' >"$t/qemu"
	chmod +x "$t/qemu"
fi

{
	echo "export KVM_UNIT_TESTS_DIR=/t/kut QEMU=/t/qemu KVM_UNIT_TESTS_NAMES='${KVM_UNIT_TESTS_NAMES:-}' KVM_UNIT_TESTS_LIMIT=${KVM_UNIT_TESTS_LIMIT:-}"
	echo "export CASEMATE_TEST_EMULATED='${CASEMATE_TEST_EMULATED-1}' CASEMATE_TEST_BYTES=${CASEMATE_TEST_BYTES:-4000000}"
	echo "export RUNS=${RUNS:-100} CROWD=${CROWD:-10} KILLS=${KILLS:-5}"
	cat <<'SCRIPT'
export top_srcdir=/t top_builddir=/t GDB=/t/gdb LD_LIBRARY_PATH=/t/lib PATH=$PATH:/t/bin
# The sandbox process starts casemate-debug with an empty environment.
cp -n /t/lib/*.so* /usr/lib/x86_64-linux-gnu/
export CASEMATE_TEST_PATIENCE=10 CASEMATE_TEST_ROOTFS=/ CASEMATE_TEST_CACHE=/tmp
one() { # one SECONDS SCRIPT
	begin=$(date +%s)
	echo "svm-begin $2"
	timeout -k 5 "$1" bash "/t/tests/$2"
	echo "svm-end $2 $? $(($(date +%s) - begin))"
	# What a script leaves that reached its limit would disturb the next one.
	for p in /proc/[0-9]*; do
		case $(readlink "$p/exe") in /t/casemate* | /tmp/*) kill -9 "${p#/proc/}"; echo "left running: $p" ;; esac
	done
}
SCRIPT
	echo "$tests" | while read -r seconds script; do
		[ -n "$script" ] || continue
		case " ${only:-$script} " in *" $script "*) echo "one $((seconds * patience)) $script" ;; esac
	done
} >"$work/script"
SVM_TSC_KHZ=$("$top_builddir/casemate-vmm" --probe 2>/dev/null | sed -n 's/^kvm.tsc_khz=//p')
export SVM_TSC_KHZ
expected=$(sed -n 's/^one [0-9]* //p' "$work/script" | tr '\n' ' ')

# An emulated machine that stands still is started again with what has not ended, twice at most for one script; a run of chosen scripts, which may be
# silent for long, never is.
legs() {
	before=none
	while :; do
		"$top_srcdir/tests/kvm/svm-leg" -c "${CASEMATE_SVM_CPUS:-1}" -m "${CASEMATE_SVM_MEMORY:-4096}" -t $((limit - SECONDS)) ${quiet:+-q "$quiet"} "$work/script" "$t" | tee "$work/part"
		[ "${PIPESTATUS[0]}" -eq 75 ] || return
		stuck=$(sed -n 's/^svm-begin //p' "$work/part" | tail -n 1)
		echo "svm-still ${stuck:-start}"
		[ "$stuck" != "$before" ] || return
		before=$stuck
		for script in $(sed -n 's/^svm-end \([^ ]*\) .*/\1/p' "$work/part"); do
			sed -i "\\,^one [0-9]* $script\$,d" "$work/script"
		done
	done
}
quiet=
[ -n "$only" ] || quiet=$((${CASEMATE_SVM_QUIET:-240} * patience))

# One emulated CPU: two need two processors of the host for themselves (docs/MACHINE.md); the guests have two all the same.
# Points are numbered through. A script counts as ended when it printed its plan and as many points, and its status fits them.
legs | tee "$top_builddir/tests/kvm/svm.raw" | awk -v expected="$expected" '
function point(ok, text) { n++; print (ok ? "ok " : "not ok ") n " - svm: " text; fflush() }
/^svm-begin / { name = $2; points = bad = 0; plan = -1; next }
/^svm-end / {
	done[$2] = 1
	fits = plan == points && ($3 == 0 || (bad && $3 != 124 && $3 != 137))
	point(fits, $2 ": ended, status " $3 ", " points " of " plan " points, " $4 " s")
	name = ""
	next
}
/^svm-still / {
	print "# the emulated machine stood still in " $2
	name = ""
	fflush()
	next
}
name == "" && /^1\.\.0 # SKIP/ { print; skipped = 1; next }
name == "" { print "# " $0; next }
/^1\.\.0/ { plan = 0; sub(/^1\.\.0 *#? */, ""); point(1, name " # " $0); next }
/^1\.\.[0-9]+$/ { plan = substr($0, 4) + 0; next }
/^(not )?ok / {
	good = $1 == "ok"
	points++
	if (!good) bad++
	text = $0
	sub(/^(not )?ok [0-9]* *-? */, "", text)
	point(good, name ": " text)
	next
}
/^Bail out!/ { bad++; print "# " $0; next }
{ print "# " $0; fflush() }
END {
	if (skipped && !n) exit
	k = split(expected, want, " ")
	for (i = 1; i <= k; i++) if (!(want[i] in done)) point(0, want[i] ": ended")
	print "1.." n
}'
