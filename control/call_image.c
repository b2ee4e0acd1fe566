/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images that a call brings to be mounted: containerManager.Mount and Fs.Mount of type erofs. Nothing of an image is read here, nor is what a guest says
 * about one believed: the descriptor goes to the file server of the container (casemate/fsdev.h), under a number that is never used again, and
 * when that has it the guest is asked to mount the number. The file server reads what the guest asks for, and closes the image when the guest
 * forgets it, or is reset. So the descriptor is not needed here when the call is answered.
 *
 * A call waits for the server first (CALL_IMAGE; c->work: {source, target, flags}, c->key: the number), then for the guest (CALL_MOUNT_IMAGE; c->work: {image}).
 */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/* Of the container's own file server; where it has none, it lives in the root container's files. */
static int image_socket(struct sandbox *s, const struct sandbox_container *k)
{
	return k->shared || k == sandbox_root(s) ? s->l.image_fd : k->server_fd;
}

/* Whoever may only read an image cannot change it, however broken. #syscalls:sandbox fcntl */
static int image_check(int fd, struct cm_err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return cm_err_set(err, errno, "descriptor of the image");
	if ((flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY)
		return cm_err_set(err, EBADF, "the image is not open for reading");
	if ((flags & O_ACCMODE) != O_RDONLY)
		return cm_err_set(err, 0, "the image must be open for reading alone");
	return 0;
}

void call_image_mount(struct sandbox *s, struct sandbox_container *k, struct cm_urpc_client *c,
	const struct call_image *m)
{
	struct cm_fsdev_image q = { .version = CM_FSDEV_VERSION };
	struct cm_err err;
	int r;

	c->container = k->number;
	if (image_check(c->fds[0], &err) < 0) {
		cm_urpc_reply(c, err.code, err.msg, NULL);
		return;
	}
	if (!call_ready(s, k, c))
		return;
	if (s->next_image < CM_FSDEV_IMAGE_FIRST)
		s->next_image = CM_FSDEV_IMAGE_FIRST;
	q.image = s->next_image++;
	r = sandbox_send_fds(image_socket(s, k), &q, sizeof(q), c->fds, 1);
	if (r < 0) {
		cm_urpc_reply(
			c, r == -EAGAIN ? ETIMEDOUT : -r, "the file server takes no image", NULL);
		return;
	}
	c->work = json_pack("{s:s, s:s, s:I}", "source", m->source ? m->source : "", "target",
		m->target, "flags", m->flags);
	c->call = CALL_IMAGE;
	c->key = q.image;
	c->deadline = sandbox_now_ms() + CALL_GUEST_MS;
}

/* Nobody will mount it. #syscalls:sandbox sendto */
static void image_drop(int sock, uint32_t image)
{
	const struct cm_fsdev_image q = { .version = CM_FSDEV_VERSION, .image = image };

	(void)send(sock, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The call that waits for an answer of the server behind this socket. */
static struct cm_urpc_client *image_client(struct sandbox *s, int sock, uint32_t image)
{
	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->urpc.clients[i];
		const struct sandbox_container *k;

		if (c->fd < 0 || c->call != CALL_IMAGE || c->key != (int64_t)image)
			continue;
		k = sandbox_container_at(s, c->container);
		if (k && image_socket(s, k) == sock)
			return c;
	}
	return NULL;
}

static const char *image_string(const struct cm_urpc_client *c, const char *name)
{
	return json_string_value(json_object_get(c->work, name));
}

/* The server has it: ask the guest. */
static void image_ask(struct sandbox *s, struct cm_urpc_client *c, int sock, uint32_t image)
{
	const struct cm_rpc_mount_call q = { .container = c->container,
		.what = CM_RPC_MOUNT_IMAGE,
		.flags = (uint64_t)json_integer_value(json_object_get(c->work, "flags")),
		.image = image };
	const char *const words[] = { "erofs", image_string(c, "source"), image_string(c, "target"),
		NULL };
	int64_t id;

	if (!call_ready(s, sandbox_container_at(s, c->container), c)) {
		image_drop(sock, image);
		return;
	}
	id = call_send(s, CM_RPC_MOUNT, &q, sizeof(q), words, 4);
	if (id < 0)
		image_drop(sock, image);
	json_decref(c->work);
	c->work = json_pack("{s:I}", "image", (json_int_t)image);
	call_await(c, CALL_MOUNT_IMAGE, id);
}

void call_image_taken(struct sandbox *s, int sock, const struct cm_fsdev_image *m)
{
	struct cm_urpc_client *c = image_client(s, sock, m->image);

	if (!c && m->status == 0)
		image_drop(sock, m->image);
	else if (c && m->status == 0)
		image_ask(s, c, sock, m->image);
	else if (c && m->status == -EISDIR)
		cm_urpc_reply(c, EISDIR, "the image is a directory", NULL);
	else if (c)
		cm_urpc_reply(c, EINVAL, "the image is not a regular file", NULL);
}

static const char *image_error(int code)
{
	switch (code) {
	case EINVAL:
		return "no image of erofs, or one with features that are not known";
	case EOPNOTSUPP:
		return "the image is compressed, or has other features that are not supported";
	case EBADMSG:
		return "the checksum of the image is wrong";
	case EUCLEAN:
		return "the image is damaged";
	case ESRCH:
		return "container not running";
	default:
		return strerror(code);
	}
}

void call_image_mounted(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f)
{
	const struct sandbox_container *k = sandbox_container_at(s, c->container);
	int code = f->hdr.error;

	/* The guest may not have come as far as to take it. */
	if (code != 0 && k)
		image_drop(image_socket(s, k),
			(uint32_t)json_integer_value(json_object_get(c->work, "image")));
	if (code < 0 || code >= 4096)
		cm_urpc_reply(c, EPROTO, "answer of the guest", NULL);
	else
		cm_urpc_reply(c, code, code ? image_error(code) : NULL, NULL);
}
