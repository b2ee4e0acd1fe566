/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox process: processes that the guest was asked for, and the streams between them and the host. */
#include <config.h>
#include "control/sandbox_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct cm_relay *stream_find(const struct sandbox *s, uint64_t token)
{
	for (int i = 0; token && i < SANDBOX_RELAYS; i++) {
		if (s->relays[i] && s->relays[i]->token == token)
			return s->relays[i];
	}
	return NULL;
}

uint64_t sandbox_stream_moved(const struct sandbox *s, uint64_t token)
{
	const struct cm_relay *r = stream_find(s, token);

	return r ? atomic_load(&r->moved) : 0;
}

void sandbox_streams_sweep(struct sandbox *s)
{
	for (int i = 0; i < SANDBOX_RELAYS; i++) {
		struct cm_relay *r = s->relays[i];
		bool wanted = false;

		if (!r || r->kind != CM_RPC_STREAM_FILE)
			continue;
		for (int k = 0; k < CM_URPC_CLIENTS; k++)
			wanted |=
				s->urpc.clients[k].fd >= 0 && s->urpc.clients[k].stream == r->token;
		if (!wanted)
			cm_relay_stop(r);
	}
}

static void stream_close(int in_fd, int out_fd)
{
	if (in_fd >= 0)
		close(in_fd);
	if (out_fd >= 0 && out_fd != in_fd)
		close(out_fd);
}

int sandbox_stream(struct sandbox *s, uint16_t kind, int in_fd, int out_fd, bool own,
	uint64_t *token, struct cm_err *err)
{
	struct cm_relay *r = NULL;
	int i = 0;

	*token = 0;
	while (i < SANDBOX_RELAYS && s->relays[i])
		i++;
	if (i < SANDBOX_RELAYS)
		r = malloc(sizeof(*r));
	if (!r) {
		if (own)
			stream_close(in_fd, out_fd);
		return cm_err_set(err, i < SANDBOX_RELAYS ? ENOMEM : EAGAIN,
			"too many processes with streams");
	}
	cm_relay_init(r, kind, ++s->next_token, s->done_fd);
	r->in_fd = in_fd;
	r->out_fd = out_fd;
	r->own = own;
	s->relays[i] = r;
	if (cm_relay_start(r, VSOCK_PATH, err) < 0) {
		cm_relay_stop(r);
		sandbox_streams_done(s);
		return -err->code;
	}
	*token = r->token;
	return 0;
}

static int stdio_tty(
	struct sandbox *s, struct sandbox_proc *p, const int fds[3], bool own, struct cm_err *err)
{
	if (own && fds[1] != fds[0] && fds[2] >= 0)
		close(fds[2]);
	return sandbox_stream(s, CM_RPC_STREAM_TTY, fds[0], fds[1], own, &p->token[0], err);
}

int sandbox_stdio(struct sandbox *s, struct sandbox_proc *p, const int fds[3], bool tty, bool own,
	struct cm_err *err)
{
	int r = 0;

	if (tty)
		return stdio_tty(s, p, fds, own, err);
	for (int i = 0; i < 3; i++) {
		uint16_t kind = (uint16_t)(CM_RPC_STREAM_STDIN + i);

		if (r < 0 || fds[i] < 0 || cm_relay_is_null(fds[i])) {
			if (own && fds[i] >= 0)
				close(fds[i]);
			continue;
		}
		r = sandbox_stream(s, kind, i == 0 ? fds[i] : -1, i == 0 ? -1 : fds[i], own,
			&p->token[i], err);
	}
	return r;
}

/* Of its streams, the standard ones first: 3 + nmore. */
static uint64_t proc_token(const struct sandbox_proc *p, unsigned i)
{
	return i < 3 ? p->token[i] : p->more[i - 3];
}

static bool proc_has_stream(const struct sandbox_proc *p, uint64_t token)
{
	bool found = false;

	for (unsigned i = 0; i < 3 + p->nmore; i++)
		found |= proc_token(p, i) == token;
	return found;
}

/* Is the stream one of a further container? */
static bool stream_is_sub(const struct sandbox *s, uint64_t token)
{
	for (int i = 0; i < SANDBOX_PROCS; i++) {
		const struct sandbox_proc *p = &s->procs[i];

		if (p->used && proc_has_stream(p, token))
			return p->container > 1;
	}
	return false;
}

bool sandbox_has_output(const struct sandbox *s)
{
	if (s->output_deadline && sandbox_now_ms() >= s->output_deadline)
		return false;
	for (int i = 0; i < SANDBOX_RELAYS; i++) {
		const struct cm_relay *r = s->relays[i];

		if (r && cm_relay_is_output(r) && !stream_is_sub(s, r->token))
			return true;
	}
	return false;
}

