/* SPDX-License-Identifier: Apache-2.0 */
/* Red-black tree: rebalancing and in-order walks. NULL children count as black. */
#include "lib/rbtree.h"

static bool rb_is_red(const struct rb_node *n)
{
	return n && n->red;
}

/* Put `to` where `from` hangs below its parent. */
static void rb_replace_child(struct rb_root *root, struct rb_node *from, struct rb_node *to)
{
	struct rb_node *parent = from->parent;

	if (!parent)
		root->node = to;
	else if (parent->left == from)
		parent->left = to;
	else
		parent->right = to;
	if (to)
		to->parent = parent;
}

static void rb_rotate_left(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *r = n->right;

	rb_replace_child(root, n, r);
	n->right = r->left;
	if (r->left)
		r->left->parent = n;
	r->left = n;
	n->parent = r;
}

static void rb_rotate_right(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *l = n->left;

	rb_replace_child(root, n, l);
	n->left = l->right;
	if (l->right)
		l->right->parent = n;
	l->right = n;
	n->parent = l;
}

static void rb_rotate(struct rb_root *root, struct rb_node *n, bool left)
{
	if (left)
		rb_rotate_left(root, n);
	else
		rb_rotate_right(root, n);
}

void rb_insert(
	struct rb_root *root, struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	n->parent = parent;
	n->left = n->right = NULL;
	n->red = true;
	*link = n;
	while (rb_is_red(n->parent)) {
		struct rb_node *grand = n->parent->parent;
		bool left = n->parent == grand->left;
		struct rb_node *uncle = left ? grand->right : grand->left;

		if (rb_is_red(uncle)) {
			n->parent->red = uncle->red = false;
			grand->red = true;
			n = grand;
			continue;
		}
		if (n == (left ? n->parent->right : n->parent->left)) {
			n = n->parent;
			rb_rotate(root, n, left);
		}
		n->parent->red = false;
		grand->red = true;
		rb_rotate(root, grand, !left);
	}
	root->node->red = false;
}

/* The subtree at n (perhaps empty, below parent) is one black node short. */
static void rb_erase_fixup(struct rb_root *root, struct rb_node *n, struct rb_node *parent)
{
	while (n != root->node && !rb_is_red(n)) {
		bool left = parent->left == n;
		struct rb_node *s = left ? parent->right : parent->left;
		struct rb_node *far;

		if (rb_is_red(s)) {
			s->red = false;
			parent->red = true;
			rb_rotate(root, parent, left);
			s = left ? parent->right : parent->left;
		}
		if (!rb_is_red(s->left) && !rb_is_red(s->right)) {
			s->red = true;
			n = parent;
			parent = n->parent;
			continue;
		}
		far = left ? s->right : s->left;
		if (!rb_is_red(far)) {
			(left ? s->left : s->right)->red = false;
			s->red = true;
			rb_rotate(root, s, !left);
			s = left ? parent->right : parent->left;
			far = left ? s->right : s->left;
		}
		s->red = parent->red;
		parent->red = false;
		far->red = false;
		rb_rotate(root, parent, left);
		n = root->node;
	}
	if (n)
		n->red = false;
}

void rb_erase(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *child, *parent, *next = n;
	bool red;

	if (n->left && n->right) {
		for (next = n->right; next->left; next = next->left)
			;
	}
	/* next has at most one child: it leaves its place, and takes n's when it is another node */
	red = next->red;
	child = next->left ? next->left : next->right;
	parent = next->parent;
	rb_replace_child(root, next, child);
	if (next != n) {
		if (parent == n)
			parent = next;
		next->left = n->left;
		next->right = n->right;
		next->red = n->red;
		rb_replace_child(root, n, next);
		if (next->left)
			next->left->parent = next;
		if (next->right)
			next->right->parent = next;
	}
	if (!red)
		rb_erase_fixup(root, child, parent);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	struct rb_node *down = n->right;

	if (down) {
		while (down->left)
			down = down->left;
		return down;
	}
	while (n->parent && n == n->parent->right)
		n = n->parent;
	return n->parent;
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	struct rb_node *down = n->left;

	if (down) {
		while (down->right)
			down = down->right;
		return down;
	}
	while (n->parent && n == n->parent->left)
		n = n->parent;
	return n->parent;
}
