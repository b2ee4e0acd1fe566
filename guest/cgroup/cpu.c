/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cpu controller: usage, limits, weights. Threads are charged when they are switched out and at timer ticks, never on the way of a
 * system call.
 *
 * Limits. A cgroup with cpu.max uses up its quota; then its threads sleep on their way to user mode until the period ends. In the kernel nobody is
 * stopped: locks may be held there.
 *
 * Weights. The run queues know threads only. Each window it is counted how many threads of each cgroup want to run; the share that its place in the tree
 * gives a cgroup, divided by that number, becomes a factor of its threads' weights. A cgroup whose parent has not enabled the
 * controller belongs to the pool of the next one above.
 */
#include "cgroup/internal.h"

#include "kernel/account.h"
#include "kernel/clock.h"
#include "kernel/cpus.h"
#include "kernel/errno.h"
#include "kernel/percpu.h"
#include "mm/slab.h"
#include "task/signal.h"

#define CPUCG_WINDOW	(100 * NSEC_PER_MSEC)
#define CPUCG_SLICE_MAX (4 * NSEC_PER_MSEC)
#define CPUCG_SLICE_MIN (250 * NSEC_PER_USEC) /* a tick traps: 7 us on pvm */
#define CPUCG_PERIOD	(100 * NSEC_PER_MSEC)
#define CPUCG_WEIGHT	100u
#define CPUCG_ONE	1024u
#define CPUCG_SHARE_ONE (1u << 20)
#define CPUCG_SCALE_MIN 8u
#define CPUCG_SCALE_MAX 65536u

u32 cpucg_limits; /* cgroups with a quota: 0 = the scheduler has nothing to ask */
static u32 cpucg_groups; /* cgroups that have the controller */
static struct {
	u64 end; /* of the window, CLOCK_MONOTONIC; atomic */
	u32 seq; /* atomic */
} cpucg_window = { .seq = 1 };

/* ---- limits ---- */
static void quota_period_end(struct cg_quota *q, u64 now)
{
	q->nr_periods++;
	q->used = MAX(q->used - (s64)q->quota, -(s64)q->burst);
	if (q->throttled) {
		q->nr_throttled++;
		if (q->used < (s64)q->quota) {
			q->throttled = false;
			q->throttled_ns += now - q->since;
		}
	}
}

static void quota_timer(struct ktimer *t)
{
	struct cg_quota *q = container_of(t, struct cg_quota, timer);
	u64 now = clock_monotonic();
	bool wake;

	spin_lock(&q->lock);
	wake = q->throttled;
	if (q->quota)
		quota_period_end(q, now);
	wake = wake && !q->throttled;
	q->active = q->quota && (q->throttled || q->used > 0);
	if (q->active)
		ktimer_arm(t, now + q->period);
	spin_unlock(&q->lock);
	if (wake)
		waitq_wake_all(&q->wq);
}

static bool quota_use(struct cg_quota *q, u64 ns, u64 now)
{
	u64 flags = spin_lock_irq(&q->lock);
	bool over;

	if (q->quota) {
		/* What ran over a slice is paid back. More is no debt: the host may have kept the CPU from us, which looks like use. */
		q->used =
			MIN(q->used + (s64)ns, (s64)(q->quota + 2 * CPUCG_SLICE_MIN * cpu_count()));
		if (!q->active) {
			q->active = true;
			ktimer_arm(&q->timer, now + q->period);
		}
		if (q->used >= (s64)q->quota && !q->throttled) {
			q->throttled = true;
			q->since = now;
		}
	}
	over = q->throttled;
	spin_unlock_irq(&q->lock, flags);
	return over;
}

u64 cpucg_slice(const struct thread *t)
{
	u64 left = ~0UL;

	for (struct cgroup *c = t->cgroup; c && c->quotas; c = c->parent) {
		s64 rest = (s64)READ_ONCE(c->bw.quota) - READ_ONCE(c->bw.used);

		if (!READ_ONCE(c->bw.quota))
			continue;
		if (READ_ONCE(c->bw.throttled))
			return 0;
		left = MIN(left, (u64)MAX(rest, 0L) / cpus_running());
	}
	return left == ~0UL ? left : MIN(MAX(left, CPUCG_SLICE_MIN), CPUCG_SLICE_MAX);
}

/* The innermost throttled cgroup of the current task, with a reference. */
static struct cgroup *cpucg_throttled_by(struct task *t)
{
	struct cgroup *cg = cgroup_of_task(t), *c;

	for (c = cg; c && !READ_ONCE(c->bw.throttled); c = c->parent)
		;
	if (c)
		cgroup_get(c);
	cgroup_put(cg);
	return c;
}

