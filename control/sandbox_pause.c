/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox process: pause and resume. The VMM stops and starts the vCPUs, asked over a connection to its debug server
 * (casemate/debug.h) that the sandbox process makes for itself at the first pause and keeps. Nothing here waits: a VMM that does not answer
 * costs the caller its deadline. Pauses nest; the container is paused from the first to the last. A container that is not alone in its sandbox is
 * paused by the guest, when it is named: sandbox_freeze.c.
 */
#include <config.h>
#include "control/sandbox_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "casemate/debug.h"
#include "control/call.h"

#define PAUSE_MS    3000 /* for the vCPUs to stop */
#define PAUSE_FRAME 4096 /* payload of a frame of the VMM: none that we ask for is longer */

static void pause_close(struct sandbox *s)
{
	if (s->pause.fd >= 0)
		close(s->pause.fd);
	s->pause.fd = -1;
	cm_buf_fini(&s->pause.rx);
}

static int pause_send(struct sandbox *s, uint16_t type, const void *payload, uint32_t len)
{
	struct cm_dbg_hdr h = {
		.magic = CM_DBG_MAGIC,
		.version = CM_DBG_VERSION,
		.type = type,
		.id = ++s->pause.next_id,
		.len = len,
	};
	char frame[sizeof(h) + 64];

	memcpy(frame, &h, sizeof(h));
	memcpy(frame + sizeof(h), payload, len);
	if (send(s->pause.fd, frame, sizeof(h) + len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
		(ssize_t)(sizeof(h) + len))
		return -EPIPE;
	return 0;
}

/* #syscalls:sandbox socketpair */
int sandbox_debug_connect(struct sandbox *s)
{
	int sp[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp) < 0)
		return -errno;
	r = sandbox_hand_over(s->l.debug_fd, sp[1]);
	close(sp[1]);
	if (r == 0)
		return sp[0];
	close(sp[0]);
	return r;
}

static int pause_connect(struct sandbox *s)
{
	struct cm_dbg_hello hello = { .version = CM_DBG_VERSION };
	int r;

	if (s->pause.fd >= 0)
		return 0;
	r = sandbox_debug_connect(s);
	if (r < 0)
		return r;
	s->pause.fd = r;
	cm_buf_init(&s->pause.rx, sizeof(struct cm_dbg_hdr) + 2 * PAUSE_FRAME);
	r = pause_send(s, CM_DBG_HELLO, &hello, sizeof(hello));
	if (r < 0)
		pause_close(s);
	return r;
}

static int pause_request(struct sandbox *s, bool pause)
{
	struct cm_dbg_pause q = { .timeout_ms = pause ? PAUSE_MS : 0 };
	int r = pause_connect(s);

	if (r == 0)
		r = pause_send(s, pause ? CM_DBG_PAUSE : CM_DBG_RESUME, &q, sizeof(q));
	if (r == 0)
		s->pause.open = s->pause.next_id;
	return r;
}

static void pause_change(struct sandbox *s, bool pause, struct cm_urpc_client *c)
{
	const struct sandbox_container *root = sandbox_root(s);
	struct cm_err err;
	int r;

	if (s->pause.open) {
		cm_urpc_reply(c, EAGAIN, "another pause or resume is under way", NULL);
		return;
	}
	/* Inner ones only count. */
	if (s->pause.count > (pause ? 0u : 1u)) {
		s->pause.count += pause ? 1 : -1u;
		cm_urpc_reply(c, 0, NULL, NULL);
		return;
	}
	if (cm_status_check(root->id, root->status, pause ? CM_PAUSED : CM_RUNNING, &err) < 0) {
		cm_urpc_reply(c, EINVAL, err.msg, NULL);
		return;
	}
	/* A created container may become running too, but not by this. */
	if (!pause && s->pause.count == 0) {
		cm_urpc_reply(c, EINVAL, "the container is not paused", NULL);
		return;
	}
	r = pause_request(s, pause);
	if (r < 0) {
		cm_urpc_reply(c, r, "the VMM does not listen", NULL);
		return;
	}
	c->call = CALL_PAUSE;
	c->key = s->pause.open;
	c->deadline = sandbox_now_ms() + CALL_GUEST_MS;
}

