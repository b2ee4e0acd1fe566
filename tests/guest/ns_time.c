/* SPDX-License-Identifier: Apache-2.0 */
/* Time namespaces: offsets, who sees them, and every call that takes or gives an absolute time of CLOCK_MONOTONIC or CLOCK_BOOTTIME. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child_tap.h"
#include "release_tap.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define NS_GET_NSTYPE _IO(0xb7, 3)
#define AHEAD	      100000 /* of CLOCK_MONOTONIC, seconds */
#define BOOT_AHEAD    300000

static double now(clockid_t clock)
{
	struct timespec ts = { 0 };

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double now_call(clockid_t clock)
{
	struct timespec ts = { 0 };

	syscall(SYS_clock_gettime, clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static bool near(double a, double b)
{
	return a - b < 60 && b - a < 60;
}

static uint64_t ns_number(const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return stat(path, &st) ? 0 : st.st_ino;
}

/* 0 or -errno. */
static int set_offsets(const char *text)
{
	int fd = open("/proc/self/timens_offsets", O_WRONLY);
	ssize_t n = write(fd, text, strlen(text));
	int ret = n < 0 ? -errno : n == (ssize_t)strlen(text) ? 0 : (int)n;

	close(fd);
	return ret;
}

static const char *get_text(const char *path)
{
	static char text[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static bool unshare_ahead(void)
{
	char text[64];

	snprintf(text, sizeof(text), "monotonic %d 0\nboottime %d 0\n", AHEAD, BOOT_AHEAD);
	return unshare(CLONE_NEWTIME) == 0 && set_offsets(text) == 0;
}

/* ---- offsets ---- */
static int offsets_text(void)
{
	if (strcmp(get_text("/proc/self/timens_offsets"),
		    "monotonic           0         0\nboottime            0         0\n"))
		return 1;
	if (set_offsets("monotonic 1 0") != -EACCES)
		return 2;
	if (unshare(CLONE_NEWTIME) || set_offsets("1 12 34\n7 -1 500000000\n"))
		return 3;
	if (strcmp(get_text("/proc/self/timens_offsets"),
		    "monotonic          12        34\nboottime           -1 500000000\n"))
		return 4;
	if (set_offsets("boottime\t0 0") || set_offsets("  monotonic 5 6 7"))
		return 5;
	return strcmp(get_text("/proc/self/timens_offsets"),
		       "monotonic           5         6\nboottime            0         0\n") != 0;
}

static int offsets_refused(void)
{
	static const struct {
		const char *text;
		int want;
	} bad[] = {
		{ "", -EINVAL },
		{ "monotonic", -EINVAL },
		{ "monotonic 1", -EINVAL },
		{ "monotonic 1 x", -EINVAL },
		{ "monotonic 1 1000000000", -EINVAL },
		{ "realtime 1 1", -EINVAL },
		{ "2 1 1", -EINVAL },
		{ "monotonic 1 1\n\nboottime 1 1", -EINVAL },
		{ "monotonic -100000000 0", -ERANGE },
		{ "boottime 5000000000 0", -ERANGE },
		{ "monotonic 9223372036 0", -ERANGE },
		/* what is after two lines is not taken */
		{ "monotonic 1 1\nboottime 1 1\nmonotonic 2 2\n", 27 },
	};

	if (unshare(CLONE_NEWTIME))
		return 99;
	for (int i = 0; i < (int)(sizeof(bad) / sizeof(bad[0])); i++) {
		int got = bad[i].text[0] ? set_offsets(bad[i].text) : -EINVAL;

		if (got != bad[i].want) {
			fprintf(stderr, "%s: %d\n", bad[i].text, got);
			return i + 1;
		}
	}
	return 0;
}

static int child_ok(void)
{
	return 0;
}

static int offsets_frozen(void)
{
	if (!unshare_ahead() || in_child(child_ok))
		return 1;
	return set_offsets("monotonic 1 1") != -EACCES;
}

/* ---- who is where ---- */
static int own_stays(void)
{
	double mono = now(CLOCK_MONOTONIC);
	uint64_t before = ns_number("time");

	if (!before || ns_number("time_for_children") != before || !unshare_ahead())
		return 1;
	if (ns_number("time") != before || ns_number("time_for_children") == before)
		return 2;
	return !near(now(CLOCK_MONOTONIC), mono) || !near(now_call(CLOCK_MONOTONIC), mono);
}

static double mono_before, boot_before, real_before;

static int child_clocks(void)
{
	static const struct {
		clockid_t id;
		int ahead;
	} clocks[] = {
		{ CLOCK_MONOTONIC, AHEAD },
		{ CLOCK_MONOTONIC_RAW, AHEAD },
		{ CLOCK_MONOTONIC_COARSE, AHEAD },
		{ CLOCK_BOOTTIME, BOOT_AHEAD },
	};

	if (ns_number("time") != ns_number("time_for_children"))
		return 1;
	for (int i = 0; i < (int)(sizeof(clocks) / sizeof(clocks[0])); i++) {
		double from = clocks[i].ahead == AHEAD ? mono_before : boot_before;

		if (!near(now(clocks[i].id), from + clocks[i].ahead) ||
			!near(now_call(clocks[i].id), from + clocks[i].ahead))
			return 10 + i;
	}
	if (!near(now(CLOCK_REALTIME), real_before) || !near(now_call(CLOCK_REALTIME), real_before))
		return 20;
	return !near((double)time(NULL), real_before);
}

static int children_are_ahead(void)
{
	mono_before = now(CLOCK_MONOTONIC);
	boot_before = now(CLOCK_BOOTTIME);
	real_before = now(CLOCK_REALTIME);
	return unshare_ahead() ? in_child(child_clocks) : 99;
}

static int grandchild(void)
{
	return in_child(child_clocks);
}

static int grandchildren_too(void)
{
	mono_before = now(CLOCK_MONOTONIC);
	boot_before = now(CLOCK_BOOTTIME);
	real_before = now(CLOCK_REALTIME);
	return unshare_ahead() ? in_child(grandchild) : 99;
}

static double proc_number(const char *path, const char *key)
{
	const char *text = get_text(path), *at = key ? strstr(text, key) : text;

	return at ? strtod(at + (key ? strlen(key) : 0), NULL) : -1;
}

/* Start of this process in ticks of 10 ms. */
static double start_time(void)
{
	const char *p = strrchr(get_text("/proc/self/stat"), ')') + 1;

	for (int i = 0; i < 19 && p; i++)
		p = strchr(p + 1, ' ');
	return p ? strtod(p, NULL) / 100 : -1;
}

static double uptime_before, btime_before;

static int child_proc(void)
{
	struct sysinfo si;

	if (!near(proc_number("/proc/uptime", NULL), uptime_before + BOOT_AHEAD))
		return 1;
	if (!near(proc_number("/proc/stat", "btime "), btime_before - BOOT_AHEAD))
		return 2;
	if (sysinfo(&si) || !near((double)si.uptime, uptime_before + BOOT_AHEAD))
		return 3;
	return near(start_time(), uptime_before + BOOT_AHEAD) ? 0 : 4;
}

static int proc_is_ahead(void)
{
	uptime_before = proc_number("/proc/uptime", NULL);
	btime_before = proc_number("/proc/stat", "btime ");
	return unshare_ahead() ? in_child(child_proc) : 99;
}

/* ---- absolute times ---- */
static struct timespec soon(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_nsec += 30000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return ts;
}

/* Between 30 ms and "something is wrong". */
static bool took_a_moment(double since)
{
	double t = now(CLOCK_MONOTONIC) - since;

	return t > 0.025 && t < 30;
}

static bool sleeps(clockid_t clock)
{
	double start = now(CLOCK_MONOTONIC);
	struct timespec ts = soon(clock);

	return clock_nanosleep(clock, TIMER_ABSTIME, &ts, NULL) == 0 && took_a_moment(start);
}

static bool timerfd_fires(clockid_t clock)
{
	double start = now(CLOCK_MONOTONIC);
	struct itimerspec its = { .it_value = soon(clock) }, left;
	int fd = timerfd_create(clock, 0);
	uint64_t n = 0;
	bool done = timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL) == 0 &&
		    timerfd_gettime(fd, &left) == 0 && left.it_value.tv_sec == 0 &&
		    read(fd, &n, sizeof(n)) == sizeof(n) && n == 1 && took_a_moment(start);

	close(fd);
	return done;
}

static bool timer_fires(clockid_t clock)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec its = { .it_value = soon(clock) }, left;
	double start = now(CLOCK_MONOTONIC);
	sigset_t set;
	timer_t id;
	int sig = 0;
	bool done;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	done = timer_create(clock, &ev, &id) == 0 &&
	       timer_settime(id, TIMER_ABSTIME, &its, NULL) == 0 && timer_gettime(id, &left) == 0 &&
	       left.it_value.tv_sec == 0 && sigwait(&set, &sig) == 0 && took_a_moment(start);
	timer_delete(id);
	return done;
}

static bool futex_ends(void)
{
	double start = now(CLOCK_MONOTONIC);
	struct timespec ts = soon(CLOCK_MONOTONIC);
	uint32_t word = 0;
	long r = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &ts, NULL, FUTEX_BITSET_MATCH_ANY);

	return r == -1 && errno == ETIMEDOUT && took_a_moment(start);
}

static bool futex_waitv_ends(void)
{
	double start = now(CLOCK_MONOTONIC);
	struct timespec ts = soon(CLOCK_MONOTONIC);
	uint32_t word = 0;
	struct futex_waitv w = { .uaddr = (uintptr_t)&word, .flags = FUTEX_32 };
	long r = syscall(SYS_futex_waitv, &w, 1, 0, &ts, CLOCK_MONOTONIC);

	return r == -1 && errno == ETIMEDOUT && took_a_moment(start);
}

static int child_absolute(void)
{
	/* the clock of the first namespace is long past, or far ahead */
	struct timespec past = { (time_t)mono_before + AHEAD / 2, 0 };

	if (!sleeps(CLOCK_MONOTONIC) || !sleeps(CLOCK_BOOTTIME) || !sleeps(CLOCK_REALTIME))
		return 1;
	if (!timerfd_fires(CLOCK_MONOTONIC) || !timerfd_fires(CLOCK_BOOTTIME) ||
		!timerfd_fires(CLOCK_REALTIME))
		return 2;
	if (!timer_fires(CLOCK_MONOTONIC) || !timer_fires(CLOCK_BOOTTIME) ||
		!timer_fires(CLOCK_REALTIME))
		return 3;
	if (!futex_ends() || !futex_waitv_ends())
		return 4;
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL);
}

static int absolute_times(void)
{
	mono_before = now(CLOCK_MONOTONIC);
	return unshare_ahead() ? in_child(child_absolute) : 99;
}

static int child_behind(void)
{
	double t = now(CLOCK_MONOTONIC) - mono_before;

	return t > 30 || t < -1.1 || !sleeps(CLOCK_MONOTONIC) || !timerfd_fires(CLOCK_MONOTONIC);
}

static int behind(void)
{
	mono_before = now(CLOCK_MONOTONIC);
	if (unshare(CLONE_NEWTIME) || set_offsets("monotonic -1 0"))
		return 1;
	return in_child(child_behind);
}

/* ---- exec, vfork, threads ---- */
static char self[200];

/* The program's clock must be near the argument. */
static int exec_check(const char *want)
{
	double t = strtod(want, NULL);

	return near(now(CLOCK_MONOTONIC), t) && near(now_call(CLOCK_MONOTONIC), t) ? 0 : 1;
}

static int exec_at(double t)
{
	char want[40];

	snprintf(want, sizeof(want), "%.0f", t);
	execl(self, self, want, NULL);
	return 98;
}

static int exec_in_child(void)
{
	return exec_at(mono_before + AHEAD);
}

static int after_exec(void)
{
	mono_before = now(CLOCK_MONOTONIC);
	return unshare_ahead() ? in_child(exec_in_child) : 99;
}

static int exec_itself(void)
{
	mono_before = now(CLOCK_MONOTONIC);
	return unshare_ahead() ? exec_at(mono_before + AHEAD) : 99;
}

static int vfork_exec(void)
{
	double mono = now(CLOCK_MONOTONIC);
	static volatile int stayed;
	char want[40];
	pid_t pid;

	if (!unshare_ahead())
		return 99;
	snprintf(want, sizeof(want), "%.0f", mono + AHEAD);
	pid = vfork();
	if (pid == 0) {
		stayed = near(now(CLOCK_MONOTONIC), mono);
		execl(self, self, want, NULL);
		_exit(97);
	}
	return child_status(pid) ? 1 : !stayed || !near(now(CLOCK_MONOTONIC), mono);
}

static void *thread_clock(void *arg)
{
	*(double *)arg = now(CLOCK_MONOTONIC);
	return NULL;
}

static int thread_stays(void)
{
	double mono = now(CLOCK_MONOTONIC), seen = 0;
	pthread_t th;

	if (!unshare_ahead() || pthread_create(&th, NULL, thread_clock, &seen))
		return 1;
	pthread_join(th, NULL);
	return !near(seen, mono);
}

static int clone3_new(void)
{
	struct clone_args args = { .flags = CLONE_NEWTIME, .exit_signal = SIGCHLD };
	uint64_t before = ns_number("time");
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(ns_number("time") == before ||
			ns_number("time") != ns_number("time_for_children") ||
			set_offsets("monotonic 1 1") != -EACCES);
	if (child_status(pid) || ns_number("time_for_children") != before)
		return 1;
	args.exit_signal = CLONE_NEWTIME | SIGCHLD;
	args.flags = 0x40;
	return syscall(SYS_clone3, &args, sizeof(args)) != -1 || errno != EINVAL;
}

/* ---- setns ---- */
static int there_and_back(void)
{
	double mono = now(CLOCK_MONOTONIC);
	int home = open("/proc/self/ns/time", O_RDONLY), away, fd;
	pid_t pid;

	if (!unshare_ahead())
		return 99;
	away = open("/proc/self/ns/time_for_children", O_RDONLY);
	if (ioctl(away, NS_GET_NSTYPE) != CLONE_NEWTIME)
		return 1;
	if (setns(away, CLONE_NEWUTS) != -1 || errno != EINVAL || setns(away, CLONE_NEWTIME))
		return 2;
	if (!near(now(CLOCK_MONOTONIC), mono + AHEAD) ||
		!near(now_call(CLOCK_MONOTONIC), mono + AHEAD))
		return 3;
	if (setns(home, 0) || ns_number("time_for_children") != ns_number("time"))
		return 4;
	if (!near(now(CLOCK_MONOTONIC), mono) || !near(now_call(CLOCK_MONOTONIC), mono))
		return 5;
	setns(away, 0);
	pid = fork();
	if (pid == 0)
		_exit(pause());
	setns(home, 0);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (setns(fd, CLONE_NEWTIME) || !near(now(CLOCK_MONOTONIC), mono + AHEAD))
		return 6;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}

static void *thread_wait(void *arg)
{
	char c;

	return read(*(int *)arg, &c, 1) ? arg : NULL;
}

static int not_alone(void)
{
	int fd = open("/proc/self/ns/time", O_RDONLY), p[2];
	pthread_t th;
	bool refused;

	if (pipe(p) || pthread_create(&th, NULL, thread_wait, &p[0]))
		return 1;
	refused = setns(fd, CLONE_NEWTIME) == -1 && errno == EUSERS;
	close(p[1]);
	pthread_join(th, NULL);
	return !refused;
}

static int unprivileged(void)
{
	int fd = open("/proc/self/ns/time", O_RDONLY);

	if (setgid(65534) || setuid(65534) || prctl(PR_SET_DUMPABLE, 1))
		return 1;
	if (unshare(CLONE_NEWTIME) != -1 || errno != EPERM)
		return 2;
	if (setns(fd, CLONE_NEWTIME) != -1 || errno != EPERM)
		return 3;
	/* over a time namespace of his own he has the right to set offsets */
	if (unshare(CLONE_NEWUSER | CLONE_NEWTIME) || set_offsets("monotonic 1000 0"))
		return 4;
	mono_before = now(CLOCK_MONOTONIC);
	return 0;
}

int main(int argc, char **argv)
{
	/* Until then exec stayed, and no memory was shared once children were to be elsewhere. */
	bool old = linux_before(6, 2);

	if (access("/proc/self", F_OK))
		mount("proc", "/proc", "proc", 0, NULL);
	if (argc > 1)
		return exec_check(argv[1]);
	/* offsets below 0 need a clock that shows something */
	while (now(CLOCK_BOOTTIME) < 2)
		usleep(100000);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 99;
	ok(in_child(offsets_text) == 0, "offsets are shown and set");
	ok(in_child(offsets_refused) == 0, "what is wrong with them is said");
	ok(in_child(offsets_frozen) == 0, "they stay once a task lives there");
	ok(in_child(own_stays) == 0, "unshare is for children: the caller's clocks stay");
	ok(in_child(children_are_ahead) == 0, "children's clocks have the offsets");
	ok(in_child(grandchildren_too) == 0, "so have their children's");
	ok(in_child(proc_is_ahead) == 0, "uptime, btime, sysinfo, the start of a process");
	ok(in_child(absolute_times) == 0, "absolute times of sleeps, timers and futexes");
	ok(in_child(behind) == 0, "a clock that is behind");
	ok(in_child(after_exec) == 0, "a child keeps them over exec");
	ok(old || in_child(exec_itself) == 0, "exec brings the caller there");
	ok(old || in_child(vfork_exec) == 0, "a vfork child stays until it executes");
	ok(old || in_child(thread_stays) == 0, "so does a thread");
	ok(in_child(clone3_new) == 0, "clone3 with CLONE_NEWTIME");
	ok(in_child(there_and_back) == 0, "setns by file and by pidfd");
	ok(in_child(not_alone) == 0, "setns of a process with threads: EUSERS");
	ok(in_child(unprivileged) == 0, "without rights: EPERM, but in a user namespace");
	return tap_end();
}
