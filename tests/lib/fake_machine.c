/* SPDX-License-Identifier: Apache-2.0 */
/* The guest half of the fake machine: scheduler, locks, memory, interrupts and hypercalls as drivers see them. */
#include "fake_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#include "arch.h"
#include "casemate/guestmem.h"
#include "casemate/hypercall.h"
#include "kernel/clock.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/timer.h"
#include "kernel/waitq.h"
#include "lib/fdt_read.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"

#define FAKE_THREADS 32
#define FAKE_STACK   (256u << 10)
#define FAKE_ORDERS  8

#define FAKE_CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

struct fake_thread {
	struct thread t;
	ucontext_t ctx;
	void (*fn)(void *arg);
	void *arg;
	bool used;
};

u64 fake_direct_map;
unsigned int fake_interrupts, fake_doorbells, fake_exits;
static struct fake_thread fake_threads[FAKE_THREADS];
static struct fake_thread *fake_current;
static ucontext_t fake_scheduler;
static unsigned int fake_spins, fake_wanted, fake_finished;
static struct {
	void (*fn)(void *arg);
	void *arg;
} fake_irq[FAKE_DEVICES];
static struct ktimer *fake_timers[FAKE_THREADS];
static u64 fake_next_page;
static void *fake_free_pages[FAKE_ORDERS];
static bool fake_in_irq;
static u8 fake_tree[65536];
static struct fdt_reader fake_reader;

void fake_machine_init(void)
{
	size_t len = FAKE_RAM_GPA + FAKE_RAM_LEN - FAKE_ARENA_GPA;
	u8 *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);

	FAKE_CHECK(p != MAP_FAILED);
	fake_direct_map = (u64)p - FAKE_ARENA_GPA;
	fake_next_page = FAKE_RAM_GPA;
	fake_host_init((void *)fake_direct_map);
	FAKE_CHECK(fake_host_fdt(fake_tree, sizeof(fake_tree)) > 0);
	FAKE_CHECK(fdt_read_init(&fake_reader, fake_tree, sizeof(fake_tree)));
}

void fake_machine_fini(void)
{
	fake_host_fini();
}

const struct fdt_reader *fake_fdt(void)
{
	return &fake_reader;
}

/* ---- threads ---- */

static void fake_entry(void)
{
	fake_current->fn(fake_current->arg);
	fake_current->t.state = THREAD_DEAD;
	swapcontext(&fake_current->ctx, &fake_scheduler);
}

/* A function of its own: getcontext returns twice as far as the compiler knows. */
static struct thread *fake_thread_setup(struct fake_thread *f)
{
	getcontext(&f->ctx);
	f->ctx.uc_stack.ss_sp = malloc(FAKE_STACK);
	f->ctx.uc_stack.ss_size = FAKE_STACK;
	makecontext(&f->ctx, fake_entry, 0);
	f->t.state = THREAD_RUNNABLE;
	return &f->t;
}

struct thread *kthread_run(void (*fn)(void *), void *arg, const char *name)
{
	for (struct fake_thread *f = fake_threads; f < fake_threads + FAKE_THREADS; f++) {
		if (f->used)
			continue;
		f->used = true;
		f->fn = fn;
		f->arg = arg;
		return fake_thread_setup(f);
	}
	return NULL;
}

void fake_thread(void (*fn)(void *), void *arg)
{
	FAKE_CHECK(kthread_run(fn, arg, "test"));
}

struct thread *thread_current(void)
{
	return &fake_current->t;
}

void sched_block(void)
{
	FAKE_CHECK(fake_spins == 0 && !fake_in_irq);
	swapcontext(&fake_current->ctx, &fake_scheduler);
}

bool sched_wake(struct thread *t)
{
	bool slept = t->state == THREAD_SLEEP || t->state == THREAD_SLEEP_INTR;

	t->state = THREAD_RUNNABLE;
	return slept;
}

void sched_yield_cpu(void)
{
	sched_block();
}

void fake_yield(void)
{
	sched_block();
}

void fake_expect(unsigned int n)
{
	fake_wanted += n;
}

void fake_done(void)
{
	fake_finished++;
}

/* ---- time ---- */

static u64 fake_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}

/* Guest code that polls looks at the clock: the devices run meanwhile, as they would on another CPU. */
u64 clock_monotonic(void)
{
	fake_host_step(0);
	return fake_clock();
}

void ktimer_init(struct ktimer *t, ktimer_fn fn)
{
	*t = (struct ktimer){ .fn = fn };
}

void ktimer_arm(struct ktimer *t, u64 expires)
{
	t->expires = expires;
	for (u32 i = 0; i < FAKE_THREADS; i++) {
		if (!fake_timers[i]) {
			fake_timers[i] = t;
			return;
		}
	}
	FAKE_CHECK(false);
}

bool ktimer_cancel(struct ktimer *t)
{
	for (u32 i = 0; i < FAKE_THREADS; i++) {
		if (fake_timers[i] == t) {
			fake_timers[i] = NULL;
			return true;
		}
	}
	return false;
}

/* ---- interrupts and the main loop ---- */

