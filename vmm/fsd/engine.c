/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: life, INIT, decoding of requests by one table, replies. */
#include <config.h>
#include "vmm/fsd/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <unistd.h>

/* How a string that follows the fixed part is checked. */
enum fsd_str {
	STR_NONE,
	STR_NAME, /* one component */
	STR_ANY, /* not empty, at most PATH_MAX */
};

#define OP_NODE	    1u /* h.nodeid must be known */
#define OP_MODIFY   2u /* refused when read-only */
#define OP_NOREPLY  4u
#define OP_EARLY    8u /* allowed before INIT */
#define OP_DATA	    16u /* what follows the fixed part stays in the client's buffers */
#define OP_NODE_OPT 32u /* h.nodeid may be known */
#define OP_IMAGE    64u /* allowed on an image */

struct fsd_op {
	fsd_op_fn fn;
	uint16_t arg; /* bytes of the fixed part */
	uint16_t flags;
	uint8_t str[2];
};

static int op_init(struct fsd_req *rq);
static int op_forget(struct fsd_req *rq);
static int op_batch_forget(struct fsd_req *rq);
static int op_destroy(struct fsd_req *rq);
static int op_interrupt(struct fsd_req *rq);

#define FSD_OP(fn_, arg_, flags_, ...) \
	{ \
		.fn = fn_, .arg = arg_, .flags = flags_, .str = { __VA_ARGS__ } \
	}

