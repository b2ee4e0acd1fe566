/* SPDX-License-Identifier: Apache-2.0 */
/* A container's directory, lock and state. */
#include <config.h>
#include "control/container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/host.h"
#include "control/parse.h"
#include "control/process.h"
#include "control/urpc.h"

#define DELETE_GRACE_MS 2000 /* for the program to end and its files to be written back */
#define DELETE_KILL_MS	5000 /* for a killed process to be gone */
#define DELETE_FORGET_MS \
	40000 /* for a sandbox to end one of its containers: what it killed is written back, for half a minute at most */

static const char *const container_files[] = { "state.json", "vsock.sock", "control.sock",
	"state.tmp" };

/* mkdir -p; every component that is made gets mode 0711: users may reach what they own, not list. */
static int container_make_root(const char *root, struct cm_err *err)
{
	cleanup_free char *path = strdup(root);

	if (!path)
		return cm_err_set(err, ENOMEM, "state directory '%s'", root);
	for (char *p = path + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, 0711) < 0 && errno != EEXIST)
			return cm_err_set(err, errno, "make state directory '%s'", path);
		*p = c;
		if (c == '\0')
			return 0;
	}
}

static int container_open_root(const char *root, bool make, struct cm_err *err)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make) {
		if (container_make_root(root, err) < 0)
			return -err->code;
		fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? cm_err_set(err, errno, "open state directory '%s'", root) : fd;
}

/* The lock of the whole root; held while a directory appears or goes, microseconds. Closing the descriptor releases it. */
static int container_lock_root(int rootfd, struct cm_err *err)
{
	cleanup_fd int fd =
		openat(rootfd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return cm_err_set(err, errno, "open lock of the state directory");
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return cm_err_set(err, errno, "lock the state directory");
	}
	return steal_fd(&fd);
}

/* #syscalls:sandbox,member unlinkat close */
static int container_unlink(int rootfd, int dirfd, const char *id)
{
	for (size_t i = 0; i < sizeof(container_files) / sizeof(container_files[0]); i++)
		unlinkat(dirfd, container_files[i], 0);
	return unlinkat(rootfd, id, AT_REMOVEDIR);
}

static int container_make_dir(struct cm_container *c, const char *id, struct cm_err *err)
{
	cleanup_fd int root_lock = container_lock_root(c->rootfd, err);

	if (root_lock < 0)
		return root_lock;
	if (mkdirat(c->rootfd, id, 0711) < 0) {
		if (errno != EEXIST)
			return cm_err_set(err, errno, "make directory of container '%s'", id);
		cm_err_set(err, 0, "container with id exists: '%s'", id);
		err->code = EEXIST;
		return -EEXIST;
	}
	c->dirfd = openat(c->rootfd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (c->dirfd < 0 || flock(c->dirfd, LOCK_EX) < 0) {
		cm_err_set(err, errno, "make directory of container '%s'", id);
		(void)container_unlink(c->rootfd, c->dirfd, id);
		return -err->code;
	}
	return 0;
}

static void container_stamp(char *buf, size_t size)
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, size - n, ".%06ldZ", ts.tv_nsec / 1000);
}

static void container_close(struct cm_container *c)
{
	cm_cleanup_closep(&c->dirfd);
	cm_cleanup_closep(&c->rootfd);
	c->dirfd = c->rootfd = -1;
}

int cm_container_create(struct cm_container *c, const char *root, const char *id,
	const char *bundle, struct cm_err *err)
{
	int r = cm_id_check(id, err);

	memset(c, 0, sizeof(*c));
	c->rootfd = c->dirfd = -1;
	if (r < 0)
		return r;
	c->rootfd = container_open_root(root, true, err);
	if (c->rootfd < 0)
		return -err->code;
	r = container_make_dir(c, id, err);
	if (r < 0) {
		container_close(c);
		return r;
	}
	c->st.id = strdup(id);
	c->st.bundle = strdup(bundle);
	c->st.status = CM_CREATING;
	c->st.pid = cm_process_host_pid();
	c->st.owner = getuid();
	c->st.exit_status = -1;
	container_stamp(c->st.created, sizeof(c->st.created));
	if (!c->st.id || !c->st.bundle)
		r = cm_err_set(err, ENOMEM, "container '%s'", id);
	else
		r = cm_state_save(c->dirfd, &c->st, false, err);
	if (r < 0) {
		(void)container_unlink(c->rootfd, c->dirfd, id);
		container_close(c);
		cm_state_fini(&c->st);
	}
	return r;
}

