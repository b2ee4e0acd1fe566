/* SPDX-License-Identifier: Apache-2.0 */
/* The state in which every vCPU enters the sentry: boot page tables, GDT and registers, as include/casemate/guestmem.h fixes them. */
#ifndef CM_VMM_BOOT_H
#define CM_VMM_BOOT_H

#include <linux/kvm.h>
#include <stdint.h>

/*
 * Write the boot page tables and the GDT into `ram`, freshly mapped (zero) memory of `size` bytes (CM_RAM_MIN to CM_RAM_MAX, a multiple
 * of 2 MiB).
 */
void boot_write_tables(void *ram, uint64_t size);

/* Turn the registers of a fresh vCPU into those of 64-bit kernel mode on the boot tables. */
void boot_sregs(struct kvm_sregs *s);

/* General registers at the entry. fdt_gpa goes to RDI, the vCPU's index to RSI. */
void boot_regs(struct kvm_regs *r, uint64_t entry, uint64_t fdt_gpa, unsigned cpu);

#endif
