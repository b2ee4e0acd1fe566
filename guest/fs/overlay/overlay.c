/* SPDX-License-Identifier: Apache-2.0 */
/* overlay: instances, nodes and copy-up. */
#include "fs/overlay/overlay.h"

#include <linux/fs.h>

#include "fs/internal.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/printf.h"

#define OVERLAYFS_MAGIC 0x794c7630u
#define OVL_CHUNK_ORDER 4u

static u32 ovl_hash(const void *p)
{
	u64 v = (u64)p >> 6;

	return (u32)((v ^ v >> 10) % OVL_BUCKETS);
}

struct inode *ovl_real(const struct inode *inode)
{
	struct ovl_node *n = ovl_node(inode);
	struct inode *upper = atomic_load(&n->upper);

	return upper ? upper : dentry_inode(n->lower.dentry);
}

void ovl_mirror(struct inode *inode)
{
	struct inode *real = ovl_real(inode);

	inode->mode = real->mode;
	inode->uid = real->uid;
	inode->gid = real->gid;
	inode->rdev = real->rdev;
	inode->blocks = real->blocks;
	inode->atime = real->atime;
	inode->mtime = real->mtime;
	inode->ctime = real->ctime;
	inode->btime = real->btime;
	inode->mapping = real->mapping;
	atomic_store(&inode->size, real->size);
}

/* ---- the tables; ovl->lock held ---- */
static struct ovl_copy *copy_find(struct ovl *o, const struct inode *lower)
{
	struct ovl_copy *c = o->copies[ovl_hash(lower)];

	while (c && c->lower != lower)
		c = c->next;
	return c;
}

static void live_insert(struct ovl *o, struct ovl_node *n, const void *key)
{
	struct ovl_node **b = &o->live[ovl_hash(key)];

	n->key = key;
	n->next = *b;
	*b = n;
}

static void live_remove(struct ovl *o, struct ovl_node *n)
{
	struct ovl_node **b = &o->live[ovl_hash(n->key)];

	while (*b && *b != n)
		b = &(*b)->next;
	if (*b)
		*b = n->next;
}

static struct inode *live_find(struct ovl *o, const void *key)
{
	struct ovl_node *n;

	for (n = o->live[ovl_hash(key)]; n; n = n->next) {
		if (n->key == key && inode_get_live(n->inode))
			return n->inode;
	}
	return NULL;
}

static void ovl_set_ops(struct inode *inode)
{
	if (S_ISDIR(inode->mode)) {
		inode->ops = &ovl_dir_inode_ops;
		inode->fops = &ovl_dir_ops;
		return;
	}
	inode->ops = &ovl_inode_ops;
	if (S_ISREG(inode->mode))
		inode->fops = &ovl_file_ops;
}

/* Makes a node for real objects that no live inode stands for. */
static int ovl_inode_new(
	struct super *sb, const struct path *lower, struct inode *upper, struct inode **out)
{
	struct inode *real = upper ? upper : dentry_inode(lower->dentry);
	struct ovl_node *n = kzalloc(sizeof(*n));
	struct inode *inode = n ? inode_create(sb, real->ino, real->mode) : NULL;

	if (!inode) {
		kfree(n);
		return -ENOMEM;
	}
	if (lower && lower->dentry) {
		n->lower = *lower;
		path_get(lower);
	}
	n->upper = upper;
	if (upper)
		inode_get(upper);
	n->inode = inode;
	inode->priv = n;
	ovl_mirror(inode);
	inode->nlink = S_ISDIR(real->mode) && n->lower.dentry ? 1 : real->nlink;
	ovl_set_ops(inode);
	if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode) && !S_ISLNK(inode->mode))
		inode_init_special(inode, real->rdev);
	live_insert(ovl_of(sb), n, real);
	*out = inode;
	return 0;
}

int ovl_inode(struct super *sb, const struct path *lower, struct inode *upper, struct inode **out)
{
	struct ovl *o = ovl_of(sb);
	int err = 0;

	mutex_lock(&o->lock);
	if (!upper && lower && lower->dentry) {
		struct ovl_copy *c = copy_find(o, dentry_inode(lower->dentry));

		upper = c ? c->upper : NULL;
	}
	*out = live_find(o, upper ? (void *)upper : (void *)dentry_inode(lower->dentry));
	if (!*out)
		err = ovl_inode_new(sb, lower, upper, out);
	mutex_unlock(&o->lock);
	return err;
}

static void ovl_evict(struct inode *inode)
{
	struct ovl *o = ovl_of(inode->sb);
	struct ovl_node *n = ovl_node(inode);

	if (!n)
		return;
	mutex_lock(&o->lock);
	live_remove(o, n);
	mutex_unlock(&o->lock);
	path_put(&n->lower);
	if (n->upper)
		inode_put(n->upper);
	kfree(n);
}

