/* SPDX-License-Identifier: Apache-2.0 */
/* tmpfs directories: names in a hash table, and in a tree by cookie so that readdir positions stay valid while names come and go. */
#include "fs/tmpfs/tmpfs.h"

#include <linux/fs.h>

#include "fs/internal.h"
#include "task/cred.h"

#define TMPFS_MIN_BUCKETS 8u
#define TMPFS_MAX_BUCKETS 262144u
#define TMPFS_DIRENT_SIZE 20u /* what Linux adds to a directory's size for each name */

static struct tmpfs_dirent **bucket(struct tmpfs_node *n, u32 hash)
{
	hash ^= hash >> 15;
	return &n->buckets[hash & (n->nbuckets - 1)];
}

struct tmpfs_dirent *tmpfs_find(struct inode *dir, const char *name, size_t len)
{
	struct tmpfs_node *n = tmpfs_node(dir);
	u32 hash = dentry_hash_name(name, len);
	struct tmpfs_dirent *e;

	if (!n->nbuckets)
		return NULL;
	for (e = *bucket(n, hash); e; e = e->hash_next) {
		if (e->hash == hash && e->len == len && !memcmp(e->name, name, len))
			break;
	}
	return e;
}

/* Doubles the table when it is full. A failure only makes chains longer, except for the first table. */
static int buckets_grow(struct tmpfs_node *n)
{
	u32 size = n->nbuckets ? n->nbuckets * 2 : TMPFS_MIN_BUCKETS, old_size = n->nbuckets;
	struct tmpfs_dirent **old = n->buckets, **table;

	if (n->nentries < n->nbuckets || n->nbuckets >= TMPFS_MAX_BUCKETS)
		return 0;
	table = kzalloc(size * sizeof(*table));
	if (!table)
		return old ? 0 : -ENOMEM;
	n->buckets = table;
	n->nbuckets = size;
	for (u32 i = 0; i < old_size; i++) {
		struct tmpfs_dirent *e, *next;

		for (e = old[i]; e; e = next) {
			struct tmpfs_dirent **b = bucket(n, e->hash);

			next = e->hash_next;
			e->hash_next = *b;
			*b = e;
		}
	}
	kfree(old);
	return 0;
}

static struct tmpfs_dirent *dirent_alloc(const char *name, size_t len)
{
	struct tmpfs_dirent *e = kzalloc(sizeof(*e) + len + 1);

	if (!e)
		return NULL;
	memcpy(e->name, name, len);
	e->len = (u16)len;
	e->hash = dentry_hash_name(name, len);
	list_init(&e->grave);
	return e;
}

/* Puts a prepared entry into dir; buckets_grow was called. */
static void dirent_insert(struct inode *dir, struct tmpfs_dirent *e)
{
	struct tmpfs_node *n = tmpfs_node(dir);
	struct tmpfs_dirent **b = bucket(n, e->hash);
	struct rb_node **link = &n->entries.node, *parent = NULL;

	e->cookie = n->next_cookie++;
	e->hash_next = *b;
	*b = e;
	while (*link) {
		parent = *link;
		link = &parent->right; /* cookies only grow */
	}
	rb_insert(&n->entries, &e->node, parent, link);
	n->nentries++;
	dir->size += TMPFS_DIRENT_SIZE;
}

static void dirent_remove(struct inode *dir, struct tmpfs_dirent *e)
{
	struct tmpfs_node *n = tmpfs_node(dir);
	struct tmpfs_dirent **b = bucket(n, e->hash);

	while (*b != e)
		b = &(*b)->hash_next;
	*b = e->hash_next;
	rb_erase(&n->entries, &e->node);
	n->nentries--;
	dir->size -= TMPFS_DIRENT_SIZE;
}

