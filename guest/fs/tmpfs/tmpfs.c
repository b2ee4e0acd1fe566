/* SPDX-License-Identifier: Apache-2.0 */
/* tmpfs: mount options, limits, inodes, regular files with holes, seals and memfd_create. */
#include "fs/tmpfs/tmpfs.h"

#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/memfd.h>

#include "fs/internal.h"
#include "lib/printf.h"
#include "mm/as.h"
#include "task/task.h"
#include "task/user_ns.h"

#define F_SEAL_ALL (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

static struct kcache node_cache = KCACHE("tmpfs_node", struct tmpfs_node);
static struct mount *memfd_mount;

/* ---- limits ---- */
static int tmpfs_charge(struct mapping *m, s64 pages)
{
	struct inode *inode = m->inode;
	struct tmpfs_sb *sb = tmpfs_sb(inode->sb);
	int err = 0;

	spin_lock(&sb->lock);
	if (pages > 0 && sb->max_pages && sb->used_pages + (u64)pages > sb->max_pages) {
		err = -ENOSPC;
	} else {
		sb->used_pages += (u64)pages;
		inode->blocks += (u64)pages * (PAGE_SIZE / 512);
	}
	spin_unlock(&sb->lock);
	return err;
}

static const struct mapping_ops tmpfs_mapping_ops = { .charge = tmpfs_charge };

static int tmpfs_statfs(struct super *s, struct statfs_info *out)
{
	struct tmpfs_sb *sb = tmpfs_sb(s);

	spin_lock(&sb->lock);
	out->blocks = sb->max_pages;
	out->bfree = out->bavail = sb->max_pages ? sb->max_pages - sb->used_pages : 0;
	out->files = sb->max_inodes;
	out->ffree = sb->max_inodes ? sb->max_inodes - sb->used_inodes : 0;
	spin_unlock(&sb->lock);
	return 0;
}

/* ---- inodes ---- */
static int tmpfs_setattr(struct inode *inode, const struct setattr *a)
{
	u32 seals = tmpfs_node(inode)->seals;

	if (a->valid & ATTR_SIZE) {
		if ((a->size < inode->size && (seals & F_SEAL_SHRINK)) ||
			(a->size > inode->size && (seals & F_SEAL_GROW)))
			return -EPERM;
	}
	return inode_setattr_cached(inode, a);
}

static s64 tmpfs_readlink(struct inode *inode, char *buf, size_t size)
{
	const char *t = tmpfs_node(inode)->target;
	size_t n = MIN(strlen(t), size);

	memcpy(buf, t, n);
	return (s64)n;
}

static const struct inode_ops tmpfs_inode_ops = {
	.readlink = tmpfs_readlink,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.removexattr = tmpfs_removexattr,
	.listxattr = tmpfs_listxattr,
};

static bool tmpfs_count_inode(struct tmpfs_sb *sb, u64 *ino)
{
	bool ok;

	spin_lock(&sb->lock);
	ok = !sb->max_inodes || sb->used_inodes < sb->max_inodes;
	if (ok) {
		sb->used_inodes++;
		*ino = sb->next_ino++;
	}
	spin_unlock(&sb->lock);
	return ok;
}

static void tmpfs_uncount_inode(struct tmpfs_sb *sb)
{
	spin_lock(&sb->lock);
	sb->used_inodes--;
	spin_unlock(&sb->lock);
}

struct inode *tmpfs_inode(struct super *s, u32 mode, u32 uid, u32 gid)
{
	struct tmpfs_node *n;
	struct inode *inode;
	u64 ino;

	if (!tmpfs_count_inode(tmpfs_sb(s), &ino))
		return NULL;
	n = kcache_zalloc(&node_cache);
	inode = n ? inode_create(s, ino, mode) : NULL;
	if (!inode) {
		if (n)
			kcache_free(&node_cache, n);
		tmpfs_uncount_inode(tmpfs_sb(s));
		return NULL;
	}
	n->next_cookie = 2;
	inode->priv = n;
	inode->uid = uid;
	inode->gid = gid;
	inode->ops = &tmpfs_inode_ops;
	if (S_ISDIR(mode)) {
		inode->ops = &tmpfs_dir_inode_ops;
		inode->fops = &tmpfs_dir_ops;
		inode->size = 40; /* "." and ".." */
	} else if (S_ISREG(mode)) {
		mapping_init(&n->mapping, inode, &tmpfs_mapping_ops);
		inode->mapping = &n->mapping;
		inode->fops = &tmpfs_file_ops;
		n->seals = F_SEAL_SEAL;
	}
	return inode;
}

