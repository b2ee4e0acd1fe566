/* SPDX-License-Identifier: Apache-2.0 */
/* May one process look into another? The rule of ptrace(2), with the caller's real ids. */
#include "task/access.h"

#include <linux/capability.h>

#include "task/internal.h"

bool task_may_access(struct task *t)
{
	const struct cred *me = cred_current();
	struct cred *c;
	bool same, ok;

	if (t->group == task_current()->group)
		return true;
	c = task_cred(t);
	same = me->uid == c->euid && me->uid == c->suid && me->uid == c->uid &&
	       me->gid == c->egid && me->gid == c->sgid && me->gid == c->gid;
	ok = same && t->group->dumpable && !(c->cap_permitted & ~me->cap_permitted);
	cred_put(c);
	return ok || capable(CAP_SYS_PTRACE);
}
