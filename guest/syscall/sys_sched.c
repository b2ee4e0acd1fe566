/* SPDX-License-Identifier: Apache-2.0 */
/* Scheduling: CPU masks act, policies and priorities are kept for whoever asks. */
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/sched/types.h>

#include "kernel/cpus.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "syscall/time_user.h"
#include "task/signal.h"
#include "task/user_ns.h"

#define RR_INTERVAL_NS	(100 * NSEC_PER_MSEC)
#define NICE_MIN	(-20)
#define NICE_MAX	19
#define PRIO_PROCESS	0
#define PRIO_PGRP	1
#define PRIO_USER	2
#define RT_PRIORITY_MAX 99

/* The task of a pid argument, 0 = the caller; with a reference. */
static struct task *sched_task(struct task *t, int pid)
{
	if (pid < 0)
		return NULL;
	if (pid)
		return task_find(pid);
	task_get(t);
	return t;
}

/* May t change the other's scheduling? */
static bool sched_may_change(struct task *t, struct task *other)
{
	struct cred *c = task_cred(other);
	bool ok = t->cred->euid == c->euid || t->cred->euid == c->uid ||
		  ns_capable(c->user_ns, CAP_SYS_NICE);

	cred_put(c);
	return ok;
}

s64 sys_sched_yield(struct task *t, const struct sysargs *a)
{
	sched_yield_cpu();
	return 0;
}

s64 sys_sched_setaffinity(struct task *t, const struct sysargs *a)
{
	u64 mask = 0;
	u64 cpus = cpu_count() >= 64 ? ~0UL : (1UL << cpu_count()) - 1;
	struct task *other;
	int ret;

	if (copy_from_user(&mask, a->a[2], MIN(a->a[1], sizeof(mask))) < 0)
		return -EFAULT;
	other = sched_task(t, (int)a->a[0]);
	if (!other)
		return -ESRCH;
	if (!sched_may_change(t, other)) {
		task_put(other);
		return -EPERM;
	}
	mask &= cpus;
	ret = mask ? cpus_need(mask) : -EINVAL;
	if (ret == 0 && other->thread)
		sched_set_affinity(other->thread, mask);
	task_put(other);
	return ret;
}

s64 sys_sched_getaffinity(struct task *t, const struct sysargs *a)
{
	struct task *other = sched_task(t, (int)a->a[0]);
	u64 mask = 0;

	if (!other)
		return -ESRCH;
	if (other->thread)
		mask = other->thread->cpu_mask;
	task_put(other);
	if (a->a[1] < sizeof(mask) || (a->a[1] & (sizeof(mask) - 1)))
		return -EINVAL;
	return copy_to_user(a->a[2], &mask, sizeof(mask)) < 0 ? -EFAULT : (s64)sizeof(mask);
}

