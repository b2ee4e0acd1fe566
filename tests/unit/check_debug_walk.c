/* SPDX-License-Identifier: Apache-2.0 */
/* The console's reading of the guest: right on a sound one, bounded on a broken one. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <casemate/guestmem.h>

#include "control/debug/session.h"
#include "control/debug/tasks.h"
#include "control/debug/text.h"
#include "tests/lib/fake_sentry.h"

static struct fake_sentry f;
static struct cm_err err;

static void set_up(void)
{
	fake_sentry_init(&f);
}

static void tear_down(void)
{
	fake_sentry_fini(&f);
}

/* ---- text and words */

START_TEST(text_is_escaped)
{
	char buf[64];

	ck_assert_str_eq(
		text_escape(buf, sizeof(buf), "a\x1b[2J\\\n\xff", 8), "a\\x1b[2J\\\\\\x0a\\xff");
	ck_assert_str_eq(text_escape(buf, sizeof(buf), "ab\0cd", 5), "ab");
	ck_assert_str_eq(text_escape(buf, 4, "abcdef", 6), "abc");
	ck_assert_str_eq(text_escape(buf, 4, "\x01\x02", 2), "");
	ck_assert_str_eq(text_printable(buf, sizeof(buf), "\"\\n\"\x07", 5), "\"\\n\"\\x07");
}
END_TEST

START_TEST(lines_are_split)
{
	char line[] = "  mem  0x10 'a b'\"c\" \n", open[] = "a 'b", many[] = "a b c";
	char *argv[4];

	ck_assert_int_eq(session_split(line, argv, 4), 3);
	ck_assert_str_eq(argv[0], "mem");
	ck_assert_str_eq(argv[2], "a bc");
	ck_assert_int_eq(session_split(open, argv, 4), -EINVAL);
	ck_assert_int_eq(session_split(many, argv, 2), -EINVAL);
}
END_TEST

/* ---- the file */

START_TEST(image_finds_names)
{
	uint64_t addr, size, offset;

	ck_assert(image_symbol(f.img, "function", &addr, &size));
	ck_assert_uint_gt(size, 0);
	ck_assert_str_eq(image_name(f.img, addr + 5, &offset), "function");
	ck_assert_uint_eq(offset, 5);
	ck_assert_ptr_null(image_name(f.img, addr - 1, &offset));
	ck_assert_ptr_null(image_name(f.img, ~0ull, &offset));
	ck_assert(!image_symbol(f.img, "nothing", &addr, &size));
	ck_assert(!image_layout(f.img, "task", "nothing", &addr, &size));
}
END_TEST

START_TEST(image_is_refused_when_cut)
{
	size_t size, n;
	uint8_t *elf = fake_sentry_elf(&size);

	for (n = 0; n < size; n += 7) {
		struct image *img = image_parse(elf, n, &err);

		ck_assert_ptr_null(img);
	}
	free(elf);
}
END_TEST

/* The image that is built must describe all that the console reads. */
START_TEST(image_of_the_build_is_complete)
{
	const char *dir = getenv("top_builddir");
	struct guest g = { .ram_gpa = CM_GPA_RAM };
	char path[4096];
	struct image *img;

	snprintf(path, sizeof(path), "%s/guest/sentry.elf", dir ? dir : ".");
	img = image_load(path, NULL, 0, &err);
	ck_assert_msg(img != NULL, "%s", err.msg);
	g.img = img;
	ck_assert_msg(guest_init(&g, &err) == 0, "%s", err.msg);
	image_free(img);
	img = image_load(path, (const uint8_t *)"another build id 123", 20, &err);
	ck_assert_ptr_null(img);
	ck_assert_ptr_nonnull(strstr(err.msg, "not the one that runs"));
}
END_TEST

/* ---- memory */

START_TEST(kernel_addresses)
{
	uint64_t gpa, top = CM_DIRECT_MAP + CM_GPA_RAM + FAKE_SENTRY_RAM;

	ck_assert_int_eq(guest_kernel_pa(&f.g, CM_KERNEL_BASE + 16, &gpa), 0);
	ck_assert_uint_eq(gpa, CM_GPA_RAM + 16);
	ck_assert_int_eq(guest_kernel_pa(&f.g, top - 1, &gpa), 0);
	ck_assert_int_eq(guest_kernel_pa(&f.g, top, &gpa), -EFAULT);
	ck_assert_int_eq(guest_kernel_pa(&f.g, 0x400000, &gpa), -EFAULT);
	ck_assert_int_eq(guest_kernel_pa(&f.g, ~0ull, &gpa), -EFAULT);
	ck_assert_uint_eq(guest_number(&f.g, top - 4, 8), 0);
	ck_assert_uint_eq(f.g.failed, 1);
}
END_TEST

