/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals: master files and devpts. Each devpts mount numbers its own pairs from 0. */
#include <asm/ioctls.h>

#include "fs/async.h"
#include "fs/internal.h"
#include "fs/path.h"
#include "fs/poll.h"
#include "fs/tty/tty.h"
#include "lib/printf.h"
#include "task/task.h"

#include <linux/fs.h>
#include "task/user_ns.h"

#define PTY_MAX		    1024u
#define PTY_CHUNK	    512u
#define PTMX_INO	    2u
#define DEVPTS_SUPER_MAGIC_ 0x1cd1u

struct devpts {
	struct mutex lock; /* protects: table */
	struct tty *table[PTY_MAX];
	u32 mode, uid, gid, ptmx_mode;
	bool set_uid, set_gid;
	struct inode *ptmx; /* reference */
};

/* Slots of dead pairs of unmounted instances, for the next ones: a tty is never given back. */
static struct mutex pty_pool_lock;
static struct tty *pty_pool[PTY_MAX];
static u32 pty_pool_n;
static const struct file_ops master_ops;

static struct devpts *devpts_of(const struct super *sb)
{
	return !strcmp(sb->fstype, "devpts") ? sb->priv : NULL;
}

/* ---- pairs ---- */
static struct tty *pty_alloc(void)
{
	struct tty *tty = NULL;

	mutex_lock(&pty_pool_lock);
	if (pty_pool_n)
		tty = pty_pool[--pty_pool_n];
	mutex_unlock(&pty_pool_lock);
	if (tty)
		return tty;
	tty = kzalloc(sizeof(*tty));
	if (!tty)
		return NULL;
	waitq_init(&tty->rd);
	waitq_init(&tty->wr);
	waitq_init(&tty->mrd);
	waitq_init(&tty->mwr);
	return tty;
}

static void pty_reset(struct tty *tty, u32 index)
{
	tty_init_termios(tty);
	memset(&tty->size, 0, sizeof(tty->size));
	tty->head = tty->canon = tty->tail = tty->ohead = tty->otail = 0;
	tty->column = tty->canon_column = 0;
	tty->literal_next = tty->stopped = tty->erasing = tty->packet = false;
	tty->packet_status = 0;
	tty->other_closed = false;
	tty->slaves = 0;
	tty->generation++;
	tty->index = index;
	tty->in_use = tty->master_open = tty->locked = true;
}

/* A free pair with the lowest number, made ready. NULL: none. */
static struct tty *pty_claim(struct devpts *d)
{
	struct tty *tty = NULL;

	mutex_lock(&d->lock);
	for (u32 i = 0; i < PTY_MAX; i++) {
		if (!d->table[i])
			d->table[i] = pty_alloc();
		if (!d->table[i])
			break;
		if (!d->table[i]->in_use) {
			tty = d->table[i];
			pty_reset(tty, i);
			break;
		}
	}
	mutex_unlock(&d->lock);
	return tty;
}

static struct inode *pty_inode(struct super *sb, struct devpts *d, struct tty *tty)
{
	struct inode *inode = inode_create(sb, tty->index + 3, S_IFCHR | d->mode);
	struct task *t = task_current();

	if (!inode)
		return NULL;
	inode_init_special(inode, dev_make(136, tty->index));
	inode->uid = d->set_uid ? d->uid : t ? t->cred->fsuid : 0;
	inode->gid = d->set_gid ? d->gid : t ? t->cred->fsgid : 0;
	inode->priv = tty;
	return inode;
}

struct tty *pty_of_inode(struct inode *inode)
{
	struct tty *tty = devpts_of(inode->sb) ? inode->priv : NULL;

	return tty && READ_ONCE(tty->inode) == inode ? tty : NULL;
}

/* ---- the master ---- */
/* The devpts instance of a ptmx node: its own, or the one mounted at "pts" beside it. */
static struct super *ptmx_super(struct inode *inode, struct file *f, struct path *pts)
{
	struct path dir = { f->path.mnt, NULL };
	int err;

