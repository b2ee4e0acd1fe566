/* SPDX-License-Identifier: Apache-2.0 */
/* overlay directories: merged lookup and reading, names made, removed and moved. The directories' locks are held for writing. */
#include <linux/fs.h>

#include "fs/internal.h"
#include "fs/overlay/overlay.h"
#include "fs/path.h"
#include "fs/tmpfs/tmpfs.h"

/* Mark of readdir positions in the lower directory. Those of hashed directories (ext4) use all of the lower 63 bits. */
#define OVL_LOWER_POS (1UL << 63)

static bool is_whiteout(struct inode *dir, const struct inode *inode)
{
	return inode == ovl_of(dir->sb)->whiteout;
}

int ovl_child(const struct path *dir, const char *name, size_t len, struct path *out)
{
	struct walk *w = kmalloc(sizeof(*w));
	struct dentry *d;
	int err = 0;

	if (!w)
		return -ENOMEM;
	w->cur = *dir;
	w->flags = 0;
	w->last = name;
	w->last_len = (u32)len;
	w->last_hash = dentry_hash_name(name, len);
	d = walk_lookup(w, &err);
	kfree(w);
	if (!d)
		return err;
	if (!dentry_inode(d)) {
		dentry_put(d);
		return -ENOENT;
	}
	out->dentry = d;
	out->mnt = dir->mnt;
	mount_get(out->mnt);
	return 0;
}

/* The lower object of a name, with references; 0 and an empty path when there is none. */
static int lower_lookup(struct inode *dir, const char *name, size_t len, struct path *out)
{
	struct ovl_node *n = ovl_node(dir);
	int err;

	*out = (struct path){ NULL, NULL };
	if (!n->lower.dentry || !S_ISDIR(dentry_inode(n->lower.dentry)->mode))
		return 0;
	err = ovl_child(&n->lower, name, len, out);
	return err == -ENOENT ? 0 : err;
}

static struct tmpfs_dirent *upper_find(struct inode *dir, const char *name, size_t len)
{
	struct inode *upper = ovl_node(dir)->upper;

	return upper ? tmpfs_find(upper, name, len) : NULL;
}

static int ovl_lookup(struct inode *dir, struct dentry *d)
{
	struct tmpfs_dirent *e = upper_find(dir, d->name, d->len);
	struct path lower = { NULL, NULL };
	struct inode *inode = NULL;
	int err = 0;

	if (e) {
		if (is_whiteout(dir, e->inode))
			return 0;
		err = ovl_inode(dir->sb, NULL, e->inode, &inode);
	} else {
		err = lower_lookup(dir, d->name, d->len, &lower);
		if (!err && lower.dentry)
			err = ovl_inode(dir->sb, &lower, NULL, &inode);
		path_put(&lower);
	}
	if (!err && inode)
		dentry_set_inode(d, inode);
	return err;
}

static void dir_changed(struct inode *dir)
{
	inode_touch(ovl_node(dir)->upper, ATTR_MTIME | ATTR_CTIME);
	ovl_mirror(dir);
}

/* ---- making ---- */
/* Names a new upper inode; consumes its reference. */
static int ovl_name_new(struct inode *dir, struct dentry *d, struct inode *upper)
{
	struct inode *inode = NULL;
	int err;

	if (!upper)
		return -ENOSPC;
	err = ovl_copy_up(dir, false);
	if (!err)
		err = ovl_inode(dir->sb, NULL, upper, &inode);
	if (!err) {
		inode_get(upper);
		err = tmpfs_set(ovl_node(dir)->upper, d->name, upper);
		if (err)
			inode_put(inode);
	}
	inode_put(upper);
	if (err)
		return err;
	if (S_ISDIR(upper->mode) && !ovl_node(dir)->lower.dentry)
		dir->nlink++;
	dir_changed(dir);
	dentry_set_inode(d, inode);
	return 0;
}

static struct inode *upper_new(struct inode *dir, u32 mode, u32 uid, u32 gid)
{
	struct inode *upper = tmpfs_inode(ovl_of(dir->sb)->upper_sb, mode, uid, gid);

