/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox process: set-up and end.
 *
 * Order of the set-up: what the VMM needs comes first, so that the guest boots while the configuration is read, the root directory
 * opened and the streams connected. Everything sent to the guest before it listens waits in the vsock device.
 */
#include <config.h>
#include "control/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "casemate/abi_version.h"
#include "common/cleanup.h"
#include "common/seccomp.h"
#include "control/console.h"
#include "control/host.h"
#include "control/process.h"
#include "control/rootfs.h"
#include "control/rpc_start.h"
#include "control/sandbox_internal.h"
#include "control/seccomp_sandbox.h"
#include "control/spawner.h"

#define SANDBOX_TAIL	(16u << 10)
#define SANDBOX_LOG_MAX (1u << 20) /* what a guest may make us write into a log */
#define SANDBOX_BACKLOG 128 /* connections into the guest at a time */

static int sandbox_signals(struct sandbox *s, struct cm_err *err)
{
	s->signal_fd = cm_process_detach("casemate-sandbo", err);
	if (s->signal_fd < 0)
		return s->signal_fd;
	s->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->o->detached)
		s->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (s->done_fd < 0 || (s->o->detached && s->null_fd < 0))
		return cm_err_set(err, errno, "set up the sandbox process");
	return 0;
}

static int sandbox_vsock_listen(struct sandbox *s, struct cm_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = VSOCK_PATH };

	umask(0177); /* of the whole process: what it makes is its own */
	s->vsock_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->vsock_fd < 0 || bind(s->vsock_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		listen(s->vsock_fd, SANDBOX_BACKLOG) < 0)
		return cm_err_set(err, errno, "make vsock socket");
	return 0;
}

/* Of a helper: its number is another one where the sandbox process has a PID namespace of its own. */
static pid_t sandbox_host_pid(const struct sandbox *s, int pidfd, pid_t pid)
{
	return s->c.st.pid == getpid() ? pid : cm_process_host_pid_of(pidfd, pid);
}

static int sandbox_launch_vmm(struct sandbox *s, struct cm_err *err)
{
	cleanup_fd int dir = cm_container_empty_dir(&s->c, err);
	const struct cm_spec *spec = sandbox_root(s)->spec;
	struct cm_launch_options vm = s->o->vm;

	if (dir < 0)
		return dir;
	/* Sockets are named relative to the container's directory. */
	if (fchdir(s->c.dirfd) < 0)
		return cm_err_set(err, errno, "enter the container's directory");
	if (sandbox_vsock_listen(s, err) < 0)
		return -err->code;
	if (vm.cpus == 0)
		vm.cpus = cm_cgroup_cpus(spec ? &spec->resources : NULL);
	if (cm_launch_vmm(&s->l, &vm, s->vsock_fd, dir, err) < 0)
		return -err->code;
	s->c.st.vmm_pid = sandbox_host_pid(s, s->l.vmm_pidfd, s->l.vmm_pid);
	return 0;
}

/*
 * For --core-on-panic: a debugger that waits for the guest's death from the start. This process cannot make one later, and must not see the guest's
 * memory. It ends with the VMM.
 */
static int sandbox_launch_dumper(struct sandbox *s, struct cm_err *err)
{
	cleanup_free char *file = NULL;
	char path[4096], id[] = "-";
	char *argv[] = { (char[]){ "casemate-debug" }, (char[]){ "--fd=3" }, id, (char[]){ "core" },
		(char[]){ "--on-panic" }, NULL, NULL, NULL };
	int pair[2], r;
	pid_t pid;

	if (asprintf(&file, "%s/%s-%lld.core", s->o->core_dir, s->o->id, (long long)time(NULL)) < 0)
		return cm_err_set(err, ENOMEM, "--core-on-panic");
	argv[5] = file;
	/* Without --on-panic=hold the guest ends when it is written. */
	argv[6] = s->o->vm.hold_on_panic == CM_HOLD_FOR_CORE ? (char[]){ "--let-go" } : NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return cm_err_set(err, errno, "--core-on-panic");
	r = sandbox_hand_over(s->l.debug_fd, pair[0]);
	pid = r < 0 ? -1
		    : cm_launch_spawn(cm_launch_path("casemate-debug", path, sizeof(path)), argv,
			      &pair[1], 1, s->l.log_wr, err);
	close(pair[0]);
	close(pair[1]);
	if (r < 0)
		return cm_err_set(err, -r, "--core-on-panic");
	return pid < 0 ? -err->code : 0;
}

