/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX message queues. */
#include "ipc/mqueue.h"
#include "kernel/waitq.h"
#include "net/netlink.h"
#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "syscall/time_user.h"
#include "task/signal.h"

s64 sys_mq_open(struct task *t, const struct sysargs *a)
{
	struct mq_create c = { .given = a->a[3] != 0 };
	u32 flags = (u32)a->a[1];
	struct upath name;
	struct file *f;
	s64 ret;

	if (c.given && copy_from_user(&c.attr, a->a[3], sizeof(c.attr)) < 0)
		return -EFAULT;
	ret = upath_get(&name, a->a[0]);
	if (ret < 0)
		return ret;
	ret = mq_open_file(name.name, flags, (u32)a->a[2], &c, &f);
	upath_put(&name);
	if (ret < 0)
		return ret;
	/* A queue is always closed by exec. */
	ret = fd_install(f, O_CLOEXEC, 0);
	if (ret < 0)
		file_put(f);
	return ret;
}

s64 sys_mq_unlink(struct task *t, const struct sysargs *a)
{
	struct upath name;
	s64 ret = upath_get(&name, a->a[0]);

	if (ret < 0)
		return ret;
	ret = mq_unlink_name(name.name);
	upath_put(&name);
	return ret;
}

/* The queue of a descriptor that allows `mode`. 0 with a reference on *f, or -EBADF. */
static s64 mq_get(int fd, u32 mode, struct file **f, struct mqueue **q)
{
	*f = fd_get(fd);
	if (!*f)
		return -EBADF;
	*q = mqueue_of(*f);
	if (*q && ((*f)->mode & mode) == mode)
		return 0;
	file_put(*f);
	return -EBADF;
}

static struct mq_msg *mq_message(uaddr_t src, u64 size, u32 prio, s64 *err)
{
	struct mq_msg *m = kmalloc(sizeof(*m) + size);

	*err = -ENOMEM;
	if (!m)
		return NULL;
	m->prio = prio;
	m->size = size;
	*err = copy_from_user(m->text, src, size);
	if (*err == 0)
		return m;
	kfree(m);
	return NULL;
}

s64 sys_mq_timedsend(struct task *t, const struct sysargs *a)
{
	struct mq_msg *m = NULL;
	struct mqueue *q;
	struct file *f;
	u64 deadline;
	s64 ret = get_deadline(a->a[4], true, &deadline);

	if (ret < 0)
		return ret;
	if ((u32)a->a[3] >= MQ_PRIO_MAX)
		return -EINVAL;
	ret = mq_get((int)a->a[0], FMODE_WRITE, &f, &q);
	if (ret < 0)
		return ret;
	if (a->a[2] > mqueue_message_size(q))
		ret = -EMSGSIZE;
	else
		m = mq_message(a->a[1], a->a[2], (u32)a->a[3], &ret);
	if (m) {
		ret = mqueue_send(q, m, f->flags & O_NONBLOCK ? 0 : deadline);
		if (ret < 0)
			kfree(m);
	}
	file_put(f);
	return ret;
}

s64 sys_mq_timedreceive(struct task *t, const struct sysargs *a)
{
	struct mq_msg *m;
	struct mqueue *q;
	struct file *f;
	u64 deadline;
	s64 ret = get_deadline(a->a[4], true, &deadline);

	if (ret < 0)
		return ret;
	ret = mq_get((int)a->a[0], FMODE_READ, &f, &q);
	if (ret < 0)
		return ret;
	if (a->a[2] < mqueue_message_size(q))
		ret = -EMSGSIZE;
	else
		ret = mqueue_receive(q, f->flags & O_NONBLOCK ? 0 : deadline, &m);
	file_put(f);
	if (ret < 0)
		return ret;
	ret = (s64)m->size;
	if ((a->a[3] && put_user(m->prio, a->a[3]) < 0) ||
		copy_to_user(a->a[1], m->text, m->size) < 0)
		ret = -EFAULT;
	kfree(m);
	return ret;
}

/* SIGEV_THREAD is the C library's: a thread of its reads what comes to a netlink socket, whose descriptor stands in for the signal. */
static s64 mq_notify_read(uaddr_t p, struct mq_notify *n)
{
	sigevent_t ev;

	if (copy_from_user(&ev, p, sizeof(ev)) < 0)
		return -EFAULT;
	n->how = ev.sigev_notify;
	n->signo = ev.sigev_signo;
	n->value = (u64)ev.sigev_value.sival_ptr;
	switch (n->how) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_SIGNAL:
		return n->signo < 0 || n->signo > SIG_MAX ? -EINVAL : 0;
	case SIGEV_THREAD:
		if (copy_from_user(n->cookie, n->value, sizeof(n->cookie)) < 0)
			return -EFAULT;
		return netlink_get(n->signo, &n->netlink);
	default:
		return -EINVAL;
	}
}

s64 sys_mq_notify(struct task *t, const struct sysargs *a)
{
	struct mq_notify n = { 0 };
	struct mqueue *q;
	struct file *f;
	s64 ret = a->a[1] ? mq_notify_read(a->a[1], &n) : 0;

	if (ret < 0)
		return ret;
	ret = mq_get((int)a->a[0], 0, &f, &q);
	if (ret < 0) {
		if (n.netlink)
			file_put(n.netlink);
		return ret;
	}
	ret = mqueue_notify(q, a->a[1] ? &n : NULL);
	file_put(f);
	return ret;
}

s64 sys_mq_getsetattr(struct task *t, const struct sysargs *a)
{
	struct mq_attr attr, old;
	struct mqueue *q;
	struct file *f;
	s64 ret;

	if (a->a[1] && copy_from_user(&attr, a->a[1], sizeof(attr)) < 0)
		return -EFAULT;
	if (a->a[1] && (attr.mq_flags & ~(s64)O_NONBLOCK))
		return -EINVAL;
	ret = mq_get((int)a->a[0], 0, &f, &q);
	if (ret < 0)
		return ret;
	mqueue_attr(q, &old);
	old.mq_flags = f->flags & O_NONBLOCK;
	if (a->a[1] && (attr.mq_flags & O_NONBLOCK))
		atomic_or(&f->flags, O_NONBLOCK);
	else if (a->a[1])
		atomic_and(&f->flags, ~(u32)O_NONBLOCK);
	file_put(f);
	return a->a[2] ? copy_to_user(a->a[2], &old, sizeof(old)) : 0;
}
