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

#endif
