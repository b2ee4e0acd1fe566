/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `--edu` and `--iommu` add to the machine: a PCI bus with the edu device, a remapping unit with an I/O APIC in front of it. One lock
 * serves all of it; it is taken here and nowhere below.
 */
#ifndef CM_VMM_PC_CHIPSET_H
#define CM_VMM_PC_CHIPSET_H

#include <pthread.h>
#include <stdbool.h>

#include "common/err.h"
#include "vmm/pc/edu.h"
#include "vmm/pc/ioapic.h"
#include "vmm/pc/iommu.h"
#include "vmm/pc/pci.h"

struct pc;
struct pc_chipset;

/* A range of addresses that is served under the lock. */
struct pc_chip_range {
	struct pc_chipset *chipset;
	const struct bus_ops *ops;
	void *dev;
};

#define PC_CHIP_RANGES 4

struct pc_chipset {
	struct pc *pc;
	bool has_pci, has_iommu; /* constant once vCPUs run, and the ranges */
	unsigned ranges;
	struct pc_chip_range range[PC_CHIP_RANGES];

	pthread_mutex_t lock; /* protects: the rest */
	struct pc_pci pci;
	struct pc_edu edu;
	struct pc_iommu iommu;
	struct pc_ioapic ioapic;
	bool routed; /* KVM knows of level-triggered interrupts */
};

/* Make what the options ask for and claim its addresses. 0, or -errno with err filled. */
int pc_chipset_init(struct pc_chipset *c, struct pc *pc, struct cm_err *err);

/* The level of an input of the I/O APIC here. Any thread. */
void pc_chipset_line(struct pc_chipset *c, unsigned input, bool level);

/* KVM says that a level-triggered interrupt has ended. */
void pc_chipset_eoi(struct pc_chipset *c, uint8_t vector);

#endif
