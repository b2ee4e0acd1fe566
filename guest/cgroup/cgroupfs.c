/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system "cgroup2". Every mount shows the tree below the root that the mounting task sees. Names are looked up each time; owners
 * and modes live in the cgroups, so all mounts show the same.
 */
#include "cgroup/internal.h"

#include <linux/fs.h>
#include <linux/inotify.h>

#include "fs/internal.h"
#include "fs/poll.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/internal.h"

#define CGROUP2_MAGIC 0x63677270u

/* What an inode stands for: a cgroup's directory (index 0), or one of its files. */
struct cgfs_node {
	struct cgroup *cg; /* reference */
	u32 index; /* into cg_files */
	struct inode *inode; /* whose this is */
	struct list_head link; /* cg->inodes; lock: cgroup_mutex */
};

/* An open file. */
struct cgfs_file {
	struct proc_buf text;
	u64 seen; /* note_seq at the last reading */
};

static const struct inode_ops cgfs_dir_inode_ops, cgfs_file_inode_ops;
static const struct file_ops cgfs_dir_ops, cgfs_file_ops;

static struct cgfs_node *cgfs_node(const struct inode *inode)
{
	return inode->priv;
}

static const struct cg_file *cgfs_file_of(const struct inode *inode)
{
	return cg_files[cgfs_node(inode)->index];
}

/* ---- inodes ---- */
static u32 cgfs_links(struct cgroup *cg)
{
	struct cgroup *c;
	u32 n = cg->dead ? 0 : 2;

	list_for_each_entry (c, &cg->children, sibling)
		n++;
	return n;
}

static void cgfs_show_attr(struct inode *inode)
{
	struct cgfs_node *n = cgfs_node(inode);
	const struct cg_attr *a = &n->cg->attr[n->index];
	u32 mode = a->mode ? a->mode : n->index ? cg_files[n->index]->mode : 0755;

	if (!n->index)
		inode->nlink = cgfs_links(n->cg);
	inode->uid = a->uid;
	inode->gid = a->gid;
	inode->mode = (inode->mode & S_IFMT) | mode;
}

/* cgroup_mutex held. */
static struct inode *cgfs_inode(struct super *sb, struct cgroup *cg, u32 index)
{
	struct cgfs_node *n = kzalloc(sizeof(*n));
	struct inode *inode =
		n ? inode_create(sb, cg->ino << 8 | index, index ? S_IFREG : S_IFDIR) : NULL;

	if (!inode) {
		kfree(n);
		return NULL;
	}
	cgroup_get(cg);
	n->cg = cg;
	n->index = index;
	n->inode = inode;
	inode->priv = n;
	inode->ops = index ? &cgfs_file_inode_ops : &cgfs_dir_inode_ops;
	inode->fops = index ? &cgfs_file_ops : &cgfs_dir_ops;
	list_add_tail(&cg->inodes, &n->link);
	cgfs_show_attr(inode);
	return inode;
}

static void cgfs_evict(struct inode *inode)
{
	struct cgfs_node *n = cgfs_node(inode);

	if (!n)
		return;
	mutex_lock(&cgroup_mutex);
	list_del(&n->link);
	mutex_unlock(&cgroup_mutex);
	cgroup_put(n->cg);
	kfree(n);
}

/* From the cgroup that the reader takes for the root, with "/.." for each step up. */
static void cgfs_show_root(const struct dentry *d, char *buf, size_t size)
{
	const struct cgfs_node *node = cgfs_node(d->inode);
	size_t n = cgroup_path(node->cg, cgroup_current_root(), buf, size);

	if (!node->index)
		return;
	if (n == 1)
		n = 0;
	str_format(buf + n, size - n, "/%s", cg_files[node->index]->name);
}

static const struct super_ops cgfs_super_ops = {
	.evict_inode = cgfs_evict,
	.show_root = cgfs_show_root,
};

static int cgfs_getattr(struct inode *inode)
{
	mutex_lock(&cgroup_mutex);
	cgfs_show_attr(inode);
	mutex_unlock(&cgroup_mutex);
	return 0;
}

static int cgfs_setattr(struct inode *inode, const struct setattr *a)
{
	struct cgfs_node *n = cgfs_node(inode);
	struct cg_attr *attr = &n->cg->attr[n->index];

	mutex_lock(&cgroup_mutex);
	if (a->valid & ATTR_MODE)
		attr->mode = a->mode & 07777;
	if (a->valid & ATTR_UID)
		attr->uid = a->uid;
	if (a->valid & ATTR_GID)
		attr->gid = a->gid;
	cgfs_show_attr(inode);
	mutex_unlock(&cgroup_mutex);
	return 0;
}

