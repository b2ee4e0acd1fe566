/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What engines see of a container's file systems. podman cp and its like join the mount namespace of the OCI process, or
 * go through its /proc/PID/root, and expect the container's files there. So a created container's process has a mount namespace of its
 * own, whose root is the bundle's root directory: what they read and write is the container's and never the host's.
 */
#include <config.h>
#include "control/host.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/rootfs.h"

int cm_host_show_rootfs(
	int bundle_fd, const char *root_path, int cwd, bool proc, struct cm_err *err)
{
	cleanup_fd int rootfs = cm_rootfs_open(bundle_fd, root_path, err);
	cleanup_fd int tree = -1;

	if (rootfs < 0)
		return rootfs;
	tree = open_tree(rootfs, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return cm_err_set(err, errno, "make a mount namespace");
	/* Whoever joins starts at what lies upon the root; the directory to work in stays the container's record. */
	if (fchdir(tree) < 0 || chroot(".") < 0 || fchdir(cwd) < 0)
		return cm_err_set(err, errno, "enter the mount namespace");
	/* For whoever lists processes there (podman top). An image without the directory has none to list. */
	if (proc && mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 &&
		errno != ENOENT && errno != ENOTDIR)
		return cm_err_set(err, errno, "mount /proc of the mount namespace");
	return 0;
}
