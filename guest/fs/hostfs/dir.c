/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of hostfs: names and their changes. Every call is one request; the reply brings the new inode along. */
#include "fs/hostfs/hostfs.h"

#include <linux/fs.h>

#include "kernel/clock.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

#define DIR_BUFFER (64u * 1024)
#define DIR_END_GAP \
	4096u /* a reply that leaves so much room was the last: see casemate-fsd's engine.h */

static struct hostfs_super *dir_super(const struct inode *dir)
{
	return hostfs_super(dir->sb);
}

static void req_init(struct hostfs_req *r, u32 op, const struct inode *dir)
{
	memset(r, 0, sizeof(*r));
	r->op = op;
	r->nodeid = hostfs_node(dir)->nodeid;
}

static void req_name(struct hostfs_req *r, const struct dentry *d)
{
	HOSTFS_ARG(r, r->nargs, d->name, (u32)d->len + 1);
}

/* ---- looking up */

/* The dentry remembers when its name was confirmed, for shared mounts. */
static void *dentry_stamp_now(void)
{
	return (void *)clock_monotonic();
}

static void dentry_stamp(struct dentry *d)
{
	atomic_store(&d->priv, dentry_stamp_now());
}

static u64 dentry_stamped(const struct dentry *d)
{
	return (u64)atomic_load(&d->priv);
}

/* 0 with *out (NULL: no such name), or -errno. */
static int dir_ask(struct inode *dir, const struct dentry *d, struct inode **out)
{
	struct hostfs_req r;
	int err;

	*out = NULL;
	req_init(&r, FUSE_LOOKUP, dir);
	req_name(&r, d);
	err = hostfs_call_lookup(dir_super(dir), &r, out);
	return err == -ENOENT ? 0 : err;
}

static int hostfs_lookup(struct inode *dir, struct dentry *d)
{
	struct inode *inode;
	int err;

	if (hostfs_names_absent(hostfs_node(dir), d->hash))
		return 0;
	err = dir_ask(dir, d, &inode);
	if (err)
		return err;
	dentry_stamp(d);
	if (inode)
		dentry_set_inode(d, inode);
	return 0;
}

/* Shared mounts. A missing name is always asked again: somebody on the host may have made it. */
static bool hostfs_revalidate(struct dentry *d)
{
	struct inode *inode = atomic_load(&d->inode), *now_there;

	if (!inode)
		return false;
	/* That the inode was asked about since says nothing about its name: every open does that. */
	if (clock_monotonic() - dentry_stamped(d) < HOSTFS_VALID_NS)
		return true;
	if (dir_ask(atomic_load(&d->parent->inode), d, &now_there) || !now_there)
		return false;
	if (now_there == inode)
		dentry_stamp(d);
	inode_put(now_there);
	return now_there == inode;
}

/* ---- making */

/* Link counts of directories follow their subdirectories, except on hosts that do not count (1) and below what a live one has. */
static void dir_count(struct inode *dir, int by)
{
	if (dir->nlink >= 2 && (by > 0 || dir->nlink > 2))
		dir->nlink += (u32)by;
}

/* Finish a request that makes something under d's name. */
static int dir_make(struct inode *dir, struct dentry *d, struct hostfs_req *r, u32 uid, u32 gid)
{
	struct fuse_entry_out e;
	struct inode *inode;
	int err;

	r->uid = uid;
	r->gid = gid;
	hostfs_names_add(hostfs_node(dir), d->hash);
	err = hostfs_call_entry(dir_super(dir), r, &e);
	if (!err)
		err = hostfs_iget(dir_super(dir), &e, &inode);
	if (err)
		return err;
	if (S_ISDIR(inode->mode)) {
		dir_count(dir, 1);
		if (dir_super(dir)->exclusive)
			hostfs_names_start(hostfs_node(inode));
	}
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
	dentry_stamp(d);
	dentry_set_inode(d, inode);
	return 0;
}

static int hostfs_mknod(struct inode *dir, struct dentry *d, u32 mode, u32 dev, u32 uid, u32 gid)
{
	struct fuse_mknod_in in = { .mode = mode, .rdev = dev };
	struct hostfs_req r;

	req_init(&r, FUSE_MKNOD, dir);
	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	req_name(&r, d);
	return dir_make(dir, d, &r, uid, gid);
}

