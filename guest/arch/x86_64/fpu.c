/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FPU, SSE and extended state, FS and GS base of user threads. The kernel uses general registers only, so the registers belong to the
 * last user thread that ran on the CPU: saved eagerly when it is switched out for another, loaded again only when somebody else's
 * state is in them.
 */
#include "arch/x86_64/pcpu.h"
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

static void fpu_write_bases(struct pcpu *pc, u64 fs, u64 gs)
{
	if (fpu_fsgsbase) {
		__asm__ volatile("wrfsbase %0\n\twrgsbase %1" ::"r"(fs), "r"(gs));
		return;
	}
	if (pc->fsbase != fs)
		cpu_wrmsr(MSR_FS_BASE, fs);
	if (pc->gsbase != gs)
		cpu_wrmsr(MSR_GS_BASE, gs);
	pc->fsbase = fs;
	pc->gsbase = gs;
}

/* With FSGSBASE a program changes the bases by itself; without, only through us. */
static void fpu_save_bases(struct thread *t)
{
	if (fpu_fsgsbase)
		__asm__ volatile("rdfsbase %0\n\trdgsbase %1"
				 : "=r"(t->arch.fsbase), "=r"(t->arch.gsbase));
}

static void fpu_load_thread(struct pcpu *pc, struct thread *t)
{
	fpu_load(t->arch.fpu);
	fpu_write_bases(pc, t->arch.fsbase, t->arch.gsbase);
	t->arch.fpu_cpu = cpu_id();
	pc->fpu_owner = t;
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
	fpu_load_thread(pcpu_this(), t);
}

void arch_set_fsbase(u64 base)
{
	struct thread *t = thread_current();

	fpu_save_bases(t);
	t->arch.fsbase = base;
	fpu_write_bases(pcpu_this(), t->arch.fsbase, t->arch.gsbase);
}

void arch_set_gsbase(u64 base)
{
	struct thread *t = thread_current();

	fpu_save_bases(t);
	t->arch.gsbase = base;
	fpu_write_bases(pcpu_this(), t->arch.fsbase, t->arch.gsbase);
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

	fpu_save_bases(t);
	return t->arch.gsbase;
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
