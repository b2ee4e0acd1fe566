#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What --probe tells of this host's KVM.
. "$top_srcdir/tests/kvm/lib.sh"
[ -w /dev/kvm ] || { echo "1..0 # SKIP no /dev/kvm"; exit 0; }
echo 1..6

timeout -k 5 $((30 * patience)) "$VMM" --probe >"$TMP/log" 2>&1
point $? "the probe ends with status 0"
! grep -qv '^[a-z0-9_]*\.[A-Za-z0-9_]*=[0-9a-zx.]*$' "$TMP/log"; point $? "every line is key=value"
grep -q '^kvm.flavour=\(pvm\|vmx\|svm\)$' "$TMP/log"; point $? "the kind of KVM is known"
bad=0
for k in vm_create vcpu_create pio_exit cpuid rdmsr timer_late syscall_sysret; do
	awk -F= -v k="cost.${k}_us" '$1 == k && $2 > 0 && $2 < 1e6 { ok = 1 } END { exit !ok }' "$TMP/log" || bad=1
done
point $bad "every cost was measured"
awk -F= '{ v[$1] = $2 } END { f = v["cost.syscall_return_us"]; exit f != "" && !(f > 0 && f < v["cost.syscall_sysret_us"]) }' "$TMP/log"
point $? "a way back that is no exit, where there is one, costs less"
timeout -k 5 $((30 * patience)) "$VMM" --probe --kvm-fd=0 </dev/null >"$TMP/log" 2>&1
[ $? -eq 1 ] && grep -q '^casemate-vmm: ' "$TMP/log"; point $? "a descriptor that is not KVM is an error"
