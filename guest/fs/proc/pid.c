/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID: the table, and the directories of processes and threads. */
#include "cgroup/cgroup.h"
#include "fs/internal.h"
#include "fs/proc/proc.h"

#include "fs/fdtable.h"
#include "fs/nsfs.h"
#include "lib/printf.h"
#include "mm/as.h"
#include "task/access.h"
#include "task/internal.h"
#include "task/time_ns.h"
#include "task/user_ns.h"

/* ---- small files ---- */
static int pid_comm(struct proc_buf *b, struct proc_ctx *c)
{
	proc_printf(b, "%.15s\n", c->task->comm);
	return 0;
}

static s64 pid_comm_write(struct proc_ctx *c, char *text, size_t len)
{
	if (!task_current() || c->task->group != task_current()->group)
		return -EINVAL;
	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	str_copy(c->task->comm, text, sizeof(c->task->comm));
	return (s64)len;
}

static int pid_oom_score_adj(struct proc_buf *b, struct proc_ctx *c)
{
	proc_printf(b, "%d\n", c->task->group->oom_score_adj);
	return 0;
}

bool proc_parse_int(const char *s, s64 *out)
{
	bool neg = *s == '-';
	u64 v = 0;

	if (neg)
		s++;
	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9' && v < 1UL << 32; s++)
		v = v * 10 + (u64)(*s - '0');
	while (*s == '\n' || *s == ' ')
		s++;
	*out = neg ? -(s64)v : (s64)v;
	return !*s;
}

/* A number below 2^32 in decimal, octal or hexadecimal, as strtoul takes it with base 0. */
static bool proc_parse_u32(const char *s, u64 *out)
{
	u64 base = 10, v = 0;

	if (*s == '0')
		base = s[1] == 'x' || s[1] == 'X' ? 16 : 8;
	s += base == 16 ? 2 : 0;
	if (!*s || *s == '\n')
		return false;
	for (; *s && *s != '\n'; s++) {
		u64 d = *s >= '0' && *s <= '9'		       ? (u64)(*s - '0')
			: (*s | 32) >= 'a' && (*s | 32) <= 'f' ? (u64)((*s | 32) - 'a' + 10)
							       : 16;

		if (d >= base || v >> 32)
			return false;
		v = v * base + d;
	}
	*out = v;
	return !(v >> 32);
}

static s64 pid_oom_write(struct proc_ctx *c, char *text, size_t len)
{
	struct group *g = c->task->group;
	s64 v;

	if (!proc_parse_int(text, &v) || v < -1000 || v > 1000)
		return -EINVAL;
	if (v < g->oom_score_adj && !fs_capable(CAP_SYS_RESOURCE))
		return -EACCES;
	g->oom_score_adj = (s16)v;
	return (s64)len;
}

static int pid_timerslack(struct proc_buf *b, struct proc_ctx *c)
{
	proc_printf(b, "%lu\n", c->task->timer_slack);
	return 0;
}

static s64 pid_timerslack_write(struct proc_ctx *c, char *text, size_t len)
{
	s64 v;

	if (!proc_parse_int(text, &v) || v < 0)
		return -EINVAL;
	if (c->task != task_current() && !fs_capable(CAP_SYS_NICE))
		return -EPERM;
	c->task->timer_slack = v ? (u64)v : c->task->timer_slack_default;
	return (s64)len;
}

static int pid_dump_filter(struct proc_buf *b, struct proc_ctx *c)
{
	proc_printf(b, "%08x\n", READ_ONCE(c->task->group->dump_filter));
	return 0;
}

static s64 pid_dump_filter_write(struct proc_ctx *c, char *text, size_t len)
{
	u64 v;

	if (!proc_parse_u32(text, &v))
		return -EINVAL;
	WRITE_ONCE(c->task->group->dump_filter, (u32)v & 0x1ff);
	return (s64)len;
}

static int pid_oom_score(struct proc_buf *b, struct proc_ctx *c)
{
	struct page_stats st;
	struct as *as = task_get_as(c->task);
	s64 score = 0;

	page_stats(&st);
	if (as) {
		score = (as->rss_anon + as->rss_file + as->rss_shmem + as->swapped) * 1000 /
			(s64)MAX(st.total, 1UL);
		as_put(as);
	}
	score = score + c->task->group->oom_score_adj;
	proc_printf(b, "%ld\n", MAX(score, 0L));
	return 0;
}

static int pid_loginuid(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b, "4294967295");
	return 0;
}

