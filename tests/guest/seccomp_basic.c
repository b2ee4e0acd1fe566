/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp(2) and prctl(PR_SET_SECCOMP): actions, their order, arguments, inheritance, threads, and programs that are refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guest/tap.h"

#define LEN(a)	  (sizeof(a) / sizeof((a)[0]))
#define LOAD(m)	  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, m))
#define RET(v)	  BPF_STMT(BPF_RET | BPF_K, v)
#define FAILS(no) RET(SECCOMP_RET_ERRNO | (no))

/* Runs fn in a child that may have filters; its wait status. */
static int in_child(void (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}
#define EXITS(fn, code) (in_child(fn) == ((code) << 8))

static long install(const struct sock_filter *f, size_t n, unsigned flags)
{
	struct sock_fprog p = { (unsigned short)n, (struct sock_filter *)(uintptr_t)f };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

/* `action` for one call, ALLOW for the rest. */
static long on_call(int nr, uint32_t action, unsigned flags)
{
	const struct sock_filter f[] = { LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1), RET(action),
		RET(SECCOMP_RET_ALLOW) };

	return install(f, LEN(f), flags);
}

static void need(bool cond)
{
	if (!cond)
		_exit(99);
}

static void no_new_privs(void)
{
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

static void act_errno(void)
{
	no_new_privs();
	need(prctl(PR_GET_SECCOMP) == 0);
	need(on_call(SYS_getppid, SECCOMP_RET_ERRNO | 77, 0) == 0);
	need(prctl(PR_GET_SECCOMP) == 2);
	errno = 0;
	need(syscall(SYS_getppid) == -1 && errno == 77);
	need(syscall(SYS_getpid) > 0);
	/* Above the largest there is. */
	need(on_call(SYS_getppid, SECCOMP_RET_ERRNO | 5000, 0) == 0);
	errno = 0;
	need(syscall(SYS_getppid) == -1 && errno == 4095);
}

static void act_errno_zero(void)
{
	no_new_privs();
	need(on_call(SYS_getppid, SECCOMP_RET_ERRNO, 0) == 0);
	need(syscall(SYS_getppid) == 0);
}

static void act_kill_process(void)
{
	no_new_privs();
	need(on_call(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0) == 0);
	syscall(SYS_getppid);
}

static void act_kill_last_thread(void)
{
	no_new_privs();
	need(on_call(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0) == 0);
	syscall(SYS_getppid);
}

static void act_unknown(void)
{
	no_new_privs();
	need(on_call(SYS_getppid, 0x12340000, 0) == 0);
	syscall(SYS_getppid);
}

static void *call_getppid(void *arg)
{
	syscall(SYS_getppid);
	return arg;
}

static void act_kill_thread(void)
{
	pthread_t t;

	no_new_privs();
	need(on_call(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0) == 0);
	need(pthread_create(&t, NULL, call_getppid, NULL) == 0);
	/* It ends without telling the C library: its id goes away in the kernel. */
	usleep(200000);
	_exit(7);
}

static void act_kill_process_from_thread(void)
{
	pthread_t t;

	no_new_privs();
	need(on_call(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0) == 0);
	need(pthread_create(&t, NULL, call_getppid, NULL) == 0);
	pthread_join(t, NULL);
	_exit(7);
}

static volatile siginfo_t trapped;
static volatile int traps;

static void on_sigsys(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	memcpy((void *)(uintptr_t)&trapped, si, sizeof(*si));
	traps++;
}

static void act_trap(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
	long ret;

	no_new_privs();
	need(sigaction(SIGSYS, &sa, NULL) == 0);
	need(on_call(SYS_getppid, SECCOMP_RET_TRAP | 55, 0) == 0);
	ret = syscall(SYS_getppid);
	need(traps == 1);
	need(trapped.si_signo == SIGSYS && trapped.si_code == 1 && trapped.si_errno == 55);
	need(trapped.si_syscall == SYS_getppid && trapped.si_arch == AUDIT_ARCH_X86_64);
	need(trapped.si_call_addr != NULL);
	/* The register that holds the result still has the number. */
	need(ret == SYS_getppid);
}

static void act_trap_unhandled(void)
{
	sigset_t all;

	no_new_privs();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGSYS, SIG_IGN);
	need(on_call(SYS_getppid, SECCOMP_RET_TRAP, 0) == 0);
	syscall(SYS_getppid);
}

static void act_trace(void)
{
	no_new_privs();
	need(on_call(SYS_getppid, SECCOMP_RET_TRACE | 1, 0) == 0);
	errno = 0;
	need(syscall(SYS_getppid) == -1 && errno == ENOSYS);
}

static void act_log(void)
{
	no_new_privs();
	need(on_call(SYS_getppid, SECCOMP_RET_LOG, SECCOMP_FILTER_FLAG_LOG) == 0);
	need(syscall(SYS_getppid) > 0);
}

/* The strictest wins, whatever the order; of equals the newest. */
static void precedence(void)
{
	no_new_privs();
	need(on_call(SYS_getppid, SECCOMP_RET_ERRNO | 5, 0) == 0);
	need(on_call(SYS_getppid, SECCOMP_RET_ALLOW, 0) == 0);
	errno = 0;
	need(syscall(SYS_getppid) == -1 && errno == 5);
	need(on_call(SYS_getppid, SECCOMP_RET_ERRNO | 6, 0) == 0);
	errno = 0;
	need(syscall(SYS_getppid) == -1 && errno == 6);
	need(on_call(SYS_getppid, SECCOMP_RET_TRACE, 0) == 0);
	errno = 0;
	need(syscall(SYS_getppid) == -1 && errno == 6);
	need(on_call(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0) == 0);
	syscall(SYS_getppid);
}

/* A program that uses every kind of instruction: errno = a value computed of the arguments. */
static void arithmetic(void)
{
	const struct sock_filter f[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		RET(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
		RET(SECCOMP_RET_ALLOW),
		LOAD(args[0]), /* 40 */
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LD | BPF_IMM, 2),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), /* 42 */
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 10), /* 420 */
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 4), /* 105 */
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 5), /* 100 */
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2), /* 400 */
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1), /* 200 */
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 8), /* 192 */
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 3), /* 195 */
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfe), /* 194 */
		BPF_STMT(BPF_STX, 15), /* 40 */
		BPF_STMT(BPF_LDX | BPF_MEM, 15),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0), /* 154 */
		BPF_STMT(BPF_ALU | BPF_NEG, 0), /* -154 */
		BPF_STMT(BPF_ALU | BPF_NEG, 0),
		BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), /* 64 */
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0), /* 90 */
		BPF_STMT(BPF_LDX | BPF_IMM, 50),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_X, 0, 1, 0),
		RET(SECCOMP_RET_KILL_PROCESS),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 91, 0, 1),
		RET(SECCOMP_RET_KILL_PROCESS),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 2, 1, 0),
		RET(SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_JMP | BPF_JA, 1),
		RET(SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	no_new_privs();
	need(install(f, LEN(f), 0) == 0);
	errno = 0;
	need(syscall(SYS_getppid, 40) == -1 && errno == 90);
}

