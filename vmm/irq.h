/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts into the guest: messages straight to the local APIC of vCPU 0, as neither IOAPIC nor PIC is modelled. */
#ifndef CM_VMM_IRQ_H
#define CM_VMM_IRQ_H

struct vm;

/* Raise the vector of virtio page `index`. Any thread; never blocks. The signature is that of virtio_env.raise; `vm` is a struct vm. */
void irq_raise(void *vm, unsigned int index);

#endif
