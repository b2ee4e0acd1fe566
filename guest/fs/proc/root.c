/* SPDX-License-Identifier: Apache-2.0 */
/* /proc: what describes the whole system. */
#include <linux/time.h>

#include "cgroup/cgroup.h"
#include "fs/internal.h"
#include "fs/proc/proc.h"

#include "fs/fdtable.h"
#include "kernel/account.h"
#include "kernel/clock.h"
#include "kernel/loadavg.h"
#include "keys/keys.h"
#include "lib/printf.h"
#include "mm/pte.h"
#include "mm/swap.h"
#include "task/internal.h"
#include "task/time_ns.h"
#include "task/uts.h"

#define NSEC_PER_TICK 10000000UL

static int root_version(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b, "%s version %s (casemate) %s\n", UTS_SYSNAME, UTS_RELEASE, UTS_VERSION);
	return 0;
}

/* Of all CPUs. */
static struct cpu_spent root_spent(void)
{
	struct cpu_spent all = { 0 };

	for (u32 i = 0; i < cpu_count(); i++) {
		struct cpu_spent spent = account_spent(i);

		all.user += spent.user;
		all.system += spent.system;
		all.idle += spent.idle;
	}
	return all;
}

static int root_uptime(struct proc_buf *b, struct proc_ctx *c)
{
	u64 now = time_shown(CLOCK_BOOTTIME, clock_monotonic()) / NSEC_PER_TICK;
	u64 idle = root_spent().idle / NSEC_PER_TICK;

	(void)c;
	proc_printf(b, "%lu.%02lu %lu.%02lu\n", now / 100, now % 100, idle / 100, idle % 100);
	return 0;
}

struct count {
	u32 groups, tasks, running, blocked;
};

static bool count_group(struct group *g, void *arg)
{
	struct count *n = arg;
	struct task *t;

	n->groups++;
	list_for_each_entry (t, &g->tasks, group_link) {
		u32 s = t->thread ? READ_ONCE(t->thread->state) : THREAD_DEAD;

		n->tasks++;
		n->running += s == THREAD_RUNNABLE && !t->dead;
		n->blocked += s == THREAD_SLEEP && !t->dead;
	}
	return true;
}

static int root_loadavg(struct proc_buf *b, struct proc_ctx *c)
{
	struct count n = { 0 };
	u64 avg[LOAD_COUNT];

	(void)c;
	group_for_each_in(&pid_ns_root, count_group, &n);
	load_get(avg);
	for (u32 i = 0; i < LOAD_COUNT; i++) {
		u64 v = avg[i] + (1UL << LOAD_SHIFT) / 200;

		proc_printf(b, "%lu.%02lu ", v >> LOAD_SHIFT,
			(v & ((1UL << LOAD_SHIFT) - 1)) * 100 >> LOAD_SHIFT);
	}
	proc_printf(b, "%u/%u %d\n", n.running, n.tasks, READ_ONCE(pid_ns_current()->last));
	return 0;
}

static void root_stat_spent(struct proc_buf *b, const struct cpu_spent *spent)
{
	proc_printf(b, " %lu 0 %lu %lu 0 0 0 0 0 0\n", spent->user / NSEC_PER_TICK,
		spent->system / NSEC_PER_TICK, spent->idle / NSEC_PER_TICK);
}

static int root_stat(struct proc_buf *b, struct proc_ctx *c)
{
	struct cpu_spent spent = root_spent();
	struct count n = { 0 };

	(void)c;
	group_for_each_in(&pid_ns_root, count_group, &n);
	proc_printf(b, "cpu ");
	root_stat_spent(b, &spent);
	for (u32 i = 0; i < cpu_count(); i++) {
		spent = account_spent(i);
		proc_printf(b, "cpu%u", i);
		root_stat_spent(b, &spent);
	}
	proc_printf(b,
		"intr 0\nctxt 0\nbtime %lu\nprocesses %d\nprocs_running %u\nprocs_blocked %u\n"
		"softirq 0 0 0 0 0 0 0 0 0 0 0\n",
		(clock_realtime() - time_shown(CLOCK_BOOTTIME, clock_monotonic())) / NSEC_PER_SEC,
		READ_ONCE(pid_ns_root.last), n.running, n.blocked);
	return 0;
}

