/* SPDX-License-Identifier: Apache-2.0 */
/* Breaking the sentry on purpose. */
#include "debug/fault_test.h"

#include "arch.h"
#include "kernel/clock.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/main.h"
#include "kernel/sched.h"
#include "lib/atomic.h"
#include "lib/string.h"
#include "task/internal.h"

#define FAULT_TEST_POLL (20 * NSEC_PER_MSEC)

static struct spinlock fault_test_lock;
static u32 fault_test_spins;

static __attribute__((noinline)) void fault_test_loop(void)
{
	irq_disable();
	for (;;)
		WRITE_ONCE(fault_test_spins, fault_test_spins + 1);
}

static __attribute__((noinline)) void fault_test_deadlock(void)
{
	spin_lock_irq(&fault_test_lock);
	spin_lock_irq(&fault_test_lock);
	/* No tail call: this function stays on the stack. */
	__asm__ volatile("");
}

static __attribute__((noinline)) void fault_test_panic(void)
{
	panic("debugtest: a panic on demand");
}

static const struct {
	const char *name;
	void (*fn)(void);
} fault_tests[] = {
	{ "loop", fault_test_loop },
	{ "deadlock", fault_test_deadlock },
	{ "panic", fault_test_panic },
};

static void fault_test_thread(void *arg)
{
	const char *word = arg;
	u64 ms = 0;
	size_t i;

	for (i = 0; word[i] && word[i] != ',' && word[i] != ' '; i++)
		;
	if (word[i] == ',') {
		for (i++; word[i] >= '0' && word[i] <= '9'; i++)
			ms = ms * 10 + (u64)(word[i] - '0');
	}
	/* The container is to be up first, however long that takes. */
	while (!READ_ONCE(pid_ns_root.ngroups))
		sched_sleep_until(clock_monotonic() + FAULT_TEST_POLL, false);
	sched_sleep_until(clock_monotonic() + ms * NSEC_PER_MSEC, false);
	for (i = 0; i < ARRAY_SIZE(fault_tests); i++) {
		if (strncmp(word, fault_tests[i].name, strlen(fault_tests[i].name)) == 0)
			fault_tests[i].fn();
	}
	log_error("debugtest: unknown kind");
	thread_exit();
}

void fault_test_start(void)
{
	size_t len;
	const char *word = main_option("debugtest", &len);

	if (word && len)
		kthread_run(fault_test_thread, (void *)(uintptr_t)word, "debugtest");
}
