#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# casemate kvmtest from its command line: every kind of image and of end, devices, refusals, cores, suites.
set -u
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${top_builddir:=.}"
export CASEMATE_LIBEXECDIR
CASEMATE_LIBEXECDIR=$(realpath "$top_builddir")
CASEMATE=$top_builddir/casemate
EXAMPLE=$top_builddir/tests/kvm/example.elf
PC=$top_builddir/tests/kvm/pctest.elf
. "$top_srcdir/tests/kvm/lib.sh"
limit=$((10 * patience))
# Fewer of the same on an emulated machine.
files=100 runs=200
[ -z "${CASEMATE_TEST_EMULATED:-}" ] || files=20 runs=20

[ -w /dev/kvm ] || { echo "1..0 # SKIP no /dev/kvm"; exit 0; }
echo "1..50"

# run [option]... IMAGE [word]...: $status, console in $TMP/out, messages in $TMP/err, both in $TMP/log
run() {
	timeout -k 5 $((60 * patience)) "$CASEMATE" kvmtest run --timeout $limit "$@" >"$TMP/out" 2>"$TMP/err" </dev/null
	status=$?
	cat "$TMP/out" "$TMP/err" >"$TMP/log"
}
# ended STATUS TEXT [pattern of a message]
ended() {
	[ "$status" -eq "$1" ] && { [ $# -lt 3 ] || grep -qE -- "$3" "$TMP/err"; }
	point $? "$2"
}

# --- ends
run "$EXAMPLE"
ended 0 "the example passes"
[ "$(tail -n 1 "$TMP/out")" = 1..5 ] && [ ! -s "$TMP/err" ]
point $? "its console is standard output, and nothing else is said"
run "$EXAMPLE" fail
ended 1 "a test that fails" "failed: exit code 1, expected 0"
run "$EXAMPLE" skip
ended 77 "a test that is skipped"
run "$PC" fault
ended 2 "a triple fault is a crash, with its registers where the processor keeps them" "triple fault"
grep -qE "rbx 000000005ca1ab1e|no registers, KVM has reset it" "$TMP/err"
point $? "registers of a triple fault"
timeout -k 5 $((60 * patience)) "$CASEMATE" kvmtest run --timeout $patience --smp 2 "$PC" spin >"$TMP/log" 2>&1 </dev/null
[ $? -eq 3 ] && grep -q "timed out after" "$TMP/log" && grep -q "vcpu 0: running, 64-bit mode, rip" "$TMP/log" && grep -q "vcpu 1: never started" "$TMP/log"
point $? "a timeout says where every vCPU stands"
run --expect '^hello$' "$PC" say hello
ended 0 "--expect passes at the line, though the guest does not end"
run --expect '^hello$' "$PC" exit 0
ended 1 "--expect fails when the guest ends without the line" "no line of the console matches"
run --expect-exit 300 "$PC" exit 300
ended 0 "--expect-exit"
run --expect '^prompt> $' "$PC" exit 0
ended 1 "a line that never came"
run "$PC" poweroff
ended 0 "ACPI power off passes"
run "$PC" reset
ended 1 "a reset does not" "keyboard controller"

# --- devices
printf 'some words\n' | timeout -k 5 $((60 * patience)) "$CASEMATE" kvmtest run --timeout $limit "$PC" echo >"$TMP/log" 2>&1
[ $? -eq 0 ] && grep -q '^some words$' "$TMP/log"
point $? "standard input arrives at COM1"
head -c 100000 /dev/zero | tr '\0' x >"$TMP/long"
echo >>"$TMP/long"
timeout -k 5 $((120 * patience)) "$CASEMATE" kvmtest run --timeout $((10 * limit)) "$PC" echo >"$TMP/out" 2>"$TMP/log" <"$TMP/long"
[ $? -eq 0 ] && cmp -s "$TMP/out" "$TMP/long"
point $? "a long input arrives whole"
run --smp 2 "$PC" ports
ended 0 "test device, CMOS, fw_cfg, debug port"
grep -q '^E$' "$TMP/out"
point $? "port 0xe9 is console, too"
run "$PC" pit
ended 0 "PIT through the I/O APIC"
echo x | timeout -k 5 $((60 * patience)) "$CASEMATE" kvmtest run --timeout $limit "$PC" com1 >"$TMP/log" 2>&1
point $? "COM1's interrupt"
run --device rng "$PC" rng
ended 0 "virtio-rng"
{ head -c 512 /dev/zero; printf second; head -c 1018 /dev/zero; } >"$TMP/disk"
run --device rng --device "blk=$TMP/disk,ro" --device console "$PC" blk
ended 0 "virtio-blk beside two others"
run --device "vsock=$TMP/vsock" "$PC" vsock
ended 0 "virtio-vsock"
[ ! -e "$TMP/vsock" ]
point $? "its socket is gone afterwards"
run --device edu "$PC" edu
ended 0 "PCI: the edu device's line and message"
run --device edu --device intel-iommu "$PC" iommu
ended 0 "VT-d: DMA, its faults, remapped interrupts as edges and levels"
run --device intel-iommu --device rng "$PC" rng
ended 0 "a virtio device beside it"

# --- images
printf '\270\005\000\000\000\347\364\353\376' >"$TMP/flat32"
run --format flat32 --expect-exit 5 "$TMP/flat32"
ended 0 "a flat image in protected mode"
printf '\146\270\006\000\000\000\146\347\364\353\376' >"$TMP/flat16"
run --format flat16 --expect-exit 6 "$TMP/flat16"
ended 0 "a flat image in real mode"
# magic, flags, checksum, header, load, load end, bss end, entry; then the first flat image
{ printf '\002\260\255\033\000\000\001\000\376\117\121\344\000\000\020\000\000\000\020\000\000\000\000\000\000\000\000\000\040\000\020\000'; cat "$TMP/flat32"; } >"$TMP/multiboot"
run --expect-exit 5 "$TMP/multiboot"
ended 0 "a multiboot image with addresses in its header"

# --- refusals
bad=0
for i in $(seq $files); do
	head -c $((RANDOM % 5000 + 1)) /dev/urandom >"$TMP/random"
	run "$TMP/random"
	[ $status -eq 5 ] || { bad=$((bad + 1)); cp "$TMP/random" "$TMP/random.bad"; }
done
[ $bad -eq 0 ]
point $? "$files random files are not bootable"
bad=0
for size in 0 1 3 4 15 16 51 52 63 64 119 120 200 400 1000 4096 5000; do
	head -c $size "$EXAMPLE" >"$TMP/cut"
	run "$TMP/cut"
	[ $status -eq 5 ] || bad=$((bad + 1))
done
[ $bad -eq 0 ]
point $? "a file that was cut is not bootable"
run "$TMP"
ended 5 "a directory is not bootable" "not a regular file"
run "$TMP/none"
ended 5 "nor is a file that does not exist" "No such file"
run --memory 2M "$EXAMPLE"
ended 0 "the smallest machine"
bad=0
for word in --foo --smp=0 --memory=1T --timeout=x --device=gpu --irqchip=none "--expect=(" --device=intel-iommu,eim=on --cpu=max,foo; do
	run "$word" "$EXAMPLE"
	[ $status -eq 125 ] && [ "$(wc -l <"$TMP/err")" -eq 1 ] || { bad=1; echo "# $word: $status"; }
done
run
[ $status -eq 125 ] || bad=1
point $bad "wrong options: one line, and a status of their own"
if unshare -m true 2>/dev/null; then
	unshare -m sh -c 'mount --bind /dev/null /dev/kvm && exec "$@"' sh "$CASEMATE" kvmtest run "$EXAMPLE" >"$TMP/log" 2>&1 </dev/null
	[ $? -eq 4 ] && grep -q "KVM refused" "$TMP/log"
	point $? "no KVM behind /dev/kvm"
else
	skip "no KVM behind /dev/kvm" "mount namespaces are not allowed"
fi

# --- cores, traces
mkdir "$TMP/cores"
run --core-on-fail "$TMP/cores" --memory 16M "$PC" fault
core=$(ls "$TMP/cores")
[ -n "$core" ] && [ "$(head -c 4 "$TMP/cores/$core" | tail -c 3)" = ELF ] && [ "$(stat -c %s "$TMP/cores/$core")" -gt 16777216 ]
point $? "--core-on-fail writes a core"
if command -v gdb >/dev/null; then
	gdb -nx -batch -ex 'x/s 0xf1000' "$PC" "$TMP/cores/$core" >"$TMP/log" 2>&1
	grep -q '"fault"' "$TMP/log"
	point $? "gdb finds the command line in its memory"
else
	skip "gdb finds the command line in its memory" "no gdb"
fi
rm -f "$TMP"/cores/*
run --core-on-fail "$TMP/cores" "$EXAMPLE"
[ -z "$(ls "$TMP/cores")" ]
point $? "no core of a run that passed"
run --trace "$PC" exit 0
ended 0 "--trace shows accesses" "vcpu 0: port write 0xf4 len 4 value 0"

run --backend-info "$EXAMPLE"
[ $status -eq 0 ] && grep -q '^kvm.flavour=' "$TMP/out"
point $? "--backend-info says what KVM is"

# --- new
"$CASEMATE" kvmtest new "$TMP/new" >"$TMP/log" 2>&1 && cmp -s "$TMP/new/kvmtest.h" "$top_srcdir/include/casemate/kvmtest.h" 2>/dev/null || [ -s "$TMP/new/kvmtest.h" ]
point $? "new writes the header"
if command -v make >/dev/null && command -v gcc >/dev/null; then
	make -C "$TMP/new" check CASEMATE="$(realpath "$CASEMATE")" >"$TMP/log" 2>&1 && grep -q '^2 passed, 0 failed, 1 skipped' "$TMP/log"
	point $? "its suite builds and passes"
else
	skip "its suite builds and passes" "no compiler"
fi
"$CASEMATE" kvmtest new "$TMP/new" >"$TMP/log" 2>&1
[ $? -eq 125 ] && grep -q "new/kvmtest.h': File exists" "$TMP/log"
point $? "nothing is overwritten"

# --- suites
mkdir "$TMP/suite"
for i in $(seq $runs); do printf '[t%d]\nfile = %s\n' "$i" "$(realpath "$EXAMPLE")"; done >"$TMP/suite/kvmtest.cfg"
ls -A "$TMP" >"$TMP.before"
"$CASEMATE" kvmtest suite -j 2 --tap --junit "$TMP/junit.xml" "$TMP/suite" >"$TMP/log" 2>&1 &
suite=$!
# Meanwhile: how many machines are there at a time, and which processors do their threads run on?
most=0 seen=" "
while kill -0 $suite 2>/dev/null; do
	machines=$(pgrep -P $suite)
	n=0
	for p in $machines; do
		n=$((n + 1))
		for stat in /proc/"$p"/task/*/stat; do
			cpu=$(sed 's/.*) //' "$stat" 2>/dev/null | cut -d ' ' -f 37)
			case "$seen" in *" $cpu "*) ;; *) seen="$seen$cpu " ;; esac
		done
	done
	[ $n -le $most ] || most=$n
