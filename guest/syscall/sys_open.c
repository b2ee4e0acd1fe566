/* SPDX-License-Identifier: Apache-2.0 */
/* open and close. */
#include <linux/openat2.h>

#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "task/task.h"

#define OPEN_FLAGS \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | \
		O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | \
		O_PATH | O_TMPFILE | FASYNC)

static s64 do_open(int dfd, uaddr_t name, u32 flags, u32 mode, u32 lookup)
{
	struct upath u;
	struct at at;
	struct file *f = NULL;
	s64 ret = upath_get(&u, name);

	if (ret)
		return ret;
	/* RESOLVE_IN_ROOT starts absolute names at the descriptor, too. */
	ret = at_get(&at, dfd, lookup & LOOKUP_IN_ROOT ? "" : u.name);
	if (!ret) {
		ret = file_open(at.base, u.name, flags, mode, lookup, &f);
		at_put(&at);
	}
	upath_put(&u);
	if (ret)
		return ret;
	ret = fd_install(f, flags, 0);
	if (ret < 0)
		file_put(f);
	return ret;
}

s64 sys_open(struct task *t, const struct sysargs *a)
{
	(void)t;
	return do_open(AT_FDCWD, a->a[0], (u32)a->a[1] & OPEN_FLAGS, (u32)a->a[2] & 07777, 0);
}

s64 sys_openat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return do_open((int)a->a[0], a->a[1], (u32)a->a[2] & OPEN_FLAGS, (u32)a->a[3] & 07777, 0);
}

s64 sys_creat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return do_open(AT_FDCWD, a->a[0], O_CREAT | O_WRONLY | O_TRUNC, (u32)a->a[1] & 07777, 0);
}

s64 sys_openat2(struct task *t, const struct sysargs *a)
{
	static const struct {
		u32 resolve, lookup;
	} map[] = {
		{ RESOLVE_NO_XDEV, LOOKUP_NO_XDEV },
		{ RESOLVE_NO_MAGICLINKS, LOOKUP_NO_MAGICLINKS },
		{ RESOLVE_NO_SYMLINKS, LOOKUP_NO_SYMLINKS },
		{ RESOLVE_BENEATH, LOOKUP_BENEATH },
		{ RESOLVE_IN_ROOT, LOOKUP_IN_ROOT },
		{ RESOLVE_CACHED, LOOKUP_CACHED },
	};
	struct open_how how;
	u64 size = a->a[3];
	u32 lookup = 0;
	int err;

	(void)t;
	if (size < sizeof(how))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (copy_from_user(&how, a->a[2], sizeof(how)))
		return -EFAULT;
	err = check_zero_tail(a->a[2], sizeof(how), size);
	if (err)
		return err;
	if ((how.flags & ~(u64)OPEN_FLAGS) || (how.mode & ~07777UL))
		return -EINVAL;
	if (how.mode && !(how.flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))))
		return -EINVAL;
	if ((how.flags & O_PATH) &&
		(how.flags & ~(u64)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)))
		return -EINVAL;
	if ((how.resolve & RESOLVE_BENEATH) && (how.resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	for (u32 i = 0; i < ARRAY_SIZE(map); i++) {
		if (how.resolve & map[i].resolve)
			lookup |= map[i].lookup;
		how.resolve &= ~(u64)map[i].resolve;
	}
	if (how.resolve)
		return -EINVAL;
	if ((lookup & LOOKUP_CACHED) &&
		(how.flags & (O_TRUNC | O_CREAT | (O_TMPFILE & ~O_DIRECTORY))))
		return -EAGAIN;
	return do_open((int)a->a[0], a->a[1], (u32)how.flags, (u32)how.mode, lookup);
}

s64 sys_close(struct task *t, const struct sysargs *a)
{
	s64 ret = fd_close((int)a->a[0]);

	(void)t;
	/* The descriptor is gone: a restart would close somebody else's. */
	return ret <= -ERESTARTSYS ? -EINTR : ret;
}

s64 sys_close_range(struct task *t, const struct sysargs *a)
{
	u32 first = (u32)a->a[0], last = (u32)a->a[1], flags = (u32)a->a[2];

	if (flags & ~6u || first > last)
		return -EINVAL;
	if ((flags & 2) && fdtable_shared(t->files)) { /* CLOSE_RANGE_UNSHARE */
		int err;
		struct fdtable *mine = fdtable_dup(t->files, &err);

		if (!mine)
			return err;
		fdtable_put(t->files);
		t->files = mine;
	}
	fd_close_range(first, last, flags & 4);
	return 0;
}

/* No file system here gives out handles that outlive its inodes; a name that leads nowhere is told first, as by Linux's file systems without them. */
s64 sys_name_to_handle_at(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[4];
	struct path p;
	int err;

	(void)t;
	if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = at_lookup((int)a->a[0], a->a[1],
		(flags & AT_EMPTY_PATH) | (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW), 0,
		&p);
	if (err)
		return err;
	path_put(&p);
	return -EOPNOTSUPP;
}

s64 sys_open_by_handle_at(struct task *t, const struct sysargs *a)
{
	(void)t;
	(void)a;
	return fs_capable(CAP_DAC_READ_SEARCH) ? -EOPNOTSUPP : -EPERM;
}
