/* SPDX-License-Identifier: Apache-2.0 */
/* The process that stands for a further container of a sandbox. */
#include <config.h>
#include "control/member.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "common/seccomp.h"
#include "control/cgroup.h"
#include "control/cli.h"
#include "control/console.h"
#include "control/container.h"
#include "control/hooks.h"
#include "control/host.h"
#include "control/launch.h"
#include "control/process.h"
#include "control/rootfs.h"
#include "control/seccomp_member.h"
#include "control/urpc.h"

#define MEMBER_CGROUP_MS 1000 /* for a killed file server to be gone from the cgroup */

struct member {
	const struct cm_sandbox_options *o;
	struct cm_spec *spec;
	struct cm_container c;
	struct cm_cgroup cgroup; /* n = 0: that of the command */
	struct cm_volumes volumes;
	int cli_fd, signal_fd;
	int tty_fd; /* of the container; -1 = none */
	int call_fd, wait_fd; /* to the sandbox: for calls, and for the one that tells of the end */
	int plug_fd; /* to the file server, until the sandbox has it */
	int log_fd; /* what the file server has to say */
	pid_t server;
	bool reserved; /* the sandbox knows the id */
	bool started;
	int status; /* wait(2) encoding */
};

static int member_call(struct member *m, const char *method, json_t *arg, const int *fds, int n,
	bool patient, struct cm_err *err)
{
	if (cm_urpc_send(m->call_fd, method, arg, fds, n, err) < 0)
		return -err->code;
	return cm_urpc_receive(m->call_fd, patient, NULL, err);
}

/* ---- set-up */

/* The connections come first: later the host's files are out of reach. */
static int member_connect(struct member *m, struct cm_err *err)
{
	struct cm_state st;
	int r = cm_state_load(m->o->root, m->o->sandbox, &st, err);

	if (r < 0)
		return cm_err_wrap(err, "its sandbox");
	if (st.status == CM_STOPPED || st.status == CM_CREATING || st.sandbox)
		r = cm_err_set(err, ESRCH, "sandbox '%s' is %s", m->o->sandbox,
			st.sandbox ? "a container of another one" : cm_status_name(st.status));
	cm_state_fini(&st);
	if (r < 0)
		return r;
	m->call_fd = cm_urpc_open(m->o->root, m->o->sandbox, err);
	m->wait_fd = m->call_fd < 0 ? -1 : cm_urpc_open(m->o->root, m->o->sandbox, err);
	return m->wait_fd < 0 ? -err->code : 0;
}

/* Whoever calls this container's sandbox finds it below its own id too. */
static int member_record(struct member *m, struct cm_err *err)
{
	cleanup_free char *path = NULL;
	int r = cm_container_create(&m->c, m->o->root, m->o->id, m->o->bundle, err);

	if (r < 0)
		return r;
	if (fchdir(m->c.dirfd) < 0 || asprintf(&path, "../%s/control.sock", m->o->sandbox) < 0 ||
		symlink(path, "control.sock") < 0)
		return cm_err_set(err, errno, "link the control socket");
	m->c.st.sandbox = strdup(m->o->sandbox);
	m->c.st.rootfs = strdup(m->spec->root_path);
	m->c.st.annotations = json_incref(m->spec->annotations);
	m->c.durable = m->o->keep;
	r = cm_host_keep_hooks(&m->c.st, m->spec, err);
	return r < 0 ? r : cm_container_save(&m->c, err);
}

static int member_server(struct member *m, struct cm_err *err)
{
	bool readonly = m->o->overlay || m->spec->root_readonly;
	cleanup_fd int rootfs = cm_rootfs_open(m->o->bundle_fd, m->spec->root_path, err);
	cleanup_fd int theirs = -1, log = -1;
	int sp[2], p[2];

	if (rootfs < 0 || cm_volumes_open(&m->volumes, m->spec, m->o->bundle_fd, err) < 0)
		return -err->code;
	if (m->spec->root_readonly && !m->o->overlay &&
		cm_rootfs_prepare(rootfs, m->spec, &m->volumes, err) < 0)
		return -err->code;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp) < 0)
		return cm_err_set(err, errno, "make plug socket");
	m->plug_fd = sp[0];
	theirs = sp[1];
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return cm_err_set(err, errno, "make log pipe");
	m->log_fd = p[0];
	log = p[1];
	m->server = cm_launch_server(theirs, log, rootfs, readonly, &m->volumes, err);
	cm_volumes_close(&m->volumes);
	if (m->server < 0) {
		m->server = 0;
		return -err->code;
	}
	m->c.st.fsd_pid = m->server;
	return 0;
}

