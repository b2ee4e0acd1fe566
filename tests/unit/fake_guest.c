/* SPDX-License-Identifier: Apache-2.0 */
/* Locks, RAM, hypercalls and time for host tests of guest code: one thread, every misuse aborts. */
#include "fake_guest.h"

#include <casemate/hypercall.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "kernel/clock.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/waitq.h"
#include "lib/string.h"
#include "mm/page.h"
#include "syscall/trace.h"
#include "task/io_count.h"

u64 fake_direct_map;
unsigned fake_cpu, fake_spin_held, fake_sem_held;
unsigned long fake_released_pages;
u64 fake_now;
static size_t fake_ram_bytes;

#define FAKE_CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

void fake_ram(unsigned mib)
{
	void *p;

	if (fake_ram_bytes)
		munmap((void *)(fake_direct_map + FAKE_RAM_START), fake_ram_bytes);
	fake_ram_bytes = (size_t)mib << 20;
	p = mmap(NULL, fake_ram_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	FAKE_CHECK(p != MAP_FAILED);
	fake_direct_map = (u64)p - FAKE_RAM_START;
	page_init(FAKE_RAM_START, FAKE_RAM_START + fake_ram_bytes, FAKE_RAM_START + (2UL << 20));
}

u32 cpu_id(void)
{
	return fake_cpu;
}

u32 cpu_count(void)
{
	return 2;
}

void spin_lock(struct spinlock *l)
{
	FAKE_CHECK(!l->locked);
	l->locked = 1;
	fake_spin_held++;
}

bool spin_trylock(struct spinlock *l)
{
	if (l->locked)
		return false;
	spin_lock(l);
	return true;
}

void spin_unlock(struct spinlock *l)
{
	FAKE_CHECK(l->locked);
	l->locked = 0;
	fake_spin_held--;
}

u64 spin_lock_irq(struct spinlock *l)
{
	spin_lock(l);
	return 0;
}

void spin_unlock_irq(struct spinlock *l, u64 flags)
{
	(void)flags;
	spin_unlock(l);
}

void mutex_lock(struct mutex *m)
{
	FAKE_CHECK(!m->owner && !fake_spin_held);
	m->owner = (struct thread *)m;
	fake_sem_held++;
}

void mutex_unlock(struct mutex *m)
{
	FAKE_CHECK(m->owner);
	m->owner = NULL;
	fake_sem_held--;
}

void rwsem_read_lock(struct rwsem *s)
{
	FAKE_CHECK(s->readers >= 0 && !fake_spin_held);
	s->readers++;
	fake_sem_held++;
}

bool rwsem_read_try(struct rwsem *s)
{
	if (s->readers < 0)
		return false;
	rwsem_read_lock(s);
	return true;
}

void rwsem_read_unlock(struct rwsem *s)
{
	FAKE_CHECK(s->readers > 0);
	s->readers--;
	fake_sem_held--;
}

void rwsem_write_lock(struct rwsem *s)
{
	FAKE_CHECK(s->readers == 0 && !fake_spin_held);
	s->readers = -1;
	fake_sem_held++;
}

void rwsem_write_unlock(struct rwsem *s)
{
	FAKE_CHECK(s->readers == -1);
	s->readers = 0;
	fake_sem_held--;
}

/* One thread: whoever would have to wait has lost, unless the test does what is waited for. */
void (*fake_sleep)(void);

void waitq_init(struct waitq *wq)
{
	list_init(&wq->waiters);
}

int waitq_wake(struct waitq *wq, int n, u64 key)
{
	(void)wq;
	(void)n;
	(void)key;
	return 0;
}

void wait_prepare(struct waitq *wq, struct waiter *w, bool intr)
{
	(void)wq;
	(void)w;
	(void)intr;
}

int wait_sleep(struct waiter *w, bool intr, u64 deadline)
{
	(void)w;
	(void)intr;
	if (fake_sleep) {
		fake_sleep();
		return 0;
	}
	FAKE_CHECK(deadline != WAIT_FOREVER);
	return -ETIMEDOUT;
}

void wait_finish(struct waitq *wq, struct waiter *w)
{
	(void)wq;
	(void)w;
}

int sched_sleep_until(u64 deadline, bool intr)
{
	(void)intr;
	FAKE_CHECK(!fake_spin_held);
	fake_now = MAX(fake_now, deadline);
	return 0;
}

struct thread *kthread_run(void (*fn)(void *), void *arg, const char *name)
{
	(void)fn;
	(void)arg;
	(void)name;
	return (struct thread *)&fake_cpu;
}

struct task *task_current(void)
{
	return NULL;
}

void io_count_fetched(u64 bytes)
{
	(void)bytes;
}

void io_count_dirtied(u64 bytes)
{
	(void)bytes;
}

void io_count_cancelled(u64 bytes)
{
	(void)bytes;
}

struct thread *thread_current(void)
{
	return NULL;
}

u64 clock_monotonic(void)
{
	return fake_now;
}

void arch_random(void *buf, size_t len)
{
	static u64 state = 88172645463325252UL;
	u8 *out = buf;

	for (size_t i = 0; i < len; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		out[i] = (u8)state;
	}
}

int hypercall(u32 op, u64 a0, u64 a1)
{
	struct cm_range *r = pa_to_va(a0);

	FAKE_CHECK(op == CM_HC_MEM_RELEASE && a1 <= CM_RANGES_MAX);
	for (u64 i = 0; i < a1; i++) {
		FAKE_CHECK(!(r[i].gpa & (PAGE_SIZE - 1)) && !(r[i].len & (PAGE_SIZE - 1)));
		memset(pa_to_va(r[i].gpa), 0xee, r[i].len);
		fake_released_pages += r[i].len / PAGE_SIZE;
	}
	return 0;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

/* ---- tracing, which nobody asks for here */

u32 trace_enabled;

void trace_fuse_sent(u32 op, u64 nodeid)
{
}

void trace_fuse(u32 op, u64 nodeid, s64 result, u64 ns)
{
}
