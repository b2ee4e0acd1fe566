/* SPDX-License-Identifier: Apache-2.0 */
/* Byte positions in an array of buffers. */
#include <config.h>
#include "vmm/fsd/iov.h"

#include <stdint.h>
#include <string.h>

size_t fsd_iov_total(const struct iovec *iov, unsigned int n)
{
	size_t total = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (__builtin_add_overflow(total, iov[i].iov_len, &total))
			return SIZE_MAX;
	}
	return total;
}

static size_t iov_copy(const struct iovec *iov, unsigned int n, size_t off, uint8_t *buf,
	const uint8_t *from, size_t len)
{
	size_t done = 0;

	for (unsigned int i = 0; i < n && done < len; i++) {
		size_t room = iov[i].iov_len;
		uint8_t *base = iov[i].iov_base;

		if (off >= room) {
			off -= room;
			continue;
		}
		room -= off;
		if (room > len - done)
			room = len - done;
		if (from)
			memcpy(base + off, from + done, room);
		else
			memcpy(buf + done, base + off, room);
		done += room;
		off = 0;
	}
	return done;
}

size_t fsd_iov_read(const struct iovec *iov, unsigned int n, size_t off, void *buf, size_t len)
{
	return iov_copy(iov, n, off, buf, NULL, len);
}

size_t fsd_iov_write(
	const struct iovec *iov, unsigned int n, size_t off, const void *buf, size_t len)
{
	return iov_copy(iov, n, off, NULL, buf, len);
}

unsigned int fsd_iov_slice(const struct iovec *iov, unsigned int n, size_t off, size_t len,
	struct iovec *dst, unsigned int max)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < n && used < max && len; i++) {
		size_t room = iov[i].iov_len;

		if (off >= room) {
			off -= room;
			continue;
		}
		room -= off;
		if (room > len)
			room = len;
		dst[used].iov_base = (uint8_t *)iov[i].iov_base + off;
		dst[used].iov_len = room;
		used++;
		len -= room;
		off = 0;
	}
	return used;
}
