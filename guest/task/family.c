/* SPDX-License-Identifier: Apache-2.0 */
/* Parents and children, process groups and sessions: news for parents, reparenting, orphaned groups. */
#include "task/signal.h"

#include "lib/string.h"
#include "task/family.h"
#include "task/ptrace.h"
#include "task/user_ns.h"

/* News of t for `to`, in the numbers that it sees. */
static siginfo_t family_child_info(struct task *t, const struct group *to, int code, int status)
{
	struct cred *c = task_cred(t);
	struct cred *seer = to->leader ? task_cred(to->leader) : NULL;
	u32 uid = seer ? id_from_kernel(&seer->user_ns->uid, c->uid) : ID_NONE;
	siginfo_t info = signal_info(
		SIGCHLD, code, pid_nr_ns(t->id, to->ns), uid == ID_NONE ? ID_OVERFLOW : uid);
	u64 utime, stime;

	cred_put(c);
	cred_put(seer);
	group_times(t->group, &utime, &stime);
	info.si_status = status;
	info.si_utime = (__kernel_clock_t)(utime / (1000000000UL / 100));
	info.si_stime = (__kernel_clock_t)(stime / (1000000000UL / 100));
	return info;
}

void family_tell_stop_locked(struct task *t, struct group *to, int why, int status)
{
	siginfo_t info = family_child_info(t, to, why, status);
	u64 flags = sig_lock(to);

	if (!(to->sighand->action[SIGCHLD - 1].flags & SA_NOCLDSTOP))
		signal_generate_locked(to, NULL, SIGCHLD, &info, false);
	sig_unlock(to, flags);
	waitq_wake_all(&to->wait_children);
}

void group_notify_stop(struct group *g, int why)
{
	u64 tree = tree_lock();
	int status = why == CLD_CONTINUED ? SIGCONT : (int)g->stop_sig;
	struct task *leader = g->leader;

	if (g->parent && leader)
		family_tell_stop_locked(leader, g->parent, why, status);
	if (why == CLD_CONTINUED && ptrace_elsewhere_locked(g))
		family_tell_stop_locked(leader, leader->trace.tracer->group, why, status);
	tree_unlock(tree);
}

static siginfo_t family_end_info(struct task *t, const struct group *to, int status)
{
	if ((status & 0x7f) == 0)
		return family_child_info(t, to, CLD_EXITED, status >> 8 & 0xff);
	return family_child_info(t, to, status & 0x80 ? CLD_DUMPED : CLD_KILLED, status & 0x7f);
}

void family_tell_end_locked(struct task *t, struct group *to, int sig)
{
	int status = t == t->group->leader ? t->group->exit_code : t->exit_code;
	siginfo_t info = family_end_info(t, to, status);
	u64 flags;

	info.si_signo = sig;
	flags = sig_lock(to);
	if (sig)
		signal_generate_locked(to, NULL, sig, &info, false);
	sig_unlock(to, flags);
	waitq_wake_all(&to->wait_children);
}

bool group_notify_exit_locked(struct group *g)
{
	struct group *parent = g->parent;
	struct task *leader = g->leader;
	int sig = (int)g->exit_signal;
	bool forget = false;
	u64 flags;

	flags = sig_lock(g);
	g->state = GROUP_ZOMBIE;
	sig_unlock(g, flags);
	waitq_wake_all(&g->exit_wq);
	pgrp_check_orphan_locked(g, parent);
	if (ptrace_elsewhere_locked(g)) {
		family_tell_end_locked(leader, leader->trace.tracer->group, SIGCHLD);
		return false;
	}
	if (!parent)
		return true;
	if (sig == SIGCHLD && !ptrace_traced(leader)) {
		u64 handler, sa_flags;

		flags = sig_lock(parent);
		handler = parent->sighand->action[SIGCHLD - 1].handler;
		sa_flags = parent->sighand->action[SIGCHLD - 1].flags;
		sig_unlock(parent, flags);
		if (handler == (u64)SIG_IGN)
			sig = 0;
		forget = sig == 0 || (sa_flags & SA_NOCLDWAIT);
	}
	/* An init that ends waits for the numbers of its children, whatever signal they have for it. */
	forget |= parent->ns->dying && parent->ns->init == parent;
	family_tell_end_locked(leader, parent, sig);
	return forget;
}

/* Who adopts the children of g: the nearest living subreaper above, else the container's init, else nobody. */
static struct group *family_new_parent(struct group *g)
{
	struct group *p;

	if (g->has_subreaper) {
		for (p = g->parent; p; p = p->parent) {
			if (p->ns == g->ns && p->subreaper && READ_ONCE(p->nlive))
				return p;
		}
	}
	p = g->ns->init;
	return p == g ? NULL : p;
}

