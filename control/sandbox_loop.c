/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox process: main loop. One poll over the command, the guest, the two helpers, the log, the output streams, signals and the
 * control socket; nothing in it blocks.
 * #syscalls:sandbox poll read write close
 */
#include <config.h>
#include "control/sandbox_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "casemate/abi_version.h"
#include "control/console.h"
#include "control/rpc_start.h"

/*
 * From launch to the guest's answer. Whoever starts fifty at once on one emulated processor waits for most of it; a guest that died says so at once.
 */
#define LOOP_START_MS 120000
#define LOOP_FSD_MS   100 /* from the file server's end to the VMM's, when that is the cause */
#define LOOP_CUT_MS \
	5000 /* from a file server's end to that of the container that waited for it; for a killed one's output to be taken */
#define LOOP_NO_EXEC \
	127 /* exit code of a created container whose program cannot be executed, as a shell's */
#define LOOP_QUIET_MS 5 /* a program that still runs after this gets its record written */
#define LOOP_END_MS \
	2000 /* for an ordered power off, and for the VMM to end when the guest hung up */

enum loop_fd {
	LOOP_CLI,
	LOOP_RPC,
	LOOP_VMM,
	LOOP_FSD,
	LOOP_LOG,
	LOOP_DONE,
	LOOP_SIGNAL,
	LOOP_PAUSE,
	LOOP_STACKS,
	LOOP_PLUG,
	LOOP_IMAGE,
	LOOP_SERVER, /* of each container; the root's is watched as a process */
	LOOP_URPC = LOOP_SERVER + CM_RPC_CONTAINERS,
	LOOP_FDS = LOOP_URPC + CM_URPC_POLLFDS
};

long sandbox_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void sandbox_read_log(struct sandbox *s)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(s->l.log_fd, buf, sizeof(buf))) > 0) {
		if (s->tail.len + (size_t)n > s->tail.max)
			cm_buf_consume(&s->tail, s->tail.len + (size_t)n - s->tail.max);
		cm_buf_add(&s->tail, buf, (size_t)n);
		if (s->o->log_fd < 0 || s->log_left == 0)
			continue;
		s->log_left -= (uint64_t)n < s->log_left ? (uint64_t)n : s->log_left;
		if (write(s->o->log_fd, buf, (size_t)n) < 0)
			s->log_left = 0;
	}
	if (n == 0) {
		close(s->l.log_fd);
		s->l.log_fd = -1;
	}
}

void sandbox_last_line(const struct sandbox *s, char *buf, size_t size)
{
	size_t end = s->tail.len, start;

	while (end > 0 && s->tail.p[end - 1] == '\n')
		end--;
	for (start = end; start > 0 && s->tail.p[start - 1] != '\n'; start--)
		;
	snprintf(buf, size, "%.*s", (int)(end - start), end > start ? s->tail.p + start : "");
}

static int loop_hello(struct sandbox *s, const struct cm_rpc_frame *f, struct cm_err *err)
{
	struct cm_rpc_hello h;

	s->hello_id = 0;
	if (f->hdr.error || cm_rpc_decode_hello(f, &h) < 0 || h.version < CM_RPC_VERSION ||
		h.abi != CM_ABI_VERSION)
		return cm_err_set(err, EPROTO, "the guest speaks another protocol");
	return 0;
}

static void loop_winsize(
	struct sandbox *s, const struct sandbox_container *k, uint16_t rows, uint16_t cols)
{
	struct cm_rpc_winsize w = { .container = k->number, .rows = rows, .cols = cols };

	if (sandbox_container_is_up(k) && (rows || cols))
		cm_rpc_client_request(&s->rpc, CM_RPC_WINSIZE, &w, sizeof(w));
}

static void loop_console_size(struct sandbox *s, const struct sandbox_container *k)
{
	uint16_t rows, cols;

	if (k->console_fd < 0)
		return;
	cm_console_size(k->console_fd, &rows, &cols);
	loop_winsize(s, k, rows, cols);
}

