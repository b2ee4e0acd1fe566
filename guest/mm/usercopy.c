/* SPDX-License-Identifier: Apache-2.0 */
/* Range checks in front of the architecture's copy routines, and the cursor that read and write paths share. */
#include "mm/usercopy.h"

#include "arch.h"
#include "kernel/errno.h"
#include "lib/string.h"

static bool user_range_ok(uaddr_t addr, size_t n)
{
	u64 end;

	return !__builtin_add_overflow(addr, n, &end) && end <= USER_TOP;
}

/* The part of [addr, addr + n) below the end of user space: a long range fails where it leaves it, not before. */
static size_t user_range_clip(uaddr_t addr, size_t n)
{
	return addr >= USER_TOP ? 0 : MIN(n, USER_TOP - addr);
}

size_t copy_from_user_some(void *dst, uaddr_t src, size_t n)
{
	size_t part = user_range_clip(src, n);

	return part - arch_copy_from_user(dst, src, part);
}

size_t copy_to_user_some(uaddr_t dst, const void *src, size_t n)
{
	size_t part = user_range_clip(dst, n);

	return part - arch_copy_to_user(dst, src, part);
}

int copy_from_user(void *dst, uaddr_t src, size_t n)
{
	if (!user_range_ok(src, n) || arch_copy_from_user(dst, src, n))
		return -EFAULT;
	return 0;
}

int copy_to_user(uaddr_t dst, const void *src, size_t n)
{
	if (!user_range_ok(dst, n) || arch_copy_to_user(dst, src, n))
		return -EFAULT;
	return 0;
}

int clear_user(uaddr_t dst, size_t n)
{
	if (!user_range_ok(dst, n) || arch_clear_user(dst, n))
		return -EFAULT;
	return 0;
}

s64 strncpy_from_user(char *dst, uaddr_t src, size_t size)
{
	size_t room = user_range_clip(src, size);
	s64 len;

	if (!room)
		return -EFAULT;
	len = arch_strnlen_user(src, room);
	if (len < 0)
		return len;
	if ((size_t)len == room)
		return room < size ? -EFAULT : -ENAMETOOLONG;
	/* The string may change between the two passes: what counts is the copy, and that it ends. */
	if (arch_copy_from_user(dst, src, (size_t)len + 1))
		return -EFAULT;
	dst[len] = 0;
	return (s64)strlen(dst);
}

int cmpxchg_user32(uaddr_t p, u32 expected, u32 new_value, u32 *old)
{
	if (!user_range_ok(p, sizeof(u32)))
		return -EFAULT;
	return arch_cmpxchg_user32(p, expected, new_value, old);
}

/* ---- cursor ---- */

void uio_init_kernel(struct uio *u, struct iov *storage, void *buf, size_t len)
{
	storage->base = (u64)buf;
	storage->len = len;
	*u = (struct uio){ .iov = storage, .niov = 1, .kernel = true, .left = len };
}

void uio_init_user(struct uio *u, struct iov *storage, uaddr_t buf, size_t len)
{
	storage->base = buf;
	storage->len = len;
	*u = (struct uio){ .iov = storage, .niov = 1, .left = len };
}

void uio_advance(struct uio *u, size_t n)
{
	n = MIN(n, u->left);
	u->left -= n;
	while (u->niov) {
		u64 room = u->iov->len - u->skip;

		if (n < room) {
			u->skip += n;
			return;
		}
		n -= room;
		u->skip = 0;
		u->iov++;
		u->niov--;
	}
}

static size_t uio_copy_out(struct uio *u, u64 at, const char *src, size_t n)
{
	if (!u->kernel)
		return copy_to_user_some(at, src, n);
	memcpy((void *)at, src, n);
	return n;
}

static size_t uio_copy_in(struct uio *u, char *dst, u64 at, size_t n)
{
	if (!u->kernel)
		return copy_from_user_some(dst, at, n);
	memcpy(dst, (const void *)at, n);
	return n;
}

size_t uio_write(struct uio *u, const void *buf, size_t n)
{
	const char *src = buf;
	size_t done = 0;

	n = MIN(n, u->left);
	while (done < n) {
		size_t part = MIN(n - done, u->iov->len - u->skip);
		size_t got = uio_copy_out(u, u->iov->base + u->skip, src + done, part);

		uio_advance(u, got);
		done += got;
		if (got < part)
			break;
	}
	return done;
}

size_t uio_read(struct uio *u, void *buf, size_t n)
{
	char *dst = buf;
	size_t done = 0;

	n = MIN(n, u->left);
	while (done < n) {
		size_t part = MIN(n - done, u->iov->len - u->skip);
		size_t got = uio_copy_in(u, dst + done, u->iov->base + u->skip, part);

		uio_advance(u, got);
		done += got;
		if (got < part)
			break;
	}
	return done;
}
