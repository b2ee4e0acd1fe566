/* SPDX-License-Identifier: Apache-2.0 */
/* Threads: stacks, the first frame of each kind, birth and death. */
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/trap.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/sched.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"

#define KSTACK_ORDER  2
#define THREAD_CANARY 0x5ac6a11e57ac0000UL /* second word of every stack */

_Static_assert(PAGE_SIZE << KSTACK_ORDER == KSTACK_SIZE, "allocation order");

struct percpu percpu[CM_MAX_CPUS];
static u32 thread_cpus = 1;

static struct kcache thread_cache = KCACHE("thread", struct thread);

static struct thread thread_boot;
static u8 thread_boot_stack[KSTACK_SIZE] __aligned(KSTACK_SIZE);

u64 boot_stacks[CM_MAX_CPUS] = { (u64)thread_boot_stack + KSTACK_SIZE };

/* What arch_switch pops, then where it returns to. */
struct switch_frame {
	u64 r15, r14, r13, r12, rbx, rbp;
	void (*start)(void);
	u64 pad; /* keeps the stack aligned as a call would */
};

struct thread *thread_current(void)
{
	return *(struct thread **)(cpu_read_sp() & ~(KSTACK_SIZE - 1));
}

struct task *task_current(void)
{
	return thread_current()->task;
}

u32 cpu_id(void)
{
	return thread_current()->cpu;
}

u32 cpu_count(void)
{
	return thread_cpus;
}

bool thread_overflowed(const struct thread *t)
{
	return ((const u64 *)t->stack)[1] != THREAD_CANARY;
}

static void thread_setup(struct thread *t, void *stack, const char *name)
{
	t->stack = stack;
	*(struct thread **)stack = t;
	((u64 *)stack)[1] = THREAD_CANARY;
	t->cpu_mask = thread_cpus >= 64 ? ~0UL : (1UL << thread_cpus) - 1;
	t->arch.fpu_cpu = ~0u;
	t->weight = t->nice_weight = SCHED_WEIGHT;
	str_copy(t->name, name, sizeof(t->name));
}

static struct thread *thread_alloc(const char *name)
{
	struct thread *t = kcache_zalloc(&thread_cache);
	void *stack;

	if (!t)
		return NULL;
	stack = page_alloc_va(KSTACK_ORDER, 0);
	if (!stack) {
		kcache_free(&thread_cache, t);
		return NULL;
	}
	thread_setup(t, stack, name);
	t->cpu = cpu_id();
	t->vruntime = percpu_this()->runq.floor;
	t->state = THREAD_SLEEP;
	return t;
}

struct regs *thread_user_regs(struct thread *t)
{
	return (struct regs *)((u64)t->stack + KSTACK_SIZE) - 1;
}

static void thread_push_frame(struct thread *t, u64 top, void (*start)(void), u64 r12, u64 r13)
{
	struct switch_frame *f = (struct switch_frame *)top - 1;

	*f = (struct switch_frame){ .r12 = r12, .r13 = r13, .start = start };
	t->ksp = (u64)f;
}

struct thread *thread_create(void (*fn)(void *), void *arg, const char *name)
{
	struct thread *t = thread_alloc(name);

	if (t)
		thread_push_frame(t, (u64)t->stack + KSTACK_SIZE, kthread_entry, (u64)fn, (u64)arg);
	return t;
}

struct thread *thread_create_user(struct task *task)
{
	struct thread *t = thread_alloc("user");

	if (!t)
		return NULL;
	t->arch.fpu_mem = kmalloc(fpu_size() + 64);
	if (!t->arch.fpu_mem) {
		thread_destroy(t);
		return NULL;
	}
	t->arch.fpu = (void *)ALIGN_UP((u64)t->arch.fpu_mem, 64);
	fpu_init_area(t->arch.fpu);
	t->task = task;
	t->weight = t->nice_weight = thread_current()->nice_weight;
	memset(thread_user_regs(t), 0, sizeof(struct regs));
	/* ret_to_user wants one word of padding below the registers: the frame's last. */
	thread_push_frame(t, (u64)thread_user_regs(t), ret_from_fork, 0, 0);
	return t;
}

void thread_start(struct thread *t)
{
	sched_wake(t);
}

struct thread *kthread_run(void (*fn)(void *), void *arg, const char *name)
{
	struct thread *t = thread_create(fn, arg, name);

	if (t)
		thread_start(t);
	return t;
}

void thread_destroy(struct thread *t)
{
	while (atomic_load(&t->on_cpu))
		cpu_relax();
	kfree(t->arch.fpu_mem);
	page_free_va(t->stack, KSTACK_ORDER);
	kcache_free(&thread_cache, t);
}

void thread_exit(void)
{
	atomic_store(&thread_current()->state, THREAD_DEAD);
	sched_block();
	panic("thread: a dead thread was scheduled");
}

static void thread_setup_cpu(u32 cpu, struct thread *idle)
{
	struct percpu *pc = &percpu[cpu];

	pc->runq.running = idle;
	pc->idle = idle;
	idle->cpu = cpu;
	idle->cpu_mask = 1UL << cpu;
	idle->on_cpu = true;
	idle->state = THREAD_RUNNABLE;
	boot_stacks[cpu] = (u64)idle->stack + KSTACK_SIZE;
}

void thread_init_boot(void)
{
	thread_setup(&thread_boot, thread_boot_stack, "idle/0");
	thread_setup_cpu(0, &thread_boot);
}

void thread_set_cpus(u32 cpus)
{
	thread_cpus = cpus;
}

int thread_create_idle(u32 cpu)
{
	char name[16];
	struct thread *t;

	str_format(name, sizeof(name), "idle/%u", cpu);
	t = thread_alloc(name);
	if (!t)
		return -ENOMEM;
	thread_setup_cpu(cpu, t);
	return 0;
}
