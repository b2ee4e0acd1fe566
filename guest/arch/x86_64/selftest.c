/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-test: TAP lines in the log. User programs (selftest_user.S) run in an address space made by hand, as threads without a task;
 * their system calls and exceptions come here.
 */
#include "arch/x86_64/selftest.h"
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/trap.h"
#include "casemate/guestmem.h"
#include "casemate/hypercall.h"
#include "kernel/clock.h"
#include "kernel/cpus.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/timer.h"
#include "kernel/waitq.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/page.h"

#define ST_CODE	  0x10000UL
#define ST_STACKS 0x20000UL /* one page a thread */
#define ST_DATA	  0x40000UL
#define ST_TEST	  0x50000UL
#define ST_HOLE	  0x60000UL
#define ST_MAX	  8

#define ST_OP_READ	       0
#define ST_OP_WRITE	       1
#define ST_OP_JUMP	       2
#define ST_OP_UD	       3
#define ST_OP_IRET	       4
#define ST_OP_DIV	       5
#define ST_OP_BREAK	       6
#define ST_OP_INT80	       7
#define ST_OP_FIRST_PRIVILEGED 8
#define ST_OP_STEP	       32
#define ST_OP_FLAGS_SYSCALL    33
#define ST_OP_FLAGS_FAULT      34
#define ST_OP_OWN_IRET	       35
#define ST_OP_COMPAT	       36
#define ST_OP_VMMCALL	       37
#define ST_OP_VMCALL	       38
#define ST_OP_INT_RETURN       39
#define ST_OP_INT_CALL	       40
#define ST_OP_GSBASE	       41
#define ST_OP_NT	       42
#define ST_OP_SYSCALL32	       43
#define ST_OP_SYSENTER32       44
#define ST_OP_ABOVE	       45
#define ST_AFTER_SYSRET	       0x80000000UL

extern const char selftest_user[], selftest_user_end[];
extern const char st_regs[], st_null[], st_probe[], st_stale[], st_spin[];

struct st_prog {
	struct thread *thread;
	u64 result;
	bool done;
};

static struct as st_as;
static struct st_prog st_progs[ST_MAX];
static struct waitq st_wait;
static u64 *st_data; /* kernel's view of ST_DATA */
static u32 st_count, st_failed;
static u64 st_fault_addr, st_fault_flags, st_fault_cs;

static void st_report(bool ok, const char *what, u64 a, u64 b)
{
	st_count++;
	st_failed += !ok;
	log_info("%sok %u - %s (%#lx, %#lx)", ok ? "" : "not ", st_count, what, a, b);
	log_flush();
}

static void st_equal(const char *what, u64 got, u64 want)
{
	st_report(got == want, what, got, want);
}

/* ---- user programs ---- */

static void *st_map(uaddr_t va, u32 prot)
{
	void *page = page_alloc_va(0, GFP_ZERO);
	pte_t *pte = pgt_walk(&st_as.pt, va, true);

	panic_if(!page || !pte);
	*pte = pte_make(va_to_pa(page), prot);
	return page;
}

static struct st_prog *st_current(void)
{
	for (u32 i = 0; i < ST_MAX; i++) {
		if (st_progs[i].thread == thread_current())
			return &st_progs[i];
	}
	panic("selftest: unknown thread");
}

static u64 st_flags(void)
{
	u64 flags;

	__asm__ volatile("pushfq; pop %0" : "=r"(flags)::"memory");
	return flags & (RFLAGS_TF | RFLAGS_DF | RFLAGS_AC);
}

void selftest_syscall(struct regs *r)
{
	struct st_prog *p;

	switch (r->orig_rax) {
	case 0:
		r->rax = r->rdi + 1;
		break;
	case 1:
		p = st_current();
		p->result = r->rdi;
		atomic_store(&p->done, true);
		waitq_wake_all(&st_wait);
		thread_exit();
	case 2:
		r->rax = r->rdi + 1;
		r->rcx = r->rdi + 2;
		r->r11 = r->rdi + 3;
		break;
	case 3:
		r->rax = st_flags();
		break;
	case 4:
		r->cs = USER_CS32;
		r->rip = r->rdi;
		break;
	default:
		panic("selftest: system call %lu", r->orig_rax);
	}
}

