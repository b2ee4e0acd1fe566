/* SPDX-License-Identifier: Apache-2.0 */
/* Start of casemate-vmm and casemate-fsd. */
#include <config.h>
#include "control/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "casemate/guestmem.h"
#include "common/cleanup.h"

#define LAUNCH_ARGS 96
#define LAUNCH_ARG  96
#define LAUNCH_SPARE \
	128 /* descriptors are moved above this number before they get their final one */

void cm_launch_init(struct cm_launch *l)
{
	memset(l, 0, sizeof(*l));
	l->debug_fd = l->vmm_pidfd = l->fsd_pidfd = l->log_fd = l->log_wr = -1;
	l->fsd_sock = l->fsd_kick = l->fsd_call = l->arena = l->plug_fd = l->image_fd = -1;
}

const char *cm_launch_path(const char *name, char *buf, size_t size)
{
	const char *dir = secure_getenv("CASEMATE_LIBEXECDIR");

	snprintf(buf, size, "%s/%s", dir ? dir : CM_PKGLIBEXECDIR, name);
	return buf;
}

struct launch_child {
	const char *path;
	char *const *argv;
	const int *fds;
	int n, errfd;
	pid_t parent;
	volatile int error;
};

/* Runs in the parent's memory until it executes the program: calls the kernel, touches nothing but *c. */
static void launch_child_run(struct launch_child *c)
{
	static char *const no_env[] = { NULL };
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;
	int moved[CM_LAUNCH_FDS + 1];
	int null;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != c->parent)
		_exit(1);
	for (int i = 0; i < c->n; i++)
		moved[i] = fcntl(c->fds[i], F_DUPFD, LAUNCH_SPARE);
	moved[c->n] = fcntl(c->errfd, F_DUPFD, LAUNCH_SPARE);
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(moved[c->n], 1);
	dup2(moved[c->n], 2);
	for (int i = 0; i < c->n; i++) {
		if (dup2(moved[i], 3 + i) < 0) {
			c->error = errno;
			_exit(1);
		}
	}
	syscall(SYS_close_range, 3 + c->n, ~0U, 0);
	/* The only dispositions that the sandbox changed and exec would keep. */
	sigaction(SIGPIPE, &dfl, NULL);
	sigaction(SIGHUP, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(c->path, c->argv, no_env);
	c->error = errno;
	_exit(1);
}

pid_t cm_launch_spawn(
	const char *path, char *const argv[], const int *fds, int n, int errfd, struct cm_err *err)
{
	struct launch_child c = { path, argv, fds, n, errfd, getpid(), 0 };
	pid_t pid;

	if (n > CM_LAUNCH_FDS)
		return cm_err_set(err, E2BIG, "start '%s'", path);
	/* No copy of the page tables; the parent sleeps until the program is executed, so an error of execve is known here. */
	pid = vfork();
	if (pid == 0)
		launch_child_run(&c);
	if (pid < 0)
		return cm_err_set(err, errno, "start '%s'", path);
	if (c.error) {
		waitpid(pid, NULL, 0);
		return cm_err_set(err, c.error, "start '%s'", path);
	}
	return pid;
}

/* Arguments that name descriptors: the n-th descriptor added has the number 3 + n in the child. */
struct launch_args {
	char text[LAUNCH_ARGS][LAUNCH_ARG];
	char *argv[LAUNCH_ARGS + 1]; /* ends in NULL */
	int argc;
	int fds[CM_LAUNCH_FDS];
	int nfds;
};

static int args_fd(struct launch_args *a, int fd)
{
	a->fds[a->nfds++] = fd;
	return 2 + a->nfds;
}

__attribute__((format(printf, 2, 3))) static void args_add(
	struct launch_args *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->text[a->argc], LAUNCH_ARG, fmt, ap);
	va_end(ap);
	a->argv[a->argc] = a->text[a->argc];
	a->argc++;
}

