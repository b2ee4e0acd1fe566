/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX timers (timer_create). Each has one preallocated signal: while it waits to be taken, the timer of a period is not armed, and what it
 * missed counts as overruns. So no interval is too short for the machine: the next interrupt comes after the process had its turn. All state is under the
 * group's sig_lock; the callback runs in interrupt context.
 *
 * A timer on a CPU-time clock looks at that clock at the earliest moment it could be due, and never more often than every PTIMER_TICK. The time of another
 * process is under that one's sig_lock, of which nobody holds two: it is looked at before, and what was seen then counts.
 */
#include "task/itimer.h"

#include <linux/time.h>

#include "kernel/clock.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/signal.h"
#include "task/time_ns.h"

#define PTIMER_TICK    (4 * NSEC_PER_MSEC)
#define PTIMER_IGNORED (4 * NSEC_PER_MSEC) /* shortest period of a timer whose signal is ignored */

struct ptimer {
	struct list_head link; /* group->posix_timers */
	struct group *group; /* borrowed: the timer dies first */
	struct task *target; /* SIGEV_THREAD_ID: reference */
	struct ktimer timer;
	struct sigqueue sig;
	int id, clock, notify;
	bool counts; /* CPU time: */
	bool user; /* in user mode alone */
	struct task
		*counted; /* of this thread of the process, reference; NULL: of a whole process, */
	struct group *other; /* of another one, reference */
	u64 seen; /* time of `other` when it was looked at last */
	u64 due; /* CLOCK_MONOTONIC or CPU time, 0 = disarmed; in the past while the signal waits */
	u64 interval;
	u64 missed; /* periods since the expiry whose signal waits */
	int overrun; /* of the signal taken last */
};

/* CLOCK_REALTIME never jumps here: the distance to CLOCK_MONOTONIC is fixed. */
static u64 ptimer_to_monotonic(int clock, u64 at)
{
	u64 offset;

	if (clock != CLOCK_REALTIME && clock != CLOCK_TAI)
		return MAX(time_from_shown(clock, at), 1UL);
	offset = clock_realtime() - clock_monotonic();
	return at > offset ? at - offset : 1;
}

static u64 ptimer_group_time_locked(struct group *g, bool user)
{
	u64 utime, stime;

	group_times_locked(g, &utime, &stime);
	return user ? utime : utime + stime;
}

/* On the clock that `due` is of. */
static u64 ptimer_now_locked(const struct ptimer *p)
{
	struct cpu_time ct;

	if (!p->counts)
		return clock_monotonic();
	if (p->other)
		return p->seen;
	if (!p->counted)
		return ptimer_group_time_locked(p->group, p->user);
	if (p->counted->exiting)
		return 0;
	ct = thread_cpu_time(p->counted->thread);
	return p->user ? ct.user : cpu_time_sum(ct);
}

/* What p->seen is to be. No lock is held. */
static u64 ptimer_look(struct group *other, bool user)
{
	u64 flags = sig_lock(other);
	u64 now = ptimer_group_time_locked(other, user);

	sig_unlock(other, flags);
	return now;
}

/* The kernel timer, for `due` but not before `earliest`; now is ptimer_now_locked(). Who has ended has no more time to come. */
static void ptimer_arm_locked(struct ptimer *p, u64 now, u64 earliest)
{
	const struct group *whose = p->other ? p->other : p->group;
	u32 nlive = READ_ONCE(whose->nlive);
	u64 threads = p->counted ? 1 : MAX(MIN(nlive, cpu_count()), 1u);
	u64 due = MAX(p->due, earliest), left = due > now ? due - now : 0;

	if (p->other && !nlive && left)
		return;
	if (p->counts)
		due = clock_monotonic() + MAX(left / threads, PTIMER_TICK);
	ktimer_arm(&p->timer, due);
}

/* Move a period that is over to the next one. */
static void ptimer_forward(struct ptimer *p, u64 now)
{
	u64 n;

	if (!p->due || !p->interval || now < p->due)
		return;
	n = (now - p->due) / p->interval + 1;
	p->due += n * p->interval;
	p->missed += n;
}

static void ptimer_taken(struct sigqueue *q)
{
	struct ptimer *p = container_of(q, struct ptimer, sig);

	u64 now = ptimer_now_locked(p);

	ptimer_forward(p, now);
	/* the first of them is the expiry itself */
	p->overrun = p->missed ? (int)MIN(p->missed - 1, (u64)INT_MAX) : 0;
	p->missed = 0;
	q->info.si_overrun = p->overrun;
	if (p->due && p->interval)
		ptimer_arm_locked(p, now, 0);
}

