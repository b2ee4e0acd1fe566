/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on file contents. READ and WRITE move data straight between the file and the client's buffers. */
#include <config.h>
#include "vmm/fsd/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define IO_COPY_MAX \
	(16u << 20) /* bytes of one COPY_FILE_RANGE: the server must not be away for long */

/* With a write-back client an O_APPEND handle would put cached pages in the wrong place, and it must be able to read pages back. */
int fsd_open_flags(const struct fsd_engine *e, uint32_t flags)
{
	int f = (int)(flags & (O_ACCMODE | O_TRUNC | O_APPEND | O_SYNC));

	if ((f & O_ACCMODE) == O_ACCMODE)
		f = (f & ~O_ACCMODE) | O_RDWR;
	if (e->flags & FUSE_WRITEBACK_CACHE) {
		f &= ~O_APPEND;
		if ((f & O_ACCMODE) == O_WRONLY)
			f = (f & ~O_ACCMODE) | O_RDWR;
	}
	return f;
}

int fsd_op_open(struct fsd_req *rq)
{
	const struct fuse_open_in *a = rq->arg;
	struct fuse_open_out *o = (void *)rq->e->reply;
	int flags = fsd_open_flags(rq->e, a->flags);
	int fd, r;

	if (rq->node->type == S_IFDIR)
		return -EISDIR;
	if (fsd_node_readonly(rq->e, rq->node) &&
		((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC)))
		return -EROFS;
	fd = fsd_node_open(rq->e, rq->node, flags);
	if (fd < 0)
		return fd;
	memset(o, 0, sizeof(*o));
	r = fsd_handle_add(rq->e, fd, false, &o->fh);
	return r < 0 ? r : (int)sizeof(*o);
}

/*
 * With fh 0: the client's last writer is gone, so no descriptor open for writing may stay behind (it would keep the host from executing
 * the file).
 */
int fsd_op_release(struct fsd_req *rq)
{
	const struct fuse_release_in *a = rq->arg;
	struct fsd_handle *h;

	if (rq->node && (a->release_flags & FUSE_RELEASE_FLOCK_UNLOCK))
		fsd_locks_drop_owner(rq->e, (uint32_t)rq->h.nodeid, a->lock_owner, true);
	if (!a->fh) {
		if (rq->node && rq->node->io_write)
			fsd_node_io_drop(rq->e, rq->node);
		return 0;
	}
	h = fsd_handle_get(rq->e, a->fh);
	if (!h)
		return -EBADF;
	fsd_handle_put(rq->e, h);
	return 0;
}

/* close(2) of a duplicate reports what a network file system kept back. #syscalls:fsd dup */
int fsd_op_flush(struct fsd_req *rq)
{
	const struct fuse_flush_in *a = rq->arg;
	struct fsd_handle *h;
	int fd;

	fsd_locks_drop_owner(rq->e, (uint32_t)rq->h.nodeid, a->lock_owner, false);
	if (!a->fh)
		return 0;
	h = fsd_handle_get(rq->e, a->fh);
	if (!h)
		return -EBADF;
	fd = dup(h->fd);
	if (fd < 0)
		return 0;
	return close(fd) < 0 ? -errno : 0;
}

/* Move [off, off + len) of the file to or from bytes [at, at + len) of iov. Returns the bytes moved or -errno. */
static ssize_t io_move(int fd, const struct iovec *iov, unsigned int n, size_t at, size_t len,
	uint64_t off, bool write)
{
	struct iovec part[FSD_IOV_MAX];
	size_t done = 0;

	while (done < len) {
		unsigned int k = fsd_iov_slice(iov, n, at + done, len - done, part, FSD_IOV_MAX);
		ssize_t r;

		if (!k)
			break;
		if (write)
			r = pwritev(fd, part, (int)k, (off_t)(off + done));
		else
			r = preadv(fd, part, (int)k, (off_t)(off + done));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return done ? (ssize_t)done : -errno;
		done += (size_t)r;
		/* A short read is the end of a regular file; a short write tries once more to learn why. */
		if (!r || (!write && (size_t)r < fsd_iov_total(part, k)))
			break;
	}
	return (ssize_t)done;
}

/* #syscalls:fsd preadv */
int fsd_op_read(struct fsd_req *rq)
{
	const struct fuse_read_in *a = rq->arg;
	size_t len = a->size;
	ssize_t r;
	int fd;

	if (a->offset > INT64_MAX - FSD_MAX_WRITE)
		return -EINVAL;
	fd = fsd_req_fd(rq, a->fh, false);
	if (fd < 0)
		return fd;
	if (len > rq->out_room)
		len = rq->out_room;
	if (len > FSD_MAX_WRITE)
		len = FSD_MAX_WRITE;
	r = io_move(fd, rq->out, rq->nout, sizeof(struct fuse_out_header), len, a->offset, false);
	rq->direct = true;
	return (int)r;
}

/* #syscalls:fsd pwritev */
int fsd_op_write(struct fsd_req *rq)
{
	const struct fuse_write_in *a = rq->arg;
	size_t at = sizeof(rq->h) + sizeof(*a);
	struct fuse_write_out *o = (void *)rq->e->reply;
	ssize_t r;
	int fd;

	if (a->size > FSD_MAX_WRITE || a->size > rq->in_len - at ||
		a->offset > INT64_MAX - FSD_MAX_WRITE)
		return -EINVAL;
	fd = fsd_req_fd(rq, a->fh, true);
	if (fd < 0)
		return fd;
	r = io_move(fd, rq->in, rq->nin, at, a->size, a->offset, true);
	if (r < 0)
		return (int)r;
	memset(o, 0, sizeof(*o));
	o->size = (uint32_t)r;
	return sizeof(*o);
}

