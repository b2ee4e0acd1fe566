/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a container's root directory. */
#include <config.h>
#include "control/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

int cm_rootfs_open(int bundle, const char *path, struct cm_err *err)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (path[0] != '/')
		how.resolve |= RESOLVE_BENEATH;
	do {
		fd = (int)syscall(SYS_openat2, bundle, path, &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd >= 0)
		return fd;
	if (errno == EXDEV)
		return cm_err_set(err, 0, "root.path: '%s' leads out of the bundle", path);
	if (errno == ENOTDIR)
		return cm_err_set(err, 0, "root.path: '%s' is not a directory", path);
	return cm_err_set(err, errno, "root.path: open '%s'", path);
}