static void pause_call(struct sandbox *s, bool pause, struct cm_urpc_client *c, const json_t *arg)
{
	struct sandbox_container *k = NULL;

	if (json_is_string(arg)) {
		k = call_container(s, c, arg);
		if (!k)
			return;
	}
	if (k && call_freeze_is_due(s, k))
		call_freeze(s, k, pause, c);
	else
		pause_change(s, pause, c);
}

void call_pause(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	pause_call(s, true, c, arg);
}

void call_resume(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	pause_call(s, false, c, arg);
}

/* The vCPUs stand still, or go on: so do all programs that were let go and are not paused by themselves. */
static int pause_changed(struct sandbox *s, bool pause, struct cm_err *err)
{
	enum cm_status from = pause ? CM_RUNNING : CM_PAUSED;

	for (int i = 0; i < CM_RPC_CONTAINERS; i++) {
		struct sandbox_container *k = &s->table[i];

		if (k->id && k->status == from && !k->freezes)
			sandbox_container_change(k, pause ? CM_PAUSED : CM_RUNNING, err);
	}
	return sandbox_save(s, err);
}

void sandbox_unpause(struct sandbox *s)
{
	struct cm_err ignored;

	if (s->pause.count == 0 || pause_request(s, false) < 0)
		return;
	/* What the VMM answers does not matter: who asked watches the program's end. */
	s->pause.open = 0;
	s->pause.count = 0;
	pause_changed(s, false, &ignored);
}

static void pause_answer(struct sandbox *s, int code, const char *text)
{
	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->urpc.clients[i];

		if (c->fd >= 0 && c->call == CALL_PAUSE)
			cm_urpc_reply(c, code, text, NULL);
	}
	s->pause.open = 0;
}

static void pause_reply(struct sandbox *s, const struct cm_dbg_hdr *h)
{
	bool pause = h->type == (CM_DBG_PAUSE | CM_DBG_REPLY);
	struct cm_err err;

	if (h->id != s->pause.open || s->pause.open == 0)
		return;
	if (h->error) {
		/* A pause that did not come in time still counts there. */
		if (pause && h->error == ETIMEDOUT)
			pause_request(s, false);
		pause_answer(s, (int)(h->error < 4096 ? h->error : EIO),
			pause ? "the virtual CPUs do not stop" : "the VMM refused");
		return;
	}
	s->pause.count = pause;
	if (sandbox_root(s)->status != CM_STOPPED && pause_changed(s, pause, &err) < 0)
		pause_answer(s, err.code, err.msg);
	else
		pause_answer(s, 0, NULL);
}

void sandbox_pause_serve(struct sandbox *s)
{
	struct cm_buf *rx = &s->pause.rx;
	void *p = cm_buf_reserve(rx, PAUSE_FRAME);
	ssize_t n = p ? recv(s->pause.fd, p, PAUSE_FRAME, MSG_DONTWAIT) : 0;
	struct cm_dbg_hdr h;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	rx->len += n > 0 ? (size_t)n : 0;
	while (n > 0 && rx->len >= sizeof(h)) {
		memcpy(&h, rx->p, sizeof(h));
		if (h.magic != CM_DBG_MAGIC || h.len > PAUSE_FRAME) {
			n = 0;
			break;
		}
		if (rx->len < sizeof(h) + h.len)
			break;
		pause_reply(s, &h);
		cm_buf_consume(rx, sizeof(h) + h.len);
	}
	if (n > 0)
		return;
	pause_close(s);
	pause_answer(s, EIO, "the VMM hung up");
}
