/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/stat, status and limits. */
#include <linux/time.h>

#include "fs/internal.h"
#include "fs/proc/proc.h"
#include "fs/tty/tty.h"
#include "kernel/account.h"
#include "kernel/clock.h"
#include "lib/printf.h"
#include "mm/as.h"
#include "task/access.h"
#include "task/seccomp.h"
#include "task/internal.h"
#include "task/signal.h"
#include "task/time_ns.h"
#include "task/user_ns.h"

#define NSEC_PER_TICK 10000000UL /* USER_HZ is 100 */

static char task_state(struct task *t)
{
	struct group *g = t->group;
	u32 s = t->thread ? READ_ONCE(t->thread->state) : THREAD_DEAD;

	if (t->dead || (g->state == GROUP_ZOMBIE))
		return 'Z';
	if (t->trace.stopped)
		return 't';
	if (t->stopped)
		return 'T';
	switch (s) {
	case THREAD_RUNNABLE:
		return 'R';
	case THREAD_SLEEP:
		return 'D';
	case THREAD_SLEEP_INTR:
		return 'S';
	default:
		return 'X';
	}
}

static const char *state_name(char s)
{
	switch (s) {
	case 'R':
		return "R (running)";
	case 'S':
		return "S (sleeping)";
	case 'D':
		return "D (disk sleep)";
	case 'T':
		return "T (stopped)";
	case 't':
		return "t (tracing stop)";
	case 'Z':
		return "Z (zombie)";
	default:
		return "X (dead)";
	}
}

/* Signal sets of the process. */
struct sigsets {
	u64 pending, shared, blocked, ignored, caught;
	u32 queued;
};

static void sigsets_get(struct task *t, struct sigsets *s)
{
	struct group *g = t->group;
	u64 flags = spin_lock_irq(&g->sig_lock);
	struct sighand *h = g->sighand;

	memset(s, 0, sizeof(*s));
	s->pending = t->pending.set;
	s->shared = g->pending.set;
	s->blocked = t->blocked;
	if (h) {
		spin_lock(&h->lock);
		for (u32 i = 0; i < SIG_MAX; i++) {
			if (h->action[i].handler == 1)
				s->ignored |= 1UL << i;
			else if (h->action[i].handler)
				s->caught |= 1UL << i;
		}
		spin_unlock(&h->lock);
	}
	spin_unlock_irq(&g->sig_lock, flags);
}

/* The numbers of a process as a namespace sees them. */
struct stat_ids {
	int pid, ppid, pgid, sid;
};

static struct stat_ids stat_ids(struct group *g, const struct pid_ns *ns)
{
	u64 flags = tree_lock();
	struct stat_ids ids = { pid_nr_ns(g->id, ns), g->parent ? pid_nr_ns(g->parent->id, ns) : 0,
		pid_nr_ns(g->pgrp, ns), pid_nr_ns(g->session, ns) };

	tree_unlock(flags);
	return ids;
}

static int tracer_pid(struct task *t, const struct pid_ns *ns)
{
	u64 flags = tree_lock();
	int pid = t->trace.tracer ? pid_nr_ns(t->trace.tracer->group->id, ns) : 0;

	tree_unlock(flags);
	return pid;
}

/* Faults and times: of the process, or of one thread of it; those of children are the process's. */
static void stat_usage(struct proc_buf *b, struct task *t, bool whole)
{
	struct group *g = t->group;
	struct cpu_time ct = { 0, 0 };
	u64 min = t->min_flt, maj = t->maj_flt;

	if (whole) {
		group_times(g, &ct.user, &ct.system);
		min += g->dead_minflt;
		maj += g->dead_majflt;
	} else if (t->thread) {
		ct = thread_cpu_time(t->thread);
	}
	proc_printf(b, "%lu %lu %lu %lu %lu %lu %lu %lu ", min, g->child_minflt, maj,
		g->child_majflt, ct.user / NSEC_PER_TICK, ct.system / NSEC_PER_TICK,
		g->child_utime / NSEC_PER_TICK, g->child_stime / NSEC_PER_TICK);
}