static int hostfs_create(struct inode *dir, struct dentry *d, u32 mode, u32 uid, u32 gid)
{
	return hostfs_mknod(dir, d, S_IFREG | (mode & 07777), 0, uid, gid);
}

static int hostfs_mkdir(struct inode *dir, struct dentry *d, u32 mode, u32 uid, u32 gid)
{
	struct fuse_mkdir_in in = { .mode = mode & 07777 };
	struct hostfs_req r;

	req_init(&r, FUSE_MKDIR, dir);
	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	req_name(&r, d);
	return dir_make(dir, d, &r, uid, gid);
}

static int hostfs_symlink(struct inode *dir, struct dentry *d, const char *target, u32 uid, u32 gid)
{
	struct hostfs_req r;

	req_init(&r, FUSE_SYMLINK, dir);
	req_name(&r, d);
	HOSTFS_ARG(&r, 1, target, strlen(target) + 1);
	return dir_make(dir, d, &r, uid, gid);
}

static int hostfs_link(struct inode *inode, struct inode *dir, struct dentry *d)
{
	struct fuse_link_in in = { .oldnodeid = hostfs_node(inode)->nodeid };
	struct hostfs_req r;
	int err;

	req_init(&r, FUSE_LINK, dir);
	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	req_name(&r, d);
	err = dir_make(dir, d, &r, 0, 0);
	if (!err && dir_super(dir)->exclusive) {
		inode->nlink++;
		inode_touch(inode, ATTR_CTIME);
	}
	return err;
}

/* TMPFILE answers with a handle too, which nobody needs. */
static int hostfs_tmpfile(struct inode *dir, u32 mode, u32 uid, u32 gid, struct inode **out)
{
	struct hostfs_super *hs = dir_super(dir);
	struct fuse_create_in in = { .flags = O_RDWR, .mode = mode & 07777 };
	struct {
		struct fuse_entry_out e;
		struct fuse_open_out o;
	} reply;
	struct fuse_release_in rel = { 0 };
	struct hostfs_req r;
	int err;

	req_init(&r, FUSE_TMPFILE, dir);
	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	HOSTFS_ARG(&r, 1, "/", 2);
	r.uid = uid;
	r.gid = gid;
	r.out = &reply;
	r.out_size = sizeof(reply);
	err = hostfs_call(hs->conn, &r);
	if (err)
		return err;
	if (r.out_len != sizeof(reply) || !reply.e.nodeid)
		return -EIO;
	rel.fh = reply.o.fh;
	err = hostfs_iget(hs, &reply.e, out);
	memset(&r, 0, sizeof(r));
	r.op = FUSE_RELEASE;
	r.nodeid = reply.e.nodeid;
	HOSTFS_ARG(&r, 0, &rel, sizeof(rel));
	(void)hostfs_call(hs->conn, &r);
	return err;
}

/* ---- removing and renaming */

static int dir_remove(struct inode *dir, struct dentry *d, u32 op)
{
	struct hostfs_req r;
	int err;

	req_init(&r, op, dir);
	req_name(&r, d);
	err = hostfs_call(dir_super(dir)->conn, &r);
	if (!err)
		inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
	return err;
}

static void inode_lost_name(struct inode *inode)
{
	if (inode->nlink)
		inode->nlink--;
	inode_touch(inode, ATTR_CTIME);
}

static int hostfs_unlink(struct inode *dir, struct dentry *d)
{
	int err = dir_remove(dir, d, FUSE_UNLINK);

	if (!err)
		inode_lost_name(atomic_load(&d->inode));
	return err;
}

static int hostfs_rmdir(struct inode *dir, struct dentry *d)
{
	int err = dir_remove(dir, d, FUSE_RMDIR);

	if (!err) {
		atomic_load(&d->inode)->nlink = 0;
		dir_count(dir, -1);
	}
	return err;
}

/* The link counts that a rename changes; d moves from odir to ndir. */
static void rename_move_count(struct inode *odir, struct inode *ndir, const struct inode *inode)
{
	if (S_ISDIR(inode->mode) && odir != ndir) {
		dir_count(odir, -1);
		dir_count(ndir, 1);
	}
}

