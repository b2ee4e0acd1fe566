/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between the sentry and its machine: everything that generic code may ask of the architecture and of the platform
 * (std or pvm) below it. Nothing else in the guest knows which platform it runs on.
 */
#ifndef ARCH_H
#define ARCH_H

#include "arch/x86_64/regs.h"
#include "kernel/sched.h"
#include "lib/atomic.h"
#include "lib/types.h"

#define CM_MAX_CPUS 16 /* CM_CPUS_MAX */
/* First address that no user mapping may reach: the last page of the lower half is the architecture's, as in Linux. */
#define USER_TOP 0x00007ffffffff000UL
/* Where what has no place of its own is put at most. The top level slot above is for whoever asks for it: its tables are dear on pvm (pgtable.c). */
#define USER_LAYOUT_TOP 0x00007f8000000000UL

/* ---- interrupts ---- */
u64 irq_save(void); /* disable; the return value says what it was */
void irq_restore(u64 flags);
void irq_enable(void);
void irq_disable(void);
bool irq_enabled(void);
static inline void cpu_relax(void)
{
	__builtin_ia32_pause();
}
/* Interrupt vectors >= 0x30. fn runs with interrupts off, EOI is sent around it. One handler a vector. 0 or -EBUSY. */
int irq_register(u32 vector, void (*fn)(void *arg), void *arg);
bool in_interrupt(void);

/* Interrupts off -> sleep until the next interrupt -> interrupts on. */
void arch_idle(void);
/* Interrupts off: stop until an interrupt that never comes. */
void arch_halt(void);

/* ---- page tables ---- */
typedef u64 pte_t;
struct pgtable {
	paddr_t root; /* what CR3 holds for the kernel */
};

enum pte_prot {
	PTE_R = 0,
	PTE_W = 1,
	PTE_X = 2
};

int pgt_init(struct pgtable *pt); /* 0 or -ENOMEM; the kernel half is shared */
void pgt_destroy(struct pgtable *pt); /* frees the tables of the user half, not the pages */
/* The slot of the leaf entry (4 KiB) of user address va. alloc: make missing tables, NULL = no memory. Without: NULL = no table.
 * The 512 slots of one table are contiguous: a caller may step within it. */
pte_t *pgt_walk(struct pgtable *pt, uaddr_t va, bool alloc);
/* The same without `alloc`, to read the entry: leaves a piece of 2 MiB (pgt_map_large) as it is. */
const pte_t *pgt_look(struct pgtable *pt, uaddr_t va);
pte_t pte_make(
	paddr_t pa, u32 prot); /* user page, prot of enum pte_prot; not dirty, not accessed */
static inline bool pte_present(pte_t e)
{
	return e & 1;
}
static inline bool pte_writable(pte_t e)
{
	return e & 2;
}
static inline bool pte_dirty(pte_t e)
{
	return e & 0x40;
}
static inline bool pte_accessed(pte_t e)
{
	return e & 0x20;
}
/* As another CPU's program may use the page: the processor sets bits meanwhile. */
static inline void pte_forget_access(pte_t *slot)
{
	atomic_and(slot, ~0x20UL);
}
static inline paddr_t pte_pa(pte_t e)
{
	return e & 0x000ffffffffff000UL;
}
/* Accessed, and dirty when writable: entries made ahead of use need both, or the pvm host neither maps neighbours at once nor writable. */
static inline pte_t pte_touched(pte_t e)
{
	return e | 0x20 | (e & 2 ? 0x40 : 0);
}
static inline pte_t pte_wrprotect(pte_t e)
{
	return e & ~0x42UL;
}
static inline pte_t pte_untouched(pte_t e)
{
	return e & ~0x20UL;
}
/* PROT_NONE: an entry that keeps its page but faults. Neither present nor zero. */
static inline pte_t pte_hide(pte_t e)
{
	return (e & ~1UL) | 0x200;
}
static inline bool pte_hidden(pte_t e)
{
	return (e & 0x201) == 0x200;
}
/*
 * A page that is elsewhere: an entry that keeps 32 bits for who knows where. Neither present, hidden nor zero; its bits of the address, the highest ones set, are of no
 * memory, so that a processor that goes on with an entry that is not present finds nothing there either.
 */