static int sandbox_launch_fsd(struct sandbox *s, struct cm_err *err)
{
	struct sandbox_container *k = sandbox_root(s);
	cleanup_fd int rootfs = cm_rootfs_open(s->o->bundle_fd, k->spec->root_path, err);

	if (rootfs < 0)
		return cm_err_wrap(err, "config.json");
	if (cm_volumes_open(&k->volumes, k->spec, s->o->bundle_fd, err) < 0)
		return cm_err_wrap(err, "config.json");
	if (k->spec->root_readonly && !s->o->overlay &&
		cm_rootfs_prepare(rootfs, k->spec, &k->volumes, err) < 0)
		return cm_err_wrap(err, "config.json");
	if (cm_launch_fsd(
		    &s->l, rootfs, s->o->overlay || k->spec->root_readonly, &k->volumes, err) < 0)
		return -err->code;
	s->c.st.fsd_pid = sandbox_host_pid(s, s->l.fsd_pidfd, s->l.fsd_pid);
	cm_volumes_close(&k->volumes);
	return 0;
}

/* The terminal of the container, before the process gives up its rights. */
static int sandbox_console(struct sandbox *s, struct cm_err *err)
{
	struct sandbox_container *k = sandbox_root(s);

	if (!k->spec->terminal) {
		if (s->o->console_sock < 0)
			return 0;
		return cm_err_set(
			err, 0, "--console-socket is given, but process.terminal is not set");
	}
	if (s->o->console_sock < 0 && s->o->detached)
		return cm_err_set(err, 0,
			"process.terminal is set: a detached container needs --console-socket");
	if (s->o->console_sock < 0) {
		cm_sandbox_send(s->cli_fd, CM_MSG_TERMINAL, 0, NULL);
		return 0;
	}
	k->console_fd = cm_console_send(s->o->console_sock, err);
	return k->console_fd < 0 ? -err->code : 0;
}

/*
 * Of a container that its command leaves alone, nobody but the program's streams holds the caller's files: who reads from them sees the end when
 * the program closes them. Standard error stays, for what is to be told of a sandbox that breaks, until that stream ends. 0 or -errno.
 */