static void stat_memory(struct proc_buf *b, struct as *as)
{
	if (!as) {
		proc_printf(b, "0 0 ");
		return;
	}
	proc_printf(b, "%lu %ld ", as->total_vm << PAGE_SHIFT,
		as->rss_anon + as->rss_file + as->rss_shmem);
}

static int stat_show(struct proc_buf *b, struct proc_ctx *c, bool whole)
{
	struct task *t = c->task;
	struct group *g = t->group;
	struct as *as = task_get_as(t);
	bool show = as && task_may_access_fs(t);
	struct stat_ids ids = stat_ids(g, c->ns);
	struct sigsets s;
	int tty_nr, tpgid;

	sigsets_get(t, &s);
	tty_describe(g, c->ns, &tty_nr, &tpgid);
	proc_printf(b, "%d (%.15s) %c %d %d %d %d %d %u ", pid_nr_ns(t->id, c->ns), t->comm,
		task_state(t), ids.ppid, ids.pgid, ids.sid, tty_nr, tpgid, 0x400000u);
	stat_usage(b, t, whole);
	proc_printf(b, "%d %d %u 0 %lu ", 20 + t->nice, t->nice, g->ntasks,
		time_shown(CLOCK_BOOTTIME, t->start_time) / NSEC_PER_TICK);
	stat_memory(b, as);
	proc_printf(b, "%lu %lu %lu %lu 0 0 ", rlimit_soft(g, RLIMIT_RSS),
		show ? as->code_start : 1UL, show ? as->code_end : 1UL,
		show ? as->stack_start : 0UL);
	proc_printf(b, "%lu %lu %lu %lu 0 0 0 %u %u %u %u 0 0 0 ", s.pending & INT32_MAX,
		s.blocked & INT32_MAX, s.ignored & INT32_MAX, s.caught & INT32_MAX, g->exit_signal,
		t->thread ? t->thread->cpu : 0, t->rt_priority, t->policy);
	if (show)
		proc_printf(b, "%lu %lu %lu %lu %lu %lu %lu %d\n", as->data_start, as->data_end,
			as->brk_start, as->arg_start, as->arg_end, as->env_start, as->env_end, 0);
	else
		proc_printf(b, "0 0 0 0 0 0 0 0\n");
	if (as)
		as_put(as);
	return 0;
}

int proc_pid_stat(struct proc_buf *b, struct proc_ctx *c)
{
	return stat_show(b, c, true);
}

int proc_tid_stat(struct proc_buf *b, struct proc_ctx *c)
{
	return stat_show(b, c, false);
}

