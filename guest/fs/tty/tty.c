/* SPDX-License-Identifier: Apache-2.0 */
/* The slave side of a terminal: read, write, poll, ioctl, job control, hang-up; /dev/tty and /dev/console. */
#include "fs/tty/tty.h"

#include <asm/ioctls.h>

#include "fs/async.h"
#include "fs/dev/dev.h"
#include "fs/internal.h"
#include "fs/lease.h"
#include "fs/poll.h"
#include "kernel/clock.h"
#include "task/internal.h"

#define TTY_CHUNK 512u

struct spinlock tty_session_lock; /* protects: session, pgrp of every tty; leaf */

void tty_wake(struct tty *tty)
{
	waitq_wake(&tty->rd, INT_MAX, POLLIN | POLLRDNORM | POLLHUP);
	waitq_wake(&tty->wr, INT_MAX, POLLOUT | POLLWRNORM | POLLHUP);
	waitq_wake(&tty->mrd, INT_MAX, POLLIN | POLLRDNORM | POLLHUP);
	waitq_wake(&tty->mwr, INT_MAX, POLLOUT | POLLWRNORM | POLLHUP);
}

void tty_wake_input(struct tty *tty)
{
	waitq_wake(&tty->rd, INT_MAX, POLLIN | POLLRDNORM | (tty_readable(tty) ? TELL_IN : 0));
}

void tty_wake_output(struct tty *tty)
{
	waitq_wake(&tty->wr, INT_MAX, POLLOUT | POLLWRNORM | TELL_SPACE);
}

/* ---- sessions ---- */
/* A member of the tty with a reference, or NULL. */
static struct pid *tty_pid(struct pid *const *slot)
{
	struct pid *p;

	spin_lock(&tty_session_lock);
	p = pid_get(*slot);
	spin_unlock(&tty_session_lock);
	return p;
}

/* The terminal of a process, or NULL. */
static struct tty *tty_of_group(struct group *g)
{
	struct tty *tty = READ_ONCE(g->tty);

	return tty && READ_ONCE(tty->session) == READ_ONCE(g->session) ? tty : NULL;
}

void tty_describe(struct group *g, const struct pid_ns *ns, int *tty_nr, int *tpgid)
{
	struct tty *tty = tty_of_group(g);
	struct pid *pgrp;

	*tty_nr = tty ? (int)dev_make(136, tty->index) : 0;
	*tpgid = -1;
	if (!tty)
		return;
	pgrp = tty_pid(&tty->pgrp);
	*tpgid = pid_nr_ns(pgrp, ns);
	pid_put(pgrp);
}

bool tty_has_pgrp(struct tty *tty)
{
	return READ_ONCE(tty->pgrp) != NULL;
}

void tty_signal_pgrp(struct tty *tty, int sig)
{
	struct pid *pgrp = tty_pid(&tty->pgrp);

	if (pgrp)
		signal_send_pgrp(pgrp, sig, NULL);
	pid_put(pgrp);
}

/* May a background process go on? 0, -EIO, or -ERESTARTSYS with the signal sent. */
static int tty_job_control(struct tty *tty, int sig)
{
	struct group *g = task_current() ? task_current()->group : NULL;
	const struct pid *pgrp;
	struct pid *own;
	u64 flags;
	int ret = -ERESTARTSYS;

	if (!g || tty_of_group(g) != tty)
		return 0;
	pgrp = READ_ONCE(tty->pgrp);
	if (!pgrp || READ_ONCE(g->pgrp) == pgrp)
		return 0;
	if (signal_is_held(sig))
		return sig == SIGTTIN ? -EIO : 0;
	flags = tree_lock();
	own = pid_get(g->pgrp);
	tree_unlock(flags);
	if (task_pgrp_orphaned(own, g->session))
		ret = -EIO;
	else
		signal_send_pgrp(own, sig, NULL);
	pid_put(own);
	return ret;
}

struct session_clear {
	struct tty *tty;
	const struct pid *session;
};

static bool session_forget(struct group *g, void *arg)
{
	struct session_clear *s = arg;

	if (g->tty == s->tty && g->session == s->session)
		atomic_store(&g->tty, (void *)NULL);
	return true;
}

