/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fcntl(2) offers beside locks to whoever wants to hear of others: leases (F_SETLEASE) and directory notification (F_NOTIFY). Both
 * send the file's owner a signal (owner.c). Leases are few: one mutex and one list for all of them; an inode counts its own, so open(2) tests one word.
 */
#include "fs/lease.h"

#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "fs/internal.h"
#include "kernel/clock.h"
#include "task/task.h"
#include "task/pid.h"

struct lease {
	struct list_head link;
	struct file *file; /* borrowed: a lease ends with its file */
	int fd;
	int type; /* F_RDLCK, F_WRLCK */
	int target; /* what it must become; equal to type: nobody waits */
	u64 deadline; /* when it becomes so by force */
};

u64 lease_break_time = 45; /* s */
static struct mutex lease_lock; /* protects: leases, their fields */
static struct list_head leases = LIST_HEAD_INIT(leases);
static struct waitq lease_wq = { .waiters = LIST_HEAD_INIT(lease_wq.waiters) };
static u64 lease_changes; /* counts ends and downgrades */

/* ---- leases ---- */

static struct lease *lease_of(const struct file *f)
{
	struct lease *l;

	list_for_each_entry (l, &leases, link) {
		if (l->file == f)
			return l;
	}
	return NULL;
}

static void lease_changed(void)
{
	lease_changes++;
	waitq_wake_all(&lease_wq);
}

/* lock held. F_UNLCK: the lease ends. */
static void lease_become(struct lease *l, int type)
{
	l->type = l->target = type;
	if (type == F_UNLCK) {
		list_del(&l->link);
		atomic_sub(&l->file->inode->leases, 1);
		/* As in Linux: the next lease starts with SIGIO to whoever asks for it. */
		file_change_owner(l->file, F_OWNER_PID, NULL, true);
		l->file->owner_sig = 0;
		kfree(l);
	}
	lease_changed();
}

/* May f have a lease of this type, with the file open as it is and others' leases? lock held. */
static int lease_conflict(const struct file *f, int type)
{
	struct inode *inode = f->inode;
	s32 writers = READ_ONCE(inode->writers), readers = READ_ONCE(inode->readers);
	struct lease *l;

	if (type == F_RDLCK && writers > 0)
		return -EAGAIN;
	if (type == F_WRLCK && (MAX(writers, 0) != !!(f->mode & FMODE_WRITER) ||
				       readers != !!(f->mode & FMODE_READER)))
		return -EAGAIN;
	list_for_each_entry (l, &leases, link) {
		if (l->file == f || l->file->inode != inode)
			continue;
		if (type == F_WRLCK || l->type == F_WRLCK || l->target != l->type)
			return -EAGAIN;
	}
	return 0;
}

static int lease_add(struct file *f, int fd, int type)
{
	struct lease *l = kzalloc(sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->file = f;
	l->fd = fd;
	l->type = l->target = type;
	list_add_tail(&leases, &l->link);
	atomic_add(&f->inode->leases, 1);
	file_set_owner(f);
	return 0;
}

int lease_set(struct file *f, int fd, int type)
{
	struct lease *l;
	int err = 0;

	if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK)
		return -EINVAL;
	if (cred_current()->fsuid != f->inode->uid && !capable(CAP_LEASE))
		return -EACCES;
	if (!S_ISREG(f->inode->mode))
		return -EINVAL;
	mutex_lock(&lease_lock);
	l = lease_of(f);
	if (type == F_UNLCK) {
		if (l)
			lease_become(l, F_UNLCK);
		else
			err = -EAGAIN;
	} else {
		/* One that is being broken can only give way. */
		if (l && l->target != l->type && type != l->target)
			err = -EAGAIN;
		if (!err)
			err = lease_conflict(f, type);
		if (!err && l)
			lease_become(l, type);
		else if (!err)
			err = lease_add(f, fd, type);
	}
	mutex_unlock(&lease_lock);
	return err;
}

int lease_get(struct file *f)
{
	struct lease *l;
	int type;

	mutex_lock(&lease_lock);
	l = lease_of(f);
	type = l ? l->target : F_UNLCK;
	mutex_unlock(&lease_lock);
	return type;
}

void lease_release(struct file *f)
{
	struct lease *l;

	mutex_lock(&lease_lock);
	l = lease_of(f);
	if (l)
		lease_become(l, F_UNLCK);
	mutex_unlock(&lease_lock);
}

