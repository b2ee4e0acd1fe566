/* SPDX-License-Identifier: Apache-2.0 */
/* signalfd(2): pending signals of the reading task, as records. */
#include "fs/anon.h"

/* The uapi header defines SFD_* by fcntl names only. */
#include <linux/signalfd.h>

#include "fs/internal.h"
#include "fs/poll.h"
#include "task/task.h"

struct signalfd {
	u64 mask; /* atomic */
};

static void signalfd_fill(struct signalfd_siginfo *o, const siginfo_t *i)
{
	memset(o, 0, sizeof(*o));
	o->ssi_signo = (u32)i->si_signo;
	o->ssi_errno = i->si_errno;
	o->ssi_code = i->si_code;
	if (i->si_signo == SIGCHLD && i->si_code > 0) {
		o->ssi_pid = (u32)i->si_pid;
		o->ssi_uid = i->si_uid;
		o->ssi_status = i->si_status;
		o->ssi_utime = (u64)i->si_utime;
		o->ssi_stime = (u64)i->si_stime;
	} else if (i->si_code > 0 && i->si_code != SI_KERNEL &&
		   (i->si_signo == SIGSEGV || i->si_signo == SIGBUS || i->si_signo == SIGILL ||
			   i->si_signo == SIGFPE)) {
		o->ssi_addr = (u64)i->si_addr;
	} else if (i->si_code == SI_TIMER) {
		o->ssi_tid = (u32)i->si_tid;
		o->ssi_overrun = (u32)i->si_overrun;
		o->ssi_ptr = (u64)i->si_ptr;
		o->ssi_int = i->si_int;
	} else {
		o->ssi_pid = (u32)i->si_pid;
		o->ssi_uid = i->si_uid;
		o->ssi_ptr = (u64)i->si_ptr;
		o->ssi_int = i->si_int;
	}
}

static s64 signalfd_read(struct file *f, struct uio *u, u64 *pos)
{
	struct signalfd *s = f->priv;
	struct signalfd_siginfo rec;
	siginfo_t info;
	s64 done = 0;

	(void)pos;
	if (u->left < sizeof(rec))
		return -EINVAL;
	while (u->left >= sizeof(rec)) {
		int sig = signal_take(atomic_load(&s->mask), &info), err;

		if (!sig) {
			if (done)
				break;
			if (f->flags & O_NONBLOCK)
				return -EAGAIN;
			err = wait_event_intr(&task_current()->group->signalfd_wq,
				signal_peek(atomic_load(&s->mask)));
			if (err)
				return err;
			continue;
		}
		signalfd_fill(&rec, &info);
		if (uio_write(u, &rec, sizeof(rec)) != sizeof(rec))
			return done ? done : -EFAULT;
		done += (s64)sizeof(rec);
	}
	return done;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct signalfd *s = f->priv;

	poll_wait(f, &task_current()->group->signalfd_wq, pt);
	return signal_peek(atomic_load(&s->mask)) ? POLLIN | POLLRDNORM : 0;
}

static void signalfd_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops signalfd_ops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
};

static u64 signalfd_clean(u64 mask)
{
	return mask & ~(1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1));
}

int signalfd_create(u64 mask, u32 flags, struct file **out)
{
	struct signalfd *s;

	s = kzalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->mask = signalfd_clean(mask);
	*out = file_create_anon(
		&signalfd_ops, s, O_RDWR | (flags & O_NONBLOCK), "anon_inode:[signalfd]");
	if (*out)
		return 0;
	kfree(s);
	return -ENFILE;
}

int signalfd_set(struct file *f, u64 mask)
{
	struct signalfd *s = f->priv;

	if (f->ops != &signalfd_ops)
		return -EINVAL;
	atomic_store(&s->mask, signalfd_clean(mask));
	waitq_wake_all(&task_current()->group->signalfd_wq);
	return 0;
}
