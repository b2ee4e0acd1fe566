/* SPDX-License-Identifier: Apache-2.0 */
/* casemate-fsd against a hostile client: malformed requests, unknown ids, exhausted tables, and a read-only tree. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/fsd_client.h"

static void setup(void)
{
	fc_start(NULL);
}

static int raw(const void *req, size_t len, size_t room, struct fuse_out_header *o)
{
	struct iovec in = { (void *)(uintptr_t)req, len }, out = { fc.out, room };
	size_t n = fsd_engine_handle(fc.e, &in, 1, &out, 1);

	memset(o, 0, sizeof(*o));
	memcpy(o, fc.out, n < sizeof(*o) ? n : sizeof(*o));
	return (int)n;
}

START_TEST(test_header_lengths)
{
	const uint32_t lens[] = { 0, 1, 39, 41, 1 << 20, 0x7fffffff, 0x80000000, 0xffffffff };
	struct fuse_in_header h = { .opcode = FUSE_GETATTR, .nodeid = 1, .unique = 9 };
	struct fuse_out_header o;

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		h.len = lens[i];
		ck_assert_int_eq(raw(&h, sizeof(h), 4096, &o), 16);
		ck_assert_int_eq(o.error, -EINVAL);
		ck_assert_uint_eq(o.unique, 9);
	}
	/* Cut short inside the header; no room for a reply header. */
	ck_assert_int_eq(raw(&h, 39, 4096, &o), 0);
	ck_assert_int_eq(raw(&h, 0, 4096, &o), 0);
	h.len = sizeof(h);
	ck_assert_int_eq(raw(&h, sizeof(h), 15, &o), 0);
}
END_TEST

START_TEST(test_every_opcode_with_every_length)
{
	static uint8_t req[4096];
	struct fuse_in_header h = { .nodeid = 1, .unique = 3 };
	struct fuse_out_header o;

	for (uint32_t op = 0; op < 70; op++) {
		if (op == FUSE_INIT || op == FUSE_DESTROY)
			continue;
		for (uint32_t len = sizeof(h); len < 300; len++) {
			int n;

			h.opcode = op;
			h.len = len;
			memset(req, 0xff, sizeof(req));
			memcpy(req, &h, sizeof(h));
			n = raw(req, len, 4096, &o);
			if (op == FUSE_FORGET || op == FUSE_BATCH_FORGET || op == FUSE_INTERRUPT)
				ck_assert_int_eq(n, 0);
			else
				ck_assert_int_ge(n, 16);
		}
	}
	ck_assert_int_gt(fc_mknod(1, "alive", S_IFREG | 0600), 1);
}
END_TEST

START_TEST(test_unknown_opcodes)
{
	const uint32_t ops[] = { 0, 7, 19, FUSE_IOCTL, FUSE_POLL, FUSE_BMAP, 52, 4096, 0xffffffff };

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		ck_assert_int_eq(fc_call(ops[i], 1, "01234567890123456789012345678901234567", 38,
					 NULL, NULL, NULL, 0),
			-ENOSYS);
}
END_TEST

START_TEST(test_unknown_nodes)
{
	const uint64_t ids[] = { 0, 2, 3, 1ull << 32, (1ull << 32) | 1, 65535, 1u << 31,
		UINT64_MAX };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		ck_assert_ptr_null(fc_getattr(ids[i]));
		/* 0 holds the volumes: no such one. */
		ck_assert_int_eq(fc_lookup(ids[i], "a"), ids[i] ? -ESTALE : -ENOENT);
		ck_assert_int_eq(fc_read(ids[i], 0, 0, 1), -ESTALE);
		ck_assert_int_eq(fc_forget(ids[i], 1), 1);
	}
}
END_TEST

