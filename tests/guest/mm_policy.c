/* SPDX-License-Identifier: Apache-2.0 */
/* Memory policies and the place of pages on a machine with one node: what is kept and shown, and what is refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "mm_tap.h"
#include "release_tap.h"

#define PAGE   4096UL
#define RW     (PROT_READ | PROT_WRITE)
#define ANON   (MAP_PRIVATE | MAP_ANONYMOUS)
#define STATIC MPOL_F_STATIC_NODES
#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif

static bool fails(long ret, int err)
{
	return ret == -1 && errno == err;
}

static long set(int mode, unsigned long nodes)
{
	return syscall(SYS_set_mempolicy, mode, &nodes, 65UL);
}

static long bind_to(void *p, size_t len, int mode, unsigned long nodes, unsigned flags)
{
	return syscall(SYS_mbind, p, len, mode, &nodes, 65UL, flags);
}

/* Mode and nodes of the task (p NULL) or of what is at p; -1 when the call fails. */
static int get(void *p, unsigned long *nodes)
{
	unsigned long mask[16] = { ~0UL };
	int mode = -1;

	if (syscall(SYS_get_mempolicy, &mode, mask, 1024UL, p, p ? MPOL_F_ADDR : 0))
		return -1;
	*nodes = mask[0];
	return mode;
}

static bool is_policy(void *p, int mode, unsigned long nodes)
{
	unsigned long got = 77;

	return get(p, &got) == mode && got == nodes;
}

/* The line of /proc/self/numa_maps for the mapping that begins at p. */
static const char *numa_line(const void *p)
{
	static char line[600];
	char start[24];
	FILE *f = fopen("/proc/self/numa_maps", "r");

	snprintf(start, sizeof(start), "%08lx ", (unsigned long)p);
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, start, strlen(start))) {
			fclose(f);
			return line + strlen(start);
		}
	}
	if (f)
		fclose(f);
	return "";
}

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static int status_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void test_task(void)
{
	static const struct {
		int mode, shown;
		unsigned long nodes, shown_nodes;
	} good[] = {
		{ MPOL_BIND, MPOL_BIND, 1, 1 },
		{ MPOL_BIND, MPOL_BIND, 0x11, 1 },
		{ MPOL_BIND | STATIC, MPOL_BIND | STATIC, 0x11, 0x11 },
		{ MPOL_BIND | MPOL_F_RELATIVE_NODES, MPOL_BIND | MPOL_F_RELATIVE_NODES, 0x10,
			0x10 },
		{ MPOL_INTERLEAVE, MPOL_INTERLEAVE, 1, 1 },
		{ MPOL_PREFERRED, MPOL_PREFERRED, 1, 1 },
		{ MPOL_PREFERRED, MPOL_LOCAL, 0, 0 },
		{ MPOL_PREFERRED_MANY, MPOL_PREFERRED_MANY, 1, 1 },
		{ MPOL_LOCAL, MPOL_LOCAL, 0, 0 },
		{ MPOL_DEFAULT, MPOL_DEFAULT, 0, 0 },
	};
	bool all = true;

	ok(is_policy(NULL, MPOL_DEFAULT, 0), "the policy is the default one");
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		bool one = set(good[i].mode, good[i].nodes) == 0 &&
			   is_policy(NULL, good[i].shown, good[i].shown_nodes);

		if (!one)
			fprintf(stderr, "mode %#x nodes %#lx\n", good[i].mode, good[i].nodes);
		all &= one;
	}
	ok(all, "policies of the task are kept and shown");
	ok(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0UL) == 0, "the default without a mask");
}

static void test_task_refused(void)
{
	static const struct {
		int mode;
		unsigned long nodes;
	} bad[] = {
		{ MPOL_BIND, 0 },
		{ MPOL_BIND, 2 },
		{ MPOL_BIND | STATIC, 2 },
		{ MPOL_INTERLEAVE, 0 },
		{ MPOL_PREFERRED, 2 },
		{ MPOL_PREFERRED | STATIC, 0 },
		{ MPOL_LOCAL, 1 },
		{ MPOL_LOCAL | STATIC, 0 },
		{ MPOL_DEFAULT, 1 },
		{ MPOL_BIND | STATIC | MPOL_F_RELATIVE_NODES, 1 },
		{ MPOL_PREFERRED | MPOL_F_NUMA_BALANCING, 1 },
		{ 99, 0 },
	};
	bool all = true;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bool one = fails(set(bad[i].mode, bad[i].nodes), EINVAL);

		if (!one)
			fprintf(stderr, "mode %#x nodes %#lx\n", bad[i].mode, bad[i].nodes);
		all &= one;
	}
	ok(all, "what makes no sense is EINVAL");
	ok(fails(syscall(SYS_set_mempolicy, MPOL_BIND, (void *)8, 65UL), EFAULT),
		"a mask that cannot be read is EFAULT");
	ok(fails(syscall(SYS_set_mempolicy, MPOL_BIND, &tap_count, 1UL << 20), EINVAL),
		"a mask of more than a page is EINVAL");
}

