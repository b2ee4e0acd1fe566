/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TAR: what a container's root has above its image, as an archive (pax) that goes into a stream. In the form of an upper directory of Linux's
 * overlay: a name that hides another is a character device 0:0, a directory through which nothing of the image shows has the attribute
 * trusted.overlay.opaque. Only changed things and the directories above them are there; parents come before what they hold. The container may go
 * on meanwhile: what it changes then is there or not.
 */
#include "agent/internal.h"

#include "fs/internal.h"
#include "fs/mode.h"
#include "fs/mount.h"
#include "fs/overlay/overlay.h"
#include "lib/string.h"
#include "lib/tar.h"
#include "mm/slab.h"

#define TAR_CHUNK  (64u << 10)
#define TAR_XATTRS 16384u /* bytes of names, and of a value */

struct tar_job {
	struct cm_rpc_hdr hdr; /* of the request: for the reply */
	struct agent_stream *to;
	struct path root;
	struct name_list queue; /* directories of the upper side whose names are still to come */
	u64 sent;
	size_t used;
	struct tar_pax pax;
	char names[TAR_XATTRS], value[TAR_XATTRS];
	char path[PATH_MAX_LEN], target[PATH_MAX_LEN];
	u8 buf[TAR_CHUNK], data[TAR_CHUNK];
};

static u32 tar_jobs; /* atomic: 0 or 1 */

static int tar_flush(struct tar_job *j)
{
	struct iov iov = { (u64)j->buf, j->used };
	int ret = j->used ? agent_send_all(j->to->sock, &iov, 1) : 0;

	j->sent += j->used;
	j->used = 0;
	return ret;
}

/* data NULL: zeroes. */
static int tar_put(struct tar_job *j, const void *data, size_t len)
{
	const u8 *from = data;
	int ret = 0;

	while (len > 0 && ret == 0) {
		size_t n = MIN(len, TAR_CHUNK - j->used);

		if (from)
			memcpy(j->buf + j->used, from, n);
		else
			memset(j->buf + j->used, 0, n);
		j->used += n;
		len -= n;
		from = from ? from + n : NULL;
		if (j->used == TAR_CHUNK)
			ret = tar_flush(j);
	}
	return ret;
}

static int tar_pad(struct tar_job *j, u64 len)
{
	return tar_put(j, NULL, -len & (TAR_BLOCK - 1));
}

/* Exactly `size` bytes of a file: one that has become shorter goes on with zeroes. */
static int tar_file(struct tar_job *j, const struct path *p, u64 size)
{
	struct file *f;
	u64 at = 0;
	int ret = file_open_unchecked(p, O_RDONLY, &f);

	if (ret < 0)
		return ret;
	while (ret == 0 && at < size) {
		size_t want = MIN(size - at, (u64)TAR_CHUNK);
		s64 n = file_read_kernel(f, j->data, want, at);

		if (n < 0)
			ret = (int)n;
		else
			ret = tar_put(j, n ? j->data : NULL, n ? (size_t)n : want);
		at += n > 0 ? (u64)n : want;
	}
	file_put(f);
	return ret ? ret : tar_pad(j, size);
}

static void tar_xattrs(struct tar_job *j, struct inode *inode)
{
	char key[280] = "SCHILY.xattr.";
	size_t head = strlen(key);
	s64 len;

	if (!inode->ops || !inode->ops->listxattr || !inode->ops->getxattr)
		return;
	len = inode->ops->listxattr(inode, j->names, sizeof(j->names));
	for (char *p = j->names; len > 0 && p < j->names + len; p += strlen(p) + 1) {
		s64 n = inode->ops->getxattr(inode, p, j->value, sizeof(j->value));

		str_copy(key + head, p, sizeof(key) - head);
		if (n >= 0)
			tar_pax_add(&j->pax, key, j->value, (size_t)n);
	}
}

static int tar_header_put(struct tar_job *j, const struct tar_entry *e)
{
	u8 block[TAR_BLOCK];
	int ret = 0;

	tar_pax_entry(&j->pax, e);
	if (j->pax.failed)
		return -E2BIG;
	if (j->pax.len) {
		tar_pax_header(block, &j->pax);
		ret = tar_put(j, block, sizeof(block));
		if (ret == 0)
			ret = tar_put(j, j->pax.data, j->pax.len);
		if (ret == 0)
			ret = tar_pad(j, j->pax.len);
	}
	tar_header(block, e);
	return ret ? ret : tar_put(j, block, sizeof(block));
}