	if (upper)
		upper->ino |= 1UL << 48; /* apart from the lower tree's numbers */
	return upper;
}

static int ovl_create_file(struct inode *dir, struct dentry *d, u32 mode, u32 uid, u32 gid)
{
	return ovl_name_new(dir, d, upper_new(dir, mode, uid, gid));
}

static int ovl_mknod(struct inode *dir, struct dentry *d, u32 mode, u32 dev, u32 uid, u32 gid)
{
	struct inode *upper = upper_new(dir, mode, uid, gid);

	if (upper)
		inode_init_special(upper, dev);
	return ovl_name_new(dir, d, upper);
}

static int ovl_symlink(struct inode *dir, struct dentry *d, const char *target, u32 uid, u32 gid)
{
	struct inode *upper = upper_new(dir, S_IFLNK | 0777, uid, gid);

	if (upper) {
		tmpfs_node(upper)->target = kstrdup(target);
		upper->size = strlen(target);
		if (!tmpfs_node(upper)->target) {
			inode_put(upper);
			return -ENOMEM;
		}
	}
	return ovl_name_new(dir, d, upper);
}

static int ovl_link(struct inode *inode, struct inode *dir, struct dentry *d)
{
	struct inode *upper;
	int err = ovl_copy_up(inode, true) ?: ovl_copy_up(dir, false);

	if (err)
		return err;
	upper = ovl_node(inode)->upper;
	inode_get(upper);
	err = tmpfs_set(ovl_node(dir)->upper, d->name, upper);
	if (err)
		return err;
	upper->nlink++;
	inode->nlink++;
	inode_touch(upper, ATTR_CTIME);
	ovl_mirror(inode);
	dir_changed(dir);
	inode_get(inode);
	dentry_set_inode(d, inode);
	return 0;
}

static int ovl_tmpfile(struct inode *dir, u32 mode, u32 uid, u32 gid, struct inode **out)
{
	struct inode *upper = upper_new(dir, mode, uid, gid);
	int err;

	if (!upper)
		return -ENOSPC;
	upper->nlink = 0;
	err = ovl_inode(dir->sb, NULL, upper, out);
	inode_put(upper);
	return err;
}

/* ---- removing ---- */
/* Takes a name away: hides a lower one, forgets an upper one. */
static int ovl_hide(struct inode *dir, const struct dentry *d)
{
	struct ovl *o = ovl_of(dir->sb);
	struct path lower;
	int err = ovl_copy_up(dir, false) ?: lower_lookup(dir, d->name, d->len, &lower);

	if (err)
		return err;
	if (lower.dentry) {
		path_put(&lower);
		inode_get(o->whiteout);
		return tmpfs_set(ovl_node(dir)->upper, d->name, o->whiteout);
	}
	tmpfs_unset(ovl_node(dir)->upper, d->name);
	return 0;
}

/* The object lost a name. */
static void ovl_drop_link(struct inode *inode)
{
	struct inode *upper = ovl_node(inode)->upper;

	inode->nlink = S_ISDIR(inode->mode) || !inode->nlink ? 0 : inode->nlink - 1;
	if (!upper)
		return;
	upper->nlink = inode->nlink;
	inode_touch(upper, ATTR_CTIME);
	ovl_mirror(inode);
	if (!upper->nlink && ovl_node(inode)->lower.dentry)
		ovl_forget_copy(inode->sb, upper);
}

static int ovl_unlink(struct inode *dir, struct dentry *d)
{
	int err = ovl_hide(dir, d);

	if (err)
		return err;
	dir_changed(dir);
	ovl_drop_link(dentry_inode(d));
	return 0;
}

struct ovl_empty {
	struct dir_emit emit;
	struct inode *dir;
	bool empty;
};

static bool empty_emit(struct dir_emit *d, const char *name, size_t len, u64 ino, u32 type, u64 off)
{
	struct ovl_empty *e = container_of(d, struct ovl_empty, emit);

	(void)ino;
	(void)type;
	(void)off;
	if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
		return true;
	if (upper_find(e->dir, name, len))
		return true; /* hidden, or counted above */
	e->empty = false;
	return false;
}

