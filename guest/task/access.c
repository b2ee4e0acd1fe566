/* SPDX-License-Identifier: Apache-2.0 */
/* May one process look into another? The rule of ptrace(2). */
#include "task/access.h"

#include <linux/capability.h>

#include "task/internal.h"
#include "task/user_ns.h"

/* With these ids and capabilities of the caller. */
static bool access_as(struct task *t, u32 uid, u32 gid, u64 caps)
{
	struct cred *c;
	bool same, ok;

	if (t->group == task_current()->group)
		return true;
	c = task_cred(t);
	same = uid == c->euid && uid == c->suid && uid == c->uid && gid == c->egid &&
	       gid == c->sgid && gid == c->gid;
	ok = same && t->group->dumpable && c->user_ns == user_ns_current() &&
	     !(c->cap_permitted & ~caps);
	ok = ok || ns_capable(c->user_ns, CAP_SYS_PTRACE);
	cred_put(c);
	return ok;
}

bool task_may_access(struct task *t)
{
	const struct cred *me = cred_current();

	return access_as(t, me->uid, me->gid, me->cap_permitted);
}

bool task_may_access_fs(struct task *t)
{
	const struct cred *me = cred_current();

	return !task_current() || access_as(t, me->fsuid, me->fsgid, me->cap_effective);
}
