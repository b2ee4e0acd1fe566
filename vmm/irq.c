/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupt injection. */
#include <config.h>
#include "vmm/irq.h"

#include <casemate/guestmem.h>

#include "vmm/kvm.h"
#include "vmm/vm.h"

void irq_raise(void *arg, unsigned int index)
{
	struct vm *vm = arg;

	/*
	 * Destination 0, fixed delivery, edge: the address carries the APIC id in bits 12-19. A guest whose APIC is off gets nothing,
	 * which is its own loss.
	 *
	 * #syscalls:io,vcpu ioctl[1=KVM_SIGNAL_MSI]
	 */
	kvm_signal_msi(vm->vm_fd, CM_GPA_LAPIC, CM_VECTOR_VIRTIO + index);
}