static const struct fsd_op fsd_ops[] = {
	[FUSE_LOOKUP] = FSD_OP(fsd_op_lookup, 0, OP_NODE_OPT, STR_NAME),
	[FUSE_FORGET] = FSD_OP(op_forget, sizeof(struct fuse_forget_in), OP_NOREPLY),
	[FUSE_GETATTR] = FSD_OP(fsd_op_getattr, sizeof(struct fuse_getattr_in), OP_NODE | OP_IMAGE),
	[FUSE_SETATTR] =
		FSD_OP(fsd_op_setattr, sizeof(struct fuse_setattr_in), OP_NODE | OP_MODIFY),
	[FUSE_READLINK] = FSD_OP(fsd_op_readlink, 0, OP_NODE),
	[FUSE_SYMLINK] = FSD_OP(fsd_op_symlink, 0, OP_NODE | OP_MODIFY, STR_NAME, STR_ANY),
	[FUSE_MKNOD] =
		FSD_OP(fsd_op_mknod, sizeof(struct fuse_mknod_in), OP_NODE | OP_MODIFY, STR_NAME),
	[FUSE_MKDIR] =
		FSD_OP(fsd_op_mkdir, sizeof(struct fuse_mkdir_in), OP_NODE | OP_MODIFY, STR_NAME),
	[FUSE_UNLINK] = FSD_OP(fsd_op_unlink, 0, OP_NODE | OP_MODIFY, STR_NAME),
	[FUSE_RMDIR] = FSD_OP(fsd_op_rmdir, 0, OP_NODE | OP_MODIFY, STR_NAME),
	[FUSE_RENAME] = FSD_OP(fsd_op_rename, sizeof(struct fuse_rename_in), OP_NODE | OP_MODIFY,
		STR_NAME, STR_NAME),
	[FUSE_LINK] =
		FSD_OP(fsd_op_link, sizeof(struct fuse_link_in), OP_NODE | OP_MODIFY, STR_NAME),
	[FUSE_OPEN] = FSD_OP(fsd_op_open, sizeof(struct fuse_open_in), OP_NODE),
	[FUSE_READ] = FSD_OP(fsd_op_read, sizeof(struct fuse_read_in), OP_NODE | OP_IMAGE),
	[FUSE_WRITE] =
		FSD_OP(fsd_op_write, sizeof(struct fuse_write_in), OP_NODE | OP_MODIFY | OP_DATA),
	[FUSE_STATFS] = FSD_OP(fsd_op_statfs, 0, OP_NODE),
	[FUSE_RELEASE] = FSD_OP(fsd_op_release, sizeof(struct fuse_release_in), OP_NODE_OPT),
	[FUSE_FSYNC] = FSD_OP(fsd_op_fsync, sizeof(struct fuse_fsync_in), OP_NODE),
	[FUSE_SETXATTR] = FSD_OP(
		fsd_op_setxattr, sizeof(struct fuse_setxattr_in), OP_NODE | OP_MODIFY, STR_ANY),
	[FUSE_GETXATTR] =
		FSD_OP(fsd_op_getxattr, sizeof(struct fuse_getxattr_in), OP_NODE, STR_ANY),
	[FUSE_LISTXATTR] = FSD_OP(fsd_op_listxattr, sizeof(struct fuse_getxattr_in), OP_NODE),
	[FUSE_REMOVEXATTR] = FSD_OP(fsd_op_removexattr, 0, OP_NODE | OP_MODIFY, STR_ANY),
	[FUSE_FLUSH] = FSD_OP(fsd_op_flush, sizeof(struct fuse_flush_in), OP_NODE),
	[FUSE_INIT] = FSD_OP(op_init, offsetof(struct fuse_init_in, flags2), OP_EARLY),
	[FUSE_OPENDIR] = FSD_OP(fsd_op_opendir, sizeof(struct fuse_open_in), OP_NODE),
	[FUSE_READDIR] = FSD_OP(fsd_op_readdir, sizeof(struct fuse_read_in), OP_NODE),
	[FUSE_RELEASEDIR] = FSD_OP(fsd_op_release, sizeof(struct fuse_release_in), OP_NODE_OPT),
	[FUSE_FSYNCDIR] = FSD_OP(fsd_op_fsyncdir, sizeof(struct fuse_fsync_in), OP_NODE),
	[FUSE_GETLK] = FSD_OP(fsd_op_getlk, sizeof(struct fuse_lk_in), OP_NODE),
	[FUSE_SETLK] = FSD_OP(fsd_op_setlk, sizeof(struct fuse_lk_in), OP_NODE),
	[FUSE_SETLKW] = FSD_OP(fsd_op_setlk, sizeof(struct fuse_lk_in), OP_NODE),
	[FUSE_ACCESS] = FSD_OP(fsd_op_access, sizeof(struct fuse_access_in), OP_NODE),
	[FUSE_CREATE] =
		FSD_OP(fsd_op_create, sizeof(struct fuse_create_in), OP_NODE | OP_MODIFY, STR_NAME),
	[FUSE_INTERRUPT] = FSD_OP(op_interrupt, sizeof(struct fuse_interrupt_in), OP_NOREPLY),
	[FUSE_DESTROY] = FSD_OP(op_destroy, 0, OP_EARLY),
	[FUSE_BATCH_FORGET] =
		FSD_OP(op_batch_forget, sizeof(struct fuse_batch_forget_in), OP_NOREPLY),
	[FUSE_FALLOCATE] =
		FSD_OP(fsd_op_fallocate, sizeof(struct fuse_fallocate_in), OP_NODE | OP_MODIFY),
	[FUSE_READDIRPLUS] = FSD_OP(fsd_op_readdirplus, sizeof(struct fuse_read_in), OP_NODE),
	[FUSE_RENAME2] = FSD_OP(fsd_op_rename2, sizeof(struct fuse_rename2_in), OP_NODE | OP_MODIFY,
		STR_NAME, STR_NAME),
	[FUSE_LSEEK] = FSD_OP(fsd_op_lseek, sizeof(struct fuse_lseek_in), OP_NODE),
	[FUSE_COPY_FILE_RANGE] =
		FSD_OP(fsd_op_copy_range, sizeof(struct fuse_copy_file_range_in), OP_NODE),
	[FUSE_SETUPMAPPING] =
		FSD_OP(fsd_op_setupmapping, sizeof(struct fuse_setupmapping_in), OP_NODE),
	[FUSE_REMOVEMAPPING] =
		FSD_OP(fsd_op_removemapping, sizeof(struct fuse_removemapping_in), 0),
	[FUSE_SYNCFS] = FSD_OP(fsd_op_syncfs, sizeof(struct fuse_syncfs_in), OP_NODE),
	[FUSE_TMPFILE] =
		FSD_OP(fsd_op_tmpfile, sizeof(struct fuse_create_in), OP_NODE | OP_MODIFY, STR_ANY),
};

#define FSD_OP_COUNT (sizeof(fsd_ops) / sizeof(fsd_ops[0]))

/* ---- life */