static int loop_started(struct sandbox *s, struct sandbox_container *k,
	const struct cm_rpc_frame *f, struct cm_err *err)
{
	struct cm_rpc_started st;

	k->start_id = 0;
	if (k != sandbox_root(s))
		return sandbox_sub_started(s, k, f, err);
	if (f->hdr.error) {
		cm_rpc_start_error(f, k->spec, err);
		return cm_err_wrap(err, "unable to start container process");
	}
	/* Who says nothing about its version is not believed. */
	if (cm_rpc_decode_started(f, &st) < 0 || s->hello_id)
		return cm_err_set(err, EPROTO, "answer of the guest");
	sandbox_proc_init(s, k)->pid = st.pid;
	if (sandbox_container_change(k, CM_CREATED, err) < 0 ||
		(!k->held && sandbox_container_change(k, CM_RUNNING, err) < 0) ||
		(s->publish_first && sandbox_publish(s, err) < 0))
		return -err->code;
	loop_console_size(s, k); /* the engine may have told it before there was anybody to tell */
	s->deadline = sandbox_now_ms() + LOOP_QUIET_MS;
	cm_sandbox_send(s->cli_fd, CM_MSG_STARTED, s->c.st.pid,
		!s->o->create && s->c.st.hooks ? CM_STARTED_HOOKS : NULL);
	return 0;
}

/* A further container has ended: what it wrote may still be under way. */
static int loop_sub_ended(
	struct sandbox *s, struct sandbox_container *k, const uint64_t sent[CM_RPC_SENT])
{
	struct sandbox_proc *p = sandbox_proc_init(s, k);
	struct cm_err ignored;

	/* A record that cannot be written is no reason for the others to end. */
	sandbox_save(s, &ignored);
	sandbox_container_close(k);
	if (p && !p->ended)
		sandbox_proc_ended(s, p, k->wait_status, sent);
	return 0;
}

/* A created container's program was executed, or could not be: then that was its life. */
static int loop_released(struct sandbox *s, struct sandbox_container *k,
	const struct cm_rpc_frame *f, struct cm_err *err)
{
	struct timespec now;
	struct cm_err why;

	k->release_id = 0;
	/* Killed before; the exit event comes. EALREADY: asked once more between the first EINTR and that event. */
	if (f->hdr.error == EINTR || f->hdr.error == EALREADY) {
		sandbox_call_released(s, k, ESRCH, "the container was killed");
		return 0;
	}
	if (f->hdr.error) {
		cm_rpc_start_error(f, k->spec, &why);
		cm_err_wrap(&why, "unable to start container process");
		sandbox_call_released(s, k, why.code, why.msg);
		sandbox_container_stopped(k, LOOP_NO_EXEC << 8);
		cm_events_exited(&s->events, k->id, LOOP_NO_EXEC << 8);
		return k == sandbox_root(s) ? 0
					    : loop_sub_ended(s, k, (uint64_t[CM_RPC_SENT]){ 0 });
	}
	if (k->status != CM_STOPPED &&
		(sandbox_container_change(k, CM_RUNNING, err) < 0 || sandbox_save(s, err) < 0))
		return -err->code;
	clock_gettime(CLOCK_REALTIME, &now);
	cm_events_started(&s->events, k->id, &k->requested, &now);
	sandbox_call_released(s, k, 0, NULL);
	return 0;
}

/* Only an exit code or a signal: the rest of the word is the guest's fancy. */
int sandbox_status(int32_t status)
{
	if ((status & 0x7f) == 0)
		return status & 0xff00;
	return (status & 0x7f) <= 64 ? status & 0xff : SIGKILL;
}

