/* SPDX-License-Identifier: Apache-2.0 */
/* Contents of files. */
#include "fs/erofs/erofs.h"

#include "fs/hostfs/hostfs.h"
#include "fs/internal.h"

/* A page of which no piece is large: by the image's page cache. What lies behind the file's end is zeroes. */
static int file_read_small(struct inode *inode, struct page *p)
{
	const struct erofs_inode *disk = &erofs_node(inode)->disk;
	u64 pos = p->index << PAGE_SHIFT, n = MIN(disk->size - pos, PAGE_SIZE);
	u8 *to = page_va(p);

	memset(to + n, 0, PAGE_SIZE - n);
	return erofs_read(&erofs_super(inode->sb)->image, disk, pos, to, n);
}

/* Pages from pages[0] on, which lie inside the file: how many were filled, at least one, or -errno. */
static s64 file_read_some(struct inode *inode, struct page **pages, u32 n)
{
	struct erofs_super *es = erofs_super(inode->sb);
	const struct erofs_inode *disk = &erofs_node(inode)->disk;
	u64 pos = pages[0]->index << PAGE_SHIFT;
	u64 left = MIN(disk->size - pos, (u64)n << PAGE_SHIFT);
	struct erofs_extent x;
	int err = erofs_map(&es->image, disk, pos, left, &x);
	u32 k;

	if (err)
		return err;
	/* Whole pages, and the last one of the file. */
	if (x.len < left)
		x.len &= PAGE_MASK;
	k = (u32)((x.len + PAGE_SIZE - 1) >> PAGE_SHIFT);
	if (k == 0) {
		err = file_read_small(inode, pages[0]);
		return err ? err : 1;
	}
	if (!x.hole)
		err = hostfs_read_at(es->file, x.off, pages, k, x.len);
	for (u32 i = x.hole ? 0 : k - 1; i < k && !err; i++) {
		u64 from = x.hole ? 0 : x.len - ((u64)i << PAGE_SHIFT);

		memset((u8 *)page_va(pages[i]) + from, 0, PAGE_SIZE - from);
	}
	return err ? err : (s64)k;
}

static int erofs_read_pages(struct mapping *m, struct page **pages, u32 n)
{
	for (u32 i = 0; i < n;) {
		s64 k = 1;

		if (pages[i]->index << PAGE_SHIFT >= m->inode->size)
			memset(page_va(pages[i]), 0, PAGE_SIZE);
		else
			k = file_read_some(m->inode, pages + i, n - i);
		if (k < 0)
			return (int)k;
		i += (u32)k;
	}
	return 0;
}

/* There is nothing dirty; that there is this operation says that the pages can be read again. */
static int erofs_write_pages(struct mapping *m, struct page **pages, u32 n)
{
	(void)m;
	(void)pages;
	(void)n;
	return -EROFS;
}

const struct mapping_ops erofs_mapping_ops = {
	.read_pages = erofs_read_pages,
	.write_pages = erofs_write_pages,
};

static s64 erofs_llseek(struct file *f, s64 off, int whence)
{
	return file_llseek_generic(f, off, whence, f->inode->size);
}

const struct file_ops erofs_file_ops = {
	.read = file_regular_read,
	.llseek = erofs_llseek,
};
