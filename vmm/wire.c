/* SPDX-License-Identifier: Apache-2.0 */
/* Doorbells and interrupts that KVM carries. */
#include <config.h>
#include "vmm/wire.h"

#include <stddef.h>

#include <casemate/guestmem.h>
#include <casemate/hypercall.h>

#include "vmm/kvm.h"
#include "vmm/virtio/device.h"
#include "vmm/vlog.h"
#include "vmm/vm.h"

/* struct kvm_irq_routing with room for every device. */
struct wire_routes {
	uint32_t nr;
	uint32_t flags;
	struct kvm_irq_routing_entry entry[CM_VIRTIO_MAX];
};
_Static_assert(offsetof(struct wire_routes, entry) == offsetof(struct kvm_irq_routing, entries),
	"the kernel's layout");

/* The route of each device's interrupt: the message that irq_raise sends. */
static bool wire_add_routes(struct vm *vm)
{
	struct wire_routes r = { .nr = vm->ndevices };
	unsigned i;

	for (i = 0; i < vm->ndevices; i++)
		r.entry[i] = (struct kvm_irq_routing_entry){
			.gsi = VM_IOAPIC_ROUTES + i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi.address_lo = CM_GPA_LAPIC,
			.u.msi.data = CM_VECTOR_VIRTIO + i,
		};
	/* #syscalls:io ioctl[1=KVM_SET_GSI_ROUTING] */
	return kvm_set_routes(vm->vm_fd, (struct kvm_irq_routing *)&r) == 0;
}

static void wire_doorbells(struct vm *vm, const struct virtio_dev *dev)
{
	uint32_t q;

	/* #syscalls:io ioctl[1=KVM_IOEVENTFD] */
	for (q = 0; q < dev->ops->nqueues; q++)
		vm->wires.doorbells += kvm_ioeventfd(vm->vm_fd, CM_PORT_DOORBELL,
					       dev->env.index << 16 | q, dev->kick_fd) == 0;
}

static void wire_interrupt(struct vm *vm, struct virtio_dev *dev)
{
	/* What was written to it before counts. #syscalls:io ioctl[1=KVM_IRQFD] */
	if (kvm_irqfd(vm->vm_fd, VM_IOAPIC_ROUTES + dev->env.index, dev->call_fd) < 0)
		return;
	virtio_dev_wired(dev);
	vm->wires.interrupts++;
}

static void wire_lay(struct ev_work *w)
{
	struct vm *vm = w->arg;
	bool routes = wire_add_routes(vm);
	unsigned i;

	for (i = 0; i < vm->ndevices; i++) {
		struct virtio_dev *dev = vm->device[i];

		if (dev->kick_fd >= 0)
			wire_doorbells(vm, dev);
		if (dev->call_fd >= 0 && routes)
			wire_interrupt(vm, dev);
	}
}

int wire_init(struct vm *vm)
{
	vm->wires.work = (struct ev_work){ .fn = wire_lay, .arg = vm };
	vm->wires.after = eventloop_now() + WIRE_AFTER_NS;
	return eventloop_work_add(vm->loop, &vm->wires.work);
}

void wire_rang(struct vm *vm)
{
	/* #syscalls:vcpu clock_gettime -- where the clock is no TSC */
	if (eventloop_now() < vm->wires.after)
		return;
	if (atomic_fetch_add(&vm->wires.rings, 1) == WIRE_RINGS)
		eventloop_post(&vm->wires.work);
}

void wire_report(const struct vm *vm)
{
	vlog_printf("wires doorbells=%u interrupts=%u", vm->wires.doorbells, vm->wires.interrupts);
}