static int pid_sessionid(struct proc_buf *b, struct proc_ctx *c)
{
	return pid_loginuid(b, c);
}

static int pid_cgroup(struct proc_buf *b, struct proc_ctx *c)
{
	char *buf = kmalloc(PATH_MAX_LEN);

	if (!buf)
		return -ENOMEM;
	cgroup_path_of(c->task, buf, PATH_MAX_LEN);
	proc_printf(b, "0::%s\n", buf);
	kfree(buf);
	return 0;
}

/* The map's outer side as the reader's user namespace has it; the own namespace's is shown with its parent's ids. */
static void put_idmap(struct proc_buf *b, struct task *t, bool gid)
{
	struct cred *c = task_cred(t);
	const struct user_ns *ns = c->user_ns, *outer = user_ns_current();
	const struct id_map *m = gid ? &ns->gid : &ns->uid;
	u32 i, n = atomic_load(&m->n);

	if (outer == ns && ns->parent)
		outer = ns->parent;
	for (i = 0; i < n; i++)
		proc_printf(b, "%10u %10u %10u\n", m->extents[i].first,
			id_from_kernel(gid ? &outer->gid : &outer->uid, m->extents[i].lower),
			m->extents[i].count);
	cred_put(c);
}

static s64 set_idmap(struct task *t, bool gid, const struct file *f, char *text, size_t len)
{
	struct cred *c = task_cred(t);
	s64 ret = user_ns_write_map(c->user_ns, gid, f, text, len);

	cred_put(c);
	return ret;
}

static int pid_uid_map(struct proc_buf *b, struct proc_ctx *c)
{
	put_idmap(b, c->task, false);
	return 0;
}

static int pid_gid_map(struct proc_buf *b, struct proc_ctx *c)
{
	put_idmap(b, c->task, true);
	return 0;
}

static s64 pid_uid_map_write(struct proc_ctx *c, const struct file *f, char *text, size_t len)
{
	return set_idmap(c->task, false, f, text, len);
}

static s64 pid_gid_map_write(struct proc_ctx *c, const struct file *f, char *text, size_t len)
{
	return set_idmap(c->task, true, f, text, len);
}

static int pid_setgroups(struct proc_buf *b, struct proc_ctx *c)
{
	struct cred *cr = task_cred(c->task);

	proc_printf(b, "%s\n", READ_ONCE(cr->user_ns->setgroups_denied) ? "deny" : "allow");
	cred_put(cr);
	return 0;
}

static s64 pid_setgroups_write(struct proc_ctx *c, const struct file *f, char *text, size_t len)
{
	struct cred *cr = task_cred(c->task);
	s64 ret = user_ns_write_setgroups(cr->user_ns, f, text, len);

	cred_put(cr);
	return ret;
}

static int pid_timens_offsets(struct proc_buf *b, struct proc_ctx *c)
{
	struct ns *n = task_get_one_ns(c->task, NS_TIME, true);

	if (!n)
		return -ESRCH;
	time_ns_show_offsets(container_of(n, struct time_ns, ns), b);
	ns_put(n);
	return 0;
}

static s64 pid_timens_write(struct proc_ctx *c, const struct file *f, char *text, size_t len)
{
	struct ns *n = task_get_one_ns(c->task, NS_TIME, true);
	s64 ret;

	if (!n)
		return -ESRCH;
	ret = time_ns_write_offsets(container_of(n, struct time_ns, ns), f, text, len);
	ns_put(n);
	return ret;
}

static int io_show(struct proc_buf *b, struct proc_ctx *c, const struct io_count *io)
{
	if (!task_may_access_fs(c->task))
		return -EACCES;
	proc_printf(b, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\n", io->rchar, io->wchar,
		io->syscr, io->syscw);
	proc_printf(b, "read_bytes: %lu\nwrite_bytes: %lu\ncancelled_write_bytes: %lu\n",
		io->read_bytes, io->write_bytes, io->cancelled);
	return 0;
}

static int pid_io(struct proc_buf *b, struct proc_ctx *c)
{
	struct io_count io = io_count_of_group(c->task->group);

	return io_show(b, c, &io);
}

static int tid_io(struct proc_buf *b, struct proc_ctx *c)
{
	return io_show(b, c, &c->task->io);
}

static int pid_wchan(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b, "0");
	return 0;
}

