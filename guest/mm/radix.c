/* SPDX-License-Identifier: Apache-2.0 */
/* Radix tree: each node knows by bitmap which slots are used and below which of them something is tagged. */
#include "mm/radix.h"

#include "kernel/errno.h"
#include "mm/slab.h"

#define RADIX_BITS  6u
#define RADIX_SLOTS 64u

struct radix_node {
	u64 present, tagged;
	void *slot[RADIX_SLOTS];
};

static struct kcache radix_nodes = KCACHE("radix_node", struct radix_node);

static u32 radix_shift(u32 level)
{
	return level * RADIX_BITS;
}

/* Does a tree of this height reach the index? */
static bool radix_covers(u32 height, u64 index)
{
	return height * RADIX_BITS >= 64 || index >> (height * RADIX_BITS) == 0;
}

static u32 radix_slot(u64 index, u32 level)
{
	return (u32)(index >> radix_shift(level)) & (RADIX_SLOTS - 1);
}

void *radix_get(const struct radix *r, u64 index)
{
	struct radix_node *n = r->root;

	if (!r->height || !radix_covers(r->height, index))
		return NULL;
	for (u32 level = r->height - 1; level && n; level--)
		n = n->slot[radix_slot(index, level)];
	return n ? n->slot[radix_slot(index, 0)] : NULL;
}

/* A new root above the old one. */
static int radix_grow(struct radix *r)
{
	struct radix_node *n = kcache_zalloc(&radix_nodes);

	if (!n)
		return -ENOMEM;
	if (r->root) {
		n->slot[0] = r->root;
		n->present = 1;
		n->tagged = r->root->tagged ? 1 : 0;
	}
	r->root = n;
	r->height++;
	return 0;
}

/* Free the empty nodes on the path to index, and roots with nothing but slot 0. */
static void radix_prune(struct radix *r, u64 index)
{
	while (r->root) {
		struct radix_node *n = r->root, *parent = NULL;
		u32 level = r->height - 1, last = 0;

		while (level && n->slot[radix_slot(index, level)]) {
			parent = n;
			last = radix_slot(index, level);
			n = n->slot[last];
			level--;
		}
		if (n->present)
			break;
		kcache_free(&radix_nodes, n);
		if (!parent) {
			r->root = NULL;
			r->height = 0;
			break;
		}
		parent->slot[last] = NULL;
		parent->present &= ~(1UL << last);
		parent->tagged &= ~(1UL << last);
	}
	while (r->height > 1 && r->root->present == 1) {
		struct radix_node *n = r->root;

		r->root = n->slot[0];
		r->height--;
		kcache_free(&radix_nodes, n);
	}
}

int radix_insert(struct radix *r, u64 index, void *item)
{
	struct radix_node *n;
	int ret = 0;

	while (!r->height || !radix_covers(r->height, index)) {
		ret = radix_grow(r);
		if (ret)
			goto out;
	}
	n = r->root;
	for (u32 level = r->height - 1; level; level--) {
		u32 slot = radix_slot(index, level);

		if (!n->slot[slot]) {
			n->slot[slot] = kcache_zalloc(&radix_nodes);
			if (!n->slot[slot]) {
				ret = -ENOMEM;
				goto out;
			}
			n->present |= 1UL << slot;
		}
		n = n->slot[slot];
	}
	if (n->slot[radix_slot(index, 0)])
		return -EEXIST;
	n->slot[radix_slot(index, 0)] = item;
	n->present |= 1UL << radix_slot(index, 0);
	return 0;
out:
	radix_prune(r, index);
	return ret;
}

void radix_tag(struct radix *r, u64 index, bool on)
{
	struct radix_node *path[64 / RADIX_BITS + 1];
	struct radix_node *n = r->root;

	if (!r->height || !radix_covers(r->height, index))
		return;
	for (u32 level = r->height; level-- > 0;) {
		path[level] = n;
		if (!n->slot[radix_slot(index, level)])
			return;
		n = n->slot[radix_slot(index, level)];
	}
	for (u32 level = 0; level < r->height; level++) {
		u64 bit = 1UL << radix_slot(index, level);

		if (on)
			path[level]->tagged |= bit;
		else
			path[level]->tagged &= ~bit;
		if (!on && path[level]->tagged)
			break;
	}
}

void *radix_remove(struct radix *r, u64 index)
{
	struct radix_node *n = r->root;
	void *item;

	if (!radix_get(r, index))
		return NULL;
	radix_tag(r, index, false);
	for (u32 level = r->height - 1; level; level--)
		n = n->slot[radix_slot(index, level)];
	item = n->slot[radix_slot(index, 0)];
	n->slot[radix_slot(index, 0)] = NULL;
	n->present &= ~(1UL << radix_slot(index, 0));
	if (!n->present || r->root->present == 1)
		radix_prune(r, index);
	return item;
}

void *radix_next(const struct radix *r, u64 *index, bool tagged)
{
	u64 at = *index;

	while (r->height && radix_covers(r->height, at)) {
		struct radix_node *n = r->root;
		u32 level = r->height - 1;

		for (;;) {
			u32 slot = radix_slot(at, level);
			u64 map = (tagged ? n->tagged : n->present) >> slot;

			if (!map) {
				/* nothing left below n: go on behind it */
				u64 step = radix_shift(level + 1) >= 64
						   ? 0
						   : 1UL << radix_shift(level + 1);
				u64 next = step ? (at & ~(step - 1)) + step : 0;

				if (next <= at)
					return NULL;
				at = next;
				break;
			}
			if (!(map & 1)) {
				slot += (u32)__builtin_ctzl(map);
				at &= ~((1UL << radix_shift(level)) - 1);
				at += (u64)(slot - radix_slot(at, level)) << radix_shift(level);
			}
			if (!level) {
				*index = at;
				return n->slot[slot];
			}
			n = n->slot[slot];
			level--;
		}
	}
	return NULL;
}
