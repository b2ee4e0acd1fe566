/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and mounts of a container: Fs.Cat, Fs.Read, Fs.TarRootfsUpperLayer, Fs.Mount, Fs.Umount, containerManager.Mount (images: call_image.c).
 *
 * A file is copied by the guest into a stream, whose other end is a duplicate of the client's descriptor. A copy is over when the guest has said
 * so and the stream has ended; only then it is known how much of it arrived. c->work: {type: of the request, todo: paths, offset, size, sum, want: bytes that the
 * guest sent}; c->stream and c->moved: the present copy.
 */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include "casemate/rpc.h"

#define FILES_STALL_MS 60000 /* without a byte moved */
#define FILES_PATHS    1024

static json_int_t files_number(const struct cm_urpc_client *c, const char *name)
{
	return json_integer_value(json_object_get(c->work, name));
}

/* #syscalls:sandbox fcntl */
static int files_request(
	struct sandbox *s, struct cm_urpc_client *c, const char *path, struct cm_err *err)
{
	struct cm_rpc_file q = { .container = c->container,
		.offset = (uint64_t)files_number(c, "offset"),
		.size = (uint64_t)files_number(c, "size") };
	int fd = fcntl(c->fds[0], F_DUPFD_CLOEXEC, 3);
	int64_t id;

	if (fd < 0)
		return cm_err_set(err, errno, "copy");
	if (sandbox_stream(s, CM_RPC_STREAM_FILE, -1, fd, true, &q.token, err) < 0)
		return -err->code;
	c->stream = q.token;
	c->moved = 0;
	id = call_send(s, (uint16_t)files_number(c, "type"), &q, sizeof(q), &path, 1);
	if (id < 0)
		return cm_err_set(err, (int)-id, "copy");
	c->call = CALL_FILE;
	c->key = id;
	c->deadline = sandbox_now_ms() + FILES_STALL_MS;
	return 0;
}

/* The next path, or the answer. */
static void files_next(struct sandbox *s, struct cm_urpc_client *c)
{
	json_t *path = call_next(c);
	struct cm_err err;

	if (!path) {
		cm_urpc_reply(c, 0, NULL, json_integer(files_number(c, "sum")));
		return;
	}
	if (files_request(s, c, json_string_value(path), &err) < 0)
		cm_urpc_reply(c, err.code, err.msg, NULL);
	json_decref(path);
}

/* Begin to copy; work is consumed and well-formed. */
static void files_start(
	struct sandbox *s, struct sandbox_container *k, struct cm_urpc_client *c, json_t *work)
{
	c->work = work;
	c->container = k->number;
	if (c->nfds != 1)
		cm_urpc_reply(c, EINVAL, "one descriptor is expected, for the bytes", NULL);
	else if (call_ready(s, k, c))
		files_next(s, c);
}

static void files_done(struct sandbox *s, struct cm_urpc_client *c)
{
	json_int_t want = files_number(c, "want");

	char text[96];

	if ((uint64_t)want != c->moved) {
		snprintf(text, sizeof(text), "the descriptor took %llu of %lld bytes",
			(unsigned long long)c->moved, (long long)want);
		cm_urpc_reply(c, EPIPE, text, NULL);
		return;
	}
	json_object_set_new(c->work, "sum", json_integer(files_number(c, "sum") + want));
	files_next(s, c);
}

void call_copied(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f)
{
	uint64_t bytes = 0;

	if (f->hdr.error) {
		cm_urpc_reply(c, f->hdr.error,
			f->hdr.error == EOPNOTSUPP ? "rootfs is not an overlayfs"
						   : strerror(f->hdr.error),
			NULL);
		return;
	}
	if (cm_rpc_decode_copied(f, &bytes) < 0 || bytes > INT64_MAX) {
		cm_urpc_reply(c, EPROTO, "answer of the guest", NULL);
		return;
	}
	json_object_set_new(c->work, "want", json_integer((json_int_t)bytes));
	c->call = CALL_STREAM;
	if (!c->stream)
		files_done(s, c);
}

void sandbox_call_stream_ended(struct sandbox *s, uint64_t token, uint64_t moved)
{
	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->urpc.clients[i];

		if (c->fd < 0 || c->stream != token)
			continue;
		c->stream = 0;
		c->moved = moved;
		if (c->call == CALL_STREAM)
			files_done(s, c);
	}
}

bool call_files_progress(struct sandbox *s, struct cm_urpc_client *c)
{
	uint64_t moved = c->stream ? sandbox_stream_moved(s, c->stream) : 0;

	if (moved <= c->moved)
		return false;
	c->moved = moved;
	c->deadline = sandbox_now_ms() + FILES_STALL_MS;
	return true;
}

void call_fs_cat(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	json_t *files = json_object_get(arg, "files"), *e;
	size_t i;

	if (!json_is_array(files) || json_array_size(files) == 0 ||
		json_array_size(files) > FILES_PATHS) {
		cm_urpc_reply(c, EINVAL, "files: a list of paths", NULL);
		return;
	}
	json_array_foreach(files, i, e)
	{
		if (json_is_string(e))
			continue;
		cm_urpc_reply(c, EINVAL, "files: a list of paths", NULL);
		return;
	}
	files_start(s, sandbox_root(s), c,
		json_pack("{s:i, s:o, s:i, s:i, s:i}", "type", CM_RPC_FILE, "todo",
			json_copy(files), "offset", 0, "size", 0, "sum", 0));
}

