/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address spaces: VMAs in a tree, page table, counters. Lock order: as->lock (rwsem; read for faults, write for changes) -> inode/page cache
 * locks -> page and slab spinlocks.
 */
#ifndef MM_AS_H
#define MM_AS_H

#include "arch.h"
#include "kernel/lock.h"
#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/rbtree.h"

struct file;
struct page;

enum vma_flags {
	VMA_READ = 1u,
	VMA_WRITE = 2u,
	VMA_EXEC = 4u,
	VMA_SHARED = 8u,
	VMA_GROWSDOWN = 16u,
	VMA_DONTFORK = 32u,
	VMA_WIPEONFORK = 64u,
	VMA_LOCKED = 128u,
	VMA_NORESERVE = 256u,
	VMA_MAYREAD = 0x1000u,
	VMA_MAYWRITE = 0x2000u,
	VMA_MAYEXEC = 0x4000u,
	VMA_STACK = 0x10000u, /* for /proc/PID/maps */
	VMA_HEAP = 0x20000u,
	VMA_VDSO = 0x40000u,
	VMA_VVAR = 0x80000u
};

struct vma {
	struct rb_node node;
	uaddr_t start, end;
	u32 flags;
	struct file *file; /* reference; NULL = anonymous */
	u64 pgoff; /* of start, in pages */
	struct as *as;
	struct list_head map_link; /* mapping->vmas */
};

struct as {
	struct ref ref; /* tasks that use it */
	struct rwsem lock; /* protects: vmas and everything below; rank 20 */
	struct rb_root vmas;
	struct vma *cached; /* last hit */
	struct pgtable pt;
	u64 cpus; /* atomic: CPUs that have it loaded (TLB shootdown) */
	u64 total_vm, data_vm, stack_vm, exec_vm, locked_vm; /* pages */
	s64 rss_anon, rss_file, rss_shmem; /* atomic: pages */
	u64 hiwater_rss, hiwater_vm;
	uaddr_t mmap_base;
	uaddr_t brk_start, brk;
	uaddr_t code_start, code_end, data_start, data_end, stack_start;
	uaddr_t arg_start, arg_end, env_start, env_end;
	uaddr_t vdso;
	u64 auxv[64]; /* /proc/PID/auxv */
	struct file *exe; /* reference */
	u64 limit_as, limit_data, limit_stack,
		limit_memlock; /* bytes, copied from the thread group's rlimits */
	bool dumpable;
};

struct as *as_create(void); /* NULL = no memory */
struct as *as_fork(struct as *src, int *err); /* copy-on-write copy; src is the current one */
void as_get(struct as *as);
void as_put(struct as *as);

/* mmap(2) below the system call: flags and prot are Linux's MAP_* and PROT_*; file may be NULL (borrowed). Address, or -errno. */
s64 as_mmap(
	struct as *as, uaddr_t hint, u64 len, u32 prot, u32 flags, struct file *file, u64 pgoff);
int as_munmap(struct as *as, uaddr_t start, u64 len);
int as_mprotect(struct as *as, uaddr_t start, u64 len, u32 prot);
s64 as_mremap(struct as *as, uaddr_t old, u64 old_len, u64 new_len, u32 flags, uaddr_t new_addr);
int as_madvise(struct as *as, uaddr_t start, u64 len, int advice);
uaddr_t as_brk(struct as *as, uaddr_t brk); /* new or unchanged break, as brk(2) */
int as_msync(struct as *as, uaddr_t start, u64 len, int flags);
int as_mlock(struct as *as, uaddr_t start, u64 len, bool on);
int as_mincore(struct as *as, uaddr_t start, u64 len, uaddr_t vec);
/* Map kernel pages read-only for the user (vDSO). pages are PG_RESERVED. */
int as_map_special(struct as *as, uaddr_t at, struct page **pages, u32 n, u32 vma_flags);
/* Make the range present ahead of use (exec's stack, MAP_POPULATE, batches). 0 or -errno. */
int as_populate(struct as *as, uaddr_t start, u64 len, bool write);
/* Copy to or from an address space that need not be the current one (exec, ptrace, /proc/PID/mem). Bytes copied. */
size_t as_copy_to(struct as *as, uaddr_t dst, const void *src, size_t n);
size_t as_copy_from(struct as *as, void *dst, uaddr_t src, size_t n);
struct vma *as_find_vma(
	struct as *as, uaddr_t addr); /* first vma with end > addr, or NULL; lock held */
struct vma *vma_next(struct vma *v);

#endif