/* Tell the holder what an opener needs, once. */
static void lease_ask(struct lease *l, bool write)
{
	int target = write ? F_UNLCK : F_RDLCK;
	bool asked = l->target != l->type;

	if (asked && (l->target == target || l->target == F_UNLCK))
		return;
	l->target = target;
	l->deadline = clock_monotonic() + READ_ONCE(lease_break_time) * NSEC_PER_SEC;
	if (!asked)
		file_signal_owner(l->file, l->fd, POLL_MSG, POLLIN | POLLRDNORM | POLLMSG);
}

/* The first lease in the way, after those whose time is over. lock held. */
static struct lease *lease_in_way(struct inode *inode, bool write)
{
	struct lease *l, *tmp;
	u64 now = clock_monotonic();

	list_for_each_entry_safe (l, tmp, &leases, link) {
		if (l->file->inode != inode || (l->type == F_RDLCK && !write))
			continue;
		lease_ask(l, write);
		if (now < l->deadline)
			return l;
		lease_become(l, l->target);
	}
	return NULL;
}

int lease_break(struct inode *inode, bool write, bool wait)
{
	struct lease *l;
	int err = 0;

	mutex_lock(&lease_lock);
	while (!err && (l = lease_in_way(inode, write)) != NULL) {
		u64 seen = lease_changes, deadline = l->deadline;

		if (!wait) {
			err = -EWOULDBLOCK;
			break;
		}
		mutex_unlock(&lease_lock);
		err = wait_event_intr_deadline(
			&lease_wq, READ_ONCE(lease_changes) != seen, deadline);
		mutex_lock(&lease_lock);
		if (err == -ETIMEDOUT)
			err = 0;
	}
	mutex_unlock(&lease_lock);
	return err;
}

/* ---- directory notification ---- */

struct dnotify {
	struct list_head link;
	struct file *file; /* borrowed */
	int fd;
	u32 mask; /* DN_* */
};

u32 dnotify_active; /* marks in all */
static struct list_head dnotify_marks = LIST_HEAD_INIT(dnotify_marks); /* lock: lease_lock */

static u32 dnotify_bits(u32 in)
{
	return (in & IN_ACCESS ? DN_ACCESS : 0) | (in & IN_MODIFY ? DN_MODIFY : 0) |
	       (in & IN_CREATE ? DN_CREATE : 0) | (in & IN_DELETE ? DN_DELETE : 0) |
	       (in & IN_MOVED_FROM ? DN_DELETE : 0) | (in & IN_MOVED_TO ? DN_CREATE : 0) |
	       (in & DNOTIFY_RENAME ? DN_RENAME : 0) | (in & IN_ATTRIB ? DN_ATTRIB : 0);
}

static void dnotify_drop(struct dnotify *d)
{
	list_del(&d->link);
	kfree(d);
	atomic_sub(&dnotify_active, 1);
	atomic_sub(&inotify_active, 1);
}

void dnotify_event(const struct inode *dir, u32 in)
{
	u32 bits = dnotify_bits(in);
	struct dnotify *d, *tmp;

	if (likely(!atomic_load(&dnotify_active)) || !bits)
		return;
	mutex_lock(&lease_lock);
	list_for_each_entry_safe (d, tmp, &dnotify_marks, link) {
		if (d->file->inode != dir || !(d->mask & bits))
			continue;
		file_signal_owner(d->file, d->fd, POLL_MSG, POLLIN | POLLRDNORM | POLLMSG);
		if (!(d->mask & DN_MULTISHOT))
			dnotify_drop(d);
	}
	mutex_unlock(&lease_lock);
}

void dnotify_release(const struct file *f)
{
	struct dnotify *d, *tmp;

	mutex_lock(&lease_lock);
	list_for_each_entry_safe (d, tmp, &dnotify_marks, link) {
		if (d->file == f)
			dnotify_drop(d);
	}
	mutex_unlock(&lease_lock);
}

int dnotify_set(struct file *f, int fd, u32 mask)
{
	struct dnotify *d, *fresh;

	if (!S_ISDIR(f->inode->mode))
		return -ENOTDIR;
	if (!(mask & ~(u32)DN_MULTISHOT)) {
		dnotify_release(f);
		return 0;
	}
	fresh = kzalloc(sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	*fresh = (struct dnotify){ .file = f, .fd = fd, .mask = mask };
	mutex_lock(&lease_lock);
	file_set_owner(f);
	list_for_each_entry (d, &dnotify_marks, link) {
		if (d->file == f) {
			d->mask |= mask;
			break;
		}
	}
	if (&d->link == &dnotify_marks) {
		list_add_tail(&dnotify_marks, &fresh->link);
		atomic_add(&dnotify_active, 1);
		atomic_add(&inotify_active, 1);
		fresh = NULL;
	}
	mutex_unlock(&lease_lock);
	kfree(fresh);
	return 0;
}
