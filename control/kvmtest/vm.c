/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run. The VMM gets descriptors only: the image, /dev/kvm, a pipe each for console, input and log, and one end of a socket for its
 * result. It is over when the VMM is gone; a VMM that does not end in time by itself is killed. It dies with this process, too.
 */
#include <config.h>
#include "control/kvmtest/kvmtest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "control/launch.h"

#define RUN_LOG	    65536u
#define RUN_GRACE   5000u /* ms that the VMM may take to end after its own limit */
#define RUN_ARGS    40
#define RUN_CHUNK   65536
#define RUN_INPUT   4096
#define RUN_NO_TIME UINT64_MAX

struct kt_run {
	const struct kt_test *test;
	struct kt_console console;
	struct kt_outcome out;
	FILE *echo;
	pid_t pid;
	int image, kvm, module, blk, vsock, vsock_dir; /* ours until the VMM has them */
	int core;
	int console_fd, log_fd, result_fd, input_wr; /* our ends; -1 = closed */
	int input; /* the caller's; -1 = ended */
	char pending[RUN_INPUT]; /* input on its way */
	size_t pending_len;
	char *log;
	size_t log_len;
	struct cm_pc_result result;
	bool have_result, judged, killed;
	char core_path[4096];
	uint64_t begin, deadline; /* ms, the clock's */
};

static uint64_t run_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000;
}

static void run_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void kt_outcome_fini(struct kt_outcome *o)
{
	free(o->report);
	free(o->log);
	free(o->console);
	free(o->core);
	memset(o, 0, sizeof(*o));
}

/* ---- start */

struct run_args {
	char *argv[RUN_ARGS + 1];
	int argc;
	int fds[CM_LAUNCH_FDS], nfds;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static void args_add(struct run_args *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (a->argc == RUN_ARGS || vasprintf(&a->argv[a->argc], fmt, ap) < 0)
		a->failed = true;
	else
		a->argc++;
	va_end(ap);
}

/* The n-th descriptor added is 3 + n in the VMM. */
static void args_fd(struct run_args *a, const char *name, int fd)
{
	if (fd < 0)
		return;
	if (a->nfds == CM_LAUNCH_FDS) {
		a->failed = true;
		return;
	}
	a->fds[a->nfds++] = fd;
	args_add(a, "--%s-fd=%d", name, 2 + a->nfds);
}

static void args_test(struct run_args *a, const struct kt_test *t)
{
	const char *name = t->image;

	args_add(a, "casemate-vmm");
	args_add(a, "--machine=pc");
	args_add(a, "--memory=%llu", (unsigned long long)t->memory);
	args_add(a, "--cpus=%u", t->cpus);
	args_add(a, "--timeout-ms=%u", t->timeout_ms);
	if (strlen(name) > 255)
		name = "kernel";
	args_add(a, "--image-name=%s", name);
	if (t->args)
		args_add(a, "--cmdline=%s", t->args);
	if (t->cpu)
		args_add(a, "--cpu=%s", t->cpu);
	if (t->format)
		args_add(a, "--format=%s", t->format);
	if (t->irqchip)
		args_add(a, "--irqchip=%s", t->irqchip);
	if (t->console)
		args_add(a, "--virtio=console");
	if (t->rng)
		args_add(a, "--virtio=rng");
	if (t->edu)
		args_add(a, "--edu");
	if (t->iommu)
		args_add(a, "--iommu");
	if (t->blk_readonly)
		args_add(a, "--blk-readonly");
	if (t->trace)
		args_add(a, "--trace");
}

/* A listening socket for the vsock device and the directory that it stands in, where connections of the guest go. */
static int run_vsock(struct kt_run *r, struct cm_err *err)
{
	const char *path = r->test->vsock, *slash = strrchr(path, '/');
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char dir[sizeof(sun.sun_path)] = ".";

	if (strlen(path) >= sizeof(sun.sun_path))
		return cm_err_set(err, ENAMETOOLONG, "vsock socket '%s'", path);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash == path ? 1 : slash - path), path);
	r->vsock_dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r->vsock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->vsock_dir < 0 || r->vsock < 0 ||
		bind(r->vsock, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
		listen(r->vsock, 16) < 0)
		return cm_err_set(err, errno, "vsock socket '%s'", path);
	return 0;
}

/* Some versions of unittests.cfg's library read their environment from a module; there is nothing in it that the user did not say. */
static int run_environment(struct kt_run *r, struct cm_err *err)
{
	r->module = memfd_create("kvmtest-environment", MFD_CLOEXEC);
	if (r->module < 0 || dprintf(r->module, "TESTNAME=%s\nACCEL=kvm\n", r->test->name) < 0)
		return cm_err_set(err, errno, "make the environment module");
	return 0;
}

