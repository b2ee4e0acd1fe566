/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes and extended attributes. */
#include <config.h>
#include "vmm/fsd/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define ATTR_VALID_SECONDS 1 /* what a client without a better idea may cache */

/* #syscalls:fsd statx */
int fsd_stat(int fd, struct statx *stx)
{
	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_AS_STAT,
		    STATX_BASIC_STATS | STATX_MNT_ID, stx) < 0)
		return -errno;
	fsd_device_stat(fd, stx);
	return 0;
}

void fsd_fill_attr(struct fuse_attr *a, const struct statx *stx)
{
	uint32_t major = stx->stx_rdev_major, minor = stx->stx_rdev_minor;

	memset(a, 0, sizeof(*a));
	a->ino = stx->stx_ino;
	a->size = stx->stx_size;
	a->blocks = stx->stx_blocks;
	a->atime = (uint64_t)stx->stx_atime.tv_sec;
	a->mtime = (uint64_t)stx->stx_mtime.tv_sec;
	a->ctime = (uint64_t)stx->stx_ctime.tv_sec;
	a->atimensec = stx->stx_atime.tv_nsec;
	a->mtimensec = stx->stx_mtime.tv_nsec;
	a->ctimensec = stx->stx_ctime.tv_nsec;
	a->mode = stx->stx_mode;
	a->nlink = stx->stx_nlink;
	a->uid = stx->stx_uid;
	a->gid = stx->stx_gid;
	a->rdev = (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
	a->blksize = stx->stx_blksize;
}

void fsd_fill_entry(const struct fsd_engine *e, struct fuse_entry_out *o, const struct fsd_node *n,
	const struct statx *stx)
{
	memset(o, 0, sizeof(*o));
	o->nodeid = fsd_node_id(e, n);
	o->generation = n->gen;
	o->entry_valid = ATTR_VALID_SECONDS;
	o->attr_valid = ATTR_VALID_SECONDS;
	fsd_fill_attr(&o->attr, stx);
}

const char *fsd_proc_name(char buf[12], int fd)
{
	char *p = buf + 11;
	unsigned int n = (unsigned int)fd;

	*p = '\0';
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	return p;
}

/* The attributes after a request, as its reply. */
static int attr_reply(struct fsd_req *rq, int fd)
{
	struct fuse_attr_out *o = (void *)rq->e->reply;
	struct statx stx;
	int r = fsd_stat(fd, &stx);

	if (r < 0)
		return r;
	memset(o, 0, sizeof(*o));
	o->attr_valid = ATTR_VALID_SECONDS;
	fsd_fill_attr(&o->attr, &stx);
	return sizeof(*o);
}

int fsd_op_getattr(struct fsd_req *rq)
{
	return attr_reply(rq, rq->node->fd);
}

/* #syscalls:fsd fchownat */
static int attr_chown(struct fsd_req *rq, const struct fuse_setattr_in *a)
{
	uid_t uid = a->valid & FATTR_UID ? a->uid : (uid_t)-1;
	gid_t gid = a->valid & FATTR_GID ? a->gid : (gid_t)-1;

	if (fchownat(rq->node->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

/*
 * Without CAP_FSETID the host takes S_ISGID away unless the caller is in the file's group: the client has decided already, so be in it.
 * #syscalls:fsd fchmodat
 */
static int attr_chmod(struct fsd_req *rq, const struct fuse_setattr_in *a)
{
	struct fsd_engine *e = rq->e;
	char name[12];
	int r;

	if (rq->node->type == S_IFLNK)
		return -EOPNOTSUPP;
	if (a->mode & S_ISGID) {
		struct statx stx;

		r = fsd_stat(rq->node->fd, &stx);
		if (r == 0)
			r = fsd_creds_set_gid(e, stx.stx_gid);
		if (r < 0)
			return r;
	}
	if (fchmodat(e->proc_fd, fsd_proc_name(name, rq->node->fd), a->mode & 07777, 0) < 0)
		return -errno;
	return 0;
}

/* #syscalls:fsd ftruncate */
static int attr_truncate(struct fsd_req *rq, const struct fuse_setattr_in *a)
{
	int fd;

	if (rq->node->type == S_IFDIR)
		return -EISDIR;
	if (rq->node->type != S_IFREG || a->size > INT64_MAX)
		return -EINVAL;
	fd = fsd_req_fd(rq, a->valid & FATTR_FH ? a->fh : 0, true);
	if (fd < 0)
		return fd;
	return ftruncate(fd, (off_t)a->size) < 0 ? -errno : 0;
}

/* #syscalls:fsd utimensat */
static int attr_times(struct fsd_req *rq, const struct fuse_setattr_in *a)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };

	if (a->valid & FATTR_ATIME_NOW) {
		ts[0].tv_nsec = UTIME_NOW;
	} else if (a->valid & FATTR_ATIME) {
		ts[0].tv_sec = (time_t)a->atime;
		ts[0].tv_nsec = a->atimensec;
	}
	if (a->valid & FATTR_MTIME_NOW) {
		ts[1].tv_nsec = UTIME_NOW;
	} else if (a->valid & FATTR_MTIME) {
		ts[1].tv_sec = (time_t)a->mtime;
		ts[1].tv_nsec = a->mtimensec;
	}
	if (utimensat(rq->node->fd, "", ts, AT_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

/* Owner and size first, because both drop setuid bits that the mode may bring; times last, because each of the others changes them. */
int fsd_op_setattr(struct fsd_req *rq)
{
	const struct fuse_setattr_in *a = rq->arg;
	int r = 0;

	if (a->valid & (FATTR_UID | FATTR_GID))
		r = attr_chown(rq, a);
	if (r == 0 && (a->valid & FATTR_SIZE))
		r = attr_truncate(rq, a);
	if (r == 0 && (a->valid & FATTR_MODE))
		r = attr_chmod(rq, a);
	if (r == 0 && (a->valid & (FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW)))
		r = attr_times(rq, a);
	return r < 0 ? r : attr_reply(rq, rq->node->fd);
}

/* #syscalls:fsd fstatfs */
int fsd_op_statfs(struct fsd_req *rq)
{
	struct fuse_statfs_out *o = (void *)rq->e->reply;
	struct statfs s;

	if (fstatfs(rq->node->fd, &s) < 0)
		return -errno;
	memset(o, 0, sizeof(*o));
	o->st.blocks = s.f_blocks;
	o->st.bfree = s.f_bfree;
	o->st.bavail = s.f_bavail;
	o->st.files = s.f_files;
	o->st.ffree = s.f_ffree;
	o->st.bsize = (uint32_t)s.f_bsize;
	o->st.namelen = (uint32_t)s.f_namelen;
	o->st.frsize = (uint32_t)s.f_frsize;
	return sizeof(*o);
}

/* By the mode bits and the ids of the request: a client that checks itself never asks. */
int fsd_op_access(struct fsd_req *rq)
{
	const struct fuse_access_in *a = rq->arg;
	struct statx stx;
	uint32_t bits, mask = a->mask & 7;
	int r = fsd_stat(rq->node->fd, &stx);

	if (r < 0)
		return r;
	if ((mask & W_OK) && fsd_node_readonly(rq->e, rq->node))
		return -EROFS;
	if (rq->h.uid == 0) {
		bool x = S_ISDIR(stx.stx_mode) || (stx.stx_mode & 0111);

		return !(mask & X_OK) || x ? 0 : -EACCES;
	}
	if (rq->h.uid == stx.stx_uid)
		bits = stx.stx_mode >> 6;
	else if (rq->h.gid == stx.stx_gid)
		bits = stx.stx_mode >> 3;
	else
		bits = stx.stx_mode;
	return (bits & mask) == mask ? 0 : -EACCES;
}

/*
 * ---- extended attributes. The calls that take a descriptor refuse O_PATH, so they go by name below /proc/self/fd, which is the working
 * directory of the process: "N" is a magic link to the object itself, also where that is a symbolic link.
 */

/* #syscalls:fsd setxattr */
int fsd_op_setxattr(struct fsd_req *rq)
{
	const struct fuse_setxattr_in *a = rq->arg;
	char name[12];

	if (a->size > rq->rest_len)
		return -EINVAL;
	if (fsd_device_name(rq->str[0]))
		return -EPERM;
	if (setxattr(fsd_proc_name(name, rq->node->fd), rq->str[0], rq->rest, a->size,
		    (int)a->flags) < 0)
		return -errno;
	return 0;
}

/* Size 0 asks for the length; a value longer than asked for is ERANGE, and so is one that the reply cannot hold. */
static int xattr_reply(struct fsd_req *rq, uint32_t asked, ssize_t len)
{
	struct fuse_getxattr_out *o = (void *)rq->e->reply;

	if (len < 0)
		return -errno;
	if (asked)
		return (int)len;
	memset(o, 0, sizeof(*o));
	o->size = (uint32_t)len;
	return sizeof(*o);
}

static size_t xattr_room(const struct fsd_req *rq, uint32_t asked)
{
	size_t room = asked;

	if (room > XATTR_SIZE_MAX)
		room = XATTR_SIZE_MAX;
	return room > rq->out_room ? rq->out_room : room;
}

/* #syscalls:fsd getxattr */
int fsd_op_getxattr(struct fsd_req *rq)
{
	const struct fuse_getxattr_in *a = rq->arg;
	size_t room = xattr_room(rq, a->size);
	char name[12];

	if (a->size && !room)
		return -ERANGE;
	if (fsd_device_name(rq->str[0]))
		return -ENODATA;
	return xattr_reply(rq, a->size,
		getxattr(fsd_proc_name(name, rq->node->fd), rq->str[0], rq->e->reply, room));
}

/* #syscalls:fsd listxattr */
int fsd_op_listxattr(struct fsd_req *rq)
{
	const struct fuse_getxattr_in *a = rq->arg;
	size_t room = xattr_room(rq, a->size);
	char name[12], *list = (char *)rq->e->reply;
	ssize_t len = listxattr(fsd_proc_name(name, rq->node->fd), list, XATTR_LIST_MAX);

	if (len > 0)
		len = (ssize_t)fsd_device_hide(list, (size_t)len);
	if (a->size && len > (ssize_t)room)
		return -ERANGE;
	return xattr_reply(rq, a->size, len);
}

/* #syscalls:fsd removexattr */
int fsd_op_removexattr(struct fsd_req *rq)
{
	char name[12];

	if (fsd_device_name(rq->str[0]))
		return -EPERM;
	if (removexattr(fsd_proc_name(name, rq->node->fd), rq->str[0]) < 0)
		return -errno;
	return 0;
}