static int member_hooks(struct member *m, struct cm_err *err)
{
	int r = 0;

	for (unsigned k = CM_HOOK_PRESTART; r == 0 && k <= CM_HOOK_CREATE_CONTAINER; k++)
		r = cm_hooks_run(m->spec->hooks, (enum cm_hook_kind)k, &m->c.st, CM_CREATING,
			m->o->bundle_fd, err);
	return r;
}

static int member_console(struct member *m, struct cm_err *err)
{
	if (!m->spec->terminal) {
		if (m->o->console_sock < 0)
			return 0;
		return cm_err_set(
			err, 0, "--console-socket is given, but process.terminal is not set");
	}
	if (m->o->console_sock >= 0) {
		m->tty_fd = cm_console_send(m->o->console_sock, err);
		return m->tty_fd < 0 ? -err->code : 0;
	}
	if (m->o->detached)
		return cm_err_set(err, 0,
			"process.terminal is set: a detached container needs --console-socket");
	m->tty_fd = STDIN_FILENO;
	cm_sandbox_send(m->cli_fd, CM_MSG_TERMINAL, 0, NULL);
	return 0;
}

/* Its program waits for `start`, or for hooks inside. */
static bool member_holds(const struct member *m)
{
	return m->o->create || m->spec->hooks[CM_HOOK_START_CONTAINER].n;
}

static int member_request(struct member *m, struct cm_err *err)
{
	const struct cm_preserve *preserve = &m->o->preserve;
	int fds[4 + CM_RPC_FDS_MAX] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	int n = m->spec->terminal ? 0 : 3;
	json_t *dirs = json_array();

	for (unsigned i = 0; i < m->volumes.n; i++)
		json_array_append_new(dirs, json_boolean(m->volumes.v[i].directory));
	for (unsigned i = 0; i < preserve->n; i++)
		fds[n++] = preserve->fd[i];
	fds[n++] = m->plug_fd;
	return member_call(m, "containerManager.StartSubcontainer",
		json_pack("{s:s, s:O, s:{}, s:b, s:b, s:o, s:o}", "CID", m->o->id, "Spec",
			m->spec->doc, "Conf", "Hold", member_holds(m), "Overlay", m->o->overlay,
			"VolumeDirs", dirs, "donated_fds", cm_preserve_numbers(preserve)),
		fds, n, true, err);
}

/* In the sandbox: an id, then a container of that id, then word of its end. */
static int member_start(struct member *m, struct cm_err *err)
{
	struct cm_err ignored;
	int r = member_call(m, "containerManager.CreateSubcontainer",
		json_pack("{s:s}", "CID", m->o->id), &m->tty_fd, m->tty_fd >= 0 ? 1 : 0, false,
		err);

	if (r < 0)
		return r;
	m->reserved = true;
	r = member_request(m, err);
	if (r < 0)
		return r;
	cm_cleanup_closep(&m->plug_fd);
	m->plug_fd = -1;
	cm_status_change(m->o->id, &m->c.st.status, CM_CREATED, &ignored);
	if (!member_holds(m))
		cm_status_change(m->o->id, &m->c.st.status, CM_RUNNING, &ignored);
	r = cm_container_save(&m->c, err);
	return r < 0 ? r
		     : cm_urpc_send(m->wait_fd, "containerManager.Wait", json_string(m->o->id),
			       NULL, 0, err);
}

/* The sandbox process has them. */
static void member_leave_preserved(const struct member *m)
{
	struct cm_preserve p = m->o->preserve;

	cm_preserve_close(&p);
}