/* A type of the archive; 0: there is none for it. */
static char tar_type(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return '0';
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFDIR:
		return '5';
	case S_IFIFO:
		return '6';
	default:
		return 0;
	}
}

static int tar_whiteout(struct tar_job *j, const char *name)
{
	const struct tar_entry e = { .name = name, .target = "", .type = '3' };

	j->pax.len = 0;
	return tar_header_put(j, &e);
}

/* One object under a name, a directory's with its slash. */
static int tar_object(struct tar_job *j, const struct path *p, const char *name)
{
	struct inode *inode = dentry_inode(p->dentry);
	struct tar_entry e = { .name = name, .target = "", .type = tar_type(inode->mode) };
	int ret = inode_refresh(inode);
	s64 n = 0;

	if (ret < 0 || !e.type)
		return ret;
	e.mode = inode->mode & 07777;
	e.uid = inode->uid;
	e.gid = inode->gid;
	e.mtime = inode->mtime.sec;
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
		e.major = dev_major(inode->rdev);
		e.minor = dev_minor(inode->rdev);
	}
	if (S_ISREG(inode->mode))
		e.size = atomic_load(&inode->size);
	if (S_ISLNK(inode->mode)) {
		n = inode_readlink(inode, j->target, sizeof(j->target) - 1);
		if (n < 0)
			return (int)n;
		j->target[n] = '\0';
		e.target = j->target;
	}
	j->pax.len = 0;
	tar_xattrs(j, inode);
	if (S_ISDIR(inode->mode) && overlay_is_opaque(inode))
		tar_pax_add(&j->pax, "SCHILY.xattr.trusted.overlay.opaque", "y", 1);
	ret = tar_header_put(j, &e);
	return ret < 0 || !e.size ? ret : tar_file(j, p, e.size);
}

/* Follow a path below the root; `lower`: as long as its names are those of the image. 1: it leads elsewhere, or is gone. */
static int tar_walk(struct tar_job *j, const char *name, bool lower, struct path *out)
{
	struct path at = j->root;
	int ret = 0;

	path_get(&at);
	while (ret == 0 && *name) {
		const char *slash = strchr(name, '/');
		size_t len = slash ? (size_t)(slash - name) : strlen(name);
		enum overlay_side side;
		struct path next = { NULL, NULL };

		ret = overlay_child(&at, name, len, &side, &next);
		if (ret == -ENOENT || ret == -ENOTDIR || (ret == 0 && !next.dentry) ||
			(ret == 0 && lower && side != OVERLAY_LOWER))
			ret = 1;
		path_put(&at);
		at = next;
		name += len + (name[len] == '/');
	}
	if (ret == 0)
		*out = at;
	else
		path_put(&at);
	return ret;
}

/* "DIR/NAME" in j->path, with a slash behind that of a directory. */
static int tar_name(struct tar_job *j, const char *dir, const char *name, bool is_dir)
{
	size_t n = strlen(dir), m = strlen(name);

	if (n + m + 3 > sizeof(j->path))
		return -ENAMETOOLONG;
	memcpy(j->path, dir, n);
	if (n)
		j->path[n++] = '/';
	memcpy(j->path + n, name, m);
	n += m;
	if (is_dir)
		j->path[n++] = '/';
	j->path[n] = '\0';
	return 0;
}

/* A name that a directory has by itself. A directory of that name waits for its turn: what is nested deeply is not on the stack. */
static int tar_upper_name(
	struct tar_job *j, const struct path *dir, const char *dir_name, const char *name)
{
	struct path p = { NULL, NULL };
	enum overlay_side side;
	bool is_dir;
	int ret = overlay_child(dir, name, strlen(name), &side, &p);

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return ret;
	is_dir = p.dentry && S_ISDIR(dentry_inode(p.dentry)->mode);
	ret = tar_name(j, dir_name, name, is_dir);
	if (ret == 0)
		ret = p.dentry ? tar_object(j, &p, j->path) : tar_whiteout(j, j->path);
	if (ret == 0 && is_dir) {
		name_list_add(&j->queue, j->path, strlen(j->path) - 1);
		ret = j->queue.failed ? -ENOMEM : 0;
	}
	path_put(&p);
	return ret;
}

static int tar_upper_names(struct tar_job *j, const struct path *dir, const char *dir_name)
{
	struct name_list names = { NULL, 0, 0, false };
	int ret = overlay_upper_names(dentry_inode(dir->dentry), &names);

	for (u32 i = 0; ret == 0 && i < names.n; i++)
		ret = tar_upper_name(j, dir, dir_name, names.v[i]);
	name_list_free(&names);
	return ret;
}

