/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping the vCPUs.
 *
 * No wake-up is lost: who wants a stop raises `wanted`, then sets immediate_exit; a vCPU that was interrupted clears immediate_exit, then
 * looks at `wanted`. Whichever order these meet in, the vCPU sees the count or leaves its next KVM_RUN at once.
 */
#include <config.h>
#include "vmm/debug/pause.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "vmm/vm.h"

void pause_init(struct vm_pause *p)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	atomic_init(&p->wanted, 0);
	p->event_fd = -1;
	atomic_init(&p->stepped, false);
	p->held = false;
}

/* While the debugger lets another vCPU make a step. */
static bool pause_held_back(const struct vcpu *c)
{
	return atomic_load(&c->debug_flags) & CM_DBG_GD_HOLD;
}

/* Stand until nobody wants it; under the lock. */
static void pause_stand_locked(struct vcpu *c)
{
	struct vm_pause *p = &c->vm->pause;

	while ((atomic_load(&p->wanted) > 0 || pause_held_back(c)) && !vm_stopping(c->vm)) {
		if (c->state != CM_DBG_CPU_STOPPED) {
			c->state = CM_DBG_CPU_STOPPED;
			pthread_cond_broadcast(&p->changed);
		}
		pthread_cond_wait(&p->changed, &p->lock);
	}
	c->state = CM_DBG_CPU_RUNNING;
}

static bool pause_debugged(const struct vm *vm)
{
	unsigned i;

	for (i = 0; i < vm->ncpus; i++) {
		if (atomic_load(&vm->cpu[i].debug_flags) & CM_DBG_GD_ENABLE)
			return true;
	}
	return false;
}

bool pause_may_start(struct vcpu *c)
{
	struct vm_pause *p = &c->vm->pause;
	bool may;

	pthread_mutex_lock(&p->lock);
	may = !pause_debugged(c->vm);
	if (may)
		c->state = CM_DBG_CPU_RUNNING;
	pthread_mutex_unlock(&p->lock);
	return may;
}

void pause_enter(struct vcpu *c)
{
	struct vm_pause *p = &c->vm->pause;

	pthread_mutex_lock(&p->lock);
	pause_stand_locked(c);
	pthread_mutex_unlock(&p->lock);
}

void pause_point(struct vcpu *c)
{
	struct vm_pause *p = &c->vm->pause;

	if (atomic_load(&p->wanted) == 0 && !pause_held_back(c))
		return;
	pthread_mutex_lock(&p->lock);
	pause_stand_locked(c);
	pthread_mutex_unlock(&p->lock);
}

void pause_leave(struct vcpu *c)
{
	struct vm_pause *p = &c->vm->pause;

	pthread_mutex_lock(&p->lock);
	c->state = CM_DBG_CPU_ENDED;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static void pause_kick_locked(struct vm *vm)
{
	unsigned i;

	for (i = 0; i < vm->ncpus; i++) {
		if (vm->cpu[i].state == CM_DBG_CPU_RUNNING)
			vcpu_interrupt(&vm->cpu[i]);
	}
}

/* The vCPU has a stop: one more count, until somebody takes the stop away. */
static void pause_stop_locked(struct vcpu *c, const struct cm_dbg_stop *stop)
{
	struct vm_pause *p = &c->vm->pause;
	uint64_t one = 1;

	c->stop = *stop;
	atomic_fetch_add(&p->wanted, 1);
	/* Not itself: the flag would cost it a round. */
	c->state = CM_DBG_CPU_STOPPED;
	pthread_cond_broadcast(&p->changed);
	pause_kick_locked(c->vm);
	/* #syscalls:vcpu write */
	if (p->event_fd >= 0 && write(p->event_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: the thread knows already */
}

void pause_trapped(struct vcpu *c, const struct cm_dbg_stop *stop)
{
	struct vm_pause *p = &c->vm->pause;

	pthread_mutex_lock(&p->lock);
	pause_stop_locked(c, stop);
	pause_stand_locked(c);
	pthread_mutex_unlock(&p->lock);
}

void pause_died(struct vcpu *c, uint32_t reason)
{
	struct vm_pause *p = &c->vm->pause;
	struct cm_dbg_stop stop = { .reason = reason, .cpu = c->index };

	if (!c->vm->opts->hold_on_panic || p->event_fd < 0)
		return;
	pthread_mutex_lock(&p->lock);
	p->held = true;
	pause_stop_locked(c, &stop);
	pause_stand_locked(c);
	pthread_mutex_unlock(&p->lock);
}

/* ---- the debug thread */

void pause_add(struct vm *vm)
{
	struct vm_pause *p = &vm->pause;

	pthread_mutex_lock(&p->lock);
	atomic_fetch_add(&p->wanted, 1);
	pause_kick_locked(vm);
	pthread_mutex_unlock(&p->lock);
}

static bool pause_any_runs_locked(const struct vm *vm)
{
	unsigned i;

	for (i = 0; i < vm->ncpus; i++) {
		if (vm->cpu[i].state == CM_DBG_CPU_RUNNING)
			return true;
	}
	return false;
}

bool pause_wait(struct vm *vm, uint32_t timeout_ms)
{
	struct vm_pause *p = &vm->pause;
	struct timespec end;
	bool all;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += timeout_ms / 1000;
	end.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&p->lock);
	while (pause_any_runs_locked(vm) && r == 0 && !vm_stopping(vm))
		r = pthread_cond_timedwait(&p->changed, &p->lock, &end);
	all = !pause_any_runs_locked(vm);
	pthread_mutex_unlock(&p->lock);
	return all;
}

void pause_remove(struct vm *vm)
{
	struct vm_pause *p = &vm->pause;

	pthread_mutex_lock(&p->lock);
	atomic_fetch_sub(&p->wanted, 1);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

bool pause_stopped(struct vcpu *c)
{
	struct vm_pause *p = &c->vm->pause;
	bool stopped;

	pthread_mutex_lock(&p->lock);
	stopped = c->state == CM_DBG_CPU_STOPPED && atomic_load(&p->wanted) > 0;
	pthread_mutex_unlock(&p->lock);
	return stopped;
}

bool pause_next_stop(struct vm *vm, struct cm_dbg_stop *stop)
{
	struct vm_pause *p = &vm->pause;
	bool found = false;
	unsigned i;

	pthread_mutex_lock(&p->lock);
	for (i = 0; i < vm->ncpus && !found; i++) {
		if (vm->cpu[i].stop.reason == CM_DBG_NONE)
			continue;
		*stop = vm->cpu[i].stop;
		found = true;
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}

bool pause_continue(struct vcpu *c)
{
	struct vm_pause *p = &c->vm->pause;
	bool trapped;

	pthread_mutex_lock(&p->lock);
	trapped = c->stop.reason == CM_DBG_TRAP;
	if (trapped) {
		c->stop.reason = CM_DBG_NONE;
		atomic_fetch_sub(&p->wanted, 1);
		pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
	return trapped;
}

bool pause_let_go(struct vm *vm)
{
	struct vm_pause *p = &vm->pause;
	bool held;

	pthread_mutex_lock(&p->lock);
	held = p->held;
	pthread_mutex_unlock(&p->lock);
	if (held)
		vm_stop(vm, VM_STATUS_GUEST);
	return held;
}

void pause_abandon(struct vm *vm)
{
	struct vm_pause *p = &vm->pause;

	pthread_mutex_lock(&p->lock);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}
