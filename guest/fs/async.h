/* SPDX-License-Identifier: Apache-2.0 */
/*
 * O_ASYNC: who wakes a queue that files with O_ASYNC sit on adds a TELL_* to the events, and their owners (F_SETOWN) get SIGIO, or what F_SETSIG
 * chose. A wake-up without one tells nobody: programs count these signals, so they come where Linux sends them.
 */
#ifndef FS_ASYNC_H
#define FS_ASYNC_H

#include "fs/vfs.h"

/* The POLL_* codes of <asm/siginfo.h>, above the events of a wake-up's key. */
#define TELL_SHIFT 32
#define TELL_IN	   (1UL << TELL_SHIFT)
#define TELL_OUT   (2UL << TELL_SHIFT)
#define TELL_ERR   (4UL << TELL_SHIFT)
#define TELL_PRI   (5UL << TELL_SHIFT) /* only to those who chose a signal */
#define TELL_HUP   (6UL << TELL_SHIFT)
#define TELL_FULL  (8UL << TELL_SHIFT) /* only to files that were full: file_async_full */
#define TELL_SPACE (TELL_OUT | TELL_FULL)

/* F_SETFL, FIOASYNC: fd is what siginfo will say. 0 or -ENOMEM. The file has the operation. */
int file_async_set(struct file *f, int fd, bool on);
/* The last reference goes. */
void file_async_gone(struct file *f);
/* A write found no room: the next TELL_SPACE is for this file. */
void file_async_full(struct file *f);
/* file_ops.async of files that get no owner by themselves. */
void file_async_plain(struct file *f);

#endif