static void status_memory(struct proc_buf *b, struct as *as)
{
	u64 rss = (u64)(as->rss_anon + as->rss_file + as->rss_shmem);
	u64 text = (as->code_end - as->code_start) >> 10;

	proc_printf(b, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8u kB\n",
		MAX(as->hiwater_vm, as->total_vm) * 4, as->total_vm * 4, as->locked_vm * 4, 0);
	proc_printf(
		b, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n", MAX(as->hiwater_rss, rss) * 4, rss * 4);
	proc_printf(b, "RssAnon:\t%8ld kB\nRssFile:\t%8ld kB\nRssShmem:\t%8ld kB\n",
		as->rss_anon * 4, as->rss_file * 4, as->rss_shmem * 4);
	proc_printf(b, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\n",
		as->data_vm * 4, as->stack_vm * 4, text,
		as->exec_vm * 4 > text ? as->exec_vm * 4 - text : 0UL);
	proc_printf(b, "VmPTE:\t%8u kB\nVmSwap:\t%8ld kB\n", 0, as->swapped * 4);
}

static void status_ids(struct proc_buf *b, struct task *t)
{
	struct cred *cr = task_cred(t);

	proc_printf(b, "Uid:\t%u\t%u\t%u\t%u\n", uid_shown(cr->uid), uid_shown(cr->euid),
		uid_shown(cr->suid), uid_shown(cr->fsuid));
	proc_printf(b, "Gid:\t%u\t%u\t%u\t%u\n", gid_shown(cr->gid), gid_shown(cr->egid),
		gid_shown(cr->sgid), gid_shown(cr->fsgid));
	proc_printf(b, "FDSize:\t64\nGroups:\t");
	for (u32 i = 0; i < cr->ngroups; i++)
		proc_printf(b, "%u ", gid_shown(cr->groups[i]));
	proc_printf(b, "\n");
	cred_put(cr);
}

static void status_seccomp(struct proc_buf *b, struct task *t)
{
	u64 flags = sig_lock(t->group);
	u32 mode = t->seccomp_mode, n = t->seccomp ? t->seccomp->depth : 0;

	sig_unlock(t->group, flags);
	proc_printf(b, "Seccomp:\t%u\nSeccomp_filters:\t%u\n", mode, n);
}

static void status_caps(struct proc_buf *b, struct task *t)
{
	struct cred *cr = task_cred(t);

	proc_printf(b, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n", cr->cap_inheritable,
		cr->cap_permitted, cr->cap_effective);
	proc_printf(b, "CapBnd:\t%016lx\nCapAmb:\t%016lx\n", cr->cap_bounding, cr->cap_ambient);
	proc_printf(b, "NoNewPrivs:\t%d\n", READ_ONCE(t->no_new_privs));
	status_seccomp(b, t);
	cred_put(cr);
}

/* The numbers in the namespaces from that of the reader inwards. */
static void status_levels(struct proc_buf *b, struct task *t, const struct pid_ns *ns)
{
	static const char *const names[] = { "NStgid:", "\nNSpid:", "\nNSpgid:", "\nNSsid:" };
	u64 flags = tree_lock();
	struct pid *ids[] = { pid_get(t->group->id), pid_get(t->id), pid_get(t->group->pgrp),
		pid_get(t->group->session) };
	u32 i, level;

	tree_unlock(flags);
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		proc_printf(b, "%s", names[i]);
		for (level = ns->level; level <= t->id->level; level++)
			proc_printf(
				b, "\t%d", ids[i] ? pid_nr_ns(ids[i], t->id->num[level].ns) : 0);
		pid_put(ids[i]);
	}
	proc_printf(b, "\n");
}