static void test_get(void)
{
	unsigned long mask[2] = { ~0UL, ~0UL };
	char *p = mmap(NULL, 2 * PAGE, RW, ANON, -1, 0);
	int mode = -1;

	ok(!syscall(SYS_get_mempolicy, &mode, mask, 128UL, NULL, MPOL_F_MEMS_ALLOWED) &&
			mode == 0 && mask[0] == 1 && mask[1] == 0,
		"node 0 is allowed, and what is longer is cleared");
	ok(!syscall(SYS_get_mempolicy, NULL, NULL, 0UL, NULL, 0), "nothing is asked for");
	ok(fails(syscall(SYS_get_mempolicy, NULL, mask, 0UL, NULL, 0), EINVAL),
		"a mask of no bits");
	ok(fails(syscall(SYS_get_mempolicy, NULL, NULL, 0UL, p, 0), EINVAL),
		"an address without MPOL_F_ADDR");
	ok(fails(syscall(SYS_get_mempolicy, NULL, NULL, 0UL, NULL, 64), EINVAL), "an unknown flag");
	ok(fails(syscall(SYS_get_mempolicy, NULL, NULL, 0UL, p, MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED),
		   EINVAL),
		"MPOL_F_MEMS_ALLOWED stands alone");
	ok(fails(syscall(SYS_get_mempolicy, &mode, NULL, 0UL, NULL, MPOL_F_NODE), EINVAL),
		"MPOL_F_NODE without a policy that goes round");
	set(MPOL_INTERLEAVE, 1);
	ok(!syscall(SYS_get_mempolicy, &mode, NULL, 0UL, NULL, MPOL_F_NODE) && mode == 0,
		"the next node of one that does");
	set(MPOL_DEFAULT, 0);
	mode = -1;
	ok(!syscall(SYS_get_mempolicy, &mode, NULL, 0UL, p, MPOL_F_NODE | MPOL_F_ADDR) && mode == 0,
		"the node of a page");
	munmap(p, 2 * PAGE);
	ok(fails(syscall(SYS_get_mempolicy, &mode, NULL, 0UL, p, MPOL_F_ADDR), EFAULT),
		"of what is not mapped");
}

static void test_bind(void)
{
	char *p = mmap(NULL, 8 * PAGE, RW, ANON, -1, 0);

	ok(is_policy(p, MPOL_DEFAULT, 0), "a mapping has the default policy");
	ok(!bind_to(p + 2 * PAGE, 2 * PAGE, MPOL_BIND, 1, 0) &&
			is_policy(p + 3 * PAGE, MPOL_BIND, 1) &&
			is_policy(p + PAGE, MPOL_DEFAULT, 0) &&
			is_policy(p + 4 * PAGE, MPOL_DEFAULT, 0),
		"mbind of a part");
	ok(!bind_to(p + 3 * PAGE, 4 * PAGE, MPOL_PREFERRED | STATIC, 5,
		   MPOL_MF_STRICT | MPOL_MF_MOVE) &&
			is_policy(p + 2 * PAGE, MPOL_BIND, 1) &&
			is_policy(p + 6 * PAGE, MPOL_PREFERRED | STATIC, 5),
		"over parts of others");
	ok(!bind_to(p, 8 * PAGE, MPOL_DEFAULT, 0, 0) && is_policy(p + 3 * PAGE, MPOL_DEFAULT, 0),
		"and back to the default");
	ok(fails(bind_to(p + 1, PAGE, MPOL_BIND, 1, 0), EINVAL), "an odd address");
	ok(fails(bind_to(p, PAGE, MPOL_BIND, 1, 64), EINVAL), "an unknown flag");
	ok(fails(bind_to(p, PAGE, MPOL_BIND, 0, 0), EINVAL), "no node");
	ok(!bind_to(p, 0, MPOL_BIND, 0, 0), "of nothing it is not looked at");
	ok(fails(bind_to(p, ~0UL - PAGE, MPOL_BIND, 1, 0), EINVAL), "a range that overflows");
	munmap(p + 3 * PAGE, PAGE);
	ok(fails(bind_to(p, 8 * PAGE, MPOL_BIND, 1, 0), EFAULT) && is_policy(p, MPOL_DEFAULT, 0),
		"a hole within");
	ok(fails(bind_to(p + 3 * PAGE, PAGE, MPOL_BIND, 1, 0), EFAULT), "nothing but a hole");
	ok(!bind_to(p, 8 * PAGE, MPOL_DEFAULT, 0, 0), "holes do not matter to the default");
	munmap(p, 8 * PAGE);
}

