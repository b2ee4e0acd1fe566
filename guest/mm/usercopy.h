/* SPDX-License-Identifier: Apache-2.0 */
/* The only way to user memory: of the current task's address space, range-checked, faults handled. May sleep: no spinlock held. */
#ifndef MM_USERCOPY_H
#define MM_USERCOPY_H

#include "lib/types.h"

int copy_from_user(void *dst, uaddr_t src, size_t n); /* 0 or -EFAULT */
int copy_to_user(uaddr_t dst, const void *src, size_t n);
int clear_user(uaddr_t dst, size_t n);
/* As above, but say how much was copied before the fault (0..n). */
size_t copy_from_user_some(void *dst, uaddr_t src, size_t n);
size_t copy_to_user_some(uaddr_t dst, const void *src, size_t n);
/* Copies a NUL-terminated string. Length without NUL, -EFAULT, or -ENAMETOOLONG when it does not fit in size. */
s64 strncpy_from_user(char *dst, uaddr_t src, size_t size);
int cmpxchg_user32(uaddr_t p, u32 expected, u32 new_value, u32 *old); /* 0 or -EFAULT */

#define get_user(val, uaddr) copy_from_user(&(val), (uaddr), sizeof(val))
#define put_user(val, uaddr) \
	({ \
		__typeof__(val) pu_v_ = (val); \
		copy_to_user((uaddr), &pu_v_, sizeof(pu_v_)); \
	})

/* A cursor over user or kernel memory for reads and writes of files. */
struct iov {
	u64 base; /* uaddr_t, or a kernel pointer when `kernel` */
	u64 len;
};
struct uio {
	struct iov *iov;
	u32 niov;
	bool kernel;
	bool nowait; /* of one call: as with O_NONBLOCK (file_ops.nowait) */
	bool append; /* of one call: as with O_APPEND */
	u64 skip; /* bytes of iov[0] already used */
	u64 left; /* bytes left in all */
};
void uio_init_kernel(struct uio *u, struct iov *storage, void *buf, size_t len);
void uio_init_user(struct uio *u, struct iov *storage, uaddr_t buf, size_t len);
/* Move n <= left bytes between buf and the cursor and advance. Bytes moved; less than n only at a fault. */
size_t uio_write(
	struct uio *u, const void *buf, size_t n); /* buf -> cursor (a read() serves the user) */
size_t uio_read(struct uio *u, void *buf, size_t n); /* cursor -> buf */
void uio_advance(struct uio *u, size_t n);

#endif
