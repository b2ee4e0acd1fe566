/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation.
 *
 * The guest is hostile and may one day find a hole in a device model. What it then holds is this process, so the process gives up
 * everything that it does not need before the guest's first instruction. Each stage lists what is still needed afterwards:
 *
 *   1 inherit    close all descriptors but the named ones and 2
 *                needs: paths (/dev/kvm, a developer's guest image), privileges for stage 3
 *   2 open       /dev/kvm unless it was passed, the guest image
 *                needs: privileges for stage 3, memory, ioctl
 *   3 isolate    own user, mount, IPC, UTS and cgroup namespaces; the root becomes the vsock directory (or an empty one), read-only;
 *                Landlock: no path, no abstract socket, no TCP, no signal to anyone outside; no capability, no_new_privs, not dumpable,
 *                dies with its parent, no core, few descriptors
 *                needs: KVM ioctls, memory, threads
 *   4 create     the VM, its memory, devices and threads, with no more than the descriptors at hand
 *                needs: KVM ioctls on existing descriptors, device I/O
 *   5 seal       every thread filters its system calls; ioctls by request number (lists stand beside the code, see tools/gen-seccomp)
 *   6 run        the first vCPU enters the guest when all vCPU threads are sealed; devices are served when the io thread is sealed and the
 *                old root is gone. Until then nothing from outside can have reached the guest: what runs is our own image
 *
 * Network namespace: a new one costs 0.5 ms to make, more than all else together, and the filter lets the io thread create UNIX sockets
 * only. What would be left to reach are the host's abstract sockets; Landlock (ABI 6, Linux 6.12) closes these for 10 us. Where it is too
 * old, the namespace is made.
 *
 * PID namespace: it takes effect for children only and would cost a second process that lives as long as this one. No thread may send a
 * signal to another process, trace, or open a /proc file, so it would hide nothing that can be seen. A parent that wants it can create
 * this process in one.
 *
 * Unprivileged users may be forbidden to make user namespaces. Then the namespace part is skipped with a line in the log; the rest,
 * Landlock and the filters above all, stays.
 *
 * What each part costs stands in docs/VMM.md.
 */
#include <config.h>
#include "vmm/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kvm.h>
#include <linux/mount.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/opts.h"
#include "vmm/seccomp_vmm.h"
#include "vmm/vlog.h"

#define STAGE_FDS_MAX (8 + 3 * OPTS_FS_MAX + 1 + OPTS_KEEP_MAX)
#define STAGE_NOFILE  4096 /* host connections of the vsock device are descriptors */

/* ---- stage 1 */

static int stage_compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Descriptors that the options name, ascending, and 2. */
static unsigned stage_named_fds(const struct opts *o, int *fds)
{
	unsigned n = 0, i;

	fds[n++] = STDERR_FILENO;
	fds[n++] = o->kvm_fd;
	fds[n++] = o->arena_fd;
	fds[n++] = o->vsock_fd;
	fds[n++] = o->vsock_dir_fd;
	fds[n++] = o->log_fd;
	fds[n++] = o->ready_fd;
	fds[n++] = o->debug_fd;
	fds[n++] = o->plug_fd;
	for (i = 0; i < o->nfs; i++) {
		fds[n++] = o->fs[i].sock;
		fds[n++] = o->fs[i].kick;
		fds[n++] = o->fs[i].call;
	}
	for (i = 0; i < o->nkeep; i++)
		fds[n++] = o->keep_fd[i];
	qsort(fds, n, sizeof(*fds), stage_compare_fds);
	return n;
}

int stage_inherit(const struct opts *o, struct cm_err *err)
{
	int fds[STAGE_FDS_MAX];
	unsigned n = stage_named_fds(o, fds), i;
	unsigned first = 0;

	for (i = 0; i < n; i++) {
		if (fds[i] < 0 || (unsigned)fds[i] < first)
			continue;
		if (fcntl(fds[i], F_GETFD) < 0)
			return cm_err_set(err, errno, "descriptor %d", fds[i]);
		if ((unsigned)fds[i] > first && close_range(first, (unsigned)fds[i] - 1, 0) < 0)
			return cm_err_set(err, errno, "close inherited descriptors");
		first = (unsigned)fds[i] + 1;
	}
	if (close_range(first, ~0u, 0) < 0)
		return cm_err_set(err, errno, "close inherited descriptors");
	return 0;
}

/* ---- stage 3 */

/* Landlock as of ABI 6; the installed header may be older. */
struct stage_landlock {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};
#define STAGE_ABI_SCOPE 6 /* has all of it */

/* The kernel's Landlock ABI, 0 without Landlock. */
static int stage_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* ask for the version */);

	return abi < 0 ? 0 : (int)abi;
}

