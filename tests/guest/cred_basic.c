/* SPDX-License-Identifier: Apache-2.0 */
/* User and group ids, capabilities, prctl, limits, scheduling queries, names and other small calls. Wants to start as root. */
#define _GNU_SOURCE
#include <errno.h>
#include <asm/prctl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guest/child_tap.h"

static int drop_all(void)
{
	uid_t r, e, s;

	if (setresgid(5, 6, 7) < 0 || setresuid(1000, 1001, 1002) < 0)
		return 1;
	getresuid(&r, &e, &s);
	if (r != 1000 || e != 1001 || s != 1002 || getuid() != 1000 || geteuid() != 1001)
		return 2;
	if (getgid() != 5 || getegid() != 6)
		return 3;
	if (setuid(0) != -1 || errno != EPERM)
		return 4;
	if (seteuid(1002) < 0 || seteuid(1000) < 0 || geteuid() != 1000)
		return 5;
	if (setresuid(7, 7, 7) != -1 || errno != EPERM)
		return 6;
	return setgid(0) != -1 || errno != EPERM ? 7 : 0;
}

static int keep_root_saved(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (seteuid(1000) < 0)
		return 1;
	syscall(SYS_capget, &h, d);
	if (d[0].effective || d[1].effective || !d[0].permitted)
		return 2;
	if (seteuid(0) < 0)
		return 3;
	syscall(SYS_capget, &h, d);
	return d[0].effective ? 0 : 4;
}

static int setuid_drops_caps(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (setuid(1000) < 0)
		return 1;
	syscall(SYS_capget, &h, d);
	return d[0].effective || d[0].permitted ? 2 : 0;
}

static int keepcaps(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setuid(1000) < 0)
		return 1;
	syscall(SYS_capget, &h, d);
	if (d[0].effective || !d[0].permitted)
		return 2;
	d[0].effective = d[0].permitted;
	return syscall(SYS_capset, &h, d) < 0 ? 3 : 0;
}

static int reuid(void)
{
	if (setreuid(10, 20) < 0)
		return 1;
	if (getuid() != 10 || geteuid() != 20)
		return 2;
	return setreuid(20, 10) < 0 || geteuid() != 10 ? 3 : 0;
}

static int fsids(void)
{
	if (setfsuid(1000) != 0 || setfsuid((uid_t)-1) != 1000)
		return 1;
	return setfsgid(100) != 0 || setfsgid((gid_t)-1) != 100 ? 2 : 0;
}

static int groups(void)
{
	gid_t g[4] = { 30, 10, 20, 10 }, out[8];

	if (setgroups(4, g) < 0 || getgroups(0, NULL) != 4 || getgroups(8, out) != 4)
		return 1;
	if (getgroups(2, out) != -1 || errno != EINVAL)
		return 2;
	if (setuid(1000) < 0)
		return 3;
	return setgroups(0, NULL) != -1 || errno != EPERM ? 4 : 0;
}

static int capset_rules(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { 0 } };

	d[0].permitted = d[0].effective = 1u << CAP_CHOWN;
	if (syscall(SYS_capset, &h, d) < 0)
		return 1;
	d[0].effective = d[0].permitted = 1u << CAP_KILL;
	if (syscall(SYS_capset, &h, d) != -1 || errno != EPERM)
		return 2;
	h.version = 1234;
	if (syscall(SYS_capget, &h, NULL) != 0 || h.version != _LINUX_CAPABILITY_VERSION_3)
		return 3;
	return 0;
}

static int bounding(void)
{
	if (prctl(PR_CAPBSET_READ, CAP_CHOWN) != 1 || prctl(PR_CAPBSET_DROP, CAP_CHOWN) < 0)
		return 1;
	if (prctl(PR_CAPBSET_READ, CAP_CHOWN) != 0)
		return 2;
	return prctl(PR_CAPBSET_READ, 63) != -1 || errno != EINVAL ? 3 : 0;
}

static int no_new_privs(void)
{
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
	return prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) != -1 || errno != EINVAL ? 3 : 0;
}

static int kill_permission(void)
{
	pid_t parent = getppid();

	if (setuid(1000) < 0)
		return 1;
	return kill(parent, 0) != -1 || errno != EPERM ? 2 : 0;
}

static void test_ids(void)
{
	PART(drop_all, "setresuid and setresgid, and no way back");
	PART(keep_root_saved, "an effective id gives up and gets back capabilities");
	PART(setuid_drops_caps, "setuid drops all capabilities");
	PART(keepcaps, "PR_SET_KEEPCAPS keeps the permitted ones");
	PART(reuid, "setreuid exchanges");
	PART(fsids, "setfsuid and setfsgid give the old value");
	PART(groups, "supplementary groups");
	PART(capset_rules, "capset only takes away; versions");
	PART(bounding, "the bounding set");
	PART(no_new_privs, "no_new_privs is for ever");
	PART(kill_permission, "another user's process: EPERM");
}