void selftest_exception(struct regs *r, u32 vector, u64 error, u64 addr)
{
	st_fault_addr = addr;
	st_fault_flags = st_flags();
	st_fault_cs = r->cs;
	r->cs = USER_CS;
	r->rflags &= ~RFLAGS_TF;
	r->rax = (u64)vector << 32 | (error & 0xffff);
	r->rip = r->r12;
	if (r->rip < ST_CODE || r->rip >= ST_CODE + PAGE_SIZE)
		panic("selftest: exception %u error %#lx rip %#lx address %#lx", vector, error,
			r->rip, addr);
}

static u64 st_null_ns; /* a null system call */

static struct st_prog *st_start(const char *entry, u64 a0, u64 a1, u64 a2, u64 cpu_mask)
{
	struct st_prog *p = st_progs;
	struct regs *r;

	while (p->thread)
		p++;
	p->thread = thread_create_user(NULL);
	panic_if(!p->thread);
	p->done = false;
	p->thread->as = &st_as;
	p->thread->cpu_mask = cpu_mask;
	r = thread_user_regs(p->thread);
	r->rip = ST_CODE + (u64)(entry - selftest_user);
	r->rsp = ST_STACKS + (u64)(p - st_progs + 1) * PAGE_SIZE - 64;
	r->cs = USER_CS;
	r->ss = USER_SS;
	r->rflags = RFLAGS_IF;
	r->rdi = a0;
	r->rsi = a1;
	r->rdx = a2;
	thread_start(p->thread);
	return p;
}

static u64 st_finish(struct st_prog *p)
{
	wait_event(&st_wait, atomic_load(&p->done));
	while (atomic_load(&p->thread->state) != THREAD_DEAD)
		cpu_relax();
	thread_destroy(p->thread);
	p->thread = NULL;
	return p->result;
}

static u64 st_run(const char *entry, u64 a0, u64 a1, u64 a2)
{
	return st_finish(st_start(entry, a0, a1, a2, ~0UL));
}

static void st_setup(void)
{
	void *code;

	waitq_init(&st_wait);
	panic_if(pgt_init(&st_as.pt) < 0);
	code = st_map(ST_CODE, PTE_X);
	memcpy(code, selftest_user, (size_t)(selftest_user_end - selftest_user));
	for (u32 i = 0; i < ST_MAX; i++)
		st_map(ST_STACKS + i * PAGE_SIZE, PTE_W);
	st_data = st_map(ST_DATA, PTE_W);
}

/* ---- user mode ---- */

static u64 st_probe_at(u64 addr, u64 op)
{
	st_fault_addr = 0;
	return st_run(st_probe, addr, op, TRAMP_VA + TRAMP_IRET);
}

static void st_user(void)
{
	u64 ns;

	st_equal("registers survive SYSRET", st_run(st_regs, 1000, 0, 0x1234567), 0);
	st_equal("registers survive IRET", st_run(st_regs, 1000, 2, 0x7654321), 0);
	ns = clock_tsc_to_ns(st_run(st_null, 10000, 0, 0) / 10000);
	st_report(ns < 1000000, "null system call, ns", ns, 0);
	ns = clock_tsc_to_ns(st_run(st_null, 10000, 0, 0) / 10000);
	st_report(ns < 1000000, "null system call again, ns", ns, 0);
	st_null_ns = ns;
}

static void st_exceptions(void)
{
	st_equal("undefined instruction", st_probe_at(0, ST_OP_UD), (u64)TRAP_UD << 32);
	st_equal("division by zero", st_probe_at(0, ST_OP_DIV), (u64)TRAP_DE << 32);
	st_equal("breakpoint", st_probe_at(0, ST_OP_BREAK), (u64)TRAP_BP << 32);
	st_equal("int $0x80 is refused", st_probe_at(0, ST_OP_INT80) >> 32, TRAP_GP);
	st_equal("read of nothing", st_probe_at(ST_HOLE + 8, ST_OP_READ) & ~(u64)PF_USER,
		(u64)TRAP_PF << 32);
	st_equal("its address", st_fault_addr, ST_HOLE + 8);
	st_equal("write to code", st_probe_at(ST_CODE + 0x800, ST_OP_WRITE) & ~(u64)PF_USER,
		(u64)TRAP_PF << 32 | PF_PRESENT | PF_WRITE);
	st_equal("jump to data", st_probe_at(ST_DATA, ST_OP_JUMP) & ~(u64)PF_USER,
		(u64)TRAP_PF << 32 | PF_PRESENT | PF_FETCH);
	st_equal("jump to nothing", st_probe_at(ST_HOLE, ST_OP_JUMP) & ~(u64)(PF_USER | PF_FETCH),
		(u64)TRAP_PF << 32);
	st_equal("non-canonical address", st_probe_at(0x1234567812345678, ST_OP_READ) >> 32,
		TRAP_GP);
}