static int loop_exited(struct sandbox *s, const struct cm_rpc_frame *f, struct cm_err *err)
{
	struct sandbox_container *k;
	struct cm_rpc_exited e;

	if (cm_rpc_decode_exited(f, &e) < 0)
		return cm_err_set(err, EPROTO, "exit event of the guest");
	k = sandbox_container_at(s, e.container);
	if (!k || k->status == CM_CREATING)
		return cm_err_set(err, EPROTO, "exit event of the guest");
	if (k->status == CM_STOPPED)
		return 0;
	k->oom_killed = e.flags & CM_RPC_EXITED_OOM;
	/* Its output may lie in a pipe that nobody reads. */
	if (k == sandbox_root(s) && k->kill_deadline)
		s->output_deadline = sandbox_now_ms() + LOOP_CUT_MS;
	sandbox_container_stopped(k, sandbox_status(e.status));
	cm_events_exited(&s->events, k->id, k->wait_status);
	return k == sandbox_root(s) ? 0 : loop_sub_ended(s, k, e.sent);
}

/* A guest that tells of a process it was not asked for, or twice, is not listened to. */
static int loop_exec_exited(struct sandbox *s, const struct cm_rpc_frame *f, struct cm_err *err)
{
	struct sandbox_proc *p = NULL;
	struct sandbox_container *k;
	struct cm_rpc_exited e;

	if (cm_rpc_decode_exited(f, &e) < 0)
		return cm_err_set(err, EPROTO, "exit event of the guest");
	k = sandbox_container_at(s, e.container);
	if (k)
		p = sandbox_proc_find(s, k, e.pid);
	if (p && !p->init && !p->ended)
		sandbox_proc_ended(s, p, sandbox_status(e.status), e.sent);
	return 0;
}

/* A reply to START or RELEASE: 1 when it was none, or -errno. */
static int loop_container_reply(struct sandbox *s, const struct cm_rpc_frame *f, struct cm_err *err)
{
	for (uint32_t i = 1; i <= CM_RPC_CONTAINERS; i++) {
		struct sandbox_container *k = sandbox_container_at(s, i);

		if (!k)
			continue;
		if (f->hdr.type == (CM_RPC_RELEASE | CM_RPC_REPLY) && f->hdr.id == k->release_id)
			return loop_released(s, k, f, err);
		if (f->hdr.type == (CM_RPC_START | CM_RPC_REPLY) && f->hdr.id == k->start_id)
			return loop_started(s, k, f, err);
	}
	return 1;
}

static int loop_frame(struct sandbox *s, const struct cm_rpc_frame *f, struct cm_err *err)
{
	int64_t id = f->hdr.id;
	int r;

	if (f->hdr.type == CM_RPC_EXITED)
		return loop_exited(s, f, err);
	if (f->hdr.type == CM_RPC_EXEC_EXITED)
		return loop_exec_exited(s, f, err);
	if (f->hdr.type == (CM_RPC_HELLO | CM_RPC_REPLY) && id == s->hello_id)
		return loop_hello(s, f, err);
	r = loop_container_reply(s, f, err);
	if (r <= 0)
		return r;
	if (f->hdr.type == (CM_RPC_TRACE | CM_RPC_REPLY) && id == s->trace_id && f->hdr.error)
		return cm_err_set(err, f->hdr.error, "trace system calls");
	if (f->hdr.type & CM_RPC_REPLY)
		sandbox_call_reply(s, f);
	return 0;
}

/* What the guest's end says when the connection or the VMM is gone. */
static int loop_broken(struct sandbox *s, const char *what, struct cm_err *err)
{
	char line[256];

	sandbox_read_log(s);
	sandbox_last_line(s, line, sizeof(line));
	if (line[0])
		return cm_err_set(err, 0, "%s: %s", what, line);
	return cm_err_set(err, 0, "%s", what);
}

static int loop_rpc(struct sandbox *s, struct cm_err *err)
{
	struct cm_rpc_frame f;
	int n = cm_rpc_client_fill(&s->rpc);

	if (n < 0) {
		/* After the exit event the guest may hang up; before it the VMM is about to end and tells more. */
		cm_rpc_client_fini(&s->rpc);
		s->deadline = sandbox_now_ms() + LOOP_END_MS;
		return 0;
	}
	while ((n = cm_rpc_client_next(&s->rpc, &f)) > 0) {
		int r = loop_frame(s, &f, err);

		cm_rpc_client_drop(&s->rpc, n);
		if (r < 0)
			return r;
	}
	return n < 0 ? cm_err_set(err, EPROTO, "message of the guest") : 0;
}

