/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path walking. A walk holds references on the current path and on its root; cached components cost one hash lookup and no allocation.
 * Symbolic links push what is left of the current string on a bounded stack of frames (no recursion); a link in the last place of
 * its string pushes nothing. Names come from user memory once, as kernel strings, so they do not change under the walker.
 */
#include "fs/path.h"

#include "fs/fdtable.h"
#include "task/task.h"

#define LOOKUP_SCOPED (LOOKUP_BENEATH | LOOKUP_IN_ROOT)

static void walk_set_cur(struct walk *w, struct mount *mnt, struct dentry *d)
{
	path_put(&w->cur);
	w->cur.mnt = mnt;
	w->cur.dentry = d;
}

/* Both only grow. */
static u64 walk_tree_changes(void)
{
	return dentry_moves() + mount_changes();
}

static void walk_context(struct walk *w, const struct path *base, bool absolute)
{
	struct task *t = task_current();
	struct fs_context *fs = t ? t->fs : NULL;
	bool confined = w->flags & LOOKUP_IN_ROOT;

	w->cred = t ? t->cred : NULL;
	if (fs) {
		spin_lock(&fs->lock);
		w->root = confined && base ? *base : fs->root;
		path_get(&w->root);
		w->cur = absolute ? w->root : base ? *base : fs->cwd;
		path_get(&w->cur);
		spin_unlock(&fs->lock);
	} else if (base) {
		w->root = *base;
		path_get(&w->root);
		w->cur = *base;
		path_get(&w->cur);
	}
	if (confined && !base && fs) {
		path_put(&w->root);
		w->root = w->cur;
		path_get(&w->root);
	} else if (w->flags & LOOKUP_BENEATH) {
		path_put(&w->root);
		w->root = w->cur;
		path_get(&w->root);
	}
}

int walk_begin(struct walk *w, const struct path *base, const char *name, u32 flags)
{
	w->cur = (struct path){ NULL, NULL };
	w->root = w->cur;
	w->flags = flags;
	w->changes = flags & LOOKUP_SCOPED ? walk_tree_changes() : 0;
	w->links = w->depth = 0;
	w->name = name;
	w->buf = NULL;
	w->trailing = false;
	if (!*name && !(flags & LOOKUP_EMPTY))
		return -ENOENT;
	if (*name == '/' && (flags & LOOKUP_BENEATH))
		return -EXDEV;
	walk_context(w, base, *name == '/' && !(flags & LOOKUP_IN_ROOT));
	if (!w->cur.dentry) {
		walk_end(w);
		return -ENOENT;
	}
	return 0;
}

void walk_end(struct walk *w)
{
	path_put(&w->cur);
	path_put(&w->root);
	kfree(w->buf);
	w->buf = NULL;
	while (w->depth)
		kfree(w->frames[--w->depth].buf);
}

void walk_take(struct walk *w, struct path *out)
{
	*out = w->cur;
	w->cur = (struct path){ NULL, NULL };
}

/* ---- one component ---- */
static int walk_crossing(struct walk *w)
{
	return w->flags & LOOKUP_NO_XDEV ? -EXDEV : 0;
}

static int walk_dotdot(struct walk *w)
{
	for (;;) {
		struct dentry *d = w->cur.dentry;

		if (d == w->root.dentry && w->cur.mnt == w->root.mnt) {
			if (w->flags & LOOKUP_BENEATH)
				return -EXDEV;
			break;
		}
		if (d != w->cur.mnt->root) {
			struct dentry *p = dentry_get_parent(d);

			w->cur.dentry = p;
			dentry_put(d);
			break;
		}
		if (!path_follow_up(&w->cur))
			break;
		if (walk_crossing(w))
			return -EXDEV;
	}
	if (path_follow_mounts(&w->cur) && walk_crossing(w))
		return -EXDEV;
	/* Where a directory on our way was taken out from below the root meanwhile, the root is not above us any more, and nothing would stop us. */
	if ((w->flags & LOOKUP_SCOPED) && w->changes != walk_tree_changes())
		return -EAGAIN;
	return 0;
}

/* A hashed dentry that its file system no longer stands by. */
static bool walk_stale(struct dentry *dir, struct dentry *d)
{
	const struct inode_ops *ops = dentry_inode(dir)->ops;

	if (!ops || !ops->revalidate || ops->revalidate(d))
		return false;
	dentry_drop(d);
	dentry_put(d);
	return true;
}

