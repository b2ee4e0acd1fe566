/* SPDX-License-Identifier: Apache-2.0 */
/* Mounting an image. */
#include "fs/erofs/erofs.h"

#include "fs/hostfs/hostfs.h"
#include "fs/internal.h"

/* Bytes of the image, by its page cache. */
static int super_read(void *ctx, u64 off, void *buf, size_t len)
{
	struct inode *file = ctx;
	u8 *to = buf;

	while (len) {
		u64 at = off & (PAGE_SIZE - 1), n = MIN(len, PAGE_SIZE - at);
		struct page *p;
		int err = mapping_get_page(file->mapping, off >> PAGE_SHIFT, &p);

		if (err)
			return err;
		memcpy(to, (const u8 *)page_va(p) + at, n);
		page_put(p);
		to += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int erofs_statfs(struct super *sb, struct statfs_info *out)
{
	const struct erofs_image *im = &erofs_super(sb)->image;

	out->bsize = 1u << im->block_bits;
	out->blocks = im->blocks;
	out->files = ~0UL;
	out->ffree = ~0UL - im->inodes;
	out->namelen = EROFS_NAME_MAX;
	return 0;
}

static void erofs_destroy(struct super *sb)
{
	struct erofs_super *es = erofs_super(sb);

	super_abort(es->host);
	kfree(es);
}

static int erofs_show_options(struct super *sb, char *buf, size_t size)
{
	(void)sb;
	return (int)str_copy(buf, "user_xattr", size);
}

static const struct super_ops erofs_super_ops = {
	.statfs = erofs_statfs,
	.evict_inode = erofs_evict,
	.destroy = erofs_destroy,
	.show_options = erofs_show_options,
};

static int super_fill(struct super *sb)
{
	struct erofs_super *es = erofs_super(sb);
	struct erofs_source src = {
		.read = super_read, .ctx = es->file, .size = READ_ONCE(es->file->size)
	};
	int err = erofs_open(&es->image, &src);
	struct inode *root;

	if (!err)
		err = erofs_iget(sb, es->image.root, es->image.root, &root);
	if (err)
		return err;
	sb->blksize = 1u << es->image.block_bits;
	if (S_ISDIR(root->mode))
		return super_set_root(sb, root);
	inode_put(root);
	return -EINVAL;
}

/* host is consumed. */
static int super_new(struct super *host, struct super **out)
{
	struct erofs_super *es = kzalloc(sizeof(*es));
	struct super *sb = NULL;
	int err;

	if (es)
		sb = super_create(&erofs_super_ops, "erofs", EROFS_SUPER_MAGIC_V1, es);
	if (!sb) {
		kfree(es);
		super_abort(host);
		return -ENOMEM;
	}
	es->host = host;
	es->file = host->root->inode;
	es->lock.rank = 62;
	sb->readonly = true;
	sb->never_writable = true;
	err = super_fill(sb);
	if (err)
		super_abort(sb);
	else
		*out = sb;
	return err;
}

int erofs_mount_image(const char *tag, u32 number, struct super **out)
{
	struct super *host;
	int err = hostfs_image(tag, number, &host);

	return err ? err : super_new(host, out);
}

/* mount(2): images come from the host alone, and there are no block devices. */
static int erofs_mount(const char *source, const char *data, u64 ms_flags, struct super **out)
{
	struct path p;
	int err = source ? path_lookup(NULL, source, LOOKUP_FOLLOW, &p) : -EINVAL;

	(void)data;
	(void)ms_flags;
	(void)out;
	if (err)
		return err;
	err = S_ISBLK(dentry_inode(p.dentry)->mode) ? -ENXIO : -ENOTBLK;
	path_put(&p);
	return err;
}

void erofs_init(void)
{
	static struct fs_type type = { .name = "erofs", .mount = erofs_mount };

	fs_register(&type);
}
