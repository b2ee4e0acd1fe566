/* SPDX-License-Identifier: Apache-2.0 */
/* Device nodes of the sentry. */
#ifndef FS_DEV_H
#define FS_DEV_H

#include "fs/vfs.h"

void chrdev_init(void); /* null, zero, full, random, urandom, kmsg */
void devtmpfs_init(void);
void tty_init(void); /* tty, console, ptmx, devpts */

#endif
