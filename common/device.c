/* SPDX-License-Identifier: Apache-2.0 */
/* Device nodes of a guest on the host's file systems. */
#include <config.h>
#include "common/device.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

int cm_device_mark(int fd, mode_t mode, unsigned int major, unsigned int minor)
{
	char text[CM_DEVICE_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%c %u:%u", S_ISCHR(mode) ? 'c' : 'b', major, minor);

	if (fsetxattr(fd, CM_DEVICE_XATTR, text, (size_t)n, XATTR_CREATE) < 0)
		return errno == EOPNOTSUPP ? -EPERM : -errno;
	return 0;
}
