/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers: what their processes share, and requests about them. process.c starts and ends processes.
 */
#include "agent/agent.h"
#include "agent/internal.h"

#include <linux/sched.h>

#include "cgroup/cgroup.h"
#include "cgroup/cgroup_ns.h"
#include "fs/hostfs/hostfs.h"
#include "fs/proc/proc.h"
#include "fs/tty/tty.h"
#include "kernel/clock.h"
#include "kernel/lock.h"
#include "kernel/sched.h"
#include "lib/string.h"
#include "mm/filemap.h"
#include "mm/page.h"
#include "task/internal.h"
#include "task/seccomp.h"
#include "task/user_ns.h"
#include "task/uts.h"

#define CONTAINER_END_NS (2 * NSEC_PER_MSEC) /* between two looks at a container that ends */

static struct agent_container containers[CM_RPC_CONTAINERS];

static struct agent_container *container_find(u32 number)
{
	struct agent_container *c;

	if (number < 1 || number > CM_RPC_CONTAINERS)
		return NULL;
	c = &containers[number - 1];
	return atomic_load(&c->used) ? c : NULL;
}

/* The process on the list that has this pid; 0: the first one. Its lock held. */
static struct agent_process *container_process_locked(struct agent_container *c, int pid)
{
	struct agent_process *p;

	list_for_each_entry (p, &c->processes, link) {
		if (pid ? p->pid == pid : p->init)
			return p;
	}
	return NULL;
}

void agent_container_announced(u32 number, int pid)
{
	struct agent_container *c = container_find(number);
	struct agent_process *p;

	spin_lock(&c->lock);
	p = container_process_locked(c, pid);
	if (p)
		p->announced = true;
	spin_unlock(&c->lock);
	waitq_wake_all(&c->wq);
}

struct agent_container *agent_container_enter(u32 number)
{
	struct agent_container *c = container_find(number);
	bool alive;

	if (!c)
		return NULL;
	spin_lock(&c->lock);
	alive = !c->exited;
	c->busy = alive;
	spin_unlock(&c->lock);
	if (!alive)
		return NULL;
	ns_act(c->set);
	return c;
}

void agent_container_leave(struct agent_container *c)
{
	ns_act(NULL);
	spin_lock(&c->lock);
	c->busy = false;
	spin_unlock(&c->lock);
}

/* Master side of the terminal of a process, with a reference, or NULL. */
static struct file *container_tty(struct agent_container *c, int pid)
{
	struct agent_process *p;
	struct file *f;

	spin_lock(&c->lock);
	p = container_process_locked(c, pid);
	f = p ? p->tty : NULL;
	if (f)
		file_get(f);
	spin_unlock(&c->lock);
	return f;
}

int agent_container_winsize(const struct cm_rpc_winsize *w)
{
	struct agent_container *c = container_find(w->container);
	struct file *f = c ? container_tty(c, w->pid) : NULL;
	int ret = f ? pty_set_size(f, w->rows, w->cols) : -ENOTTY;

	if (f)
		file_put(f);
	return ret;
}

int agent_container_sync(void)
{
	return filemap_sync_all();
}

/* What the kernel keeps for the container: parameters and limits. */
static int container_kernel(
	struct agent_container *c, const struct rpc_start *s, struct cm_rpc_error *e)
{
	const char *word = s->sysctls;

	e->stage = CM_RPC_STAGE_SYSCTL;
	for (e->index = 0; e->index < s->fixed.nsysctls; e->index++) {
		char *words[3];
		int ret;

		word = rpc_strings(word, words, 2);
		ret = sysctl_set(words[0], words[1]);
		if (ret < 0)
			return ret;
	}
	agent_limit_set(c, s->fixed.memory, s->fixed.pids);
	if (!s->fixed.nfilter)
		return 0;
	e->stage = CM_RPC_STAGE_SECCOMP;
	return seccomp_filter_create((const struct sock_filter *)s->filter, s->fixed.nfilter,
		s->fixed.filter_flags, NULL, &c->filter);
}

/* Its programs take its cgroup for the root. */
static int container_cgroup_ns(struct agent_container *c)
{
	struct cgroup_ns *ns;
	int ret = cgroup_ns_create(c->cgroup, c->user ? c->user : &user_ns_root, &ns);

	if (ret < 0)
		return ret;
	nsproxy_replace(c->set, &ns->ns);
	cgroup_ns_put(ns);
	return 0;
}

