/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User notification. listener->lock protects the queue and every notification and descriptor on it; both lie on the stacks of those that wait,
 * who leave their queue under the lock. So they are woken with it held, and nothing of them is touched after it was let go. Pollers and receivers are
 * woken without it: their callbacks have locks of their own.
 */
#include "task/seccomp_notify.h"

#include <linux/ioctl.h>

#include "fs/fdtable.h"
#include "fs/poll.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "syscall/fsarg.h"
#include "task/internal.h"
#include "task/pid.h"

struct seccomp_listener {
	struct ref ref; /* filter, file, who is in a system call with it */
	struct spinlock lock; /* protects: the rest */
	struct list_head queue; /* notifications, the oldest first */
	struct waitq wq; /* pollers and receivers */
	u64 next_id;
	bool killable;
	bool closed; /* nobody listens any more */
	bool orphan; /* nobody can ask any more */
};

enum notif_state {
	NOTIF_NEW, /* not received */
	NOTIF_SENT, /* somebody works at it */
	NOTIF_REPLIED
};

struct notif {
	struct list_head link, fds;
	struct task *task;
	const struct seccomp_data *data;
	struct waitq wq; /* the task waits here */
	u64 id;
	u32 state; /* enum notif_state */
	struct seccomp_notif_resp reply;
};

/* A descriptor that the listener wants the task to have. */
struct notif_fd {
	struct list_head link; /* notif->fds until the task takes it */
	struct waitq wq; /* the giver waits here */
	struct file *file; /* borrowed from the giver */
	struct seccomp_notif_addfd how;
	int ret;
	bool done;
};

static void listener_put(struct seccomp_listener *l)
{
	if (ref_put(&l->ref))
		kfree(l);
}

/* ---- the task that asks ---- */

static int notif_fd_install(struct notif_fd *a)
{
	int fd;

	file_get(a->file);
	if (a->how.flags & SECCOMP_ADDFD_FLAG_SETFD) {
		fd = (int)a->how.newfd;
		a->ret = fd_replace(fd, a->file, a->how.newfd_flags);
		if (a->ret == 0)
			a->ret = fd;
	} else {
		a->ret = fd_install(a->file, a->how.newfd_flags, 0);
	}
	if (a->ret < 0)
		file_put(a->file);
	return a->ret;
}

/* The lock is let go of meanwhile; the giver waits for `done` whatever happens, and so the listener stays open. */
static void notif_take_fd(struct seccomp_listener *l, struct notif *n)
{
	struct notif_fd *a = list_first_entry(&n->fds, struct notif_fd, link);

	list_del(&a->link);
	spin_unlock(&l->lock);
	notif_fd_install(a);
	spin_lock(&l->lock);
	if (a->how.flags & SECCOMP_ADDFD_FLAG_SEND) {
		n->reply = (struct seccomp_notif_resp){ .id = n->id, .val = a->ret };
		n->state = a->ret < 0 ? NOTIF_SENT : NOTIF_REPLIED;
	}
	a->done = true;
	waitq_wake_all(&a->wq);
}

/* Lock held and held again at the end. 0, or -ERESTARTSYS. */
static int notif_sleep(struct task *t, struct seccomp_listener *l, struct notif *n)
{
	bool killable = l->killable && n->state == NOTIF_SENT;
	int ret = 0;

	spin_unlock(&l->lock);
	if (killable)
		wait_event_killable(
			t, &n->wq, READ_ONCE(n->state) != NOTIF_SENT || !list_empty(&n->fds));
	else
		ret = wait_event_intr(
			&n->wq, READ_ONCE(n->state) == NOTIF_REPLIED || !list_empty(&n->fds));
	spin_lock(&l->lock);
	if (killable)
		return task_killed(t) && n->state == NOTIF_SENT ? -ERESTARTSYS : 0;
	/* It was received in the meantime: from now on only the end of the task counts. */
	return ret && l->killable && n->state == NOTIF_SENT ? 0 : ret;
}

/* Lock held: nobody finds it any more. */
static void notif_end(struct notif *n)
{
	struct notif_fd *a, *next;

	list_del(&n->link);
	list_for_each_entry_safe (a, next, &n->fds, link) {
		list_del(&a->link);
		a->ret = -ESRCH;
		a->done = true;
		waitq_wake_all(&a->wq);
	}
}

bool seccomp_notify(struct task *t, struct seccomp_listener *l, struct regs *r,
	const struct seccomp_data *data, s64 *ret)
{
	struct notif n = { .task = t, .data = data };
	int err = 0;

	*ret = -ENOSYS;
	if (!l)
		return false;
	list_init(&n.fds);
	waitq_init(&n.wq);
	spin_lock(&l->lock);
	if (l->closed) {
		spin_unlock(&l->lock);
		return false;
	}
	n.id = l->next_id++;
	list_add_tail(&l->queue, &n.link);
	spin_unlock(&l->lock);
	waitq_wake(&l->wq, 1, POLLIN | POLLRDNORM);
	spin_lock(&l->lock);
	while (n.state != NOTIF_REPLIED && !err) {
		err = notif_sleep(t, l, &n);
		while (!err && !list_empty(&n.fds))
			notif_take_fd(l, &n);
	}
	notif_end(&n);
	spin_unlock(&l->lock);
	if (!err && (n.reply.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE))
		return true;
	*ret = err ? err : n.reply.error ? n.reply.error : n.reply.val;
	/* An answer that looks like a call to be restarted is a number like others when no signal waits. */
	if (*ret <= -ERESTARTSYS && *ret >= -ERESTART_RESTARTBLOCK && !signal_pending(t))
		r->orig_rax = ~0UL;
	return false;
}