START_TEST(strings_end_with_memory)
{
	uint64_t va = CM_DIRECT_MAP + CM_GPA_RAM + FAKE_SENTRY_RAM - 3;
	char buf[32];

	memcpy(f.ram + FAKE_SENTRY_RAM - 3, "xyz", 3);
	ck_assert_str_eq(guest_string(&f.g, va, 100, buf, sizeof(buf)), "xyz");
	ck_assert_str_eq(guest_string(&f.g, 12, 100, buf, sizeof(buf)), "");
}
END_TEST

static void put_entry(uint64_t table, unsigned index, uint64_t entry)
{
	memcpy(f.ram + (table - CM_GPA_RAM) + 8ul * index, &entry, sizeof(entry));
}

START_TEST(page_tables_are_walked)
{
	uint64_t t = CM_GPA_RAM + 0x8000, va = 0x7f0000123456;
	uint32_t v = 0x12345678;
	struct guest_walk w;

	put_entry(t, va >> 39 & 511, (t + 0x1000) | 7);
	put_entry(t + 0x1000, va >> 30 & 511, (t + 0x2000) | 7);
	put_entry(t + 0x2000, va >> 21 & 511, (t + 0x3000) | 7);
	put_entry(t + 0x3000, va >> 12 & 511, (CM_GPA_RAM + 0x5000) | 5);
	memcpy(f.ram + 0x5456, &v, sizeof(v));
	guest_walk(&f.g, t | 0xfff, va, &w);
	ck_assert(w.mapped);
	ck_assert_uint_eq(w.steps, 4);
	ck_assert_uint_eq(w.gpa, CM_GPA_RAM + 0x5456);
	ck_assert_int_eq(guest_read_user(&f.g, t, va, &v, sizeof(v)), 0);
	ck_assert_uint_eq(v, 0x12345678);
	/* Across the end of what is mapped. */
	ck_assert_int_eq(guest_read_user(&f.g, t, (va | 0xfff) - 1, &v, sizeof(v)), -EFAULT);
	/* A huge page. */
	put_entry(t + 0x2000, va >> 21 & 511, 0x100000000 | 0x87);
	guest_forget(&f.g);
	guest_walk(&f.g, t, va, &w);
	ck_assert_uint_eq(w.steps, 3);
	ck_assert_uint_eq(w.size, 2u << 20);
	ck_assert_uint_eq(w.gpa, 0x100000000 | (va & 0x1fffff));
	/* pvm: the odd root is the user's of a pair. */
	f.g.pvm = true;
	guest_walk(&f.g, t | 0x1000, va, &w);
	ck_assert_uint_eq(w.step[0].table, t);
	/* A table outside memory. */
	put_entry(t, va >> 39 & 511, 0x7ffffffff000 | 7);
	guest_forget(&f.g);
	guest_walk(&f.g, t, va, &w);
	ck_assert_uint_eq(w.steps, 2);
	ck_assert(!w.step[1].read && !w.mapped);
}
END_TEST

/* ---- structures */

static unsigned seen;

static bool count_task(struct guest *g, const struct task_info *t, void *arg)
{
	seen++;
	return true;
}

START_TEST(tasks_are_found)
{
	uint64_t task = fake_sentry_task(&f, 42);
	struct task_info t;

	memcpy(f.ram + (guest_at(&f.g, task, F_TASK_COMM) - CM_DIRECT_MAP - CM_GPA_RAM), "x\033y",
		3);
	ck_assert(tasks_find(&f.g, 42, &t));
	ck_assert_int_eq(t.pid, 42);
	ck_assert_str_eq(t.comm, "x\\x1by");
	ck_assert(!tasks_find(&f.g, 43, &t));
	tasks_each(&f.g, count_task, NULL);
	ck_assert_uint_eq(seen, 1);
}
END_TEST

/* A list whose links never come back to its head. */
START_TEST(lists_are_bounded)
{
	uint64_t head = fake_sentry_new(&f), a = fake_sentry_new(&f), pos = 0;
	unsigned n = 0;

	fake_sentry_put(&f, guest_at(&f.g, head, F_LIST_NEXT), a);
	fake_sentry_put(&f, guest_at(&f.g, a, F_LIST_NEXT), a);
	while (guest_list_next(&f.g, head, &pos, &n))
		;
	ck_assert_uint_eq(n, GUEST_LIST);
	/* One that leads out of memory. */
	fake_sentry_put(&f, guest_at(&f.g, a, F_LIST_NEXT), 0x1234);
	guest_forget(&f.g);
	pos = n = 0;
	while (guest_list_next(&f.g, head, &pos, &n))
		;
	ck_assert_uint_eq(n, 1);
}
END_TEST