static int launch_log(struct cm_launch *l, struct cm_err *err)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return cm_err_set(err, errno, "make log pipe");
	l->log_fd = p[0];
	l->log_wr = p[1];
	fcntl(l->log_fd, F_SETFL, O_NONBLOCK);
	return 0;
}

static int launch_arena(struct cm_launch *l, struct cm_err *err)
{
	l->arena = memfd_create("casemate-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (l->arena < 0 || ftruncate(l->arena, CM_ARENA_DEFAULT) < 0 ||
		fcntl(l->arena, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return cm_err_set(err, errno, "make I/O arena");
	return 0;
}

static int launch_open_kvm(struct cm_err *err)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return cm_err_set(err, errno, "open '/dev/kvm' (see casemate doctor)");
	return fd;
}

static int launch_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

int cm_launch_vmm(struct cm_launch *l, const struct cm_launch_options *o, int vsock_fd,
	int vsock_dir, struct cm_err *err)
{
	struct launch_args a = { .argc = 0 };
	cleanup_fd int kvm = launch_open_kvm(err);
	cleanup_fd int sock = -1, debug = -1, plug = -1;
	char path[4096];
	int sp[2], dp[2];
	int kick, call;

	if (kvm < 0)
		return kvm;
	if (launch_log(l, err) < 0 || launch_arena(l, err) < 0)
		return -err->code;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp) < 0)
		return cm_err_set(err, errno, "make file server socket");
	sock = sp[0];
	l->fsd_sock = sp[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, dp) < 0)
		return cm_err_set(err, errno, "make debug socket");
	debug = dp[0];
	l->debug_fd = dp[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, dp) < 0)
		return cm_err_set(err, errno, "make plug socket");
	plug = dp[0];
	l->plug_fd = dp[1];
	l->fsd_kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->fsd_call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->fsd_kick < 0 || l->fsd_call < 0)
		return cm_err_set(err, errno, "make file server doorbells");
	args_add(&a, "casemate-vmm");
	args_add(&a, "--kvm-fd=%d", args_fd(&a, kvm));
	args_add(&a, "--memory=%llu", (unsigned long long)o->memory);
	args_add(&a, "--cpus=%u", o->cpus);
	args_add(&a, "--arena-fd=%d", args_fd(&a, l->arena));
	args_add(&a, "--vsock-fd=%d", args_fd(&a, vsock_fd));
	args_add(&a, "--vsock-dir-fd=%d", args_fd(&a, vsock_dir));
	args_add(&a, "--log-fd=%d", args_fd(&a, l->log_wr));
	args_add(&a, "--debug-fd=%d", args_fd(&a, debug));
	args_add(&a, "--plug-fd=%d", args_fd(&a, plug));
	if (o->hold_on_panic == CM_HOLD)
		args_add(&a, "--hold-on-panic");
	else if (o->hold_on_panic == CM_HOLD_FOR_CORE)
		args_add(&a, "--hold-while-debugged");
	if (o->trace_exits)
		args_add(&a, "--trace-exits");
	sp[1] = args_fd(&a, sock);
	kick = args_fd(&a, l->fsd_kick);
	call = args_fd(&a, l->fsd_call);
	args_add(&a, "--fs=root,sock=%d,kick=%d,call=%d", sp[1], kick, call);
	if (*o->cmdline)
		args_add(&a, "--cmdline=%s", o->cmdline);
	l->vmm_pid = cm_launch_spawn(cm_launch_path("casemate-vmm", path, sizeof(path)), a.argv,
		a.fds, a.nfds, l->log_wr, err);
	if (l->vmm_pid < 0) {
		l->vmm_pid = 0;
		return -err->code;
	}
	l->vmm_pidfd = launch_pidfd(l->vmm_pid);
	return l->vmm_pidfd < 0 ? cm_err_set(err, errno, "watch casemate-vmm") : 0;
}

static void launch_close(int *fd)
{
	cm_cleanup_closep(fd);
	*fd = -1;
}

