/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that the host asks for: from a decoded START or EXEC to a running program, and from its end to the event. The end is told in
 * the thread of the process's last task, when its files are closed.
 */
#include "agent/internal.h"

#include "cgroup/cgroup.h"
#include "kernel/lock.h"
#include "lib/string.h"
#include "mm/filemap.h"
#include "mm/slab.h"
#include "task/user_ns.h"

struct agent_launch {
	struct spawn spawn;
	struct rlimit64 rlim[RLIM_NLIMITS];
	char **argv, **envp;
	char *home; /* in envp, when the request has none */
	struct cgroup *cgroup; /* that the program begins in, when it is not the container's */
	struct spawn_fd more[CM_RPC_FDS_MAX];
	void *payload; /* of the request that the strings lie in, when it is kept */
	struct spawn_request *held;
	struct agent_process *process;
};

static void process_unlink(struct agent_process *p)
{
	struct agent_container *c = p->container;

	spin_lock(&c->lock);
	list_del(&p->link);
	spin_unlock(&c->lock);
	if (p->tty)
		file_put(p->tty);
	kfree(p);
	waitq_wake_all(&c->wq);
}

static void process_exit_init(struct agent_container *c, struct cm_rpc_exited *e)
{
	spin_lock(&c->lock);
	c->exited = true;
	spin_unlock(&c->lock);
	if (c->number == 1)
		agent_trace_end();
	/* To the host, not to its disk: that is for programs that ask. */
	if (filemap_sync_all() == 0)
		e->flags |= CM_RPC_EXITED_SYNCED;
	if (cgroup_oom_kills(c->cgroup))
		e->flags |= CM_RPC_EXITED_OOM;
}

/* What went through the streams with these tokens until now. */
static void process_sent(const u64 out[CM_RPC_SENT], struct cm_rpc_exited *e)
{
	u32 i;

	for (i = 0; i < CM_RPC_SENT; i++)
		e->sent[i] = agent_stream_sent(out[i]);
}

static void process_exit(void *arg, int pid, int status)
{
	struct agent_process *p = arg;
	struct agent_container *c = p->container;
	struct cm_rpc_exited e = { .container = c->number, .pid = pid, .status = status };
	struct cm_rpc_hdr h = { .type = CM_RPC_EXEC_EXITED, .len = sizeof(e) };
	u64 out[CM_RPC_SENT] = { p->token[1], p->token[2] };
	bool init = p->init;

	memcpy(out + 2, p->more, sizeof(p->more));
	/* A short program ends before the agent's thread has said that it began, or that it was let go. */
	wait_event(&c->wq, atomic_load(&p->announced) && !(init && atomic_load(&c->releasing)));
	process_sent(out, &e);
	if (init) {
		h.type = CM_RPC_EXITED;
		process_exit_init(c, &e);
	} else {
		/* Before it is off the list: nothing of a container is told after its end. */
		agent_send(&h, &e);
	}
	process_unlink(p);
	if (!init)
		return;
	if (c->number != 1) {
		agent_container_end(c);
		/* What others wrote to the same streams until now. */
		process_sent(out, &e);
	}
	agent_send(&h, &e);
}

/* Supplementary groups, as the kernel counts them. */
static int process_groups(struct cred *c, const struct rpc_start *s)
{
	u32 *groups = kmalloc((s->fixed.ngroups + 1) * sizeof(*groups));
	int ret = groups ? 0 : -ENOMEM;
	u32 i;

	for (i = 0; ret == 0 && i < s->fixed.ngroups; i++) {
		groups[i] = id_to_kernel(&c->user_ns->gid, s->groups[i]);
		if (groups[i] == ID_NONE)
			ret = -EINVAL;
	}
	if (ret == 0)
		ret = cred_set_groups(c, groups, s->fixed.ngroups);
	kfree(groups);
	return ret;
}

static int process_ids(struct cred *c, const struct agent_container *k, const struct rpc_start *s)
{
	u32 uid, gid;
	int ret;

	if (k->user) {
		user_ns_get(k->user);
		user_ns_enter(c, k->user);
	}
	uid = id_to_kernel(&c->user_ns->uid, s->fixed.uid);
	gid = id_to_kernel(&c->user_ns->gid, s->fixed.gid);
	if (uid == ID_NONE || gid == ID_NONE)
		return -EINVAL;
	ret = cred_set_user(c, uid);
	if (ret == 0)
		ret = process_groups(c, s);
	c->euid = c->suid = c->fsuid = uid;
	c->gid = c->egid = c->sgid = c->fsgid = gid;
	return ret;
}

