/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/mounts, mountinfo, mountstats: the mounts that the task's root can reach. */
#include "fs/internal.h"
#include "fs/poll.h"
#include "fs/proc/proc.h"

#include "fs/fdtable.h"
#include "lib/printf.h"
#include "task/task.h"
#include "task/pid.h"

/* Blanks and backslashes in names are octal, as fstab wants. */
static void put_escaped(struct proc_buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\\' || *s == '#')
			proc_printf(b, "\\%03o", (u8)*s);
		else
			proc_write(b, s, 1);
	}
}

static void put_flags(struct proc_buf *b, u32 flags)
{
	static const struct {
		u32 flag;
		const char *text;
	} names[] = {
		{ MNT_NOSUID, ",nosuid" },
		{ MNT_NODEV, ",nodev" },
		{ MNT_NOEXEC, ",noexec" },
		{ MNT_NOATIME, ",noatime" },
		{ MNT_NODIRATIME, ",nodiratime" },
		{ MNT_RELATIME, ",relatime" },
		{ MNT_NOSYMFOLLOW, ",nosymfollow" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		if (flags & names[i].flag)
			proc_printf(b, "%s", names[i].text);
	}
}

static void put_super_options(struct proc_buf *b, struct super *sb)
{
	char opts[256] = "";

	if (sb->ops && sb->ops->show_options)
		sb->ops->show_options(sb, opts, sizeof(opts));
	proc_printf(b, "%s%s", *opts && *opts != ',' ? "," : "", opts);
}

struct mounts_walk {
	struct proc_buf *b;
	struct path root;
	const struct mount_ns *ns;
	char *buf;
};

typedef void (*mount_line_fn)(struct mounts_walk *w, struct mount *m, const char *at);

static void line_mounts(struct mounts_walk *w, struct mount *m, const char *at)
{
	put_escaped(w->b, m->source);
	proc_printf(w->b, " ");
	put_escaped(w->b, at);
	proc_printf(w->b, " %s %s", m->sb->fstype,
		(m->flags & MNT_RDONLY) || m->sb->readonly ? "ro" : "rw");
	put_flags(w->b, m->flags);
	put_super_options(w->b, m->sb);
	proc_printf(w->b, " 0 0\n");
}

static void line_mountstats(struct mounts_walk *w, struct mount *m, const char *at)
{
	proc_printf(w->b, "device ");
	put_escaped(w->b, m->source);
	proc_printf(w->b, " mounted on ");
	put_escaped(w->b, at);
	proc_printf(w->b, " with fstype %s\n", m->sb->fstype);
}

/* Where in its file system a mount begins. */
static void put_root(struct proc_buf *b, const struct mount *m)
{
	const struct super *sb = m->sb;
	const char *name = sb->root_name;
	char *buf = kmalloc(PATH_MAX_LEN);
	const char *inside = buf;

	if (buf && sb->ops && sb->ops->show_root)
		sb->ops->show_root(m->root, buf, PATH_MAX_LEN);
	else if (buf)
		inside = dentry_to_string(m->root, buf, PATH_MAX_LEN);
	if (name)
		put_escaped(b, name);
	if (!name || (inside && inside[1]))
		put_escaped(b, inside ? inside : "/");
	kfree(buf);
}

static void line_mountinfo(struct mounts_walk *w, struct mount *m, const char *at)
{
	struct mount *parent = READ_ONCE(m->parent);
	char relations[96];

	proc_printf(w->b, "%u %u 0:%u ", m->id, parent ? parent->id : 1, m->sb->dev);
	put_root(w->b, m);
	proc_printf(w->b, " ");
	put_escaped(w->b, at);
	proc_printf(w->b, " %s", m->flags & MNT_RDONLY ? "ro" : "rw");
	put_flags(w->b, m->flags);
	mount_show_relations(m, w->ns, &w->root, relations, sizeof(relations));
	proc_printf(w->b, "%s - %s ", relations, m->sb->fstype);
	put_escaped(w->b, m->source);
	proc_printf(w->b, " %s", m->sb->readonly ? "ro" : "rw");
	put_super_options(w->b, m->sb);
	proc_printf(w->b, "\n");
}

static int mounts_show(struct proc_buf *b, struct proc_ctx *c, mount_line_fn line)
{
	struct fs_context *fs = task_get_fs(c->task);
	struct mounts_walk w = { .b = b };
	struct nsproxy *set = task_get_ns(c->task);
	struct mount **v;
	u32 n;

	if (!fs || !set || !set->mnt) {
		if (fs)
			fs_context_put(fs);
		nsproxy_put(set);
		return -EINVAL;
	}
	spin_lock(&fs->lock);
	w.root = fs->root;
	path_get(&w.root);
	spin_unlock(&fs->lock);
	fs_context_put(fs);
	w.ns = set->mnt;
	w.buf = kmalloc(PATH_MAX_LEN);
	v = w.buf ? mount_ns_list(set->mnt, &n) : NULL;
	for (u32 i = 0; v && i < n; i++) {
		struct path p = { v[i], v[i]->root };
		char *at = path_to_string_root(&p, &w.root, w.buf, PATH_MAX_LEN);

		if (at && *at == '/')
			line(&w, v[i], at);
		mount_put_unused(v[i]); /* being listed is no use */
	}
	kfree(v);
	kfree(w.buf);
	path_put(&w.root);
	nsproxy_put(set);
	return v ? 0 : -ENOMEM;
}

int proc_pid_mounts(struct proc_buf *b, struct proc_ctx *c)
{
	return mounts_show(b, c, line_mounts);
}

int proc_pid_mountinfo(struct proc_buf *b, struct proc_ctx *c)
{
	return mounts_show(b, c, line_mountinfo);
}

int proc_pid_mountstats(struct proc_buf *b, struct proc_ctx *c)
{
	return mounts_show(b, c, line_mountstats);
}

/* POLLERR and POLLPRI once after each change of the namespace; f->owner_sig is unused by files of proc and keeps the last event seen. */
u32 proc_mounts_poll(struct file *f, struct poll_table *pt)
{
	struct nsproxy *set = task_get_ns(proc_node(f->inode)->ctx.task);
	struct mount_ns *ns = set ? set->mnt : NULL;
	u32 mask = POLLIN | POLLRDNORM;

	if (!ns) {
		nsproxy_put(set);
		return mask;
	}
	poll_wait(f, &ns->poll, pt);
	if ((s32)ns->event != f->owner_sig) {
		f->owner_sig = (s32)ns->event;
		mask |= POLLERR | POLLPRI;
	}
	return mask;
}