int tmpfs_add(struct inode *dir, const char *name, struct inode *inode)
{
	struct tmpfs_dirent *e = dirent_alloc(name, strlen(name));

	if (!e || buckets_grow(tmpfs_node(dir)) < 0) {
		kfree(e);
		inode_put(inode);
		return -ENOMEM;
	}
	e->inode = inode;
	dirent_insert(dir, e);
	if (S_ISDIR(inode->mode))
		dir->nlink++;
	return 0;
}

int tmpfs_set(struct inode *dir, const char *name, struct inode *inode)
{
	struct tmpfs_dirent *e = tmpfs_find(dir, name, strlen(name));

	if (e) {
		struct inode *old = e->inode;

		e->inode = inode;
		inode_put(old);
		return 0;
	}
	e = dirent_alloc(name, strlen(name));
	if (!e || buckets_grow(tmpfs_node(dir)) < 0) {
		kfree(e);
		inode_put(inode);
		return -ENOMEM;
	}
	e->inode = inode;
	dirent_insert(dir, e);
	return 0;
}

void tmpfs_unset(struct inode *dir, const char *name)
{
	struct tmpfs_dirent *e = tmpfs_find(dir, name, strlen(name));

	if (!e)
		return;
	dirent_remove(dir, e);
	inode_put(e->inode);
	kfree(e);
}

bool tmpfs_only_holds(struct inode *dir, const struct inode *only)
{
	struct rb_node *n;

	for (n = rb_first(&tmpfs_node(dir)->entries); n; n = rb_next(n)) {
		if (rb_entry(n, struct tmpfs_dirent, node)->inode != only)
			return false;
	}
	return true;
}

void tmpfs_dir_free(struct inode *dir)
{
	struct tmpfs_node *n = tmpfs_node(dir);
	struct tmpfs_sb *sb = tmpfs_sb(dir->sb);
	struct rb_node *node;
	bool bury;

	spin_lock(&sb->lock);
	while ((node = n->entries.node) != NULL) {
		struct tmpfs_dirent *e = rb_entry(node, struct tmpfs_dirent, node);

		rb_erase(&n->entries, node);
		list_add_tail(&sb->graveyard, &e->grave);
	}
	bury = !sb->burying;
	sb->burying = true;
	while (bury && !list_empty(&sb->graveyard)) {
		struct tmpfs_dirent *e =
			list_first_entry(&sb->graveyard, struct tmpfs_dirent, grave);

		list_del(&e->grave);
		spin_unlock(&sb->lock);
		inode_put(e->inode);
		kfree(e);
		spin_lock(&sb->lock);
	}
	if (bury)
		sb->burying = false;
	spin_unlock(&sb->lock);
	kfree(n->buckets);
}

/* ---- inode operations; the directories' locks are held for writing ---- */
static int tmpfs_lookup(struct inode *dir, struct dentry *d)
{
	struct tmpfs_dirent *e = tmpfs_find(dir, d->name, d->len);

	if (e) {
		inode_get(e->inode);
		dentry_set_inode(d, e->inode);
	}
	return 0;
}

int tmpfs_instantiate(struct inode *dir, struct dentry *d, struct inode *inode)
{
	int err;

	if (!inode)
		return -ENOSPC;
	inode_get(inode);
	err = tmpfs_add(dir, d->name, inode);
	if (err) {
		inode_put(inode);
		return err;
	}
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
	dentry_set_inode(d, inode);
	return 0;
}

static int tmpfs_create(struct inode *dir, struct dentry *d, u32 mode, u32 uid, u32 gid)
{
	return tmpfs_instantiate(dir, d, tmpfs_inode(dir->sb, mode, uid, gid));
}

static int tmpfs_mknod(struct inode *dir, struct dentry *d, u32 mode, u32 dev, u32 uid, u32 gid)
{
	struct inode *inode = tmpfs_inode(dir->sb, mode, uid, gid);

	if (inode)
		inode_init_special(inode, dev);
	return tmpfs_instantiate(dir, d, inode);
}