static int loop_vmm_end(struct sandbox *s, struct cm_err *err)
{
	char what[64];
	int status = 0;

	s->vmm_gone = true;
	waitpid(s->l.vmm_pid, &status, 0);
	s->l.vmm_pid = 0;
	/* The exit event and the last output may still lie in the sockets. */
	if (s->rpc.fd >= 0 && loop_rpc(s, err) < 0)
		return -err->code;
	if (sandbox_root(s)->status == CM_STOPPED)
		return 0;
	if (WIFSIGNALED(status)) {
		sandbox_read_log(s);
		return cm_err_set(err, 0, "the VMM was killed by signal %d", WTERMSIG(status));
	}
	snprintf(what, sizeof(what), "the VMM ended with code %d", WEXITSTATUS(status));
	return loop_broken(s, what, err);
}

/* The file server ends when the VMM does: then it is the VMM's end that tells why. */
static int loop_fsd_end(struct sandbox *s, struct cm_err *err)
{
	struct pollfd vmm = { .fd = s->vmm_gone ? -1 : s->l.vmm_pidfd, .events = POLLIN };

	s->fsd_gone = true;
	if (sandbox_root(s)->status == CM_STOPPED)
		return 0;
	if (!s->vmm_gone && poll(&vmm, 1, LOOP_FSD_MS) > 0)
		return loop_vmm_end(s, err);
	return loop_broken(s, "the file server ended", err);
}

static void loop_signals(struct sandbox *s)
{
	struct sandbox_container *root = sandbox_root(s);
	struct signalfd_siginfo si;

	while (read(s->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH && root->console_fd >= 0) {
			loop_console_size(s, root);
			continue;
		}
		/* The engine closed the terminal: the guest's own hang-up tells its programs. */
		if (si.ssi_signo == SIGHUP && root->console_fd >= 0 && si.ssi_code == SI_KERNEL)
			continue;
		/* Whoever signals the OCI pid means the container. */
		sandbox_signal(s, root, (int)si.ssi_signo, 0, CM_RPC_SIGNAL_PID);
	}
}

static int loop_message(struct sandbox *s, const struct cm_sandbox_msg *m, struct cm_err *err)
{
	struct sandbox_container *root = sandbox_root(s);

	if (m->kind == CM_MSG_WINSIZE)
		loop_winsize(s, root, (uint16_t)((uint32_t)m->value >> 16), (uint16_t)m->value);
	if (m->kind != CM_MSG_SIGNAL)
		return 0;
	/* There is no program yet that could handle it. */
	if (root->status == CM_CREATING)
		return cm_err_set(err, 0, "interrupted by signal %d", m->value);
	sandbox_signal(s, root, m->value, 0, CM_RPC_SIGNAL_PID);
	return 0;
}

static int loop_cli(struct sandbox *s, struct cm_err *err)
{
	struct cm_sandbox_msg m;

	if (cm_sandbox_receive(s->cli_fd, &m) == 1)
		return loop_message(s, &m, err);
	close(s->cli_fd);
	s->cli_fd = -1;
	/* One that died before it was told of the container leaves nobody who knows of it. */
	if (!s->o->die_with_parent && sandbox_root(s)->status != CM_CREATING)
		return 0;
	s->killed = true;
	return cm_err_set(err, EPIPE, "the command is gone");
}