static int ovl_is_empty(struct inode *dir, bool *empty)
{
	struct ovl_node *n = ovl_node(dir);
	struct ovl_empty e = { .emit.emit = empty_emit, .dir = dir, .empty = true };
	struct file *f;
	int err = 0;

	*empty = !n->upper || tmpfs_only_holds(n->upper, ovl_of(dir->sb)->whiteout);
	if (!*empty || !n->lower.dentry)
		return 0;
	err = file_open_unchecked(&n->lower, O_RDONLY | O_DIRECTORY, &f);
	if (err)
		return err;
	rwsem_read_lock(&f->inode->lock);
	err = f->ops->readdir(f, &e.emit);
	rwsem_read_unlock(&f->inode->lock);
	file_put(f);
	*empty = e.empty;
	return err;
}

static int ovl_rmdir(struct inode *dir, struct dentry *d)
{
	struct inode *inode = dentry_inode(d);
	bool empty;
	int err = ovl_is_empty(inode, &empty);

	if (!err && !empty)
		err = -ENOTEMPTY;
	if (!err)
		err = ovl_hide(dir, d);
	if (err)
		return err;
	if (!ovl_node(dir)->lower.dentry && dir->nlink > 2)
		dir->nlink--;
	dir_changed(dir);
	ovl_drop_link(inode);
	return 0;
}

/* ---- renaming ---- */
static bool is_merged_dir(struct inode *inode)
{
	return S_ISDIR(inode->mode) && ovl_node(inode)->lower.dentry;
}

static int rename_prepare(struct inode *odir, struct inode *ndir, struct inode *inode)
{
	/* The directory's lower half cannot move. */
	if (is_merged_dir(inode))
		return -EXDEV;
	return ovl_copy_up(odir, false) ?: ovl_copy_up(ndir, false) ?: ovl_copy_up(inode, true);
}

static int rename_exchange(
	struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd)
{
	struct inode *a = dentry_inode(od), *b = dentry_inode(nd), *ua, *ub;
	int err = rename_prepare(odir, ndir, a) ?: rename_prepare(odir, ndir, b);

	if (err)
		return err;
	ua = ovl_node(a)->upper;
	ub = ovl_node(b)->upper;
	inode_get(ub);
	err = tmpfs_set(ovl_node(odir)->upper, od->name, ub);
	if (err)
		return err;
	inode_get(ua);
	err = tmpfs_set(ovl_node(ndir)->upper, nd->name, ua);
	if (err) { /* put the first name back: its entry exists, so this cannot fail */
		inode_get(ua);
		tmpfs_set(ovl_node(odir)->upper, od->name, ua);
	}
	return err;
}

static int ovl_rename(
	struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd, u32 flags)
{
	struct inode *inode = dentry_inode(od), *target = dentry_inode(nd), *upper;
	bool empty = true;
	int err;

	if (flags & RENAME_EXCHANGE) {
		err = rename_exchange(odir, od, ndir, nd);
		goto done;
	}
	if (flags & ~(u32)RENAME_NOREPLACE)
		return -EINVAL;
	if (target && S_ISDIR(target->mode))
		err = ovl_is_empty(target, &empty);
	else
		err = 0;
	if (!err && !empty)
		err = -ENOTEMPTY;
	if (!err)
		err = rename_prepare(odir, ndir, inode);
	if (err)
		return err;
	upper = ovl_node(inode)->upper;
	inode_get(upper);
	err = tmpfs_set(ovl_node(ndir)->upper, nd->name, upper);
	if (!err)
		err = ovl_hide(odir, od);
	if (!err && target)
		ovl_drop_link(target);
	if (!err)
		inode_touch(upper, ATTR_CTIME);
done:
	if (err)
		return err;
	dir_changed(odir);
	dir_changed(ndir);
	return 0;
}

/* ---- reading: the upper names, then the lower ones that they do not hide ---- */
/* Positions of the lower directory may use all 64 bits, so ours count its entries; the open file remembers which of its positions the next
 * count stands for, and a seek elsewhere counts again from the start. */
struct ovl_dir_file {
	struct file *lower;
	u64 index; /* entries of the lower directory passed so far */
	u64 pos; /* its position there */
};