START_TEST(test_forgotten_node_is_unknown)
{
	int64_t a = fc_mknod(1, "a", S_IFREG | 0600), b;

	ck_assert_int_eq(fc_lookup(1, "a"), a); /* two lookups now */
	fc_forget((uint64_t)a, 1);
	ck_assert_ptr_nonnull(fc_getattr((uint64_t)a));
	fc_forget((uint64_t)a, 1);
	ck_assert_ptr_null(fc_getattr((uint64_t)a));
	b = fc_mknod(1, "b", S_IFREG | 0600);
	ck_assert_int_ne(a, b); /* the slot's new tenant has a new id */
	ck_assert_ptr_null(fc_getattr((uint64_t)a));
	fc_forget((uint64_t)b, UINT64_MAX);
	ck_assert_ptr_null(fc_getattr((uint64_t)b));
	fc_forget(1, UINT64_MAX);
	ck_assert_ptr_nonnull(fc_getattr(1));
}
END_TEST

START_TEST(test_batch_forget)
{
	struct fuse_batch_forget_in a = { .count = 1000000 };
	struct fuse_forget_one one[3];
	unsigned int fds = fc_open_fds();

	for (int i = 0; i < 3; i++) {
		char name[2] = { (char)('a' + i), 0 };

		one[i].nodeid = (uint64_t)fc_mknod(1, name, S_IFREG | 0600);
		one[i].nlookup = 1;
	}
	ck_assert_uint_eq(fc_open_fds(), fds + 3);
	/* A count beyond what came is cut. */
	ck_assert_int_eq(
		fc_call(FUSE_BATCH_FORGET, 0, &a, sizeof(a), NULL, NULL, one, sizeof(one)), 1);
	ck_assert_uint_eq(fc_open_fds(), fds);
}
END_TEST

static void tune_small(struct fsd_config *cfg)
{
	cfg->max_nodes = 10;
	cfg->max_handles = 5;
}

START_TEST(test_node_table_is_bounded)
{
	struct fuse_read_in rd = { .size = 65536 };
	char name[8];
	size_t at = 0, known = 0, all = 0;
	int64_t first = 0;

	fc_restart(tune_small);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		fc_host_file(fc_path("tree/%s", name), "");
	}
	for (int i = 0; i < 10; i++) {
		int64_t n;

		(void)snprintf(name, sizeof(name), "f%d", i);
		n = fc_lookup(1, name);
		ck_assert_int_gt(n, 1);
		first = first ? first : n;
	}
	ck_assert_int_eq(fc_lookup(1, "f10"), -ENFILE);
	ck_assert_int_eq(fc_lookup(1, "f3") > 1, 1); /* a known one needs no slot */
	/* READDIRPLUS gives names without nodes then. */
	ck_assert_int_eq(fc_call(FUSE_READDIRPLUS, 1, &rd, sizeof(rd), NULL, NULL, NULL, 0), 0);
	while (at < fc.payload_len) {
		const struct fuse_direntplus *p = (const void *)(fc.payload + at);

		known += p->entry_out.nodeid ? 1 : 0;
		all++;
		at += FUSE_DIRENTPLUS_SIZE(p);
	}
	ck_assert_uint_eq(all, 22);
	ck_assert_uint_eq(known, 10);
	fc_forget((uint64_t)first, 100);
	ck_assert_int_gt(fc_lookup(1, "f10"), 1);
}
END_TEST

/* Every handle there may be, of one new file: its node. */
static int64_t fill_handles(void)
{
	struct fuse_open_in a = { .flags = O_RDONLY };
	int64_t n;

	fc_restart(tune_small);
	n = fc_mknod(1, "f", S_IFREG | 0600);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(
			fc_call(FUSE_OPEN, (uint64_t)n, &a, sizeof(a), NULL, NULL, NULL, 0), 0);
	return n;
}

