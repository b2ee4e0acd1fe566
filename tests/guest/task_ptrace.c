/* SPDX-License-Identifier: Apache-2.0 */
/* ptrace(2): attaching, stops and events, registers and memory, signals, seccomp, threads, and what waiting for tracees means. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "ptrace_tap.h"

static volatile unsigned long cell = 0x1122334455667788;
static volatile int handled;

static void on_signal(int sig)
{
	handled = sig;
}

static void child_nothing(void)
{
}

static void test_traceme(void)
{
	pid_t pid = fork();
	siginfo_t info;
	int status;

	if (pid == 0) {
		if (trace(PTRACE_TRACEME, 0, 0, 0) != 0)
			_exit(1);
		if (trace(PTRACE_TRACEME, 0, 0, 0) != -1 || errno != EPERM)
			_exit(2);
		signal(SIGUSR1, on_signal);
		raise(SIGUSR1);
		raise(SIGUSR2);
		_exit(handled == SIGUSR1 ? 7 : 3);
	}
	status = wait_pid(pid);
	ok(stopped_by(status, SIGUSR1), "traceme: a signal stops");
	ok(trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&info) == 0 &&
			info.si_signo == SIGUSR1 && info.si_code == SI_TKILL && info.si_pid == pid,
		"getsiginfo: as sent");
	ok(trace(PTRACE_CONT, pid, 0, 65) == -1 && errno == EIO, "cont: no such signal");
	trace(PTRACE_CONT, pid, 0, SIGUSR1);
	status = wait_pid(pid);
	ok(stopped_by(status, SIGUSR2), "cont: goes on to the next one");
	memset(&info, 0, sizeof(info));
	ok(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | __WALL) == 0 && info.si_pid == 0,
		"waitid: a stop is reported once");
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "cont: dropped one, delivered one");
	ok(trace(PTRACE_CONT, getpid(), 0, 0) == -1 && errno == ESRCH, "cont: no tracee");
	ok(trace(PTRACE_ATTACH, getpid(), 0, 0) == -1 && errno == EPERM, "attach: not oneself");
	ok(trace(PTRACE_ATTACH, 0, 0, 0) == -1 && errno == ESRCH, "attach: nobody");
}

static int tracer_pid(pid_t pid, char *state)
{
	char path[64], buf[4096], *p;
	int fd, tracer = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY);
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	buf[n] = '\0';
	p = strstr(buf, "TracerPid:");
	if (p)
		tracer = atoi(p + 10);
	p = strstr(buf, "State:\t");
	*state = p ? p[7] : '?';
	return tracer;
}

static void test_attach(void)
{
	pid_t pid = fork();
	siginfo_t info;
	char state;
	int status;

	if (pid == 0) {
		for (;;)
			pause();
	}
	ok(tracer_pid(pid, &state) == 0, "status: not traced");
	ok(trace(PTRACE_PEEKDATA, pid, (unsigned long)&cell, (unsigned long)&info) == -1 &&
			errno == ESRCH,
		"peek: not attached");
	ok(trace(PTRACE_ATTACH, pid, 0, 0) == 0, "attach");
	ok(trace(PTRACE_ATTACH, pid, 0, 0) == -1 && errno == EPERM, "attach: once");
	status = wait_pid(pid);
	ok(stopped_by(status, SIGSTOP), "attach: SIGSTOP");
	ok(tracer_pid(pid, &state) == getpid() && state == 't', "status: tracer and state");
	trace(PTRACE_CONT, pid, 0, SIGSTOP);
	status = wait_pid(pid);
	ok(stopped_by(status, SIGSTOP), "cont with SIGSTOP: the stop of the process");
	ok(trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&info) == -1 && errno == EINVAL,
		"getsiginfo: none in a group stop");
	ok(trace(PTRACE_DETACH, pid, 0, 0) == 0, "detach");
	kill(pid, SIGCONT);
	usleep(20000);
	ok(tracer_pid(pid, &state) == 0 && state == 'S', "detached, continued");
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	ok(trace(PTRACE_ATTACH, pid, 0, 0) == 0, "attach to a stopped one");
	status = wait_pid(pid);
	ok(stopped_by(status, SIGSTOP), "attach to a stopped one: in a stop at once");
	end(pid);
}

static void child_cell(void)
{
	_exit(cell == 99 ? 7 : 1);
}

static void test_memory(void)
{
	pid_t pid = traced_child(child_cell);
	unsigned long word = 0, other;
	char path[64];
	int fd, status;

	ok(trace(PTRACE_PEEKDATA, pid, (unsigned long)&cell, (unsigned long)&word) == 0 &&
			word == 0x1122334455667788,
		"peekdata");
	ok(trace(PTRACE_PEEKTEXT, pid, (unsigned long)child_cell, (unsigned long)&word) == 0 &&
			word == *(unsigned long *)child_cell,
		"peektext");
	ok(trace(PTRACE_PEEKDATA, pid, 16, (unsigned long)&word) == -1 && errno == EIO,
		"peekdata: nothing there");
	ok(trace(PTRACE_PEEKDATA, pid, (unsigned long)&cell, 16) == -1 && errno == EFAULT,
		"peekdata: nowhere to put it");
	ok(trace(PTRACE_POKETEXT, pid, (unsigned long)child_nothing, 0xcc) == 0,
		"poketext: read-only text");
	ok(trace(PTRACE_POKEDATA, pid, (unsigned long)&cell, 5) == 0, "pokedata");
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	ok(pread(fd, &other, sizeof(other), (off_t)&cell) == 8 && other == 5, "mem: read");
	other = 99;
	ok(pwrite(fd, &other, sizeof(other), (off_t)&cell) == 8, "mem: write");
	ok(pread(fd, &other, sizeof(other), 16) == -1 && errno == EIO, "mem: nothing there");
	close(fd);
	ok(cell == 0x1122334455667788, "our own is as it was");
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "what was written is there");
}

static void child_calls(void)
{
	long a = syscall(SYS_getpid), b = syscall(SYS_getppid), c = syscall(SYS_getuid);

	_exit(a == -42 && b == getpid() && c == 0 ? 7 : 1);
}

static void test_calls(void)
{
	pid_t pid = traced_child(child_calls);
	struct ptrace_syscall_info info;
	struct user_regs_struct regs;
	int status;

	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	memset(&info, 0xff, sizeof(info));
	ok(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info) == 24 &&
			info.op == PTRACE_SYSCALL_INFO_NONE,
		"syscall info: in a signal");
	trace(PTRACE_SYSCALL, pid, 0, 0);
	wait_pid(pid);
	ok(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info) == 80 &&
			info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_getpid &&
			info.arch == 0xc000003e,
		"syscall info: entry");
	trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.orig_rax), (unsigned long)-1);
	trace(PTRACE_SYSCALL, pid, 0, 0);
	wait_pid(pid);
	ok(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info) == 33 &&
			info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.is_error == 1 &&
			info.exit.rval == -ENOSYS,
		"syscall info: exit of a call left out");
	trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.rax), (unsigned long)-42);
	trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);
	ok(regs.rax == (unsigned long)-42, "a result of the tracer's");
	trace(PTRACE_SYSCALL, pid, 0, 0);
	wait_pid(pid);
	trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.orig_rax), SYS_getpid);
	trace(PTRACE_SYSCALL, pid, 0, 0);
	wait_pid(pid);
	ok(trace(PTRACE_GET_SYSCALL_INFO, pid, 8, (unsigned long)&info) == 33,
		"syscall info: short");
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1, "errno of a result of the tracer's");
}

static void child_sysemu(void)
{
	long a = syscall(SYS_kill, getpid(), SIGKILL);

	_exit(a == 5 ? 7 : 1);
}

static void test_sysemu(void)
{
	pid_t pid = traced_child(child_sysemu);
	struct user_regs_struct regs;
	int i, status = 0;

	for (i = 0; i < 3; i++) {
		trace(PTRACE_SYSEMU, pid, 0, 0);
		status = wait_pid(pid);
		trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);
		if (regs.orig_rax == SYS_kill)
			break;
		regs.rax = 1;
		trace(PTRACE_SETREGS, pid, 0, (unsigned long)&regs);
	}
	ok(stopped_by(status, SIGTRAP) && regs.orig_rax == SYS_kill, "sysemu: stop");
	regs.rax = 5;
	trace(PTRACE_SETREGS, pid, 0, (unsigned long)&regs);
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "sysemu: the call was not made");
}

static void child_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(3);
	waitpid(pid, NULL, 0);
	pid = vfork();
	if (pid == 0)
		_exit(4);
	waitpid(pid, NULL, 0);
	_exit(7);
}

/* Let both run until the child of `pid` is gone; the number of its exit status. */
static int follow_child(pid_t pid)
{
	unsigned long msg = 0;
	int status;
	pid_t child;

	trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&msg);
	child = (pid_t)msg;
	status = wait_pid(child);
	if (!stopped_by(status, SIGSTOP))
		return -1;
	trace(PTRACE_CONT, child, 0, 0);
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(child);
	if (stopped_by(status, event_code(PTRACE_EVENT_EXIT))) {
		trace(PTRACE_GETEVENTMSG, child, 0, (unsigned long)&msg);
		trace(PTRACE_CONT, child, 0, 0);
		if (wait_pid(child) != (int)msg)
			return -2;
		return WEXITSTATUS((int)msg);
	}
	return -3;
}

