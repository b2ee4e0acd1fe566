/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks, mappings and paths. */
#include <config.h>
#include "control/debug/tasks.h"

#include <stdio.h>
#include <string.h>

#include "control/debug/text.h"

#define TASKS_DENTRIES 64 /* components of a path */
#define TASKS_MOUNTS   64 /* mounts above each other in a path */
#define TASKS_NAME     255
#define TASKS_ARGS     6

/* ---- tasks */

static uint64_t tasks_user_regs(struct guest *g, uint64_t thread)
{
	return guest_get(g, thread, F_THREAD_STACK) + guest_const(g, C_KSTACK_SIZE) -
	       guest_const(g, F_REGS);
}

/* The system call that a sleeping thread is in, from the registers at the top of its stack. */
static void tasks_read_syscall(struct guest *g, struct task_info *t)
{
	/* r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax: six arguments in Linux's order */
	static const unsigned order[TASKS_ARGS] = { 14, 13, 12, 7, 9, 8 };
	uint64_t regs = tasks_user_regs(g, t->thread);
	unsigned i;

	t->syscall = t->running ? -1 : (int64_t)guest_get(g, regs, F_REGS_ORIG_RAX);
	if (t->syscall < 0 || t->syscall > 1023) {
		t->syscall = -1;
		return;
	}
	for (i = 0; i < TASKS_ARGS; i++)
		t->arg[i] = guest_number(g, regs + 8ull * order[i], 8);
}

static char tasks_state(struct guest *g, const struct task_info *t)
{
	uint64_t state = guest_get(g, t->thread, F_THREAD_STATE);

	if (guest_get(g, t->task, F_TASK_DEAD) || state == guest_const(g, C_THREAD_DEAD))
		return 'Z';
	if (guest_get(g, t->task, F_TASK_STOPPED))
		return 'T';
	if (state == guest_const(g, C_THREAD_SLEEP_INTR))
		return 'S';
	return state == guest_const(g, C_THREAD_SLEEP) ? 'D' : 'R';
}

static bool tasks_is_running(struct guest *g, uint64_t thread, unsigned cpu)
{
	return cpu < guest_const(g, C_CM_MAX_CPUS) &&
	       guest_get(g, guest_const(g, S_percpu) + cpu * guest_const(g, F_PERCPU),
		       F_PERCPU_RUNNING) == thread;
}

/* What the sentry's thread_cpu_time adds: the time in user mode since it was charged, ns. */
static uint64_t tasks_uncharged(struct guest *g, const struct task_info *t)
{
	uint64_t pc = guest_const(g, S_percpu) + t->cpu * guest_const(g, F_PERCPU);
	uint64_t since;

	if (!t->running || !g->tsc_khz || guest_get(g, pc, F_PERCPU_USER) != t->thread)
		return 0;
	since = g->tsc - guest_get(g, pc, F_PERCPU_STAMP);
	return (int64_t)since > 0 ? (uint64_t)((double)since * 1e6 / g->tsc_khz) : 0;
}