/* The container's own cgroup, with what config.json writes to its files. */
static int container_cgroup(struct agent_container *c, const struct rpc_start *s, u32 *index)
{
	const char *word = s->cgroup;
	int ret = cgroup_open(s->id, true, &c->cgroup);

	if (ret == 0)
		ret = container_cgroup_ns(c);
	for (*index = 0; ret == 0 && *index < s->fixed.ncgroup; ++*index) {
		char *words[3];

		word = rpc_strings(word, words, 2);
		ret = cgroup_write_file(c->cgroup, words[0], words[1]);
		if (ret < 0)
			break;
	}
	return ret;
}

static const struct {
	u64 clone_flag;
	enum ns_kind kind;
} container_ns[CM_RPC_NS_KINDS] = {
	[CM_RPC_NS_PID] = { CLONE_NEWPID, NS_PID },
	[CM_RPC_NS_IPC] = { CLONE_NEWIPC, NS_IPC },
	[CM_RPC_NS_UTS] = { CLONE_NEWUTS, NS_UTS },
};

/* NULL without maps: the first user namespace, or, of what shares the root container's files, that one's. 0 or -ENOMEM. */
static int container_user(struct agent_container *c, const struct rpc_start *s)
{
	struct id_extent uid[CM_RPC_IDMAPS_MAX], gid[CM_RPC_IDMAPS_MAX];
	u32 i;

	/* What lives in the root container's files has no more rights than that. */
	if (s->fixed.flags & CM_RPC_START_SHARED && containers[0].user) {
		user_ns_get(containers[0].user);
		c->user = containers[0].user;
		return 0;
	}
	for (i = 0; i < s->fixed.nuidmap; i++)
		uid[i] = (struct id_extent){ s->uidmap[i].first, s->uidmap[i].lower,
			s->uidmap[i].count };
	for (i = 0; i < s->fixed.ngidmap; i++)
		gid[i] = (struct id_extent){ s->gidmap[i].first, s->gidmap[i].lower,
			s->gidmap[i].count };
	if (!s->fixed.nuidmap)
		return 0;
	c->user = user_ns_make(uid, s->fixed.nuidmap, gid, s->fixed.ngidmap);
	return c->user ? 0 : -ENOMEM;
}

/*
 * The root container has the first namespaces, unless it has a user namespace, which then owns its own; the others new ones below them, or those of a
 * container that lives.
 */
static int container_namespaces(struct agent_container *c, const struct rpc_start *s)
{
	u64 flags = 0;
	int ret = container_user(c, s);
	u32 i;

	if (ret < 0)
		return ret;
	for (i = 0; i < CM_RPC_NS_KINDS && (c->number != 1 || c->user); i++) {
		const struct agent_container *other = container_find(s->fixed.join[i]);

		if (s->fixed.join[i] && (!other || READ_ONCE(other->exited)))
			return -ESRCH;
		if (!s->fixed.join[i])
			flags |= container_ns[i].clone_flag;
	}
	ret = nsproxy_create(&nsproxy_root, flags, c->user, NULL, &c->set);
	for (i = 0; ret == 0 && i < CM_RPC_NS_KINDS; i++) {
		if (s->fixed.join[i])
			nsproxy_join(c->set, container_ns[i].kind,
				container_find(s->fixed.join[i])->set);
	}
	return ret;
}

/* Its mounts: of its own, or those of the root container, which is there for as long as the sandbox. */
static int container_mounts(
	struct agent_container *c, const struct rpc_start *s, struct cm_rpc_error *e)
{
	const struct agent_container *root = &containers[0];

	if (!(s->fixed.flags & CM_RPC_START_SHARED))
		return agent_build_mounts(s, &c->ns, &e->stage, &e->index);
	e->stage = CM_RPC_STAGE_ROOTFS;
	if (!atomic_load(&root->used) || READ_ONCE(root->exited) || !root->ns)
		return -ESRCH;
	c->ns = root->ns;
	mount_ns_get(c->ns);
	return 0;
}

/* The mounts, the working directory, the names: what all processes share. Acts in the namespaces already. */
static int container_build(
	struct agent_container *c, const struct rpc_start *s, struct cm_rpc_error *e)
{
	int ret;

