/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ITIMER_REAL is a kernel timer. ITIMER_VIRTUAL, ITIMER_PROF and RLIMIT_CPU count CPU time: while one of them is set a tick looks at
 * the process's times at the earliest moment it could be due, and never more often than every CPU_TICK_MIN. All state is under sig_lock;
 * the callbacks run in interrupt context.
 */
#include "task/itimer.h"

#include <linux/time.h>

#include "kernel/clock.h"
#include "lib/string.h"
#include "task/signal.h"

#define CPU_TICK_MIN   (4 * NSEC_PER_MSEC)
#define CPU_TICK_MAX   NSEC_PER_SEC
#define ITIMER_IGNORED (4 * NSEC_PER_MSEC) /* shortest period while SIGALRM is ignored */

/* The next of the period whose last expiry is over. */
static void itimer_forward_locked(struct group *g, u64 now)
{
	u64 interval = g->itimer_real_interval;

	if (g->itimer_due && interval && now >= g->itimer_due)
		g->itimer_due += ((now - g->itimer_due) / interval + 1) * interval;
}

/* Only now the next expiry may come: the process has its turn between two of them, however short the interval. */
static void itimer_real_taken(struct sigqueue *q)
{
	struct group *g = container_of(q, struct group, itimer_sig);

	itimer_forward_locked(g, clock_monotonic());
	if (g->itimer_due && g->itimer_real_interval)
		ktimer_arm(&g->itimer_real, g->itimer_due);
}

static void itimer_real_fired(struct ktimer *k)
{
	struct group *g = container_of(k, struct group, itimer_real);
	u64 flags = sig_lock(g);
	u64 now = clock_monotonic();
	bool waits;

	/* Switched off or set anew while we waited for the lock. */
	if (!g->itimer_due || now < g->itimer_due) {
		sig_unlock(g, flags);
		return;
	}
	g->itimer_sig.info = signal_info(SIGALRM, SI_KERNEL, 0, 0);
	waits = !list_empty(&g->itimer_sig.link) ||
		signal_queue_entry_locked(g, NULL, &g->itimer_sig);
	if (!g->itimer_real_interval) {
		g->itimer_due = 0;
	} else if (!waits) {
		itimer_forward_locked(g, now);
		ktimer_arm(k, MAX(g->itimer_due, now + ITIMER_IGNORED));
	}
	sig_unlock(g, flags);
}

/* One CPU-time timer against the time used. */
static void cpu_timer_check(struct group *g, struct cpu_timer *c, u64 used, int sig)
{
	siginfo_t info;

	if (!c->expires || used < c->expires)
		return;
	info = signal_info(sig, SI_KERNEL, 0, 0);
	signal_generate_locked(g, NULL, sig, &info, false);
	c->expires = c->interval ? MAX(c->expires + c->interval, used + 1) : 0;
}

/* RLIMIT_CPU: SIGXCPU at the soft limit and every second after, SIGKILL at the hard one. The next moment to look, or ~0. */
static u64 cpu_limit_check(struct group *g, u64 used)
{
	u64 soft = g->rlim[RLIMIT_CPU].rlim_cur;
	u64 hard = g->rlim[RLIMIT_CPU].rlim_max;
	u64 next;

	if (soft == RLIM64_INFINITY && hard == RLIM64_INFINITY)
		return ~0UL;
	if (hard != RLIM64_INFINITY && used / NSEC_PER_SEC >= hard) {
		signal_generate_locked(g, NULL, SIGKILL, NULL, true);
		return ~0UL;
	}
	next = MAX(soft, g->cpu_warned) * NSEC_PER_SEC;
	if (soft == RLIM64_INFINITY)
		return hard * NSEC_PER_SEC;
	if (used >= next) {
		signal_generate_locked(g, NULL, SIGXCPU, NULL, false);
		g->cpu_warned = used / NSEC_PER_SEC + 1;
		next = g->cpu_warned * NSEC_PER_SEC;
	}
	return next;
}

static void cpu_tick_arm(struct group *g, u64 left)
{
	u32 threads = MAX(MIN(g->nlive, cpu_count()), 1u);

	left = MIN(MAX(left / threads, CPU_TICK_MIN), CPU_TICK_MAX);
	ktimer_arm(&g->cpu_tick, clock_monotonic() + left);
}

static u64 cpu_left(u64 due, u64 used)
{
	return due > used ? due - used : 0;
}

