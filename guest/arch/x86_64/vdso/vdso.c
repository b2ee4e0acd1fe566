/* SPDX-License-Identifier: Apache-2.0 */
/* The vDSO: clocks and CPU number for programs without a system call. Runs in user mode, needs nothing but its data page. */
#include "arch/x86_64/vdso/vdso_data.h"

#include <linux/time.h>
#include <linux/time_types.h>
#include <asm/unistd.h>

#define NSEC_PER_SEC 1000000000UL
#define CPU_MASK     0xfffu /* of the segment limit; above it the node */

extern const volatile struct vdso_data vdso_data __attribute__((visibility("hidden")));

struct getcpu_cache;
int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts);
int __vdso_clock_getres(int clock, struct __kernel_timespec *ts);
int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz);
__kernel_old_time_t __vdso_time(__kernel_old_time_t *t);
long __vdso_getcpu(unsigned int *cpu, unsigned int *node, struct getcpu_cache *unused);

static long vdso_syscall(long nr, long a0, long a1, long a2)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a0), "S"(a1), "d"(a2)
			 : "rcx", "r11", "memory");
	return ret;
}

/* LFENCE: the counter is not read before earlier instructions are done. */
static uint64_t vdso_tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}

/* CLOCK_REALTIME, CLOCK_MONOTONIC or CLOCK_BOOTTIME. */
static uint64_t vdso_now(int clock)
{
	const volatile struct vdso_data *d = &vdso_data;
	uint64_t ns, tsc;
	uint32_t seq;

	do {
		while ((seq = d->seq) & 1)
			__builtin_ia32_pause();
		tsc = vdso_tsc();
		tsc = tsc > d->base_tsc ? tsc - d->base_tsc : 0;
		ns = (uint64_t)((unsigned __int128)tsc * d->mult >> d->shift);
		if (clock == CLOCK_REALTIME)
			ns += d->realtime_offset;
		else
			ns += clock == CLOCK_BOOTTIME ? d->boottime_offset : d->monotonic_offset;
		__asm__ volatile("" ::: "memory");
	} while (d->seq != seq);
	return ns;
}

int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts)
{
	uint64_t ns;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		ns = vdso_now(CLOCK_REALTIME);
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		ns = vdso_now(CLOCK_MONOTONIC);
		break;
	case CLOCK_BOOTTIME:
		ns = vdso_now(CLOCK_BOOTTIME);
		break;
	default:
		return (int)vdso_syscall(__NR_clock_gettime, clock, (long)ts, 0);
	}
	ts->tv_sec = (long long)(ns / NSEC_PER_SEC);
	ts->tv_nsec = (long long)(ns % NSEC_PER_SEC);
	return 0;
}

int __vdso_clock_getres(int clock, struct __kernel_timespec *ts)
{
	return (int)vdso_syscall(__NR_clock_getres, clock, (long)ts, 0);
}

int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz)
{
	if (tv) {
		uint64_t ns = vdso_now(CLOCK_REALTIME);

		tv->tv_sec = (long)(ns / NSEC_PER_SEC);
		tv->tv_usec = (long)(ns % NSEC_PER_SEC / 1000);
	}
	if (tz) {
		tz->tz_minuteswest = 0;
		tz->tz_dsttime = 0;
	}
	return 0;
}

__kernel_old_time_t __vdso_time(__kernel_old_time_t *t)
{
	__kernel_old_time_t now = (__kernel_old_time_t)(vdso_now(CLOCK_REALTIME) / NSEC_PER_SEC);

	if (t)
		*t = now;
	return now;
}

long __vdso_getcpu(unsigned int *cpu, unsigned int *node, struct getcpu_cache *unused)
{
	unsigned int limit, selector = vdso_data.cpu_segment;

	if (!selector)
		return vdso_syscall(__NR_getcpu, (long)cpu, (long)node, 0);
	__asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(selector));
	if (cpu)
		*cpu = limit & CPU_MASK;
	if (node)
		*node = limit >> 12;
	return 0;
}

int clock_gettime(int, struct __kernel_timespec *)
	__attribute__((weak, alias("__vdso_clock_gettime")));
int clock_getres(int, struct __kernel_timespec *)
	__attribute__((weak, alias("__vdso_clock_getres")));
int gettimeofday(struct __kernel_old_timeval *, struct timezone *)
	__attribute__((weak, alias("__vdso_gettimeofday")));
__kernel_old_time_t time(__kernel_old_time_t *) __attribute__((weak, alias("__vdso_time")));
long getcpu(unsigned int *, unsigned int *, struct getcpu_cache *)
	__attribute__((weak, alias("__vdso_getcpu")));
