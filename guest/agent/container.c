/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container: what its processes share, and requests about them. process.c starts and ends processes.
 */
#include "agent/internal.h"

#include "cgroup/cgroup.h"
#include "fs/proc/proc.h"
#include "fs/tty/tty.h"
#include "kernel/lock.h"
#include "lib/string.h"
#include "mm/filemap.h"
#include "mm/page.h"
#include "task/internal.h"
#include "task/seccomp.h"
#include "task/uts.h"

struct agent_container agent_container;

/* The process on the list that has this pid; 0: the first one. agent_container.lock held. */
static struct agent_process *container_process_locked(int pid)
{
	struct agent_process *p;

	if (!agent_container.ns)
		return NULL;
	list_for_each_entry (p, &agent_container.processes, link) {
		if (pid ? p->pid == pid : p->init)
			return p;
	}
	return NULL;
}

void agent_container_announced(int pid)
{
	struct agent_process *p;

	spin_lock(&agent_container.lock);
	p = container_process_locked(pid);
	if (p)
		p->announced = true;
	spin_unlock(&agent_container.lock);
	waitq_wake_all(&agent_container.wq);
}

/* Master side of the terminal of a process, with a reference, or NULL. */
static struct file *container_tty(int pid)
{
	struct agent_process *p;
	struct file *f;

	spin_lock(&agent_container.lock);
	p = container_process_locked(pid);
	f = p ? p->tty : NULL;
	if (f)
		file_get(f);
	spin_unlock(&agent_container.lock);
	return f;
}

int agent_container_winsize(const struct cm_rpc_winsize *w)
{
	struct file *f = container_tty(w->pid);
	int ret = f ? pty_set_size(f, w->rows, w->cols) : -ENOTTY;

	if (f)
		file_put(f);
	return ret;
}

int agent_container_sync(void)
{
	return agent_container.ns ? filemap_sync_all() : 0;
}

/* What the kernel keeps for the container: parameters and limits. */
static int container_kernel(const struct rpc_start *s, struct cm_rpc_error *e)
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
	agent_limit_set(s->fixed.memory, s->fixed.pids);
	if (!s->fixed.nfilter)
		return 0;
	e->stage = CM_RPC_STAGE_SECCOMP;
	return seccomp_filter_create((const struct sock_filter *)s->filter, s->fixed.nfilter,
		s->fixed.filter_flags, NULL, &agent_container.filter);
}

/* The container's own cgroup, with what config.json writes to its files. */
static int container_cgroup(const struct rpc_start *s, u32 *index)
{
	const char *word = s->cgroup;
	int ret = cgroup_open(s->id, true, &agent_container.cgroup);

	for (*index = 0; ret == 0 && *index < s->fixed.ncgroup; ++*index) {
		char *words[3];

		word = rpc_strings(word, words, 2);
		ret = cgroup_write_file(agent_container.cgroup, words[0], words[1]);
		if (ret < 0)
			break;
	}
	return ret;
}

/* The mounts, the working directory, the names: what all processes share. */
static int container_build(const struct rpc_start *s, struct cm_rpc_error *e)
{
	int ret;

	e->stage = CM_RPC_STAGE_CGROUP;
	ret = container_cgroup(s, &e->index);
	if (ret < 0)
		return ret;
	ret = agent_build_mounts(s, &agent_container.ns, &e->stage, &e->index);
	if (ret == 0)
		ret = nsproxy_create(&nsproxy_root, 0, &agent_container.set);
	if (ret < 0)
		return ret;
	nsproxy_set_mnt(agent_container.set, agent_container.ns);
	ret = container_kernel(s, e);
	if (ret < 0)
		return ret;
	e->stage = CM_RPC_STAGE_CWD;
	ret = agent_make_dir(agent_container.ns, s->cwd);
	if (ret < 0)
		return ret;
	e->stage = CM_RPC_STAGE_TASK;
	if (s->hostname[0])
		ret = uts_set_hostname(s->hostname, strlen(s->hostname));
	if (ret == 0 && s->domainname[0])
		ret = uts_set_domainname(s->domainname, strlen(s->domainname));
	return ret;
}

int agent_container_start(const struct rpc_start *s, void **payload, struct vsock_listener *streams,
	struct cm_rpc_error *e, int *pid)
{
	struct agent_launch *held = NULL;
	bool hold = s->fixed.flags & CM_RPC_START_HOLD;
	int ret;

	if (agent_container.ns)
		return -EBUSY;
	waitq_init(&agent_container.wq);
	list_init(&agent_container.processes);
	ret = container_build(s, e);
	if (ret == 0)
		ret = agent_process_start(s, true, streams, hold ? &held : NULL, e);
	if (ret < 0)
		return ret;
	*pid = ret;
	spin_lock(&agent_container.lock);
	agent_container.pid = ret;
	spin_unlock(&agent_container.lock);
	if (held) {
		agent_launch_keep(held, *payload);
		*payload = NULL;
		agent_container.held = held;
	}
	return 0;
}

int agent_container_release(struct cm_rpc_error *e)
{
	struct agent_launch *held = agent_container.held;

	agent_container.held = NULL;
	return held ? agent_process_release(held, e) : -EALREADY;
}

