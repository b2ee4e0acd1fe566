/* SPDX-License-Identifier: Apache-2.0 */
/* Names: mkdir, link, unlink, rename, symlink, readlink, mknod; getdents; working directory and root. */
#include <linux/fs.h>

#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "task/task.h"

/* A user path with its start, for the calls below. */
struct name_arg {
	struct upath u;
	struct at at;
};

static int name_get(struct name_arg *n, int dfd, uaddr_t p)
{
	int err = upath_get(&n->u, p);

	if (err)
		return err;
	err = at_get(&n->at, dfd, n->u.name);
	if (err)
		upath_put(&n->u);
	return err;
}

static void name_put(struct name_arg *n)
{
	at_put(&n->at);
	upath_put(&n->u);
}

/* ---- creating ---- */
static s64 mkdir_at(int dfd, uaddr_t name, u32 mode)
{
	struct name_arg n;
	s64 ret = name_get(&n, dfd, name);

	if (ret)
		return ret;
	ret = vfs_mkdir(n.at.base, n.u.name, mode);
	name_put(&n);
	return ret;
}

s64 sys_mkdir(struct task *t, const struct sysargs *a)
{
	(void)t;
	return mkdir_at(AT_FDCWD, a->a[0], (u32)a->a[1]);
}

s64 sys_mkdirat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return mkdir_at((int)a->a[0], a->a[1], (u32)a->a[2]);
}

static s64 mknod_at(int dfd, uaddr_t name, u32 mode, u32 dev)
{
	struct name_arg n;
	s64 ret;

	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	ret = name_get(&n, dfd, name);
	if (ret)
		return ret;
	ret = vfs_mknod(n.at.base, n.u.name, mode & (S_IFMT | 07777), dev);
	name_put(&n);
	return ret;
}

s64 sys_mknod(struct task *t, const struct sysargs *a)
{
	(void)t;
	return mknod_at(AT_FDCWD, a->a[0], (u32)a->a[1], (u32)a->a[2]);
}

s64 sys_mknodat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return mknod_at((int)a->a[0], a->a[1], (u32)a->a[2], (u32)a->a[3]);
}

static s64 symlink_at(uaddr_t target, int dfd, uaddr_t name)
{
	struct upath to;
	struct name_arg n;
	s64 ret = upath_get(&to, target);

	if (ret)
		return ret;
	ret = *to.name ? name_get(&n, dfd, name) : -ENOENT;
	if (!ret) {
		ret = vfs_symlink(to.name, n.at.base, n.u.name);
		name_put(&n);
	}
	upath_put(&to);
	return ret;
}

s64 sys_symlink(struct task *t, const struct sysargs *a)
{
	(void)t;
	return symlink_at(a->a[0], AT_FDCWD, a->a[1]);
}

s64 sys_symlinkat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return symlink_at(a->a[0], (int)a->a[1], a->a[2]);
}

static s64 link_at(int odfd, uaddr_t oname, int ndfd, uaddr_t nname, u32 flags)
{
	struct path old;
	struct name_arg n;
	s64 ret;

	if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) && !fs_capable(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	ret = at_lookup(odfd, oname,
		(flags & AT_EMPTY_PATH) | (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW), 0,
		&old);
	if (ret)
		return ret;
	ret = name_get(&n, ndfd, nname);
	if (!ret) {
		ret = vfs_link(&old, n.at.base, n.u.name);
		name_put(&n);
	}
	path_put(&old);
	return ret;
}

s64 sys_link(struct task *t, const struct sysargs *a)
{
	(void)t;
	return link_at(AT_FDCWD, a->a[0], AT_FDCWD, a->a[1], 0);
}

s64 sys_linkat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return link_at((int)a->a[0], a->a[1], (int)a->a[2], a->a[3], (u32)a->a[4]);
}

/* ---- removing and renaming ---- */
static s64 unlink_at(int dfd, uaddr_t name, bool dir)
{
	struct name_arg n;
	s64 ret = name_get(&n, dfd, name);

	if (ret)
		return ret;
	ret = dir ? vfs_rmdir(n.at.base, n.u.name) : vfs_unlink(n.at.base, n.u.name);
	name_put(&n);
	return ret;
}

