/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device nodes of a guest on the host's file systems: empty regular files with an extended attribute "c MAJOR:MINOR" or "b MAJOR:MINOR". A real node
 * would be a way to the host's devices for whoever on the host reaches the directory.
 */
#ifndef CM_COMMON_DEVICE_H
#define CM_COMMON_DEVICE_H

#include <sys/types.h>

#define CM_DEVICE_XATTR	   "user.casemate.device"
#define CM_DEVICE_TEXT_MAX 32u /* type, two numbers of ten digits, what stands between them */

/* A new empty file becomes a node; mode: S_IFCHR or S_IFBLK. 0; -EPERM where the file system takes no such attributes, as one that takes no nodes; -errno. */
int cm_device_mark(int fd, mode_t mode, unsigned int major, unsigned int minor);

#endif