/* A division by a register that is 0 ends the program with 0: kill the thread. */
static void division(void)
{
	const struct sock_filter f[] = { LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 2),
		BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
		RET(SECCOMP_RET_ALLOW) };

	no_new_privs();
	need(install(f, LEN(f), 0) == 0);
	syscall(SYS_getppid);
}

static void inherit(void)
{
	int status;
	pid_t pid;

	no_new_privs();
	need(on_call(SYS_getppid, SECCOMP_RET_ERRNO | 9, 0) == 0);
	pid = fork();
	if (pid == 0) {
		char name[] = "seccomp_basic", word[] = "exec-child";
		char *argv[] = { name, word, NULL };

		need(syscall(SYS_getppid) == -1 && errno == 9);
		execv("/proc/self/exe", argv);
		_exit(98);
	}
	need(waitpid(pid, &status, 0) == pid && status == 5 << 8);
	/* The child's filters are its own. */
	pid = fork();
	if (pid == 0) {
		need(on_call(SYS_getuid, SECCOMP_RET_ERRNO | 9, 0) == 0);
		_exit(0);
	}
	need(waitpid(pid, &status, 0) == pid && status == 0);
	need(syscall(SYS_getuid) != -1);
}

static int filters_of(const char *what)
{
	char buf[8192], *p;
	FILE *f = fopen("/proc/thread-self/status", "r");
	size_t n = f ? fread(buf, 1, sizeof(buf) - 1, f) : 0;

	if (f)
		fclose(f);
	buf[n] = 0;
	p = strstr(buf, what);
	return p ? atoi(p + strlen(what)) : -1;
}

