/* SPDX-License-Identifier: Apache-2.0 */
/* The isolation stages of casemate-fsd: see jail.h. */
#include <config.h>
#include "vmm/fsd/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <casemate/fsdev.h>

#include "common/seccomp.h"
#include "vmm/fsd/engine.h"
#include "vmm/fsd/filter.h"

#ifndef MS_REC
#define MS_REC 16384
#endif

/* libc's <sys/mount.h> and <linux/mount.h> exclude each other. */
extern int mount(
	const char *src, const char *dst, const char *type, unsigned long flags, const void *data);
extern int umount2(const char *dst, int flags);
#define JAIL_MNT_DETACH 2
/* Of Landlock ABI 3 and 5. */
#define JAIL_LANDLOCK_TRUNCATE	(1u << 14)
#define JAIL_LANDLOCK_IOCTL_DEV (1u << 15)
#define JAIL_MS_SLAVE		(1u << 19)

/* ---- stage 1 */

static int jail_compare(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int fsd_jail_inherit(const int *keep, unsigned int n, int log_fd, struct cm_err *err)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	int sorted[FSD_JAIL_KEEP];
	unsigned int from = 3;

	if (n > sizeof(sorted) / sizeof(sorted[0]))
		return cm_err_set(err, E2BIG, "too many descriptors");
	memcpy(sorted, keep, n * sizeof(*keep));
	qsort(sorted, n, sizeof(sorted[0]), jail_compare);
	for (unsigned int i = 0; i < n; i++) {
		if (sorted[i] < 3)
			return cm_err_set(err, EINVAL, "descriptor %d cannot be used", sorted[i]);
		if ((unsigned int)sorted[i] > from)
			close_range(from, (unsigned int)sorted[i] - 1, 0);
		from = (unsigned int)sorted[i] + 1;
	}
	close_range(from, ~0u, 0);
	/* Standard descriptors must never become served files: libc may write to them when it aborts. */
	for (int fd = 0; fd < 3; fd++) {
		if (fd != log_fd && dup2(log_fd, fd) < 0)
			return cm_err_set(err, errno, "dup of the log");
	}
	/* A write beyond a limit answers EFBIG instead. */
	if (sigaction(SIGPIPE, &ignore, NULL) < 0 || sigaction(SIGXFSZ, &ignore, NULL) < 0)
		return cm_err_set(err, errno, "sigaction");
	return 0;
}

/* ---- stage 2 */

int fsd_jail_prepare(int *proc_fd, struct cm_err *err)
{
	struct rlimit lim = { FSD_MAX_NODES + FSD_MAX_HANDLES + 4096,
		FSD_MAX_NODES + FSD_MAX_HANDLES + 4096 };

	*proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*proc_fd < 0)
		return cm_err_set(err, errno, "open '/proc/self/fd'");
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0 && getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		/* The client then meets ENFILE earlier. */
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
	fsd_creds_prepare();
	(void)setgroups(0, NULL);
	return 0;
}

unsigned int fsd_jail_max_nodes(void)
{
	const rlim_t others =
		FSD_MAX_HANDLES + FSD_MAX_IO + CM_FSDEV_IMAGES + 1024 + 64; /* 1024: locks */
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur < 2 * others)
		return 1024;
	return lim.rlim_cur - others < FSD_MAX_NODES ? (unsigned int)(lim.rlim_cur - others)
						     : FSD_MAX_NODES;
}

/* ---- stage 3 */

static int jail_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -EIO;
}

/* Without privileges: a user namespace in which this user is root and nobody else exists, and the tree as its root directory. */
static int jail_chroot(int root_fd, struct cm_err *err)
{
	char map[48];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return cm_err_set(err, errno, "unshare");
	(void)jail_write("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof(map), "0 %u 1", uid);
	if (jail_write("/proc/self/uid_map", map) < 0)
		return cm_err_set(err, EPERM, "map user %u", uid);
	(void)snprintf(map, sizeof(map), "0 %u 1", gid);
	if (jail_write("/proc/self/gid_map", map) < 0)
		return cm_err_set(err, EPERM, "map group %u", gid);
	if (fchdir(root_fd) < 0 || chroot(".") < 0)
		return cm_err_set(err, errno, "chroot into the tree");
	return 0;
}

static int jail_enter(int tree, struct cm_err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return cm_err_set(err, errno, "unshare");
	if (mount(NULL, "/", NULL, JAIL_MS_SLAVE | MS_REC, NULL) < 0)
		return cm_err_set(err, errno, "detach mounts from the host's");
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return cm_err_set(err, errno, "mount the tree");
	if (fchdir(tree) < 0)
		return cm_err_set(err, errno, "enter the tree");
	/* The old root ends up on top of the new one's and goes away with all that is below it. */
	if (syscall(SYS_pivot_root, ".", ".") == 0)
		return umount2(".", JAIL_MNT_DETACH) < 0 || chdir("/") < 0
			       ? cm_err_set(err, errno, "leave the old root")
			       : 0;
	/* The kernel's initial file system cannot be let go of; it now lies below a root that has no way down. */
	if (errno != EINVAL || chroot(".") < 0 || chdir("/") < 0)
		return cm_err_set(err, errno, "pivot into the tree");
	return 0;
}

/* 0 with the clone in place of the descriptor, 1 when this process may not mount, or -errno. */
static int jail_clone(struct fsd_root *root, struct cm_err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					       MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW |
					       (root->readonly ? MOUNT_ATTR_RDONLY : 0) };
	unsigned int rec = root->recursive ? AT_RECURSIVE : 0;
	long tree = syscall(SYS_open_tree, root->fd, "",
		OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | rec);

	if (tree < 0 && errno == EPERM)
		return 1;
	if (tree < 0)
		return cm_err_set(err, errno, "clone a served mount");
	if (syscall(SYS_mount_setattr, (int)tree, "", AT_EMPTY_PATH | rec, &attr, sizeof(attr)) < 0)
		return cm_err_set(err, errno, "restrict a served mount");
	close(root->fd);
	root->fd = (int)tree;
	return 0;
}

