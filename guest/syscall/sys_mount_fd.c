/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts and file systems by descriptor: open_tree, move_mount, mount_setattr, fsopen, fspick, fsconfig, fsmount. */
#include <linux/mount.h>

#include "fs/mount_fd.h"
#include "syscall/fsarg.h"
#include "syscall/handlers.h"

#define AT_NO_AUTOMOUNT_ 0x800u
#define AT_RECURSIVE_	 0x8000u
#define FSCONFIG_KEY_MAX 256u
#define MOUNT_ATTR_ALL \
	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | \
		MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)

/* A descriptor for a new file, whose reference is consumed. */
static s64 install(struct file *f, bool cloexec)
{
	s64 fd = fd_install(f, cloexec ? O_CLOEXEC : 0, 0);

	if (fd < 0)
		file_put(f);
	return fd;
}

/* ---- trees ---- */
s64 sys_open_tree(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[2], at = flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
	struct mount *m;
	struct path p;
	struct file *f;
	s64 ret;

	(void)t;
	if (flags & ~(u32)(AT_EMPTY_PATH | AT_NO_AUTOMOUNT_ | AT_RECURSIVE_ | AT_SYMLINK_NOFOLLOW |
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC))
		return -EINVAL;
	if ((flags & (AT_RECURSIVE_ | OPEN_TREE_CLONE)) == AT_RECURSIVE_)
		return -EINVAL;
	if ((flags & OPEN_TREE_CLONE) && !mount_may())
		return -EPERM;
	ret = at_lookup((int)a->a[0], a->a[1], at, 0, &p);
	if (ret)
		return ret;
	if (flags & OPEN_TREE_CLONE) {
		ret = p.mnt->ns == mount_ns_current() || (p.mnt->ns && p.mnt->ns->anon) ? 0
											: -EINVAL;
		ret = ret ?: mount_clone(&p, flags & AT_RECURSIVE_, &m);
		ret = ret ?: mount_open_detached(m, &f);
	} else {
		ret = file_open_path(&p, O_PATH, &f);
	}
	path_put(&p);
	return ret ? ret : install(f, flags & OPEN_TREE_CLOEXEC);
}

s64 sys_move_mount(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[4];
	u32 from_at = (flags & MOVE_MOUNT_F_SYMLINKS ? 0 : AT_SYMLINK_NOFOLLOW) |
		      (flags & MOVE_MOUNT_F_EMPTY_PATH ? AT_EMPTY_PATH : 0);
	u32 to_at = (flags & MOVE_MOUNT_T_SYMLINKS ? 0 : AT_SYMLINK_NOFOLLOW) |
		    (flags & MOVE_MOUNT_T_EMPTY_PATH ? AT_EMPTY_PATH : 0);
	struct path from, to;
	s64 ret;

	(void)t;
	if (!mount_may())
		return -EPERM;
	if (flags & ~(u32)MOVE_MOUNT__MASK)
		return -EINVAL;
	ret = at_lookup((int)a->a[0], a->a[1], from_at, 0, &from);
	if (ret)
		return ret;
	ret = at_lookup((int)a->a[2], a->a[3], to_at, 0, &to);
	if (!ret) {
		ret = flags & MOVE_MOUNT_SET_GROUP ? mount_set_group(&to, &from)
						   : mount_move(&to, &from);
		path_put(&to);
	}
	path_put(&from);
	return ret;
}

/* ---- attributes ---- */
static u32 attr_flags(u64 attr)
{
	u32 f = 0;

	f |= attr & MOUNT_ATTR_RDONLY ? MNT_RDONLY : 0;
	f |= attr & MOUNT_ATTR_NOSUID ? MNT_NOSUID : 0;
	f |= attr & MOUNT_ATTR_NODEV ? MNT_NODEV : 0;
	f |= attr & MOUNT_ATTR_NOEXEC ? MNT_NOEXEC : 0;
	f |= attr & MOUNT_ATTR_NODIRATIME ? MNT_NODIRATIME : 0;
	f |= attr & MOUNT_ATTR_NOSYMFOLLOW ? MNT_NOSYMFOLLOW : 0;
	return f;
}

/* The one way of access times that the bits name. */
static int attr_atime(u64 attr, u32 *flags)
{
	switch (attr & MOUNT_ATTR__ATIME) {
	case MOUNT_ATTR_RELATIME:
		*flags |= MNT_RELATIME;
		return 0;
	case MOUNT_ATTR_NOATIME:
		*flags |= MNT_NOATIME;
		return 0;
	case MOUNT_ATTR_STRICTATIME:
		return 0;
	default:
		return -EINVAL;
	}
}

static int attr_change(const struct mount_attr *attr, struct mount_change *c)
{
	static const u64 kinds = MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE;

	/* Identifiers cannot be mapped by any file system here. */
	if ((attr->attr_set | attr->attr_clr) & ~(u64)MOUNT_ATTR_ALL)
		return -EINVAL;
	if ((attr->propagation & ~kinds) || (attr->propagation & (attr->propagation - 1)))
		return -EINVAL;
	c->kind = (u32)attr->propagation;
	c->set = attr_flags(attr->attr_set);
	c->clear = attr_flags(attr->attr_clr);
	if (!(attr->attr_clr & MOUNT_ATTR__ATIME))
		return attr->attr_set & MOUNT_ATTR__ATIME ? -EINVAL : 0;
	if ((attr->attr_clr & MOUNT_ATTR__ATIME) != MOUNT_ATTR__ATIME)
		return -EINVAL;
	c->clear |= MNT_RELATIME | MNT_NOATIME;
	return attr_atime(attr->attr_set, &c->set);
}

