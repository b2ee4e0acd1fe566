/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerManager.CreateSubcontainer, StartSubcontainer and DestroySubcontainer: further containers of the sandbox.
 *
 *   Create   {CID}, descriptors: none, or the slave side of a terminal. Reserves the id; what the caller's process id is for: others may join its
 *            namespaces by /proc/PID/ns.
 *   Start    {CID, Spec, Conf}, descriptors: standard input, output and error unless Spec.process.terminal is set; then a socket to a casemate-fsd that
 *            waits for its device (--plug-fd) and serves the root directory, and the source of each bind mount as a volume, in their order.
 *            Ours: Hold (the program waits for StartRoot), Overlay, VolumeDirs (for each volume: is it a directory? without it all are).
 *   Destroy  CID. What lives is killed first; the answer comes when nothing is left, and the id is free then.
 */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/console.h"
#include "control/rpc_start.h"

#define SUB_START_MS  20000 /* for the guest, which asks the file server; then that is cut off */
#define SUB_FAILED    127 /* exit code of a container that could not be started */
#define SUB_STDIO_FDS 3

void call_create_sub(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	const char *id = json_string_value(json_object_get(arg, "CID"));
	struct sandbox_container *k;
	struct cm_err err;

	if (!id) {
		cm_urpc_reply(c, EINVAL, "container id is missing", NULL);
		return;
	}
	if (c->nfds > 1) {
		cm_urpc_reply(c, EINVAL, "more than one descriptor: at most a terminal", NULL);
		return;
	}
	if (!sandbox_container_is_up(sandbox_root(s))) {
		cm_urpc_reply(c, ESRCH, "container not running", NULL);
		return;
	}
	if (sandbox_container_new(s, id, &k, &err) < 0) {
		cm_urpc_reply(c, err.code, err.msg, NULL);
		return;
	}
	k->pid = c->pid;
	if (c->nfds == 1) {
		k->console_fd = c->fds[0];
		c->fds[0] = -1;
	}
	sandbox_save(s, &err);
	cm_urpc_reply(c, 0, NULL, NULL);
}

/* ---- start: the argument */

/* What upstream's runtime sends and we have no use for. */
static int sub_check_words(const json_t *arg, struct cm_err *err)
{
	static const char *const flags[] = { "IsDevIoFilePresent", "IsRootfsUpperTarFilePresent" };
	const json_t *conf = json_object_get(arg, "Conf");

	if (conf && !json_is_object(conf))
		return cm_err_set(err, 0, "Conf: not an object");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (json_is_true(json_object_get(arg, flags[i])))
			return cm_err_set(err, ENOTSUP, "%s", flags[i]);
	}
	if (json_integer_value(json_object_get(arg, "NumGoferFilestoreFDs")) != 0)
		return cm_err_set(err, ENOTSUP, "NumGoferFilestoreFDs");
	return 0;
}

/* The numbers of the server's volumes. */
static int sub_volumes(struct sandbox_container *k, const json_t *arg, struct cm_err *err)
{
	const json_t *dirs = json_object_get(arg, "VolumeDirs");

	for (size_t i = 0; i < k->spec->nmounts; i++) {
		struct cm_volume *v = &k->volumes.v[k->volumes.n];

		if (!cm_spec_mount_is_bind(&k->spec->mounts[i]))
			continue;
		if (k->volumes.n == CM_FSDEV_VOLUMES)
			return cm_err_set(err, 0,
				"mounts[%zu]: at most %d bind mounts are supported", i,
				CM_FSDEV_VOLUMES);
		*v = (struct cm_volume){ .mount = i,
			.fd = -1,
			.directory = !json_is_false(json_array_get(dirs, k->volumes.n)) };
		k->volumes.n++;
	}
	return 0;
}

/* "/proc/N/ns/..." of a container that lives. */
static struct sandbox_container *join_by_pid(struct sandbox *s, const char *path)
{
	int pid, end = 0;

	if (sscanf(path, "/proc/%d/ns/%n", &pid, &end) != 1 || end == 0)
		return NULL;
	for (uint32_t i = 1; i <= CM_RPC_CONTAINERS; i++) {
		struct sandbox_container *k = sandbox_container_at(s, i);

		if (k && sandbox_container_is_up(k) && k->pid == pid)
			return k;
	}
	return NULL;
}

static const char *join_path(const struct sandbox_container *k, const char *type)
{
	const struct cm_spec_namespace *ns = k->spec ? cm_spec_namespace_find(k->spec, type) : NULL;

	return ns ? ns->path : NULL;
}

/* The same path as another's: engines keep namespaces under names of their own. */
static struct sandbox_container *join_by_path(
	struct sandbox *s, const struct sandbox_container *self, const char *type, const char *path)
{
	for (uint32_t i = 1; i <= CM_RPC_CONTAINERS; i++) {
		struct sandbox_container *k = sandbox_container_at(s, i);
		const char *other = k && k != self ? join_path(k, type) : NULL;

		if (other && sandbox_container_is_up(k) && strcmp(other, path) == 0)
			return k;
	}
	return NULL;
}

