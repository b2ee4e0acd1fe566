/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on processes: making, executing, ending, waiting, groups. */
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "cgroup/cgroup.h"
#include "fs/nsfs.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "task/clone.h"
#include "task/exec.h"
#include "task/family.h"
#include "task/ns_change.h"
#include "task/pid.h"
#include "task/pidfd.h"
#include "task/signal.h"

s64 sys_fork(struct task *t, const struct sysargs *a)
{
	struct clone_request req = { .exit_signal = SIGCHLD };

	return task_clone(t, &req);
}

s64 sys_vfork(struct task *t, const struct sysargs *a)
{
	struct clone_request req = { .flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD };

	return task_clone(t, &req);
}

s64 sys_clone(struct task *t, const struct sysargs *a)
{
	struct clone_request req = {
		.flags = (u32)a->a[0] & ~(u64)CSIGNAL,
		.exit_signal = a->a[0] & CSIGNAL,
		.stack = a->a[1],
		.parent_tid = a->a[2],
		.child_tid = a->a[3],
		.pidfd = a->a[2],
		.tls = a->a[4],
	};

	/* One argument serves both. */
	if ((req.flags & CLONE_PIDFD) && (req.flags & CLONE_PARENT_SETTID))
		return -EINVAL;
	if (req.exit_signal > SIG_MAX || req.stack >= USER_TOP || req.tls >= USER_TOP)
		return -EINVAL;
	return task_clone(t, &req);
}

/* clone3's structure may be longer than ours when the rest is zero, and shorter down to its first version. */
static s64 clone3_copy(struct clone_args *args, uaddr_t src, size_t size)
{
	size_t known = MIN(size, sizeof(*args));
	size_t i;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	memset(args, 0, sizeof(*args));
	if (copy_from_user(args, src, known) < 0)
		return -EFAULT;
	for (i = known; i < size; i++) {
		u8 byte;

		if (get_user(byte, src + i) < 0)
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

/* A thread stays with its process. */
static s64 clone3_cgroup(const struct clone_args *args, struct clone_request *req)
{
	struct file *f = args->cgroup <= INT32_MAX ? fd_get((int)args->cgroup) : NULL;
	int err;

	if (!f)
		return args->cgroup <= INT32_MAX ? -EBADF : -EINVAL;
	err = args->flags & CLONE_THREAD ? -EOPNOTSUPP : cgroup_from_file(f, &req->cgroup);
	file_put(f);
	return err;
}

static s64 clone3_set_tid(
	const struct clone_args *args, struct pid_choice *chosen, struct clone_request *req)
{
	if (args->set_tid_size > (u64)PID_NS_LEVELS || !args->set_tid != !args->set_tid_size)
		return -EINVAL;
	if (!args->set_tid_size)
		return 0;
	chosen->n = (u32)args->set_tid_size;
	req->set_tid = chosen;
	return copy_from_user(chosen->nr, args->set_tid, chosen->n * sizeof(chosen->nr[0]));
}

s64 sys_clone3(struct task *t, const struct sysargs *a)
{
	struct clone_args args;
	struct pid_choice chosen;
	struct clone_request req = { .flags = 0 };
	s64 ret = clone3_copy(&args, a->a[0], a->a[1]);

	if (ret < 0)
		return ret;
	if ((args.flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME))) ||
		args.exit_signal > SIG_MAX)
		return -EINVAL;
	if ((args.flags & (CLONE_THREAD | CLONE_PARENT)) && args.exit_signal)
		return -EINVAL;
	ret = clone3_set_tid(&args, &chosen, &req);
	if (ret < 0)
		return ret;
	if (!args.stack != !args.stack_size || args.tls >= USER_TOP)
		return -EINVAL;
	if (args.stack >= USER_TOP || args.stack_size > USER_TOP - args.stack)
		return -EINVAL;
	req.flags = args.flags;
	req.exit_signal = (u32)args.exit_signal;
	req.stack = args.stack + args.stack_size;
	req.tls = args.tls;
	req.parent_tid = args.parent_tid;
	req.child_tid = args.child_tid;
	req.pidfd = args.pidfd;
	if (args.flags & CLONE_INTO_CGROUP) {
		ret = clone3_cgroup(&args, &req);
		if (ret < 0)
			return ret;
	}
	ret = task_clone(t, &req);
	cgroup_put(req.cgroup);
	return ret;
}

