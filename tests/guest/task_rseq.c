/* SPDX-License-Identifier: Apache-2.0 */
/* Restartable sequences, on the area that glibc registers: CPU numbers, errors, aborts by signals and by preemption. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* Spins inside a critical section for ever: only an abort gets out. */
static int spin_in_section(void)
{
	int aborted;

	__asm__ volatile(".pushsection .data.rseq_cs, \"aw\"\n\t"
			 ".balign 32\n"
			 "3:\t.long 0, 0\n\t"
			 ".quad 1f, 2f - 1f, 4f\n\t"
			 ".popsection\n\t"
			 "leaq 3b(%%rip), %%rax\n\t"
			 "movq %%rax, 8(%1)\n"
			 "1:\tpause\n\t"
			 "jmp 1b\n"
			 "2:\t.byte 0x0f, 0xb9, 0x3d\n\t"
			 ".long %c2\n"
			 "4:\tmovl $1, %0"
			 : "=r"(aborted)
			 : "r"(area()), "i"(RSEQ_SIG)
			 : "rax", "memory");
	return aborted;
}

static void test_errors(void)
{
	static struct rseq other __attribute__((aligned(32)));
	struct rseq *r = area();

	ok(syscall(SYS_rseq, r, sizeof(*r), 0, RSEQ_SIG) == -1 && errno == EBUSY,
		"registered already: EBUSY");
	ok(syscall(SYS_rseq, r, sizeof(*r), 0, 1) == -1 && errno == EPERM,
		"with another signature: EPERM");
	ok(syscall(SYS_rseq, &other, sizeof(other), 0, RSEQ_SIG) == -1 && errno == EINVAL,
		"another area: EINVAL");
	ok(syscall(SYS_rseq, r, sizeof(*r), 2, RSEQ_SIG) == -1 && errno == EINVAL,
		"an unknown flag: EINVAL");
	ok(syscall(SYS_rseq, r, sizeof(*r), RSEQ_FLAG_UNREGISTER, 1) == -1 && errno == EPERM,
		"unregister with another signature: EPERM");
	ok(!syscall(SYS_rseq, r, sizeof(*r), RSEQ_FLAG_UNREGISTER, RSEQ_SIG), "unregister");
	ok(r->cpu_id == (uint32_t)RSEQ_CPU_ID_UNINITIALIZED, "the area says so");
	ok(syscall(SYS_rseq, (char *)r + 1, sizeof(*r), 0, RSEQ_SIG) == -1 && errno == EINVAL,
		"not aligned: EINVAL");
	ok(!syscall(SYS_rseq, r, sizeof(*r), 0, RSEQ_SIG), "register again");
	ok(r->cpu_id == r->cpu_id_start && r->cpu_id < CPU_SETSIZE,
		"the CPU's number is there at once");
}

static void test_signal(void)
{
	struct itimerval tv = { .it_value = { 0, 20000 } };

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &tv, NULL);
	ok(spin_in_section() == 1, "a signal or a switch aborts the section");
	while (!alarms)
		sched_yield();
	ok(area()->rseq_cs == 0, "and the section is left");
}

/* A process that computes, on the one CPU that the caller is bound to from now on. */
static pid_t start_rival(cpu_set_t *before)
{
	cpu_set_t one;
	pid_t pid;

	sched_getaffinity(0, sizeof(*before), before);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	pid = fork();
	if (pid == 0) {
		for (;;)
			__asm__ volatile("pause");
	}
	return pid;
}

static void end_rival(pid_t pid, const cpu_set_t *before)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	sched_setaffinity(0, sizeof(*before), before);
}

static void test_preemption(void)
{
	cpu_set_t all;
	pid_t rival = start_rival(&all);

	ok(spin_in_section() == 1, "being switched out aborts the section");
	end_rival(rival, &all);
}

static void test_fork(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(syscall(SYS_rseq, area(), sizeof(struct rseq), 0, RSEQ_SIG) == -1 &&
					errno == EBUSY
				? 0
				: 1);
	ok(waitpid(pid, &status, 0) == pid && status == 0,
		"a forked child inherits the registration");
}

static void test_bad_section(void)
{
	cpu_set_t all;
	pid_t rival = start_rival(&all), pid;
	int status = 0;

	pid = fork();
	if (pid == 0) {
		static uint64_t bad[4] __attribute__((aligned(32))) = { 0, 0x1000, 16, 0x2000 };

		area()->rseq_cs = (uintptr_t)bad;
		for (;;)
			sched_yield();
	}
	/* It dies as soon as it was switched out once. */
	for (int i = 0; i < 3000 && waitpid(pid, &status, WNOHANG) == 0; i++)
		usleep(20000);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV,
		"a section without signature is SIGSEGV");
	end_rival(rival, &all);
}

int main(void)
{
	bool same = false;

	ok(__rseq_size >= 20, "glibc has registered an area");
	/* A switch to another CPU may come between the two. */
	for (int i = 0; i < 100 && !same; i++)
		same = area()->cpu_id == (uint32_t)sched_getcpu();
	ok(same, "it holds the CPU's number");
	test_errors();
	test_signal();
	test_preemption();
	test_fork();
	test_bad_section();
	return tap_end();
}