static int process_cred(
	const struct agent_container *k, const struct rpc_start *s, struct cred **out)
{
	bool plain = s->user[0] && s->fixed.uid;
	struct cred *c = cred_create();
	int ret = c ? process_ids(c, k, s) : -ENOMEM;

	if (ret < 0) {
		cred_put(c);
		return ret;
	}
	c->cap_bounding = s->fixed.caps[CM_RPC_CAP_BOUNDING];
	c->cap_effective = plain ? 0 : s->fixed.caps[CM_RPC_CAP_EFFECTIVE];
	c->cap_inheritable = s->fixed.caps[CM_RPC_CAP_INHERITABLE];
	c->cap_permitted = plain ? 0 : s->fixed.caps[CM_RPC_CAP_PERMITTED];
	/* As prctl(PR_CAP_AMBIENT_RAISE) would. */
	c->cap_ambient = s->fixed.caps[CM_RPC_CAP_AMBIENT] & c->cap_permitted & c->cap_inheritable;
	*out = c;
	return 0;
}

static void process_limits(const struct rpc_start *s, struct rlimit64 *rlim)
{
	u32 i;

	spawn_default_limits(rlim);
	for (i = 0; i < s->fixed.nrlimits; i++) {
		rlim[s->rlimits[i].resource].rlim_cur = s->rlimits[i].soft;
		rlim[s->rlimits[i].resource].rlim_max = s->rlimits[i].hard;
	}
}

/* The container's own null device, or nothing: an image without /dev starts with the descriptor closed. */
static int process_null(const struct agent_container *c, u32 flags, struct file **out)
{
	struct path root;
	int ret;

	if (!mount_ns_root(c->ns, &root))
		return -ENOENT;
	ret = file_open(&root, "/dev/null", flags, 0, LOOKUP_FOLLOW | LOOKUP_IN_ROOT, out);
	path_put(&root);
	return ret == -ENOENT ? 0 : ret;
}

/* The three descriptors: a terminal, streams of the host, or the null device. */
static int process_stdio(const struct rpc_start *s, struct vsock_listener *l,
	struct agent_process *p, u32 uid, struct file *stdio[3])
{
	u32 i;

