/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address spaces: VMAs in a tree, page table, counters. Lock order and the rules for page-table entries: mm/README.
 */
#ifndef MM_AS_H
#define MM_AS_H

#include "arch.h"
#include "kernel/lock.h"
#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "mm/mempolicy.h"

struct aio_ctx;
struct file;
struct mapping;
struct page;
struct shm;

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
	VMA_DONTDUMP = 512u,
	VMA_MAYREAD = 0x1000u,
	VMA_MAYWRITE = 0x2000u,
	VMA_MAYEXEC = 0x4000u,
	VMA_STACK = 0x10000u, /* for /proc/PID/maps */
	VMA_HEAP = 0x20000u,
	VMA_VDSO = 0x40000u,
	VMA_VVAR = 0x80000u,
	VMA_SPECIAL = 0x100000u, /* kernel pages put in by as_map_special */
	VMA_HUGE = 0x200000u, /* MADV_HUGEPAGE */
	VMA_NOHUGE = 0x400000u
};

struct vma {
	struct rb_node node;
	uaddr_t start, end;
	u32 flags;
	struct file *file; /* reference; NULL = anonymous */
	u64 pgoff; /* of start, in pages */
	struct as *as;
	struct mapping *mapping; /* page cache behind it (of the file or of shm), or NULL */
	struct shm *shm; /* reference; shared memory without a file */
	struct mempolicy policy;
	struct list_head
		map_link; /* mapping->vmas; lock: mapping->lock, which also guards start, end and pgoff of linked ones */
	uaddr_t fault_next; /* where a sequential toucher faults next; a hint, unlocked */
	u32 fault_pages; /* pages that the last fault mapped */
};

#define AS_AUXV_WORDS 64
#define AS_MAX_VMAS   65530u
extern u64 as_max_vmas; /* /proc/sys/vm/max_map_count */

struct as {
	struct ref ref; /* tasks that use it */
	struct ref
		shell; /* the structure itself: one of all users together, the others of as_hold */
	struct rwsem
		lock; /* protects: vmas and everything below but rss and the page table; rank 35 */
	struct spinlock pt_lock; /* protects: entries of the page table; rank 65 */
	struct rb_root vmas;
	u32 nvmas;
	struct vma *cached; /* last hit */
	struct pgtable pt;
	u64 cpus; /* not used by the generic code: CPUs to flush are known to the architecture */
	u64 total_vm, data_vm, stack_vm, exec_vm, locked_vm; /* pages */
	s64 rss_anon, rss_file, rss_shmem; /* atomic: pages */
	s64 swapped; /* atomic: pages that are out (swap.h) */
	uaddr_t swap_hand; /* up to here those who look for pages to write out have come; theirs, under as->lock */
	struct list_head all_link; /* of all address spaces that are complete */
	u64 hiwater_rss, hiwater_vm;
	uaddr_t mmap_base; /* top of the area that mmap fills downwards */
	uaddr_t hole_hint; /* search for free addresses from here down ... */
	u64 hole_max; /* ... unless a hole of so many bytes was skipped above it */
	uaddr_t brk_start, brk;
	uaddr_t code_start, code_end, data_start, data_end, stack_start;
	uaddr_t arg_start, arg_end, env_start, env_end;
	uaddr_t env_secret; /* from here to env_end nothing gets into a dump; 0 = no such part */
	uaddr_t vdso;
	u64 auxv[AS_AUXV_WORDS]; /* /proc/PID/auxv */
	struct file *exe; /* reference */
	u64 limit_as, limit_data, limit_stack,
		limit_memlock; /* bytes, copied from the thread group's rlimits */
	u32 def_flags; /* VMA_LOCKED after mlockall(MCL_FUTURE) */
	u32 membarrier; /* atomic: MEMBARRIER_CMD_REGISTER_* bits that were asked for */
	bool no_random; /* personality ADDR_NO_RANDOMIZE */
	bool dumpable;
	bool exact; /* mincore was asked: faults make no page present but their own; atomic */
	bool no_huge; /* PR_SET_THP_DISABLE; atomic */
	struct aio_ctx *aio; /* contexts of asynchronous I/O, fs/aio.c */
};

struct as *as_create(void); /* NULL = no memory; random layout, no limits but an 8 MiB stack */
/* The two halves of it, for who fills it without its lock in between. */
struct as *as_create_hidden(void);
void as_publish(struct as *as);
struct as *as_fork(struct as *src, int *err); /* copy-on-write copy; src is the current one */
void as_get(struct as *as);
void as_put(struct as *as); /* the last one tears it down: may sleep */
/*
 * Keep the structure and its locks, not what is in it: for who must not be the one that tears it down. The caller knows that it is alive, or still
 * has VMAs. as_drop never sleeps.
 */
void as_hold(struct as *as);
void as_drop(struct as *as);
/*
 * All address spaces that are complete, in a row: the one behind prev, the first one for NULL; NULL at the end. as_hold is done with the result and undone with
 * prev. One may be at its end: with as->lock held for reading it stays as it is, and ref is 0 if that is nothing any more.
 */