int fsd_jail_roots(struct fsd_root *roots, unsigned int n, struct cm_err *err)
{
	/* Before unshare: afterwards they lie in a foreign mount namespace and cannot be cloned. */
	for (unsigned int i = 0; i < n; i++) {
		int r = jail_clone(&roots[i], err);

		if (r < 0)
			return r;
		if (r > 0)
			return jail_chroot(roots[0].fd, err);
	}
	return jail_enter(roots[0].fd, err);
}

/* ---- stage 4 */

/* Allow what a server does below one root. For a file there are fewer rights to give. */
static int jail_allow(int ruleset, const struct fsd_root *root, uint64_t all)
{
	const uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	const uint64_t file = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
			      JAIL_LANDLOCK_TRUNCATE;
	struct landlock_path_beneath_attr rule = { .allowed_access = root->readonly ? read : all,
		.parent_fd = root->fd };
	struct stat st;

	if (fstat(root->fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= file;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return 0;
}

/* Everything that the kernel's Landlock knows about files is handled; what is served alone is allowed. A kernel without Landlock is no error. */
static int jail_landlock(const struct fsd_root *roots, unsigned int n, struct cm_err *err)
{
	struct landlock_ruleset_attr ruleset = { .handled_access_fs = (1u << 13) - 1 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t all;
	int r = 0;
	long fd;

	if (abi < 1)
		return 0;
	if (abi >= 2)
		ruleset.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		ruleset.handled_access_fs |= JAIL_LANDLOCK_TRUNCATE;
	if (abi >= 5)
		ruleset.handled_access_fs |= JAIL_LANDLOCK_IOCTL_DEV;
	all = ruleset.handled_access_fs &
	      ~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
			  LANDLOCK_ACCESS_FS_MAKE_BLOCK | JAIL_LANDLOCK_IOCTL_DEV);
	fd = syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
	if (fd < 0)
		return cm_err_set(err, errno, "landlock ruleset");
	for (unsigned int i = 0; i < n && r == 0; i++)
		r = jail_allow((int)fd, &roots[i], all);
	if (r == 0 && syscall(SYS_landlock_restrict_self, (int)fd, 0) < 0)
		r = -errno;
	close((int)fd);
	return r < 0 ? cm_err_set(err, -r, "landlock") : 0;
}

static int jail_caps(struct cm_err *err)
{
	static const unsigned int keep[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_SETGID,
		CAP_SETUID };
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2], have[2];
	uint32_t mask = 0;

	for (unsigned int i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
		mask |= 1u << keep[i];
	for (unsigned long c = 0; c <= CAP_LAST_CAP; c++)
		(void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0); /* exec is impossible anyway */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &h, have) < 0)
		return cm_err_set(err, errno, "capget");
	memset(d, 0, sizeof(d));
	d[0].permitted = have[0].permitted & mask;
	d[0].effective = d[0].permitted;
	if (syscall(SYS_capset, &h, d) < 0)
		return cm_err_set(err, errno, "capset");
	return 0;
}

int fsd_jail_rights(const struct fsd_root *roots, unsigned int n, struct cm_err *err)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return cm_err_set(err, errno, "no_new_privs");
	r = jail_landlock(roots, n, err);
	if (r < 0)
		return r;
	r = jail_caps(err);
	if (r < 0)
		return r;
	/* A process that is not dumpable may not write its uid map, so only now. Changing credentials may undo both. The first file made for another user drops the signal again; the socket's hangup remains. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return cm_err_set(err, errno, "prctl");
	return 0;
}

/* restart_syscall: epoll_wait after a stop and continue. #syscalls:fsd restart_syscall rt_sigreturn */
int fsd_jail_filter(struct cm_err *err)
{
	cm_seccomp_report_calls();
	return CM_SECCOMP_INSTALL(seccomp_filter_fsd, err);
}