/* The call that a task sleeps in. A reader sees its own read. */
static int pid_syscall(struct proc_buf *b, struct proc_ctx *c)
{
	struct thread *t = c->task->thread;
	const struct regs *r;

	if (!task_may_access_fs(c->task))
		return -EPERM;
	if (!t ||
		(t != thread_current() && (READ_ONCE(t->on_cpu) || t->state == THREAD_RUNNABLE))) {
		proc_printf(b, "running\n");
		return 0;
	}
	r = thread_user_regs(t);
	if (r->orig_rax == ~0UL)
		proc_printf(b, "-1 0x%lx 0x%lx\n", r->rsp, r->rip);
	else
		proc_printf(b, "%ld 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n",
			(s64)r->orig_rax, r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9, r->rsp,
			r->rip);
	return 0;
}

static int pid_personality(struct proc_buf *b, struct proc_ctx *c)
{
	proc_printf(b, "%08x\n", c->task->personality);
	return 0;
}

static int pid_schedstat(struct proc_buf *b, struct proc_ctx *c)
{
	struct thread *t = c->task->thread;

	proc_printf(b, "%lu 0 %lu\n", t ? cpu_time_sum(thread_cpu_time(t)) : 0,
		t ? t->nvcsw + t->nivcsw : 0);
	return 0;
}

/* ---- links ---- */
static s64 path_text(struct path *p, char *buf, size_t size)
{
	char *tmp = kmalloc(PATH_MAX_LEN), *s;
	s64 n;

	if (!tmp)
		return -ENOMEM;
	s = path_to_string(p, tmp, PATH_MAX_LEN);
	n = s ? str_format(buf, size, "%s%s", s, path_deleted(p) ? " (deleted)" : "")
	      : -ENAMETOOLONG;
	kfree(tmp);
	return MIN(n, (s64)size - 1);
}

static int exe_follow(struct proc_ctx *c, struct path *out)
{
	struct as *as;
	int err = -ENOENT;

	if (!task_may_access_fs(c->task))
		return -EACCES;
	as = task_get_as(c->task);
	if (!as)
		return -ENOENT;
	rwsem_read_lock(&as->lock);
	if (as->exe)
		err = file_path(as->exe, out);
	rwsem_read_unlock(&as->lock);
	as_put(as);
	return err;
}

static int context_follow(struct proc_ctx *c, struct path *out, bool cwd)
{
	struct fs_context *fs;

	if (!task_may_access_fs(c->task))
		return -EACCES;
	fs = task_get_fs(c->task);
	if (!fs)
		return -ENOENT;
	spin_lock(&fs->lock);
	*out = cwd ? fs->cwd : fs->root;
	path_get(out);
	spin_unlock(&fs->lock);
	fs_context_put(fs);
	return 0;
}

static int cwd_follow(struct proc_ctx *c, struct path *out)
{
	return context_follow(c, out, true);
}

static int root_follow(struct proc_ctx *c, struct path *out)
{
	return context_follow(c, out, false);
}

#define FOLLOW_LINK(which) \
	static s64 which##_link(struct proc_ctx *c, char *buf, size_t size) \
	{ \
		struct path p = { NULL, NULL }; \
		s64 n = which##_follow(c, &p); \
\
		if (n) \
			return n; \
		n = path_text(&p, buf, size); \
		path_put(&p); \
		return n; \
	}
FOLLOW_LINK(exe)
FOLLOW_LINK(cwd)
FOLLOW_LINK(root)

#define PROC_MAGIC(n, which) \
	{ \
		.name = n, .mode = S_IFLNK | 0777, .link = which##_link, .follow = which##_follow \
	}

/* ---- namespaces ---- */
/* The namespace that a link stands for: with a reference, or NULL with *err. */
static struct ns *ns_link_get(struct proc_ctx *c, enum ns_kind kind, bool children, int *err)
{
	struct ns *n;

	*err = -EACCES;
	if (!task_may_access_fs(c->task))
		return NULL;
	n = task_get_one_ns(c->task, kind, children);
	*err = -ENOENT;
	return n;
}

static s64 ns_link_text(
	struct proc_ctx *c, enum ns_kind kind, bool children, char *buf, size_t size)
{
	int err;
	struct ns *n = ns_link_get(c, kind, children, &err);

	if (!n)
		return err;
	err = MIN(nsfs_name(n, buf, size), (int)size);
	ns_put(n);
	return err;
}

static int ns_link_follow(struct proc_ctx *c, enum ns_kind kind, bool children, struct path *out)
{
	int err;
	struct ns *n = ns_link_get(c, kind, children, &err);

	return n ? nsfs_path(n, out) : err;
}