/* True when the signal waits to be taken. */
static bool ptimer_notify_locked(struct ptimer *p)
{
	if (!list_empty(&p->sig.link))
		return true;
	if (p->target && p->target->exiting)
		return false;
	return signal_queue_entry_locked(p->group, p->target, &p->sig);
}

static void ptimer_fired(struct ktimer *k)
{
	struct ptimer *p = container_of(k, struct ptimer, timer);
	struct group *g = p->group;
	u64 seen = p->other ? ptimer_look(p->other, p->user) : 0;
	u64 flags = sig_lock(g);
	u64 now;

	p->seen = MAX(p->seen, seen);
	now = ptimer_now_locked(p);
	if (!p->due || now < p->due) {
		if (p->due && p->counts && g->nlive)
			ptimer_arm_locked(p, now, 0);
		sig_unlock(g, flags);
		return;
	}
	if (!ptimer_notify_locked(p) && p->interval) {
		ptimer_forward(p, now);
		p->missed = 0;
		ptimer_arm_locked(p, now, now + PTIMER_IGNORED);
	}
	if (!p->interval)
		p->due = 0;
	sig_unlock(g, flags);
}

static struct ptimer *ptimer_find(struct group *g, int id)
{
	struct ptimer *p;

	list_for_each_entry (p, &g->posix_timers, link) {
		if (p->id == id)
			return p;
	}
	return NULL;
}

static s64 ptimer_check_event(struct task *t, const sigevent_t *ev, struct task **target)
{
	*target = NULL;
	switch (ev->sigev_notify) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		*target = task_find(ev->_sigev_un._tid);
		if (!*target || (*target)->group != t->group) {
			task_put(*target);
			*target = NULL;
			return -EINVAL;
		}
		break;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		break;
	default:
		return -EINVAL;
	}
	if (ev->sigev_signo < 1 || ev->sigev_signo > SIG_MAX) {
		task_put(*target);
		*target = NULL;
		return -EINVAL;
	}
	return 0;
}

static bool ptimer_charge(struct task *t, s64 delta)
{
	struct user_acct *u = t->cred->user;

	if ((u64)atomic_add(&u->nsignals, delta) <= rlimit_soft(t->group, RLIMIT_SIGPENDING))
		return true;
	atomic_sub(&u->nsignals, delta);
	return false;
}