	e->stage = CM_RPC_STAGE_CGROUP;
	ret = container_cgroup(c, s, &e->index);
	if (ret < 0)
		return ret;
	ret = container_mounts(c, s, e);
	if (ret < 0)
		return ret;
	if (c->user)
		mount_ns_own(c->ns, c->user);
	nsproxy_set_mnt(c->set, c->ns);
	ret = container_kernel(c, s, e);
	if (ret < 0)
		return ret;
	e->stage = CM_RPC_STAGE_CWD;
	/* Where the files are another's, nothing is made there. */
	ret = s->fixed.flags & CM_RPC_START_SHARED ? agent_check_dir(c->ns, s->cwd)
						   : agent_make_dir(c->ns, s->cwd);
	if (ret < 0)
		return ret;
	e->stage = CM_RPC_STAGE_TASK;
	if (s->hostname[0])
		ret = uts_set_hostname(s->hostname, strlen(s->hostname));
	if (ret == 0 && s->domainname[0])
		ret = uts_set_domainname(s->domainname, strlen(s->domainname));
	return ret;
}

/* A free slot, made ready. Its lock and wait queue stay as they were: a waker of the last container may still be on its way out of them. */
static struct agent_container *container_take(const struct rpc_start *s)
{
	struct agent_container *c = &containers[s->fixed.container - 1];
	struct cm_rpc_error ignored;

	if (atomic_load(&c->used))
		return NULL;
	/* One that was killed before it was released. */
	if (c->held)
		agent_process_release(c->held, &ignored);
	if (!c->number)
		waitq_init(&c->wq);
	c->number = s->fixed.container;
	list_init(&c->processes);
	c->set = NULL;
	c->ns = NULL;
	c->user = NULL;
	c->filter = NULL;
	c->held = NULL;
	c->pid = 0;
	c->cgroup = NULL;
	c->exited = false;
	c->elsewhere = false;
	str_copy(c->tag, s->rootfs_tag, sizeof(c->tag));
	atomic_store(&c->used, true);
	return c;
}

static int container_start(struct agent_container *c, const struct rpc_start *s,
	struct vsock_listener *streams, struct agent_launch **held, struct cm_rpc_error *e)
{
	int ret;

	ns_act(c->set);
	ret = container_build(c, s, e);
	if (ret == 0)
		ret = agent_process_start(c, s, true, streams, held, e);
	ns_act(NULL);
	return ret;
}

int agent_container_start(const struct rpc_start *s, void **payload, struct vsock_listener *streams,
	struct cm_rpc_error *e, int *pid)
{
	struct agent_container *c = container_take(s);
	struct agent_launch *held = NULL;
	bool hold = s->fixed.flags & CM_RPC_START_HOLD;
	int ret;

	if (!c)
		return -EBUSY;
	ret = container_namespaces(c, s);
	if (ret == 0)
		ret = container_start(c, s, streams, hold ? &held : NULL, e);
	if (ret < 0) {
		agent_stream_drop_all(s);
		if (c->number != 1)
			agent_container_end(c);
		return ret;
	}
	*pid = ret;
	spin_lock(&c->lock);
	c->pid = ret;
	spin_unlock(&c->lock);
	if (held) {
		agent_launch_keep(held, *payload);
		*payload = NULL;
		c->held = held;
	}
	return 0;
}

bool agent_is_root_container(const struct group *g)
{
	return !g->container || g->container == &containers[0];
}

struct container_signal {
	struct agent_container *container;
	int signo;
};

static bool container_signal_one(struct group *g, void *arg)
{
	const struct container_signal *s = arg;

	if (g->container == s->container)
		signal_send_group(g, s->signo, NULL);
	return true;
}

/* To all its processes, wherever their numbers are. The lock under which that happens keeps them from forking meanwhile. */
static void container_signal_all(struct agent_container *c, int signo)
{
	struct container_signal s = { c, signo };

	group_for_each_in(&pid_ns_root, container_signal_one, &s);
}

static bool container_find_one(struct group *g, void *arg)
{
	struct agent_container **c = arg;

	if (g->container != *c || g->state == GROUP_ZOMBIE)
		return true;
	*c = NULL;
	return false;
}

/* From here on nobody begins anything in it. Is a program left, or a process whose end was not told? */
static bool container_is_empty(struct agent_container *c)
{
	struct agent_container *found = c;
	bool empty;

	spin_lock(&c->lock);
	c->exited = true;
	empty = list_empty(&c->processes) && !c->busy;
	spin_unlock(&c->lock);
	if (empty)
		group_for_each_in(&pid_ns_root, container_find_one, &found);
	return empty && found;
}

