/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, sleeping, interval timers, POSIX timers, CPU-time limits. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/tap.h"

static volatile sig_atomic_t hits, value, code;

static void on_signal(int sig, siginfo_t *si, void *uc)
{
	hits++;
	value = si->si_value.sival_int;
	code = si->si_code;
}

static void handle(int sig)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_signal;
	sa.sa_flags = SA_SIGINFO;
	sigaction(sig, &sa, NULL);
}

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void burn(double seconds)
{
	double end = now(CLOCK_THREAD_CPUTIME_ID) + seconds;
	double limit = now(CLOCK_MONOTONIC) + 20;

	volatile int i;

	/* Mostly in user mode, or ITIMER_VIRTUAL would have nothing to count. */
	while (now(CLOCK_THREAD_CPUTIME_ID) < end && now(CLOCK_MONOTONIC) < limit) {
		for (i = 0; i < 100000; i++)
			;
	}
}

/* With a real-time clock they are clocks like others, and timers on them a privilege; without, as in a guest, none. */
static bool alarm_clock_ok(clockid_t clock)
{
	struct timespec ts = { 0, 1 };
	timer_t timer;

	errno = 0;
	if (clock_gettime(clock, &ts) == 0)
		return timer_create(clock, NULL, &timer) == 0 || errno == EPERM;
	return errno == EINVAL && clock_getres(clock, &ts) == -1 && errno == EINVAL &&
	       timer_create(clock, NULL, &timer) == -1 && errno == EOPNOTSUPP &&
	       clock_nanosleep(clock, 0, &(struct timespec){ 0, 1 }, NULL) == EOPNOTSUPP;
}

static void test_clocks(void)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
		CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_TAI,
		CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };
	struct timespec a, b, direct;
	struct timeval tv;
	bool good = true, forward = true;
	size_t i;

	for (i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		good = good && clock_gettime(clocks[i], &a) == 0 &&
		       clock_getres(clocks[i], &b) == 0 && b.tv_sec == 0 && b.tv_nsec > 0;
	}
	ok(good, "every clock reads and has a resolution");
	for (i = 0; i < 10000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &direct);
		clock_gettime(CLOCK_MONOTONIC, &b);
		forward = forward &&
			  (a.tv_sec < direct.tv_sec ||
				  (a.tv_sec == direct.tv_sec && a.tv_nsec <= direct.tv_nsec)) &&
			  (direct.tv_sec < b.tv_sec ||
				  (direct.tv_sec == b.tv_sec && direct.tv_nsec <= b.tv_nsec));
	}
	ok(forward, "the vDSO and the system call agree, never going back");
	gettimeofday(&tv, NULL);
	clock_gettime(CLOCK_REALTIME, &a);
	ok(a.tv_sec - tv.tv_sec <= 1 && time(NULL) - tv.tv_sec <= 1 && tv.tv_sec > 1600000000,
		"gettimeofday, time and CLOCK_REALTIME agree");
	ok(syscall(SYS_clock_gettime, 99, &a) == -1 && errno == EINVAL, "unknown clock: EINVAL");
	ok(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 16) == -1 && errno == EFAULT,
		"bad pointer: EFAULT");
	ok(alarm_clock_ok(CLOCK_REALTIME_ALARM) && alarm_clock_ok(CLOCK_BOOTTIME_ALARM),
		"alarm clocks: with a real-time clock, or none");
	ok(syscall(SYS_time, NULL) > 1600000000 && syscall(SYS_gettimeofday, &tv, NULL) == 0,
		"the direct calls too");
}

static void test_sleep(void)
{
	struct timespec ts = { 0, 20000000 }, bad = { 0, -1 };
	double a = now(CLOCK_MONOTONIC), b;

	ok(nanosleep(&ts, NULL) == 0, "nanosleep");
	b = now(CLOCK_MONOTONIC) - a;
	ok(b >= 0.02 && b < 0.5, "takes its time");
	ok(nanosleep(&bad, NULL) == -1 && errno == EINVAL, "negative: EINVAL");
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += 20000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	ok(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0 &&
			now(CLOCK_MONOTONIC) >=
				(double)ts.tv_sec + (double)ts.tv_nsec * 1e-9 - 1e-6,
		"clock_nanosleep until a point");
	ts.tv_sec = 1;
	ok(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL) == 0, "a point in the past");
	ok(clock_nanosleep(77, 0, &ts, NULL) == EINVAL, "unknown clock: EINVAL");
}

/* ---- sleeping on CPU clocks ---- */

static long cpu_sleep(clockid_t clock, int flags, double seconds)
{
	struct timespec ts = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };

	return syscall(SYS_clock_nanosleep, clock, flags, &ts, NULL) ? errno : 0;
}

