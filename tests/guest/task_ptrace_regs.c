/* SPDX-License-Identifier: Apache-2.0 */
/* ptrace(2): registers, single steps, breakpoints and watchpoints. */
#define _GNU_SOURCE
#include <elf.h>
#include <sched.h>
#include <stddef.h>
#include <sys/uio.h>

#include "ptrace_tap.h"

static volatile unsigned long cell;
static volatile int handled;

static void on_signal(int sig)
{
	handled = sig;
}

static double fp_result;

static void child_registers(void)
{
	unsigned long rbx = 0x1234, rax = SYS_getppid;
	double x = 1.5;

	__asm__ volatile("movsd %2, %%xmm7\n\tsyscall\n\tmovsd %%xmm7, %2"
			 : "+a"(rax), "+b"(rbx), "+m"(x)::"rcx", "r11", "memory", "xmm7");
	fp_result = x;
	_exit(rbx == 0x4321 && rax == 77 && x == 2.5 ? 7 : 1);
}

static bool regs_same(const struct user_regs_struct *a, const struct user_regs_struct *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void test_registers(void)
{
	pid_t pid = traced_child(child_registers);
	struct user_regs_struct regs, again;
	struct user_fpregs_struct fp;
	struct iovec iov = { &again, sizeof(again) };
	unsigned long word = 0;
	double x;
	int status;

	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	trace(PTRACE_SYSCALL, pid, 0, 0);
	status = wait_pid(pid);
	ok(stopped_by(status, SIGTRAP | 0x80), "syscall: stop at its start");
	ok(trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs) == 0 &&
			regs.orig_rax == SYS_getppid && regs.rax == (unsigned long)-ENOSYS &&
			regs.rbx == 0x1234 && regs.cs == 0x33 && regs.ss == 0x2b,
		"getregs: at the start of a call");
	ok(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov) == 0 &&
			iov.iov_len == sizeof(regs) && regs_same(&regs, &again),
		"getregset: the same");
	iov.iov_len = 16;
	ok(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov) == 0 && iov.iov_len == 16,
		"getregset: a part");
	iov.iov_len = 15;
	ok(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov) == -1 && errno == EINVAL,
		"getregset: half a register");
	iov.iov_len = sizeof(again);
	ok(trace(PTRACE_GETREGSET, pid, 0x12345, (unsigned long)&iov) == -1 && errno == EINVAL,
		"getregset: no such set");
	ok(trace(PTRACE_PEEKUSR, pid, offsetof(struct user, regs.rip), (unsigned long)&word) == 0 &&
			word == regs.rip,
		"peekuser");
	ok(trace(PTRACE_PEEKUSR, pid, 3, (unsigned long)&word) == -1 && errno == EIO,
		"peekuser: not a word");
	ok(trace(PTRACE_PEEKUSR, pid, 928, (unsigned long)&word) == -1 && errno == EIO,
		"peekuser: outside");
	ok(trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.rbx), 0x4321) == 0, "pokeuser");
	ok(trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.cs), 0) == -1 && errno == EIO,
		"pokeuser: a null code segment");
	ok(trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.fs_base), 1UL << 63) == -1 &&
			errno == EIO,
		"pokeuser: a base in the kernel");
	ok(trace(PTRACE_GETFPREGS, pid, 0, (unsigned long)&fp) == 0 && fp.mxcsr == 0x1f80,
		"getfpregs");
	memcpy(&x, &fp.xmm_space[7 * 4], sizeof(x));
	ok(x == 1.5, "getfpregs: xmm7");
	x = 2.5;
	memcpy(&fp.xmm_space[7 * 4], &x, sizeof(x));
	ok(trace(PTRACE_SETFPREGS, pid, 0, (unsigned long)&fp) == 0, "setfpregs");
	fp.mxcsr = 0xffffffff;
	ok(trace(PTRACE_SETFPREGS, pid, 0, (unsigned long)&fp) == -1 && errno == EINVAL,
		"setfpregs: reserved bits");
	trace(PTRACE_SYSCALL, pid, 0, 0);
	status = wait_pid(pid);
	ok(stopped_by(status, SIGTRAP | 0x80), "syscall: stop at its end");
	trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);
	ok(regs.rax == (unsigned long)getpid(), "getregs: the result");
	regs.rax = 77;
	ok(trace(PTRACE_SETREGS, pid, 0, (unsigned long)&regs) == 0, "setregs");
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "what was set is there");
}

static void child_step(void)
{
	long pid;

	__asm__ volatile("nop\n\tnop\n\tsyscall\n\tnop"
			 : "=a"(pid)
			 : "0"(SYS_getpid)
			 : "rcx", "r11", "memory");
	_exit(pid == getpid() ? 7 : 1);
}