static bool count_node(struct guest *g, uint64_t node, void *arg)
{
	++*(unsigned *)arg;
	return true;
}

START_TEST(trees_are_bounded)
{
	uint64_t root = fake_sentry_new(&f), a = fake_sentry_new(&f), b = fake_sentry_new(&f);
	unsigned n = 0;

	fake_sentry_set(&f, root, F_RB_ROOT, a);
	fake_sentry_set(&f, a, F_RB_LEFT, b);
	ck_assert_uint_eq(guest_tree(&f.g, root, count_node, &n), 2);
	ck_assert_uint_eq(n, 2);
	/* Down to the left for ever. */
	fake_sentry_set(&f, b, F_RB_LEFT, a);
	guest_forget(&f.g);
	ck_assert_uint_le(guest_tree(&f.g, root, count_node, &n), GUEST_LIST);
	fake_sentry_set(&f, b, F_RB_LEFT, 0);
	fake_sentry_set(&f, b, F_RB_RIGHT, b);
	guest_forget(&f.g);
	ck_assert_uint_le(guest_tree(&f.g, root, count_node, &n), GUEST_LIST);
}
END_TEST

START_TEST(paths_are_made)
{
	uint64_t mnt = fake_sentry_new(&f), root = fake_sentry_new(&f), d = fake_sentry_new(&f);
	uint64_t name = fake_sentry_new(&f);
	char buf[64];

	memcpy(f.ram + (name - CM_DIRECT_MAP - CM_GPA_RAM), "na\nme", 5);
	fake_sentry_set(&f, mnt, F_MOUNT_ROOT, root);
	fake_sentry_set(&f, root, F_DENTRY_PARENT, root);
	fake_sentry_set(&f, d, F_DENTRY_PARENT, root);
	fake_sentry_set(&f, d, F_DENTRY_NAME, name);
	fake_sentry_set(&f, d, F_DENTRY_LEN, 5);
	ck_assert_str_eq(tasks_path(&f.g, mnt, d, buf, sizeof(buf)), "/na\\x0ame");
	ck_assert_str_eq(tasks_path(&f.g, mnt, root, buf, sizeof(buf)), "/");
	/* Two directories that are each other's parent. */
	fake_sentry_set(&f, root, F_DENTRY_PARENT, d);
	fake_sentry_set(&f, mnt, F_MOUNT_ROOT, 0);
	guest_forget(&f.g);
	tasks_path(&f.g, mnt, d, buf, sizeof(buf));
	ck_assert_uint_lt(strlen(buf), sizeof(buf));
}
END_TEST

START_TEST(stacks_are_unwound)
{
	uint64_t fn = 0, entry = 0, stack = fake_sentry_new(&f);
	struct stack_frame fr[STACK_DEPTH];

	image_symbol(f.img, "function", &fn, NULL);
	image_symbol(f.img, "trap_kernel_entry", &entry, NULL);
	/* function, called by function, interrupted in function: the interrupt entry stands in between. */
	fake_sentry_put(&f, stack, stack + 32);
	fake_sentry_put(&f, stack + 8, entry + 10);
	fake_sentry_put(&f, stack + 32, 0);
	fake_sentry_put(&f, stack + 40, fn);
	ck_assert_uint_eq(stack_unwind(&f.g, fn + 4, stack, fr, STACK_DEPTH), 3);
	ck_assert_str_eq(fr[0].name, "function");
	ck_assert_uint_eq(fr[0].offset, 4);
	ck_assert_str_eq(fr[1].name, "trap_kernel_entry");
	ck_assert(fr[2].exact);
	ck_assert_str_eq(fr[2].name, "function");
	/* A frame that is its own caller. */
	fake_sentry_put(&f, stack, stack);
	guest_forget(&f.g);
	ck_assert_uint_eq(stack_unwind(&f.g, fn, stack, fr, STACK_DEPTH), STACK_DEPTH);
	ck_assert_str_eq(stack_wait_channel(fr, 2), "function");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("debug_walk");
	TCase *t = tcase_create("guest");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, text_is_escaped);
	tcase_add_test(t, lines_are_split);
	tcase_add_test(t, image_finds_names);
	tcase_add_test(t, image_is_refused_when_cut);
	tcase_add_test(t, image_of_the_build_is_complete);
	tcase_add_test(t, kernel_addresses);
	tcase_add_test(t, strings_end_with_memory);
	tcase_add_test(t, page_tables_are_walked);
	tcase_add_test(t, tasks_are_found);
	tcase_add_test(t, lists_are_bounded);
	tcase_add_test(t, trees_are_bounded);
	tcase_add_test(t, paths_are_made);
	tcase_add_test(t, stacks_are_unwound);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