static void tmpfs_evict(struct inode *inode)
{
	struct tmpfs_node *n = tmpfs_node(inode);

	if (!n)
		return;
	if (inode->mapping)
		mapping_destroy(&n->mapping);
	if (S_ISDIR(inode->mode))
		tmpfs_dir_free(inode);
	xattr_list_free(&n->xattrs);
	kfree(n->target);
	kcache_free(&node_cache, n);
	tmpfs_uncount_inode(tmpfs_sb(inode->sb));
}

static void tmpfs_destroy(struct super *sb)
{
	kfree(sb->priv);
}

static int tmpfs_show_options(struct super *s, char *buf, size_t size)
{
	struct tmpfs_sb *sb = tmpfs_sb(s);
	int n = 0;

	buf[0] = 0;
	if (sb->max_pages)
		n = str_format(buf, size, ",size=%lluk", (unsigned long long)sb->max_pages * 4);
	if (sb->max_inodes && (size_t)n < size)
		n += str_format(buf + n, size - (size_t)n, ",nr_inodes=%llu",
			(unsigned long long)sb->max_inodes);
	if (sb->mode != 01777 && (size_t)n < size)
		n += str_format(buf + n, size - (size_t)n, ",mode=%o", sb->mode);
	if (sb->uid && (size_t)n < size)
		n += str_format(buf + n, size - (size_t)n, ",uid=%u", sb->uid);
	if (sb->gid && (size_t)n < size)
		n += str_format(buf + n, size - (size_t)n, ",gid=%u", sb->gid);
	return n;
}

const struct super_ops tmpfs_super_ops = {
	.statfs = tmpfs_statfs,
	.evict_inode = tmpfs_evict,
	.destroy = tmpfs_destroy,
	.show_options = tmpfs_show_options,
};

/* ---- mounting ---- */
static int tmpfs_size_option(const char *value, u64 ram_pages, u64 *pages)
{
	u64 v;
	size_t len = value ? strlen(value) : 0;
	char buf[32];

	if (len && value[len - 1] == '%' && len < sizeof(buf)) {
		str_copy(buf, value, len);
		if (mount_option_number(buf, 10, &v) || v > 100000)
			return -EINVAL;
		*pages = ram_pages * v / 100;
		return 0;
	}
	if (mount_option_number(value, 10, &v))
		return -EINVAL;
	*pages = v / PAGE_SIZE + (v % PAGE_SIZE ? 1 : 0);
	return 0;
}

static int tmpfs_option(struct tmpfs_sb *sb, const char *name, const char *value, u64 ram_pages)
{
	u64 v = 0;
	int err;

	if (!strcmp(name, "size"))
		return tmpfs_size_option(value, ram_pages, &sb->max_pages);
	if (!strcmp(name, "nr_blocks"))
		return mount_option_number(value, 10, &sb->max_pages);
	if (!strcmp(name, "nr_inodes"))
		return mount_option_number(value, 10, &sb->max_inodes);
	if (!strcmp(name, "mode")) {
		err = mount_option_number(value, 8, &v);
		sb->mode = v & 07777;
		return err;
	}
	if (!strcmp(name, "uid")) {
		err = mount_option_number(value, 10, &v);
		sb->uid = uid_to_kernel((u32)v);
		return err ?: sb->uid == ID_NONE ? -EINVAL : 0;
	}
	if (!strcmp(name, "gid")) {
		err = mount_option_number(value, 10, &v);
		sb->gid = gid_to_kernel((u32)v);
		return err ?: sb->gid == ID_NONE ? -EINVAL : 0;
	}
	if (!strcmp(name, "inode64") || !strcmp(name, "inode32") || !strcmp(name, "huge") ||
		!strcmp(name, "mpol") || !strcmp(name, "noswap"))
		return 0;
	return -EINVAL;
}

