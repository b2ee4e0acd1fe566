/* SPDX-License-Identifier: Apache-2.0 */
/* Unwinding: the sentry keeps frame pointers, and its interrupt entry makes a frame of its own for what it interrupted. */
#include <config.h>

#include <string.h>

#include "control/debug/tasks.h"

#define STACK_SAVED \
	6 /* words that a switched-out thread has below its return address: r15 r14 r13 r12 rbx rbp */
#define STACK_USER 0x0000800000000000ull

static void stack_set(struct guest *g, struct stack_frame *f, uint64_t pc, uint64_t fp, bool exact)
{
	*f = (struct stack_frame){ .pc = pc, .fp = fp, .exact = exact };
	/* The instruction before: a call at a function's end returns to the next function's start. */
	f->name = image_name(g->img, exact ? pc : pc - 1, &f->offset);
	if (f->name && !exact)
		f->offset++;
}

/* The frame above lies in the interrupt entry: what follows is where the interrupt came, not a call. */
static bool stack_is_interrupt(const struct stack_frame *f)
{
	return f->name && strcmp(f->name, "trap_kernel_entry") == 0;
}

unsigned stack_unwind(
	struct guest *g, uint64_t pc, uint64_t fp, struct stack_frame *f, unsigned max)
{
	uint64_t frame[2], gpa;
	unsigned n = 0;

	if (max == 0)
		return 0;
	stack_set(g, &f[n++], pc, 0, true);
	while (n < max && fp % 8 == 0 && guest_kernel_pa(g, fp, &gpa) == 0) {
		if (guest_read(g, fp, frame, sizeof(frame)) < 0 || !frame[1])
			break;
		/* A loop of frames ends with the room for them. */
		stack_set(g, &f[n], frame[1], fp, stack_is_interrupt(&f[n - 1]));
		n++;
		fp = frame[0];
	}
	return n;
}

unsigned stack_sleeping(struct guest *g, uint64_t thread, struct stack_frame *f, unsigned max)
{
	uint64_t sp = guest_get(g, thread, F_THREAD_KSP), saved[STACK_SAVED + 1];

	if (guest_read(g, sp, saved, sizeof(saved)) < 0)
		return 0;
	return stack_unwind(g, saved[STACK_SAVED], saved[STACK_SAVED - 1], f, max);
}

unsigned stack_unwind_user(struct guest *g, uint64_t root, uint64_t pc, uint64_t fp,
	struct stack_frame *f, unsigned max)
{
	uint64_t frame[2];
	unsigned n = 0;

	if (max == 0)
		return 0;
	f[n++] = (struct stack_frame){ .pc = pc, .exact = true };
	/* Programs need not keep frame pointers: go on only while it looks as if. */
	while (n < max && fp && fp % 8 == 0 && fp < STACK_USER &&
		guest_read_user(g, root, fp, frame, sizeof(frame)) == 0 && frame[1] > GUEST_PAGE &&
		frame[1] < STACK_USER) {
		f[n++] = (struct stack_frame){ .pc = frame[1], .fp = fp };
		if (frame[0] <= fp)
			break;
		fp = frame[0];
	}
	return n;
}

const char *stack_wait_channel(const struct stack_frame *f, unsigned n)
{
	static const char *const skip[] = { "arch_switch", "sched_", "wait_", "waitq_", "mutex_",
		"rwsem_", "lock_" };
	unsigned i, k;

	for (i = 0; i < n; i++) {
		const char *name = f[i].name;

		for (k = 0; name && k < sizeof(skip) / sizeof(skip[0]); k++) {
			if (strncmp(name, skip[k], strlen(skip[k])) == 0)
				name = NULL;
		}
		if (name)
			return name;
	}
	return "";
}