static bool sched_is_rt(u32 policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static s64 sched_check(u32 policy, u32 prio)
{
	switch (policy) {
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return prio == 0 ? 0 : -EINVAL;
	case SCHED_FIFO:
	case SCHED_RR:
		return prio >= 1 && prio <= RT_PRIORITY_MAX ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static s64 sched_change(struct task *t, int pid, u32 policy, u32 prio, bool keep_policy)
{
	struct task *other = sched_task(t, pid);
	s64 ret;

	if (!other)
		return -ESRCH;
	if (keep_policy)
		policy = other->policy;
	ret = sched_check(policy & ~(u32)SCHED_RESET_ON_FORK, prio);
	if (ret == 0 && !sched_may_change(t, other))
		ret = -EPERM;
	if (ret == 0 && sched_is_rt(policy) && !capable(CAP_SYS_NICE) &&
		prio > rlimit_soft(other->group, RLIMIT_RTPRIO))
		ret = -EPERM;
	if (ret == 0) {
		other->policy = policy & ~(u32)SCHED_RESET_ON_FORK;
		other->rt_priority = prio;
		task_set_weight(other);
	}
	task_put(other);
	return ret;
}

s64 sys_sched_setscheduler(struct task *t, const struct sysargs *a)
{
	u32 prio;

	if ((int)a->a[0] < 0 || (int)a->a[1] < 0 || !a->a[2])
		return -EINVAL;
	if (get_user(prio, a->a[2]) < 0)
		return -EFAULT;
	return sched_change(t, (int)a->a[0], (u32)a->a[1], prio, false);
}

s64 sys_sched_setparam(struct task *t, const struct sysargs *a)
{
	u32 prio;

	if ((int)a->a[0] < 0 || !a->a[1])
		return -EINVAL;
	if (get_user(prio, a->a[1]) < 0)
		return -EFAULT;
	return sched_change(t, (int)a->a[0], 0, prio, true);
}

s64 sys_sched_getscheduler(struct task *t, const struct sysargs *a)
{
	struct task *other;
	s64 policy;

	if ((int)a->a[0] < 0)
		return -EINVAL;
	other = sched_task(t, (int)a->a[0]);
	if (!other)
		return -ESRCH;
	policy = other->policy;
	task_put(other);
	return policy;
}

s64 sys_sched_getparam(struct task *t, const struct sysargs *a)
{
	struct task *other;
	u32 prio;

	if ((int)a->a[0] < 0 || !a->a[1])
		return -EINVAL;
	other = sched_task(t, (int)a->a[0]);
	if (!other)
		return -ESRCH;
	prio = other->rt_priority;
	task_put(other);
	return put_user(prio, a->a[1]);
}

s64 sys_sched_setattr(struct task *t, const struct sysargs *a)
{
	struct sched_attr attr;
	u32 size;
	s64 ret;

	if ((int)a->a[0] < 0 || !a->a[1] || a->a[2])
		return -EINVAL;
	if (get_user(size, a->a[1]) < 0)
		return -EFAULT;
	if (size == 0)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
		return -E2BIG;
	memset(&attr, 0, sizeof(attr));
	if (copy_from_user(&attr, a->a[1], MIN((size_t)size, sizeof(attr))) < 0)
		return -EFAULT;
	if (attr.sched_nice < NICE_MIN || attr.sched_nice > NICE_MAX)
		return -EINVAL;
	ret = sched_change(t, (int)a->a[0], attr.sched_policy, attr.sched_priority, false);
	if (ret == 0 && !sched_is_rt(attr.sched_policy) && !a->a[0]) {
		t->nice = attr.sched_nice;
		task_set_weight(t);
	}
	return ret;
}

s64 sys_sched_getattr(struct task *t, const struct sysargs *a)
{
	u32 size = (u32)a->a[2];
	struct sched_attr attr;
	struct task *other;

	if ((int)a->a[0] < 0 || !a->a[1] || a->a[3] || size < SCHED_ATTR_SIZE_VER0 ||
		size > PAGE_SIZE)
		return -EINVAL;
	other = sched_task(t, (int)a->a[0]);
	if (!other)
		return -ESRCH;
	memset(&attr, 0, sizeof(attr));
	attr.size = (u32)MIN((size_t)size, sizeof(attr));
	attr.sched_policy = other->policy;
	attr.sched_nice = other->nice;
	attr.sched_priority = other->rt_priority;
	task_put(other);
	return copy_to_user(a->a[1], &attr, attr.size);
}

s64 sys_sched_get_priority_max(struct task *t, const struct sysargs *a)
{
	if (sched_is_rt((u32)a->a[0]))
		return RT_PRIORITY_MAX;
	return (u32)a->a[0] <= SCHED_DEADLINE && (u32)a->a[0] != 4 ? 0 : -EINVAL;
}

s64 sys_sched_get_priority_min(struct task *t, const struct sysargs *a)
{
	if (sched_is_rt((u32)a->a[0]))
		return 1;
	return (u32)a->a[0] <= SCHED_DEADLINE && (u32)a->a[0] != 4 ? 0 : -EINVAL;
}

s64 sys_sched_rr_get_interval(struct task *t, const struct sysargs *a)
{
	struct task *other;
	u64 ns;

	if ((int)a->a[0] < 0)
		return -EINVAL;
	other = sched_task(t, (int)a->a[0]);
	if (!other)
		return -ESRCH;
	ns = other->policy == SCHED_FIFO ? 0 : RR_INTERVAL_NS;
	task_put(other);
	return put_timespec(a->a[1], ns);
}

s64 sys_getcpu(struct task *t, const struct sysargs *a)
{
	u32 cpu = cpu_id();
	u32 node = 0;

	if (a->a[0] && put_user(cpu, a->a[0]) < 0)
		return -EFAULT;
	if (a->a[1] && put_user(node, a->a[1]) < 0)
		return -EFAULT;
	return 0;
}

/* Is g (its leader) one of those that `which` and `who` name? tree lock held. */
static bool prio_selects(const struct task *t, struct group *g, int which, int who)
{
	struct cred *c;
	bool ok;

	switch (which) {
	case PRIO_PGRP:
		return g->pgrp == (who ? pid_find_locked(t->group->ns, who) : t->group->pgrp);
	case PRIO_USER:
		if (!g->leader)
			return false;
		c = task_cred(g->leader);
		ok = c->uid == (who ? uid_to_kernel((u32)who) : t->cred->uid);
		cred_put(c);
		return ok;
	default:
		return false;
	}
}

/* What is done to each of the tasks that `which` and `who` name: the result so far (-ESRCH at first) in, the new one out. */
typedef s64 (*prio_fn)(struct task *t, struct task *other, const s32 *arg, s64 so_far);

/* Applies one change, or finds the highest priority when nice == NULL. */
static s64 prio_one(struct task *t, struct task *other, const s32 *nice, s64 best)
{
	if (!nice)
		return MAX(best, 20 - other->nice);
	if (!sched_may_change(t, other))
		return -EPERM;
	if (*nice < other->nice && !capable(CAP_SYS_NICE) &&
		(u64)(20 - *nice) > rlimit_soft(other->group, RLIMIT_NICE))
		return -EACCES;
	other->nice = *nice;
	task_set_weight(other);
	return best == -ESRCH ? 0 : best;
}

static s64 prio_walk(struct task *t, int which, int who, prio_fn fn, const s32 *arg)
{
	s64 ret = -ESRCH;
	struct group *g;
	struct task *pos;
	u64 flags;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	flags = tree_lock();
	if (which == PRIO_PROCESS) {
		pos = who ? pid_task(t->group->ns, who) : t;
		if (pos)
			ret = fn(t, pos, arg, ret);
		tree_unlock(flags);
		return ret;
	}
	list_for_each_entry (g, &pid_ns_root.groups, ns_link) {
		if (!pid_nr_ns(g->id, t->group->ns) || !prio_selects(t, g, which, who))
			continue;
		list_for_each_entry (pos, &g->tasks, group_link)
			ret = fn(t, pos, arg, ret);
	}
	tree_unlock(flags);
	return ret;
}

/* The system call answers 40..1, libc turns it into -20..19. */
s64 sys_getpriority(struct task *t, const struct sysargs *a)
{
	return prio_walk(t, (int)a->a[0], (int)a->a[1], prio_one, NULL);
}

s64 sys_setpriority(struct task *t, const struct sysargs *a)
{
	s32 nice = MIN(MAX((s32)a->a[2], NICE_MIN), NICE_MAX);

	return prio_walk(t, (int)a->a[0], (int)a->a[1], prio_one, &nice);
}

/* ---- I/O priority: kept and reported ---- */

#define IOPRIO_CLASS(v) ((u32)(v) >> 13)
#define IOPRIO_LEVEL(v) ((u32)(v)&7)
enum ioprio_class {
	IOPRIO_CLASS_NONE,
	IOPRIO_CLASS_RT,
	IOPRIO_CLASS_BE,
	IOPRIO_CLASS_IDLE
};

static s64 ioprio_set_one(struct task *t, struct task *other, const s32 *ioprio, s64 so_far)
{
	if (!sched_may_change(t, other))
		return -EPERM;
	other->ioprio = (u16)*ioprio;
	return so_far == -ESRCH ? 0 : so_far;
}

/* Of several the best: the lowest number, where none counts as best effort of the middle level. */
static s64 ioprio_best_one(struct task *t, struct task *other, const s32 *arg, s64 best)
{
	u16 own = other->ioprio;
	u16 rank = own ? own : IOPRIO_CLASS_BE << 13 | 4;

	(void)t;
	(void)arg;
	if (best == -ESRCH)
		return own;
	return rank < (best ? best : IOPRIO_CLASS_BE << 13 | 4) ? own : best;
}

s64 sys_ioprio_get(struct task *t, const struct sysargs *a)
{
	return prio_walk(t, (int)a->a[0] - 1, (int)a->a[1], ioprio_best_one, NULL);
}

s64 sys_ioprio_set(struct task *t, const struct sysargs *a)
{
	s32 ioprio = (s32)a->a[2];

	switch (IOPRIO_CLASS(ioprio)) {
	case IOPRIO_CLASS_RT:
		if (!capable(CAP_SYS_ADMIN) && !capable(CAP_SYS_NICE))
			return -EPERM;
		break;
	case IOPRIO_CLASS_BE:
	case IOPRIO_CLASS_IDLE:
		break;
	case IOPRIO_CLASS_NONE:
		if (IOPRIO_LEVEL(ioprio))
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	return prio_walk(t, (int)a->a[0] - 1, (int)a->a[1], ioprio_set_one, &ioprio);
}
