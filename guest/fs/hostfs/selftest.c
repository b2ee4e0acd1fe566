/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Self-test of the file system chain (command line `fstest`): sentry, virtqueue, VMM, casemate-fsd. TAP lines in the log, the last number of a
 * line being nanoseconds an operation. What it leaves behind is for the host to look at.
 */
#include "fs/hostfs/hostfs.h"

#include <casemate/hypercall.h>

#include "arch.h"
#include "fs/internal.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"

#define FT_BIG	   (4UL << 20)
#define FT_ROUNDS  200u
#define FT_THREADS 4u
#define FT_FILES   100u

static struct path ft_root;
static u32 ft_count, ft_failed;
static struct waitq ft_wait;
static u32 ft_running, ft_errors;

static void ft_report(bool ok, const char *what, u64 ns)
{
	ft_count++;
	ft_failed += !ok;
	log_info("%sok %u - %s: %lu", ok ? "" : "not ", ft_count, what, (unsigned long)ns);
	log_flush();
}

static struct file *ft_open(const char *name, u32 flags)
{
	struct file *f;

	return file_open(&ft_root, name, flags, 0644, 0, &f) ? NULL : f;
}

static bool ft_write(const char *name, const void *buf, size_t len)
{
	struct file *f = ft_open(name, O_RDWR | O_CREAT);
	bool ok = f && file_write_kernel(f, buf, len, 0) == (s64)len;

	if (f)
		file_put(f);
	return ok;
}

static bool ft_stat(const char *name)
{
	struct path p;

	if (path_lookup(&ft_root, name, 0, &p))
		return false;
	path_put(&p);
	return true;
}

static void ft_names(void)
{
	u64 t = clock_monotonic();
	bool ok = true;
	char name[32];

	for (u32 i = 0; i < FT_ROUNDS; i++) {
		struct file *f = ft_open("again", O_RDWR | O_CREAT | O_EXCL);

		ok &= f && vfs_unlink(&ft_root, "again") == 0;
		if (f)
			file_put(f);
	}
	ft_report(ok, "create and unlink the same name", (clock_monotonic() - t) / FT_ROUNDS);
	t = clock_monotonic();
	for (u32 i = 0; i < FT_ROUNDS; i++) {
		(void)str_format(name, sizeof(name), "missing-%u", i);
		ok &= !ft_stat(name);
	}
	ft_report(ok, "look for a name that is not there", (clock_monotonic() - t) / FT_ROUNDS);
	ok = ft_write("known", "text", 4);
	t = clock_monotonic();
	for (u32 i = 0; i < FT_ROUNDS; i++)
		ok &= ft_stat("known");
	ft_report(ok, "look up a cached name", (clock_monotonic() - t) / FT_ROUNDS);
	ok = vfs_mkdir(&ft_root, "unpack", 0755) == 0;
	t = clock_monotonic();
	for (u32 i = 0; i < FT_ROUNDS; i++) {
		(void)str_format(name, sizeof(name), "unpack/%u", i);
		ok &= ft_write(name, "content\n", 8);
	}
	ft_report(ok, "write a small new file", (clock_monotonic() - t) / FT_ROUNDS);
	t = clock_monotonic();
	ok &= filemap_sync_all() == 0;
	ft_report(ok, "bring a small file to the host", (clock_monotonic() - t) / FT_ROUNDS);
}

static void ft_contents(void)
{
	u32 *buf = kmalloc(FT_BIG);
	struct file *f = ft_open("big", O_RDWR | O_CREAT);
	bool ok = buf && f;
	u64 t;

	if (!ok) {
		ft_report(false, "buffers", 0);
		return;
	}
	for (u32 i = 0; i < FT_BIG / 4; i++)
		buf[i] = i * 2654435761u;
	t = clock_monotonic();
	ok = file_write_kernel(f, buf, FT_BIG, 0) == (s64)FT_BIG;
	ft_report(ok, "write 4 MiB into the cache", clock_monotonic() - t);
	t = clock_monotonic();
	ok = mapping_writeback(f->inode->mapping, 0, ~0UL) == 0;
	ft_report(ok, "write 4 MiB back", clock_monotonic() - t);
	mapping_invalidate(f->inode->mapping, 0, ~0UL);
	memset(buf, 0, FT_BIG);
	t = clock_monotonic();
	ok = file_read_kernel(f, buf, FT_BIG, 0) == (s64)FT_BIG;
	ft_report(ok, "read 4 MiB from the host", clock_monotonic() - t);
	ok = true;
	for (u32 i = 0; i < FT_BIG / 4; i++)
		ok &= buf[i] == i * 2654435761u;
	ft_report(ok, "they are the same", 0);
	file_put(f);
	kfree(buf);
}

/* Every thread has a directory; they meet in the channel, the dentry cache and the inode table. */
static void ft_worker(void *arg)
{
	u32 id = (u32)(u64)arg, errors = 0;
	char name[32], want[32], got[32];

	for (u32 i = 0; i < FT_FILES; i++) {
		int len = str_format(want, sizeof(want), "thread %u file %u", id, i);
		struct file *f;

		(void)str_format(name, sizeof(name), "t%u-%u", id, i);
		errors += !ft_write(name, want, (size_t)len);
		f = ft_open(name, O_RDONLY);
		errors += !f || file_read_kernel(f, got, sizeof(got), 0) != len ||
			  memcmp(want, got, (size_t)len) != 0;
		if (f)
			file_put(f);
		if (i % 2)
			errors += vfs_unlink(&ft_root, name) != 0;
		errors += ft_stat("shared-missing");
		if (i % 16 == 0)
			dcache_shrink(32);
	}
	atomic_add(&ft_errors, errors);
	atomic_sub(&ft_running, 1u);
	waitq_wake_all(&ft_wait);
	thread_exit();
}

static void ft_threads(void)
{
	u64 t = clock_monotonic();

	waitq_init(&ft_wait);
	ft_running = FT_THREADS;
	for (u64 i = 0; i < FT_THREADS; i++) {
		if (!kthread_run(ft_worker, (void *)i, "fstest"))
			atomic_sub(&ft_running, 1u);
	}
	wait_event(&ft_wait, !atomic_load(&ft_running));
	ft_report(!ft_errors, "threads at once", (clock_monotonic() - t) / (FT_THREADS * FT_FILES));
}

void hostfs_selftest(void)
{
	struct mount_ns *ns = mount_ns_create();
	u64 t = clock_monotonic();
	int err = ns ? vfs_mount(ns, "virtiofs", "root", NULL, 0, "exclusive") : -ENOMEM;

	ft_report(err == 0 && mount_ns_root(ns, &ft_root), "mount", clock_monotonic() - t);
	if (!err) {
		ft_names();
		ft_contents();
		ft_threads();
		path_put(&ft_root);
		t = clock_monotonic();
		mount_ns_put(ns);
		ft_report(true, "umount", clock_monotonic() - t);
	}
	log_info("1..%u", ft_count);
	arch_power_off(ft_failed ? CM_OFF_PANIC : CM_OFF_DONE);
}
