/* SPDX-License-Identifier: Apache-2.0 */
/* vCPU threads: the KVM_RUN loop and one short function per exit. */
#include <config.h>
#include "vmm/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "vmm/boot.h"
#include "vmm/cpuid.h"
#include "vmm/debug/pause.h"
#include "vmm/debug/trace.h"
#include "vmm/debug/trap.h"
#include "vmm/report.h"
#include "vmm/stage.h"
#include "vmm/vlog.h"
#include "vmm/vm.h"

#define VCPU_SIGNAL SIGUSR1
#define VCPU_STACK  (128u * 1024u)

#define VCPU_MACHINE_CHECK 18
#define VCPU_FAULTS_MAX	   1000 /* failed accesses without any other exit between them */

static _Thread_local struct vcpu *vcpu_self;

static void vcpu_on_signal(int sig)
{
	/* Its arrival alone makes KVM_RUN return. */
}

void vcpu_init(void)
{
	struct sigaction sa = { .sa_handler = vcpu_on_signal };

	sigemptyset(&sa.sa_mask);
	sigaction(VCPU_SIGNAL, &sa, NULL);
}

struct vcpu *vcpu_current(void)
{
	return vcpu_self;
}

/* ---- exits: each returns whether the loop goes on */

static bool vcpu_exit_io(struct vcpu *c)
{
	struct kvm_run *run = c->run;
	char *data = (char *)run + run->io.data_offset;
	struct bus *bus = &c->vm->pio;

	/* The area belongs to the kernel, which fills size (1, 2, 4) and count so that the data fits in its page. */
	if (run->io.direction == KVM_EXIT_IO_IN)
		bus_read_string(bus, run->io.port, data, run->io.size, run->io.count);
	else
		bus_write_string(bus, run->io.port, data, run->io.size, run->io.count);
	return true;
}

