/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on other processes: memory, descriptors, comparison, pidfds that do not wait, I/O priority, timer slack. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define PAGE 4096L

static bool fails(long ret, int err)
{
	return ret == -1 && errno == err;
}

static bool child_ok(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_memory(void)
{
	char *mem =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char buf[32] = "";
	struct iovec local[2] = { { buf, 4 }, { buf + 8, 8 } };
	struct iovec remote[2] = { { mem, 6 }, { mem + 16, 6 } };
	struct iovec gap[2] = { { mem, 4 }, { mem + 2 * PAGE, 4 } };
	int go[2];
	pid_t pid;
	char c;

	memcpy(mem, "abcdef----------ghijkl", 22);
	if (pipe(go))
		exit(1);
	pid = fork();
	if (pid == 0) {
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(memcmp(mem, "ABCDef", 6) != 0);
	}
	munmap(mem + PAGE, PAGE);
	ok(process_vm_readv(pid, local, 2, remote, 2, 0) == 12, "process_vm_readv moves what fits");
	ok(!memcmp(buf, "abcd", 4) && !memcmp(buf + 8, "efghijkl", 8), "and scatters it");
	ok(process_vm_readv(pid, local, 1, remote, 1, 0) == 4, "the shorter side counts");
	gap[1].iov_base = (void *)8;
	ok(process_vm_readv(pid, local, 2, gap, 2, 0) == 4, "up to the first fault");
	ok(fails(process_vm_readv(pid, local, 1, gap + 1, 1, 0), EFAULT), "nothing there: EFAULT");
	ok(fails(process_vm_readv(pid, local, 1, remote, 1, 1), EINVAL), "flags: EINVAL");
	memcpy(buf, "ABCD", 4);
	ok(process_vm_writev(pid, local, 1, remote, 1, 0) == 4, "process_vm_writev");
	ok(write(go[1], "x", 1) == 1 && child_ok(pid), "is seen there");
	ok(fails(process_vm_readv(pid, local, 1, remote, 1, 0), ESRCH), "no process: ESRCH");
	close(go[0]);
	close(go[1]);
	munmap(mem, PAGE);
}

static void test_getfd(void)
{
	int p[2], fd = -1, pidfd;
	pid_t pid;
	char c = 0;

	if (pipe(p))
		exit(1);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	close(p[0]);
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, p[0], 0);
	ok(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC, "pidfd_getfd takes another's descriptor");
	ok(write(p[1], "y", 1) == 1 && read(fd, &c, 1) == 1 && c == 'y', "which is the same file");
	ok(fails(syscall(SYS_pidfd_getfd, pidfd, 999, 0), EBADF), "none there: EBADF");
	ok(fails(syscall(SYS_pidfd_getfd, pidfd, 0, 1), EINVAL), "flags: EINVAL");
	ok(syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, fd, p[0]) == 0, "kcmp knows the file");
	ok(syscall(SYS_kcmp, getpid(), pid, KCMP_VM, 0, 0) > 0, "different memory");
	ok(syscall(SYS_kcmp, getpid(), getpid(), KCMP_VM, 0, 0) == 0, "the same memory");
	ok(fails(syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, 999, 0), EBADF), "no file: EBADF");
	ok(fails(syscall(SYS_kcmp, getpid(), pid, 99, 0, 0), EINVAL), "an unknown kind: EINVAL");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pidfd);
	close(fd);
	close(p[1]);
}

struct pidfd_info_v0 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};
#define INFO	  _IOWR(0xff, 11, struct pidfd_info_v0)
#define INFO_EXIT 8u

