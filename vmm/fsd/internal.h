/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine's files share: the request in hand, the node and handle tables, the operations. Private to vmm/fsd. */
#ifndef CM_VMM_FSD_INTERNAL_H
#define CM_VMM_FSD_INTERNAL_H

#include <linux/fuse.h>
#include <linux/stat.h>
#include <sys/stat.h>

#include <casemate/fsdev.h>

#include "vmm/fsd/engine.h"
#include "vmm/fsd/iov.h"

#define FSD_REQ_MAX \
	(72u * 1024) /* longest request without WRITE data: a 64 KiB xattr and its names */
#define FSD_REPLY_MAX (256u * 1024) /* longest reply that is not READ data */
#define FSD_IOV_MAX   512u /* buffers handed to one preadv or pwritev */
#define FSD_NIL	      UINT32_MAX
#define FSD_MAX_LOCKS 1024u
#define FSD_ROOT_IMAGES \
	(1 + CM_FSDEV_VOLUMES) /* root of the nodes that lie below none: see image.c */

/*
 * One file system object that the client knows. A node lives from the first LOOKUP that answers with it until FORGET has taken every
 * lookup back; its O_PATH descriptor pins the host inode, so (dev, ino) cannot be reused meanwhile. The node id is the index, with
 * the slot's generation above it, so that an id of an earlier tenant is unknown, not another file.
 */
struct fsd_node {
	int fd; /* O_PATH | O_NOFOLLOW; -1 = free slot */
	int io_fd; /* opened for requests with fh 0, or -1; then in the io list */
	bool io_write; /* io_fd is O_RDWR */
	uint32_t type; /* S_IFMT bits */
	uint16_t root; /* index of the root below which it lies */
	bool top; /* is that root */
	uint32_t gen;
	uint32_t next; /* in the hash chain, or in the free list */
	uint32_t io_prev, io_next; /* most recently used first */
	uint64_t nlookup;
	uint64_t dev, ino, mnt; /* identity, with root; mnt because a mount can be read-only where
				   another is not */
	int64_t dir_pos; /* where io_fd of a directory stands */
};

/* An open file or directory. */
struct fsd_handle {
	int fd; /* -1 = free slot */
	bool dir;
	uint32_t gen;
	uint32_t next; /* free list */
	int64_t pos; /* where fd of a directory stands */
};

/* The descriptor that holds the locks of one owner on one node. */
struct fsd_lock {
	int fd; /* -1 = free slot */
	bool flock; /* flock(2) locks, else record locks */
	uint32_t node;
	uint64_t owner;
};

/* A file from outside that was not looked up yet. */
struct fsd_image {
	uint32_t number;
	int fd; /* -1 = free slot */
};

struct fsd_engine {
	struct fsd_root roots[1 + CM_FSDEV_VOLUMES + 1];
	unsigned int nroots;
	int proc_fd;
	int sync_fd; /* the tree opened for syncfs */
	int spare_fd; /* closed when what was made needs the last descriptor; -1 = is in use */
	bool inited; /* INIT was answered */
	uint64_t flags; /* negotiated FUSE_* */
	const struct fsd_dax_ops *dax;
	void *dax_ctx;

	struct fsd_node *nodes; /* [max_nodes], untouched beyond nodes_top */
	unsigned int max_nodes, nodes_top, nodes_used;
	uint32_t node_free;
	uint32_t *hash; /* [hash_mask + 1]: index + 1 */
	uint32_t hash_mask;
	uint64_t hash_key;
	uint32_t io_head, io_tail;
	unsigned int io_count;

	struct fsd_handle *handles; /* [max_handles] */
	unsigned int max_handles, handles_top;
	uint32_t handle_free;

	struct fsd_image images[CM_FSDEV_IMAGES];
	unsigned int image_next; /* where the next one goes, in place of the oldest */

	struct fsd_lock locks[FSD_MAX_LOCKS];
	unsigned int locks_top;

	uint32_t fsuid, fsgid; /* of the process now */

	_Alignas(16) uint8_t req[FSD_REQ_MAX]; /* the request's copy */
	_Alignas(16) uint8_t reply[FSD_REPLY_MAX]; /* the reply's payload */
	_Alignas(16) uint8_t dents[FSD_REPLY_MAX]; /* getdents64 */
};

