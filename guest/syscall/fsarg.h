/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of the arguments that file system calls share: path names, directory descriptors, io vectors. */
#ifndef SYSCALL_FSARG_H
#define SYSCALL_FSARG_H

#include <linux/fcntl.h>

#include "fs/fdtable.h"
#include "fs/internal.h"
#include "fs/path.h"
#include "syscall/syscall.h"

/* A user path, copied once. Short ones need no allocation. */
struct upath {
	const char *name;
	char *heap;
	char small[160];
};
int upath_get(struct upath *u, uaddr_t p); /* 0, -EFAULT, -ENAMETOOLONG, -ENOMEM */
static inline void upath_put(struct upath *u)
{
	kfree(u->heap);
}

/* Where a relative name starts. */
struct at {
	struct file *file;
	struct path path; /* of a file without a name */
	const struct path *base; /* NULL: the working directory */
};
/* 0 or -EBADF. The descriptor is not looked at for absolute names. */
int at_get(struct at *at, int dfd, const char *name);
static inline void at_put(struct at *at)
{
	if (at->file) {
		path_put(&at->path);
		file_put(at->file);
	}
}

/* dfd + user path -> object. flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH; lookup: extra LOOKUP_*. */
int at_lookup(int dfd, uaddr_t name, u32 at_flags, u32 lookup, struct path *out);
/* The object of a descriptor (O_PATH too), with references. */
int fd_path(int fd, struct path *out);

/* Zero bytes after the known fields of an extensible struct. 0, -E2BIG or -EFAULT. */
int check_zero_tail(uaddr_t p, u64 from, u64 to);

#define UVEC_INLINE 8u
struct uvec {
	struct uio uio;
	struct iov *heap;
	struct iov small[UVEC_INLINE];
};
/* 0 or -EINVAL, -EFAULT, -ENOMEM */
int uvec_get(struct uvec *v, uaddr_t iov, u64 count);
static inline void uvec_put(struct uvec *v)
{
	kfree(v->heap);
}

#define RW_MAX 0x7ffff000UL /* one call moves no more, as in Linux */

#endif