static int tmpfs_symlink(struct inode *dir, struct dentry *d, const char *target, u32 uid, u32 gid)
{
	struct inode *inode = tmpfs_inode(dir->sb, S_IFLNK | 0777, uid, gid);

	if (inode) {
		tmpfs_node(inode)->target = kstrdup(target);
		inode->size = strlen(target);
		if (!tmpfs_node(inode)->target) {
			inode_put(inode);
			return -ENOMEM;
		}
	}
	return tmpfs_instantiate(dir, d, inode);
}

static int tmpfs_link(struct inode *inode, struct inode *dir, struct dentry *d)
{
	int err;

	inode_get(inode);
	err = tmpfs_instantiate(dir, d, inode);
	if (!err) {
		inode->nlink++;
		inode_touch(inode, ATTR_CTIME);
	}
	return err;
}

/* Takes the name out and drops the link count of what it named. */
static void tmpfs_drop_name(struct inode *dir, struct tmpfs_dirent *e)
{
	struct inode *inode = e->inode;

	dirent_remove(dir, e);
	if (S_ISDIR(inode->mode)) {
		inode->nlink = 0;
		dir->nlink--;
	} else {
		inode->nlink--;
	}
	inode_touch(inode, ATTR_CTIME);
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
	kfree(e);
	inode_put(inode);
}

static int tmpfs_unlink(struct inode *dir, struct dentry *d)
{
	struct tmpfs_dirent *e = tmpfs_find(dir, d->name, d->len);

	if (!e)
		return -ENOENT;
	tmpfs_drop_name(dir, e);
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, struct dentry *d)
{
	struct tmpfs_dirent *e = tmpfs_find(dir, d->name, d->len);

	if (!e)
		return -ENOENT;
	if (tmpfs_node(e->inode)->nentries)
		return -ENOTEMPTY;
	tmpfs_drop_name(dir, e);
	return 0;
}

static void tmpfs_move_links(struct inode *odir, struct inode *ndir, const struct inode *inode)
{
	if (S_ISDIR(inode->mode) && odir != ndir) {
		odir->nlink--;
		ndir->nlink++;
	}
}

static int tmpfs_exchange(
	struct inode *odir, struct tmpfs_dirent *oe, struct inode *ndir, struct tmpfs_dirent *ne)
{
	struct inode *tmp = oe->inode;

	tmpfs_move_links(odir, ndir, oe->inode);
	tmpfs_move_links(ndir, odir, ne->inode);
	oe->inode = ne->inode;
	ne->inode = tmp;
	inode_touch(oe->inode, ATTR_CTIME);
	inode_touch(ne->inode, ATTR_CTIME);
	inode_touch(odir, ATTR_MTIME | ATTR_CTIME);
	inode_touch(ndir, ATTR_MTIME | ATTR_CTIME);
	return 0;
}

/* What overlays take for "nothing here": a character device 0:0, which nobody can open. */
static struct inode *tmpfs_whiteout(struct super *sb)
{
	const struct cred *c = cred_current();

	return tmpfs_inode(sb, S_IFCHR, c->fsuid, c->fsgid);
}

static int tmpfs_rename(
	struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd, u32 flags)
{
	struct tmpfs_dirent *oe = tmpfs_find(odir, od->name, od->len);
	struct tmpfs_dirent *ne = tmpfs_find(ndir, nd->name, nd->len), *e;
	struct inode *whiteout = NULL;

	if (!oe)
		return -ENOENT;
	if (flags & RENAME_EXCHANGE)
		return ne ? tmpfs_exchange(odir, oe, ndir, ne) : -ENOENT;
	if (flags & ~(u32)(RENAME_NOREPLACE | RENAME_WHITEOUT))
		return -EINVAL;
	if (ne && S_ISDIR(ne->inode->mode) && tmpfs_node(ne->inode)->nentries)
		return -ENOTEMPTY;
	if (flags & RENAME_WHITEOUT) {
		whiteout = tmpfs_whiteout(odir->sb);
		if (!whiteout)
			return -ENOSPC;
	}
	e = dirent_alloc(nd->name, nd->len);
	if (!e || buckets_grow(tmpfs_node(ndir)) < 0) {
		kfree(e);
		if (whiteout)
			inode_put(whiteout);
		return -ENOMEM;
	}
	if (ne)
		tmpfs_drop_name(ndir, ne);
	e->inode = oe->inode;
	oe->inode = whiteout;
	if (!whiteout) {
		dirent_remove(odir, oe);
		kfree(oe);
	}
	dirent_insert(ndir, e);
	tmpfs_move_links(odir, ndir, e->inode);
	inode_touch(e->inode, ATTR_CTIME);
	inode_touch(odir, ATTR_MTIME | ATTR_CTIME);
	inode_touch(ndir, ATTR_MTIME | ATTR_CTIME);
	return 0;
}