/* Fire what is due, look again when the next may be. */
static void cpu_tick_run(struct group *g)
{
	u64 utime, stime, limit;
	u64 left = ~0UL;

	if (g->nlive == 0)
		return;
	group_times_locked(g, &utime, &stime);
	cpu_timer_check(g, &g->itimer_virt, utime, SIGVTALRM);
	cpu_timer_check(g, &g->itimer_prof, utime + stime, SIGPROF);
	limit = cpu_limit_check(g, utime + stime);
	if (g->itimer_virt.expires)
		left = MIN(left, cpu_left(g->itimer_virt.expires, utime));
	if (g->itimer_prof.expires)
		left = MIN(left, cpu_left(g->itimer_prof.expires, utime + stime));
	if (limit != ~0UL)
		left = MIN(left, cpu_left(limit, utime + stime));
	if (left != ~0UL)
		cpu_tick_arm(g, left);
}

static void cpu_tick_fired(struct ktimer *k)
{
	struct group *g = container_of(k, struct group, cpu_tick);
	u64 flags = sig_lock(g);

	cpu_tick_run(g);
	sig_unlock(g, flags);
}

void cpu_tick_start(struct group *g)
{
	if (g->itimer_virt.expires || g->itimer_prof.expires ||
		g->rlim[RLIMIT_CPU].rlim_cur != RLIM64_INFINITY ||
		g->rlim[RLIMIT_CPU].rlim_max != RLIM64_INFINITY)
		cpu_tick_run(g);
}

void itimers_init(struct group *g)
{
	ktimer_init(&g->itimer_real, itimer_real_fired);
	ktimer_init(&g->cpu_tick, cpu_tick_fired);
	list_init(&g->itimer_sig.link);
	g->itimer_sig.user = NULL;
	g->itimer_sig.taken = itimer_real_taken;
}

void itimers_exit(struct group *g)
{
	u64 flags = sig_lock(g);

	g->itimer_due = 0;
	g->itimer_real_interval = 0;
	sig_unlock(g, flags);
	ktimer_cancel(&g->itimer_real);
	ktimer_cancel(&g->cpu_tick);
	flags = sig_lock(g);
	list_del(&g->itimer_sig.link);
	sig_unlock(g, flags);
}

static void itimer_read_locked(struct group *g, int which, struct itimer_value *v)
{
	const struct cpu_timer *c = which == ITIMER_VIRTUAL ? &g->itimer_virt : &g->itimer_prof;
	u64 utime, stime, used;
	u64 now = clock_monotonic();

	memset(v, 0, sizeof(*v));
	if (which == ITIMER_REAL) {
		itimer_forward_locked(g, now);
		if (g->itimer_due)
			v->left = g->itimer_due > now ? g->itimer_due - now : 1;
		v->interval = g->itimer_real_interval;
		return;
	}
	group_times_locked(g, &utime, &stime);
	used = which == ITIMER_VIRTUAL ? utime : utime + stime;
	if (c->expires)
		v->left = c->expires > used ? c->expires - used : 1;
	v->interval = c->interval;
}

void itimer_get(struct group *g, int which, struct itimer_value *v)
{
	u64 flags = sig_lock(g);

	itimer_read_locked(g, which, v);
	sig_unlock(g, flags);
}

static void itimer_write_locked(struct group *g, int which, const struct itimer_value *v)
{
	struct cpu_timer *c = which == ITIMER_VIRTUAL ? &g->itimer_virt : &g->itimer_prof;
	u64 utime, stime;

	if (which == ITIMER_REAL) {
		g->itimer_real_interval = v->interval;
		g->itimer_due = v->left ? clock_monotonic() + v->left : 0;
		/* One that is switched off still fires once and finds nothing due. */
		if (v->left)
			ktimer_arm(&g->itimer_real, g->itimer_due);
		return;
	}
	group_times_locked(g, &utime, &stime);
	c->interval = v->interval;
	c->expires = 0;
	if (v->left)
		c->expires = v->left + (which == ITIMER_VIRTUAL ? utime : utime + stime);
	cpu_tick_start(g);
}

void itimer_set(struct group *g, int which, const struct itimer_value *v, struct itimer_value *old)
{
	u64 flags = sig_lock(g);

	itimer_read_locked(g, which, old);
	itimer_write_locked(g, which, v);
	sig_unlock(g, flags);
}
