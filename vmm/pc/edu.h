/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The "edu" device of QEMU (docs/specs/edu there), by which tests exercise PCI: an inverter, factorials, DMA of up to 4096 bytes, interrupts
 * on demand. Everything is done when the access that asked for it returns. No lock: the chipset's protects it.
 */
#ifndef CM_VMM_PC_EDU_H
#define CM_VMM_PC_EDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/pc/pci.h"

#define EDU_BUFFER 4096u

struct pc_edu {
	struct pc_pci *pci;
	struct pc_pci_function *f;
	/* Move bytes between the buffer and memory as the device sees it. */
	void (*dma)(void *arg, uint16_t sid, uint64_t addr, void *buf, size_t len, bool write);
	void *arg;

	uint32_t alive, factorial, status, interrupts;
	uint64_t source, target, count, command;
	uint8_t buffer[EDU_BUFFER];
};

/* Put it on the bus. 0 or -ENOSPC. */
int pc_edu_init(struct pc_edu *e, struct pc_pci *pci,
	void (*dma)(void *arg, uint16_t sid, uint64_t addr, void *buf, size_t len, bool write),
	void *arg);

#endif
