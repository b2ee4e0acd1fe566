/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An I/O APIC of 24 inputs outside of KVM: what arrives at an input leaves as a message, which a remapping unit can look at. No lock: the
 * chipset's protects it.
 */
#ifndef CM_VMM_PC_IOAPIC_H
#define CM_VMM_PC_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/pc/vtd.h"

#define PC_IOAPIC_INPUTS 24u
#define PC_IOAPIC_LEN	 0x100ull

struct pc_ioapic {
	void (*send)(void *arg, struct vtd_msg m);
	/* What level-triggered inputs send has changed: whoever tells of their ends must know. */
	void (*changed)(void *arg);
	void *arg;

	uint8_t select, id;
	uint32_t high; /* bit N: input N is high */
	uint64_t entry[PC_IOAPIC_INPUTS];
};

void pc_ioapic_init(struct pc_ioapic *a, void (*send)(void *arg, struct vtd_msg m),
	void (*changed)(void *arg), void *arg);

/* Accesses of its registers. */
extern const struct bus_ops pc_ioapic_ops;

/* The level of an input. Numbers that there are none of are ignored. */
void pc_ioapic_line(struct pc_ioapic *a, unsigned input, bool level);

/* A processor is done with a level-triggered interrupt of this vector. */
void pc_ioapic_eoi(struct pc_ioapic *a, uint8_t vector);

/* What input N sends if it is level-triggered and not masked. */
bool pc_ioapic_level(const struct pc_ioapic *a, unsigned input, struct vtd_msg *m);

#endif