static void test_step(void)
{
	pid_t pid = traced_child(child_step);
	struct user_regs_struct regs;
	siginfo_t info;
	bool seen = false, code = true, hidden = true;
	unsigned long text, next = 0;
	int i, status = 0;

	for (i = 0; i < 2000 && !seen; i++) {
		trace(PTRACE_SINGLESTEP, pid, 0, 0);
		status = wait_pid(pid);
		if (!stopped_by(status, SIGTRAP))
			break;
		trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);
		hidden &= !(regs.eflags & 0x100);
		trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&info);
		code &= info.si_signo == SIGTRAP &&
			(info.si_code == TRAP_TRACE || info.si_code == TRAP_BRKPT);
		trace(PTRACE_PEEKTEXT, pid, regs.rip, (unsigned long)&text);
		seen = (text & 0xffffffff) == 0x90050f90;
		next = regs.rip;
	}
	ok(seen && code, "singlestep: up to the code");
	ok(hidden, "singlestep: the trap flag is not shown");
	trace(PTRACE_SINGLESTEP, pid, 0, 0);
	wait_pid(pid);
	trace(PTRACE_SINGLESTEP, pid, 0, 0);
	status = wait_pid(pid);
	trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);
	ok(stopped_by(status, SIGTRAP) && regs.rip == next + 3 && regs.rax == (unsigned long)pid,
		"singlestep: over a system call");
	trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&info);
	ok(info.si_code == TRAP_BRKPT, "singlestep: over a system call: the code");
	trace(PTRACE_SINGLESTEP, pid, 0, 0);
	status = wait_pid(pid);
	trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);
	ok(stopped_by(status, SIGTRAP) && regs.rip == next + 4, "singlestep: and on");
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "singlestep: off again");
}

static void child_break(void)
{
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	_exit(handled == SIGUSR1 ? 7 : 1);
}

static void test_breakpoint(void)
{
	pid_t pid = traced_child(child_break);
	unsigned long at = (unsigned long)on_signal, word = 0;
	struct user_regs_struct regs;
	siginfo_t info;
	int status;

	trace(PTRACE_PEEKTEXT, pid, at, (unsigned long)&word);
	trace(PTRACE_POKETEXT, pid, at, (word & ~0xffUL) | 0xcc);
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(stopped_by(status, SIGUSR1), "breakpoint: the signal first");
	trace(PTRACE_SINGLESTEP, pid, 0, SIGUSR1);
	status = wait_pid(pid);
	trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);
	ok(stopped_by(status, SIGTRAP) && regs.rip == at, "singlestep: into a handler");
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);
	trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&info);
	ok(stopped_by(status, SIGTRAP) && regs.rip == at + 1 && info.si_code == SI_KERNEL,
		"breakpoint: hit");
	trace(PTRACE_POKETEXT, pid, at, word);
	trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.rip), at);
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "breakpoint: and on");
}

static volatile long watched;

static void child_watch(void)
{
	watched = 1;
	cell = 2;
	watched = 3;
	_exit(7);
}

static unsigned long debug_reg(int n)
{
	return offsetof(struct user, u_debugreg) + 8UL * (unsigned long)n;
}

/* What the debug registers say of a stop, and what the next stop says. */
static bool watch_writes(pid_t pid)
{
	unsigned long word = 0;
	siginfo_t info;
	int status;

	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&info);
	trace(PTRACE_PEEKDATA, pid, (unsigned long)&watched, (unsigned long)&word);
	if (!stopped_by(status, SIGTRAP) || word != 1 || info.si_code != TRAP_HWBKPT)
		return false;
	trace(PTRACE_PEEKUSR, pid, debug_reg(6), (unsigned long)&word);
	if ((word & 15) != 1)
		return false;
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	trace(PTRACE_PEEKDATA, pid, (unsigned long)&watched, (unsigned long)&word);
	if (!stopped_by(status, SIGTRAP) || word != 3)
		return false;
	trace(PTRACE_POKEUSR, pid, debug_reg(7), 0);
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

static bool watch_code(void)
{
	pid_t pid = traced_child(child_watch);
	unsigned long word = 0;
	int status;

	trace(PTRACE_POKEUSR, pid, debug_reg(1), (unsigned long)child_watch);
	if (trace(PTRACE_POKEUSR, pid, debug_reg(7), 4) != 0)
		return false;
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	trace(PTRACE_PEEKUSR, pid, offsetof(struct user, regs.rip), (unsigned long)&word);
	if (!stopped_by(status, SIGTRAP) || word != (unsigned long)child_watch)
		return false;
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

/*
 * A machine without debug registers says so with ENODEV when one is switched on. Tracer and child are on one processor: where QEMU emulates AMD-V with a single
 * processor for two virtual ones, the trap comes and DR6 says nothing of it when they are on two (with two emulated ones it does).
 */
static void test_watchpoint(void)
{
	cpu_set_t all, one;
	unsigned long word = 0;
	pid_t pid;
	bool none;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	pid = traced_child(child_watch);

	ok(trace(PTRACE_POKEUSR, pid, debug_reg(0), (unsigned long)&watched) == 0,
		"watch: address");
	ok(trace(PTRACE_POKEUSR, pid, debug_reg(0), 1UL << 63) == -1 && errno == EINVAL,
		"watch: address of the kernel");
	ok(trace(PTRACE_PEEKUSR, pid, debug_reg(0), (unsigned long)&word) == 0 &&
			word == (unsigned long)&watched,
		"watch: address reads back");
	ok(trace(PTRACE_POKEUSR, pid, debug_reg(4), 1) == -1 && errno == EIO, "watch: register 4");
	ok(trace(PTRACE_POKEUSR, pid, debug_reg(7), 0xe0001) == -1 && errno == EINVAL,
		"watch: input and output");
	none = trace(PTRACE_POKEUSR, pid, debug_reg(7), 0x90001) == -1 && errno == ENODEV;
	trace(PTRACE_PEEKUSR, pid, debug_reg(7), (unsigned long)&word);
	ok(none ? word == 0 : word == 0x90001, "watch: control reads back");
	ok(none || watch_writes(pid), "watch: writes");
	if (none)
		end(pid);
	ok(none || watch_code(), "watch: execution");
	sched_setaffinity(0, sizeof(all), &all);
}

int main(void)
{
	test_registers();
	test_step();
	test_breakpoint();
	test_watchpoint();
	return tap_end();
}