static int run_core(struct kt_run *r, struct cm_err *err)
{
	const struct kt_test *t = r->test;
	const char *name = t->name ? t->name : t->image, *slash = strrchr(name, '/');

	if (!t->core_dir)
		return 0;
	if (slash)
		name = slash + 1;
	snprintf(r->core_path, sizeof(r->core_path), "%s/%s.core.%d.%llu", t->core_dir, name,
		(int)getpid(), (unsigned long long)(r->begin % 1000000000u));
	/* Without a name until there is something in it. */
	r->core = open(t->core_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return r->core < 0 ? cm_err_set(err, errno, "core file in '%s'", t->core_dir) : 0;
}

/* Everything that the VMM gets as a descriptor. Sets the result that a failure means. */
static int run_open(struct kt_run *r, struct cm_err *err)
{
	const struct kt_test *t = r->test;
	int e = 0;

	if (t->iommu && t->irqchip && strcmp(t->irqchip, "full") == 0)
		return cm_err_set(err, 0, "an intel-iommu's interrupt controllers are split");
	r->out.result = KT_NOT_BOOTABLE;
	r->image = open(t->image, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (r->image < 0)
		return cm_err_set(err, errno, "open '%s'", t->image);
	r->out.result = KT_REFUSED;
	r->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (r->kvm < 0)
		return cm_err_set(err, errno, "open '/dev/kvm' (see casemate doctor)");
	r->out.result = KT_ERROR;
	if (t->module) {
		r->module = open(t->module, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (r->module < 0)
			return cm_err_set(err, errno, "open '%s'", t->module);
	} else if (t->kut) {
		e = run_environment(r, err);
	}
	if (e == 0 && t->blk) {
		r->blk = open(t->blk, (t->blk_readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (r->blk < 0)
			return cm_err_set(err, errno, "open '%s'", t->blk);
	}
	if (e == 0 && t->vsock)
		e = run_vsock(r, err);
	return e < 0 ? e : run_core(r, err);
}

static int run_spawn(struct kt_run *r, struct run_args *a, const int *theirs, struct cm_err *err)
{
	char path[4096];

	args_test(a, r->test);
	args_fd(a, "image", r->image);
	args_fd(a, "kvm", r->kvm);
	args_fd(a, "module", r->module);
	args_fd(a, "blk", r->blk);
	args_fd(a, "vsock", r->vsock);
	args_fd(a, "vsock-dir", r->vsock_dir);
	args_fd(a, "core", r->core);
	args_fd(a, "console", theirs[0]);
	args_fd(a, "result", theirs[2]);
	args_fd(a, "input", theirs[3]);
	if (a->failed)
		return cm_err_set(err, ENOMEM, "arguments of casemate-vmm");
	r->pid = cm_launch_spawn(cm_launch_path("casemate-vmm", path, sizeof(path)), a->argv,
		a->fds, a->nfds, theirs[1], err);
	return r->pid < 0 ? -err->code : 0;
}

/* Console, log, result and input: our ends stay in r, theirs are closed again. */
static int run_connect(struct kt_run *r, struct cm_err *err)
{
	int con[2] = { -1, -1 }, log[2] = { -1, -1 }, res[2] = { -1, -1 }, in[2] = { -1, -1 };
	struct run_args a = { .argc = 0 };
	int e = 0;

	if (pipe2(con, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(log, O_CLOEXEC | O_NONBLOCK) < 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, res) < 0 ||
		(r->input >= 0 && pipe2(in, O_CLOEXEC | O_NONBLOCK) < 0))
		e = cm_err_set(err, errno, "make pipes");
	r->console_fd = con[0];
	r->log_fd = log[0];
	r->result_fd = res[0];
	r->input_wr = in[1];
	if (e == 0) {
		const int theirs[] = { con[1], log[1], res[1], in[0] };

		e = run_spawn(r, &a, theirs, err);
	}
	while (a.argc > 0)
		free(a.argv[--a.argc]);
	run_close(&con[1]);
	run_close(&log[1]);
	run_close(&res[1]);
	run_close(&in[0]);
	return e;
}

struct kt_run *kt_run_start(const struct kt_test *t, int input, FILE *echo)
{
	struct kt_run *r = calloc(1, sizeof(*r));
	struct cm_err err;
	int e;

	if (!r)
		return NULL;
	r->test = t;
	r->echo = echo;
	r->input = input;
	r->image = r->kvm = r->module = r->blk = r->vsock = r->vsock_dir = r->core = -1;
	r->console_fd = r->log_fd = r->result_fd = r->input_wr = -1;
	r->begin = run_now_us();
	r->deadline =
		t->timeout_ms ? r->begin + (t->timeout_ms + RUN_GRACE) * 1000ull : RUN_NO_TIME;
	r->out.result = KT_ERROR;
	e = kt_console_init(&r->console, t->expect, &err);
	if (e == 0)
		e = run_open(r, &err);
	if (e == 0) {
		r->out.result = KT_ERROR;
		e = run_connect(r, &err);
	}
	run_close(&r->image);
	run_close(&r->kvm);
	run_close(&r->module);
	run_close(&r->blk);
	run_close(&r->vsock);
	run_close(&r->vsock_dir);
	if (e < 0) {
		snprintf(r->out.reason, sizeof(r->out.reason), "%.*s",
			(int)sizeof(r->out.reason) - 1, err.msg);
		r->judged = true;
		run_close(&r->console_fd);
		run_close(&r->log_fd);
		run_close(&r->result_fd);
	}
	return r;
}

/* ---- while it runs */

unsigned kt_run_poll(struct kt_run *r, struct pollfd *fds, int *timeout_ms)
{
	uint64_t now = run_now_us();
	unsigned n = 0;
	int64_t left;

	if (r->console_fd >= 0)
		fds[n++] = (struct pollfd){ .fd = r->console_fd, .events = POLLIN };
	if (r->log_fd >= 0)
		fds[n++] = (struct pollfd){ .fd = r->log_fd, .events = POLLIN };
	if (r->result_fd >= 0)
		fds[n++] = (struct pollfd){ .fd = r->result_fd, .events = POLLIN };
	if (r->input >= 0 && r->input_wr >= 0 && r->pending_len == 0)
		fds[n++] = (struct pollfd){ .fd = r->input, .events = POLLIN };
	else if (r->input_wr >= 0 && r->pending_len > 0)
		fds[n++] = (struct pollfd){ .fd = r->input_wr, .events = POLLOUT };
	if (r->deadline != RUN_NO_TIME) {
		left = r->deadline > now ? (int64_t)((r->deadline - now) / 1000 + 1) : 0;
		if (*timeout_ms < 0 || left < *timeout_ms)
			*timeout_ms = (int)left;
	}
	return n;
}

static void run_kill(struct kt_run *r)
{
	if (r->pid > 0 && !r->killed)
		kill(r->pid, SIGKILL);
	r->killed = true;
}

static void run_judge(struct kt_run *r, enum kt_result result)
{
	r->out.result = result;
	r->judged = true;
}

static void run_read_console(struct kt_run *r)
{
	char buf[RUN_CHUNK];
	ssize_t n = read(r->console_fd, buf, sizeof(buf));

	if (n > 0) {
		kt_console_feed(&r->console, buf, (size_t)n, r->echo);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		kt_console_end(&r->console, r->echo);
		run_close(&r->console_fd);
	}
	/* The guest may go on for ever; what was asked for has been seen. */
	if (r->console.matched && !r->judged) {
		run_judge(r, kt_verdict(r->test, &r->console, &r->result, r->out.reason,
				     sizeof(r->out.reason)));
		run_kill(r);
	}
}

static void run_read_log(struct kt_run *r)
{
	char buf[RUN_CHUNK];
	ssize_t n = read(r->log_fd, buf, sizeof(buf));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		run_close(&r->log_fd);
		return;
	}
	if (n > 0 && r->echo)
		fwrite(buf, 1, (size_t)n, stderr);
	if (!r->log)
		r->log = calloc(1, RUN_LOG + 1);
	for (ssize_t i = 0; r->log && i < n && r->log_len < RUN_LOG; i++)
		r->log[r->log_len++] = buf[i];
}

/* The guest has ended and all of its output is in the pipe. */
static void run_take_result(struct kt_run *r)
{
	const char *nl;
	char answer;

	while (r->console_fd >= 0) {
		struct pollfd p = { .fd = r->console_fd, .events = POLLIN };

		if (poll(&p, 1, 0) <= 0 || !(p.revents & (POLLIN | POLLHUP)))
			break;
		run_read_console(r);
	}
	if (!r->judged) {
		kt_console_end(&r->console, r->echo);
		run_judge(r, kt_verdict(r->test, &r->console, &r->result, r->out.reason,
				     sizeof(r->out.reason)));
	}
	r->out.us = r->result.us;
	nl = strchr(r->result.text, '\n');
	if (nl && nl[1])
		r->out.report = strdup(nl + 1);
	if (!r->result.core)
		return;
	answer = r->out.result == KT_PASSED || r->out.result == KT_SKIPPED ? CM_PC_CORE_NONE
									   : CM_PC_CORE_WRITE;
	/* Writing the core has no limit but the disk's. */
	r->deadline = RUN_NO_TIME;
	send(r->result_fd, &answer, 1, MSG_NOSIGNAL);
}

/* The core is written, or could not be. */
static void run_name_core(struct kt_run *r, int error)
{
	char fd[32];

	snprintf(fd, sizeof(fd), "/proc/self/fd/%d", r->core);
	if (error == 0 && linkat(AT_FDCWD, fd, AT_FDCWD, r->core_path, AT_SYMLINK_FOLLOW) < 0)
		error = errno;
	if (error)
		fprintf(stderr, "casemate: kvmtest: core file '%s': %s\n", r->core_path,
			strerror(error));
	else
		r->out.core = strdup(r->core_path);
}

static void run_read_result(struct kt_run *r)
{
	struct cm_pc_result res;
	ssize_t n = recv(r->result_fd, &res, sizeof(res) - 1, MSG_DONTWAIT);
	size_t head = offsetof(struct cm_pc_result, text);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		run_close(&r->result_fd);
		return;
	}
	if (r->have_result) {
		int status;

		if (n == (ssize_t)sizeof(status)) {
			memcpy(&status, &res, sizeof(status));
			run_name_core(r, -status);
		}
		return;
	}
	if ((size_t)n < head || res.len > (size_t)n - head)
		return;
	r->result = res;
	r->result.text[res.len] = '\0';
	r->have_result = true;
	run_take_result(r);
}

static void run_move_input(struct kt_run *r, short revents)
{
	ssize_t n;

	if (r->pending_len == 0) {
		n = read(r->input, r->pending, sizeof(r->pending));
		if (n > 0)
			r->pending_len = (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			run_close(&r->input_wr);
		return;
	}
	n = write(r->input_wr, r->pending, r->pending_len);
	if (n > 0) {
		r->pending_len -= (size_t)n;
		memmove(r->pending, r->pending + n, r->pending_len);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		run_close(&r->input_wr);
		r->pending_len = 0;
	}
}

static void run_late(struct kt_run *r)
{
	if (run_now_us() < r->deadline || r->killed)
		return;
	if (!r->judged) {
		snprintf(r->out.reason, sizeof(r->out.reason),
			"timed out after %u.%03u s, and the VMM did not answer",
			r->test->timeout_ms / 1000, r->test->timeout_ms % 1000);
		run_judge(r, KT_TIMED_OUT);
	}
	run_kill(r);
}

bool kt_run_step(struct kt_run *r, const struct pollfd *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!fds[i].revents)
			continue;
		if (fds[i].fd == r->console_fd)
			run_read_console(r);
		else if (fds[i].fd == r->log_fd)
			run_read_log(r);
		else if (fds[i].fd == r->result_fd)
			run_read_result(r);
		else
			run_move_input(r, fds[i].revents);
	}
	if (r->deadline != RUN_NO_TIME)
		run_late(r);
	return r->console_fd < 0 && r->log_fd < 0 && r->result_fd < 0;
}

/* ---- end */

static void run_reap(struct kt_run *r)
{
	int status = 0;

	if (r->pid <= 0)
		return;
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r->judged)
		return;
	r->out.result = KT_ERROR;
	if (WIFSIGNALED(status))
		snprintf(r->out.reason, sizeof(r->out.reason), "casemate-vmm was killed: %s",
			strsignal(WTERMSIG(status)));
	else
		snprintf(r->out.reason, sizeof(r->out.reason),
			"casemate-vmm ended with status %d and no result", WEXITSTATUS(status));
}

void kt_run_finish(struct kt_run *r, struct kt_outcome *o)
{
	run_close(&r->input_wr);
	run_reap(r);
	run_close(&r->core);
	if (r->test->vsock && r->pid > 0)
		unlink(r->test->vsock);
	r->out.total_us = run_now_us() - r->begin;
	r->out.log = r->log;
	if (r->console.dropped)
		fprintf(stderr, "casemate: kvmtest: %zu bytes of console output were dropped\n",
			r->console.dropped);
	r->out.console = r->console.text;
	r->console.text = NULL;
	kt_console_fini(&r->console);
	*o = r->out;
	free(r);
}