int irq_register(u32 vector, void (*fn)(void *arg), void *arg)
{
	FAKE_CHECK(vector >= CM_VECTOR_VIRTIO && vector < CM_VECTOR_VIRTIO + FAKE_DEVICES);
	fake_irq[vector - CM_VECTOR_VIRTIO].fn = fn;
	fake_irq[vector - CM_VECTOR_VIRTIO].arg = arg;
	return 0;
}

static void fake_events(int ms)
{
	u32 raised;
	u64 now;

	fake_host_step(ms);
	raised = fake_host_raised();
	now = fake_clock();
	fake_in_irq = true;
	for (u32 i = 0; i < FAKE_DEVICES; i++) {
		if ((raised & 1u << i) && fake_irq[i].fn) {
			fake_interrupts++;
			fake_irq[i].fn(fake_irq[i].arg);
		}
	}
	for (u32 i = 0; i < FAKE_THREADS; i++) {
		struct ktimer *t = fake_timers[i];

		if (t && t->expires <= now) {
			fake_timers[i] = NULL;
			t->fn(t);
		}
	}
	fake_in_irq = false;
}

void fake_run(void)
{
	u64 end = fake_clock() + 20 * NSEC_PER_SEC;

	while (fake_finished < fake_wanted) {
		bool ran = false;

		for (u32 i = 0; i < FAKE_THREADS; i++) {
			fake_current = &fake_threads[i];
			if (!fake_current->used || fake_current->t.state != THREAD_RUNNABLE)
				continue;
			swapcontext(&fake_scheduler, &fake_current->ctx);
			ran = true;
			fake_events(0);
		}
		if (!ran)
			fake_events(1);
		FAKE_CHECK(fake_clock() < end);
	}
	fake_finished = 0;
	fake_wanted = 0;
}

u64 irq_save(void)
{
	return 0;
}

void irq_restore(u64 flags)
{
}

/* ---- locks: one CPU, so a taken spinlock is a bug ---- */

void spin_lock(struct spinlock *l)
{
	FAKE_CHECK(!l->locked);
	l->locked = 1;
	fake_spins++;
}

void spin_unlock(struct spinlock *l)
{
	FAKE_CHECK(l->locked);
	l->locked = 0;
	fake_spins--;
}

u64 spin_lock_irq(struct spinlock *l)
{
	spin_lock(l);
	return 0;
}

void spin_unlock_irq(struct spinlock *l, u64 flags)
{
	spin_unlock(l);
}

void mutex_lock(struct mutex *m)
{
	while (m->owner)
		sched_yield_cpu();
	m->owner = thread_current();
}

void mutex_unlock(struct mutex *m)
{
	FAKE_CHECK(m->owner == thread_current());
	m->owner = NULL;
}

/* ---- memory ---- */

void *page_alloc_va(u32 order, u32 gfp)
{
	void *p = NULL;

	FAKE_CHECK(order < FAKE_ORDERS && !fake_in_irq);
	if (fake_free_pages[order]) {
		p = fake_free_pages[order];
		fake_free_pages[order] = *(void **)p;
	} else if (fake_next_page + (PAGE_SIZE << order) <= FAKE_RAM_GPA + FAKE_RAM_LEN) {
		p = pa_to_va(fake_next_page);
		fake_next_page += PAGE_SIZE << order;
	}
	if (p)
		memset(p, gfp & GFP_ZERO ? 0 : 0xa5, PAGE_SIZE << order);
	return p;
}

void page_free_va(void *va, u32 order)
{
	*(void **)va = fake_free_pages[order];
	fake_free_pages[order] = va;
}

void *kmalloc(size_t size)
{
	return malloc(size);
}

void *kzalloc(size_t size)
{
	FAKE_CHECK(!fake_in_irq);
	return calloc(1, size);
}

void kfree(void *p)
{
	free(p);
}

size_t arch_copy_from_user(void *dst, uaddr_t src, size_t n)
{
	return n;
}

size_t arch_copy_to_user(uaddr_t dst, const void *src, size_t n)
{
	return n;
}

size_t arch_clear_user(uaddr_t dst, size_t n)
{
	return n;
}

s64 arch_strnlen_user(uaddr_t s, size_t max)
{
	return -EFAULT;
}

int arch_cmpxchg_user32(uaddr_t p, u32 expected, u32 new_value, u32 *old)
{
	return -EFAULT;
}

/* ---- exits ---- */

int hypercall(u32 op, u64 a0, u64 a1)
{
	struct cm_mmio_op *ops = pa_to_va(a0);

	fake_exits++;
	FAKE_CHECK(op == CM_HC_MMIO_BATCH && a1 <= CM_MMIO_BATCH_MAX);
	for (u64 i = 0; i < a1; i++)
		fake_host_mmio(ops[i].device, ops[i].offset & ~CM_MMIO_READ,
			!(ops[i].offset & CM_MMIO_READ), &ops[i].value);
	return 0;
}

void arch_doorbell(u32 device, u32 queue)
{
	fake_doorbells++;
	fake_exits++;
	fake_host_doorbell(device, queue);
	if (fake_fsd_prompt)
		fake_host_step(0);
}

void log_write(enum log_level level, const char *fmt, ...)
{
}
