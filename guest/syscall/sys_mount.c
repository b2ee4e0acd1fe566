/* SPDX-License-Identifier: Apache-2.0 */
/* mount, umount, pivot_root. */
#include <linux/mount.h>

#include "syscall/fsarg.h"
#include "syscall/handlers.h"

#define MS_PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

#define UMOUNT_NOFOLLOW_ 8u

static s64 mount_bind_from(const struct path *target, uaddr_t source, u64 flags)
{
	struct path from;
	s64 ret = at_lookup(AT_FDCWD, source, 0, 0, &from);

	if (ret)
		return ret;
	ret = flags & MS_MOVE ? mount_move(target, &from)
			      : mount_bind(target, &from, flags & MS_REC);
	path_put(&from);
	return ret;
}

static s64 mount_kind(const struct path *target, u64 flags)
{
	u64 type = flags & ~(u64)(MS_REC | MS_SILENT);

	if ((type & ~(u64)MS_PROPAGATION) || (type & (type - 1)))
		return -EINVAL;
	return mount_change_kind(target, (u32)type, flags & MS_REC);
}

static s64 mount_fresh(const struct path *target, const struct sysargs *a, u64 flags)
{
	struct upath source = { .name = NULL, .heap = NULL };
	char type[64], *data = NULL;
	s64 ret;

	if (!a->a[2])
		return -EINVAL;
	ret = strncpy_from_user(type, a->a[2], sizeof(type));
	if (ret < 0)
		return ret == -ENAMETOOLONG ? -ENODEV : ret;
	if (a->a[0]) {
		ret = upath_get(&source, a->a[0]);
		if (ret)
			return ret;
	}
	ret = 0;
	if (a->a[4]) {
		data = kmalloc(PAGE_SIZE);
		ret = data ? strncpy_from_user(data, a->a[4], PAGE_SIZE) : -ENOMEM;
		if (ret == -ENAMETOOLONG)
			ret = -EINVAL;
	}
	if (ret >= 0)
		ret = mount_new(target, type, source.name, flags, data);
	kfree(data);
	upath_put(&source);
	return ret;
}

s64 sys_mount(struct task *t, const struct sysargs *a)
{
	u64 flags = a->a[3];
	struct path target;
	s64 ret;

	(void)t;
	if ((flags & 0xffff0000UL) == 0xc0ed0000UL) /* MS_MGC_VAL of old programs */
		flags &= 0xffff;
	ret = at_lookup(AT_FDCWD, a->a[1], 0, 0, &target);
	if (ret)
		return ret;
	if (!mount_may()) {
		ret = -EPERM;
	} else if ((flags & (MS_REMOUNT | MS_BIND)) == (MS_REMOUNT | MS_BIND)) {
		ret = mount_remount(&target, flags, true);
	} else if (flags & MS_REMOUNT) {
		ret = mount_remount(&target, flags, false);
	} else if (flags & (MS_BIND | MS_MOVE)) {
		ret = mount_bind_from(&target, a->a[0], flags);
	} else if (flags & MS_PROPAGATION) {
		ret = mount_kind(&target, flags);
	} else {
		ret = mount_fresh(&target, a, flags);
	}
	path_put(&target);
	return ret;
}

s64 sys_umount2(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[1];
	struct path target;
	s64 ret;

	(void)t;
	if (flags & ~(UMOUNT_FORCE | UMOUNT_DETACH | UMOUNT_EXPIRE | UMOUNT_NOFOLLOW_))
		return -EINVAL;
	if (!mount_may())
		return -EPERM;
	ret = at_lookup(
		AT_FDCWD, a->a[0], flags & UMOUNT_NOFOLLOW_ ? AT_SYMLINK_NOFOLLOW : 0, 0, &target);
	if (ret)
		return ret;
	/* "." and "/" may lie below other mounts, as after pivot_root(".", "."). */
	path_follow_mounts(&target);
	ret = mount_umount(&target, flags);
	path_put_unused(&target);
	return ret;
}

s64 sys_pivot_root(struct task *t, const struct sysargs *a)
{
	struct path new_root, put_old;
	s64 ret;

	(void)t;
	if (!mount_may())
		return -EPERM;
	ret = at_lookup(AT_FDCWD, a->a[0], 0, LOOKUP_DIRECTORY, &new_root);
	if (ret)
		return ret;
	ret = at_lookup(AT_FDCWD, a->a[1], 0, LOOKUP_DIRECTORY, &put_old);
	if (!ret) {
		ret = mount_pivot_root(&new_root, &put_old);
		path_put(&put_old);
	}
	path_put(&new_root);
	return ret;
}
