/* SPDX-License-Identifier: Apache-2.0 */
/* Memory policies and the place of pages on a machine with one node: decode; the rules are in mm/mempolicy.c. */
#include <linux/capability.h>
#include <linux/mempolicy.h>

#include "mm/as.h"
#include "mm/mempolicy.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "task/access.h"
#include "task/signal.h"
#include "task/user_ns.h"

#define NUMA_MAX_BITS (PAGE_SIZE * 8)
#define NUMA_PAGE(x)  ((x) & (PAGE_SIZE - 1))

/* A node mask of the user, whose length is given as one more than it has. Bits beyond MEMPOLICY_NODES must be 0. */
static int numa_get_mask(uaddr_t from, u64 maxnode, u64 *nodes)
{
	u64 bits = maxnode - 1;

	*nodes = 0;
	if (!bits || !from)
		return 0;
	if (bits > NUMA_MAX_BITS)
		return -EINVAL;
	for (u64 i = 0; i * 64 < bits; i++) {
		u64 word, left = bits - i * 64;
		int ret = get_user(word, from + i * sizeof(word));

		if (ret)
			return ret;
		if (left < 64)
			word &= (1UL << left) - 1;
		if (i && word)
			return -EINVAL;
		*nodes |= word;
	}
	return 0;
}

static int numa_put_mask(uaddr_t to, u64 maxnode, u64 nodes)
{
	u64 bytes = ALIGN_UP(maxnode - 1, 64UL) / 8;

	if (bytes > PAGE_SIZE)
		return -EINVAL;
	if (bytes > sizeof(nodes) && clear_user(to + sizeof(nodes), bytes - sizeof(nodes)))
		return -EFAULT;
	return copy_to_user(to, &nodes, MIN(bytes, sizeof(nodes)));
}

static int numa_get_policy(u32 mode, uaddr_t mask, u64 maxnode, struct mempolicy *out)
{
	u64 nodes;
	int ret;

	if ((mode & ~(u32)MPOL_MODE_FLAGS) >= MPOL_MAX)
		return -EINVAL;
	ret = numa_get_mask(mask, maxnode, &nodes);
	return ret ? ret : mempolicy_make(mode, nodes, out);
}

s64 sys_set_mempolicy(struct task *t, const struct sysargs *a)
{
	struct mempolicy p;
	int ret = numa_get_policy((u32)a->a[0], a->a[1], a->a[2], &p);

	if (!ret)
		t->mempolicy = p;
	return ret;
}

/* A page-aligned range. 1: it is not empty; 0: it is; -EINVAL. */
static int numa_range(uaddr_t start, u64 *len)
{
	u64 end;

	*len = (*len + PAGE_SIZE - 1) & PAGE_MASK;
	if (NUMA_PAGE(start) || __builtin_add_overflow(start, *len, &end))
		return -EINVAL;
	return *len != 0;
}

s64 sys_mbind(struct task *t, const struct sysargs *a)
{
	u64 len = a->a[1], nodes;
	struct mempolicy p;
	int ret;

	if (((u32)a->a[2] & ~(u32)MPOL_MODE_FLAGS) >= MPOL_MAX)
		return -EINVAL;
	ret = numa_get_mask(a->a[3], a->a[4], &nodes);
	if (ret)
		return ret;
	if ((u32)a->a[5] & ~(u32)MPOL_MF_VALID)
		return -EINVAL;
	if ((a->a[5] & MPOL_MF_MOVE_ALL) && !capable_here(CAP_SYS_NICE))
		return -EPERM;
	ret = numa_range(a->a[0], &len);
	if (ret <= 0)
		return ret;
	ret = mempolicy_make((u32)a->a[2], nodes, &p);
	/* Whatever the policy, all pages are on its node already: nothing to move, nothing to complain of. */
	return ret ? ret : as_mbind(t->as, a->a[0], len, &p);
}

s64 sys_set_mempolicy_home_node(struct task *t, const struct sysargs *a)
{
	u64 len = a->a[1];
	int ret;

	if (NUMA_PAGE(a->a[0]) || a->a[3] || a->a[2])
		return -EINVAL;
	ret = numa_range(a->a[0], &len);
	return ret <= 0 ? ret : as_check_home_node(t->as, a->a[0], len);
}

