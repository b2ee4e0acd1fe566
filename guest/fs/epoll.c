/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll. An item watches one (file, descriptor) pair; its waiters sit on the file's wait queues and put it on the ready list when they are called
 * (interrupts off, the queue's lock held). epoll_wait asks each ready item again and keeps level-triggered ones on the list.
 *
 * Locks: epoll_tree_lock (mutex: nesting checks and file->epoll) -> ep->lock (mutex: items) -> ep->ready_lock (spin, irq: the ready list).
 * Items do not hold their file: the file's last reference removes them.
 */
#include "fs/anon.h"

#include <linux/eventpoll.h>

#include "fs/internal.h"
#include "fs/poll.h"
#include "lib/rbtree.h"

#define EPOLL_MAX_DEPTH 4
#define EPOLL_PRIVATE	(EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)

struct epoll {
	struct mutex lock; /* protects: items and their settings */
	struct rb_root items;
	u32 nitems;
	struct spinlock ready_lock; /* irq; protects: ready, item->ready_link */
	struct list_head ready;
	struct waitq wq; /* epoll_wait sleepers */
	struct waitq poll_wq; /* those who poll the epoll file itself */
	struct file *file; /* back pointer */
};

struct ep_wait {
	struct waiter waiter;
	struct waitq *wq;
	struct ep_item *item;
	struct ep_wait *next;
};

struct ep_item {
	struct rb_node node;
	struct list_head ready_link;
	struct list_head file_link; /* file->epoll; lock: epoll_tree_lock */
	struct epoll *ep;
	struct file *file; /* borrowed */
	int fd;
	u32 events; /* 0 apart from private bits: disabled by EPOLLONESHOT; atomic */
	u64 data;
	struct ep_wait *waits;
	struct ep_wait first; /* most files have one queue */
	bool first_used;
};

/* All items that watch one file. */
struct ep_watch {
	struct list_head items;
};

static struct mutex epoll_tree_lock;
static const struct file_ops epoll_ops;

static bool ep_is_ready(struct epoll *ep)
{
	return !list_empty(&ep->ready);
}

/* Was somebody woken who waits in epoll_wait? */
static bool ep_announce(struct epoll *ep)
{
	bool woken = waitq_wake(&ep->wq, 1, POLLIN | POLLRDNORM) > 0;

	waitq_wake(&ep->poll_wq, INT_MAX, POLLIN | POLLRDNORM);
	return woken;
}

static bool ep_make_ready(struct ep_item *it)
{
	u64 flags = spin_lock_irq(&it->ep->ready_lock);

	if (list_empty(&it->ready_link))
		list_add_tail(&it->ep->ready, &it->ready_link);
	spin_unlock_irq(&it->ep->ready_lock, flags);
	return ep_announce(it->ep);
}

static bool ep_wake(struct waiter *w, u64 key)
{
	struct ep_item *it = container_of(w, struct ep_wait, waiter)->item;
	u32 events = READ_ONCE(it->events);

	if (!(events & ~EPOLL_PRIVATE))
		return false;
	if (key && !(key & events))
		return false;
	/* An event that is one epoll's alone goes on to the next where nobody waits. */
	return ep_make_ready(it) || !(events & EPOLLEXCLUSIVE);
}

struct ep_table {
	struct poll_table table;
	struct ep_item *item;
};

static void ep_queue(struct poll_table *pt, struct file *f, struct waitq *wq)
{
	struct ep_item *it = container_of(pt, struct ep_table, table)->item;
	struct ep_wait *w = &it->first;

	(void)f;
	if (it->first_used)
		w = kmalloc(sizeof(*w));
	if (!w) {
		pt->error = -ENOMEM;
		return;
	}
	it->first_used = true;
	w->item = it;
	w->wq = wq;
	w->next = it->waits;
	it->waits = w;
	w->waiter =
		(struct waiter){ .wake = ep_wake, .exclusive = (it->events & EPOLLEXCLUSIVE) != 0 };
	waitq_add(wq, &w->waiter);
}

/* ---- items ---- */
static int ep_compare(const struct ep_item *it, const struct file *f, int fd)
{
	if (it->file != f)
		return it->file < f ? -1 : 1;
	return it->fd < fd ? -1 : it->fd > fd;
}

static struct ep_item *ep_find(struct epoll *ep, const struct file *f, int fd)
{
	struct rb_node *n = ep->items.node;

	while (n) {
		struct ep_item *it = rb_entry(n, struct ep_item, node);
		int c = ep_compare(it, f, fd);

		if (!c)
			return it;
		n = c < 0 ? n->right : n->left;
	}
	return NULL;
}

static void ep_link(struct epoll *ep, struct ep_item *it)
{
	struct rb_node **link = &ep->items.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = ep_compare(rb_entry(parent, struct ep_item, node), it->file, it->fd) < 0
			       ? &parent->right
			       : &parent->left;
	}
	rb_insert(&ep->items, &it->node, parent, link);
	ep->nitems++;
}

