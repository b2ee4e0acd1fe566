/* SPDX-License-Identifier: Apache-2.0 */
/* Many processes and threads that fork, execute, signal, wait and die at once. Prints the same whatever the timing is. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/tap.h"

#define WORKERS 6
#define ROUNDS	40

static void on_signal(int sig)
{
}

static void handle(int sig)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_signal;
	sa.sa_flags = SA_RESTART;
	sigaction(sig, &sa, NULL);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return status;
}

static void *spin(void *arg)
{
	volatile int i;

	for (i = 0; i < 20000; i++)
		;
	return arg;
}

static void *spin_for_ever(void *arg)
{
	for (;;)
		sched_yield();
	return NULL;
}

static int threads_and_exit(int round)
{
	pthread_t t[4];
	int i;

	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, round % 2 ? spin_for_ever : spin, NULL);
	if (round % 2)
		_exit(round & 0x3f);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	return round & 0x3f;
}

static void *exec_self(void *arg)
{
	char *argv[] = { (char *)(size_t) "x", arg, NULL };

	execv((const char *)getauxval(AT_EXECFN), argv);
	_exit(99);
}

static __attribute__((noreturn)) void exec_with_threads(int round)
{
	static char text[8];
	pthread_t t;

	snprintf(text, sizeof(text), "%d", round & 0x3f);
	pthread_create(&t, NULL, spin_for_ever, NULL);
	pthread_create(&t, NULL, spin_for_ever, NULL);
	if (round % 3 == 0)
		exec_self(text);
	pthread_create(&t, NULL, exec_self, text);
	for (;;)
		pause();
}

static bool one_round(int round)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (round % 4 == 0)
			exec_with_threads(round);
		if (round % 4 == 3) {
			raise(SIGSTOP);
			_exit(round & 0x3f);
		}
		_exit(threads_and_exit(round));
	}
	if (round % 4 == 3) {
		/* Stopped, continued, sometimes killed in between. */
		if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
			return false;
		kill(pid, round % 8 == 3 ? SIGKILL : SIGCONT);
		status = wait_for(pid);
		return round % 8 == 3 ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
				      : WIFEXITED(status) && WEXITSTATUS(status) == (round & 0x3f);
	}
	status = wait_for(pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == (round & 0x3f);
}

static int worker(void)
{
	int round;

	handle(SIGUSR1);
	for (round = 0; round < ROUNDS; round++) {
		if (!one_round(round))
			return 1;
		kill(getppid(), SIGUSR1);
	}
	return 0;
}

static void test_kill_storm(void)
{
	pid_t group;
	bool good = true;
	int i, round;

	for (round = 0; round < 10; round++) {
		group = fork();
		if (group == 0) {
			setpgid(0, 0);
			for (i = 0; i < 4; i++) {
				if (fork() == 0)
					break;
			}
			for (;;) {
				pid_t p = fork();

				if (p == 0)
					_exit(0);
				waitpid(p, NULL, 0);
			}
		}
		setpgid(group, group);
		usleep(5000);
		while (kill(-group, SIGKILL) == 0 && waitpid(group, NULL, WNOHANG) == 0)
			usleep(1000);
		good = good && (waitpid(group, NULL, 0) == group || errno == ECHILD);
	}
	ok(good, "process groups that fork are killed");
}

static int all(void)
{
	pid_t pid[WORKERS];
	bool good = true;
	int i;

	handle(SIGUSR1);
	for (i = 0; i < WORKERS; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			_exit(worker());
	}
	for (i = 0; i < WORKERS; i++)
		good = wait_for(pid[i]) == 0 && good;
	ok(good, "forks, execs, threads, stops and signals at once");
	test_kill_storm();
	ok(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "no child is left");
	return tap_end();
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc > 1)
		return atoi(argv[1]);
	/* Not in this process: as the first one of a container it would inherit the orphans. */
	pid = fork();
	if (pid == 0)
		_exit(all());
	return wait_for(pid) == 0 ? 0 : 1;
}