/* MPOL_F_NODE: the node of a page, which is brought in, or the next one of a task that interleaves. */
static int numa_node_of(struct task *t, u32 flags, uaddr_t addr)
{
	int ret;

	if (!(flags & MPOL_F_ADDR))
		return (t->mempolicy.mode & ~(u32)MPOL_MODE_FLAGS) == MPOL_INTERLEAVE ? 0 : -EINVAL;
	ret = as_populate(t->as, addr, 1, false);
	return ret ? -EFAULT : 0;
}

static int numa_look(struct task *t, u32 flags, uaddr_t addr, s32 *mode, u64 *nodes)
{
	struct mempolicy p = t->mempolicy;
	int ret = 0;

	*mode = 0;
	*nodes = MEMPOLICY_ALL;
	if (flags & ~(u32)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (flags & MPOL_F_MEMS_ALLOWED)
		return flags & (MPOL_F_NODE | MPOL_F_ADDR) ? -EINVAL : 0;
	if (flags & MPOL_F_ADDR)
		ret = as_get_mempolicy(t->as, addr, &p);
	else if (addr)
		ret = -EINVAL;
	if (ret)
		return ret;
	*nodes = p.nodes;
	*mode = (s32)p.mode;
	if (!(flags & MPOL_F_NODE))
		return 0;
	*mode = 0;
	return numa_node_of(t, flags, addr);
}

s64 sys_get_mempolicy(struct task *t, const struct sysargs *a)
{
	s32 mode;
	u64 nodes;
	int ret;

	if (a->a[1] && !a->a[2])
		return -EINVAL;
	ret = numa_look(t, (u32)a->a[4], a->a[3], &mode, &nodes);
	if (!ret && a->a[0])
		ret = put_user(mode, a->a[0]);
	return !ret && a->a[1] ? numa_put_mask(a->a[1], a->a[2], nodes) : ret;
}

/* ---- pages of a process ---- */
/* The address space of a process, 0: the caller's, with a reference. -ESRCH, -EPERM, -EINVAL (it has none). */
static int numa_as(struct task *t, int pid, struct as **out)
{
	struct task *other = pid ? task_find(pid) : NULL;
	int ret = 0;

	*out = NULL;
	if (pid && !other)
		return -ESRCH;
	if (other && other != t && !task_may_access(other))
		ret = -EPERM;
	if (!ret)
		*out = task_get_as(other ? other : t);
	task_put(other);
	return ret ? ret : *out ? 0 : -EINVAL;
}

/* Where page i is, or is asked to go: its status. -EFAULT, -ENODEV, -EACCES: the call's result. */
static int numa_page_status(struct as *as, const struct sysargs *a, u64 i, s32 *status)
{
	uaddr_t page;
	s32 node = 0;

	if (get_user(page, a->a[2] + i * sizeof(page)) ||
		(a->a[3] && get_user(node, a->a[3] + i * sizeof(node))))
		return -EFAULT;
	if (node)
		return -ENODEV;
	*status = as_page_node(as, page);
	return 0;
}

s64 sys_move_pages(struct task *t, const struct sysargs *a)
{
	struct as *as;
	s64 ret = 0;

	if ((u32)a->a[5] & ~(u32)(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if ((a->a[5] & MPOL_MF_MOVE_ALL) && !capable_here(CAP_SYS_NICE))
		return -EPERM;
	ret = numa_as(t, (int)a->a[0], &as);
	if (ret)
		return ret;
	for (u64 i = 0; i < a->a[1] && !ret; i++) {
		s32 status;

		ret = numa_page_status(as, a, i, &status);
		if (!ret && put_user(status, a->a[4] + i * sizeof(status)))
			ret = -EFAULT;
		if (!ret && i % 1024 == 1023 && task_killed(t))
			ret = -EINTR;
	}
	as_put(as);
	return ret;
}

s64 sys_migrate_pages(struct task *t, const struct sysargs *a)
{
	u64 from, to;
	struct as *as;
	int ret = numa_get_mask(a->a[2], a->a[1], &from);

	if (!ret)
		ret = numa_get_mask(a->a[3], a->a[1], &to);
	if (!ret)
		ret = numa_as(t, (int)a->a[0], &as);
	if (ret)
		return ret;
	as_put(as);
	if ((to & ~MEMPOLICY_ALL) && !capable_here(CAP_SYS_NICE))
		return -EPERM;
	/* No page is anywhere else. */
	return to & MEMPOLICY_ALL ? 0 : -EINVAL;
}
