/* SPDX-License-Identifier: Apache-2.0 */
/* devtmpfs: a tmpfs that comes with the sentry's device nodes. Each mount is an instance of its own. */
#include "fs/dev/dev.h"

#include "fs/internal.h"
#include "fs/tmpfs/tmpfs.h"

static const struct {
	const char *name;
	u32 mode;
	u32 major, minor;
	const char *target;
} dev_nodes[] = {
	{ "null", S_IFCHR | 0666, 1, 3, NULL },
	{ "zero", S_IFCHR | 0666, 1, 5, NULL },
	{ "full", S_IFCHR | 0666, 1, 7, NULL },
	{ "random", S_IFCHR | 0666, 1, 8, NULL },
	{ "urandom", S_IFCHR | 0666, 1, 9, NULL },
	{ "kmsg", S_IFCHR | 0644, 1, 11, NULL },
	{ "tty", S_IFCHR | 0666, 5, 0, NULL },
	{ "console", S_IFCHR | 0600, 5, 1, NULL },
	{ "ptmx", S_IFCHR | 0666, 5, 2, NULL },
	{ "pts", S_IFDIR | 0755, 0, 0, NULL },
	{ "shm", S_IFDIR | 01777, 0, 0, NULL },
	{ "mqueue", S_IFDIR | 01777, 0, 0, NULL },
	{ "fd", S_IFLNK | 0777, 0, 0, "/proc/self/fd" },
	{ "stdin", S_IFLNK | 0777, 0, 0, "/proc/self/fd/0" },
	{ "stdout", S_IFLNK | 0777, 0, 0, "/proc/self/fd/1" },
	{ "stderr", S_IFLNK | 0777, 0, 0, "/proc/self/fd/2" },
};

static int devtmpfs_populate(struct super *sb)
{
	struct inode *root = dentry_inode(sb->root);

	for (u32 i = 0; i < ARRAY_SIZE(dev_nodes); i++) {
		struct inode *inode = tmpfs_inode(sb, dev_nodes[i].mode, 0, 0);

		if (!inode)
			return -ENOMEM;
		if (S_ISCHR(dev_nodes[i].mode))
			inode_init_special(inode, dev_make(dev_nodes[i].major, dev_nodes[i].minor));
		if (dev_nodes[i].target) {
			tmpfs_node(inode)->target = kstrdup(dev_nodes[i].target);
			if (!tmpfs_node(inode)->target) {
				inode_put(inode);
				return -ENOMEM;
			}
			inode->size = strlen(dev_nodes[i].target);
		}
		if (tmpfs_add(root, dev_nodes[i].name, inode) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int devtmpfs_mount(const char *source, const char *data, u64 ms_flags, struct super **out)
{
	struct super *sb;
	int err = tmpfs_mount(source, data && *data ? data : "mode=755", ms_flags, &sb);

	if (err)
		return err;
	sb->fstype = "devtmpfs";
	err = devtmpfs_populate(sb);
	if (err)
		super_abort(sb);
	else
		*out = sb;
	return err;
}

static struct fs_type devtmpfs_type = {
	.name = "devtmpfs",
	.nodev = true,
	.mount = devtmpfs_mount,
};

void devtmpfs_init(void)
{
	fs_register(&devtmpfs_type);
}
