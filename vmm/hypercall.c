/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sentry's ports. A hypercall block is copied once; every address and count in it is hostile. A failed request answers with -errno in
 * the block and never stops the VM.
 */
#include <config.h>
#include "vmm/hypercall.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <casemate/guestmem.h>
#include <casemate/hypercall.h>

#include "vmm/debug/pause.h"
#include "vmm/debug/trap.h"
#include "vmm/guestlog.h"
#include "vmm/machine.h"
#include "vmm/report.h"
#include "vmm/vm.h"

#define HC_PAGE 4096u

/* Register accesses of virtio devices in order, through the same path as MMIO exits. */
static int hc_mmio_batch(struct vm *vm, const struct cm_hypercall *hc)
{
	struct cm_mmio_op op;
	uint64_t i;

	if (hc->arg[1] > CM_MMIO_BATCH_MAX)
		return -E2BIG;
	for (i = 0; i < hc->arg[1]; i++) {
		uint64_t at = hc->arg[0] + i * sizeof(op);
		uint32_t reg, value;
		uint64_t gpa;

		if (gmem_read(&vm->mem, at, &op, sizeof(op)) < 0)
			return -EFAULT;
		reg = op.offset & ~CM_MMIO_READ;
		if (op.device >= CM_VIRTIO_MAX || reg > CM_VIRTIO_STRIDE - sizeof(value))
			return -EINVAL;
		gpa = CM_GPA_VIRTIO + op.device * CM_VIRTIO_STRIDE + reg;
		if (!(op.offset & CM_MMIO_READ)) {
			value = (uint32_t)op.value;
			bus_write(&vm->mmio, gpa, &value, sizeof(value));
			continue;
		}
		bus_read(&vm->mmio, gpa, &value, sizeof(value));
		op.value = value;
		if (gmem_write(&vm->mem, at, &op, sizeof(op)) < 0)
			return -EFAULT;
	}
	return 0;
}

static int hc_power_off(struct vm *vm, const struct cm_hypercall *hc)
{
	vm_stop(vm, hc->arg[0] == CM_OFF_DONE ? VM_STATUS_OFF : VM_STATUS_GUEST);
	return 0;
}

static int hc_panic(struct vm *vm, const struct cm_hypercall *hc)
{
	struct cm_panic p;

	if (gmem_read(&vm->mem, hc->arg[0], &p, sizeof(p)) < 0)
		return -EFAULT;
	p.text[sizeof(p.text) - 1] = '\0';
	report_panic(vm, &p);
	if (vcpu_current())
		pause_died(vcpu_current(), CM_DBG_PANIC);
	vm_stop(vm, VM_STATUS_GUEST);
	return 0;
}

static int hc_cpu_start(struct vm *vm, const struct cm_hypercall *hc)
{
	uint64_t cpu = hc->arg[0];

	/* vCPU 0 always runs. */
	if (cpu == 0 || cpu >= vm->ncpus)
		return -EINVAL;
	if (atomic_exchange(&vm->cpu[cpu].asked, true))
		return -EALREADY;
	/* Its registers would not have the breakpoints of the others. */
	if (!pause_may_start(&vm->cpu[cpu])) {
		atomic_store(&vm->cpu[cpu].asked, false);
		return -EAGAIN;
	}
	vcpu_want(&vm->cpu[cpu]);
	return 0;
}

/* Give one range back to the host; the guest reads zeroes there afterwards. */
static int hc_release(struct vm *vm, uint64_t gpa, uint64_t len)
{
	uint64_t offset;

	if (gpa < CM_GPA_RAM || (gpa | len) % HC_PAGE != 0)
		return -EINVAL;
	offset = gpa - CM_GPA_RAM;
	if (offset > vm->ram_size || len > vm->ram_size - offset)
		return -EINVAL;
	if (len > 0 && madvise(vm->ram + offset, len, MADV_DONTNEED) < 0)
		return -errno;
	return 0;
}

