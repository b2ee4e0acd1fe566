/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hardware breakpoints and watchpoints where nobody knows yet whether the machine has debug registers that work, or it has none.
 *
 * A hardware breakpoint is a software one then. A watchpoint for writes is kept by single steps: the thread that gdb looks at makes them, the
 * others run, and after each the bytes are compared. That is slow and right, as when gdb does it itself, only faster. Meanwhile the target finds
 * out; once it says that debug registers work they are used. Watchpoints for reads cannot be kept by steps: when there is nothing better
 * the program stops, with the reason.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "control/debug/rsp_internal.h"

#define SIGNAL_TRAP 5

static struct rsp_watch *watch_find(struct rsp *r, enum rsp_break kind, uint64_t addr, uint64_t len)
{
	for (unsigned i = 0; i < RSP_WATCHES; i++) {
		struct rsp_watch *w = &r->watch[i];

		if (w->used && w->kind == kind && w->addr == addr && w->len == len)
			return w;
	}
	return NULL;
}

static int watch_read(struct rsp *r, const struct rsp_watch *w, uint8_t *buf)
{
	return r->ops->read(r->target, r->stop.thread, w->addr, buf, w->len) == (int)w->len
		       ? 0
		       : -EFAULT;
}

static int watch_set(struct rsp *r, enum rsp_break kind, uint64_t addr, uint64_t len)
{
	struct rsp_watch w = { .used = true, .kind = kind, .addr = addr, .len = (uint32_t)len };
	unsigned i;
	int e;

	for (i = 0; i < RSP_WATCHES && r->watch[i].used; i++)
		;
	if (i == RSP_WATCHES)
		return -ENOSPC;
	if (kind == RSP_BREAK_HARD) {
		e = r->ops->breakpoint(r->target, RSP_BREAK_SOFT, addr, 1, true);
	} else {
		if (len == 0 || len > sizeof(w.old))
			return -EINVAL;
		e = watch_read(r, &w, w.old);
	}
	if (e >= 0)
		r->watch[i] = w;
	return e;
}

int rsp_hardware(struct rsp *r, enum rsp_break kind, uint64_t addr, uint64_t len, bool set)
{
	int state = r->ops->hardware(r->target);
	struct rsp_watch *w = watch_find(r, kind, addr, len);

	if (!set && w) {
		w->used = false;
		if (kind == RSP_BREAK_HARD)
			return r->ops->breakpoint(r->target, RSP_BREAK_SOFT, addr, 1, false);
		return w->real ? r->ops->breakpoint(r->target, kind, addr, len, false) : 0;
	}
	if (!set || state > 0)
		return r->ops->breakpoint(r->target, kind, addr, len, set);
	if (state == 0 && (kind == RSP_WATCH_READ || kind == RSP_WATCH_ACCESS))
		return -EOPNOTSUPP;
	return watch_set(r, kind, addr, len);
}

/* ---- running by steps */

/* Debug registers work: use them for what can be. */
static void watch_promote(struct rsp *r)
{
	for (unsigned i = 0; i < RSP_WATCHES; i++) {
		struct rsp_watch *w = &r->watch[i];

		if (w->used && !w->real && w->kind != RSP_BREAK_HARD)
			w->real =
				r->ops->breakpoint(r->target, w->kind, w->addr, w->len, true) >= 0;
	}
}

/* One that steps have to keep, or whose hardware nobody has tried yet; `reads`: of these those that steps cannot keep. */
static struct rsp_watch *watch_pending(struct rsp *r, bool reads)
{
	for (unsigned i = 0; i < RSP_WATCHES; i++) {
		struct rsp_watch *w = &r->watch[i];
		bool hard = w->kind == RSP_BREAK_HARD;

		if (!w->used || w->real || (reads && (hard || w->kind == RSP_WATCH_WRITE)))
			continue;
		/* As long as steps may show that there is something better, all wait for that. */
		if (r->ops->hardware(r->target) < 0 ? !reads : !hard)
			return w;
	}
	return NULL;
}

int rsp_watch_resume(struct rsp *r, const struct rsp_resume *how)
{
	uint32_t thread = r->ops->alive(r->target, r->general) ? r->general : r->stop.thread;

	if (!watch_pending(r, false))
		return r->ops->resume(r->target, how);
	/* gdb may have written there. */
	for (unsigned i = 0; i < RSP_WATCHES; i++) {
		if (r->watch[i].used && r->watch[i].kind != RSP_BREAK_HARD)
			watch_read(r, &r->watch[i], r->watch[i].old);
	}
	r->slow = *how;
	r->stepped = how->step ? how->step : thread;
	return r->ops->resume(
		r->target, &(struct rsp_resume){ .step = r->stepped, .only = how->only });
}

/* A watchpoint whose bytes differ from what they were. */
static struct rsp_watch *watch_changed(struct rsp *r)
{
	uint8_t now[RSP_WATCH_MAX];

	for (unsigned i = 0; i < RSP_WATCHES; i++) {
		struct rsp_watch *w = &r->watch[i];

		if (!w->used || w->real || w->kind != RSP_WATCH_WRITE || watch_read(r, w, now) < 0)
			continue;
		if (memcmp(now, w->old, w->len) != 0)
			return w;
	}
	return NULL;
}

/* Is it the breakpoint that stands for a hardware one? */
static bool watch_is_hard(struct rsp *r, uint32_t thread)
{
	struct rsp_regs regs;

	if (r->ops->get_regs(r->target, thread, &regs) < 0)
		return false;
	for (unsigned i = 0; i < RSP_WATCHES; i++) {
		if (r->watch[i].used && r->watch[i].kind == RSP_BREAK_HARD &&
			r->watch[i].addr == regs.rip)
			return true;
	}
	return false;
}

static const char watch_refusal[] =
	"Watchpoints for reads need debug registers that work, and this machine has none.\n";

bool rsp_watch_stopped(struct rsp *r, struct rsp_stop *stop)
{
	bool step = r->stepped && stop->thread == r->stepped && stop->kind == -1 &&
		    stop->signal == SIGNAL_TRAP;
	const struct rsp_watch *w;
	uint32_t stepped = r->stepped;

	r->stepped = 0;
	if (stop->kind == RSP_BREAK_SOFT && watch_is_hard(r, stop->thread))
		stop->kind = RSP_BREAK_HARD;
	if (!step)
		return true;
	w = watch_changed(r);
	if (w) {
		stop->kind = RSP_WATCH_WRITE;
		stop->address = w->addr;
		return true;
	}
	if (r->ops->hardware(r->target) > 0)
		watch_promote(r);
	if (watch_pending(r, true)) {
		rsp_add(r, "O", 1);
		rsp_add_hex(r, watch_refusal, sizeof(watch_refusal) - 1);
		rsp_flush(r);
		return true;
	}
	if (r->slow.step)
		return true;
	if (!watch_pending(r, false))
		return r->ops->resume(r->target, &r->slow) < 0;
	r->stepped = stepped;
	return r->ops->resume(r->target,
		       &(struct rsp_resume){ .step = stepped, .only = r->slow.only }) < 0;
}