/* Something of the image that has a copy, or is above one. */
static int tar_copied(struct tar_job *j, const char *name)
{
	struct path p;
	int ret = tar_walk(j, name, true, &p);
	bool is_dir;

	if (ret)
		return ret < 0 ? ret : 0;
	is_dir = S_ISDIR(dentry_inode(p.dentry)->mode);
	ret = tar_name(j, "", name, is_dir);
	if (ret == 0)
		ret = tar_object(j, &p, j->path);
	if (ret == 0 && is_dir)
		ret = tar_upper_names(j, &p, name);
	path_put(&p);
	return ret;
}

/* Shell's sort: a directory's name is before those that begin with it. */
static void tar_sort(struct name_list *l)
{
	u32 gap = 1;

	while (gap < l->n / 3)
		gap = 3 * gap + 1;
	for (; gap; gap /= 3) {
		for (u32 i = gap; i < l->n; i++) {
			char *v = l->v[i];
			u32 k = i;

			for (; k >= gap && strcmp(l->v[k - gap], v) > 0; k -= gap)
				l->v[k] = l->v[k - gap];
			l->v[k] = v;
		}
	}
}

static int tar_all(struct tar_job *j)
{
	struct name_list copies = { NULL, 0, 0, false };
	int ret = overlay_copies(dentry_inode(j->root.dentry)->sb, &copies);
	struct path p;

	tar_sort(&copies);
	if (ret == 0)
		ret = tar_object(j, &j->root, "./");
	if (ret == 0)
		ret = tar_upper_names(j, &j->root, "");
	for (u32 i = 0; ret == 0 && i < copies.n; i++) {
		if (i == 0 || strcmp(copies.v[i], copies.v[i - 1]) != 0)
			ret = tar_copied(j, copies.v[i]);
	}
	name_list_free(&copies);
	for (u32 i = 0; ret == 0 && i < j->queue.n; i++) {
		ret = tar_walk(j, j->queue.v[i], false, &p);
		if (ret == 0) {
			ret = tar_upper_names(j, &p, j->queue.v[i]);
			path_put(&p);
		}
		ret = ret > 0 ? 0 : ret;
	}
	/* The end of an archive. */
	if (ret == 0)
		ret = tar_put(j, NULL, 2UL * TAR_BLOCK);
	return ret == 0 ? tar_flush(j) : ret;
}

static void tar_free(struct tar_job *j)
{
	path_put(&j->root);
	name_list_free(&j->queue);
	kfree(j);
	atomic_store(&tar_jobs, 0);
}

static void tar_thread(void *arg)
{
	struct tar_job *j = arg;
	int ret = tar_all(j);
	u64 sent = j->sent;
	struct cm_rpc_hdr h = {
		.type = j->hdr.type | CM_RPC_REPLY,
		.id = j->hdr.id,
		.error = ret < 0 ? -ret : 0,
		.len = ret < 0 ? 0 : sizeof(sent),
	};

	agent_stream_put(j->to);
	tar_free(j);
	agent_send(&h, &sent);
}

/* 0 with the root in j, or -EOPNOTSUPP when it is no overlay. */
static int tar_begin(struct tar_job *j, u32 container)
{
	struct agent_container *c = agent_container_enter(container);
	int ret = -ESRCH;

	if (!c)
		return ret;
	ret = mount_ns_root(c->ns, &j->root) ? 0 : -ENOENT;
	agent_container_leave(c);
	if (ret == 0 && !overlay_is(dentry_inode(j->root.dentry)->sb)) {
		path_put(&j->root);
		ret = -EOPNOTSUPP;
	}
	return ret;
}

int agent_tar(
	const struct cm_rpc_hdr *hdr, const struct rpc_file *q, struct vsock_listener *streams)
{
	const u64 tokens[3] = { q->fixed.token, 0, 0 };
	struct tar_job *j = atomic_load(&tar_jobs) ? NULL : kzalloc(sizeof(*j));
	int ret = atomic_load(&tar_jobs) ? -EAGAIN
		  : !j			 ? -ENOMEM
					 : tar_begin(j, q->fixed.container);

	if (ret < 0) {
		agent_stream_drop(tokens);
		kfree(j);
		return ret;
	}
	atomic_store(&tar_jobs, 1);
	j->hdr = *hdr;
	j->to = agent_stream_get(streams, q->fixed.token);
	if (j->to && agent_thread_run(tar_thread, j, "tar"))
		return 0;
	ret = j->to ? -ENOMEM : -ETIMEDOUT;
	if (j->to)
		agent_stream_put(j->to);
	tar_free(j);
	return ret;
}