static void test_fork_events(void)
{
	pid_t pid = traced_child(child_fork);
	int status;

	ok(trace(PTRACE_SETOPTIONS, pid, 0, 1UL << 31) == -1 && errno == EINVAL,
		"setoptions: unknown");
	ok(trace(PTRACE_SETOPTIONS, pid, 0,
		   PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE |
			   PTRACE_O_TRACEEXIT) == 0,
		"setoptions");
	trace(PTRACE_CONT, pid, 0, 0);
	ok(stopped_by(wait_pid(pid), event_code(PTRACE_EVENT_FORK)), "event: fork");
	ok(follow_child(pid) == 3, "event: fork: the child is traced, its end is an event");
	ok(stopped_by(wait_pid(pid), SIGCHLD), "the parent gets its SIGCHLD");
	trace(PTRACE_CONT, pid, 0, SIGCHLD);
	ok(stopped_by(wait_pid(pid), event_code(PTRACE_EVENT_VFORK)), "event: vfork");
	ok(follow_child(pid) == 4, "event: vfork: the child");
	status = wait_pid(pid);
	if (stopped_by(status, SIGCHLD)) {
		trace(PTRACE_CONT, pid, 0, 0);
		status = wait_pid(pid);
	}
	ok(stopped_by(status, event_code(PTRACE_EVENT_VFORK_DONE)), "event: vfork is done");
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	if (stopped_by(status, SIGCHLD)) {
		trace(PTRACE_CONT, pid, 0, 0);
		status = wait_pid(pid);
	}
	ok(stopped_by(status, event_code(PTRACE_EVENT_EXIT)), "event: exit");
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "the end");
}

