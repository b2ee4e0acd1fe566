/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify for what happens inside the sandbox. One mutex covers all watches and queues; nothing takes it while no watch exists anywhere. A watch holds
 * its inode; an inode lists its watches.
 */
#include <linux/inotify.h>

#include "fs/anon.h"
#include "fs/async.h"
#include "fs/internal.h"
#include "fs/lease.h"
#include "fs/poll.h"
#include "lib/printf.h"
#include "task/internal.h"

#include <asm/ioctls.h>

#define IN_UNLINKED \
	0x00010000u /* of an event: the file has no name any more; no bit of <linux/inotify.h> */

struct inotify_limits inotify_limits = { 16384, 1024, 65536 };

struct inotify_item {
	struct list_head link;
	struct {
		s32 wd;
		u32 mask, cookie, len;
	} ev; /* struct inotify_event, whose flexible name may not stand in the middle */
	u32 name_len; /* with NUL, before padding */
	char name[];
};

struct inotify {
	struct waitq wq;
	struct list_head queue, watches;
	u32 nqueued, nwatches;
	int next_wd;
	struct user_acct *user; /* reference: counts instances */
};

struct inotify_watch {
	struct list_head in_group, on_inode;
	struct inotify *group;
	struct inode *inode; /* reference */
	u32 mask;
	int wd;
};

struct inode_watches {
	struct list_head list;
};

u32 inotify_active;
static struct mutex inotify_lock; /* protects: everything in this file */
static const struct file_ops inotify_ops;

/* ---- the queue ---- */
static void inotify_push(struct inotify *g, int wd, u32 mask, u32 cookie, const char *name)
{
	size_t len = name ? strlen(name) + 1 : 0;
	u64 max = READ_ONCE(inotify_limits.queued);
	struct inotify_item *it;

	if (g->nqueued > max)
		return;
	if (g->nqueued == max) {
		wd = -1;
		mask = IN_Q_OVERFLOW;
		len = 0;
	}
	if (!list_empty(&g->queue)) {
		it = list_last_entry(&g->queue, struct inotify_item, link);
		if (it->ev.wd == wd && it->ev.mask == mask && it->ev.cookie == cookie &&
			it->name_len == len && (!len || !memcmp(it->name, name, len)))
			return;
	}
	it = kzalloc(sizeof(*it) + len);
	if (!it)
		return;
	it->ev.wd = wd;
	it->ev.mask = mask;
	it->ev.cookie = cookie;
	it->ev.len = (u32)ALIGN_UP(len, sizeof(struct inotify_event));
	it->name_len = (u32)len;
	if (len)
		memcpy(it->name, name, len);
	list_add_tail(&g->queue, &it->link);
	g->nqueued++;
	waitq_wake(&g->wq, 1, POLLIN | POLLRDNORM | TELL_IN);
}

static void inotify_drop_watch(struct inotify_watch *w, bool tell)
{
	struct inode_watches *iw = w->inode->watches;

	if (tell)
		inotify_push(w->group, w->wd, IN_IGNORED, 0, NULL);
	list_del(&w->in_group);
	list_del(&w->on_inode);
	if (list_empty(&iw->list)) {
		w->inode->watches = NULL;
		kfree(iw);
	}
	w->group->nwatches--;
	atomic_sub(&inotify_active, 1);
	inode_put(w->inode);
	kfree(w);
}

/* Lock held. */
static void inotify_deliver(struct inode *inode, u32 mask, const char *name, u32 cookie)
{
	struct inode_watches *iw = inode->watches;
	bool unlinked = mask & IN_UNLINKED;
	struct list_head *at;

	if (!iw)
		return;
	inode_get(inode); /* the last watch may go, and the list with it */
	for (at = iw->list.next; at != &iw->list;) {
		struct inotify_watch *w = list_entry(at, struct inotify_watch, on_inode);
		bool last = at->next == &iw->list;

		at = at->next;
		if (unlinked && (w->mask & IN_EXCL_UNLINK)) {
			if (last)
				break;
			continue;
		}
		if (w->mask & mask & IN_ALL_EVENTS)
			inotify_push(w->group, w->wd, mask & ~IN_UNLINKED, cookie, name);
		if ((mask & IN_DELETE_SELF) ||
			((w->mask & IN_ONESHOT) && (w->mask & mask & IN_ALL_EVENTS)))
			inotify_drop_watch(w, true);
		if (last)
			break;
	}
	inode_put(inode);
}