s64 sys_mount_setattr(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[2];
	u64 size = a->a[4];
	struct mount_change c = { .recursive = flags & AT_RECURSIVE_ };
	struct mount_attr attr;
	struct path p;
	s64 ret;

	(void)t;
	if (flags & ~(u32)(AT_EMPTY_PATH | AT_RECURSIVE_ | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT_))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < MOUNT_ATTR_SIZE_VER0)
		return -EINVAL;
	if (!mount_may())
		return -EPERM;
	if (copy_from_user(&attr, a->a[3], sizeof(attr)))
		return -EFAULT;
	ret = check_zero_tail(a->a[3], sizeof(attr), size);
	if (ret)
		return ret;
	if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
		return 0;
	ret = attr_change(&attr, &c);
	if (ret)
		return ret;
	ret = at_lookup(
		(int)a->a[0], a->a[1], flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW), 0, &p);
	if (ret)
		return ret;
	ret = mount_change(&p, &c);
	path_put(&p);
	return ret;
}

/* ---- file systems ---- */
s64 sys_fsopen(struct task *t, const struct sysargs *a)
{
	char type[64];
	struct file *f;
	s64 ret;

	(void)t;
	if (!mount_may())
		return -EPERM;
	if (a->a[1] & ~(u64)FSOPEN_CLOEXEC)
		return -EINVAL;
	ret = strncpy_from_user(type, a->a[0], sizeof(type));
	if (ret < 0)
		return ret == -ENAMETOOLONG ? -ENODEV : ret;
	ret = fsctx_open(type, &f);
	return ret ? ret : install(f, a->a[1] & FSOPEN_CLOEXEC);
}

s64 sys_fspick(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[2];
	u32 at = (flags & FSPICK_SYMLINK_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0) |
		 (flags & FSPICK_EMPTY_PATH ? AT_EMPTY_PATH : 0);
	struct path p;
	struct file *f;
	s64 ret;

	(void)t;
	if (!mount_may())
		return -EPERM;
	if (flags & ~(u32)(FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT |
			    FSPICK_EMPTY_PATH))
		return -EINVAL;
	ret = at_lookup((int)a->a[0], a->a[1], at, 0, &p);
	if (ret)
		return ret;
	ret = fsctx_pick(&p, &f);
	path_put(&p);
	return ret ? ret : install(f, flags & FSPICK_CLOEXEC);
}

/* Does the command come with just the arguments that it takes? 1: yes, 0: yes, but nothing here takes it. */
static int fsconfig_check(const struct sysargs *a)
{
	bool key = a->a[2], value = a->a[3];
	s32 aux = (s32)a->a[4];

	switch ((u32)a->a[1]) {
	case FSCONFIG_SET_FLAG:
		return key && !value && !aux ? 1 : -EINVAL;
	case FSCONFIG_SET_STRING:
		return key && value && !aux ? 1 : -EINVAL;
	case FSCONFIG_SET_BINARY:
		return key && value && aux > 0 && aux <= 1024 * 1024 ? 0 : -EINVAL;
	case FSCONFIG_SET_PATH:
	case FSCONFIG_SET_PATH_EMPTY:
		return key && value && (aux == AT_FDCWD || aux >= 0) ? 0 : -EINVAL;
	case FSCONFIG_SET_FD:
		return key && !value && aux >= 0 ? 0 : -EINVAL;
	case FSCONFIG_CMD_CREATE:
	case FSCONFIG_CMD_RECONFIGURE:
		return !key && !value && !aux ? 1 : -EINVAL;
	default:
		return -EOPNOTSUPP;
	}
}

/* A string of less than FSCONFIG_KEY_MAX bytes. */
static s64 fsconfig_string(char *buf, uaddr_t p)
{
	s64 n = strncpy_from_user(buf, p, FSCONFIG_KEY_MAX);

	return n == -ENAMETOOLONG ? -EINVAL : n < 0 ? n : 0;
}

static s64 fsconfig_set(struct file *f, const struct sysargs *a)
{
	char key[FSCONFIG_KEY_MAX], value[FSCONFIG_KEY_MAX];
	s64 ret = fsconfig_string(key, a->a[2]);

	if (!ret && a->a[3])
		ret = fsconfig_string(value, a->a[3]);
	return ret ? ret : fsctx_set(f, key, a->a[3] ? value : NULL);
}

s64 sys_fsconfig(struct task *t, const struct sysargs *a)
{
	u32 cmd = (u32)a->a[1];
	struct file *f;
	s64 ret;

	(void)t;
	if ((s32)a->a[0] < 0)
		return -EINVAL;
	ret = fsconfig_check(a);
	if (ret < 0)
		return ret;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	if (cmd == FSCONFIG_CMD_CREATE || cmd == FSCONFIG_CMD_RECONFIGURE)
		ret = fsctx_command(f, cmd == FSCONFIG_CMD_CREATE);
	else
		ret = ret ? fsconfig_set(f, a) : -EINVAL;
	file_put(f);
	return ret;
}

s64 sys_fsmount(struct task *t, const struct sysargs *a)
{
	u32 flags;
	struct file *f, *tree;
	s64 ret;

	(void)t;
	if (!mount_may())
		return -EPERM;
	if ((u32)a->a[1] & ~(u32)FSMOUNT_CLOEXEC)
		return -EINVAL;
	if ((u32)a->a[2] & ~(u32)MOUNT_ATTR_ALL)
		return -EINVAL;
	flags = attr_flags((u32)a->a[2]);
	if (attr_atime((u32)a->a[2], &flags))
		return -EINVAL;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	ret = fsctx_mount(f, flags, &tree);
	file_put(f);
	return ret ? ret : install(tree, a->a[1] & FSMOUNT_CLOEXEC);
}