int agent_container_exec(
	const struct rpc_start *s, struct vsock_listener *streams, struct cm_rpc_error *e, int *pid)
{
	bool alive;
	int ret;

	spin_lock(&agent_container.lock);
	alive = agent_container.pid && !agent_container.exited;
	spin_unlock(&agent_container.lock);
	ret = alive ? agent_process_start(s, false, streams, NULL, e) : -ESRCH;
	if (ret < 0)
		return ret;
	*pid = ret;
	return 0;
}

/* The first process, with a reference, or NULL. */
static struct group *container_init(void)
{
	int pid;

	spin_lock(&agent_container.lock);
	pid = agent_container.exited ? 0 : agent_container.pid;
	spin_unlock(&agent_container.lock);
	return pid ? group_find(pid) : NULL;
}

static bool container_signal_one(struct group *g, void *arg)
{
	if (g->container == &agent_container)
		signal_send_group(g, *(int *)arg, NULL);
	return true;
}

/* To the foreground of a terminal: false when there is no such group. */
static bool container_signal_foreground(const struct cm_rpc_signal *q)
{
	struct file *f = container_tty(q->pid);
	struct tty *tty = f ? f->priv : NULL;
	bool done = tty && tty_has_pgrp(tty);

	if (done && q->signo != 0)
		tty_signal_pgrp(tty, q->signo);
	if (f)
		file_put(f);
	return done;
}

struct mount_ns *agent_container_ns(u32 container)
{
	return container == 1 ? agent_container.ns : NULL;
}

struct pid_ns *agent_container_pid_ns(u32 container)
{
	return agent_container_ns(container) ? agent_container.set->pid : NULL;
}

struct group *agent_container_group(const struct cm_rpc_process *q)
{
	struct group *g = q->container == 1 ? group_find(q->pid) : NULL;

	if (g && g->container != &agent_container) {
		group_put(g);
		g = NULL;
	}
	return g;
}

struct pgrp_signal {
	int pgid, signo;
	u32 members;
};

static bool container_signal_member(struct group *g, void *arg)
{
	struct pgrp_signal *p = arg;

	if (g->container == &agent_container && g->pgrp &&
		pid_nr_ns(g->pgrp, agent_container.set->pid) == p->pgid) {
		if (p->signo)
			signal_send_group(g, p->signo, NULL);
		p->members++;
	}
	return true;
}

/* To the processes of the container that are in a process group: -ESRCH when there is none. */
static int container_signal_pgrp(const struct cm_rpc_signal *q)
{
	struct pgrp_signal p = { q->pid, q->signo, 0 };

	group_for_each(container_signal_member, &p);
	return p.members ? 0 : -ESRCH;
}

int agent_container_signal(const struct cm_rpc_signal *q)
{
	struct group *init = container_init(), *g = init;
	int signo = q->signo, ret = 0;

	if (!init)
		return -ESRCH;
	if (q->mode == CM_RPC_SIGNAL_ALL) {
		if (signo == SIGKILL)
			signal_kill_all(init);
		else
			group_for_each(container_signal_one, &signo);
		group_put(init);
		return 0;
	}
	if (q->mode == CM_RPC_SIGNAL_PGRP) {
		group_put(init);
		return container_signal_pgrp(q);
	}
	if (q->mode == CM_RPC_SIGNAL_FOREGROUND && container_signal_foreground(q)) {
		group_put(init);
		return 0;
	}
	if (q->pid != 0) {
		group_put(init);
		g = group_find(q->pid);
		if (g && g->container != &agent_container) {
			group_put(g);
			g = NULL;
		}
	}
	if (!g)
		return -ESRCH;
	if (signo != 0)
		ret = signal_send_group(g, signo, NULL);
	group_put(g);
	return ret;
}

struct ps {
	struct cm_rpc_proc *out;
	u32 n, max;
};

static bool container_ps_one(struct group *g, void *arg)
{
	struct ps *ps = arg;
	struct cm_rpc_proc *p;
	u64 utime, stime;

	if (g->container != &agent_container || !g->leader)
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

u32 agent_container_ps(struct cm_rpc_proc *out, u32 max)
{
	struct ps ps = { out, 0, max };

	memset(out, 0, max * sizeof(*out));
	group_for_each(container_ps_one, &ps);
	return ps.n;
}

static bool container_usage_one(struct group *g, void *arg)
{
	struct cm_rpc_usage *u = arg;
	u64 utime, stime;

	if (g->container != &agent_container)
		return true;
	group_times(g, &utime, &stime);
	u->cpu_ns += utime + stime + g->child_utime + g->child_stime;
	u->processes++;
	return true;
}

void agent_container_usage(struct cm_rpc_usage *u)
{
	struct page_stats s;

	page_stats(&s);
	*u = (struct cm_rpc_usage){
		.total = s.total * PAGE_SIZE,
		.free = s.free * PAGE_SIZE,
		.anon = s.anon * PAGE_SIZE,
		.cache = s.cached * PAGE_SIZE,
	};
	group_for_each(container_usage_one, u);
}