void cpucg_throttle(struct thread *thread)
{
	struct task *t = thread->task;
	struct cgroup *c;

	while (!task_killed(t) && (c = cpucg_throttled_by(t))) {
		wait_event_killable(t, &c->bw.wq, !READ_ONCE(c->bw.throttled));
		cgroup_put(c);
	}
}

/* ---- weights ---- */
static struct cgroup *cpucg_pool(struct cgroup *cg)
{
	while (cg->parent && !(READ_ONCE(cg->parent->subtree) & CG_CPU))
		cg = cg->parent;
	return cg;
}

/* Threads of c that want to run, or one if any ran in this window. */
static u32 window_active(const struct cgroup *c, u32 seq)
{
	const struct task *t;
	u32 n = 0, ran = 0;

	list_for_each_entry (t, &c->tasks, cgroup_link) {
		n += READ_ONCE(t->thread->state) == THREAD_RUNNABLE;
		ran |= READ_ONCE(t->thread->cg_window) == seq;
	}
	return MAX(n, ran);
}

static u32 window_collect(u32 seq)
{
	u32 total = 0;

	for (struct cgroup *c = &cgroup_root; c; c = cgroup_next(c, &cgroup_root)) {
		c->pool_active = 0;
		c->pool_busy = false;
	}
	for (struct cgroup *c = &cgroup_root; c; c = cgroup_next(c, &cgroup_root)) {
		u32 n = window_active(c, seq);
		struct cgroup *pool = cpucg_pool(c);

		total += n;
		pool->pool_active += n;
		for (; n && pool && !pool->pool_busy; pool = pool->parent)
			pool->pool_busy = true;
	}
	return total;
}

/* What the busy children of a pool have together, its own threads counted as one each of ordinary weight. */
static u32 window_sum(struct cgroup *parent)
{
	u32 sum = parent->parent ? 0 : parent->pool_active * CPUCG_WEIGHT;
	struct cgroup *c;

	list_for_each_entry (c, &parent->children, sibling) {
		if (c->pool_busy)
			sum += c->weight;
	}
	return sum;
}

static void window_share(struct cgroup *c, u32 total)
{
	struct cgroup *pool = cpucg_pool(c);
	u64 scale = CPUCG_ONE, own = CPUCG_SHARE_ONE;

	if (pool != c) {
		c->scale = pool->scale;
		return;
	}
	c->share = CPUCG_SHARE_ONE;
	if (c->parent && c->pool_busy)
		c->share = (u32)((u64)c->parent->share * c->weight /
				 MAX(window_sum(c->parent), c->weight));
	own = c->share;
	if (!c->parent && (c->subtree & CG_CPU))
		own = own * c->pool_active * CPUCG_WEIGHT / MAX(window_sum(c), 1u);
	if (c->pool_active)
		scale = own * total / c->pool_active / (CPUCG_SHARE_ONE / CPUCG_ONE);
	c->scale = (u32)MIN(MAX(scale, CPUCG_SCALE_MIN), CPUCG_SCALE_MAX);
}

/* Called with a run queue's lock held: whoever holds cgroup_lock may want that one. */
static void window_turn(u64 now)
{
	u32 total;

	if (!spin_trylock(&cgroup_lock))
		return;
	if (now >= cpucg_window.end) {
		cpucg_window.end = now + CPUCG_WINDOW;
		total = window_collect(atomic_add(&cpucg_window.seq, 1) - 1);
		for (struct cgroup *c = &cgroup_root; c; c = cgroup_next(c, &cgroup_root))
			window_share(c, total);
	}
	spin_unlock(&cgroup_lock);
}

static void cpucg_weigh(struct thread *t, struct cgroup *cg, u64 now)
{
	t->cg_window = atomic_load(&cpucg_window.seq);
	if (now >= READ_ONCE(cpucg_window.end))
		window_turn(now);
	t->weight = (u32)MAX((u64)t->nice_weight * READ_ONCE(cg->scale) / CPUCG_ONE, 1UL);
}

/* ---- usage ---- */
bool cpucg_charge(struct thread *t, u64 now)
{
	struct cgroup *cg = t->cgroup;
	u64 user, system;
	bool over = false;

	if (!cg)
		return false;
	user = t->utime_ns - t->cg_utime;
	system = t->stime_ns - t->cg_stime;
	t->cg_utime = t->utime_ns;
	t->cg_stime = t->stime_ns;
	cg->cpu[cpu_id()].utime += user;
	cg->cpu[cpu_id()].stime += system;
	if (READ_ONCE(cpucg_groups) > 1)
		cpucg_weigh(t, cg, now);
	else if (unlikely(t->weight != t->nice_weight))
		t->weight = t->nice_weight;
	for (; unlikely(cg && cg->quotas); cg = cg->parent)
		over |= quota_use(&cg->bw, user + system, now);
	return over;
}