/* After both ways into user mode. */
static void st_privileges(void)
{
	static const char *const what[] = { "read of CR3", "RDMSR", "OUT", "HLT", "write of CR3",
		"CLI", "INVLPG", "LIDT", "SWAPGS", "SYSRETQ", "WRMSR" };

	for (u32 i = 0; i < ARRAY_SIZE(what); i++) {
		u64 op = ST_OP_FIRST_PRIVILEGED + i;

		st_equal(what[i], st_probe_at(ST_DATA, op), (u64)TRAP_GP << 32);
		st_equal("... after SYSRET", st_probe_at(ST_DATA, op | ST_AFTER_SYSRET),
			(u64)TRAP_GP << 32);
	}
}

/* What a program can do to its flags and segments must neither reach the kernel nor stop it. */
static void st_tricks(void)
{
	st_probe_at(0, ST_OP_STEP);
	st_report(true, "single step with DF and AC", 0, 0);
	st_equal("flags of the kernel in a system call", st_probe_at(0, ST_OP_FLAGS_SYSCALL), 0);
	st_probe_at(ST_HOLE + 1, ST_OP_FLAGS_FAULT);
	st_equal("flags of the kernel in a fault", st_fault_flags, 0);
	st_report(st_probe_at((u64)selftest_run, ST_OP_OWN_IRET) >> 32 != 0,
		"an IRETQ to a kernel frame fails", 0, 0);
	st_report(true, "VMMCALL of a program", st_probe_at(0, ST_OP_VMMCALL), 0);
	st_report(true, "VMCALL of a program", st_probe_at(0, ST_OP_VMCALL), 0);
	st_equal("a program's own return into the kernel is refused",
		st_probe_at((u64)selftest_run, ST_OP_INT_RETURN) >> 32, TRAP_GP);
	st_report(st_probe_at(0, ST_OP_INT_CALL) >> 32 != 0,
		"so are pvm's services, as a program's interrupt instruction", 0, 0);
}

/* 32-bit code: runs on std, where its ways of asking for a system call must not be the kernel's end. */
static void st_code32(void)
{
	u64 got = st_probe_at(0, ST_OP_COMPAT);

	if (arch_pvm) {
		st_report(got >> 32 != 0, "32-bit code does not get far", got, 0);
		return;
	}
	st_equal("an undefined instruction in 32-bit code", got, (u64)TRAP_UD << 32);
	st_equal("... its segment", st_fault_cs, USER_CS32);
	st_equal("SYSCALL there", st_probe_at(0, ST_OP_SYSCALL32), (u64)TRAP_UD << 32);
	st_equal("... its segment", st_fault_cs, USER_CS32);
	got = st_probe_at(0, ST_OP_SYSENTER32);
	st_report(got == (u64)TRAP_UD << 32 || got == (u64)TRAP_GP << 32, "SYSENTER there", got,
		st_fault_cs);
	st_equal("a return into it above 4 GiB", st_probe_at(0, ST_OP_ABOVE), (u64)TRAP_UD << 32);
	st_report(st_fault_addr < PAGE_SIZE + ST_CODE && st_fault_cs == USER_CS32,
		"... goes on below", st_fault_addr, st_fault_cs);
}

/* std: a debug exception that finds the kernel on a thread's stack, and on one that is none, as after MOV SS and SYSCALL. */
static void st_kernel_steps(void)
{
	static u64 other[64];
	u64 flags, own, foreign;

	if (arch_pvm)
		return;
	flags = irq_save();
	own = st_kernel_step(0);
	foreign = st_kernel_step((u64)(other + ARRAY_SIZE(other)));
	irq_restore(flags);
	st_equal("a single step of the kernel", own, 0);
	st_equal("... on a stack that is no thread's", foreign, 0);
}