#define NS_LINK(which, kind, children) \
	static s64 ns_##which##_link(struct proc_ctx *c, char *buf, size_t size) \
	{ \
		return ns_link_text(c, kind, children, buf, size); \
	} \
	static int ns_##which##_follow(struct proc_ctx *c, struct path *out) \
	{ \
		return ns_link_follow(c, kind, children, out); \
	}
NS_LINK(cgroup, NS_CGROUP, false)
NS_LINK(ipc, NS_IPC, false)
NS_LINK(mnt, NS_MNT, false)
NS_LINK(net, NS_NET, false)
NS_LINK(pid, NS_PID, false)
NS_LINK(pid_children, NS_PID, true)
NS_LINK(time, NS_TIME, false)
NS_LINK(time_children, NS_TIME, true)
NS_LINK(user, NS_USER, false)
NS_LINK(uts, NS_UTS, false)

static const struct proc_entry ns_table[] = {
	PROC_MAGIC("cgroup", ns_cgroup),
	PROC_MAGIC("ipc", ns_ipc),
	PROC_MAGIC("mnt", ns_mnt),
	PROC_MAGIC("net", ns_net),
	PROC_MAGIC("pid", ns_pid),
	PROC_MAGIC("pid_for_children", ns_pid_children),
	PROC_MAGIC("time", ns_time),
	PROC_MAGIC("time_for_children", ns_time_children),
	PROC_MAGIC("user", ns_user),
	PROC_MAGIC("uts", ns_uts),
	{ .name = NULL },
};

/* ---- threads ---- */
static const struct proc_entry tid_entry;

/* Consumes the reference of t. */
static void task_child(struct task *t, int nr, const struct proc_entry *e, struct proc_child *out)
{
	out->entry = e;
	out->ctx.task = t;
	out->ctx.key = nr;
	str_format(out->name, sizeof(out->name), "%d", nr);
}

static int task_lookup(struct proc_ctx *c, const char *name, struct proc_child *out)
{
	struct task *t;
	u64 tid;

	if (!proc_number(name, &tid))
		return -ENOENT;
	t = task_find_in(c->ns, (int)tid);
	if (!t)
		return -ENOENT;
	if (t->group != c->task->group) {
		task_put(t);
		return -ENOENT;
	}
	task_child(t, (int)tid, &tid_entry, out);
	return 0;
}

static bool task_next(struct proc_ctx *c, s64 *key, struct proc_child *out)
{
	struct task *t, *best = NULL;
	int best_nr = 0;
	u64 flags = tree_lock();

	list_for_each_entry (t, &c->task->group->tasks, group_link) {
		int nr = pid_nr_ns(t->id, c->ns);

		if (nr >= *key && nr && (!best || nr < best_nr)) {
			best = t;
			best_nr = nr;
		}
	}
	if (best)
		task_get(best);
	tree_unlock(flags);
	if (!best)
		return false;
	*key = best_nr;
	task_child(best, best_nr, &tid_entry, out);
	return true;
}

static const struct proc_dyn task_dyn = { task_lookup, task_next };

#define PROC_OWNED(n, fn, wr) \
	{ \
		.name = n, .mode = S_IFREG | 0644, .show = fn, .write_file = wr \
	}