START_TEST(test_handle_table_is_bounded)
{
	struct fuse_open_in a = { .flags = O_RDONLY };
	struct fuse_create_in c = { .flags = O_RDWR, .mode = 0600 };
	int64_t n = fill_handles();
	unsigned int fds = fc_open_fds();

	ck_assert_int_eq(
		fc_call(FUSE_OPEN, (uint64_t)n, &a, sizeof(a), NULL, NULL, NULL, 0), -ENFILE);
	ck_assert_int_eq(fc_call(FUSE_OPENDIR, 1, &a, sizeof(a), NULL, NULL, NULL, 0), -ENFILE);
	ck_assert_int_eq(fc_call(FUSE_CREATE, 1, &c, sizeof(c), "g", NULL, NULL, 0), -ENFILE);
	ck_assert_uint_eq(fc_open_fds(), fds);
}
END_TEST

/* What makes a name fails whole: a client that has forgotten something since asks again. */
static void check_nothing_is_made(void)
{
	struct fuse_mkdir_in dir = { .mode = 0700 };
	struct fuse_create_in c = { .flags = O_RDWR | O_EXCL, .mode = 0600 };
	struct stat st;

	ck_assert_int_eq(fc_mknod(1, "new", S_IFREG | 0600), -ENFILE);
	ck_assert_int_eq(fc_mknod(1, "new", S_IFCHR | 0600), -ENFILE);
	ck_assert_int_eq(fc_call(FUSE_MKDIR, 1, &dir, sizeof(dir), "new", NULL, NULL, 0), -ENFILE);
	ck_assert_int_eq(fc_call(FUSE_SYMLINK, 1, NULL, 0, "new", "target", NULL, 0), -ENFILE);
	ck_assert_int_eq(fc_call(FUSE_CREATE, 1, &c, sizeof(c), "new", NULL, NULL, 0), -ENFILE);
	ck_assert_int_eq(lstat(fc_path("tree/new"), &st), -1);
}

START_TEST(test_full_node_table_makes_nothing)
{
	struct fuse_create_in c = { .flags = O_RDWR, .mode = 0600 };
	struct fuse_link_in l = { 0 };
	int64_t first = 0;
	char name[8];

	fc_restart(tune_small);
	for (int i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		fc_host_file(fc_path("tree/%s", name), "");
		first = fc_lookup(1, name);
	}
	check_nothing_is_made();
	/* What is known can be opened, and have another name. */
	ck_assert_int_eq(fc_call(FUSE_CREATE, 1, &c, sizeof(c), name, NULL, NULL, 0), 0);
	l.oldnodeid = (uint64_t)first;
	ck_assert_int_eq(fc_call(FUSE_LINK, 1, &l, sizeof(l), "link", NULL, NULL, 0), 0);
	fc_forget((uint64_t)first, 100);
	ck_assert_int_gt(fc_mknod(1, "new", S_IFREG | 0600), 1);
}
END_TEST

START_TEST(test_no_descriptors_make_nothing)
{
	struct rlimit old, low;
	int64_t kept, made;
	int top;

	fc_restart(NULL);
	fc_host_file(fc_path("tree/f0"), "");
	kept = fc_lookup(1, "f0");
	ck_assert_int_gt(kept, 1);
	top = dup(0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit){ (rlim_t)top, old.rlim_max };
	close(top);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	/* One that is kept for this answers the first. */
	made = fc_mknod(1, "one", S_IFREG | 0600);
	check_nothing_is_made();
	fc_forget((uint64_t)kept, 100);
	fc_forget((uint64_t)made, 1);
	kept = fc_mknod(1, "new", S_IFREG | 0600);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_gt(made, 1);
	ck_assert_int_gt(kept, 1);
}
END_TEST

START_TEST(test_full_handle_table_makes_nothing)
{
	struct fuse_create_in c = { .flags = O_RDWR | O_EXCL, .mode = 0600 };
	struct stat st;

	(void)fill_handles();
	ck_assert_int_eq(fc_call(FUSE_CREATE, 1, &c, sizeof(c), "new", NULL, NULL, 0), -ENFILE);
	ck_assert_int_eq(lstat(fc_path("tree/new"), &st), -1);
}
END_TEST

