/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that the agent starts. The agent's thread builds a task without a program; the task itself, on its way to user mode, changes
 * to its directory and executes, because path walking and permissions are those of the current task. The agent waits for the outcome.
 * A task that is held finds its program, tells the agent, reads the program, and sleeps until it is released; signals reach it as any other.
 */
#include "task/signal.h"

#include <asm/ioctls.h>

#include "cgroup/cgroup.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/exec.h"
#include "task/seccomp.h"

#define SPAWN_PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct spawn_request {
	struct ref ref;
	const struct spawn *spawn; /* valid until done */
	struct waitq wq;
	bool held; /* stop before the program is executed */
	bool ready, released; /* of a held one: the program was found; it may go on */
	bool done;
	int result;
};

static void spawn_request_put(struct spawn_request *r)
{
	if (ref_put(&r->ref))
		kfree(r);
}

void spawn_default_limits(struct rlimit64 *rlim)
{
	static const struct {
		u32 which;
		u64 soft, hard;
	} init[] = {
		{ RLIMIT_STACK, 8UL << 20, RLIM64_INFINITY },
		{ RLIMIT_CORE, 0, RLIM64_INFINITY },
		{ RLIMIT_NPROC, NPROC_MAX, NPROC_MAX },
		{ RLIMIT_NOFILE, 1024, 1048576 },
		{ RLIMIT_MEMLOCK, 8UL << 20, 8UL << 20 },
		{ RLIMIT_SIGPENDING, NPROC_MAX, NPROC_MAX },
		{ RLIMIT_MSGQUEUE, 819200, 819200 },
		{ RLIMIT_NICE, 0, 0 },
		{ RLIMIT_RTPRIO, 0, 0 },
	};
	size_t i;

	for (i = 0; i < RLIM_NLIMITS; i++)
		rlim[i] = (struct rlimit64){ RLIM64_INFINITY, RLIM64_INFINITY };
	for (i = 0; i < ARRAY_SIZE(init); i++)
		rlim[init[i].which] = (struct rlimit64){ init[i].soft, init[i].hard };
}

static void spawn_limits(struct group *g, const struct rlimit64 *rlim)
{
	if (rlim)
		memcpy(g->rlim, rlim, sizeof(g->rlim));
	else
		spawn_default_limits(g->rlim);
}

static struct cred *spawn_cred(const struct spawn *s)
{
	struct cred *c = s->cred ? s->cred : cred_create();

	if (!c || s->cred)
		return c;
	if (cred_set_user(c, s->uid) < 0 || cred_set_groups(c, s->groups, s->ngroups) < 0) {
		cred_put(c);
		return NULL;
	}
	c->euid = c->suid = c->fsuid = s->uid;
	c->gid = c->egid = c->sgid = c->fsgid = s->gid;
	if (s->uid != 0) {
		c->cap_permitted = 0;
		c->cap_effective = 0;
	}
	return c;
}

static int spawn_group(struct task *t, const struct spawn *s)
{
	struct group *g = group_create();

	t->no_new_privs = s->no_new_privs;
	t->seccomp = seccomp_filter_get(s->seccomp);
	t->seccomp_mode = s->seccomp ? SECCOMP_MODE_FILTER : SECCOMP_MODE_DISABLED;
	t->call_work = s->seccomp ? CALL_SECCOMP : 0;
	if (!g)
		return -ENOMEM;
	t->group = g;
	g->ns = s->ns->pid;
	g->container = s->container;
	g->oom_score_adj = s->oom_score_adj;
	g->on_exit = s->on_exit;
	g->on_exit_arg = s->arg;
	spawn_limits(g, s->rlim);
	g->sighand = sighand_create();
	if (!g->sighand)
		return -ENOMEM;
	return cgroup_spawn(t, s->cgroup);
}

/* The descriptors: takes the references of `stdio`. */
static int spawn_files(struct task *t, struct file *stdio[3])
{
	int i;

	t->files = fdtable_create();
	for (i = 0; i < 3; i++) {
		struct file *f = stdio[i];
		int ret;

		if (!f)
			continue;
		if (!t->files)
			return -ENOMEM;
		ret = fdtable_set(t->files, i, f, false);
		if (ret < 0)
			return ret;
		stdio[i] = NULL;
	}
	return t->files ? 0 : -ENOMEM;
}

