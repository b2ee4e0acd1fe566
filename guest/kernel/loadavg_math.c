/* SPDX-License-Identifier: Apache-2.0 */
/* Exponentially decaying averages in fixed point: the arithmetic of Linux's loadavg, so that the digits are the same. */
#include "kernel/loadavg.h"

#define ONE (1UL << LOAD_SHIFT)

/* x to the power of n, of a fixed-point x below 1; each step rounds. */
static u64 fixed_power(u64 x, u64 n)
{
	u64 result = ONE;

	for (; n; n >>= 1) {
		if (n & 1)
			result = (result * x + ONE / 2) >> LOAD_SHIFT;
		x = (x * x + ONE / 2) >> LOAD_SHIFT;
	}
	return result;
}

u64 load_after(u64 avg, u64 keep, u64 active, u64 n)
{
	u64 sum;

	keep = n == 1 ? keep : fixed_power(keep, n);
	sum = avg * keep + active * (ONE - keep);
	if (active >= avg)
		sum += ONE - 1; /* on the way up */
	return sum / ONE;
}