static void mem_line(struct proc_buf *b, const char *name, u64 pages)
{
	size_t start = b->len;

	proc_printf(b, "%s:", name);
	proc_pad(b, start, 16);
	proc_printf(b, "%8lu kB\n", pages * 4);
}

static int root_meminfo(struct proc_buf *b, struct proc_ctx *c)
{
	struct page_stats s;
	struct swap_stats w;

	(void)c;
	page_stats(&s);
	swap_stats(&w);
	mem_line(b, "MemTotal", s.total);
	mem_line(b, "MemFree", s.free);
	mem_line(b, "MemAvailable", s.free + s.cached);
	mem_line(b, "Buffers", 0);
	mem_line(b, "Cached", s.cached);
	mem_line(b, "SwapCached", 0); /* there is no such cache */
	mem_line(b, "Active", s.anon);
	mem_line(b, "Inactive", s.cached);
	mem_line(b, "SwapTotal", w.total);
	mem_line(b, "SwapFree", w.free);
	mem_line(b, "Dirty", 0);
	mem_line(b, "Writeback", 0);
	mem_line(b, "AnonPages", s.anon);
	mem_line(b, "Mapped", s.cached);
	mem_line(b, "Shmem", 0);
	mem_line(b, "Slab", s.slab);
	mem_line(b, "SReclaimable", 0);
	mem_line(b, "SUnreclaim", s.slab);
	mem_line(b, "CommitLimit", s.total + w.total);
	mem_line(b, "Committed_AS", s.anon);
	mem_line(b, "VmallocTotal", 0);
	mem_line(b, "VmallocUsed", 0);
	mem_line(b, "VmallocChunk", 0);
	mem_line(b, "AnonHugePages", pgt_large_count() * (PTE_TABLE_SPAN >> PAGE_SHIFT));
	proc_printf(b,
		"HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n");
	return 0;
}

static void filesystem_visit(struct fs_type *t, void *arg)
{
	proc_printf(arg, "%s\t%s\n", t->nodev ? "nodev" : "", t->name);
}

static int root_filesystems(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	fs_type_for_each(filesystem_visit, b);
	return 0;
}

static int root_cmdline(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b, "casemate\n");
	return 0;
}

static int root_devices(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b,
		"Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n"
		"136 pts\n\nBlock devices:\n");
	return 0;
}

static void swaps_line(struct proc_buf *b, const struct swap_info *i, char *path)
{
	unsigned long kib = i->pages * 4, used = i->used * 4;
	const char *name = path_to_string(&i->file->path, path, PATH_MAX_LEN);
	size_t start = b->len;

	for (name = name ? name : "?"; *name; name++) {
		if (strchr(" \t\n\\", *name))
			proc_printf(b, "\\%03o", (u8)*name);
		else
			proc_write(b, name, 1);
	}
	if (path_deleted(&i->file->path))
		proc_printf(b, "\\040(deleted)");
	proc_printf(b, " ");
	proc_pad(b, start, 40);
	proc_printf(b, "file\t\t%lu\t%s%lu\t%s%d\n", kib, kib < 10000000 ? "\t" : "", used,
		used < 10000000 ? "\t" : "", i->prio);
}

