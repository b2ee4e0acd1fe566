/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and mounts of a container for the host. FILE copies a regular file into a stream, in a thread of its own: a reader that is slow holds up
 * nobody else, and the reply comes when the last byte is out. Names are resolved inside the container's root, whatever links lie there.
 */
#include "agent/internal.h"

#include <linux/mount.h>

#include "fs/erofs/erofs.h"
#include "fs/internal.h"
#include "fs/mode.h"
#include "fs/mount.h"
#include "lib/atomic.h"
#include "lib/string.h"
#include "mm/slab.h"

#define FILES_COPIES 16u /* at a time */
#define FILES_CHUNK  (64u << 10)
#define FILES_LOOKUP (LOOKUP_FOLLOW | LOOKUP_IN_ROOT)
#define FILES_FLAGS  (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME)

struct files_copy {
	struct cm_rpc_hdr hdr; /* of the request: for the reply */
	struct file *file;
	struct agent_stream *to;
	u64 offset, left;
};

static u32 files_copies; /* atomic: threads that copy */

static int files_copy_all(struct files_copy *c, void *buf)
{
	while (c->left > 0) {
		s64 n = file_read_kernel(c->file, buf, MIN(c->left, FILES_CHUNK), c->offset);
		struct iov iov = { (u64)buf, n > 0 ? (u64)n : 0 };
		int ret;

		if (n <= 0)
			return (int)n;
		ret = agent_send_all(c->to->sock, &iov, 1);
		if (ret < 0)
			return ret;
		c->offset += (u64)n;
		c->left -= (u64)n;
	}
	return 0;
}

static void files_copy_thread(void *arg)
{
	struct files_copy *c = arg;
	u64 begin = c->offset, sent;
	void *buf = kmalloc(FILES_CHUNK);
	int ret = buf ? files_copy_all(c, buf) : -ENOMEM;
	struct cm_rpc_hdr h = {
		.type = c->hdr.type | CM_RPC_REPLY,
		.id = c->hdr.id,
		.error = ret < 0 ? -ret : 0,
		.len = ret < 0 ? 0 : sizeof(sent),
	};

	sent = c->offset - begin;
	kfree(buf);
	agent_stream_put(c->to);
	file_put(c->file);
	kfree(c);
	atomic_sub(&files_copies, 1);
	agent_send(&h, &sent);
}

/* A regular file: anything else could block the reader, or do something by being read. */
static int files_open_regular(struct mount_ns *ns, const char *name, struct file **out)
{
	struct path root, at;
	int ret;

	if (!mount_ns_root(ns, &root))
		return -ENOENT;
	ret = path_lookup(&root, name, FILES_LOOKUP, &at);
	path_put(&root);
	if (ret < 0)
		return ret;
	if (S_ISDIR(at.dentry->inode->mode))
		ret = -EISDIR;
	else if (!S_ISREG(at.dentry->inode->mode))
		ret = -EINVAL;
	else
		ret = file_open_path(&at, O_RDONLY, out);
	path_put(&at);
	return ret;
}

int agent_file_read(
	const struct cm_rpc_hdr *hdr, const struct rpc_file *q, struct vsock_listener *streams)
{
	const u64 tokens[3] = { q->fixed.token, 0, 0 };
	struct agent_container *k = agent_container_enter(q->fixed.container);
	struct files_copy *c = kzalloc(sizeof(*c));
	int ret = !k					       ? -ESRCH
		  : atomic_load(&files_copies) == FILES_COPIES ? -EAGAIN
		  : !c					       ? -ENOMEM
							       : 0;

	if (ret == 0)
		ret = files_open_regular(k->ns, q->path, &c->file);
	if (k)
		agent_container_leave(k);
	if (ret < 0) {
		agent_stream_drop(tokens);
		kfree(c);
		return ret;
	}
	*c = (struct files_copy){ .hdr = *hdr,
		.file = c->file,
		.offset = q->fixed.offset,
		.left = q->fixed.size ? q->fixed.size : ~0UL,
		.to = agent_stream_get(streams, q->fixed.token) };
	/* The thread frees c, and counts itself off. */
	atomic_add(&files_copies, 1);
	if (c->to && agent_thread_run(files_copy_thread, c, "copy"))
		return 0;
	atomic_sub(&files_copies, 1);
	ret = c->to ? -ENOMEM : -ETIMEDOUT;
	if (c->to)
		agent_stream_put(c->to);
	file_put(c->file);
	kfree(c);
	return ret;
}