/* Forbid, without exception, all that this ABI can forbid. */
static int stage_landlock(int abi, struct cm_err *err)
{
	static const uint64_t fs_rights[STAGE_ABI_SCOPE + 1] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff,
		0xffff, 0xffff };
	struct stage_landlock rules = {
		.handled_access_fs = fs_rights[abi < STAGE_ABI_SCOPE ? abi : STAGE_ABI_SCOPE],
		.handled_access_net = abi >= 4 ? 3 : 0, /* bind and connect of TCP */
		.scoped = abi >= STAGE_ABI_SCOPE ? 3 : 0, /* abstract UNIX sockets, signals */
	};
	int fd;

	if (abi == 0)
		return 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	if (fd < 0)
		return cm_err_set(err, errno, "create a Landlock domain");
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return cm_err_set(err, errno, "enter a Landlock domain");
	close(fd);
	return 0;
}

/* Main thread; `error` is the other thread's until it is joined. */
static struct {
	pthread_t thread;
	bool running;
	int error;
} stage_detach;

/* A detached mount of an empty, read-only tmpfs. */
static int stage_mount_empty(void)
{
	int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	int mnt = -1;

	if (fs < 0)
		return -errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "4k", 0) == 0 &&
		syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0)
		mnt = -errno;
	close(fs);
	return mnt;
}