/* Those besides the standard ones: takes the references. */
static int spawn_more_files(struct task *t, const struct spawn *s)
{
	for (u32 i = 0; i < s->nmore; i++) {
		struct file *f = s->more[i].file;
		int ret;

		s->more[i].file = NULL;
		ret = fdtable_set(t->files, s->more[i].fd, f, false);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int spawn_fs(struct task *t, const struct spawn *s)
{
	struct path root;

	nsproxy_get(s->ns);
	t->ns = s->ns;
	if (!mount_ns_root(s->ns->mnt, &root))
		return -ENOENT;
	t->fs = fs_context_create(&root, &root, s->umask);
	path_put(&root);
	return t->fs ? 0 : -ENOMEM;
}

/* How it is scheduled, and what it takes itself for. */
static void spawn_character(struct task *t, const struct spawn *s)
{
	t->policy = s->policy;
	t->rt_priority = s->rt_priority;
	t->nice = s->nice;
	task_set_weight(t);
	t->personality = s->personality;
}

static int spawn_thread(struct task *t, struct spawn_request *req)
{
	t->thread = thread_create_user(t);
	if (!t->thread)
		return -ENOMEM;
	memset(thread_user_regs(t->thread), 0, sizeof(struct regs));
	thread_user_regs(t->thread)->orig_rax = ~0UL;
	t->spawn = req;
	t->thread->interrupted = true;
	return 0;
}

static int spawn_build(
	struct task *t, const struct spawn *s, struct file *stdio[3], struct spawn_request *req)
{
	int ret = spawn_group(t, s);

	if (ret == 0)
		ret = spawn_files(t, stdio);
	if (ret == 0)
		ret = spawn_more_files(t, s);
	if (ret == 0)
		ret = spawn_fs(t, s);
	if (ret == 0)
		ret = spawn_thread(t, req);
	if (ret == 0)
		spawn_character(t, s);
	return ret;
}

static int spawn_publish(struct task *t)
{
	struct group *g = t->group;
	struct pid_ns *ns = g->ns;
	int ret = pid_alloc(ns, t, NULL, &t->id);
	u64 flags;

	if (ret < 0)
		return READ_ONCE(ns->dying) ? -ESRCH : ret;
	t->tid = g->pid = pid_nr_own(t->id);
	flags = tree_lock();
	if (ns->dying) {
		tree_unlock(flags);
		pid_cancel(t->id);
		t->id = NULL;
		return -ESRCH;
	}
	g->id = pid_get(t->id);
	g->leader = t;
	g->ntasks = 1;
	g->nlive = 1;
	list_add_tail(&g->tasks, &t->group_link);
	group_link_locked(g, NULL, t->id, t->id);
	atomic_add(&t->cred->user->nproc, 1);
	cgroup_publish_locked(t, t, false);
	tree_unlock(flags);
	return g->pid;
}

static void spawn_abort(struct task *t)
{
	if (t->thread)
		thread_destroy(t->thread);
	t->thread = NULL;
	if (t->fs)
		fs_context_put(t->fs);
	if (t->files)
		fdtable_put(t->files);
	nsproxy_put(t->ns);
	task_put(t);
}

int task_spawn(const struct spawn *s, struct spawn_request **held)
{
	struct file *stdio[3] = { s->stdio[0], s->stdio[1], s->stdio[2] };
	struct spawn_request *req = kzalloc(sizeof(*req));
	struct task *t = task_create();
	struct cred *cred = spawn_cred(s);
	int ret = -ENOMEM;
	u32 k;
	int pid, i;

	if (!req || !t || !cred) {
		cred_put(cred);
		kfree(req);
		if (t)
			task_put(t);
		goto out;
	}
	t->cred = cred;
	req->ref.count = 2;
	req->spawn = s;
	req->held = held != NULL;
	waitq_init(&req->wq);
	ret = spawn_build(t, s, stdio, req);
	if (ret == 0)
		ret = spawn_publish(t);
	if (ret < 0) {
		spawn_abort(t);
		kfree(req);
		goto out;
	}
	pid = ret;
	thread_start(t->thread);
	wait_event(&req->wq, atomic_load(&req->done) || atomic_load(&req->ready));
	ret = req->result < 0 ? req->result : pid;
	if (held && ret >= 0)
		*held = req;
	else
		spawn_request_put(req);
out:
	for (i = 0; i < 3; i++) {
		if (stdio[i])
			file_put(stdio[i]);
	}
	for (k = 0; k < s->nmore; k++) {
		if (s->more[k].file)
			file_put(s->more[k].file);
	}
	return ret;
}

int task_spawn_release(struct spawn_request *req)
{
	int ret;

	atomic_store(&req->released, true);
	waitq_wake_all(&req->wq);
	wait_event(&req->wq, atomic_load(&req->done));
	ret = req->result;
	spawn_request_put(req);
	return ret;
}

static int spawn_chdir(struct task *t, const char *cwd)
{
	struct path p;
	int ret = path_lookup(NULL, cwd, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (ret == 0)
		ret = inode_permission(p.dentry->inode, MAY_EXEC);
	if (ret == 0) {
		struct path old;

		spin_lock(&t->fs->lock);
		old = t->fs->cwd;
		t->fs->cwd = p;
		spin_unlock(&t->fs->lock);
		path_put(&old);
	}
	return ret;
}

/* What is done with a program at a path: -ENOENT and such, and the search goes on. */
typedef int (*spawn_fn)(struct task *t, const struct spawn *s, const char *path);

/* Would execve find a program here? What is inside the file is not looked at. */
static int spawn_check_one(struct task *t, const struct spawn *s, const char *path)
{
	struct inode *inode;
	struct path p;
	int ret = path_lookup(NULL, path, LOOKUP_FOLLOW, &p);

	if (ret < 0)
		return ret;
	inode = p.dentry->inode;
	ret = S_ISREG(inode->mode) ? inode_permission(inode, MAY_EXEC) : -EACCES;
	path_put(&p);
	return ret;
}

static int spawn_read_one(struct task *t, const struct spawn *s, const char *path)
{
	int ret = spawn_check_one(t, s, path);

	if (ret == 0)
		exec_read_ahead(path);
	return ret;
}

static int spawn_exec_one(struct task *t, const struct spawn *s, const char *path)
{
	struct exec_strings strings;
	char *const *p;
	int ret = 0;
	u32 i;

	exec_strings_init(&strings, rlimit_soft(t->group, RLIMIT_STACK));
	for (p = s->argv; ret == 0 && *p; p++, strings.argc++)
		ret = exec_strings_add(&strings, *p, strlen(*p));
	if (s->argv[0])
		strings.first_len = strlen(s->argv[0]) + 1;
	for (p = s->envp; ret == 0 && p && *p; p++, strings.envc++)
		ret = exec_strings_add(&strings, *p, strlen(*p));
	for (i = 0; ret == 0 && i < s->nsecret; i++)
		strings.secret += strlen(s->envp[strings.envc - 1 - i]) + 1;
	if (ret == 0)
		ret = exec_path(t, NULL, path, LOOKUP_FOLLOW, path, &strings);
	exec_strings_fini(&strings);
	return ret;
}

static const char *spawn_name(const struct spawn *s)
{
	return s->file ? s->file : s->argv[0];
}

static const char *spawn_path_var(char *const *envp)
{
	for (; envp && *envp; envp++) {
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	}
	return SPAWN_PATH_DEFAULT;
}

/* As execvp(3): a directory where it is missing or forbidden does not end the search. */
static int spawn_search(struct task *t, const struct spawn *s, spawn_fn one)
{
	const char *name = spawn_name(s);
	const char *dir = spawn_path_var(s->envp);
	char *buf = kmalloc(PATH_MAX_LEN);
	int ret = -ENOENT;
	bool denied = false;

	if (!buf)
		return -ENOMEM;
	while (dir) {
		const char *colon = strchr(dir, ':');
		size_t len = colon ? (size_t)(colon - dir) : strlen(dir);

		if (len + strlen(name) + 2 <= PATH_MAX_LEN) {
			memcpy(buf, dir, len);
			buf[len] = '/';
			str_copy(buf + len + (len != 0), name, PATH_MAX_LEN - len - 1);
			ret = one(t, s, buf);
			denied |= ret == -EACCES;
			if (ret != -ENOENT && ret != -ENOTDIR && ret != -EACCES)
				break;
		}
		dir = colon ? colon + 1 : NULL;
	}
	kfree(buf);
	return ret == -ENOENT && denied ? -EACCES : ret;
}

static int spawn_program(struct task *t, const struct spawn *s, spawn_fn one)
{
	const char *name = spawn_name(s);

	if (!name || !*name)
		return -ENOENT;
	if (strchr(name, '/'))
		return one(t, s, name);
	return spawn_search(t, s, one);
}

static int spawn_terminal(void)
{
	struct file *f = fd_get(0);
	int ret = f && f->ops->ioctl ? (int)f->ops->ioctl(f, TIOCSCTTY, 0) : -ENOTTY;

	if (f)
		file_put(f);
	return ret;
}

/*
 * Wait for the release. The time is used to read the program, once the agent has said that it was found: a start then waits for nothing.
 * -EINTR: a signal ended the process before.
 */
static int spawn_hold(struct task *t, struct spawn_request *req)
{
	atomic_store(&req->ready, true);
	waitq_wake_all(&req->wq);
	sched_yield_cpu();
	if (!atomic_load(&req->released))
		spawn_program(t, req->spawn, spawn_read_one);
	wait_event_killable(t, &req->wq, atomic_load(&req->released));
	return task_killed(t) ? -EINTR : 0;
}

static int spawn_exec(struct task *t, struct spawn_request *req)
{
	const struct spawn *s = req->spawn;
	int ret = 0;

	if (s->cwd && *s->cwd)
		ret = spawn_chdir(t, s->cwd);
	if (ret == 0 && s->ctty)
		ret = spawn_terminal();
	if (ret == 0 && req->held) {
		ret = spawn_program(t, s, spawn_check_one);
		if (ret == 0)
			ret = spawn_hold(t, req);
	}
	return ret < 0 ? ret : spawn_program(t, s, spawn_exec_one);
}

void spawn_first_exec(struct task *t)
{
	struct spawn_request *req = t->spawn;
	int ret;

	t->spawn = NULL;
	ret = spawn_exec(t, req);
	/* Nobody is told of the end of what never began. */
	if (ret < 0 && !(req->held && ret == -EINTR))
		t->group->on_exit = NULL;
	req->result = ret;
	atomic_store(&req->done, true);
	waitq_wake_all(&req->wq);
	spawn_request_put(req);
	if (ret < 0)
		task_exit_group(W_EXIT(127));
}
