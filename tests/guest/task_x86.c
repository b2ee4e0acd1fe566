/* SPDX-License-Identifier: Apache-2.0 */
/*
 * int $0x80, segment registers and their bases, the end of the address space, the time stamp counter, speculation.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child_tap.h"

#define DATA_SEL 0x2b

/* <sys/ptrace.h> does not go with the kernel's. */
static long trace(long request, pid_t pid, unsigned long addr, void *data)
{
	return syscall(SYS_ptrace, request, pid, addr, data);
}

/* ---- int $0x80 ---- */
struct args32 {
	uint64_t nr, bx, cx, dx, si, di, bp;
};

/* All registers as given; what they are afterwards. */
static void int80_full(struct args32 *a)
{
	__asm__ volatile("push %%rbp\n\t"
			 "mov %[bp], %%rbp\n\t"
			 "int $0x80\n\t"
			 "mov %%rbp, %[bp]\n\t"
			 "pop %%rbp"
			 : "+a"(a->nr), "+b"(a->bx), "+c"(a->cx), "+d"(a->dx), "+S"(a->si),
			 "+D"(a->di), [bp] "+r"(a->bp)
			 :
			 : "r8", "r9", "r10", "r11", "memory");
}

static long int80(unsigned long nr, unsigned long bx, unsigned long cx)
{
	struct args32 a = { nr, bx, cx, 0, 0, 0, 0 };

	int80_full(&a);
	return (long)a.nr;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void test_int80(void)
{
	struct args32 a = { 224, 10, 11, 12, 13, 14, 15 };
	char *low = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int p[2];

	int80_full(&a);
	ok(a.nr == (uint64_t)syscall(SYS_gettid) && a.bx == 10 && a.cx == 11 && a.dx == 12 &&
			a.si == 13 && a.di == 14 && a.bp == 15,
		"int $0x80: the i386 number of gettid, other registers stay");
	signal(SIGUSR1, on_signal);
	a = (struct args32){ 37, (uint64_t)getpid(), SIGUSR1, 12, 13, 14, 15 };
	int80_full(&a);
	ok(a.nr == 0 && a.bx == (uint64_t)getpid() && a.cx == SIGUSR1 && a.bp == 15,
		"also over a signal");
	ok(int80(20 | 1UL << 40, 0, 0) == getpid(), "32 bits of the number count");
	ok(int80(222, 0, 0) == -ENOSYS && int80(9999, 0, 0) == -ENOSYS,
		"a number that there is not");
	ok(int80(6, 12345, 0) == -EBADF, "an error");
	if (pipe(p))
		return;
	a = (struct args32){ 4 | 1UL << 63, (uint64_t)p[1] | 7UL << 32, (uint64_t)low | 1UL << 40,
		3 | 5UL << 32, 0, 0, 0 };
	strcpy(low, "abc");
	int80_full(&a);
	ok(a.nr == 3, "32 bits of each argument count");
	memset(low, 0, 4);
	a = (struct args32){ 3, (uint64_t)p[0], (uint64_t)low, 10, 0, 0, 0 };
	int80_full(&a);
	ok(a.nr == 3 && !strcmp(low, "abc"), "what was written is read");
	close(p[0]);
	close(p[1]);
	munmap(low, 4096);
}

static int exits(void)
{
	int80(252, 7, 0);
	return 1;
}

/* A filter that looks at the architecture: i386 calls are refused. */
static int filtered(void)
{
	struct sock_filter insn[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 20, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 77, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(insn) / sizeof(insn[0]), insn };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		return 1;
	return int80(20, 0, 77) != -EXDEV || int80(20, 0, 78) != getpid() ||
	       syscall(SYS_getpid, 0, 77) != getpid();
}

static int strict_dies(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		int80(4, (unsigned long)-1, 0); /* write: allowed, and an error */
		int80(20, 0, 0);
		int80(1, 0, 0);
	}
	return waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) ||
	       WTERMSIG(status) != SIGKILL;
}