static int sub_joins(struct sandbox *s, const struct sandbox_container *k,
	uint32_t join[CM_RPC_NS_KINDS], struct cm_err *err)
{
	static const char *const types[CM_RPC_NS_KINDS] = { "pid", "ipc", "uts" };

	for (int i = 0; i < CM_RPC_NS_KINDS; i++) {
		const struct cm_spec_namespace *ns = cm_spec_namespace_find(k->spec, types[i]);
		const struct sandbox_container *other = sandbox_root(s);

		if (ns && !ns->path) {
			join[i] = 0;
			continue;
		}
		if (ns) {
			other = join_by_pid(s, ns->path);
			if (!other)
				other = join_by_path(s, k, types[i], ns->path);
		}
		if (!other)
			return cm_err_set(err, ENOTSUP,
				"linux.namespaces: %s: '%s' is of no container of this sandbox",
				types[i], ns->path);
		join[i] = other->number;
	}
	return 0;
}

/* ---- start: what is made of it */

static int sub_take_fds(struct sandbox *s, struct sandbox_container *k, struct cm_urpc_client *c,
	struct sandbox_proc *p, struct cm_err *err)
{
	bool tty = k->spec->terminal;
	int fds[SUB_STDIO_FDS], given = tty ? 0 : SUB_STDIO_FDS;

	for (int i = 0; i < SUB_STDIO_FDS; i++)
		fds[i] = tty ? k->console_fd : c->fds[i];
	k->server_fd = c->fds[c->nfds - 1];
	c->fds[c->nfds - 1] = -1;
	for (int i = 0; i < given; i++)
		c->fds[i] = -1;
	return sandbox_stdio(s, p, fds, tty, !tty, err);
}

static int sub_build(struct sandbox *s, struct sandbox_container *k,
	struct cm_rpc_start_options *so, struct cm_err *err)
{
	int r = sub_joins(s, k, so->join, err);

	k->held = so->hold;
	if (k->console_fd >= 0)
		cm_console_size(k->console_fd, &so->rows, &so->cols);
	cm_buf_init(&k->start, CM_RPC_PAYLOAD_MAX);
	return r < 0 ? r : cm_rpc_start_build(&k->start, k->spec, so, err);
}

static int sub_prepare(struct sandbox *s, struct sandbox_container *k, struct cm_urpc_client *c,
	const json_t *arg, struct cm_err *err)
{
	struct cm_rpc_start_options so = {
		.container = k->number,
		.id = k->id,
		.overlay = json_is_true(json_object_get(arg, "Overlay")),
		.hold = json_is_true(json_object_get(arg, "Hold")),
		.volumes = &k->volumes,
		.seccomp = &k->filter,
	};
	struct cm_rpc_fd more[CM_RPC_FDS_MAX] = { 0 };
	struct sandbox_proc *p;
	int r = sub_volumes(k, arg, err);

	if (r == 0 && k->spec->seccomp)
		r = cm_seccomp_compile(k->spec->seccomp, &k->filter, err);
	if (r < 0)
		return r;
	p = sandbox_proc_new(s, k);
	if (!p)
		return cm_err_set(err, EAGAIN, "too many processes were started from outside");
	p->init = true;
	p->id = ++s->next_proc;
	r = sub_take_fds(s, k, c, p, err);
	memcpy(so.token, p->token, sizeof(so.token));
	if (r == 0)
		r = sandbox_donate_list(s, p, c->fds + (k->spec->terminal ? 0 : SUB_STDIO_FDS),
			json_object_get(arg, "donated_fds"), more, &so, err);
	if (r == 0)
		r = sub_build(s, k, &so, err);
	return r < 0 ? r : sandbox_plug(s, k, err);
}

/* The words of the call make sense: 0 with k->spec set. Nothing is changed otherwise. */
static int sub_check(struct sandbox_container *k, const struct cm_urpc_client *c, const json_t *arg,
	struct cm_err *err)
{
	json_t *spec = json_object_get(arg, "Spec"), *numbers = json_object_get(arg, "donated_fds");
	int wanted, more, r = sub_check_words(arg, err);

	if (r < 0)
		return r;
	if (!json_is_object(spec))
		return cm_err_set(err, 0, spec ? "Spec: not an object" : "Spec is missing");
	r = cm_spec_from_json(json_incref(spec), &k->spec, err);
	if (r < 0) {
		k->spec = NULL;
		return r;
	}
	wanted = k->spec->terminal ? 1 : SUB_STDIO_FDS + 1;
	more = (int)json_array_size(numbers);
	if (c->nfds != wanted + more)
		r = cm_err_set(err, 0,
			"%d descriptors: %d are expected (%sone for each of donated_fds, a socket to a file server)",
			c->nfds, wanted + more,
			k->spec->terminal ? "" : "standard input, output, error, ");
	else if (sandbox_check_numbers(numbers, (size_t)more, 3, err) < 0)
		r = -err->code;
	else if (k->spec->terminal && k->console_fd < 0)
		r = cm_err_set(err, 0, "process.terminal is set, and CreateSubcontainer got none");
	if (r < 0) {
		cm_spec_destroy(k->spec);
		k->spec = NULL;
	}
	return r;
}

