/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container: from a decoded START to its first task, and from the end of the last task to the exit event.
 *
 * container.lock protects init and exited. The exit callback runs in the thread of the last task, when no other task of the container
 * exists and its files are closed: what is left to do is to write back the file systems and to tell the host.
 */
#include "agent/internal.h"

#include "kernel/lock.h"
#include "lib/string.h"
#include "mm/filemap.h"
#include "mm/slab.h"
#include "task/uts.h"

static struct {
	struct spinlock lock;
	struct mount_ns *ns; /* set once, before the first task; NULL = there is no container */
	int pid; /* of the first task; 0 = none yet */
	bool exited;
	bool announced; /* the host knows of the start: it may be told of the end */
	struct waitq wq; /* announced */
} container;

static void container_exit(void *arg, int pid, int status)
{
	struct cm_rpc_exited e = { .container = 1, .pid = pid, .status = status };
	struct cm_rpc_hdr h = { .type = CM_RPC_EXITED, .len = sizeof(e) };

	spin_lock(&container.lock);
	container.exited = true;
	spin_unlock(&container.lock);
	/* A short program ends before the agent's thread has said that it began. */
	wait_event(&container.wq, atomic_load(&container.announced));
	agent_trace_end();
	/* To the host, not to its disk: that is for programs that ask. */
	if (filemap_sync_all() == 0)
		e.flags = CM_RPC_EXITED_SYNCED;
	agent_send(&h, &e);
}

void agent_container_announced(void)
{
	atomic_store(&container.announced, true);
	waitq_wake_all(&container.wq);
}

int agent_container_sync(void)
{
	return container.ns ? filemap_sync_all() : 0;
}

static struct cred *container_cred(const struct rpc_start *s)
{
	struct cred *c = cred_create();

	if (!c)
		return NULL;
	if (cred_set_user(c, s->fixed.uid) < 0 ||
		cred_set_groups(c, s->groups, s->fixed.ngroups) < 0) {
		cred_put(c);
		return NULL;
	}
	c->euid = c->suid = c->fsuid = s->fixed.uid;
	c->gid = c->egid = c->sgid = c->fsgid = s->fixed.gid;
	c->cap_bounding = s->fixed.caps[CM_RPC_CAP_BOUNDING];
	c->cap_effective = s->fixed.caps[CM_RPC_CAP_EFFECTIVE];
	c->cap_inheritable = s->fixed.caps[CM_RPC_CAP_INHERITABLE];
	c->cap_permitted = s->fixed.caps[CM_RPC_CAP_PERMITTED];
	c->cap_ambient = s->fixed.caps[CM_RPC_CAP_AMBIENT];
	c->no_new_privs = s->fixed.flags & CM_RPC_START_NO_NEW_PRIVS;
	return c;
}

static void container_limits(const struct rpc_start *s, struct rlimit64 *rlim)
{
	u32 i;

	spawn_default_limits(rlim);
	for (i = 0; i < s->fixed.nrlimits; i++) {
		rlim[s->rlimits[i].resource].rlim_cur = s->rlimits[i].soft;
		rlim[s->rlimits[i].resource].rlim_max = s->rlimits[i].hard;
	}
}

/* The three descriptors: streams of the host, or the container's own null device. */
static int container_stdio(
	const struct rpc_start *s, struct vsock_listener *l, struct file *stdio[3])
{
	u32 i;

	for (i = 0; i < 3; i++) {
		u32 flags = i == 0 ? O_RDONLY : O_WRONLY;
		struct agent_stream *st;
		struct path root;
		int ret;

		if (s->fixed.token[i]) {
			st = agent_stream_get(l, s->fixed.token[i]);
			if (!st)
				return -ETIMEDOUT;
			stdio[i] = agent_stream_file(st, flags, s->fixed.uid);
			if (!stdio[i])
				return -ENOMEM;
			continue;
		}
		if (!mount_ns_root(container.ns, &root))
			return -ENOENT;
		ret = file_open(
			&root, "/dev/null", flags, 0, LOOKUP_FOLLOW | LOOKUP_IN_ROOT, &stdio[i]);
		path_put(&root);
		/* An image without /dev starts with the descriptor closed. */
		if (ret < 0 && ret != -ENOENT)
			return ret;
	}
	return 0;
}

/* Does argv[0] name a file? Then a failure is the program's and not the search's. */
static u32 container_exec_stage(const char *arg, int error)
{
	struct path root, at;
	int ret = -ENOENT;

	if (error != -ENOENT && error != -EACCES)
		return CM_RPC_STAGE_EXEC;
	if (error == -EACCES || !strchr(arg, '/') || !mount_ns_root(container.ns, &root))
		return CM_RPC_STAGE_LOOKUP;
	ret = path_lookup(&root, arg, LOOKUP_FOLLOW | LOOKUP_IN_ROOT, &at);
	path_put(&root);
	if (ret < 0)
		return CM_RPC_STAGE_LOOKUP;
	path_put(&at);
	return CM_RPC_STAGE_EXEC;
}