/* ---- directories ---- */
static int cgfs_lookup(struct inode *dir, struct dentry *d)
{
	struct cgroup *cg = cgfs_node(dir)->cg, *child;
	struct inode *inode = NULL;
	u32 index = 0;
	int err = 0;

	mutex_lock(&cgroup_mutex);
	child = cg->dead ? NULL : cgroup_child(cg, d->name);
	if (!child && !cg->dead)
		index = cg_file_find(cg, d->name);
	if (child || index) {
		inode = cgfs_inode(dir->sb, child ? child : cg, index);
		err = inode ? 0 : -ENOMEM;
	}
	mutex_unlock(&cgroup_mutex);
	if (inode)
		dentry_set_inode(d, inode);
	return err;
}

static bool cgfs_revalidate(struct dentry *d)
{
	struct inode *inode = dentry_inode(d);
	bool right;

	if (!inode)
		return false;
	mutex_lock(&cgroup_mutex);
	right = !cgfs_node(inode)->cg->dead;
	if (right && cgfs_node(inode)->index)
		right = cg_file_there(cgfs_node(inode)->cg, cgfs_file_of(inode));
	mutex_unlock(&cgroup_mutex);
	return right;
}

/* Files have a point in their names, and no line break is in any. */
static int cgfs_check_name(const struct cgroup *cg, const char *name)
{
	if (strchr(name, '\n'))
		return -EINVAL;
	return cg_file_find(cg, name) ? -EEXIST : 0;
}

static int cgfs_mkdir(struct inode *dir, struct dentry *d, u32 mode, u32 uid, u32 gid)
{
	struct cgroup *parent = cgfs_node(dir)->cg, *cg;
	struct inode *inode = NULL;
	int err;

	mutex_lock(&cgroup_mutex);
	err = parent->dead ? -ENODEV : cgfs_check_name(parent, d->name);
	if (!err)
		err = cgroup_create_locked(parent, d->name, uid, gid, mode & 07777, &cg);
	if (!err) {
		inode = cgfs_inode(dir->sb, cg, 0);
		err = inode ? 0 : -ENOMEM;
		if (err)
			cgroup_remove_locked(cg);
	}
	mutex_unlock(&cgroup_mutex);
	if (!err)
		dentry_set_inode(d, inode);
	return err;
}

static int cgfs_rmdir(struct inode *dir, struct dentry *d)
{
	struct inode *inode = dentry_inode(d);
	struct cgroup *cg = cgfs_node(inode)->cg;
	int err;

	(void)dir;
	if (cgfs_node(inode)->index)
		return -ENOTDIR;
	mutex_lock(&cgroup_mutex);
	err = cg->dead ? -ENOENT : cgroup_remove_locked(cg);
	if (!err)
		cgfs_show_attr(inode);
	mutex_unlock(&cgroup_mutex);
	return err;
}

static int cgfs_create(struct inode *dir, struct dentry *d, u32 mode, u32 uid, u32 gid)
{
	(void)dir;
	(void)d;
	(void)mode;
	(void)uid;
	(void)gid;
	return -EACCES;
}

static int cgfs_rename(
	struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd, u32 flags)
{
	(void)odir;
	(void)od;
	(void)ndir;
	(void)nd;
	(void)flags;
	return -EPERM;
}

/* Positions: dots, 2 + index of a file, CGFS_FIRST_CHILD + number of a child. */
#define CGFS_FIRST_CHILD (2 + CG_FILES_MAX)

static bool cgfs_emit_files(struct cgroup *cg, struct dir_emit *d)
{
	for (u32 i = 1; i < CG_FILES_MAX && cg_files[i]; i++) {
		if (d->pos > 2 + i || !cg_file_there(cg, cg_files[i]))
			continue;
		if (!d->emit(d, cg_files[i]->name, strlen(cg_files[i]->name), cg->ino << 8 | i,
			    S_IFREG >> 12, 3 + i))
			return false;
		d->pos = 3 + i;
	}
	return true;
}

static void cgfs_emit_children(struct cgroup *cg, struct dir_emit *d)
{
	struct cgroup *c;

	/* in the order of their making: numbers grow */
	list_for_each_entry (c, &cg->children, sibling) {
		if (d->pos > CGFS_FIRST_CHILD + c->ino)
			continue;
		if (!d->emit(d, c->name, strlen(c->name), c->ino << 8, S_IFDIR >> 12,
			    CGFS_FIRST_CHILD + c->ino + 1))
			return;
		d->pos = CGFS_FIRST_CHILD + c->ino + 1;
	}
}