/* Is everything out that the process wrote before its end? */
static bool proc_is_complete(const struct sandbox *s, const struct sandbox_proc *p)
{
	for (unsigned i = 0; i < 3 + p->nmore; i++) {
		const struct cm_relay *r = stream_find(s, proc_token(p, i));

		if (r && cm_relay_is_output(r) && atomic_load(&r->moved) < atomic_load(&r->want))
			return false;
	}
	return true;
}

static void proc_check(struct sandbox *s, struct sandbox_proc *p)
{
	if (!p->used || !p->ended || p->complete || !proc_is_complete(s, p))
		return;
	p->complete = true;
	sandbox_call_ended(s, p);
}

/* #syscalls:sandbox dup2 */
void sandbox_streams_done(struct sandbox *s)
{
	for (int i = 0; i < SANDBOX_RELAYS; i++) {
		struct cm_relay *r = s->relays[i];

		if (!r || atomic_load(&r->live) > 0)
			continue;
		s->relays[i] = NULL;
		if (r->kind == CM_RPC_STREAM_FILE)
			sandbox_call_stream_ended(s, r->token, atomic_load(&r->moved));
		if (s->null_fd >= 0 && r->token == s->procs[0].token[2])
			dup2(s->null_fd, STDERR_FILENO);
		cm_relay_fini(r);
		free(r);
	}
	for (int i = 0; i < SANDBOX_PROCS; i++)
		proc_check(s, &s->procs[i]);
}

struct sandbox_proc *sandbox_proc_new(struct sandbox *s, const struct sandbox_container *k)
{
	struct sandbox_proc *oldest = NULL;

	for (int i = 0; i < SANDBOX_PROCS; i++) {
		struct sandbox_proc *p = &s->procs[i];

		if (!p->used) {
			oldest = p;
			break;
		}
		if (p->complete && !p->init && (!oldest || p->age < oldest->age))
			oldest = p;
	}
	if (!oldest)
		return NULL;
	memset(oldest, 0, sizeof(*oldest));
	oldest->used = true;
	oldest->container = k->number;
	return oldest;
}

struct sandbox_proc *sandbox_proc_find(
	struct sandbox *s, const struct sandbox_container *k, int pid)
{
	struct sandbox_proc *found = NULL;

	/* A number that the guest used twice means the later process. */
	for (int i = 0; i < SANDBOX_PROCS; i++) {
		struct sandbox_proc *p = &s->procs[i];

		if (p->used && p->container == k->number && p->pid == pid && pid > 0 &&
			(!found || found->ended))
			found = p;
	}
	return found;
}

struct sandbox_proc *sandbox_proc_init(struct sandbox *s, const struct sandbox_container *k)
{
	for (int i = 0; i < SANDBOX_PROCS; i++) {
		if (s->procs[i].used && s->procs[i].init && s->procs[i].container == k->number)
			return &s->procs[i];
	}
	return NULL;
}

struct sandbox_proc *sandbox_proc_of_request(struct sandbox *s, int64_t request)
{
	for (int i = 0; i < SANDBOX_PROCS; i++) {
		if (s->procs[i].used && s->procs[i].request == request)
			return &s->procs[i];
	}
	return NULL;
}

void sandbox_proc_drop(struct sandbox *s, struct sandbox_proc *p)
{
	for (int i = 0; i < SANDBOX_RELAYS; i++) {
		struct cm_relay *r = s->relays[i];

		if (r && proc_has_stream(p, r->token))
			cm_relay_stop(r);
	}
	cm_spec_destroy(p->spec);
	memset(p, 0, sizeof(*p));
}

void sandbox_proc_ended(
	struct sandbox *s, struct sandbox_proc *p, int status, const uint64_t sent[CM_RPC_SENT])
{
	struct cm_relay *in = stream_find(s, p->token[0]);

	p->ended = true;
	p->status = status;
	p->age = ++s->next_age;
	if (in && !cm_relay_is_output(in))
		cm_relay_stop(in);
	for (unsigned i = 1; i < 3 + p->nmore; i++) {
		struct cm_relay *r = stream_find(s, proc_token(p, i));

		/* A terminal, and a stream that the guest closed, end by themselves. */
		if (r && cm_relay_is_output(r) && sent[i - 1] != CM_RPC_SENT_ALL)
			atomic_store(&r->want, sent[i - 1]);
	}
	proc_check(s, p);
}