int cm_container_save(struct cm_container *c, struct cm_err *err)
{
	int r = cm_state_save(c->dirfd, &c->st, c->durable, err);

	if (r < 0 || !c->durable || c->known)
		return r;
	if (fsync(c->rootfd) < 0 && errno != EINVAL)
		return cm_err_set(err, errno, "write state of '%s'", c->st.id);
	c->known = true;
	return 0;
}

int cm_container_empty_dir(struct cm_container *c, struct cm_err *err)
{
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(c->rootfd, ".empty", flags);

	if (fd < 0 && errno == ENOENT &&
		(mkdirat(c->rootfd, ".empty", 0711) == 0 || errno == EEXIST))
		fd = openat(c->rootfd, ".empty", flags);
	return fd < 0 ? cm_err_set(err, errno, "open '.empty' of the state directory") : fd;
}

void cm_container_remove(struct cm_container *c)
{
	if (c->dirfd >= 0)
		(void)container_unlink(c->rootfd, c->dirfd, c->st.id);
	cm_container_release(c);
}

void cm_container_release(struct cm_container *c)
{
	container_close(c);
	cm_state_fini(&c->st);
}

static long container_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Wait until the process behind a pidfd is gone; -1 (no such process) counts as gone. */
static bool container_wait_gone(int pidfd, long deadline)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	long left;

	if (pidfd < 0)
		return true;
	do {
		left = deadline - container_now_ms();
		if (poll(&p, 1, left > 0 ? (int)left : 0) > 0)
			return true;
	} while (left > 0);
	return false;
}

