/* SPDX-License-Identifier: Apache-2.0 */
/* Control files of the memory controller. */
#include "cgroup/internal.h"

#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/sched.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "task/task.h"

#define RECLAIM_STEP 64u

static void print_pages(struct proc_buf *b, s64 pages)
{
	proc_printf(b, "%lu\n", (unsigned long)MAX(pages, 0L) * PAGE_SIZE);
}

static void print_limit(struct proc_buf *b, s64 pages)
{
	if (pages == (s64)CGROUP_UNLIMITED)
		proc_printf(b, "max\n");
	else
		print_pages(b, pages);
}

static int memory_current_show(struct proc_buf *b, struct cgroup *cg)
{
	print_pages(b, (s64)memcg_usage(cg));
	return 0;
}

static int memory_peak_show(struct proc_buf *b, struct cgroup *cg)
{
	print_pages(b, MAX((s64)memcg_usage(cg), READ_ONCE(cg->mem_peak)));
	return 0;
}

#define LIMIT_SHOW(name, field) \
	static int name(struct proc_buf *b, struct cgroup *cg) \
	{ \
		print_limit(b, READ_ONCE(cg->field)); \
		return 0; \
	}
LIMIT_SHOW(memory_min_show, mem_min)
LIMIT_SHOW(memory_low_show, mem_low)
LIMIT_SHOW(memory_high_show, mem_high)
LIMIT_SHOW(memory_max_show, mem_max)
LIMIT_SHOW(memory_swap_max_show, mem_swap_max)

static int limit_store(s64 *field, const char *text)
{
	s64 v;
	int err = cg_parse_pages(text, &v);

	if (!err)
		WRITE_ONCE(*field, v);
	return err;
}

static int memory_min_write(struct cgroup *cg, char *text, struct file *opener)
{
	(void)opener;
	return limit_store(&cg->mem_min, text);
}

static int memory_low_write(struct cgroup *cg, char *text, struct file *opener)
{
	(void)opener;
	return limit_store(&cg->mem_low, text);
}

static int memory_swap_max_write(struct cgroup *cg, char *text, struct file *opener)
{
	(void)opener;
	return limit_store(&cg->mem_swap_max, text);
}

static bool memory_interrupted(void)
{
	struct task *t = task_current();

	return t && signal_pending(t);
}

/* Bring usage down to `pages`; kill: whatever it takes. */
static void memory_shrink(struct cgroup *cg, s64 pages, bool kill)
{
	u32 tries = 0;

	while ((s64)memcg_usage(cg) > pages && !memory_interrupted()) {
		if ((mm_reclaim_cgroup(cg, RECLAIM_STEP) || swap_make_room(cg)) && tries++ < 4096)
			continue;
		if (!kill || !oom_kill_cgroup(cg))
			return;
		sched_sleep_until(clock_monotonic() + 2 * NSEC_PER_MSEC, false);
	}
}

static int memory_high_write(struct cgroup *cg, char *text, struct file *opener)
{
	int err = limit_store(&cg->mem_high, text);

	(void)opener;
	if (!err)
		memory_shrink(cg, READ_ONCE(cg->mem_high), false);
	return err;
}

static int memory_max_write(struct cgroup *cg, char *text, struct file *opener)
{
	int err = limit_store(&cg->mem_max, text);

	(void)opener;
	if (!err)
		memory_shrink(cg, READ_ONCE(cg->mem_max), true);
	return err;
}

static int memory_reclaim_write(struct cgroup *cg, char *text, struct file *opener)
{
	s64 pages, freed, before = (s64)memcg_usage(cg);
	int err = cg_parse_pages(text, &pages);

	(void)opener;
	if (err)
		return err;
	memory_shrink(cg, MAX(before - pages, 0L), false);
	freed = before - (s64)memcg_usage(cg);
	return freed >= pages ? 0 : -EAGAIN;
}

static void print_events(struct proc_buf *b, const u64 *ev)
{
	static const char *const names[MEMCG_EVENTS] = { "low", "high", "max", "oom", "oom_kill",
		"oom_group_kill" };

	for (u32 i = 0; i < MEMCG_EVENTS; i++)
		proc_printf(b, "%s %lu\n", names[i], (unsigned long)atomic_load(&ev[i]));
}

static int memory_events_show(struct proc_buf *b, struct cgroup *cg)
{
	print_events(b, cg->mem_event);
	return 0;
}

