/* SPDX-License-Identifier: Apache-2.0 */
/* execve, execveat: arguments, environment, auxiliary vector, scripts, close-on-exec, threads, errors. The program executes itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guest/tap.h"

static const char *self;
static char dir[64];

static int run(char *const argv[], char *const envp[])
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execve(self, argv, envp);
		_exit(120 + (errno & 7));
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

/* In the new program: what argv[1] asks. */
static int child(int argc, char **argv, char **envp)
{
	const char *what = argv[1];

	if (!strcmp(what, "args"))
		return argc == 4 && !strcmp(argv[2], "") && !strcmp(argv[3], "two words") &&
				       envp[0] && !strcmp(envp[0], "A=b") && !envp[1]
			       ? 10
			       : 1;
	if (!strcmp(what, "auxv")) {
		const unsigned char *r = (const unsigned char *)getauxval(AT_RANDOM);

		if (!r || getauxval(AT_PAGESZ) != 4096 || !getauxval(AT_PHDR) ||
			!getauxval(AT_ENTRY) || getauxval(AT_CLKTCK) != 100)
			return 2;
		if (strcmp((const char *)getauxval(AT_PLATFORM), "x86_64") != 0 ||
			strcmp((const char *)getauxval(AT_EXECFN), self) != 0)
			return 3;
		return getauxval(AT_UID) == getuid() && getauxval(AT_SECURE) == 0 ? 11 : 4;
	}
	if (!strcmp(what, "fds"))
		return fcntl(atoi(argv[2]), F_GETFD) == -1 && fcntl(atoi(argv[3]), F_GETFD) == 0
			       ? 12
			       : 5;
	if (!strcmp(what, "signals")) {
		struct sigaction sa;
		sigset_t set;

		sigaction(SIGUSR1, NULL, &sa);
		if (sa.sa_handler != SIG_DFL)
			return 6;
		sigaction(SIGUSR2, NULL, &sa);
		if (sa.sa_handler != SIG_IGN)
			return 7;
		sigprocmask(SIG_BLOCK, NULL, &set);
		return sigismember(&set, SIGHUP) ? 13 : 8;
	}
	if (!strcmp(what, "pid"))
		return getpid() == atoi(argv[2]) && syscall(SYS_gettid) == getpid() ? 14 : 9;
	if (!strcmp(what, "count"))
		return argc & 0x7f;
	return 99;
}

static char *const no_env[] = { NULL };

static void handler(int sig)
{
}

static void test_basic(void)
{
	char *args[] = { (char *)(size_t) "x", (char *)(size_t) "args", (char *)(size_t) "",
		(char *)(size_t) "two words", NULL };
	char *env[] = { (char *)(size_t) "A=b", NULL };
	char *auxv[] = { (char *)(size_t) "x", (char *)(size_t) "auxv", NULL };
	char *sigs[] = { (char *)(size_t) "x", (char *)(size_t) "signals", NULL };
	char a[16], b[16];
	char *fds[] = { (char *)(size_t) "x", (char *)(size_t) "fds", a, b, NULL };
	int cloexec = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int kept = open("/dev/null", O_RDONLY);
	sigset_t set;

	ok(run(args, env) == 10, "arguments and environment arrive");
	ok(run(auxv, no_env) == 11, "the auxiliary vector is complete");
	snprintf(a, sizeof(a), "%d", cloexec);
	snprintf(b, sizeof(b), "%d", kept);
	ok(run(fds, no_env) == 12, "close-on-exec closes, others stay");
	close(cloexec);
	close(kept);
	signal(SIGUSR1, handler);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ok(run(sigs, no_env) == 13, "handlers are reset, ignored signals and the mask stay");
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
}

static void *exec_from_thread(void *arg)
{
	char pid[16];
	char *argv[] = { (char *)(size_t) "x", (char *)(size_t) "pid", pid, NULL };

	snprintf(pid, sizeof(pid), "%d", getpid());
	execve(self, argv, no_env);
	_exit(88);
}

static void *sleeper(void *arg)
{
	while (arg == NULL)
		pause();
	return NULL;
}

static void test_thread_exec(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t t;
		int i;

		for (i = 0; i < 3; i++)
			pthread_create(&t, NULL, sleeper, NULL);
		pthread_create(&t, NULL, exec_from_thread, NULL);
		for (;;)
			pause();
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 14,
		"exec of a thread ends the others and takes the process id");
}

static void put_file(const char *name, const char *text, int mode)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(77);
	fchmod(fd, (mode_t)mode);
	close(fd);
}