static int container_spawn(const struct rpc_start *s, struct vsock_listener *streams, char **argv,
	char **envp, struct cm_rpc_error *e)
{
	struct rlimit64 rlim[RLIM_NLIMITS];
	struct spawn sp = {
		.argv = argv,
		.envp = envp,
		.cwd = s->cwd,
		.uid = s->fixed.uid,
		.gid = s->fixed.gid,
		.umask = s->fixed.umask,
		.groups = s->groups,
		.ngroups = s->fixed.ngroups,
		.mnt_ns = container.ns,
		.rlim = rlim,
		.container = &container,
		.on_exit = container_exit,
	};
	int ret, i;

	e->stage = CM_RPC_STAGE_STDIO;
	ret = container_stdio(s, streams, sp.stdio);
	if (ret == 0) {
		container_limits(s, rlim);
		sp.cred = container_cred(s);
		ret = sp.cred ? 0 : -ENOMEM;
	}
	if (ret < 0) {
		for (i = 0; i < 3; i++) {
			if (sp.stdio[i])
				file_put(sp.stdio[i]);
		}
		return ret;
	}
	ret = task_spawn(&sp);
	if (ret < 0)
		e->stage = container_exec_stage(argv[0], ret);
	return ret;
}

int agent_container_start(
	const struct rpc_start *s, struct vsock_listener *streams, struct cm_rpc_error *e, int *pid)
{
	char **argv, **envp;
	int ret;

	if (container.ns)
		return -EBUSY;
	waitq_init(&container.wq);
	ret = agent_build_mounts(s, &container.ns, &e->stage, &e->index);
	if (ret < 0)
		return ret;
	e->stage = CM_RPC_STAGE_CWD;
	ret = agent_make_dir(container.ns, s->cwd);
	if (ret < 0)
		return ret;
	e->stage = CM_RPC_STAGE_TASK;
	if (s->hostname[0])
		ret = uts_set_hostname(s->hostname, strlen(s->hostname));
	if (ret == 0 && s->domainname[0])
		ret = uts_set_domainname(s->domainname, strlen(s->domainname));
	if (ret < 0)
		return ret;
	argv = kmalloc((s->fixed.argc + 1) * sizeof(*argv));
	envp = kmalloc((s->fixed.envc + 1) * sizeof(*envp));
	if (argv && envp) {
		rpc_strings(s->args, argv, s->fixed.argc);
		rpc_strings(s->env, envp, s->fixed.envc);
		ret = container_spawn(s, streams, argv, envp, e);
	} else {
		ret = -ENOMEM;
	}
	kfree(argv);
	kfree(envp);
	if (ret < 0)
		return ret;
	*pid = ret;
	spin_lock(&container.lock);
	container.pid = ret;
	spin_unlock(&container.lock);
	return 0;
}

/* The first process, with a reference, or NULL. */
static struct group *container_init(void)
{
	int pid;

	spin_lock(&container.lock);
	pid = container.exited ? 0 : container.pid;
	spin_unlock(&container.lock);
	return pid ? group_find(pid) : NULL;
}

static bool container_signal_one(struct group *g, void *arg)
{
	if (g->container == &container)
		signal_send_group(g, *(int *)arg, NULL);
	return true;
}

int agent_container_signal(const struct cm_rpc_signal *q)
{
	struct group *init = container_init(), *g = init;
	int signo = q->signo, ret = 0;

	if (!init)
		return -ESRCH;
	if (q->mode == CM_RPC_SIGNAL_ALL) {
		if (signo == SIGKILL)
			signal_kill_all(init);
		else
			group_for_each(container_signal_one, &signo);
		group_put(init);
		return 0;
	}
	if (q->pid != 0) {
		group_put(init);
		g = group_find(q->pid);
		if (g && g->container != &container) {
			group_put(g);
			g = NULL;
		}
	}
	if (!g)
		return -ESRCH;
	if (signo != 0)
		ret = signal_send_group(g, signo, NULL);
	group_put(g);
	return ret;
}

struct ps {
	struct cm_rpc_proc *out;
	u32 n, max;
};

static bool container_ps_one(struct group *g, void *arg)
{
	struct ps *ps = arg;
	struct cm_rpc_proc *p;

	if (g->container != &container || !g->leader)
		return true;
	if (ps->n == ps->max)
		return false;
	p = &ps->out[ps->n++];
	p->pid = g->pid;
	p->ppid = g->parent ? g->parent->pid : 0;
	p->uid = g->leader->cred ? g->leader->cred->uid : 0;
	p->threads = g->ntasks;
	p->start_ns = g->leader->start_time;
	p->cpu_ns = g->dead_utime + g->dead_stime;
	str_copy(p->comm, g->leader->comm, sizeof(p->comm));
	return true;
}

u32 agent_container_ps(struct cm_rpc_proc *out, u32 max)
{
	struct ps ps = { out, 0, max };

	memset(out, 0, max * sizeof(*out));
	group_for_each(container_ps_one, &ps);
	return ps.n;
}