/* What a program sets by itself and a hypervisor must not lose: pvm's loses two things, which is then nobody's fault here. */
static void st_exits(void)
{
	static const u64 low = 0x123456789000, high = 0xffff923456789000;
	u64 got = st_probe_at(low, ST_OP_GSBASE);

	if (got == (u64)TRAP_UD << 32) {
		st_report(true, "a GS base outlives an exit # SKIP no FSGSBASE", 0, 0);
	} else {
		st_equal("a GS base outlives an exit", got, low);
		got = st_probe_at(high, ST_OP_GSBASE);
		st_report(got == high || arch_pvm, "... one of the upper half", got, high);
	}
	got = st_probe_at(0, ST_OP_NT);
	st_report(got || arch_pvm, "NT outlives an exit", got, RFLAGS_NT);
}

/* What user mode must not reach. */
static void st_isolation(void)
{
	static const struct {
		const char *what;
		const void *at;
	} secrets[] = {
		{ "image", st_progs },
		{ "direct map", (void *)CM_DIRECT_MAP },
		{ "GDT and TSS", &entry_areas[0] },
		{ "entry stack", &entry_areas[0].entry_stack[8] },
		{ "kernel text", selftest_run },
	};

	for (u32 i = 0; i < ARRAY_SIZE(secrets); i++) {
		u64 at = (u64)secrets[i].at;

		st_equal(secrets[i].what, st_probe_at(at, ST_OP_READ) >> 32, TRAP_PF);
		st_equal("... write", st_probe_at(at, ST_OP_WRITE) >> 32, TRAP_PF);
		st_equal("... jump", st_probe_at(at, ST_OP_JUMP) >> 32, TRAP_PF);
	}
	st_equal("IRET frame is not writable", st_probe_at(TRAMP_FRAME(0), ST_OP_WRITE) >> 32,
		TRAP_PF);
	st_report(st_probe_at((u64)selftest_run, ST_OP_IRET) >> 32 != 0,
		"IRETQ of the trampoline does not lead into the kernel", st_fault_addr, 0);
}

/* ---- interrupts ---- */

struct st_storm {
	struct ktimer timer;
	u64 interval, fired;
	bool stop;
};

static void st_storm_fire(struct ktimer *t)
{
	struct st_storm *s = container_of(t, struct st_storm, timer);

	s->fired++;
	if (!READ_ONCE(s->stop))
		ktimer_arm(t, clock_monotonic() + s->interval);
}

/*
 * ns between the interrupts of a storm. Each costs some five traps, and a storm that is faster than that stands still: hosts differ by a
 * factor of twenty.
 */
static u64 st_storm_interval(void)
{
	return MAX(60 * NSEC_PER_USEC, 12 * clock_tsc_to_ns(arch_trap_cycles));
}

/* As many as take 120 ms without interrupts. */
static u64 st_storm_rounds(void)
{
	return MAX(2000UL, MIN(200000UL, 120 * NSEC_PER_MSEC / MAX(st_null_ns, 1UL)));
}

static void st_storm(const char *what, u64 syscall_nr)
{
	struct st_storm s = { .interval = st_storm_interval() };
	u64 hits = trap_window_hits, result;

	ktimer_init(&s.timer, st_storm_fire);
	ktimer_arm(&s.timer, clock_monotonic() + s.interval);
	result = st_run(st_regs, st_storm_rounds(), syscall_nr, 0xabcdef);
	s.stop = true;
	ktimer_cancel(&s.timer);
	st_equal(what, result, 0);
	st_report(s.fired > 0, "... interrupts, of them in the trampoline", s.fired,
		trap_window_hits - hits);
}

static void st_storms(void)
{
	st_storm("registers survive a storm of timer interrupts, SYSRET", 0);
	st_storm("registers survive a storm of timer interrupts, IRET", 2);
}

/* With pvm's fast return all but single steps takes it; hosts without it have only the other ways. */
static void st_slow_ways(void)
{
	if (!pvm_fast_return)
		return;
	pvm_fast_return = false;
	st_user();
	st_privileges();
	st_storms();
	pvm_fast_return = true;
}