static inline pte_t pte_away(u32 where)
{
	return 0x000f000000000400UL | (u64)where << 12;
}
static inline bool pte_is_away(pte_t e)
{
	return (e & 0x000f000000000601UL) == 0x000f000000000400UL;
}
static inline u32 pte_where(pte_t e)
{
	return (u32)(e >> 12);
}
/* The first leaf slot at or after *va and below end that lies in an existing table; *va moves up to it. NULL = none. Whole missing
 * tables are skipped at every level, so that walking a sparse range of terabytes is cheap. */
pte_t *pgt_walk_next(struct pgtable *pt, uaddr_t *va, uaddr_t end);
const pte_t *pgt_look_next(struct pgtable *pt, uaddr_t *va, uaddr_t end); /* to read */
/*
 * Map 2 MiB at va, aligned, in one piece: 512 pages of order 0 in a row, of which `first` is the entry of the first. The table of leaf entries is filled all the
 * same and kept beside (in `index` of the first page): whoever walks to one of them finds it linked again, so nobody else has to know of such pieces. Nothing was
 * mapped there. The caller holds what keeps all others from holding slots of the table: as->lock for writing and pt_lock. 0, -EEXIST or -ENOMEM.
 */
int pgt_map_large(struct pgtable *pt, uaddr_t va, pte_t first);
bool pgt_is_large(struct pgtable *pt, uaddr_t va);
u64 pgt_large_count(void); /* of all page tables */
/* Load the address space on this CPU (context switch, exec). NULL = only the kernel half is needed, lazy. */
void pgt_activate(struct pgtable *pt);
/* After entries of pt were changed or removed (not for new entries in empty slots): no CPU of cpumask uses the old ones when it
 * returns; CPUs that do not have pt loaded are skipped, so ~0UL is a fine mask. May wait for other CPUs: interrupts enabled, no
 * spinlock held. One flush for the whole batch. */
void tlb_flush(struct pgtable *pt, u64 cpumask, uaddr_t start, uaddr_t end);
/* Every other CPU that runs a program was interrupted when it returns, which orders its memory accesses. As tlb_flush. */
void arch_sync_cpus(void);

/* ---- user memory, raw: addresses were range-checked by mm/usercopy.c; a fault goes through the exception table ---- */
/* Bytes not copied (0 = all). */
size_t arch_copy_from_user(void *dst, uaddr_t src, size_t n);
size_t arch_copy_to_user(uaddr_t dst, const void *src, size_t n);
size_t arch_clear_user(uaddr_t dst, size_t n);
/* Length without NUL, max when none was found in max bytes, or -EFAULT. */
s64 arch_strnlen_user(uaddr_t s, size_t max);
/* Atomically: old value in *old; stores new when it equals expected. 0 or -EFAULT. */
int arch_cmpxchg_user32(uaddr_t p, u32 expected, u32 new_value, u32 *old);

/* ---- threads ---- */
size_t fpu_size(void); /* bytes of the FPU area, XSAVE standard format or FXSAVE */
u64 fpu_xfeatures(void); /* XCR0 features in the area; 0 = FXSAVE */
void fpu_save_current(
	void); /* registers -> area of the current thread (before copying it: fork, signal frame) */
