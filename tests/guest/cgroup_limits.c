/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controllers memory, pids and cpu of cgroup v2. Where the hierarchy has not all of them (a host with cgroup v1) the points are what the kernel's
 * documentation of version 2 says, and are printed without being tried.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>

#include "fs_tap.h"

#define MIB (1024 * 1024L)

static char top[200];
static bool tried; /* the controllers are there */

/* A point that is only known from the documentation where they are not. */
#define check(cond, text) ok(!tried || (cond), text)

static const char *at(const char *name)
{
	static char path[4][600];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", top, name);
	return p;
}

static bool get(const char *name, char *buf, size_t size)
{
	int fd = open(at(name), O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
	return n >= 0;
}

static int put(const char *name, const char *text)
{
	int fd = open(at(name), O_WRONLY), err = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

static bool is_text(const char *name, const char *want)
{
	char buf[500];

	return get(name, buf, sizeof(buf)) && !strcmp(buf, want);
}

/* The number behind `key`, or the only one with NULL. */
static long number(const char *name, const char *key)
{
	char buf[2000], *p = buf;
	size_t n = key ? strlen(key) : 0;

	if (!get(name, buf, sizeof(buf)))
		return -1;
	while (key && p && (strncmp(p, key, n) || p[n] != ' ')) {
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	return p ? strtol(p + n, NULL, 10) : -1;
}

static bool make_top(const char *mnt)
{
	char file[300], buf[200] = "";
	int fd;

	snprintf(file, sizeof(file), "%s/cgroup.controllers", mnt);
	fd = open(file, O_RDONLY);
	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) < 0)
		return false;
	close(fd);
	snprintf(top, sizeof(top), "%s/casemate-test-%d", mnt, getpid());
	return strstr(buf, "cpu") && strstr(buf, "memory") && strstr(buf, "pids") &&
	       mkdir(top, 0755) == 0;
}

static void enter(const char *dir)
{
	char name[200];

	snprintf(name, sizeof(name), "%s/cgroup.procs", dir);
	if (put(name, "0"))
		_exit(99);
}

/* Run fn in a child in `dir`; its wait status. */
static int run_in(const char *dir, int (*fn)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		enter(dir);
		_exit(fn());
	}
	waitpid(pid, &status, 0);
	return status;
}

static int code(int status)
{
	return WIFEXITED(status)     ? WEXITSTATUS(status)
	       : WIFSIGNALED(status) ? -WTERMSIG(status)
				     : -1000;
}

/* ---- controllers ---- */
static void test_enable(void)
{
	mkdir(at("c"), 0755);
	mkdir(at("c/d"), 0755);
	check(access(at("c/memory.max"), F_OK) == 0, "files of enabled controllers are there");
	check(access(at("c/d/memory.max"), F_OK) && access(at("c/d/pids.max"), F_OK),
		"and not below until they are enabled for the children");
	check(put("c/d/cgroup.subtree_control", "+pids") == -ENOENT,
		"what a parent does not give cannot be enabled");
	check(put("c/cgroup.subtree_control", "+pids +memory") == 0, "a parent gives two");
	check(is_text("c/d/cgroup.controllers", "memory pids\n"), "the child has them");
	check(put("c/d/cgroup.subtree_control", "+pids") == 0, "and gives one on");
	check(put("c/cgroup.subtree_control", "-pids") == -EBUSY,
		"which keeps it from being taken");
	check(put("c/d/cgroup.subtree_control", "-pids") == 0, "unless it is given back");
	check(put("c/cgroup.subtree_control", "-pids -memory") == 0, "then all goes");
	check(access(at("c/d/memory.max"), F_OK) != 0, "with its files");
	rmdir(at("c/d"));
	rmdir(at("c"));
}

static int enable_with_members(void)
{
	return put("i/cgroup.subtree_control", "+memory") == -EBUSY ? 0 : 1;
}

static int enter_giver(void)
{
	return put("j/cgroup.procs", "0") == -EBUSY ? 0 : 1;
}

/* Of the controllers, memory: Linux lets a cgroup with members give those that know threaded cgroups, cpu and pids. */
static void test_no_internal(void)
{
	mkdir(at("i"), 0755);
	mkdir(at("j"), 0755);
	check(code(run_in("i", enable_with_members)) == 0, "nothing is given by who has members");
	check(put("j/cgroup.subtree_control", "+memory") == 0, "a cgroup without members gives");
	check(code(run_in("i", enter_giver)) == 0, "and takes no member then");
	rmdir(at("i"));
	rmdir(at("j"));
}

