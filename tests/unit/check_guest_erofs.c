/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sentry's erofs under the real VFS and page cache, with its image behind the real hostfs and the real engine of casemate-fsd: what programs see,
 * what it costs, what a damaged image does, and that nothing stays behind.
 */
#include <config.h>

#include <check.h>
#include <stdlib.h>

#include "fake_fs_chan.h"
#include "fake_guest.h"
#include "fs/erofs/erofs.h"
#include "fs/hostfs/hostfs.h"
#include "fs/internal.h"
#include "fs/path.h"
#include "lib/printf.h"
#include "tests/lib/erofs_build.h"

#include <linux/fs.h>

#define FIRST 65u /* number of an image */

#define MANY 40

static struct mount_ns *ns;
static struct path root;
static struct eb b;
static u32 number;
static unsigned int fds; /* open before any image */

static void make_dir(const char *name)
{
	struct path p;

	host_mkdir(name);
	ck_assert_int_eq(path_lookup(&root, name, 0, &p), 0);
	path_put(&p);
}

static void setup(void)
{
	fake_ram(64);
	fake_fs_start(0);
	hostfs_init();
	erofs_init();
	ns = mount_ns_create();
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, NULL, 0, "exclusive"), 0);
	ck_assert(mount_ns_root(ns, &root));
	make_dir("m");
	number = FIRST;
	fds = fake_fs_open_fds();
}

static void teardown(void)
{
	path_put(&root);
	mount_ns_put(ns);
	ck_assert_uint_eq(fake_spin_held, 0);
	ck_assert_uint_eq(fake_sem_held, 0);
	ck_assert_uint_eq(fake_fs_count(FUSE_DESTROY), 1);
	fake_fs_stop();
	eb_free(&b);
}

static int mount_bytes(const void *data, size_t len, const char *target)
{
	struct super *sb;
	int err;

	ck_assert_int_eq(fake_fs_image(number, data, len), 0);
	err = erofs_mount_image(FAKE_FS_TAG, number++, &sb);
	return err ? err : mount_super(ns, sb, "image", target, MS_RDONLY);
}

static int umount(const char *target)
{
	struct path p;
	int err = path_lookup(&root, target, 0, &p);

	if (err)
		return err;
	path_follow_mounts(&p);
	err = mount_umount(&p, 0);
	path_put(&p);
	return err;
}

/* The sample at /m; block size by the loop's index. */
static void mount_sample(int i)
{
	eb_start(&b, EROFS_BLOCK_BITS_MIN + (u32)i);
	eb_sample(&b);
	ck_assert_int_eq(mount_bytes(b.buf, b.len, "/m"), 0);
	fake_fs_reset_counts();
}

static struct path path_of(const char *name)
{
	struct path p;
	int err = path_lookup(&root, name, 0, &p);

	ck_assert_msg(err == 0, "%s: %d", name, err);
	return p;
}

static struct inode *inode_of(const char *name)
{
	struct path p = path_of(name);
	struct inode *inode = dentry_inode(p.dentry);

	path_put(&p); /* the dentry cache keeps it */
	return inode;
}

static int lookup_err(const char *name)
{
	struct path p;
	int err = path_lookup(&root, name, 0, &p);

	if (!err)
		path_put(&p);
	return err;
}

static struct file *open_file(const char *name)
{
	struct file *f;

	ck_assert_int_eq(file_open(&root, name, O_RDONLY, 0, 0, &f), 0);
	return f;
}