/* It will not run: that was its life. */
static void sub_failed(struct sandbox *s, struct sandbox_container *k, const struct cm_err *why)
{
	struct sandbox_proc *p = sandbox_proc_init(s, k);
	struct cm_err ignored;

	if (p)
		sandbox_proc_drop(s, p);
	sandbox_container_stopped(k, SUB_FAILED << 8);
	sandbox_container_close(k);
	sandbox_call_started(s, k, why->code, why->msg);
	sandbox_call_end(s, k);
	sandbox_save(s, &ignored);
}

void call_start_sub(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	struct sandbox_container *k = call_container(s, c, json_object_get(arg, "CID"));
	struct cm_err err = { 0 };

	if (!k)
		return;
	if (k == sandbox_root(s))
		cm_err_set(&err, 0, "the root container is started by StartRoot");
	else if (cm_status_check(k->id, k->status, CM_CREATED, &err) < 0)
		err.code = EINVAL;
	else if (k->spec)
		cm_err_set(&err, EALREADY, "the container is being started");
	else if (s->pause.count > 0)
		cm_err_set(&err, EAGAIN, "the sandbox is paused");
	else if (sub_check(k, c, arg, &err) == 0)
		err.code = 0;
	if (err.code) {
		cm_urpc_reply(c, err.code, err.msg, NULL);
		return;
	}
	c->call = CALL_START;
	c->container = k->number;
	clock_gettime(CLOCK_REALTIME, &k->requested);
	k->kill_deadline = sandbox_now_ms() + SUB_START_MS;
	if (sub_prepare(s, k, c, arg, &err) < 0)
		sub_failed(s, k, &err);
}

void call_plugged(struct sandbox *s, struct sandbox_container *k, int status)
{
	struct cm_err err;

	k->start_id = status < 0 ? status
				 : cm_rpc_client_request(&s->rpc, CM_RPC_START, k->start.p,
					   (uint32_t)k->start.len);
	cm_buf_fini(&k->start);
	if (k->start_id >= 0)
		return;
	cm_err_set(&err, (int)-k->start_id,
		status < 0 ? "plug the file server in" : "send the start request");
	k->start_id = 0;
	sub_failed(s, k, &err);
}

int sandbox_sub_started(struct sandbox *s, struct sandbox_container *k,
	const struct cm_rpc_frame *f, struct cm_err *err)
{
	struct sandbox_proc *p = sandbox_proc_init(s, k);
	struct cm_rpc_started st;
	struct timespec now;

	if (f->hdr.error) {
		cm_rpc_start_error(f, k->spec, err);
		cm_err_wrap(err, "unable to start container process");
		sub_failed(s, k, err);
		if (k->shared)
			sandbox_container_free(s, k);
		return 0;
	}
	if (cm_rpc_decode_started(f, &st) < 0 || st.pid <= 0 || !p)
		return cm_err_set(err, EPROTO, "answer of the guest");
	p->pid = st.pid;
	k->kill_deadline = 0;
	if (sandbox_container_change(k, CM_CREATED, err) < 0 ||
		(!k->held && sandbox_container_change(k, CM_RUNNING, err) < 0) ||
		sandbox_save(s, err) < 0)
		return -err->code;
	if (!k->held) {
		clock_gettime(CLOCK_REALTIME, &now);
		cm_events_started(&s->events, k->id, &k->requested, &now);
	}
	sandbox_call_started(s, k, 0, NULL);
	return 0;
}

void call_destroy_sub(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	struct sandbox_container *k =
		call_container(s, c, json_is_object(arg) ? json_object_get(arg, "CID") : arg);
	int64_t id;

	if (!k)
		return;
	if (k == sandbox_root(s)) {
		cm_urpc_reply(
			c, EINVAL, "the root container ends with its sandbox: Shutdown", NULL);
		return;
	}
	if (k->status == CM_CREATING && k->spec) {
		cm_urpc_reply(c, EAGAIN, "the container is being started", NULL);
		return;
	}
	if (!sandbox_container_is_up(k)) {
		sandbox_container_free(s, k);
		cm_urpc_reply(c, 0, NULL, NULL);
		return;
	}
	id = sandbox_signal(s, k, SIGKILL, 0, CM_RPC_SIGNAL_ALL);
	if (id < 0) {
		call_await(c, CALL_GUEST, id);
		return;
	}
	k->destroyed = true;
	c->call = CALL_DESTROY;
	c->container = k->number;
}