static int root_swaps(struct proc_buf *b, struct proc_ctx *c)
{
	char *path = kmalloc(PATH_MAX_LEN);
	struct swap_info i;

	(void)c;
	if (!path)
		return -ENOMEM;
	proc_printf(b, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	for (u32 area = 0; area < SWAP_AREAS; area++) {
		if (!swap_info(area, &i))
			continue;
		swaps_line(b, &i, path);
		file_put(i.file);
	}
	kfree(path);
	return 0;
}

static int root_empty(struct proc_buf *b, struct proc_ctx *c)
{
	(void)b;
	(void)c;
	return 0;
}

static int root_cgroups(struct proc_buf *b, struct proc_ctx *c)
{
	u32 n = cgroup_count();

	(void)c;
	proc_printf(b, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
	proc_printf(b, "cpu\t0\t%u\t1\nmemory\t0\t%u\t1\npids\t0\t%u\t1\n", n, n, n);
	return 0;
}

static int root_keys(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	keys_show(b);
	return 0;
}

static int root_key_users(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	key_users_show(b);
	return 0;
}

static int root_vmstat(struct proc_buf *b, struct proc_ctx *c)
{
	struct page_stats s;
	struct swap_stats w;

	(void)c;
	page_stats(&s);
	swap_stats(&w);
	proc_printf(b,
		"nr_free_pages %lu\nnr_anon_pages %lu\nnr_file_pages %lu\npgpgin 0\npgpgout 0\n"
		"pswpin %lu\npswpout %lu\npgfault 0\npgmajfault 0\n",
		s.free, s.anon, s.cached, w.in, w.out);
	return 0;
}

/* ---- links ---- */
static s64 self_link(struct proc_ctx *c, char *buf, size_t size)
{
	int nr = task_current() ? pid_nr_ns(task_current()->group->id, c->ns) : 0;

	return nr ? str_format(buf, size, "%d", nr) : -ENOENT;
}

static s64 thread_self_link(struct proc_ctx *c, char *buf, size_t size)
{
	struct task *t = task_current();

	int nr = t ? pid_nr_ns(t->id, c->ns) : 0;

	return nr ? str_format(buf, size, "%d/task/%d", pid_nr_ns(t->group->id, c->ns), nr)
		  : -ENOENT;
}

static s64 mounts_link(struct proc_ctx *c, char *buf, size_t size)
{
	(void)c;
	return str_format(buf, size, "self/mounts");
}

static s64 net_link(struct proc_ctx *c, char *buf, size_t size)
{
	(void)c;
	return str_format(buf, size, "self/net");
}

const struct proc_entry proc_root_table[] = {
	PROC_FILE("cgroups", root_cgroups),
	PROC_FILE("cmdline", root_cmdline),
	PROC_FILE("cpuinfo", proc_cpuinfo),
	PROC_FILE("devices", root_devices),
	PROC_FILE("filesystems", root_filesystems),
	PROC_FILE("key-users", root_key_users),
	PROC_FILE("keys", root_keys),
	PROC_FILE("loadavg", root_loadavg),
	PROC_FILE("meminfo", root_meminfo),
	PROC_FILE("modules", root_empty),
	{ .name = "mounts", .mode = S_IFLNK | 0777, .link = mounts_link },
	{ .name = "net", .mode = S_IFLNK | 0777, .link = net_link },
	PROC_FILE("partitions", root_empty),
	{ .name = "self", .mode = S_IFLNK | 0777, .link = self_link },
	PROC_FILE("stat", root_stat),
	PROC_FILE("swaps", root_swaps),
	PROC_DIR("sys", proc_sys_table),
	PROC_DIR("sysvipc", proc_sysvipc_table),
	{ .name = "thread-self", .mode = S_IFLNK | 0777, .link = thread_self_link },
	PROC_FILE("uptime", root_uptime),
	PROC_FILE("version", root_version),
	PROC_FILE("vmstat", root_vmstat),
	{ .name = NULL },
};

const struct proc_entry proc_root_entry = {
	.name = "/",
	.mode = S_IFDIR | 0555,
	.children = proc_root_table,
	.dyn = &proc_pids,
};

/* What is left with subset=pid. */
static const struct proc_entry proc_subset_table[] = {
	{ .name = "self", .mode = S_IFLNK | 0777, .link = self_link },
	{ .name = "thread-self", .mode = S_IFLNK | 0777, .link = thread_self_link },
	{ .name = NULL },
};

const struct proc_entry proc_subset_entry = {
	.name = "/",
	.mode = S_IFDIR | 0555,
	.children = proc_subset_table,
	.dyn = &proc_pids,
};
