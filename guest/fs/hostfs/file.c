/* SPDX-License-Identifier: Apache-2.0 */
/* Regular files of hostfs: the page cache in front of READ and WRITE. */
#include "fs/hostfs/hostfs.h"

#include <linux/falloc.h>
#include <linux/fs.h>

#include "fs/internal.h"
#include "mm/swap.h"
#include "task/io_count.h"

#define COPY_MIN (128u * 1024) /* bytes from which the host's copy is worth its requests */

static struct hostfs_conn *file_conn(const struct inode *inode)
{
	return hostfs_super(inode->sb)->conn;
}

/* ---- between page cache and server */

/* One READ; what the file does not have is zeroes. */
static int file_read_some(struct inode *inode, struct page **pages, u32 n)
{
	struct fuse_read_in in = { .offset = pages[0]->index << PAGE_SHIFT,
		.size = n << PAGE_SHIFT };
	struct hostfs_req r = { .op = FUSE_READ,
		.nodeid = hostfs_node(inode)->nodeid,
		.pages = pages,
		.npages = n,
		.page_bytes = n << PAGE_SHIFT };
	int err;

	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	err = hostfs_call(file_conn(inode), &r);
	if (err)
		return err;
	io_count_fetched(r.out_len);
	for (u32 i = r.out_len >> PAGE_SHIFT; i < n; i++) {
		u32 from = i == r.out_len >> PAGE_SHIFT ? r.out_len & (PAGE_SIZE - 1) : 0;

		memset((char *)page_va(pages[i]) + from, 0, PAGE_SIZE - from);
	}
	return 0;
}

int hostfs_read_at(struct inode *inode, u64 off, struct page **pages, u32 n, u64 bytes)
{
	u32 max = hostfs_conn_max_data(file_conn(inode)) >> PAGE_SHIFT;

	while (bytes) {
		u32 k = MIN(n, max), want = (u32)MIN(bytes, (u64)k << PAGE_SHIFT);
		struct fuse_read_in in = { .offset = off, .size = want };
		struct hostfs_req r = { .op = FUSE_READ,
			.nodeid = hostfs_node(inode)->nodeid,
			.pages = pages,
			.npages = k,
			.page_bytes = want };
		int err;

		HOSTFS_ARG(&r, 0, &in, sizeof(in));
		err = hostfs_call(file_conn(inode), &r);
		if (err)
			return err;
		if (r.out_len != want)
			return -EIO;
		io_count_fetched(want);
		off += want;
		bytes -= want;
		pages += k;
		n -= k;
	}
	return 0;
}

static int hostfs_read_pages(struct mapping *m, struct page **pages, u32 n)
{
	struct inode *inode = m->inode;
	u32 max = hostfs_conn_max_data(file_conn(inode)) >> PAGE_SHIFT;
	u64 end = (READ_ONCE(hostfs_node(inode)->server_size) + PAGE_SIZE - 1) >> PAGE_SHIFT;

	for (u32 i = 0; i < n;) {
		u32 k = MIN(n - i, max);
		int err;

		/* Written here and not there yet, or a hole behind what the server has. */
		if (hostfs_super(inode->sb)->exclusive && pages[i]->index >= end) {
			memset(page_va(pages[i++]), 0, PAGE_SIZE);
			continue;
		}
		err = file_read_some(inode, pages + i, k);
		if (err)
			return err;
		i += k;
	}
	return 0;
}

static void file_grown(struct inode *inode, u64 end)
{
	struct hostfs_super *hs = hostfs_super(inode->sb);

	spin_lock(&hs->lock);
	if (end > hostfs_node(inode)->server_size)
		hostfs_node(inode)->server_size = end;
	spin_unlock(&hs->lock);
}

