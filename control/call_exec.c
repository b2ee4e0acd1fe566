/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerManager.ExecuteAsync: one more process in the container.
 *
 * Three forms of the argument: gVisor's ExecArgs (filename, argv, envv, wd, KUID, KGID, ...), and two of ours. One has the member Process, an OCI
 * process object; what that leaves out of capabilities, rlimits and noNewPrivileges is as the container's first process has it. The other has the
 * member Words, which says what is different from that process (exec_process.h). With Wait the answer is followed by another one: the status.
 * Descriptors: none, or three for standard input, output and error (with a terminal: to read from, to write to, ignored), and after those one for each
 * number in donated_fds.
 */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "control/exec_process.h"
#include "control/rpc_start.h"

#define EXEC_LIVE 40 /* processes at a time, the first not counted: three streams each */

static json_t *exec_caps(const json_t *arg)
{
	static const char *const sets[][2] = {
		{ "PermittedCaps", "permitted" },
		{ "InheritableCaps", "inheritable" },
		{ "EffectiveCaps", "effective" },
		{ "BoundingCaps", "bounding" },
		{ "AmbientCaps", "ambient" },
	};
	json_t *caps = json_object();

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		json_int_t mask = json_integer_value(json_object_get(arg, sets[i][0]));
		json_t *names = json_array();

		for (int bit = 0; bit < 63; bit++) {
			const char *name = cm_spec_capability_name(bit);

			if ((mask >> bit & 1) && name)
				json_array_append_new(names, json_string(name));
		}
		json_object_set_new(caps, sets[i][1], names);
	}
	return caps;
}

/* ExecArgs as an OCI process object. */
static json_t *exec_from_args(const json_t *arg, struct cm_err *err)
{
	const json_t *argv = json_object_get(arg, "argv");
	const char *first = json_string_value(json_array_get(argv, 0));
	const char *wd = json_string_value(json_object_get(arg, "wd"));
	json_t *p;

	if (!first) {
		cm_err_set(err, 0, "argv is missing");
		return NULL;
	}
	p = json_pack("{s:O, s:s, s:{s:I, s:I}, s:b, s:b, s:o}", "args", argv, "cwd",
		wd && *wd ? wd : "/", "user", "uid",
		json_integer_value(json_object_get(arg, "KUID")), "gid",
		json_integer_value(json_object_get(arg, "KGID")), "noNewPrivileges",
		json_is_true(json_object_get(arg, "NoNewPrivileges")), "terminal",
		json_is_true(json_object_get(arg, "StdioIsPty")), "capabilities",
		exec_caps(json_object_get(arg, "Capabilities")));
	if (p && json_object_get(arg, "envv"))
		json_object_set(p, "env", json_object_get(arg, "envv"));
	if (p && json_is_array(json_object_get(arg, "ExtraKGIDs")))
		json_object_set(json_object_get(p, "user"), "additionalGids",
			json_object_get(arg, "ExtraKGIDs"));
	return p;
}

/* Our form: what is left out comes from the container's process. */
static json_t *exec_from_process(const struct sandbox_container *k, const json_t *process)
{
	static const char *const inherited[] = { "capabilities", "rlimits", "noNewPrivileges" };
	const json_t *base = json_object_get(k->spec->doc, "process");
	json_t *p = json_copy((json_t *)(uintptr_t)process);

	for (size_t i = 0; p && i < sizeof(inherited) / sizeof(inherited[0]); i++) {
		if (!json_object_get(p, inherited[i]))
			json_object_set(p, inherited[i], json_object_get(base, inherited[i]));
	}
	return p;
}

/* The other one of ours. */
static json_t *exec_from_words(
	const struct sandbox_container *k, const json_t *words, struct cm_err *err)
{
	json_t *p = NULL;

	if (!json_is_array(json_object_get(words, "args")))
		cm_err_set(err, EINVAL, "Words: args is missing");
	else if (!(p = cm_exec_process(json_object_get(k->spec->doc, "process"), words)))
		cm_err_set(err, ENOMEM, "process");
	return p;
}

static int exec_spec(const struct sandbox_container *k, const json_t *arg, struct cm_spec **spec,
	struct cm_err *err)
{
	const json_t *process = json_object_get(arg, "Process");
	const json_t *words = json_object_get(arg, "Words");
	json_t *name = json_object_get(arg, "filename"), *p, *doc;

	if (process && !json_is_object(process))
		return cm_err_set(err, 0, "Process: not an object");
	p = process ? exec_from_process(k, process)
	    : words ? exec_from_words(k, words, err)
		    : exec_from_args(arg, err);
	if (!p)
		return process ? cm_err_set(err, ENOMEM, "process") : -err->code;
	doc = json_pack("{s:s, s:{s:s}, s:o}", "ociVersion", "1.0.2", "root", "path", "rootfs",
		"process", p);
	if (!doc)
		return cm_err_set(err, ENOMEM, "process");
	if (!process && !words && json_string_length(name) > 0)
		json_object_set(doc, "filename", name);
	if (cm_spec_from_json(doc, spec, err) < 0)
		return -err->code;
	(*spec)->program = json_string_value(json_object_get((*spec)->doc, "filename"));
	return 0;
}

static int exec_live(const struct sandbox *s)
{
	int n = 0;

	for (int i = 0; i < SANDBOX_PROCS; i++)
		n += s->procs[i].used && !s->procs[i].init && !s->procs[i].complete;
	return n;
}

