/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advisory locks: POSIX record locks (owned by a descriptor table), open-file-description locks and flock(2) (owned by a file). One mutex covers
 * all lists, since locks are rare and deadlock detection must see every blocked owner at once. A task that must wait sleeps on one
 * queue for all and looks again after any lock was given up.
 */
#include "fs/internal.h"

#include <linux/fs.h>

#include "debug/layout.h"
#include "fs/fdtable.h"
#include "task/pid.h"
#include "task/task.h"

enum lockf_kind {
	LOCKF_POSIX,
	LOCKF_OFD,
	LOCKF_FLOCK
};

struct lockf {
	struct list_head link; /* inode->locks */
	enum lockf_kind kind;
	void *owner;
	int pid; /* number in the first namespace; -1: belongs to a file */
	bool write;
	u64 start, end; /* inclusive */
};

DEBUG_FIELD(lockf, link);
DEBUG_FIELD(lockf, kind);
DEBUG_FIELD(lockf, pid);
DEBUG_FIELD(lockf, write);
DEBUG_FIELD(lockf, start);
DEBUG_FIELD(lockf, end);

/* A POSIX owner that sleeps, and the owner that it waits for. */
struct lockf_blocked {
	struct list_head link;
	void *owner, *blocker;
};

static struct mutex lockf_lock; /* protects: every inode->locks, lockf_blocked_list */
static struct list_head lockf_blocked_list = LIST_HEAD_INIT(lockf_blocked_list);
static struct waitq lockf_wq = { .waiters = LIST_HEAD_INIT(lockf_wq.waiters) };
static u64 lockf_releases; /* counts up whenever a waiter may have become free */

static struct lockf *lockf_conflict(struct inode *inode, const struct lockf *want)
{
	struct lockf *l;

	list_for_each_entry (l, &inode->locks, link) {
		if ((l->kind == LOCKF_FLOCK) != (want->kind == LOCKF_FLOCK))
			continue;
		if (l->owner == want->owner && l->kind == want->kind)
			continue;
		if (l->end < want->start || l->start > want->end)
			continue;
		if (l->write || want->write)
			return l;
	}
	return NULL;
}

static void lockf_woken(void)
{
	lockf_releases++;
	waitq_wake_all(&lockf_wq);
}

/* Gives [start, end] of the owner the new state: cuts and merges what it holds there. `spare` splits a lock in two; both may be kept
 * or freed. add = NULL: unlock. Never fails. */
static void lockf_apply(
	struct inode *inode, struct lockf *want, struct lockf *add, struct lockf *spare)
{
	struct lockf *l, *tmp;

	list_for_each_entry_safe (l, tmp, &inode->locks, link) {
		if (l->owner != want->owner || l->kind != want->kind)
			continue;
		if (add && l->write == want->write) {
			/* Same state: overlapping or adjacent ranges become one. */
			if ((want->start && l->end < want->start - 1) ||
				(want->end != ~0UL && l->start > want->end + 1))
				continue;
			want->start = MIN(want->start, l->start);
			want->end = MAX(want->end, l->end);
			list_del(&l->link);
			kfree(l);
			continue;
		}
		if (l->end < want->start || l->start > want->end)
			continue;
		if (l->start < want->start && l->end > want->end) {
			*spare = *l;
			spare->start = want->end + 1;
			list_add(&l->link, &spare->link);
			spare = NULL;
			l->end = want->start - 1;
		} else if (l->start < want->start) {
			l->end = want->start - 1;
		} else if (l->end > want->end) {
			l->start = want->end + 1;
		} else {
			list_del(&l->link);
			kfree(l);
		}
	}
	if (add) {
		*add = *want;
		/* By start: F_GETLK reports the first conflict. */
		list_for_each_entry (l, &inode->locks, link) {
			if (l->start > add->start)
				break;
		}
		list_add_tail(&l->link, &add->link);
	}
	kfree(spare);
	lockf_woken();
}

/* Does whoever waits for `owner`'s locks (through any chain) include the one that `owner` is about to wait for? */
static bool lockf_would_deadlock(void *owner, void *blocker)
{
	struct lockf_blocked *b;
	int hops = 0;

again:
	if (blocker == owner)
		return true;
	list_for_each_entry (b, &lockf_blocked_list, link) {
		if (b->owner == blocker && hops++ < 64) {
			blocker = b->blocker;
			goto again;
		}
	}
	return false;
}

/* lockf_lock held on entry and exit. Sleeps until some lock was released. */
static int lockf_sleep(const struct lockf *want, const struct lockf *conflict)
{
	struct lockf_blocked b = { .owner = want->owner, .blocker = conflict->owner };
	bool posix = want->kind == LOCKF_POSIX && conflict->kind == LOCKF_POSIX;
	u64 seen = lockf_releases;
	int err;

	if (posix) {
		if (lockf_would_deadlock(b.owner, b.blocker))
			return -EDEADLK;
		list_add(&lockf_blocked_list, &b.link);
	}
	mutex_unlock(&lockf_lock);
	err = wait_event_intr(&lockf_wq, READ_ONCE(lockf_releases) != seen);
	mutex_lock(&lockf_lock);
	if (posix)
		list_del(&b.link);
	return err;
}