/* The request in hand. Everything but data and out is a private copy. */
struct fsd_req {
	struct fsd_engine *e;
	struct fuse_in_header h;
	struct fsd_node *node; /* of h.nodeid, where the operation takes one */
	const void *arg; /* the fixed part, at least as long as the table says */
	const char *str[2]; /* the strings after it, NUL-terminated */
	const uint8_t *rest; /* what follows them in the copy */
	size_t rest_len;
	const struct iovec *in, *out; /* shared with the client */
	unsigned int nin, nout;
	size_t in_len; /* h.len, checked against the buffers */
	size_t out_room; /* bytes of payload that the reply can hold */
	bool direct; /* the payload was written to out by the operation */
};

/* Returns the payload's length (in e->reply unless rq->direct) or -errno. */
typedef int (*fsd_op_fn)(struct fsd_req *rq);

/* ---- node.c */
int fsd_nodes_init(struct fsd_engine *e, unsigned int max_nodes);
void fsd_nodes_reset(struct fsd_engine *e);
void fsd_nodes_fini(struct fsd_engine *e);
struct fsd_node *fsd_node_get(struct fsd_engine *e, uint64_t nodeid);
uint64_t fsd_node_id(const struct fsd_engine *e, const struct fsd_node *n);
void fsd_node_forget(struct fsd_engine *e, struct fsd_node *n, uint64_t nlookup);
/* Take fd (an O_PATH descriptor; consumed) as a looked-up node of a root and count one lookup; *stx is filled. 0 or -errno. */
int fsd_node_add(
	struct fsd_engine *e, unsigned int root, int fd, struct fsd_node **out, struct statx *stx);
/* The node of a volume (index in the roots), looked up as above. */
int fsd_node_volume(
	struct fsd_engine *e, unsigned int root, struct fsd_node **out, struct statx *stx);
static inline bool fsd_node_readonly(const struct fsd_engine *e, const struct fsd_node *n)
{
	return e->roots[n->root].readonly;
}
static inline bool fsd_node_is_image(const struct fsd_node *n)
{
	return n->root == FSD_ROOT_IMAGES;
}
/* openat2 of one component below the node, O_PATH; then fsd_node_add. */
int fsd_node_lookup(struct fsd_engine *e, const struct fsd_node *dir, const char *name,
	struct fsd_node **out, struct statx *stx);
/*
 * Before a name is made: 0 when its node and a descriptor are to be had afterwards, else -ENFILE. A client that lets go of names then asks again, and would
 * find what the first try had made. `fresh`: the node is one that is not known yet.
 */
int fsd_node_reserve(struct fsd_engine *e, bool fresh);
/* Afterwards, where a descriptor was not to be had: true when there may be one now. */
bool fsd_node_spare(struct fsd_engine *e);
/* A descriptor of the node for I/O, kept by the node (borrowed), or -errno. */
int fsd_node_io(struct fsd_engine *e, struct fsd_node *n, bool write);
void fsd_node_io_drop(struct fsd_engine *e, struct fsd_node *n);
/* Open the node anew through /proc/self/fd: regular files and directories only. Returns a descriptor or -errno. */
int fsd_node_open(struct fsd_engine *e, const struct fsd_node *n, int flags);

/* ---- image.c */
void fsd_images_init(struct fsd_engine *e);
void fsd_images_reset(struct fsd_engine *e);
/* The node of an image, looked up as above, which uses its number up. 0, -ENOENT, -errno. */
int fsd_node_image(struct fsd_engine *e, uint32_t number, struct fsd_node **out, struct statx *stx);

/* ---- handle.c */
int fsd_handles_init(struct fsd_engine *e, unsigned int max_handles);
void fsd_handles_reset(struct fsd_engine *e);
void fsd_handles_fini(struct fsd_engine *e);
bool fsd_handle_room(const struct fsd_engine *e);
/* Consumes fd. 0 or -errno. */
int fsd_handle_add(struct fsd_engine *e, int fd, bool dir, uint64_t *fh);
struct fsd_handle *fsd_handle_get(struct fsd_engine *e, uint64_t fh);
void fsd_handle_put(struct fsd_engine *e, struct fsd_handle *h);
/* The descriptor for a request on rq->node with handle fh, or with fh 0 the node's own. Borrowed; -errno. */
int fsd_req_fd(struct fsd_req *rq, uint64_t fh, bool write);

