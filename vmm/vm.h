/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual machine: one a process. Created and filled by the main thread before any vCPU runs; afterwards everything but the fields
 * marked atomic is read-only or owned by one thread.
 */
#ifndef CM_VMM_VM_H
#define CM_VMM_VM_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <casemate/fsdev.h>
#include <casemate/guestmem.h>

#include "common/err.h"
#include "vmm/bus.h"
#include "vmm/debug/pause.h"
#include "vmm/eventloop.h"
#include "vmm/gmem.h"
#include "vmm/kvm.h"
#include "vmm/opts.h"
#include "vmm/symtab.h"
#include "vmm/vcpu.h"
#include "vmm/wire.h"

/* Exit status of the process. */
enum vm_status {
	VM_STATUS_OFF = 0, /* orderly power off */
	VM_STATUS_START = 1, /* could not start; one line says why */
	VM_STATUS_GUEST = 2, /* the guest panicked or crashed */
	VM_STATUS_VMM = 3, /* the VMM or KVM failed under a running guest */
	VM_STATUS_PARENT = 4 /* the sandbox process went away */
};

/* Reserved by the split irqchip; no IOAPIC is modelled, messages go straight to the local APICs. */
#define VM_IOAPIC_ROUTES 24

/* Slots of KVM memory. */
enum vm_slot {
	VM_SLOT_RAM,
	VM_SLOT_ARENA,
	VM_SLOT_DAX
};

struct guestlog;
struct virtio_dev;

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
	struct gmem mem; /* RAM and arena: what the VMM's own devices and hypercalls may name */
	struct gmem arena_mem; /* the arena alone: devices that another process serves */

	struct bus pio;
	struct bus mmio;
	struct eventloop *loop; /* the main thread's */
	struct guestlog *log;
	struct symtab symbols;
	const void *image; /* the guest's ELF file */
	size_t image_size;

	unsigned ndevices;
	struct virtio_dev *device[CM_VIRTIO_MAX]; /* by virtio page */
	const char *device_tag[CM_VIRTIO_MAX];
	struct virtio_dev *spare[CM_FSDEV_SPARES]; /* those of them that get servers later */
	char spare_tag[CM_FSDEV_SPARES][8];
	struct ev_source plug;
	struct wires wires;

	uint64_t entry; /* guest-virtual */
	uint64_t fdt_gpa;
	struct kvm_cpuid_table cpuid; /* filtered; read-only once vCPU threads exist */
	int run_size;

	unsigned ncpus;
	struct vcpu cpu[OPTS_CPUS_MAX];
	sem_t sealed; /* posted by every vCPU thread that filtered itself */
	sem_t debug_sealed; /* posted by the debug thread */
	sem_t created; /* posted when vCPU 0 exists, or failed to */

	uint32_t tsc_khz;
	bool pvm; /* the software KVM */
	uint64_t started_ns; /* CLOCK_MONOTONIC, when vCPU 0 was let go */
	struct vm_pause pause;

	struct ev_source hangup; /* the parent's end of the log or ready descriptor */
	atomic_int status; /* -1 while running, else enum vm_status */
};

/*
 * Create the VM, map and fill its memory, create its devices and vCPU threads. *vm is all zero: clearing it would cost the
 * process a megabyte that is hardly used. image/size is the guest's ELF file, page aligned and as it was read; it must outlive the VM.
 * On failure the process is expected to exit: nothing is undone.
 */
int vm_create(struct vm *vm, const struct opts *opts, int kvm_fd, const void *image, size_t size,
	struct cm_err *err);

/* Let vCPU 0 enter the guest, seal the calling thread and serve until the guest stops. Returns the process' exit status. */
int vm_run(struct vm *vm);

/* Ask for the end of the VM with this status; the first caller wins. Any thread; does not wait. */
void vm_stop(struct vm *vm, enum vm_status status);

/* As vm_stop, for a VMM that cannot go on; logs err. */
void vm_fail(struct vm *vm, const struct cm_err *err);

/* A vCPU thread tells how far it is. */
void vm_sealed(struct vm *vm);
void vm_first_vcpu_created(struct vm *vm);

static inline bool vm_stopping(const struct vm *vm)
{
	return atomic_load_explicit(&vm->status, memory_order_relaxed) >= 0;
}

#endif
