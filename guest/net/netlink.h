/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink sockets as other rooms see them: who wants to be told something by a descriptor. */
#ifndef NET_NETLINK_H
#define NET_NETLINK_H

#include "lib/types.h"

struct exit_listener;
struct file;

/* The netlink socket of a descriptor, as a reference on its file. 0, -EBADF, -ENOTSOCK, -EINVAL (another family). */
int netlink_get(int fd, struct file **out);
/* One datagram from the kernel for its reader; a full queue loses it, as any. */
void netlink_tell(struct file *f, const void *data, u32 len);
/* The same for a socket that listens to the ends of tasks (taskstats.h). */
void netlink_tell_exit(struct exit_listener *l, const void *data, u32 len);

#endif
