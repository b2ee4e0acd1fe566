/* SPDX-License-Identifier: Apache-2.0 */
/* The requests: one table by type. Each checks its payload's size, then every field. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <casemate/abi_version.h>

#include "vmm/debug/internal.h"
#include "vmm/debug/pause.h"
#include "vmm/debug/trace.h"
#include "vmm/vm.h"

#define DEBUG_PAUSE_MS 1000
#define DEBUG_OFF_MS \
	1000 /* that the vCPUs get to stop when a connection with guest debugging hangs up */

/* ---- about the VM */

static uint32_t req_hello(struct debug_call *k)
{
	struct cm_dbg_machine *m = (struct cm_dbg_machine *)(void *)k->reply;
	const struct vm *vm = k->s->vm;
	struct cm_dbg_hello q;
	const struct {
		uint64_t gpa, len;
		uint32_t kind;
	} range[] = {
		{ CM_GPA_RAM, vm->ram_size, CM_DBG_RAM },
		{ CM_GPA_ARENA, vm->arena_size, CM_DBG_ARENA },
		{ CM_GPA_DAX, vm->dax_size, CM_DBG_DAX },
	};
	size_t i;

	if (k->len != sizeof(q))
		return EINVAL;
	memcpy(&q, k->arg, sizeof(q));
	if (q.version < CM_DBG_VERSION)
		return EPROTONOSUPPORT;
	memset(m, 0, sizeof(*m));
	m->version = CM_DBG_VERSION;
	m->abi = CM_ABI_VERSION;
	m->backend = vm->pvm ? CM_DBG_PVM : CM_DBG_STD;
	m->ncpus = vm->ncpus;
	m->tsc_khz = vm->tsc_khz;
	m->build_id_len = (uint32_t)symtab_build_id(
		vm->image, vm->image_size, m->build_id, sizeof(m->build_id));
	for (i = 0; i < sizeof(range) / sizeof(range[0]); i++) {
		if (range[i].len == 0)
			continue;
		m->range[m->nranges].gpa = range[i].gpa;
		m->range[m->nranges].len = range[i].len;
		m->range[m->nranges].kind = range[i].kind;
		m->nranges++;
	}
	snprintf(m->program, sizeof(m->program), "casemate-vmm %s", PACKAGE_VERSION);
	k->reply_len = sizeof(*m);
	return 0;
}

static uint32_t status_fill(struct debug_call *k)
{
	struct cm_dbg_status *st = (struct cm_dbg_status *)(void *)k->reply;
	struct vm *vm = k->s->vm;
	struct vm_pause *p = &vm->pause;
	unsigned i;

	memset(st, 0, sizeof(*st));
	for (i = 0; i < CM_DBG_CONNS; i++) {
		st->conns += k->s->conn[i].fd >= 0;
		st->pauses += k->s->conn[i].fd >= 0 ? k->s->conn[i].pauses : 0;
	}
	st->kept = k->s->kept;
	st->pauses += st->kept;
	st->mine = k->c->pauses;
	st->uptime_ns = vm->started_ns ? eventloop_now() - vm->started_ns : 0;
	st->memory_resident = debug_mem_resident(vm);
	st->traces = atomic_load(&trace_kinds);
	pause_next_stop(vm, &st->stop);
	pthread_mutex_lock(&p->lock);
	st->state = atomic_load(&p->wanted) > 0 ? CM_DBG_PAUSED : CM_DBG_RUNNING;
	if (p->held)
		st->state = CM_DBG_HELD;
	for (i = 0; i < vm->ncpus; i++)
		st->cpu[i] = (uint8_t)vm->cpu[i].state;
	pthread_mutex_unlock(&p->lock);
	if (vm_stopping(vm))
		st->state = CM_DBG_ENDING;
	k->reply_len = sizeof(*st);
	return 0;
}

static uint32_t req_status(struct debug_call *k)
{
	return k->len ? EINVAL : status_fill(k);
}

/* ---- stopping */

static uint32_t req_pause(struct debug_call *k)
{
	struct cm_dbg_pause q;
	bool stopped;

	if (k->len != sizeof(q))
		return EINVAL;
	memcpy(&q, k->arg, sizeof(q));
	if (q.timeout_ms > CM_DBG_PAUSE_MAX || q.flags & ~CM_DBG_PAUSE_KEEP ||
		k->c->pauses == UINT16_MAX)
		return EINVAL;
	if (!(q.flags & CM_DBG_PAUSE_KEEP)) {
		k->c->pauses++;
		pause_add(k->s->vm);
	} else if (!k->s->kept) {
		k->s->kept = true;
		pause_add(k->s->vm);
	}
	stopped = pause_wait(k->s->vm, q.timeout_ms ? q.timeout_ms : DEBUG_PAUSE_MS);
	status_fill(k);
	return stopped ? 0 : ETIMEDOUT;
}