/* What a tracer sees of a call by int $0x80. */
static int traced_call(void)
{
	struct ptrace_syscall_info info;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		trace(PTRACE_TRACEME, 0, 0, NULL);
		raise(SIGSTOP);
		int80(64, 5, 6);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	trace(PTRACE_SETOPTIONS, pid, 0, (void *)PTRACE_O_TRACESYSGOOD);
	for (int i = 0; i < 20; i++) {
		memset(&info, 0, sizeof(info));
		trace(PTRACE_SYSCALL, pid, 0, NULL);
		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return 1;
		trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
		if (info.arch == AUDIT_ARCH_I386)
			break;
	}
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != 64 ||
		info.entry.args[0] != 5 || info.entry.args[1] != 6)
		return 2;
	trace(PTRACE_SYSCALL, pid, 0, NULL);
	waitpid(pid, &status, 0);
	memset(&info, 0, sizeof(info));
	trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
	if (info.op != PTRACE_SYSCALL_INFO_EXIT || info.arch != AUDIT_ARCH_I386 ||
		info.exit.rval != getpid())
		return 3;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 0;
}

/* ---- segments ---- */
static unsigned get_gs(void)
{
	unsigned sel;

	__asm__ volatile("mov %%gs, %0" : "=r"(sel));
	return sel;
}

static void set_gs(unsigned sel)
{
	__asm__ volatile("mov %0, %%gs" ::"r"(sel));
}

static unsigned get_es(void)
{
	unsigned sel;

	__asm__ volatile("mov %%es, %0" : "=r"(sel));
	return sel;
}

static void set_es(unsigned sel)
{
	__asm__ volatile("mov %0, %%es" ::"r"(sel));
}

static unsigned long gs_base(void)
{
	unsigned long base = 77;

	syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
	return base;
}

static long gs_word(void)
{
	long v;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
	return v;
}

static long words[2][8] = { { 1001 }, { 2002 } };
static volatile int turn;

/* Two threads on one CPU, each with a base of its own. */
static void *gs_thread(void *arg)
{
	long bad = 0;

	syscall(SYS_arch_prctl, ARCH_SET_GS, words[1]);
	for (int i = 0; i < 200; i++) {
		while (turn != 1)
			sched_yield();
		bad += gs_word() != 2002;
		turn = 0;
	}
	return (void *)(bad + (arg != NULL));
}

static int bases_of_threads(void)
{
	cpu_set_t set;
	pthread_t th;
	void *bad;
	long mine = 0;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, words[0]) || gs_word() != 1001 ||
		gs_base() != (unsigned long)words[0])
		return 1;
	if (pthread_create(&th, NULL, gs_thread, NULL))
		return 2;
	for (int i = 0; i < 200; i++) {
		turn = 1;
		while (turn != 0)
			sched_yield();
		mine += gs_word() != 1001;
	}
	pthread_join(th, &bad);
	return mine || bad;
}

static int base_in_child(void)
{
	return gs_word() != 1001 || gs_base() != (unsigned long)words[0];
}

static int base_inherited(void)
{
	syscall(SYS_arch_prctl, ARCH_SET_GS, words[0]);
	return in_child(base_in_child);
}

/* Two processes on one CPU with selectors of their own, which look often. */
static int selector_stays(unsigned sel)
{
	cpu_set_t set;
	int bad = 0;
	pid_t pid;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	pid = fork();
	set_gs(pid ? sel : 0);
	set_es(pid ? sel : 0);
	for (int i = 0; i < 200; i++) {
		usleep(10);
		sched_yield();
		bad |= get_gs() != (pid ? sel : 0) || get_es() != (pid ? sel : 0);
	}
	if (pid == 0)
		_exit(bad);
	return bad | child_status(pid);
}

static int selectors_stay(void)
{
	return selector_stays(DATA_SEL);
}

static int child_has_selector(void)
{
	return get_gs() != DATA_SEL;
}

static int selector_rules(void)
{
	set_gs(DATA_SEL);
	if (in_child(child_has_selector) || gs_base() != 0)
		return 1;
	/* a base set by a call comes without a selector */
	syscall(SYS_arch_prctl, ARCH_SET_GS, words[0]);
	return get_gs() != 0 || gs_word() != 1001;
}