void call_fs_read(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	struct sandbox_container *k = call_container(s, c, json_object_get(arg, "container_id"));
	const char *path = json_string_value(json_object_get(arg, "path"));
	const json_t *offset = json_object_get(arg, "offset"), *size = json_object_get(arg, "size");

	if (!k)
		return;
	if (!path || (offset && !json_is_integer(offset)) || (size && !json_is_integer(size)) ||
		json_integer_value(offset) < 0 || json_integer_value(size) < 0) {
		cm_urpc_reply(c, EINVAL, "path, offset or size", NULL);
		return;
	}
	files_start(s, k, c,
		json_pack("{s:i, s:[s], s:I, s:I, s:i}", "type", CM_RPC_FILE, "todo", path,
			"offset", json_integer_value(offset), "size", json_integer_value(size),
			"sum", 0));
}

void call_fs_tar(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	struct sandbox_container *k = call_container(s, c, json_object_get(arg, "ContainerID"));

	if (k)
		files_start(s, k, c,
			json_pack("{s:i, s:[s], s:i, s:i, s:i}", "type", CM_RPC_TAR, "todo", "",
				"offset", 0, "size", 0, "sum", 0));
}

/* ---- mounts */

/* File systems that a container can have more of. */
static bool files_type_known(const char *type)
{
	static const char *const types[] = { "tmpfs", "proc", "sysfs", "devpts", "mqueue",
		"cgroup2" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(type, types[i]) == 0)
			return true;
	}
	return false;
}

struct files_mount {
	uint32_t what;
	const char *type, *source, *target, *data;
	json_int_t flags;
};

/* What must hold of every mount: 0, or -errno. */
static int files_mount_check(
	const struct cm_urpc_client *c, struct files_mount *m, struct cm_err *err)
{
	if (!m->target || *m->target != '/')
		return cm_err_set(err, 0, "the target must be absolute");
	if (m->what != CM_RPC_UNMOUNT) {
		if (!m->type)
			return cm_err_set(err, 0, "the type of the file system is missing");
		if (strcmp(m->type, "erofs") == 0)
			m->what = CM_RPC_MOUNT_IMAGE;
		else if (strcmp(m->type, "bind") == 0)
			m->what = CM_RPC_MOUNT_BIND;
		else if (!files_type_known(m->type))
			return cm_err_set(err, ENODEV, "file system '%.64s'", m->type);
		if (m->what == CM_RPC_MOUNT_BIND && (!m->source || *m->source != '/'))
			return cm_err_set(err, 0, "the source must be absolute");
	}
	if (m->what == CM_RPC_MOUNT_IMAGE && c->nfds != 1)
		return cm_err_set(err, 0, "one descriptor is expected, of the image");
	if (m->what == CM_RPC_MOUNT_IMAGE && m->data && *m->data)
		return cm_err_set(err, 0, "data: an image takes no options");
	if (m->what != CM_RPC_MOUNT_IMAGE && c->nfds > 0)
		return cm_err_set(err, 0, "no descriptor is expected");
	if (m->flags < 0 || m->flags & ~(json_int_t)(m->what == CM_RPC_UNMOUNT
							     ? MNT_DETACH
							     : MS_RDONLY | MS_NOEXEC | MS_NODEV |
								       MS_NOSUID | MS_NOATIME))
		return cm_err_set(err, 0, "flags");
	return 0;
}

static void files_mount(struct sandbox *s, struct sandbox_container *k, struct cm_urpc_client *c,
	struct files_mount *m)
{
	struct cm_rpc_mount_call q = { .container = k->number };
	const char *const words[] = { m->type, m->source, m->target, m->data };
	struct cm_err err;

	if (files_mount_check(c, m, &err) < 0) {
		cm_urpc_reply(c, err.code, err.msg, NULL);
		return;
	}
	if (m->what == CM_RPC_MOUNT_IMAGE) {
		call_image_mount(s, k, c, &(struct call_image){ m->source, m->target, m->flags });
		return;
	}
	q.what = m->what;
	q.flags = (uint64_t)m->flags;
	c->container = k->number;
	if (call_ready(s, k, c))
		call_await(c, CALL_GUEST, call_send(s, CM_RPC_MOUNT, &q, sizeof(q), words, 4));
}

void call_fs_mount(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	struct sandbox_container *k = call_container(s, c, json_object_get(arg, "container_id"));
	struct files_mount m = { .what = CM_RPC_MOUNT_NEW,
		.type = json_string_value(json_object_get(arg, "fs_type")),
		.source = json_string_value(json_object_get(arg, "source")),
		.target = json_string_value(json_object_get(arg, "target")),
		.data = json_string_value(json_object_get(arg, "data")),
		.flags = json_integer_value(json_object_get(arg, "flags")) };

	if (k)
		files_mount(s, k, c, &m);
}

void call_fs_umount(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	struct sandbox_container *k = call_container(s, c, json_object_get(arg, "container_id"));
	struct files_mount m = { .what = CM_RPC_UNMOUNT,
		.target = json_string_value(json_object_get(arg, "target")),
		.flags = json_integer_value(json_object_get(arg, "flags")) };

	if (k)
		files_mount(s, k, c, &m);
}

void call_mount(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	struct sandbox_container *k = call_container(s, c, json_object_get(arg, "ContainerID"));
	struct files_mount m = { .what = CM_RPC_MOUNT_NEW,
		.type = json_string_value(json_object_get(arg, "FsType")),
		.source = json_string_value(json_object_get(arg, "Source")),
		.target = json_string_value(json_object_get(arg, "Destination")) };

	if (k)
		files_mount(s, k, c, &m);
}