/* ---- pids ---- */
static int fork_three(void)
{
	pid_t pid[3];
	int n = 0, err = 0;

	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			pause();
			_exit(0);
		}
		if (pid[i] > 0)
			n++;
		else
			err = errno;
	}
	for (int i = 0; i < 3; i++) {
		if (pid[i] > 0 && kill(pid[i], SIGKILL) == 0)
			waitpid(pid[i], NULL, 0);
	}
	return n == 2 && err == EAGAIN ? 0 : 1;
}

static void test_pids(void)
{
	mkdir(at("p"), 0755);
	check(is_text("p/pids.max", "max\n"), "there is no limit of tasks at first");
	check(put("p/pids.max", "3") == 0 && is_text("p/pids.max", "3\n"), "it is set");
	check(put("p/pids.max", "-1") == -EINVAL && put("p/pids.max", "x") == -EINVAL,
		"to numbers alone");
	check(code(run_in("p", fork_three)) == 0, "the fourth task is one too many: EAGAIN");
	check(number("p/pids.events", "max") == 1, "pids.events counts it");
	check(number("p/pids.peak", NULL) == 3, "pids.peak is the limit");
	check(number("p/pids.current", NULL) == 0, "nobody is left");
	for (int i = 0; tried && i < 400 && rmdir(at("p")); i++)
		usleep(5000);
}

/* ---- memory ---- */
static int touch_48(void)
{
	char *p = mmap(NULL, 48 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (long i = 0; i < 48 * MIB; i += 4096)
		p[i] = 1;
	return 0;
}

static int touch_8(void)
{
	char *p = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (long i = 0; i < 8 * MIB; i += 4096)
		p[i] = 1;
	return number("m/memory.current", NULL) >= 8 * MIB &&
			       number("m/memory.stat", "anon") >= 8 * MIB
		       ? 0
		       : 1;
}

/* A file as large as three times the limit can be written and read: its pages are dropped again. */
static int write_file(void)
{
	char name[200], buf[65536];
	int fd, bad = 0;

	snprintf(
		name, sizeof(name), "%s/cgroup-test", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);
	memset(buf, 7, sizeof(buf));
	for (long i = 0; i < 4 * MIB && fd >= 0; i += (long)sizeof(buf))
		bad |= write(fd, buf, sizeof(buf)) != (ssize_t)sizeof(buf);
	bad |= number("m/memory.stat", "file") < 4 * MIB;
	close(fd);
	unlink(name);
	return bad;
}

/* Two processes; the bigger one is killed, alone. */
static int oom_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(touch_48());
	waitpid(pid, &status, 0);
	return code(status) == -SIGKILL ? 0 : 1;
}

static void test_memory(void)
{
	long before;

	mkdir(at("m"), 0755);
	check(is_text("m/memory.max", "max\n") && is_text("m/memory.high", "max\n") &&
			is_text("m/memory.min", "0\n") && is_text("m/memory.low", "0\n"),
		"there are no limits of memory at first");
	check(put("m/memory.max", "16M") == 0 && is_text("m/memory.max", "16777216\n"),
		"suffixes are understood");
	check(put("m/memory.max", "16Q") == -EINVAL && put("m/memory.max", "-5") == -EINVAL,
		"nonsense is not");
	check(code(run_in("m", touch_8)) == 0, "anonymous memory is charged");
	check(code(run_in("m", write_file)) == 0, "the page cache is charged");
	before = number("m/memory.current", NULL);
	check(before >= 0 && before <= 12 * MIB, "and given back");
	check(code(run_in("m", touch_48)) == -SIGKILL, "more than the limit is a kill");
	check(number("m/memory.events", "oom_kill") == 1, "memory.events counts it");
	check(number("m/memory.events", "max") >= 1 && number("m/memory.events", "oom") >= 1,
		"and what led to it");
	check(number("m/memory.peak", NULL) <= 16 * MIB + 65536 &&
			number("m/memory.peak", NULL) >= 15 * MIB,
		"the limit was held");
	check(code(run_in("m", oom_child)) == 0,
		"the larger of two processes dies, the other lives");
	check(put("m/memory.oom.group", "1") == 0, "unless they are to die together");
	check(code(run_in("m", oom_child)) == -SIGKILL, "then both do");
	check(number("m/memory.events", "oom_group_kill") == 1, "which is counted too");
	check(number("m/memory.swap.current", NULL) == 0, "nothing is swapped");
	for (int i = 0; tried && i < 400 && rmdir(at("m")); i++)
		usleep(5000);
	check(access(at("m"), F_OK) != 0, "the cgroup can be removed");
}

static int touch_4(void)
{
	char *p = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (long i = 0; i < 4 * MIB; i += 4096)
		p[i] = 1;
	return 0;
}