static int hc_mem_release(struct vm *vm, const struct cm_hypercall *hc)
{
	uint64_t gpa = 0, len = 0, i;
	struct cm_range r;
	int ret;

	if (hc->arg[1] > CM_RANGES_MAX)
		return -E2BIG;
	for (i = 0; i < hc->arg[1]; i++) {
		if (gmem_read(&vm->mem, hc->arg[0] + i * sizeof(r), &r, sizeof(r)) < 0)
			return -EFAULT;
		/* Neighbours become one call. A sum that wraps differs from every gpa in RAM. */
		if (len > 0 && r.gpa == gpa + len && r.len <= vm->ram_size) {
			len += r.len;
			continue;
		}
		ret = hc_release(vm, gpa, len);
		if (len > 0 && ret < 0)
			return ret;
		gpa = r.gpa;
		len = r.len;
	}
	return len > 0 ? hc_release(vm, gpa, len) : 0;
}

static int hc_log(struct vm *vm, const struct cm_hypercall *hc)
{
	char text[CM_LOG_MAX];

	if (hc->arg[1] > sizeof(text))
		return -E2BIG;
	if (gmem_read(&vm->mem, hc->arg[0], text, hc->arg[1]) < 0)
		return -EFAULT;
	guestlog_write(vm->log, text, hc->arg[1]);
	return 0;
}

static int hc_trap(struct vm *vm, const struct cm_hypercall *hc)
{
	return vcpu_current() ? trap_report(vcpu_current(), hc->arg[0], hc->arg[1]) : -ENOENT;
}

static int (*const hc_ops[])(struct vm *vm, const struct cm_hypercall *hc) = {
	[CM_HC_NONE] = NULL,
	[CM_HC_MMIO_BATCH] = hc_mmio_batch,
	[CM_HC_POWER_OFF] = hc_power_off,
	[CM_HC_PANIC] = hc_panic,
	[CM_HC_CPU_START] = hc_cpu_start,
	[CM_HC_MEM_RELEASE] = hc_mem_release,
	[CM_HC_LOG] = hc_log,
	[CM_HC_TRAP] = hc_trap,
};
_Static_assert(sizeof(hc_ops) / sizeof(hc_ops[0]) == CM_HC_COUNT, "one function per request");

/* For the debugger's statistics. */
static void hc_count(unsigned call)
{
	if (vcpu_current())
		vcpu_current()->called = call;
}

static void hc_call(struct vm *vm, uint32_t pfn)
{
	uint64_t gpa = (uint64_t)pfn * HC_PAGE;
	struct cm_hypercall hc;
	int32_t status;

	/* Without a block there is nowhere to answer. */
	if (gmem_read(&vm->mem, gpa, &hc, sizeof(hc)) < 0)
		return;
	hc_count(hc.op < CM_HC_COUNT ? hc.op : CM_HC_NONE);
	status = hc.op < CM_HC_COUNT && hc_ops[hc.op] ? hc_ops[hc.op](vm, &hc) : -ENOSYS;
	gmem_write(&vm->mem, gpa + offsetof(struct cm_hypercall, status), &status, sizeof(status));
}

static void hc_port_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	uint32_t value;

	if (off != 0 || len != sizeof(value))
		return;
	memcpy(&value, data, sizeof(value));
	hc_call(dev, value);
}

static void hc_log_string(void *dev, uint64_t off, const void *data, unsigned len, unsigned count)
{
	struct vm *vm = dev;

	guestlog_write(vm->log, data, (size_t)len * count);
}

static void hc_doorbell(void *dev, uint64_t off, const void *data, unsigned len)
{
	uint32_t value;

	if (off != 0 || len != sizeof(value))
		return;
	memcpy(&value, data, sizeof(value));
	hc_count(VCPU_DOORBELL);
	machine_doorbell(dev, value >> 16, value & 0xffff);
}

static const struct bus_ops hc_doorbell_ops = { .write = hc_doorbell };
static const struct bus_ops hc_call_ops = { .write = hc_port_write };
static const struct bus_ops hc_log_ops = { .write_string = hc_log_string };

int hypercall_init(struct vm *vm)
{
	int r = bus_add(&vm->pio, CM_PORT_CALL, 4, &hc_call_ops, vm);

	if (r == 0)
		r = bus_add(&vm->pio, CM_PORT_DOORBELL, 4, &hc_doorbell_ops, vm);
	return r < 0 ? r : bus_add(&vm->pio, CM_PORT_LOG, 1, &hc_log_ops, vm);
}