static int file_write_some(struct inode *inode, struct page **pages, u64 off, u32 bytes)
{
	struct fuse_write_in in = { .offset = off, .size = bytes, .write_flags = FUSE_WRITE_CACHE };
	struct fuse_write_out out;
	struct hostfs_req r = { .op = FUSE_WRITE,
		.nodeid = hostfs_node(inode)->nodeid,
		.out = &out,
		.out_size = sizeof(out),
		.pages = pages,
		.npages = (bytes + (u32)PAGE_SIZE - 1) >> PAGE_SHIFT,
		.page_bytes = bytes };
	int err;

	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	err = hostfs_call(file_conn(inode), &r);
	if (err)
		return err;
	if (r.out_len != sizeof(out))
		return -EIO;
	file_grown(inode, off + MIN(out.size, bytes));
	return out.size == bytes ? 0 : -ENOSPC;
}

/* The inode's own values of what `valid` names. A host that refuses (another owner, without privileges) has the data at least. */
static void file_send_attr(struct inode *inode, u32 valid)
{
	struct fuse_setattr_in a = { .valid = valid,
		.mode = inode->mode & 07777,
		.atime = (u64)inode->atime.sec,
		.atimensec = inode->atime.nsec,
		.mtime = (u64)inode->mtime.sec,
		.mtimensec = inode->mtime.nsec };
	struct fuse_attr out;

	if (hostfs_send_setattr(inode, &a, &out) == 0)
		inode->blocks = out.blocks;
}

void hostfs_send_late(struct inode *inode)
{
	u32 late = atomic_xchg(&hostfs_node(inode)->late, 0u);

	if (late)
		file_send_attr(inode, late);
}

static int hostfs_write_pages(struct mapping *m, struct page **pages, u32 n)
{
	struct inode *inode = m->inode;
	u32 max = hostfs_conn_max_data(file_conn(inode));
	u64 off = pages[0]->index << PAGE_SHIFT, size = READ_ONCE(inode->size), end;
	int err = 0;

	/* Written through a mapping that is older than the swap space: what is there now is not this file's content any more. */
	if (READ_ONCE(inode->swapfile))
		return -ETXTBSY;
	end = MIN(off + ((u64)n << PAGE_SHIFT), size);
	for (u32 i = 0; off < end && !err;) {
		u32 bytes = (u32)MIN(end - off, (u64)max);

		err = file_write_some(inode, pages + i, off, bytes);
		off += bytes;
		i += bytes >> PAGE_SHIFT;
	}
	/* The host stamped the file when the data came; what counts is when it was written here. */
	if (!err && hostfs_super(inode->sb)->exclusive && !READ_ONCE(m->ndirty))
		file_send_attr(inode, FATTR_MTIME | atomic_xchg(&hostfs_node(inode)->late, 0u));
	return err;
}

const struct mapping_ops hostfs_mapping_ops = {
	.read_pages = hostfs_read_pages,
	.write_pages = hostfs_write_pages,
};

/* ---- files */

static int hostfs_fsync(struct file *f, u64 from, u64 to, bool data_only)
{
	struct fuse_fsync_in in = { .fsync_flags = data_only ? FUSE_FSYNC_FDATASYNC : 0 };
	struct hostfs_req r = { .op = FUSE_FSYNC, .nodeid = hostfs_node(f->inode)->nodeid };
	int err = mapping_writeback(f->inode->mapping, from, to);

	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	if (!READ_ONCE(f->inode->mapping->ndirty))
		hostfs_send_late(f->inode);
	return err ? err : hostfs_call(file_conn(f->inode), &r);
}

/* The host has not counted the new blocks yet: guess, for du and for programs that take a short count for holes. */
static s64 hostfs_write(struct file *f, struct uio *u, u64 *pos)
{
	u64 old = READ_ONCE(f->inode->size);
	s64 n = file_regular_write(f, u, pos);
	u64 from = n > 0 ? MAX(old, *pos - (u64)n) : 0;

	if (n > 0 && *pos > from)
		f->inode->blocks += (ALIGN_UP(*pos, PAGE_SIZE) - ALIGN_UP(from, PAGE_SIZE)) / 512;
	return n;
}

/* Shared mounts: what was written is on the host when the descriptor is closed. */
static int hostfs_flush(struct file *f)
{
	return f->mode & FMODE_WRITE ? mapping_writeback(f->inode->mapping, 0, ~0UL) : 0;
}