static int traced_segments(void)
{
	struct user_regs_struct r;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		set_gs(DATA_SEL);
		trace(PTRACE_TRACEME, 0, 0, NULL);
		raise(SIGSTOP);
		_exit(get_gs() != 0 || gs_word() != 1001 || get_es() != DATA_SEL);
	}
	waitpid(pid, &status, 0);
	if (trace(PTRACE_GETREGS, pid, 0, &r) || r.gs != DATA_SEL || r.gs_base != 0 || r.es != 0)
		return 1;
	if (trace(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, gs), (void *)0x10) != -1 ||
		errno != EIO)
		return 2;
	/* a segment that there is not: 0 when the program goes on */
	if (trace(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, gs), (void *)0x7))
		return 3;
	r.gs = 0;
	r.gs_base = (unsigned long)words[0];
	r.es = DATA_SEL;
	if (trace(PTRACE_SETREGS, pid, 0, &r))
		return 4;
	trace(PTRACE_CONT, pid, 0, NULL);
	return child_status(pid);
}

/* ---- the end of the address space ---- */
#define USER_END 0x7ffffffff000UL

static sigjmp_buf end_env;
static volatile unsigned long end_rip;

static void on_end(int sig, siginfo_t *si, void *uc)
{
	end_rip = (unsigned long)((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP];
	siglongjmp(end_env, 1);
}

static void *map_at(unsigned long at)
{
	return mmap((void *)at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

/* A system call whose next instruction would lie beyond. */
static int falls_off(void)
{
	struct sigaction sa = { .sa_sigaction = on_end, .sa_flags = SA_SIGINFO };
	unsigned char *page = map_at(USER_END - 4096);

	if (page == MAP_FAILED)
		return 1;
	memcpy(page + 4094, "\x0f\x05", 2);
	sigaction(SIGSEGV, &sa, NULL);
	if (!sigsetjmp(end_env, 1)) {
		__asm__ volatile("call *%1" ::"a"(SYS_getpid), "r"(page + 4094)
				 : "rcx", "r11", "memory");
		return 2;
	}
	return end_rip != USER_END;
}

static int end_rules(void)
{
	return map_at(USER_END) != MAP_FAILED || errno != ENOMEM ||
	       mprotect((void *)USER_END, 4096, PROT_READ) != -1 || errno != ENOMEM ||
	       munmap((void *)USER_END, 4096) != -1 || errno != EINVAL;
}

static const unsigned long high[] = { 0x7f8000000000UL, 0x7fa012345000UL, 0x7fffc0000000UL,
	USER_END - (2UL << 20), USER_END - 4096 };
#define NHIGH (sizeof(high) / sizeof(high[0]))

static int high_words(unsigned long plus)
{
	for (size_t i = 0; i < NHIGH; i++) {
		if (*(volatile unsigned long *)high[i] != high[i] + plus)
			return 1;
	}
	return 0;
}

/* Pages up there, in a child, too, which changes its own, and again when they are gone. */
static int high_pages(void)
{
	int status;
	pid_t pid;

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < NHIGH; i++) {
			if (map_at(high[i]) == MAP_FAILED || *(unsigned long *)high[i])
				return 1;
			*(unsigned long *)high[i] = high[i];
		}
		pid = fork();
		if (pid == 0) {
			int bad = high_words(0);

			for (size_t i = 0; i < NHIGH; i++)
				*(unsigned long *)high[i] += 1;
			usleep(1000);
			_exit(bad | high_words(1));
		}
		for (int i = 0; i < 20; i++)
			sched_yield();
		if (waitpid(pid, &status, 0) != pid || status || high_words(0))
			return 2;
		for (size_t i = 0; i < NHIGH; i++)
			munmap((void *)high[i], 4096);
	}
	return 0;
}

/* ---- the counter ---- */
static sigjmp_buf tsc_env;

static void on_tsc(int sig)
{
	siglongjmp(tsc_env, sig);
}

/* The signal that RDTSC ends in, or 0. */
static int tsc_signal(void)
{
	volatile unsigned lo;
	int sig = sigsetjmp(tsc_env, 1);

	if (!sig)
		__asm__ volatile("rdtsc" : "=a"(lo) : : "edx");
	return sig;
}

static int tsc_of_child(void)
{
	int mode = 0;

	signal(SIGSEGV, on_tsc);
	return prctl(PR_GET_TSC, &mode) || mode != PR_TSC_SIGSEGV || tsc_signal() != SIGSEGV;
}

static int tsc_forbidden(void)
{
	int mode = 0;

	signal(SIGSEGV, on_tsc);
	if (prctl(PR_GET_TSC, &mode) || mode != PR_TSC_ENABLE || tsc_signal() != 0)
		return 1;
	if (prctl(PR_SET_TSC, 7) != -1 || errno != EINVAL)
		return 2;
	/* not every machine can */
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV))
		return errno == EINVAL ? 0 : 3;
	if (tsc_signal() != SIGSEGV || in_child(tsc_of_child))
		return 4;
	return prctl(PR_SET_TSC, PR_TSC_ENABLE) || tsc_signal() != 0;
}

