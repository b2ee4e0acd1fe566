/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug.Stacks: where every vCPU and every task stands, as text. A program that the spawner starts reads it from outside; the guest need not
 * do anything for it, and whoever asks while it is read gets the same answer.
 */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/spawner.h"

#define STACKS_MAX (1u << 20)
#define STACKS_MS  ((CM_SPAWNER_SECONDS + 1) * 1000) /* behind the program's own limit */

static void stacks_close(struct sandbox *s)
{
	cm_cleanup_closep(&s->stacks.fd);
	s->stacks.fd = -1;
	cm_buf_fini(&s->stacks.text);
}

/* #syscalls:sandbox pipe2 */
static int stacks_start(struct sandbox *s)
{
	cleanup_fd int debug = sandbox_debug_connect(s);
	int p[2], r;

	if (debug < 0)
		return debug;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	r = cm_spawner_stacks(s->stacks.spawner, debug, p[1]);
	close(p[1]);
	s->stacks.fd = p[0];
	cm_buf_init(&s->stacks.text, STACKS_MAX);
	if (r < 0)
		stacks_close(s);
	return r;
}

void call_stacks(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	int r = 0;

	if (json_is_string(arg) && !call_container(s, c, arg))
		return;
	if (s->stacks.fd < 0)
		r = stacks_start(s);
	if (r < 0) {
		cm_urpc_reply(c, r, "the VMM does not listen", NULL);
		return;
	}
	c->call = CALL_STACKS;
	c->deadline = sandbox_now_ms() + STACKS_MS;
}

int sandbox_stacks_fd(struct sandbox *s)
{
	for (int i = 0; s->stacks.fd >= 0 && i < CM_URPC_CLIENTS; i++) {
		if (s->urpc.clients[i].fd >= 0 && s->urpc.clients[i].call == CALL_STACKS)
			return s->stacks.fd;
	}
	/* Nobody waits any more: the program finds its pipe closed. */
	if (s->stacks.fd >= 0)
		stacks_close(s);
	return -1;
}

static void stacks_answer(struct sandbox *s)
{
	const struct cm_buf *b = &s->stacks.text;
	/* Its only other line is the complaint of a program that failed. */
	bool failed = b->len == 0 || (b->len > 9 && strncmp(b->p, "casemate:", 9) == 0);
	char text[256];

	snprintf(text, sizeof(text), "%.*s", b->len ? (int)strcspn(b->p, "\n") : 0,
		b->len ? b->p : "");
	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->urpc.clients[i];

		if (c->fd < 0 || c->call != CALL_STACKS)
			continue;
		if (failed)
			cm_urpc_reply(c, EIO, b->len ? text : "the debugger said nothing", NULL);
		else
			cm_urpc_reply(c, 0, NULL, json_stringn(b->p, b->len));
	}
	stacks_close(s);
}

void sandbox_stacks_serve(struct sandbox *s)
{
	char *p = cm_buf_reserve(&s->stacks.text, 4097);
	ssize_t n = p ? read(s->stacks.fd, p, 4096) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	s->stacks.text.len += n > 0 ? (size_t)n : 0;
	if (p)
		s->stacks.text.p[s->stacks.text.len] = '\0';
	if (n <= 0)
		stacks_answer(s);
}
