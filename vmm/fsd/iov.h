/* SPDX-License-Identifier: Apache-2.0 */
/* Byte positions in an array of buffers: copy in and out, and cut a range out of it. */
#ifndef CM_VMM_FSD_IOV_H
#define CM_VMM_FSD_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/* Sum of the lengths, saturating at SIZE_MAX. */
size_t fsd_iov_total(const struct iovec *iov, unsigned int n);

/* Copy up to len bytes that start off bytes into iov to buf. Returns the bytes copied: fewer where iov ends. */
size_t fsd_iov_read(const struct iovec *iov, unsigned int n, size_t off, void *buf, size_t len);

/* The same from buf into iov. */
size_t fsd_iov_write(
	const struct iovec *iov, unsigned int n, size_t off, const void *buf, size_t len);

/* Describe [off, off + len) of iov in dst, of max entries. Returns the entries used; the range is cut where iov or dst ends. */
unsigned int fsd_iov_slice(const struct iovec *iov, unsigned int n, size_t off, size_t len,
	struct iovec *dst, unsigned int max);

#endif
