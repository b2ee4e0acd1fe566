/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One VT-d remapping unit: its registers, its invalidation queue, records of faults. It keeps no translations, so an invalidation has
 * nothing to forget. Offered: legacy mode with 39 and 48 bits, large pages, pass-through, queued invalidation, interrupt remapping with
 * 8-bit destinations. No lock: the chipset's protects it.
 */
#ifndef CM_VMM_PC_IOMMU_H
#define CM_VMM_PC_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/pc/vtd.h"

#define PC_IOMMU_BASE	 0xfed90000ull
#define PC_IOMMU_LEN	 0x1000ull
#define PC_IOMMU_RECORDS 4u
#define PC_IOMMU_BYTES	 0x240u /* of registers that are there */

struct pc_iommu {
	const struct gmem *mem;
	/* An interrupt of the unit itself, which is not remapped. */
	void (*send)(void *arg, uint64_t addr, uint32_t data);
	/* Interrupts may be remapped differently from now on. */
	void (*changed)(void *arg);
	void *arg;

	uint32_t reg[PC_IOMMU_BYTES / 4];
	uint64_t root, table; /* RTADDR and IRTA when the guest said that they count */
	unsigned record; /* the next one to be filled */
};

void pc_iommu_init(struct pc_iommu *u, const struct gmem *mem,
	void (*send)(void *arg, uint64_t addr, uint32_t data), void (*changed)(void *arg),
	void *arg);

/* Accesses of its page: 4 or 8 bytes, aligned; others read as ones and change nothing. */
extern const struct bus_ops pc_iommu_ops;

/* Where `addr` of a device lies. False when the access is blocked, which is on record then. */
bool pc_iommu_dma(
	struct pc_iommu *u, uint16_t sid, uint64_t addr, bool write, struct vtd_place *out);

/* Remap an interrupt. False when it is blocked; that goes on record if `record`. */
bool pc_iommu_remap(struct pc_iommu *u, int sid, struct vtd_msg *m, bool record);

#endif