#define PID_COMMON(stat, io) \
	PROC_FILE("auxv", proc_pid_auxv), PROC_FILE("cgroup", pid_cgroup), \
		{ .name = "clear_refs", .mode = S_IFREG | 0200, .write = proc_pid_clear_refs }, \
		PROC_FILE("cmdline", proc_pid_cmdline), \
		PROC_TUNE("comm", pid_comm, pid_comm_write), \
		PROC_TUNE("coredump_filter", pid_dump_filter, pid_dump_filter_write), \
		PROC_MAGIC("cwd", cwd), PROC_FILE("environ", proc_pid_environ), \
		PROC_MAGIC("exe", exe), \
		{ .name = "fd", .mode = S_IFDIR | 0500, .dyn = &proc_fd_dyn }, \
		{ .name = "fdinfo", .mode = S_IFDIR | 0555, .dyn = &proc_fdinfo_dyn }, \
		PROC_OWNED("gid_map", pid_gid_map, pid_gid_map_write), \
		{ .name = "io", .mode = S_IFREG | 0400, .show = io }, \
		PROC_FILE("limits", proc_pid_limits), PROC_FILE("loginuid", pid_loginuid), \
		PROC_FILE("maps", proc_pid_maps), \
		{ .name = "mem", .mode = S_IFREG | 0600, .fops = &proc_mem_ops }, \
		{ .name = "mountinfo", \
			.mode = S_IFREG | 0444, \
			.show = proc_pid_mountinfo, \
			.poll = proc_mounts_poll }, \
		{ .name = "mounts", \
			.mode = S_IFREG | 0444, \
			.show = proc_pid_mounts, \
			.poll = proc_mounts_poll }, \
		PROC_DIR("net", proc_net_table), PROC_DIR("ns", ns_table), \
		PROC_FILE("numa_maps", proc_pid_numa_maps), PROC_FILE("oom_score", pid_oom_score), \
		PROC_TUNE("oom_score_adj", pid_oom_score_adj, pid_oom_write), \
		{ .name = "pagemap", .mode = S_IFREG | 0400, .fops = &proc_pagemap_ops }, \
		PROC_FILE("personality", pid_personality), PROC_MAGIC("root", root), \
		PROC_TUNE("timerslack_ns", pid_timerslack, pid_timerslack_write), \
		PROC_FILE("sched", proc_pid_sched), PROC_FILE("schedstat", pid_schedstat), \
		PROC_FILE("sessionid", pid_sessionid), \
		PROC_OWNED("setgroups", pid_setgroups, pid_setgroups_write), \
		PROC_FILE("smaps", proc_pid_smaps), \
		PROC_FILE("smaps_rollup", proc_pid_smaps_rollup), PROC_FILE("stat", stat), \
		PROC_FILE("statm", proc_pid_statm), PROC_FILE("status", proc_pid_status), \
		{ .name = "syscall", .mode = S_IFREG | 0400, .show = pid_syscall }, \
		PROC_OWNED("uid_map", pid_uid_map, pid_uid_map_write), \
		PROC_FILE("wchan", pid_wchan)

static const struct proc_entry tid_table[] = { PID_COMMON(proc_tid_stat, tid_io),
	{ .name = NULL } };
static const struct proc_entry tid_entry = PROC_DIR("tid", tid_table);

const struct proc_entry proc_pid_table[] = {
	PID_COMMON(proc_pid_stat, pid_io),
	{ .name = "map_files", .mode = S_IFDIR | 0500, .dyn = &proc_map_files_dyn },
	PROC_FILE("mountstats", proc_pid_mountstats),
	{ .name = "task", .mode = S_IFDIR | 0555, .dyn = &task_dyn },
	PROC_OWNED("timens_offsets", pid_timens_offsets, pid_timens_write),
	{ .name = NULL },
};
static const struct proc_entry pid_entry = PROC_DIR("pid", proc_pid_table);

struct group *proc_pid_group(const struct file *f)
{
	struct proc_node *n;

	if (f->ops != &proc_dir_ops)
		return NULL;
	n = proc_node(f->inode);
	if (n->entry != &pid_entry)
		return NULL;
	group_get(n->ctx.task->group);
	return n->ctx.task->group;
}

/* ---- processes ---- */
static int pids_lookup(struct proc_ctx *c, const char *name, struct proc_child *out)
{
	struct task *t;
	u64 pid;

	if (!proc_number(name, &pid))
		return -ENOENT;
	t = task_find_in(c->ns, (int)pid);
	if (!t)
		return -ENOENT;
	task_child(t, (int)pid, &pid_entry, out);
	return 0;
}

struct pids_search {
	struct pid_ns *ns;
	s64 from;
	int best; /* 0: none */
};

static bool pids_visit(struct group *g, void *arg)
{
	struct pids_search *s = arg;

	int nr = pid_nr_ns(g->id, s->ns);

	if (nr >= s->from && (!s->best || nr < s->best))
		s->best = nr;
	return true;
}

static bool pids_next(struct proc_ctx *c, s64 *key, struct proc_child *out)
{
	struct pids_search s = { c->ns, *key, 0 };
	struct task *t;

	for (;;) {
		group_for_each_in(c->ns, pids_visit, &s);
		if (!s.best)
			return false;
		*key = s.best;
		t = task_find_in(c->ns, s.best);
		if (t)
			break;
		s = (struct pids_search){ c->ns, *key + 1, 0 }; /* gone meanwhile */
	}
	task_child(t, (int)*key, &pid_entry, out);
	return true;
}

const struct proc_dyn proc_pids = { pids_lookup, pids_next };