static void loop_prepare(struct sandbox *s, struct pollfd *p)
{
	short rpc_events = cm_rpc_client_pending(&s->rpc) ? POLLIN | POLLOUT : POLLIN;

	p[LOOP_CLI] = (struct pollfd){ s->cli_fd, POLLIN, 0 };
	p[LOOP_RPC] = (struct pollfd){ s->rpc.fd, rpc_events, 0 };
	p[LOOP_VMM] = (struct pollfd){ s->vmm_gone ? -1 : s->l.vmm_pidfd, POLLIN, 0 };
	p[LOOP_FSD] = (struct pollfd){ s->fsd_gone ? -1 : s->l.fsd_pidfd, POLLIN, 0 };
	p[LOOP_LOG] = (struct pollfd){ s->l.log_fd, POLLIN, 0 };
	p[LOOP_DONE] = (struct pollfd){ s->done_fd, POLLIN, 0 };
	p[LOOP_SIGNAL] = (struct pollfd){ s->signal_fd, POLLIN, 0 };
	p[LOOP_PAUSE] = (struct pollfd){ s->pause.fd, POLLIN, 0 };
	p[LOOP_STACKS] = (struct pollfd){ sandbox_stacks_fd(s), POLLIN, 0 };
	p[LOOP_PLUG] = (struct pollfd){ s->l.plug_fd, POLLIN, 0 };
	p[LOOP_IMAGE] = (struct pollfd){ s->l.image_fd, POLLIN, 0 };
	for (int i = 0; i < CM_RPC_CONTAINERS; i++)
		p[LOOP_SERVER + i] =
			(struct pollfd){ s->table[i].id && i ? s->table[i].server_fd : -1, POLLIN,
				0 };
	cm_urpc_poll_prepare(&s->urpc, p + LOOP_URPC);
}

static int loop_serve(struct sandbox *s, const struct pollfd *p, struct cm_err *err)
{
	uint64_t ended;

	if (p[LOOP_LOG].revents)
		sandbox_read_log(s);
	if (p[LOOP_RPC].revents && loop_rpc(s, err) < 0)
		return -err->code;
	if (p[LOOP_VMM].revents && !s->vmm_gone && loop_vmm_end(s, err) < 0)
		return -err->code;
	if (p[LOOP_FSD].revents && loop_fsd_end(s, err) < 0)
		return -err->code;
	if (p[LOOP_DONE].revents && read(s->done_fd, &ended, sizeof(ended)) == sizeof(ended))
		sandbox_streams_done(s);
	if (p[LOOP_SIGNAL].revents)
		loop_signals(s);
	if (p[LOOP_CLI].revents && loop_cli(s, err) < 0)
		return -err->code;
	if (p[LOOP_PAUSE].revents)
		sandbox_pause_serve(s);
	if (p[LOOP_STACKS].revents)
		sandbox_stacks_serve(s);
	if (p[LOOP_PLUG].revents)
		sandbox_plug_serve(s);
	if (p[LOOP_IMAGE].revents)
		sandbox_image_serve(s);
	for (int i = 1; i < CM_RPC_CONTAINERS; i++) {
		if (p[LOOP_SERVER + i].revents && p[LOOP_SERVER + i].fd == s->table[i].server_fd)
			sandbox_server_serve(s, &s->table[i]);
	}
	cm_urpc_poll_serve(&s->urpc, p + LOOP_URPC);
	if (s->rpc.fd >= 0 && cm_rpc_client_flush(&s->rpc) < 0)
		cm_rpc_client_fini(&s->rpc);
	return 0;
}

/* Where the VMM has something to say at its end, let it end by itself. */
static void loop_power_off(struct sandbox *s)
{
	struct cm_rpc_shutdown q = { .flags = CM_RPC_SHUTDOWN_SYNC };
	struct pollfd p = { .fd = s->l.vmm_pidfd, .events = POLLIN };

	if (s->o->vm.trace_exits && !s->vmm_gone && s->rpc.fd >= 0 &&
		cm_rpc_client_request(&s->rpc, CM_RPC_SHUTDOWN, &q, sizeof(q)) > 0 &&
		cm_rpc_client_flush(&s->rpc) == 0)
		poll(&p, 1, LOOP_END_MS);
	if (s->l.log_fd >= 0)
		sandbox_read_log(s);
}

