/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of the first vCPU at the entry of each kind of image, and of one that wakes from sleep. */
#ifndef CM_VMM_PC_BOOT_H
#define CM_VMM_PC_BOOT_H

#include <linux/kvm.h>

#include "vmm/pc/image.h"

/* Change the registers of a vCPU after its reset into those that the image's protocol wants. */
void pc_boot_regs(const struct pc_image *image, struct kvm_sregs *s, struct kvm_regs *r);

/* Real mode at `vector`, as firmware leaves S3. */
void pc_boot_wake(uint32_t vector, struct kvm_sregs *s, struct kvm_regs *r);

#endif
