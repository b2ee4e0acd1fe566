/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces of the host for the process that stands for a container. */
#include <config.h>
#include "control/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/cleanup.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

enum {
	NS_PID,
	NS_NETWORK,
	NS_IPC,
	NS_UTS,
	NS_CGROUP,
	NS_TIME,
	NS_MOUNT,
	NS_USER
};

static const struct {
	const char *type;
	int flag;
} kinds[] = {
	[NS_PID] = { "pid", CLONE_NEWPID },
	[NS_NETWORK] = { "network", CLONE_NEWNET },
	[NS_IPC] = { "ipc", CLONE_NEWIPC },
	[NS_UTS] = { "uts", CLONE_NEWUTS },
	[NS_CGROUP] = { "cgroup", CLONE_NEWCGROUP },
	[NS_TIME] = { "time", CLONE_NEWTIME },
	[NS_MOUNT] = { "mount", CLONE_NEWNS },
	[NS_USER] = { "user", CLONE_NEWUSER },
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == CM_NAMESPACES, "a descriptor for each");

void cm_namespaces_init(struct cm_namespaces *n)
{
	memset(n, 0, sizeof(*n));
	for (int k = 0; k < CM_NAMESPACES; k++)
		n->fd[k] = -1;
}

void cm_namespaces_fini(struct cm_namespaces *n)
{
	for (int k = 0; k < CM_NAMESPACES; k++) {
		cm_cleanup_closep(&n->fd[k]);
		n->fd[k] = -1;
	}
}