/* Linux has it since 6.13, the exit status since 6.15. */
static void test_pidfd_info(void)
{
	struct pidfd_info_v0 info = { .mask = INFO_EXIT };
	pid_t pid = fork();
	int fd, ret;

	if (pid == 0)
		_exit(3);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	ret = ioctl(fd, INFO, &info);
	ok(fails(ret, ENOTTY) || fails(ret, EINVAL) ||
			(ret == 0 && (int)info.pid == pid && (int)info.ppid == getpid() &&
				!(info.mask & INFO_EXIT)),
		"PIDFD_GET_INFO of a process that was not collected");
	waitpid(pid, NULL, 0);
	info.mask = INFO_EXIT;
	ret = ioctl(fd, INFO, &info);
	ok(fails(ret, ENOTTY) || fails(ret, EINVAL) || fails(ret, ESRCH) ||
			(ret == 0 && (info.mask & INFO_EXIT) && info.exit_code == 3 << 8),
		"and of one that was");
	info.mask = 0;
	ret = ioctl(fd, INFO, &info);
	ok(fails(ret, ENOTTY) || fails(ret, EINVAL) || fails(ret, ESRCH), "nobody: ESRCH");
	close(fd);
}

static void test_pidfd_nonblock(void)
{
	siginfo_t info;
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	fd = (int)syscall(SYS_pidfd_open, pid, O_NONBLOCK);
	ok(fails(waitid(P_PIDFD, (id_t)fd, &info, WEXITED), EAGAIN),
		"waitid of a pidfd that does not wait: EAGAIN");
	kill(pid, SIGKILL);
	while (waitid(P_PIDFD, (id_t)fd, &info, WEXITED) && errno == EAGAIN)
		usleep(1000);
	ok(info.si_pid == pid, "until the process ended");
	close(fd);
}

static volatile sig_atomic_t got;

static void on_signal(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)ctx;
	got = info->si_value.sival_int;
}

static pid_t thread_id;
static pthread_barrier_t barrier;

static void *thread_main(void *arg)
{
	thread_id = gettid();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return arg;
}

static void test_signals(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };
	pthread_t th;
	int dir;

	if (access("/proc/self", F_OK)) {
		mkdir("/proc", 0755);
		mount("proc", "/proc", "proc", 0, NULL);
	}
	sigaction(SIGUSR1, &sa, NULL);
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&th, NULL, thread_main, NULL);
	pthread_barrier_wait(&barrier);
	info.si_value.sival_int = 5;
	ok(!syscall(SYS_rt_sigqueueinfo, thread_id, SIGUSR1, &info),
		"rt_sigqueueinfo to a thread reaches its process");
	pthread_barrier_wait(&barrier);
	pthread_join(th, NULL);
	ok(got == 5, "with its value");
	dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
	info.si_value.sival_int = 6;
	ok(dir >= 0 && !syscall(SYS_pidfd_send_signal, dir, SIGUSR1, &info, 0) && got == 6,
		"pidfd_send_signal takes a directory of /proc");
	close(dir);
}

#define IOPRIO(class, level) ((class) << 13 | (level))

static void test_priorities(void)
{
	struct timeval tv = { 0, 1000 };
	pid_t pid;

	ok(!syscall(SYS_ioprio_set, 1, 0, IOPRIO(2, 6)) &&
			syscall(SYS_ioprio_get, 1, 0) == IOPRIO(2, 6),
		"ioprio_set is remembered");
	ok(fails(syscall(SYS_ioprio_set, 1, 0, IOPRIO(0, 3)), EINVAL), "no class, a level: EINVAL");
	ok(fails(syscall(SYS_ioprio_set, 4, 0, 0), EINVAL), "an unknown kind: EINVAL");
	ok(fails(syscall(SYS_ioprio_get, 1, 999999), ESRCH), "nobody: ESRCH");
	prctl(PR_SET_TIMERSLACK, 70000UL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_TIMERSLACK, 0UL);
		_exit(prctl(PR_GET_TIMERSLACK) != 70000);
	}
	ok(child_ok(pid), "a child's default timer slack is its parent's");
	personality(STICKY_TIMEOUTS);
	select(0, NULL, NULL, NULL, &tv);
	ok(tv.tv_usec == 1000, "STICKY_TIMEOUTS leaves select's time alone");
	personality(0);
}

int main(void)
{
	test_memory();
	test_getfd();
	test_pidfd_info();
	test_pidfd_nonblock();
	test_signals();
	test_priorities();
	return tap_end();
}