/* Is there something that must happen by s->deadline? The guest's answer, the record, or the end of a VMM whose guest hung up. */
static bool loop_limited(struct sandbox *s)
{
	enum cm_status status = sandbox_root(s)->status;

	if (status == CM_STOPPED)
		return false;
	return status == CM_CREATING || !s->published || s->rpc.fd < 0;
}

/* The deadline passed: 0 when that is no failure. */
static int loop_deadline(struct sandbox *s, struct cm_err *err)
{
	if (sandbox_root(s)->status != CM_CREATING && s->rpc.fd >= 0)
		return sandbox_publish(s, err);
	return loop_broken(
		s, s->rpc.fd < 0 ? "the guest hung up" : "the guest does not answer", err);
}

/* Is a further container being started, for which there is a limit? That may take its time, in which the guest answers nobody. */
static bool loop_is_starting(const struct sandbox *s)
{
	for (int i = 1; i < CM_RPC_CONTAINERS; i++) {
		if (s->table[i].id && s->table[i].start_id && s->table[i].kill_deadline)
			return true;
	}
	return false;
}

/* A container that does not die, or start, may wait for its files; the second time it is the guest that is stuck. true: that. */
static bool loop_cut(struct sandbox *s, long now)
{
	bool starting = loop_is_starting(s);

	for (int i = 0; i < CM_RPC_CONTAINERS; i++) {
		struct sandbox_container *k = &s->table[i];

		if (!k->id || !k->kill_deadline || now < k->kill_deadline)
			continue;
		if (starting && !k->start_id) {
			k->kill_deadline = now + LOOP_CUT_MS;
			continue;
		}
		if (k->server_fd < 0 || k->cut)
			return true;
		k->cut = true;
		k->kill_deadline = now + LOOP_CUT_MS;
		sandbox_server_hangup(s, k);
	}
	return false;
}

/* When the first SIGKILL must have shown effect; 0 = none was sent. */
static long loop_kill_deadline(const struct sandbox *s)
{
	long first = 0;

	for (int i = 0; i < CM_RPC_CONTAINERS; i++) {
		const struct sandbox_container *k = &s->table[i];

		if (k->id && k->kill_deadline && (!first || k->kill_deadline < first))
			first = k->kill_deadline;
	}
	return first;
}

/* ms until something must happen; -1 = nothing. */
static long loop_patience(struct sandbox *s)
{
	long due[] = { loop_limited(s) ? s->deadline : 0, loop_kill_deadline(s),
		sandbox_call_deadlines(s), sandbox_usage_tick(s), s->output_deadline };
	long now = sandbox_now_ms(), left = -1;

	for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++) {
		if (due[i] && (left < 0 || due[i] - now < left))
			left = due[i] > now ? due[i] - now : 0;
	}
	return left;
}

/* What was due by now: 0, or -errno when that is the end. */
static int loop_overdue(struct sandbox *s, struct cm_err *err)
{
	long now = sandbox_now_ms();

	if (loop_cut(s, now)) {
		s->killed = true;
		return cm_err_set(err, ETIMEDOUT, "the guest did not end when it was killed");
	}
	return loop_limited(s) && now >= s->deadline ? loop_deadline(s, err) : 0;
}

int sandbox_loop(struct sandbox *s, struct cm_err *err)
{
	struct sandbox_container *root = sandbox_root(s);

	s->deadline = sandbox_now_ms() + LOOP_START_MS;
	while (root->status != CM_STOPPED || sandbox_has_output(s)) {
		struct pollfd p[LOOP_FDS];
		int r;

		if (loop_overdue(s, err) < 0)
			return -err->code;
		loop_prepare(s, p);
		r = poll(p, LOOP_FDS, (int)loop_patience(s));
		if (r < 0 && errno != EINTR)
			return cm_err_set(err, errno, "wait for the sandbox");
		if (r > 0 && loop_serve(s, p, err) < 0)
			return -err->code;
		if (root->status == CM_STOPPED)
			sandbox_call_end(s, root);
	}
	loop_power_off(s);
	return 0;
}
