/* SPDX-License-Identifier: Apache-2.0 */
/* The node table: node id to O_PATH descriptor, found by host identity, bounded, with a short list of descriptors open for I/O. */
#include <config.h>
#include "vmm/fsd/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2(2) has no wrapper in libc. #syscalls:fsd openat2 */
static int node_openat2(int dir, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static uint32_t node_index(const struct fsd_engine *e, const struct fsd_node *n)
{
	return (uint32_t)(n - e->nodes);
}

static uint32_t node_bucket(const struct fsd_engine *e, uint64_t dev, uint64_t ino, uint64_t mnt)
{
	uint64_t h = (ino ^ e->hash_key) * 0x9e3779b97f4a7c15u;

	h ^= (dev + (mnt << 20) + (e->hash_key >> 32)) * 0xc2b2ae3d27d4eb4fu;
	h ^= h >> 29;
	h *= 0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 32) & e->hash_mask;
}

/* The root's node: index 1, which is FUSE_ROOT_ID with generation 0. */
static int node_add_root(struct fsd_engine *e)
{
	struct fsd_node *n = &e->nodes[FUSE_ROOT_ID];
	struct statx stx;
	int r = fsd_stat(e->roots[0].fd, &stx);
	uint32_t b;

	if (r < 0)
		return r;
	if (!S_ISDIR(stx.stx_mode))
		return -ENOTDIR;
	n->fd = e->roots[0].fd;
	n->top = true;
	n->io_fd = -1;
	n->type = S_IFDIR;
	n->nlookup = 1;
	n->dev = ((uint64_t)stx.stx_dev_major << 32) | stx.stx_dev_minor;
	n->ino = stx.stx_ino;
	n->mnt = stx.stx_mnt_id;
	b = node_bucket(e, n->dev, n->ino, n->mnt);
	n->next = e->hash[b];
	e->hash[b] = FUSE_ROOT_ID + 1;
	e->nodes_used = 1;
	return 0;
}

static void *node_map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int fsd_nodes_init(struct fsd_engine *e, unsigned int max_nodes)
{
	uint32_t buckets = 1024;

	e->max_nodes = max_nodes + 2; /* slot 0 is never used, slot 1 is the root */
	while (buckets < e->max_nodes)
		buckets *= 2;
	e->hash_mask = buckets - 1;
	e->node_free = FSD_NIL;
	e->io_head = e->io_tail = FSD_NIL;
	e->nodes_top = FUSE_ROOT_ID + 1;
	e->nodes = node_map(e->max_nodes * sizeof(*e->nodes));
	e->hash = node_map(buckets * sizeof(*e->hash));
	if (!e->nodes || !e->hash)
		return -ENOMEM;
	if (getrandom(&e->hash_key, sizeof(e->hash_key), GRND_NONBLOCK) < 0)
		e->hash_key = (uintptr_t)e;
	return node_add_root(e);
}

uint64_t fsd_node_id(const struct fsd_engine *e, const struct fsd_node *n)
{
	return ((uint64_t)n->gen << 32) | node_index(e, n);
}

struct fsd_node *fsd_node_get(struct fsd_engine *e, uint64_t nodeid)
{
	uint32_t i = (uint32_t)nodeid;
	struct fsd_node *n;

	if (i < FUSE_ROOT_ID || i >= e->nodes_top)
		return NULL;
	n = &e->nodes[i];
	return n->fd >= 0 && n->gen == nodeid >> 32 ? n : NULL;
}

/* ---- the list of descriptors open for I/O */

static void node_io_unlink(struct fsd_engine *e, struct fsd_node *n)
{
	if (n->io_prev != FSD_NIL)
		e->nodes[n->io_prev].io_next = n->io_next;
	else
		e->io_head = n->io_next;
	if (n->io_next != FSD_NIL)
		e->nodes[n->io_next].io_prev = n->io_prev;
	else
		e->io_tail = n->io_prev;
	e->io_count--;
}

static void node_io_push(struct fsd_engine *e, struct fsd_node *n)
{
	uint32_t i = node_index(e, n);

	n->io_prev = FSD_NIL;
	n->io_next = e->io_head;
	if (e->io_head != FSD_NIL)
		e->nodes[e->io_head].io_prev = i;
	else
		e->io_tail = i;
	e->io_head = i;
	e->io_count++;
}

/* #syscalls:fsd close */
void fsd_node_io_drop(struct fsd_engine *e, struct fsd_node *n)
{
	if (n->io_fd < 0)
		return;
	node_io_unlink(e, n);
	close(n->io_fd);
	n->io_fd = -1;
	n->io_write = false;
}

