/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual machine: one a process. Created and filled by the main thread before any vCPU runs; afterwards everything but the fields
 * marked atomic is read-only or owned by one thread.
 */
#ifndef CM_VMM_VM_H
#define CM_VMM_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "vmm/bus.h"
#include "vmm/gmem.h"
#include "vmm/kvm.h"
#include "vmm/opts.h"
#include "vmm/symtab.h"
#include "vmm/vcpu.h"

/* Exit status of the process. */
enum vm_status {
	VM_STATUS_OFF = 0, /* orderly power off */
	VM_STATUS_START = 1, /* could not start; one line says why */
	VM_STATUS_GUEST = 2, /* the guest panicked or crashed */
	VM_STATUS_VMM = 3, /* the VMM or KVM failed under a running guest */
	VM_STATUS_PARENT = 4 /* the sandbox process went away */
};

/* Slots of KVM memory. */
enum vm_slot {
	VM_SLOT_RAM,
	VM_SLOT_ARENA,
	VM_SLOT_DAX
};

struct vm {
	int kvm_fd;
	int vm_fd;
	const struct opts *opts;

	uint8_t *ram;
	uint64_t ram_size;
	uint8_t *arena; /* NULL without --arena-fd */
	uint64_t arena_size;
	uint8_t *dax; /* host side of the DAX window, NULL without file servers */
	uint64_t dax_size;
	struct gmem mem;

	struct bus pio;
	struct bus mmio;
	struct symtab symbols;

	uint64_t entry; /* guest-virtual */
	uint64_t fdt_gpa;
	struct kvm_cpuid_table cpuid; /* filtered; the creator of vCPUs alone uses it */
	int run_size;

	unsigned ncpus;
	struct vcpu cpu[OPTS_CPUS_MAX];

	int event_fd; /* wakes the main thread: a stop or a vCPU start was asked for */
	atomic_int status; /* -1 while running, else enum vm_status */
	_Atomic uint64_t
		start_mask; /* vCPUs that CM_HC_CPU_START named and the main thread has not yet started */
};

/*
 * Create the VM, map and fill its memory, create vCPU 0. image/size is the guest's ELF file; it must outlive the VM. On failure the
 * process is expected to exit: nothing is undone.
 */
int vm_create(
	struct vm *vm, const struct opts *opts, const void *image, size_t size, struct cm_err *err);

/* Start vCPU 0 and serve until the guest stops. Returns the process' exit status. */
int vm_run(struct vm *vm, struct cm_err *err);

/* Ask for the end of the VM with this status; the first caller wins. Any thread; does not wait. */
void vm_stop(struct vm *vm, enum vm_status status);

static inline bool vm_stopping(const struct vm *vm)
{
	return atomic_load_explicit(&vm->status, memory_order_relaxed) >= 0;
}

/* Ask the main thread to start vCPU `cpu`. 0, -EINVAL (no such) or -EALREADY. Any thread. */
int vm_start_cpu(struct vm *vm, uint64_t cpu);

#endif
