/* SPDX-License-Identifier: Apache-2.0 */
/* CPUID policy: what of the host's KVM offer a vCPU may see. */
#ifndef CM_VMM_CPUID_H
#define CM_VMM_CPUID_H

#include <stdbool.h>

#include "vmm/kvm.h"

/*
 * Reduce `t`, as the kernel offers it, to the leaves and bits that the sentry and its applications get, and set the fields that depend
 * on the machine: hypervisor bit, topology of `cpus` cores in one package, TSC deadline timer if `tsc_deadline`. Once a VM.
 */
void cpuid_filter(struct kvm_cpuid_table *t, unsigned cpus, bool tsc_deadline);

/* Set the fields that depend on the vCPU (APIC id). Before each kvm_set_cpuid. */
void cpuid_for_cpu(struct kvm_cpuid_table *t, unsigned cpu);

#endif