static void usage_own(struct cgroup *cg, struct cg_cpu *sum)
{
	struct task *t;
	u64 flags;

	sum->utime += cg->cpu_gone.utime;
	sum->stime += cg->cpu_gone.stime;
	for (u32 i = 0; i < CM_MAX_CPUS; i++) {
		sum->utime += READ_ONCE(cg->cpu[i].utime);
		sum->stime += READ_ONCE(cg->cpu[i].stime);
	}
	flags = spin_lock_irq(&cgroup_lock);
	list_for_each_entry (t, &cg->tasks, cgroup_link) {
		struct thread *th = t->thread;
		struct cpu_time ct = thread_cpu_time(th);
		s64 user = (s64)(ct.user - READ_ONCE(th->cg_utime));
		s64 system = (s64)(ct.system - READ_ONCE(th->cg_stime));

		sum->utime += (u64)MAX(user, 0L);
		sum->stime += (u64)MAX(system, 0L);
	}
	spin_unlock_irq(&cgroup_lock, flags);
}

/* Of cg and all below; cgroup_mutex held. */
static struct cg_cpu cpucg_usage(struct cgroup *cg)
{
	struct cg_cpu sum = { 0, 0 };

	for (struct cgroup *c = cg; c; c = cgroup_next(c, cg))
		usage_own(c, &sum);
	return sum;
}

/* ---- life ---- */
int cpucg_create(struct cgroup *cg)
{
	cg->cpu = kzalloc(CM_MAX_CPUS * sizeof(*cg->cpu));
	if (!cg->cpu)
		return -ENOMEM;
	cg->weight = CPUCG_WEIGHT;
	cg->scale = CPUCG_ONE;
	cg->quotas = cg->parent ? cg->parent->quotas : 0;
	cg->bw.period = CPUCG_PERIOD;
	ktimer_init(&cg->bw.timer, quota_timer);
	waitq_init(&cg->bw.wq);
	return 0;
}

/* Every thread of cg and below looks at its limits again. */
static void cpucg_kick(struct cgroup *cg)
{
	u64 flags = spin_lock_irq(&cgroup_lock);
	struct task *t;

	for (struct cgroup *c = cg; c; c = cgroup_next(c, cg)) {
		list_for_each_entry (t, &c->tasks, cgroup_link) {
			WRITE_ONCE(t->thread->need_resched, true);
			sched_kick(t->thread);
		}
	}
	spin_unlock_irq(&cgroup_lock, flags);
}

/* cgroup_mutex held. */
static void cpucg_set_quota(struct cgroup *cg, u64 quota, u64 period, u64 burst)
{
	struct cg_quota *q = &cg->bw;
	u64 flags = spin_lock_irq(&q->lock), now = clock_monotonic();
	bool had = q->quota;

	q->quota = quota;
	q->period = period;
	q->burst = burst;
	if (q->throttled)
		q->throttled_ns += now - q->since;
	q->throttled = false;
	q->used = 0;
	spin_unlock_irq(&q->lock, flags);
	waitq_wake_all(&q->wq);
	if (had == (quota != 0))
		return;
	atomic_add(&cpucg_limits, quota ? 1u : ~0u);
	for (struct cgroup *c = cg; c; c = cgroup_next(c, cg))
		atomic_add(&c->quotas, quota ? 1u : ~0u);
	cpucg_kick(cg);
}

void cpucg_reset(struct cgroup *cg)
{
	cpucg_set_quota(cg, 0, CPUCG_PERIOD, 0);
	WRITE_ONCE(cg->weight, CPUCG_WEIGHT);
}

void cpucg_enabled(s32 groups)
{
	atomic_add(&cpucg_groups, (u32)groups);
}

void cpucg_remove(struct cgroup *cg)
{
	struct cg_cpu sum = { 0, 0 };

	cpucg_set_quota(cg, 0, CPUCG_PERIOD, 0);
	usage_own(cg, &sum);
	cg->parent->cpu_gone.utime += sum.utime;
	cg->parent->cpu_gone.stime += sum.stime;
}

void cpucg_free(struct cgroup *cg)
{
	if (cg->cpu)
		ktimer_cancel(&cg->bw.timer);
	kfree(cg->cpu);
}