/* Of a container that its command leaves alone, nobody but the program's streams holds the caller's files, which the sandbox process has by now. */
static int member_leave_stdio(int null, struct cm_err *err)
{
	for (int i = 0; i < 3; i++) {
		if (dup2(null, i) < 0)
			return cm_err_set(err, errno, "leave the standard streams");
	}
	return 0;
}

/*
 * Hooks and helpers were started before, and needed more. From here on: signals, calls, the record.
 * #syscalls:member poll read close exit_group rt_sigreturn rt_sigprocmask
 * #syscalls:member brk mmap[2&PROT_EXEC=0] munmap mremap madvise mprotect[2&PROT_EXEC=0] getrandom clock_gettime -- of the C library
 */
static int member_seal(struct cm_err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return cm_err_set(err, errno, "give up new privileges");
	cm_seccomp_report_calls();
	return CM_SECCOMP_INSTALL(seccomp_filter_member, err);
}

static int member_setup(struct member *m, struct cm_err *err)
{
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC); /* it is out of reach later */
	int r;

	m->signal_fd = cm_process_detach("casemate-member", err);
	r = m->signal_fd < 0 ? m->signal_fd : member_connect(m, err);
	if (r == 0)
		r = member_record(m, err);
	if (r == 0 && (cm_host_cgroup(m->o, m->cli_fd, m->spec, &m->c.st, &m->cgroup, err) < 0 ||
			      member_server(m, err) < 0))
		r = cm_err_wrap(err, "config.json");
	if (r == 0)
		r = cm_container_save(&m->c, err);
	if (r == 0)
		r = member_hooks(m, err);
	if (r == 0)
		r = member_console(m, err);
	if (r == 0 && m->o->create)
		r = cm_host_show_rootfs(
			m->o->bundle_fd, m->spec->root_path, m->c.dirfd, false, err);
	if (r == 0)
		r = cm_preserve_env(&m->o->preserve, m->spec, err);
	if (r == 0)
		r = member_start(m, err);
	if (r == 0)
		member_leave_preserved(m);
	if (r == 0 && m->o->detached)
		r = member_leave_stdio(null, err);
	if (r == 0)
		r = member_seal(err);
	m->started = r == 0;
	return r;
}

/* ---- life */

static void member_signal(struct member *m, int signo)
{
	struct cm_err ignored;

	member_call(m, "containerManager.Signal",
		json_pack("{s:s, s:i, s:i, s:i}", "CID", m->o->id, "Signo", signo, "PID", 0, "Mode",
			CM_URPC_PROCESS),
		NULL, 0, false, &ignored);
}

static void member_winsize(struct member *m, unsigned rows, unsigned cols)
{
	struct cm_err ignored;

	member_call(m, "casemate.WindowSize",
		json_pack("{s:s, s:i, s:i, s:i}", "CID", m->o->id, "PID", 0, "Rows", (int)rows,
			"Columns", (int)cols),
		NULL, 0, false, &ignored);
}

static void member_signals(struct member *m)
{
	struct signalfd_siginfo si;
	uint16_t rows, cols;

	while (read(m->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH && m->tty_fd >= 0) {
			cm_console_size(m->tty_fd, &rows, &cols);
			member_winsize(m, rows, cols);
			continue;
		}
		/* The engine closed the terminal: the guest's own hang-up tells its programs. */
		if (si.ssi_signo == SIGHUP && m->tty_fd >= 0 && si.ssi_code == SI_KERNEL)
			continue;
		member_signal(m, (int)si.ssi_signo);
	}
}

static void member_command(struct member *m)
{
	struct cm_sandbox_msg msg;

	if (cm_sandbox_receive(m->cli_fd, &msg) == 1) {
		if (msg.kind == CM_MSG_WINSIZE)
			member_winsize(m, (uint32_t)msg.value >> 16, (uint32_t)msg.value & 0xffff);
		if (msg.kind == CM_MSG_SIGNAL)
			member_signal(m, msg.value);
		return;
	}
	close(m->cli_fd);
	m->cli_fd = -1;
	if (m->o->die_with_parent)
		member_signal(m, SIGKILL);
}