void inotify_event(struct inode *dir, struct inode *inode, u32 mask, const char *name, u32 cookie)
{
	if (likely(!atomic_load(&inotify_active)))
		return;
	mutex_lock(&inotify_lock);
	if (dir)
		dnotify_event(dir, mask);
	else if (inode && S_ISDIR(inode->mode))
		dnotify_event(inode, mask);
	if (dir)
		inotify_deliver(dir, mask, name, cookie);
	else if (inode)
		inotify_deliver(inode, mask, NULL, cookie);
	mutex_unlock(&inotify_lock);
}

void notify_dentry(struct dentry *d, u32 mask)
{
	struct inode *inode = dentry_inode(d);
	struct dentry *parent;
	char name[NAME_MAX_LEN + 1];

	if (likely(!atomic_load(&inotify_active)) || !inode)
		return;
	if (S_ISDIR(inode->mode))
		mask |= IN_ISDIR;
	parent = dentry_get_parent(d);
	if (parent != d && (dentry_inode(parent)->watches || READ_ONCE(dnotify_active))) {
		dentry_copy_name(d, name, sizeof(name));
		inotify_event(dentry_inode(parent), NULL, mask | (inode->nlink ? 0 : IN_UNLINKED),
			name, 0);
	}
	dentry_put(parent);
	inotify_event(NULL, inode, mask, NULL, 0);
}

void file_notify(struct file *f, u32 mask)
{
	if (unlikely(atomic_load(&inotify_active)) && f->path.dentry)
		notify_dentry(f->path.dentry, mask);
}

/* ---- the descriptor ---- */
static struct inotify_item *inotify_pop(struct inotify *g, u64 room, s64 *err)
{
	struct inotify_item *it = NULL;

	mutex_lock(&inotify_lock);
	if (!list_empty(&g->queue)) {
		it = list_first_entry(&g->queue, struct inotify_item, link);
		if (sizeof(it->ev) + it->ev.len > room) {
			*err = -EINVAL;
			it = NULL;
		} else {
			list_del(&it->link);
			g->nqueued--;
		}
	}
	mutex_unlock(&inotify_lock);
	return it;
}

static bool inotify_emit(struct uio *u, const struct inotify_item *it)
{
	static const char zeroes[sizeof(struct inotify_event)];
	u32 pad = it->ev.len - it->name_len;

	return uio_write(u, &it->ev, sizeof(it->ev)) == sizeof(it->ev) &&
	       uio_write(u, it->name, it->name_len) == it->name_len &&
	       uio_write(u, zeroes, pad) == pad;
}

static s64 inotify_read(struct file *f, struct uio *u, u64 *pos)
{
	struct inotify *g = f->priv;
	u64 start = u->left;
	s64 err = 0;

	(void)pos;
	for (;;) {
		struct inotify_item *it = inotify_pop(g, u->left, &err);
		bool ok;

		if (it) {
			ok = inotify_emit(u, it);
			kfree(it);
			if (!ok)
				return -EFAULT;
			continue;
		}
		if (u->left != start)
			return (s64)(start - u->left);
		if (err)
			return err;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_intr(&g->wq, !list_empty(&g->queue));
		if (err)
			return err;
	}
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify *g = f->priv;

	poll_wait(f, &g->wq, pt);
	return list_empty(&g->queue) ? 0 : POLLIN | POLLRDNORM;
}

static s64 inotify_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct inotify *g = f->priv;
	struct inotify_item *it;
	int bytes = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&inotify_lock);
	list_for_each_entry (it, &g->queue, link)
		bytes += (int)(sizeof(it->ev) + it->ev.len);
	mutex_unlock(&inotify_lock);
	return put_user(bytes, arg);
}

