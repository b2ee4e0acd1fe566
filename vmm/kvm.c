/* SPDX-License-Identifier: Apache-2.0 */
/* Thin wrappers of the KVM ioctls. */
#include <config.h>
#include "vmm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define MSR_PVM_PROBE 0x4b564d11 /* reads PVM_SIGNATURE where the interface exists */
#define PVM_SIGNATURE 0x4d5650

static int kvm_call(int fd, unsigned long req, void *arg)
{
	int r = ioctl(fd, req, arg);

	return r < 0 ? -errno : r;
}

static int kvm_call_value(int fd, unsigned long req, unsigned long arg)
{
	int r = ioctl(fd, req, arg);

	return r < 0 ? -errno : r;
}

int kvm_api_version(int kvm_fd)
{
	return kvm_call_value(kvm_fd, KVM_GET_API_VERSION, 0);
}

int kvm_cap(int kvm_fd, int cap)
{
	int r = kvm_call_value(kvm_fd, KVM_CHECK_EXTENSION, (unsigned long)cap);

	return r < 0 ? 0 : r;
}

int kvm_create_vm(int kvm_fd)
{
	int r;

	/* The call is interrupted when a signal arrives while the kernel waits for its worker thread. */
	do {
		r = kvm_call_value(kvm_fd, KVM_CREATE_VM, 0);
	} while (r == -EINTR);
	return r;
}

int kvm_run_size(int kvm_fd)
{
	return kvm_call_value(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
}

int kvm_supported_cpuid(int kvm_fd, struct kvm_cpuid_table *t)
{
	memset(t, 0, sizeof(*t));
	t->nent = KVM_CPUID_MAX;
	return kvm_call(kvm_fd, KVM_GET_SUPPORTED_CPUID, t);
}

int kvm_supported_hyperv_cpuid(int kvm_fd, struct kvm_cpuid_table *t)
{
	memset(t, 0, sizeof(*t));
	t->nent = KVM_CPUID_MAX;
	return kvm_call(kvm_fd, KVM_GET_SUPPORTED_HV_CPUID, t);
}

int kvm_enable_cap(int vm_fd, uint32_t cap, uint64_t arg0)
{
	struct kvm_enable_cap c = { .cap = cap, .args = { arg0 } };

	return kvm_call(vm_fd, KVM_ENABLE_CAP, &c);
}

int kvm_set_slot(int vm_fd, uint32_t slot, uint64_t gpa, uint64_t len, void *host, uint32_t flags)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = len,
		.userspace_addr = (uint64_t)(uintptr_t)host,
	};

	return kvm_call(vm_fd, KVM_SET_USER_MEMORY_REGION, &r);
}

int kvm_create_vcpu(int vm_fd, uint32_t id)
{
	return kvm_call_value(vm_fd, KVM_CREATE_VCPU, id);
}

int kvm_signal_msi(int vm_fd, uint64_t address, uint32_t data)
{
	struct kvm_msi m = {
		.address_lo = (uint32_t)address,
		.address_hi = (uint32_t)(address >> 32),
		.data = data,
	};

	return kvm_call(vm_fd, KVM_SIGNAL_MSI, &m);
}

int kvm_set_msr_filter(int vm_fd, struct kvm_msr_filter *f)
{
	return kvm_call(vm_fd, KVM_X86_SET_MSR_FILTER, f);
}

int kvm_create_irqchip(int vm_fd)
{
	return kvm_call_value(vm_fd, KVM_CREATE_IRQCHIP, 0);
}

int kvm_create_pit(int vm_fd)
{
	struct kvm_pit_config c = { .flags = KVM_PIT_SPEAKER_DUMMY };

	return kvm_call(vm_fd, KVM_CREATE_PIT2, &c);
}

int kvm_set_routes(int vm_fd, struct kvm_irq_routing *r)
{
	return kvm_call(vm_fd, KVM_SET_GSI_ROUTING, r);
}

int kvm_irqfd(int vm_fd, uint32_t gsi, int fd)
{
	struct kvm_irqfd i = { .fd = (uint32_t)fd, .gsi = gsi };

	return kvm_call(vm_fd, KVM_IRQFD, &i);
}