static uint32_t req_resume(struct debug_call *k)
{
	struct cm_dbg_pause q;

	if (k->len != sizeof(q))
		return EINVAL;
	memcpy(&q, k->arg, sizeof(q));
	if (q.flags & CM_DBG_PAUSE_KEEP ? !k->s->kept : k->c->pauses == 0)
		return EINVAL;
	if (q.flags & CM_DBG_PAUSE_KEEP)
		k->s->kept = false;
	else
		k->c->pauses--;
	pause_remove(k->s->vm);
	return status_fill(k);
}

/* The present stop ends, if a debugger may end it: the next one is told. */
static bool stop_continue(struct debug_server *s)
{
	struct cm_dbg_stop stop;
	unsigned i;

	if (!pause_next_stop(s->vm, &stop) || !pause_continue(&s->vm->cpu[stop.cpu]))
		return false;
	for (i = 0; i < CM_DBG_CONNS; i++) {
		s->conn[i].told = false;
		s->conn[i].stop_due = false;
	}
	return true;
}

void debug_tell(struct debug_server *s)
{
	struct cm_dbg_stop stop;
	bool any = false;
	unsigned i;

	while (!any && pause_next_stop(s->vm, &stop)) {
		for (i = 0; i < CM_DBG_CONNS; i++) {
			struct debug_conn *c = &s->conn[i];

			if (c->fd < 0 || (stop.reason == CM_DBG_TRAP && !c->debugs))
				continue;
			any = true;
			c->stop_due |= !c->told;
			c->told = true;
			c->stop = stop;
		}
		/* A trap whose debugger is gone. */
		if (!any && !stop_continue(s))
			return;
	}
}

static uint32_t req_continue(struct debug_call *k)
{
	if (k->len)
		return EINVAL;
	if (!k->c->debugs || !stop_continue(k->s))
		return EINVAL;
	debug_tell(k->s);
	return status_fill(k);
}

static uint32_t req_let_go(struct debug_call *k)
{
	if (k->len)
		return EINVAL;
	return pause_let_go(k->s->vm) ? 0 : EINVAL;
}

/* ---- memory */

static uint32_t mem_arg(const struct debug_call *k, struct cm_dbg_mem *q)
{
	if (k->len < sizeof(*q))
		return EINVAL;
	memcpy(q, k->arg, sizeof(*q));
	return q->len == 0 || q->len > CM_DBG_MEM_MAX ? EINVAL : 0;
}

static uint32_t req_read(struct debug_call *k)
{
	struct cm_dbg_mem q;
	uint32_t r = mem_arg(k, &q);

	if (r || k->len != sizeof(q))
		return EINVAL;
	k->reply_len = q.len;
	return debug_mem_read(k->s, q.gpa, k->reply, q.len);
}

static uint32_t req_write(struct debug_call *k)
{
	struct cm_dbg_mem q;
	uint32_t r = mem_arg(k, &q);

	if (r || k->len != sizeof(q) + q.len)
		return EINVAL;
	return debug_mem_write(k->s, q.gpa, k->arg + sizeof(q), q.len);
}

static uint32_t req_find_data(struct debug_call *k)
{
	struct cm_dbg_range q;
	uint32_t r;

	if (k->len != sizeof(q))
		return EINVAL;
	memcpy(&q, k->arg, sizeof(q));
	r = debug_mem_find(k->s, &q);
	memcpy(k->reply, &q, sizeof(q));
	k->reply_len = sizeof(q);
	return r;
}

static uint32_t req_break_add(struct debug_call *k)
{
	struct cm_dbg_mem q;

	if (mem_arg(k, &q) || k->len != sizeof(q) || q.len != 1)
		return EINVAL;
	return debug_break_add(k->s, k->c, q.gpa);
}

static uint32_t req_break_del(struct debug_call *k)
{
	struct cm_dbg_mem q;

	if (mem_arg(k, &q) || k->len != sizeof(q) || q.len != 1)
		return EINVAL;
	return debug_break_del(k->s, k->c, q.gpa);
}

/* ---- traffic */

static bool exits_one(
	const struct vcpu_exits *from, uint32_t cpu, uint32_t reason, struct cm_dbg_exit *e)
{
	*e = (struct cm_dbg_exit){
		.cpu = cpu,
		.reason = reason,
		.count = __atomic_load_n(&from->count, __ATOMIC_RELAXED),
		.ticks = __atomic_load_n(&from->ticks, __ATOMIC_RELAXED),
	};
	for (unsigned i = 0; i < CM_DBG_BUCKETS; i++)
		e->bucket[i] = __atomic_load_n(&from->bucket[i], __ATOMIC_RELAXED);
	return e->count > 0;
}

/* Those that there were, at most `room`. */
static uint32_t exits_of(const struct vcpu *c, struct cm_dbg_exit *e, uint32_t room)
{
	uint32_t n = 0, i;

	for (i = 0; i < VCPU_EXIT_REASONS && n < room; i++)
		n += exits_one(&c->exit[i], c->index, i, e + n);
	for (i = 0; i < VCPU_CALLS && n < room; i++)
		n += exits_one(&c->call[i], c->index,
			i == VCPU_DOORBELL ? CM_DBG_EXIT_DOORBELL : CM_DBG_EXIT_CALL + i, e + n);
	return n;
}