/* End a sandbox: first in order, then by force. st was read while its lock was held. */
static int container_kill(const char *root, const char *id, struct cm_err *err)
{
	cleanup_fd int sandbox = -1;
	cleanup_fd int vmm = -1;
	cleanup_fd int fsd = -1;
	struct cm_err ignored;
	struct cm_state st;
	long deadline;
	bool gone;
	int r = cm_state_load(root, id, &st, err);

	if (r < 0)
		return r;
	sandbox = st.pid > 0 ? (int)syscall(SYS_pidfd_open, st.pid, 0) : -1;
	vmm = st.vmm_pid > 0 ? (int)syscall(SYS_pidfd_open, st.vmm_pid, 0) : -1;
	fsd = st.fsd_pid > 0 ? (int)syscall(SYS_pidfd_open, st.fsd_pid, 0) : -1;
	cm_state_fini(&st);
	/* A sandbox that still lives has not given its numbers to other processes: the descriptors are of the right ones. */
	r = cm_state_load(root, id, &st, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	gone = st.status == CM_STOPPED && st.pid == 0;
	cm_state_fini(&st);
	if (gone || sandbox < 0)
		return 0;
	deadline = container_now_ms() + DELETE_GRACE_MS;
	if (cm_urpc_signal(root, id, SIGKILL, 0, CM_URPC_ALL, &ignored) < 0 ||
		!container_wait_gone(sandbox, deadline))
		syscall(SYS_pidfd_send_signal, sandbox, SIGKILL, NULL, 0);
	deadline = container_now_ms() + DELETE_KILL_MS;
	if (!container_wait_gone(sandbox, deadline) || !container_wait_gone(vmm, deadline) ||
		!container_wait_gone(fsd, deadline))
		return cm_err_set(err, EBUSY, "container '%s' does not die", id);
	return 0;
}

static bool container_file_is_ours(const char *name)
{
	for (size_t i = 0; i < sizeof(container_files) / sizeof(container_files[0]); i++) {
		if (strcmp(name, container_files[i]) == 0)
			return true;
	}
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* What somebody else put into the directory would keep it, and the id with it; the record stays then, for the next attempt. */
static int container_check_strangers(int dirfd, const char *id, struct cm_err *err)
{
	cleanup_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return cm_err_set(err, errno, "read directory of container '%s'", id);
	steal_fd(&fd);
	while ((e = readdir(d)) != NULL) {
		if (!container_file_is_ours(e->d_name))
			return cm_err_set(err, ENOTEMPTY,
				"container '%s' is stopped but stays: its directory holds '%s', which is not ours",
				id, e->d_name);
	}
	return 0;
}

/* 1 = removed, 0 = it was gone, -errno. */
static int container_delete_dir(const char *root, const char *id, struct cm_err *err)
{
	cleanup_fd int rootfd = container_open_root(root, false, err);
	cleanup_fd int root_lock = -1;
	cleanup_fd int dirfd = -1;

	if (rootfd < 0)
		return rootfd;
	root_lock = container_lock_root(rootfd, err);
	if (root_lock < 0)
		return root_lock;
	dirfd = openat(rootfd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dirfd < 0) /* it removed itself meanwhile */
		return 0;
	/* A reader holds the lock, shared, for an instant only; a new sandbox of this id cannot appear under the root lock. */
	if (flock(dirfd, LOCK_SH | LOCK_NB) < 0)
		return cm_err_set(err, EBUSY, "container '%s' is in use", id);
	if (container_check_strangers(dirfd, id, err) < 0)
		return -err->code;
	if (container_unlink(rootfd, dirfd, id) < 0)
		return cm_err_set(err, errno, "remove directory of container '%s'", id);
	return 1;
}

/* The same; whoever still holds the container's lock gets a moment to end. */
static int container_delete_settled(const char *root, const char *id, struct cm_err *err)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	long deadline = container_now_ms() + DELETE_GRACE_MS;
	int r;

	while ((r = container_delete_dir(root, id, err)) == -EBUSY && container_now_ms() < deadline)
		nanosleep(&pause, NULL);
	return r;
}

/* The container is stopped, or with force made so: 0 or -errno. */
static int container_stop(
	const char *root, const char *id, const struct cm_state *st, bool force, struct cm_err *err)
{
	/* A record that says stopped below a living sandbox: it is about to end. */
	if (st->status == CM_STOPPED && st->pid > 0)
		force = true;
	/* Nothing runs in it yet. */
	if (st->status == CM_CREATED)
		force = true;
	if (st->pid <= 0)
		return 0;
	if (force)
		return container_kill(root, id, err);
	cm_err_set(err, 0, "cannot delete container '%s' that is not stopped: %s", id,
		cm_status_name(st->status));
	err->code = EBUSY;
	return -EBUSY;
}

/* As cm_state_load; one that is just being made gets a moment to write its first record. */
static int container_load_settled(
	const char *root, const char *id, struct cm_state *st, struct cm_err *err)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	long deadline = container_now_ms() + DELETE_GRACE_MS;
	int r;

	while ((r = cm_state_load(root, id, st, err)) == 0 && st->status == CM_CREATING &&
		st->pid == 0 && container_now_ms() < deadline) {
		cm_state_fini(st);
		nanosleep(&pause, NULL);
	}
	return r;
}

/* What a call answers whose sandbox is gone, or does not know the container. */
static bool container_is_forgotten(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED || r == -ECONNRESET || r == -EPIPE;
}

/*
 * The sandbox of a container forgets it, which must be before the record goes: else the id could not be used again. One that cannot do so yet is
 * asked again; one that is gone, or knows nothing of the container, has. 0 or -errno.
 */
static int container_forget(const char *root, const char *id, struct cm_err *err)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	long deadline = container_now_ms() + DELETE_FORGET_MS;

	for (;;) {
		int r = cm_urpc_call(root, id, "containerManager.DestroySubcontainer",
			json_string(id), NULL, err);

		if (r == 0 || container_is_forgotten(r))
			return 0;
		if ((r != -EAGAIN && r != -ENOBUFS && r != -ETIMEDOUT) ||
			container_now_ms() >= deadline)
			return r;
		nanosleep(&pause, NULL);
	}
}

int cm_container_delete(const char *root, const char *id, bool force, struct cm_err *err)
{
	struct cm_state st;
	int r = container_load_settled(root, id, &st, err);

	if (r < 0)
		return r == -ENOENT && force ? 0 : r;
	r = container_stop(root, id, &st, force, err);
	if (r == 0 && st.sandbox && container_forget(root, id, err) < 0)
		r = cm_err_wrap(err, "its sandbox does not let go of it");
	if (r == 0)
		r = container_delete_settled(root, id, err);
	/* Who removed the record cleans up after it. */
	if (r > 0)
		cm_host_leave(&st);
	cm_state_fini(&st);
	return r < 0 ? r : 0;
}
