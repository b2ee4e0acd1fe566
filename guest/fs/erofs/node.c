/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes, one for each number that is in use: hard links share theirs, and its pages. */
#include "fs/erofs/erofs.h"

#include "fs/internal.h"

static struct kcache node_cache = KCACHE("erofs_node", struct erofs_node);

static const struct inode_ops erofs_inode_ops, erofs_link_ops;

static struct erofs_node **node_bucket(struct erofs_super *es, u64 nid)
{
	u64 h = nid * 0x9e3779b97f4a7c15u;

	return &es->hash[(h >> 40) & (EROFS_BUCKETS - 1)];
}

static void node_set_ops(struct inode *inode)
{
	switch (inode->mode & S_IFMT) {
	case S_IFDIR:
		inode->ops = &erofs_dir_inode_ops;
		inode->fops = &erofs_dir_ops;
		break;
	case S_IFREG:
		inode->ops = &erofs_inode_ops;
		inode->fops = &erofs_file_ops;
		break;
	case S_IFLNK:
		inode->ops = &erofs_link_ops;
		break;
	default:
		inode->ops = &erofs_inode_ops;
		break;
	}
}

static struct inode *node_create(struct super *sb, const struct erofs_inode *disk, u64 parent)
{
	struct erofs_node *n = kcache_zalloc(&node_cache);
	struct inode *inode = n ? inode_create(sb, disk->nid, disk->mode) : NULL;

	if (!inode) {
		if (n)
			kcache_free(&node_cache, n);
		return NULL;
	}
	n->inode = inode;
	n->disk = *disk;
	n->parent = parent;
	inode->priv = n;
	inode->nlink = disk->nlink;
	inode->uid = disk->uid;
	inode->gid = disk->gid;
	inode->size = disk->size;
	inode->blocks = ALIGN_UP(disk->size, (u64)sb->blksize) / 512;
	inode->mtime = (struct timestamp){ disk->mtime, disk->mtime_nsec };
	inode->atime = inode->ctime = inode->btime = inode->mtime;
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
		inode_init_special(inode, disk->rdev);
	if (S_ISREG(inode->mode)) {
		mapping_init(&n->mapping, inode, &erofs_mapping_ops);
		n->mapping.readahead = MAPPING_READAHEAD_MAX;
		inode->mapping = &n->mapping;
	}
	node_set_ops(inode);
	return inode;
}

/* One that lives, with a reference. A dying one is as good as none: nothing of it is written anywhere. Lock held. */
static struct inode *node_find_locked(struct erofs_super *es, u64 nid)
{
	for (struct erofs_node *n = *node_bucket(es, nid); n; n = n->next) {
		if (n->disk.nid == nid && inode_get_live(n->inode))
			return n->inode;
	}
	return NULL;
}

/* The inode that is known under this number now: `fresh` (or NULL) when there is none yet, with a reference. */
static struct inode *node_publish(struct erofs_super *es, u64 nid, struct inode *fresh)
{
	struct inode *inode;

	spin_lock(&es->lock);
	inode = node_find_locked(es, nid);
	if (!inode && fresh) {
		struct erofs_node **b = node_bucket(es, nid);

		erofs_node(fresh)->next = *b;
		*b = erofs_node(fresh);
		inode = fresh;
	}
	spin_unlock(&es->lock);
	return inode;
}

/* A directory below two others would be a tree without end. */
static int node_check_parent(struct inode *inode, u64 parent)
{
	if (!S_ISDIR(inode->mode) || erofs_node(inode)->parent == parent)
		return 0;
	inode_put(inode);
	return -EUCLEAN;
}

int erofs_iget(struct super *sb, u64 nid, u64 parent, struct inode **out)
{
	struct erofs_super *es = erofs_super(sb);
	struct inode *inode = node_publish(es, nid, NULL), *fresh;
	struct erofs_inode disk;
	int err;

	if (!inode) {
		err = erofs_inode_read(&es->image, nid, &disk);
		if (err)
			return err;
		fresh = node_create(sb, &disk, parent);
		if (!fresh)
			return -ENOMEM;
		inode = node_publish(es, nid, fresh);
		if (inode != fresh)
			inode_put(fresh);
	}
	*out = inode;
	return node_check_parent(inode, parent);
}

void erofs_evict(struct inode *inode)
{
	struct erofs_super *es = erofs_super(inode->sb);
	struct erofs_node *n = erofs_node(inode), **p;

	if (!n)
		return;
	if (inode->mapping)
		mapping_destroy(inode->mapping);
	inode->mapping = NULL;
	spin_lock(&es->lock);
	for (p = node_bucket(es, n->disk.nid); *p && *p != n;)
		p = &(*p)->next;
	if (*p)
		*p = n->next;
	spin_unlock(&es->lock);
	inode->priv = NULL;
	kcache_free(&node_cache, n);
}

/* ---- attributes and links */

s64 erofs_getxattr(struct inode *inode, const char *name, void *buf, size_t size)
{
	return erofs_xattr_get(
		&erofs_super(inode->sb)->image, &erofs_node(inode)->disk, name, buf, size);
}

s64 erofs_listxattr(struct inode *inode, char *buf, size_t size)
{
	return erofs_xattr_list(&erofs_super(inode->sb)->image, &erofs_node(inode)->disk, buf, size,
		fs_capable(CAP_SYS_ADMIN));
}

static s64 node_readlink(struct inode *inode, char *buf, size_t size)
{
	return erofs_readlink(&erofs_super(inode->sb)->image, &erofs_node(inode)->disk, buf, size);
}

static const struct inode_ops erofs_inode_ops = {
	.getxattr = erofs_getxattr,
	.listxattr = erofs_listxattr,
};

static const struct inode_ops erofs_link_ops = {
	.readlink = node_readlink,
	.getxattr = erofs_getxattr,
	.listxattr = erofs_listxattr,
};
