#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# gdb on sandboxes that run, and on cores of them: the sentry, and a process inside.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
gdb=${GDB:-gdb}
command -v "$gdb" >/dev/null || skip_all "gdb is not installed"
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
if [ -z "${CASEMATE_TEST_ROOTFS:-}" ]; then
	rootfs=$("$top_srcdir/tests/lib/debian-rootfs") || skip_all "$rootfs"
fi
setup_bundle
cp "$top_builddir/casemate-vmm" "$top_builddir/casemate-fsd" "$top_builddir/casemate-debug" "$tmp/libexec/"
mkdir "$tmp/libexec/guest" && cp "$top_builddir/guest/sentry.elf" "$tmp/libexec/guest/"
sentry=$tmp/libexec/guest/sentry.elf
if [ -n "${CASEMATE_TEST_ROOTFS:-}" ]; then
	rootfs=$tmp/rootfs
	mkdir "$rootfs"
	mount --bind "$CASEMATE_TEST_ROOTFS" "$rootfs" || exit 1
	trap 'umount "$rootfs"; rm -rf "$tmp"' EXIT
fi
debug() {
	rc=0
	timeout -k 5 $((20 * patience)) "$casemate" --root "$tmp/state" debug "$@" >"$tmp/out" 2>"$tmp/err" || rc=$?
}
has() { # has PATTERN NAME
	grep -qE "$1" "$tmp/out" && ok 0 "$2" || { ok 1 "$2"; tail -n 40 "$tmp/out" | sed 's/^/# /'; }
}
# session PROGRAM [CORE]: commands from standard input, answers in $tmp/out
session() {
	{ printf 'set pagination off\nset confirm off\nset height 0\nset remotetimeout 100\nset sysroot %s\n' "$rootfs" && cat; } >"$tmp/commands"
	timeout -k 5 $((100 * patience)) "$gdb" -nx -q -batch -x "$tmp/commands" "$@" >"$tmp/out" 2>&1 </dev/null
}
attach="target remote | $casemate --root $tmp/state debug"
count() { wc -l <"$tmp/lines.$1"; }
moves() { a=$(count "$1") && sleep 0.3 && [ "$(count "$1")" != "$a" ]; }

# ---- two sandboxes: a shell's loop, and python with two threads
# What the shell does first needs more than one vCPU: the second is not started before.
config /bin/sh -c 'for i in 1 2 3; do (n=0; while [ $n -lt 20000 ]; do n=$((n + 1)); done) & done; wait; while :; do echo; sleep 0.05; done'
$cm run -d -b "$bundle" --cpus 2 --memory 64M s </dev/null >"$tmp/lines.s" 2>"$tmp/start" || sed 's/^/# /' "$tmp/start"
config /usr/bin/python3 -c '
import threading, time
def other():
    while True:
        time.sleep(0.05)
threading.Thread(target=other, daemon=True).start()
while True:
    print("x", flush=True)
    time.sleep(0.05)
'
edit "c['root']['path'] = sys.argv[2]" "$rootfs"
$cm run -d -b "$bundle" --overlay --cpus 2 --memory 256M p </dev/null >"$tmp/lines.p" 2>"$tmp/start" || sed 's/^/# /' "$tmp/start"
wait_for 30 moves s
ok $? "a shell runs"
wait_for 60 moves p
ok $? "python runs"

# ---- the sentry, live
session "$sentry" <<END
source $top_srcdir/tools/gdb/casemate.py
$attach s gdb -
info threads
break sys_clock_nanosleep
continue
bt
stepi
next
print t->comm
print \$fs_base
x/2i \$pc
monitor status
cm-tasks
cm-vmas 1
cm-pgtable &pcpus
cm-virtqueue
info registers mxcsr st0 xmm0
delete
detach
END
has 'Thread 2 .*vCPU 1' "vCPUs are threads"
has 'hit Breakpoint 1, sys_clock_nanosleep' "a breakpoint in the sentry is hit"
has '#[0-9].* syscall_dispatch ' "its backtrace"
has '\$1 = "sleep' "a task is printed, after a step"
has '^s is paused' "monitor runs console commands"
has ' 1 +1 +0 . +[0-9] sh +' "cm-tasks lists the tasks"
has ' r-xp .* /bin/busybox' "cm-vmas lists mappings"
has 'a page of (4|2048) KiB' "cm-pgtable walks"
has 'vsock 0: size 16' "cm-virtqueue shows rings"
has 'mxcsr +0x1f[8-f]' "the FPU's registers"
has 'detached' "gdb detaches"
wait_for 10 moves s
ok $? "the shell goes on"