static volatile int burner_tid, burner_stop;

static void *burn_on(void *arg)
{
	burner_tid = (int)syscall(SYS_gettid);
	while (!burner_stop)
		;
	return arg;
}

/* Number of the CPU clock of a process or (4) thread. */
static clockid_t cpu_clock(int pid, int thread)
{
	return (clockid_t)(~(unsigned)pid << 3 | 2u | (unsigned)thread);
}

static void test_cpu_sleep_threads(void)
{
	pthread_t th;
	double a, b;

	pthread_create(&th, NULL, burn_on, NULL);
	while (!burner_tid)
		usleep(1000);
	a = now(CLOCK_PROCESS_CPUTIME_ID);
	ok(cpu_sleep(CLOCK_PROCESS_CPUTIME_ID, 0, 0.03) == 0,
		"sleep while the process has CPU time");
	b = now(CLOCK_PROCESS_CPUTIME_ID) - a;
	ok(b >= 0.03 && b < 5, "as much as was said");
	a = now(CLOCK_PROCESS_CPUTIME_ID);
	ok(cpu_sleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, a + 0.03) == 0 &&
			now(CLOCK_PROCESS_CPUTIME_ID) >= a + 0.03 - 1e-6,
		"up to a point");
	ok(cpu_sleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, a / 2) == 0, "that is over");
	a = now(cpu_clock(burner_tid, 4));
	ok(cpu_sleep(cpu_clock(burner_tid, 4), 0, 0.03) == 0 &&
			now(cpu_clock(burner_tid, 4)) >= a + 0.03,
		"on the clock of another thread");
	ok(cpu_sleep(cpu_clock(burner_tid, 0), 0, 0.01) == EINVAL,
		"no process has a thread's number: EINVAL");
	burner_stop = 1;
	pthread_join(th, NULL);
}

