/* SPDX-License-Identifier: Apache-2.0 */
/* The part of sysfs that ordinary programs ask for: processors, an empty cgroup mount point, memory management. */
#include "fs/internal.h"
#include "fs/proc/proc.h"

#include "kernel/sched.h"
#include "lib/printf.h"
#include "mm/page.h"
#include "mm/pte.h"

#define SYSFS_MAGIC_ 0x62656572u

static int show_range(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	if (cpu_count() > 1)
		proc_printf(b, "0-%u\n", cpu_count() - 1);
	else
		proc_printf(b, "0\n");
	return 0;
}

static int show_nothing(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b, "\n");
	return 0;
}

static int show_kernel_max(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b, "8191\n");
	return 0;
}

static int show_zero(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b, "0\n");
	return 0;
}

static int show_core_id(struct proc_buf *b, struct proc_ctx *c)
{
	proc_printf(b, "%ld\n", c->key);
	return 0;
}

static const struct proc_entry topology_table[] = {
	PROC_FILE("core_cpus_list", show_core_id),
	PROC_FILE("core_id", show_core_id),
	PROC_FILE("physical_package_id", show_zero),
	PROC_FILE("thread_siblings_list", show_core_id),
	{ .name = NULL },
};
static const struct proc_entry cpu_table[] = {
	PROC_DIR("topology", topology_table),
	{ .name = NULL },
};
static const struct proc_entry cpu_entry = PROC_DIR("cpu", cpu_table);

static void cpu_child(s64 i, struct proc_child *out)
{
	out->entry = &cpu_entry;
	out->ctx = (struct proc_ctx){ NULL, i };
	str_format(out->name, sizeof(out->name), "cpu%ld", i);
}

static int cpus_lookup(struct proc_ctx *c, const char *name, struct proc_child *out)
{
	u64 i;

	(void)c;
	if (strncmp(name, "cpu", 3) != 0 || !proc_number(name + 3, &i) || i >= cpu_count())
		return -ENOENT;
	cpu_child((s64)i, out);
	return 0;
}

static bool cpus_next(struct proc_ctx *c, s64 *key, struct proc_child *out)
{
	(void)c;
	if (*key >= (s64)cpu_count())
		return false;
	cpu_child(*key, out);
	return true;
}

static const struct proc_dyn cpus_dyn = { cpus_lookup, cpus_next };

static const struct proc_entry cpus_table[] = {
	PROC_FILE("kernel_max", show_kernel_max),
	PROC_FILE("offline", show_nothing),
	PROC_FILE("online", show_range),
	PROC_FILE("possible", show_range),
	PROC_FILE("present", show_range),
	{ .name = NULL },
};

/* ---- memory: one node has all of it and all processors ---- */
static int node_cpumap(struct proc_buf *b, struct proc_ctx *c)
{
	u32 n = cpu_count();

	(void)c;
	for (u32 word = (n - 1) / 32 + 1; word-- > 0;) {
		u32 bits = n - word * 32 >= 32 ? ~0u : (1u << (n - word * 32)) - 1;

		if (word == (n - 1) / 32)
			proc_printf(b, "%x", bits);
		else
			proc_printf(b, ",%08x", bits);
	}
	proc_printf(b, "\n");
	return 0;
}

static int node_distance(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b, "10\n");
	return 0;
}

static int node_meminfo(struct proc_buf *b, struct proc_ctx *c)
{
	struct page_stats s;

	(void)c;
	page_stats(&s);
	proc_printf(b,
		"Node 0 MemTotal:       %8lu kB\nNode 0 MemFree:        %8lu kB\n"
		"Node 0 MemUsed:        %8lu kB\nNode 0 FilePages:      %8lu kB\n"
		"Node 0 AnonPages:      %8lu kB\nNode 0 Slab:           %8lu kB\n",
		s.total * 4, s.free * 4, (s.total - s.free) * 4, s.cached * 4, s.anon * 4,
		s.slab * 4);
	return 0;
}

static const struct proc_entry node0_table[] = {
	PROC_FILE("cpulist", show_range),
	PROC_FILE("cpumap", node_cpumap),
	PROC_FILE("distance", node_distance),
	PROC_FILE("meminfo", node_meminfo),
	{ .name = NULL },
};
static const struct proc_entry nodes_table[] = {
	PROC_FILE("has_cpu", show_zero),
	PROC_FILE("has_memory", show_zero),
	PROC_FILE("has_normal_memory", show_zero),
	PROC_DIR("node0", node0_table),
	PROC_FILE("online", show_zero),
	PROC_FILE("possible", show_zero),
	{ .name = NULL },
};
static const struct proc_entry system_table[] = {
	{ .name = "cpu", .mode = S_IFDIR | 0755, .children = cpus_table, .dyn = &cpus_dyn },
	PROC_DIR("node", nodes_table),
	{ .name = NULL },
};
static const struct proc_entry devices_table[] = {
	PROC_DIR("system", system_table),
	{ .name = NULL },
};

/* See mm/fault_large.c. */
static int show_enabled(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b, "[always] madvise never\n");
	return 0;
}

static int show_pmd_size(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b, "%lu\n", PTE_TABLE_SPAN);
	return 0;
}

static const struct proc_entry thp_table[] = {
	PROC_FILE("enabled", show_enabled),
	PROC_FILE("hpage_pmd_size", show_pmd_size),
	{ .name = NULL },
};
static const struct proc_entry kernel_mm_table[] = {
	PROC_DIR("transparent_hugepage", thp_table),
	{ .name = NULL },
};
static const struct proc_entry kernel_table[] = {
	PROC_DIR("mm", kernel_mm_table),
	{ .name = NULL },
};
static const struct proc_entry empty_table[] = { { .name = NULL } };
static const struct proc_entry fs_table[] = {
	PROC_DIR("cgroup", empty_table),
	{ .name = NULL },
};
static const struct proc_entry class_table[] = {
	PROC_DIR("net", sysfs_net_table),
	{ .name = NULL },
};
static const struct proc_entry sys_table[] = {
	PROC_DIR("block", empty_table),
	PROC_DIR("bus", empty_table),
	PROC_DIR("class", class_table),
	PROC_DIR("dev", empty_table),
	PROC_DIR("devices", devices_table),
	PROC_DIR("firmware", empty_table),
	PROC_DIR("fs", fs_table),
	PROC_DIR("kernel", kernel_table),
	PROC_DIR("module", empty_table),
	{ .name = NULL },
};
static const struct proc_entry sys_root = PROC_DIR("/", sys_table);

static int sysfs_mount(const char *source, const char *data, u64 ms_flags, struct super **out)
{
	(void)source;
	(void)data;
	(void)ms_flags;
	return proc_mount_tree("sysfs", SYSFS_MAGIC_, &sys_root, out);
}

static struct fs_type sysfs_type = {
	.name = "sysfs", .nodev = true, .userns = true, .visible = true, .mount = sysfs_mount
};

void sysfs_init(void)
{
	fs_register(&sysfs_type);
}