/* epoll_tree_lock and ep->lock held. */
static void ep_remove(struct epoll *ep, struct ep_item *it)
{
	struct ep_watch *watch = it->file->epoll;
	u64 flags;

	while (it->waits) {
		struct ep_wait *w = it->waits;

		waitq_remove(w->wq, &w->waiter);
		it->waits = w->next;
		if (w != &it->first)
			kfree(w);
	}
	flags = spin_lock_irq(&ep->ready_lock);
	list_del(&it->ready_link);
	spin_unlock_irq(&ep->ready_lock, flags);
	list_del(&it->file_link);
	if (list_empty(&watch->items)) {
		it->file->epoll = NULL;
		kfree(watch);
	}
	rb_erase(&ep->items, &it->node);
	ep->nitems--;
	kfree(it);
}

void epoll_file_gone(struct file *f)
{
	mutex_lock(&epoll_tree_lock);
	while (f->epoll) {
		struct ep_watch *watch = f->epoll;
		struct ep_item *it = list_first_entry(&watch->items, struct ep_item, file_link);
		struct epoll *ep = it->ep;

		mutex_lock(&ep->lock);
		ep_remove(ep, it);
		mutex_unlock(&ep->lock);
	}
	mutex_unlock(&epoll_tree_lock);
}

/* ---- nesting: would target (an epoll) reach ep, or make the chain too deep? epoll_tree_lock held ---- */
/* Longest chain of epolls below ep, or EPOLL_MAX_DEPTH + 1; finds `self` on the way. Depth is bounded by the rule that it enforces. */
static int ep_depth_below(struct epoll *ep, const struct epoll *self, int level)
{
	struct rb_node *n;
	int deepest = 0;

	if (ep == self || level > EPOLL_MAX_DEPTH)
		return EPOLL_MAX_DEPTH + 1;
	for (n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct ep_item *it = rb_entry(n, struct ep_item, node);
		int d;

		if (it->file->ops != &epoll_ops)
			continue;
		d = ep_depth_below(it->file->priv, self, level + 1) + 1;
		deepest = MAX(deepest, d);
	}
	return deepest;
}

static int ep_depth_above(struct epoll *ep, int level)
{
	struct ep_watch *watch = ep->file->epoll;
	struct ep_item *it;
	int highest = 0;

	if (!watch || level > EPOLL_MAX_DEPTH)
		return watch ? EPOLL_MAX_DEPTH + 1 : 0;
	list_for_each_entry (it, &watch->items, file_link)
		highest = MAX(highest, ep_depth_above(it->ep, level + 1) + 1);
	return highest;
}

static int ep_check_nesting(struct epoll *ep, struct file *target)
{
	if (target->ops != &epoll_ops)
		return 0;
	if (ep_depth_below(target->priv, ep, 0) + ep_depth_above(ep, 0) + 1 > EPOLL_MAX_DEPTH)
		return -ELOOP;
	return 0;
}

/* ---- epoll_ctl ---- */
static u32 ep_ask(struct ep_item *it, struct poll_table *pt)
{
	return file_poll(it->file, pt) & READ_ONCE(it->events) & ~EPOLL_PRIVATE;
}

