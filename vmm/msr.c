/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSR allow-list. Ranges of the x2APIC (0x800-0x8ff) cannot be filtered and stay allowed. What is listed: what a 64-bit kernel needs to take
 * system calls and interrupts, to tell time and to keep its state, and the interface of the software KVM. Feature and mitigation registers
 * are readable so that the sentry can look before it leaps.
 */
#include <config.h>
#include "vmm/msr.h"

#include <stdint.h>
#include <string.h>

#include "vmm/kvm.h"

#define MSR_SPAN 0x800u /* registers that one bitmap covers */

struct msr_range {
	uint32_t first;
	uint32_t last;
};

static const struct msr_range msr_allowed[] = {
	{ 0x10, 0x10 }, /* TSC */
	{ 0x1b, 0x1b }, /* APIC base */
	{ 0x3b, 0x3b }, /* TSC adjust */
	{ 0x48, 0x49 }, /* SPEC_CTRL, PRED_CMD */
	{ 0x8b, 0x8b }, /* microcode revision */
	{ 0x10a, 0x10a }, /* ARCH_CAPABILITIES */
	{ 0x174, 0x176 }, /* SYSENTER */
	{ 0x179, 0x17a }, /* MCG_CAP, MCG_STATUS */
	{ 0x1a0, 0x1a0 }, /* MISC_ENABLE */
	{ 0x277, 0x277 }, /* PAT */
	{ 0x6e0, 0x6e0 }, /* TSC deadline */
	{ 0x4b564d10, 0x4b564d13 }, /* software KVM: shared page, probe, features, TSC frequency */
	{ 0xc0000080, 0xc0000084 }, /* EFER STAR LSTAR CSTAR FMASK */
	{ 0xc0000100, 0xc0000103 }, /* FS GS KERNEL_GS base, TSC_AUX */
};

/* Bases of the bitmaps that hold the list; registers outside them are denied by default. */
static const uint32_t msr_bases[] = { 0, 0x4b564d00, 0xc0000000 };

#define MSR_BITMAPS (sizeof(msr_bases) / sizeof(msr_bases[0]))

int msr_filter(int vm_fd)
{
	uint8_t bits[MSR_BITMAPS][MSR_SPAN / 8];
	struct kvm_msr_filter f = { .flags = KVM_MSR_FILTER_DEFAULT_DENY };
	uint32_t msr;
	size_t i, k;

	memset(bits, 0, sizeof(bits));
	for (k = 0; k < MSR_BITMAPS; k++) {
		for (i = 0; i < sizeof(msr_allowed) / sizeof(msr_allowed[0]); i++) {
			for (msr = msr_allowed[i].first; msr <= msr_allowed[i].last; msr++) {
				uint32_t bit = msr - msr_bases[k];

				if (bit < MSR_SPAN)
					bits[k][bit / 8] |= (uint8_t)(1u << (bit % 8));
			}
		}
		f.ranges[k] = (struct kvm_msr_filter_range){
			.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.nmsrs = MSR_SPAN,
			.base = msr_bases[k],
			.bitmap = bits[k],
		};
	}
	return kvm_set_msr_filter(vm_fd, &f);
}