START_TEST(test_io_descriptors_are_bounded)
{
	unsigned int fds = fc_open_fds();
	char name[16];

	for (int i = 0; i < 700; i++) {
		int64_t n;

		(void)snprintf(name, sizeof(name), "f%d", i);
		n = fc_mknod(1, name, S_IFREG | 0600);
		ck_assert_int_eq(fc_write((uint64_t)n, 0, 0, "x", 1), 1);
	}
	ck_assert_uint_le(fc_open_fds(), fds + 700 + FSD_MAX_IO);
	ck_assert_uint_ge(fc_open_fds(), fds + 700 + FSD_MAX_IO / 2);
	/* The first one's descriptor is gone; the file is not. */
	ck_assert_int_eq(fc_read((uint64_t)fc_lookup(1, "f0"), 0, 0, 10), 1);
	ck_assert_int_eq(fc_call(FUSE_DESTROY, 0, NULL, 0, NULL, NULL, NULL, 0), 0);
	ck_assert_uint_le(fc_open_fds(), fds);
	ck_assert_int_eq(fc_lookup(1, "f0"), -EIO);
}
END_TEST

START_TEST(test_init)
{
	struct fuse_init_in a = { .major = 7, .minor = 12 };
	const struct fuse_init_out *o = (const void *)(fc.out + 16);
	int64_t n = fc_mknod(1, "f", S_IFREG | 0600);

	ck_assert_int_eq(fc_init(0xffffffff), 0);
	ck_assert_uint_eq(o->max_write, FSD_MAX_WRITE);
	ck_assert_uint_eq(
		o->flags & (FUSE_POSIX_ACL | FUSE_EXPORT_SUPPORT | FUSE_MAP_ALIGNMENT), 0);
	ck_assert_uint_ne(o->flags & FUSE_WRITEBACK_CACHE, 0);
	ck_assert_ptr_null(fc_getattr((uint64_t)n)); /* a new client knows nothing */
	ck_assert_int_eq(fc_call(FUSE_INIT, 0, &a, sizeof(a), NULL, NULL, NULL, 0), -EPROTO);
	a.major = 6;
	ck_assert_int_eq(fc_call(FUSE_INIT, 0, &a, sizeof(a), NULL, NULL, NULL, 0), -EPROTO);
	a.major = 8;
	ck_assert_int_eq(fc_call(FUSE_INIT, 0, &a, sizeof(a), NULL, NULL, NULL, 0), 0);
	ck_assert_uint_eq(o->major, 7);
}
END_TEST

START_TEST(test_write_lengths)
{
	int64_t n = fc_mknod(1, "f", S_IFREG | 0600);
	const uint32_t bad[] = { 11, 4096, FSD_MAX_WRITE, FSD_MAX_WRITE + 1, 0x7fffffff,
		0xffffffff };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fuse_write_in a = { .size = bad[i] };

		ck_assert_int_eq(fc_call(FUSE_WRITE, (uint64_t)n, &a, sizeof(a), NULL, NULL,
					 "0123456789", 10),
			-EINVAL);
	}
	ck_assert_uint_eq(fc_getattr((uint64_t)n)->size, 0);
}
END_TEST

START_TEST(test_reply_room)
{
	struct fuse_getattr_in a = { 0 };

	for (size_t room = 16; room < 16 + sizeof(struct fuse_attr_out); room++) {
		fc.room = room;
		fc.out[room] = 0xa5;
		ck_assert_int_eq(
			fc_call(FUSE_GETATTR, 1, &a, sizeof(a), NULL, NULL, NULL, 0), -ERANGE);
		ck_assert_uint_eq(fc.reply_len, 16);
		ck_assert_uint_eq(fc.out[room], 0xa5);
	}
}
END_TEST

/* ---- read-only */

static void tune_readonly(struct fsd_config *cfg)
{
	fc.roots[0].readonly = true;
}