struct ovl_emit {
	struct dir_emit emit; /* what the real directory gets */
	struct dir_emit *to;
	struct inode *dir;
	bool full;
	/* lower half only */
	u64 index, from; /* this entry's number; the first one that is wanted */
};

static bool is_dots(const char *name, size_t len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

static bool emit_upper(struct dir_emit *d, const char *name, size_t len, u64 ino, u32 type, u64 off)
{
	struct ovl_emit *e = container_of(d, struct ovl_emit, emit);
	struct tmpfs_dirent *up = upper_find(e->dir, name, len);

	if (up && is_whiteout(e->dir, up->inode))
		return true;
	e->full = !e->to->emit(e->to, name, len, ino, type, off);
	return !e->full;
}

static bool emit_lower(struct dir_emit *d, const char *name, size_t len, u64 ino, u32 type, u64 off)
{
	struct ovl_emit *e = container_of(d, struct ovl_emit, emit);

	(void)off;
	if (e->index >= e->from && !is_dots(name, len) && !upper_find(e->dir, name, len)) {
		if (!e->to->emit(e->to, name, len, ino, type, OVL_LOWER_POS + e->index + 1))
			return false;
	}
	e->index++;
	return true;
}

static struct ovl_dir_file *dir_file(struct file *f)
{
	struct ovl_dir_file *df = f->priv;

	if (df)
		return df;
	df = kzalloc(sizeof(*df));
	if (df && file_open_unchecked(
			  &ovl_node(f->inode)->lower, O_RDONLY | O_DIRECTORY, &df->lower) < 0) {
		kfree(df);
		df = NULL;
	}
	f->priv = df;
	return df;
}

static int read_lower(struct file *f, struct dir_emit *d)
{
	struct ovl_dir_file *df = dir_file(f);
	struct ovl_emit e = { .emit.emit = emit_lower, .to = d, .dir = f->inode };
	int err;

	if (!df)
		return -EIO;
	e.from = d->pos - OVL_LOWER_POS;
	if (e.from == df->index) {
		e.index = df->index;
		e.emit.pos = df->pos;
	}
	rwsem_read_lock(&df->lower->inode->lock);
	err = df->lower->ops->readdir ? df->lower->ops->readdir(df->lower, &e.emit) : -ENOTDIR;
	rwsem_read_unlock(&df->lower->inode->lock);
	df->index = e.index;
	df->pos = e.emit.pos;
	d->pos = OVL_LOWER_POS + e.index;
	return err;
}

static int ovl_readdir(struct file *f, struct dir_emit *d)
{
	struct ovl_node *n = ovl_node(f->inode);
	struct ovl_emit e = { .emit.emit = emit_upper, .to = d, .dir = f->inode };

	if (!dir_emit_dots(f, d))
		return 0;
	if (d->pos < OVL_LOWER_POS) {
		if (n->upper) {
			e.emit.pos = d->pos;
			tmpfs_read_names(n->upper, &e.emit);
			d->pos = e.emit.pos;
		}
		if (e.full || !n->lower.dentry)
			return 0;
		d->pos = OVL_LOWER_POS;
	}
	return read_lower(f, d);
}

static void ovl_dir_release(struct file *f)
{
	struct ovl_dir_file *df = f->priv;

	if (df)
		file_put(df->lower);
	kfree(df);
}

static s64 ovl_dir_llseek(struct file *f, s64 off, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	return file_llseek_generic(f, off, whence, 0);
}

const struct file_ops ovl_dir_ops = {
	.readdir = ovl_readdir,
	.llseek = ovl_dir_llseek,
	.release = ovl_dir_release,
	.fsync = file_fsync_none,
};

const struct inode_ops ovl_dir_inode_ops = {
	.lookup = ovl_lookup,
	.create = ovl_create_file,
	.mkdir = ovl_create_file,
	.mknod = ovl_mknod,
	.symlink = ovl_symlink,
	.link = ovl_link,
	.unlink = ovl_unlink,
	.rmdir = ovl_rmdir,
	.rename = ovl_rename,
	.tmpfile = ovl_tmpfile,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.removexattr = ovl_removexattr,
	.listxattr = ovl_listxattr,
};
