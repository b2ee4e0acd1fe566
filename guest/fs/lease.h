/* SPDX-License-Identifier: Apache-2.0 */
/* Leases and directory notification: fcntl(2) F_SETLEASE, F_NOTIFY. */
#ifndef FS_LEASE_H
#define FS_LEASE_H

#include "fs/vfs.h"

extern u64 lease_break_time; /* s; /proc/sys/fs/lease-break-time */

int lease_set(struct file *f, int fd, int type); /* F_RDLCK, F_WRLCK, F_UNLCK; 0 or -errno */
int lease_get(struct file *f);
/* Somebody opens (write: for writing) or truncates: have leases in the way given up, by force after lease_break_time. 0,
 * -EWOULDBLOCK (when not to wait) or -ERESTARTSYS. Call only when inode->leases is not 0. */
int lease_break(struct inode *inode, bool write, bool wait);
void lease_release(struct file *f); /* the last reference goes */

/* Of an event: a name changed within one directory. No bit of <linux/inotify.h>. */
#define DNOTIFY_RENAME 0x00020000u
extern u32 dnotify_active;
int dnotify_set(struct file *f, int fd, u32 mask); /* DN_*; 0 ends it */
void dnotify_event(const struct inode *dir, u32 in); /* IN_*: something in dir changed */
void dnotify_release(const struct file *f);

/* ---- fs/owner.c ---- */
/* The caller's process becomes the owner of a file that has none (F_SETOWN). */
void file_set_owner(struct file *f);
/* pid (NULL: nobody) becomes the owner; replace: also when there is one. type: F_OWNER_*. */
void file_change_owner(struct file *f, s32 type, struct pid *pid, bool replace);
struct pid *file_get_owner(struct file *f, s32 *type); /* with a reference, or NULL */
/* SIGIO, or what F_SETSIG chose, to the owner. code: POLL_*. */
void file_signal_owner(struct file *f, int fd, int code, s64 band);
/* SIGURG to the owner. */
void file_signal_urgent(struct file *f);

#endif