/* The same for the kernel's own code, for as long as 50000 rounds or a second takes. */
static void st_kernel_storm(void)
{
	struct st_storm s = { .interval = st_storm_interval() };
	u64 end = clock_monotonic() + NSEC_PER_SEC, bad = 0;

	ktimer_init(&s.timer, st_storm_fire);
	ktimer_arm(&s.timer, clock_monotonic() + s.interval);
	for (u32 i = 0; i < 100 && !bad && (clock_monotonic() < end || !READ_ONCE(s.fired)); i++)
		bad = st_kernel_regs(500);
	st_equal("the kernel's registers survive a storm", bad, 0);
	s.stop = true;
	ktimer_cancel(&s.timer);
	st_report(s.fired > 0, "... interrupts", s.fired, 0);
}

static void st_timers(void)
{
	u64 start = clock_monotonic();
	u64 late;

	sched_sleep_until(start + NSEC_PER_MSEC, false);
	late = clock_monotonic() - start - NSEC_PER_MSEC;
	st_report(
		(s64)late >= 0 && late < 200 * NSEC_PER_MSEC, "sleep of 1 ms, late by ns", late, 0);
	sched_sleep_until(start, false);
	st_report(true, "sleep until the past returns", 0, 0);
}

/* ---- kernel threads ---- */

struct st_ping {
	struct waitq wq;
	u64 turn, rounds;
	bool done;
};

static void st_pong(void *arg)
{
	struct st_ping *p = arg;

	for (u64 i = 0; i < p->rounds; i++) {
		wait_event(&p->wq, atomic_load(&p->turn) == 2 * i + 1);
		atomic_add(&p->turn, 1);
		waitq_wake_all(&p->wq);
	}
	atomic_store(&p->done, true);
	waitq_wake_all(&p->wq);
}

static void st_switches(void)
{
	struct st_ping p = { .rounds = 2000 };
	u64 start = clock_monotonic();
	struct thread *t;

	waitq_init(&p.wq);
	t = kthread_run(st_pong, &p, "pong");
	panic_if(!t);
	for (u64 i = 0; i < p.rounds; i++) {
		atomic_add(&p.turn, 1);
		waitq_wake_all(&p.wq);
		wait_event(&p.wq, atomic_load(&p.turn) == 2 * i + 2);
	}
	wait_event(&p.wq, atomic_load(&p.done));
	while (atomic_load(&t->state) != THREAD_DEAD)
		sched_yield_cpu();
	thread_destroy(t);
	st_report(true, "kernel threads hand over, ns a turn",
		(clock_monotonic() - start) / (2 * p.rounds), 0);
}

/*
 * Two programs that never enter the kernel share one CPU, also with a thread that has had it for itself for long before: it does not wait until they
 * have had as much, twice BUSY.
 */
static void st_preemption(void)
{
	const u64 busy = 500 * NSEC_PER_MSEC;
	u64 start = clock_monotonic(), x, y;
	struct st_prog *a, *b;

	while (clock_monotonic() - start < busy)
		cpu_relax();
	memset(st_data, 0, PAGE_SIZE);
	a = st_start(st_spin, ST_DATA, ST_DATA + 64, 0, 1);
	b = st_start(st_spin, ST_DATA + 128, ST_DATA + 64, 0, 1);
	start = clock_monotonic();
	sched_sleep_until(start + 100 * NSEC_PER_MSEC, false);
	start = clock_monotonic() - start;
	x = READ_ONCE(st_data[0]);
	y = READ_ONCE(st_data[16]);
	WRITE_ONCE(st_data[8], 1);
	st_finish(a);
	st_finish(b);
	st_report(start < 2 * busy, "a thread that ran alone before gets its turn, ns", start,
		2 * busy);
	/* A host under load stops the vCPU during the turn of either: only the order of magnitude is told. */
	st_report(x && y && x < 32 * y && y < 32 * x, "two spinning programs share a CPU", x, y);
}

static void st_fpu(void)
{
	struct st_prog *a = st_start(st_regs, 6000, 0, 0x1111, 1);
	struct st_prog *b = st_start(st_regs, 6000, 2, 0x2222, 1);
	struct st_prog *c = st_start(st_regs, 6000, 0, 0x3333, ~0UL);
	struct st_storm s = { .interval = 5 * st_storm_interval() };
	u64 bad;

	ktimer_init(&s.timer, st_storm_fire);
	ktimer_arm(&s.timer, clock_monotonic() + s.interval);
	bad = st_finish(a) | st_finish(b) | st_finish(c);
	s.stop = true;
	ktimer_cancel(&s.timer);
	st_equal("FPU registers belong to their thread", bad, 0);
}

