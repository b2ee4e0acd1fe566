/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers, masks, queues, siginfo, restart, alternate stacks, faults, sigtimedwait, permissions. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/guest/tap.h"

static volatile sig_atomic_t hits, last_code, last_pid, last_value, order[8];
static volatile uintptr_t last_addr;
static sigjmp_buf jump;

static void on_signal(int sig)
{
	hits++;
}

static void on_info(int sig, siginfo_t *si, void *uc)
{
	if (hits < 8)
		order[hits] = si->si_value.sival_int;
	hits++;
	last_code = si->si_code;
	last_pid = si->si_pid;
	last_value = si->si_value.sival_int;
}

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	last_code = si->si_code;
	last_addr = (uintptr_t)si->si_addr;
	siglongjmp(jump, 1);
}

static void set_handler(int sig, void (*fn)(int), int flags)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = fn;
	sa.sa_flags = flags;
	sigaction(sig, &sa, NULL);
}

static void set_info(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = fn;
	sa.sa_flags = SA_SIGINFO | flags;
	sigaction(sig, &sa, NULL);
}

static void test_handlers(void)
{
	struct sigaction sa;

	hits = 0;
	set_info(SIGUSR1, on_info, 0);
	kill(getpid(), SIGUSR1);
	ok(hits == 1 && last_code == SI_USER && last_pid == getpid(),
		"kill runs the handler with SI_USER and the sender");
	raise(SIGUSR1);
	ok(hits == 2 && last_code == SI_TKILL, "raise gives SI_TKILL");
	set_handler(SIGUSR1, on_signal, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &sa);
	ok(sa.sa_handler == SIG_DFL, "SA_RESETHAND resets the handler");
	set_handler(SIGKILL, on_signal, 0);
	ok(sigaction(SIGKILL, &sa, NULL) == -1 && errno == EINVAL, "SIGKILL cannot be caught");
	ok(sigaction(SIGSTOP, &sa, NULL) == -1 && errno == EINVAL, "nor SIGSTOP");
	ok(sigaction(65, &sa, NULL) == -1 && errno == EINVAL, "no signal 65");
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	ok(true, "an ignored signal does nothing");
	signal(SIGUSR1, SIG_DFL);
}

static void test_masks(void)
{
	sigset_t set, old, pending;

	hits = 0;
	set_handler(SIGUSR1, on_signal, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	raise(SIGUSR1);
	sigpending(&pending);
	ok(hits == 0 && sigismember(&pending, SIGUSR1), "a blocked signal is pending");
	sigprocmask(SIG_SETMASK, &old, NULL);
	ok(hits == 1, "unblocking delivers it, once");
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigprocmask(SIG_SETMASK, &old, &set);
	ok(!sigismember(&set, SIGKILL) && !sigismember(&set, SIGSTOP),
		"SIGKILL and SIGSTOP cannot be blocked");
	ok(syscall(SYS_rt_sigprocmask, 99, &set, NULL, 8) == -1 && errno == EINVAL,
		"unknown how: EINVAL");
	ok(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4) == -1 && errno == EINVAL,
		"wrong set size: EINVAL");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	hits = 0;
	sigemptyset(&set);
	ok(sigsuspend(&set) == -1 && errno == EINTR && hits == 1, "sigsuspend lets it in");
	sigprocmask(SIG_BLOCK, NULL, &set);
	ok(sigismember(&set, SIGUSR1), "and puts the mask back");
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	sigpending(&pending);
	ok(!sigismember(&pending, SIGUSR1), "ignoring drops what is pending");
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGUSR1, SIG_DFL);
}

static void test_queue(void)
{
	union sigval v;
	sigset_t set, old;
	int i, sig = SIGRTMIN + 1;

	set_info(sig, on_info, 0);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (i = 0; i < 4; i++) {
		v.sival_int = 100 + i;
		sigqueue(getpid(), sig, v);
	}
	hits = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	ok(hits == 4 && order[0] == 100 && order[3] == 103, "real-time signals queue in order");
	ok(last_code == SI_QUEUE && last_value == 103, "with SI_QUEUE and their value");
}

static void *send_later(void *arg)
{
	pthread_t *t = arg;

	usleep(20000);
	pthread_kill(*t, SIGUSR2);
	return NULL;
}

static void test_restart(void)
{
	pthread_t self = pthread_self(), t;
	int p[2];
	char c;
	struct timespec ts = { 0, 60000000 }, rem = { 9, 0 };

	if (pipe(p) < 0)
		return;
	set_handler(SIGUSR2, on_signal, 0);
	pthread_create(&t, NULL, send_later, &self);
	ok(read(p[0], &c, 1) == -1 && errno == EINTR, "a handler interrupts a read");
	pthread_join(t, NULL);
	set_handler(SIGUSR2, on_signal, SA_RESTART);
	pthread_create(&t, NULL, send_later, &self);
	if (fork() == 0) {
		usleep(60000);
		_exit(write(p[1], "x", 1) != 1);
	}
	ok(read(p[0], &c, 1) == 1, "SA_RESTART goes on with it");
	pthread_join(t, NULL);
	wait(NULL);
	pthread_create(&t, NULL, send_later, &self);
	ok(nanosleep(&ts, &rem) == -1 && errno == EINTR && rem.tv_sec == 0 && rem.tv_nsec > 0,
		"nanosleep is interrupted in spite of SA_RESTART and gives the rest");
	pthread_join(t, NULL);
	close(p[0]);
	close(p[1]);
}

