#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Start, end and failure of the VMM, by what its test kernel does.
. "$top_srcdir/tests/kvm/lib.sh"
plan 35

boot hello
point "$status" "a guest that powers off ends with status 0"
logged "guest: hello by port"; point $? "the log port reaches the log"
logged "guest: hello by hypercall"; point $? "the log hypercall reaches the log"

boot hello --trace-exits
logged "exits cpu=0 total=[0-9]* io=[0-9]*"; point $? "--trace-exits counts exits"
logged "start us:.* isolate="; point $? "--trace-exits tells where the start's time went"

boot crash
[ $status -eq 2 ]; point $? "a triple fault ends with status 2"
logged "guest crash: triple fault"; point $? "and with a report"
if logged "no registers: KVM has reset the vCPU"; then
	for text in "that names the function" "shows the registers" "and the callers"; do
		skip "$text" "AMD-V forgets them"
	done
else
	logged "rip .* crash_inner+0x"; point $? "that names the function"
	logged "r15 0000000000005eed"; point $? "shows the registers"
	logged "^  *ffffffff80[0-9a-f]* crash_outer+0x"; point $? "and the callers"
fi

boot panic
[ $status -eq 2 ]; point $? "a panic ends with status 2"
logged "guest panic: test ?\[31mpanicxxx"; point $? "its text is made harmless"
logged "crash_outer+0x1"; point $? "its stack is symbolised"
logged "pid 0  nr 231  = 0"; point $? "its last system calls are shown"
[ "$(grep -c "pid 0  nr" "$TMP/log")" -eq 16 ]; point $? "a count beyond the array is cut"

boot reason
[ $status -eq 2 ]; point $? "a power off with another reason ends with status 2"

boot smp --cpus=2
point "$status" "two vCPUs end in order"
! logged "not ok" && logged "it runs kernel_main with its index"; point $? "the second runs when it is started"

boot calls
[ $status -eq 0 ] && ! logged "not ok"; point $? "hypercalls refuse what is wrong"
[ "$(grep -c "guest: ok - " "$TMP/log")" -eq 24 ]; point $? "all of them were tried"

flavour=$("$VMM" --probe 2>/dev/null | sed -n 's/^kvm.flavour=//p')
[ "$flavour" = pvm ] && poison=poison-pvm || poison=poison
timeout -k 5 $((30 * patience)) "$top_builddir/tests/kvm/with_fs" "$VMM" --memory=64M --guest-image="$KERNEL" \
	--cmdline=test=$poison >"$TMP/log" 2>&1
point $? "a guest with a file device runs"
! logged "not ok" && logged "ok - one for one access"
point $? "an access to an empty part of the DAX window is the guest's machine check"

timeout -k 5 $((30 * patience)) "$top_builddir/tests/kvm/with_fs" "$VMM" --memory=64M --guest-image="$KERNEL" \
	--cmdline=test=rings --trace-exits >"$TMP/log" 2>&1
point $? "a guest that keeps ringing a file device runs"
logged "wires doorbells=2 interrupts=1"; point $? "KVM takes its doorbells and interrupts over"
exits=$(sed -n 's/.*exits cpu=0 total=\([0-9]*\).*/\1/p' "$TMP/log")
[ "${exits:-0}" -gt 0 ] && [ "$exits" -lt 100000 ]; point $? "and ends their exits (${exits:-no} exits for 100000 doorbells)"

boot flood
[ $status -eq 0 ] && [ "$(wc -c <"$TMP/log")" -lt 2000000 ]; point $? "a flood of log text is cut"

mkfifo "$TMP/pipe"
(sleep 0.5 <"$TMP/pipe") &
timeout -k 5 $((20 * patience)) "$VMM" --memory=64M --guest-image="$KERNEL" --cmdline=test=spin --log-fd=5 5>"$TMP/pipe" 2>"$TMP/log"
[ $? -eq 4 ]; point $? "a log that nobody reads any more ends the VMM with status 4"

(dd bs=1 count=1 <"$TMP/pipe" >"$TMP/ready" 2>/dev/null; sleep 0.2) &
timeout -k 5 $((20 * patience)) "$VMM" --memory=64M --guest-image="$KERNEL" --cmdline=test=halt --ready-fd=6 6>"$TMP/pipe" >"$TMP/log" 2>&1
status=$?
wait
[ "$(cat "$TMP/ready")" = 1 ]; point $? "--ready-fd gets a byte when the guest runs"
[ $status -eq 4 ]; point $? "and ends the VMM when its other end is closed"

timeout -k 5 $((10 * patience)) "$VMM" --memory=2M >"$TMP/log" 2>&1
[ $? -eq 1 ] && logged "^casemate-vmm: --memory='2M': must be 16 to 65536 MiB$"
point $? "too little memory is said in one line"

timeout -k 5 $((10 * patience)) "$VMM" --memory=64M --kvm-fd=0 </dev/null >"$TMP/log" 2>&1
[ $? -eq 1 ] && logged "^casemate-vmm: /dev/kvm: not a KVM device"
point $? "a descriptor that is not KVM is said in one line"

timeout -k 5 $((10 * patience)) "$VMM" --memory=64M --kvm-fd=99 >"$TMP/log" 2>&1
[ $? -eq 1 ] && logged "^casemate-vmm: descriptor 99: Bad file descriptor$"
point $? "a descriptor that is not open is said in one line"

timeout -k 5 $((10 * patience)) "$VMM" --memory=64M --guest-image="$0" >"$TMP/log" 2>&1
[ $? -eq 1 ] && logged "^casemate-vmm: guest image: not a little-endian ELF64 file$"
point $? "a guest image that is no ELF file is said in one line"

printf x >"$TMP/arena"
timeout -k 5 $((10 * patience)) "$VMM" --memory=64M --arena-fd=5 5<"$TMP/arena" >"$TMP/log" 2>&1
[ $? -eq 1 ] && logged "^casemate-vmm: --arena-fd=5"
point $? "an arena that can shrink is refused"

if [ "$(id -u)" -eq 0 ] && command -v unshare >/dev/null; then
	unshare -m sh -c "mount -t tmpfs none /dev && exec timeout -k 5 $((10 * patience)) '$VMM' --memory=64M" >"$TMP/log" 2>&1
	[ $? -eq 1 ] && logged "^casemate-vmm: open /dev/kvm: No such file or directory$"
	point $? "a host without /dev/kvm is said in one line"
else
	skip "a host without /dev/kvm is said in one line" "needs root"
fi