done
wait $suite
[ $? -eq 0 ] && [ "$(grep -c '^ok' "$TMP/log")" -eq $runs ] && grep -q "tests=\"$runs\" failures=\"0\" errors=\"0\" skipped=\"0\"" "$TMP/junit.xml"
point $? "a suite of $runs runs"
left=0
for p in /proc/[0-9]*; do
	[ "$(readlink "$p/exe")" = "$(realpath "$VMM")" ] && grep -qz -- --machine=pc "$p/cmdline" && grep -q "^PPid:	1$" "$p/status" && left=1
done
point $left "it leaves no process behind"
[ "$(ls -A "$TMP" | grep -v -e '^junit.xml$' -e '^log$')" = "$(grep -v -e '^junit.xml$' -e '^log$' "$TMP.before")" ] && [ "$(ls -A "$TMP/suite")" = kvmtest.cfg ]
point $? "nor a file that nobody asked for"
rm -f "$TMP.before"
if [ "$(nproc)" -ge 2 ] && [ $runs -ge 200 ]; then
	# shellcheck disable=SC2086
	set -- $seen
	[ $most -eq 2 ] && [ $# -ge 2 ]
	point $? "with -j 2 it runs two machines at a time, on more than one processor"
else
	skip "with -j 2 it runs two machines at a time, on more than one processor" "one processor, or too few runs to be seen"
fi
cat >"$TMP/mixed.cfg" <<SUITE
[good]
file = $(realpath "$EXAMPLE")
groups = fast
[bad]
file = $(realpath "$EXAMPLE")
args = fail
[crash]
file = $(realpath "$PC")
args = fault
[line]
file = $(realpath "$EXAMPLE")
args = fail
expect = ^not ok 5
SUITE
"$CASEMATE" kvmtest suite --retry 1 "$TMP/mixed.cfg" >"$TMP/log" 2>&1
[ $? -eq 1 ] && grep -q '^failed .*bad .*try 2' "$TMP/log" && grep -q '^guest crashed .*crash' "$TMP/log" && grep -q '2 passed, 2 failed, 0 skipped' "$TMP/log"
point $? "results of a mixed suite"
[ "$("$CASEMATE" kvmtest suite --list --shard 2/3 "$TMP/mixed.cfg")" = bad ] && [ "$("$CASEMATE" kvmtest suite --list --group fast "$TMP/mixed.cfg")" = good ] &&
	[ "$("$CASEMATE" kvmtest suite --list "$TMP/mixed.cfg" 'l*')" = line ]
point $? "selection by shard, group and name"