/* ---- files ---- */
static unsigned long cpu_us(u64 ns)
{
	return (unsigned long)(ns / NSEC_PER_USEC);
}

static int cpu_stat_show(struct proc_buf *b, struct cgroup *cg)
{
	struct cg_cpu u = cpucg_usage(cg);
	struct cg_quota *q = &cg->bw;
	u64 flags, periods, throttled, ns;

	proc_printf(b, "usage_usec %lu\nuser_usec %lu\nsystem_usec %lu\n",
		cpu_us(u.utime + u.stime), cpu_us(u.utime), cpu_us(u.stime));
	if (!cg->parent || !(cgroup_controllers(cg) & CG_CPU))
		return 0;
	flags = spin_lock_irq(&q->lock);
	periods = q->nr_periods;
	throttled = q->nr_throttled;
	ns = q->throttled_ns + (q->throttled ? clock_monotonic() - q->since : 0);
	spin_unlock_irq(&q->lock, flags);
	proc_printf(b, "nr_periods %lu\nnr_throttled %lu\nthrottled_usec %lu\n",
		(unsigned long)periods, (unsigned long)throttled, cpu_us(ns));
	return 0;
}

static int cpu_weight_show(struct proc_buf *b, struct cgroup *cg)
{
	proc_printf(b, "%u\n", cg->weight);
	return 0;
}

static int cpu_weight_write(struct cgroup *cg, char *text, struct file *opener)
{
	u64 v;
	int err = cg_parse_u64(text, &v);

	(void)opener;
	if (!err && (v < 1 || v > 10000))
		err = -ERANGE;
	if (!err)
		WRITE_ONCE(cg->weight, (u32)v);
	return err;
}

static int cpu_max_show(struct proc_buf *b, struct cgroup *cg)
{
	if (cg->bw.quota)
		proc_printf(b, "%lu %lu\n", cpu_us(cg->bw.quota), cpu_us(cg->bw.period));
	else
		proc_printf(b, "max %lu\n", cpu_us(cg->bw.period));
	return 0;
}

/* As Linux: periods of 1 ms to 1 s, quotas from 1 ms. */
static int cpu_max_write(struct cgroup *cg, char *text, struct file *opener)
{
	char *quota = cg_word(&text), *period = cg_word(&text);
	u64 q, p = cpu_us(cg->bw.period), burst;
	int err = quota ? cg_parse_max(quota, &q) : -EINVAL;

	(void)opener;
	if (!err && period)
		err = cg_parse_u64(period, &p);
	if (err)
		return err;
	if (cg_word(&text) || p < 1000 || p > 1000000)
		return -EINVAL;
	if (q != CGROUP_UNLIMITED && (q < 1000 || q > (1UL << 44) / 1000))
		return -EINVAL;
	q = q == CGROUP_UNLIMITED ? 0 : q * NSEC_PER_USEC;
	mutex_lock(&cgroup_mutex);
	burst = MIN(cg->bw.burst, q);
	if (!cg->dead)
		cpucg_set_quota(cg, q, p * NSEC_PER_USEC, burst);
	mutex_unlock(&cgroup_mutex);
	return 0;
}

static int cpu_burst_show(struct proc_buf *b, struct cgroup *cg)
{
	proc_printf(b, "%lu\n", cpu_us(cg->bw.burst));
	return 0;
}

static int cpu_burst_write(struct cgroup *cg, char *text, struct file *opener)
{
	u64 v, ns;
	int err = cg_parse_u64(text, &v);

	(void)opener;
	if (err || __builtin_mul_overflow(v, NSEC_PER_USEC, &ns))
		return -EINVAL;
	mutex_lock(&cgroup_mutex);
	if (ns > cg->bw.quota)
		err = -EINVAL;
	else if (!cg->dead)
		cpucg_set_quota(cg, cg->bw.quota, cg->bw.period, ns);
	mutex_unlock(&cgroup_mutex);
	return err;
}

const struct cg_file cg_cpu_files[] = {
	{ "cpu.max", 0644, CG_CPU, CG_ON_OTHER, CG_NOTE_NONE, cpu_max_show, cpu_max_write },
	{ "cpu.max.burst", 0644, CG_CPU, CG_ON_OTHER, CG_NOTE_NONE, cpu_burst_show,
		cpu_burst_write },
	{ "cpu.stat", 0444, 0, CG_ON_ALL, CG_NOTE_NONE, cpu_stat_show, NULL },
	{ "cpu.weight", 0644, CG_CPU, CG_ON_OTHER, CG_NOTE_NONE, cpu_weight_show,
		cpu_weight_write },
	{ .name = NULL },
};