/* Until the sandbox tells of the end, or is gone itself. */
static void member_live(struct member *m)
{
	struct pollfd p[] = { { m->wait_fd, POLLIN, 0 }, { m->signal_fd, POLLIN, 0 },
		{ m->cli_fd, POLLIN, 0 } };
	json_t *status = NULL;
	struct cm_err ignored;

	for (;;) {
		p[2].fd = m->cli_fd;
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			break;
		if (p[1].revents)
			member_signals(m);
		if (p[2].revents)
			member_command(m);
		if (p[0].revents)
			break;
	}
	m->status = SIGKILL;
	if (cm_urpc_receive(m->wait_fd, false, &status, &ignored) == 0)
		m->status = (int)json_integer_value(status);
	json_decref(status);
}

/* ---- end */

static bool member_was_oom(struct member *m)
{
	struct cm_err ignored;
	json_t *state = NULL;
	bool oom;

	if (cm_urpc_send(m->call_fd, "containerManager.State", json_string(m->o->id), NULL, 0,
		    &ignored) < 0 ||
		cm_urpc_receive(m->call_fd, false, &state, &ignored) < 0)
		return false;
	oom = json_is_true(json_object_get(state, "oomKilled"));
	json_decref(state);
	return oom;
}

static void member_forget(struct member *m)
{
	struct cm_err ignored;

	if (m->reserved)
		member_call(m, "containerManager.DestroySubcontainer", json_string(m->o->id), NULL,
			0, true, &ignored);
}

/* #syscalls:member kill wait4 */
static void member_reap_server(struct member *m)
{
	if (m->server <= 0)
		return;
	kill(m->server, SIGKILL);
	while (waitpid(m->server, NULL, 0) < 0 && errno == EINTR)
		;
}

/* The last line of what the server said belongs to an error of the sandbox that has nothing else to say. */
static void member_add_log(struct member *m, struct cm_err *err)
{
	char text[256];
	ssize_t n = m->log_fd >= 0 ? read(m->log_fd, text, sizeof(text) - 1) : 0;

	if (n <= 0)
		return;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	cm_err_wrap(err, "%s", text);
}

static int member_end(struct member *m, struct cm_err *why)
{
	bool keep = m->started && (m->o->keep || m->c.st.hooks); /* as sandbox_end */
	struct cm_err ignored;

	if (m->started)
		m->c.st.oom_killed = member_was_oom(m);
	if (!keep)
		member_forget(m);
	if (!m->started)
		member_add_log(m, why);
	member_reap_server(m);
	if (keep) {
		m->c.st.exit_status = m->status;
		cm_status_change(m->o->id, &m->c.st.status, CM_STOPPED, &ignored);
		cm_container_save(&m->c, &ignored);
		cm_container_release(&m->c);
	} else {
		cm_container_remove(&m->c);
	}
	if (!keep && m->cgroup.n) {
		cm_cgroup_leave(&m->cgroup);
		(void)cm_cgroup_remove(&m->cgroup, MEMBER_CGROUP_MS);
	}
	if (!m->started) {
		cm_sandbox_send(m->cli_fd, CM_MSG_FAILED, why->code, why->msg);
		return 1;
	}
	cm_sandbox_send(m->cli_fd, CM_MSG_EXITED, m->status, "");
	return cm_cli_exit_code(m->status);
}

int cm_member_main(const struct cm_sandbox_options *o, int fd)
{
	const int keep[] = { fd, o->bundle_fd, o->console_sock };
	struct member m = { .o = o,
		.spec = o->spec,
		.cli_fd = fd,
		.signal_fd = -1,
		.tty_fd = -1,
		.call_fd = -1,
		.wait_fd = -1,
		.plug_fd = -1,
		.log_fd = -1 };
	struct cm_err err = { 0 };

	cm_process_close_others(keep, sizeof(keep) / sizeof(keep[0]), &o->preserve);
	m.c.dirfd = m.c.rootfd = -1;
	umask(0177); /* what it makes is its own */
	if (member_setup(&m, &err) == 0) {
		cm_sandbox_send(m.cli_fd, CM_MSG_STARTED, m.c.st.pid,
			!o->create && m.c.st.hooks ? CM_STARTED_HOOKS : NULL);
		member_live(&m);
	}
	return member_end(&m, &err);
}