static void tasks_fill(struct guest *g, uint64_t group, uint64_t task, struct task_info *t)
{
	uint64_t parent = guest_get(g, group, F_GROUP_PARENT);
	uint64_t cred = guest_get(g, task, F_TASK_CRED);
	uint64_t set = guest_get(g, task, F_TASK_NS);

	memset(t, 0, sizeof(*t));
	t->task = task;
	t->group = group;
	t->thread = guest_get(g, task, F_TASK_THREAD);
	t->as = guest_get(g, task, F_TASK_AS);
	t->files = guest_get(g, task, F_TASK_FILES);
	t->fs = guest_get(g, task, F_TASK_FS);
	t->mnt_ns = set ? guest_get(g, set, F_NSPROXY_MNT) : 0;
	t->tid = (int)guest_get(g, task, F_TASK_TID);
	t->pid = (int)guest_get(g, group, F_GROUP_PID);
	t->ppid = parent ? (int)guest_get(g, parent, F_GROUP_PID) : 0;
	t->pgid = (int)guest_get(g, group, F_GROUP_PGID);
	t->sid = (int)guest_get(g, group, F_GROUP_SID);
	t->uid = cred ? (uint32_t)guest_get(g, cred, F_CRED_EUID) : 0;
	guest_text(g, task, F_TASK_COMM, t->comm, sizeof(t->comm));
	if (!t->thread) {
		t->state = 'Z';
		t->syscall = -1;
		return;
	}
	t->cpu = (unsigned)guest_get(g, t->thread, F_THREAD_CPU);
	t->running = tasks_is_running(g, t->thread, t->cpu);
	t->utime_ns = guest_get(g, t->thread, F_THREAD_UTIME) + tasks_uncharged(g, t);
	t->stime_ns = guest_get(g, t->thread, F_THREAD_STIME);
	t->state = tasks_state(g, t);
	tasks_read_syscall(g, t);
}

void tasks_each(struct guest *g, bool (*fn)(struct guest *g, const struct task_info *t, void *arg),
	void *arg)
{
	uint64_t groups = guest_at(g, guest_const(g, S_pid_ns_root), F_PIDNS_GROUPS);
	uint64_t gpos = 0, tpos;
	unsigned ngroups = 0, ntasks = 0, n;
	struct task_info t;

	while (guest_list_next(g, groups, &gpos, &ngroups)) {
		uint64_t group = gpos - guest_const(g, F_GROUP_NS_LINK);
		uint64_t tasks = guest_at(g, group, F_GROUP_TASKS);

		n = 0;
		tpos = 0;
		while (guest_list_next(g, tasks, &tpos, &n)) {
			tasks_fill(g, group, tpos - guest_const(g, F_TASK_GROUP_LINK), &t);
			if (!fn(g, &t, arg) || ++ntasks >= GUEST_LIST)
				return;
		}
	}
}

struct tasks_search {
	int tid;
	uint64_t task;
	struct task_info *out;
	bool found;
};

static bool tasks_match(struct guest *g, const struct task_info *t, void *arg)
{
	struct tasks_search *s = arg;

	if (s->task ? t->task != s->task : t->tid != s->tid)
		return true;
	*s->out = *t;
	s->found = true;
	return false;
}

bool tasks_find(struct guest *g, int tid, struct task_info *t)
{
	struct tasks_search s = { .tid = tid, .out = t };

	tasks_each(g, tasks_match, &s);
	return s.found;
}

uint64_t tasks_running(struct guest *g, unsigned cpu, struct task_info *t, bool *has_task)
{
	struct tasks_search s = { .out = t };
	uint64_t thread = 0;

	*has_task = false;
	if (cpu < guest_const(g, C_CM_MAX_CPUS))
		thread = guest_get(g, guest_const(g, S_percpu) + cpu * guest_const(g, F_PERCPU),
			F_PERCPU_RUNNING);
	s.task = thread ? guest_get(g, thread, F_THREAD_TASK) : 0;
	if (s.task) {
		tasks_each(g, tasks_match, &s);
		*has_task = s.found;
	}
	return thread;
}

/* ---- paths */

/* Put a component, not terminated, in front of what stands at *at. */
static bool path_prepend(char *buf, size_t *at, const char *name)
{
	size_t len = strlen(name);

	if (*at < len + 1)
		return false;
	*at -= len;
	memcpy(buf + *at, name, len);
	buf[--*at] = '/';
	return true;
}