static int memory_events_local_show(struct proc_buf *b, struct cgroup *cg)
{
	print_events(b, cg->mem_event_local);
	return 0;
}

static int memory_oom_group_show(struct proc_buf *b, struct cgroup *cg)
{
	proc_printf(b, "%d\n", cg->mem_oom_group);
	return 0;
}

static int memory_oom_group_write(struct cgroup *cg, char *text, struct file *opener)
{
	(void)opener;
	if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
		return -EINVAL;
	WRITE_ONCE(cg->mem_oom_group, *text == '1');
	return 0;
}

static int memory_stat_show(struct proc_buf *b, struct cgroup *cg)
{
	u64 anon, file, shmem;

	(void)memcg_usage(cg); /* brings the counters up to date */
	anon = (u64)MAX(READ_ONCE(cg->mem_stat[MEMCG_ANON]), 0L) * PAGE_SIZE;
	file = (u64)MAX(READ_ONCE(cg->mem_stat[MEMCG_FILE]), 0L) * PAGE_SIZE;
	shmem = (u64)MAX(READ_ONCE(cg->mem_stat[MEMCG_SHMEM]), 0L) * PAGE_SIZE;
	proc_printf(b, "anon %lu\nfile %lu\nshmem %lu\n", (unsigned long)anon, (unsigned long)file,
		(unsigned long)shmem);
	/* One list for all pages of files: any of them may go. */
	proc_printf(b, "inactive_anon %lu\nactive_anon 0\ninactive_file %lu\nactive_file 0\n",
		(unsigned long)(anon + shmem), (unsigned long)(file - MIN(file, shmem)));
	proc_printf(b, "unevictable 0\n");
	return 0;
}

static int memory_swap_current_show(struct proc_buf *b, struct cgroup *cg)
{
	print_pages(b, READ_ONCE(cg->mem_stat[MEMCG_SWAP]));
	return 0;
}

static int memory_swap_events_show(struct proc_buf *b, struct cgroup *cg)
{
	u64 full = atomic_load(&cg->mem_swap_full);

	proc_printf(b, "high 0\nmax %lu\nfail %lu\n", full, full);
	return 0;
}

const struct cg_file cg_memory_files[] = {
	{ "memory.current", 0444, CG_MEMORY, CG_ON_OTHER, CG_NOTE_NONE, memory_current_show, NULL },
	{ "memory.events", 0444, CG_MEMORY, CG_ON_OTHER, CG_NOTE_MEMORY, memory_events_show, NULL },
	{ "memory.events.local", 0444, CG_MEMORY, CG_ON_OTHER, CG_NOTE_MEMORY_LOCAL,
		memory_events_local_show, NULL },
	{ "memory.high", 0644, CG_MEMORY, CG_ON_OTHER, CG_NOTE_NONE, memory_high_show,
		memory_high_write },
	{ "memory.low", 0644, CG_MEMORY, CG_ON_OTHER, CG_NOTE_NONE, memory_low_show,
		memory_low_write },
	{ "memory.max", 0644, CG_MEMORY, CG_ON_OTHER, CG_NOTE_NONE, memory_max_show,
		memory_max_write },
	{ "memory.min", 0644, CG_MEMORY, CG_ON_OTHER, CG_NOTE_NONE, memory_min_show,
		memory_min_write },
	{ "memory.oom.group", 0644, CG_MEMORY, CG_ON_OTHER, CG_NOTE_NONE, memory_oom_group_show,
		memory_oom_group_write },
	{ "memory.peak", 0444, CG_MEMORY, CG_ON_OTHER, CG_NOTE_NONE, memory_peak_show, NULL },
	{ "memory.reclaim", 0200, CG_MEMORY, CG_ON_ALL, CG_NOTE_NONE, NULL, memory_reclaim_write },
	{ "memory.stat", 0444, CG_MEMORY, CG_ON_ALL, CG_NOTE_NONE, memory_stat_show, NULL },
	{ "memory.swap.current", 0444, CG_MEMORY, CG_ON_OTHER, CG_NOTE_NONE,
		memory_swap_current_show, NULL },
	{ "memory.swap.events", 0444, CG_MEMORY, CG_ON_OTHER, CG_NOTE_NONE, memory_swap_events_show,
		NULL },
	{ "memory.swap.max", 0644, CG_MEMORY, CG_ON_OTHER, CG_NOTE_NONE, memory_swap_max_show,
		memory_swap_max_write },
	{ .name = NULL },
};
