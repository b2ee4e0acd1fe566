/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: a tree for each CPU, ordered by time, and the one hardware timer. Programming the hardware traps (7 us on pvm), so it is
 * never moved later: an interrupt that turns out too early programs the next one.
 */
#include "kernel/timer.h"
#include "arch/x86_64/pcpu.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "kernel/percpu.h"

/* The base's lock is held, interrupts are off, tb is this CPU's. */
static void timer_program(struct timer_base *tb, u64 expires)
{
	if (tb->programmed && tb->programmed <= expires)
		return;
	tb->programmed = expires;
	lapic_set_deadline(clock_ns_to_deadline(expires));
}

void timer_set_slice(u64 slice_end)
{
	timer_program(&percpu_this()->timer, slice_end);
}

static void timer_insert(struct timer_base *tb, struct ktimer *t)
{
	struct rb_node **link = &tb->tree.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = t->expires < rb_entry(parent, struct ktimer, node)->expires ? &parent->left
										   : &parent->right;
	}
	rb_insert(&tb->tree, &t->node, parent, link);
	t->armed = true;
}

static struct ktimer *timer_first(struct timer_base *tb)
{
	struct rb_node *n = rb_first(&tb->tree);

	return n ? rb_entry(n, struct ktimer, node) : NULL;
}

void ktimer_init(struct ktimer *t, ktimer_fn fn)
{
	*t = (struct ktimer){ .fn = fn };
}

/* Lock the base that t is on. */
static struct timer_base *timer_lock(const struct ktimer *t, u64 *flags)
{
	for (;;) {
		u32 cpu = READ_ONCE(t->cpu);
		struct timer_base *tb = &percpu[cpu].timer;

		*flags = spin_lock_irq(&tb->lock);
		if (t->cpu == cpu)
			return tb;
		spin_unlock_irq(&tb->lock, *flags);
	}
}

void ktimer_arm(struct ktimer *t, u64 expires)
{
	struct timer_base *tb;
	u64 flags;

	ktimer_cancel_async(t);
	flags = irq_save();
	tb = &percpu_this()->timer;
	spin_lock(&tb->lock);
	t->cpu = cpu_id();
	t->expires = expires ? expires : 1;
	timer_insert(tb, t);
	if (timer_first(tb) == t)
		timer_program(tb, t->expires);
	spin_unlock_irq(&tb->lock, flags);
}

bool ktimer_cancel_async(struct ktimer *t)
{
	u64 flags;
	struct timer_base *tb = timer_lock(t, &flags);
	bool armed = t->armed;

	if (armed) {
		rb_erase(&tb->tree, &t->node);
		t->armed = false;
	}
	spin_unlock_irq(&tb->lock, flags);
	return armed;
}

bool ktimer_cancel(struct ktimer *t)
{
	bool was_armed = false;

	for (;;) {
		u64 flags;
		struct timer_base *tb;
		bool firing;

		was_armed |= ktimer_cancel_async(t);
		tb = timer_lock(t, &flags);
		firing = tb->firing == t;
		spin_unlock_irq(&tb->lock, flags);
		/* The callback may have armed it again: look once more. */
		if (!firing && !READ_ONCE(t->armed))
			return was_armed;
		cpu_relax();
	}
}

static void timer_run(struct timer_base *tb, u64 now)
{
	struct ktimer *t;

	while ((t = timer_first(tb)) && t->expires <= now) {
		rb_erase(&tb->tree, &t->node);
		t->armed = false;
		tb->firing = t;
		spin_unlock(&tb->lock);
		t->fn(t);
		spin_lock(&tb->lock);
		tb->firing = NULL;
	}
	if (t)
		timer_program(tb, t->expires);
}

static void timer_interrupt(void *arg)
{
	struct timer_base *tb = &percpu_this()->timer;
	u64 now = clock_monotonic();

	spin_lock(&tb->lock);
	tb->programmed = 0;
	timer_run(tb, now);
	spin_unlock(&tb->lock);
	sched_tick(now);
}

void timer_init(void)
{
	panic_if(irq_register(VECTOR_TIMER, timer_interrupt, NULL) < 0);
}
