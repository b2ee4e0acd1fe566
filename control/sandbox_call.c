/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Methods of the control socket: one table of {name, function}. A function answers at once, or leaves in the client's slot what its answer
 * waits for: a reply of the guest (with a deadline), or the end of a process (without).
 */
#include <config.h>
#include "control/sandbox_internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "control/call.h"

#define CALL_KILL_MS  3000 /* for a guest to take a SIGKILL */
#define CALL_DYING_MS 30000 /* for what it kills to be written back and gone */

/* Would a process without handlers end by it? Then so does one that was not executed yet. */
static bool signal_ends(int signo)
{
	return signo == SIGKILL || signo == SIGTERM || signo == SIGINT || signo == SIGHUP ||
	       signo == SIGQUIT;
}

int64_t sandbox_signal(
	struct sandbox *s, struct sandbox_container *k, int signo, int pid, uint32_t mode)
{
	struct cm_rpc_signal q = {
		.container = k->number,
		.signo = signo,
		.pid = pid,
		.mode = mode,
	};
	bool whole = pid == 0 && mode != CM_RPC_SIGNAL_FOREGROUND, first;
	int64_t id;

	/* It ended, and nobody takes what it wrote. */
	if (k == sandbox_root(s) && k->status == CM_STOPPED && signo == SIGKILL && whole) {
		s->output_deadline = sandbox_now_ms();
		return 0;
	}
	if (!sandbox_container_is_up(k))
		return -ESRCH;
	if (k->status == CM_CREATED && whole && signo != 0) {
		if (!signal_ends(signo))
			return 0;
		q.signo = SIGKILL;
	}
	if (q.signo == SIGKILL && whole)
		sandbox_unpause(s);
	/* Who kills again does not have to wait longer. */
	first = q.signo == SIGKILL && whole && !k->kill_deadline;
	id = cm_rpc_client_request(&s->rpc, CM_RPC_SIGNAL, &q, sizeof(q));
	if (first) {
		k->kill_deadline = sandbox_now_ms() + CALL_KILL_MS;
		k->kill_id = id > 0 ? id : 0;
	}
	return id;
}

static void call_signal(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	json_int_t signo = json_integer_value(json_object_get(arg, "Signo"));
	json_int_t pid = json_integer_value(json_object_get(arg, "PID"));
	json_int_t mode = json_integer_value(json_object_get(arg, "Mode"));
	struct sandbox_container *k = call_container(s, c, json_object_get(arg, "CID"));

	if (k)
		call_send_signal(s, k, c, signo, pid, mode);
}

void call_send_signal(struct sandbox *s, struct sandbox_container *k, struct cm_urpc_client *c,
	json_int_t signo, json_int_t pid, json_int_t mode)
{
	int64_t id;

	if (signo < 0 || signo > 64 || pid < 0 || pid > INT32_MAX || mode < CM_URPC_PROCESS ||
		mode > CM_URPC_PGRP || (mode == CM_URPC_ALL && pid != 0) ||
		(mode == CM_URPC_PGRP && pid == 0)) {
		cm_urpc_reply(c, EINVAL, "invalid signal, process or mode", NULL);
		return;
	}
	/* The numbers of the two enumerations are the same on purpose. */
	id = sandbox_signal(s, k, (int)signo, (int)pid, (uint32_t)mode);
	/* A paused guest takes it when it goes on. */
	c->container = k->number;
	if (id == 0 || (id > 0 && s->pause.count > 0))
		cm_urpc_reply(c, 0, NULL, NULL);
	else
		call_await(c, signo == SIGKILL && pid == 0 ? CALL_KILL : CALL_GUEST, id);
}