# ---- the second gdb, and those that cannot be
mkfifo "$tmp/fifo"
"$casemate" --root "$tmp/state" debug s gdb - <"$tmp/fifo" >"$tmp/first" 2>&1 &
first=$!
exec 7>"$tmp/fifo"
printf '+$?#3f' >&7
answered() { grep -q T05 "$tmp/first"; }
wait_for 20 answered
debug s gdb - </dev/null
is "$rc $(cat "$tmp/err")" "1 casemate: debug: another gdb is attached to this sandbox: Device or resource busy" "a second gdb is refused"
# A breakpoint where the shell goes by, and no end in peace.
address=$(nm "$sentry" | sed -n 's/^\([0-9a-f]*\) T sys_clock_nanosleep$/\1/p')
python3 -c "
import sys
for p in ('Z0,$address,1', 'c'):
    sys.stdout.write('+\$%s#%02x' % (p, sum(p.encode()) & 255))" >&7
hit() { grep -q 'swbreak' "$tmp/first"; }
wait_for 20 hit
ok $? "it meets a breakpoint"
kill -9 $first
wait $first 2>/dev/null
exec 7>&-
wait_for 10 moves s
ok $? "a debugger that is killed leaves nothing behind"
debug s gdb -p 4711 -
is "$rc $(cat "$tmp/err")" "1 casemate: debug: no process 4711 in the sandbox" "a process that is not there"
debug s gdb 70000
is "$rc $(cat "$tmp/err")" "1 casemate: debug: port '70000': not between 1 and 65535" "a port that is none"
debug s gdb -x
is "$rc $(cat "$tmp/err")" "1 casemate: debug: gdb: unexpected argument '-x'" "an option that is none"

# ---- by a socket
"$casemate" --root "$tmp/state" debug s gdb "$tmp/gdb.sock" >"$tmp/first" 2>&1 &
first=$!
listens() { [ -S "$tmp/gdb.sock" ]; }
wait_for 20 listens
is "$(stat -c %a "$tmp/gdb.sock" 2>/dev/null)" 600 "the socket is its owner's"
session "$sentry" <<END
target remote $tmp/gdb.sock
info threads
break trap_kernel
continue
END
has 'vCPU 0' "gdb comes by a socket"
has 'Cannot insert breakpoint 1' "no breakpoint where it would be met for ever"
wait $first
is "$? $(ls "$tmp/gdb.sock" 2>/dev/null)" "0 " "the server ends with gdb, and its socket"

# ---- python, live
python=$(readlink -f "$rootfs/usr/bin/python3")
session "$python" <<END
$attach p gdb -p 1 -
info threads
info sharedlibrary
info auxv
break clock_nanosleep
continue
bt 3
stepi
stepi
info registers rip fs_base
continue
monitor maps 1
delete
detach
END
has 'Thread [0-9]+ .*python3' "tasks are threads"
has 'Yes .*libc.so.6' "shared libraries are found"
has 'AT_ENTRY' "the auxiliary vector"
has 'hit Breakpoint 1, .*clock_nanosleep' "a breakpoint in libc is hit"
has '#1 ' "its backtrace"
has 'r-xp .*libc.so.6' "its mappings"
has 'detached' "gdb detaches from python"
wait_for 10 moves p
ok $? "python goes on"

# Both threads come to the breakpoint at the same time: the step of one is then cut short by the other.
session "$python" <<END
$attach p gdb -p 1 -
break clock_nanosleep
python
for i in range(60):
    for command in ("continue", "stepi", "stepi"):
        gdb.execute(command)
print("60 rounds")
end
delete
detach
END
has '^60 rounds' "two threads in one breakpoint, again and again"
wait_for 10 moves p
ok $? "python goes on"

# ---- hardware breakpoints and watchpoints, whether the machine has debug registers that work or not
cp "$top_builddir/tests/oci/ticker" "$bundle/rootfs/ticker"
config /ticker
$cm run -d -b "$bundle" --cpus 2 --memory 64M t </dev/null >"$tmp/lines.t" 2>"$tmp/start" || sed 's/^/# /' "$tmp/start"
wait_for 30 moves t
session "$top_builddir/tests/oci/ticker" <<END
$attach t gdb -p 1 -
hbreak tick
continue
delete
watch ticks
continue
continue
delete
awatch kept
continue
END
has 'Breakpoint 1, tick \(\)' "a hardware breakpoint in a program is hit"
is "$(awk '/^Hardware watchpoint 2: ticks/ { hits++ } /^Old value/ { old = $4 } /^New value/ { sum += $4 - old } END { print hits - 1, sum }' "$tmp/out")" \
	"2 6" "a watchpoint stops at every change, by what the program adds"
has 'Could not insert hardware watchpoint 3|^Value = 7' "one for reads works or is refused"
wait_for 10 moves t
ok $? "the program goes on"
$cm delete -f t
session "$sentry" <<END
$attach s gdb -
hbreak sys_clock_nanosleep
continue
delete
frame function trap_syscall
watch -l r->rax
continue
delete
stepi 100
print \$cs
detach
END
has 'hit Breakpoint 1, sys_clock_nanosleep' "a hardware breakpoint in the sentry is hit"
has '^Old value = 18446744073709551578' "a watchpoint there, at the result of the call"
has '^\$1 = (51|16)' "steps go on over the way to user mode"
wait_for 10 moves s
ok $? "the shell goes on"