static int sandbox_own_stdio(struct sandbox *s, int fds[3], struct cm_err *err)
{
	for (int i = 0; i < 3; i++)
		fds[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
	if (fds[0] < 0 || fds[1] < 0 || fds[2] < 0 || dup2(s->null_fd, 0) < 0 ||
		dup2(s->null_fd, 1) < 0)
		return cm_err_set(err, errno, "take over the standard streams");
	return 0;
}

/* Streams of the first process: its tokens and window size. more: room for those besides the standard ones. */
static int sandbox_init_stdio(struct sandbox *s, struct cm_rpc_start_options *so,
	struct cm_rpc_fd more[CM_RPC_FDS_MAX], struct cm_err *err)
{
	int fds[3] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	const struct sandbox_container *k = sandbox_root(s);
	const struct cm_preserve *preserve = &s->o->preserve;
	struct sandbox_proc *p = sandbox_proc_new(s, k);
	bool own = s->o->detached && !k->spec->terminal;

	p->init = true;
	so->fds = more;
	if (own && sandbox_own_stdio(s, fds, err) < 0)
		return -err->code;
	if (k->console_fd >= 0)
		fds[0] = fds[1] = fds[2] = k->console_fd;
	if (k->spec->terminal)
		cm_console_size(k->console_fd >= 0 ? k->console_fd : cm_console_user(), &so->rows,
			&so->cols);
	if (sandbox_stdio(s, p, fds, k->spec->terminal, own, err) < 0)
		return -err->code;
	memcpy(so->token, p->token, sizeof(so->token));
	for (; so->nfds < preserve->n; so->nfds++) {
		int fd = preserve->fd[so->nfds];

		if (sandbox_donate(s, p, fd, (uint32_t)fd, &more[so->nfds], err) < 0)
			return -err->code;
	}
	return 0;
}

static int sandbox_trace(struct sandbox *s, struct cm_err *err)
{
	struct cm_rpc_trace t = { .container = sandbox_root(s)->number, .on = 1 };

	if (s->o->trace_fd < 0)
		return 0;
	if (sandbox_stream(s, CM_RPC_STREAM_TRACE, -1, s->o->trace_fd, false, &t.token, err) < 0)
		return -err->code;
	s->trace_id = cm_rpc_client_request(&s->rpc, CM_RPC_TRACE, &t, sizeof(t));
	return s->trace_id < 0 ? cm_err_set(err, (int)-s->trace_id, "ask for a trace") : 0;
}

/* Queue HELLO, TRACE and START in one go; the guest answers when it is up. */
static int sandbox_request_start(struct sandbox *s, struct cm_err *err)
{
	struct cm_rpc_hello hello = { .version = CM_RPC_VERSION, .abi = CM_ABI_VERSION };
	struct sandbox_container *k = sandbox_root(s);
	struct cm_rpc_start_options so = {
		.container = k->number,
		.id = k->id,
		.overlay = s->o->overlay,
		.volumes = &k->volumes,
		.seccomp = &k->filter,
	};
	struct cm_rpc_fd more[CM_RPC_FDS_MAX] = { 0 };
	struct cm_buf b;
	int r;

	/* Hooks inside come before the program. */
	k->held = so.hold = s->o->create || k->spec->hooks[CM_HOOK_START_CONTAINER].n;
	cm_buf_init(&b, CM_RPC_PAYLOAD_MAX);
	s->hello_id = cm_rpc_client_request(&s->rpc, CM_RPC_HELLO, &hello, sizeof(hello));
	r = sandbox_trace(s, err);
	if (r == 0)
		r = sandbox_init_stdio(s, &so, more, err);
	if (r == 0 && cm_rpc_start_build(&b, k->spec, &so, err) < 0)
		r = cm_err_wrap(err, "config.json");
	if (r == 0) {
		k->start_id = cm_rpc_client_request(&s->rpc, CM_RPC_START, b.p, (uint32_t)b.len);
		if (k->start_id < 0 || cm_rpc_client_flush(&s->rpc) < 0)
			r = cm_err_set(err, EPIPE, "send the start request");
	}
	cm_buf_fini(&b);
	return r;
}

int sandbox_publish(struct sandbox *s, struct cm_err *err)
{
	int r = cm_urpc_listen(&s->urpc, "control.sock", err);

	s->published = true;
	/* One that nobody was to be told of is gone with its command. */
	s->c.durable = s->publish_first;
	return r < 0 ? r : sandbox_save(s, err);
}

/*
 * From here on: what the streams, the loop and the end need. No program is started any more, nothing is mounted, no id changes.
 * #syscalls:sandbox brk mmap[2&PROT_EXEC=0] munmap mprotect[2&PROT_EXEC=0] madvise mremap futex clone3 clone set_robust_list rseq gettid
 * #syscalls:sandbox rt_sigprocmask rt_sigaction rt_sigreturn sched_getaffinity clock_gettime clock_nanosleep restart_syscall
 * #syscalls:sandbox getpid exit exit_group close getrandom -- of the C library and its threads
 */
static int sandbox_seal(struct sandbox *s, struct cm_err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return cm_err_set(err, errno, "give up privileges");
	cm_seccomp_report_calls();
	return CM_SECCOMP_INSTALL(seccomp_filter_sandbox, err);
}

/*
 * Before the helpers start, where the configuration is known by then. Engines give a pod's namespaces names, under which its containers find them; only
 * other paths are of the host.
 */
static int sandbox_join_namespaces(struct sandbox *s, struct cm_err *err)
{
	struct cm_spec *spec = sandbox_root(s)->spec;
	int r = s->o->pod ? 0 : cm_namespaces_open(&s->ns, spec, err);

	if (r == 0)
		r = cm_namespaces_join(&s->ns, spec, err);
	return r < 0 ? cm_err_wrap(err, "config.json") : 0;
}

/* The rest of them, for a container whose process somebody is told of; files are opened, and the host's rights used, before. */
static int sandbox_enter_namespaces(struct sandbox *s, struct cm_err *err)
{
	const struct cm_spec *spec = sandbox_root(s)->spec;
	cleanup_fd int proc = -1;
	int r = 0;

	if (s->o->detached) {
		proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = cm_namespaces_make(&s->ns, err);
	}
	if (r == 0 && s->o->create && (s->o->pod || cm_namespaces_new_mount(&s->ns)))
		r = cm_host_show_rootfs(
			s->o->bundle_fd, spec->root_path, s->c.dirfd, s->c.st.pid != getpid(), err);
	if (r == 0)
		r = cm_namespaces_mount(&s->ns, s->c.dirfd, err);
	if (r == 0 && s->o->detached)
		r = cm_namespaces_user(&s->ns, spec, proc, err);
	/* In it, 0 is not the host's root, who is seen as this process sees itself. */
	if (r == 0 && s->o->detached && cm_namespaces_moves_user(&s->ns, spec))
		s->urpc.root = s->urpc.owner = geteuid();
	return r;
}

static int sandbox_setup(struct sandbox *s, struct cm_err *err)
{
	const struct cm_sandbox_options *o = s->o;
	struct sandbox_container *k;
	int r = sandbox_signals(s, err);

	/* Before there is anything that it could hold on to, and outside of the container's cgroup. */
	if (r == 0)
		r = s->stacks.spawner = cm_spawner_start(err);
	if (r >= 0)
		r = sandbox_container_new(s, o->id, &k, err);
	if (r < 0)
		return r;
	k->spec = o->spec;
	r = cm_container_create(&s->c, o->root, o->id, o->bundle, err);
	k->pid = s->c.st.pid;
	if (r == 0 && k->spec)
		r = sandbox_join_namespaces(s, err);
	if (r == 0)
		r = sandbox_launch_vmm(s, err);
	if (r == 0 && o->core_dir)
		r = sandbox_launch_dumper(s, err);
	if (r == 0 && !k->spec) {
		r = cm_spec_load(o->bundle_fd, &k->spec, err);
		if (r == 0)
			r = sandbox_join_namespaces(s, err);
	}
	if (r == 0)
		r = cm_preserve_env(&o->preserve, k->spec, err);
	if (r == 0)
		s->c.st.annotations = json_incref(k->spec->annotations);
	if (r == 0 && sandbox_enter_host(s, err) < 0)
		r = cm_err_wrap(err, "config.json");
	if (r == 0)
		r = sandbox_launch_fsd(s, err);
	if (r == 0)
		r = sandbox_create_hooks(s, err);
	if (r == 0)
		r = sandbox_console(s, err);
	if (r == 0 && sandbox_enter_namespaces(s, err) < 0)
		r = cm_err_wrap(err, "config.json");
	if (r == 0)
		r = sandbox_seal(s, err);
	if (r == 0)
		r = cm_rpc_client_connect(&s->rpc, VSOCK_PATH, err);
	if (r == 0)
		r = sandbox_request_start(s, err);
	if (r < 0)
		return r;
	s->c.st.rootfs = strdup(k->spec->root_path);
	return 0;
}

/* Tell what the helpers and the guest said last, for a sandbox that broke. */
static void sandbox_report(struct sandbox *s, const struct cm_err *why)
{
	char line[sizeof(why->msg) + 16];

	if (s->o->log_fd < 0 && s->tail.len > 0 && write(STDERR_FILENO, s->tail.p, s->tail.len) < 0)
		return; /* nobody to tell */
	/* The command tells why; without one the container's own standard error is the place. Not by stdio, which would seek in it first. */
	snprintf(line, sizeof(line), "casemate: %s\n", why->msg);
	if (s->cli_fd < 0 && write(STDERR_FILENO, line, strlen(line)) < 0)
		return;
}

static int sandbox_exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : (128 + WTERMSIG(status)) & 0xff;
}