/* Shared mounts: the server gives up its descriptor for writing, so that the host can execute the file. */
static void hostfs_release(struct file *f)
{
	struct fuse_release_in in = { 0 };
	struct hostfs_req r = { .op = FUSE_RELEASE, .nodeid = hostfs_node(f->inode)->nodeid };

	if (!(f->mode & FMODE_WRITE) || atomic_load(&f->inode->writers) > 1)
		return;
	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	(void)mapping_writeback(f->inode->mapping, 0, ~0UL);
	(void)hostfs_call(file_conn(f->inode), &r);
}

/* Shared mounts, close-to-open: a file is looked at again when it is opened. */
static int hostfs_open(struct inode *inode, struct file *f)
{
	int err;

	f->ops = inode->fops;
	rwsem_write_lock(&inode->lock);
	err = hostfs_refresh(inode, true);
	rwsem_write_unlock(&inode->lock);
	return err;
}

/* Only the server knows where the holes are; it must know the data first. */
static s64 hostfs_llseek(struct file *f, s64 off, int whence)
{
	struct fuse_lseek_in in = { .offset = (u64)off, .whence = (u32)whence };
	struct fuse_lseek_out out;
	struct hostfs_req r = { .op = FUSE_LSEEK,
		.nodeid = hostfs_node(f->inode)->nodeid,
		.out = &out,
		.out_size = sizeof(out) };
	int err;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return file_llseek_generic(f, off, whence, READ_ONCE(f->inode->size));
	if (off < 0 || (u64)off >= READ_ONCE(f->inode->size))
		return -ENXIO;
	err = mapping_writeback(f->inode->mapping, 0, ~0UL);
	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	if (!err)
		err = hostfs_call(file_conn(f->inode), &r);
	if (err)
		return err;
	if (r.out_len != sizeof(out) || out.offset > INT64_MAX)
		return -EIO;
	return file_llseek_generic(f, (s64)out.offset, SEEK_SET, READ_ONCE(f->inode->size));
}

/* What a successful fallocate changed. */
static void fallocate_done(struct inode *inode, int mode, u64 off, u64 len)
{
	const int moves = FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE;

	if (mode & moves) {
		mapping_truncate(inode->mapping, off & PAGE_MASK, ~0UL);
	} else if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		mapping_truncate(inode->mapping, off, off + len);
	}
	if (!(mode & (FALLOC_FL_KEEP_SIZE | moves)) && off + len > inode->size) {
		WRITE_ONCE(inode->size, off + len);
		file_grown(inode, off + len);
	}
	inode_touch(inode, ATTR_MTIME | ATTR_CTIME);
}

static int hostfs_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct inode *inode = f->inode;
	struct fuse_fallocate_in in = { .offset = off, .length = len, .mode = (u32)mode };
	struct hostfs_req r = { .op = FUSE_FALLOCATE, .nodeid = hostfs_node(inode)->nodeid };
	u64 n = len;
	int err;

	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	rwsem_write_lock(&inode->lock);
	err = inode->swapfile ? -ETXTBSY : 0;
	if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && off + len > inode->size)
		err = file_size_limit(off, &n);
	if (!err && n < len)
		err = -EFBIG;
	/* Everything: the server's size decides what the request does. */
	if (!err)
		err = mapping_writeback(inode->mapping, 0, ~0UL);
	if (!err)
		err = hostfs_call(file_conn(inode), &r);
	if (!err) {
		fallocate_done(inode, mode, off, len);
		if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
			err = hostfs_refresh(inode, true);
	}
	rwsem_write_unlock(&inode->lock);
	return err;
}

/*
 * Both files are of this server (the caller looked): the host copies, perhaps without copying. Little data, and data that is not there
 * yet, goes through the page cache (EXDEV: the caller does that).
 */