/* ---- the listener ---- */

static struct notif *listener_find(struct seccomp_listener *l, u64 id)
{
	struct notif *n;

	list_for_each_entry (n, &l->queue, link)
		if (n->id == id)
			return n;
	return NULL;
}

static bool listener_has_new(struct seccomp_listener *l)
{
	struct notif *n;
	bool found = false;

	spin_lock(&l->lock);
	list_for_each_entry (n, &l->queue, link)
		found |= n->state == NOTIF_NEW;
	found |= l->orphan;
	spin_unlock(&l->lock);
	return found;
}

static bool listener_receive(struct seccomp_listener *l, struct seccomp_notif *out)
{
	bool found = false;
	struct notif *n;

	memset(out, 0, sizeof(*out));
	spin_lock(&l->lock);
	list_for_each_entry (n, &l->queue, link) {
		if (n->state != NOTIF_NEW)
			continue;
		n->state = NOTIF_SENT;
		out->id = n->id;
		out->pid = (u32)pid_nr(n->task->id);
		out->data = *n->data;
		found = true;
		break;
	}
	spin_unlock(&l->lock);
	if (found)
		waitq_wake(&l->wq, 1, POLLOUT | POLLWRNORM);
	return found;
}

/* It did not reach the receiver: another one may have it. */
static void listener_take_back(struct seccomp_listener *l, u64 id)
{
	struct notif *n;

	spin_lock(&l->lock);
	n = listener_find(l, id);
	if (n && n->state == NOTIF_SENT) {
		n->state = NOTIF_NEW;
		waitq_wake_all(&n->wq);
	}
	spin_unlock(&l->lock);
	waitq_wake(&l->wq, 1, POLLIN | POLLRDNORM);
}

static s64 notif_recv(struct seccomp_listener *l, uaddr_t arg)
{
	struct seccomp_notif out;
	int ret;

	ret = check_zero_tail(arg, 0, sizeof(out));
	if (ret < 0)
		return ret == -E2BIG ? -EINVAL : ret;
	ret = wait_event_intr_exclusive(&l->wq, listener_has_new(l), WAIT_FOREVER);
	if (ret < 0)
		return ret;
	if (!listener_receive(l, &out))
		return -ENOENT;
	if (copy_to_user(arg, &out, sizeof(out)) == 0)
		return 0;
	listener_take_back(l, out.id);
	return -EFAULT;
}

