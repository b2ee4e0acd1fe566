/* SPDX-License-Identifier: Apache-2.0 */
/* The rarer memory calls: mlockall, mlock2, membarrier, protection keys, memory policy, remaps of shared memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "mm_tap.h"

#define PAGE 4096UL
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static bool fails(long ret, int err)
{
	return ret == -1 && errno == err;
}

static void test_locking(void)
{
	char *p = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
	unsigned char vec[2];

	ok(!syscall(SYS_mlock2, p, 2 * PAGE, 0) && !mincore(p, 2 * PAGE, vec) && (vec[1] & 1),
		"mlock2 makes pages present");
	ok(fails(syscall(SYS_mlock2, p, PAGE, 8), EINVAL), "unknown flags of mlock2 give EINVAL");
	ok(!munlock(p, 4 * PAGE), "munlock of a part that was not locked succeeds");
	ok(!mlockall(MCL_CURRENT) && fails(madvise(p, PAGE, MADV_DONTNEED), EINVAL),
		"mlockall locks what is there");
	ok(!munlockall() && !madvise(p, PAGE, MADV_DONTNEED), "munlockall unlocks it");
	ok(!mlockall(MCL_FUTURE), "mlockall for the future");
	munmap(p, 4 * PAGE);
	p = mmap(NULL, 2 * PAGE, RW, ANON, -1, 0);
	ok(p != MAP_FAILED && !mincore(p, 2 * PAGE, vec) && (vec[0] & vec[1] & 1),
		"a mapping made then is present");
	munlockall();
	munmap(p, 2 * PAGE);
}

static void test_membarrier(void)
{
	long all = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	ok(all > 0 && (all & MEMBARRIER_CMD_PRIVATE_EXPEDITED),
		"membarrier knows the private command");
	ok(fails(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM),
		"which wants to be registered");
	ok(!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) &&
			!syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0),
		"and works then");
	ok(!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) &&
			!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) &&
			!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0),
		"membarrier: global");
	ok(fails(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0), EPERM) &&
			!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0,
				0) &&
			!syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
				MEMBARRIER_CMD_FLAG_CPU, 0),
		"membarrier: restartable sequences, on one CPU");
	ok(fails(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL),
		"an unknown command gives EINVAL");
	ok(fails(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 77, 0), EINVAL),
		"unknown flags give EINVAL");
}

static void test_keys(void)
{
	char *p = mmap(NULL, PAGE, RW, ANON, -1, 0);
	long key = syscall(SYS_pkey_alloc, 0, 0);

	/* Without protection keys newer kernels refuse the first call by EINVAL and all others by ENOSPC. */
	ok(key > 0 || (key == -1 && (errno == ENOSPC || errno == EINVAL)),
		"pkey_alloc gives a key or none");
	ok(key < 0 || !syscall(SYS_pkey_free, key), "which can be freed");
	ok(fails(syscall(SYS_pkey_free, 14), EINVAL), "a key that was not given out cannot");
	ok(fails(syscall(SYS_pkey_alloc, 1, 0), EINVAL), "flags give EINVAL");
	ok(!syscall(SYS_pkey_mprotect, p, PAGE, PROT_READ, -1) && probe_write(p) == SIGSEGV,
		"pkey_mprotect without key is mprotect");
	ok(fails(syscall(SYS_pkey_mprotect, p, PAGE, RW, 14), EINVAL),
		"with a key that nobody has it gives EINVAL");
	munmap(p, PAGE);
}

static void test_policy(void)
{
	char *p = mmap(NULL, PAGE, RW, ANON, -1, 0);
	unsigned long mask = 1, none = 0;
	int mode = -1;

	ok(!syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) && mode == MPOL_DEFAULT,
		"the policy is the default one");
	mask = 0;
	ok(!syscall(SYS_get_mempolicy, NULL, &mask, 1024, NULL, MPOL_F_MEMS_ALLOWED) && (mask & 1),
		"node 0 is allowed");
	mask = 1;
	ok(!syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 64) &&
			!syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0),
		"memory can be bound to node 0");
	ok(fails(syscall(SYS_set_mempolicy, MPOL_BIND, &none, 64), EINVAL), "not to no node");
	ok(fails(syscall(SYS_set_mempolicy, 99, NULL, 0), EINVAL),
		"an unknown policy gives EINVAL");
	ok(!syscall(SYS_mbind, p, PAGE, MPOL_BIND, &mask, 64, 0), "mbind to node 0");
	ok(fails(syscall(SYS_mbind, p + 1, PAGE, MPOL_BIND, &mask, 64, 0), EINVAL),
		"mbind at an odd address gives EINVAL");
	munmap(p, PAGE);
}

static void test_shared_remap(void)
{
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *q;

	p[PAGE] = 'm';
	q = mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	ok(q == p, "a remap to the same length stays");
	q = mremap(p + PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	ok(q != MAP_FAILED && q[0] == 'm', "half of a shared mapping moves with its content");
	ok(probe_read(q + PAGE) == SIGBUS, "beyond the end of the object is SIGBUS");
	munmap(q, 3 * PAGE);
	munmap(p, PAGE);
}

int main(void)
{
	probe_setup();
	test_locking();
	test_membarrier();
	test_keys();
	test_policy();
	test_shared_remap();
	return tap_end();
}