/* ---- copy-up ---- */
static int copy_data(struct ovl *o, const struct path *lower, struct inode *upper)
{
	void *buf = page_alloc_va(OVL_CHUNK_ORDER, 0);
	struct file *in = NULL, *out = NULL;
	u64 pos = 0;
	s64 n = -ENOMEM;

	if (!buf)
		return -ENOMEM;
	inode_get(upper);
	out = file_create_in(o->upper_mnt, upper, "copy", O_RDWR);
	if (!out)
		inode_put(upper);
	else
		n = file_open_unchecked(lower, O_RDONLY, &in);
	while (in && n >= 0) {
		n = file_read_kernel(in, buf, PAGE_SIZE << OVL_CHUNK_ORDER, pos);
		if (n <= 0)
			break;
		n = file_write_kernel(out, buf, (size_t)n, pos);
		if (n > 0)
			pos += (u64)n;
	}
	file_put(in);
	file_put(out);
	page_free_va(buf, OVL_CHUNK_ORDER);
	return n < 0 ? (int)n : 0;
}

static int copy_xattrs(struct inode *lower, struct inode *upper)
{
	size_t room = 16384;
	char *names, *value;
	s64 len;
	int err = 0;

	if (!lower->ops || !lower->ops->listxattr || !lower->ops->getxattr)
		return 0;
	names = kmalloc(room * 2);
	if (!names)
		return -ENOMEM;
	value = names + room;
	len = lower->ops->listxattr(lower, names, room);
	for (char *p = names; !err && len > 0 && p < names + len; p += strlen(p) + 1) {
		s64 n = lower->ops->getxattr(lower, p, value, room);

		if (n >= 0)
			err = xattr_list_set(&tmpfs_node(upper)->xattrs, p, value, (size_t)n, 0);
	}
	kfree(names);
	return err;
}

static int copy_link(struct inode *lower, struct inode *upper)
{
	char *body = kmalloc(PATH_MAX_LEN);
	s64 n = body ? inode_readlink(lower, body, PATH_MAX_LEN - 1) : -ENOMEM;

	if (n >= 0) {
		body[n] = 0;
		tmpfs_node(upper)->target = kstrdup(body);
		upper->size = (u64)n;
		if (!tmpfs_node(upper)->target)
			n = -ENOMEM;
	}
	kfree(body);
	return n < 0 ? (int)n : 0;
}

/* A tmpfs inode that looks like the lower object. */
static struct inode *copy_make(struct ovl *o, const struct path *from, bool data, int *err)
{
	struct inode *lower = dentry_inode(from->dentry);
	struct inode *upper = tmpfs_inode(o->upper_sb, lower->mode, lower->uid, lower->gid);

	*err = -ENOSPC;
	if (!upper)
		return NULL;
	*err = copy_xattrs(lower, upper);
	if (!*err && S_ISREG(lower->mode) && data)
		*err = copy_data(o, from, upper);
	if (!*err && S_ISLNK(lower->mode))
		*err = copy_link(lower, upper);
	if (*err) {
		inode_put(upper);
		return NULL;
	}
	upper->ino = lower->ino;
	upper->nlink = S_ISDIR(lower->mode) ? 2 : lower->nlink;
	upper->rdev = lower->rdev;
	upper->atime = lower->atime;
	upper->mtime = lower->mtime;
	upper->ctime = lower->ctime;
	upper->btime = lower->btime;
	return upper;
}

int ovl_copy_up(struct inode *inode, bool data)
{
	struct ovl *o = ovl_of(inode->sb);
	struct ovl_node *n = ovl_node(inode);
	struct inode *lower;
	struct ovl_copy *c;
	int err;

	if (n->upper)
		return 0;
	lower = dentry_inode(n->lower.dentry);
	c = kzalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->lower = lower;
	c->upper = copy_make(o, &n->lower, data, &err);
	if (!c->upper) {
		kfree(c);
		return err;
	}
	inode_get(lower);
	c->from = n->lower;
	path_get(&c->from);
	mutex_lock(&o->lock);
	live_remove(o, n);
	inode_get(c->upper);
	atomic_store(&n->upper, c->upper);
	live_insert(o, n, c->upper);
	c->next = o->copies[ovl_hash(lower)];
	o->copies[ovl_hash(lower)] = c;
	mutex_unlock(&o->lock);
	ovl_mirror(inode);
	return 0;
}