static void call_start_root(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	struct sandbox_container *k = call_container(s, c, arg);
	struct cm_rpc_container q = { 0 };
	struct cm_err err;

	if (!k)
		return;
	if (k->release_id) {
		cm_urpc_reply(c, EALREADY, "the container is being started", NULL);
		return;
	}
	/* A paused one may become running too, but not by this. */
	if (k->status == CM_PAUSED) {
		cm_urpc_reply(c, EINVAL, "a paused container is not started, but resumed", NULL);
		return;
	}
	if (cm_status_check(k->id, k->status, CM_RUNNING, &err) < 0) {
		cm_urpc_reply(c, EINVAL, err.msg, NULL);
		return;
	}
	q.container = k->number;
	clock_gettime(CLOCK_REALTIME, &k->requested);
	k->release_id = cm_rpc_client_request(&s->rpc, CM_RPC_RELEASE, &q, sizeof(q));
	if (k->release_id < 0) {
		k->release_id = 0;
		cm_urpc_reply(c, EBUSY, "guest is busy", NULL);
		return;
	}
	c->call = CALL_RELEASE;
	c->container = k->number;
}

static void call_answer(struct sandbox *s, const struct sandbox_container *k, enum call_kind kind,
	int code, const char *text)
{
	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->urpc.clients[i];

		if (c->fd >= 0 && c->call == (int)kind && c->container == k->number)
			cm_urpc_reply(c, code, text, NULL);
	}
}

void sandbox_call_released(
	struct sandbox *s, const struct sandbox_container *k, int code, const char *text)
{
	call_answer(s, k, CALL_RELEASE, code, text);
}

void sandbox_call_started(
	struct sandbox *s, const struct sandbox_container *k, int code, const char *text)
{
	call_answer(s, k, CALL_START, code, text);
}

static void call_wait(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	const struct sandbox_container *k = call_container(s, c, arg);

	if (!k)
		return;
	if (k->status == CM_STOPPED) {
		cm_urpc_reply(c, 0, NULL, json_integer(k->wait_status));
		return;
	}
	c->call = CALL_WAIT;
	c->container = k->number;
}

static void call_wait_pid(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	json_int_t pid = json_integer_value(json_object_get(arg, "PID"));
	const struct sandbox_container *k = call_container(s, c, json_object_get(arg, "CID"));
	const struct sandbox_proc *p;

	if (!k)
		return;
	if (pid <= 0 || pid > INT32_MAX) {
		cm_urpc_reply(c, EINVAL, "PID must be positive", NULL);
		return;
	}
	p = sandbox_proc_find(s, k, (int)pid);
	if (!p) {
		cm_urpc_reply(c, ESRCH, "no such process", NULL);
	} else if (p->complete) {
		cm_urpc_reply(c, 0, NULL, json_integer(p->status));
	} else {
		c->call = CALL_WAIT_PID;
		c->key = pid;
		c->container = k->number;
	}
}

static void call_state(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	const struct sandbox_container *k = call_container(s, c, arg);

	if (k)
		cm_urpc_reply(c, 0, NULL, sandbox_container_state(s, k));
}

/* gVisor's numbers: 1 creating, 2 running, 3 stopped. */
static void call_runtime_state(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	const struct sandbox_container *k =
		json_is_string(arg) ? sandbox_container_find(s, json_string_value(arg)) : NULL;
	bool stopped = !k || k->status == CM_STOPPED;

	cm_urpc_reply(c, 0, NULL, json_integer(stopped ? 3 : sandbox_container_runs(k) ? 2 : 1));
}

static void call_process(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	const struct sandbox_container *k = call_container(s, c, arg);
	json_t *doc = k && k->spec ? k->spec->doc : NULL;

	if (k)
		cm_urpc_reply(c, 0, NULL, json_incref(json_object_get(doc, "process")));
}

static void call_processes(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	const struct sandbox_container *k = call_container(s, c, arg);

	if (k)
		call_ask(s, k, c, CALL_PS, CM_RPC_PS);
}

static void call_event(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	const struct sandbox_container *k = call_container(s, c, arg);

	if (k)
		call_ask(s, k, c, CALL_EVENT, CM_RPC_USAGE);
}

static void call_usage(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	const json_t *id = json_object_get(arg, "ContainerID");
	const struct sandbox_container *k = id ? call_container(s, c, id) : sandbox_root(s);

	if (k)
		call_ask(s, k, c, CALL_USAGE, CM_RPC_USAGE);
}

