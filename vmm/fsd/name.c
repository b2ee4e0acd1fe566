/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on names: look up, make, remove, rename, link. Every name is one component and every directory a descriptor. */
#include <config.h>
#include "vmm/fsd/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool fsd_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (!len || memchr(name, '/', len))
		return false;
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Look the name up, which was just made, and answer with its entry. */
static int name_reply(struct fsd_req *rq, const char *name)
{
	struct fsd_node *n;
	struct statx stx;
	int r = fsd_node_lookup(rq->e, rq->node, name, &n, &stx);

	if (r == -ENFILE && fsd_node_spare(rq->e))
		r = fsd_node_lookup(rq->e, rq->node, name, &n, &stx);
	if (r < 0)
		return r;
	fsd_fill_entry(rq->e, (void *)rq->e->reply, n, &stx);
	return sizeof(struct fuse_entry_out);
}

/* A decimal number of 32 bits without leading zeros; 0 = it is none. */
static uint32_t name_number(const char *s)
{
	uint64_t n = 0;

	for (; *s >= '0' && *s <= '9' && n <= UINT32_MAX; s++) {
		if (!n && *s == '0')
			return 0;
		n = n * 10 + (unsigned int)(*s - '0');
	}
	return *s || n > UINT32_MAX ? 0 : (uint32_t)n;
}

static int name_volume(struct fsd_req *rq)
{
	uint32_t number = name_number(rq->str[0]);
	struct fsd_node *n;
	struct statx stx;
	int r = -ENOENT;

	if (number >= CM_FSDEV_IMAGE_FIRST)
		r = fsd_node_image(rq->e, number, &n, &stx);
	else if (number && number < rq->e->nroots)
		r = fsd_node_volume(rq->e, number, &n, &stx);

	if (r < 0)
		return r;
	fsd_fill_entry(rq->e, (void *)rq->e->reply, n, &stx);
	return sizeof(struct fuse_entry_out);
}

/* Behind the entry: the target of a link, if there is room for more than it. How many bytes. */
static int name_target(struct fsd_req *rq, const struct fsd_node *n)
{
	size_t at = sizeof(struct fuse_entry_out);
	size_t room = rq->out_room > at ? rq->out_room - at : 0;
	ssize_t len;

	if (n->type != S_IFLNK || !room)
		return 0;
	room = room < CM_FSDEV_TARGET ? room : CM_FSDEV_TARGET;
	len = readlinkat(n->fd, "", (char *)rq->e->reply + at, room);
	return len > 0 && (size_t)len < room ? (int)len : 0;
}

int fsd_op_lookup(struct fsd_req *rq)
{
	struct fsd_node *n;
	struct statx stx;
	int r;

	if (!rq->node)
		return rq->h.nodeid == CM_FSDEV_VOLUMES_ID ? name_volume(rq) : -ESTALE;
	r = fsd_node_lookup(rq->e, rq->node, rq->str[0], &n, &stx);
	if (r < 0)
		return r;
	fsd_fill_entry(rq->e, (void *)rq->e->reply, n, &stx);
	return (int)sizeof(struct fuse_entry_out) + name_target(rq, n);
}

/* Before something is made: as its owner, and with room for its node. */
static int name_prepare(struct fsd_req *rq)
{
	int r = fsd_node_reserve(rq->e, true);

	return r < 0 ? r : fsd_creds_set(rq->e, rq->h.uid, rq->h.gid);
}

/* #syscalls:fsd mkdirat */
int fsd_op_mkdir(struct fsd_req *rq)
{
	const struct fuse_mkdir_in *a = rq->arg;
	int r = name_prepare(rq);

	if (r < 0)
		return r;
	if (mkdirat(rq->node->fd, rq->str[0], a->mode & 07777) < 0)
		return -errno;
	return name_reply(rq, rq->str[0]);
}

