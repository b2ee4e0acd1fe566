/* SPDX-License-Identifier: Apache-2.0 */
/* The mqueue file system: a tmpfs with one directory, whose files are queues. One instance in each IPC namespace, however often it is mounted. */
#include "ipc/internal.h"

#include "fs/fdtable.h"
#include "fs/internal.h"
#include "fs/tmpfs/tmpfs.h"
#include "task/task.h"

#define MQUEUE_MAGIC_ 0x19800202

static struct inode_ops mq_dir_ops;
static struct super_ops mq_super_ops;

/* ---- files ---- */

static s64 mq_file_read(struct file *f, struct uio *u, u64 *pos)
{
	char text[80];
	int len = mqueue_show(mqueue_of(f), text, sizeof(text));
	size_t n;

	if (*pos >= (u64)len)
		return 0;
	n = uio_write(u, text + *pos, MIN((u64)len - *pos, u->left));
	*pos += n;
	return n || !u->left ? (s64)n : -EFAULT;
}

static u32 mq_file_poll(struct file *f, struct poll_table *pt)
{
	return mqueue_poll(f, mqueue_of(f), pt);
}

static int mq_file_flush(struct file *f)
{
	if (task_current())
		mqueue_forget(mqueue_of(f), task_current()->group);
	return 0;
}

static int mq_file_mmap(struct file *f, struct vma *vma)
{
	(void)f;
	(void)vma;
	return -ENODEV;
}

static const struct file_ops mq_file_ops = {
	.read = mq_file_read,
	.poll = mq_file_poll,
	.flush = mq_file_flush,
	.mmap = mq_file_mmap,
};

struct mqueue *mqueue_of(const struct file *f)
{
	return f->ops == &mq_file_ops ? tmpfs_node(f->inode)->special : NULL;
}

/* ---- names ---- */

static int mq_create(struct inode *dir, struct dentry *d, u32 mode, u32 uid, u32 gid)
{
	static const struct mq_create defaults;
	const struct mq_create *c = task_current() ? task_current()->mq_create : NULL;
	struct tmpfs_sb *sb = tmpfs_sb(dir->sb);
	struct mqueue *q;
	struct inode *inode;
	int err;

	/* The directory counts as an inode, too. */
	if (READ_ONCE(sb->used_inodes) > mq_limits()->queues_max && !capable(CAP_SYS_RESOURCE))
		return -ENOSPC;
	err = mqueue_create(c ? c : &defaults, &q);
	if (err)
		return err;
	inode = tmpfs_inode(dir->sb, mode, uid, gid);
	if (!inode) {
		mqueue_destroy(q);
		return -ENOSPC;
	}
	tmpfs_node(inode)->special = q;
	inode->fops = &mq_file_ops;
	inode->size = 80;
	return tmpfs_instantiate(dir, d, inode);
}

static void mq_evict(struct inode *inode)
{
	struct tmpfs_node *n = tmpfs_node(inode);

	if (n && n->special)
		mqueue_destroy(n->special);
	tmpfs_super_ops.evict_inode(inode);
}

/* A name of the system calls: one component. */
static int mq_check_name(const char *name)
{
	if (!*name)
		return -ENOENT;
	if (strlen(name) > NAME_MAX_LEN)
		return -ENAMETOOLONG;
	return strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") ? -EACCES : 0;
}

static void mq_root(struct path *out)
{
	struct ipc_ns *ns = ipc_ns_current();

	out->mnt = ns->mq_mount;
	out->dentry = ns->mq_super->root;
}

int mq_open_file(
	const char *name, u32 flags, u32 mode, const struct mq_create *c, struct file **out)
{
	struct task *t = task_current();
	struct path root;
	int err = mq_check_name(name);

	if (err)
		return err;
	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	mq_root(&root);
	t->mq_create = c;
	err = file_open(&root, name,
		flags & (O_ACCMODE | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC), mode,
		LOOKUP_NO_SYMLINKS, out);
	t->mq_create = NULL;
	return err;
}

int mq_unlink_name(const char *name)
{
	struct path root;
	int err = mq_check_name(name);

	if (err)
		return err;
	mq_root(&root);
	return vfs_unlink(&root, name);
}

/* ---- the file system ---- */

static int mq_mount_fs(const char *source, const char *data, u64 ms_flags, struct super **out)
{
	(void)source;
	(void)data;
	(void)ms_flags;
	*out = ipc_ns_current()->mq_super;
	super_get(*out);
	return 0;
}

static struct fs_type mq_type = {
	.name = "mqueue", .nodev = true, .userns = true, .mount = mq_mount_fs
};

void mqueue_init(void)
{
	mq_dir_ops = tmpfs_dir_inode_ops;
	mq_dir_ops.create = mq_create;
	mq_dir_ops.mkdir = NULL;
	mq_dir_ops.mknod = NULL;
	mq_dir_ops.symlink = NULL;
	mq_dir_ops.link = NULL;
	mq_dir_ops.rename = NULL;
	mq_dir_ops.tmpfile = NULL;
	mq_super_ops = tmpfs_super_ops;
	mq_super_ops.evict_inode = mq_evict;
	mq_super_ops.show_options = NULL;
	fs_register(&mq_type);
	ipc_init();
}

struct mq_limits *mq_limits(void)
{
	return &ipc_ns_current()->mq_limits;
}

int mq_ns_init(struct ipc_ns *ns)
{
	struct super *sb;

	if (tmpfs_mount(NULL, "size=0,nr_inodes=0", 0, &sb) < 0)
		return -ENOMEM;
	sb->ops = &mq_super_ops;
	sb->fstype = "mqueue";
	sb->magic = MQUEUE_MAGIC_;
	dentry_inode(sb->root)->ops = &mq_dir_ops;
	ns->mq_mount = mount_create_internal(sb);
	if (!ns->mq_mount) {
		super_abort(sb);
		return -ENOMEM;
	}
	ns->mq_super = sb;
	return 0;
}

void mq_ns_fini(struct ipc_ns *ns)
{
	mount_put(ns->mq_mount);
}
