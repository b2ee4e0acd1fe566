/* SPDX-License-Identifier: Apache-2.0 */
/* Directories. A position is the offset of an entry in the directory's bytes, as on Linux; "." and ".." are entries of the image. */
#include "fs/erofs/erofs.h"

#include "fs/internal.h"

/* As d_type has them, by enum erofs_type. */
static const u8 dir_types[EROFS_TYPES] = {
	[EROFS_TYPE_REG] = S_IFREG >> 12,
	[EROFS_TYPE_DIR] = S_IFDIR >> 12,
	[EROFS_TYPE_CHR] = S_IFCHR >> 12,
	[EROFS_TYPE_BLK] = S_IFBLK >> 12,
	[EROFS_TYPE_FIFO] = S_IFIFO >> 12,
	[EROFS_TYPE_SOCK] = S_IFSOCK >> 12,
	[EROFS_TYPE_LNK] = S_IFLNK >> 12,
};

static int erofs_lookup(struct inode *dir, struct dentry *d)
{
	const struct erofs_image *im = &erofs_super(dir->sb)->image;
	const struct erofs_inode *disk = &erofs_node(dir)->disk;
	struct erofs_names n = { .buf = kmalloc(EROFS_BLOCK_MAX) };
	struct erofs_dirent e;
	struct inode *inode;
	int err = -ENOMEM;

	if (n.buf)
		err = erofs_dir_find(im, disk, d->name, d->len, &n, &e);
	kfree(n.buf);
	if (!err)
		err = erofs_iget(dir->sb, e.nid, disk->nid, &inode);
	if (!err)
		dentry_set_inode(d, inode);
	return err == -ENOENT ? 0 : err;
}

/* What a block has from the position on. False: the reader has enough. */
static bool dir_emit_block(struct dir_emit *d, const struct erofs_names *n, u64 start)
{
	const u32 size = sizeof(struct erofs_disk_dirent);

	for (u32 i = (u32)(d->pos - start + size - 1) / size; i < n->count; i++) {
		u64 next = start + (u64)(i + 1) * size;
		struct erofs_dirent e;

		erofs_dir_entry(n, i, &e);
		if (!d->emit(d, e.name, e.len, e.nid, dir_types[e.type], next))
			return false;
		d->pos = next;
	}
	return true;
}

static int erofs_readdir(struct file *f, struct dir_emit *d)
{
	const struct erofs_image *im = &erofs_super(f->inode->sb)->image;
	const struct erofs_inode *disk = &erofs_node(f->inode)->disk;
	struct erofs_names n = { .buf = kmalloc(EROFS_BLOCK_MAX) };
	int err = n.buf ? 0 : -ENOMEM;

	while (!err && d->pos < disk->size) {
		u64 block = d->pos >> im->block_bits;

		err = erofs_dir_block(im, disk, block, &n);
		if (err || !dir_emit_block(d, &n, block << im->block_bits))
			break;
		d->pos = MIN((block + 1) << im->block_bits, disk->size);
	}
	kfree(n.buf);
	return err;
}

static s64 erofs_dir_llseek(struct file *f, s64 off, int whence)
{
	return file_llseek_generic(f, off, whence, f->inode->size);
}

const struct inode_ops erofs_dir_inode_ops = {
	.lookup = erofs_lookup,
	.getxattr = erofs_getxattr,
	.listxattr = erofs_listxattr,
};

const struct file_ops erofs_dir_ops = {
	.readdir = erofs_readdir,
	.llseek = erofs_dir_llseek,
};