static int exec_request(struct sandbox *s, struct sandbox_proc *p,
	const struct cm_rpc_start_options *so, struct cm_err *err)
{
	struct cm_buf b;
	int r;

	cm_buf_init(&b, CM_RPC_PAYLOAD_MAX);
	r = cm_rpc_exec_build(&b, p->spec, so, err);
	if (r == 0) {
		p->request = cm_rpc_client_request(&s->rpc, CM_RPC_EXEC, b.p, (uint32_t)b.len);
		if (p->request < 0)
			r = cm_err_set(err, EAGAIN, "guest is busy");
	}
	cm_buf_fini(&b);
	return r;
}

static int exec_start(struct sandbox *s, const struct sandbox_container *k,
	struct cm_urpc_client *c, struct sandbox_proc *p, const json_t *arg, struct cm_err *err)
{
	struct cm_rpc_start_options so = {
		.container = k->number,
		.id = k->id,
		.rows = (uint16_t)json_integer_value(json_object_get(arg, "Rows")),
		.cols = (uint16_t)json_integer_value(json_object_get(arg, "Columns")),
	};
	const json_t *numbers = json_object_get(arg, "donated_fds");
	struct cm_rpc_fd more[CM_RPC_FDS_MAX] = { 0 };
	int fds[3] = { -1, -1, -1 };
	int r = exec_spec(k, arg, &p->spec, err);

	if (r < 0)
		return r;
	if (c->nfds != 0 && c->nfds < 3)
		return cm_err_set(err, 0, "%d descriptors: none, or three are expected", c->nfds);
	if (p->spec->terminal && c->nfds == 0)
		return cm_err_set(err, 0, "a terminal needs descriptors");
	if (sandbox_check_numbers(numbers, c->nfds > 3 ? (size_t)c->nfds - 3 : 0, 3, err) < 0)
		return -err->code;
	for (int i = 0; i < 3 && i < c->nfds; i++) {
		fds[i] = c->fds[i];
		c->fds[i] = -1;
	}
	r = sandbox_stdio(s, p, fds, p->spec->terminal, true, err);
	if (r == 0)
		r = sandbox_donate_list(s, p, c->fds + 3, numbers, more, &so, err);
	memcpy(so.token, p->token, sizeof(so.token));
	return r < 0 ? r : exec_request(s, p, &so, err);
}

static void exec_call(
	struct sandbox *s, struct cm_urpc_client *c, const json_t *arg, enum call_kind kind)
{
	const json_t *cid = json_object_get(arg, "CID");
	const struct sandbox_container *k =
		call_container(s, c, cid ? cid : json_object_get(arg, "ContainerID"));
	struct sandbox_proc *p;
	struct cm_err err = { 0 };

	if (!k || !call_ready_to_run(s, k, c))
		return;
	p = exec_live(s) < EXEC_LIVE ? sandbox_proc_new(s, k) : NULL;
	if (!p) {
		cm_urpc_reply(c, EAGAIN, "too many processes were started from outside", NULL);
		return;
	}
	p->id = ++s->next_proc;
	if (exec_start(s, k, c, p, arg, &err) < 0) {
		sandbox_proc_drop(s, p);
		cm_urpc_reply(c, err.code, err.msg, NULL);
		return;
	}
	if (json_is_true(json_object_get(arg, "Owned")))
		c->owns = p->id;
	c->waits = kind == CALL_EXEC && json_is_true(json_object_get(arg, "Wait"));
	c->container = k->number;
	call_await(c, kind, p->request);
}

void call_execute(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	exec_call(s, c, arg, CALL_EXEC);
}

void call_execute_wait(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	exec_call(s, c, arg, CALL_EXEC_WAIT);
}

/* It runs: the answer, or what the caller waits for now. */
static void exec_answer(struct cm_urpc_client *c, const struct sandbox_proc *p)
{
	bool waits = c->waits;

	if (c->call == CALL_EXEC)
		cm_urpc_reply(c, 0, NULL, json_integer(p->pid));
	else
		waits = true;
	if (!waits)
		return;
	c->busy = true;
	c->call = CALL_WAIT_PID;
	c->key = p->pid;
	c->container = p->container;
	c->deadline = 0;
}

void call_executed(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f)
{
	struct sandbox_proc *p = sandbox_proc_of_request(s, f->hdr.id);
	struct cm_rpc_started st = { 0 };
	struct sandbox_container *k;
	struct cm_err err;

	if (!p)
		return;
	k = sandbox_container_at(s, p->container);
	if (f->hdr.error == ESRCH) {
		cm_err_set(&err, 0, "container not running");
		err.code = ESRCH;
	} else if (f->hdr.error != 0) {
		cm_rpc_start_error(f, p->spec, &err);
		cm_err_wrap(&err, "unable to start container process");
	} else if (cm_rpc_decode_started(f, &st) < 0 || st.pid <= 0 ||
		   (sandbox_proc_find(s, k, st.pid) && !sandbox_proc_find(s, k, st.pid)->ended)) {
		cm_err_set(&err, EPROTO, "answer of the guest");
		st.pid = 0;
	}
	if (st.pid == 0) {
		if (c)
			cm_urpc_reply(c, err.code, err.msg, NULL);
		sandbox_proc_drop(s, p);
		return;
	}
	p->request = 0;
	p->pid = st.pid;
	cm_spec_destroy(p->spec);
	p->spec = NULL;
	if (c && !p->unwanted)
		exec_answer(c, p);
	else /* nobody would ever know of it */
		sandbox_signal(s, k, SIGKILL, p->pid, CM_RPC_SIGNAL_PID);
}
