/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execve. The new address space, stack and credentials are built aside, so that every failure before exec_commit leaves the caller as
 * it was. exec_commit ends the other threads and then only replaces pointers.
 */
#include "task/exec.h"

#include <linux/personality.h>
#include <linux/securebits.h>

#include "fs/mount.h"
#include "keys/keys.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/slab.h"
#include "task/ns_change.h"
#include "task/ptrace.h"
#include "task/signal.h"
#include "task/time_ns.h"
#include "task/rseq.h"

#define EXEC_SCRIPT_DEPTH 5

static void exec_set_limits(struct as *as, struct group *g)
{
	as->limit_as = rlimit_soft(g, RLIMIT_AS);
	as->limit_data = rlimit_soft(g, RLIMIT_DATA);
	as->limit_stack = rlimit_soft(g, RLIMIT_STACK);
	as->limit_memlock = rlimit_soft(g, RLIMIT_MEMLOCK);
}

static bool exec_on_nosuid(const struct file *f)
{
	return f->path.mnt && (f->path.mnt->flags & MNT_NOSUID);
}

/* The credentials that this file gives. 0 or -ENOMEM. */
static int exec_prepare_cred(struct exec_image *img, struct task *t)
{
	const struct inode *inode = img->file->inode;
	struct cred_exec_file f = {
		.mode = inode->mode,
		.uid = inode->uid,
		.gid = inode->gid,
		.nosuid = img->script || exec_on_nosuid(img->file) ||
			  (ptrace_traced(t) && !t->trace.capable),
		.no_new_privs = READ_ONCE(t->no_new_privs),
	};

	img->cred = cred_dup(t->cred);
	if (!img->cred)
		return -ENOMEM;
	img->secure = cred_exec(img->cred, &f);
	return 0;
}

static void exec_set_comm(struct exec_image *img, const char *path)
{
	const char *base = strrchr(path, '/');

	str_copy(img->comm, base ? base + 1 : path, sizeof(img->comm));
}

/* Open `path` and follow #! lines to a program; img->file and its first bytes. */
static int exec_find_program(
	struct exec_image *img, const struct path *base, const char *path, u32 lookup, char *head)
{
	char *line = NULL;
	const char *name = path;
	int depth;
	int ret;

	for (depth = 0;; depth++) {
		char *interp, *arg, *copy;
		s64 n;

		ret = file_open_exec(base, name, lookup, &img->file);
		if (ret < 0)
			break;
		memset(head, 0, EXEC_HEAD);
		n = file_read_kernel(img->file, head, EXEC_HEAD, 0);
		ret = n < 0 ? (int)n : 0;
		if (ret < 0 || head[0] != '#' || head[1] != '!')
			break;
		ret = exec_parse_script(head, EXEC_HEAD, &interp, &arg);
		if (ret == 0 && depth == EXEC_SCRIPT_DEPTH)
			ret = -ELOOP;
		if (ret == 0)
			ret = exec_strings_script(
				img->strings, interp, arg, depth ? name : img->execfn);
		if (ret < 0)
			break;
		copy = kstrdup(interp);
		kfree(line);
		line = copy;
		name = copy;
		base = NULL;
		lookup = LOOKUP_FOLLOW;
		file_put(img->file);
		img->file = NULL;
		img->script = true;
		if (!copy) {
			ret = -ENOMEM;
			break;
		}
	}
	kfree(line);
	return ret;
}

/* The program's credentials come from the file that is mapped, which for a script is its interpreter without set-id effect. */
static int exec_prepare(struct exec_image *img, struct task *t, const char *head)
{
	int ret;

	img->as = as_create();
	if (!img->as)
		return -ENOMEM;
	exec_set_limits(img->as, t->group);
	img->as->no_huge = t->as && READ_ONCE(t->as->no_huge);
	img->stack_top = as_layout(img->as, t->personality & ADDR_NO_RANDOMIZE);
	ret = exec_prepare_cred(img, t);
	if (ret < 0)
		return ret;
	/* An ELF image without PT_GNU_STACK is only known after its headers were read: the stack comes second. */
	ret = exec_load_elf(img, head, EXEC_HEAD);
	if (ret < 0)
		return ret;
	ret = arch_map_vdso(img->as, img->stack_top);
	if (ret < 0)
		return ret;
	ret = exec_build_stack(img);
	/* Which of the strings that a program hands on were secret is not known. */
	if (ret == 0 && t->as && t->as->env_secret)
		img->as->env_secret = img->as->env_start;
	return ret;
}

/* Handlers are not shared with other processes any more. */
static int exec_unshare_sighand(struct group *g)
{
	struct sighand *old = g->sighand;
	struct sighand *h;
	u64 flags;

	if (atomic_load(&old->ref.count) == 1)
		return 0;
	h = sighand_create();
	if (!h)
		return -ENOMEM;
	flags = spin_lock_irq(&old->lock);
	memcpy(h->action, old->action, sizeof(h->action));
	spin_unlock_irq(&old->lock, flags);
	flags = sig_lock(g);
	g->sighand = h;
	sig_unlock(g, flags);
	sighand_put(old);
	return 0;
}

static void exec_take_as(struct task *t, struct exec_image *img)
{
	struct group *g = t->group;
	struct as *old = t->as;
	u64 flags;

	img->as->exe = img->file;
	img->file = NULL;
	futex_exit(t);
	flags = sig_lock(g);
	t->as = img->as;
	if (old)
		g->maxrss = MAX(g->maxrss, old->hiwater_rss * (PAGE_SIZE / 1024));
	sig_unlock(g, flags);
	img->as = NULL;
	sched_set_as(t->as);
	if (old)
		as_put(old);
	vfork_complete(t);
}

