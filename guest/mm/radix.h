/* SPDX-License-Identifier: Apache-2.0 */
/* Radix tree of pointers by 64-bit index, with one tag. Nodes hold 64 slots. Valid when zero-filled. The caller locks. */
#ifndef MM_RADIX_H
#define MM_RADIX_H

#include "lib/types.h"

struct radix_node;

struct radix {
	struct radix_node *root;
	u32 height; /* levels; 0 = empty */
};

void *radix_get(const struct radix *r, u64 index); /* NULL = nothing there */
int radix_insert(struct radix *r, u64 index, void *item); /* 0, -EEXIST or -ENOMEM; untagged */
void *radix_remove(struct radix *r, u64 index); /* what was there, or NULL */
void radix_tag(struct radix *r, u64 index, bool on); /* of an existing item */
/* First (tagged) item at or after *index, which moves to it. NULL = none. */
void *radix_next(const struct radix *r, u64 *index, bool tagged);

#endif