static void call_winsize(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	json_int_t pid = json_integer_value(json_object_get(arg, "PID"));
	json_int_t rows = json_integer_value(json_object_get(arg, "Rows"));
	json_int_t cols = json_integer_value(json_object_get(arg, "Columns"));
	const struct sandbox_container *k = call_container(s, c, json_object_get(arg, "CID"));
	struct cm_rpc_winsize w = {
		.rows = (uint16_t)rows,
		.cols = (uint16_t)cols,
		.pid = (int32_t)pid,
	};

	if (!k)
		return;
	w.container = k->number;
	if (pid < 0 || pid > INT32_MAX || rows < 0 || rows > UINT16_MAX || cols < 0 ||
		cols > UINT16_MAX)
		cm_urpc_reply(c, EINVAL, "invalid process or size", NULL);
	else if (!sandbox_container_is_up(k))
		call_await(c, CALL_GUEST, -ESRCH);
	else
		call_await(c, CALL_GUEST,
			cm_rpc_client_request(&s->rpc, CM_RPC_WINSIZE, &w, sizeof(w)));
}

/*
 * A debugger: its connection goes to the VMM, which cannot see from its own user namespace who it is; cm_urpc_poll_serve has checked that.
 */
int sandbox_hand_over(int to, int fd)
{
	const char byte = 0;

	return sandbox_send_fds(to, &byte, 1, &fd, 1);
}

static void call_attach(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	int r;

	if (!call_container(s, c, arg))
		return;
	/* Bytes behind the request would be lost. */
	r = c->rx.len > 0 ? -EPROTO : sandbox_hand_over(s->l.debug_fd, c->fd);
	if (r < 0)
		cm_urpc_reply(c, r, r == -EPIPE ? "the VMM is gone" : strerror(-r), NULL);
	else
		cm_urpc_hand_over(&s->urpc, c);
}

static void call_ps(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	bool json = json_is_true(json_object_get(arg, "JSON"));

	call_ask(s, sandbox_root(s), c, json ? CALL_PS_JSON : CALL_PS_TABLE, CM_RPC_PS);
}

/* End the open calls that have this id, on whatever connection: what a hang-up would do to them, and an answer. */
static void call_cancel(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	json_int_t n = 0;

	if (!json_is_integer(arg) && !json_is_string(arg)) {
		cm_urpc_reply(c, EINVAL, "the id of a call is missing", NULL);
		return;
	}
	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *other = &s->urpc.clients[i];

		if (other == c || other->fd < 0 || !other->busy || !json_equal(other->id, arg))
			continue;
		cm_urpc_reply(other, ECANCELED, "the call was cancelled", NULL);
		n++;
	}
	cm_urpc_reply(c, 0, NULL, json_integer(n));
}

