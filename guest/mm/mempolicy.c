/* SPDX-License-Identifier: Apache-2.0 */
/* Memory policies: rules, and those of VMAs. */
#include "mm/mempolicy.h"

#include <linux/mempolicy.h>

#include "kernel/errno.h"
#include "lib/printf.h"
#include "mm/as_internal.h"

#define POLICY_OWN_NODES (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)

static int policy_flags(u32 mode)
{
	if ((mode & POLICY_OWN_NODES) == POLICY_OWN_NODES)
		return -EINVAL;
	if ((mode & MPOL_F_NUMA_BALANCING) && (mode & ~(u32)MPOL_MODE_FLAGS) != MPOL_BIND)
		return -EINVAL;
	return 0;
}

/* Those of the nodes asked for that there are; relative ones are counted round and round. */
static u64 policy_effective(u32 mode, u64 nodes)
{
	if (mode & MPOL_F_RELATIVE_NODES)
		return nodes ? MEMPOLICY_ALL : 0;
	return nodes & MEMPOLICY_ALL;
}

int mempolicy_make(u32 mode, u64 nodes, struct mempolicy *out)
{
	u32 kind = mode & ~(u32)MPOL_MODE_FLAGS;

	if (kind >= MPOL_MAX || policy_flags(mode))
		return -EINVAL;
	*out = (struct mempolicy){ .mode = mode };
	switch (kind) {
	case MPOL_DEFAULT:
		out->mode = MPOL_DEFAULT;
		return nodes ? -EINVAL : 0;
	case MPOL_LOCAL:
		return nodes || (mode & POLICY_OWN_NODES) ? -EINVAL : 0;
	case MPOL_PREFERRED:
		if (nodes)
			break;
		out->mode = MPOL_LOCAL;
		return mode & POLICY_OWN_NODES ? -EINVAL : 0;
	default:
		break;
	}
	if (!policy_effective(mode, nodes))
		return -EINVAL;
	out->nodes = mode & POLICY_OWN_NODES ? nodes : policy_effective(mode, nodes);
	return 0;
}

bool mempolicy_equal(const struct mempolicy *a, const struct mempolicy *b)
{
	return a->mode == b->mode && a->nodes == b->nodes;
}

void mempolicy_text(const struct mempolicy *p, char *buf, size_t size)
{
	static const char *const names[MPOL_MAX] = {
		[MPOL_DEFAULT] = "default",
		[MPOL_PREFERRED] = "prefer",
		[MPOL_BIND] = "bind",
		[MPOL_INTERLEAVE] = "interleave",
		[MPOL_LOCAL] = "local",
		[MPOL_PREFERRED_MANY] = "prefer (many)",
	};
	u32 kind = p->mode & ~(u32)MPOL_MODE_FLAGS;
	const char *flags = "";

	if (p->mode & MPOL_F_STATIC_NODES)
		flags = "=static";
	else if (p->mode & MPOL_F_RELATIVE_NODES)
		flags = "=relative";
	/* Whatever was asked for, the nodes in use are node 0. */
	str_format(buf, size, "%s%s%s", names[kind], flags, p->nodes ? ":0" : "");
}

/* ---- of VMAs ---- */
/* Is all of [start, end) mapped? lock held. */
static bool policy_covered(struct as *as, uaddr_t start, uaddr_t end)
{
	struct vma *v = as_find_vma(as, start);

	for (; v && v->start <= start; v = vma_next(v)) {
		start = v->end;
		if (start >= end)
			return true;
	}
	return false;
}

static int policy_set_locked(struct as *as, uaddr_t start, uaddr_t end, const struct mempolicy *p,
	struct list_head *dead)
{
	struct vma *v = as_find_vma(as, start);
	int ret;

	if (!v || v->start >= end || (p->mode != MPOL_DEFAULT && !policy_covered(as, start, end)))
		return -EFAULT;
	ret = vma_isolate(as, start, end);
	if (ret)
		return ret;
	for (v = as_find_vma(as, start); v && v->start < end; v = vma_next(v)) {
		v->policy = *p;
		v = vma_merge(v, dead);
	}
	v = vma_find_exact(as, end);
	if (v)
		vma_merge(v, dead);
	return 0;
}

int as_mbind(struct as *as, uaddr_t start, u64 len, const struct mempolicy *p)
{
	struct list_head dead;
	int ret;

	list_init(&dead);
	rwsem_write_lock(&as->lock);
	ret = policy_set_locked(as, start, start + len, p, &dead);
	rwsem_write_unlock(&as->lock);
	vma_free_list(&dead);
	return ret;
}

int as_get_mempolicy(struct as *as, uaddr_t addr, struct mempolicy *out)
{
	struct vma *v;

	rwsem_read_lock(&as->lock);
	v = vma_find_exact(as, addr);
	if (v)
		*out = v->policy;
	rwsem_read_unlock(&as->lock);
	return v ? 0 : -EFAULT;
}

int as_check_home_node(struct as *as, uaddr_t start, u64 len)
{
	struct vma *v;
	int ret = -ENOENT;

	rwsem_read_lock(&as->lock);
	for (v = as_find_vma(as, start); v && v->start < start + len; v = vma_next(v)) {
		u32 kind = v->policy.mode & ~(u32)MPOL_MODE_FLAGS;

		if (kind == MPOL_DEFAULT)
			continue;
		ret = kind == MPOL_BIND || kind == MPOL_PREFERRED_MANY ? 0 : -EOPNOTSUPP;
		if (ret)
			break;
	}
	rwsem_read_unlock(&as->lock);
	return ret;
}

static int page_node_locked(struct as *as, uaddr_t addr)
{
	const pte_t *slot;
	struct page *p;
	int ret = -ENOENT;

	spin_lock(&as->pt_lock);
	slot = pgt_look(&as->pt, addr);
	p = slot && *slot ? page_of(pte_pa(*slot)) : NULL;
	if (p)
		ret = p->flags & PG_RESERVED ? -EFAULT : 0;
	spin_unlock(&as->pt_lock);
	return ret;
}

int as_page_node(struct as *as, uaddr_t addr)
{
	struct vma *v;
	int ret = -EFAULT;

	rwsem_read_lock(&as->lock);
	v = vma_find_exact(as, addr);
	if (v && !(v->flags & VMA_SPECIAL))
		ret = page_node_locked(as, ALIGN_DOWN(addr, PAGE_SIZE));
	rwsem_read_unlock(&as->lock);
	return ret;
}