/* #syscalls:fsd openat */
int fsd_node_open(struct fsd_engine *e, const struct fsd_node *n, int flags)
{
	char name[12];
	int fd;

	if (n->type == S_IFDIR)
		flags |= O_DIRECTORY;
	else if (n->type != S_IFREG)
		return -ENXIO;
	fd = openat(
		e->proc_fd, fsd_proc_name(name, n->fd), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int fsd_node_io(struct fsd_engine *e, struct fsd_node *n, bool write)
{
	int fd;

	if (fsd_node_is_image(n))
		return write ? -EROFS : n->fd;
	if (write && n->type == S_IFDIR)
		return -EISDIR;
	if (n->io_fd >= 0 && (n->io_write || !write)) {
		if (e->io_head != node_index(e, n)) {
			node_io_unlink(e, n);
			node_io_push(e, n);
		}
		return n->io_fd;
	}
	fd = fsd_node_open(e, n, write ? O_RDWR : O_RDONLY);
	if (fd < 0)
		return fd;
	fsd_node_io_drop(e, n);
	while (e->io_count >= FSD_MAX_IO)
		fsd_node_io_drop(e, &e->nodes[e->io_tail]);
	n->io_fd = fd;
	n->io_write = write;
	n->dir_pos = 0;
	node_io_push(e, n);
	return fd;
}

/* ---- life of a node */

static void node_free(struct fsd_engine *e, struct fsd_node *n)
{
	uint32_t i = node_index(e, n);
	uint32_t *p = &e->hash[node_bucket(e, n->dev, n->ino, n->mnt)];

	while (*p && *p != i + 1)
		p = &e->nodes[*p - 1].next;
	if (*p)
		*p = n->next;
	fsd_node_io_drop(e, n);
	fsd_locks_drop_node(e, i);
	close(n->fd);
	n->fd = -1;
	n->gen++;
	n->next = e->node_free;
	e->node_free = i;
	e->nodes_used--;
}

void fsd_node_forget(struct fsd_engine *e, struct fsd_node *n, uint64_t nlookup)
{
	if (node_index(e, n) == FUSE_ROOT_ID)
		return;
	if (nlookup < n->nlookup)
		n->nlookup -= nlookup;
	else
		node_free(e, n);
}

static struct fsd_node *node_alloc(struct fsd_engine *e)
{
	struct fsd_node *n;

	if (e->node_free != FSD_NIL) {
		n = &e->nodes[e->node_free];
		e->node_free = n->next;
	} else if (e->nodes_top < e->max_nodes) {
		n = &e->nodes[e->nodes_top++];
		n->gen = 0;
	} else {
		return NULL;
	}
	e->nodes_used++;
	return n;
}

int fsd_node_reserve(struct fsd_engine *e, bool fresh)
{
	if (fresh && e->node_free == FSD_NIL && e->nodes_top == e->max_nodes)
		return -ENFILE;
	if (e->spare_fd < 0)
		e->spare_fd = openat(e->proc_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return e->spare_fd < 0 ? -ENFILE : 0;
}

bool fsd_node_spare(struct fsd_engine *e)
{
	if (e->spare_fd < 0)
		return false;
	close(e->spare_fd);
	e->spare_fd = -1;
	return true;
}

int fsd_node_add(
	struct fsd_engine *e, unsigned int root, int fd, struct fsd_node **out, struct statx *stx)
{
	int r = fsd_stat(fd, stx);
	struct fsd_node *n;
	uint64_t dev;
	uint32_t b;

	if (r < 0)
		goto err;
	dev = ((uint64_t)stx->stx_dev_major << 32) | stx->stx_dev_minor;
	b = node_bucket(e, dev, stx->stx_ino, stx->stx_mnt_id);
	for (uint32_t i = e->hash[b]; i; i = n->next) {
		n = &e->nodes[i - 1];
		if (n->ino == stx->stx_ino && n->dev == dev && n->mnt == stx->stx_mnt_id &&
			n->root == root) {
			n->nlookup++;
			close(fd);
			*out = n;
			return 0;
		}
	}
	n = node_alloc(e);
	if (!n) {
		r = -ENFILE;
		goto err;
	}
	n->fd = fd;
	n->io_fd = -1;
	n->io_write = false;
	n->root = (uint16_t)root;
	n->top = false;
	n->type = stx->stx_mode & S_IFMT;
	n->nlookup = 1;
	n->dev = dev;
	n->ino = stx->stx_ino;
	n->mnt = stx->stx_mnt_id;
	n->next = e->hash[b];
	e->hash[b] = node_index(e, n) + 1;
	*out = n;
	return 0;
err:
	close(fd);
	return r;
}

int fsd_node_lookup(struct fsd_engine *e, const struct fsd_node *dir, const char *name,
	struct fsd_node **out, struct statx *stx)
{
	int fd = node_openat2(dir->fd, name);

	if (fd < 0) {
		/* Descriptors end before the table where the limit of the process is low: the same to the client. */
		return fd == -EMFILE ? -ENFILE : fd;
	}
	return fsd_node_add(e, dir->root, fd, out, stx);
}

/* The magic link stands for the object itself: a new descriptor of it, for the node to own. */
int fsd_node_volume(
	struct fsd_engine *e, unsigned int root, struct fsd_node **out, struct statx *stx)
{
	char name[12];
	int fd = openat(e->proc_fd, fsd_proc_name(name, e->roots[root].fd), O_PATH | O_CLOEXEC);
	int r = fd < 0 ? -errno : fsd_node_add(e, root, fd, out, stx);

	if (r == 0)
		(*out)->top = true;
	return r == -EMFILE ? -ENFILE : r;
}

void fsd_nodes_reset(struct fsd_engine *e)
{
	fsd_node_io_drop(e, &e->nodes[FUSE_ROOT_ID]);
	for (uint32_t i = FUSE_ROOT_ID + 1; i < e->nodes_top; i++) {
		if (e->nodes[i].fd >= 0)
			node_free(e, &e->nodes[i]);
	}
}

void fsd_nodes_fini(struct fsd_engine *e)
{
	if (e->nodes && e->hash && e->nodes_used)
		fsd_nodes_reset(e);
	if (e->nodes)
		munmap(e->nodes, e->max_nodes * sizeof(*e->nodes));
	if (e->hash)
		munmap(e->hash, ((size_t)e->hash_mask + 1) * sizeof(*e->hash));
}