static void family_parent_died(struct group *child)
{
	struct task *t;

	list_for_each_entry (t, &child->tasks, group_link) {
		if (t->pdeath_signal)
			signal_send_group(child, (int)t->pdeath_signal, NULL);
	}
}

void group_reparent_children_locked(struct group *g)
{
	struct group *heir = family_new_parent(g);
	struct group *child, *next;

	list_for_each_entry_safe (child, next, &g->children, sibling) {
		list_del(&child->sibling);
		child->parent = heir;
		if (heir)
			list_add_tail(&heir->children, &child->sibling);
		if (heir)
			child->exit_signal = SIGCHLD;
		family_parent_died(child);
		pgrp_check_orphan_locked(child, g);
		if (child->state == GROUP_ZOMBIE && !ptrace_traced(child->leader) &&
			group_notify_exit_locked(child)) {
			struct task *leader = child->leader;

			task_unlink_locked(leader);
			task_free_later(leader);
		}
	}
}

void group_release_zombies_locked(struct group *g)
{
	struct group *child, *next;

	list_for_each_entry_safe (child, next, &g->children, sibling) {
		struct task *leader = child->leader;

		if (child->state != GROUP_ZOMBIE || !leader)
			continue;
		task_unlink_locked(leader);
		task_free_later(leader);
	}
}

bool pgrp_orphaned_locked(
	const struct pid *pgrp, const struct pid *session, const struct group *ignored)
{
	struct group *g;

	list_for_each_entry (g, &pid_ns_root.groups, ns_link) {
		const struct group *p = g->parent;

		if (g->pgrp != pgrp || g == ignored || g->state == GROUP_ZOMBIE || !p)
			continue;
		if (p->pgrp != pgrp && p->session == session && g->session == session)
			return false;
	}
	return true;
}

bool task_pgrp_orphaned(const struct pid *pgrp, const struct pid *session)
{
	u64 flags = tree_lock();
	bool ret = pgrp_orphaned_locked(pgrp, session, NULL);

	tree_unlock(flags);
	return ret;
}

void pgrp_check_orphan_locked(struct group *g, struct group *parent)
{
	const struct pid *pgrp = g->pgrp;
	struct group *pos;
	bool stopped = false;

	/* Only a parent in another group of the session kept it from being an orphan. */
	if (!parent || parent->pgrp == pgrp || parent->session != g->session)
		return;
	list_for_each_entry (pos, &pid_ns_root.groups, ns_link)
		stopped |= pos->pgrp == pgrp && pos->state == GROUP_STOPPED;
	if (!stopped ||
		!pgrp_orphaned_locked(pgrp, g->session, g->state == GROUP_ZOMBIE ? g : NULL))
		return;
	list_for_each_entry (pos, &pid_ns_root.groups, ns_link) {
		if (pos->pgrp != pgrp)
			continue;
		signal_send_group(pos, SIGHUP, NULL);
		signal_send_group(pos, SIGCONT, NULL);
	}
}

static bool family_pgrp_in_session(const struct pid *pgrp, const struct pid *session)
{
	struct group *g;

	list_for_each_entry (g, &pid_ns_root.groups, ns_link) {
		if (g->pgrp == pgrp && g->session == session)
			return true;
	}
	return false;
}

static int family_setpgid_locked(struct group *self, int pid, int pgid)
{
	struct group *g = pid ? group_leader_of(self->ns, pid) : self;
	struct pid *pgrp;

	if (!g)
		return -ESRCH;
	if (g != self) {
		if (g->parent != self)
			return -ESRCH;
		if (g->session != self->session)
			return -EPERM;
		if (g->did_exec)
			return -EACCES;
	}
	if (g->session == g->id)
		return -EPERM;
	pgrp = pgid ? pid_find_locked(self->ns, pgid) : g->id;
	if (pgrp != g->id && (!pgrp || !family_pgrp_in_session(pgrp, self->session)))
		return -EPERM;
	if (pgrp != g->pgrp)
		group_set_pgrp_locked(g, pgrp);
	return 0;
}

int family_setpgid(struct group *self, int pid, int pgid)
{
	u64 flags;
	int ret;

	if (pgid < 0)
		return -EINVAL;
	flags = tree_lock();
	ret = family_setpgid_locked(self, pid, pgid);
	tree_unlock(flags);
	return ret;
}

int family_setsid(struct group *self)
{
	u64 flags = tree_lock();

	/* The number must not name a group already, or the new session's leader would share it. */
	if (self->session == self->id || self->id->users[PID_GROUP]) {
		tree_unlock(flags);
		return -EPERM;
	}
	group_set_session_locked(self, self->id);
	group_set_pgrp_locked(self, self->id);
	self->tty = NULL;
	tree_unlock(flags);
	return self->sid;
}