static s64 exec_copy_strings(struct exec_strings *s, uaddr_t argv, uaddr_t envp)
{
	s64 n = exec_strings_add_user(s, argv);

	if (n < 0)
		return n;
	s->argc = (u32)n;
	/* A program may rely on argv[0]: as Linux, an empty list gets an empty string. */
	if (n == 0) {
		int ret = exec_strings_add(s, "", 0);

		if (ret < 0)
			return ret;
		s->argc = 1;
		s->first_len = 1;
	}
	n = exec_strings_add_user(s, envp);
	if (n < 0)
		return n;
	s->envc = (u32)n;
	return 0;
}

/* execfn: what AT_EXECFN and a script's argument say, when it is not the path itself. */
static s64 exec_common(struct task *t, const struct path *base, const char *path, u32 lookup,
	const char *execfn, const struct sysargs *vectors)
{
	struct exec_strings *s = kmalloc(sizeof(*s));
	s64 ret;

	if (!s)
		return -ENOMEM;
	exec_strings_init(s, rlimit_soft(t->group, RLIMIT_STACK));
	ret = exec_copy_strings(s, vectors->a[0], vectors->a[1]);
	if (ret == 0)
		ret = exec_path(t, base, path, lookup, execfn, s);
	exec_strings_fini(s);
	kfree(s);
	return ret;
}

s64 sys_execve(struct task *t, const struct sysargs *a)
{
	struct sysargs vectors = { { a->a[1], a->a[2] } };
	char *path = kmalloc(PATH_MAX_LEN);
	s64 ret;

	if (!path)
		return -ENOMEM;
	ret = strncpy_from_user(path, a->a[0], PATH_MAX_LEN);
	if (ret == 0)
		ret = -ENOENT;
	if (ret > 0)
		ret = exec_common(t, NULL, path, LOOKUP_FOLLOW, path, &vectors);
	kfree(path);
	return ret;
}

/* The name that /dev/fd would give: "/dev/fd/N" or "/dev/fd/N/path". */
static int execat_name(char *out, size_t size, int fd, const char *path)
{
	int n = *path ? str_format(out, size, "/dev/fd/%d/%s", fd, path)
		      : str_format(out, size, "/dev/fd/%d", fd);

	return n < (int)size ? 0 : -ENAMETOOLONG;
}

static s64 execat_at(struct task *t, int fd, const char *path, u32 lookup, struct sysargs *vectors)
{
	struct path at;
	char *name;
	s64 ret = fd_path(fd, &at);

	if (ret)
		return ret;
	name = kmalloc(PATH_MAX_LEN);
	ret = name ? execat_name(name, PATH_MAX_LEN, fd, path) : -ENOMEM;
	if (ret == 0)
		ret = exec_common(t, &at, path, lookup, name, vectors);
	kfree(name);
	path_put(&at);
	return ret;
}

