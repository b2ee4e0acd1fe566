/* SPDX-License-Identifier: Apache-2.0 */
/* System calls about the machine: names, memory, random bytes. */
#include <linux/capability.h>
#include <linux/personality.h>
#include <linux/random.h>
#include <linux/sysinfo.h>
#include <linux/time.h>

#include "kernel/clock.h"
#include "kernel/loadavg.h"
#include "kernel/random.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/swap.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "task/signal.h"
#include "task/time_ns.h"
#include "task/uts.h"
#include "task/user_ns.h"

#define RANDOM_CHUNK 256
#define RANDOM_MAX   33554431UL /* as Linux: one call gives no more */

s64 sys_uname(struct task *t, const struct sysargs *a)
{
	struct new_utsname u;

	uts_get(&u);
	if ((t->personality & PER_MASK) == PER_LINUX32)
		str_copy(u.machine, "i686", sizeof(u.machine));
	return copy_to_user(a->a[0], &u, sizeof(u));
}

static s64 uts_set_user(struct task *t, const struct sysargs *a, int (*set)(const char *, size_t))
{
	char name[__NEW_UTS_LEN];

	if (!ns_capable(t->ns->uts->ns.owner, CAP_SYS_ADMIN))
		return -EPERM;
	if ((s64)a->a[1] < 0 || a->a[1] > sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, a->a[0], a->a[1]) < 0)
		return -EFAULT;
	return set(name, a->a[1]);
}

s64 sys_sethostname(struct task *t, const struct sysargs *a)
{
	return uts_set_user(t, a, uts_set_hostname);
}

s64 sys_setdomainname(struct task *t, const struct sysargs *a)
{
	return uts_set_user(t, a, uts_set_domainname);
}

s64 sys_sysinfo(struct task *t, const struct sysargs *a)
{
	struct page_stats s;
	struct swap_stats w;
	struct sysinfo info;
	u64 loads[LOAD_COUNT];

	page_stats(&s);
	swap_stats(&w);
	memset(&info, 0, sizeof(info));
	info.uptime = (s64)(time_shown(CLOCK_BOOTTIME, clock_monotonic()) / NSEC_PER_SEC);
	info.totalram = s.total * PAGE_SIZE;
	info.freeram = s.free * PAGE_SIZE;
	info.totalswap = w.total * PAGE_SIZE;
	info.freeswap = w.free * PAGE_SIZE;
	load_get(loads);
	for (u32 i = 0; i < LOAD_COUNT; i++)
		info.loads[i] = loads[i] << (SI_LOAD_SHIFT - LOAD_SHIFT);
	info.procs = (u16)MIN(pid_count(), 65535u);
	info.mem_unit = 1;
	return copy_to_user(a->a[0], &info, sizeof(info));
}

s64 sys_getrandom(struct task *t, const struct sysargs *a)
{
	u8 buf[RANDOM_CHUNK];
	u64 len = MIN(a->a[1], RANDOM_MAX);
	u64 done = 0;

	if (a->a[2] & ~(u64)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((a->a[2] & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	while (done < len) {
		size_t n = (size_t)MIN(len - done, (u64)sizeof(buf));
		size_t copied;

		random_bytes(buf, n);
		copied = copy_to_user_some(a->a[0] + done, buf, n);
		done += copied;
		if (copied < n)
			return done ? (s64)done : -EFAULT;
		if (done < len && signal_pending(t))
			break;
	}
	memset(buf, 0, sizeof(buf));
	return (s64)done;
}
