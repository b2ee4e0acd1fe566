/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thin wrappers of the KVM ioctls; nothing else in the VMM issues one. All return 0 or more on success and -errno on failure, keep no
 * state and take no lock.
 */
#ifndef CM_VMM_KVM_H
#define CM_VMM_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KVM_CPUID_MAX 128 /* entries that we ask the kernel for */

/* struct kvm_cpuid2 with room for its entries. */
struct kvm_cpuid_table {
	uint32_t nent;
	uint32_t padding;
	struct kvm_cpuid_entry2 e[KVM_CPUID_MAX];
};
_Static_assert(offsetof(struct kvm_cpuid_table, e) == offsetof(struct kvm_cpuid2, entries),
	"the kernel's layout");

/* System descriptor (/dev/kvm). */
int kvm_api_version(int kvm_fd);
int kvm_cap(int kvm_fd, int cap); /* value of the capability, 0 when absent */
int kvm_create_vm(int kvm_fd); /* new descriptor, close-on-exec */
int kvm_run_size(int kvm_fd); /* bytes of the shared kvm_run area */
int kvm_supported_cpuid(int kvm_fd, struct kvm_cpuid_table *t);
int kvm_supported_hyperv_cpuid(int kvm_fd, struct kvm_cpuid_table *t);

/* VM descriptor. */
int kvm_enable_cap(int vm_fd, uint32_t cap, uint64_t arg0);
int kvm_set_slot(int vm_fd, uint32_t slot, uint64_t gpa, uint64_t len, void *host, uint32_t flags);
int kvm_create_vcpu(int vm_fd, uint32_t id); /* new descriptor */
int kvm_signal_msi(int vm_fd, uint64_t address, uint32_t data); /* 0 when the guest blocked it */
int kvm_set_msr_filter(int vm_fd, struct kvm_msr_filter *f);
int kvm_set_routes(int vm_fd, struct kvm_irq_routing *r); /* replaces all earlier routes */
int kvm_irqfd(int vm_fd, uint32_t gsi, int fd); /* a write to fd raises gsi from now on */
int kvm_ioeventfd(int vm_fd, uint16_t port, uint32_t value, int fd); /* OUT of 4 bytes writes fd */
int kvm_create_irqchip(int vm_fd); /* PIC and I/O APIC; before any vCPU */
int kvm_create_pit(int vm_fd);
int kvm_irq_line(int vm_fd, uint32_t line, bool level);
int kvm_set_intel_pages(int vm_fd, uint32_t gpa); /* four pages that VMX keeps for itself */

/* vCPU descriptor; only its own thread uses it once it runs. */
int kvm_run(int vcpu_fd);
int kvm_set_cpuid(int vcpu_fd, struct kvm_cpuid_table *t);
int kvm_get_regs(int vcpu_fd, struct kvm_regs *r);
int kvm_set_regs(int vcpu_fd, struct kvm_regs *r);
int kvm_get_sregs(int vcpu_fd, struct kvm_sregs *s);
int kvm_set_sregs(int vcpu_fd, struct kvm_sregs *s);
int kvm_get_msr(int vcpu_fd, uint32_t index, uint64_t *value);
int kvm_set_msr(int vcpu_fd, uint32_t index, uint64_t value);
int kvm_get_mp_state(int vcpu_fd, uint32_t *state);
int kvm_set_mp_state(int vcpu_fd, uint32_t state);
int kvm_get_tsc_khz(int vcpu_fd);
int kvm_set_tsc_offset(int vcpu_fd, uint64_t offset);
bool kvm_is_pvm(int vcpu_fd); /* the software KVM */
int kvm_state(int vcpu_fd, unsigned long req,
	void *state); /* a request of the debugger: KVM_GET_* or KVM_SET_* of a structure, KVM_NMI */
int kvm_inject(int vcpu_fd,
	uint8_t vector); /* an exception without error code, before the next instruction */
int kvm_translate(int vcpu_fd, uint64_t va, uint64_t *gpa); /* -EFAULT where nothing is mapped */

#endif
