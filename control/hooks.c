/* SPDX-License-Identifier: Apache-2.0 */
/* Running hooks. */
#include <config.h>
#include "control/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "common/cleanup.h"

#define HOOK_OUTPUT 256 /* bytes of what it says that a message can hold */

struct hook_run {
	const struct cm_spec_hook *hook;
	int in, out, cwd; /* out: write end */
};

/* In the child of fork. */
static void hook_exec(const struct hook_run *h)
{
	const char *const path_only[] = { h->hook->path, NULL };
	const char *const *argv = h->hook->args.n ? h->hook->args.v : path_only;
	const char *const *envp = h->hook->env.n ? h->hook->env.v : (const char *const *)environ;
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	if (fchdir(h->cwd) < 0 || dup2(h->in, 0) < 0 || dup2(h->out, 1) < 0 || dup2(h->out, 2) < 0)
		_exit(127);
	syscall(SYS_close_range, 3, ~0U, 0);
	/* execve does not write what it is given; its type is older than const. */
	execve(h->hook->path, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)envp);
	dprintf(1, "%s", strerror(errno));
	_exit(127);
}

static long hook_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Keep the beginning of the output, drop the rest. False at its end. */
static bool hook_read(int fd, char *text, size_t *len)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n <= 0)
		return n < 0 && errno == EINTR;
	if ((size_t)n > HOOK_OUTPUT - *len)
		n = (ssize_t)(HOOK_OUTPUT - *len);
	memcpy(text + *len, buf, (size_t)n);
	*len += (size_t)n;
	return true;
}

/* Wait for the end of the process, reading what it says. False: its time is over. */
static bool hook_wait(int pidfd, int out, uint32_t timeout, char *text, size_t *len)
{
	long end = hook_now() + (long)timeout * 1000;
	struct pollfd p[2] = { { pidfd, POLLIN, 0 }, { out, POLLIN, 0 } };

	for (;;) {
		long left = end - hook_now();

		if (timeout && left <= 0)
			return false;
		if (left > 60000 || !timeout)
			left = 60000;
		if (poll(p, 2, (int)left) < 0)
			continue;
		/* What it said before its end is in the pipe by then; what its children say later is not waited for. */
		if (p[1].revents && !hook_read(out, text, len))
			p[1].fd = -1;
		else if (p[0].revents && !p[1].revents)
			return true;
	}
}

static int hook_failed(const struct cm_spec_hook *h, int status, char *text, struct cm_err *err)
{
	text[strcspn(text, "\r\n")] = '\0';
	if (WIFSIGNALED(status))
		return cm_err_set(err, 0, "'%s': killed by signal %d%s%s", h->path,
			WTERMSIG(status), *text ? ": " : "", text);
	return cm_err_set(err, 0, "'%s': exit status %d%s%s", h->path, WEXITSTATUS(status),
		*text ? ": " : "", text);
}

static int hook_reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int hook_run(const struct cm_spec_hook *hook, int in, int cwd, struct cm_err *err)
{
	char text[HOOK_OUTPUT + 1];
	size_t len = 0;
	cleanup_fd int out = -1, pidfd = -1;
	int p[2], status;
	bool in_time;
	pid_t pid;

	if (lseek(in, 0, SEEK_SET) < 0 || pipe2(p, O_CLOEXEC) < 0)
		return cm_err_set(err, errno, "'%s'", hook->path);
	out = p[0];
	pid = fork();
	if (pid == 0)
		hook_exec(&(struct hook_run){ hook, in, p[1], cwd });
	close(p[1]);
	if (pid < 0)
		return cm_err_set(err, errno, "'%s'", hook->path);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	in_time = pidfd >= 0 && hook_wait(pidfd, out, hook->timeout, text, &len);
	if (!in_time)
		kill(pid, SIGKILL);
	status = hook_reap(pid);
	text[len] = '\0';
	if (!in_time)
		return cm_err_set(err, ETIMEDOUT, "'%s' after %u s", hook->path, hook->timeout);
	return status ? hook_failed(hook, status, text, err) : 0;
}

int cm_hooks_program(const struct cm_spec_hook *program, struct cm_err *err)
{
	cleanup_fd int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (in < 0 || root < 0)
		return cm_err_set(err, errno, "'%s'", program->path);
	return hook_run(program, in, root, err);
}

/* A file with the state, which never blocks the writer as a pipe would. */
int cm_hooks_input(const struct cm_state *st, enum cm_status status, struct cm_err *err)
{
	struct cm_state now = *st;
	json_t *obj;
	char *text;
	int fd;

	now.status = status;
	obj = cm_state_json(&now);
	text = obj ? json_dumps(obj, JSON_COMPACT) : NULL;
	json_decref(obj);
	fd = text ? memfd_create("hook-state", MFD_CLOEXEC) : -1;
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		if (fd >= 0)
			close(fd);
		free(text);
		return cm_err_set(err, ENOMEM, "state for hooks");
	}
	free(text);
	return fd;
}

int cm_hooks_run(const struct cm_spec_hooks hooks[CM_HOOK_KINDS], enum cm_hook_kind kind,
	const struct cm_state *st, enum cm_status status, int cwd, struct cm_err *err)
{
	const struct cm_spec_hooks *list = &hooks[kind];
	cleanup_fd int in = -1;
	int first = 0;

	if (!list->n)
		return 0;
	in = cm_hooks_input(st, status, err);
	if (in < 0)
		return in;
	for (size_t i = 0; i < list->n; i++) {
		struct cm_err e;
		if (hook_run(&list->v[i], in, cwd, &e) == 0)
			continue;
		cm_err_wrap(&e, "error running hook: hooks.%s[%zu]", cm_hook_name(kind), i);
		if (first == 0) {
			*err = e;
			first = -e.code;
		}
		if (kind != CM_HOOK_POSTSTOP)
			break;
	}
	return first;
}

int cm_hooks_run_state(const struct cm_state *st, enum cm_hook_kind kind, enum cm_status status,
	struct cm_err *err)
{
	struct cm_spec_hooks hooks[CM_HOOK_KINDS];
	cleanup_fd int cwd = -1;
	int r;

	if (!st->hooks)
		return 0;
	r = cm_spec_parse_hooks(st->hooks, hooks, err);
	if (r < 0)
		return r;
	cwd = open(st->bundle ? st->bundle : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cwd < 0)
		cwd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC); /* the bundle is gone */
	r = cm_hooks_run(hooks, kind, st, status, cwd, err);
	cm_spec_free_hooks(hooks);
	return r;
}