static char self[4096];

static void child_exec(void)
{
	execl(self, "task_ptrace", "exit", NULL);
	_exit(1);
}

static void test_exec(void)
{
	pid_t pid = traced_child(child_exec);
	struct user_regs_struct regs;
	unsigned long msg = 0;
	int status;

	trace(PTRACE_CONT, pid, 0, 0);
	ok(stopped_by(wait_pid(pid), SIGTRAP), "exec: SIGTRAP without the option");
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 9, "exec: the new program");
	pid = traced_child(child_exec);
	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD);
	trace(PTRACE_CONT, pid, 0, 0);
	ok(stopped_by(wait_pid(pid), event_code(PTRACE_EVENT_EXEC)), "event: exec");
	ok(trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&msg) == 0 && msg == (unsigned long)pid,
		"event: exec: the old id");
	trace(PTRACE_SYSCALL, pid, 0, 0);
	ok(stopped_by(wait_pid(pid), SIGTRAP | 0x80), "exec: the end of the call");
	trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);
	ok(regs.orig_rax == SYS_execve && regs.rax == 0, "exec: its result");
	end(pid);
}

static int restart_pipe[2];

static void child_restart(void)
{
	char c;

	signal(SIGUSR1, SIG_IGN);
	_exit(read(restart_pipe[0], &c, 1) == 1 ? 7 : 1);
}