static int ns_open(const struct cm_spec *spec, const struct cm_spec_namespace *ns, int kind,
	struct cm_err *err)
{
	cleanup_fd int fd = open(ns->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t i = (size_t)(ns - spec->namespaces);

	if (fd < 0)
		return cm_err_set(err, errno, "linux.namespaces[%zu].path: '%s'", i, ns->path);
	if (ioctl(fd, NS_GET_NSTYPE) != kinds[kind].flag)
		return cm_err_set(err, 0, "linux.namespaces[%zu].path: '%s' is no %s namespace", i,
			ns->path, ns->type);
	return steal_fd(&fd);
}

int cm_namespaces_open(struct cm_namespaces *n, const struct cm_spec *spec, struct cm_err *err)
{
	cm_namespaces_init(n);
	for (int k = 0; k < CM_NAMESPACES; k++) {
		const struct cm_spec_namespace *ns = cm_spec_namespace_find(spec, kinds[k].type);

		if (ns && !ns->path)
			n->make |= kinds[k].flag;
		if (!ns || !ns->path)
			continue;
		n->fd[k] = ns_open(spec, ns, k, err);
		if (n->fd[k] < 0) {
			cm_namespaces_fini(n);
			return -err->code;
		}
	}
	return 0;
}

/* The namespace of the next child. */
static int ns_enter_pid(
	const struct cm_spec *spec, const struct cm_spec_namespace *ns, struct cm_err *err)
{
	cleanup_fd int fd = ns->path ? ns_open(spec, ns, NS_PID, err) : -1;

	if (ns->path && fd < 0)
		return fd;
	if ((fd < 0 ? unshare(CLONE_NEWPID) : setns(fd, CLONE_NEWPID)) < 0)
		return cm_err_set(err, errno, "linux.namespaces: pid");
	return 0;
}

pid_t cm_namespaces_fork(const struct cm_spec *spec, struct cm_err *err)
{
	const struct cm_spec_namespace *ns = spec ? cm_spec_namespace_find(spec, "pid") : NULL;
	cleanup_fd int own = -1;
	pid_t pid;

	if (ns) {
		own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
		if (own < 0)
			return cm_err_set(err, errno, "linux.namespaces: pid");
		if (ns_enter_pid(spec, ns, err) < 0)
			return -err->code;
	}
	pid = fork();
	if (pid < 0)
		return cm_err_set(err, errno, "start the sandbox");
	/* That of a process itself never changes: what fails here, cannot. */
	if (pid > 0 && ns && setns(own, CLONE_NEWPID) < 0)
		return cm_err_set(err, errno, "linux.namespaces: pid");
	return pid;
}

static void ns_take_names(struct cm_namespaces *n, struct cm_spec *spec)
{
	struct utsname u;

	if (uname(&u) < 0)
		return;
	snprintf(n->hostname, sizeof(n->hostname), "%s", u.nodename);
	snprintf(n->domainname, sizeof(n->domainname), "%s", u.domainname);
	if (!spec->hostname)
		spec->hostname = n->hostname;
	if (!spec->domainname)
		spec->domainname = n->domainname;
}

int cm_namespaces_join(struct cm_namespaces *n, struct cm_spec *spec, struct cm_err *err)
{
	for (int k = NS_NETWORK; k < NS_MOUNT; k++) {
		if (n->fd[k] >= 0 && setns(n->fd[k], kinds[k].flag) < 0)
			return cm_err_set(err, errno, "linux.namespaces: join %s", kinds[k].type);
	}
	if (n->fd[NS_UTS] >= 0)
		ns_take_names(n, spec);
	return 0;
}

int cm_namespaces_make(const struct cm_namespaces *n, struct cm_err *err)
{
	int flags = n->make & (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP);

	if (flags && unshare(flags) < 0)
		return cm_err_set(err, errno, "linux.namespaces: make them");
	return 0;
}

bool cm_namespaces_new_mount(const struct cm_namespaces *n)
{
	return n->make & CLONE_NEWNS;
}

int cm_namespaces_mount(const struct cm_namespaces *n, int cwd, struct cm_err *err)
{
	if (n->fd[NS_MOUNT] < 0)
		return 0;
	if (setns(n->fd[NS_MOUNT], CLONE_NEWNS) < 0 || fchdir(cwd) < 0)
		return cm_err_set(err, errno, "linux.namespaces: join mount");
	return 0;
}

/* One write: the kernel takes no second one. */
static int user_write_map(int proc, const char *file, const struct cm_spec_idmap *map, size_t n)
{
	cleanup_fd int fd = openat(proc, file, O_WRONLY | O_CLOEXEC);
	char text[4096];
	size_t len = 0;

	for (size_t i = 0; i < n && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%u %u %u\n",
			map[i].container, map[i].host, map[i].size);
	if (len >= sizeof(text))
		return E2BIG;
	return fd < 0 || write(fd, text, len) != (ssize_t)len ? errno : 0;
}

/* In a child, whose rights are still the host's: an errno. */
static int user_write_maps(const struct cm_spec *spec, int proc, int begin)
{
	char byte;
	int r;

	if (read(begin, &byte, 1) != 1)
		return EPIPE;
	r = user_write_map(proc, "uid_map", spec->uid_map, spec->nuid_map);
	return r ? r : user_write_map(proc, "gid_map", spec->gid_map, spec->ngid_map);
}

static int user_make(const struct cm_spec *spec, int proc, struct cm_err *err)
{
	int p[2], status = 0, r = 0;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return cm_err_set(err, errno, "linux.uidMappings");
	pid = fork();
	if (pid == 0) {
		close(p[1]);
		_exit(user_write_maps(spec, proc, p[0]));
	}
	close(p[0]);
	if (pid < 0 || unshare(CLONE_NEWUSER) < 0 || write(p[1], "", 1) != 1)
		r = errno;
	close(p[1]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status != 0)
		r = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
	return r ? cm_err_set(err, r, "linux.uidMappings, linux.gidMappings") : 0;
}

bool cm_namespaces_moves_user(const struct cm_namespaces *n, const struct cm_spec *spec)
{
	return n->fd[NS_USER] >= 0 || (n->make & CLONE_NEWUSER && spec->nuid_map);
}

int cm_namespaces_user(
	const struct cm_namespaces *n, const struct cm_spec *spec, int proc, struct cm_err *err)
{
	if (n->fd[NS_USER] >= 0 && setns(n->fd[NS_USER], CLONE_NEWUSER) < 0)
		return cm_err_set(err, errno, "linux.namespaces: join user");
	if (n->make & CLONE_NEWUSER && spec->nuid_map)
		return user_make(spec, proc, err);
	return 0;
}