static pthread_barrier_t barrier;

static void *sync_thread(void *arg)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	errno = 0;
	*(int *)arg = (int)syscall(SYS_getppid) == -1 ? errno : 0;
	return NULL;
}

static void tsync(void)
{
	pthread_t t;
	int got = -1;

	no_new_privs();
	pthread_barrier_init(&barrier, NULL, 2);
	need(pthread_create(&t, NULL, sync_thread, &got) == 0);
	pthread_barrier_wait(&barrier);
	need(on_call(SYS_getppid, SECCOMP_RET_ERRNO | 33, SECCOMP_FILTER_FLAG_TSYNC) == 0);
	pthread_barrier_wait(&barrier);
	need(pthread_join(t, NULL) == 0);
	need(got == 33);
	need(filters_of("Seccomp:\t") == 2 && filters_of("Seccomp_filters:\t") == 1);
}

static void *stranger_thread(void *arg)
{
	*(long *)arg = on_call(SYS_getuid, SECCOMP_RET_ERRNO | 1, 0);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void tsync_stranger(void)
{
	pthread_t t;
	long got = -1;

	no_new_privs();
	pthread_barrier_init(&barrier, NULL, 2);
	need(pthread_create(&t, NULL, stranger_thread, &got) == 0);
	pthread_barrier_wait(&barrier);
	need(got == 0);
	need(on_call(SYS_getppid, SECCOMP_RET_ERRNO | 33, SECCOMP_FILTER_FLAG_TSYNC) > 0);
	errno = 0;
	need(on_call(SYS_getppid, SECCOMP_RET_ERRNO | 33,
		     SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH) == -1 &&
		errno == ESRCH);
	need(syscall(SYS_getppid) != -1);
	pthread_barrier_wait(&barrier);
	pthread_join(t, NULL);
}

static void strict(void)
{
	char c = 'x';
	int p[2];

	need(pipe(p) == 0);
	need(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == 0);
	if (write(p[1], &c, 1) == 1 && read(p[0], &c, 1) == 1)
		syscall(SYS_exit, 3);
	syscall(SYS_exit, 4);
}

static void strict_kills(void)
{
	need(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL) == 0);
	syscall(SYS_getpid);
}

static void old_prctl(void)
{
	const struct sock_filter f[] = { LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1), FAILS(11),
		RET(SECCOMP_RET_ALLOW) };
	struct sock_fprog p = { LEN(f), (struct sock_filter *)(uintptr_t)f };

	no_new_privs();
	need(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p, 0, 0) == 0);
	errno = 0;
	need(syscall(SYS_getppid) == -1 && errno == 11);
	/* No way from filters to the strict mode. */
	need(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == -1 && errno == EINVAL);
	need(prctl(PR_SET_SECCOMP, 0, 0, 0, 0) == -1 && errno == EINVAL);
	need(prctl(PR_SET_SECCOMP, 3, 0, 0, 0) == -1 && errno == EINVAL);
}

static void privileges(void)
{
	const struct sock_filter f[] = { RET(SECCOMP_RET_ALLOW) };

	if (setresuid(12345, 12345, 12345) < 0)
		_exit(0); /* not root: the next line says the same */
	errno = 0;
	need(install(f, 1, 0) == -1 && errno == EACCES);
	no_new_privs();
	need(install(f, 1, 0) == 0);
}

static void bad_arguments(void)
{
	const struct sock_filter f[] = { RET(SECCOMP_RET_ALLOW) };
	uint32_t action = SECCOMP_RET_TRAP;

	no_new_privs();
	need(install(f, 0, 0) == -1 && errno == EINVAL);
	need(install(f, 5000, 0) == -1 && errno == EINVAL);
	need(install((void *)1, 1, 0) == -1 && errno == EFAULT);
	need(install(f, 1, 0x80000000) == -1 && errno == EINVAL);
	need(syscall(SYS_seccomp, 99, 0, NULL) == -1 && errno == EINVAL);
	need(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL) == -1 && errno == EINVAL);
	need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == -1 && errno == EFAULT);
	need(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
	action = SECCOMP_RET_ERRNO;
	need(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
	action = 0x12340000;
	need(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == -1 &&
		errno == EOPNOTSUPP);
	need(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action) == -1 && errno == EINVAL);
}