static int tmpfs_parse(struct tmpfs_sb *sb, const char *data)
{
	struct page_stats st;
	char *copy, *cursor, *name, *value;
	int err = 0;

	page_stats(&st);
	sb->max_pages = st.total / 2;
	sb->max_inodes = st.total / 2;
	sb->mode = 01777;
	sb->uid = task_current() ? cred_current()->fsuid : 0;
	sb->gid = task_current() ? cred_current()->fsgid : 0;
	if (!data || !*data)
		return 0;
	copy = cursor = kstrdup(data);
	if (!copy)
		return -ENOMEM;
	while (!err && mount_option_next(&cursor, &name, &value))
		err = tmpfs_option(sb, name, value, st.total);
	kfree(copy);
	return err;
}

static int tmpfs_check(const char *name, const char *value)
{
	struct tmpfs_sb scratch = { .mode = 0 };
	struct page_stats st;

	page_stats(&st);
	return tmpfs_option(&scratch, name, value, st.total);
}

int tmpfs_mount(const char *source, const char *data, u64 ms_flags, struct super **out)
{
	struct tmpfs_sb *t = kzalloc(sizeof(*t));
	struct super *sb;
	struct inode *root;
	int err;

	(void)source;
	if (!t)
		return -ENOMEM;
	list_init(&t->graveyard);
	t->next_ino = 1;
	err = tmpfs_parse(t, data);
	sb = err ? NULL : super_create(&tmpfs_super_ops, "tmpfs", TMPFS_MAGIC_, t);
	if (!sb) {
		kfree(t);
		return err ? err : -ENOMEM;
	}
	sb->readonly = ms_flags & MS_RDONLY;
	root = tmpfs_inode(sb, S_IFDIR | t->mode, t->uid, t->gid);
	err = root ? super_set_root(sb, root) : -ENOMEM;
	if (err) {
		super_abort(sb);
		return err;
	}
	*out = sb;
	return 0;
}

/* ---- regular files ---- */
static s64 tmpfs_write(struct file *f, struct uio *u, u64 *pos)
{
	u32 seals = tmpfs_node(f->inode)->seals;
	u64 at = file_appends(f, u) ? f->inode->size : *pos;

	if (u->left && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
		return -EPERM;
	if (u->left && (seals & F_SEAL_GROW)) {
		if (at >= f->inode->size)
			return -EPERM;
		u->left = MIN(u->left, f->inode->size - at);
	}
	return file_regular_write(f, u, pos);
}

static int tmpfs_mmap(struct file *f, struct vma *vma)
{
	u32 seals = tmpfs_node(f->inode)->seals;

	if (!(vma->flags & VMA_SHARED) || !(seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
		return 0;
	if (vma->flags & VMA_WRITE)
		return -EPERM;
	vma->flags &= ~(u32)VMA_MAYWRITE;
	return 0;
}

static int tmpfs_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct inode *inode = f->inode;
	u32 seals = tmpfs_node(inode)->seals;
	u64 n = len;
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	rwsem_write_lock(&inode->lock);
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		err = seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) ? -EPERM : 0;
		if (!err)
			mapping_truncate(inode->mapping, off, off + len);
		goto out;
	}
	err = 0;
	if (!(mode & FALLOC_FL_KEEP_SIZE) && off + len > inode->size) {
		err = seals & F_SEAL_GROW ? -EPERM : file_size_limit(off, &n);
		if (!err && n < len)
			err = -EFBIG;
	}
	if (!err)
		err = mapping_allocate(
			inode->mapping, off >> PAGE_SHIFT, ((off + len - 1) >> PAGE_SHIFT) + 1);
	if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && off + len > inode->size)
		atomic_store(&inode->size, off + len);
out:
	if (!err)
		inode_touch(inode, ATTR_MTIME | ATTR_CTIME);
	rwsem_write_unlock(&inode->lock);
	return err;
}

/* What was never written has no page, or one that fallocate made. */
static s64 tmpfs_llseek(struct file *f, s64 off, int whence)
{
	u64 size = atomic_load(&f->inode->size), end = ALIGN_UP(size, PAGE_SIZE) >> PAGE_SHIFT, at;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return file_llseek_generic(f, off, whence, size);
	if (off < 0 || (u64)off >= size)
		return -ENXIO;
	at = mapping_seek(f->inode->mapping, (u64)off >> PAGE_SHIFT, end, whence == SEEK_DATA);
	if (whence == SEEK_DATA && at == end)
		return -ENXIO;
	at = MIN(MAX(at << PAGE_SHIFT, (u64)off), size);
	return file_llseek_generic(f, (s64)at, SEEK_SET, size);
}

