/* SPDX-License-Identifier: Apache-2.0 */
/* The boot order, as one readable list. */
#include "kernel/main.h"
#include "agent/agent.h"
#include "arch.h"
#include "arch/x86_64/selftest.h"
#include "casemate/abi_version.h"
#include "casemate/guestmem.h"
#include "casemate/hypercall.h"
#include "cgroup/cgroup.h"
#include "debug/fault_test.h"
#include "drivers/arena.h"
#include "drivers/fs_chan.h"
#include "fs/erofs/erofs.h"
#include "fs/hostfs/hostfs.h"
#include "fs/vfs.h"
#include "kernel/clock.h"
#include "kernel/cpus.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/random.h"
#include "ipc/mqueue.h"
#include "lib/fdt_read.h"
#include "lib/string.h"
#include "mm/page.h"
#include "net/socket.h"
#include "syscall/trace.h"
#include "task/devel_start.h"
#include "task/task.h"

#define MAIN_SEED_MIN 32u /* bytes */

static struct fdt_reader main_tree;
static const char *main_cmdline = "";
static u64 main_ram_end;

const struct fdt_reader *main_fdt(void)
{
	return &main_tree;
}

const char *main_option(const char *key, size_t *len)
{
	size_t n = strlen(key);
	const char *p = main_cmdline;

	while (*p) {
		const char *end = strchr(p, ' ');
		size_t word = end ? (size_t)(end - p) : strlen(p);

		if (word >= n && memcmp(p, key, n) == 0 && (word == n || p[n] == '=')) {
			*len = word == n ? 0 : word - n - 1;
			return word == n ? p + n : p + n + 1;
		}
		p += word;
		while (*p == ' ')
			p++;
	}
	return NULL;
}

static u32 main_count_cpus(const struct fdt_reader *r)
{
	int node = fdt_read_path(r, "/cpus");
	u32 n = 0;

	if (node == FDT_NONE)
		return 1;
	for (node = fdt_read_child(r, node); node != FDT_NONE; node = fdt_read_sibling(r, node))
		n++;
	return MIN(MAX(n, 1u), (u32)CM_MAX_CPUS);
}

static void main_seed(const struct fdt_reader *r, int chosen)
{
	u32 len = 0;
	const void *seed = fdt_read_prop(r, chosen, "rng-seed", &len);

	if (len < MAIN_SEED_MIN)
		panic("boot: no rng-seed in the device tree");
	random_seed(seed, len);
}

void main_read_fdt(const void *fdt)
{
	struct fdt_reader *r = &main_tree;
	u64 base, size, realtime = 0, tsc = 0;
	u32 abi = 0, khz = 0;
	int chosen;

	if (!fdt_read_init(r, fdt, CM_BOOT_FDT_MAX))
		panic("boot: no device tree");
	chosen = fdt_read_path(r, "/chosen");
	if (!fdt_read_u32(r, chosen, "casemate,abi", &abi) || abi != CM_ABI_VERSION)
		panic("boot: the VMM speaks ABI %u, this image %u", abi, CM_ABI_VERSION);
	if (!fdt_read_reg(r, fdt_read_path(r, "/memory"), 0, &base, &size) || base != CM_GPA_RAM)
		panic("boot: no memory in the device tree");
	main_ram_end = base + size;
	if (!fdt_read_u32(r, chosen, "casemate,tsc-khz", &khz) || !khz)
		panic("boot: no TSC frequency in the device tree");
	fdt_read_u64(r, chosen, "casemate,boot-realtime-ns", &realtime);
	fdt_read_u64(r, chosen, "casemate,boot-tsc", &tsc);
	clock_init(khz, tsc, realtime);
	if (fdt_read_string(r, chosen, "bootargs"))
		main_cmdline = fdt_read_string(r, chosen, "bootargs");
	cpus_set_count(main_count_cpus(r));
	main_seed(r, chosen);
}

/* Everything that may sleep. */
static void main_thread(void *arg)
{
	size_t len;
	int ret;

	if (main_option("bootonly", &len))
		arch_power_off(CM_OFF_DONE); /* what a start costs, without anything to run */
	if (main_option("selftest", &len))
		selftest_run();
	if (main_option("trace", &len))
		trace_start(NULL);
	cgroup_init();
	fs_init();
	mqueue_init();
	hostfs_init();
	erofs_init();
	net_init();
	if (arena_init(main_fdt()) == 0 && fs_chan_init(main_fdt()) < 0)
		log_error("boot: a file system device does not work");
	if (main_option("fstest", &len))
		hostfs_selftest();
	task_init();
	if (devel_start)
		devel_start();
	if (fault_test_start)
		fault_test_start();
	ret = agent_init(main_fdt());
	if (ret < 0 && ret != -ENODEV)
		log_error("boot: no control connection, error %d", ret);
}

void kmain(void)
{
	extern char __image_end[];

	log_info("boot: %s, %u vCPUs, %lu MiB", arch_is_pvm() ? "pvm" : "std", cpu_count(),
		(main_ram_end - CM_GPA_RAM) >> 20);
	page_init(CM_GPA_RAM, main_ram_end, CM_GPA_RAM + ((u64)__image_end - CM_KERNEL_BASE));
	if (!kthread_run(main_thread, NULL, "init"))
		panic("boot: no memory for the first thread");
	sched_idle();
}