static void test_seize(void)
{
	unsigned long msg = 1;
	siginfo_t info;
	pid_t pid;
	int status;

	ok(pipe(restart_pipe) == 0, "seize: a pipe to read from");
	pid = fork();
	if (pid == 0)
		child_restart();
	usleep(20000);
	ok(trace(PTRACE_SEIZE, pid, 1, 0) == -1 && errno == EIO, "seize: address must be 0");
	ok(trace(PTRACE_SEIZE, pid, 0, 1UL << 31) == -1 && errno == EIO, "seize: unknown options");
	ok(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXIT) == 0, "seize");
	ok(waitpid(pid, &status, WNOHANG | __WALL) == 0, "seize: does not stop");
	ok(trace(PTRACE_CONT, pid, 0, 0) == -1 && errno == ESRCH, "seize: runs");
	ok(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0, "interrupt");
	status = wait_pid(pid);
	ok(stopped_by(status, event_code(PTRACE_EVENT_STOP)), "interrupt: stop");
	ok(trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&info) == 0 &&
			info.si_code == event_code(PTRACE_EVENT_STOP),
		"interrupt: siginfo");
	ok(trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&msg) == 0 && msg == 0, "geteventmsg");
	trace(PTRACE_CONT, pid, 0, 0);
	kill(pid, SIGUSR1);
	status = wait_pid(pid);
	ok(stopped_by(status, SIGUSR1), "an ignored signal stops all the same");
	trace(PTRACE_CONT, pid, 0, SIGUSR1);
	ok(write(restart_pipe[1], "x", 1) == 1, "seize: something to read");
	ok(stopped_by(wait_pid(pid), event_code(PTRACE_EVENT_EXIT)),
		"the read that was interrupted went on");
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "seize: the end");
}

static void test_listen(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		for (;;)
			pause();
	}
	trace(PTRACE_SEIZE, pid, 0, 0);
	ok(trace(PTRACE_LISTEN, pid, 0, 0) == -1 && errno == ESRCH, "listen: not stopped");
	kill(pid, SIGSTOP);
	status = wait_pid(pid);
	ok(stopped_by(status, SIGSTOP), "seized: SIGSTOP arrives");
	ok(trace(PTRACE_LISTEN, pid, 0, 0) == -1 && errno == EIO, "listen: not in a group stop");
	trace(PTRACE_CONT, pid, 0, SIGSTOP);
	status = wait_pid(pid);
	ok(stopped_by(status, SIGSTOP | PTRACE_EVENT_STOP << 8), "seized: group stop");
	ok(trace(PTRACE_LISTEN, pid, 0, 0) == 0, "listen");
	ok(trace(PTRACE_CONT, pid, 0, 0) == -1 && errno == ESRCH, "listen: no stop for others");
	kill(pid, SIGCONT);
	status = wait_pid(pid);
	ok(stopped_by(status, event_code(PTRACE_EVENT_STOP)), "listen: SIGCONT is news");
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(stopped_by(status, SIGCONT), "seized: SIGCONT itself");
	end(pid);
}

static void child_queue(void)
{
	union sigval v = { .sival_int = 11 };
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigqueue(getpid(), SIGRTMIN + 1, v);
	v.sival_int = 12;
	sigqueue(getpid(), SIGRTMIN + 1, v);
	syscall(SYS_getppid);
	pause();
}