const struct file_ops tmpfs_file_ops = {
	.read = file_regular_read,
	.write = tmpfs_write,
	.llseek = tmpfs_llseek,
	.mmap = tmpfs_mmap,
	.fsync = file_fsync_none,
	.fallocate = tmpfs_fallocate,
};

/* ---- seals and memfd ---- */
static bool tmpfs_mapped_writable(struct mapping *m)
{
	struct vma *v;
	bool found = false;

	spin_lock(&m->lock);
	list_for_each_entry (v, &m->vmas, map_link) {
		if ((v->flags & VMA_SHARED) && (v->flags & VMA_MAYWRITE)) {
			found = true;
			break;
		}
	}
	spin_unlock(&m->lock);
	return found;
}

int tmpfs_add_seals(struct file *f, u32 seals)
{
	struct inode *inode = f->inode;
	struct tmpfs_node *n;
	int err = 0;

	if (inode->fops != &tmpfs_file_ops || (seals & ~(u32)F_SEAL_ALL))
		return -EINVAL;
	if (!(f->mode & FMODE_WRITE))
		return -EPERM;
	n = tmpfs_node(inode);
	rwsem_write_lock(&inode->lock);
	if (n->seals & F_SEAL_SEAL)
		err = -EPERM;
	else if ((seals & F_SEAL_WRITE) && !(n->seals & F_SEAL_WRITE) &&
		 tmpfs_mapped_writable(inode->mapping))
		err = -EBUSY;
	else
		n->seals |= seals;
	rwsem_write_unlock(&inode->lock);
	return err;
}

int tmpfs_get_seals(struct file *f)
{
	if (f->inode->fops != &tmpfs_file_ops)
		return -EINVAL;
	return (int)tmpfs_node(f->inode)->seals;
}

int memfd_create_file(const char *name, u32 flags, struct file **out)
{
	char full[NAME_MAX_LEN + 1];
	struct inode *inode = tmpfs_inode(memfd_mount->sb, S_IFREG | 0777, 0, 0);

	if (!inode)
		return -ENOMEM;
	inode->nlink = 0;
	if (flags & MFD_ALLOW_SEALING)
		tmpfs_node(inode)->seals = 0;
	str_format(full, sizeof(full), "memfd:%s", name);
	*out = file_create_in(memfd_mount, inode, full, O_RDWR | O_LARGEFILE);
	if (!*out) {
		inode_put(inode);
		return -ENFILE;
	}
	if ((*out)->cred) {
		inode->uid = (*out)->cred->fsuid;
		inode->gid = (*out)->cred->fsgid;
	}
	return 0;
}

/* ramfs knows nothing but mode, and by custom takes everything else. Its memory is limited here, as a tmpfs's is. */
static int ramfs_mount(const char *source, const char *data, u64 ms_flags, struct super **out)
{
	char *copy = data ? kstrdup(data) : NULL, *cursor = copy, *name, *value, text[24];
	u64 mode = 0755;
	int err = data && !copy ? -ENOMEM : 0;

	while (!err && mount_option_next(&cursor, &name, &value)) {
		if (!strcmp(name, "mode"))
			err = mount_option_number(value, 8, &mode);
	}
	kfree(copy);
	str_format(text, sizeof(text), "mode=%lo", mode & 07777);
	err = err ? err : tmpfs_mount(source, text, ms_flags, out);
	if (err)
		return err;
	(*out)->fstype = "ramfs";
	(*out)->magic = RAMFS_MAGIC_;
	return 0;
}

static struct fs_type ramfs_type = {
	.name = "ramfs", .nodev = true, .userns = true, .mount = ramfs_mount
};
static struct fs_type tmpfs_type = {
	.name = "tmpfs", .nodev = true, .userns = true, .mount = tmpfs_mount, .check = tmpfs_check
};

void tmpfs_init(void)
{
	struct super *sb;

	fs_register(&tmpfs_type);
	fs_register(&ramfs_type);
	panic_if(tmpfs_mount(NULL, "size=0,nr_inodes=0", 0, &sb) < 0);
	memfd_mount = mount_create_internal(sb);
	panic_if(!memfd_mount);
}