struct dentry *walk_lookup_locked(struct walk *w, int *err)
{
	struct dentry *dir = w->cur.dentry, *d;
	struct inode *inode = dentry_inode(dir);

	if (w->last_len > NAME_MAX_LEN) {
		*err = -ENAMETOOLONG;
		return NULL;
	}
	d = dcache_find(dir, w->last, w->last_len, w->last_hash);
	if (d && !walk_stale(dir, d))
		return d;
	if (!inode->ops || !inode->ops->lookup) {
		*err = -ENOENT;
		return NULL;
	}
	if (!inode->nlink) {
		*err = -ENOENT;
		return NULL;
	}
	d = dentry_alloc(dir->sb, dir, w->last, w->last_len);
	if (!d) {
		*err = -ENOMEM;
		return NULL;
	}
	*err = inode->ops->lookup(inode, d);
	if (*err) {
		dentry_put(d);
		return NULL;
	}
	dcache_insert(d);
	return d;
}

/* What the cache says, where its word is enough. */
static struct dentry *walk_lookup_cached(struct walk *w, struct inode *dir, int *err)
{
	struct dentry *d = NULL;

	if (!dir->ops || !dir->ops->revalidate)
		d = dcache_find(w->cur.dentry, w->last, w->last_len, w->last_hash);
	if (!d)
		*err = -EAGAIN;
	return d;
}

struct dentry *walk_lookup(struct walk *w, int *err)
{
	struct dentry *dir = w->cur.dentry, *d;
	struct inode *inode;

	if (w->last_len > NAME_MAX_LEN) {
		*err = -ENAMETOOLONG;
		return NULL;
	}
	inode = dentry_inode(dir);
	if (w->flags & LOOKUP_CACHED)
		return walk_lookup_cached(w, inode, err);
	d = dcache_find(dir, w->last, w->last_len, w->last_hash);
	if (d && !walk_stale(dir, d))
		return d;
	rwsem_write_lock(&inode->lock);
	d = walk_lookup_locked(w, err);
	rwsem_write_unlock(&inode->lock);
	return d;
}

/* A magic link moves the walk straight to its object. */
static int walk_magic(struct walk *w, struct inode *inode)
{
	struct path to = { NULL, NULL };
	int err;

	if (w->flags & LOOKUP_NO_MAGICLINKS)
		return -ELOOP;
	if (w->flags & LOOKUP_SCOPED)
		return -EXDEV;
	err = inode->ops->follow(inode, &to);
	if (err)
		return err;
	if (walk_crossing(w) && to.mnt != w->cur.mnt) {
		path_put(&to);
		return -EXDEV;
	}
	walk_set_cur(w, to.mnt, to.dentry);
	return 0;
}

/* 1: the object was reached (magic link); 0: a body to walk was installed as w->name; or -errno. push: keep the rest of the string. */
static int walk_enter_link(struct walk *w, struct dentry *d, bool push)
{
	struct inode *inode = dentry_inode(d);
	char *body;
	s64 n;

	if (w->links++ >= SYMLINKS_MAX || (w->flags & LOOKUP_NO_SYMLINKS) ||
		(w->cur.mnt->flags & MNT_NOSYMFOLLOW))
		return -ELOOP;
	if (w->flags & LOOKUP_CACHED)
		return -EAGAIN; /* the target may have to be read */
	if (inode->ops->follow)
		return walk_magic(w, inode) ?: 1;
	body = kmalloc(PATH_MAX_LEN + 1);
	if (!body)
		return -ENOMEM;
	n = inode_readlink(inode, body, PATH_MAX_LEN);
	if (n <= 0) {
		kfree(body);
		return n ? (int)n : -ENOENT;
	}
	body[n] = 0;
	inode_update_atime(inode, w->cur.mnt->flags);
	if (push) {
		w->frames[w->depth++] = (struct walk_frame){ w->buf, w->name };
		w->buf = NULL;
	}
	kfree(w->buf);
	w->buf = body;
	w->name = body;
	if (*body != '/')
		return 0;
	if (w->flags & LOOKUP_BENEATH)
		return -EXDEV;
	if (walk_crossing(w) && w->root.mnt != w->cur.mnt)
		return -EXDEV;
	path_get(&w->root);
	walk_set_cur(w, w->root.mnt, w->root.dentry);
	return 0;
}

