/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID of the PC by a description: a model ("max" or "host": all that KVM supports; "qemu64", "Opteron_G1": little more than the x86-64
 * base), then changes: "+name", "-name", "name=on", "name=off" for features, "vendor=TEXT". What KVM does not support stays off.
 */
#ifndef CM_VMM_PC_MODEL_H
#define CM_VMM_PC_MODEL_H

#include <stdbool.h>

#include "common/err.h"
#include "vmm/kvm.h"

#define PC_MODEL_HYPERV "hv_passthrough" /* the option: all of Hyper-V's interface that KVM has */

/* Rewrite the table of supported CPUID. `deadline`: the local APIC has TSC deadline mode. 0, or -errno with the unknown word in err. */
int pc_model_apply(struct kvm_cpuid_table *t, const char *text, unsigned cpus, bool deadline,
	struct cm_err *err);

/* Put Hyper-V's leaves before KVM's. */
void pc_model_hyperv(struct kvm_cpuid_table *t, const struct kvm_cpuid_table *hv);

/* Make the table vCPU `cpu`'s. */
void pc_model_for_cpu(struct kvm_cpuid_table *t, unsigned cpu);

#endif
