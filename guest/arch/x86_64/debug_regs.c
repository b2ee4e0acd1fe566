/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug registers of programs, for ptrace(2): watchpoints and hardware breakpoints on addresses of the user half. They are loaded when a
 * thread that has some is switched in, and only then. What the kernel's own access hits is not reported. Hypervisors and emulators take the
 * registers' values and nothing comes of it (pvm, QEMU's SVM): where a watchpoint of our own is not hit, switching one on is refused.
 */
#include <linux/errno.h>

#include "arch/x86_64/pcpu.h"
#include "lib/atomic.h"
#include "lib/string.h"
#include "task/ptrace.h"

#define DR6_INVERTED 0xffff0ff0UL /* bits that read as 1 */
#define DR6_HITS     0xfUL
#define DR6_STEP     0x4000UL
#define DR7_FIXED    0x400UL
#define DR7_LOCAL    0x55UL
#define DR7_ENABLE   0xffUL
#define DR7_CONTROL  0xffff0000UL
#define DR7_OWN	     0xd0001UL /* register 0, writes, four bytes */
#define RW_EXECUTE   0u
#define RW_IO	     2u

static void dr_write(u32 n, u64 v)
{
	switch (n) {
	case 0:
		__asm__ volatile("mov %0, %%db0" ::"r"(v));
		return;
	case 1:
		__asm__ volatile("mov %0, %%db1" ::"r"(v));
		return;
	case 2:
		__asm__ volatile("mov %0, %%db2" ::"r"(v));
		return;
	case 3:
		__asm__ volatile("mov %0, %%db3" ::"r"(v));
		return;
	case 6:
		__asm__ volatile("mov %0, %%db6" ::"r"(v));
		return;
	default:
		__asm__ volatile("mov %0, %%db7" ::"r"(v));
	}
}

static u64 dr_status(void)
{
	u64 v;

	__asm__ volatile("mov %%db6, %0" : "=r"(v));
	return v;
}

/* Is a watchpoint hit here? Asked once, by a write of our own, whose trap is as one that a program's watchpoint raises in the kernel. */
static bool dr_works(void)
{
	static int known;
	static u32 cell;
	u64 flags;

	if (READ_ONCE(known))
		return READ_ONCE(known) > 0;
	flags = irq_save();
	dr_write(6, DR6_INVERTED);
	dr_write(0, (u64)&cell);
	dr_write(7, DR7_FIXED | DR7_OWN);
	WRITE_ONCE(cell, 1);
	WRITE_ONCE(known, dr_status() & 1 ? 1 : -1);
	dr_write(6, DR6_INVERTED);
	debug_regs_load(thread_current());
	irq_restore(flags);
	return READ_ONCE(known) > 0;
}

static u32 dr_kind(u64 dr7, u32 n)
{
	return dr7 >> (16 + 4 * n) & 3;
}

static u32 dr_len(u64 dr7, u32 n)
{
	u32 code = dr7 >> (18 + 4 * n) & 3;

	return code == 2 ? 8 : code + 1;
}

static bool dr_enabled(u64 dr7, u32 n)
{
	return dr7 >> (2 * n) & 3;
}

static int dr_check(u64 dr7, u32 n, u64 addr)
{
	u32 len = dr_len(dr7, n);

	if (!dr_enabled(dr7, n))
		return 0;
	if (dr_kind(dr7, n) == RW_IO || (dr_kind(dr7, n) == RW_EXECUTE && len != 1))
		return -EINVAL;
	return addr % len || addr > USER_TOP - len ? -EINVAL : 0;
}

static int dr_set_control(struct debug_regs *d, u64 v)
{
	u32 n;

	for (n = 0; n < ARRAY_SIZE(d->addr); n++) {
		int ret = dr_check(v, n, d->addr[n]);

		if (ret < 0)
			return ret;
	}
	if ((v & DR7_ENABLE) && !dr_works())
		return -ENODEV;
	d->control = v & (DR7_ENABLE | DR7_CONTROL);
	return 0;
}

u64 user_debug_get(struct task *t, u32 n)
{
	const struct debug_regs *d = &t->thread->arch.debug;

	if (n < ARRAY_SIZE(d->addr))
		return d->addr[n];
	if (n == 6)
		return d->status ^ DR6_INVERTED;
	return n == 7 ? d->control : 0;
}

int user_debug_set(struct task *t, u32 n, u64 value)
{
	struct debug_regs *d = &t->thread->arch.debug;

	if (n < ARRAY_SIZE(d->addr)) {
		if (value >= USER_TOP || dr_check(d->control, n, value) < 0)
			return -EINVAL;
		d->addr[n] = value;
		return 0;
	}
	if (n == 7)
		return dr_set_control(d, value);
	if (n != 6)
		return -EIO;
	d->status = value ^ DR6_INVERTED;
	return 0;
}

void user_debug_reset(struct task *t)
{
	if (!t->thread->arch.debug.control)
		return;
	memset(&t->thread->arch.debug, 0, sizeof(t->thread->arch.debug));
	dr_write(7, DR7_FIXED);
}

void debug_regs_load(const struct thread *next)
{
	const struct debug_regs *d = &next->arch.debug;
	struct pcpu *pc = pcpu_this();
	u64 local = (d->control | d->control >> 1) & DR7_LOCAL;
	u32 n;

	pc->debug_loaded = local != 0;
	dr_write(7, DR7_FIXED);
	if (!local)
		return;
	for (n = 0; n < ARRAY_SIZE(d->addr); n++)
		dr_write(n, d->addr[n]);
	dr_write(7, DR7_FIXED | local | (d->control & DR7_CONTROL));
}

bool debug_regs_hit(struct regs *r)
{
	struct debug_regs *d = &thread_current()->arch.debug;
	u64 status, hits;
	u32 n;

	if (!d->control)
		return false;
	status = dr_status();
	dr_write(6, DR6_INVERTED);
	hits = status & DR6_HITS;
	d->status = hits | (status & DR6_STEP);
	for (n = 0; n < ARRAY_SIZE(d->addr); n++) {
		if ((hits >> n & 1) && dr_kind(d->control, n) == RW_EXECUTE)
			r->rflags |= RFLAGS_RF;
	}
	return hits && !(status & DR6_STEP);
}