static int cgfs_readdir(struct file *f, struct dir_emit *d)
{
	struct cgroup *cg = cgfs_node(f->inode)->cg;

	if (!dir_emit_dots(f, d))
		return 0;
	mutex_lock(&cgroup_mutex);
	if (!cg->dead && cgfs_emit_files(cg, d))
		cgfs_emit_children(cg, d);
	mutex_unlock(&cgroup_mutex);
	return 0;
}

static s64 cgfs_dir_llseek(struct file *f, s64 off, int whence)
{
	return file_llseek_generic(f, off, whence, 0);
}

static const struct file_ops cgfs_dir_ops = {
	.readdir = cgfs_readdir,
	.llseek = cgfs_dir_llseek,
};
static const struct inode_ops cgfs_dir_inode_ops = {
	.lookup = cgfs_lookup,
	.revalidate = cgfs_revalidate,
	.mkdir = cgfs_mkdir,
	.rmdir = cgfs_rmdir,
	.create = cgfs_create,
	.rename = cgfs_rename,
	.getattr = cgfs_getattr,
	.setattr = cgfs_setattr,
};

/* ---- files ---- */
static int cgfs_open(struct inode *inode, struct file *f)
{
	struct cgfs_file *c;
	const struct cg_file *e = cgfs_file_of(inode);

	c = kzalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->seen = atomic_load(&cgfs_node(inode)->cg->note_seq[e->note]);
	f->priv = c;
	f->ops = inode->fops;
	return 0;
}

static int cgfs_generate(struct file *f)
{
	struct cgfs_file *c = f->priv;
	struct cgroup *cg = cgfs_node(f->inode)->cg;
	const struct cg_file *e = cgfs_file_of(f->inode);
	int err;

	c->text.len = 0;
	c->text.failed = false;
	c->seen = atomic_load(&cg->note_seq[e->note]);
	mutex_lock(&cgroup_mutex);
	err = cg->dead ? -ENODEV : e->show(&c->text, cg);
	mutex_unlock(&cgroup_mutex);
	return err ? err : c->text.failed ? -ENOMEM : 0;
}

static s64 cgfs_read(struct file *f, struct uio *u, u64 *pos)
{
	struct cgfs_file *c = f->priv;
	int err;

	if (!cgfs_file_of(f->inode)->show)
		return -EINVAL;
	err = *pos == 0 || !c->text.text ? cgfs_generate(f) : 0;
	return err ? err : proc_buf_read(&c->text, u, pos);
}