/* Step into d, a positive dentry of w->cur's directory; consumes it. */
static int walk_into(struct walk *w, struct dentry *d)
{
	struct dentry *old = w->cur.dentry;

	w->cur.dentry = d;
	dentry_put(old);
	if (unlikely(atomic_load(&d->mounts)) && path_follow_mounts(&w->cur))
		return walk_crossing(w);
	return 0;
}

/* The component w->last, which more components follow. */
static int walk_middle(struct walk *w)
{
	struct dentry *d;
	struct inode *inode;
	int err = 0;

	if (w->last_type == LAST_DOT)
		return 0;
	if (w->last_type == LAST_DOTDOT)
		return walk_dotdot(w);
	d = walk_lookup(w, &err);
	if (!d)
		return err;
	inode = dentry_inode(d);
	if (!inode) {
		dentry_put(d);
		return -ENOENT;
	}
	if (S_ISLNK(inode->mode)) {
		err = walk_enter_link(w, d, true);
		dentry_put(d);
		if (err != 1)
			return err;
	} else {
		err = walk_into(w, d);
		if (err)
			return err;
	}
	return S_ISDIR(dentry_inode(w->cur.dentry)->mode) ? 0 : -ENOTDIR;
}

static void walk_parse(struct walk *w)
{
	const char *p = w->name;
	u32 h = 0x811c9dc5u;

	w->last = p;
	for (; *p && *p != '/'; p++)
		h = (h ^ (u8)*p) * 0x01000193u;
	w->last_len = (u32)(p - w->last);
	w->last_hash = h;
	w->last_type = LAST_NORM;
	if (w->last[0] == '.') {
		if (w->last_len == 1)
			w->last_type = LAST_DOT;
		else if (w->last_len == 2 && w->last[1] == '.')
			w->last_type = LAST_DOTDOT;
	}
	w->trailing = *p == '/';
	while (*p == '/')
		p++;
	w->name = p;
}

/* A link's body that ended in the middle of the path: go on with what came after the link. */
static void walk_pop(struct walk *w)
{
	struct walk_frame *f = &w->frames[--w->depth];

	kfree(w->buf);
	w->buf = f->buf;
	w->name = f->rest;
}

int walk_parent(struct walk *w)
{
	bool trailing = w->trailing; /* of the string that led to a last link */
	int err;

	for (;;) {
		while (*w->name == '/')
			w->name++;
		if (!*w->name) {
			if (!w->depth) {
				w->last = "";
				w->last_len = 0;
				w->last_type = LAST_ROOT;
				return 0;
			}
			walk_pop(w);
			continue;
		}
		if (!S_ISDIR(dentry_inode(w->cur.dentry)->mode))
			return -ENOTDIR;
		if (w->cred) {
			err = inode_permission_cred(w->cred, dentry_inode(w->cur.dentry), MAY_EXEC);
			if (err)
				return err;
		}
		walk_parse(w);
		if (!*w->name && !w->depth) {
			w->trailing |= trailing;
			return 0;
		}
		err = walk_middle(w);
		if (err)
			return err;
		if (!*w->name && w->depth)
			walk_pop(w);
	}
}

int walk_follow_last(struct walk *w, struct dentry *d)
{
	int err = walk_enter_link(w, d, false);

	if (err == 1) {
		w->last_type = LAST_ROOT;
		return 0;
	}
	return err ? err : walk_parent(w);
}

int walk_last(struct walk *w, bool follow)
{
	int err = 0;

	for (;;) {
		struct dentry *d;
		struct inode *inode;

		if (w->last_type == LAST_DOTDOT)
			return walk_dotdot(w);
		if (w->last_type != LAST_NORM)
			return w->last_type == LAST_ROOT && w->trailing &&
					       !S_ISDIR(dentry_inode(w->cur.dentry)->mode)
				       ? -ENOTDIR
				       : 0;
		d = walk_lookup(w, &err);
		if (!d)
			return err;
		inode = dentry_inode(d);
		if (!inode) {
			dentry_put(d);
			return -ENOENT;
		}
		if (!S_ISLNK(inode->mode) || !(follow || w->trailing)) {
			err = walk_into(w, d);
			if (!err && w->trailing && !S_ISDIR(dentry_inode(w->cur.dentry)->mode))
				err = -ENOTDIR;
			return err;
		}
		err = walk_follow_last(w, d);
		dentry_put(d);
		if (err)
			return err;
	}
}