static void test_stop_restarts_sleep(void)
{
	struct timespec a, b, ts = { 0, 100000000 };
	pid_t pid, me = getpid();
	int status;

	pid = fork();
	if (pid == 0) {
		usleep(20000);
		kill(me, SIGSTOP);
		usleep(20000);
		kill(me, SIGCONT);
		_exit(0);
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	ok(nanosleep(&ts, NULL) == 0, "stop and continue do not end a sleep");
	clock_gettime(CLOCK_MONOTONIC, &b);
	ok((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 180,
		"nor begin it anew");
	waitpid(pid, &status, 0);
}

static char alt[65536] __attribute__((aligned(16)));
static volatile bool on_alt;

static void alt_handler(int sig)
{
	char here;

	on_alt = (uintptr_t)&here >= (uintptr_t)alt &&
		 (uintptr_t)&here < (uintptr_t)alt + sizeof(alt);
}

static void test_altstack(void)
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, old;

	ok(sigaltstack(&ss, NULL) == 0, "sigaltstack");
	set_handler(SIGUSR1, alt_handler, SA_ONSTACK);
	raise(SIGUSR1);
	ok(on_alt, "the handler runs on the alternate stack");
	set_handler(SIGUSR1, alt_handler, 0);
	raise(SIGUSR1);
	ok(!on_alt, "only with SA_ONSTACK");
	sigaltstack(NULL, &old);
	ok(old.ss_sp == alt && old.ss_size == sizeof(alt) && old.ss_flags == 0, "it reads back");
	ss.ss_size = 1024;
	ok(sigaltstack(&ss, NULL) == -1 && errno == ENOMEM, "too small: ENOMEM");
	ss.ss_flags = 77;
	ok(sigaltstack(&ss, NULL) == -1 && errno == EINVAL, "bad flags: EINVAL");
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
	sigaltstack(NULL, &old);
	ok(old.ss_flags == SS_DISABLE, "SS_DISABLE");
	signal(SIGUSR1, SIG_DFL);
}

static volatile int zero;
static volatile uintptr_t nowhere = 16;

static void test_faults(void)
{
	char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int pid, status;

	set_info(SIGSEGV, on_fault, 0);
	set_info(SIGFPE, on_fault, 0);
	set_info(SIGILL, on_fault, 0);
	set_info(SIGTRAP, on_fault, 0);
	if (!sigsetjmp(jump, 1))
		*(volatile char *)nowhere = 1;
	ok(last_code == SEGV_MAPERR && last_addr == 16, "nothing mapped: SEGV_MAPERR and address");
	if (!sigsetjmp(jump, 1))
		*(volatile char *)ro = 1;
	ok(last_code == SEGV_ACCERR && last_addr == (uintptr_t)ro, "read-only: SEGV_ACCERR");
	if (!sigsetjmp(jump, 1))
		*(volatile char *)0x8000000000000000UL = 1;
	ok(last_code == SI_KERNEL && last_addr == 0, "non-canonical: SI_KERNEL");
	if (!sigsetjmp(jump, 1))
		__asm__ volatile("ud2");
	ok(last_code == ILL_ILLOPN, "ud2 gives SIGILL");
	if (!sigsetjmp(jump, 1))
		__asm__ volatile("xor %%edx, %%edx\n\tidivl %0" ::"r"(zero), "a"(1) : "edx");
	ok(last_code == FPE_INTDIV, "division by zero gives FPE_INTDIV");
	if (!sigsetjmp(jump, 1))
		__asm__ volatile("int3");
	ok(last_code == SI_KERNEL, "int3 gives SIGTRAP");
	signal(SIGSEGV, SIG_DFL);
	pid = fork();
	if (pid == 0) {
		sigset_t all;

		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		*(volatile char *)nowhere = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "a blocked fault kills");
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_IGN);
		*(volatile char *)nowhere = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "an ignored fault kills");
	munmap(ro, 4096);
}

static void on_context(int sig, siginfo_t *si, void *ucv)
{
	ucontext_t *uc = ucv;

	/* The instruction after ud2, and a changed register. */
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RBX] = 0x1234;
}

static void test_context(void)
{
	unsigned long rbx = 0, rcx = 7, flags_in = 0;
	double x = 1.5, y;

	set_info(SIGILL, on_context, 0);
	__asm__ volatile("ud2" : "+b"(rbx), "+c"(rcx), "+r"(flags_in)::"memory");
	ok(rbx == 0x1234 && rcx == 7, "the handler changes registers through the context");
	__asm__ volatile("movsd %1, %%xmm9\n\tud2\n\tmovsd %%xmm9, %0"
			 : "=m"(y)
			 : "m"(x)
			 : "xmm9", "rbx", "memory");
	ok(y == 1.5, "SSE registers survive a handler");
	signal(SIGILL, SIG_DFL);
}

