#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a running VMM still holds: descriptors, namespaces, capabilities, filters.
. "$top_srcdir/tests/kvm/lib.sh"
[ "$(id -u)" -eq 0 ] || { echo "1..0 # SKIP needs root to look into another process"; exit 0; }
plan 18

mkdir "$TMP/vsock"
: >"$TMP/vsock/seen"
: >"$TMP/secret"
# Descriptors 7 and 9 are strays of the parent that must not survive.
"$VMM" --memory=64M --cpus=2 --guest-image="$KERNEL" --cmdline=test=spin --vsock-dir-fd=5 \
	5<"$TMP/vsock" 7<"$TMP/secret" 9<"$TMP" >"$TMP/log" 2>&1 &
pid=$!
# It runs once it has two filtered threads and a guest that eats time.
n=0
until grep -qs "^Seccomp:.*2" /proc/$pid/status && [ "$(ls /proc/$pid/fd | wc -l)" -ge 6 ] || [ $n -gt 100 ]; do
	n=$((n + 1))
	sleep 0.05
done

kill -0 $pid; point $? "the guest runs"
for f in /proc/$pid/fd/*; do readlink "$f"; done >"$TMP/fds"
! grep -q "$TMP/secret" "$TMP/fds"; point $? "a stray file was closed"
[ "$(grep -c "^$TMP$" "$TMP/fds")" -eq 0 ]; point $? "a stray directory was closed"
grep -v -e '^/dev/kvm$' -e '^anon_inode:kvm-vm$' -e '^anon_inode:kvm-vcpu:0$' -e "^$TMP/log\$" \
	-e '^anon_inode:\[event' -e "/vsock\$" -e '^/$' "$TMP/fds" >"$TMP/log"
[ ! -s "$TMP/log" ]; point $? "nothing else is open"
! grep -q 'kvm-vcpu:1' "$TMP/fds"; point $? "a vCPU that was not started does not exist"

bad=0
for t in /proc/$pid/task/*; do
	grep -q "^Seccomp:.*2" "$t/status" || bad=1
	grep -q "^NoNewPrivs:.*1" "$t/status" || bad=1
	grep -q "^CapEff:.*0000000000000000" "$t/status" || bad=1
	grep -q "^CapPrm:.*0000000000000000" "$t/status" || bad=1
	grep -q "^CapInh:.*0000000000000000" "$t/status" || bad=1
done
# KVM adds a kernel thread of its own.
[ "$(cat /proc/$pid/task/*/comm | grep -v ^kvm- | sort | tr '\n' ,)" = casemate-vmm,vcpu0,vcpu1, ]; point $? "one thread a vCPU and one for input and output"
point $bad "every thread is filtered and has no capability"

for ns in user mnt ipc uts cgroup; do
	[ "$(readlink /proc/$pid/ns/$ns)" != "$(readlink /proc/self/ns/$ns)" ]
	point $? "its $ns namespace is its own"
done
[ "$(ls -A /proc/$pid/root/)" = seen ]; point $? "its root holds the vsock directory's content alone"
! touch /proc/$pid/root/new 2>/dev/null; point $? "which it cannot write to"
grep -q "Max core file size *0 " /proc/$pid/limits; point $? "it leaves no core"

kill $pid
wait $pid 2>/dev/null

if unshare -U -r sh -c 'echo 0 >/proc/sys/user/max_user_namespaces' 2>/dev/null; then
	unshare -U -r sh -c "echo 0 >/proc/sys/user/max_user_namespaces; exec '$VMM' --memory=64M \\
		--guest-image='$KERNEL' --cmdline=test=hello" >"$TMP/log" 2>&1
	point $? "it runs where namespaces are forbidden"
	logged "^casemate-vmm: no namespaces for the VMM: "; point $? "and says so"
else
	skip "it runs where namespaces are forbidden" "no user namespaces"
	skip "and says so" "no user namespaces"
fi
# A parent that goes away takes the VMM with it.
sh -c "'$VMM' --memory=64M --guest-image='$KERNEL' --cmdline=test=spin >/dev/null 2>&1 & echo \$! >'$TMP/pid'; sleep 0.3"
pid=$(cat "$TMP/pid")
n=0
while kill -0 "$pid" 2>/dev/null && [ $n -lt 40 ]; do
	n=$((n + 1))
	sleep 0.05
done
! kill -0 "$pid" 2>/dev/null; point $? "it dies with its parent"
kill -9 "$pid" 2>/dev/null
exit 0
