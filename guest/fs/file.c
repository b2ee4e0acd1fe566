/* SPDX-License-Identifier: Apache-2.0 */
/* Open files: life, default operations of regular files, files without a name. */
#include "fs/internal.h"

#include <linux/fs.h>
#include <linux/inotify.h>
#include <linux/magic.h>

#include "fs/async.h"
#include "fs/lease.h"
#include "task/task.h"
#include "task/pid.h"

static struct kcache file_cache = KCACHE("file", struct file);
static struct super *anon_super;
static struct mount *anon_mount;
static u64 anon_next_ino = 1;
u64 files_open; /* atomic: for /proc/sys/fs/file-nr */

struct file *file_alloc(void)
{
	struct file *f = kcache_zalloc(&file_cache);
	struct task *t = task_current();

	if (!f)
		return NULL;
	ref_init(&f->ref);
	if (t && t->cred) {
		f->cred = t->cred;
		cred_get(f->cred);
	}
	atomic_add(&files_open, 1);
	return f;
}

void file_get(struct file *f)
{
	ref_get(&f->ref);
}

void file_put(struct file *f)
{
	if (!f || !ref_put(&f->ref))
		return;
	if (f->epoll)
		epoll_file_gone(f);
	if (unlikely(f->async != NULL))
		file_async_gone(f);
	if (f->inode && !(f->mode & FMODE_PATH)) {
		file_notify(f, f->mode & FMODE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
		if (!list_empty(&f->inode->locks))
			lockf_release_file(f);
		if (unlikely(READ_ONCE(f->inode->leases)))
			lease_release(f);
		if (unlikely(READ_ONCE(dnotify_active)) && S_ISDIR(f->inode->mode))
			dnotify_release(f);
	}
	if (f->ops && f->ops->release)
		f->ops->release(f);
	if (f->inode) {
		if (f->mode & FMODE_WRITER)
			atomic_sub(&f->path.mnt->writers, 1);
		if (f->mode & FMODE_WRITER)
			inode_put_write(f->inode);
		if (f->mode & FMODE_READER)
			atomic_sub(&f->inode->readers, 1);
		if (f->mode & FMODE_EXEC)
			inode_allow_write(f->inode);
		inode_put(f->inode);
	}
	path_put(&f->path);
	if (f->cred)
		cred_put(f->cred);
	pid_put(f->owner);
	atomic_sub(&files_open, 1);
	kcache_free(&file_cache, f);
}

/* ---- reading and writing ---- */
int file_size_limit(u64 pos, u64 *n)
{
	struct task *t = task_current();
	u64 limit = t ? t->group->rlim[RLIMIT_FSIZE].rlim_cur : ~0UL;

	if (pos >= INT64_MAX)
		return -EFBIG;
	if (*n > INT64_MAX - pos)
		*n = INT64_MAX - pos;
	if (limit == ~0UL)
		return 0;
	if (pos >= limit) {
		signal_send_task(t, SIGXFSZ, NULL);
		return -EFBIG;
	}
	*n = MIN(*n, limit - pos);
	return 0;
}

s64 vfs_read(struct file *f, struct uio *u, u64 *pos)
{
	s64 n;

	if (!(f->mode & FMODE_READ))
		return -EBADF;
	if (!f->ops || !f->ops->read)
		return f->inode && S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
	n = f->ops->read(f, u, pos);
	if (n > 0)
		file_notify(f, IN_ACCESS);
	return n;
}

s64 vfs_write(struct file *f, struct uio *u, u64 *pos)
{
	s64 n;

	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (!f->ops || !f->ops->write)
		return -EINVAL;
	n = f->ops->write(f, u, pos);
	if (n > 0)
		file_notify(f, IN_MODIFY);
	return n;
}

s64 file_regular_read(struct file *f, struct uio *u, u64 *pos)
{
	s64 n;

	if (!u->left)
		return 0;
	n = filemap_read(f->inode->mapping, pos, u);
	if (!(f->mode & FMODE_NOATIME))
		inode_update_atime(f->inode, f->path.mnt ? f->path.mnt->flags : 0);
	return n;
}

s64 file_regular_write(struct file *f, struct uio *u, u64 *pos)
{
	struct inode *inode = f->inode;
	u64 full = u->left, n = full, start;
	s64 done;

	if (!full)
		return 0;
	rwsem_write_lock(&inode->lock);
	if (file_appends(f, u))
		*pos = inode->size;
	start = *pos;
	done = inode->swapfile ? -ETXTBSY : file_size_limit(start, &n);
	if (!done) {
		u->left = n;
		done = inode_kill_priv(inode);
	}
	if (!done) {
		done = filemap_write(inode->mapping, pos, u);
		if (done > 0)
			inode_touch(inode, ATTR_MTIME | ATTR_CTIME);
		u->left += full - n;
	}
	rwsem_write_unlock(&inode->lock);
	if (done > 0 && (f->flags & O_DSYNC)) {
		int err = f->ops->fsync ? f->ops->fsync(f, start, start + (u64)done, true) : 0;

		if (err)
			return err;
	}
	return done;
}

static int file_regular_fsync(struct file *f, u64 from, u64 to, bool data_only)
{
	(void)data_only;
	return f->inode->mapping ? mapping_writeback(f->inode->mapping, from, to) : 0;
}

static s64 file_regular_llseek(struct file *f, s64 off, int whence)
{
	return file_llseek_generic(f, off, whence, f->inode->size);
}

const struct file_ops file_regular_ops = {
	.read = file_regular_read,
	.write = file_regular_write,
	.llseek = file_regular_llseek,
	.fsync = file_regular_fsync,
};

s64 file_llseek_generic(struct file *f, s64 off, int whence, u64 end)
{
	s64 pos;

	mutex_lock(&f->pos_lock);
	switch (whence) {
	case SEEK_SET:
		pos = off;
		break;
	case SEEK_CUR:
		if (__builtin_add_overflow((s64)f->pos, off, &pos))
			pos = -1;
		break;
	case SEEK_END:
		if (__builtin_add_overflow((s64)end, off, &pos))
			pos = -1;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (off < 0 || (u64)off >= end) {
			mutex_unlock(&f->pos_lock);
			return -ENXIO;
		}
		pos = whence == SEEK_DATA ? off : (s64)end;
		break;
	default:
		pos = -1;
	}
	if (pos >= 0)
		f->pos = (u64)pos;
	else
		pos = -EINVAL;
	mutex_unlock(&f->pos_lock);
	return pos;
}

s64 file_read_kernel(struct file *f, void *buf, size_t len, u64 pos)
{
	struct iov iov;
	struct uio u;

	if (!f->ops || !f->ops->read)
		return -EINVAL;
	uio_init_kernel(&u, &iov, buf, len);
	return f->ops->read(f, &u, &pos);
}

s64 file_write_kernel(struct file *f, const void *buf, size_t len, u64 pos)
{
	struct iov iov;
	struct uio u;

	if (!f->ops || !f->ops->write)
		return -EINVAL;
	iov = (struct iov){ (u64)buf, len }; /* only read from */
	u = (struct uio){ .iov = &iov, .niov = 1, .kernel = true, .left = len };
	return f->ops->write(f, &u, &pos);
}

/* ---- files without a name ---- */
#define ANON_INODE_FS_MAGIC_ 0x09041934

void anon_init(void)
{
	struct inode *root;

	anon_super = super_create(NULL, "anon_inodefs", ANON_INODE_FS_MAGIC_, NULL);
	panic_if(!anon_super);
	root = inode_create(anon_super, atomic_add(&anon_next_ino, 1), 0600);
	panic_if(!root || super_set_root(anon_super, root) < 0);
	root->fops = &sock_inode_ops;
	anon_mount = mount_create_internal(anon_super);
	panic_if(!anon_mount);
}

bool inode_is_anon(const struct inode *inode)
{
	return inode->sb == anon_super;
}

struct file *file_create_anon(const struct file_ops *ops, void *priv, u32 flags, const char *name)
{
	struct file *f = file_alloc();
	bool shared = !strncmp(name, "anon_inode:", 11);

	if (!f)
		return NULL;
	if (shared) {
		f->inode = dentry_inode(anon_super->root);
		inode_get(f->inode);
	} else {
		u32 type = !strcmp(name, "socket") ? S_IFSOCK : S_IFIFO;

		f->inode = inode_create(anon_super, atomic_add(&anon_next_ino, 1),
			type | (type == S_IFSOCK ? 0777 : 0600));
		if (!f->inode) {
			file_put(f);
			return NULL;
		}
		if (f->cred) {
			f->inode->uid = f->cred->fsuid;
			f->inode->gid = f->cred->fsgid;
		}
	}
	f->anon_name = name;
	f->ops = ops;
	f->priv = priv;
	f->flags = flags & ~(u32)O_CLOEXEC;
	f->mode = FMODE_STREAM;
	if ((flags & O_ACCMODE) != O_WRONLY)
		f->mode |= FMODE_READ;
	if ((flags & O_ACCMODE) != O_RDONLY)
		f->mode |= FMODE_WRITE;
	return f;
}

int file_path(struct file *f, struct path *out)
{
	if (f->path.dentry) {
		*out = f->path;
		path_get(out);
		return 0;
	}
	out->dentry = dentry_alloc(anon_super, NULL, f->anon_name, strlen(f->anon_name));
	if (!out->dentry)
		return -ENOMEM;
	inode_get(f->inode);
	dentry_set_inode(out->dentry, f->inode);
	out->mnt = anon_mount;
	mount_get(anon_mount);
	return 0;
}

struct file *file_create_in(struct mount *mnt, struct inode *inode, const char *name, u32 flags)
{
	struct file *f = file_alloc();

	if (!f)
		return NULL;
	f->path.dentry = dentry_alloc(inode->sb, NULL, name, strlen(name));
	if (!f->path.dentry) {
		file_put(f);
		return NULL;
	}
	inode_get(inode); /* the dentry's; the file's is the caller's */
	dentry_set_inode(f->path.dentry, inode);
	f->path.mnt = mnt;
	mount_get(mnt);
	f->inode = inode;
	f->ops = inode->fops;
	f->flags = flags & ~(u32)O_CLOEXEC;
	f->mode = FMODE_READ | FMODE_WRITE;
	return f;
}

int file_fsync_none(struct file *f, u64 from, u64 to, bool data_only)
{
	(void)f;
	(void)from;
	(void)to;
	(void)data_only;
	return 0;
}

bool dir_emit_dots(struct file *f, struct dir_emit *d)
{
	if (d->pos == 0) {
		if (!d->emit(d, ".", 1, f->inode->ino, S_IFDIR >> 12, 1))
			return false;
		d->pos = 1;
	}
	if (d->pos == 1) {
		struct dentry *p = dentry_get_parent(f->path.dentry);
		bool taken = d->emit(d, "..", 2, dentry_inode(p)->ino, S_IFDIR >> 12, 2);

		dentry_put(p);
		if (!taken)
			return false;
		d->pos = 2;
	}
	return true;
}