static void test_siginfo(void)
{
	pid_t pid = traced_child(child_queue);
	struct ptrace_peeksiginfo_args args = { .flags = PTRACE_PEEKSIGINFO_SHARED, .nr = 4 };
	siginfo_t info[4];
	unsigned long mask = 0;
	struct user_regs_struct regs;

	do {
		trace(PTRACE_SYSCALL, pid, 0, 0);
		wait_pid(pid);
		trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);
	} while (regs.orig_rax != SYS_getppid);
	ok(trace(PTRACE_PEEKSIGINFO, pid, (unsigned long)&args, (unsigned long)info) == 2 &&
			info[0].si_int == 11 && info[1].si_int == 12,
		"peeksiginfo: the queue of the process");
	args.off = 1;
	ok(trace(PTRACE_PEEKSIGINFO, pid, (unsigned long)&args, (unsigned long)info) == 1 &&
			info[0].si_int == 12,
		"peeksiginfo: from the second");
	args.flags = 0;
	ok(trace(PTRACE_PEEKSIGINFO, pid, (unsigned long)&args, (unsigned long)info) == 0,
		"peeksiginfo: of the thread");
	args.nr = -1;
	ok(trace(PTRACE_PEEKSIGINFO, pid, (unsigned long)&args, (unsigned long)info) == -1 &&
			errno == EINVAL,
		"peeksiginfo: negative");
	ok(trace(PTRACE_GETSIGMASK, pid, 4, (unsigned long)&mask) == -1 && errno == EINVAL,
		"getsigmask: size");
	ok(trace(PTRACE_GETSIGMASK, pid, 8, (unsigned long)&mask) == 0 &&
			!(mask & 1UL << (SIGKILL - 1)) && (mask & 1UL << (SIGUSR1 - 1)),
		"getsigmask");
	mask = ~(1UL << SIGRTMIN);
	ok(trace(PTRACE_SETSIGMASK, pid, 8, (unsigned long)&mask) == 0, "setsigmask");
	trace(PTRACE_CONT, pid, 0, 0);
	ok(stopped_by(wait_pid(pid), SIGRTMIN + 1), "setsigmask: what it let through");
	trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)info);
	info[0].si_int = 13;
	ok(trace(PTRACE_SETSIGINFO, pid, 0, (unsigned long)info) == 0, "setsiginfo");
	trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&info[1]);
	ok(info[1].si_int == 13, "setsiginfo: is there");
	end(pid);
}

static void child_seccomp(void)
{
	struct sock_filter insn[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 77),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = insn };
	long a, b;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
	a = syscall(SYS_getppid);
	b = syscall(SYS_getppid);
	_exit(a == getpid() && b == 1234 ? 7 : 1);
}

static void test_seccomp(void)
{
	pid_t pid = traced_child(child_seccomp);
	struct ptrace_syscall_info info;
	unsigned long msg = 0;
	int status;

	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP);
	trace(PTRACE_CONT, pid, 0, 0);
	ok(stopped_by(wait_pid(pid), event_code(PTRACE_EVENT_SECCOMP)), "seccomp: event");
	ok(trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&msg) == 0 && msg == 77,
		"seccomp: the filter's data");
	ok(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info) == 84 &&
			info.op == PTRACE_SYSCALL_INFO_SECCOMP && info.seccomp.nr == SYS_getppid &&
			info.seccomp.ret_data == 77,
		"seccomp: syscall info");
	trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.orig_rax), SYS_getpid);
	trace(PTRACE_CONT, pid, 0, 0);
	ok(stopped_by(wait_pid(pid), event_code(PTRACE_EVENT_SECCOMP)), "seccomp: the next");
	trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.orig_rax), (unsigned long)-1);
	trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.rax), 1234);
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "seccomp: what the tracer made of them");
}

static int thread_pipe[2];

static void *thread_main(void *arg)
{
	char c;

	if (read(thread_pipe[0], &c, 1) == 1)
		syscall(SYS_exit, 0);
	return arg;
}

static void child_thread(void)
{
	pthread_t t;

	if (pipe(thread_pipe) || pthread_create(&t, NULL, thread_main, NULL))
		_exit(1);
	if (write(thread_pipe[1], "x", 1) != 1)
		_exit(1);
	pthread_join(t, NULL);
	raise(SIGUSR2);
	_exit(7);
}

static void test_threads(void)
{
	pid_t pid = traced_child(child_thread);
	unsigned long msg = 0;
	siginfo_t info;
	pid_t tid;
	int status;

	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
	trace(PTRACE_CONT, pid, 0, 0);
	ok(stopped_by(wait_pid(pid), event_code(PTRACE_EVENT_CLONE)), "event: clone");
	trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&msg);
	tid = (pid_t)msg;
	status = wait_pid(tid);
	ok(stopped_by(status, SIGSTOP), "the thread begins with a stop");
	trace(PTRACE_CONT, tid, 0, 0);
	trace(PTRACE_CONT, pid, 0, 0);
	memset(&info, 0, sizeof(info));
	ok(waitid(P_PID, (id_t)tid, &info, WEXITED | WNOWAIT | __WALL) == 0 && info.si_pid == tid &&
			info.si_code == CLD_EXITED,
		"the thread's end is seen by its tracer");
	status = wait_pid(tid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "and collected");
	ok(stopped_by(wait_pid(pid), SIGUSR2), "the process is there");
	trace(PTRACE_CONT, pid, 0, 0);
	status = wait_pid(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "the process goes on");
}

