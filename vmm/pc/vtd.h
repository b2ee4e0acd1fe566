/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of Intel's "Virtualization Technology for Directed I/O" in guest memory: root, context and second-level tables, interrupt remapping
 * table. No state. Every entry is copied once and looked at then; a walk has as many steps as the address has levels.
 */
#ifndef CM_VMM_PC_VTD_H
#define CM_VMM_PC_VTD_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/gmem.h"

#define VTD_PAGE_BITS 12
#define VTD_ADDR_BITS 48 /* widest guest address: four levels */

/* Fault reasons; the numbers are those of the fault recording registers. */
enum vtd_fault {
	VTD_OK = 0,
	VTD_ROOT_ABSENT = 0x1,
	VTD_CONTEXT_ABSENT = 0x2,
	VTD_CONTEXT_INVALID = 0x3, /* a width or a translation type that is not offered */
	VTD_TOO_WIDE = 0x4,
	VTD_NO_WRITE = 0x5,
	VTD_NO_READ = 0x6,
	VTD_TABLE_ACCESS = 0x7, /* the entry does not lie in memory */
	VTD_ROOT_ACCESS = 0x8,
	VTD_CONTEXT_ACCESS = 0x9,
	VTD_ROOT_RESERVED = 0xa,
	VTD_CONTEXT_RESERVED = 0xb,
	VTD_TABLE_RESERVED = 0xc,
	VTD_IR_RESERVED = 0x20, /* in the message */
	VTD_IR_INDEX = 0x21,
	VTD_IR_ABSENT = 0x22,
	VTD_IR_ACCESS = 0x23,
	VTD_IRTE_RESERVED = 0x24,
	VTD_IR_COMPAT = 0x25, /* a message in the old format, which is not allowed */
	VTD_IR_SOURCE = 0x26
};

/* Where an address of a device lies. */
struct vtd_place {
	uint64_t gpa;
	uint64_t len; /* bytes from there to the end of the page */
	bool quiet; /* the device's entry asks for no records of its faults; set before they can happen */
};

/* Translate `addr` of device `sid` (bus << 8 | device << 3 | function); rtaddr: the root table register. */
enum vtd_fault vtd_translate(const struct gmem *mem, uint64_t rtaddr, uint16_t sid, uint64_t addr,
	bool write, struct vtd_place *out);

#define VTD_NO_SOURCE (-1) /* a message whose sender has no number: it is not verified */

/* A message-signalled interrupt: as a device sends it, or as a processor gets it. */
struct vtd_msg {
	uint64_t addr;
	uint32_t data;
	uint16_t index; /* of its entry, for the record of a fault */
	bool quiet;
};

/* Remap `m` in place; irta: the interrupt remapping table register; compat: messages in the old format pass as they are. */
enum vtd_fault vtd_remap(
	const struct gmem *mem, uint64_t irta, bool compat, int sid, struct vtd_msg *m);

#endif