/* The whole file, in pieces; bytes [hole, hole_end) are zeroes. */
static void expect_file(const char *name, u64 size, u64 hole, u64 hole_end)
{
	struct file *f = open_file(name);
	u8 buf[1000];
	u64 at = 0;
	s64 n;

	while ((n = file_read_kernel(f, buf, sizeof(buf), at)) > 0) {
		for (s64 i = 0; i < n; i++, at++)
			ck_assert_uint_eq(buf[i], at >= hole && at < hole_end ? 0 : eb_byte(at));
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(at, size);
	file_put(f);
}

/* ---- right images */

START_TEST(test_attributes)
{
	struct inode *in;
	struct statfs_info st = { 0 };
	struct path p;
	char buf[64];

	mount_sample(_i);
	in = inode_of("m/plain");
	ck_assert_uint_eq(in->mode, S_IFREG | 04755);
	ck_assert_uint_eq(in->nlink, 2);
	ck_assert_uint_eq(in->uid, 70000);
	ck_assert_uint_eq(in->gid, 80000);
	ck_assert_uint_eq(in->size, EB_PLAIN);
	ck_assert_uint_eq(in->blocks, ALIGN_UP(EB_PLAIN, 512u << _i) / 512);
	ck_assert_int_eq(in->mtime.sec, 1234567890);
	ck_assert_uint_eq(in->ctime.nsec, 123456789);
	ck_assert_ptr_eq(inode_of("m/hard"), in);
	in = inode_of("m/null");
	ck_assert_uint_eq(in->mode, S_IFCHR | 0666);
	ck_assert_uint_eq(in->rdev, 0x103);
	ck_assert_uint_eq(inode_of("m/fifo")->mode, S_IFIFO | 0600);
	ck_assert_int_eq(inode_readlink(inode_of("m/link"), buf, sizeof(buf)), 8);
	ck_assert_mem_eq(buf, "dir/n007", 8);
	ck_assert_int_eq(lookup_err("m/none"), -ENOENT);
	ck_assert_int_eq(lookup_err("m/dir/n300"), -ENOENT);
	p = path_of("m");
	ck_assert_int_eq(vfs_statfs(&p, &st), 0);
	path_put(&p);
	ck_assert_uint_eq(st.type, 0xe0f5e1e2);
	ck_assert_uint_eq(st.bsize, 512u << _i);
	ck_assert_uint_eq(st.blocks << (9 + _i), b.len);
	ck_assert_uint_eq(st.bfree, 0);
	ck_assert_uint_eq(st.files - st.ffree, 9);
}
END_TEST

START_TEST(test_contents)
{
	u32 block = 512u << _i;

	mount_sample(_i);
	expect_file("m/plain", EB_PLAIN, 0, 0);
	expect_file("m/inline", EB_INLINE, 0, 0);
	expect_file("m/chunks", 3 * block + 100, block, 2 * block);
	expect_file("m/empty", 0, 0, 0);
	expect_file("m/hard", EB_PLAIN, 0, 0);
	/* Behind the end of the file the page is zeroes, not what lies behind it in the image: for who maps it. */
	{
		struct inode *in = inode_of("m/plain");
		struct page *p;

		ck_assert_int_eq(mapping_get_page(in->mapping, EB_PLAIN >> PAGE_SHIFT, &p), 0);
		for (u32 i = EB_PLAIN & (PAGE_SIZE - 1); i < PAGE_SIZE; i++)
			ck_assert_uint_eq(((u8 *)page_va(p))[i], 0);
		page_put(p);
	}
}
END_TEST

struct listing {
	struct dir_emit d;
	u32 n, room;
	char last[NAME_MAX_LEN + 1];
};

static bool listing_emit(
	struct dir_emit *d, const char *name, size_t len, u64 ino, u32 type, u64 off)
{
	struct listing *l = container_of(d, struct listing, d);

	if (l->room-- == 0)
		return false;
	ck_assert_uint_gt(off, d->pos);
	ck_assert_uint_eq(type, (l->last[0] && strcmp(l->last, ".") ? S_IFREG : S_IFDIR) >> 12);
	ck_assert_uint_ne(ino, ~0UL);
	ck_assert_int_lt(strncmp(l->last, name, len), 0);
	memcpy(l->last, name, len);
	l->last[len] = 0;
	l->n++;
	return true;
}

/* However many go into one call, each name comes once. */
START_TEST(test_readdir)
{
	mount_sample(_i);
	for (u32 room = 1; room < 400; room += 57) {
		struct file *f = open_file("m/dir");
		struct listing l = { .d = { .emit = listing_emit } };
		u32 before;

		do {
			before = l.n;
			l.room = room;
			ck_assert_int_eq(f->ops->readdir(f, &l.d), 0);
		} while (l.n != before);
		ck_assert_uint_eq(l.n, EB_NAMES + 2);
		file_put(f);
	}
}
END_TEST

START_TEST(test_readonly)
{
	struct path p;
	struct file *f;

	mount_sample(3);
	ck_assert_int_eq(file_open(&root, "m/plain", O_RDWR, 0, 0, &f), -EROFS);
	ck_assert_int_eq(file_open(&root, "m/new", O_RDWR | O_CREAT, 0600, 0, &f), -EROFS);
	ck_assert_int_eq(vfs_mkdir(&root, "m/new", 0700), -EROFS);
	ck_assert_int_eq(vfs_unlink(&root, "m/plain"), -EROFS);
	p = path_of("m/plain");
	ck_assert_int_eq(vfs_chmod(&p, 0600), -EROFS);
	path_put(&p);
	/* A remount does not change that. */
	p = path_of("m");
	ck_assert_int_eq(mount_remount(&p, 0, false), 0);
	path_put(&p);
	ck_assert_int_eq(file_open(&root, "m/plain", O_RDWR, 0, 0, &f), -EROFS);
	ck_assert_int_eq(vfs_mkdir(&root, "m/new", 0700), -EROFS);
}
END_TEST

START_TEST(test_xattrs)
{
	struct path p;
	char buf[64];

	mount_sample(_i);
	p = path_of("m/inline");
	ck_assert_int_eq(vfs_getxattr(&p, "user.one", buf, sizeof(buf)), 5);
	ck_assert_mem_eq(buf, "value", 5);
	ck_assert_int_eq(vfs_getxattr(&p, "security.shared", buf, sizeof(buf)), 6);
	ck_assert_int_eq(vfs_getxattr(&p, "user.two", buf, sizeof(buf)), -ENODATA);
	ck_assert_int_eq(vfs_listxattr(&p, buf, sizeof(buf)), 45);
	ck_assert_int_eq(vfs_setxattr(&p, "user.one", "x", 1, 0), -EROFS);
	path_put(&p);
}
END_TEST

/* A large file comes in batches, straight into its own pages. */
START_TEST(test_reads_in_batches)
{
	const u32 size = 600000;
	u8 *data = malloc(size);
	struct eb_inode make = { .mode = S_IFREG | 0644, .nlink = 1, .size = size };
	struct eb_name names[3];
	u64 top;

	for (u32 i = 0; i < size; i++)
		data[i] = eb_byte(i);
	eb_start(&b, 12);
	top = eb_dir_inode(&b, 2);
	make.where = eb_data(&b, data, size);
	names[0] = (struct eb_name){ ".", top, EROFS_TYPE_DIR };
	names[1] = (struct eb_name){ "..", top, EROFS_TYPE_DIR };
	names[2] = (struct eb_name){ "large", eb_inode(&b, &make), EROFS_TYPE_REG };
	eb_dir_fill(&b, top, names, 3);
	eb_finish(&b, top);
	ck_assert_int_eq(mount_bytes(b.buf, b.len, "/m"), 0);
	ck_assert_int_eq(lookup_err("m/large"), 0);
	fake_fs_reset_counts();
	expect_file("m/large", size, 0, 0);
	ck_assert_uint_le(fake_fs_requests(), 4); /* 147 pages, at most 64 at a time */
	fake_fs_reset_counts();
	expect_file("m/large", size, 0, 0);
	ck_assert_uint_eq(fake_fs_requests(), 0);
	free(data);
}
END_TEST

/* ---- life */

START_TEST(test_umount_lets_go)
{
	struct file *f;

	mount_sample(3);
	ck_assert_uint_eq(fake_fs_open_fds(), fds + 1);
	f = open_file("m/plain");
	ck_assert_int_eq(umount("m"), -EBUSY);
	file_put(f);
	ck_assert_int_eq(umount("m"), 0);
	ck_assert_uint_eq(fake_fs_open_fds(), fds);
	ck_assert_int_eq(lookup_err("m/plain"), -ENOENT);
}
END_TEST

START_TEST(test_many)
{
	char name[16];

	eb_start(&b, 12);
	eb_sample(&b);
	for (int i = 0; i < MANY; i++) {
		str_format(name, sizeof(name), "m%d", i);
		make_dir(name);
		ck_assert_int_eq(mount_bytes(b.buf, b.len, name), 0);
	}
	/* The same file is one node. */
	ck_assert_uint_eq(fake_fs_open_fds(), fds + MANY + 1);
	for (int i = 0; i < MANY; i++) {
		str_format(name, sizeof(name), "m%d/inline", i);
		expect_file(name, EB_INLINE, 0, 0);
	}
	for (int i = 0; i < MANY; i++) {
		str_format(name, sizeof(name), "m%d", i);
		ck_assert_int_eq(umount(name), 0);
	}
	ck_assert_uint_eq(fake_fs_open_fds(), fds + MANY);
}
END_TEST

/* A number serves once, and one that nobody handed over does not. */
START_TEST(test_numbers)
{
	struct super *sb;

	mount_sample(3);
	ck_assert_int_eq(erofs_mount_image(FAKE_FS_TAG, number - 1, &sb), -ENOENT);
	ck_assert_int_eq(erofs_mount_image(FAKE_FS_TAG, number, &sb), -ENOENT);
	ck_assert_int_eq(erofs_mount_image(FAKE_FS_TAG, 1, &sb), -EINVAL);
	ck_assert_int_eq(erofs_mount_image("other", number, &sb), -ENODEV);
	ck_assert_int_eq(vfs_mount(ns, "erofs", "/m/plain", "/m", 0, ""), -ENOENT);
}
END_TEST

START_TEST(test_no_image)
{
	char text[3000] = "no image";
	unsigned int open;

	ck_assert_int_eq(mount_bytes(text, sizeof(text), "/m"), -EINVAL);
	ck_assert_int_eq(mount_bytes(text, 0, "/m"), -EINVAL);
	eb_start(&b, 12);
	eb_sample(&b);
	ck_assert_int_eq(mount_bytes(b.buf, b.len - 4096, "/m"), -EUCLEAN);
	b.sb->root++; /* not a directory */
	eb_finish(&b, b.sb->root);
	ck_assert_int_eq(mount_bytes(b.buf, b.len, "/m"), -EINVAL);
	ck_assert_int_eq(mount_bytes(b.buf, b.len, "/nowhere"), -EINVAL);
	eb_finish(&b, b.sb->root - 1u);
	open = fake_fs_open_fds();
	ck_assert_int_eq(mount_bytes(b.buf, b.len, "/nowhere"), -ENOENT);
	ck_assert_uint_eq(fake_fs_open_fds(), open);
	ck_assert_uint_eq(open, fds);
}
END_TEST

/* The owner of the image makes it shorter while it is mounted. */
START_TEST(test_truncated_later)
{
	struct file *f;
	u8 byte;

	mount_sample(3);
	f = open_file("m/plain");
	fake_fs_image_resize(0);
	ck_assert_int_eq(file_read_kernel(f, &byte, 1, 0), -EIO);
	file_put(f);
	ck_assert_int_eq(umount("m"), 0);
}
END_TEST

START_TEST(test_server_errors)
{
	struct file *f;
	u8 byte;

	mount_sample(3);
	f = open_file("m/plain");
	fake_fs_fail(FUSE_READ, ENOTCONN);
	ck_assert_int_eq(file_read_kernel(f, &byte, 1, 0), -ENOTCONN);
	fake_fs_fail(0, 0);
	ck_assert_int_eq(file_read_kernel(f, &byte, 1, 0), 1);
	file_put(f);
}
END_TEST

/* ---- wrong images */

/* A directory that is found below itself, or below two others, is not entered. */
START_TEST(test_loops)
{
	u64 top, a, c;

	eb_start(&b, 12);
	top = eb_dir_inode(&b, 2);
	a = eb_dir_inode(&b, 2);
	c = eb_dir_inode(&b, 2);
	{
		struct eb_name names[] = { { ".", top, EROFS_TYPE_DIR },
			{ "..", top, EROFS_TYPE_DIR }, { "a", a, EROFS_TYPE_DIR },
			{ "c", c, EROFS_TYPE_DIR } };
		struct eb_name below[] = { { ".", a, EROFS_TYPE_DIR },
			{ "..", top, EROFS_TYPE_DIR }, { "a", a, EROFS_TYPE_DIR },
			{ "c", c, EROFS_TYPE_DIR }, { "top", top, EROFS_TYPE_DIR } };

		eb_dir_fill(&b, top, names, 4);
		eb_dir_fill(&b, a, below, 5);
		eb_dir_fill(&b, c, below, 5);
	}
	eb_finish(&b, top);
	ck_assert_int_eq(mount_bytes(b.buf, b.len, "/m"), 0);
	ck_assert_int_eq(lookup_err("m/c"), 0);
	ck_assert_int_eq(lookup_err("m/a"), 0);
	ck_assert_int_eq(lookup_err("m/a/top"), -EUCLEAN);
	ck_assert_int_eq(lookup_err("m/a/a"), -EUCLEAN);
	ck_assert_int_eq(lookup_err("m/a/c"), -EUCLEAN);
	ck_assert_int_eq(lookup_err("m/c/a"), -EUCLEAN);
	ck_assert_int_eq(umount("m"), 0);
}
END_TEST

static bool count_emit(struct dir_emit *d, const char *name, size_t len, u64 ino, u32 type, u64 off)
{
	(void)d;
	(void)ino;
	(void)type;
	(void)off;
	ck_assert(len > 0 && len <= NAME_MAX_LEN && !memchr(name, '/', len));
	return true;
}

/* Whatever is asked of a file: an answer or an error. */
static void poke(const char *name)
{
	struct dir_emit d = { .emit = count_emit };
	struct file *f;
	struct path p;
	char buf[512];

	if (path_lookup(&root, name, 0, &p))
		return;
	(void)vfs_listxattr(&p, buf, sizeof(buf));
	(void)vfs_getxattr(&p, "user.one", buf, sizeof(buf));
	if (S_ISLNK(dentry_inode(p.dentry)->mode))
		(void)inode_readlink(dentry_inode(p.dentry), buf, sizeof(buf));
	if (S_ISREG(dentry_inode(p.dentry)->mode) || S_ISDIR(dentry_inode(p.dentry)->mode)) {
		if (file_open_path(&p, O_RDONLY, &f) == 0) {
			u64 size = f->inode->size;

			if (f->ops->readdir)
				(void)f->ops->readdir(f, &d);
			else
				for (u64 at = 0; at <= 16384; at += 4096)
					(void)file_read_kernel(f, buf, sizeof(buf), at);
			if (!f->ops->readdir && size > sizeof(buf))
				(void)file_read_kernel(f, buf, sizeof(buf), size - sizeof(buf));
			file_put(f);
		}
	}
	path_put(&p);
}

START_TEST(test_damaged)
{
	static const char *const names[] = { "m", "m/plain", "m/hard", "m/inline", "m/chunks",
		"m/dir", "m/dir/n001", "m/dir/n299", "m/dir/..", "m/link", "m/null", "m/fifo",
		"m/none", "m/empty" };
	u32 mounted = 0;
	u8 *copy;

	eb_start(&b, EROFS_BLOCK_BITS_MIN + (u32)_i);
	eb_sample(&b);
	b.sb->compat = 0;
	copy = malloc(b.len);
	srandom((unsigned)_i + 1);
	for (int round = 0; round < 300; round++) {
		u32 n = 1 + (u32)random() % 20;

		memcpy(copy, b.buf, b.len);
		while (n--)
			copy[random() % 2 ? b.meta + (u32)random() % 2048 : (u32)random() % b.len] =
				(u8)random();
		if (mount_bytes(copy, b.len, "/m"))
			continue;
		mounted++;
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			poke(names[i]);
		ck_assert_int_eq(umount("m"), 0);
	}
	free(copy);
	ck_assert_uint_gt(mounted, 100);
	ck_assert_uint_eq(fake_fs_open_fds(), fds);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guest_erofs");
	TCase *t = tcase_create("erofs");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, test_attributes, 0, 4);
	tcase_add_loop_test(t, test_contents, 0, 4);
	tcase_add_loop_test(t, test_readdir, 0, 4);
	tcase_add_test(t, test_readonly);
	tcase_add_loop_test(t, test_xattrs, 0, 4);
	tcase_add_test(t, test_reads_in_batches);
	tcase_add_test(t, test_umount_lets_go);
	tcase_add_test(t, test_many);
	tcase_add_test(t, test_numbers);
	tcase_add_test(t, test_no_image);
	tcase_add_test(t, test_truncated_later);
	tcase_add_test(t, test_server_errors);
	tcase_add_test(t, test_loops);
	tcase_add_loop_test(t, test_damaged, 0, 4);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