static void *tracer_thread(void *arg)
{
	pid_t pid = *(pid_t *)arg;

	trace(PTRACE_ATTACH, pid, 0, 0);
	return wait_pid(pid) == (SIGSTOP << 8 | 0x7f) ? arg : NULL;
}

static void test_tracer_end(void)
{
	pid_t pid = fork(), tracer;
	pthread_t thread;
	void *good;
	char state;
	int status;

	if (pid == 0) {
		for (;;)
			pause();
	}
	pthread_create(&thread, NULL, tracer_thread, &pid);
	pthread_join(thread, &good);
	usleep(20000);
	ok(good && tracer_pid(pid, &state) == 0 && state == 'S',
		"the end of a tracing thread frees");
	tracer = fork();
	if (tracer == 0) {
		trace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL);
		_exit(0);
	}
	wait_pid(tracer);
	status = wait_pid(pid);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "exitkill");
}

static int report[2];

/* Traced by a process that is not the parent: both learn of the end, the tracer first. */
static void test_elsewhere(void)
{
	pid_t pid = fork(), tracer;
	char c = 0;
	int status;

	if (pid == 0) {
		for (;;)
			pause();
	}
	if (pipe(report))
		return;
	tracer = fork();
	if (tracer == 0) {
		trace(PTRACE_SEIZE, pid, 0, 0);
		c = write(report[1], "s", 1) != 1;
		kill(pid, SIGTERM);
		status = wait_pid(pid);
		if (!stopped_by(status, SIGTERM))
			_exit(1);
		trace(PTRACE_CONT, pid, 0, SIGTERM);
		usleep(50000);
		c = write(report[1], "e", 1) != 1;
		status = wait_pid(pid);
		_exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : 2);
	}
	ok(read(report[0], &c, 1) == 1 && c == 's', "traced by another");
	ok(waitpid(pid, &status, WNOHANG) == 0, "its stops are not for the parent");
	ok(read(report[0], &c, 1) == 1 && c == 'e', "it ended");
	status = wait_pid(pid);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "the parent learns of the end");
	status = wait_pid(tracer);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "as did the tracer");
}

static void test_kill(void)
{
	pid_t pid = traced_child(child_nothing);
	int status;

	ok(trace(PTRACE_KILL, pid, 0, 0) == 0, "kill");
	status = wait_pid(pid);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "kill: ended");
	pid = traced_child(child_nothing);
	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
	kill(pid, SIGKILL);
	status = wait_pid(pid);
	ok(stopped_by(status, event_code(PTRACE_EVENT_EXIT)), "SIGKILL: stops at the exit event");
	kill(pid, SIGKILL);
	usleep(20000);
	ok(trace(PTRACE_CONT, pid, 0, 0) == 0, "SIGKILL again: changes nothing");
	status = wait_pid(pid);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "SIGKILL: ended");
}

static void test_access(void)
{
	pid_t pid = fork(), other;
	int status;

	if (pid == 0) {
		for (;;)
			pause();
	}
	other = fork();
	if (other == 0) {
		if (setgid(12345) || setuid(12345))
			_exit(1);
		_exit(trace(PTRACE_ATTACH, pid, 0, 0) == -1 && errno == EPERM ? 0 : 2);
	}
	status = wait_pid(other);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "attach: another user's");
	end(pid);
}

int main(int argc, char **argv)
{
	ssize_t n;

	if (argc > 1)
		return 9;
	(void)argv;
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return 1;
	test_traceme();
	test_attach();
	test_memory();
	test_calls();
	test_sysemu();
	test_fork_events();
	test_exec();
	test_seize();
	test_listen();
	test_siginfo();
	test_seccomp();
	test_threads();
	test_tracer_end();
	test_elsewhere();
	test_kill();
	test_access();
	return tap_end();
}
