/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nsfs: files that stand for namespaces. A descriptor or a bind mount of one keeps the namespace alive, setns enters it, ioctls ask about it. One
 * file system in the sandbox; the inode number is the namespace's, so equal numbers mean the same one.
 */
#include "fs/nsfs.h"

#include <linux/nsfs.h>

#include "fs/fdtable.h"
#include "fs/internal.h"
#include "lib/printf.h"
#include "task/pid.h"
#include "task/user_ns.h"

static struct super *nsfs_super;
static struct mount *nsfs_mount;

static void nsfs_evict(struct inode *inode)
{
	ns_put(inode->priv);
}

static const struct super_ops nsfs_super_ops = { .evict_inode = nsfs_evict };

int nsfs_name(const struct ns *n, char *buf, size_t size)
{
	return str_format(buf, size, "%s:[%u]", ns_info((enum ns_kind)n->kind)->name, n->inum);
}

/* A new descriptor for another namespace; consumes the reference. */
static s64 nsfs_open_other(struct ns *n)
{
	struct path p;
	struct file *f;
	int ret = nsfs_path(n, &p);

	if (ret)
		return ret;
	ret = file_open_path(&p, O_RDONLY, &f);
	path_put(&p);
	if (ret)
		return ret;
	ret = fd_install(f, O_CLOEXEC, 0);
	if (ret < 0)
		file_put(f);
	return ret;
}

/* The user namespace that owns n, or its parent; the caller's must be above it or the same. */
static s64 nsfs_owner(struct ns *n)
{
	struct user_ns *owner =
		n->kind == NS_USER ? container_of(n, struct user_ns, ns)->parent : n->owner;

	if (!owner || !user_ns_contains(user_ns_current(), owner))
		return -EPERM;
	user_ns_get(owner);
	return nsfs_open_other(&owner->ns);
}

static s64 nsfs_parent(struct ns *n)
{
	struct pid_ns *parent;

	if (n->kind == NS_USER)
		return nsfs_owner(n);
	if (n->kind != NS_PID)
		return -EINVAL;
	parent = container_of(n, struct pid_ns, ns)->parent;
	if (!parent || !pid_ns_contains(pid_ns_current(), parent))
		return -EPERM;
	pid_ns_get(parent);
	return nsfs_open_other(&parent->ns);
}

static s64 nsfs_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct ns *n = f->inode->priv;

	switch (cmd) {
	case NS_GET_USERNS:
		return nsfs_owner(n);
	case NS_GET_PARENT:
		return nsfs_parent(n);
	case NS_GET_NSTYPE:
		return (s64)ns_info((enum ns_kind)n->kind)->clone_flag;
	case NS_GET_OWNER_UID:
		if (n->kind != NS_USER)
			return -EINVAL;
		return put_user(uid_shown(container_of(n, struct user_ns, ns)->owner), arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_ops nsfs_ops = { .ioctl = nsfs_ioctl };

int nsfs_path(struct ns *n, struct path *out)
{
	struct inode *inode = inode_create(nsfs_super, n->inum, S_IFREG | 0444);
	char name[32];

	if (!inode) {
		ns_put(n);
		return -ENOMEM;
	}
	inode->priv = n;
	inode->fops = &nsfs_ops;
	nsfs_name(n, name, sizeof(name));
	out->dentry = dentry_alloc(nsfs_super, NULL, name, strlen(name));
	if (!out->dentry) {
		inode_put(inode);
		return -ENOMEM;
	}
	dentry_set_inode(out->dentry, inode);
	out->mnt = nsfs_mount;
	mount_get(nsfs_mount);
	return 0;
}

struct ns *nsfs_of_file(const struct file *f)
{
	return f->inode && f->inode->sb == nsfs_super ? f->inode->priv : NULL;
}

bool nsfs_is(const struct super *sb)
{
	return sb == nsfs_super;
}

void nsfs_init(void)
{
	struct inode *root;

	nsfs_super = super_create(&nsfs_super_ops, "nsfs", NSFS_MAGIC_, NULL);
	root = nsfs_super ? inode_create(nsfs_super, 1, S_IFDIR | 0555) : NULL;
	panic_if(!root || super_set_root(nsfs_super, root) < 0);
	nsfs_mount = mount_create_internal(nsfs_super);
	panic_if(!nsfs_mount);
}