void agent_container_end(struct agent_container *c)
{
	/* Where the pid namespace is not its own, others may fork until the last one is gone. */
	while (!container_is_empty(c)) {
		container_signal_all(c, SIGKILL);
		sched_sleep_until(clock_monotonic() + CONTAINER_END_NS, false);
	}
	seccomp_filter_put(c->filter);
	nsproxy_put(c->set);
	if (c->ns)
		mount_ns_put(c->ns);
	user_ns_put(c->user);
	if (c->tag[0])
		hostfs_cut(c->tag);
	if (c->cgroup) {
		(void)cgroup_write_file(c->cgroup, "cgroup.freeze", "0");
		(void)cgroup_remove(c->cgroup); /* one that programs left groups in stays */
		cgroup_put(c->cgroup);
	}
	atomic_store(&c->used, false);
}

int agent_container_release(u32 number, struct cm_rpc_error *e)
{
	struct agent_container *c = container_find(number);
	struct agent_launch *held = c ? c->held : NULL;
	int ret;

	if (!c)
		return -EINTR; /* it was killed meanwhile */
	c->held = NULL;
	atomic_store(&c->releasing, held != NULL);
	ret = held ? agent_process_release(held, e) : -EALREADY;
	/* The process is gone without an event: this is what tells of the end. */
	if (held && ret < 0 && ret != -EINTR && number != 1)
		agent_container_end(c);
	return ret;
}

void agent_container_released(u32 number)
{
	struct agent_container *c = container_find(number);

	if (!c)
		return;
	atomic_store(&c->releasing, false);
	waitq_wake_all(&c->wq);
}

int agent_container_exec(
	const struct rpc_start *s, struct vsock_listener *streams, struct cm_rpc_error *e, int *pid)
{
	struct agent_container *c = agent_container_enter(s->fixed.container);
	int ret = -ESRCH;

	/* An end waits for the processes on the list, of which there is one more from here on. */
	if (c) {
		ret = agent_process_start(c, s, false, streams, NULL, e);
		/* Whatever came of it: its first process ended meanwhile. */
		if (ret < 0 && READ_ONCE(c->set->pid->dying))
			ret = -ESRCH;
		agent_container_leave(c);
	}
	if (ret < 0) {
		agent_stream_drop_all(s);
		return ret;
	}
	*pid = ret;
	return 0;
}

/* The first process, with a reference, or NULL. Acts in the namespaces already. */
static struct group *container_init(struct agent_container *c)
{
	int pid;

	spin_lock(&c->lock);
	pid = c->exited ? 0 : c->pid;
	spin_unlock(&c->lock);
	return pid ? group_find(pid) : NULL;
}

/* To the foreground of a terminal: false when there is no such group. */
static bool container_signal_foreground(struct agent_container *c, const struct cm_rpc_signal *q)
{
	struct file *f = container_tty(c, q->pid);
	struct tty *tty = f ? f->priv : NULL;
	bool done = tty && tty_has_pgrp(tty);

	if (done && q->signo != 0)
		tty_signal_pgrp(tty, q->signo);
	if (f)
		file_put(f);
	return done;
}

struct pgrp_signal {
	struct agent_container *container;
	int pgid, signo;
	u32 members;
};

static bool container_signal_member(struct group *g, void *arg)
{
	struct pgrp_signal *p = arg;

	if (g->container == p->container && g->pgrp &&
		pid_nr_ns(g->pgrp, p->container->set->pid) == p->pgid) {
		if (p->signo)
			signal_send_group(g, p->signo, NULL);
		p->members++;
	}
	return true;
}

/* To the processes of the container that are in a process group: -ESRCH when there is none. */
static int container_signal_pgrp(struct agent_container *c, const struct cm_rpc_signal *q)
{
	struct pgrp_signal p = { c, q->pid, q->signo, 0 };

	group_for_each(container_signal_member, &p);
	return p.members ? 0 : -ESRCH;
}

struct group *agent_container_group(struct agent_container *c, int pid)
{
	struct group *g = group_find(pid);

	if (g && g->container != c) {
		group_put(g);
		g = NULL;
	}
	return g;
}