static void rename_counts(
	struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd, bool exchange)
{
	struct inode *moved = atomic_load(&od->inode), *target = atomic_load(&nd->inode);

	rename_move_count(odir, ndir, moved);
	inode_touch(moved, ATTR_CTIME);
	inode_touch(odir, ATTR_MTIME | ATTR_CTIME);
	inode_touch(ndir, ATTR_MTIME | ATTR_CTIME);
	if (!target)
		return;
	if (exchange) {
		rename_move_count(ndir, odir, target);
		inode_touch(target, ATTR_CTIME);
	} else if (S_ISDIR(target->mode)) {
		target->nlink = 0;
		dir_count(ndir, -1);
	} else {
		inode_lost_name(target);
	}
}

static int hostfs_rename(
	struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd, u32 flags)
{
	struct fuse_rename2_in in = { .newdir = hostfs_node(ndir)->nodeid, .flags = flags };
	struct hostfs_req r;
	int err;

	if (flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	req_init(&r, FUSE_RENAME2, odir);
	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	req_name(&r, od);
	req_name(&r, nd);
	hostfs_names_add(hostfs_node(ndir), nd->hash);
	err = hostfs_call(dir_super(odir)->conn, &r);
	if (!err)
		rename_counts(odir, od, ndir, nd, flags & RENAME_EXCHANGE);
	return err;
}

const struct inode_ops hostfs_dir_ops = {
	.lookup = hostfs_lookup,
	.create = hostfs_create,
	.mkdir = hostfs_mkdir,
	.mknod = hostfs_mknod,
	.symlink = hostfs_symlink,
	.link = hostfs_link,
	.unlink = hostfs_unlink,
	.rmdir = hostfs_rmdir,
	.rename = hostfs_rename,
	.tmpfile = hostfs_tmpfile,
	.setattr = hostfs_setattr,
	.getxattr = hostfs_getxattr,
	.setxattr = hostfs_setxattr,
	.removexattr = hostfs_removexattr,
	.listxattr = hostfs_listxattr,
};

const struct inode_ops hostfs_dir_shared_ops = {
	.lookup = hostfs_lookup,
	.create = hostfs_create,
	.mkdir = hostfs_mkdir,
	.mknod = hostfs_mknod,
	.symlink = hostfs_symlink,
	.link = hostfs_link,
	.unlink = hostfs_unlink,
	.rmdir = hostfs_rmdir,
	.rename = hostfs_rename,
	.tmpfile = hostfs_tmpfile,
	.getattr = hostfs_getattr,
	.setattr = hostfs_setattr,
	.getxattr = hostfs_getxattr,
	.setxattr = hostfs_setxattr,
	.removexattr = hostfs_removexattr,
	.listxattr = hostfs_listxattr,
	.revalidate = hostfs_revalidate,
};

/* ---- reading: one READDIRPLUS fills the caller's next getdents calls and the caches of names and inodes */

struct hostfs_dirbuf {
	u32 len, at; /* bytes of buf; the entry that comes next */
	u64 pos; /* position of that entry */
	bool end; /* nothing follows the buffer */
	_Alignas(8) u8 buf[];
};

/* The entry at `at`, checked. NULL: the reply makes no sense from here on. */
static const struct fuse_direntplus *dirbuf_entry(const struct hostfs_dirbuf *b, u32 at, u32 *size)
{
	const struct fuse_direntplus *p = (const void *)(b->buf + at);
	u32 left = b->len - at;

	if (left < FUSE_NAME_OFFSET_DIRENTPLUS)
		return NULL;
	if (!p->dirent.namelen || p->dirent.namelen > NAME_MAX_LEN)
		return NULL;
	*size = (u32)FUSE_DIRENTPLUS_SIZE(p);
	if (*size > left || memchr(p->dirent.name, '/', p->dirent.namelen) ||
		memchr(p->dirent.name, 0, p->dirent.namelen))
		return NULL;
	return p;
}

/* Make inodes and names of a fresh buffer known. The server has counted a lookup for each, so each must be taken over. */
static void dirbuf_prime(struct file *f, struct hostfs_dirbuf *b)
{
	struct hostfs_node *n = hostfs_node(f->inode);
	const struct fuse_direntplus *p;
	u32 size;

	mutex_lock(&n->dir_lock);
	for (u32 at = 0; at < b->len && (p = dirbuf_entry(b, at, &size)); at += size) {
		struct inode *inode;

		if (!p->entry_out.nodeid ||
			hostfs_iget(hostfs_super(f->inode->sb), &p->entry_out, &inode))
			continue;
		dentry_prime(f->path.dentry, p->dirent.name, p->dirent.namelen, inode,
			dentry_stamp_now());
	}
	mutex_unlock(&n->dir_lock);
}

static int dirbuf_fill(struct file *f, struct hostfs_dirbuf *b, u64 pos)
{
	struct fuse_read_in in = { .offset = pos, .size = DIR_BUFFER };
	struct hostfs_req r;
	int err;

	b->len = b->at = 0;
	b->pos = pos;
	b->end = false;
	req_init(&r, FUSE_READDIRPLUS, f->inode);
	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	r.out = b->buf;
	r.out_size = DIR_BUFFER;
	err = hostfs_call(hostfs_super(f->inode->sb)->conn, &r);
	if (err)
		return err;
	b->len = r.out_len;
	b->end = b->len + DIR_END_GAP <= DIR_BUFFER;
	dirbuf_prime(f, b);
	return 0;
}

static u64 dir_parent_ino(struct file *f)
{
	struct dentry *d = f->path.dentry;
	struct inode *inode = atomic_load(&d->parent->inode);

	return inode ? inode->ino : f->inode->ino;
}

/* Give the entry at b->at away. 1 = taken, 0 = the reader is full, -EIO. */
static int dirbuf_emit(struct file *f, struct hostfs_dirbuf *b, struct dir_emit *d)
{
	u32 size, len;
	const struct fuse_direntplus *p = dirbuf_entry(b, b->at, &size);
	u64 ino;

	if (!p)
		return -EIO;
	len = p->dirent.namelen;
	ino = p->dirent.ino;
	if (len == 2 && p->dirent.name[0] == '.' && p->dirent.name[1] == '.')
		ino = dir_parent_ino(f);
	if (!d->emit(d, p->dirent.name, len, ino, p->dirent.type, p->dirent.off))
		return 0;
	d->pos = b->pos = p->dirent.off;
	b->at += size;
	return 1;
}

static int hostfs_readdir(struct file *f, struct dir_emit *d)
{
	struct hostfs_dirbuf *b = f->priv;
	int r = 1;

	if (!b) {
		b = kmalloc(sizeof(*b) + DIR_BUFFER);
		if (!b)
			return -ENOMEM;
		b->len = b->at = 0;
		b->pos = ~0UL;
		b->end = false;
		f->priv = b;
	}
	while (r > 0) {
		if (b->pos != d->pos || d->pos == 0 || (b->at == b->len && !b->end)) {
			r = dirbuf_fill(f, b, d->pos);
			if (r < 0)
				return r;
			r = 1;
			if (!b->len)
				return 0;
		}
		if (b->at == b->len)
			return 0;
		r = dirbuf_emit(f, b, d);
	}
	return r;
}

static void hostfs_dir_release(struct file *f)
{
	kfree(f->priv);
}

static s64 hostfs_dir_llseek(struct file *f, s64 off, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	return file_llseek_generic(f, off, whence, 0);
}

static int hostfs_dir_fsync(struct file *f, u64 from, u64 to, bool data_only)
{
	struct fuse_fsync_in in = { .fsync_flags = data_only ? FUSE_FSYNC_FDATASYNC : 0 };
	struct hostfs_req r;

	(void)from;
	(void)to;
	req_init(&r, FUSE_FSYNCDIR, f->inode);
	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	return hostfs_call(hostfs_super(f->inode->sb)->conn, &r);
}

const struct file_ops hostfs_dir_file_ops = {
	.readdir = hostfs_readdir,
	.llseek = hostfs_dir_llseek,
	.fsync = hostfs_dir_fsync,
	.release = hostfs_dir_release,
};