static void test_high(void)
{
	mkdir(at("h"), 0755);
	check(put("h/memory.high", "2M") == 0, "memory.high is set");
	check(code(run_in("h", touch_4)) == 0, "who is above goes on");
	check(number("h/memory.events", "high") >= 1, "and is told of");
	check(number("h/memory.events", "oom_kill") == 0, "but not killed");
	rmdir(at("h"));
}

/* ---- cpu ---- */
static double seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double burn_end;

/* CPU time in hundredths of a second. */
static int burn(void)
{
	while (seconds(CLOCK_MONOTONIC) < burn_end)
		;
	return (int)(seconds(CLOCK_PROCESS_CPUTIME_ID) * 100);
}

static void test_cpu_max(void)
{
	long used, before;
	int percent;

	mkdir(at("q"), 0755);
	check(is_text("q/cpu.max", "max 100000\n"), "there is no limit of time at first");
	check(put("q/cpu.max", "10000") == 0 && is_text("q/cpu.max", "10000 100000\n"),
		"a quota alone keeps the period");
	check(put("q/cpu.max", "max 50000") == 0 && is_text("q/cpu.max", "max 50000\n"),
		"a period can be set without one");
	check(put("q/cpu.max", "10") == -EINVAL && put("q/cpu.max", "10000 2000000") == -EINVAL,
		"quota and period have bounds");
	check(put("q/cpu.max", "4000 20000") == 0, "a fifth of a CPU");
	/* How much it gets cannot be told on a busy host: what that takes away looks like use. */
	before = number("q/cpu.stat", "usage_usec");
	burn_end = seconds(CLOCK_MONOTONIC) + 1;
	percent = code(run_in("q", burn));
	used = (number("q/cpu.stat", "usage_usec") - before) / 10000;
	check(used >= percent - 5 && used <= percent + 10, "cpu.stat says what a process used");
	check(number("q/cpu.stat", "nr_throttled") >= 3 &&
			number("q/cpu.stat", "throttled_usec") > 10000 &&
			number("q/cpu.stat", "nr_periods") >= number("q/cpu.stat", "nr_throttled"),
		"and how often it was throttled");
	check(put("q/cpu.max", "max") == 0, "the limit is taken away");
	rmdir(at("q"));
}

/* Two groups on one CPU: how much longer the first one ran, in percent of the second. */
static int share(const char *heavy, const char *light, int lights)
{
	uint64_t *ran = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ratio;

	fflush(stdout);
	burn_end = seconds(CLOCK_MONOTONIC) + 1.5;
	for (int i = 0; i <= lights; i++) {
		if (fork() == 0) {
			cpu_set_t one;

			CPU_ZERO(&one);
			CPU_SET(0, &one);
			sched_setaffinity(0, sizeof(one), &one);
			enter(i ? light : heavy);
			__atomic_add_fetch(&ran[i != 0], (uint64_t)burn(), __ATOMIC_SEQ_CST);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	ratio = (int)(ran[0] * 100 / (ran[1] ? ran[1] : 1));
	munmap(ran, 4096);
	return ratio;
}

static void test_cpu_weight(void)
{
	int ratio = tried ? 0 : 120;

	mkdir(at("w1"), 0755);
	mkdir(at("w2"), 0755);
	check(is_text("w1/cpu.weight", "100\n"), "the weight is 100 at first");
	check(put("w1/cpu.weight", "0") == -ERANGE && put("w1/cpu.weight", "10001") == -ERANGE,
		"and stays between 1 and 10000");
	check(put("w1/cpu.weight", "800") == 0, "one gets eight times the other");
	for (int i = 0; tried && i < 5 && ratio < 120; i++)
		ratio = share("w1", "w2", 1);
	check(ratio >= 120, "of the time");
	ratio = tried ? 0 : 120;
	for (int i = 0; i < 5 && ratio < 120; i++)
		ratio = share("w1", "w2", 3);
	check(ratio >= 120, "however many processes the other has");
	rmdir(at("w1"));
	rmdir(at("w2"));
}

int main(void)
{
	mkdir("/cg", 0755);
	if (mount("none", "/cg", "cgroup2", 0, NULL) == 0)
		tried = make_top("/cg");
	if (tried)
		put("../cgroup.subtree_control", "+cpu +memory +pids");
	if (tried)
		tried = put("cgroup.subtree_control", "+cpu +memory +pids") == 0;
	test_enable();
	test_no_internal();
	test_pids();
	test_memory();
	test_high();
	test_cpu_max();
	test_cpu_weight();
	if (tried)
		rmdir(top);
	umount("/cg");
	rmdir("/cg");
	return tap_end();
}