static int container_signal_process(
	struct agent_container *c, struct group *init, const struct cm_rpc_signal *q)
{
	struct group *g = q->pid ? agent_container_group(c, q->pid) : NULL;
	int ret = 0;

	if (q->pid && !g)
		ret = -ESRCH;
	else if (q->signo != 0)
		ret = signal_send_group(g ? g : init, q->signo, NULL);
	if (g)
		group_put(g);
	return ret;
}

int agent_container_signal(const struct cm_rpc_signal *q)
{
	struct agent_container *c = agent_container_enter(q->container);
	struct group *init;
	int ret = 0;

	if (!c)
		return -ESRCH;
	init = container_init(c);
	if (!init)
		ret = -ESRCH;
	else if (q->mode == CM_RPC_SIGNAL_ALL)
		container_signal_all(c, q->signo);
	else if (q->mode == CM_RPC_SIGNAL_PGRP)
		ret = container_signal_pgrp(c, q);
	else if (q->mode == CM_RPC_SIGNAL_FOREGROUND && container_signal_foreground(c, q))
		ret = 0;
	else
		ret = container_signal_process(c, init, q);
	if (init)
		group_put(init);
	agent_container_leave(c);
	return ret;
}

struct ps {
	const struct agent_container *container;
	struct cm_rpc_proc *out;
	u32 n, max;
};

static bool container_ps_one(struct group *g, void *arg)
{
	struct ps *ps = arg;
	struct cm_rpc_proc *p;
	u64 utime, stime;

	if (g->container != ps->container || !g->leader)
		return true;
	if (ps->n == ps->max)
		return false;
	p = &ps->out[ps->n++];
	group_times(g, &utime, &stime);
	p->pid = pid_nr(g->id);
	p->ppid = g->parent ? pid_nr(g->parent->id) : 0;
	p->uid = g->leader->cred ? g->leader->cred->uid : 0;
	p->threads = g->ntasks;
	p->start_ns = g->leader->start_time;
	p->cpu_ns = utime + stime;
	str_copy(p->comm, g->leader->comm, sizeof(p->comm));
	return true;
}

u32 agent_container_ps(u32 number, struct cm_rpc_proc *out, u32 max)
{
	struct agent_container *c = agent_container_enter(number);
	struct ps ps = { c, out, 0, max };

	memset(out, 0, max * sizeof(*out));
	if (!c)
		return 0;
	group_for_each(container_ps_one, &ps);
	agent_container_leave(c);
	return ps.n;
}

struct usage {
	const struct agent_container *container;
	struct cm_rpc_usage *out;
};

static bool container_usage_one(struct group *g, void *arg)
{
	const struct usage *q = arg;
	struct cm_rpc_usage *u = q->out;
	u64 utime, stime;

	if (g->container != q->container)
		return true;
	group_times(g, &utime, &stime);
	u->cpu_ns += utime + stime + g->child_utime + g->child_stime;
	u->processes++;
	return true;
}

/* The memory of one of several: what its cgroup has. */
static void container_usage_memory(const struct agent_container *c, struct cm_rpc_usage *u)
{
	u64 used = memcg_usage(c->cgroup) * PAGE_SIZE;

	u->free = u->total - MIN(used, u->total);
	u->anon = MIN(memcg_pages(c->cgroup, MEMCG_ANON) * PAGE_SIZE, u->total);
	u->cache = MIN(memcg_pages(c->cgroup, MEMCG_FILE) * PAGE_SIZE, u->total);
}

int agent_container_usage(u32 number, struct cm_rpc_usage *u)
{
	/* The numbers of the root container are those of the sandbox, for as long as it is there. */
	struct agent_container *c =
		number == 1 ? container_find(number) : agent_container_enter(number);
	struct usage q = { c, u };
	struct page_stats s;

	if (!c)
		return -ESRCH;
	page_stats(&s);
	*u = (struct cm_rpc_usage){
		.total = s.total * PAGE_SIZE,
		.free = s.free * PAGE_SIZE,
		.anon = s.anon * PAGE_SIZE,
		.cache = s.cached * PAGE_SIZE,
		.oom_kills = (u32)MIN(cgroup_oom_kills(c->cgroup), (u64)~0u),
	};
	group_for_each_in(&pid_ns_root, container_usage_one, &q);
	if (number != 1) {
		container_usage_memory(c, u);
		agent_container_leave(c);
	}
	return 0;
}