s64 sys_unlink(struct task *t, const struct sysargs *a)
{
	(void)t;
	return unlink_at(AT_FDCWD, a->a[0], false);
}

s64 sys_rmdir(struct task *t, const struct sysargs *a)
{
	(void)t;
	return unlink_at(AT_FDCWD, a->a[0], true);
}

s64 sys_unlinkat(struct task *t, const struct sysargs *a)
{
	(void)t;
	if ((u32)a->a[2] & ~(u32)AT_REMOVEDIR)
		return -EINVAL;
	return unlink_at((int)a->a[0], a->a[1], (u32)a->a[2] & AT_REMOVEDIR);
}

static s64 rename_at(int odfd, uaddr_t oname, int ndfd, uaddr_t nname, u32 flags)
{
	struct name_arg o, n;
	s64 ret = name_get(&o, odfd, oname);

	if (ret)
		return ret;
	ret = name_get(&n, ndfd, nname);
	if (!ret) {
		ret = vfs_rename(o.at.base, o.u.name, n.at.base, n.u.name, flags);
		name_put(&n);
	}
	name_put(&o);
	return ret;
}

s64 sys_rename(struct task *t, const struct sysargs *a)
{
	(void)t;
	return rename_at(AT_FDCWD, a->a[0], AT_FDCWD, a->a[1], 0);
}

s64 sys_renameat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return rename_at((int)a->a[0], a->a[1], (int)a->a[2], a->a[3], 0);
}

s64 sys_renameat2(struct task *t, const struct sysargs *a)
{
	(void)t;
	return rename_at((int)a->a[0], a->a[1], (int)a->a[2], a->a[3], (u32)a->a[4]);
}

/* ---- readlink ---- */
static s64 readlink_at(int dfd, uaddr_t name, uaddr_t buf, s64 size)
{
	struct path p;
	struct inode *inode;
	char *body = NULL;
	s64 ret;

	if (size <= 0)
		return -EINVAL;
	ret = at_lookup(dfd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, 0, &p);
	if (ret)
		return ret;
	inode = dentry_inode(p.dentry);
	if (!S_ISLNK(inode->mode)) {
		char c = 0;

		ret = get_user(c, name) || c ? -EINVAL : -ENOENT;
	} else {
		body = kmalloc(PATH_MAX_LEN);
		ret = body ? inode_readlink(inode, body, PATH_MAX_LEN) : -ENOMEM;
	}
	if (ret > 0) {
		inode_update_atime(inode, p.mnt->flags);
		ret = MIN(ret, size);
		ret = copy_to_user(buf, body, (size_t)ret) ?: ret;
	}
	kfree(body);
	path_put(&p);
	return ret;
}

s64 sys_readlink(struct task *t, const struct sysargs *a)
{
	(void)t;
	return readlink_at(AT_FDCWD, a->a[0], a->a[1], (int)a->a[2]);
}

s64 sys_readlinkat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return readlink_at((int)a->a[0], a->a[1], a->a[2], (int)a->a[3]);
}

/* ---- directories ---- */
struct dents {
	struct dir_emit emit;
	uaddr_t to;
	u64 left, used;
	bool old; /* getdents: another layout */
	int err;
};

struct dirent_head {
	u64 ino, off;
	u16 reclen;
	u8 type; /* getdents64 only: the old layout has it in the last byte */
} __packed;

static bool dents_emit(struct dir_emit *d, const char *name, size_t len, u64 ino, u32 type, u64 off)
{
	struct dents *s = container_of(d, struct dents, emit);
	u8 rec[24 + NAME_MAX_LEN + 8];
	struct dirent_head h = { ino, off, 0, (u8)type };
	size_t head = s->old ? 18 : 19, size = ALIGN_UP(head + len + (s->old ? 2 : 1), 8UL);

	if (len > NAME_MAX_LEN)
		return true;
	if (size > s->left) {
		s->err = s->used ? 0 : -EINVAL;
		return false;
	}
	h.reclen = (u16)size;
	memset(rec, 0, sizeof(rec));
	memcpy(rec, &h, head);
	memcpy(rec + head, name, len);
	if (s->old)
		rec[size - 1] = (u8)type;
	if (copy_to_user(s->to + s->used, rec, size)) {
		s->err = s->used ? 0 : -EFAULT;
		return false;
	}
	s->used += size;
	s->left -= size;
	return true;
}