static const struct {
	const char *method;
	void (*run)(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
} calls[] = {
	{ "Cgroups.ReadControlFiles", call_read_control },
	{ "Cgroups.WriteControlFiles", call_write_control },
	{ "Fs.Cat", call_fs_cat },
	{ "Fs.Mount", call_fs_mount },
	{ "Fs.Read", call_fs_read },
	{ "Fs.TarRootfsUpperLayer", call_fs_tar },
	{ "Fs.Umount", call_fs_umount },
	{ "Lifecycle.GetExitStatus", call_exit_status },
	{ "Lifecycle.IsContainerRunning", call_is_running },
	{ "Lifecycle.Pause", call_pause },
	{ "Lifecycle.Reap", call_reap },
	{ "Lifecycle.Resume", call_resume },
	{ "Lifecycle.Shutdown", call_shutdown },
	{ "Lifecycle.SignalContainer", call_signal_container },
	{ "Lifecycle.StartContainer", call_start_container },
	{ "Logging.Change", call_log_change },
	{ "Proc.Exec", call_execute_wait },
	{ "Proc.Ps", call_ps },
	{ "Proc.SignalProcess", call_signal_process },
	{ "Usage.Collect", call_usage },
	{ "Usage.UsageFD", call_usage_fd },
	{ "casemate.Cancel", call_cancel },
	{ "casemate.Events", call_events },
	{ "casemate.Limit", call_limit },
	{ "casemate.Process", call_process },
	{ "casemate.WindowSize", call_winsize },
	{ "containerManager.ContainerRuntimeState", call_runtime_state },
	{ "containerManager.CreateSubcontainer", call_create_sub },
	{ "containerManager.DestroySubcontainer", call_destroy_sub },
	{ "containerManager.Event", call_event },
	{ "containerManager.ExecuteAsync", call_execute },
	{ "containerManager.Mount", call_mount },
	{ "containerManager.Pause", call_pause },
	{ "containerManager.Processes", call_processes },
	{ "containerManager.ProcfsDump", call_procfs_dump },
	{ "containerManager.Resume", call_resume },
	{ "containerManager.Signal", call_signal },
	{ "containerManager.StartRoot", call_start_root },
	{ "containerManager.StartSubcontainer", call_start_sub },
	{ "containerManager.State", call_state },
	{ "containerManager.Wait", call_wait },
	{ "containerManager.WaitPID", call_wait_pid },
	{ "debug.Attach", call_attach },
	{ "debug.Stacks", call_stacks },
};

void sandbox_call(void *ctx, struct cm_urpc_client *c, const char *method, const json_t *arg)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(method, calls[i].method) == 0) {
			calls[i].run(ctx, c, arg);
			if (c->busy && c->deadline_ms)
				c->limit = sandbox_now_ms() + c->deadline_ms;
			return;
		}
	}
	cm_urpc_reply(
		c, ENOSYS, call_is_later(method) ? "not in this version" : "unknown method", NULL);
}

static void reply_result(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f)
{
	json_t *result = NULL;
	int code = f->hdr.error;

	if (code != 0) {
		cm_urpc_reply(c, code < 0 ? EPROTO : code,
			code == ESRCH		  ? "container not running"
			: code > 0 && code < 4096 ? strerror(code)
						  : "unknown error",
			NULL);
		return;
	}
	if (c->call == CALL_PS)
		result = call_ps_result(s, f);
	else if (c->call == CALL_PS_JSON || c->call == CALL_PS_TABLE)
		result = call_ps_string(s, f, c->call == CALL_PS_JSON);
	else if (c->call == CALL_EVENT && sandbox_container_at(s, c->container))
		result = call_usage_result(f, sandbox_container_at(s, c->container)->id);
	else if (c->call == CALL_USAGE)
		result = call_usage_result(f, NULL);
	else if (c->call == CALL_LIMIT)
		result = call_limit_result(f);
	if (!result && c->call != CALL_GUEST && c->call != CALL_KILL)
		cm_urpc_reply(c, EPROTO, "answer of the guest", NULL);
	else
		cm_urpc_reply(c, 0, NULL, result);
}

static struct cm_urpc_client *reply_client(struct sandbox *s, int64_t id)
{
	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->urpc.clients[i];

		if (c->fd >= 0 && c->call >= CALL_GUEST && c->key == id)
			return c;
	}
	return NULL;
}

/* A guest that takes a kill is not stuck: what remains is its work. id: of the request that it took. */
static void call_dying(struct sandbox *s, int64_t id)
{
	for (int i = 0; i < CM_RPC_CONTAINERS; i++) {
		struct sandbox_container *k = &s->table[i];

		if (!k->id || k->kill_id != id)
			continue;
		k->kill_id = 0;
		if (k->kill_deadline)
			k->kill_deadline = sandbox_now_ms() + CALL_DYING_MS;
	}
}

