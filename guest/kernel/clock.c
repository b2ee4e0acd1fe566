/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks: the TSC, scaled by the frequency and from the base that the VMM gave in the device tree. */
#include "kernel/clock.h"
#include "arch.h"

#define CLOCK_SHIFT   32
#define KHZ_TO_NS_NUM 1000000UL

static u64 clock_mult = 1UL << CLOCK_SHIFT; /* ns a cycle << CLOCK_SHIFT */
static u64 clock_base_tsc, clock_realtime_offset;
static u64 clock_rate = 1UL << CLOCK_SHIFT; /* cycles a ns << CLOCK_SHIFT */

void clock_init(u64 tsc_khz, u64 boot_tsc, u64 boot_realtime_ns)
{
	if (tsc_khz) {
		clock_mult = (KHZ_TO_NS_NUM << CLOCK_SHIFT) / tsc_khz;
		clock_rate = (tsc_khz << CLOCK_SHIFT) / KHZ_TO_NS_NUM + 1;
	}
	clock_base_tsc = boot_tsc;
	clock_realtime_offset = boot_realtime_ns;
}

u64 clock_tsc_to_ns(u64 cycles)
{
	return (u64)((unsigned __int128)cycles * clock_mult >> CLOCK_SHIFT);
}

u64 clock_ns_to_deadline(u64 ns)
{
	/* Rounded up, so that the clock has passed ns when the interrupt comes. */
	return clock_base_tsc + (u64)((unsigned __int128)ns * clock_rate >> CLOCK_SHIFT) + 2;
}

u64 clock_monotonic(void)
{
	u64 tsc = arch_rdtsc();

	/* A CPU whose TSC lags behind the base must not see a time centuries ahead. */
	return tsc > clock_base_tsc ? clock_tsc_to_ns(tsc - clock_base_tsc) : 0;
}

u64 clock_realtime(void)
{
	return READ_ONCE(clock_realtime_offset) + clock_monotonic();
}

void clock_set_realtime(u64 ns)
{
	WRITE_ONCE(clock_realtime_offset, ns - clock_monotonic());
	vdso_update();
}

void clock_params(struct clock_params *p)
{
	*p = (struct clock_params){ .mult = clock_mult,
		.shift = CLOCK_SHIFT,
		.base_tsc = clock_base_tsc,
		.realtime_offset = clock_realtime_offset };
}