/* A detached copy of the mount that the working directory lies in, with that directory as its root. */
static int stage_mount_cwd(void)
{
	int mnt = (int)syscall(
		SYS_open_tree, AT_FDCWD, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return mnt < 0 ? -errno : mnt;
}

/* Make the detached mount `mnt` the root. Returns 1 when the old one is still to be let go of, 0 when it is not there, or -errno. */
static int stage_pivot(int mnt)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			    MOUNT_ATTR_NOEXEC,
	};

	if (syscall(SYS_mount_setattr, mnt, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	/* It must be attached somewhere before it can become the root. */
	if (syscall(SYS_move_mount, mnt, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	if (fchdir(mnt) < 0)
		return -errno;
	if (syscall(SYS_pivot_root, ".", ".") == 0)
		return 1;
	/* The kernel's initial file system cannot be let go of; it now lies below a root that has no way down. */
	if (errno != EINVAL || chroot(".") < 0)
		return -errno;
	return 0;
}

/*
 * The old root now covers the new one, and "." is its mount point. Letting go of it waits for other processors (1.2 ms when the host has
 * just torn another VM down), so a thread does it beside the creation of the VM; it ends before a device is served.
 */
static void *stage_detach_main(void *arg)
{
	stage_detach.error = umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? errno : 0;
	return NULL;
}

int stage_isolated(struct cm_err *err)
{
	if (!stage_detach.running)
		return 0;
	pthread_join(stage_detach.thread, NULL);
	stage_detach.running = false;
	return stage_detach.error ? cm_err_set(err, stage_detach.error, "leave the old root") : 0;
}

static int stage_root(const struct opts *o, struct cm_err *err)
{
	int mnt = o->vsock_dir_fd >= 0 ? stage_mount_cwd() : stage_mount_empty();
	int r;

	if (mnt < 0)
		return cm_err_set(err, -mnt, "make the new root");
	r = stage_pivot(mnt);
	close(mnt);
	if (r < 0)
		return cm_err_set(err, -r, "enter the new root");
	if (r == 0)
		return 0;
	r = pthread_create(&stage_detach.thread, NULL, stage_detach_main, NULL);
	stage_detach.running = r == 0;
	return r ? cm_err_set(err, r, "start a thread") : 0;
}

static int stage_namespaces(const struct opts *o, bool network, struct cm_err *err)
{
	int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

	/* The new mount namespace copies the working directory's mount; a descriptor would go on naming the old one's. */
	if (o->vsock_dir_fd >= 0 ? fchdir(o->vsock_dir_fd) < 0 : chdir("/") < 0)
		return cm_err_set(err, errno, "enter the vsock directory");
	if (unshare(network ? flags | CLONE_NEWNET : flags) < 0) {
		if (errno != EPERM && errno != ENOSPC && errno != EINVAL && errno != ENOSYS)
			return cm_err_set(err, errno, "create namespaces");
		vlog_printf("no namespaces for the VMM: %s", strerror(errno));
		return 0;
	}
	return stage_root(o, err);
}

static int stage_drop_privileges(struct cm_err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	struct rlimit core = { 0, 0 }, files = { STAGE_NOFILE, STAGE_NOFILE };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return cm_err_set(err, errno, "set no_new_privs");
	if (syscall(SYS_capset, &head, none) < 0)
		return cm_err_set(err, errno, "drop capabilities");
	if (setrlimit(RLIMIT_CORE, &core) < 0)
		return cm_err_set(err, errno, "forbid core dumps");
	/* A limit that is lower already cannot be raised and need not be. */
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 && errno != EPERM)
		return cm_err_set(err, errno, "limit descriptors");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return cm_err_set(err, errno, "forbid dumps");
	return 0;
}

int stage_isolate(const struct opts *o, struct cm_err *err)
{
	pid_t parent = getppid();
	int abi = stage_landlock_abi();
	int r = stage_namespaces(o, abi < STAGE_ABI_SCOPE, err);

	if (r < 0)
		return r;
	r = stage_drop_privileges(err);
	if (r < 0)
		return r;
	r = stage_landlock(abi, err);
	if (r < 0)
		return r;
	/* Last: every change of credentials clears it. A parent that died meanwhile shows as another one. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return cm_err_set(err, errno, "ask to die with the parent");
	if (getppid() != parent)
		return cm_err_set(err, ESRCH, "parent process");
	return 0;
}

/* ---- stage 5 */

/*
 * What libc does by itself in threads of ours: memory, locks, the end of the process, the handler of a forbidden call.
 *
 * #syscalls:io,vcpu,dbg futex mmap[2&PROT_EXEC=0] munmap mprotect[2&PROT_EXEC=0] madvise brk
 * #syscalls:io,vcpu,dbg exit exit_group rt_sigreturn rt_sigprocmask tgkill getpid gettid clock_gettime restart_syscall
 * #syscalls:io,vcpu,dbg rseq set_robust_list
 */
int stage_seal_io(struct cm_err *err)
{
	return CM_SECCOMP_INSTALL(seccomp_filter_io, err);
}

int stage_seal_vcpu(struct cm_err *err)
{
	return CM_SECCOMP_INSTALL(seccomp_filter_vcpu, err);
}

int stage_seal_dbg(struct cm_err *err)
{
	return CM_SECCOMP_INSTALL(seccomp_filter_dbg, err);
}

/* ---- times */

static struct {
	const char *name;
	struct timespec t;
} stage_point[12];
static unsigned stage_points;

void stage_mark(const char *name)
{
	if (stage_points == sizeof(stage_point) / sizeof(stage_point[0]))
		return;
	stage_point[stage_points].name = name;
	clock_gettime(CLOCK_MONOTONIC, &stage_point[stage_points].t);
	stage_points++;
}

int stage_report_times(char *buf, unsigned size)
{
	unsigned i;
	int len = 0;

	for (i = 1; i < stage_points && len >= 0 && (unsigned)len < size; i++) {
		const struct timespec *a = &stage_point[i - 1].t, *b = &stage_point[i].t;
		long us = (b->tv_sec - a->tv_sec) * 1000000 + (b->tv_nsec - a->tv_nsec) / 1000;

		len += snprintf(
			buf + len, size - (unsigned)len, " %s=%ld", stage_point[i].name, us);
	}
	return len;
}
