/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vCPUs of the PC: created by the main thread, run by a thread each. All but the first wait in KVM for INIT and SIPI, as KVM's local APIC
 * knows them.
 */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <poll.h>
#include <time.h>

#include "vmm/pc/boot.h"
#include "vmm/pc/firmware.h"
#include "vmm/pc/model.h"
#include "vmm/pc/pc.h"
#include "vmm/vlog.h"

#define CPU_SIGNAL	 SIGUSR1
#define CPU_STACK	 (128u * 1024u)
#define MSR_MTRR_DEFTYPE 0x2ff
#define MTRR_ON_WB	 0xc06 /* as firmware leaves it: all memory write-back */

static __thread struct pc_cpu *cpu_self;

static void cpu_on_signal(int sig)
{
	/* Its arrival alone makes KVM_RUN return. */
}

/* ---- creation */

static int cpu_boot_state(struct pc_cpu *c, struct cm_err *err)
{
	struct kvm_sregs s;
	struct kvm_regs r;
	int e = kvm_get_sregs(c->fd, &s);

	if (e == 0) {
		pc_boot_regs(&c->pc->image, &s, &r);
		e = kvm_set_sregs(c->fd, &s);
	}
	if (e == 0)
		e = kvm_set_regs(c->fd, &r);
	return e < 0 ? cm_err_set(err, -e, "set the registers of vcpu %u", c->index) : 0;
}