const char *tasks_path(struct guest *g, uint64_t mnt, uint64_t dentry, char *buf, size_t size)
{
	char name[4 * TASKS_NAME + 1];
	size_t at = size - 1;
	unsigned names = 0, mounts = 0;

	buf[at] = '\0';
	while (dentry && mnt && names < TASKS_DENTRIES && mounts < TASKS_MOUNTS) {
		uint64_t parent = guest_get(g, dentry, F_DENTRY_PARENT), len;

		if (dentry == guest_get(g, mnt, F_MOUNT_ROOT) || parent == dentry) {
			dentry = guest_get(g, mnt, F_MOUNT_POINT);
			mnt = guest_get(g, mnt, F_MOUNT_PARENT);
			mounts++;
			continue;
		}
		len = guest_get(g, dentry, F_DENTRY_LEN);
		guest_string(g, guest_get(g, dentry, F_DENTRY_NAME),
			len < TASKS_NAME ? len : TASKS_NAME, name, sizeof(name));
		if (!path_prepend(buf, &at, name))
			break;
		dentry = parent;
		names++;
	}
	if (!buf[at])
		buf[--at] = '/';
	memmove(buf, buf + at, size - at);
	return buf;
}

const char *tasks_file_path(struct guest *g, uint64_t file, char *buf, size_t size)
{
	uint64_t anon = guest_get(g, file, F_FILE_ANON);
	uint64_t dentry = guest_get(g, file, F_FILE_DENTRY);

	if (!dentry)
		return anon ? guest_string(g, anon, TASKS_NAME, buf, size)
			    : text_escape(buf, size, "?", 1);
	return tasks_path(g, guest_get(g, file, F_FILE_MNT), dentry, buf, size);
}

/* ---- mappings */

struct vma_walk {
	bool (*fn)(struct guest *g, const struct vma_info *v, void *arg);
	void *arg;
};

static const char *vma_special(const struct guest *g, uint64_t flags)
{
	if (flags & guest_const(g, C_VMA_HEAP))
		return "[heap]";
	if (flags & guest_const(g, C_VMA_STACK))
		return "[stack]";
	if (flags & guest_const(g, C_VMA_VDSO))
		return "[vdso]";
	return flags & guest_const(g, C_VMA_VVAR) ? "[vvar]" : "";
}

static bool vma_visit(struct guest *g, uint64_t node, void *arg)
{
	struct vma_walk *w = arg;
	uint64_t vma = node - guest_const(g, F_VMA_NODE), file = guest_get(g, vma, F_VMA_FILE);
	struct vma_info v = {
		.start = guest_get(g, vma, F_VMA_START),
		.end = guest_get(g, vma, F_VMA_END),
		.flags = guest_get(g, vma, F_VMA_FLAGS),
		.pgoff = guest_get(g, vma, F_VMA_PGOFF),
		.file = file != 0,
	};

	if (file) {
		uint64_t inode = guest_get(g, file, F_FILE_INODE);

		v.ino = guest_get(g, inode, F_INODE_INO);
		v.dev = guest_get(g, guest_get(g, inode, F_INODE_SB), F_SUPER_DEV);
		tasks_file_path(g, file, v.name, sizeof(v.name));
	} else {
		snprintf(v.name, sizeof(v.name), "%s", vma_special(g, v.flags));
	}
	return w->fn(g, &v, w->arg);
}

void tasks_vmas(struct guest *g, uint64_t as,
	bool (*fn)(struct guest *g, const struct vma_info *v, void *arg), void *arg)
{
	struct vma_walk w = { fn, arg };

	if (as)
		guest_tree(g, guest_at(g, as, F_AS_VMAS), vma_visit, &w);
}

struct vma_search {
	uint64_t va;
	struct vma_info *out;
	bool found;
};

static bool vma_match(struct guest *g, const struct vma_info *v, void *arg)
{
	struct vma_search *s = arg;

	if (s->va < v->start || s->va >= v->end)
		return v->end <= s->va;
	*s->out = *v;
	s->found = true;
	return false;
}

bool tasks_vma_find(struct guest *g, uint64_t as, uint64_t va, struct vma_info *v)
{
	struct vma_search s = { .va = va, .out = v };

	tasks_vmas(g, as, vma_match, &s);
	return s.found;
}

uint64_t tasks_root(struct guest *g, uint64_t as)
{
	return guest_get(g, as, F_AS_ROOT);
}
