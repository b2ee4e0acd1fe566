/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PC as one process runs it. The main thread creates everything, starts a thread for each vCPU, then serves the devices until some thread
 * ended the run. Its memory, bus tables and options do not change once vCPU threads exist.
 */
#ifndef CM_VMM_PC_PC_H
#define CM_VMM_PC_PC_H

#include <linux/kvm.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <casemate/pcmachine.h>

#include "common/err.h"
#include "vmm/bus.h"
#include "vmm/eventloop.h"
#include "vmm/gmem.h"
#include "vmm/kvm.h"
#include "vmm/pc/chipset.h"
#include "vmm/pc/hyperv.h"
#include "vmm/pc/image.h"
#include "vmm/pc/opts.h"
#include "vmm/pc/ports.h"
#include "vmm/pc/serial.h"

struct guestlog;
struct virtio_dev;

struct pc_cpu {
	struct pc *pc;
	unsigned index; /* also the APIC id */
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started; /* the thread exists */
	bool sleep; /* its thread's: the guest went to sleep in this exit */
	bool lost; /* KVM_RUN stopped in a way that left the registers of a reset */
	uint64_t exits;
};

struct pc {
	const struct pc_opts *opts;
	int kvm_fd, vm_fd;
	bool full_irqchip;
	uint8_t *low, *high; /* RAM from 0 and from 4 GiB; the latter may be NULL */
	uint64_t low_size, high_size;
	struct gmem mem;
	struct bus pio, mmio;
	struct eventloop *loop;
	struct guestlog *log;
	struct pc_image image;
	char cmdline[4096 + 1024]; /* with what the VMM adds */

	struct pc_serial serial;
	struct pc_ports ports;
	struct pc_chipset chipset;
	bool hyperv_on;
	struct pc_hyperv hyperv;
	unsigned nvirtio;
	struct virtio_dev *virtio[CM_PC_VIRTIO_MAX];

	unsigned ncpus;
	int run_size;
	struct pc_cpu cpu[PC_CPUS_MAX];
	sem_t sealed; /* posted by each vCPU thread that filtered itself */
	sem_t go; /* posted for each when all have */
	struct ev_timer timeout;
	struct ev_source hangup; /* of the parent */
	uint64_t begin; /* ns, first instruction */

	/* Written by the first thread that ends the run, read by the main thread. */
	atomic_bool ended;
	struct cm_pc_result result;
};

/* machine.c: the program. Returns the exit status of the process. */
int pc_main(int argc, char **argv);

/* End the run; the first caller wins. Any thread, does not wait. */
void pc_end(struct pc *pc, enum cm_pc_end end, uint32_t value, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static inline bool pc_ending(const struct pc *pc)
{
	return atomic_load_explicit(&pc->ended, memory_order_relaxed);
}

/* Set the level of an interrupt line (PIC and I/O APIC, of KVM or the chipset). Nothing without them. Any thread. */
void pc_irq_line(struct pc *pc, unsigned line, bool level);

/* An interrupt line that goes to a SINT of Hyper-V's interrupt controller. */
struct pc_sint_route {
	unsigned line;
	uint8_t cpu, sint;
};

/* The usual lines of PIC and I/O APIC, and n more. 0 or -errno. */
int pc_set_routes(struct pc *pc, const struct pc_sint_route *more, unsigned n);

/* A line of an I/O APIC outside of KVM, with the message that it sends. */
struct pc_msi_route {
	uint32_t line, data;
	uint64_t addr;
};

/* These are all routes there are: KVM then says when their interrupts end. At most PC_IOAPIC_INPUTS. 0 or -errno. */
int pc_set_msi_routes(struct pc *pc, const struct pc_msi_route *route, unsigned n);

/* cpu.c */
int pc_cpu_create(struct pc *pc, unsigned index, struct kvm_cpuid_table *cpuid, struct cm_err *err);
int pc_cpu_start(struct pc_cpu *c, struct cm_err *err);
void pc_cpu_stop_all(struct pc *pc); /* after pc_end: kick all threads and wait for them */
void pc_sleep(
	struct pc *pc); /* the calling vCPU thread's guest enters S3 until the clock's next alarm */

/* report.c: append where every vCPU stands to the result. vCPU threads have ended. */
void pc_report(struct pc *pc);

/* virtio.c: the optional devices. 0, or -errno with err filled. */
int pc_virtio_create(struct pc *pc, struct cm_err *err);

/* core.c: write RAM and registers to the core descriptor. 0 or -errno. */
int pc_core_write(struct pc *pc);

/* seal.c: filter the system calls of the calling thread. */
int pc_seal_io(struct cm_err *err);
int pc_seal_vcpu(struct cm_err *err);

#endif
