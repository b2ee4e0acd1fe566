/* SPDX-License-Identifier: Apache-2.0 */
/* May one process look into another? The rule of ptrace(2). */
#include "task/access.h"

#include <linux/capability.h>

#include "task/internal.h"

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
	ok = same && t->group->dumpable && !(c->cap_permitted & ~caps);
	cred_put(c);
	return ok || capable(CAP_SYS_PTRACE);
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