/* Regular files, FIFOs and sockets; a device node is never made on the host (device.c). #syscalls:fsd mknodat */
int fsd_op_mknod(struct fsd_req *rq)
{
	const struct fuse_mknod_in *a = rq->arg;
	uint32_t type = a->mode & S_IFMT;
	bool device = type == S_IFCHR || type == S_IFBLK;
	int r;

	if (!device && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && type != 0)
		return -EINVAL;
	r = name_prepare(rq);
	if (r == 0 && device)
		r = fsd_device_make(rq, a->mode, a->rdev);
	if (r < 0)
		return r;
	if (!device && mknodat(rq->node->fd, rq->str[0], type | (a->mode & 07777), 0) < 0)
		return -errno;
	return name_reply(rq, rq->str[0]);
}

/* #syscalls:fsd symlinkat */
int fsd_op_symlink(struct fsd_req *rq)
{
	int r = name_prepare(rq);

	if (r < 0)
		return r;
	if (symlinkat(rq->str[1], rq->node->fd, rq->str[0]) < 0)
		return -errno;
	return name_reply(rq, rq->str[0]);
}

/* The magic link stands for the object itself, so nothing is followed beyond it. #syscalls:fsd linkat */
int fsd_op_link(struct fsd_req *rq)
{
	const struct fuse_link_in *a = rq->arg;
	const struct fsd_node *old = fsd_node_get(rq->e, a->oldnodeid);
	char name[12];
	int r;

	if (!old)
		return -ESTALE;
	if (old->root != rq->node->root)
		return -EXDEV;
	r = fsd_node_reserve(rq->e, false);
	if (r < 0)
		return r;
	if (linkat(rq->e->proc_fd, fsd_proc_name(name, old->fd), rq->node->fd, rq->str[0],
		    AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return name_reply(rq, rq->str[0]);
}

/* #syscalls:fsd unlinkat */
int fsd_op_unlink(struct fsd_req *rq)
{
	return unlinkat(rq->node->fd, rq->str[0], 0) < 0 ? -errno : 0;
}

int fsd_op_rmdir(struct fsd_req *rq)
{
	return unlinkat(rq->node->fd, rq->str[0], AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* RENAME_WHITEOUT leaves a character device 0:0, which nobody can open: the one device node that a guest can make, as any user of the host may. libc
 * takes the older call for no flags. #syscalls:fsd renameat renameat2 */
static int name_rename(struct fsd_req *rq, uint64_t newdir, uint32_t flags)
{
	const struct fsd_node *to = fsd_node_get(rq->e, newdir);

	if (!to)
		return -ESTALE;
	if (to->root != rq->node->root)
		return -EXDEV;
	if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (renameat2(rq->node->fd, rq->str[0], to->fd, rq->str[1], flags) < 0)
		return -errno;
	return 0;
}

int fsd_op_rename(struct fsd_req *rq)
{
	const struct fuse_rename_in *a = rq->arg;

	return name_rename(rq, a->newdir, 0);
}

int fsd_op_rename2(struct fsd_req *rq)
{
	const struct fuse_rename2_in *a = rq->arg;

	return name_rename(rq, a->newdir, a->flags);
}

/* #syscalls:fsd readlinkat */
int fsd_op_readlink(struct fsd_req *rq)
{
	size_t room = rq->out_room < PATH_MAX ? rq->out_room : PATH_MAX;
	ssize_t n;

	if (rq->node->type != S_IFLNK)
		return -EINVAL;
	n = readlinkat(rq->node->fd, "", (char *)rq->e->reply, room);
	return n < 0 ? -errno : (int)n;
}

int fsd_create_file(int dir, const char *name, uint64_t flags, uint64_t mode)
{
	struct open_how how = {
		.flags = flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.mode = mode & 07777,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));

	if (fd < 0)
		return errno == EMFILE ? -ENFILE : -errno;
	return (int)fd;
}

/* Answer with an entry and a handle; consumes fd and, on failure, the lookup of n. */
static int name_reply_open(struct fsd_req *rq, int fd, struct fsd_node *n, const struct statx *stx)
{
	struct fuse_entry_out *eo = (void *)rq->e->reply;
	struct fuse_open_out *oo = (void *)(eo + 1);
	int r;

	memset(oo, 0, sizeof(*oo));
	r = fsd_handle_add(rq->e, fd, false, &oo->fh);
	if (r < 0) {
		fsd_node_forget(rq->e, n, 1);
		return r;
	}
	fsd_fill_entry(rq->e, eo, n, stx);
	return sizeof(*eo) + sizeof(*oo);
}

/* The O_PATH twin of a descriptor that was just opened. */
static int name_path_fd(struct fsd_engine *e, int fd)
{
	char name[12];
	const char *text = fsd_proc_name(name, fd);
	int pfd = openat(e->proc_fd, text, O_PATH | O_CLOEXEC);

	if (pfd < 0 && (errno == EMFILE || errno == ENFILE) && fsd_node_spare(e))
		pfd = openat(e->proc_fd, text, O_PATH | O_CLOEXEC);
	return pfd < 0 ? -errno : pfd;
}

/* A new file: the handle first, so that what is answered is what was made, whatever the name means a moment later. */
static int name_create_new(struct fsd_req *rq, int flags, uint32_t mode, bool tmp)
{
	struct fsd_node *n;
	struct statx stx;
	int fd, pfd, r = fsd_node_reserve(rq->e, true);

	if (r < 0 || !fsd_handle_room(rq->e))
		return -ENFILE;
	if (tmp)
		fd = fsd_create_file(rq->node->fd, ".", (uint64_t)flags | O_TMPFILE, mode);
	else
		fd = fsd_create_file(
			rq->node->fd, rq->str[0], (uint64_t)flags | O_CREAT | O_EXCL, mode);
	if (fd < 0)
		return fd;
	pfd = name_path_fd(rq->e, fd);
	r = pfd < 0 ? pfd : fsd_node_add(rq->e, rq->node->root, pfd, &n, &stx);
	if (r < 0) {
		close(fd);
		return r;
	}
	return name_reply_open(rq, fd, n, &stx);
}

static int name_open_existing(struct fsd_req *rq, int flags)
{
	struct fsd_node *n;
	struct statx stx;
	int fd, r = fsd_node_lookup(rq->e, rq->node, rq->str[0], &n, &stx);

	if (r < 0)
		return r;
	if (n->type == S_IFREG)
		fd = fsd_node_open(rq->e, n, flags);
	else
		fd = n->type == S_IFDIR ? -EISDIR : n->type == S_IFLNK ? -ELOOP : -ENXIO;
	if (fd >= 0)
		r = fsd_stat(fd, &stx); /* O_TRUNC may have changed it */
	else
		r = fd;
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		fsd_node_forget(rq->e, n, 1);
		return r;
	}
	return name_reply_open(rq, fd, n, &stx);
}

int fsd_op_create(struct fsd_req *rq)
{
	const struct fuse_create_in *a = rq->arg;
	int flags = fsd_open_flags(rq->e, a->flags);
	int opened, r = fsd_creds_set(rq->e, rq->h.uid, rq->h.gid);

	if (r < 0)
		return r;
	r = name_create_new(rq, flags & ~O_TRUNC, a->mode, false);
	if ((r != -EEXIST && r != -ENFILE) || (a->flags & O_EXCL))
		return r;
	/* One that is known needs no room of its own. */
	opened = name_open_existing(rq, flags);
	return opened == -ENOENT && r == -ENFILE ? r : opened;
}

int fsd_op_tmpfile(struct fsd_req *rq)
{
	const struct fuse_create_in *a = rq->arg;
	int flags = fsd_open_flags(rq->e, a->flags);
	int r = fsd_creds_set(rq->e, rq->h.uid, rq->h.gid);

	if (r < 0)
		return r;
	if ((flags & O_ACCMODE) == O_RDONLY)
		flags |= O_RDWR;
	if (a->flags & O_EXCL)
		flags |= O_EXCL; /* never to be linked */
	return name_create_new(rq, flags & ~O_TRUNC, a->mode, true);
}
