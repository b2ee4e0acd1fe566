/* SPDX-License-Identifier: Apache-2.0 */
/* swapon and swapoff. */
#include <linux/capability.h>

#include "agent/agent.h"
#include "mm/swap.h"
#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "task/task.h"

/* Swap space is the machine's: pages of all containers go there, and it has to be there as long as they are. So the file is one of the root container's. */
static bool swap_allowed(const struct task *t)
{
	return capable(CAP_SYS_ADMIN) && agent_is_root_container(t->group);
}

static s64 swap_open(uaddr_t name, struct file **f)
{
	struct upath u;
	int ret = upath_get(&u, name);

	if (ret)
		return ret;
	ret = file_open(NULL, u.name, O_RDWR | O_LARGEFILE, 0, LOOKUP_FOLLOW, f);
	upath_put(&u);
	return ret;
}

s64 sys_swapon(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[1];
	struct file *f;
	s64 ret;

	if (flags & ~SWAP_FLAGS)
		return -EINVAL;
	if (!swap_allowed(t))
		return -EPERM;
	ret = swap_open(a->a[0], &f);
	if (ret)
		return ret;
	ret = swap_on(f, flags);
	file_put(f);
	return ret;
}

s64 sys_swapoff(struct task *t, const struct sysargs *a)
{
	struct file *f;
	s64 ret;

	if (!swap_allowed(t))
		return -EPERM;
	ret = swap_open(a->a[0], &f);
	if (ret)
		return ret;
	ret = swap_off(f);
	file_put(f);
	return ret;
}
