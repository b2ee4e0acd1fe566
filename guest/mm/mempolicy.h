/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory policies. There is one node, so no policy changes where memory comes from; they are checked, kept and shown as Linux does: one of a task (task.h),
 * one of each VMA. Shared memory has none of its own, as it has in Linux: a policy holds for the mapping through which it was set.
 */
#ifndef MM_MEMPOLICY_H
#define MM_MEMPOLICY_H

#include "lib/types.h"

struct as;

#define MEMPOLICY_NODES 64u /* numbers that a mask may have: CONFIG_NODES_SHIFT 6 */
#define MEMPOLICY_ALL	1UL /* node 0 */

struct mempolicy {
	u32 mode; /* MPOL_* with MPOL_F_STATIC_NODES and so on; all 0: the default one */
	u64 nodes; /* those asked for with MPOL_F_STATIC_NODES or MPOL_F_RELATIVE_NODES, else those that there are */
};

/* 0 or -EINVAL. Pure. */
int mempolicy_make(u32 mode, u64 nodes, struct mempolicy *out);
bool mempolicy_equal(const struct mempolicy *a, const struct mempolicy *b);
/* "bind:0", terminated. Pure. */
void mempolicy_text(const struct mempolicy *p, char *buf, size_t size);

/* mbind: flags are MPOL_MF_*, checked. 0, -EFAULT (something is not mapped; allowed for the default policy), -ENOMEM. */
int as_mbind(struct as *as, uaddr_t start, u64 len, const struct mempolicy *p);
/* The policy of what is mapped at addr. 0 or -EFAULT. */
int as_get_mempolicy(struct as *as, uaddr_t addr, struct mempolicy *out);
/* set_mempolicy_home_node, checks only. 0, -ENOENT (no mapping with a policy), -EOPNOTSUPP (one whose policy has no home). */
int as_check_home_node(struct as *as, uaddr_t start, u64 len);
/* Node of the page at addr, 0. -EFAULT: nothing is mapped, or a page of the kernel's; -ENOENT: no page. */
int as_page_node(struct as *as, uaddr_t addr);

#endif
