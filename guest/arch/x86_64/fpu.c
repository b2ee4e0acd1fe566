/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FPU, SSE and extended state, segment registers and FS and GS base of user threads. The kernel uses general registers only, so the registers belong to the
 * last user thread that ran on the CPU: saved eagerly when it is switched out for another, loaded again only when somebody else's
 * state is in them.
 */
#include "arch/x86_64/pcpu.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "lib/string.h"

#define FXSAVE_SIZE	    512
#define XSAVE_HEADER	    64
#define XFEATURES_SUPPORTED 0xe7UL /* x87, SSE, AVX, AVX-512 */
#define HWCAP2_FSGSBASE	    2
#define FXSAVE_FCW	    0x37f
#define FXSAVE_MXCSR	    0x1f80

static size_t fpu_bytes = FXSAVE_SIZE;
static u64 fpu_features, fpu_hwcap;
static bool fpu_fsgsbase, fpu_xsave;

size_t fpu_size(void)
{
	return fpu_bytes;
}

u64 fpu_xfeatures(void)
{
	return fpu_features;
}

static void fpu_xsetbv(u64 v)
{
	__asm__ volatile("xsetbv" ::"c"(0), "a"((u32)v), "d"((u32)(v >> 32)));
}

static void fpu_save(void *area)
{
	if (fpu_features)
		__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"((u32)fpu_features),
				 "d"((u32)(fpu_features >> 32))
				 : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static void fpu_load(const void *area)
{
	if (fpu_features)
		__asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"((u32)fpu_features),
				 "d"((u32)(fpu_features >> 32))
				 : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

/* CR4 needs OSXSAVE before CPUID leaf 13 and XSETBV mean anything; each CPU does it. */
void fpu_init_cpu(void)
{
	u64 old4 = cpu_read_cr4(), old0 = cpu_read_cr0();
	u64 cr4 = old4 | CR4_OSFXSR | CR4_OSXMMEXCPT;
	u64 cr0 = (old0 & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE | CR0_WP;

	if (cr0 != old0)
		cpu_write_cr0(cr0);
	if (!arch_pvm && cpu_cpuid(0, 0).eax >= 7 && cpu_cpuid(7, 0).ebx & 1)
		cr4 |= CR4_FSGSBASE;
	if (fpu_xsave)
		cr4 |= CR4_OSXSAVE;
	if (cr4 != old4)
		cpu_write_cr4(cr4);
	if (fpu_features)
		fpu_xsetbv(fpu_features);
}

/* Leaf 13's own sum cannot be relied on: some hypervisors do not bring it up to date after XSETBV. */
static size_t fpu_area_size(u64 features)
{
	size_t size = FXSAVE_SIZE + XSAVE_HEADER;

	for (u32 i = 2; i < 64; i++) {
		struct cpuid_regs r;

		if (!(features >> i & 1))
			continue;
		r = cpu_cpuid(13, i);
		size = MAX(size, (size_t)r.ebx + r.eax);
	}
	return size;
}

/*
 * XCR0 must still hold after an exit to the hypervisor (which CPUID is): QEMU's TCG does not intercept XSETBV, so the KVM that runs in it
 * puts back its own idea of XCR0. Half of the state would not be saved; without XSAVE all is well.
 */
static bool fpu_try_xsave(u64 features)
{
	u32 lo, hi;

	fpu_xsetbv(features);
	(void)cpu_cpuid(13, 0);
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (((u64)hi << 32 | lo) & features) == features;
}

void fpu_init(void)
{
	struct cpuid_regs r;
	u64 features;

	fpu_hwcap = arch_cpuid1.edx;
	fpu_xsave = arch_cpuid1.ecx & CPUID1_ECX_XSAVE;
	fpu_init_cpu();
	fpu_fsgsbase = fsgsbase_probe() == 0;
	if (!fpu_xsave)
		return;
	r = cpu_cpuid(13, 0);
	features = ((u64)r.edx << 32 | r.eax) & XFEATURES_SUPPORTED;
	fpu_xsave = fpu_try_xsave(features);
	if (!fpu_xsave) {
		log_warn("fpu: XCR0 does not hold, going on without XSAVE");
		cpu_write_cr4(cpu_read_cr4() & ~CR4_OSXSAVE);
		return;
	}
	fpu_features = features;
	fpu_bytes = fpu_area_size(features);
}

void fpu_init_area(void *area)
{
	memset(area, 0, fpu_bytes);
	*(u16 *)area = FXSAVE_FCW;
	*(u32 *)((char *)area + 24) = FXSAVE_MXCSR;
}

/*
 * pvm has a GS base for user mode and one for the kernel, exchanges them at every entry, and shows the user's as the MSR that SWAPGS would exchange,
 * for a trap each (7 us). So it is saved and loaded for threads only that asked for one; one that changes its base by WRGSBASE, which the processor
 * does not announce there, without ever having asked, may lose it when another thread runs.
 */
static u64 gs_read(const struct pcpu *pc, const struct thread *t)
{
	u64 base = pc->gsbase;

	if (arch_pvm)
		return t->arch.gs_used ? cpu_rdmsr(MSR_KERNEL_GS_BASE) : t->arch.gsbase;
	if (fpu_fsgsbase)
		__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static void gs_write(struct pcpu *pc, u64 gs)
{
	if (!arch_pvm && fpu_fsgsbase)
		__asm__ volatile("wrgsbase %0" ::"r"(gs));
	else if (pc->gsbase != gs)
		cpu_wrmsr(arch_pvm ? MSR_KERNEL_GS_BASE : MSR_GS_BASE, gs);
	pc->gsbase = gs;
}

static void fpu_write_bases(struct pcpu *pc, u64 fs, u64 gs)
{
	gs_write(pc, gs);
	if (fpu_fsgsbase) {
		__asm__ volatile("wrfsbase %0" ::"r"(fs));
		return;
	}
	if (pc->fsbase != fs)
		cpu_wrmsr(MSR_FS_BASE, fs);
	pc->fsbase = fs;
}

static struct selectors seg_read(void)
{
	u32 ds, es, fs, gs;

	__asm__ volatile("mov %%ds, %0\n\tmov %%es, %1\n\tmov %%fs, %2\n\tmov %%gs, %3"
			 : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
	return (struct selectors){ (u16)ds, (u16)es, (u16)fs, (u16)gs };
}

/* With FSGSBASE a program changes the bases by itself; without, through us, or by a selector that it loads. */
static void fpu_save_bases(struct thread *t)
{
	struct selectors now = seg_read();
	struct pcpu *pc = pcpu_this();

	if (!fpu_fsgsbase && (now.fs != t->arch.sel.fs || now.gs != t->arch.sel.gs)) {
		pc->fsbase = cpu_rdmsr(MSR_FS_BASE);
		pc->gsbase = cpu_rdmsr(MSR_GS_BASE);
	}
	t->arch.fsbase = pc->fsbase;
	if (fpu_fsgsbase)
		__asm__ volatile("rdfsbase %0" : "=r"(t->arch.fsbase));
	t->arch.gsbase = pc->gsbase = gs_read(pc, t);
	t->arch.sel = now;
}

/* Before the bases, which a load of FS or GS changes. A tracer may have put in what there is not. */
static void fpu_load_selectors(struct pcpu *pc, struct thread *t)
{
	const struct selectors now = seg_read(), *want = &t->arch.sel;

	if (unlikely(now.ds != want->ds))
		(void)seg_load_ds(want->ds);
	if (unlikely(now.es != want->es))
		(void)seg_load_es(want->es);
	if (likely(now.fs == want->fs && now.gs == want->gs))
		return;
	(void)seg_load_fs(want->fs);
	(void)seg_load_gs(want->gs);
	if (!fpu_fsgsbase) {
		pc->fsbase = cpu_rdmsr(MSR_FS_BASE);
		pc->gsbase = cpu_rdmsr(MSR_GS_BASE);
	}
}

static void fpu_load_segments(struct pcpu *pc, struct thread *t)
{
	fpu_load_selectors(pc, t);
	fpu_write_bases(pc, t->arch.fsbase, t->arch.gsbase);
}

static void fpu_load_thread(struct pcpu *pc, struct thread *t)
{
	fpu_load(t->arch.fpu);
	fpu_load_segments(pc, t);
	t->arch.fpu_cpu = cpu_id();
	pc->fpu_owner = t;
}

static void tsc_load(struct pcpu *pc, const struct thread *t)
{
	u64 cr4 = cpu_read_cr4() & ~CR4_TSD;

	cpu_write_cr4(t->arch.no_tsc ? cr4 | CR4_TSD : cr4);
	pc->no_tsc = t->arch.no_tsc;
}

void fpu_switch(struct thread *prev, struct thread *next)
{
	struct pcpu *pc = pcpu_this();

	if (prev->arch.fpu) {
		fpu_save(prev->arch.fpu);
		fpu_save_bases(prev);
	}
	if (next->arch.fpu && (pc->fpu_owner != next || next->arch.fpu_cpu != cpu_id()))
		fpu_load_thread(pc, next);
	if (next->arch.fpu && unlikely(next->arch.no_tsc != pc->no_tsc))
		tsc_load(pc, next);
}

void fpu_save_current(void)
{
	struct thread *t = thread_current();

	fpu_save(t->arch.fpu);
	fpu_save_bases(t);
}

void fpu_restore_current(void)
{
	fpu_load(thread_current()->arch.fpu);
}

void fpu_reset_current(void)
{
	struct thread *t = thread_current();

	fpu_init_area(t->arch.fpu);
	t->arch.fsbase = 0;
	t->arch.gsbase = 0;
	t->arch.sel = (struct selectors){ 0 };
	t->arch.gs_used = false;
	fpu_load_thread(pcpu_this(), t);
}

void arch_set_fsbase(u64 base)
{
	struct thread *t = thread_current();

	fpu_save_bases(t);
	t->arch.fsbase = base;
	t->arch.sel.fs = 0;
	fpu_load_segments(pcpu_this(), t);
}

void arch_set_gsbase(u64 base)
{
	struct thread *t = thread_current();

	fpu_save_bases(t);
	t->arch.gsbase = base;
	t->arch.gs_used |= base != 0;
	t->arch.sel.gs = 0;
	fpu_load_segments(pcpu_this(), t);
}

u64 arch_get_fsbase(void)
{
	struct thread *t = thread_current();

	fpu_save_bases(t);
	return t->arch.fsbase;
}

u64 arch_get_gsbase(void)
{
	struct thread *t = thread_current();

	t->arch.gs_used = true; /* it is asked for: what the program did by itself counts, too */
	fpu_save_bases(t);
	return t->arch.gsbase;
}

void arch_inherit(struct thread *to, const struct thread *from)
{
	to->arch.fsbase = from->arch.fsbase;
	to->arch.gsbase = from->arch.gsbase;
	to->arch.sel = from->arch.sel;
	to->arch.gs_used = from->arch.gs_used;
	to->arch.no_tsc = from->arch.no_tsc;
}

/* pvm's hypervisor takes CR4.TSD, and programs read the counter all the same. */
int arch_set_tsc(bool allowed)
{
	struct thread *t = thread_current();

	if (arch_pvm)
		return allowed ? 0 : -EINVAL;
	t->arch.no_tsc = !allowed;
	tsc_load(pcpu_this(), t);
	return 0;
}

bool arch_get_tsc(void)
{
	return !thread_current()->arch.no_tsc;
}

u64 arch_hwcap(void)
{
	return fpu_hwcap;
}

u64 arch_hwcap2(void)
{
	/* Linux sets bit 1 where programs may use RDFSBASE and its siblings. */
	return fpu_fsgsbase && !arch_pvm ? HWCAP2_FSGSBASE : 0;
}
