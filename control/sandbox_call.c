/* SPDX-License-Identifier: Apache-2.0 */
/* Methods of the control socket: one table of {name, function}. */
#include <config.h>
#include "control/sandbox_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define TAG_WAIT (-1) /* the client waits for the end of the container */

int64_t sandbox_signal(struct sandbox *s, int signo, int pid, uint32_t mode)
{
	struct cm_rpc_signal q = {
		.container = SANDBOX_CONTAINER,
		.signo = signo,
		.pid = pid,
		.mode = mode,
	};

	if (!s->started || s->exited)
		return -ESRCH;
	return cm_rpc_client_request(&s->rpc, CM_RPC_SIGNAL, &q, sizeof(q));
}

static bool call_names_us(const struct sandbox *s, const json_t *cid)
{
	return json_is_string(cid) && strcmp(json_string_value(cid), s->o->id) == 0;
}

static void call_signal(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	json_int_t signo = json_integer_value(json_object_get(arg, "Signo"));
	json_int_t pid = json_integer_value(json_object_get(arg, "PID"));
	json_int_t mode = json_integer_value(json_object_get(arg, "Mode"));
	int64_t id;

	if (!call_names_us(s, json_object_get(arg, "CID"))) {
		cm_urpc_reply(c, ENOENT, "no such container", NULL);
		return;
	}
	if (signo < 0 || signo > 64 || pid < 0 || pid > INT32_MAX || mode < CM_URPC_PROCESS ||
		mode > CM_URPC_FOREGROUND || (mode == CM_URPC_ALL && pid != 0)) {
		cm_urpc_reply(c, EINVAL, "invalid signal, process or mode", NULL);
		return;
	}
	/* The numbers of the two enumerations are the same on purpose. */
	id = sandbox_signal(s, (int)signo, (int)pid, (uint32_t)mode);
	if (id < 0)
		cm_urpc_reply(
			c, (int)id, id == -ESRCH ? "container not running" : "guest is busy", NULL);
	else
		c->tag = id;
}

static void call_wait(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	if (!call_names_us(s, arg))
		cm_urpc_reply(c, ENOENT, "no such container", NULL);
	else if (s->exited)
		cm_urpc_reply(c, 0, NULL, json_integer(s->status));
	else
		c->tag = TAG_WAIT;
}

static void call_state(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	if (call_names_us(s, arg))
		cm_urpc_reply(c, 0, NULL, cm_state_json(&s->c.st));
	else
		cm_urpc_reply(c, ENOENT, "no such container", NULL);
}

/*
 * A debugger: its connection goes to the VMM, which cannot see from its own user namespace who it is; cm_urpc_poll_serve has checked that.
 * #syscalls:sandbox sendmsg
 */
int sandbox_hand_over(int to, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void call_attach(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	int r;

	if (!call_names_us(s, arg)) {
		cm_urpc_reply(c, ENOENT, "no such container", NULL);
		return;
	}
	/* Bytes behind the request would be lost. */
	r = c->rx.len > 0 ? -EPROTO : sandbox_hand_over(s->l.debug_fd, c->fd);
	if (r < 0)
		cm_urpc_reply(c, r, r == -EPIPE ? "the VMM is gone" : strerror(-r), NULL);
	else
		cm_urpc_hand_over(c);
}

static const struct {
	const char *method;
	void (*run)(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
} calls[] = {
	{ "containerManager.Signal", call_signal },
	{ "containerManager.State", call_state },
	{ "containerManager.Wait", call_wait },
	{ "debug.Attach", call_attach },
};

void sandbox_call(void *ctx, struct cm_urpc_client *c, const char *method, const json_t *arg)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(method, calls[i].method) == 0) {
			calls[i].run(ctx, c, arg);
			return;
		}
	}
	cm_urpc_reply(c, ENOSYS, "unknown method", NULL);
}

void sandbox_call_reply(struct sandbox *s, const struct cm_rpc_frame *f)
{
	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->urpc.clients[i];
		int code = f ? f->hdr.error : ESRCH;

		if (c->fd < 0 || !c->busy)
			continue;
		if (!f && c->tag == TAG_WAIT)
			cm_urpc_reply(c, 0, NULL, json_integer(s->status));
		else if (!f || c->tag == (int64_t)f->hdr.id)
			cm_urpc_reply(c, code,
				code == 0	? NULL
				: code == ESRCH ? "container not running"
				: code < 4096	? strerror(code)
						: "unknown error",
				NULL);
	}
}
