/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device nodes that a guest makes (common/device.h). The attribute is the engine's alone: a client neither sees nor changes it, or a guest's process
 * without CAP_MKNOD could make a node of a file. A file that has content is no node, whatever it carries.
 */
#include <config.h>
#include "vmm/fsd/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "common/device.h"

bool fsd_device_name(const char *xattr)
{
	return strcmp(xattr, CM_DEVICE_XATTR) == 0;
}

size_t fsd_device_hide(char *list, size_t len)
{
	size_t kept = 0;

	for (size_t at = 0; at < len;) {
		size_t n = strnlen(list + at, len - at);

		n += at + n < len; /* its end */
		if (n != sizeof(CM_DEVICE_XATTR) || memcmp(list + at, CM_DEVICE_XATTR, n) != 0) {
			memmove(list + kept, list + at, n);
			kept += n;
		}
		at += n;
	}
	return kept;
}

/* #syscalls:fsd getxattr */
void fsd_device_stat(int fd, struct statx *stx)
{
	char name[12], text[CM_DEVICE_TEXT_MAX + 1], type;
	unsigned int major, minor;
	ssize_t n;
	int end = 0;

	if (!S_ISREG(stx->stx_mode) || stx->stx_size)
		return;
	n = getxattr(fsd_proc_name(name, fd), CM_DEVICE_XATTR, text, CM_DEVICE_TEXT_MAX);
	if (n <= 0)
		return;
	text[n] = '\0';
	if (sscanf(text, "%c %10u:%10u%n", &type, &major, &minor, &end) != 3 || end != n ||
		(type != 'c' && type != 'b'))
		return;
	stx->stx_mode = (uint16_t)((stx->stx_mode & 07777) | (type == 'c' ? S_IFCHR : S_IFBLK));
	stx->stx_rdev_major = major;
	stx->stx_rdev_minor = minor;
}

/* #syscalls:fsd fsetxattr unlinkat */
int fsd_device_make(struct fsd_req *rq, uint32_t mode, uint32_t rdev)
{
	int fd = fsd_create_file(
		rq->node->fd, rq->str[0], O_WRONLY | O_CREAT | O_EXCL, mode & 07777);
	unsigned int major = (rdev >> 8) & 0xfff, minor = (rdev & 0xff) | ((rdev >> 12) & 0xfff00);
	int r;

	if (fd < 0)
		return fd;
	r = cm_device_mark(fd, mode, major, minor);
	if (r < 0)
		(void)unlinkat(rq->node->fd, rq->str[0], 0);
	close(fd);
	return r;
}