START_TEST(test_readonly)
{
	struct fuse_open_in o = { .flags = O_RDWR };
	struct fuse_create_in c = { .flags = O_RDWR | O_CREAT, .mode = 0644 };
	struct fuse_setattr_in sa = { .valid = FATTR_MODE, .mode = 0777 };
	struct fuse_rename_in rn = { .newdir = 1 };
	struct fuse_link_in l;
	struct fuse_fallocate_in fa = { .length = 10 };
	struct fuse_setxattr_in sx = { .size = 1 };
	struct fuse_copy_file_range_in cp = { .len = 1 };
	struct fuse_access_in ac = { .mask = W_OK };
	struct fuse_lk_in lk = { .owner = 1, .lk = { 0, 1, F_RDLCK, 0 } };
	uint64_t n;

	fc_host_file(fc_path("tree/f"), "text");
	fc_restart(tune_readonly);
	n = (uint64_t)fc_lookup(1, "f");
	l.oldnodeid = cp.nodeid_out = n;
	ck_assert_int_eq(fc_read(n, 0, 0, 10), 4);
	ck_assert_int_eq(fc_write(n, 0, 0, "x", 1), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_OPEN, n, &o, sizeof(o), NULL, NULL, NULL, 0), -EROFS);
	o.flags = O_RDONLY | O_TRUNC;
	ck_assert_int_eq(fc_call(FUSE_OPEN, n, &o, sizeof(o), NULL, NULL, NULL, 0), -EROFS);
	o.flags = O_RDONLY;
	ck_assert_int_eq(fc_call(FUSE_OPEN, n, &o, sizeof(o), NULL, NULL, NULL, 0), 0);
	ck_assert_int_eq(fc_call(FUSE_CREATE, 1, &c, sizeof(c), "f", NULL, NULL, 0), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_TMPFILE, 1, &c, sizeof(c), "/", NULL, NULL, 0), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_SETATTR, n, &sa, sizeof(sa), NULL, NULL, NULL, 0), -EROFS);
	ck_assert_int_eq(fc_mkdir(1, "d", 0755), -EROFS);
	ck_assert_int_eq(fc_mknod(1, "n", S_IFREG | 0644), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_SYMLINK, 1, NULL, 0, "s", "t", NULL, 0), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_LINK, 1, &l, sizeof(l), "l", NULL, NULL, 0), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_UNLINK, 1, NULL, 0, "f", NULL, NULL, 0), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_RMDIR, 1, NULL, 0, "f", NULL, NULL, 0), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_RENAME, 1, &rn, sizeof(rn), "f", "g", NULL, 0), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_FALLOCATE, n, &fa, sizeof(fa), NULL, NULL, NULL, 0), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_SETXATTR, n, &sx, 8, "user.a", NULL, "v", 1), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_REMOVEXATTR, n, NULL, 0, "user.a", NULL, NULL, 0), -EROFS);
	ck_assert_int_eq(
		fc_call(FUSE_COPY_FILE_RANGE, n, &cp, sizeof(cp), NULL, NULL, NULL, 0), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_ACCESS, n, &ac, sizeof(ac), NULL, NULL, NULL, 0), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_SETLK, n, &lk, sizeof(lk), NULL, NULL, NULL, 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsd_hostile");
	TCase *t = tcase_create("hostile");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, fc_stop);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, test_header_lengths);
	tcase_add_test(t, test_every_opcode_with_every_length);
	tcase_add_test(t, test_unknown_opcodes);
	tcase_add_test(t, test_unknown_nodes);
	tcase_add_test(t, test_forgotten_node_is_unknown);
	tcase_add_test(t, test_batch_forget);
	tcase_add_test(t, test_node_table_is_bounded);
	tcase_add_test(t, test_handle_table_is_bounded);
	tcase_add_test(t, test_full_node_table_makes_nothing);
	tcase_add_test(t, test_no_descriptors_make_nothing);
	tcase_add_test(t, test_full_handle_table_makes_nothing);
	tcase_add_test(t, test_io_descriptors_are_bounded);
	tcase_add_test(t, test_init);
	tcase_add_test(t, test_write_lengths);
	tcase_add_test(t, test_reply_room);
	tcase_add_test(t, test_readonly);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
