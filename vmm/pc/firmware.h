/* SPDX-License-Identifier: Apache-2.0 */
/* What a BIOS would have left in memory: ACPI tables, boot information of the image's protocol, a GDT. All of it lies in CM_PC_FIRMWARE. */
#ifndef CM_VMM_PC_FIRMWARE_H
#define CM_VMM_PC_FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/pc/image.h"

#define PC_CMDLINE_MAX 4096u /* with its end */
#define PC_GDT	       (CM_PC_FIRMWARE + 0x10000)
#define PC_GDT_ENTRIES 4u
#define PC_GDT_CODE    0x10u
#define PC_GDT_DATA    0x18u
#define PC_MULTIBOOT   (CM_PC_FIRMWARE + 0x10100)
#define PC_PVH	       (CM_PC_FIRMWARE + 0x10200)
#define PC_FACS	       (CM_PC_FIRMWARE + 0x200) /* waking vector at offset 12 */
#define PC_FACS_VECTOR 12
#define PC_APICS_MAX   64u
#define PC_LAPIC_BASE  0xfee00000u
#define PC_IOAPIC_BASE 0xfec00000u

struct pc_firmware {
	uint64_t low, high; /* bytes of RAM from 0 and from 4 GiB */
	unsigned cpus;
	bool iommu; /* a VT-d unit at PC_IOMMU_BASE */
	const char *cmdline; /* shorter than PC_CMDLINE_MAX */
	uint32_t module, module_end; /* guest-physical; equal = none */
};

/* Fill the firmware's area of `ram`, which maps guest-physical 0 and is zero there. */
void pc_firmware_write(uint8_t *ram, const struct pc_firmware *f);

#endif