int kvm_ioeventfd(int vm_fd, uint16_t port, uint32_t value, int fd)
{
	struct kvm_ioeventfd e = {
		.datamatch = value,
		.addr = port,
		.len = sizeof(value),
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	return kvm_call(vm_fd, KVM_IOEVENTFD, &e);
}

int kvm_irq_line(int vm_fd, uint32_t line, bool level)
{
	struct kvm_irq_level l = { .irq = line, .level = level };

	return kvm_call(vm_fd, KVM_IRQ_LINE, &l);
}

int kvm_set_intel_pages(int vm_fd, uint32_t gpa)
{
	uint64_t identity = gpa;
	int r = kvm_call(vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);

	return r < 0 ? r : kvm_call_value(vm_fd, KVM_SET_TSS_ADDR, gpa + 0x1000);
}

int kvm_run(int vcpu_fd)
{
	return kvm_call_value(vcpu_fd, KVM_RUN, 0);
}

int kvm_set_cpuid(int vcpu_fd, struct kvm_cpuid_table *t)
{
	return kvm_call(vcpu_fd, KVM_SET_CPUID2, t);
}

int kvm_get_regs(int vcpu_fd, struct kvm_regs *r)
{
	return kvm_call(vcpu_fd, KVM_GET_REGS, r);
}

int kvm_set_regs(int vcpu_fd, struct kvm_regs *r)
{
	return kvm_call(vcpu_fd, KVM_SET_REGS, r);
}

int kvm_get_sregs(int vcpu_fd, struct kvm_sregs *s)
{
	return kvm_call(vcpu_fd, KVM_GET_SREGS, s);
}

int kvm_set_sregs(int vcpu_fd, struct kvm_sregs *s)
{
	return kvm_call(vcpu_fd, KVM_SET_SREGS, s);
}

/* struct kvm_msrs with one entry. */
struct kvm_one_msr {
	uint32_t nmsrs;
	uint32_t pad;
	struct kvm_msr_entry e;
};
_Static_assert(offsetof(struct kvm_one_msr, e) == offsetof(struct kvm_msrs, entries),
	"the kernel's layout");

int kvm_get_msr(int vcpu_fd, uint32_t index, uint64_t *value)
{
	struct kvm_one_msr m = { .nmsrs = 1, .e.index = index };
	int r = kvm_call(vcpu_fd, KVM_GET_MSRS, &m);

	if (r < 0)
		return r;
	if (r != 1)
		return -ENOENT;
	*value = m.e.data;
	return 0;
}

int kvm_set_msr(int vcpu_fd, uint32_t index, uint64_t value)
{
	struct kvm_one_msr m = { .nmsrs = 1, .e = { .index = index, .data = value } };
	int r = kvm_call(vcpu_fd, KVM_SET_MSRS, &m);

	if (r < 0)
		return r;
	return r == 1 ? 0 : -ENOENT;
}

int kvm_get_mp_state(int vcpu_fd, uint32_t *state)
{
	struct kvm_mp_state s = { 0 };
	int r = kvm_call(vcpu_fd, KVM_GET_MP_STATE, &s);

	*state = s.mp_state;
	return r;
}

int kvm_set_mp_state(int vcpu_fd, uint32_t state)
{
	struct kvm_mp_state s = { .mp_state = state };

	return kvm_call(vcpu_fd, KVM_SET_MP_STATE, &s);
}

int kvm_get_tsc_khz(int vcpu_fd)
{
	return kvm_call_value(vcpu_fd, KVM_GET_TSC_KHZ, 0);
}

int kvm_set_tsc_offset(int vcpu_fd, uint64_t offset)
{
	struct kvm_device_attr a = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uint64_t)(uintptr_t)&offset,
	};

	return kvm_call(vcpu_fd, KVM_SET_DEVICE_ATTR, &a);
}

bool kvm_is_pvm(int vcpu_fd)
{
	uint64_t v;

	return kvm_get_msr(vcpu_fd, MSR_PVM_PROBE, &v) == 0 && v == PVM_SIGNATURE;
}

int kvm_state(int vcpu_fd, unsigned long req, void *state)
{
	return kvm_call(vcpu_fd, req, state);
}

int kvm_inject(int vcpu_fd, uint8_t vector)
{
	struct kvm_vcpu_events e;
	int r = kvm_call(vcpu_fd, KVM_GET_VCPU_EVENTS, &e);

	if (r < 0)
		return r;
	/* One that is on its way already goes first; the access comes again. */
	if (e.exception.injected)
		return 0;
	e.exception.injected = 1;
	e.exception.nr = vector;
	e.exception.has_error_code = 0;
	e.flags = 0;
	return kvm_call(vcpu_fd, KVM_SET_VCPU_EVENTS, &e);
}

int kvm_translate(int vcpu_fd, uint64_t va, uint64_t *gpa)
{
	struct kvm_translation t = { .linear_address = va };
	int r = kvm_call(vcpu_fd, KVM_TRANSLATE, &t);

	if (r < 0)
		return r;
	if (!t.valid)
		return -EFAULT;
	*gpa = t.physical_address;
	return 0;
}