static void cgfs_trim(char **text)
{
	char *end;

	while (**text == ' ' || **text == '\t' || **text == '\n')
		++*text;
	end = *text + strlen(*text);
	while (end > *text && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n'))
		*--end = 0;
}

static s64 cgfs_write(struct file *f, struct uio *u, u64 *pos)
{
	struct cgroup *cg = cgfs_node(f->inode)->cg;
	const struct cg_file *e = cgfs_file_of(f->inode);
	s64 len, ret;
	char *copy, *text;

	(void)pos;
	if (!e->write)
		return -EINVAL;
	len = proc_copy_text(u, &copy);
	if (len < 0)
		return len;
	text = copy;
	cgfs_trim(&text);
	ret = READ_ONCE(cg->dead) ? -ENODEV : e->write(cg, text, f);
	kfree(copy);
	return ret < 0 ? ret : len;
}

static u32 cgfs_poll(struct file *f, struct poll_table *pt)
{
	struct cgfs_file *c = f->priv;
	struct cgroup *cg = cgfs_node(f->inode)->cg;
	const struct cg_file *e = cgfs_file_of(f->inode);

	if (!e->note)
		return POLL_DEFAULT_MASK;
	poll_wait(f, &cg->note_wq, pt);
	if (cg->dead || atomic_load(&cg->note_seq[e->note]) != c->seen)
		return POLL_DEFAULT_MASK | POLLPRI | POLLERR;
	return POLL_DEFAULT_MASK;
}

static s64 cgfs_llseek(struct file *f, s64 off, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	return file_llseek_generic(f, off, whence, 0);
}

static void cgfs_release(struct file *f)
{
	struct cgfs_file *c = f->priv;

	kfree(c->text.text);
	kfree(c);
}

static const struct file_ops cgfs_file_ops = {
	.read = cgfs_read,
	.write = cgfs_write,
	.poll = cgfs_poll,
	.llseek = cgfs_llseek,
	.release = cgfs_release,
};
static const struct inode_ops cgfs_file_inode_ops = {
	.open = cgfs_open,
	.getattr = cgfs_getattr,
	.setattr = cgfs_setattr,
};

int cgroupfs_may_write(struct file *f, struct cgroup *cg, u32 index)
{
	const struct cg_attr *a = &cg->attr[index];
	struct inode like = { .sb = f->inode->sb,
		.mode = S_IFREG | (a->mode ? a->mode : cg_files[index]->mode),
		.uid = a->uid,
		.gid = a->gid };

	return inode_permission_cred(f->cred, &like, MAY_WRITE);
}

int cgroup_from_file(struct file *f, struct cgroup **out)
{
	struct cgroup *from = cgroup_of_task(task_current()), *to, *common;
	int err = 0;

	if (f->inode->ops != &cgfs_dir_inode_ops) {
		cgroup_put(from);
		return -EBADF;
	}
	to = cgfs_node(f->inode)->cg;
	mutex_lock(&cgroup_mutex);
	for (common = to; !cgroup_contains(common, from); common = common->parent)
		;
	if (to->dead)
		err = -ENODEV;
	if (!err)
		err = cgroupfs_may_write(f, to, cg_file_find(to, "cgroup.procs"));
	if (!err)
		err = cgroupfs_may_write(f, common, cg_file_find(to, "cgroup.procs"));
	if (!err) {
		cgroup_get(to);
		*out = to;
	}
	mutex_unlock(&cgroup_mutex);
	cgroup_put(from);
	return err;
}

/* ---- inotify ---- */
/* The next inode of a file whose news are in `bits`, with a reference; *skip counts what was told already. */
static struct inode *cgfs_next_told(struct cgroup *cg, u32 bits, u32 *skip)
{
	struct inode *found = NULL;
	struct cgfs_node *n;
	u32 at = 0;

	mutex_lock(&cgroup_mutex);
	list_for_each_entry (n, &cg->inodes, link) {
		if (!n->index || !(bits >> cg_files[n->index]->note & 1) || at++ < *skip)
			continue;
		++*skip;
		if (inode_get_live(n->inode)) {
			found = n->inode;
			break;
		}
	}
	mutex_unlock(&cgroup_mutex);
	return found;
}

void cgroupfs_notify(struct cgroup *cg)
{
	u32 bits = atomic_xchg(&cg->note_pending, 0), skip = 0;
	struct inode *inode;

	while ((inode = cgfs_next_told(cg, bits, &skip))) {
		inotify_event(NULL, inode, IN_MODIFY, NULL, 0);
		inode_put(inode);
	}
}

/* ---- mounting ---- */
/* The agent says whose tree it mounts; a program gets its own root. Takes a reference. */
static int cgfs_option(const char *data, struct cgroup **cg)
{
	static const char *const known[] = { "nsdelegate", "memory_recursiveprot",
		"memory_localevents", "favordynmods" };
	char *copy, *cursor, *name, *value;
	int err = 0;

	*cg = cgroup_current_root();
	if (!task_current() && data && !strncmp(data, CGROUPFS_ROOT, strlen(CGROUPFS_ROOT)))
		return cgroup_open(data + strlen(CGROUPFS_ROOT), false, cg);
	copy = cursor = kstrdup(data ? data : "");
	if (!copy)
		return -ENOMEM;
	while (!err && mount_option_next(&cursor, &name, &value)) {
		err = -EINVAL;
		for (u32 i = 0; i < ARRAY_SIZE(known); i++)
			err = strcmp(name, known[i]) ? err : 0;
	}
	kfree(copy);
	if (!err)
		cgroup_get(*cg);
	return err;
}

static int cgfs_mount(const char *source, const char *data, u64 ms_flags, struct super **out)
{
	struct cgroup *cg;
	struct super *sb;
	struct inode *root;
	int err;

	(void)source;
	(void)ms_flags;
	err = cgfs_option(data, &cg);
	if (err)
		return err;
	sb = super_create(&cgfs_super_ops, "cgroup2", CGROUP2_MAGIC, NULL);
	if (!sb) {
		cgroup_put(cg);
		return -ENOMEM;
	}
	sb->no_dcache = true;
	mutex_lock(&cgroup_mutex);
	root = cgfs_inode(sb, cg, 0);
	mutex_unlock(&cgroup_mutex);
	cgroup_put(cg);
	err = root ? super_set_root(sb, root) : -ENOMEM;
	if (err)
		super_abort(sb);
	else
		*out = sb;
	return err;
}

static struct fs_type cgroup2_type = { .name = "cgroup2", .nodev = true, .mount = cgfs_mount };

void cgroupfs_init(void)
{
	cg_files_init();
	fs_register(&cgroup2_type);
}