static s64 notif_send(struct seccomp_listener *l, uaddr_t arg)
{
	struct seccomp_notif_resp reply;
	struct notif *n;
	s64 ret = 0;

	if (copy_from_user(&reply, arg, sizeof(reply)) < 0)
		return -EFAULT;
	if (reply.flags & ~(u32)SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		return -EINVAL;
	if (reply.flags && (reply.error || reply.val))
		return -EINVAL;
	spin_lock(&l->lock);
	n = listener_find(l, reply.id);
	if (!n) {
		ret = -ENOENT;
	} else if (n->state != NOTIF_SENT) {
		ret = -EINPROGRESS;
	} else {
		n->reply = reply;
		n->state = NOTIF_REPLIED;
		waitq_wake_all(&n->wq);
	}
	spin_unlock(&l->lock);
	return ret;
}

static s64 notif_valid(struct seccomp_listener *l, uaddr_t arg)
{
	struct notif *n;
	u64 id;
	s64 ret;

	if (get_user(id, arg) < 0)
		return -EFAULT;
	spin_lock(&l->lock);
	n = listener_find(l, id);
	ret = n && n->state == NOTIF_SENT ? 0 : -ENOENT;
	spin_unlock(&l->lock);
	return ret;
}

static s64 addfd_args(uaddr_t arg, u32 size, struct seccomp_notif_addfd *how)
{
	int ret;

	if (size < sizeof(*how) || size >= PAGE_SIZE)
		return -EINVAL;
	ret = check_zero_tail(arg, sizeof(*how), size);
	if (ret < 0)
		return ret;
	if (copy_from_user(how, arg, sizeof(*how)) < 0)
		return -EFAULT;
	if ((how->newfd_flags & ~(u32)O_CLOEXEC) ||
		(how->flags & ~(u32)(SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND)) ||
		(how->newfd && !(how->flags & SECCOMP_ADDFD_FLAG_SETFD)))
		return -EINVAL;
	return 0;
}

/* Lock held: hand a over to the task, which does the rest. */
static s64 addfd_queue(struct seccomp_listener *l, struct notif_fd *a)
{
	struct notif *n = listener_find(l, a->how.id);

	if (!n)
		return -ENOENT;
	if (n->state != NOTIF_SENT)
		return -EINPROGRESS;
	if (a->how.flags & SECCOMP_ADDFD_FLAG_SEND) {
		/* Those that were given earlier come first, and this is the last. */
		if (!list_empty(&n->fds))
			return -EBUSY;
		n->state = NOTIF_REPLIED;
	}
	list_add_tail(&n->fds, &a->link);
	waitq_wake_all(&n->wq);
	return 0;
}

static s64 addfd_wait(struct seccomp_listener *l, struct notif_fd *a)
{
	struct notif *n;
	bool untouched;
	s64 ret = wait_event_intr(&a->wq, READ_ONCE(a->done));

	spin_lock(&l->lock);
	untouched = !a->done && !list_empty(&a->link);
	if (untouched) {
		list_del(&a->link);
		n = listener_find(l, a->how.id);
		if (a->how.flags & SECCOMP_ADDFD_FLAG_SEND)
			n->state = NOTIF_SENT;
	}
	spin_unlock(&l->lock);
	if (untouched)
		return ret;
	/* The task is at it. */
	wait_event(&a->wq, READ_ONCE(a->done));
	spin_lock(&l->lock);
	ret = a->ret;
	spin_unlock(&l->lock);
	return ret;
}

static s64 notif_addfd(struct seccomp_listener *l, uaddr_t arg, u32 size)
{
	struct notif_fd a = { 0 };
	s64 ret = addfd_args(arg, size, &a.how);

	if (ret < 0)
		return ret;
	a.file = fd_get((int)a.how.srcfd);
	if (!a.file)
		return -EBADF;
	list_init(&a.link);
	waitq_init(&a.wq);
	spin_lock(&l->lock);
	ret = addfd_queue(l, &a);
	spin_unlock(&l->lock);
	if (ret == 0)
		ret = addfd_wait(l, &a);
	file_put(a.file);
	return ret;
}

static s64 notif_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct seccomp_listener *l = f->priv;

	switch (cmd) {
	case SECCOMP_IOCTL_NOTIF_RECV:
		return notif_recv(l, arg);
	case SECCOMP_IOCTL_NOTIF_SEND:
		return notif_send(l, arg);
	case SECCOMP_IOCTL_NOTIF_ID_VALID:
	case SECCOMP_IOR(2, __u64): /* its direction was wrong at first */
		return notif_valid(l, arg);
	default:
		break;
	}
	/* Its argument may grow, and be read or written. */
	if (_IOC_TYPE(cmd) == SECCOMP_IOC_MAGIC && _IOC_NR(cmd) == 3)
		return notif_addfd(l, arg, _IOC_SIZE(cmd));
	return -EINVAL;
}

static u32 notif_poll(struct file *f, struct poll_table *pt)
{
	struct seccomp_listener *l = f->priv;
	struct notif *n;
	u32 mask = 0;

	poll_wait(f, &l->wq, pt);
	spin_lock(&l->lock);
	list_for_each_entry (n, &l->queue, link) {
		if (n->state == NOTIF_NEW)
			mask |= POLLIN | POLLRDNORM;
		if (n->state == NOTIF_SENT)
			mask |= POLLOUT | POLLWRNORM;
	}
	if (l->orphan)
		mask |= POLLHUP;
	spin_unlock(&l->lock);
	return mask;
}

/* Nobody is left to answer. */
static void notif_release(struct file *f)
{
	struct seccomp_listener *l = f->priv;
	struct notif *n;

	spin_lock(&l->lock);
	l->closed = true;
	list_for_each_entry (n, &l->queue, link) {
		if (n->state == NOTIF_REPLIED)
			continue;
		n->reply = (struct seccomp_notif_resp){ .id = n->id, .error = -ENOSYS };
		n->state = NOTIF_REPLIED;
		waitq_wake_all(&n->wq);
	}
	spin_unlock(&l->lock);
	listener_put(l);
}

static const struct file_ops notif_ops = {
	.poll = notif_poll,
	.ioctl = notif_ioctl,
	.release = notif_release,
};

int seccomp_listener_create(bool killable, struct seccomp_listener **out, int *fd)
{
	struct seccomp_listener *l = kzalloc(sizeof(*l));
	struct file *f;

	if (!l)
		return -ENOMEM;
	ref_init(&l->ref);
	list_init(&l->queue);
	waitq_init(&l->wq);
	l->killable = killable;
	l->next_id = 1;
	f = file_create_anon(&notif_ops, l, O_RDWR, "anon_inode:seccomp notify");
	if (!f) {
		kfree(l);
		return -ENOMEM;
	}
	ref_get(&l->ref); /* the filter's */
	*fd = fd_install(f, O_CLOEXEC, 0);
	if (*fd < 0) {
		file_put(f);
		listener_put(l);
		return *fd;
	}
	*out = l;
	return 0;
}

void seccomp_listener_orphan(struct seccomp_listener *l)
{
	if (!l)
		return;
	spin_lock(&l->lock);
	l->orphan = true;
	spin_unlock(&l->lock);
	waitq_wake(&l->wq, INT_MAX, POLLHUP);
	listener_put(l);
}