void ovl_forget_copy(struct super *sb, struct inode *upper)
{
	struct ovl *o = ovl_of(sb);
	struct ovl_copy *found = NULL;

	mutex_lock(&o->lock);
	for (u32 i = 0; i < OVL_BUCKETS && !found; i++) {
		struct ovl_copy **b = &o->copies[i];

		while (*b && (*b)->upper != upper)
			b = &(*b)->next;
		if (*b) {
			found = *b;
			*b = found->next;
		}
	}
	mutex_unlock(&o->lock);
	if (!found)
		return;
	inode_put(found->lower);
	inode_put(found->upper);
	path_put(&found->from);
	kfree(found);
}

/* ---- instances ---- */
static void ovl_destroy(struct super *sb)
{
	struct ovl *o = ovl_of(sb);

	for (u32 i = 0; i < OVL_BUCKETS; i++) {
		while (o->copies[i]) {
			struct ovl_copy *c = o->copies[i];

			o->copies[i] = c->next;
			inode_put(c->lower);
			inode_put(c->upper);
			path_put(&c->from);
			kfree(c);
		}
	}
	if (o->whiteout)
		inode_put(o->whiteout);
	if (o->upper_mnt)
		mount_put(o->upper_mnt);
	kfree(o->options);
	kfree(o);
}

static int ovl_statfs(struct super *sb, struct statfs_info *out)
{
	struct super *upper = ovl_of(sb)->upper_sb;

	return upper->ops->statfs(upper, out);
}

static int ovl_show_options(struct super *sb, char *buf, size_t size)
{
	return (int)str_copy(buf, ovl_of(sb)->options, size);
}

const struct super_ops ovl_super_ops = {
	.statfs = ovl_statfs,
	.evict_inode = ovl_evict,
	.destroy = ovl_destroy,
	.show_options = ovl_show_options,
};

static int ovl_upper(struct ovl *o, const char *tmpfs_options)
{
	int err = tmpfs_mount(NULL, tmpfs_options, 0, &o->upper_sb);

	if (err)
		return err;
	o->upper_mnt = mount_create_internal(o->upper_sb);
	if (!o->upper_mnt) {
		super_abort(o->upper_sb);
		return -ENOMEM;
	}
	o->whiteout = tmpfs_inode(o->upper_sb, S_IFCHR, 0, 0);
	return o->whiteout ? 0 : -ENOMEM;
}

static int ovl_create(const struct path *lower, const char *tmpfs_options, const char *options,
	struct super **out)
{
	struct ovl *o;
	struct super *sb;
	struct inode *root;
	int err;

	if (!S_ISDIR(dentry_inode(lower->dentry)->mode))
		return -ENOTDIR;
	o = kzalloc(sizeof(*o));
	sb = o ? super_create(&ovl_super_ops, "overlay", OVERLAYFS_MAGIC, o) : NULL;
	if (!sb) {
		kfree(o);
		return -ENOMEM;
	}
	o->options = kstrdup(options);
	err = o->options ? ovl_upper(o, tmpfs_options) : -ENOMEM;
	if (!err)
		err = ovl_inode(sb, lower, NULL, &root);
	if (!err)
		err = super_set_root(sb, root);
	if (err)
		super_abort(sb);
	else
		*out = sb;
	return err;
}

int overlay_mount_at(struct mount_ns *ns, const struct path *lower, const char *target,
	const char *tmpfs_options)
{
	struct super *sb;
	int err = ovl_create(lower, tmpfs_options, "", &sb);

	return err ? err : mount_super(ns, sb, "overlay", target, 0);
}

/* mount(2): lowerdir=DIR; upperdir and workdir must name directories of a tmpfs: the overlay keeps its changes in memory of its own. */
static int ovl_mount(const char *source, const char *data, u64 ms_flags, struct super **out)
{
	char *copy = kstrdup(data ? data : ""), *cursor = copy, *name, *value;
	const char *lowerdir = NULL;
	struct path lower;
	int err = copy ? 0 : -ENOMEM;

	(void)source;
	while (!err && mount_option_next(&cursor, &name, &value)) {
		if (!strcmp(name, "lowerdir") && value && !strchr(value, ':'))
			lowerdir = value;
		else
			err = -EINVAL; /* several layers and upper directories of one's own are not there */
	}
	if (!err && !lowerdir)
		err = -EINVAL;
	if (!err)
		err = path_lookup(NULL, lowerdir, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &lower);
	if (!err) {
		err = ovl_create(&lower, NULL, data, out);
		path_put(&lower);
	}
	if (!err)
		(*out)->readonly = ms_flags & MS_RDONLY;
	kfree(copy);
	return err;
}

static struct fs_type overlay_type = { .name = "overlay", .nodev = true, .mount = ovl_mount };

void overlay_init(void)
{
	fs_register(&overlay_type);
}
