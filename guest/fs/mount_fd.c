/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees of mounts that descriptors hold (open_tree, fsmount), and file systems that are being set up (fsopen, fspick). Such a tree lies in a
 * namespace that nobody can enter; move_mount takes it out of there, else it goes with the last close.
 */
#include "fs/mount_fd.h"

#include <linux/mount.h>

#include "fs/fdtable.h"
#include "fs/mount_tree.h"
#include "fs/super.h"
#include "lib/printf.h"
#include "task/task.h"
#include "task/user_ns.h"

#define FSCTX_DATA_MAX PAGE_SIZE /* as the data of mount(2) */

/* ---- detached trees ---- */
static void detached_release(struct file *f)
{
	mount_ns_put(f->priv);
}

static const struct file_ops detached_ops = { .release = detached_release };

int mount_open_detached(struct mount *top, struct file **out)
{
	struct mount_ns *ns = mount_ns_anon();
	struct path p = { top, top->root };
	int err;

	if (!ns) {
		mutex_lock(&mount_tree_mutex);
		mount_detach_tree(top);
		mutex_unlock(&mount_tree_mutex);
		return -ENOMEM;
	}
	path_get(&p);
	mutex_lock(&mount_tree_mutex);
	ns->root = top;
	mount_join_ns(top, ns);
	mutex_unlock(&mount_tree_mutex);
	err = file_open_path(&p, O_PATH, out);
	path_put(&p);
	if (err) {
		mount_ns_put(ns);
		return err;
	}
	(*out)->ops = &detached_ops;
	(*out)->priv = ns;
	return 0;
}

/* ---- file systems that are being set up ---- */
enum fsctx_phase {
	FSCTX_CREATE, /* takes options */
	FSCTX_MADE, /* waits for fsmount */
	FSCTX_CHANGE, /* takes options for a change */
	FSCTX_FAILED
};

struct fsctx {
	struct mutex lock; /* protects: all of it */
	enum fsctx_phase phase;
	struct fs_type *type; /* NULL: of fspick */
	char *source, *data; /* data: FSCTX_DATA_MAX bytes, or NULL */
	size_t len;
	bool ro, rw; /* asked for */
	struct mount *mnt; /* made and not taken yet */
	struct super *sb; /* that a change is for; active */
};

static void fsctx_release(struct file *f)
{
	struct fsctx *c = f->priv;

	if (c->mnt)
		mount_put(c->mnt);
	if (c->sb)
		super_deactivate(c->sb);
	kfree(c->source);
	kfree(c->data);
	kfree(c);
}

/* Messages: there are none. */
static s64 fsctx_read(struct file *f, struct uio *u, u64 *pos)
{
	(void)f;
	(void)u;
	(void)pos;
	return -ENODATA;
}

static const struct file_ops fsctx_ops = { .read = fsctx_read, .release = fsctx_release };

static int fsctx_create(struct fs_type *t, struct super *sb, struct file **out)
{
	struct fsctx *c = kzalloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->type = t;
	c->phase = t ? FSCTX_CREATE : FSCTX_CHANGE;
	*out = file_create_anon(&fsctx_ops, c, O_RDWR, "[fscontext]");
	if (!*out) {
		kfree(c);
		return -ENFILE;
	}
	if (sb) {
		super_activate(sb);
		c->sb = sb;
	}
	return 0;
}

int fsctx_open(const char *fstype, struct file **out)
{
	struct fs_type *t = fs_type_find(fstype);

	return t ? fsctx_create(t, NULL, out) : -ENODEV;
}

int fsctx_pick(const struct path *p, struct file **out)
{
	return p->dentry == p->mnt->root ? fsctx_create(NULL, p->mnt->sb, out) : -EINVAL;
}

/* Options of every file system. 1: it was one. */
static int fsctx_common(struct fsctx *c, const char *key)
{
	static const char *const ignored[] = { "sync", "async", "dirsync", "lazytime", "nolazytime",
		"mand", "nomand" };

	if (!strcmp(key, "ro") || !strcmp(key, "rw")) {
		c->ro = key[1] == 'o';
		c->rw = !c->ro;
		return 1;
	}
	for (u32 i = 0; i < ARRAY_SIZE(ignored); i++) {
		if (!strcmp(key, ignored[i]))
			return 1;
	}
	return 0;
}