/* ---- mounts ---- */

static int files_bind(const struct path *root, const struct rpc_mount *q)
{
	struct path from, at;
	int ret = path_lookup(root, q->source, FILES_LOOKUP, &from);

	if (ret < 0)
		return ret;
	ret = path_lookup(root, q->target, FILES_LOOKUP, &at);
	if (ret == 0) {
		ret = mount_bind(&at, &from, false);
		path_put(&at);
	}
	path_put(&from);
	if (ret < 0 || !(q->fixed.flags & FILES_FLAGS))
		return ret;
	ret = path_lookup(root, q->target, FILES_LOOKUP, &at);
	if (ret < 0)
		return ret;
	ret = mount_remount(&at, q->fixed.flags & FILES_FLAGS, true);
	path_put(&at);
	return ret;
}

static int files_umount(const struct path *root, const struct rpc_mount *q)
{
	struct path at;
	int ret = path_lookup(root, q->target, FILES_LOOKUP, &at);

	if (ret < 0)
		return ret;
	ret = mount_umount(&at, (u32)q->fixed.flags);
	path_put(&at);
	return ret;
}

/* The target is made when it is missing, in a parent that is there. */
static int files_target(const struct path *root, const char *target)
{
	struct path at;
	int ret = path_lookup(root, target, FILES_LOOKUP, &at);

	if (ret == 0)
		path_put(&at);
	else if (ret == -ENOENT)
		ret = vfs_mkdir(root, target, 0755);
	return ret;
}

static const char *files_source(const struct rpc_mount *q)
{
	return q->source[0] ? q->source : "none";
}

static int files_mount(struct mount_ns *ns, const struct path *root, const struct rpc_mount *q)
{
	int ret = files_target(root, q->target);

	if (ret < 0)
		return ret;
	return vfs_mount(
		ns, q->type, files_source(q), q->target, q->fixed.flags & FILES_FLAGS, q->data);
}

/* The image first, whatever becomes of it: so the file server holds none that nobody took, and a wrong one makes no directory. */
static int files_image(
	struct agent_container *c, const struct path *root, const struct rpc_mount *q)
{
	struct super *sb;
	int ret = strcmp(q->type, "erofs") ? -ENODEV : 0;

	if (ret == 0)
		ret = erofs_mount_image(c->tag[0] ? c->tag : "root", q->fixed.image, &sb);
	if (ret < 0)
		return ret;
	ret = files_target(root, q->target);
	if (ret < 0) {
		super_abort(sb);
		return ret;
	}
	return mount_super(
		c->ns, sb, files_source(q), q->target, (q->fixed.flags & FILES_FLAGS) | MS_RDONLY);
}

static int files_change(struct agent_container *c, const struct rpc_mount *q)
{
	struct path root;
	int ret;

	if (q->target[0] != '/' ||
		(q->fixed.what != CM_RPC_UNMOUNT && q->fixed.flags & ~(u64)FILES_FLAGS) ||
		(q->fixed.what == CM_RPC_UNMOUNT && q->fixed.flags & ~(u64)UMOUNT_DETACH))
		return -EINVAL;
	if (!mount_ns_root(c->ns, &root))
		return -ENOENT;
	if (q->fixed.what == CM_RPC_UNMOUNT)
		ret = files_umount(&root, q);
	else if (q->fixed.what == CM_RPC_MOUNT_BIND)
		ret = files_bind(&root, q);
	else if (q->fixed.what == CM_RPC_MOUNT_IMAGE)
		ret = files_image(c, &root, q);
	else
		ret = files_mount(c->ns, &root, q);
	path_put(&root);
	return ret;
}

int agent_mount(const struct rpc_mount *q)
{
	struct agent_container *c = agent_container_enter(q->fixed.container);
	int ret;

	if (!c)
		return -ESRCH;
	ret = files_change(c, q);
	agent_container_leave(c);
	return ret;
}
