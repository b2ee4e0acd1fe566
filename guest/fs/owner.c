/* SPDX-License-Identifier: Apache-2.0 */
/* The owner of a file (F_SETOWN) and the signal that it gets. */
#include "fs/lease.h"

#include <linux/fcntl.h>

#include "lib/string.h"
#include "task/internal.h"

static struct spinlock owner_lock; /* protects: owner, owner_type of every file; leaf */

void file_set_owner(struct file *f)
{
	file_change_owner(f, F_OWNER_PID, task_current()->group->id, false);
}

void file_change_owner(struct file *f, s32 type, struct pid *pid, bool replace)
{
	const struct cred *c = cred_current();
	struct pid *old;

	spin_lock(&owner_lock);
	old = f->owner;
	if (old && !replace) {
		spin_unlock(&owner_lock);
		return;
	}
	f->owner = pid_get(pid);
	f->owner_type = type;
	f->owner_uid = c->uid;
	f->owner_euid = c->euid;
	spin_unlock(&owner_lock);
	pid_put(old);
}

struct pid *file_get_owner(struct file *f, s32 *type)
{
	struct pid *p;

	spin_lock(&owner_lock);
	p = pid_get(f->owner);
	*type = f->owner_type;
	spin_unlock(&owner_lock);
	return p;
}

/* A signal as the file's owner gets it; the plain SIGIO where a chosen one cannot be queued. */
struct owner_msg {
	int sig;
	const siginfo_t *info; /* NULL: the kernel's own */
	u32 uid, euid;
};

/* As for kill(2), with the identity of who chose the owner. */
static bool owner_may_send(const struct owner_msg *m, struct task *target)
{
	struct cred *tc = task_cred(target);
	bool ok = !m->euid || m->euid == tc->suid || m->euid == tc->uid || m->uid == tc->suid ||
		  m->uid == tc->uid;

	cred_put(tc);
	return ok;
}

static int owner_send(const struct owner_msg *m, struct group *g, struct task *t)
{
	if (!owner_may_send(m, t ? t : g->leader))
		return 0;
	return t ? signal_send_task(t, m->sig, m->info) : signal_send_group(g, m->sig, m->info);
}

static void owner_send_surely(const struct owner_msg *m, struct group *g, struct task *t)
{
	struct owner_msg plain = { .sig = SIGIO, .uid = m->uid, .euid = m->euid };

	if (owner_send(m, g, t) == -EAGAIN)
		owner_send(&plain, g, t);
}

static void owner_tell(const struct pid *owner, s32 type, const struct owner_msg *m)
{
	u64 flags = tree_lock();
	struct group *g;

	if (type == F_OWNER_PGRP) {
		list_for_each_entry (g, &pid_ns_root.groups, ns_link) {
			if (g->pgrp == owner)
				owner_send_surely(m, g, NULL);
		}
	} else if (type == F_OWNER_TID) {
		if (owner->task && !list_empty(&owner->task->group_link))
			owner_send_surely(m, NULL, owner->task);
	} else {
		g = group_of_pid(owner);
		if (g)
			owner_send_surely(m, g, NULL);
	}
	tree_unlock(flags);
}

static void signal_owner(struct file *f, int sig, const siginfo_t *info)
{
	struct owner_msg m = { .sig = sig, .info = info };
	struct pid *owner;
	s32 type;

	spin_lock(&owner_lock);
	owner = pid_get(f->owner);
	type = f->owner_type;
	m.uid = f->owner_uid;
	m.euid = f->owner_euid;
	spin_unlock(&owner_lock);
	if (owner)
		owner_tell(owner, type, &m);
	pid_put(owner);
}

void file_signal_owner(struct file *f, int fd, int code, s64 band)
{
	int sig = READ_ONCE(f->owner_sig);
	siginfo_t info;

	if (!sig) {
		signal_owner(f, SIGIO, NULL);
		return;
	}
	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = code;
	info.si_band = band;
	info.si_fd = fd;
	signal_owner(f, sig, &info);
}

void file_signal_urgent(struct file *f)
{
	signal_owner(f, SIGURG, NULL);
}
