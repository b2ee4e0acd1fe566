/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random file operations through hostfs against a model in memory, with caches dropped, written back and mounted anew in between: what the sentry
 * reads, and what the host has after a sync, must be what the model has.
 */
#include <config.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_fs_chan.h"
#include "fake_guest.h"
#include "fs/hostfs/hostfs.h"
#include "fs/internal.h"
#include "fs/path.h"

#include <linux/falloc.h>

#define NAMES	  12
#define OBJECTS	  64
#define SIZE_MAX_ (96u * 1024)
#define STEPS	  4000

struct object {
	unsigned int nlink;
	unsigned int mode;
	size_t size;
	char data[SIZE_MAX_ + 1];
};

static struct mount_ns *ns;
static struct path root;
static struct object objects[OBJECTS];
static struct object *names[NAMES];
static const char *options;
static unsigned int step;

static const char *name_of(unsigned int i)
{
	static char buf[4][32];
	static unsigned int n;
	char *b = buf[n++ % 4];

	(void)snprintf(b, sizeof(buf[0]), "d%u/name-%u", i % 3, i);
	return b;
}

static void do_mount(void)
{
	ns = mount_ns_create();
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, NULL, 0, options), 0);
	ck_assert(mount_ns_root(ns, &root));
}

static void do_umount(void)
{
	path_put(&root);
	mount_ns_put(ns);
}

static struct object *object_new(void)
{
	for (unsigned int i = 0; i < OBJECTS; i++) {
		if (!objects[i].nlink) {
			memset(&objects[i], 0, sizeof(objects[i]));
			objects[i].nlink = 1;
			objects[i].mode = 0644;
			return &objects[i];
		}
	}
	ck_abort_msg("out of objects");
}

static struct file *open_name(unsigned int i, u32 flags)
{
	struct file *f = NULL;

	ck_assert_msg(file_open(&root, name_of(i), flags, 0644, 0, &f) == 0, "step %u: open %s",
		step, name_of(i));
	return f;
}

static void close_file(struct file *f)
{
	if (f->ops->flush)
		ck_assert_int_eq(f->ops->flush(f), 0);
	file_put(f);
}

/* ---- operations */

static void op_write(unsigned int i)
{
	static char buf[20000];
	size_t len = 1 + (size_t)random() % sizeof(buf),
	       at = (size_t)random() % (SIZE_MAX_ - sizeof(buf));
	struct file *f = open_name(i, O_RDWR | O_CREAT);
	struct object *o = names[i] ? names[i] : (names[i] = object_new());

	if (random() % 3 == 0)
		at = o->size < SIZE_MAX_ - len ? o->size : 0;
	if (random() % 4 == 0)
		at &= ~(size_t)4095;
	for (size_t k = 0; k < len; k++)
		buf[k] = (char)random();
	ck_assert_int_eq(file_write_kernel(f, buf, len, at), (s64)len);
	memcpy(o->data + at, buf, len);
	if (at + len > o->size)
		o->size = at + len;
	close_file(f);
}

static void op_truncate(unsigned int i)
{
	size_t size = (size_t)random() % SIZE_MAX_;
	struct path p;

	if (!names[i])
		return;
	if (random() % 3 == 0)
		size = 0;
	ck_assert_int_eq(path_lookup(&root, name_of(i), 0, &p), 0);
	ck_assert_int_eq(vfs_truncate(&p, size), 0);
	path_put(&p);
	if (size < names[i]->size)
		memset(names[i]->data + size, 0, names[i]->size - size);
	names[i]->size = size;
}

static void op_unlink(unsigned int i)
{
	ck_assert_int_eq(vfs_unlink(&root, name_of(i)), names[i] ? 0 : -ENOENT);
	if (names[i])
		names[i]->nlink--;
	names[i] = NULL;
}

static void op_rename(unsigned int i, unsigned int j)
{
	int err = vfs_rename(&root, name_of(i), &root, name_of(j), 0);

	ck_assert_int_eq(err, names[i] ? 0 : -ENOENT);
	if (!names[i] || i == j || names[i] == names[j])
		return;
	if (names[j])
		names[j]->nlink--;
	names[j] = names[i];
	names[i] = NULL;
}

static void op_link(unsigned int i, unsigned int j)
{
	struct path p;

	if (!names[i])
		return;
	ck_assert_int_eq(path_lookup(&root, name_of(i), 0, &p), 0);
	ck_assert_int_eq(vfs_link(&p, &root, name_of(j)), names[j] ? -EEXIST : 0);
	path_put(&p);
	if (!names[j]) {
		names[j] = names[i];
		names[j]->nlink++;
	}
}

static void op_chmod(unsigned int i)
{
	unsigned int mode = (unsigned int)random() & 0777;
	struct path p;

	if (!names[i])
		return;
	ck_assert_int_eq(path_lookup(&root, name_of(i), 0, &p), 0);
	ck_assert_int_eq(vfs_chmod(&p, mode), 0);
	path_put(&p);
	names[i]->mode = mode;
}