static void exec_set_registers(struct task *t, const struct exec_image *img)
{
	struct regs *r = thread_user_regs(t->thread);

	u64 nr = r->orig_rax;

	memset(r, 0, sizeof(*r));
	r->orig_rax = nr; /* a tracer sees the end of this execve */
	r->rip = img->entry;
	r->rsp = img->sp;
	r->cs = 0x33;
	r->ss = 0x2b;
	r->rflags = 0x202;
	arch_set_fsbase(0);
	arch_set_gsbase(0);
	fpu_reset_current();
	user_debug_reset(t);
}

static void exec_reset_task(struct task *t, const struct exec_image *img)
{
	struct group *g = t->group;

	memcpy(t->comm, img->comm, sizeof(t->comm));
	str_copy(t->thread->name, t->comm, sizeof(t->thread->name));
	memset(&t->altstack, 0, sizeof(t->altstack));
	t->altstack.flags = SS_DISABLE;
	t->clear_child_tid = 0;
	t->robust_list = 0;
	rseq_forget(t);
	t->restart.fn = NULL;
	if (img->secure)
		t->pdeath_signal = 0;
	t->personality &= ~(img->secure ? (u32)PER_CLEAR_ON_SETID : 0u);
	g->did_exec = true;
	g->exit_signal = SIGCHLD;
	g->dumpable = !img->secure;
}

static bool exec_alone(const struct task *t)
{
	const struct group *g = t->group;
	const struct task *leader = READ_ONCE(g->leader);

	return READ_ONCE(g->ntasks) == 1 ||
	       (READ_ONCE(g->ntasks) == 2 && leader != t && READ_ONCE(leader->dead));
}

/* The dead leader's number and place become t's. */
static void exec_take_lead(struct task *t)
{
	struct group *g = t->group;
	u64 tree = tree_lock();
	struct task *old = g->leader;
	struct pid *mine = NULL;
	u64 flags;

	if (old != t) {
		mine = t->id;
		pid_set_task(mine, NULL);
		g->id->task = t;
		t->id = pid_get(g->id);
		t->tid = g->pid;
		task_unlink_locked(old);
		t->start_time = old->start_time;
	}
	flags = sig_lock(g);
	g->leader = t;
	g->exec_task = NULL;
	sig_unlock(g, flags);
	tree_unlock(tree);
	pid_put(mine);
	if (old != t)
		task_free_later(old);
}

int exec_kill_other_threads(struct task *t)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);
	struct task *pos;

	if (g->group_exit || g->exec_task) {
		sig_unlock(g, flags);
		return -EAGAIN;
	}
	if (g->ntasks == 1) {
		sig_unlock(g, flags);
		return 0;
	}
	g->exec_task = t;
	g->stop_count = 0;
	list_for_each_entry (pos, &g->tasks, group_link) {
		pos->stop_pending = pos->stop_counted = false;
		if (pos == t || pos->exiting)
			continue;
		pos->stopped = false;
		sigpending_add(&pos->pending, SIGKILL, NULL);
		sched_interrupt(pos->thread);
		sched_kick(pos->thread);
		if (pos->kill_wq)
			waitq_wake_all(pos->kill_wq);
	}
	waitq_wake_all(&g->stop_wq);
	sig_unlock(g, flags);
	wait_event_killable(t, &g->exec_wq, exec_alone(t));
	if (!exec_alone(t))
		return -EAGAIN; /* killed: the way back to user mode ends here */
	exec_take_lead(t);
	return 0;
}

/* The new address space has the clocks of no time namespace yet. */
static void exec_time_ns(struct task *t)
{
	if (ns_enter_time(t) < 0)
		task_exit_group(SIGKILL);
	if (t->ns->time != &time_ns_root)
		time_ns_map(t->ns->time, t->as);
}

/* The point of no return. */
static void exec_commit(struct task *t, struct exec_image *img)
{
	struct group *g = t->group;

	if (exec_unshare_sighand(g) < 0)
		task_exit_group(SIGKILL);
	timers_exit(g);
	keys_exec(t);
	exec_take_as(t, img);
	exec_time_ns(t);
	sighand_reset(g->sighand);
	fdtable_close_on_exec(t->files);
	exec_reset_task(t, img);
	cred_install(img->cred);
	img->cred = NULL;
	exec_set_registers(t, img);
}

/* The descriptor table becomes the task's own before close-on-exec acts on it. */
int exec_unshare_files(struct task *t)
{
	struct fdtable *old = t->files;
	struct fdtable *own;
	int err = 0;
	u64 flags;

	if (!fdtable_shared(old))
		return 0;
	own = fdtable_dup(old, &err);
	if (!own)
		return err;
	flags = sig_lock(t->group);
	t->files = own;
	sig_unlock(t->group, flags);
	fdtable_put(old);
	return 0;
}

int exec_path(struct task *t, const struct path *base, const char *path, u32 lookup,
	const char *execfn, struct exec_strings *strings)
{
	struct exec_image *img = kzalloc(sizeof(*img));
	char head[EXEC_HEAD];
	int old_tid = t->tid;
	int ret;

	if (!img)
		return -ENOMEM;
	img->strings = strings;
	img->execfn = execfn;
	exec_set_comm(img, execfn);
	ret = exec_find_program(img, base, path, lookup, head);
	if (ret == 0)
		ret = exec_prepare(img, t, head);
	if (ret == 0)
		ret = exec_kill_other_threads(t);
	if (ret == 0)
		ret = exec_unshare_files(t);
	if (ret == 0)
		exec_commit(t, img);
	if (img->file)
		file_put(img->file);
	if (img->as)
		as_put(img->as);
	cred_put(img->cred);
	kfree(img);
	if (ret == 0 && ptrace_traced(t))
		ptrace_exec(t, old_tid);
	return ret;
}
