/* SPDX-License-Identifier: Apache-2.0 */
/* overlay files: each open file has a real one behind it, exchanged when the object was copied up meanwhile. */
#include <linux/fs.h>

#include "fs/internal.h"
#include "fs/overlay/overlay.h"
#include "fs/tmpfs/tmpfs.h"

/* ---- attributes ---- */
int ovl_getattr(struct inode *inode)
{
	int err = inode_refresh(ovl_real(inode));

	if (!err)
		ovl_mirror(inode);
	return err;
}

int ovl_setattr(struct inode *inode, const struct setattr *a)
{
	/* Truncation to nothing needs no old data. */
	int err = ovl_copy_up(inode, !((a->valid & ATTR_SIZE) && a->size == 0));
	struct inode *upper;

	if (err)
		return err;
	upper = ovl_node(inode)->upper;
	rwsem_write_lock(&upper->lock);
	err = upper->ops->setattr ? upper->ops->setattr(upper, a) : inode_setattr_cached(upper, a);
	rwsem_write_unlock(&upper->lock);
	ovl_mirror(inode);
	return err;
}

s64 ovl_getxattr(struct inode *inode, const char *name, void *buf, size_t size)
{
	struct inode *real = ovl_real(inode);

	if (!real->ops || !real->ops->getxattr)
		return -EOPNOTSUPP;
	return real->ops->getxattr(real, name, buf, size);
}

s64 ovl_listxattr(struct inode *inode, char *buf, size_t size)
{
	struct inode *real = ovl_real(inode);

	return real->ops && real->ops->listxattr ? real->ops->listxattr(real, buf, size) : 0;
}

int ovl_setxattr(struct inode *inode, const char *name, const void *val, size_t size, int flags)
{
	int err = ovl_copy_up(inode, true);
	struct inode *upper = ovl_node(inode)->upper;

	if (err)
		return err;
	rwsem_write_lock(&upper->lock);
	err = upper->ops->setxattr(upper, name, val, size, flags);
	rwsem_write_unlock(&upper->lock);
	ovl_mirror(inode);
	return err;
}

int ovl_removexattr(struct inode *inode, const char *name)
{
	int err = ovl_copy_up(inode, true);
	struct inode *upper = ovl_node(inode)->upper;

	if (err)
		return err;
	rwsem_write_lock(&upper->lock);
	err = upper->ops->removexattr(upper, name);
	rwsem_write_unlock(&upper->lock);
	ovl_mirror(inode);
	return err;
}

static s64 ovl_readlink(struct inode *inode, char *buf, size_t size)
{
	return inode_readlink(ovl_real(inode), buf, size);
}

const struct inode_ops ovl_inode_ops = {
	.readlink = ovl_readlink,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.removexattr = ovl_removexattr,
	.listxattr = ovl_listxattr,
	.open = ovl_open,
};

/* ---- files ---- */
static int real_open(struct inode *inode, u32 flags, struct file **out)
{
	struct ovl_node *n = ovl_node(inode);
	struct inode *upper = atomic_load(&n->upper);

	if (!upper)
		return file_open_unchecked(&n->lower, O_RDONLY | (flags & O_NOATIME), out);
	inode_get(upper);
	*out = file_create_in(ovl_of(inode->sb)->upper_mnt, upper, "upper", flags);
	if (*out)
		return 0;
	inode_put(upper);
	return -ENFILE;
}

int ovl_open(struct inode *inode, struct file *f)
{
	struct file *real;
	int err = 0;

	if (f->mode & FMODE_WRITE) {
		rwsem_write_lock(&inode->lock);
		err = ovl_copy_up(inode, true);
		rwsem_write_unlock(&inode->lock);
	}
	if (!err)
		err = real_open(inode, f->flags, &real);
	if (err)
		return err;
	f->priv = real;
	f->ops = &ovl_file_ops;
	return 0;
}

static struct file *file_real(struct file *f)
{
	struct file *real;

	mutex_lock(&ovl_of(f->inode->sb)->lock);
	real = f->priv;
	file_get(real);
	mutex_unlock(&ovl_of(f->inode->sb)->lock);
	return real;
}

/* The real file, with a reference; the copy's as soon as there is one. NULL = no memory. */
static struct file *file_current(struct file *f)
{
	struct file *real = file_real(f), *fresh, *old;

	if (real->inode == ovl_real(f->inode))
		return real;
	file_put(real);
	if (real_open(f->inode, f->flags, &fresh))
		return NULL;
	file_get(fresh);
	mutex_lock(&ovl_of(f->inode->sb)->lock);
	old = f->priv;
	f->priv = fresh;
	mutex_unlock(&ovl_of(f->inode->sb)->lock);
	file_put(old);
	return fresh;
}

static s64 ovl_read(struct file *f, struct uio *u, u64 *pos)
{
	struct file *real = file_current(f);
	s64 n;

	if (!real)
		return -ENOMEM;
	n = real->ops->read ? real->ops->read(real, u, pos) : -EINVAL;
	file_put(real);
	return n;
}

static s64 ovl_write(struct file *f, struct uio *u, u64 *pos)
{
	struct file *real = file_current(f);
	s64 n;

	if (!real)
		return -ENOMEM;
	real->flags = f->flags; /* O_APPEND may have changed */
	n = real->ops->write(real, u, pos);
	ovl_mirror(f->inode);
	file_put(real);
	return n;
}

static s64 ovl_llseek(struct file *f, s64 off, int whence)
{
	return file_llseek_generic(f, off, whence, ovl_real(f->inode)->size);
}

static int ovl_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct file *real = file_current(f);
	int err;

	if (!real)
		return -ENOMEM;
	err = real->ops->fallocate ? real->ops->fallocate(real, mode, off, len) : -EOPNOTSUPP;
	ovl_mirror(f->inode);
	file_put(real);
	return err;
}

static int ovl_mmap(struct file *f, struct vma *vma)
{
	(void)vma;
	return f->inode->mapping ? 0 : -ENODEV;
}

static void ovl_release(struct file *f)
{
	if (f->priv)
		file_put(f->priv);
}

const struct file_ops ovl_file_ops = {
	.read = ovl_read,
	.write = ovl_write,
	.llseek = ovl_llseek,
	.mmap = ovl_mmap,
	.fsync = file_fsync_none,
	.fallocate = ovl_fallocate,
	.release = ovl_release,
};