static int unprivileged(void)
{
	char *p = mmap(NULL, PAGE, RW, ANON, -1, 0);

	if (setgid(65534) || setuid(65534))
		return 1;
	if (!fails(bind_to(p, PAGE, MPOL_BIND, 1, MPOL_MF_MOVE_ALL), EPERM))
		return 2;
	if (!fails(syscall(SYS_move_pages, 0, 0UL, NULL, NULL, NULL, MPOL_MF_MOVE_ALL), EPERM))
		return 3;
	return bind_to(p, PAGE, MPOL_BIND, 1, MPOL_MF_MOVE) != 0;
}

static void test_inherit(void)
{
	char *p = mmap(NULL, 2 * PAGE, RW, ANON, -1, 0), *q;
	pid_t pid;

	set(MPOL_PREFERRED, 1);
	bind_to(p, PAGE, MPOL_BIND, 1, 0);
	pid = fork();
	if (pid == 0)
		_exit(!is_policy(NULL, MPOL_PREFERRED, 1) || !is_policy(p, MPOL_BIND, 1) ||
			!is_policy(p + PAGE, MPOL_DEFAULT, 0));
	ok(status_of(pid) == 0, "a child has its parent's");
	set(MPOL_DEFAULT, 0);
	q = mremap(p, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	ok(q != MAP_FAILED && is_policy(q, MPOL_BIND, 1),
		"a mapping takes its along when it moves");
	pid = fork();
	if (pid == 0)
		_exit(unprivileged());
	ok(status_of(pid) == 0, "MPOL_MF_MOVE_ALL is privileged");
	munmap(q, 3 * PAGE);
	munmap(p + PAGE, PAGE);
}

static void test_home_node(void)
{
	char *p = mmap(NULL, 3 * PAGE, RW, ANON, -1, 0);

	ok(fails(syscall(SYS_set_mempolicy_home_node, p, PAGE, 0UL, 0UL), ENOENT),
		"a home node is that of a policy");
	bind_to(p, PAGE, MPOL_BIND, 1, 0);
	bind_to(p + PAGE, PAGE, MPOL_INTERLEAVE, 1, 0);
	ok(!syscall(SYS_set_mempolicy_home_node, p, PAGE, 0UL, 0UL), "which has one");
	ok(fails(syscall(SYS_set_mempolicy_home_node, p + PAGE, PAGE, 0UL, 0UL), EOPNOTSUPP),
		"or has not");
	ok(fails(syscall(SYS_set_mempolicy_home_node, p, PAGE, 1UL, 0UL), EINVAL), "no such node");
	ok(fails(syscall(SYS_set_mempolicy_home_node, p, PAGE, 0UL, 1UL), EINVAL), "a flag");
	ok(fails(syscall(SYS_set_mempolicy_home_node, p + 1, PAGE, 0UL, 0UL), EINVAL),
		"an odd address");
	munmap(p, 3 * PAGE);
}

static void test_numa_maps(void)
{
	char *p = mmap(NULL, 6 * PAGE, RW, ANON, -1, 0);
	char *s;

	/* an edge on either side, so that no neighbour is one with it */
	mprotect(p, PAGE, PROT_NONE);
	mprotect(p + 5 * PAGE, PAGE, PROT_NONE);
	p += PAGE;
	ok(!strcmp(numa_line(p), "default"), "numa_maps: a mapping without pages");
	p[0] = p[PAGE] = p[2 * PAGE] = 1;
	ok(starts(numa_line(p), "default anon=") && strstr(numa_line(p), " dirty=") &&
			strstr(numa_line(p), " N0=") &&
			strstr(numa_line(p), " kernelpagesize_kB=4"),
		"one with pages");
	bind_to(p, 2 * PAGE, MPOL_BIND, 1, 0);
	bind_to(p + 2 * PAGE, 2 * PAGE, MPOL_INTERLEAVE | STATIC, 1, 0);
	ok(starts(numa_line(p), "bind:0 anon=2 "), "one that is bound");
	ok(starts(numa_line(p + 2 * PAGE), "interleave=static:0 anon="), "and one with a flag");
	bind_to(p, 2 * PAGE, MPOL_PREFERRED, 0, 0);
	ok(starts(numa_line(p), "local anon=2 "), "the local one");
	bind_to(p, 2 * PAGE, MPOL_PREFERRED_MANY, 1, 0);
	ok(starts(numa_line(p), "prefer (many):0 anon=2 "), "many that are preferred");
	set(MPOL_PREFERRED | MPOL_F_RELATIVE_NODES, 1);
	s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ok(starts(numa_line(s), "prefer=relative:0 file=/dev/zero\\040(deleted)"),
		"that of the task where a mapping has none");
	set(MPOL_DEFAULT, 0);
	munmap(s, PAGE);
	munmap(p - PAGE, 6 * PAGE);
}

/* Linux 6.1 takes a page that is not there for one of zeroes. */
static bool not_there(int status)
{
	return status == -ENOENT || (status == -EFAULT && linux_before(6, 5));
}

static void test_move_pages(void)
{
	char *p = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
	void *pages[4] = { p, p + PAGE + 5, p + 2 * PAGE, (void *)PAGE };
	int nodes[4] = { 0, 0, 0, 0 }, status[4] = { 77, 77, 77, 77 };

	/* the third page is not there: a huge page must not bring it in */
	madvise(p, 4 * PAGE, MADV_NOHUGEPAGE);
	munmap(p + 3 * PAGE, PAGE);
	mprotect(p + 2 * PAGE, PAGE, PROT_NONE);
	p[0] = p[PAGE] = 1;
	ok(!syscall(SYS_move_pages, 0, 4UL, pages, NULL, status, 0) && status[0] == 0 &&
			status[1] == 0 && not_there(status[2]) && status[3] == -EFAULT,
		"move_pages says where pages are");
	status[0] = status[2] = 77;
	ok(!syscall(SYS_move_pages, getpid(), 3UL, pages, nodes, status, MPOL_MF_MOVE) &&
			status[0] == 0 && not_there(status[2]),
		"and moves them to where they are");
	nodes[1] = 1;
	ok(fails(syscall(SYS_move_pages, 0, 2UL, pages, nodes, status, MPOL_MF_MOVE), ENODEV),
		"not to a node that there is not");
	ok(fails(syscall(SYS_move_pages, 0, 1UL, pages, NULL, status, MPOL_MF_STRICT), EINVAL),
		"an unknown flag");
	ok(fails(syscall(SYS_move_pages, 0, 1UL, pages, NULL, (void *)8, 0), EFAULT),
		"nowhere to put the status");
	ok(fails(syscall(SYS_move_pages, 0x3fffffff, 1UL, pages, NULL, status, 0), ESRCH),
		"no such process");
	munmap(p, 3 * PAGE);
}

static void test_migrate(void)
{
	unsigned long from = 1, to = 1, none = 0, other = 2;

	ok(syscall(SYS_migrate_pages, 0, 65UL, &from, &to) == 0, "migrate_pages to the same node");
	ok(fails(syscall(SYS_migrate_pages, 0, 65UL, &from, &none), EINVAL), "to none");
	ok(fails(syscall(SYS_migrate_pages, 0, 65UL, &from, &other), EINVAL),
		"to one that there is not");
	ok(fails(syscall(SYS_migrate_pages, 0x3fffffff, 65UL, &from, &to), ESRCH),
		"no such process");
	ok(fails(syscall(SYS_migrate_pages, 0, 65UL, (void *)8, &to), EFAULT),
		"a mask out of reach");
}

static bool file_is(const char *name, const char *want)
{
	char path[100], text[200];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/devices/system/node/%s", name);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return want ? !strcmp(text, want) : n > 0;
}

static void test_sysfs(void)
{
	mkdir("/sys", 0755);
	if (access("/sys/devices/system", F_OK))
		mount("sysfs", "/sys", "sysfs", 0, NULL);
	ok(file_is("online", "0\n") && file_is("possible", "0\n") && file_is("has_cpu", "0\n") &&
			file_is("has_memory", "0\n") && file_is("has_normal_memory", "0\n"),
		"/sys/devices/system/node: one node");
	ok(file_is("node0/distance", "10\n") && file_is("node0/cpumap", NULL) &&
			file_is("node0/cpulist", NULL) && file_is("node0/meminfo", NULL),
		"with processors and memory");
}

int main(void)
{
	if (access("/proc/self", F_OK))
		mount("proc", "/proc", "proc", 0, NULL);
	test_task();
	test_task_refused();
	test_get();
	test_bind();
	test_inherit();
	test_home_node();
	test_numa_maps();
	test_move_pages();
	test_migrate();
	test_sysfs();
	return tap_end();
}