static int exec_file(const char *name)
{
	char path[128];
	char *argv[] = { path, NULL };
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	pid = fork();
	if (pid == 0) {
		execve(path, argv, no_env);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_scripts(void)
{
	char line[256];

	snprintf(line, sizeof(line), "#!%s count\n", self);
	put_file("s1", line, 0755);
	ok(exec_file("s1") == 3, "#! with an argument: interpreter, argument, script");
	snprintf(line, sizeof(line), "#! %s/s1 more  \nrest", dir);
	put_file("s2", line, 0755);
	ok(exec_file("s2") == 5, "a script may be another script's interpreter");
	snprintf(line, sizeof(line), "#!%s/loop\n", dir);
	put_file("loop", line, 0755);
	ok(exec_file("loop") == ELOOP, "an endless chain gives ELOOP");
	put_file("none", "#!/no/such/file\n", 0755);
	ok(exec_file("none") == ENOENT, "a missing interpreter gives ENOENT");
	put_file("blank", "#!   \n", 0755);
	ok(exec_file("blank") == ENOEXEC, "an empty #! line gives ENOEXEC");
}

static void test_errors(void)
{
	put_file("text", "just text\n", 0755);
	ok(exec_file("text") == ENOEXEC, "a text file gives ENOEXEC");
	put_file("empty", "", 0755);
	ok(exec_file("empty") == ENOEXEC, "an empty file gives ENOEXEC");
	put_file("noexec", "#!/bin/sh\n", 0644);
	ok(exec_file("noexec") == EACCES, "no execute permission gives EACCES");
	ok(exec_file("missing") == ENOENT, "a missing file gives ENOENT");
	ok(exec_file("") == EACCES, "a directory gives EACCES");
	ok(exec_file("text/below") == ENOTDIR, "a file on the way gives ENOTDIR");
	put_file("elf", "\177ELF\2\1\1", 0755);
	ok(exec_file("elf") == ENOEXEC, "a cut ELF header gives ENOEXEC");
}

static void test_big(void)
{
	enum {
		N = 20000
	};
	char **argv = calloc(N + 3, sizeof(*argv));
	char *huge = malloc(256 << 10);
	int i;

	argv[0] = (char *)(size_t) "x";
	argv[1] = (char *)(size_t) "count";
	for (i = 2; i < N; i++)
		argv[i] = (char *)(size_t) "0123456789";
	ok(run(argv, no_env) == (N & 0x7f), "20000 arguments arrive");
	memset(huge, 'x', (256 << 10) - 1);
	huge[(256 << 10) - 1] = '\0';
	argv[2] = huge;
	argv[3] = NULL;
	ok(run(argv, no_env) == 120 + (E2BIG & 7), "one string over 128 KiB gives E2BIG");
	free(huge);
	free(argv);
}

static void test_execveat(void)
{
	int ends[2];
	char *argv[] = { (char *)(size_t) "x", (char *)(size_t) "count", (char *)(size_t) "3",
		NULL };
	int fd = open(self, O_RDONLY | O_CLOEXEC);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, no_env, AT_EMPTY_PATH);
		_exit(90);
	}
	waitpid(pid, &status, 0);
	ok(WEXITSTATUS(status) == 3, "execveat of a descriptor");
	ok(syscall(SYS_execveat, fd, "", argv, no_env, 0) == -1 && errno == ENOENT,
		"an empty path without AT_EMPTY_PATH: ENOENT");
	ok(pipe(ends) == 0 &&
			syscall(SYS_execveat, ends[0], "", argv, no_env, AT_EMPTY_PATH) == -1 &&
			errno == EACCES && !close(ends[0]) && !close(ends[1]),
		"execveat of a descriptor without a name");
	ok(syscall(SYS_execveat, fd, "x", argv, no_env, 0x10) == -1 && errno == EINVAL,
		"unknown flags: EINVAL");
	ok(syscall(SYS_execve, (char *)8, argv, no_env) == -1 && errno == EFAULT,
		"a bad path pointer: EFAULT");
	ok(syscall(SYS_execve, self, (char *)8, no_env) == -1 && errno == EFAULT,
		"a bad argument vector: EFAULT");
	close(fd);
}

static void remove_files(void)
{
	static const char *const names[] = { "s1", "s2", "loop", "none", "blank", "text", "empty",
		"noexec", "elf" };
	char path[128];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

int main(int argc, char **argv, char **envp)
{
	static char path[256];
	ssize_t n = -1;

	self = (const char *)getauxval(AT_EXECFN);
	if (argc > 1)
		return child(argc, argv, envp);
	if (self && realpath(self, path))
		n = (ssize_t)strlen(path);
	if (n > 0)
		self = path;
	snprintf(dir, sizeof(dir), "/tmp/task_exec.%d", getpid());
	mkdir(dir, 0755);
	test_basic();
	test_thread_exec();
	test_scripts();
	test_errors();
	test_big();
	test_execveat();
	remove_files();
	return tap_end();
}