/* ---- memory ---- */

static void st_remap(void *page, u64 generation)
{
	pte_t *pte = pgt_walk(&st_as.pt, ST_TEST, true);

	*(u64 *)page = generation;
	atomic_store(pte, pte_make(va_to_pa(page), PTE_R));
	tlb_flush(&st_as.pt, ~0UL, ST_TEST, ST_TEST + PAGE_SIZE);
	atomic_store(&st_data[0], generation);
}

static void st_shootdown(const char *what, u64 cpu_mask)
{
	void *pages[2] = { st_map(ST_TEST, PTE_R), page_alloc_va(0, GFP_ZERO) };
	struct st_prog *p;
	u64 bad, seen;

	panic_if(!pages[1]);
	memset(st_data, 0, PAGE_SIZE);
	p = st_start(st_stale, ST_TEST, ST_DATA, 0, cpu_mask);
	for (u64 i = 1; i <= 200; i++) {
		st_remap(pages[i & 1], i);
		if (i % 8 == 0)
			sched_sleep_until(clock_monotonic() + 50 * NSEC_PER_USEC, false);
	}
	sched_sleep_until(clock_monotonic() + 20 * NSEC_PER_MSEC, false);
	seen = READ_ONCE(st_data[1]);
	WRITE_ONCE(st_data[2], 1);
	bad = st_finish(p);
	st_equal(what, bad, 0);
	st_equal("... the last generation was seen", seen, 200);
	*pgt_walk(&st_as.pt, ST_TEST, true) = 0;
	tlb_flush(&st_as.pt, ~0UL, ST_TEST, ST_TEST + PAGE_SIZE);
	st_equal(
		"... and nothing after unmapping", st_probe_at(ST_TEST, ST_OP_READ) >> 32, TRAP_PF);
	page_free_va(pages[0], 0);
	page_free_va(pages[1], 0);
}

static void st_usercopy(void)
{
	char buf[64] = "";

	st_equal(
		"kernel text is not writable", arch_copy_to_user((uaddr_t)selftest_run, buf, 8), 8);
	st_equal("nor are constants", arch_copy_to_user((uaddr_t)selftest_user, buf, 8), 8);
	st_equal("copy from an unmapped address", arch_copy_from_user(buf, ST_HOLE, 40), 40);
	st_equal(
		"string at an unmapped address", (u64)arch_strnlen_user(ST_HOLE, 10), (u64)-EFAULT);
}

/* ---- SMP ---- */

static void st_on_other_cpus(void *arg)
{
	atomic_or((u64 *)arg, 1UL << cpu_id());
}

static void st_smp(void)
{
	u64 seen = 0, start = clock_monotonic();

	st_equal("every CPU starts", (u64)cpus_need_all(), 0);
	for (u32 cpu = 0; cpu < cpu_count(); cpu++) {
		struct thread *t = thread_create(st_on_other_cpus, &seen, "smp");

		panic_if(!t);
		t->cpu_mask = 1UL << cpu;
		thread_start(t);
	}
	while (atomic_load(&seen) != (1UL << cpu_count()) - 1 &&
		clock_monotonic() - start < NSEC_PER_SEC)
		sched_yield_cpu();
	st_equal("a thread ran on every CPU", atomic_load(&seen), (1UL << cpu_count()) - 1);
}

void selftest_run(void)
{
	st_setup();
	st_timers();
	st_user();
	st_exceptions();
	st_privileges();
	st_isolation();
	st_tricks();
	st_code32();
	st_kernel_steps();
	st_exits();
	st_usercopy();
	st_switches();
	st_storms();
	st_slow_ways();
	st_kernel_storm();
	st_preemption();
	st_fpu();
	st_shootdown("no stale translation on this CPU", 1);
	st_smp();
	if (cpu_count() > 1)
		st_shootdown("no stale translation on another CPU", 2);
	log_info("1..%u", st_count);
	arch_power_off(st_failed ? CM_OFF_PANIC : CM_OFF_DONE);
}