/*
 * End everything and say how it went. The container's directory stays when asked, or when the sandbox broke while the program ran: then
 * `state` says stopped and `delete` removes it.
 */
static int sandbox_end(struct sandbox *s, int r, const struct cm_err *why)
{
	struct sandbox_container *root = sandbox_root(s);
	bool started = root->id && root->status != CM_CREATING;
	bool broken = started && root->status != CM_STOPPED;
	/* A record with hooks is removed by who runs those of the end: the command, which may not have read it yet, or `delete`. */
	bool keep = started && (s->o->keep || (broken && !s->killed) || s->c.st.hooks);
	struct cm_err ignored;

	/* They die while the directory is removed. */
	cm_launch_kill(&s->l);
	for (int i = 0; i < SANDBOX_RELAYS; i++) {
		if (s->relays[i])
			cm_relay_stop(s->relays[i]);
	}
	for (uint32_t i = 2; i <= CM_RPC_CONTAINERS; i++) {
		struct sandbox_container *k = sandbox_container_at(s, i);

		if (k && k->status != CM_STOPPED) {
			sandbox_container_stopped(k, SIGKILL);
			sandbox_call_end(s, k);
		}
	}
	if (broken) {
		sandbox_container_stopped(root, SIGKILL);
		cm_events_exited(&s->events, root->id, SIGKILL);
		sandbox_call_end(s, root);
		if (!s->killed)
			sandbox_report(s, why);
	}
	cm_urpc_close(&s->urpc);
	if (keep) {
		sandbox_save(s, &ignored);
		cm_container_release(&s->c);
	} else {
		cm_container_remove(&s->c);
	}
	cm_launch_fini(&s->l);
	if (!keep)
		sandbox_leave_host(s);
	if (!started) {
		cm_sandbox_send(s->cli_fd, CM_MSG_FAILED, r < 0 ? -r : EIO, why->msg);
		return 1;
	}
	cm_sandbox_send(s->cli_fd, CM_MSG_EXITED, root->wait_status, broken ? why->msg : "");
	return sandbox_exit_code(root->wait_status);
}