static void op_punch(unsigned int i)
{
	size_t at = (size_t)random() % SIZE_MAX_, len = 1 + (size_t)random() % 30000;
	struct file *f;

	if (!names[i])
		return;
	f = open_name(i, O_RDWR);
	ck_assert_int_eq(
		f->ops->fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len), 0);
	close_file(f);
	if (at < names[i]->size)
		memset(names[i]->data + at, 0, MIN(len, names[i]->size - at));
}

/* ---- comparisons */

static void check_read(unsigned int i)
{
	static char buf[SIZE_MAX_ + 4096];
	struct inode *inode;
	struct file *f;
	s64 n;

	if (!names[i]) {
		ck_assert_int_eq(file_open(&root, name_of(i), O_RDONLY, 0, 0, &f), -ENOENT);
		return;
	}
	f = open_name(i, O_RDONLY);
	inode = f->inode;
	n = file_read_kernel(f, buf, sizeof(buf), 0);
	ck_assert_msg(n == (s64)names[i]->size, "step %u: %s has %ld bytes, not %zu", step,
		name_of(i), (long)n, names[i]->size);
	ck_assert_msg(memcmp(buf, names[i]->data, (size_t)n) == 0, "step %u: %s differs", step,
		name_of(i));
	ck_assert_uint_eq(inode->nlink, names[i]->nlink);
	ck_assert_uint_eq(inode->mode & 07777, names[i]->mode);
	close_file(f);
}

static void check_host(unsigned int i)
{
	if (!names[i]) {
		ck_assert_int_eq(host_size(name_of(i)), -1);
		return;
	}
	ck_assert_int_eq(host_size(name_of(i)), (long)names[i]->size);
	ck_assert_uint_eq(host_mode(name_of(i)) & 07777, names[i]->mode);
	ck_assert_int_eq(host_compare(name_of(i), names[i]->data, names[i]->size), 0);
}

static void check_all_on_host(void)
{
	ck_assert_int_eq(filemap_sync_all(), 0);
	for (unsigned int i = 0; i < NAMES; i++)
		check_host(i);
}

static void disturb(unsigned int i)
{
	struct path p;

	switch (random() % 6) {
	case 0:
		check_all_on_host();
		break;
	case 1:
		dcache_shrink((size_t)random() % 40);
		break;
	case 2:
		do_umount();
		for (unsigned int k = 0; k < NAMES; k++)
			check_host(k);
		do_mount();
		break;
	case 3:
		fake_now += 10 * HOSTFS_VALID_NS;
		break;
	default:
		if (path_lookup(&root, name_of(i), 0, &p))
			break;
		mapping_invalidate(dentry_inode(p.dentry)->mapping, 0, ~0UL);
		path_put(&p);
		break;
	}
}

static void run(unsigned int seed)
{
	srandom(seed);
	for (step = 0; step < STEPS; step++) {
		unsigned int i = (unsigned int)random() % NAMES, j = (unsigned int)random() % NAMES;

		switch (random() % 16) {
		case 0 ... 3:
			op_write(i);
			break;
		case 4:
			op_truncate(i);
			break;
		case 5:
			op_unlink(i);
			break;
		case 6:
			op_rename(i, j);
			break;
		case 7:
			op_link(i, j);
			break;
		case 8:
			op_chmod(i);
			break;
		case 9:
			op_punch(i);
			break;
		case 10:
			disturb(i);
			break;
		default:
			check_read(i);
			break;
		}
	}
	check_all_on_host();
}

static void start(const char *opts)
{
	options = opts;
	fake_ram(64);
	fake_fs_start(0);
	hostfs_init();
	do_mount();
	/* One directory from the host, the others made here (these know their names). */
	host_mkdir("d0");
	ck_assert_int_eq(vfs_mkdir(&root, "d1", 0755), 0);
	ck_assert_int_eq(vfs_mkdir(&root, "d2", 0755), 0);
}

static void setup_exclusive(void)
{
	start("exclusive");
}

static void setup_shared(void)
{
	start("shared");
}

static void teardown(void)
{
	do_umount();
	ck_assert_uint_eq(fake_spin_held, 0);
	ck_assert_uint_eq(fake_sem_held, 0);
	fake_fs_stop();
}

START_TEST(test_random)
{
	run((unsigned int)_i + 1);
}
END_TEST

static void add(Suite *s, const char *name, void (*up)(void))
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, up, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_random, 0, 6);
	suite_add_tcase(s, t);
}

int main(void)
{
	Suite *s = suite_create("guest_hostfs_random");
	SRunner *sr;
	int failed;

	add(s, "exclusive", setup_exclusive);
	add(s, "shared", setup_shared);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