static int ep_watch_file(struct ep_item *it)
{
	struct ep_watch *watch = it->file->epoll;

	if (!watch) {
		watch = kmalloc(sizeof(*watch));
		if (!watch)
			return -ENOMEM;
		list_init(&watch->items);
		it->file->epoll = watch;
	}
	list_add_tail(&watch->items, &it->file_link);
	return 0;
}

static int ep_insert(struct epoll *ep, struct file *f, int fd, const struct epoll_event_k *ev)
{
	struct ep_item *it = kzalloc(sizeof(*it));
	struct ep_table pt = { .table = { .queue = ep_queue } };
	u32 mask;

	if (!it)
		return -ENOMEM;
	it->ep = ep;
	it->file = f;
	it->fd = fd;
	it->events = ev->events | EPOLLERR | EPOLLHUP;
	it->data = ev->data;
	list_init(&it->ready_link);
	list_init(&it->file_link);
	if (ep_watch_file(it) < 0) {
		kfree(it);
		return -ENOMEM;
	}
	ep_link(ep, it);
	pt.item = it;
	pt.table.key = it->events;
	mask = ep_ask(it, &pt.table);
	if (pt.table.error) {
		ep_remove(ep, it);
		return pt.table.error;
	}
	if (mask)
		ep_make_ready(it);
	return 0;
}

static int ep_modify(struct ep_item *it, const struct epoll_event_k *ev)
{
	if (it->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	it->data = ev->data;
	atomic_store(&it->events, ev->events | EPOLLERR | EPOLLHUP);
	atomic_fence();
	if (ep_ask(it, NULL))
		ep_make_ready(it);
	return 0;
}

static int ep_control_locked(
	struct epoll *ep, int op, int fd, struct file *target, struct epoll_event_k *ev)
{
	struct ep_item *it = ep_find(ep, target, fd);

	switch (op) {
	case EPOLL_CTL_ADD:
		return it ? -EEXIST : ep_insert(ep, target, fd, ev);
	case EPOLL_CTL_MOD:
		return it ? ep_modify(it, ev) : -ENOENT;
	case EPOLL_CTL_DEL:
		if (!it)
			return -ENOENT;
		ep_remove(ep, it);
		return 0;
	default:
		return -EINVAL;
	}
}

int epoll_control(struct file *epf, int op, int fd, struct file *target, struct epoll_event_k *ev)
{
	struct epoll *ep = epf->priv;
	int err = 0;

	if (!target->ops || !target->ops->poll)
		return -EPERM;
	if (epf == target || epf->ops != &epoll_ops)
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && (ev->events & EPOLLEXCLUSIVE)) {
		if (op == EPOLL_CTL_MOD || target->ops == &epoll_ops)
			return -EINVAL;
		if (ev->events & ~(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP |
					 EPOLLET | EPOLLEXCLUSIVE))
			return -EINVAL;
	}
	mutex_lock(&epoll_tree_lock);
	if (op == EPOLL_CTL_ADD)
		err = ep_check_nesting(ep, target);
	if (!err) {
		mutex_lock(&ep->lock);
		err = ep_control_locked(ep, op, fd, target, ev);
		mutex_unlock(&ep->lock);
	}
	mutex_unlock(&epoll_tree_lock);
	return err;
}

/* ---- epoll_wait ---- */
static struct ep_item *ep_pop(struct epoll *ep, struct list_head *from)
{
	struct ep_item *it = NULL;
	u64 flags = spin_lock_irq(&ep->ready_lock);

	if (!list_empty(from)) {
		it = list_first_entry(from, struct ep_item, ready_link);
		list_del(&it->ready_link);
	}
	spin_unlock_irq(&ep->ready_lock, flags);
	return it;
}

static void ep_push(struct epoll *ep, struct ep_item *it, bool front)
{
	u64 flags = spin_lock_irq(&ep->ready_lock);

	if (list_empty(&it->ready_link)) {
		if (front)
			list_add(&ep->ready, &it->ready_link);
		else
			list_add_tail(&ep->ready, &it->ready_link);
	}
	spin_unlock_irq(&ep->ready_lock, flags);
}