	*pts = (struct path){ NULL, NULL };
	if (devpts_of(inode->sb))
		return inode->sb;
	dir.dentry = dentry_get_parent(f->path.dentry);
	err = path_lookup_cred(&dir, "pts", LOOKUP_FOLLOW, NULL, pts);
	dentry_put(dir.dentry);
	if (err)
		return NULL;
	return devpts_of(pts->mnt->sb) ? pts->mnt->sb : NULL;
}

int pty_open_master(struct inode *inode, struct file *f)
{
	struct path pts;
	struct super *sb = ptmx_super(inode, f, &pts);
	struct tty *tty = sb ? pty_claim(sb->priv) : NULL;
	int err = 0;

	if (!tty) {
		err = sb ? -ENOSPC : -ENODEV;
	} else {
		atomic_store(&tty->inode, pty_inode(sb, sb->priv, tty));
		if (!tty->inode) {
			tty->in_use = tty->master_open = false;
			err = -ENOMEM;
		}
	}
	path_put(&pts);
	if (err)
		return err;
	f->priv = tty;
	f->mode |= FMODE_STREAM;
	f->ops = &master_ops;
	return 0;
}

static void master_release(struct file *f)
{
	struct tty *tty = f->priv;
	struct inode *inode = tty->inode;

	struct devpts *d = devpts_of(inode->sb);

	tty_hangup(tty);
	mutex_lock(&d->lock);
	mutex_lock(&tty->lock);
	tty->master_open = false;
	tty->in_use = false;
	tty->inode = NULL;
	mutex_unlock(&tty->lock);
	mutex_unlock(&d->lock);
	tty_wake(tty);
	inode_put(inode);
}

static bool master_readable(struct tty *tty)
{
	return READ_ONCE(tty->ohead) != READ_ONCE(tty->otail) ||
	       (tty->packet && READ_ONCE(tty->packet_status));
}

static size_t master_take(struct tty *tty, u8 *buf, size_t n)
{
	size_t done = 0;

	mutex_lock(&tty->lock);
	if (tty->packet && n) {
		buf[done++] = tty->packet_status;
		if (tty->packet_status) {
			tty->packet_status = 0;
			n = 1;
		}
	}
	while (done < n && tty->otail != tty->ohead) {
		buf[done++] = tty->out[tty->otail & (TTY_OUTPUT_SIZE - 1)];
		WRITE_ONCE(tty->otail, tty->otail + 1);
	}
	mutex_unlock(&tty->lock);
	return done;
}

static s64 master_read(struct file *f, struct uio *u, u64 *pos)
{
	struct tty *tty = f->priv;
	u8 buf[PTY_CHUNK];
	s64 done = 0;

	(void)pos;
	if (!u->left)
		return 0;
	while (!master_readable(tty)) {
		int err;

		if (READ_ONCE(tty->other_closed))
			return -EIO;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_intr(
			&tty->mrd, master_readable(tty) || READ_ONCE(tty->other_closed));
		if (err)
			return err;
	}
	while (u->left && master_readable(tty)) {
		size_t n = master_take(tty, buf, MIN(u->left, sizeof(buf)));

		if (uio_write(u, buf, n) != n)
			return done ? done : -EFAULT;
		done += (s64)n;
		if (tty->packet)
			break;
	}
	tty_wake_output(tty);
	return done;
}

/* Room for input, or input that is not waited for: a full line buffer still takes editing keys. */
static bool master_writable(struct tty *tty)
{
	u32 used = READ_ONCE(tty->head) - READ_ONCE(tty->tail);

	return used < TTY_INPUT_SIZE - 128 ||
	       ((tty->t.c_lflag & ICANON) && READ_ONCE(tty->canon) == READ_ONCE(tty->tail));
}

