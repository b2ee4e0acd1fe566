/* SPDX-License-Identifier: Apache-2.0 */
/* What an overlay has above its lower tree, for who writes it down. Mounts inside the tree are not looked at: names are those of the overlay itself. */
#include "fs/internal.h"
#include "fs/overlay/overlay.h"
#include "fs/path.h"
#include "fs/tmpfs/tmpfs.h"

void name_list_add(struct name_list *l, const char *name, size_t len)
{
	char *copy, **more;
	u32 room;

	if (l->n == l->room && !l->failed) {
		room = l->room ? 2 * l->room : 64;
		more = krealloc(l->v, l->n * sizeof(*l->v), room * sizeof(*l->v));
		l->failed = !more;
		l->v = more ? more : l->v;
		l->room = more ? room : l->room;
	}
	copy = l->failed ? NULL : kmalloc(len + 1);
	if (!copy) {
		l->failed = true;
		return;
	}
	memcpy(copy, name, len);
	copy[len] = '\0';
	l->v[l->n++] = copy;
}

void name_list_free(struct name_list *l)
{
	for (u32 i = 0; i < l->n; i++)
		kfree(l->v[i]);
	kfree(l->v);
	*l = (struct name_list){ NULL, 0, 0, false };
}

bool overlay_is(const struct super *sb)
{
	return sb->ops == &ovl_super_ops;
}

/* The part of a lower path that is below the lower root. */
static void changes_add(struct name_list *out, const struct ovl_copy *c, const char *root,
	size_t root_len, char *buf)
{
	const char *path = dentry_to_string(c->from.dentry, buf, PATH_MAX_LEN);

	if (!path || strncmp(path, root, root_len) != 0)
		return;
	path += root_len;
	if (*path == '/')
		path++;
	/* Each directory above it, too; that a name is there twice is the caller's business. */
	for (size_t i = 1; path[0] && path[i - 1]; i++) {
		if (path[i] == '/' || !path[i])
			name_list_add(out, path, i);
	}
}

int overlay_copies(struct super *sb, struct name_list *out)
{
	struct ovl *o = ovl_of(sb);
	const struct path *lower = &ovl_node(dentry_inode(sb->root))->lower;
	char *buf = kmalloc(2 * PATH_MAX_LEN), *root;
	size_t len;

	if (!buf)
		return -ENOMEM;
	root = dentry_to_string(lower->dentry, buf + PATH_MAX_LEN, PATH_MAX_LEN);
	len = root ? strlen(root) : 0;
	if (len == 1)
		len = 0; /* the root of its file system */
	mutex_lock(&o->lock);
	for (u32 i = 0; root && i < OVL_BUCKETS; i++) {
		for (const struct ovl_copy *c = o->copies[i]; c; c = c->next)
			changes_add(out, c, root, len, buf);
	}
	mutex_unlock(&o->lock);
	kfree(buf);
	return out->failed ? -ENOMEM : root ? 0 : -ENAMETOOLONG;
}

struct changes_emit {
	struct dir_emit emit;
	struct name_list *out;
};

static bool changes_name(
	struct dir_emit *d, const char *name, size_t len, u64 ino, u32 type, u64 off)
{
	struct changes_emit *e = container_of(d, struct changes_emit, emit);

	name_list_add(e->out, name, len);
	return !e->out->failed;
}

int overlay_upper_names(struct inode *dir, struct name_list *out)
{
	struct changes_emit e = { .emit.emit = changes_name, .out = out };

	rwsem_read_lock(&dir->lock);
	if (ovl_node(dir)->upper)
		tmpfs_read_names(ovl_node(dir)->upper, &e.emit);
	rwsem_read_unlock(&dir->lock);
	return out->failed ? -ENOMEM : 0;
}

bool overlay_is_opaque(const struct inode *dir)
{
	return !ovl_node(dir)->lower.dentry;
}

int overlay_child(const struct path *dir, const char *name, size_t len, enum overlay_side *side,
	struct path *out)
{
	struct inode *inode = dentry_inode(dir->dentry);
	struct tmpfs_dirent *e;

	if (!inode || !S_ISDIR(inode->mode))
		return -ENOTDIR;
	rwsem_read_lock(&inode->lock);
	e = ovl_node(inode)->upper ? tmpfs_find(ovl_node(inode)->upper, name, len) : NULL;
	*side = !e					  ? OVERLAY_LOWER
		: e->inode == ovl_of(inode->sb)->whiteout ? OVERLAY_WHITEOUT
							  : OVERLAY_UPPER;
	rwsem_read_unlock(&inode->lock);
	if (*side == OVERLAY_WHITEOUT)
		return 0;
	return ovl_child(dir, name, len, out);
}