/* ---- lock.c */
void fsd_locks_reset(struct fsd_engine *e);
void fsd_locks_drop_node(struct fsd_engine *e, uint32_t node);
void fsd_locks_drop_owner(struct fsd_engine *e, uint32_t node, uint64_t owner, bool flock);
int fsd_op_getlk(struct fsd_req *rq);
int fsd_op_setlk(struct fsd_req *rq);

/* ---- cred.c */
/* Create as the user of the request: 0 or -EPERM. */
int fsd_creds_set(struct fsd_engine *e, uint32_t uid, uint32_t gid);
/* Only the group, for a mode with S_ISGID. */
int fsd_creds_set_gid(struct fsd_engine *e, uint32_t gid);

/* ---- attr.c */
int fsd_stat(int fd, struct statx *stx);
void fsd_fill_attr(struct fuse_attr *a, const struct statx *stx);
void fsd_fill_entry(const struct fsd_engine *e, struct fuse_entry_out *o, const struct fsd_node *n,
	const struct statx *stx);
/* "N" for descriptor fd, below /proc/self/fd. */
const char *fsd_proc_name(char buf[12], int fd);

int fsd_op_getattr(struct fsd_req *rq);
int fsd_op_setattr(struct fsd_req *rq);
int fsd_op_statfs(struct fsd_req *rq);
int fsd_op_access(struct fsd_req *rq);
int fsd_op_setxattr(struct fsd_req *rq);
int fsd_op_getxattr(struct fsd_req *rq);
int fsd_op_listxattr(struct fsd_req *rq);
int fsd_op_removexattr(struct fsd_req *rq);

/* ---- name.c */
int fsd_op_lookup(struct fsd_req *rq);
int fsd_op_mkdir(struct fsd_req *rq);
int fsd_op_mknod(struct fsd_req *rq);
int fsd_op_symlink(struct fsd_req *rq);
int fsd_op_link(struct fsd_req *rq);
int fsd_op_unlink(struct fsd_req *rq);
int fsd_op_rmdir(struct fsd_req *rq);
int fsd_op_rename(struct fsd_req *rq);
int fsd_op_rename2(struct fsd_req *rq);
int fsd_op_readlink(struct fsd_req *rq);
int fsd_op_create(struct fsd_req *rq);
int fsd_op_tmpfile(struct fsd_req *rq);
/* openat2 of one name below a directory, following nothing: a descriptor or -errno. */
int fsd_create_file(int dir, const char *name, uint64_t flags, uint64_t mode);

/* ---- device.c */
/* A new device node under the request's name, as the files of the host stand for one: 0 or -errno. */
int fsd_device_make(struct fsd_req *rq, uint32_t mode, uint32_t rdev);
/* Where the file stands for a device node: its type and numbers. */
void fsd_device_stat(int fd, struct statx *stx);
/* Is this the attribute that clients do not see? */
bool fsd_device_name(const char *xattr);
/* Take it out of a list of names; the new length. */
size_t fsd_device_hide(char *list, size_t len);

/* ---- dir.c */
int fsd_op_opendir(struct fsd_req *rq);
int fsd_op_readdir(struct fsd_req *rq);
int fsd_op_readdirplus(struct fsd_req *rq);
int fsd_op_fsyncdir(struct fsd_req *rq);

/* ---- io.c */
int fsd_op_open(struct fsd_req *rq);
int fsd_op_release(struct fsd_req *rq);
int fsd_op_flush(struct fsd_req *rq);
int fsd_op_read(struct fsd_req *rq);
int fsd_op_write(struct fsd_req *rq);
int fsd_op_fsync(struct fsd_req *rq);
int fsd_op_syncfs(struct fsd_req *rq);
int fsd_op_fallocate(struct fsd_req *rq);
int fsd_op_lseek(struct fsd_req *rq);
int fsd_op_copy_range(struct fsd_req *rq);
int fsd_op_setupmapping(struct fsd_req *rq);
int fsd_op_removemapping(struct fsd_req *rq);

/* Flags of a handle from those of a client: what it may choose, nothing else. */
int fsd_open_flags(const struct fsd_engine *e, uint32_t flags);

/* Name of one component? */
bool fsd_name_ok(const char *name);

#endif
