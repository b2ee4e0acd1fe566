/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on memory: decode and copy; the work is done in mm/. */
#include <linux/membarrier.h>
#include <linux/mman.h>

#include "fs/fdtable.h"
#include "mm/as.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "task/signal.h"

#define MM_PAGE_OFFSET(x) ((x) & (PAGE_SIZE - 1))
#define MMAP_KNOWN_FLAGS \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE | \
		MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | \
		MAP_STACK | MAP_FIXED_NOREPLACE)

s64 sys_mmap(struct task *t, const struct sysargs *a)
{
	u32 prot = (u32)a->a[2], flags = (u32)a->a[3];
	struct file *file = NULL;
	s64 ret;

	if (MM_PAGE_OFFSET(a->a[5]))
		return -EINVAL;
	if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE && (flags & ~(u32)MMAP_KNOWN_FLAGS))
		return -EOPNOTSUPP;
	if (flags & MAP_HUGETLB)
		return -ENOMEM; /* no huge pages are set aside */
	if (!(flags & MAP_ANONYMOUS)) {
		file = fd_get((int)a->a[4]);
		if (!file)
			return -EBADF;
	}
	ret = as_mmap(t->as, a->a[0], a->a[1], prot, flags, file, a->a[5] >> PAGE_SHIFT);
	if (file)
		file_put(file);
	return ret;
}

s64 sys_munmap(struct task *t, const struct sysargs *a)
{
	return as_munmap(t->as, a->a[0], a->a[1]);
}

s64 sys_mprotect(struct task *t, const struct sysargs *a)
{
	return as_mprotect(t->as, a->a[0], a->a[1], (u32)a->a[2]);
}

s64 sys_brk(struct task *t, const struct sysargs *a)
{
	return (s64)as_brk(t->as, a->a[0]);
}

s64 sys_mremap(struct task *t, const struct sysargs *a)
{
	return as_mremap(t->as, a->a[0], a->a[1], a->a[2], (u32)a->a[3], a->a[4]);
}

s64 sys_remap_file_pages(struct task *t, const struct sysargs *a)
{
	if (a->a[2])
		return -EINVAL;
	return as_remap_pages(t->as, a->a[0], a->a[1], a->a[3]);
}

s64 sys_madvise(struct task *t, const struct sysargs *a)
{
	return as_madvise(t->as, a->a[0], a->a[1], (int)a->a[2]);
}

s64 sys_msync(struct task *t, const struct sysargs *a)
{
	return as_msync(t->as, a->a[0], a->a[1], (int)a->a[2]);
}

s64 sys_mincore(struct task *t, const struct sysargs *a)
{
	return as_mincore(t->as, a->a[0], a->a[1], a->a[2]);
}

s64 sys_mlock(struct task *t, const struct sysargs *a)
{
	return as_mlock(t->as, a->a[0], a->a[1], AS_LOCK);
}

s64 sys_mlock2(struct task *t, const struct sysargs *a)
{
	if (a->a[2] & ~(u64)MLOCK_ONFAULT)
		return -EINVAL;
	return as_mlock(t->as, a->a[0], a->a[1], a->a[2] ? AS_LOCK_ONFAULT : AS_LOCK);
}

s64 sys_munlock(struct task *t, const struct sysargs *a)
{
	return as_mlock(t->as, a->a[0], a->a[1], AS_UNLOCK);
}

s64 sys_mlockall(struct task *t, const struct sysargs *a)
{
	int flags = (int)a->a[0];

	if (!(flags & (MCL_CURRENT | MCL_FUTURE)) ||
		(flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)))
		return -EINVAL;
	return as_mlockall(t->as, flags & MCL_CURRENT, flags & MCL_FUTURE,
		flags & MCL_ONFAULT ? AS_LOCK_ONFAULT : AS_LOCK);
}

s64 sys_munlockall(struct task *t, const struct sysargs *a)
{
	(void)a;
	return as_mlockall(t->as, false, false, AS_UNLOCK);
}

/* ---- membarrier ---- */

/* An interrupt on every CPU that runs a program orders memory there; the return from it serialises the core and, where `resumed` is set, starts
 * a restartable sequence again. */

/* What a private command must have been registered with; 0: it is none. */
static u32 membarrier_register(u32 cmd)
{
	switch (cmd) {
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		return MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		return MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
		return MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;
	default:
		return 0;
	}
}

static void membarrier_restart(struct group *g)
{
	u64 flags = sig_lock(g);
	struct task *t;

	list_for_each_entry (t, &g->tasks, group_link) {
		if (t->thread && t->thread->rseq)
			WRITE_ONCE(t->thread->resumed, true);
	}
	sig_unlock(g, flags);
}

static s64 membarrier_private(struct task *t, u32 cmd)
{
	if (!(atomic_load(&t->as->membarrier) & membarrier_register(cmd)))
		return -EPERM;
	if (cmd == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ)
		membarrier_restart(t->group);
	tlb_flush(&t->as->pt, ~0UL, 0, PAGE_SIZE);
	return 0;
}

s64 sys_membarrier(struct task *t, const struct sysargs *a)
{
	const u32 all = MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ * 2 - 1;
	u32 cmd = (u32)a->a[0];

	/* The flag names one CPU to restart sequences on: all are. */
	if (a->a[1] && !(cmd == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ &&
			       a->a[1] == MEMBARRIER_CMD_FLAG_CPU))
		return -EINVAL;
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY:
		return all;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		arch_sync_cpus();
		return 0;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
		atomic_or(&t->as->membarrier, cmd);
		return 0;
	default:
		return membarrier_register(cmd) ? membarrier_private(t, cmd) : -EINVAL;
	}
}

/* ---- protection keys: the processor has none ---- */

s64 sys_pkey_alloc(struct task *t, const struct sysargs *a)
{
	(void)t;
	return a->a[0] || (a->a[1] & ~3UL) ? -EINVAL : -ENOSPC;
}

s64 sys_pkey_free(struct task *t, const struct sysargs *a)
{
	(void)t;
	(void)a;
	return -EINVAL;
}

s64 sys_pkey_mprotect(struct task *t, const struct sysargs *a)
{
	if ((int)a->a[3] != -1)
		return -EINVAL;
	return as_mprotect(t->as, a->a[0], a->a[1], (u32)a->a[2]);
}