static void test_prctl(void)
{
	char name[16];
	int v = -1;

	ok(prctl(PR_SET_NAME, "a-name-that-is-too-long") == 0 && prctl(PR_GET_NAME, name) == 0 &&
			!strcmp(name, "a-name-that-is-"),
		"PR_SET_NAME cuts at 15");
	ok(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0 && prctl(PR_GET_PDEATHSIG, &v) == 0 &&
			v == SIGUSR1,
		"PR_SET_PDEATHSIG");
	prctl(PR_SET_PDEATHSIG, 0);
	ok(prctl(PR_SET_PDEATHSIG, 99) == -1 && errno == EINVAL, "a bad signal: EINVAL");
	ok(prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_GET_DUMPABLE) == 0 &&
			prctl(PR_SET_DUMPABLE, 1) == 0,
		"PR_SET_DUMPABLE");
	ok(prctl(12345) == -1 && errno == EINVAL, "unknown option: EINVAL");
	ok(syscall(SYS_arch_prctl, 0x9999, 0) == -1 && errno == EINVAL,
		"arch_prctl unknown: EINVAL");
	ok(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x123450) == 0 && ({
		unsigned long gs = 0;

		syscall(SYS_arch_prctl, ARCH_GET_GS, &gs);
		gs == 0x123450;
	}),
		"arch_prctl sets and reads GS");
	ok(syscall(SYS_arch_prctl, ARCH_SET_FS, ~0ul) == -1 && errno == EPERM,
		"a kernel address as base: EPERM");
}

static void test_limits(void)
{
	struct rlimit lim = { 100, 200 }, old;

	ok(getrlimit(RLIMIT_NOFILE, &old) == 0 && old.rlim_cur > 0, "getrlimit");
	if (fork() == 0) {
		int r = setrlimit(RLIMIT_NOFILE, &lim) || getrlimit(RLIMIT_NOFILE, &old) ||
			old.rlim_cur != 100 || old.rlim_max != 200;

		lim.rlim_cur = 300;
		r |= setrlimit(RLIMIT_NOFILE, &lim) != -1 || errno != EINVAL;
		_exit(r);
	}
	int status;

	wait(&status);
	ok(status == 0, "setrlimit; soft above hard: EINVAL");
	ok(prlimit(getpid(), RLIMIT_CORE, NULL, &old) == 0, "prlimit of a process");
	ok(prlimit(0x3fffffff, RLIMIT_CORE, NULL, &old) == -1 && errno == ESRCH,
		"of nobody: ESRCH");
	ok(syscall(SYS_getrlimit, 99, &old) == -1 && errno == EINVAL, "unknown limit: EINVAL");
	if (fork() == 0) {
		lim.rlim_cur = lim.rlim_max = 1;
		setrlimit(RLIMIT_NPROC, &lim);
		if (setuid(4711) < 0)
			_exit(1);
		_exit(fork() == -1 && errno == EAGAIN ? 0 : 2);
	}
	wait(&status);
	ok(status == 0, "RLIMIT_NPROC gives EAGAIN");
}

static void test_sched(void)
{
	struct sched_param p = { 0 };
	struct timespec ts;
	cpu_set_t set;
	unsigned cpu = 99;

	ok(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0,
		"sched_getaffinity");
	ok(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity to the same");
	CPU_ZERO(&set);
	ok(sched_setaffinity(0, sizeof(set), &set) == -1 && errno == EINVAL, "to no CPU: EINVAL");
	ok(sched_yield() == 0, "sched_yield");
	ok(getcpu(&cpu, NULL) == 0 && cpu < 1024, "getcpu");
	ok(sched_getscheduler(0) == SCHED_OTHER && sched_getparam(0, &p) == 0 &&
			p.sched_priority == 0,
		"the ordinary policy");
	p.sched_priority = 200;
	ok(sched_setscheduler(0, SCHED_FIFO, &p) == -1 && errno == EINVAL, "priority 200: EINVAL");
	ok(sched_get_priority_max(SCHED_RR) == 99 && sched_get_priority_min(SCHED_RR) == 1 &&
			sched_get_priority_max(77) == -1,
		"priority ranges");
	ok(sched_rr_get_interval(0, &ts) == 0, "sched_rr_get_interval");
	ok(setpriority(PRIO_PROCESS, 0, 7) == 0 && getpriority(PRIO_PROCESS, 0) == 7 &&
			setpriority(PRIO_PROCESS, 0, 8) == 0 && getpriority(PRIO_PROCESS, 0) == 8,
		"setpriority");
	ok(getpriority(9, 0) == -1 && errno == EINVAL, "unknown class: EINVAL");
	ok(syscall(SYS_ioprio_get, 1, 0) >= 0, "ioprio_get");
}

static void test_misc(void)
{
	struct utsname u;
	struct sysinfo si;
	unsigned char a[600], b[600];

	ok(uname(&u) == 0 && !strcmp(u.sysname, "Linux") && !strcmp(u.machine, "x86_64"), "uname");
	ok(syscall(SYS_uname, 16) == -1 && errno == EFAULT, "uname to nowhere: EFAULT");
	ok(sysinfo(&si) == 0 && si.totalram > 0 && si.freeram <= si.totalram && si.mem_unit > 0,
		"sysinfo");
	ok(getrandom(a, sizeof(a), 0) == sizeof(a) &&
			getrandom(b, sizeof(b), GRND_NONBLOCK) == 600 &&
			memcmp(a, b, sizeof(a)) != 0,
		"getrandom");
	ok(getrandom(a, 1, 0x100) == -1 && errno == EINVAL, "unknown flags: EINVAL");
	ok(personality(0xffffffff) == 0, "personality");
	ok(syscall(SYS_getpid) == getpid() && getppid() >= 0, "getpid, getppid");
	ok(syscall(9999) == -1 && errno == ENOSYS, "an unknown number: ENOSYS");
}

int main(void)
{
	test_ids();
	test_prctl();
	test_limits();
	test_sched();
	test_misc();
	return tap_end();
}