static void test_cpu_sleep_child(void)
{
	struct timespec ts = { 0, 100000000 }, rem = { 0, 0 };
	struct itimerval it = { { 0, 0 }, { 0, 30000 } };
	pid_t pid = fork();
	double a;

	if (pid == 0) {
		for (;;)
			;
	}
	a = now(cpu_clock(pid, 0));
	ok(cpu_sleep(cpu_clock(pid, 0), 0, 0.03) == 0 && now(cpu_clock(pid, 0)) >= a + 0.03,
		"on the clock of another process");
	ok(cpu_sleep(cpu_clock(pid, 4), 0, 0.01) == EINVAL, "not on another's thread: EINVAL");
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	handle(SIGALRM);
	setitimer(ITIMER_REAL, &it, NULL);
	ok(syscall(SYS_clock_nanosleep, cpu_clock(pid, 0), 0, &ts, &rem) == -1 && errno == EINTR &&
			rem.tv_sec == 0 && rem.tv_nsec > 50000000 && rem.tv_nsec <= 100000000,
		"a process that stands: until a signal, and what is left");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_cpu_sleep(void)
{
	ok(cpu_sleep(CLOCK_THREAD_CPUTIME_ID, 0, 0.01) == EOPNOTSUPP &&
			cpu_sleep(cpu_clock(0, 4), 0, 0.01) == EINVAL &&
			cpu_sleep(cpu_clock((int)syscall(SYS_gettid), 4), 0, 0.01) == EINVAL,
		"one's own thread has none while it sleeps");
	ok(cpu_sleep(cpu_clock(4000000, 0), 0, 0.01) == EINVAL, "nobody's clock: EINVAL");
	ok(syscall(SYS_clock_nanosleep, cpu_clock(4000000, 0), 0, 16, NULL) == -1 &&
			errno == EFAULT,
		"the time is read first");
	test_cpu_sleep_threads();
	test_cpu_sleep_child();
}

static void test_itimers(void)
{
	struct itimerval it = { { 0, 10000 }, { 0, 10000 } }, old;
	struct timespec ts = { 0, 100000000 };

	handle(SIGALRM);
	handle(SIGVTALRM);
	handle(SIGPROF);
	hits = 0;
	ok(setitimer(ITIMER_REAL, &it, NULL) == 0, "setitimer");
	while (hits < 3)
		nanosleep(&ts, NULL);
	memset(&it, 0, sizeof(it));
	ok(setitimer(ITIMER_REAL, &it, &old) == 0 && old.it_interval.tv_usec == 10000,
		"it repeats; the old value comes back");
	getitimer(ITIMER_REAL, &it);
	ok(it.it_value.tv_sec == 0 && it.it_value.tv_usec == 0, "off reads as zero");
	alarm(10);
	ok(alarm(0) == 10, "alarm gives the seconds that were left");
	it.it_value.tv_usec = 1000001;
	ok(setitimer(ITIMER_REAL, &it, NULL) == -1 && errno == EINVAL, "not normal: EINVAL");
	ok(getitimer(9, &it) == -1 && errno == EINVAL, "unknown timer: EINVAL");
	memset(&it, 0, sizeof(it));
	it.it_value.tv_usec = 30000;
	hits = 0;
	setitimer(ITIMER_VIRTUAL, &it, NULL);
	burn(0.2);
	ok(hits == 1, "ITIMER_VIRTUAL counts CPU time");
	hits = 0;
	setitimer(ITIMER_PROF, &it, NULL);
	burn(0.2);
	ok(hits == 1, "so does ITIMER_PROF");
}

/* CPU time passes while the process runs, and not while it sleeps. */
static void test_cpu_clock(clockid_t clock, const char *what)
{
	struct itimerspec its = { { 0, 0 }, { 0, 50000000 } }, cur;
	struct timespec ts = { 0, 80000000 };
	struct sigevent ev;
	timer_t id;

	memset(&ev, 0, sizeof(ev));
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = SIGUSR1;
	handle(SIGUSR1);
	hits = 0;
	ok(timer_create(clock, &ev, &id) == 0 && timer_settime(id, 0, &its, NULL) == 0, what);
	nanosleep(&ts, NULL);
	ok(hits == 0 && timer_gettime(id, &cur) == 0 && cur.it_value.tv_nsec > 1000000 &&
			cur.it_value.tv_nsec <= 50000000,
		"stands still while nothing runs");
	for (int i = 0; i < 100 && !hits; i++)
		burn(0.05);
	ok(hits == 1 && code == SI_TIMER, "and goes off in the end");
	its.it_interval.tv_nsec = 10000000;
	its.it_value.tv_nsec = 1;
	hits = 0;
	timer_settime(id, TIMER_ABSTIME, &its, NULL);
	for (int i = 0; i < 100 && hits < 3; i++)
		burn(0.05);
	ok(hits >= 3, "again and again, from a time in the past");
	timer_delete(id);
}

static void test_posix_timers(void)
{
	struct sigevent ev;
	struct itimerspec its = { { 0, 5000000 }, { 0, 5000000 } }, cur;
	struct timespec ts = { 0, 60000000 };
	sigset_t set, old;
	siginfo_t si;
	timer_t id;

	memset(&ev, 0, sizeof(ev));
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = SIGUSR1;
	ev.sigev_value.sival_int = 77;
	handle(SIGUSR1);
	hits = 0;
	ok(timer_create(CLOCK_MONOTONIC, &ev, &id) == 0, "timer_create");
	ok(timer_settime(id, 0, &its, NULL) == 0, "timer_settime");
	while (hits < 2)
		pause();
	ok(code == SI_TIMER && value == 77, "signals say SI_TIMER and carry the value");
	ok(timer_gettime(id, &cur) == 0 && cur.it_interval.tv_nsec == 5000000 &&
			cur.it_value.tv_nsec <= 5000000,
		"timer_gettime");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	nanosleep(&ts, NULL);
	ok(sigwaitinfo(&set, &si) == SIGUSR1 && si.si_overrun >= 5,
		"a blocked one counts overruns");
	ok(timer_getoverrun(id) >= 5, "timer_getoverrun agrees");
	ok(timer_delete(id) == 0, "timer_delete");
	sigprocmask(SIG_SETMASK, &old, NULL);
	ok(syscall(SYS_timer_settime, 12345, 0, &its, NULL) == -1 && errno == EINVAL,
		"an unknown timer: EINVAL");
	test_cpu_clock(CLOCK_PROCESS_CPUTIME_ID, "a timer on the process's CPU time");
	test_cpu_clock(CLOCK_THREAD_CPUTIME_ID, "a timer on the thread's CPU time");
	ok(syscall(SYS_timer_create, 99, NULL, &id) == -1 && errno == EINVAL,
		"unknown clock: EINVAL");
}

/* Intervals that no machine can keep: the process still gets its turns. */
static void test_short_intervals(void)
{
	struct itimerspec its = { { 0, 1 }, { 0, 1 } };
	struct itimerval it = { { 0, 1 }, { 0, 1 } };
	struct sigevent ev;
	timer_t id[32];
	sigset_t set, old;

	memset(&ev, 0, sizeof(ev));
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = SIGUSR1;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (int i = 0; i < 32; i++) {
		timer_create(CLOCK_MONOTONIC, &ev, &id[i]);
		timer_settime(id[i], 0, &its, NULL);
	}
	for (int i = 0; i < 200; i++)
		sigwaitinfo(&set, NULL);
	for (int i = 0; i < 32; i++)
		timer_delete(id[i]);
	ok(1, "32 timers of one nanosecond");
	setitimer(ITIMER_REAL, &it, NULL);
	for (int i = 0; i < 200; i++)
		sigwaitinfo(&set, NULL);
	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, NULL);
	/* takes those that wait */
	signal(SIGALRM, SIG_IGN);
	signal(SIGALRM, SIG_DFL);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR1, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	ok(1, "an interval timer of one microsecond");
	ev.sigev_notify = SIGEV_NONE;
	its.it_interval.tv_nsec = 1000;
	ok(timer_create(CLOCK_MONOTONIC, &ev, &id[0]) == 0 &&
			timer_settime(id[0], 0, &its, NULL) == 0,
		"one that notifies nobody");
	usleep(1000);
	ok(timer_gettime(id[0], &its) == 0 && its.it_value.tv_nsec >= 1 &&
			its.it_value.tv_nsec <= 1000,
		"... runs on");
	timer_delete(id[0]);
}