static s64 master_write(struct file *f, struct uio *u, u64 *pos)
{
	struct tty *tty = f->priv;
	u8 buf[64]; /* less than the room that master_writable leaves */
	s64 done = 0;

	(void)pos;
	while (u->left) {
		size_t n = MIN(u->left, sizeof(buf));
		int err;

		if (!master_writable(tty)) {
			if (f->flags & O_NONBLOCK)
				return done ? done : -EAGAIN;
			err = wait_event_intr(&tty->mwr, master_writable(tty));
			if (err)
				return done ? done : err;
		}
		if (uio_read(u, buf, n) != n)
			return done ? done : -EFAULT;
		mutex_lock(&tty->lock);
		tty_receive(tty, buf, n);
		mutex_unlock(&tty->lock);
		done += (s64)n;
		tty_wake_input(tty);
		waitq_wake(&tty->mrd, INT_MAX,
			POLLIN | POLLRDNORM | (master_readable(tty) ? TELL_IN : 0));
		waitq_wake(&tty->wr, INT_MAX, POLLOUT | POLLWRNORM);
	}
	return done;
}

static void master_async(struct file *f)
{
	tty_async(f->priv, f);
}

static u32 master_poll(struct file *f, struct poll_table *pt)
{
	struct tty *tty = f->priv;
	u32 mask = 0;

	poll_wait(f, &tty->mrd, pt);
	poll_wait(f, &tty->mwr, pt);
	if (master_readable(tty))
		mask |= POLLIN | POLLRDNORM;
	if (tty->packet && tty->packet_status)
		mask |= POLLPRI;
	if (READ_ONCE(tty->other_closed))
		mask |= POLLHUP;
	if (master_writable(tty))
		mask |= POLLOUT | POLLWRNORM;
	return mask;
}

static int pty_slave_file(struct file *master, u32 flags, struct file **out)
{
	struct tty *tty = master->priv;
	struct path pts, p;
	char name[16];
	struct super *sb = ptmx_super(master->inode, master, &pts);
	int err;

	if (!sb)
		return -EIO;
	str_format(name, sizeof(name), "%u", tty->index);
	if (!pts.dentry) { /* the node is pts/ptmx: its mount is the instance */
		pts.mnt = master->path.mnt;
		pts.dentry = pts.mnt->root;
		path_get(&pts);
	}
	err = path_lookup_cred(&pts, name, 0, NULL, &p);
	path_put(&pts);
	if (err)
		return err;
	err = file_open_path(&p, flags, out);
	path_put(&p);
	return err;
}

static s64 ioctl_peer(struct file *f, u32 flags)
{
	struct file *slave;
	s64 fd;
	int err = pty_slave_file(f, flags, &slave);

	if (err)
		return err;
	fd = fd_install(slave, flags, 0);
	if (fd < 0)
		file_put(slave);
	return fd;
}

static s64 master_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct tty *tty = f->priv;
	int v = 0;

	switch (cmd) {
	case TIOCGPTN:
		return put_user(tty->index, arg);
	case TIOCSPTLCK:
		if (get_user(v, arg))
			return -EFAULT;
		tty->locked = v != 0;
		return 0;
	case TIOCGPTLCK:
		v = tty->locked;
		return put_user(v, arg);
	case TIOCPKT:
		if (get_user(v, arg))
			return -EFAULT;
		tty->packet = v != 0;
		return 0;
	case TIOCGPKT:
		v = tty->packet;
		return put_user(v, arg);
	case TIOCGPTPEER:
		return ioctl_peer(f, (u32)arg);
	case FIONREAD:
		v = (int)(tty->ohead - tty->otail);
		return put_user(v, arg);
	default:
		return tty_ioctl_common(tty, f, cmd, arg, true);
	}
}

static const struct file_ops master_ops = {
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.async = master_async,
	.ioctl = master_ioctl,
	.release = master_release,
};