static void on_bad_stack_segment(int sig, siginfo_t *si, void *ucv)
{
	ucontext_t *uc = ucv;
	greg_t *r = uc->uc_mcontext.gregs;

	r[REG_CSGSFS] = (r[REG_CSGSFS] & 0xffffffffffff) | 0x33L << 48;
	r[REG_RBX] = 0x4321;
}

static void on_refused(int sig, siginfo_t *si, void *ucv)
{
	const ucontext_t *uc = ucv;
	const greg_t *r = uc->uc_mcontext.gregs;

	last_code = si->si_code;
	last_value = (int)r[REG_TRAPNO] << 16 | (int)r[REG_ERR];
	hits = r[REG_RBX] == 0x4321 && !sigismember(&uc->uc_sigmask, SIGUSR1) &&
	       !sigismember(&uc->uc_sigmask, SIGUSR2);
	siglongjmp(jump, 1);
}

/* A frame with a stack segment that cannot be: the registers and the mask are the frame's when the fault comes. */
static void test_bad_segment(void)
{
	struct sigaction sa = { .sa_sigaction = on_bad_stack_segment, .sa_flags = SA_SIGINFO };

	sigaddset(&sa.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &sa, NULL);
	set_info(SIGSEGV, on_refused, 0);
	hits = 0;
	for (int i = 0; i < 2; i++) {
		last_code = last_value = 0;
		if (!sigsetjmp(jump, 1))
			raise(SIGUSR1);
		ok(last_code == SI_KERNEL && last_value == (13 << 16 | 0x30),
			"a stack segment that cannot be: #GP");
	}
	ok(hits == 1, "after the frame's registers and mask");
	signal(SIGUSR1, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
}

static void test_timedwait(void)
{
	struct timespec ts = { 0, 20000000 };
	siginfo_t si;
	sigset_t set, old;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	ok(sigtimedwait(&set, &si, &ts) == -1 && errno == EAGAIN, "sigtimedwait times out");
	raise(SIGUSR1);
	ok(sigtimedwait(&set, &si, &ts) == SIGUSR1 && si.si_signo == SIGUSR1,
		"a pending one is taken");
	pid = fork();
	if (pid == 0) {
		usleep(20000);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	ok(sigwaitinfo(&set, &si) == SIGUSR1 && si.si_pid == pid, "sigwaitinfo sleeps for one");
	waitpid(pid, NULL, 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void test_send_errors(void)
{
	pid_t pid;

	ok(kill(getpid(), 0) == 0, "signal 0 checks");
	ok(kill(getpid(), 65) == -1 && errno == EINVAL, "signal 65: EINVAL");
	ok(kill(0x3fffffff, SIGTERM) == -1 && errno == ESRCH, "nobody: ESRCH");
	ok(syscall(SYS_tgkill, getpid(), -1, SIGTERM) == -1 && errno == EINVAL,
		"tgkill -1: EINVAL");
	pid = fork();
	if (pid == 0)
		pause();
	ok(syscall(SYS_tgkill, pid, getpid(), 0) == -1 && errno == ESRCH,
		"tgkill of a thread of another process: ESRCH");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ok(syscall(SYS_tkill, 0, 0) == -1 && errno == EINVAL, "tkill 0: EINVAL");
}

static void test_default_actions(void)
{
	static const int fatal[] = { SIGHUP, SIGINT, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGIO,
		SIGPWR, SIGABRT };
	static const int harmless[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };
	bool good = true;
	size_t i;
	int status;

	for (i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			signal(fatal[i], SIG_DFL);
			raise(fatal[i]);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		good = good && WIFSIGNALED(status) && WTERMSIG(status) == fatal[i];
	}
	ok(good, "default actions that end");
	for (i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		raise(harmless[i]);
	ok(true, "default actions that do nothing");
}

static volatile sig_atomic_t nested;

static void on_nested(int sig)
{
	if (nested++ == 0) {
		raise(SIGUSR1);
		hits = nested;
	}
}

static void test_nesting(void)
{
	nested = 0;
	set_handler(SIGUSR1, on_nested, 0);
	raise(SIGUSR1);
	ok(hits == 1 && nested == 2, "a signal is blocked in its own handler");
	nested = 0;
	set_handler(SIGUSR1, on_nested, SA_NODEFER);
	raise(SIGUSR1);
	ok(hits == 2 && nested == 2, "SA_NODEFER nests");
}

static void test_pgrp_kill(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		if (fork() == 0) {
			for (;;)
				pause();
		}
		usleep(10000);
		kill(0, SIGTERM);
		pause();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "kill(0) reaches the process group");
	ok(kill(-pid, 0) == 0 || errno == ESRCH, "the group can be asked for");
}

int main(void)
{
	test_handlers();
	test_masks();
	test_queue();
	test_restart();
	test_stop_restarts_sleep();
	test_altstack();
	test_faults();
	test_context();
	test_bad_segment();
	test_timedwait();
	test_send_errors();
	test_default_actions();
	test_nesting();
	test_pgrp_kill();
	return tap_end();
}