/* Programs that no kernel takes. */
static void bad_programs(void)
{
#define ALLOW RET(SECCOMP_RET_ALLOW)
	static const struct {
		struct sock_filter f[3];
		size_t n;
	} bad[] = {
		{ { LOAD(nr) }, 1 }, /* no return at the end */
		{ { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), ALLOW }, 2 },
		{ { BPF_STMT(BPF_JMP | BPF_JA, 1), ALLOW }, 2 },
		{ { BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), ALLOW }, 2 },
		{ { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ALLOW }, 2 }, /* not aligned */
		{ { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(struct seccomp_data)), ALLOW }, 2 },
		{ { BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), ALLOW }, 2 },
		{ { BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ALLOW }, 2 },
		{ { BPF_STMT(BPF_LD | BPF_MEM, 0), ALLOW }, 2 }, /* never written */
		{ { BPF_STMT(BPF_ST, 16), ALLOW }, 2 },
		{ { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALLOW }, 2 },
		{ { BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), ALLOW }, 2 },
		{ { BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), ALLOW }, 2 },
		{ { BPF_STMT(BPF_RET | BPF_X, 0) }, 1 },
		{ { { 0xffff, 0, 0, 0 }, ALLOW }, 2 },
		/* Written on one way only. */
		{ { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_ST, 1),
			  BPF_STMT(BPF_LD | BPF_MEM, 1) },
			3 },
	};

	no_new_privs();
	for (size_t i = 0; i < LEN(bad); i++) {
		errno = 0;
		if (install(bad[i].f, bad[i].n, 0) != -1 || errno != EINVAL)
			_exit((int)i + 1);
	}
}

/* A chain has its limit; how the kernel counts is its own business. */
static void too_many(void)
{
	struct sock_filter f[BPF_MAXINSNS];
	int n = 0;

	no_new_privs();
	for (size_t i = 0; i < LEN(f); i++)
		f[i] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
	while (n < 100 && install(f, LEN(f), 0) == 0)
		n++;
	need(n >= 1 && n <= 8 && errno == ENOMEM);
	need(filters_of("Seccomp_filters:\t") == n);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) /* after exec, with the filter of inherit() */
		return syscall(SYS_getppid) == -1 && errno == 9 ? 5 : 6;
	ok(EXITS(act_errno, 0), "ERRNO gives its number, at most 4095");
	ok(EXITS(act_errno_zero, 0), "ERRNO 0 is a success that does nothing");
	ok(WTERMSIG(in_child(act_kill_process)) == SIGSYS, "KILL_PROCESS ends by SIGSYS");
	ok(WTERMSIG(in_child(act_kill_last_thread)) == SIGSYS,
		"KILL_THREAD of the only thread too");
	ok(WTERMSIG(in_child(act_unknown)) == SIGSYS, "an unknown action kills");
	ok(EXITS(act_kill_thread, 7), "KILL_THREAD ends one thread");
	ok(WTERMSIG(in_child(act_kill_process_from_thread)) == SIGSYS,
		"KILL_PROCESS of a thread ends them all");
	ok(EXITS(act_trap, 0), "TRAP sends SIGSYS and says why");
	ok(WTERMSIG(in_child(act_trap_unhandled)) == SIGSYS,
		"a blocked and ignored SIGSYS of TRAP kills");
	ok(EXITS(act_trace, 0), "TRACE without a tracer is ENOSYS");
	ok(EXITS(act_log, 0), "LOG lets the call run");
	ok(WTERMSIG(in_child(precedence)) == SIGSYS, "the strictest action of all filters counts");
	ok(EXITS(arithmetic, 0), "every kind of instruction");
	ok(WTERMSIG(in_child(division)) == SIGSYS, "a division by 0 kills");
	ok(EXITS(inherit, 0), "filters go to children and through exec");
	ok(EXITS(tsync, 0), "TSYNC reaches the other threads");
	ok(EXITS(tsync_stranger, 0), "TSYNC fails for a thread with filters of its own");
	ok(EXITS(strict, 3), "strict mode: read, write, exit");
	ok(WTERMSIG(in_child(strict_kills)) == SIGKILL, "strict mode kills for anything else");
	ok(EXITS(old_prctl, 0), "prctl(PR_SET_SECCOMP)");
	ok(EXITS(privileges, 0), "without privileges only with no_new_privs");
	ok(EXITS(bad_arguments, 0), "bad arguments");
	ok(EXITS(bad_programs, 0), "bad programs");
	ok(EXITS(too_many, 0), "too many instructions");
	return tap_end();
}