static bool vcpu_exit_mmio(struct vcpu *c)
{
	struct kvm_run *run = c->run;

	if (run->mmio.is_write)
		bus_write(&c->vm->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else
		bus_read(&c->vm->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	return true;
}

static bool vcpu_exit_again(struct vcpu *c)
{
	return true;
}

/* The guest cannot go on. */
static bool vcpu_died(struct vcpu *c, enum vm_status status)
{
	pause_died(c, CM_DBG_CRASH);
	vm_stop(c->vm, status);
	return false;
}

static bool vcpu_exit_shutdown(struct vcpu *c)
{
	report_crash(c, "triple fault");
	return vcpu_died(c, VM_STATUS_GUEST);
}

static bool vcpu_exit_internal(struct vcpu *c)
{
	const char *what = "KVM internal error";

	if (c->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
		what = "KVM could not emulate an instruction";
	report_crash(c, what);
	return vcpu_died(c, VM_STATUS_GUEST);
}

static bool vcpu_exit_fail_entry(struct vcpu *c)
{
	report_crash(c, "KVM refused to enter the guest");
	return vcpu_died(c, VM_STATUS_VMM);
}

/* A breakpoint, a watchpoint or a single step of the debugger. */
static bool vcpu_exit_debug(struct vcpu *c)
{
	struct cm_dbg_stop stop = {
		.reason = CM_DBG_TRAP,
		.cpu = c->index,
		.exception = c->run->debug.arch.exception,
		.pc = c->run->debug.arch.pc,
		.dr6 = c->run->debug.arch.dr6,
		.dr7 = c->run->debug.arch.dr7,
	};

	trap_exited(c);
	pause_trapped(c, &stop);
	return true;
}

static bool (*const vcpu_exits[VCPU_EXIT_REASONS])(struct vcpu *c) = {
	[KVM_EXIT_IO] = vcpu_exit_io,
	[KVM_EXIT_MMIO] = vcpu_exit_mmio,
	[KVM_EXIT_INTR] = vcpu_exit_again,
	[KVM_EXIT_IOAPIC_EOI] = vcpu_exit_again,
	[KVM_EXIT_IRQ_WINDOW_OPEN] = vcpu_exit_again,
	[KVM_EXIT_DEBUG] = vcpu_exit_debug,
	[KVM_EXIT_HLT] = vcpu_exit_again,
	[KVM_EXIT_SHUTDOWN] = vcpu_exit_shutdown,
	[KVM_EXIT_INTERNAL_ERROR] = vcpu_exit_internal,
	[KVM_EXIT_FAIL_ENTRY] = vcpu_exit_fail_entry,
};

/* One writer a counter; the debug thread reads. */
static void vcpu_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static bool vcpu_exit(struct vcpu *c)
{
	uint32_t reason = c->run->exit_reason;

	c->exits++;
	if (reason < VCPU_EXIT_REASONS) {
		vcpu_count(&c->exit[reason].count, 1);
		if (vcpu_exits[reason])
			return vcpu_exits[reason](c);
	}
	report_crash(c, "unexpected exit from KVM");
	return vcpu_died(c, VM_STATUS_VMM);
}

/* ---- what the debugger sees of them */

/* The access of an exit by port or memory, as the guest made it; taken after it was served, so that reads have their value. */
static void vcpu_trace(struct vcpu *c, uint32_t reason, uint64_t start, uint64_t ticks)
{
	const struct kvm_run *run = c->run;
	struct cm_dbg_trace_entry e = {
		.tsc = start,
		.kind = CM_DBG_TRACE_EXITS,
		.cpu = c->index,
		.what = reason,
		.ticks = ticks,
	};

	if (reason == KVM_EXIT_IO) {
		e.flags = (run->io.direction == KVM_EXIT_IO_OUT) | (uint32_t)run->io.size << 8;
		e.addr = run->io.port;
		memcpy(&e.value, (const char *)run + run->io.data_offset, run->io.size);
	} else if (reason == KVM_EXIT_MMIO) {
		e.flags = (run->mmio.is_write ? 1 : 0) | run->mmio.len << 8;
		e.addr = run->mmio.phys_addr;
		memcpy(&e.value, run->mmio.data, sizeof(e.value));
	}
	trace_add(&e);
}

/* Bucket i takes less than 2^(8 + i) ticks. */
static unsigned vcpu_bucket(uint64_t ticks)
{
	unsigned bits = 64 - (unsigned)__builtin_clzll(ticks | 1);

	if (bits <= 8)
		return 0;
	return bits - 8 < CM_DBG_BUCKETS ? bits - 8 : CM_DBG_BUCKETS - 1;
}

static void vcpu_took(struct vcpu_exits *e, uint64_t ticks)
{
	vcpu_count(&e->ticks, ticks);
	vcpu_count(&e->bucket[vcpu_bucket(ticks)], 1);
}

static bool vcpu_exit_counted(struct vcpu *c)
{
	uint64_t start = trace_clock(), ticks;
	uint32_t reason = c->run->exit_reason;
	bool more;

	c->called = VCPU_CALLS;
	more = vcpu_exit(c);
	if (reason >= VCPU_EXIT_REASONS)
		return more;
	ticks = trace_clock() - start;
	vcpu_took(&c->exit[reason], ticks);
	if (c->called < VCPU_CALLS) {
		vcpu_count(&c->call[c->called].count, 1);
		vcpu_took(&c->call[c->called], ticks);
	}
	if (trace_wants(CM_DBG_TRACE_EXITS))
		vcpu_trace(c, reason, start, ticks);
	return more;
}

/*
 * The guest touched memory that the host cannot give it: a page of the DAX window without a file, or behind the end of a file that was
 * cut. The guest gets a machine check at that instruction and sends SIGBUS to whom it concerns. One that cannot handle it would come back
 * for ever.
 */
static bool vcpu_memory_failed(struct vcpu *c)
{
	/* #syscalls:vcpu ioctl[1=KVM_GET_VCPU_EVENTS,KVM_SET_VCPU_EVENTS] */
	return c->vm->dax && ++c->faults < VCPU_FAULTS_MAX &&
	       kvm_inject(c->fd, VCPU_MACHINE_CHECK) == 0;
}

static void vcpu_loop(struct vcpu *c)
{
	while (!vm_stopping(c->vm)) {
		/* #syscalls:vcpu ioctl[1=KVM_RUN] */
		int r = kvm_run(c->fd);

		if (r == -EINTR || r == -EAGAIN) {
			__atomic_store_n(&c->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
			pause_point(c);
			continue;
		}
		if (r == -EFAULT && vcpu_memory_failed(c))
			continue;
		if (r < 0) {
			report_run_failed(c, -r);
			vcpu_died(c, r == -EFAULT ? VM_STATUS_GUEST : VM_STATUS_VMM);
			return;
		}
		c->faults = 0;
		if (!vcpu_exit_counted(c))
			return;
	}
}

/* ---- creation */

/* #syscalls:vcpu ioctl[1=KVM_CREATE_VCPU,KVM_SET_CPUID2,KVM_GET_SREGS,KVM_SET_SREGS,KVM_SET_REGS,KVM_SET_MP_STATE] */
static int vcpu_set_state(struct vcpu *c, struct cm_err *err)
{
	struct vm *vm = c->vm;
	struct kvm_cpuid_table cpuid = vm->cpuid;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	int r;

	cpuid_for_cpu(&cpuid, c->index);
	r = kvm_set_cpuid(c->fd, &cpuid);
	if (r < 0)
		return cm_err_set(err, -r, "vcpu %u: set CPUID", c->index);
	r = kvm_get_sregs(c->fd, &sregs);
	if (r < 0)
		return cm_err_set(err, -r, "vcpu %u: get registers", c->index);
	boot_sregs(&sregs);
	r = kvm_set_sregs(c->fd, &sregs);
	if (r < 0)
		return cm_err_set(err, -r, "vcpu %u: set system registers", c->index);
	boot_regs(&regs, vm->entry, vm->fdt_gpa, c->index);
	r = kvm_set_regs(c->fd, &regs);
	if (r < 0)
		return cm_err_set(err, -r, "vcpu %u: set registers", c->index);
	/* All but the first wait for an INIT that nobody sends. */
	r = c->index == 0 ? 0 : kvm_set_mp_state(c->fd, KVM_MP_STATE_RUNNABLE);
	if (r < 0)
		return cm_err_set(err, -r, "vcpu %u: make runnable", c->index);
	return 0;
}

static int vcpu_create(struct vcpu *c, struct cm_err *err)
{
	struct vm *vm = c->vm;
	void *run;

	c->fd = kvm_create_vcpu(vm->vm_fd, c->index);
	if (c->fd < 0)
		return cm_err_set(err, -c->fd, "create vcpu %u", c->index);
	run = mmap(NULL, (size_t)vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (run == MAP_FAILED)
		return cm_err_set(err, errno, "map the run area of vcpu %u", c->index);
	__atomic_store_n(&c->run, run, __ATOMIC_RELEASE);
	return vcpu_set_state(c, err);
}

/* ---- thread */

static void vcpu_wait(sem_t *s)
{
	while (sem_wait(s) < 0)
		;
}

static void *vcpu_main(void *arg)
{
	struct vcpu *c = arg;
	struct cm_err err;
	char name[16];

	vcpu_self = c;
	snprintf(name, sizeof(name), "vcpu%u", c->index);
	prctl(PR_SET_NAME, name, 0, 0, 0);
	if (stage_seal_vcpu(&err) < 0) {
		vm_fail(c->vm, &err);
		return NULL;
	}
	vm_sealed(c->vm);
	vcpu_wait(&c->wanted);
	if (vm_stopping(c->vm))
		return NULL;
	if (vcpu_create(c, &err) < 0) {
		vm_fail(c->vm, &err);
		return NULL;
	}
	if (c->index == 0) {
		vm_first_vcpu_created(c->vm);
		vcpu_wait(&c->go);
	}
	pause_enter(c);
	vcpu_loop(c);
	pause_leave(c);
	return NULL;
}

void vcpu_prepare(struct vm *vm, unsigned index)
{
	struct vcpu *c = &vm->cpu[index];

	c->vm = vm;
	c->index = index;
	c->fd = -1;
	sem_init(&c->wanted, 0, 0);
	sem_init(&c->go, 0, 0);
}

int vcpu_start(struct vm *vm, unsigned index, struct cm_err *err)
{
	struct vcpu *c = &vm->cpu[index];
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, VCPU_STACK);
	r = pthread_create(&c->thread, &attr, vcpu_main, c);
	pthread_attr_destroy(&attr);
	atomic_store(&c->threaded, r == 0);
	return r ? cm_err_set(err, r, "start the thread of vcpu %u", index) : 0;
}

void vcpu_want(struct vcpu *c)
{
	sem_post(&c->wanted);
}

void vcpu_interrupt(struct vcpu *c)
{
	struct kvm_run *run = __atomic_load_n(&c->run, __ATOMIC_ACQUIRE);

	/* A thread that is not there yet will look by itself. */
	if (!atomic_load(&c->threaded))
		return;
	/* The flag first: a signal that arrives just before KVM_RUN would otherwise be lost. */
	if (run)
		__atomic_store_n(&run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(c->thread, VCPU_SIGNAL);
}

void vcpu_end(struct vcpu *c)
{
	if (!c->threaded)
		return;
	sem_post(&c->wanted);
	sem_post(&c->go);
	vcpu_interrupt(c);
}

void vcpu_join(struct vcpu *c)
{
	if (c->threaded)
		pthread_join(c->thread, NULL);
}