static void inotify_release(struct file *f)
{
	struct inotify *g = f->priv;

	mutex_lock(&inotify_lock);
	while (!list_empty(&g->watches))
		inotify_drop_watch(
			list_first_entry(&g->watches, struct inotify_watch, in_group), false);
	mutex_unlock(&inotify_lock);
	while (!list_empty(&g->queue)) {
		struct inotify_item *it = list_first_entry(&g->queue, struct inotify_item, link);

		list_del(&it->link);
		kfree(it);
	}
	atomic_sub(&g->user->ninotify, 1);
	user_put(g->user);
	kfree(g);
}

static int inotify_fdinfo(struct file *f, char *buf, size_t size)
{
	struct inotify *g = f->priv;
	struct inotify_watch *w;
	int n = 0;

	mutex_lock(&inotify_lock);
	list_for_each_entry (w, &g->watches, in_group) {
		if ((size_t)n >= size)
			break;
		n += str_format(buf + n, size - (size_t)n,
			"inotify wd:%x ino:%lx sdev:%x mask:%x ignored_mask:0\n", (u32)w->wd,
			w->inode->ino, w->inode->sb->dev, w->mask);
	}
	mutex_unlock(&inotify_lock);
	return MIN(n, (int)size);
}

static const struct file_ops inotify_ops = {
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.async = file_async_plain,
	.release = inotify_release,
	.show_fdinfo = inotify_fdinfo,
};

int inotify_create(u32 flags, struct file **out)
{
	struct inotify *g;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	g = kzalloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->user = cred_current()->user;
	if ((u64)atomic_add(&g->user->ninotify, 1) > READ_ONCE(inotify_limits.instances)) {
		atomic_sub(&g->user->ninotify, 1);
		kfree(g);
		return -EMFILE;
	}
	user_ref(g->user);
	waitq_init(&g->wq);
	list_init(&g->queue);
	list_init(&g->watches);
	g->next_wd = 1;
	*out = file_create_anon(&inotify_ops, g, flags & O_NONBLOCK, "anon_inode:inotify");
	if (*out)
		return 0;
	atomic_sub(&g->user->ninotify, 1);
	user_put(g->user);
	kfree(g);
	return -ENFILE;
}

static struct inotify_watch *inotify_find(struct inotify *g, const struct inode *inode, int wd)
{
	struct inotify_watch *w;

	list_for_each_entry (w, &g->watches, in_group) {
		if (inode ? w->inode == inode : w->wd == wd)
			return w;
	}
	return NULL;
}

static int inotify_watch_new(struct inotify *g, struct inode *inode, u32 mask)
{
	struct inotify_watch *w;
	struct inode_watches *iw = inode->watches;

	if (g->nwatches >= READ_ONCE(inotify_limits.watches))
		return -ENOSPC;
	w = kzalloc(sizeof(*w));
	if (w && !iw) {
		iw = kzalloc(sizeof(*iw));
		if (iw)
			list_init(&iw->list);
	}
	if (!w || !iw) {
		kfree(w);
		return -ENOMEM;
	}
	inode->watches = iw;
	inode_get(inode);
	w->inode = inode;
	w->group = g;
	w->mask = mask;
	w->wd = g->next_wd++;
	list_add_tail(&g->watches, &w->in_group);
	list_add_tail(&iw->list, &w->on_inode);
	g->nwatches++;
	atomic_add(&inotify_active, 1);
	return w->wd;
}

int inotify_add(struct file *f, struct inode *inode, u32 mask)
{
	struct inotify *g = f->priv;
	struct inotify_watch *w;
	int ret;

	if (f->ops != &inotify_ops)
		return -EINVAL;
	mutex_lock(&inotify_lock);
	w = inotify_find(g, inode, 0);
	if (!w) {
		ret = inotify_watch_new(g, inode, mask);
	} else if (mask & IN_MASK_CREATE) {
		ret = -EEXIST;
	} else {
		w->mask = mask & IN_MASK_ADD ? w->mask | mask : mask;
		ret = w->wd;
	}
	mutex_unlock(&inotify_lock);
	return ret;
}

int inotify_remove(struct file *f, int wd)
{
	struct inotify *g = f->priv;
	struct inotify_watch *w;

	if (f->ops != &inotify_ops)
		return -EINVAL;
	mutex_lock(&inotify_lock);
	w = inotify_find(g, NULL, wd);
	if (w)
		inotify_drop_watch(w, true);
	mutex_unlock(&inotify_lock);
	return w ? 0 : -EINVAL;
}
