/* SPDX-License-Identifier: Apache-2.0 */
/* virtio block device on a file. */
#ifndef CM_VMM_PC_BLK_H
#define CM_VMM_PC_BLK_H

#include <stdbool.h>

struct virtio_dev;
struct virtio_env;

/* fd: a regular file or block device, the device's from now on; its size, in whole sectors, is the disk's. 0 or -errno. */
int pc_blk_create(const struct virtio_env *env, int fd, bool readonly, struct virtio_dev **out);

#endif