/* ep->lock held. Items that are ready now; level-triggered ones go back behind the others. */
static s64 ep_harvest(struct epoll *ep, int max,
	bool (*emit)(void *arg, int i, const struct epoll_event_k *ev), void *arg)
{
	struct list_head batch;
	struct ep_item *it;
	u64 flags;
	s64 n = 0;

	list_init(&batch);
	flags = spin_lock_irq(&ep->ready_lock);
	list_splice_tail(&batch, &ep->ready);
	spin_unlock_irq(&ep->ready_lock, flags);
	while (n < max && (it = ep_pop(ep, &batch)) != NULL) {
		struct epoll_event_k ev = { .data = it->data };

		ev.events = ep_ask(it, NULL);
		if (!ev.events)
			continue;
		if (!emit(arg, (int)n, &ev)) {
			ep_push(ep, it, true);
			if (!n)
				n = -EFAULT;
			break;
		}
		n++;
		if (it->events & EPOLLONESHOT)
			atomic_and(&it->events, EPOLL_PRIVATE);
		else if (!(it->events & EPOLLET))
			ep_push(ep, it, false);
	}
	flags = spin_lock_irq(&ep->ready_lock);
	if (!list_empty(&batch)) { /* not reached: they come first next time */
		list_splice_tail(&batch, &ep->ready);
		list_splice_tail(&ep->ready, &batch);
	}
	spin_unlock_irq(&ep->ready_lock, flags);
	return n;
}

s64 epoll_wait_events(struct file *epf, int max, u64 deadline,
	bool (*emit)(void *arg, int i, const struct epoll_event_k *ev), void *arg)
{
	struct epoll *ep = epf->priv;

	if (epf->ops != &epoll_ops)
		return -EINVAL;
	for (;;) {
		s64 n = 0;
		int err;

		if (ep_is_ready(ep)) {
			mutex_lock(&ep->lock);
			n = ep_harvest(ep, max, emit, arg);
			mutex_unlock(&ep->lock);
		}
		if (n || !deadline)
			return n;
		err = wait_event_intr_deadline(&ep->wq, ep_is_ready(ep), deadline);
		if (err == -ETIMEDOUT)
			return 0;
		if (err)
			return -EINTR;
	}
}

/* ---- the file ---- */
/* Is some item really ready? Items found stale leave the list. */
static u32 ep_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->priv;
	struct ep_item *it;
	u32 mask = 0;

	poll_wait(f, &ep->poll_wq, pt);
	if (!ep_is_ready(ep))
		return 0;
	mutex_lock(&ep->lock);
	while ((it = ep_pop(ep, &ep->ready)) != NULL) {
		if (ep_ask(it, NULL)) {
			ep_push(ep, it, true);
			mask = POLLIN | POLLRDNORM;
			break;
		}
	}
	mutex_unlock(&ep->lock);
	return mask;
}

static void ep_release(struct file *f)
{
	struct epoll *ep = f->priv;
	struct rb_node *n;

	mutex_lock(&epoll_tree_lock);
	mutex_lock(&ep->lock);
	while ((n = rb_first(&ep->items)) != NULL)
		ep_remove(ep, rb_entry(n, struct ep_item, node));
	mutex_unlock(&ep->lock);
	mutex_unlock(&epoll_tree_lock);
	kfree(ep);
}

static const struct file_ops epoll_ops = {
	.poll = ep_poll,
	.release = ep_release,
};

int epoll_create_file(struct file **out)
{
	struct epoll *ep = kzalloc(sizeof(*ep));

	if (!ep)
		return -ENOMEM;
	waitq_init(&ep->wq);
	waitq_init(&ep->poll_wq);
	list_init(&ep->ready);
	*out = file_create_anon(&epoll_ops, ep, O_RDWR, "anon_inode:[eventpoll]");
	if (!*out) {
		kfree(ep);
		return -ENFILE;
	}
	ep->file = *out;
	return 0;
}
