/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A non-maskable interrupt is a debugger's question where this vCPU stands. The answer goes to the log and stays in memory for the debugger to
 * read. Any lock may be held by what was interrupted, and the stack is not a thread's: nothing here asks for the current thread, and the
 * hypercall block is one of its own.
 */
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/trap.h"
#include "casemate/guestmem.h"
#include "casemate/hypercall.h"
#include "debug/layout.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/percpu.h"
#include "lib/atomic.h"
#include "lib/printf.h"
#include "task/task.h"

#define NMI_TEXT  1024u
#define NMI_DEPTH 24

DEBUG_CONST(NMI_TEXT);

static struct cm_hypercall nmi_call __aligned(4096);
static char nmi_text[CM_MAX_CPUS][NMI_TEXT];
static u32 nmi_count[CM_MAX_CPUS]; /* answers given */
static u32 nmi_busy; /* atomic: a vCPU uses nmi_call; it never waits for another */

/* From the stack that the interrupt came on. */
static u32 nmi_cpu(const struct regs *r)
{
	u64 at = (u64)r - (u64)entry_areas;

	return at < sizeof(entry_areas) ? (u32)(at / sizeof(entry_areas[0])) : cpu_id();
}

static size_t nmi_add_stack(char *text, size_t room, const struct regs *r)
{
	u64 pc[NMI_DEPTH];
	u32 n = panic_backtrace(r->rbp, r->rsp, pc, NMI_DEPTH), i;
	size_t at = 0;

	for (i = 0; i < n && at + 24 < room; i++)
		at += (size_t)str_format(text + at, room - at, " %lx", pc[i]);
	return at;
}

static size_t nmi_describe(char *text, const struct regs *r, u32 cpu, const struct thread *t)
{
	bool user = r->rip < USER_TOP;
	size_t n = (size_t)str_format(text, NMI_TEXT,
		"nmi: cpu %u %s thread %s pid %d\nnmi: rip %lx rsp %lx rbp %lx rflags %lx\n"
		"nmi: rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx\nnmi: stack",
		cpu, user ? "user" : "kernel", t ? t->name : "?", t && t->task ? t->task->tid : 0,
		r->rip, r->rsp, r->rbp, r->rflags, r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi);

	n = MIN(n, (size_t)NMI_TEXT - 2);
	if (!user)
		n += nmi_add_stack(text + n, NMI_TEXT - 2 - n, r);
	text[n++] = '\n';
	text[n] = '\0';
	return n;
}

void nmi_dump(const struct regs *r)
{
	u32 cpu = nmi_cpu(r);
	char *text = nmi_text[cpu];
	size_t n = nmi_describe(text, r, cpu, percpu[cpu].runq.running);

	while (atomic_xchg(&nmi_busy, 1u))
		cpu_relax();
	nmi_call = (struct cm_hypercall){ .op = CM_HC_LOG, .arg = { image_pa(text), n } };
	cpu_outl(CM_PORT_CALL, (u32)(image_pa(&nmi_call) >> PAGE_SHIFT));
	atomic_store(&nmi_busy, 0u);
	atomic_add(&nmi_count[cpu], 1);
}

/* The interrupt that stands for an NMI comes only in user mode. */
static void nmi_interrupt(void *arg)
{
	nmi_dump(thread_user_regs(thread_current()));
}

void nmi_init(void)
{
	if (arch_pvm && irq_register(CM_VECTOR_DEBUG, nmi_interrupt, NULL) < 0)
		panic("nmi: the debug vector is taken");
}