s64 sys_execveat(struct task *t, const struct sysargs *a)
{
	struct sysargs vectors = { { a->a[2], a->a[3] } };
	int fd = (int)a->a[0];
	u32 flags = (u32)a->a[4];
	u32 lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	char *path;
	s64 ret;

	if (flags & ~(u32)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	path = kmalloc(PATH_MAX_LEN);
	if (!path)
		return -ENOMEM;
	ret = strncpy_from_user(path, a->a[1], PATH_MAX_LEN);
	if (ret == 0 && !(flags & AT_EMPTY_PATH))
		ret = -ENOENT;
	if (ret < 0)
		goto out;
	if (ret == 0)
		lookup |= LOOKUP_EMPTY;
	if (path[0] == '/' || fd == AT_FDCWD)
		ret = exec_common(t, NULL, path, lookup, path, &vectors);
	else
		ret = execat_at(t, fd, path, lookup, &vectors);
out:
	kfree(path);
	return ret;
}

s64 sys_exit(struct task *t, const struct sysargs *a)
{
	task_exit(W_EXIT((int)a->a[0]));
}

s64 sys_exit_group(struct task *t, const struct sysargs *a)
{
	task_exit_group(W_EXIT((int)a->a[0]));
}

/* Whom a number means: a reference, or NULL. nr 0: the caller's process group. */
static struct pid *wait_pid(struct task *t, const struct wait_request *w, int nr)
{
	struct pid *p;
	u64 flags;

	if (w->who == WAIT_ANY)
		return NULL;
	if (nr)
		return pid_find(t->group->ns, nr);
	flags = tree_lock();
	p = pid_get(t->group->pgrp);
	tree_unlock(flags);
	return p;
}

s64 sys_wait4(struct task *t, const struct sysargs *a)
{
	int pid = (int)a->a[0];
	u32 options = (u32)a->a[2];
	struct wait_request w = { .who = WAIT_ANY };
	int ret;

	if (options & ~(u32)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == INT_MIN)
		return -ESRCH;
	if (pid > 0) {
		w.who = WAIT_PID;
	} else if (pid != -1) {
		w.who = WAIT_PGRP;
	}
	w.options = options | WEXITED;
	w.id = wait_pid(t, &w, pid < 0 ? -pid : pid);
	ret = family_wait(t, &w);
	pid_put(w.id);
	if (ret < 0 || !w.pid)
		return ret;
	if (a->a[1] && put_user(w.status, a->a[1]) < 0)
		return -EFAULT;
	if (a->a[3] && copy_to_user(a->a[3], &w.usage, sizeof(w.usage)) < 0)
		return -EFAULT;
	return w.pid;
}

/* w->id becomes a reference. */
static s64 waitid_select(struct task *t, int type, int id, struct wait_request *w)
{
	struct group *g;

	switch (type) {
	case P_ALL:
		w->who = WAIT_ANY;
		return 0;
	case P_PID:
		w->who = WAIT_PID;
		if (id <= 0)
			return -EINVAL;
		w->id = wait_pid(t, w, id);
		return 0;
	case P_PIDFD:
		g = pidfd_group(id);
		if (!g)
			return -EBADF;
		w->who = WAIT_PID;
		w->id = pid_get(g->id);
		group_put(g);
		return 0;
	case P_PGID:
		w->who = WAIT_PGRP;
		if (id < 0)
			return -EINVAL;
		w->id = wait_pid(t, w, id);
		return 0;
	default:
		return -EINVAL;
	}
}

static int waitid_status(const struct wait_request *w)
{
	switch (w->code) {
	case CLD_EXITED:
		return w->status >> 8 & 0xff;
	case CLD_STOPPED:
		return w->status >> 8;
	case CLD_CONTINUED:
		return SIGCONT;
	default:
		return w->status & 0x7f;
	}
}

s64 sys_waitid(struct task *t, const struct sysargs *a)
{
	u32 options = (u32)a->a[3];
	struct wait_request w = { .options = options };
	bool nonblock;
	siginfo_t info;
	s64 ret;

	if (options & ~(u32)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
			      __WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	ret = waitid_select(t, (int)a->a[0], (int)a->a[1], &w);
	if (ret < 0)
		return ret;
	nonblock = (int)a->a[0] == P_PIDFD && pidfd_nonblocking((int)a->a[1]);
	if (nonblock)
		w.options |= WNOHANG;
	ret = family_wait(t, &w);
	pid_put(w.id);
	if (ret < 0)
		return ret;
	if (nonblock && !w.pid && !(options & WNOHANG))
		return -EAGAIN;
	if (w.pid && a->a[4] && copy_to_user(a->a[4], &w.usage, sizeof(w.usage)) < 0)
		return -EFAULT;
	if (!a->a[2])
		return 0;
	memset(&info, 0, sizeof(info));
	if (w.pid) {
		info = signal_info(SIGCHLD, w.code, w.pid, w.uid);
		info.si_status = waitid_status(&w);
	}
	return copy_to_user(a->a[2], &info, sizeof(info));
}

s64 sys_getpid(struct task *t, const struct sysargs *a)
{
	return t->group->pid;
}

s64 sys_gettid(struct task *t, const struct sysargs *a)
{
	return t->tid;
}

s64 sys_getppid(struct task *t, const struct sysargs *a)
{
	u64 flags = tree_lock();
	int pid = t->group->parent ? pid_nr_ns(t->group->parent->id, t->group->ns) : 0;

	tree_unlock(flags);
	return pid;
}

static s64 group_id(struct task *t, int pid, bool session)
{
	struct group *g;
	u64 flags;
	s64 id;

	flags = tree_lock();
	g = t->group;
	if (pid) {
		struct task *other = pid_task(g->ns, pid);

		g = other ? other->group : NULL;
	}
	if (!g)
		id = -ESRCH;
	else
		id = pid_nr(session ? g->session : g->pgrp);
	tree_unlock(flags);
	return id;
}

s64 sys_getpgid(struct task *t, const struct sysargs *a)
{
	return group_id(t, (int)a->a[0], false);
}

s64 sys_getpgrp(struct task *t, const struct sysargs *a)
{
	return t->group->pgid;
}

s64 sys_getsid(struct task *t, const struct sysargs *a)
{
	return group_id(t, (int)a->a[0], true);
}

s64 sys_setpgid(struct task *t, const struct sysargs *a)
{
	if ((int)a->a[0] < 0)
		return -EINVAL;
	return family_setpgid(t->group, (int)a->a[0], (int)a->a[1]);
}

s64 sys_setsid(struct task *t, const struct sysargs *a)
{
	return family_setsid(t->group);
}

s64 sys_set_tid_address(struct task *t, const struct sysargs *a)
{
	t->clear_child_tid = a->a[0];
	return t->tid;
}

s64 sys_pidfd_open(struct task *t, const struct sysargs *a)
{
	int pid = (int)a->a[0];
	u32 flags = (u32)a->a[1];
	struct task *target;
	s64 ret = -EINVAL;

	if (pid <= 0 || (flags & ~(u32)O_NONBLOCK))
		return -EINVAL;
	target = task_find(pid);
	if (!target)
		return -ESRCH;
	if (target->id == target->group->id)
		ret = pidfd_install(target->group, flags);
	task_put(target);
	return ret;
}

/* Takes a private copy of what clone shared. */
s64 sys_unshare(struct task *t, const struct sysargs *a)
{
	return ns_unshare(t, a->a[0]);
}

/* A pidfd names a task, whose namespaces the flags choose. */
static s64 setns_pidfd(struct task *t, struct group *g, u64 flags)
{
	struct task *other = NULL;
	u64 irq;
	s64 ret;

	if (!flags || (flags & ~(u64)NS_CLONE_FLAGS))
		return -EINVAL;
	irq = tree_lock();
	if (!list_empty(&g->ns_link) && g->leader) {
		other = g->leader;
		task_get(other);
	}
	tree_unlock(irq);
	if (!other)
		return -ESRCH;
	ret = ns_enter_task(t, other, flags);
	task_put(other);
	return ret;
}

s64 sys_setns(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	struct group *g = f ? pidfd_group((int)a->a[0]) : NULL;
	struct ns *n = f ? nsfs_of_file(f) : NULL;
	u64 type = (u64)(s64)(int)a->a[1];
	s64 ret = f ? -EINVAL : -EBADF;

	if (n)
		ret = ns_enter(t, n, type);
	else if (g)
		ret = setns_pidfd(t, g, type);
	if (g)
		group_put(g);
	if (f)
		file_put(f);
	return ret;
}