static int tmpfs_tmpfile(struct inode *dir, u32 mode, u32 uid, u32 gid, struct inode **out)
{
	*out = tmpfs_inode(dir->sb, mode, uid, gid);
	if (!*out)
		return -ENOSPC;
	(*out)->nlink = 0;
	return 0;
}

/* First entry with a cookie >= pos. */
static struct tmpfs_dirent *dirent_from(struct tmpfs_node *n, u64 pos)
{
	struct rb_node *node = n->entries.node;
	struct tmpfs_dirent *best = NULL;

	while (node) {
		struct tmpfs_dirent *e = rb_entry(node, struct tmpfs_dirent, node);

		if (e->cookie >= pos) {
			best = e;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return best;
}

void tmpfs_read_names(struct inode *dir, struct dir_emit *d)
{
	struct tmpfs_dirent *e;

	for (e = dirent_from(tmpfs_node(dir), d->pos); e;) {
		struct rb_node *next;

		if (!d->emit(d, e->name, e->len, e->inode->ino, e->inode->mode >> 12 & 15,
			    e->cookie + 1))
			break;
		d->pos = e->cookie + 1;
		next = rb_next(&e->node);
		e = next ? rb_entry(next, struct tmpfs_dirent, node) : NULL;
	}
}

static int tmpfs_readdir(struct file *f, struct dir_emit *d)
{
	if (dir_emit_dots(f, d))
		tmpfs_read_names(f->inode, d);
	return 0;
}

static s64 tmpfs_dir_llseek(struct file *f, s64 off, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	return file_llseek_generic(f, off, whence, 0);
}

const struct file_ops tmpfs_dir_ops = {
	.readdir = tmpfs_readdir,
	.llseek = tmpfs_dir_llseek,
	.fsync = file_fsync_none,
};

s64 tmpfs_getxattr(struct inode *inode, const char *name, void *buf, size_t size)
{
	s64 n;

	rwsem_read_lock(&inode->lock);
	n = xattr_list_get(&tmpfs_node(inode)->xattrs, name, buf, size);
	rwsem_read_unlock(&inode->lock);
	return n;
}

int tmpfs_setxattr(struct inode *inode, const char *name, const void *val, size_t size, int flags)
{
	int err = xattr_list_set(&tmpfs_node(inode)->xattrs, name, val, size, flags);

	if (!err)
		inode_touch(inode, ATTR_CTIME);
	return err;
}

int tmpfs_removexattr(struct inode *inode, const char *name)
{
	int err = xattr_list_remove(&tmpfs_node(inode)->xattrs, name);

	if (!err)
		inode_touch(inode, ATTR_CTIME);
	return err;
}

s64 tmpfs_listxattr(struct inode *inode, char *buf, size_t size)
{
	s64 n;

	rwsem_read_lock(&inode->lock);
	n = xattr_list_names(&tmpfs_node(inode)->xattrs, buf, size, fs_capable(CAP_SYS_ADMIN));
	rwsem_read_unlock(&inode->lock);
	return n;
}

const struct inode_ops tmpfs_dir_inode_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.mkdir = tmpfs_create,
	.mknod = tmpfs_mknod,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.removexattr = tmpfs_removexattr,
	.listxattr = tmpfs_listxattr,
};
