/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of file system calls. */
#include "syscall/fsarg.h"

int upath_get(struct upath *u, uaddr_t p)
{
	s64 n = strncpy_from_user(u->small, p, sizeof(u->small));

	u->heap = NULL;
	u->name = u->small;
	if (n != -ENAMETOOLONG)
		return n < 0 ? (int)n : 0;
	u->heap = kmalloc(PATH_MAX_LEN);
	if (!u->heap)
		return -ENOMEM;
	n = strncpy_from_user(u->heap, p, PATH_MAX_LEN);
	u->name = u->heap;
	if (n < 0) {
		kfree(u->heap);
		return (int)n;
	}
	return 0;
}

int at_get(struct at *at, int dfd, const char *name)
{
	at->file = NULL;
	at->base = NULL;
	at->path = (struct path){ NULL, NULL };
	if (*name == '/' || dfd == AT_FDCWD)
		return 0;
	at->file = fd_get_any(dfd);
	if (!at->file)
		return -EBADF;
	at->base = &at->file->path;
	if (!at->file->path.dentry) {
		if (file_path(at->file, &at->path) < 0) {
			file_put(at->file);
			at->file = NULL;
			return -ENOMEM;
		}
		at->base = &at->path;
	}
	return 0;
}

int at_lookup(int dfd, uaddr_t name, u32 at_flags, u32 lookup, struct path *out)
{
	struct upath u;
	struct at at;
	int err = upath_get(&u, name);

	if (err)
		return err;
	if (!(at_flags & AT_SYMLINK_NOFOLLOW))
		lookup |= LOOKUP_FOLLOW;
	if (at_flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	err = at_get(&at, dfd, u.name);
	if (!err) {
		if (*u.name || (lookup & LOOKUP_EMPTY))
			err = path_lookup(at.base, u.name, lookup, out);
		else
			err = -ENOENT;
		at_put(&at);
	}
	upath_put(&u);
	return err;
}

int fd_path(int fd, struct path *out)
{
	struct file *f = fd_get_any(fd);
	int err;

	if (!f)
		return -EBADF;
	err = file_path(f, out);
	file_put(f);
	return err;
}

int uvec_get(struct uvec *v, uaddr_t iov, u64 count)
{
	struct iov *at = v->small;
	u64 total = 0;

	v->heap = NULL;
	if (count > 1024)
		return -EINVAL;
	if (count > UVEC_INLINE) {
		at = v->heap = kmalloc(count * sizeof(*at));
		if (!at)
			return -ENOMEM;
	}
	if (copy_from_user(at, iov, count * sizeof(*at)) < 0) {
		uvec_put(v);
		return -EFAULT;
	}
	for (u64 i = 0; i < count; i++) {
		if ((s64)at[i].len < 0) {
			uvec_put(v);
			return -EINVAL;
		}
		at[i].len = MIN(at[i].len, RW_MAX - total);
		total += at[i].len;
	}
	v->uio = (struct uio){ .iov = at, .niov = (u32)count, .left = total };
	return 0;
}

int check_zero_tail(uaddr_t p, u64 from, u64 to)
{
	u8 b;

	for (; from < to; from++) {
		if (get_user(b, p + from))
			return -EFAULT;
		if (b)
			return -E2BIG;
	}
	return 0;
}