/* How much the machine lets change differs; the rules do not. */
static void test_speculation(void)
{
	int v = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0);

	ok(v >= 0 && v < 32, "the state of speculation");
	ok(prctl(PR_GET_SPECULATION_CTRL, 99, 0, 0, 0) == -1 && errno == ENODEV,
		"of what there is not");
	ok(prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 1, 0, 0) == -1 && errno == EINVAL,
		"arguments that are not used");
	ok(prctl(PR_SET_SPECULATION_CTRL, 99, PR_SPEC_ENABLE, 0, 0) == -1 && errno == ENODEV &&
			prctl(PR_SET_SPECULATION_CTRL, 0, PR_SPEC_ENABLE, 1, 0) == -1 &&
			errno == EINVAL,
		"and of the change");
}

/* A call by a program that keeps something else than a stack pointer there. No signal comes meanwhile, which would need a stack. */
static long call_with_stack(unsigned long sp)
{
	register long nr __asm__("rax") = SYS_getppid;
	register unsigned long old __asm__("rbx");

	__asm__ volatile("mov %%rsp, %1\n\t"
			 "mov %2, %%rsp\n\t"
			 "syscall\n\t"
			 "cmp %2, %%rsp\n\t"
			 "mov %1, %%rsp\n\t"
			 "je 1f\n\t"
			 "mov $-1, %0\n"
			 "1:"
			 : "+a"(nr), "=&r"(old)
			 : "r"(sp)
			 : "rcx", "r11", "memory", "cc");
	return nr;
}

/* 0, or the number of the first stack pointer that does not survive a call. */
static int stack_pointers(void)
{
	static const unsigned long sps[] = { 0, 1, 0x7ffffffff000, 0x800000000000,
		0x8badf00d5aadc0de, 0xffff7fffffffffff, 0xffff800000000000, 0xffffffff81000000,
		-1UL };

	for (unsigned i = 0; i < sizeof(sps) / sizeof(sps[0]); i++) {
		for (int n = 0; n < 100; n++) {
			if (call_with_stack(sps[i]) != getppid())
				return (int)i + 1;
		}
	}
	return 0;
}

int main(void)
{
	test_int80();
	ok(in_child(exits) == 7, "exit_group");
	ok(in_child(filtered) == 0, "a filter sees i386 and its arguments");
	ok(in_child(strict_dies) == 0, "strict mode knows the i386 numbers");
	ok(in_child(traced_call) == 0, "a tracer sees i386 and its arguments");
	ok(in_child(bases_of_threads) == 0, "threads have GS bases of their own");
	ok(in_child(base_inherited) == 0, "a child has its parent's");
	ok(in_child(selectors_stay) == 0, "selectors stay over switches");
	ok(in_child(selector_rules) == 0, "selectors and bases");
	ok(in_child(traced_segments) == 0, "a tracer sees and sets them");
	ok(in_child(falls_off) == 0, "a system call at the end of the address space");
	ok(in_child(end_rules) == 0, "nothing is mapped beyond");
	ok(in_child(high_pages) == 0, "pages up to the end");
	ok(in_child(tsc_forbidden) == 0, "RDTSC can be forbidden");
	ok(in_child(stack_pointers) == 0, "calls with any stack pointer");
	test_speculation();
	return tap_end();
}
