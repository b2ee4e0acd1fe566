/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes: twelve calls over four operations and three ways to name the object. */
#include <linux/limits.h>
#include <linux/xattr.h>

#include "syscall/fsarg.h"
#include "syscall/handlers.h"

static s64 xattr_name(uaddr_t p, char *name)
{
	s64 n = strncpy_from_user(name, p, XATTR_NAME_MAX + 1);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	return n < 0 ? n : 0;
}

static s64 do_getxattr(const struct path *p, uaddr_t uname, uaddr_t buf, u64 size)
{
	char name[XATTR_NAME_MAX + 1];
	void *val = NULL;
	s64 ret = xattr_name(uname, name);

	if (ret)
		return ret;
	size = MIN(size, XATTR_SIZE_MAX);
	if (size) {
		val = kmalloc(size);
		if (!val)
			return -ENOMEM;
	}
	ret = vfs_getxattr(p, name, val, size);
	if (ret > 0 && size)
		ret = copy_to_user(buf, val, (size_t)ret) ?: ret;
	kfree(val);
	return ret;
}

static s64 do_setxattr(const struct path *p, uaddr_t uname, uaddr_t buf, u64 size, u32 flags)
{
	char name[XATTR_NAME_MAX + 1];
	void *val;
	s64 ret;

	if (flags & ~(u32)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	ret = xattr_name(uname, name);
	if (ret)
		return ret;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	val = kmalloc(size + 1);
	if (!val)
		return -ENOMEM;
	ret = copy_from_user(val, buf, size);
	if (!ret)
		ret = vfs_setxattr(p, name, val, size, (int)flags);
	kfree(val);
	return ret;
}

static s64 do_listxattr(const struct path *p, uaddr_t buf, u64 size)
{
	char *val = NULL;
	s64 ret;

	size = MIN(size, XATTR_LIST_MAX);
	if (size) {
		val = kmalloc(size);
		if (!val)
			return -ENOMEM;
	}
	ret = vfs_listxattr(p, val, size);
	if (ret > 0 && size)
		ret = copy_to_user(buf, val, (size_t)ret) ?: ret;
	kfree(val);
	return ret;
}

static s64 do_removexattr(const struct path *p, uaddr_t uname)
{
	char name[XATTR_NAME_MAX + 1];
	s64 ret = xattr_name(uname, name);

	return ret ? ret : vfs_removexattr(p, name);
}

enum xattr_op {
	XATTR_GET,
	XATTR_SET,
	XATTR_LIST,
	XATTR_REMOVE
};

static s64 xattr_run(const struct path *p, enum xattr_op op, const struct sysargs *a)
{
	switch (op) {
	case XATTR_GET:
		return do_getxattr(p, a->a[1], a->a[2], a->a[3]);
	case XATTR_SET:
		return do_setxattr(p, a->a[1], a->a[2], a->a[3], (u32)a->a[4]);
	case XATTR_LIST:
		return do_listxattr(p, a->a[1], a->a[2]);
	default:
		return do_removexattr(p, a->a[1]);
	}
}

static s64 xattr_path(enum xattr_op op, u32 at_flags, const struct sysargs *a)
{
	struct path p;
	s64 ret = at_lookup(AT_FDCWD, a->a[0], at_flags, 0, &p);

	if (ret)
		return ret;
	ret = xattr_run(&p, op, a);
	path_put(&p);
	return ret;
}

static s64 xattr_fd(enum xattr_op op, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	struct path p;
	s64 ret;

	if (!f)
		return -EBADF;
	ret = file_path(f, &p);
	if (!ret) {
		ret = xattr_run(&p, op, a);
		path_put(&p);
	}
	file_put(f);
	return ret;
}

#define XATTR_CALLS(verb, op) \
	s64 sys_##verb##xattr(struct task *t, const struct sysargs *a) \
	{ \
		(void)t; \
		return xattr_path(op, 0, a); \
	} \
	s64 sys_l##verb##xattr(struct task *t, const struct sysargs *a) \
	{ \
		(void)t; \
		return xattr_path(op, AT_SYMLINK_NOFOLLOW, a); \
	} \
	s64 sys_f##verb##xattr(struct task *t, const struct sysargs *a) \
	{ \
		(void)t; \
		return xattr_fd(op, a); \
	}

XATTR_CALLS(get, XATTR_GET)
XATTR_CALLS(set, XATTR_SET)
XATTR_CALLS(list, XATTR_LIST)
XATTR_CALLS(remove, XATTR_REMOVE)
