/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, all in nanoseconds from the TSC. */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include "lib/types.h"

#define NSEC_PER_SEC  1000000000UL
#define NSEC_PER_MSEC 1000000UL
#define NSEC_PER_USEC 1000UL

u64 clock_monotonic(void); /* since boot of the sentry */
u64 clock_realtime(void); /* since 1970 */
void clock_set_realtime(u64 ns); /* for all programs, at once */

/* Boot: TSC frequency, TSC and wall clock at the moment that CLOCK_MONOTONIC calls 0. */
void clock_init(u64 tsc_khz, u64 boot_tsc, u64 boot_realtime_ns);
u64 clock_tsc_to_ns(u64 cycles); /* a difference of two TSC values */
u64 clock_ns_to_deadline(u64 ns); /* TSC value at which CLOCK_MONOTONIC has reached ns */

/* For the vDSO: ns = (tsc - base_tsc) * mult >> shift, in 128 bits. */
struct clock_params {
	u64 mult, shift, base_tsc, realtime_offset;
};
void clock_params(struct clock_params *p);

#endif