struct as *as_next(struct as *prev);
u32 as_count(void);

/* Layout for exec: choose mmap_base; the result is the page-aligned end of the stack. no_random: fixed. Before anything is mapped. */
uaddr_t as_layout(struct as *as, bool no_random);
/* Where the heap starts for a program whose bss ends at `end`; sets brk_start and brk. */
void as_set_brk(struct as *as, uaddr_t end);
/* Load address for a position-independent program. */
uaddr_t as_pie_base(struct as *as);

/* mmap(2) below the system call: flags and prot are Linux's MAP_* and PROT_*; file may be NULL (borrowed). Address, or -errno. */
s64 as_mmap(
	struct as *as, uaddr_t hint, u64 len, u32 prot, u32 flags, struct file *file, u64 pgoff);
int as_munmap(struct as *as, uaddr_t start, u64 len);
int as_mprotect(struct as *as, uaddr_t start, u64 len, u32 prot);
/* remap_file_pages(2): show other pages of the object that is mapped shared at start. 0 or -errno. */
s64 as_remap_pages(struct as *as, uaddr_t start, u64 size, u64 pgoff);
s64 as_mremap(struct as *as, uaddr_t old, u64 old_len, u64 new_len, u32 flags, uaddr_t new_addr);
int as_madvise(struct as *as, uaddr_t start, u64 len, int advice);
uaddr_t as_brk(struct as *as, uaddr_t brk); /* new or unchanged break, as brk(2) */
int as_msync(struct as *as, uaddr_t start, u64 len, int flags);
enum as_lock {
	AS_UNLOCK,
	AS_LOCK,
	AS_LOCK_ONFAULT /* pages stay once they are there */
};
int as_mlock(struct as *as, uaddr_t start, u64 len, enum as_lock how);
/* how: of what is there; future: of what comes. */
int as_mlockall(struct as *as, bool current, bool future, enum as_lock how);
int as_mincore(struct as *as, uaddr_t start, u64 len, uaddr_t vec); /* as is the current one */
/* Map kernel pages read-only for the user (vDSO), with VMA_EXEC in vma_flags executable. pages become PG_RESERVED. 0 or -errno. */
int as_map_special(struct as *as, uaddr_t at, struct page **pages, u32 n, u32 vma_flags);
/* Where such pages are mapped with this flag (VMA_VVAR), one each, show p instead. May sleep. */
void as_replace_special(struct as *as, u32 vma_flag, struct page *p);
/* Make the range present ahead of use (exec's stack, MAP_POPULATE, batches). 0 or -errno. */
int as_populate(struct as *as, uaddr_t start, u64 len, bool write);
/* Copy to or from an address space that need not be the current one (exec, ptrace, /proc/PID/mem). Bytes copied. Write
 * protection is ignored as ptrace does where the mapping could be made writable. */
size_t as_copy_to(struct as *as, uaddr_t dst, const void *src, size_t n);
size_t as_copy_from(struct as *as, void *dst, uaddr_t src, size_t n);
/* As the program itself could (process_vm_readv): no access beyond the protection. */
size_t as_copy_checked(struct as *as, uaddr_t at, void *buf, size_t n, bool write);
struct vma *as_find_vma(
	struct as *as, uaddr_t addr); /* first vma with end > addr, or NULL; lock held */
struct vma *vma_next(struct vma *v);

/* A name for a futex: private ones by address space and address, shared ones by page cache and offset. 0 or -errno. The key holds no
 * reference: a waiter keeps what it names alive by being mapped. May sleep. */
struct futex_key {
	const void *object; /* struct as, or struct mapping */
	u64 offset; /* bytes */
};
int as_futex_key(struct as *as, uaddr_t addr, bool shared, struct futex_key *key);

/* For /proc/PID: pages of one VMA by kind, as->lock held for reading. */
struct vma_stats {
	u64 rss, anon, shared_clean, shared_dirty, private_clean, private_dirty, referenced, swap,
		locked, huge; /* pages */
	u32 mapmax; /* page-table entries of the page that has most */
};
void vma_stats(struct vma *v, struct vma_stats *s);
/* For /proc/PID/pagemap. */
struct page_place {
	bool there;
	bool out; /* not there but in swap: which area, and where in it */
	u32 area, slot;
	bool file; /* of a file, or shared */
	bool alone; /* no other entry points at the page */
	paddr_t pa;
};
void as_page_place(struct as *as, uaddr_t addr, struct page_place *out);
/* For /proc/PID/clear_refs: forget what was accessed, in mappings without and with an object. May sleep. */
void as_clear_accessed(struct as *as, bool anon, bool object);
void as_reset_peak(struct as *as); /* of resident memory: what there is now */
/* "[heap]", "[stack]", "[vdso]", "[vvar]", "/dev/zero (deleted)" for shared anonymous memory, or NULL: the file's path, or nothing. */
const char *vma_name(const struct vma *v);

#endif
