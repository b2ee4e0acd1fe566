/* SPDX-License-Identifier: Apache-2.0 */
/* Time namespaces: life, translation, offsets. */
#include "task/time_ns.h"

#include <linux/capability.h>
#include <linux/time.h>

#include "fs/proc/proc.h"
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/lock.h"
#include "mm/slab.h"
#include "task/cred.h"
#include "task/user_ns.h"

/* Linux's KTIME_SEC_MAX, and half of it, which a clock never shows. */
#define TIME_SEC_MAX  (INT64_MAX / (s64)NSEC_PER_SEC)
#define TIME_SEC_HALF (TIME_SEC_MAX / 2)

static struct mutex time_ns_lock; /* protects: offsets and frozen of all */

struct time_ns time_ns_root = {
	.ns = { .ref = { 1 }, .kind = NS_TIME, .inum = NS_INUM_TIME, .owner = &user_ns_root },
	.frozen = true,
};

int time_ns_create(const struct time_ns *from, struct user_ns *owner, struct time_ns **out)
{
	struct time_ns *ns;
	int ret = -ENOMEM;

	if (!ns_charge(NS_TIME))
		return -ENOSPC;
	ns = kzalloc(sizeof(*ns));
	if (ns)
		ret = vdso_clocks_init(&ns->clocks);
	if (ret < 0) {
		kfree(ns);
		ns_uncharge(NS_TIME);
		return ret;
	}
	ns_init(&ns->ns, NS_TIME, owner);
	mutex_lock(&time_ns_lock);
	ns->monotonic = from->monotonic;
	ns->boottime = from->boottime;
	mutex_unlock(&time_ns_lock);
	*out = ns;
	return 0;
}

void time_ns_get(struct time_ns *ns)
{
	ref_get(&ns->ns.ref);
}

void time_ns_put(struct time_ns *ns)
{
	if (!ref_put(&ns->ns.ref))
		return;
	vdso_clocks_fini(&ns->clocks);
	ns_fini(&ns->ns);
	kfree(ns);
}

void time_ns_freeze(struct time_ns *ns)
{
	mutex_lock(&time_ns_lock);
	if (!ns->frozen)
		vdso_clocks_set(&ns->clocks, ns->monotonic, ns->boottime);
	ns->frozen = true;
	mutex_unlock(&time_ns_lock);
}

void time_ns_map(struct time_ns *ns, struct as *as)
{
	arch_map_clocks(as, ns == &time_ns_root ? NULL : &ns->clocks);
}

/* ---- translation ---- */
static s64 time_offset(int clock)
{
	const struct time_ns *ns = nsproxy_current()->time;

	switch (clock) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		return ns->monotonic;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return ns->boottime;
	default:
		return 0;
	}
}

u64 time_shown(int clock, u64 ns)
{
	return ns + (u64)time_offset(clock);
}

u64 time_from_shown(int clock, u64 ns)
{
	s64 offset = time_offset(clock);

	if (offset > 0)
		return ns > (u64)offset ? ns - (u64)offset : 0;
	/* Further away than the clock can go is never, as before. */
	return ns > (u64)INT64_MAX + (u64)offset ? MAX(ns, (u64)INT64_MAX) : ns - (u64)offset;
}

/* ---- offsets ---- */
static void offset_show(struct proc_buf *b, const char *clock, s64 ns)
{
	s64 sec = ns / (s64)NSEC_PER_SEC, nsec = ns % (s64)NSEC_PER_SEC;

	if (nsec < 0) {
		nsec += (s64)NSEC_PER_SEC;
		sec--;
	}
	proc_printf(b, "%-10s %10ld %9ld\n", clock, sec, nsec);
}

void time_ns_show_offsets(const struct time_ns *ns, struct proc_buf *b)
{
	offset_show(b, "monotonic", READ_ONCE(ns->monotonic));
	offset_show(b, "boottime", READ_ONCE(ns->boottime));
}

/* The clock must show something between 0 and half of what it can. */
static bool offset_fits(const struct time_offset *o)
{
	s64 now = (s64)clock_monotonic(), at;

	if (o->sec > TIME_SEC_HALF || o->sec < -TIME_SEC_HALF)
		return false;
	at = now + o->sec * (s64)NSEC_PER_SEC + (s64)o->nsec;
	return at >= 0 && at / (s64)NSEC_PER_SEC <= TIME_SEC_HALF;
}

static int offsets_set(struct time_ns *ns, const struct time_offset *v, u32 n)
{
	int ret = 0;

	mutex_lock(&time_ns_lock);
	if (ns->frozen)
		ret = -EACCES;
	for (u32 i = 0; i < n && !ret; i++) {
		s64 ahead = v[i].sec * (s64)NSEC_PER_SEC + (s64)v[i].nsec;

		if (v[i].clock == CLOCK_MONOTONIC)
			WRITE_ONCE(ns->monotonic, ahead);
		else
			WRITE_ONCE(ns->boottime, ahead);
	}
	mutex_unlock(&time_ns_lock);
	return ret;
}

s64 time_ns_write_offsets(struct time_ns *ns, const struct file *opener, char *text, size_t len)
{
	struct time_offset v[TIME_OFFSETS_MAX];
	size_t used;
	int n = time_offsets_parse(text, v, &used);

	if (n < 0)
		return n;
	if (!cred_ns_capable(opener->cred, ns->ns.owner, CAP_SYS_TIME))
		return -EPERM;
	for (int i = 0; i < n; i++) {
		if (!offset_fits(&v[i]))
			return -ERANGE;
	}
	n = offsets_set(ns, v, (u32)n);
	return n ? n : (s64)MIN(used, len);
}
