/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that the agent starts and nobody waits for. One that has ended is put away when the next one begins: at most those since then are kept. */
#include "agent/internal.h"

#include "kernel/sched.h"
#include "mm/slab.h"

struct agent_thread {
	struct list_head link; /* agent's thread */
	struct thread *thread; /* agent's thread */
	u32 done; /* atomic: nothing but its end remains */
	void (*fn)(void *arg);
	void *arg;
};

static struct list_head agent_threads = LIST_HEAD_INIT(agent_threads);

static void agent_thread_main(void *arg)
{
	struct agent_thread *t = arg;

	t->fn(t->arg);
	atomic_store(&t->done, 1);
	thread_exit();
}

static void agent_thread_reap(void)
{
	struct agent_thread *t, *next;

	list_for_each_entry_safe (t, next, &agent_threads, link) {
		if (!atomic_load(&t->done))
			continue;
		/* It has a few instructions left. */
		while (READ_ONCE(t->thread->state) != THREAD_DEAD)
			sched_yield_cpu();
		thread_destroy(t->thread);
		list_del(&t->link);
		kfree(t);
	}
}

bool agent_thread_run(void (*fn)(void *arg), void *arg, const char *name)
{
	struct agent_thread *t = kzalloc(sizeof(*t));

	agent_thread_reap();
	if (!t)
		return false;
	t->fn = fn;
	t->arg = arg;
	t->thread = kthread_run(agent_thread_main, t, name);
	if (!t->thread) {
		kfree(t);
		return false;
	}
	list_add_tail(&agent_threads, &t->link);
	return true;
}