static int lockf_acquire(struct inode *inode, struct lockf *want, bool unlock, bool wait)
{
	struct lockf *add = unlock ? NULL : kmalloc(sizeof(*add)), *spare, *conflict;
	int err = 0;

	spare = kmalloc(sizeof(*spare));
	if (!spare || (!unlock && !add)) {
		kfree(add);
		kfree(spare);
		return -ENOLCK;
	}
	mutex_lock(&lockf_lock);
	while (!unlock && !err && (conflict = lockf_conflict(inode, want)) != NULL)
		err = wait ? lockf_sleep(want, conflict) : -EAGAIN;
	if (err) {
		kfree(add);
		kfree(spare);
	} else {
		lockf_apply(inode, want, add, spare);
	}
	mutex_unlock(&lockf_lock);
	return err;
}

/* ---- fcntl ---- */
static int lockf_range(struct file *f, const struct flock *fl, struct lockf *out)
{
	s64 start = fl->l_start, end;

	if (fl->l_whence == SEEK_CUR)
		start += (s64)f->pos;
	else if (fl->l_whence == SEEK_END)
		start += (s64)f->inode->size;
	else if (fl->l_whence != SEEK_SET)
		return -EINVAL;
	if (fl->l_len > 0) {
		if (__builtin_add_overflow(start, fl->l_len - 1, &end))
			return -EOVERFLOW;
	} else if (fl->l_len < 0) {
		end = start - 1;
		start += fl->l_len;
	} else {
		end = INT64_MAX;
	}
	if (start < 0)
		return -EINVAL;
	out->start = (u64)start;
	out->end = (u64)end;
	return 0;
}

static int lockf_describe(struct file *f, const struct flock *fl, bool ofd, struct lockf *out)
{
	if (ofd && fl->l_pid)
		return -EINVAL;
	out->kind = ofd ? LOCKF_OFD : LOCKF_POSIX;
	out->owner = ofd ? (void *)f : (void *)task_current()->files;
	out->pid = ofd ? -1 : pid_nr_ns(task_current()->group->id, &pid_ns_root);
	out->write = fl->l_type == F_WRLCK;
	return lockf_range(f, fl, out);
}

int lockf_set(struct file *f, const struct flock *fl, bool ofd, bool wait)
{
	struct lockf want = { 0 };
	int err = lockf_describe(f, fl, ofd, &want);

	if (err)
		return err;
	switch (fl->l_type) {
	case F_RDLCK:
		if (!(f->mode & FMODE_READ))
			return -EBADF;
		break;
	case F_WRLCK:
		if (!(f->mode & FMODE_WRITE))
			return -EBADF;
		break;
	case F_UNLCK:
		break;
	default:
		return -EINVAL;
	}
	return lockf_acquire(f->inode, &want, fl->l_type == F_UNLCK, wait);
}

/* The holder's number where the caller lives; 0: it is not visible there. */
static int lockf_pid(const struct lockf *l)
{
	struct pid *p;
	int nr;

	if (l->pid < 0 || pid_ns_current() == &pid_ns_root)
		return l->pid;
	p = pid_find(&pid_ns_root, l->pid);
	nr = pid_nr(p);
	pid_put(p);
	return nr;
}

int lockf_get(struct file *f, struct flock *fl, bool ofd)
{
	struct lockf want = { 0 }, *l;
	int err;

	if (fl->l_type != F_RDLCK && fl->l_type != F_WRLCK)
		return -EINVAL;
	err = lockf_describe(f, fl, ofd, &want);
	if (err)
		return err;
	mutex_lock(&lockf_lock);
	l = lockf_conflict(f->inode, &want);
	if (l) {
		fl->l_type = l->write ? F_WRLCK : F_RDLCK;
		fl->l_whence = SEEK_SET;
		fl->l_start = (s64)l->start;
		fl->l_len = l->end >= INT64_MAX ? 0 : (s64)(l->end - l->start + 1);
		fl->l_pid = lockf_pid(l);
	} else {
		fl->l_type = F_UNLCK;
	}
	mutex_unlock(&lockf_lock);
	return 0;
}

int lockf_flock(struct file *f, int op)
{
	struct lockf want = { .kind = LOCKF_FLOCK, .owner = f, .end = ~0UL };
	struct lockf drop = want;
	bool nonblock = op & LOCK_NB;
	int err;

	op &= ~LOCK_NB;
	if (op != LOCK_SH && op != LOCK_EX && op != LOCK_UN)
		return -EINVAL;
	want.write = op == LOCK_EX;
	want.pid = pid_nr_ns(task_current()->group->id, &pid_ns_root);
	if (op == LOCK_UN)
		return lockf_acquire(f->inode, &want, true, false);
	err = lockf_acquire(f->inode, &want, false, false);
	if (err != -EAGAIN || nonblock)
		return err;
	/* A conversion that must wait gives the old lock up first, as Linux does. */
	lockf_acquire(f->inode, &drop, true, false);
	return lockf_acquire(f->inode, &want, false, true);
}

/* ---- owners that go away ---- */
static void lockf_release_owner(struct inode *inode, const void *owner)
{
	struct lockf *l, *tmp;
	bool any = false;

	mutex_lock(&lockf_lock);
	list_for_each_entry_safe (l, tmp, &inode->locks, link) {
		if (l->owner == owner) {
			list_del(&l->link);
			kfree(l);
			any = true;
		}
	}
	if (any)
		lockf_woken();
	mutex_unlock(&lockf_lock);
}

void lockf_release_posix(struct inode *inode, struct fdtable *owner)
{
	lockf_release_owner(inode, owner);
}

void lockf_release_file(struct file *f)
{
	lockf_release_owner(f->inode, f);
}