/* ---- the public entries ---- */
static int path_check_final(struct walk *w)
{
	if ((w->flags & LOOKUP_DIRECTORY) && !S_ISDIR(dentry_inode(w->cur.dentry)->mode))
		return -ENOTDIR;
	return 0;
}

static int path_walk(const struct path *base, const char *name, u32 flags, const struct cred *c,
	struct path *out)
{
	struct walk w;
	int err = walk_begin(&w, base, name, flags);

	if (err)
		return err;
	if (c)
		w.cred = c;
	err = walk_parent(&w);
	if (!err)
		err = walk_last(&w, flags & LOOKUP_FOLLOW);
	if (!err)
		err = path_check_final(&w);
	if (!err)
		walk_take(&w, out);
	walk_end(&w);
	return err;
}

int path_lookup(const struct path *base, const char *name, u32 flags, struct path *out)
{
	return path_walk(base, name, flags, NULL, out);
}

int path_lookup_cred(const struct path *base, const char *name, u32 flags, const struct cred *c,
	struct path *out)
{
	return path_walk(base, name, flags, c, out);
}

int path_lookup_parent(
	const struct path *base, const char *name, u32 flags, struct path *parent, char *last)
{
	struct walk w;
	int err = walk_begin(&w, base, name, flags);

	if (err)
		return err;
	err = walk_parent(&w);
	if (!err && w.last_len > NAME_MAX_LEN)
		err = -ENAMETOOLONG;
	if (!err) {
		memcpy(last, w.last, w.last_len);
		last[w.last_len] = 0;
		walk_take(&w, parent);
	}
	walk_end(&w);
	return err;
}

/* ---- names of paths ---- */
/* Puts "/name" before *at. False when it does not fit. */
static bool path_prepend(char *buf, char **at, struct dentry *d)
{
	char name[NAME_MAX_LEN + 1];
	size_t len;

	dentry_copy_name(d, name, sizeof(name));
	len = strlen(name);
	if ((size_t)(*at - buf) < len + 1)
		return false;
	*at -= len;
	memcpy(*at, name, len);
	*--*at = '/';
	return true;
}

char *dentry_to_string(struct dentry *d, char *buf, size_t size)
{
	struct dentry *cur = d, *up;
	char *at = buf + size - 1;
	bool ok = true;

	*at = 0;
	dentry_get(cur);
	while (ok && (up = dentry_get_parent(cur)) != cur) {
		ok = path_prepend(buf, &at, cur);
		dentry_put(cur);
		cur = up;
	}
	if (ok)
		dentry_put(up);
	dentry_put(cur);
	if (!ok)
		return NULL;
	if (!*at)
		*--at = '/';
	return at;
}

char *path_to_string_root(const struct path *p, const struct path *root, char *buf, size_t size)
{
	struct path cur = *p;
	char *at = buf + size - 1;
	bool ok = true;

	*at = 0;
	path_get(&cur);
	while (ok && !(root && cur.dentry == root->dentry && cur.mnt == root->mnt)) {
		struct dentry *d = cur.dentry;

		if (d == cur.mnt->root) {
			if (path_follow_up(&cur))
				continue;
			if (root && (size_t)(at - buf) >= 13 &&
				(root->mnt != cur.mnt || root->dentry != d)) {
				if (!*at)
					*--at = '/';
				at -= 13;
				memcpy(at, "(unreachable)", 13);
			}
			break;
		}
		ok = path_prepend(buf, &at, d);
		if (d->parent == d)
			break; /* no name in any tree: memfd, anonymous files */
		cur.dentry = dentry_get_parent(d);
		dentry_put(d);
	}
	path_put(&cur);
	if (!ok)
		return NULL;
	if (!*at)
		*--at = '/';
	return at;
}

bool path_deleted(const struct path *p)
{
	return p->dentry != p->mnt->root && dentry_unhashed(p->dentry);
}

char *path_to_string(const struct path *p, char *buf, size_t size)
{
	struct task *t = task_current();
	struct path root = { NULL, NULL };
	char *s;

	if (t && t->fs) {
		spin_lock(&t->fs->lock);
		root = t->fs->root;
		path_get(&root);
		spin_unlock(&t->fs->lock);
	}
	s = path_to_string_root(p, root.dentry ? &root : NULL, buf, size);
	path_put(&root);
	return s;
}
