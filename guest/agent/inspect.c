/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PROCESS: what /proc says about one process, for the host's dump of all of them. The files are those that programs read, generated with the
 * kernel's own rights; each has its share of the reply, and what is cut off is marked.
 */
#include "agent/internal.h"

#include "fs/fdtable.h"
#include "fs/proc/proc.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/slab.h"
#include "task/ns.h"

#define INSPECT_FD_TEXT 12288u
#define INSPECT_PATH	1024u

/* Entries of /proc/PID by kind, with the bytes that each may take; together they fit a reply. */
static const struct {
	const char *name;
	u32 max;
} inspect_entries[CM_RPC_SECTIONS] = {
	[CM_RPC_SECTION_CMDLINE] = { "cmdline", 8192 },
	[CM_RPC_SECTION_ENVIRON] = { "environ", 12288 },
	[CM_RPC_SECTION_EXE] = { "exe", INSPECT_PATH },
	[CM_RPC_SECTION_CWD] = { "cwd", INSPECT_PATH },
	[CM_RPC_SECTION_ROOT] = { "root", INSPECT_PATH },
	[CM_RPC_SECTION_STATUS] = { "status", 4096 },
	[CM_RPC_SECTION_STAT] = { "stat", 1024 },
	[CM_RPC_SECTION_LIMITS] = { "limits", 4096 },
	[CM_RPC_SECTION_CGROUP] = { "cgroup", 1024 },
	[CM_RPC_SECTION_MAPS] = { "maps", 16384 },
	[CM_RPC_SECTION_FDS] = { "fd", INSPECT_FD_TEXT },
};

static const struct proc_entry *inspect_entry(const char *name)
{
	const struct proc_entry *e;

	for (e = proc_pid_table; e->name; e++) {
		if (!strcmp(e->name, name))
			return e;
	}
	return NULL;
}

static void inspect_put(struct inspect_reply *r, u32 kind, const void *data, size_t len)
{
	struct cm_rpc_section s = { .kind = (u16)kind };
	size_t max = MIN(inspect_entries[kind].max, sizeof(r->data) - r->len - sizeof(s));

	if (sizeof(r->data) - r->len < sizeof(s))
		return;
	if (len > max) {
		s.flags = CM_RPC_SECTION_CUT;
		len = max;
	}
	s.len = (u32)len;
	memcpy(r->data + r->len, &s, sizeof(s));
	memcpy(r->data + r->len + sizeof(s), data, len);
	r->len += sizeof(s) + len;
}

/* "NUMBER OCTAL-MODE WHAT\n" for each open file. */
static void inspect_fds(struct proc_buf *b, struct proc_ctx *c, const struct proc_entry *e)
{
	struct fdtable *t = task_get_files(c->task);
	struct proc_child child;
	char path[INSPECT_PATH];
	s64 key = 0;

	for (; t && b->len <= INSPECT_FD_TEXT && e->dyn->next(c, &key, &child); key++) {
		struct file *f = fdtable_file(t, (int)key, NULL);
		s64 n = f ? child.entry->link(&child.ctx, path, sizeof(path)) : -ENOENT;

		if (n > 0)
			proc_printf(b, "%ld %o %.*s\n", key, f->inode->mode, (int)n, path);
		if (f)
			file_put(f);
		task_put(child.ctx.task);
	}
	if (t)
		fdtable_put(t);
}

/* Not inlined: one path on the stack at a time. */
static __attribute__((noinline)) void inspect_link(
	struct inspect_reply *r, struct proc_ctx *c, u32 kind, const struct proc_entry *e)
{
	char path[INSPECT_PATH];
	s64 n = e->link(c, path, sizeof(path));

	if (n > 0)
		inspect_put(r, kind, path, (size_t)n);
}

/* Environment strings are shown up to the first that is secret. */
static size_t inspect_shown(struct proc_ctx *c, u32 kind, size_t len)
{
	struct as *as = kind == CM_RPC_SECTION_ENVIRON ? task_get_as(c->task) : NULL;

	if (as && as->env_secret)
		len = MIN(len, as->env_secret - as->env_start);
	if (as)
		as_put(as);
	return len;
}

static void inspect_one(struct inspect_reply *r, struct proc_ctx *c, u32 kind)
{
	const struct proc_entry *e = inspect_entry(inspect_entries[kind].name);
	struct proc_buf b = { NULL, 0, 0, false };

	if (e && e->link) {
		inspect_link(r, c, kind, e);
		return;
	}
	if (e && e->dyn)
		inspect_fds(&b, c, e);
	else if (!e || !e->show || e->show(&b, c) < 0)
		b.len = 0;
	if (!b.failed)
		inspect_put(r, kind, b.text, inspect_shown(c, kind, b.len));
	kfree(b.text);
}

static int inspect_process(struct agent_container *container, int pid, struct inspect_reply *r)
{
	struct group *g = pid > 0 ? agent_container_group(container, pid) : NULL;
	struct proc_ctx c = { .ns = container->set->pid };
	u32 kind;
	u64 start;

	if (!g)
		return -ESRCH;
	c.task = task_find_in(c.ns, pid);
	group_put(g);
	if (!c.task)
		return -ESRCH;
	r->len = 0;
	start = c.task->start_time;
	memcpy(r->data, &start, sizeof(start));
	r->len = sizeof(start);
	for (kind = 0; kind < CM_RPC_SECTIONS; kind++) {
		if (inspect_entries[kind].name)
			inspect_one(r, &c, kind);
	}
	task_put(c.task);
	return 0;
}

int agent_inspect(const struct cm_rpc_process *q, struct inspect_reply *r)
{
	struct agent_container *c = agent_container_enter(q->container);
	int ret;

	if (!c)
		return -ESRCH;
	ret = inspect_process(c, q->pid, r);
	agent_container_leave(c);
	return ret;
}