	for (i = 0; i < 3; i++) {
		u32 flags = i == 0 ? O_RDONLY : O_WRONLY;
		u64 token = s->fixed.token[i];
		struct agent_stream *st = token ? agent_stream_get(l, token) : NULL;
		int ret = 0;

		if (token && !st)
			return -ETIMEDOUT;
		p->token[i] = token;
		if (s->fixed.flags & CM_RPC_START_TTY)
			return st ? agent_tty_create(p->container, st, uid, s->fixed.rows,
					    s->fixed.cols, &p->tty, stdio)
				  : -EINVAL;
		if (!st)
			ret = process_null(p->container, flags, &stdio[i]);
		else if (!(stdio[i] = agent_stream_file(st, flags, uid)))
			ret = -ENOMEM;
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* The descriptors besides those three. */
static int process_fds(const struct rpc_start *s, struct vsock_listener *l, struct agent_launch *p)
{
	for (u32 i = 0; i < s->fixed.nfds; i++) {
		struct agent_stream *st = agent_stream_get(l, s->fds[i].token);

		p->process->more[i] = s->fds[i].token;
		p->more[i].fd = (int)s->fds[i].fd;
		if (!st)
			return -ETIMEDOUT;
		p->more[i].file = agent_stream_file(st, s->fds[i].flags, p->spawn.cred->uid);
		if (!p->more[i].file)
			return -ENOMEM;
	}
	return 0;
}

/*
 * What failed: changing to the directory to work in, the search for the program, or, when its name does name a file, the program itself.
 */
static u32 process_exec_stage(const struct agent_container *c, const struct spawn *s, int error)
{
	const char *arg = s->file ? s->file : s->argv[0];
	struct path root, at;
	int ret = -ENOENT;

	if (s->cwd && *s->cwd && agent_check_dir(c->ns, s->cwd) == error)
		return CM_RPC_STAGE_CWD;
	if (error != -ENOENT && error != -EACCES)
		return CM_RPC_STAGE_EXEC;
	if (error == -EACCES || !strchr(arg, '/') || !mount_ns_root(c->ns, &root))
		return CM_RPC_STAGE_LOOKUP;
	ret = path_lookup(&root, arg, LOOKUP_FOLLOW | LOOKUP_IN_ROOT, &at);
	path_put(&root);
	if (ret < 0)
		return CM_RPC_STAGE_LOOKUP;
	path_put(&at);
	return CM_RPC_STAGE_EXEC;
}

static void launch_free(struct agent_launch *l)
{
	if (!l)
		return;
	kfree(l->argv);
	kfree(l->envp);
	kfree(l->home);
	if (l->cgroup)
		cgroup_put(l->cgroup);
	kfree(l->payload);
	kfree(l);
}

/* HOME comes before what is secret: that is at the end. */
static void launch_env(struct agent_launch *l, struct agent_container *c, const struct rpc_start *s)
{
	u32 at = s->fixed.envc - s->fixed.nsecret, i;

	rpc_strings(s->env, l->envp, s->fixed.envc);
	l->home = s->fixed.flags & CM_RPC_START_NO_HOME ? NULL
							: agent_home(c->ns, l->envp, s->fixed.uid);
	if (!l->home)
		return;
	for (i = s->fixed.envc; i > at; i--)
		l->envp[i] = l->envp[i - 1];
	l->envp[at] = l->home;
}

static struct agent_launch *launch_create(struct agent_container *c, const struct rpc_start *s)
{
	struct agent_launch *l = kzalloc(sizeof(*l));

	if (!l)
		return NULL;
	l->argv = kmalloc((s->fixed.argc + 1) * sizeof(*l->argv));
	l->envp = kzalloc((s->fixed.envc + 2) * sizeof(*l->envp));
	l->process = kzalloc(sizeof(*l->process));
	if (!l->argv || !l->envp || !l->process) {
		kfree(l->process);
		launch_free(l);
		return NULL;
	}
	rpc_strings(s->args, l->argv, s->fixed.argc);
	launch_env(l, c, s);
	process_limits(s, l->rlim);
	l->spawn = (struct spawn){
		.argv = l->argv,
		.envp = l->envp,
		.file = s->file[0] ? s->file : NULL,
		.nsecret = s->fixed.nsecret,
		.more = l->more,
		.nmore = s->fixed.nfds,
		.cwd = s->cwd,
		.uid = s->fixed.uid,
		.gid = s->fixed.gid,
		.umask = s->fixed.umask,
		.groups = s->groups,
		.ngroups = s->fixed.ngroups,
		.ns = c->set,
		.rlim = l->rlim,
		.cgroup = c->cgroup,
		.container = c,
		.oom_score_adj = (s16)s->fixed.oom_score_adj,
		.policy = s->fixed.policy,
		.rt_priority = s->fixed.rt_priority,
		.nice = s->fixed.nice,
		.personality = s->fixed.personality,
		.seccomp = c->filter,
		.no_new_privs = s->fixed.flags & CM_RPC_START_NO_NEW_PRIVS,
		.ctty = s->fixed.flags & CM_RPC_START_TTY,
		.on_exit = process_exit,
		.arg = l->process,
	};
	return l;
}

/* Everything but the task: stdio and credentials. */
static int launch_prepare(struct agent_launch *l, const struct rpc_start *s,
	struct vsock_listener *streams, struct cm_rpc_error *e)
{
	int ret = 0;
	u32 i;

	e->stage = CM_RPC_STAGE_CGROUP;
	e->index = CM_RPC_CGROUP_MAX;
	if (s->initial_cgroup[0])
		ret = cgroup_open(s->initial_cgroup, false, &l->cgroup);
	if (ret < 0)
		return ret;
	if (l->cgroup) {
		l->spawn.cgroup = l->cgroup;
		l->process->container->elsewhere |=
			!cgroup_contains(l->process->container->cgroup, l->cgroup);
	}
	e->stage = CM_RPC_STAGE_TASK;
	ret = process_cred(l->process->container, s, &l->spawn.cred);
	if (ret < 0)
		return ret;
	e->stage = CM_RPC_STAGE_STDIO;
	ret = process_stdio(s, streams, l->process, l->spawn.cred->uid, l->spawn.stdio);
	if (ret == 0)
		ret = process_fds(s, streams, l);
	if (ret < 0)
		cred_put(l->spawn.cred);
	for (i = 0; ret < 0 && i < 3; i++) {
		if (l->spawn.stdio[i])
			file_put(l->spawn.stdio[i]);
	}
	for (i = 0; ret < 0 && i < s->fixed.nfds; i++) {
		if (l->more[i].file)
			file_put(l->more[i].file);
	}
	return ret;
}

int agent_process_start(struct agent_container *c, const struct rpc_start *request, bool init,
	struct vsock_listener *streams, struct agent_launch **held, struct cm_rpc_error *e)
{
	struct rpc_start with = *request;
	const struct rpc_start *s = &with;
	struct agent_launch *l;
	struct agent_process *p;
	int ret = 0;

	e->stage = CM_RPC_STAGE_USER;
	if (s->user[0])
		ret = agent_user(c->ns, s->user, &with.fixed.uid, &with.fixed.gid);
	if (ret < 0)
		return ret;
	l = launch_create(c, s);
	if (!l)
		return -ENOMEM;
	p = l->process;
	p->container = c;
	p->init = init;
	spin_lock(&c->lock);
	list_add_tail(&c->processes, &p->link);
	spin_unlock(&c->lock);
	ret = launch_prepare(l, s, streams, e);
	if (ret == 0) {
		ret = task_spawn(&l->spawn, held ? &l->held : NULL);
		if (ret < 0)
			e->stage = process_exec_stage(c, &l->spawn, ret);
	}
	if (ret < 0) {
		process_unlink(p);
		agent_stream_drop_all(s);
	} else {
		atomic_store(&p->pid, ret);
	}
	if (held && ret >= 0)
		*held = l;
	else
		launch_free(l);
	return ret;
}

void agent_launch_keep(struct agent_launch *l, void *payload)
{
	l->payload = payload;
}

int agent_process_release(struct agent_launch *l, struct cm_rpc_error *e)
{
	struct agent_process *p = l->process;
	int ret = task_spawn_release(l->held);

	if (ret < 0 && ret != -EINTR) {
		e->stage = process_exec_stage(p->container, &l->spawn, ret);
		process_unlink(p);
	}
	launch_free(l);
	return ret;
}