/* The session loses its terminal. */
static void tty_drop_session(struct tty *tty)
{
	struct session_clear s = { tty, NULL };
	struct pid *session, *pgrp;

	spin_lock(&tty_session_lock);
	session = tty->session;
	pgrp = tty->pgrp;
	tty->session = tty->pgrp = NULL;
	spin_unlock(&tty_session_lock);
	s.session = session;
	if (session)
		group_for_each_in(&pid_ns_root, session_forget, &s);
	pid_put(session);
	pid_put(pgrp);
}

static void tty_set_session(struct tty *tty, struct group *g)
{
	u64 flags = tree_lock();

	spin_lock(&tty_session_lock);
	pid_assign(&tty->session, g->session);
	pid_assign(&tty->pgrp, g->pgrp);
	spin_unlock(&tty_session_lock);
	tree_unlock(flags);
	atomic_store(&g->tty, (void *)tty);
}

static int tty_take_session(struct tty *tty, struct file *f, bool steal)
{
	struct group *g = task_current() ? task_current()->group : NULL;

	if (!g)
		return -EPERM;
	if (g->session == g->id && READ_ONCE(tty->session) == g->id)
		return 0;
	if (g->session != g->id || tty_of_group(g))
		return -EPERM;
	if (READ_ONCE(tty->session)) {
		if (!steal || !fs_capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_drop_session(tty);
	}
	if (!(f->mode & FMODE_READ) && !fs_capable(CAP_SYS_ADMIN))
		return -EPERM;
	tty_set_session(tty, g);
	return 0;
}

void tty_hangup(struct tty *tty)
{
	mutex_lock(&tty->lock);
	tty->generation++;
	tty->slaves = 0;
	tty->other_closed = true;
	tty_flush_input(tty);
	mutex_unlock(&tty->lock);
	tty_signal_pgrp(tty, SIGHUP);
	tty_signal_pgrp(tty, SIGCONT);
	tty_drop_session(tty);
	tty_wake(tty);
}

/* The leader of a session ends. */
static void tty_session_ends(struct group *leader)
{
	struct tty *tty = tty_of_group(leader);

	if (tty)
		tty_hangup(tty);
}

/* ---- slave files ---- */
static struct tty *slave_tty(struct file *f)
{
	return f->priv;
}

static bool slave_hung(struct file *f)
{
	return READ_ONCE(slave_tty(f)->generation) != (u32)f->pos;
}

int tty_open_slave(struct tty *tty, struct file *f)
{
	int err = 0;

	mutex_lock(&tty->lock);
	if (!tty->in_use || !tty->master_open || tty->locked) {
		err = -EIO;
	} else {
		tty->slaves++;
		tty->other_closed = false;
		f->priv = tty;
		f->pos = tty->generation;
		f->mode |= FMODE_STREAM;
		f->ops = &tty_slave_ops;
	}
	mutex_unlock(&tty->lock);
	if (!err && !(f->flags & O_NOCTTY))
		tty_take_session(tty, f, false);
	return err;
}

static void slave_release(struct file *f)
{
	struct tty *tty = slave_tty(f);

	mutex_lock(&tty->lock);
	if (!slave_hung(f) && --tty->slaves == 0) {
		tty->other_closed = true;
		tty_flush_input(tty);
	}
	if (!tty->slaves && !tty->master_open)
		tty->in_use = false;
	mutex_unlock(&tty->lock);
	tty_wake(tty);
}

/* Wait for input. deadline 0: forever. 0 = something to look at, -EAGAIN, -ERESTARTSYS, -ETIMEDOUT. */
static int slave_wait(struct file *f, u64 deadline)
{
	struct tty *tty = slave_tty(f);

	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	return wait_event_intr_deadline(
		&tty->rd, tty_readable(tty) || slave_hung(f), deadline ? deadline : WAIT_FOREVER);
}

/* Copies what a read may have now, out of the lock. Bytes; *end: stop reading. -EFAULT. */
static s64 slave_copy(struct tty *tty, struct uio *u, bool *end)
{
	u8 buf[TTY_CHUNK];
	s64 done = 0;

	*end = false;
	while (u->left && !*end) {
		size_t n;

		mutex_lock(&tty->lock);
		n = tty_readable(tty) ? tty_take(tty, buf, MIN(u->left, sizeof(buf)), end) : 0;
		if (!n && !*end) {
			mutex_unlock(&tty->lock);
			break;
		}
		mutex_unlock(&tty->lock);
		if (n && uio_write(u, buf, n) != n)
			return done ? done : -EFAULT;
		done += (s64)n;
	}
	if (done)
		waitq_wake(&tty->mwr, INT_MAX, POLLOUT | POLLWRNORM);
	return done;
}

static s64 slave_read_line(struct file *f, struct uio *u)
{
	bool end = false;

	for (;;) {
		s64 n = slave_copy(slave_tty(f), u, &end);
		int err;

		if (n || end)
			return n;
		if (slave_hung(f))
			return 0;
		err = slave_wait(f, 0);
		if (err)
			return err;
		if (!(READ_ONCE(slave_tty(f)->t.c_lflag) & ICANON) && !tty_readable(slave_tty(f)))
			return 0;
	}
}

static s64 slave_read_raw(struct file *f, struct uio *u)
{
	struct tty *tty = slave_tty(f);
	u32 min = tty->t.c_cc[VMIN];
	u64 timeout = (u64)tty->t.c_cc[VTIME] * 100 * NSEC_PER_MSEC;
	u64 want = min ? MIN((u64)min, u->left) : 1;
	bool end;
	s64 done = 0;

	for (;;) {
		s64 n = slave_copy(tty, u, &end);
		int err;

		if (n < 0)
			return done ? done : n;
		done += n;
		if (!u->left || (u64)done >= want || slave_hung(f))
			return done;
		if (!min && !timeout)
			return done ? done : f->flags & O_NONBLOCK ? -EAGAIN : 0;
		err = slave_wait(f, timeout && (done || !min) ? clock_monotonic() + timeout : 0);
		if (err == -ETIMEDOUT)
			return done;
		if (err)
			return done ? done : err;
	}
}

static s64 slave_read(struct file *f, struct uio *u, u64 *pos)
{
	struct tty *tty = slave_tty(f);
	int err;

	(void)pos;
	if (slave_hung(f) || !u->left)
		return 0;
	err = tty_job_control(tty, SIGTTIN);
	if (err)
		return err;
	return tty->t.c_lflag & ICANON ? slave_read_line(f, u) : slave_read_raw(f, u);
}

static s64 slave_write(struct file *f, struct uio *u, u64 *pos)
{
	struct tty *tty = slave_tty(f);
	u8 buf[TTY_CHUNK];
	s64 done = 0;
	int err;

	(void)pos;
	if (slave_hung(f))
		return -EIO;
	if (tty->t.c_lflag & TOSTOP) {
		err = tty_job_control(tty, SIGTTOU);
		if (err)
			return err;
	}
	while (u->left) {
		size_t n = MIN(u->left, sizeof(buf)), put = 0;

		if (uio_read(u, buf, n) != n)
			return done ? done : -EFAULT;
		while (put < n) {
			size_t got;

			mutex_lock(&tty->lock);
			got = slave_hung(f) || !tty->master_open
				      ? 0
				      : tty_output(tty, buf + put, n - put);
			mutex_unlock(&tty->lock);
			waitq_wake(&tty->mrd, INT_MAX, POLLIN | POLLRDNORM | TELL_IN);
			put += got;
			done += (s64)got;
			if (put == n)
				break;
			if (slave_hung(f) || !READ_ONCE(tty->master_open))
				return done ? done : -EIO;
			file_async_full(f);
			if (f->flags & O_NONBLOCK)
				return done ? done : -EAGAIN;
			err = wait_event_intr(&tty->wr, !tty_output_full(tty) || slave_hung(f) ||
								!READ_ONCE(tty->master_open));
			if (err)
				return done ? done : err;
		}
	}
	return done;
}

/* Who gets SIGIO of a terminal: its foreground, or else the caller. */
void tty_async(struct tty *tty, struct file *f)
{
	struct pid *pgrp = tty_pid(&tty->pgrp);

	if (pgrp)
		file_change_owner(f, F_OWNER_PGRP, pgrp, false);
	else
		file_set_owner(f);
	pid_put(pgrp);
}

static void slave_async(struct file *f)
{
	tty_async(slave_tty(f), f);
}

static u32 slave_poll(struct file *f, struct poll_table *pt)
{
	struct tty *tty = slave_tty(f);
	u32 mask = 0;

	poll_wait(f, &tty->rd, pt);
	poll_wait(f, &tty->wr, pt);
	if (slave_hung(f))
		return POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
	if (tty_readable(tty))
		mask |= POLLIN | POLLRDNORM;
	if (!tty_output_full(tty))
		mask |= POLLOUT | POLLWRNORM;
	return mask;
}

/* ---- ioctl ---- */
static s64 ioctl_set_termios(struct tty *tty, const struct termios *t, u32 cmd)
{
	struct termios old;

	mutex_lock(&tty->lock);
	if (cmd == TCSETSF || cmd == TCSETSF2)
		tty_flush_input(tty);
	old = tty->t;
	tty->t = *t;
	tty_mode_changed(tty, &old);
	mutex_unlock(&tty->lock);
	tty_wake(tty);
	return 0;
}

/* The structure of System V: the low halves of the flags, eight control characters. */
static s64 ioctl_termio(struct tty *tty, u32 cmd, uaddr_t arg)
{
	static const u32 as_termios[] = { TCSETS, TCSETSW, TCSETSF };
	struct termios t = tty->t;
	struct termio old;
	int err;

	if (cmd == TCGETA) {
		memset(&old, 0, sizeof(old));
		old.c_iflag = (u16)t.c_iflag;
		old.c_oflag = (u16)t.c_oflag;
		old.c_cflag = (u16)t.c_cflag;
		old.c_lflag = (u16)t.c_lflag;
		old.c_line = t.c_line;
		memcpy(old.c_cc, t.c_cc, sizeof(old.c_cc));
		return copy_to_user(arg, &old, sizeof(old));
	}
	err = tty_job_control(tty, SIGTTOU);
	if (err)
		return err;
	if (copy_from_user(&old, arg, sizeof(old)))
		return -EFAULT;
	t.c_iflag = (t.c_iflag & ~0xffffu) | old.c_iflag;
	t.c_oflag = (t.c_oflag & ~0xffffu) | old.c_oflag;
	t.c_cflag = (t.c_cflag & ~0xffffu) | old.c_cflag;
	t.c_lflag = (t.c_lflag & ~0xffffu) | old.c_lflag;
	t.c_line = old.c_line;
	memcpy(t.c_cc, old.c_cc, sizeof(old.c_cc));
	return ioctl_set_termios(tty, &t, as_termios[cmd - TCSETA]);
}

static s64 ioctl_termios(struct tty *tty, u32 cmd, uaddr_t arg)
{
	struct termios2 t2;
	struct termios t;
	int err;

	memset(&t2, 0, sizeof(t2));
	switch (cmd) {
	case TCGETS:
		t = tty->t;
		return copy_to_user(arg, &t, sizeof(t));
	case TCGETS2:
		memcpy(&t2, &tty->t, sizeof(t));
		t2.c_ispeed = t2.c_ospeed = 38400;
		return copy_to_user(arg, &t2, sizeof(t2));
	default:
		break;
	}
	err = tty_job_control(tty, SIGTTOU);
	if (err)
		return err;
	if (cmd == TCSETS || cmd == TCSETSW || cmd == TCSETSF) {
		if (copy_from_user(&t, arg, sizeof(t)))
			return -EFAULT;
	} else {
		if (copy_from_user(&t2, arg, sizeof(t2)))
			return -EFAULT;
		memcpy(&t, &t2, sizeof(t));
	}
	return ioctl_set_termios(tty, &t, cmd);
}

static s64 ioctl_winsize(struct tty *tty, u32 cmd, uaddr_t arg)
{
	struct winsize w;
	bool changed;

	if (cmd == TIOCGWINSZ) {
		w = tty->size;
		return copy_to_user(arg, &w, sizeof(w));
	}
	if (copy_from_user(&w, arg, sizeof(w)))
		return -EFAULT;
	mutex_lock(&tty->lock);
	changed = memcmp(&w, &tty->size, sizeof(w)) != 0;
	tty->size = w;
	mutex_unlock(&tty->lock);
	if (changed)
		tty_signal_pgrp(tty, SIGWINCH);
	return 0;
}

/* Is a process of the group there, and one of them in the session? 0, -ESRCH, -EPERM. */
static int pgrp_check_locked(const struct pid *pgrp, const struct pid *session)
{
	struct group *g;
	int ret = -ESRCH;

	list_for_each_entry (g, &pid_ns_root.groups, ns_link) {
		if (g->pgrp != pgrp)
			continue;
		if (g->session == session)
			return 0;
		ret = -EPERM;
	}
	return ret;
}

static s64 ioctl_set_pgrp(struct tty *tty, uaddr_t arg)
{
	struct group *g = task_current()->group;
	struct pid *pgrp;
	int err, nr;
	u64 flags;

	if (tty_of_group(g) != tty)
		return -ENOTTY;
	err = tty_job_control(tty, SIGTTOU);
	if (err)
		return err;
	if (get_user(nr, arg))
		return -EFAULT;
	if (nr < 0)
		return -EINVAL;
	flags = tree_lock();
	pgrp = pid_find_locked(g->ns, nr);
	err = pgrp ? pgrp_check_locked(pgrp, g->session) : -ESRCH;
	spin_lock(&tty_session_lock);
	if (!err && tty->session == g->session)
		pid_assign(&tty->pgrp, pgrp);
	spin_unlock(&tty_session_lock);
	tree_unlock(flags);
	return err;
}

/* Leave the terminal; with the leader the whole session does. */
static void tty_give_up(struct tty *tty, struct group *g)
{
	if (g->session == g->id) {
		tty_signal_pgrp(tty, SIGHUP);
		tty_signal_pgrp(tty, SIGCONT);
		tty_drop_session(tty);
	}
	atomic_store(&g->tty, (void *)NULL);
}

static s64 ioctl_get_pid(struct pid *const *slot, uaddr_t arg)
{
	struct pid *p = tty_pid(slot);
	int nr = pid_nr(p);

	pid_put(p);
	return put_user(nr, arg);
}

static s64 ioctl_job(struct tty *tty, struct file *f, u32 cmd, u64 arg, bool master)
{
	struct group *g = task_current() ? task_current()->group : NULL;
	bool ours = g && tty_of_group(g) == tty;

	switch (cmd) {
	case TIOCSCTTY:
		return master ? -ENOTTY : tty_take_session(tty, f, arg == 1);
	case TIOCNOTTY:
		if (!ours)
			return -ENOTTY;
		tty_give_up(tty, g);
		return 0;
	case TIOCGPGRP:
		return master || ours ? ioctl_get_pid(&tty->pgrp, arg) : -ENOTTY;
	case TIOCGSID:
		if ((!master && !ours) || !READ_ONCE(tty->session))
			return -ENOTTY;
		return ioctl_get_pid(&tty->session, arg);
	default:
		return g ? ioctl_set_pgrp(tty, arg) : -ENOTTY;
	}
}

static s64 ioctl_flush(struct tty *tty, u64 arg)
{
	if (arg > TCIOFLUSH)
		return -EINVAL;
	mutex_lock(&tty->lock);
	if (arg != TCOFLUSH)
		tty_flush_input(tty);
	if (arg != TCIFLUSH)
		tty_flush_output(tty);
	mutex_unlock(&tty->lock);
	tty_wake(tty);
	return 0;
}

static s64 ioctl_flow(struct tty *tty, u64 arg)
{
	if (arg > TCION)
		return -EINVAL;
	if (arg == TCOOFF || arg == TCOON) {
		mutex_lock(&tty->lock);
		tty->stopped = arg == TCOOFF;
		mutex_unlock(&tty->lock);
		tty_wake(tty);
	}
	return 0;
}

static s64 ioctl_fake_input(struct tty *tty, uaddr_t arg)
{
	u8 c;

	if (!fs_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(c, arg))
		return -EFAULT;
	mutex_lock(&tty->lock);
	tty_receive(tty, &c, 1);
	mutex_unlock(&tty->lock);
	tty_wake_input(tty);
	tty_wake(tty);
	return 0;
}

static s64 ioctl_count(struct tty *tty, u32 cmd, uaddr_t arg)
{
	int n;

	mutex_lock(&tty->lock);
	n = cmd == FIONREAD ? (int)tty_available(tty) : (int)(tty->ohead - tty->otail);
	mutex_unlock(&tty->lock);
	return put_user(n, arg);
}

s64 tty_ioctl_common(struct tty *tty, struct file *f, u32 cmd, u64 arg, bool master)
{
	int zero = 0;

	switch (cmd) {
	case TCGETS:
	case TCGETS2:
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return ioctl_termios(tty, cmd, arg);
	case TCGETA:
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		return ioctl_termio(tty, cmd, arg);
	case TIOCGWINSZ:
	case TIOCSWINSZ:
		return ioctl_winsize(tty, cmd, arg);
	case TIOCSCTTY:
	case TIOCNOTTY:
	case TIOCGPGRP:
	case TIOCSPGRP:
	case TIOCGSID:
		return ioctl_job(tty, f, cmd, arg, master);
	case TCFLSH:
		return ioctl_flush(tty, arg);
	case TCXONC:
		return ioctl_flow(tty, arg);
	case TCSBRK:
	case TCSBRKP:
		return 0; /* no line to send a break on; output is delivered at once */
	case TIOCSTI:
		return ioctl_fake_input(tty, arg);
	case FIONREAD:
	case TIOCOUTQ:
		return ioctl_count(tty, cmd, arg);
	case TIOCGETD:
		return put_user(zero, arg);
	case TIOCSETD:
		return get_user(zero, arg) ? -EFAULT : zero ? -EINVAL : 0;
	case TIOCVHANGUP:
		if (!fs_capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_hangup(tty);
		return 0;
	default:
		return -ENOTTY;
	}
}

static s64 slave_ioctl(struct file *f, u32 cmd, u64 arg)
{
	if (slave_hung(f))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	return tty_ioctl_common(slave_tty(f), f, cmd, arg, false);
}

const struct file_ops tty_slave_ops = {
	.read = slave_read,
	.write = slave_write,
	.poll = slave_poll,
	.async = slave_async,
	.ioctl = slave_ioctl,
	.release = slave_release,
};

/* ---- /dev/tty, /dev/console ---- */
static s64 console_write(struct file *f, struct uio *u, u64 *pos)
{
	char line[256];
	s64 done = 0;

	(void)f;
	(void)pos;
	while (u->left) {
		size_t n = uio_read(u, line, MIN(u->left, sizeof(line) - 1));

		if (!n)
			return done ? done : -EFAULT;
		done += (s64)n;
		while (n && line[n - 1] == '\n')
			n--;
		line[n] = 0;
		if (n)
			log_info("console: %s", line);
	}
	return done;
}

static s64 console_read(struct file *f, struct uio *u, u64 *pos)
{
	(void)f;
	(void)u;
	(void)pos;
	return 0;
}

/* Without a terminal /dev/console is the sentry's log. */
static const struct file_ops console_ops = { .read = console_read, .write = console_write };

static int tty_dev_open(struct inode *inode, struct file *f)
{
	struct task *t = task_current();
	struct tty *tty = t ? tty_of_group(t->group) : NULL;

	switch (dev_minor(inode->rdev)) {
	case 0:
		f->flags |= O_NOCTTY;
		return tty ? tty_open_slave(tty, f) : -ENXIO;
	case 1:
		f->flags |= O_NOCTTY;
		if (tty)
			return tty_open_slave(tty, f);
		f->mode |= FMODE_STREAM;
		f->ops = &console_ops;
		return 0;
	default:
		return pty_open_master(inode, f);
	}
}

static int pts_open(struct inode *inode, struct file *f)
{
	struct tty *tty = pty_of_inode(inode);

	return tty ? tty_open_slave(tty, f) : -EIO;
}

static struct chrdev tty_chrdev = { 5, 0, 3, tty_dev_open, NULL };
static struct chrdev pts_chrdev = { 136, 0, 1048576, pts_open, NULL };

void tty_init(void)
{
	chrdev_register(&tty_chrdev);
	chrdev_register(&pts_chrdev);
	task_session_exit = tty_session_ends;
	pty_init();
}