/* Clocks other than those of CPU time: 0 or -errno. */
static s64 ptimer_check_clock(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return 0;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

static void ptimer_count(struct ptimer *p, const struct cpu_clock *cpu)
{
	p->counts = true;
	p->user = cpu->user;
	if (cpu->thread) {
		task_get(cpu->of);
		p->counted = cpu->of;
	} else if (cpu->of->group != p->group) {
		group_get(cpu->of->group);
		p->other = cpu->of->group;
		p->seen = ptimer_look(p->other, p->user);
	}
}

s64 ptimer_create(struct task *t, int clock, const struct cpu_clock *cpu, const sigevent_t *ev)
{
	struct group *g = t->group;
	struct task *target;
	struct ptimer *p;
	s64 ret = cpu ? 0 : ptimer_check_clock(clock);
	u64 flags;

	if (ret < 0)
		return ret;
	ret = ptimer_check_event(t, ev, &target);
	if (ret < 0)
		return ret;
	p = ptimer_charge(t, 1) ? kzalloc(sizeof(*p)) : NULL;
	if (!p) {
		task_put(target);
		return -EAGAIN;
	}
	p->group = g;
	p->target = target;
	p->clock = clock;
	if (cpu)
		ptimer_count(p, cpu);
	p->notify = ev->sigev_notify;
	ktimer_init(&p->timer, ptimer_fired);
	list_init(&p->sig.link);
	p->sig.taken = ptimer_taken;
	p->sig.info = signal_info(ev->sigev_signo, SI_TIMER, 0, 0);
	p->sig.info.si_value = ev->sigev_value;
	flags = sig_lock(g);
	p->id = (int)g->next_timer_id;
	g->next_timer_id = (g->next_timer_id + 1) & 0x7fffffff;
	p->sig.info.si_tid = p->id;
	if (ev->sigev_value.sival_ptr == NULL && ev->sigev_notify == SIGEV_SIGNAL &&
		ev->sigev_signo == SIGALRM)
		p->sig.info.si_value.sival_int = p->id;
	list_add_tail(&g->posix_timers, &p->link);
	ret = p->id;
	sig_unlock(g, flags);
	return ret;
}

static void ptimer_read_locked(struct ptimer *p, struct itimer_value *v)
{
	u64 now = ptimer_now_locked(p);

	ptimer_forward(p, now);
	v->interval = p->interval;
	v->left = 0;
	if (p->due > now)
		v->left = p->due - now;
	else if (p->due && p->notify != SIGEV_NONE)
		v->left = 1; /* about to fire */
}

/* Whose time it counts has been collected. tree lock held. */
static bool ptimer_orphaned(const struct ptimer *p)
{
	const struct pid *id = p->counted ? p->counted->id : p->other ? p->other->id : NULL;

	return id && !id->task;
}

/* A look at another process's time, where the timer counts that. */
static void ptimer_refresh(struct group *g, int id)
{
	u64 flags = sig_lock(g), seen;
	struct ptimer *p = ptimer_find(g, id);
	struct group *other = p ? p->other : NULL;
	bool user = p && p->user;

	if (other)
		group_get(other);
	sig_unlock(g, flags);
	if (!other)
		return;
	seen = ptimer_look(other, user);
	flags = sig_lock(g);
	p = ptimer_find(g, id);
	if (p && p->other == other && p->user == user)
		p->seen = MAX(p->seen, seen);
	sig_unlock(g, flags);
	group_put(other);
}

static s64 ptimer_set_locked(
	struct ptimer *p, bool absolute, const struct itimer_value *v, struct itimer_value *old)
{
	ptimer_read_locked(p, old);
	p->interval = v->interval;
	p->due = 0;
	p->missed = 0;
	p->overrun = 0;
	if (v->left) {
		p->due = !absolute   ? ptimer_now_locked(p) + v->left
			 : p->counts ? v->left
				     : ptimer_to_monotonic(p->clock, v->left);
		/* One that notifies nobody is only looked at. */
		if (p->notify != SIGEV_NONE)
			ptimer_arm_locked(p, ptimer_now_locked(p), 0);
	}
	return 0;
}

s64 ptimer_set(struct task *t, int id, bool absolute, const struct itimer_value *v,
	struct itimer_value *old)
{
	struct group *g = t->group;
	struct ptimer *p;
	s64 ret = -EINVAL;
	u64 tree, flags;

	ptimer_refresh(g, id);
	tree = tree_lock();
	flags = sig_lock(g);
	p = ptimer_find(g, id);
	if (p)
		ret = ptimer_orphaned(p) ? -ESRCH : ptimer_set_locked(p, absolute, v, old);
	sig_unlock(g, flags);
	tree_unlock(tree);
	return ret;
}

s64 ptimer_get(struct task *t, int id, struct itimer_value *v)
{
	struct group *g = t->group;
	struct ptimer *p;
	u64 tree, flags;

	ptimer_refresh(g, id);
	tree = tree_lock();
	flags = sig_lock(g);
	p = ptimer_find(g, id);
	if (p)
		ptimer_read_locked(p, v);
	if (p && ptimer_orphaned(p))
		v->left = 0;
	sig_unlock(g, flags);
	tree_unlock(tree);
	return p ? 0 : -EINVAL;
}

s64 ptimer_overrun(struct task *t, int id)
{
	u64 flags = sig_lock(t->group);
	struct ptimer *p = ptimer_find(t->group, id);
	s64 n = -EINVAL;

	if (p)
		n = p->overrun;
	sig_unlock(t->group, flags);
	return n;
}

/* Off every list already. */
static void ptimer_destroy(struct ptimer *p)
{
	struct group *g = p->group;
	u64 flags = sig_lock(g);

	p->due = 0;
	sig_unlock(g, flags);
	ktimer_cancel(&p->timer);
	flags = sig_lock(g);
	list_del(&p->sig.link);
	sig_unlock(g, flags);
	task_put(p->target);
	task_put(p->counted);
	if (p->other)
		group_put(p->other);
	kfree(p);
}

s64 ptimer_delete(struct task *t, int id)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);
	struct ptimer *p = ptimer_find(g, id);

	if (p)
		list_del(&p->link);
	sig_unlock(g, flags);
	if (!p)
		return -EINVAL;
	ptimer_destroy(p);
	ptimer_charge(t, -1);
	return 0;
}

void timers_exit(struct group *g)
{
	for (;;) {
		struct ptimer *p = NULL;
		u64 flags = sig_lock(g);

		if (!list_empty(&g->posix_timers)) {
			p = list_first_entry(&g->posix_timers, struct ptimer, link);
			list_del(&p->link);
		}
		sig_unlock(g, flags);
		if (!p)
			return;
		ptimer_destroy(p);
		ptimer_charge(task_current(), -1);
	}
}