/* ---- devpts ---- */
static int devpts_lookup(struct inode *dir, struct dentry *d)
{
	struct devpts *s = devpts_of(dir->sb);
	struct inode *inode = NULL;
	u32 n = 0;

	if (!strcmp(d->name, "ptmx")) {
		inode = s->ptmx;
		inode_get(inode);
	} else {
		for (const char *p = d->name; *p; p++) {
			if (*p < '0' || *p > '9' || n >= PTY_MAX || (*d->name == '0' && d->len > 1))
				return 0;
			n = n * 10 + (u32)(*p - '0');
		}
		mutex_lock(&s->lock);
		if (n < PTY_MAX && s->table[n] && s->table[n]->inode) {
			inode = s->table[n]->inode;
			inode_get(inode);
		}
		mutex_unlock(&s->lock);
	}
	if (inode)
		dentry_set_inode(d, inode);
	return 0;
}

static bool devpts_revalidate(struct dentry *d)
{
	struct inode *inode = dentry_inode(d);
	struct tty *tty = inode ? inode->priv : NULL;

	return inode && (!tty || READ_ONCE(tty->inode) == inode);
}

static int devpts_readdir(struct file *f, struct dir_emit *d)
{
	struct devpts *s = devpts_of(f->inode->sb);

	if (!dir_emit_dots(f, d))
		return 0;
	if (d->pos == 2) {
		if (!d->emit(d, "ptmx", 4, PTMX_INO, S_IFCHR >> 12, 3))
			return 0;
		d->pos = 3;
	}
	while (d->pos - 3 < PTY_MAX) {
		u32 i = (u32)(d->pos - 3);
		char name[16];
		struct tty *tty = READ_ONCE(s->table[i]);

		if (!tty)
			break; /* numbers are used from 0 on */
		if (READ_ONCE(tty->inode)) {
			int len = str_format(name, sizeof(name), "%u", i);

			if (!d->emit(d, name, (size_t)len, i + 3, S_IFCHR >> 12, d->pos + 1))
				break;
		}
		d->pos++;
	}
	return 0;
}

static s64 devpts_llseek(struct file *f, s64 off, int whence)
{
	return file_llseek_generic(f, off, whence, 0);
}

static const struct inode_ops devpts_dir_ops = {
	.lookup = devpts_lookup,
	.revalidate = devpts_revalidate,
};
static const struct file_ops devpts_dir_fops = {
	.readdir = devpts_readdir,
	.llseek = devpts_llseek,
};

static void devpts_destroy(struct super *sb)
{
	struct devpts *s = sb->priv;

	mutex_lock(&pty_pool_lock);
	for (u32 i = 0; i < PTY_MAX && s->table[i]; i++) {
		if (pty_pool_n < PTY_MAX && !s->table[i]->in_use)
			pty_pool[pty_pool_n++] = s->table[i];
	}
	mutex_unlock(&pty_pool_lock);
	kfree(s);
}

static void devpts_evict(struct inode *inode)
{
	struct devpts *s = devpts_of(inode->sb);

	/* The root goes last of what the mount holds; the ptmx node hangs on the instance. */
	if (S_ISDIR(inode->mode) && s->ptmx) {
		struct inode *ptmx = s->ptmx;

		s->ptmx = NULL;
		inode_put(ptmx);
	}
}

static int devpts_show_options(struct super *sb, char *buf, size_t size)
{
	struct devpts *s = sb->priv;
	int n = 0;

	buf[0] = 0;
	if (s->set_gid)
		n = str_format(buf, size, ",gid=%u", s->gid);
	n += str_format(
		buf + n, size - (size_t)n, ",mode=%03o,ptmxmode=%03o", s->mode, s->ptmx_mode);
	return n;
}

static const struct super_ops devpts_super_ops = {
	.evict_inode = devpts_evict,
	.destroy = devpts_destroy,
	.show_options = devpts_show_options,
};

