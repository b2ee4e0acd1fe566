/* SPDX-License-Identifier: Apache-2.0 */
/* Makers of the files without a name; each gives one reference in *out, or -errno. */
#ifndef FS_ANON_H
#define FS_ANON_H

#include "fs/vfs.h"

int eventfd_create(u32 count, u32 flags, struct file **out);
bool file_is_eventfd(const struct file *f);
void eventfd_signal(struct file *f); /* adds 1, unless it is full */
int signalfd_create(u64 mask, u32 flags, struct file **out);
int signalfd_set(struct file *f, u64 mask); /* -EINVAL: not a signalfd */
int inotify_create(u32 flags, struct file **out);
int inotify_add(struct file *f, struct inode *inode, u32 mask); /* watch descriptor or -errno */
int inotify_remove(struct file *f, int wd);

struct timerfd_spec {
	u64 interval, value; /* ns; value 0 = disarm */
};
int timerfd_create_file(int clockid, u32 flags, struct file **out);
int timerfd_settime_file(
	struct file *f, int flags, const struct timerfd_spec *spec, struct timerfd_spec *old);
int timerfd_gettime_file(struct file *f, struct timerfd_spec *out);

struct epoll_event_k {
	u32 events;
	u64 data;
};
int epoll_create_file(struct file **out);
int epoll_control(struct file *ep, int op, int fd, struct file *target, struct epoll_event_k *ev);
/* Gives up to max events to emit until it returns false (fault). Count, or -errno. */
s64 epoll_wait_events(struct file *ep, int max, u64 deadline,
	bool (*emit)(void *arg, int i, const struct epoll_event_k *ev), void *arg);

#endif