int pc_cpu_create(struct pc *pc, unsigned index, struct kvm_cpuid_table *cpuid, struct cm_err *err)
{
	struct pc_cpu *c = &pc->cpu[index];
	void *run;
	int r;

	*c = (struct pc_cpu){ .pc = pc, .index = index };
	c->fd = kvm_create_vcpu(pc->vm_fd, index);
	if (c->fd < 0)
		return cm_err_set(err, -c->fd, "create vcpu %u", index);
	run = mmap(NULL, (size_t)pc->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (run == MAP_FAILED)
		return cm_err_set(err, errno, "map the run area of vcpu %u", index);
	c->run = run;
	pc_model_for_cpu(cpuid, index);
	r = kvm_set_cpuid(c->fd, cpuid);
	if (r < 0)
		return cm_err_set(err, -r, "set CPUID of vcpu %u", index);
	/* A machine without MTRRs keeps its memory types; the guest cannot tell. */
	kvm_set_msr(c->fd, MSR_MTRR_DEFTYPE, MTRR_ON_WB);
	r = pc->hyperv_on ? kvm_enable_cap(c->fd, KVM_CAP_HYPERV_SYNIC, 0) : 0;
	if (r < 0)
		return cm_err_set(err, -r, "turn on Hyper-V's interrupt controller");
	return index == 0 ? cpu_boot_state(c, err) : 0;
}

/* ---- exits: each returns whether the loop goes on */

static void cpu_trace(struct pc_cpu *c, const char *what, bool write, uint64_t addr, unsigned len,
	const void *data)
{
	uint64_t v = 0;

	if (!c->pc->opts->trace)
		return;
	memcpy(&v, data, len < 8 ? len : 8);
	vlog_printf("vcpu %u: %s %s %#llx len %u %s %#llx", c->index, what,
		write ? "write" : "read", (unsigned long long)addr, len, write ? "value" : "gives",
		(unsigned long long)v);
}

static void cpu_io(struct pc_cpu *c)
{
	struct kvm_run *run = c->run;
	char *data = (char *)run + run->io.data_offset;
	bool write = run->io.direction == KVM_EXIT_IO_OUT;

	/* The area belongs to the kernel, which fills size (1, 2, 4) and count so that the data fits in its page. */
	if (write)
		bus_write_string(&c->pc->pio, run->io.port, data, run->io.size, run->io.count);
	else
		bus_read_string(&c->pc->pio, run->io.port, data, run->io.size, run->io.count);
	cpu_trace(c, "port", write, run->io.port, run->io.size, data);
}

static void cpu_mmio(struct pc_cpu *c)
{
	struct kvm_run *run = c->run;

	if (run->mmio.is_write)
		bus_write(&c->pc->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else
		bus_read(&c->pc->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	cpu_trace(c, "memory", run->mmio.is_write, run->mmio.phys_addr, run->mmio.len,
		run->mmio.data);
}

static void cpu_internal(struct pc_cpu *c)
{
	struct kvm_run *run = c->run;

	if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
		pc_end(c->pc, CM_PC_END_CRASH, c->index,
			"vcpu %u: KVM cannot emulate an instruction", c->index);
	else
		pc_end(c->pc, CM_PC_END_CRASH, c->index, "vcpu %u: KVM internal error %u", c->index,
			run->internal.suberror);
}

static void cpu_system_event(struct pc_cpu *c)
{
	bool reset = c->run->system_event.type == KVM_SYSTEM_EVENT_RESET;

	pc_end(c->pc, reset ? CM_PC_END_RESET : CM_PC_END_SHUTDOWN, 0, "system event %u",
		c->run->system_event.type);
}

static void cpu_exit(struct pc_cpu *c)
{
	uint32_t reason = c->run->exit_reason;

	c->exits++;
	switch (reason) {
	case KVM_EXIT_IO:
		cpu_io(c);
		break;
	case KVM_EXIT_MMIO:
		cpu_mmio(c);
		break;
	case KVM_EXIT_IOAPIC_EOI:
		pc_chipset_eoi(&c->pc->chipset, c->run->eoi.vector);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_HLT:
	case KVM_EXIT_SET_TPR:
		break;
	case KVM_EXIT_HYPERV:
		pc_hyperv_exit(&c->pc->hyperv, c->index, c->run);
		break;
	case KVM_EXIT_SHUTDOWN:
		pc_end(c->pc, CM_PC_END_CRASH, c->index, "vcpu %u: triple fault", c->index);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		cpu_internal(c);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		cpu_system_event(c);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		pc_end(c->pc, CM_PC_END_CRASH, c->index,
			"vcpu %u: KVM could not enter the guest, reason %#llx", c->index,
			(unsigned long long)c->run->fail_entry.hardware_entry_failure_reason);
		break;
	default:
		pc_end(c->pc, CM_PC_END_CRASH, c->index, "vcpu %u: unexpected exit %u", c->index,
			reason);
		break;
	}
}

/* ---- sleep */

void pc_sleep(struct pc *pc)
{
	cpu_self->sleep = true;
}

/* Wait for the second's end, then start at the waking vector as after a reset. */
static void cpu_wake(struct pc_cpu *c)
{
	struct timespec t;
	struct kvm_sregs s;
	struct kvm_regs r;
	uint32_t vector;

	c->sleep = false;
	clock_gettime(CLOCK_REALTIME, &t);
	poll(NULL, 0, (int)(1000 - t.tv_nsec / 1000000));
	memcpy(&vector, c->pc->low + PC_FACS + PC_FACS_VECTOR, sizeof(vector));
	/* Entering once completes the port access that put the machine to sleep. */
	c->run->immediate_exit = 1;
	kvm_run(c->fd);
	c->run->immediate_exit = 0;
	/* #syscalls:vcpu ioctl[1=KVM_GET_SREGS,KVM_SET_SREGS,KVM_SET_REGS] */
	if (kvm_get_sregs(c->fd, &s) < 0)
		return;
	memset(&s.cs, 0, offsetof(struct kvm_sregs, cr0) - offsetof(struct kvm_sregs, cs));
	s.cs = (struct kvm_segment){ .limit = 0xffff, .type = 11, .present = 1, .s = 1 };
	s.ds = s.es = s.fs = s.gs = s.ss =
		(struct kvm_segment){ .limit = 0xffff, .type = 3, .present = 1, .s = 1 };
	s.tr = (struct kvm_segment){ .limit = 0xffff, .type = 11, .present = 1 };
	s.ldt = (struct kvm_segment){ .limit = 0xffff, .type = 2, .present = 1 };
	s.gdt.limit = s.idt.limit = 0xffff;
	s.cr0 = 0x60000010;
	s.cr4 = s.efer = 0;
	pc_boot_wake(vector, &s, &r);
	if (kvm_set_sregs(c->fd, &s) < 0 || kvm_set_regs(c->fd, &r) < 0)
		pc_end(c->pc, CM_PC_END_VMM, 0, "vcpu %u: cannot wake", c->index);
}

/* ---- thread */

static void cpu_loop(struct pc_cpu *c)
{
	while (!pc_ending(c->pc)) {
		/* #syscalls:vcpu ioctl[1=KVM_RUN] */
		int r = kvm_run(c->fd);

		/* A vCPU that waited for its SIPI returns EAGAIN once it came. */
		if (r == -EINTR || r == -EAGAIN) {
			c->run->immediate_exit = 0;
			continue;
		}
		if (r < 0) {
			pc_end(c->pc, CM_PC_END_CRASH, c->index, "vcpu %u: KVM_RUN: %s", c->index,
				strerror(-r));
			return;
		}
		cpu_exit(c);
		if (c->sleep)
			cpu_wake(c);
	}
}

static void cpu_wait(sem_t *s)
{
	while (sem_wait(s) < 0)
		;
}

static void *cpu_main(void *arg)
{
	struct pc_cpu *c = arg;
	struct cm_err err;
	char name[16];

	cpu_self = c;
	snprintf(name, sizeof(name), "vcpu%u", c->index);
	prctl(PR_SET_NAME, name, 0, 0, 0);
	if (pc_seal_vcpu(&err) < 0)
		pc_end(c->pc, CM_PC_END_VMM, 0, "%s", err.msg);
	sem_post(&c->pc->sealed);
	cpu_wait(&c->pc->go);
	cpu_loop(c);
	return NULL;
}

int pc_cpu_start(struct pc_cpu *c, struct cm_err *err)
{
	struct sigaction sa = { .sa_handler = cpu_on_signal };
	pthread_attr_t attr;
	int r;

	sigaction(CPU_SIGNAL, &sa, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, CPU_STACK);
	r = pthread_create(&c->thread, &attr, cpu_main, c);
	pthread_attr_destroy(&attr);
	c->started = r == 0;
	return r ? cm_err_set(err, r, "start the thread of vcpu %u", c->index) : 0;
}

void pc_cpu_stop_all(struct pc *pc)
{
	unsigned i;

	for (i = 0; i < pc->ncpus; i++) {
		if (!pc->cpu[i].started)
			continue;
		/* The flag first: a signal that arrives just before KVM_RUN would otherwise be lost. */
		__atomic_store_n(&pc->cpu[i].run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		pthread_kill(pc->cpu[i].thread, CPU_SIGNAL);
	}
	for (i = 0; i < pc->ncpus; i++) {
		if (pc->cpu[i].started)
			pthread_join(pc->cpu[i].thread, NULL);
	}
}