void sandbox_call_reply(struct sandbox *s, const struct cm_rpc_frame *f)
{
	struct cm_urpc_client *c = reply_client(s, f->hdr.id);

	if (sandbox_usage_reply(s, f) || sandbox_freeze_reply(s, f))
		return;
	if (f->hdr.type == (CM_RPC_SIGNAL | CM_RPC_REPLY))
		call_dying(s, f->hdr.id);
	if (f->hdr.type == (CM_RPC_EXEC | CM_RPC_REPLY))
		call_executed(s, c && c->call >= CALL_EXEC ? c : NULL, f);
	else if (c && c->call == CALL_DUMP)
		call_dumped(s, c, f);
	else if (c && c->call == CALL_CGROUP)
		call_controlled(s, c, f);
	else if (c && c->call == CALL_MOUNT_IMAGE)
		call_image_mounted(s, c, f);
	else if (c && c->call == CALL_FILE)
		call_copied(s, c, f);
	else if (c && c->call == CALL_USAGE_FD && f->hdr.error == 0)
		call_usage_page(s, c, f);
	else if (c && c->call < CALL_EXEC)
		reply_result(s, c, f);
}

void sandbox_call_ended(struct sandbox *s, const struct sandbox_proc *p)
{
	struct sandbox_container *k;

	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->urpc.clients[i];

		if (c->fd < 0)
			continue;
		if (c->call == CALL_WAIT_PID && c->container == p->container && c->key == p->pid)
			cm_urpc_reply(c, 0, NULL, json_integer(p->status));
		if (c->owns == p->id)
			c->owns = 0;
	}
	if (!p->init)
		return;
	k = sandbox_container_at(s, p->container);
	sandbox_call_end(s, k);
	if (k->destroyed)
		sandbox_container_free(s, k);
}

/* Status of the process that a client waits for, once the container is gone: what did not tell its end was killed with it. */
static int end_status(
	struct sandbox *s, const struct sandbox_container *k, const struct cm_urpc_client *c)
{
	const struct sandbox_proc *p =
		c->call == CALL_WAIT_PID ? sandbox_proc_find(s, k, (int)c->key) : NULL;

	if (!p || p->init)
		return k->wait_status;
	return p->ended ? p->status : SIGKILL;
}

void sandbox_call_end(struct sandbox *s, const struct sandbox_container *k)
{
	/* A further container has ended when its output is out. */
	bool flushed = k != sandbox_root(s) || !sandbox_has_output(s);

	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->urpc.clients[i];

		if (c->fd < 0 || !c->busy || c->call == 0)
			continue;
		/* With the root container ends also what is about none. */
		if (c->container != k->number && (c->container || k != sandbox_root(s)))
			continue;
		if (c->call == CALL_WAIT || (c->call == CALL_WAIT_PID && flushed))
			cm_urpc_reply(c, 0, NULL, json_integer(end_status(s, k, c)));
		else if (c->call == CALL_KILL || c->call == CALL_DESTROY)
			cm_urpc_reply(c, 0, NULL, NULL);
		else if (c->call != CALL_WAIT_PID)
			cm_urpc_reply(c, ESRCH, "container not running", NULL);
	}
}

long sandbox_call_deadlines(struct sandbox *s)
{
	long now = sandbox_now_ms(), next = 0;

	sandbox_streams_sweep(s);

	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->urpc.clients[i];

		if (c->fd < 0 || !c->busy)
			continue;
		if (c->deadline && c->deadline <= now && !call_files_progress(s, c))
			cm_urpc_reply(c, ETIMEDOUT, "the guest does not answer", NULL);
		else if (c->limit && c->limit <= now)
			cm_urpc_reply(c, ETIMEDOUT, "the deadline of the call has passed", NULL);
		if (c->deadline && (!next || c->deadline < next))
			next = c->deadline;
		if (c->limit && (!next || c->limit < next))
			next = c->limit;
	}
	return next;
}

void sandbox_call_gone(void *ctx, struct cm_urpc_client *c)
{
	struct sandbox *s = ctx;

	for (int i = 0; c->owns && i < SANDBOX_PROCS; i++) {
		struct sandbox_proc *p = &s->procs[i];

		if (!p->used || p->id != c->owns || p->ended)
			continue;
		p->unwanted = true;
		if (p->pid)
			sandbox_signal(s, sandbox_container_at(s, p->container), SIGKILL, p->pid,
				CM_RPC_SIGNAL_PID);
	}
}