static s64 hostfs_copy_range(struct file *in, u64 in_pos, struct file *out, u64 out_pos, u64 len)
{
	struct inode *from = in->inode, *to = out->inode;
	struct fuse_copy_file_range_in a = { .off_in = in_pos,
		.nodeid_out = hostfs_node(to)->nodeid,
		.off_out = out_pos,
		.len = len };
	struct fuse_write_out reply;
	struct hostfs_req r = { .op = FUSE_COPY_FILE_RANGE,
		.nodeid = hostfs_node(from)->nodeid,
		.out = &reply,
		.out_size = sizeof(reply) };
	int err;

	if (len < COPY_MIN || from->size - in_pos < COPY_MIN || READ_ONCE(from->mapping->ndirty))
		return -EXDEV;
	HOSTFS_ARG(&r, 0, &a, sizeof(a));
	rwsem_write_lock(&to->lock);
	err = to->swapfile ? -ETXTBSY : mapping_writeback(to->mapping, 0, ~0UL);
	if (!err)
		err = hostfs_call(file_conn(from), &r);
	if (!err && (r.out_len != sizeof(reply) || reply.size > len))
		err = -EIO;
	if (!err && reply.size) {
		u64 end = out_pos + reply.size;

		if (end > to->size)
			WRITE_ONCE(to->size, end);
		file_grown(to, end);
		mapping_truncate(to->mapping, out_pos & PAGE_MASK, ALIGN_UP(end, PAGE_SIZE));
		inode_touch(to, ATTR_MTIME | ATTR_CTIME);
	}
	rwsem_write_unlock(&to->lock);
	return err ? err : (s64)reply.size;
}

/* ---- swap space: past the page cache */

static int hostfs_swap_read(struct inode *inode, u64 index, struct page **pages, u32 n)
{
	return hostfs_read_at(inode, index << PAGE_SHIFT, pages, n, (u64)n << PAGE_SHIFT);
}

static int hostfs_swap_write(struct inode *inode, u64 index, struct page **pages, u32 n)
{
	u32 max = hostfs_conn_max_data(file_conn(inode)) >> PAGE_SHIFT;
	int err = 0;

	for (u32 i = 0; i < n && !err;) {
		u32 k = MIN(n - i, max);

		err = file_write_some(inode, pages + i, (index + i) << PAGE_SHIFT, k << PAGE_SHIFT);
		i += k;
	}
	return err;
}

/* The host's count of blocks tells of holes. */
static int hostfs_swap_check(struct inode *inode, u64 pages)
{
	int err = hostfs_refresh(inode, true);

	if (err)
		return err;
	return inode->blocks * 512 < pages << PAGE_SHIFT ? -EINVAL : 0;
}

static const struct swap_io hostfs_swap = {
	.read = hostfs_swap_read,
	.write = hostfs_swap_write,
	.check = hostfs_swap_check,
};

const struct file_ops hostfs_file_ops = {
	.read = file_regular_read,
	.nowait = MAY_READ,
	.write = hostfs_write,
	.llseek = hostfs_llseek,
	.fsync = hostfs_fsync,
	.fallocate = hostfs_fallocate,
	.copy_range = hostfs_copy_range,
	.swap = &hostfs_swap,
};

const struct file_ops hostfs_file_shared_fops = {
	.read = file_regular_read,
	.nowait = MAY_READ,
	.write = hostfs_write,
	.llseek = hostfs_llseek,
	.fsync = hostfs_fsync,
	.fallocate = hostfs_fallocate,
	.copy_range = hostfs_copy_range,
	.swap = &hostfs_swap,
	.flush = hostfs_flush,
	.release = hostfs_release,
};

const struct inode_ops hostfs_file_inode_ops = {
	.setattr = hostfs_setattr,
	.getxattr = hostfs_getxattr,
	.setxattr = hostfs_setxattr,
	.removexattr = hostfs_removexattr,
	.listxattr = hostfs_listxattr,
};

const struct inode_ops hostfs_file_shared_ops = {
	.open = hostfs_open,
	.getattr = hostfs_getattr,
	.setattr = hostfs_setattr,
	.getxattr = hostfs_getxattr,
	.setxattr = hostfs_setxattr,
	.removexattr = hostfs_removexattr,
	.listxattr = hostfs_listxattr,
};