static void launch_trees(
	struct launch_args *a, int rootfs, bool readonly, const struct cm_volumes *volumes)
{
	args_add(a, "--root-fd=%d%s", args_fd(a, rootfs), readonly ? ",ro" : "");
	for (unsigned i = 0; i < volumes->n; i++) {
		const struct cm_volume *v = &volumes->v[i];

		args_add(a, "--volume-fd=%d%s%s", args_fd(a, v->fd), v->readonly ? ",ro" : "",
			v->recursive ? ",rec" : "");
	}
}

int cm_launch_fsd(struct cm_launch *l, int rootfs, bool readonly, const struct cm_volumes *volumes,
	struct cm_err *err)
{
	struct launch_args a = { .argc = 0 };
	cleanup_fd int images = -1;
	char path[4096];
	int sp[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sp) < 0)
		return cm_err_set(err, errno, "make image socket");
	images = sp[0];
	l->image_fd = sp[1];
	args_add(&a, "casemate-fsd");
	args_add(&a, "--arena-fd=%d", args_fd(&a, l->arena));
	args_add(&a, "--sock-fd=%d", args_fd(&a, l->fsd_sock));
	args_add(&a, "--kick-fd=%d", args_fd(&a, l->fsd_kick));
	args_add(&a, "--call-fd=%d", args_fd(&a, l->fsd_call));
	args_add(&a, "--plug-fd=%d", args_fd(&a, images));
	launch_trees(&a, rootfs, readonly, volumes);
	args_add(&a, "--log-fd=%d", args_fd(&a, l->log_wr));
	l->fsd_pid = cm_launch_spawn(cm_launch_path("casemate-fsd", path, sizeof(path)), a.argv,
		a.fds, a.nfds, l->log_wr, err);
	if (l->fsd_pid < 0) {
		l->fsd_pid = 0;
		return -err->code;
	}
	l->fsd_pidfd = launch_pidfd(l->fsd_pid);
	/* From here on the helpers alone hold these: a hangup tells each that the other is gone. */
	launch_close(&l->fsd_sock);
	launch_close(&l->fsd_kick);
	launch_close(&l->fsd_call);
	launch_close(&l->log_wr);
	return l->fsd_pidfd < 0 ? cm_err_set(err, errno, "watch casemate-fsd") : 0;
}

pid_t cm_launch_server(int plug, int errfd, int rootfs, bool readonly,
	const struct cm_volumes *volumes, struct cm_err *err)
{
	struct launch_args a = { .argc = 0 };
	char path[4096];

	args_add(&a, "casemate-fsd");
	args_add(&a, "--plug-fd=%d", args_fd(&a, plug));
	launch_trees(&a, rootfs, readonly, volumes);
	return cm_launch_spawn(cm_launch_path("casemate-fsd", path, sizeof(path)), a.argv, a.fds,
		a.nfds, errfd, err);
}

/* #syscalls:sandbox kill wait4 close */
static void launch_reap(pid_t *pid, int *pidfd)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	*pid = 0;
	launch_close(pidfd);
}

void cm_launch_kill(struct cm_launch *l)
{
	if (l->vmm_pid > 0)
		kill(l->vmm_pid, SIGKILL);
	if (l->fsd_pid > 0)
		kill(l->fsd_pid, SIGKILL);
}

void cm_launch_fini(struct cm_launch *l)
{
	launch_reap(&l->vmm_pid, &l->vmm_pidfd);
	launch_reap(&l->fsd_pid, &l->fsd_pidfd);
	launch_close(&l->arena);
	launch_close(&l->fsd_sock);
	launch_close(&l->fsd_kick);
	launch_close(&l->fsd_call);
	launch_close(&l->log_wr);
	launch_close(&l->log_fd);
	launch_close(&l->debug_fd);
	launch_close(&l->plug_fd);
	launch_close(&l->image_fd);
}