static s64 read_dir(int fd, uaddr_t to, u32 size, bool old)
{
	struct file *f = fd_get(fd);
	struct dents s = { .emit.emit = dents_emit, .to = to, .left = size, .old = old };
	s64 ret;

	if (!f)
		return -EBADF;
	if (!f->ops || !f->ops->readdir) {
		file_put(f);
		return -ENOTDIR;
	}
	mutex_lock(&f->pos_lock);
	rwsem_read_lock(&f->inode->lock);
	s.emit.pos = f->pos;
	/* nlink 0: removed while open */
	ret = f->inode->nlink ? f->ops->readdir(f, &s.emit) : -ENOENT;
	f->pos = s.emit.pos;
	rwsem_read_unlock(&f->inode->lock);
	mutex_unlock(&f->pos_lock);
	if (!(f->mode & FMODE_NOATIME) && f->path.mnt)
		inode_update_atime(f->inode, f->path.mnt->flags);
	file_put(f);
	if (s.used)
		return (s64)s.used;
	return ret ? ret : s.err;
}

s64 sys_getdents(struct task *t, const struct sysargs *a)
{
	(void)t;
	return read_dir((int)a->a[0], a->a[1], (u32)a->a[2], true);
}

s64 sys_getdents64(struct task *t, const struct sysargs *a)
{
	(void)t;
	return read_dir((int)a->a[0], a->a[1], (u32)a->a[2], false);
}

/* ---- working directory and root ---- */
s64 sys_getcwd(struct task *t, const struct sysargs *a)
{
	struct path cwd;
	char *buf = kmalloc(PATH_MAX_LEN), *s;
	s64 ret;

	if (!buf)
		return -ENOMEM;
	spin_lock(&t->fs->lock);
	cwd = t->fs->cwd;
	path_get(&cwd);
	spin_unlock(&t->fs->lock);
	s = path_to_string(&cwd, buf, PATH_MAX_LEN);
	if (!s) {
		ret = -ENAMETOOLONG;
	} else if (!dentry_inode(cwd.dentry)->nlink) {
		ret = -ENOENT;
	} else {
		ret = (s64)strlen(s) + 1;
		if ((u64)ret > a->a[1])
			ret = -ERANGE;
		else if (copy_to_user(a->a[0], s, (size_t)ret))
			ret = -EFAULT;
	}
	path_put(&cwd);
	kfree(buf);
	return ret;
}

static void fs_replace(struct fs_context *fs, struct path *slot, struct path *with)
{
	struct path old;

	spin_lock(&fs->lock);
	old = *slot;
	*slot = *with;
	spin_unlock(&fs->lock);
	path_put(&old);
}

static s64 chdir_to(struct task *t, struct path *p)
{
	s64 ret = S_ISDIR(dentry_inode(p->dentry)->mode)
			  ? inode_permission(dentry_inode(p->dentry), MAY_EXEC)
			  : -ENOTDIR;

	if (ret)
		path_put(p);
	else
		fs_replace(t->fs, &t->fs->cwd, p);
	return ret;
}

s64 sys_chdir(struct task *t, const struct sysargs *a)
{
	struct path p;
	s64 ret = at_lookup(AT_FDCWD, a->a[0], 0, LOOKUP_DIRECTORY, &p);

	return ret ? ret : chdir_to(t, &p);
}

s64 sys_fchdir(struct task *t, const struct sysargs *a)
{
	struct path p;
	s64 ret = fd_path((int)a->a[0], &p);

	return ret ? ret : chdir_to(t, &p);
}

s64 sys_chroot(struct task *t, const struct sysargs *a)
{
	struct path p;
	s64 ret = at_lookup(AT_FDCWD, a->a[0], 0, LOOKUP_DIRECTORY, &p);

	if (ret)
		return ret;
	ret = inode_permission(dentry_inode(p.dentry), MAY_EXEC);
	if (!ret && !capable_here(CAP_SYS_CHROOT))
		ret = -EPERM;
	if (ret)
		path_put(&p);
	else
		fs_replace(t->fs, &t->fs->root, &p);
	return ret;
}