void fpu_restore_current(void); /* area -> registers (after changing it) */
void fpu_reset_current(void); /* initial state: exec */
void arch_set_fsbase(u64 base); /* current thread, at once */
void arch_set_gsbase(u64 base);
u64 arch_get_fsbase(void); /* current thread: what the program's own WRFSBASE left there too */
u64 arch_get_gsbase(void);
/* What a new thread has of another: segment registers and their bases, as of fpu_save_current, and whether it may read the counter. */
void arch_inherit(struct thread *to, const struct thread *from);
/* May the current program read the time stamp counter (RDTSC)? If not, it is a SIGSEGV. -EINVAL: the platform cannot forbid it. */
int arch_set_tsc(bool allowed);
bool arch_get_tsc(void);
/* Map the vDSO into a new address space, above the stack's end if there is room, and set as->vdso (0 = there is none). 0 or -errno. */
int arch_map_vdso(struct as *as, uaddr_t above);
void vdso_update(void); /* bring its data pages up to date with kernel/clock */
/* The vDSO's clocks with offsets, for a time namespace: a data page of their own. */
struct vdso_clocks {
	struct list_head link;
	struct page *page;
};
int vdso_clocks_init(struct vdso_clocks *v); /* without offsets; 0 or -ENOMEM */
void vdso_clocks_set(struct vdso_clocks *v, s64 monotonic, s64 boottime); /* ns ahead */
void vdso_clocks_fini(struct vdso_clocks *v);
/* The program in an address space reads these clocks from now on, NULL: those without offsets. Without a vDSO nothing happens. May sleep. */
void arch_map_clocks(struct as *as, struct vdso_clocks *v);
/* AT_HWCAP (CPUID 1 EDX) and AT_HWCAP2; read once at boot. */
u64 arch_hwcap(void);
u64 arch_hwcap2(void);

/* Called by the architecture; provided by other rooms: */
/* syscall/dispatch.c; r->orig_rax = number, result in r->rax; interrupts enabled */
void syscall_dispatch(struct regs *r);
void syscall_dispatch_compat(struct regs *r); /* the same, made by int $0x80 */
/* mm/fault.c: a page fault on a user address, from user or kernel mode; interrupts enabled. 0 = retry the access, -EFAULT = SIGSEGV
 * (SEGV_MAPERR), -EACCES = SIGSEGV (SEGV_ACCERR), -EIO = SIGBUS, -ENOMEM = SIGKILL (out of memory). */
#define FAULT_WRITE 1u
#define FAULT_EXEC  2u
#define FAULT_USER  4u
int mm_fault(struct as *as, uaddr_t addr, u32 access);
/* task/: an exception in user mode that is no resolved page fault: deliver the signal (vector, error code, address). */
void task_user_exception(struct regs *r, u32 vector, u64 error, uaddr_t addr, int fault);
/* task/: on the way back to user mode with interrupts off->on: signals, stops, exit. Called when thread->interrupted is set. */
void task_return_to_user(struct regs *r);
/* task/: the same, when the thread was switched in since (thread->resumed). */
void task_resumed(struct regs *r);

/* ---- machine ---- */
/*
 * Have the VMM start a vCPU whose idle thread is made: soon it calls cpus_arrived and idles. One caller at a time, once a vCPU. 0, or -EAGAIN: not
 * while a debugger looks.
 */
int arch_start_cpu(u32 cpu);
void arch_log_early(
	const char *text, size_t len); /* text in the image or the direct map; one exit */
/* True when the machine is the software KVM kind: for logs and tests only. */
bool arch_is_pvm(void);
u64 arch_rdtsc(void);
void arch_random(void *buf, size_t len); /* RDRAND when there is one; mixed by kernel/random.c */
__noreturn void arch_power_off(u32 reason); /* enum cm_off */
struct cm_hypercall;
/* Fill and send a hypercall block; arg as in hypercall.h. The result is 0 or -errno. */
int hypercall(u32 op, u64 a0, u64 a1);
void arch_doorbell(u32 device, u32 queue);

#ifdef CM_HOST_TEST
extern u64 fake_direct_map; /* host tests of guest code: where their RAM is */
#define ARCH_DIRECT_MAP fake_direct_map
#else
#define ARCH_DIRECT_MAP 0xffff888000000000UL
#endif
static inline void *pa_to_va(paddr_t pa)
{
	return (void *)(pa + ARCH_DIRECT_MAP);
}
static inline paddr_t va_to_pa(const void *va)
{
	return (paddr_t)va - ARCH_DIRECT_MAP; /* direct map only */
}

#endif
