/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits and usage. */
#include <linux/capability.h>

#include "fs/fdtable.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "task/signal.h"

/* The address space enforces some limits itself from its own copy. */
static void rlimit_propagate(struct task *t, u32 which, u64 soft)
{
	struct as *as = task_get_as(t);

	if (!as)
		return;
	switch (which) {
	case RLIMIT_AS:
		as->limit_as = soft;
		break;
	case RLIMIT_DATA:
		as->limit_data = soft;
		break;
	case RLIMIT_STACK:
		as->limit_stack = soft;
		break;
	case RLIMIT_MEMLOCK:
		as->limit_memlock = soft;
		break;
	default:
		break;
	}
	as_put(as);
}

static s64 rlimit_change(
	struct task *t, u32 which, const struct rlimit64 *new_limit, struct rlimit64 *old)
{
	struct group *g = t->group;
	struct rlimit64 *r;
	s64 ret = 0;
	u64 flags;

	if (which >= RLIM_NLIMITS)
		return -EINVAL;
	if (new_limit && new_limit->rlim_cur > new_limit->rlim_max)
		return -EINVAL;
	if (new_limit && which == RLIMIT_NOFILE && new_limit->rlim_max > READ_ONCE(fd_nr_open))
		return -EPERM;
	flags = sig_lock(g);
	r = &g->rlim[which];
	if (old)
		*old = *r;
	if (new_limit && new_limit->rlim_max > r->rlim_max && !capable(CAP_SYS_RESOURCE))
		ret = -EPERM;
	else if (new_limit)
		*r = *new_limit;
	if (new_limit && ret == 0 && which == RLIMIT_CPU)
		cpu_tick_start(g);
	sig_unlock(g, flags);
	if (new_limit && ret == 0)
		rlimit_propagate(t, which, new_limit->rlim_cur);
	return ret;
}

s64 sys_getrlimit(struct task *t, const struct sysargs *a)
{
	struct rlimit64 old;
	s64 ret = rlimit_change(t, (u32)a->a[0], NULL, &old);

	return ret < 0 ? ret : copy_to_user(a->a[1], &old, sizeof(old));
}

s64 sys_setrlimit(struct task *t, const struct sysargs *a)
{
	struct rlimit64 lim;

	if (copy_from_user(&lim, a->a[1], sizeof(lim)) < 0)
		return -EFAULT;
	return rlimit_change(t, (u32)a->a[0], &lim, NULL);
}

static bool rlimit_may_change(struct task *t, struct task *other)
{
	struct cred *c;
	bool ok;

	if (t->group == other->group)
		return true;
	c = task_cred(other);
	ok = (t->cred->uid == c->euid && t->cred->uid == c->suid && t->cred->uid == c->uid &&
		     t->cred->gid == c->egid && t->cred->gid == c->sgid &&
		     t->cred->gid == c->gid) ||
	     capable(CAP_SYS_RESOURCE);
	cred_put(c);
	return ok;
}

s64 sys_prlimit64(struct task *t, const struct sysargs *a)
{
	int pid = (int)a->a[0];
	struct task *other = NULL;
	struct rlimit64 lim, old;
	s64 ret;

	if (a->a[2] && copy_from_user(&lim, a->a[2], sizeof(lim)) < 0)
		return -EFAULT;
	if (pid) {
		other = task_find(pid);
		if (!other)
			return -ESRCH;
		if (!rlimit_may_change(t, other)) {
			task_put(other);
			return -EPERM;
		}
	}
	ret = rlimit_change(other ? other : t, (u32)a->a[1], a->a[2] ? &lim : NULL, &old);
	task_put(other);
	if (ret == 0 && a->a[3])
		ret = copy_to_user(a->a[3], &old, sizeof(old));
	return ret;
}

/* Largest resident set so far, KiB. */
static u64 usage_maxrss(struct task *t)
{
	u64 now = t->as ? t->as->hiwater_rss * (PAGE_SIZE / 1024) : 0;

	return MAX(now, t->group->maxrss);
}

static void usage_self(struct task *t, struct rusage *ru)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);
	u64 min = g->dead_minflt, maj = g->dead_majflt;
	u64 utime, stime;
	struct task *pos;

	group_times_locked(g, &utime, &stime);
	list_for_each_entry (pos, &g->tasks, group_link) {
		if (pos->dead)
			continue;
		min += pos->min_flt;
		maj += pos->maj_flt;
	}
	sig_unlock(g, flags);
	rusage_fill(ru, utime, stime, min, maj, usage_maxrss(t));
}

s64 sys_getrusage(struct task *t, const struct sysargs *a)
{
	struct group *g = t->group;
	struct rusage ru;

	switch ((int)a->a[0]) {
	case RUSAGE_SELF:
		usage_self(t, &ru);
		break;
	case RUSAGE_CHILDREN:
		rusage_fill(&ru, g->child_utime, g->child_stime, g->child_minflt, g->child_majflt,
			g->child_maxrss);
		break;
	case RUSAGE_THREAD:
		rusage_fill(&ru, t->thread->utime_ns, t->thread->stime_ns, t->min_flt, t->maj_flt,
			usage_maxrss(t));
		ru.ru_nvcsw = (s64)t->thread->nvcsw;
		ru.ru_nivcsw = (s64)t->thread->nivcsw;
		break;
	default:
		return -EINVAL;
	}
	return copy_to_user(a->a[1], &ru, sizeof(ru));
}
