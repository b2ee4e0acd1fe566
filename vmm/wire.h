/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wires: doorbells and interrupts of devices that another process serves, carried by KVM itself (ioeventfd, irqfd) instead of an exit to
 * this process and a turn of its io thread. A machine that ends within 10 ms after they were laid takes 10 ms longer to take apart, so
 * they are laid for machines that have lived for WIRE_AFTER_NS and have rung WIRE_RINGS times since. What KVM does not take goes the long
 * way on.
 */
#ifndef CM_VMM_WIRE_H
#define CM_VMM_WIRE_H

#include "vmm/eventloop.h"

#define WIRE_AFTER_NS 50000000ul
#define WIRE_RINGS    32u

struct vm;

struct wires {
	struct ev_work work; /* lays them */
	uint64_t after; /* CLOCK_MONOTONIC ns */
	_Atomic unsigned rings; /* since then */
	unsigned doorbells, interrupts; /* laid; the io thread's */
};

/* The machine is born. Main thread, before any vCPU runs. 0 or -errno. */
int wire_init(struct vm *vm);

/* A doorbell of a device that may have wires came the long way. Any thread, never blocks. */
void wire_rang(struct vm *vm);

/* Write to the log how many there are. */
void wire_report(const struct vm *vm);

#endif
