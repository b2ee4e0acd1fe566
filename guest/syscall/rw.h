/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers with RWF_* flags, for preadv2 and asynchronous I/O. */
#ifndef SYSCALL_RW_H
#define SYSCALL_RW_H

#include "fs/vfs.h"

/* off -1 = the file's own position. Bytes or -errno. */
s64 rw_file(struct file *f, struct uio *u, s64 off, u32 rwf, bool write);

#endif