int fsd_op_fsync(struct fsd_req *rq)
{
	const struct fuse_fsync_in *a = rq->arg;
	int fd = fsd_req_fd(rq, a->fh, false);
	int r;

	if (fd < 0)
		return fd;
	r = a->fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(fd) : fsync(fd);
	return r < 0 ? -errno : 0;
}

/* #syscalls:fsd syncfs */
int fsd_op_syncfs(struct fsd_req *rq)
{
	/* The tree's descriptor is there from the start: a client that is out of descriptors can still sync. */
	int fd = rq->node->root ? fsd_node_io(rq->e, rq->node, false) : rq->e->sync_fd;

	if (fd < 0)
		return fd;
	return syncfs(fd) < 0 ? -errno : 0;
}

/* #syscalls:fsd fallocate */
int fsd_op_fallocate(struct fsd_req *rq)
{
	const struct fuse_fallocate_in *a = rq->arg;
	const uint32_t known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE |
			       FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE |
			       FALLOC_FL_UNSHARE_RANGE;
	int fd;

	if (a->mode & ~known)
		return -EOPNOTSUPP;
	if (a->offset > INT64_MAX || a->length > INT64_MAX)
		return -EFBIG;
	fd = fsd_req_fd(rq, a->fh, true);
	if (fd < 0)
		return fd;
	return fallocate(fd, (int)a->mode, (off_t)a->offset, (off_t)a->length) < 0 ? -errno : 0;
}

/* The client knows its position; only the layout of the file is asked. */
int fsd_op_lseek(struct fsd_req *rq)
{
	const struct fuse_lseek_in *a = rq->arg;
	struct fuse_lseek_out *o = (void *)rq->e->reply;
	off_t r;
	int fd;

	if (a->whence != SEEK_DATA && a->whence != SEEK_HOLE)
		return -EINVAL;
	if (a->offset > INT64_MAX)
		return -ENXIO;
	fd = fsd_req_fd(rq, a->fh, false);
	if (fd < 0)
		return fd;
	r = lseek(fd, (off_t)a->offset, (int)a->whence);
	if (r < 0)
		return -errno;
	o->offset = (uint64_t)r;
	return sizeof(*o);
}

/* The descriptors of two nodes: taking the second must not evict the first. #syscalls:fsd copy_file_range */
int fsd_op_copy_range(struct fsd_req *rq)
{
	const struct fuse_copy_file_range_in *a = rq->arg;
	struct fuse_write_out *o = (void *)rq->e->reply;
	struct fsd_node *from = rq->node;
	uint64_t len = a->len < IO_COPY_MAX ? a->len : IO_COPY_MAX;
	off_t off_in = (off_t)a->off_in, off_out = (off_t)a->off_out;
	int fd_in, fd_out;
	ssize_t r;

	if (a->flags || a->off_in > INT64_MAX - len || a->off_out > INT64_MAX - len)
		return -EINVAL;
	rq->node = fsd_node_get(rq->e, a->nodeid_out);
	if (!rq->node)
		return -ESTALE;
	if (fsd_node_readonly(rq->e, rq->node))
		return -EROFS;
	fd_out = fsd_req_fd(rq, a->fh_out, true);
	if (fd_out < 0)
		return fd_out;
	rq->node = from;
	fd_in = fsd_req_fd(rq, a->fh_in, false);
	if (fd_in < 0)
		return fd_in;
	r = copy_file_range(fd_in, &off_in, fd_out, &off_out, len, 0);
	if (r < 0)
		return -errno;
	memset(o, 0, sizeof(*o));
	o->size = (uint32_t)r;
	return sizeof(*o);
}

/* ---- DAX window */

int fsd_op_setupmapping(struct fsd_req *rq)
{
	const struct fuse_setupmapping_in *a = rq->arg;
	bool write = a->flags & FUSE_SETUPMAPPING_FLAG_WRITE;
	int fd;

	if (!rq->e->dax)
		return -ENOSYS;
	if (write && fsd_node_readonly(rq->e, rq->node))
		return -EROFS;
	if (rq->node->type != S_IFREG)
		return -EINVAL;
	fd = fsd_req_fd(rq, a->fh, write);
	if (fd < 0)
		return fd;
	return rq->e->dax->map(rq->e->dax_ctx, fd, a->foffset, a->len, a->moffset, write);
}

int fsd_op_removemapping(struct fsd_req *rq)
{
	const struct fuse_removemapping_in *a = rq->arg;
	struct fuse_removemapping_one one;
	int r = 0;

	if (!rq->e->dax)
		return -ENOSYS;
	if (!a->count || a->count > rq->rest_len / sizeof(one))
		return -EINVAL;
	for (uint32_t i = 0; i < a->count && r == 0; i++) {
		memcpy(&one, rq->rest + i * sizeof(one), sizeof(one));
		r = rq->e->dax->unmap(rq->e->dax_ctx, one.moffset, one.len);
	}
	return r;
}
