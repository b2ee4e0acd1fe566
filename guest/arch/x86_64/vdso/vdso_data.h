/* SPDX-License-Identifier: Apache-2.0 */
/* The page that the kernel shares with the vDSO: right below the image in every address space, read-only there. One for each time namespace. */
#ifndef ARCH_X86_64_VDSO_DATA_H
#define ARCH_X86_64_VDSO_DATA_H

#include <stdint.h>

struct vdso_data {
	uint32_t seq; /* odd while the kernel changes the rest */
	uint32_t cpu_segment; /* selector whose limit is the CPU's number, 0 = there is none */
	uint64_t mult, shift, base_tsc; /* CLOCK_MONOTONIC ns = (tsc - base_tsc) * mult >> shift */
	uint64_t realtime_offset; /* CLOCK_REALTIME - CLOCK_MONOTONIC, ns */
	uint64_t monotonic_offset, boottime_offset; /* of the time namespace, ns; modulo 2^64 */
};

#endif
