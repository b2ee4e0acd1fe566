/* SPDX-License-Identifier: Apache-2.0 */
/* The mechanics of procfs and sysfs: inodes from tables, generated text, directories. */
#include "fs/proc/proc.h"

#include <linux/fs.h>

#include "fs/internal.h"
#include "fs/poll.h"
#include "lib/printf.h"
#include "task/pid.h"
#include "task/task.h"

#define PROC_FIRST_DYN 1024u /* readdir positions: dots, table entries, then PROC_FIRST_DYN + key */
#define PROC_WRITE_MAX 4096u

static u64 proc_next_ino = 0x1000;
static const struct inode_ops proc_inode_ops, proc_magic_ops;
static const struct file_ops proc_file_ops, proc_poll_ops;

/* ---- text ---- */
static bool proc_reserve(struct proc_buf *b, size_t n)
{
	size_t size = b->size ? b->size : 1024;
	char *p;

	if (b->failed)
		return false;
	while (size < b->len + n + 1)
		size *= 2;
	if (size <= b->size)
		return true;
	p = size <= PROC_TEXT_MAX ? krealloc(b->text, b->size, size) : NULL;
	if (!p) {
		b->failed = true;
		return false;
	}
	b->text = p;
	b->size = size;
	return true;
}

void proc_printf(struct proc_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!proc_reserve(b, 128))
		return;
	va_start(ap, fmt);
	n = str_vformat(b->text + b->len, b->size - b->len, fmt, ap);
	va_end(ap);
	if ((size_t)n >= b->size - b->len) {
		if (!proc_reserve(b, (size_t)n))
			return;
		va_start(ap, fmt);
		str_vformat(b->text + b->len, b->size - b->len, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

void proc_write(struct proc_buf *b, const void *data, size_t len)
{
	if (!proc_reserve(b, len))
		return;
	memcpy(b->text + b->len, data, len);
	b->len += len;
}

void proc_pad(struct proc_buf *b, size_t line_start, size_t column)
{
	while (b->len - line_start < column && !b->failed)
		proc_write(b, " ", 1);
}

s64 proc_buf_read(const struct proc_buf *b, struct uio *u, u64 *pos)
{
	size_t n;

	if (*pos >= b->len || !u->left)
		return 0;
	n = MIN(b->len - *pos, u->left);
	n = uio_write(u, b->text + *pos, n);
	*pos += n;
	return n ? (s64)n : -EFAULT;
}

s64 proc_copy_text(struct uio *u, char **text)
{
	size_t len = MIN(u->left, (u64)PROC_WRITE_MAX - 1);

	*text = kmalloc(len + 1);
	if (!*text)
		return -ENOMEM;
	if (uio_read(u, *text, len) != len) {
		kfree(*text);
		return -EFAULT;
	}
	(*text)[len] = 0;
	return (s64)len;
}

bool proc_number(const char *s, u64 *out)
{
	u64 v = 0;

	if (*s < '0' || *s > '9' || (*s == '0' && s[1]))
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (u64)(*s - '0');
		if (v > INT32_MAX)
			return false;
	}
	*out = v;
	return !*s;
}

/* ---- inodes ---- */
/* consumes ctx->task */
static struct inode *proc_inode(struct super *sb, const struct proc_entry *e, struct proc_ctx *ctx)
{
	struct proc_node *n = kzalloc(sizeof(*n));
	struct inode *inode = n ? inode_create(sb, atomic_add(&proc_next_ino, 1), e->mode) : NULL;
	struct cred *c;

	if (!inode) {
		kfree(n);
		if (ctx->task)
			task_put(ctx->task);
		return NULL;
	}
	n->entry = e;
	n->ctx = *ctx;
	n->ctx.ns = sb->priv;
	inode->priv = n;
	inode->ops = e->follow ? &proc_magic_ops : &proc_inode_ops;
	if (S_ISDIR(e->mode))
		inode->fops = &proc_dir_ops;
	else
		inode->fops = e->fops ? e->fops : e->poll ? &proc_poll_ops : &proc_file_ops;
	if (ctx->task) {
		c = task_cred(ctx->task);
		inode->uid = c->euid;
		inode->gid = c->egid;
		cred_put(c);
	}
	return inode;
}

static void proc_evict(struct inode *inode)
{
	struct proc_node *n = proc_node(inode);

	if (n && n->ctx.task)
		task_put(n->ctx.task);
	kfree(n);
}

static void proc_destroy(struct super *sb)
{
	pid_ns_put(sb->priv);
}

static const struct super_ops proc_super_ops = {
	.evict_inode = proc_evict,
	.destroy = proc_destroy,
};

int proc_mount_tree(
	const char *fstype, u32 magic, const struct proc_entry *root, struct super **out)
{
	struct pid_ns *ns = pid_ns_current();
	struct super *sb = super_create(&proc_super_ops, fstype, magic, ns);
	struct proc_ctx none = { .task = NULL };
	struct inode *inode;
	int err;

	if (!sb)
		return -ENOMEM;
	pid_ns_get(ns);
	sb->no_dcache = true;
	inode = proc_inode(sb, root, &none);
	err = inode ? super_set_root(sb, inode) : -ENOMEM;
	if (err)
		super_abort(sb);
	else
		*out = sb;
	return err;
}

/* ---- directories ---- */
static bool proc_task_alive(struct proc_node *n)
{
	return !n->ctx.task || !READ_ONCE(n->ctx.task->dead) ||
	       n->ctx.task->group->leader == n->ctx.task;
}

static int proc_lookup(struct inode *dir, struct dentry *d)
{
	struct proc_node *n = proc_node(dir);
	const struct proc_entry *e = n->entry->children;
	struct proc_child child = { .entry = NULL };
	struct inode *inode;

	for (; e && e->name; e++) {
		if (!strcmp(e->name, d->name)) {
			child.entry = e;
			child.ctx = n->ctx;
			if (child.ctx.task)
				task_get(child.ctx.task);
			break;
		}
	}
	if (!child.entry && n->entry->dyn && n->entry->dyn->lookup(&n->ctx, d->name, &child) < 0)
		return -ENOENT; /* no negative names here: even mkdir says so */
	if (!child.entry)
		return -ENOENT;
	inode = proc_inode(dir->sb, child.entry, &child.ctx);
	if (!inode)
		return -ENOMEM;
	dentry_set_inode(d, inode);
	return 0;
}

/* Names of processes and descriptors come and go: a dentry that somebody holds is looked up again. */
static bool proc_revalidate(struct dentry *d)
{
	struct inode *inode = dentry_inode(d);
	struct proc_node *n;

	if (!inode)
		return false;
	n = proc_node(inode);
	return !n->ctx.task;
}

static bool proc_emit_child(struct dir_emit *d, const struct proc_child *c, u64 off)
{
	return d->emit(d, c->name, strlen(c->name), (u64)c->ctx.key + 0x100000000UL,
		c->entry->mode >> 12 & 15, off);
}

static void proc_readdir_dyn(struct proc_node *n, struct dir_emit *d)
{
	s64 key = d->pos > PROC_FIRST_DYN ? (s64)(d->pos - PROC_FIRST_DYN) : 0;
	struct proc_child child;

	while (n->entry->dyn->next(&n->ctx, &key, &child)) {
		bool taken = proc_emit_child(d, &child, (u64)key + PROC_FIRST_DYN + 1);

		if (child.ctx.task)
			task_put(child.ctx.task);
		if (!taken)
			return;
		key++;
		d->pos = (u64)key + PROC_FIRST_DYN;
	}
}

static int proc_readdir(struct file *f, struct dir_emit *d)
{
	struct proc_node *n = proc_node(f->inode);
	const struct proc_entry *table = n->entry->children;
	u64 i = 0;

	if (!proc_task_alive(n))
		return -ENOENT;
	if (!dir_emit_dots(f, d))
		return 0;
	for (; table && table[i].name; i++) {
		if (d->pos > i + 2)
			continue;
		if (!d->emit(d, table[i].name, strlen(table[i].name), (u64)&table[i] & 0xffffff,
			    table[i].mode >> 12 & 15, i + 3))
			return 0;
		d->pos = i + 3;
	}
	if (n->entry->dyn)
		proc_readdir_dyn(n, d);
	return 0;
}

static s64 proc_dir_llseek(struct file *f, s64 off, int whence)
{
	return file_llseek_generic(f, off, whence, 0);
}

const struct file_ops proc_dir_ops = {
	.readdir = proc_readdir,
	.llseek = proc_dir_llseek,
};

/* ---- links ---- */
static s64 proc_readlink(struct inode *inode, char *buf, size_t size)
{
	struct proc_node *n = proc_node(inode);

	return n->entry->link ? n->entry->link(&n->ctx, buf, size) : -EINVAL;
}

static int proc_follow(struct inode *inode, struct path *out)
{
	struct proc_node *n = proc_node(inode);

	return n->entry->follow(&n->ctx, out);
}

static int proc_open(struct inode *inode, struct file *f)
{
	f->ops = inode->fops;
	return 0;
}

static int proc_setattr(struct inode *inode, const struct setattr *a)
{
	if (a->valid & ~(u32)(ATTR_SIZE | ATTR_ATIME | ATTR_MTIME | ATTR_CTIME))
		return -EPERM;
	(void)inode;
	return 0;
}

static const struct inode_ops proc_inode_ops = {
	.lookup = proc_lookup,
	.revalidate = proc_revalidate,
	.readlink = proc_readlink,
	.open = proc_open,
	.setattr = proc_setattr,
};
static const struct inode_ops proc_magic_ops = {
	.readlink = proc_readlink,
	.follow = proc_follow,
	.setattr = proc_setattr,
};

/* ---- files ---- */
static int proc_generate(struct file *f)
{
	struct proc_node *n = proc_node(f->inode);
	struct proc_buf *b = f->priv;
	int err;

	if (!b) {
		b = f->priv = kzalloc(sizeof(*b));
		if (!b)
			return -ENOMEM;
	}
	b->len = 0;
	b->failed = false;
	err = n->entry->show ? n->entry->show(b, &n->ctx) : -EINVAL;
	return err ? err : b->failed ? -ENOMEM : 0;
}

static s64 proc_read(struct file *f, struct uio *u, u64 *pos)
{
	struct proc_buf *b = f->priv;

	if (!b || *pos == 0) {
		int err = proc_generate(f);

		if (err)
			return err;
		b = f->priv;
	}
	return proc_buf_read(b, u, pos);
}

static s64 proc_file_write(struct file *f, struct uio *u, u64 *pos)
{
	struct proc_node *n = proc_node(f->inode);
	char *text;
	s64 ret, len;

	(void)pos;
	if (!n->entry->write && !n->entry->write_file)
		return -EIO;
	len = proc_copy_text(u, &text);
	if (len < 0)
		return len;
	ret = n->entry->write_file ? n->entry->write_file(&n->ctx, f, text, (size_t)len)
				   : n->entry->write(&n->ctx, text, (size_t)len);
	kfree(text);
	return ret;
}

static u32 proc_poll(struct file *f, struct poll_table *pt)
{
	struct proc_node *n = proc_node(f->inode);

	return n->entry->poll ? n->entry->poll(f, pt) : POLL_DEFAULT_MASK;
}

static s64 proc_llseek(struct file *f, s64 off, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	return file_llseek_generic(f, off, whence, 0);
}

static void proc_release(struct file *f)
{
	struct proc_buf *b = f->priv;

	if (b)
		kfree(b->text);
	kfree(b);
}

static const struct file_ops proc_file_ops = {
	.read = proc_read,
	.write = proc_file_write,
	.llseek = proc_llseek,
	.release = proc_release,
};
/* Files that announce changes. */
static const struct file_ops proc_poll_ops = {
	.read = proc_read,
	.write = proc_file_write,
	.poll = proc_poll,
	.llseek = proc_llseek,
	.release = proc_release,
};

/* ---- types ---- */
/* hidepid and gid have no effect. */
static int proc_check(const char *name, const char *value)
{
	static const char *const hidepid[] = { "0", "1", "2", "4", "off", "noaccess", "invisible",
		"ptraceable" };
	u64 gid;

	if (!value)
		return -EINVAL;
	if (!strcmp(name, "gid"))
		return mount_option_number(value, 10, &gid) || gid > UINT32_MAX ? -EINVAL : 0;
	if (!strcmp(name, "subset"))
		return strcmp(value, "pid") ? -EINVAL : 0;
	for (u32 i = 0; !strcmp(name, "hidepid") && i < ARRAY_SIZE(hidepid); i++) {
		if (!strcmp(value, hidepid[i]))
			return 0;
	}
	return -EINVAL;
}

static int proc_mount(const char *source, const char *data, u64 ms_flags, struct super **out)
{
	const struct proc_entry *root = &proc_root_entry;
	char *copy = data ? kstrdup(data) : NULL, *cursor = copy, *name, *value;
	int err = data && !copy ? -ENOMEM : 0;

	(void)source;
	(void)ms_flags;
	while (!err && mount_option_next(&cursor, &name, &value)) {
		err = proc_check(name, value);
		if (!strcmp(name, "subset"))
			root = &proc_subset_entry;
	}
	kfree(copy);
	if (!err)
		err = proc_mount_tree("proc", 0x9fa0, root, out);
	if (!err)
		(*out)->partial = root != &proc_root_entry;
	return err;
}

static struct fs_type proc_type = { .name = "proc",
	.nodev = true,
	.userns = true,
	.visible = true,
	.mount = proc_mount,
	.check = proc_check };

void proc_init(void)
{
	fs_register(&proc_type);
}