int proc_pid_status(struct proc_buf *b, struct proc_ctx *c)
{
	struct task *t = c->task;
	struct group *g = t->group;
	struct as *as = task_get_as(t);
	struct fs_context *fs = task_get_fs(t);
	struct sigsets s;
	struct stat_ids ids = stat_ids(g, c->ns);
	u64 cpus = cpu_count() >= 64 ? ~0UL : (1UL << cpu_count()) - 1;
	int thp_enabled = 0;

	sigsets_get(t, &s);
	proc_printf(b, "Name:\t%.15s\n", t->comm);
	if (fs) {
		proc_printf(b, "Umask:\t%04o\n", fs->umask);
		fs_context_put(fs);
	}
	proc_printf(b, "State:\t%s\n", state_name(task_state(t)));
	proc_printf(b, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", ids.pid,
		pid_nr_ns(t->id, c->ns), ids.ppid, tracer_pid(t, c->ns));
	status_ids(b, t);
	status_levels(b, t, c->ns);
	if (as) {
		status_memory(b, as);
		thp_enabled = !READ_ONCE(as->no_huge);
		as_put(as);
	}
	proc_printf(b, "CoreDumping:\t%d\nTHP_enabled:\t%d\nThreads:\t%u\n", g->core != NULL,
		thp_enabled, g->ntasks);
	proc_printf(b, "SigQ:\t0/%lu\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n",
		rlimit_soft(g, RLIMIT_SIGPENDING), s.pending, s.shared, s.blocked);
	proc_printf(b, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", s.ignored, s.caught);
	status_caps(b, t);
	proc_printf(b, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t0", cpus);
	if (cpu_count() > 1)
		proc_printf(b, "-%u", cpu_count() - 1);
	proc_printf(b, "\nMems_allowed:\t00000000,00000001\nMems_allowed_list:\t0\n");
	proc_printf(b, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
		t->thread ? t->thread->nvcsw : 0, t->thread ? t->thread->nivcsw : 0);
	return 0;
}

/* ---- /proc/PID/sched ---- */
static void sched_number(struct proc_buf *b, const char *name, u64 v)
{
	proc_printf(b, "%-45s:%21lu\n", name, v);
}

static void sched_ns(struct proc_buf *b, const char *name, u64 ns)
{
	proc_printf(b, "%-45s:%14lu.%06lu\n", name, ns / NSEC_PER_MSEC, ns % NSEC_PER_MSEC);
}

/* The kernel's number: 0 is the most urgent, 120 that of nice 0. */
static u64 sched_prio(const struct task *t)
{
	if (t->policy == SCHED_FIFO || t->policy == SCHED_RR)
		return 99 - t->rt_priority;
	return (u64)(120 + t->nice);
}

/* Of what Linux has here, what there is: no averages of load. */
int proc_pid_sched(struct proc_buf *b, struct proc_ctx *c)
{
	struct task *t = c->task;
	const struct thread *th = t->thread;

	proc_printf(b, "%.15s (%d, #threads: %u)\n", t->comm, pid_nr_ns(t->id, c->ns),
		t->group->ntasks);
	proc_printf(b, "-------------------------------------------------------------------\n");
	if (th) {
		sched_ns(b, "se.vruntime", th->vruntime);
		sched_ns(b, "se.sum_exec_runtime", cpu_time_sum(thread_cpu_time(th)));
		sched_number(b, "nr_switches", th->nvcsw + th->nivcsw);
		sched_number(b, "nr_voluntary_switches", th->nvcsw);
		sched_number(b, "nr_involuntary_switches", th->nivcsw);
	}
	sched_number(b, "policy", t->policy);
	sched_number(b, "prio", sched_prio(t));
	return 0;
}

static void limit_value(struct proc_buf *b, u64 v)
{
	char text[24];

	if (v == ~0UL)
		proc_printf(b, "%-20s ", "unlimited");
	else {
		str_format(text, sizeof(text), "%lu", v);
		proc_printf(b, "%-20s ", text);
	}
}

int proc_pid_limits(struct proc_buf *b, struct proc_ctx *c)
{
	static const struct {
		const char *name, *unit;
	} names[RLIM_NLIMITS] = {
		[RLIMIT_CPU] = { "Max cpu time", "seconds" },
		[RLIMIT_FSIZE] = { "Max file size", "bytes" },
		[RLIMIT_DATA] = { "Max data size", "bytes" },
		[RLIMIT_STACK] = { "Max stack size", "bytes" },
		[RLIMIT_CORE] = { "Max core file size", "bytes" },
		[RLIMIT_RSS] = { "Max resident set", "bytes" },
		[RLIMIT_NPROC] = { "Max processes", "processes" },
		[RLIMIT_NOFILE] = { "Max open files", "files" },
		[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
		[RLIMIT_AS] = { "Max address space", "bytes" },
		[RLIMIT_LOCKS] = { "Max file locks", "locks" },
		[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
		[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
		[RLIMIT_NICE] = { "Max nice priority", "" },
		[RLIMIT_RTPRIO] = { "Max realtime priority", "" },
		[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
	};
	struct group *g = c->task->group;

	proc_printf(b, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (u32 i = 0; i < RLIM_NLIMITS; i++) {
		proc_printf(b, "%-25s ", names[i].name);
		limit_value(b, READ_ONCE(g->rlim[i].rlim_cur));
		limit_value(b, READ_ONCE(g->rlim[i].rlim_max));
		proc_printf(b, "%-10s\n", names[i].unit);
	}
	return 0;
}
