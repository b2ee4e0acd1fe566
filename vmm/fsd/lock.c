/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File locks of the client, kept on the host so that several clients and host programs see them. Each (node, owner) that holds locks
 * has a descriptor of its own: open file description locks then conflict exactly as the owners do. A request never waits: SETLKW
 * answers EAGAIN like SETLK, and the client tries again.
 */
#include <config.h>
#include "vmm/fsd/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static struct fsd_lock *lock_find(
	struct fsd_engine *e, uint32_t node, uint64_t owner, bool flock_kind)
{
	for (unsigned int i = 0; i < e->locks_top; i++) {
		struct fsd_lock *l = &e->locks[i];

		if (l->fd >= 0 && l->node == node && l->owner == owner && l->flock == flock_kind)
			return l;
	}
	return NULL;
}

static void lock_free(struct fsd_engine *e, struct fsd_lock *l)
{
	close(l->fd);
	l->fd = -1;
	while (e->locks_top && e->locks[e->locks_top - 1].fd < 0)
		e->locks_top--;
}

void fsd_locks_drop_owner(struct fsd_engine *e, uint32_t node, uint64_t owner, bool flock_kind)
{
	struct fsd_lock *l = lock_find(e, node, owner, flock_kind);

	if (l)
		lock_free(e, l);
}

void fsd_locks_drop_node(struct fsd_engine *e, uint32_t node)
{
	for (unsigned int i = e->locks_top; i-- > 0;) {
		if (e->locks[i].fd >= 0 && e->locks[i].node == node)
			lock_free(e, &e->locks[i]);
	}
}

void fsd_locks_reset(struct fsd_engine *e)
{
	for (unsigned int i = e->locks_top; i-- > 0;) {
		if (e->locks[i].fd >= 0)
			lock_free(e, &e->locks[i]);
	}
}

/* A write lock needs a descriptor open for writing; a file that can only be read still takes read locks. */
static int lock_open(struct fsd_req *rq)
{
	int fd = -EROFS;

	if (!fsd_node_readonly(rq->e, rq->node))
		fd = fsd_node_open(rq->e, rq->node, O_RDWR);
	if (fd == -EROFS || fd == -EACCES || fd == -ETXTBSY || fd == -EPERM || fd == -EISDIR)
		fd = fsd_node_open(rq->e, rq->node, O_RDONLY);
	return fd;
}

static struct fsd_lock *lock_add(struct fsd_req *rq, uint64_t owner, bool flock_kind, int *err)
{
	struct fsd_engine *e = rq->e;
	unsigned int i = 0;

	while (i < e->locks_top && e->locks[i].fd >= 0)
		i++;
	if (i == FSD_MAX_LOCKS) {
		*err = -ENOLCK;
		return NULL;
	}
	*err = lock_open(rq);
	if (*err < 0)
		return NULL;
	e->locks[i] = (struct fsd_lock){
		.fd = *err, .flock = flock_kind, .node = (uint32_t)rq->h.nodeid, .owner = owner
	};
	if (i == e->locks_top)
		e->locks_top++;
	return &e->locks[i];
}

static int lock_to_host(const struct fuse_file_lock *lk, struct flock *f)
{
	if (lk->start > INT64_MAX || lk->end > INT64_MAX || lk->end < lk->start)
		return -EINVAL;
	if (lk->type != F_RDLCK && lk->type != F_WRLCK && lk->type != F_UNLCK)
		return -EINVAL;
	memset(f, 0, sizeof(*f));
	f->l_type = (short)lk->type;
	f->l_whence = SEEK_SET;
	f->l_start = (off_t)lk->start;
	f->l_len = lk->end == INT64_MAX ? 0 : (off_t)(lk->end - lk->start + 1);
	return 0;
}

/* The descriptor of an owner stays until it closes the file (FLUSH) or unlocks all of it. */
static bool lock_is_whole(const struct fuse_file_lock *lk)
{
	return lk->start == 0 && lk->end >= INT64_MAX;
}

/* #syscalls:fsd flock */
static int lock_flock(struct fsd_req *rq, const struct fuse_lk_in *a)
{
	struct fsd_lock *l = lock_find(rq->e, (uint32_t)rq->h.nodeid, a->owner, true);
	bool added = false;
	int op, r = 0;

	if (a->lk.type == F_UNLCK) {
		if (l)
			lock_free(rq->e, l);
		return 0;
	}
	if (a->lk.type != F_RDLCK && a->lk.type != F_WRLCK)
		return -EINVAL;
	op = a->lk.type == F_WRLCK ? LOCK_EX : LOCK_SH;
	if (!l) {
		added = true;
		l = lock_add(rq, a->owner, true, &r);
	}
	if (!l)
		return r;
	r = flock(l->fd, op | LOCK_NB) < 0 ? -errno : 0;
	if (r < 0 && added)
		lock_free(rq->e, l);
	return r;
}

/* #syscalls:fsd fcntl[1=F_OFD_SETLK,F_OFD_GETLK] */
int fsd_op_setlk(struct fsd_req *rq)
{
	const struct fuse_lk_in *a = rq->arg;
	struct fsd_lock *l;
	bool added = false;
	struct flock f;
	int r;

	if (a->lk_flags & FUSE_LK_FLOCK)
		return lock_flock(rq, a);
	r = lock_to_host(&a->lk, &f);
	if (r < 0)
		return r;
	l = lock_find(rq->e, (uint32_t)rq->h.nodeid, a->owner, false);
	if (a->lk.type == F_UNLCK && (!l || lock_is_whole(&a->lk))) {
		if (l)
			lock_free(rq->e, l);
		return 0;
	}
	if (!l) {
		added = true;
		l = lock_add(rq, a->owner, false, &r);
	}
	if (!l)
		return r;
	r = fcntl(l->fd, F_OFD_SETLK, &f) < 0 ? -errno : 0;
	if (r < 0 && added)
		lock_free(rq->e, l);
	return r == -EACCES ? -EAGAIN : r;
}

int fsd_op_getlk(struct fsd_req *rq)
{
	const struct fuse_lk_in *a = rq->arg;
	struct fuse_lk_out *o = (void *)rq->e->reply;
	struct fsd_lock *l;
	struct flock f;
	int fd, r;

	if (a->lk_flags & FUSE_LK_FLOCK)
		return -EINVAL;
	r = lock_to_host(&a->lk, &f);
	if (r < 0)
		return r;
	l = lock_find(rq->e, (uint32_t)rq->h.nodeid, a->owner, false);
	fd = l ? l->fd : lock_open(rq);
	if (fd < 0)
		return fd;
	r = fcntl(fd, F_OFD_GETLK, &f) < 0 ? -errno : 0;
	if (!l)
		close(fd);
	if (r < 0)
		return r;
	memset(o, 0, sizeof(*o));
	o->lk.type = (uint32_t)f.l_type;
	if (f.l_type != F_UNLCK) {
		o->lk.start = (uint64_t)f.l_start;
		o->lk.end = f.l_len ? (uint64_t)(f.l_start + f.l_len - 1) : INT64_MAX;
		o->lk.pid = 0; /* the holder's process is not of the client's world */
	}
	return sizeof(*o);
}