int fsd_engine_create(const struct fsd_config *cfg, struct fsd_engine **out)
{
	/* Mapped rather than allocated: the large buffers cost nothing until used. */
	struct fsd_engine *e = mmap(NULL, sizeof(*e), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int r;

	if (e == MAP_FAILED)
		return -ENOMEM;
	if (!cfg->nroots || cfg->nroots > 1 + CM_FSDEV_VOLUMES) {
		munmap(e, sizeof(*e));
		return -EINVAL;
	}
	e->nroots = cfg->nroots;
	memcpy(e->roots, cfg->roots, cfg->nroots * sizeof(*cfg->roots));
	fsd_images_init(e);
	e->proc_fd = cfg->proc_fd;
	e->dax = cfg->dax;
	e->dax_ctx = cfg->dax_ctx;
	e->fsuid = (uint32_t)setfsuid((uid_t)-1);
	e->fsgid = (uint32_t)setfsgid((gid_t)-1);
	e->sync_fd = openat(e->roots[0].fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = e->sync_fd < 0 || fchdir(e->proc_fd) < 0 ? -errno : 0;
	e->spare_fd = -1;
	if (r == 0)
		(void)fsd_node_reserve(e, false);
	if (r == 0)
		r = fsd_nodes_init(e, cfg->max_nodes ? cfg->max_nodes : FSD_MAX_NODES);
	if (r == 0)
		r = fsd_handles_init(e, cfg->max_handles ? cfg->max_handles : FSD_MAX_HANDLES);
	if (r < 0) {
		fsd_engine_destroy(e);
		return r;
	}
	*out = e;
	return 0;
}

void fsd_engine_reset(struct fsd_engine *e)
{
	fsd_locks_reset(e);
	fsd_handles_reset(e);
	fsd_nodes_reset(e);
	fsd_images_reset(e);
	e->inited = false;
	e->flags = 0;
}

void fsd_engine_destroy(struct fsd_engine *e)
{
	fsd_locks_reset(e);
	fsd_handles_fini(e);
	fsd_nodes_fini(e);
	fsd_images_reset(e);
	if (e->sync_fd >= 0)
		close(e->sync_fd);
	(void)fsd_node_spare(e);
	munmap(e, sizeof(*e));
}

/* ---- operations on the connection */

static int op_init(struct fsd_req *rq)
{
	const struct fuse_init_in *a = rq->arg;
	struct fuse_init_out *o = (void *)rq->e->reply;
	const uint32_t offer = FUSE_ASYNC_READ | FUSE_POSIX_LOCKS | FUSE_ATOMIC_O_TRUNC |
			       FUSE_BIG_WRITES | FUSE_FLOCK_LOCKS | FUSE_DO_READDIRPLUS |
			       FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_WRITEBACK_CACHE |
			       FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV | FUSE_MAX_PAGES |
			       FUSE_CACHE_SYMLINKS | FUSE_SETXATTR_EXT;

	if (a->major < FUSE_KERNEL_VERSION || (a->major == FUSE_KERNEL_VERSION && a->minor < 31))
		return -EPROTO;
	fsd_engine_reset(rq->e);
	memset(o, 0, sizeof(*o));
	o->major = FUSE_KERNEL_VERSION;
	o->minor = a->minor < FUSE_KERNEL_MINOR_VERSION ? a->minor : FUSE_KERNEL_MINOR_VERSION;
	if (a->major > FUSE_KERNEL_VERSION) {
		/* The client starts again with our version. */
		o->minor = FUSE_KERNEL_MINOR_VERSION;
		return sizeof(*o);
	}
	o->flags = a->flags & offer;
	if (rq->e->dax)
		o->flags |= a->flags & FUSE_MAP_ALIGNMENT;
	o->map_alignment = 12;
	o->max_readahead = a->max_readahead;
	o->max_background = 64;
	o->congestion_threshold = 48;
	o->max_write = FSD_MAX_WRITE;
	o->max_pages = FSD_MAX_WRITE / 4096;
	o->time_gran = 1;
	rq->e->flags = o->flags;
	rq->e->inited = true;
	return sizeof(*o);
}

static int op_destroy(struct fsd_req *rq)
{
	fsd_engine_reset(rq->e);
	return 0;
}

static int op_forget(struct fsd_req *rq)
{
	const struct fuse_forget_in *a = rq->arg;
	struct fsd_node *n = fsd_node_get(rq->e, rq->h.nodeid);

	if (n)
		fsd_node_forget(rq->e, n, a->nlookup);
	return 0;
}

static int op_batch_forget(struct fsd_req *rq)
{
	const struct fuse_batch_forget_in *a = rq->arg;
	struct fuse_forget_one one;

	for (uint32_t i = 0; i < a->count && i < rq->rest_len / sizeof(one); i++) {
		struct fsd_node *n;

		memcpy(&one, rq->rest + i * sizeof(one), sizeof(one));
		n = fsd_node_get(rq->e, one.nodeid);
		if (n)
			fsd_node_forget(rq->e, n, one.nlookup);
	}
	return 0;
}

/* Nothing waits in this server: the request in question is answered already. */
static int op_interrupt(struct fsd_req *rq)
{
	return 0;
}

/* ---- decoding */

/* Strings lie one after the other behind the fixed part. */
static int req_strings(struct fsd_req *rq, const struct fsd_op *op, size_t at, size_t end)
{
	struct fsd_engine *e = rq->e;

	for (unsigned int i = 0; i < 2 && op->str[i] != STR_NONE; i++) {
		const char *s = (const char *)e->req + at;
		const char *nul = memchr(s, '\0', end - at);

		if (!nul)
			return -EINVAL;
		if (op->str[i] == STR_NAME) {
			if (nul - s > NAME_MAX)
				return -ENAMETOOLONG;
			if (!fsd_name_ok(s))
				return -EINVAL;
		} else if (nul == s) {
			return -ENOENT;
		} else if (nul - s >= PATH_MAX) {
			return -ENAMETOOLONG;
		}
		rq->str[i] = s;
		at += (size_t)(nul - s) + 1;
	}
	rq->rest = e->req + at;
	rq->rest_len = end - at;
	return 0;
}

/* SETXATTR has a short form without FUSE_SETXATTR_EXT; the handler reads only what both have. */
static size_t req_fixed_len(const struct fsd_req *rq, const struct fsd_op *op)
{
	if (rq->h.opcode == FUSE_SETXATTR && !(rq->e->flags & FUSE_SETXATTR_EXT))
		return FUSE_COMPAT_SETXATTR_IN_SIZE;
	return op->arg;
}

static int req_dispatch(struct fsd_req *rq, const struct fsd_op *op)
{
	struct fsd_engine *e = rq->e;
	size_t fixed = req_fixed_len(rq, op), have, copy;
	int r;

	if (rq->in_len < sizeof(rq->h) + fixed)
		return -EINVAL;
	if (!e->inited && !(op->flags & OP_EARLY))
		return -EIO;
	copy = op->flags & OP_DATA ? fixed : rq->in_len - sizeof(rq->h);
	if (copy > FSD_REQ_MAX)
		return -E2BIG;
	have = fsd_iov_read(rq->in, rq->nin, sizeof(rq->h), e->req, copy);
	if (have < fixed)
		return -EINVAL;
	rq->arg = e->req;
	r = req_strings(rq, op, fixed, have);
	if (r < 0)
		return r;
	if (op->flags & (OP_NODE | OP_NODE_OPT)) {
		rq->node = fsd_node_get(e, rq->h.nodeid);
		if (!rq->node && (op->flags & OP_NODE))
			return -ESTALE;
	}
	if (rq->node && fsd_node_is_image(rq->node) && !(op->flags & OP_IMAGE))
		return -EOPNOTSUPP;
	/* What modifies needs a node. */
	if ((op->flags & OP_MODIFY) && fsd_node_readonly(e, rq->node))
		return -EROFS;
	return op->fn(rq);
}

static size_t req_reply(struct fsd_req *rq, int r)
{
	struct fuse_out_header o = { .unique = rq->h.unique };
	size_t len = r > 0 ? (size_t)r : 0;

	if (len > rq->out_room) {
		len = 0;
		r = -ERANGE;
	}
	o.error = r < 0 ? r : 0;
	o.len = (uint32_t)(sizeof(o) + len);
	if (len && !rq->direct)
		fsd_iov_write(rq->out, rq->nout, sizeof(o), rq->e->reply, len);
	fsd_iov_write(rq->out, rq->nout, 0, &o, sizeof(o));
	return o.len;
}

size_t fsd_engine_handle(struct fsd_engine *e, const struct iovec *in, unsigned int nin,
	const struct iovec *out, unsigned int nout)
{
	struct fsd_req rq = { .e = e, .in = in, .nin = nin, .out = out, .nout = nout };
	const struct fsd_op *op = NULL;
	size_t room = fsd_iov_total(out, nout);
	int r;

	if (fsd_iov_read(in, nin, 0, &rq.h, sizeof(rq.h)) < sizeof(rq.h))
		return 0;
	if (rq.h.opcode < FSD_OP_COUNT && fsd_ops[rq.h.opcode].fn)
		op = &fsd_ops[rq.h.opcode];
	if (room < sizeof(struct fuse_out_header)) {
		if (!op || !(op->flags & OP_NOREPLY))
			return 0;
	} else {
		rq.out_room = room - sizeof(struct fuse_out_header);
	}
	rq.in_len = rq.h.len;
	if (rq.in_len < sizeof(rq.h) || rq.in_len > fsd_iov_total(in, nin))
		r = -EINVAL;
	else
		r = op ? req_dispatch(&rq, op) : -ENOSYS;
	return op && (op->flags & OP_NOREPLY) ? 0 : req_reply(&rq, r);
}