static uint32_t req_exits(struct debug_call *k)
{
	struct cm_dbg_exit *e = (struct cm_dbg_exit *)(void *)k->reply;
	const uint32_t room = CM_DBG_PAYLOAD_MAX / sizeof(*e);
	const struct vm *vm = k->s->vm;
	struct cm_dbg_cpu q;
	uint32_t n = 0;
	unsigned i;

	if (k->len != sizeof(q))
		return EINVAL;
	memcpy(&q, k->arg, sizeof(q));
	if (q.cpu != CM_DBG_ALL_CPUS && q.cpu >= vm->ncpus)
		return ENODEV;
	for (i = 0; i < vm->ncpus; i++) {
		if (q.cpu == CM_DBG_ALL_CPUS || q.cpu == i)
			n += exits_of(&vm->cpu[i], e + n, room - n);
	}
	k->reply_len = n * (uint32_t)sizeof(*e);
	return 0;
}

static uint32_t req_devices(struct debug_call *k)
{
	struct cm_dbg_device *d = (struct cm_dbg_device *)(void *)k->reply;

	if (k->len)
		return EINVAL;
	k->reply_len = debug_devices(k->s->vm, d) * (uint32_t)sizeof(*d);
	return 0;
}

static void trace_update(struct debug_server *s)
{
	uint32_t kinds = 0;
	unsigned i;

	for (i = 0; i < CM_DBG_CONNS; i++)
		kinds |= s->conn[i].fd >= 0 ? s->conn[i].traces : 0;
	atomic_store(&trace_kinds, kinds);
}

static uint32_t req_trace_set(struct debug_call *k)
{
	struct cm_dbg_trace_set q;

	if (k->len != sizeof(q))
		return EINVAL;
	memcpy(&q, k->arg, sizeof(q));
	if (q.kinds & ~(CM_DBG_TRACE_EXITS | CM_DBG_TRACE_VSOCK))
		return EINVAL;
	k->c->traces = q.kinds;
	trace_update(k->s);
	return 0;
}

static uint32_t req_trace_read(struct debug_call *k)
{
	struct cm_dbg_trace_read q;

	if (k->len != sizeof(q))
		return EINVAL;
	memcpy(&q, k->arg, sizeof(q));
	if (q.count > CM_DBG_TRACE_BATCH)
		return EINVAL;
	q.count = trace_read((struct cm_dbg_trace_entry *)(void *)(k->reply + sizeof(q)), q.count,
		&q.next, &q.lost);
	memcpy(k->reply, &q, sizeof(q));
	k->reply_len = (uint32_t)(sizeof(q) + q.count * sizeof(struct cm_dbg_trace_entry));
	return 0;
}
_Static_assert(
	sizeof(struct cm_dbg_trace_read) + CM_DBG_TRACE_BATCH * sizeof(struct cm_dbg_trace_entry) <=
		CM_DBG_PAYLOAD_MAX,
	"a batch fits");

/* ---- the table */

static uint32_t (*const reqs[])(struct debug_call *k) = {
	[CM_DBG_HELLO] = req_hello,
	[CM_DBG_STATUS] = req_status,
	[CM_DBG_PAUSE] = req_pause,
	[CM_DBG_RESUME] = req_resume,
	[CM_DBG_GET_REGS] = debug_regs_get,
	[CM_DBG_SET_REGS] = debug_regs_set,
	[CM_DBG_READ] = req_read,
	[CM_DBG_WRITE] = req_write,
	[CM_DBG_FIND_DATA] = req_find_data,
	[CM_DBG_EXITS] = req_exits,
	[CM_DBG_DEVICES] = req_devices,
	[CM_DBG_GUEST_DEBUG] = debug_guest_debug,
	[CM_DBG_BREAK_ADD] = req_break_add,
	[CM_DBG_BREAK_DEL] = req_break_del,
	[CM_DBG_NMI] = debug_nmi,
	[CM_DBG_TRACE_SET] = req_trace_set,
	[CM_DBG_TRACE_READ] = req_trace_read,
	[CM_DBG_LET_GO] = req_let_go,
	[CM_DBG_CONTINUE] = req_continue,
};

uint32_t debug_dispatch(struct debug_call *k, uint16_t type)
{
	if (type >= sizeof(reqs) / sizeof(reqs[0]) || !reqs[type])
		return ENOSYS;
	return reqs[type](k);
}

void debug_release(struct debug_server *s, struct debug_conn *c)
{
	struct vm *vm = s->vm;

	debug_break_release(s, c);
	if (c->debugs) {
		pause_add(vm);
		pause_wait(vm, DEBUG_OFF_MS);
		debug_guest_debug_off(vm);
		pause_remove(vm);
		c->debugs = false;
		debug_tell(s); /* its stops go on */
	}
	for (; c->pauses > 0; c->pauses--)
		pause_remove(vm);
	c->traces = 0;
	trace_update(s);
}