static int fsctx_source(struct fsctx *c, const char *value)
{
	if (c->source || !value)
		return -EINVAL;
	c->source = kstrdup(value);
	return c->source ? 0 : -ENOMEM;
}

/* ",key=value" behind what there is. */
static int fsctx_append(struct fsctx *c, const char *key, const char *value)
{
	size_t n = strlen(key) + (value ? strlen(value) + 1 : 0) + 1;

	if (strchr(key, ',') || (value && strchr(value, ',')))
		return -EINVAL;
	if (!c->data)
		c->data = kmalloc(FSCTX_DATA_MAX);
	if (!c->data)
		return -ENOMEM;
	if (n + 1 > FSCTX_DATA_MAX - c->len)
		return -EINVAL;
	c->len += (size_t)str_format(c->data + c->len, FSCTX_DATA_MAX - c->len, "%s%s%s%s",
		c->len ? "," : "", key, value ? "=" : "", value ? value : "");
	return 0;
}

static int fsctx_option(struct fsctx *c, const char *key, const char *value)
{
	int err = c->phase == FSCTX_CREATE || c->phase == FSCTX_CHANGE ? 0 : -EBUSY;

	if (err || (!value && fsctx_common(c, key)))
		return err;
	if (c->phase == FSCTX_CHANGE)
		return -EINVAL; /* nothing else can be changed */
	if (!strcmp(key, "source"))
		return fsctx_source(c, value);
	if (c->type->check)
		err = c->type->check(key, value);
	return err ? err : fsctx_append(c, key, value);
}

static int fsctx_make(struct fsctx *c)
{
	int err;

	if (c->phase != FSCTX_CREATE)
		return -EBUSY;
	err = mount_make(c->type, c->source, c->ro ? MS_RDONLY : 0, c->data, &c->mnt);
	c->phase = err ? FSCTX_FAILED : FSCTX_MADE;
	return err;
}

static int fsctx_change(struct fsctx *c)
{
	struct super *sb = c->sb;

	if (c->phase != FSCTX_CHANGE)
		return -EBUSY;
	if (!ns_capable(sb->owner ? sb->owner : &user_ns_root, CAP_SYS_ADMIN))
		return -EPERM;
	if (c->ro || c->rw)
		sb->readonly = c->ro || sb->never_writable;
	c->ro = c->rw = false;
	return 0;
}

static struct fsctx *fsctx_of(struct file *f)
{
	return f->ops == &fsctx_ops ? f->priv : NULL;
}

int fsctx_set(struct file *f, const char *key, const char *value)
{
	struct fsctx *c = fsctx_of(f);
	int err;

	if (!c)
		return -EINVAL;
	mutex_lock(&c->lock);
	err = fsctx_option(c, key, value);
	mutex_unlock(&c->lock);
	return err;
}

int fsctx_command(struct file *f, bool create)
{
	struct fsctx *c = fsctx_of(f);
	int err;

	if (!c)
		return -EINVAL;
	mutex_lock(&c->lock);
	err = create ? fsctx_make(c) : fsctx_change(c);
	mutex_unlock(&c->lock);
	return err;
}

int fsctx_mount(struct file *f, u32 flags, struct file **out)
{
	struct fsctx *c = fsctx_of(f);
	struct mount *m = NULL;
	int err = c ? 0 : -EINVAL;

	if (err)
		return err;
	mutex_lock(&c->lock);
	if (c->phase != FSCTX_MADE) {
		err = c->phase == FSCTX_CREATE ? -EINVAL : -EBUSY;
	} else {
		m = c->mnt;
		c->mnt = NULL;
		c->phase = FSCTX_CHANGE;
		c->ro = c->rw = false;
		c->sb = m->sb;
		super_activate(c->sb);
	}
	mutex_unlock(&c->lock);
	if (err)
		return err;
	/* In a user namespace below, devices are out of the question. */
	m->flags = flags | (user_ns_current() != &user_ns_root ? MNT_NODEV : 0);
	return mount_open_detached(m, out);
}