int cm_sandbox_main(const struct cm_sandbox_options *o, int fd)
{
	const int keep[] = { fd, o->bundle_fd, o->trace_fd, o->log_fd, o->console_sock };
	struct sandbox s = { .o = o, .cli_fd = fd, .publish_first = o->publish_first };
	struct cm_err err = { 0 };
	int r;

	cm_process_close_others(keep, sizeof(keep) / sizeof(keep[0]), &o->preserve);
	s.done_fd = s.signal_fd = s.vsock_fd = s.null_fd = s.pause.fd = -1;
	s.stacks.spawner = s.stacks.fd = -1;
	cm_events_init(&s.events);
	cm_urpc_init(&s.urpc, sandbox_call, sandbox_call_gone, &s);
	s.c.dirfd = s.c.rootfd = -1;
	s.log_left = SANDBOX_LOG_MAX;
	s.boot_time = time(NULL);
	cm_buf_init(&s.tail, SANDBOX_TAIL);
	cm_launch_init(&s.l);
	cm_rpc_client_init(&s.rpc);
	cm_namespaces_init(&s.ns);
	r = sandbox_setup(&s, &err);
	if (r == 0)
		r = sandbox_loop(&s, &err);
	/* The process ends now: its memory and descriptors need no tidying. */
	return sandbox_end(&s, r, &err);
}
