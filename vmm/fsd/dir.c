/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading directories. The engine keeps no entries: a batch of getdents64 is sized so that it always fits in the reply, hence the position
 * of the descriptor is the position of the client, and a seek is needed only when the client goes elsewhere.
 */
#include <config.h>
#include "vmm/fsd/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What getdents64 writes. */
struct dir_entry {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

#define DIR_RECORD_MIN 24u /* the shortest record of getdents64 */
#define DIR_RECORD_MAX 280u /* the longest: 19 + 255 + 1, aligned */

int fsd_op_opendir(struct fsd_req *rq)
{
	struct fuse_open_out *o = (void *)rq->e->reply;
	int fd, r;

	if (rq->node->type != S_IFDIR)
		return -ENOTDIR;
	fd = fsd_node_open(rq->e, rq->node, O_RDONLY);
	if (fd < 0)
		return fd;
	memset(o, 0, sizeof(*o));
	r = fsd_handle_add(rq->e, fd, true, &o->fh);
	return r < 0 ? r : (int)sizeof(*o);
}

/* One entry for READDIRPLUS: "." and "..", and what cannot be looked up, have node id 0, which counts no lookup. */
static size_t dir_emit_plus(struct fsd_req *rq, uint8_t *at, const struct dir_entry *d, size_t len)
{
	struct fuse_direntplus *o = (void *)at;
	struct fsd_node *n;
	struct statx stx;
	uint32_t type = d->type;

	memset(o, 0, sizeof(*o));
	if (fsd_name_ok(d->name) && fsd_node_lookup(rq->e, rq->node, d->name, &n, &stx) == 0) {
		fsd_fill_entry(rq->e, &o->entry_out, n, &stx);
		type = n->type >> 12; /* the host does not know what stands for a device */
	}
	o->dirent.ino = d->ino;
	o->dirent.off = (uint64_t)d->off;
	o->dirent.namelen = (uint32_t)len;
	o->dirent.type = type;
	memcpy(o->dirent.name, d->name, len);
	return FUSE_NAME_OFFSET_DIRENTPLUS + len;
}

static size_t dir_emit(uint8_t *at, const struct dir_entry *d, size_t len)
{
	struct fuse_dirent *o = (void *)at;

	o->ino = d->ino;
	o->off = (uint64_t)d->off;
	o->namelen = (uint32_t)len;
	o->type = d->type;
	memcpy(o->name, d->name, len);
	return FUSE_NAME_OFFSET + len;
}

/* Convert one batch; returns the bytes of reply. */
static size_t dir_batch(struct fsd_req *rq, uint8_t *reply, size_t got, bool plus, int64_t *pos)
{
	size_t used = 0;

	for (size_t at = 0; at < got;) {
		struct dir_entry *d = (void *)(rq->e->dents + at);
		size_t len = strlen(d->name), n;

		/* Where a root lies on the host is not the client's business. */
		if (rq->node->top && len == 2 && memcmp(d->name, "..", 2) == 0)
			d->ino = rq->node->ino;
		n = plus ? dir_emit_plus(rq, reply + used, d, len) : dir_emit(reply + used, d, len);
		while (n % 8)
			reply[used + n++] = 0;
		used += n;
		*pos = d->off;
		at += d->reclen;
	}
	return used;
}

/*
 * Fill up to room bytes. A record of getdents64 of R bytes makes an entry of at most R + extra bytes, so a batch of
 * room * MIN / (MIN + extra) bytes always fits. #syscalls:fsd getdents64 lseek
 */
static int dir_fill(
	struct fsd_req *rq, int fd, int64_t *pos, uint64_t offset, size_t room, bool plus)
{
	size_t extra = plus ? sizeof(struct fuse_entry_out) + 8 : 8;
	size_t used = 0;

	if (offset > INT64_MAX)
		return -EINVAL;
	if ((int64_t)offset != *pos) {
		if (lseek(fd, (off_t)offset, SEEK_SET) < 0)
			return -errno;
		*pos = (int64_t)offset;
	}
	for (;;) {
		size_t batch = (room - used) * DIR_RECORD_MIN / (DIR_RECORD_MIN + extra);
		long got;

		if (batch < DIR_RECORD_MAX) {
			if (!used)
				return -EINVAL; /* no room for the longest name */
			break;
		}
		got = syscall(SYS_getdents64, fd, rq->e->dents, batch);
		if (got < 0)
			return used ? (int)used : -errno;
		if (!got)
			break;
		used += dir_batch(rq, rq->e->reply + used, (size_t)got, plus, pos);
	}
	return (int)used;
}

static int dir_read(struct fsd_req *rq, bool plus)
{
	const struct fuse_read_in *a = rq->arg;
	size_t room = a->size;
	int64_t *pos;
	int fd;

	if (rq->node->type != S_IFDIR)
		return -ENOTDIR;
	if (a->fh) {
		struct fsd_handle *h = fsd_handle_get(rq->e, a->fh);

		if (!h)
			return -EBADF;
		if (!h->dir)
			return -ENOTDIR;
		fd = h->fd;
		pos = &h->pos;
	} else {
		fd = fsd_node_io(rq->e, rq->node, false);
		if (fd < 0)
			return fd;
		pos = &rq->node->dir_pos;
	}
	if (room > rq->out_room)
		room = rq->out_room;
	if (room > FSD_REPLY_MAX)
		room = FSD_REPLY_MAX;
	return dir_fill(rq, fd, pos, a->offset, room, plus);
}

int fsd_op_readdir(struct fsd_req *rq)
{
	return dir_read(rq, false);
}

int fsd_op_readdirplus(struct fsd_req *rq)
{
	return dir_read(rq, true);
}

/* #syscalls:fsd fsync fdatasync */
int fsd_op_fsyncdir(struct fsd_req *rq)
{
	const struct fuse_fsync_in *a = rq->arg;
	int fd, r;

	if (rq->node->type != S_IFDIR)
		return -ENOTDIR;
	fd = fsd_node_io(rq->e, rq->node, false);
	if (fd < 0)
		return fd;
	r = a->fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(fd) : fsync(fd);
	return r < 0 ? -errno : 0;
}