static volatile int notified;

static void on_notify(union sigval v)
{
	notified = v.sival_int;
}

static void test_thread_notify(void)
{
	struct sigevent ev;
	struct itimerspec its = { { 0, 0 }, { 0, 5000000 } };
	timer_t id;
	int i;

	memset(&ev, 0, sizeof(ev));
	ev.sigev_notify = SIGEV_THREAD;
	ev.sigev_notify_function = on_notify;
	ev.sigev_value.sival_int = 5;
	ok(timer_create(CLOCK_REALTIME, &ev, &id) == 0, "a timer that starts a thread");
	timer_settime(id, 0, &its, NULL);
	for (i = 0; i < 1000 && !notified; i++)
		usleep(1000);
	ok(notified == 5, "starts it");
	timer_delete(id);
}

static void test_usage(void)
{
	struct rusage ru;
	struct tms tms;
	pid_t pid;
	int status;

	burn(0.1);
	ok(getrusage(RUSAGE_SELF, &ru) == 0 &&
			ru.ru_utime.tv_usec + ru.ru_stime.tv_usec + ru.ru_utime.tv_sec * 1000000 >
				90000,
		"getrusage counts own time");
	ok(ru.ru_maxrss > 100 && ru.ru_minflt > 0, "memory and faults");
	ok(times(&tms) != (clock_t)-1 && tms.tms_utime + tms.tms_stime >= 9, "times");
	pid = fork();
	if (pid == 0) {
		burn(0.15);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	getrusage(RUSAGE_CHILDREN, &ru);
	ok(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec + ru.ru_utime.tv_sec * 1000000 >= 140000,
		"children's time is added when they are waited for");
	ok(getrusage(RUSAGE_THREAD, &ru) == 0, "RUSAGE_THREAD");
	ok(getrusage(55, &ru) == -1 && errno == EINVAL, "unknown: EINVAL");
}

static void test_cpu_limit(void)
{
	struct rlimit lim = { 1, 2 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CPU, &lim);
		/* Real time, of which a loaded host may give little. */
		burn(600);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU, "RLIMIT_CPU sends SIGXCPU");
}

static void test_adjtimex(void)
{
	struct timex tx;

	memset(&tx, 0, sizeof(tx));
	ok(adjtimex(&tx) >= 0 && tx.tick == 10000, "adjtimex can be asked");
	memset(&tx, 0, sizeof(tx));
	ok(clock_adjtime(CLOCK_REALTIME, &tx) >= 0, "clock_adjtime too");
}

static double load_average(void)
{
	FILE *f = fopen("/proc/loadavg", "r");
	double load = -1;

	if (f && fscanf(f, "%lf", &load) != 1)
		load = -1;
	if (f)
		fclose(f);
	return load;
}

/* The averages rise while a process runs, and are the same in both places. */
static void test_load(void)
{
	double load = 0, apart = 1;
	struct sysinfo si;
	pid_t child = fork();

	if (!child) {
		for (volatile long spin = 0;; spin++)
			;
	}
	for (int i = 0; i < 30 && load < 0.05; i++) {
		usleep(500000);
		load = load_average();
	}
	ok(load >= 0.05, "the load average rises");
	for (int i = 0; i < 20 && (apart < -0.011 || apart > 0.011);
		i++) { /* a sample may come in between */
		load = load_average();
		sysinfo(&si);
		apart = (double)si.loads[0] / (1 << SI_LOAD_SHIFT) - load;
	}
	ok(apart >= -0.011 && apart <= 0.011, "sysinfo has the same");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int main(void)
{
	test_clocks();
	test_sleep();
	test_cpu_sleep();
	test_itimers();
	test_posix_timers();
	test_short_intervals();
	test_thread_notify();
	test_usage();
	test_cpu_limit();
	test_adjtimex();
	test_load();
	return tap_end();
}