# ---- the same from cores
# Of a moment in which a vCPU is in the sentry and the shell waits, as they nearly always do: not so on a machine that has little time for its programs.
# An inlined function's frame has no address.
in_sentry='#[0-9]+ +(0x[0-9a-f]+ in )?(sched_idle|dispatch_run|syscall_dispatch|trap_user|kthread_entry) '
shell_waits=' 1 +1 +0 . +[0-9] sh +sys_wait4'
for try in 1 2 3 4 5 6 7 8; do
	rm -f "$tmp/s.core"
	debug s core "$tmp/s.core"
	session "$sentry" "$tmp/s.core" <<-END
	source $top_srcdir/tools/gdb/casemate.py
	info threads
	thread apply all bt
	cm-tasks
	cm-bt 1
	cm-vmas 1
	cm-pgtable &pcpus
	cm-virtqueue
	END
	if grep -qE "$in_sentry" "$tmp/out" && grep -qE "$shell_waits" "$tmp/out"; then break; fi
done
is "$rc $(stat -c %a "$tmp/s.core")" "0 600" "a core of the sandbox"
has ' 2 +LWP 2' "has the vCPUs"
has "$in_sentry" "and their stacks"
has "$shell_waits" "and the tasks"
has 'trap_syscall\+0x.* at .*trap.c:' "and the stacks of those that sleep"
has ' r-xp .* /bin/busybox' "and mappings"
has 'a page of (4|2048) KiB' "and page tables"
has 'vsock 0: size 16' "and rings"
debug p core -p 1 "$tmp/p.core"
is "$rc" 0 "a core of python"
session "$python" "$tmp/p.core" <<END
info threads
thread apply all bt 2
info sharedlibrary
info auxv
END
has ' 2 +(Thread|LWP)' "has its tasks"
has '#0 .*clock_nanosleep' "and their stacks"
has 'Yes .*libc.so.6' "and its libraries"
has 'AT_ENTRY' "and its auxiliary vector"
debug p core "$tmp/p.core"
is "$rc $(cat "$tmp/err")" "1 casemate: debug: create '$tmp/p.core': File exists" "a core does not replace a file"
debug p core -p 4711 "$tmp/x.core"
is "$rc $(cat "$tmp/err") $(ls "$tmp/x.core" 2>/dev/null)" "1 casemate: debug: no process 4711 in the sandbox " "a core of nothing leaves no file"
moves s && moves p
ok $? "all go on"

$cm delete -f s
$cm delete -f p

# ---- a guest that dies
mkdir "$tmp/cores"
if "$top_builddir/casemate-vmm" --help | grep -q guest-image; then
	config /bin/sleep 1000
	run d --memory 64M --core-on-panic "$tmp/cores" --guest-cmdline debugtest=panic,1000
	# 137, or 1 where it dies before the program's start is told.
	[ "$rc" = 1 ] && rc=137
	is "$rc $(ls "$tmp/cores" | sed 's/[0-9]/N/g')" "137 d-NNNNNNNNNN.core" "a guest that panics leaves a core"
	session "$sentry" "$tmp"/cores/*.core <<END
bt
END
	has ' panic \(fmt=' "it shows where"
	$cm delete -f d
fi
# A core that nobody can write must not keep the guest for ever.
if "$top_builddir/casemate-vmm" --help | grep -q guest-image; then
	mv "$tmp/libexec/casemate-debug" "$tmp/libexec/casemate-debug.away"
	ln -s /bin/false "$tmp/libexec/casemate-debug"
	rc=0
	timeout -k 5 $((40 * patience)) "$casemate" --root "$tmp/state" run -b "$bundle" --memory 64M --core-on-panic "$tmp/cores" \
		--guest-cmdline debugtest=panic,1000 e >"$tmp/out" 2>&1 </dev/null || rc=$?
	ok "$([ $rc != 0 ] && [ $rc != 124 ]; echo $?)" "without a debugger a guest that panics ends all the same"
	$cm delete -f e
	rm "$tmp/libexec/casemate-debug"
	mv "$tmp/libexec/casemate-debug.away" "$tmp/libexec/casemate-debug"
fi
$cm run -b "$bundle" --core-on-panic "$tmp/nowhere" x 2>"$tmp/err"
is "$? $(cat "$tmp/err")" "1 casemate: --core-on-panic: '$tmp/nowhere': No such file or directory" "--core-on-panic wants a directory"
wait_for 10 no_leftover
is "$(leftover)$(state_entries)" "" "nothing is left"
plan