static int devpts_option(struct devpts *s, const char *name, const char *value)
{
	u64 v = 0;
	bool octal = !strcmp(name, "mode") || !strcmp(name, "ptmxmode");

	if (!strcmp(name, "newinstance"))
		return 0;
	if (mount_option_number(value, octal ? 8 : 10, &v))
		return -EINVAL;
	if (!strcmp(name, "mode")) {
		s->mode = v & 0777;
	} else if (!strcmp(name, "ptmxmode")) {
		s->ptmx_mode = v & 0777;
	} else if (!strcmp(name, "uid")) {
		s->uid = uid_to_kernel((u32)v);
		s->set_uid = true;
	} else if (!strcmp(name, "gid")) {
		s->gid = gid_to_kernel((u32)v);
		s->set_gid = true;
	} else if (strcmp(name, "max") != 0) {
		return -EINVAL;
	}
	return 0;
}

static int devpts_parse(struct devpts *s, const char *data)
{
	char *copy, *cursor, *name, *value;
	int err = 0;

	s->mode = 0600;
	s->ptmx_mode = 0;
	copy = cursor = kstrdup(data ? data : "");
	if (!copy)
		return -ENOMEM;
	while (!err && mount_option_next(&cursor, &name, &value))
		err = devpts_option(s, name, value);
	kfree(copy);
	return err;
}

static int devpts_mount(const char *source, const char *data, u64 ms_flags, struct super **out)
{
	struct devpts *s = kzalloc(sizeof(*s));
	struct super *sb = NULL;
	struct inode *root;
	int err = s ? devpts_parse(s, data) : -ENOMEM;

	(void)source;
	(void)ms_flags;
	if (!err) {
		sb = super_create(&devpts_super_ops, "devpts", DEVPTS_SUPER_MAGIC_, s);
		err = sb ? 0 : -ENOMEM;
	}
	if (err) {
		kfree(s);
		return err;
	}
	sb->no_dcache = true;
	s->ptmx = inode_create(sb, PTMX_INO, S_IFCHR | s->ptmx_mode);
	root = s->ptmx ? inode_create(sb, 1, S_IFDIR | 0755) : NULL;
	if (!root) {
		if (s->ptmx)
			inode_put(s->ptmx);
		super_put(sb);
		return -ENOMEM;
	}
	inode_init_special(s->ptmx, dev_make(5, 2));
	root->ops = &devpts_dir_ops;
	root->fops = &devpts_dir_fops;
	err = super_set_root(sb, root);
	if (err)
		super_abort(sb);
	else
		*out = sb;
	return err;
}

static struct fs_type devpts_type = {
	.name = "devpts", .nodev = true, .userns = true, .mount = devpts_mount
};

void pty_init(void)
{
	fs_register(&devpts_type);
}

/* ---- for the agent ---- */
int pty_create(const struct path *root, struct file **master, struct file **slave)
{
	int err = file_open(root, "dev/pts/ptmx", O_RDWR | O_NOCTTY, 0, 0, master);

	if (err)
		return err;
	if ((*master)->ops != &master_ops) {
		file_put(*master);
		return -ENODEV;
	}
	((struct tty *)(*master)->priv)->locked = false;
	err = pty_slave_file(*master, O_RDWR | O_NOCTTY, slave);
	if (err)
		file_put(*master);
	return err;
}

int pty_set_size(struct file *master, u16 rows, u16 cols)
{
	struct tty *tty = master->priv;
	bool changed;

	if (master->ops != &master_ops)
		return -ENOTTY;
	mutex_lock(&tty->lock);
	changed = tty->size.ws_row != rows || tty->size.ws_col != cols;
	tty->size.ws_row = rows;
	tty->size.ws_col = cols;
	mutex_unlock(&tty->lock);
	if (changed)
		tty_signal_pgrp(tty, SIGWINCH);
	return 0;
}
