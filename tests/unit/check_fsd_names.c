/* SPDX-License-Identifier: Apache-2.0 */
/* casemate-fsd, operations on names: what they do, what they refuse, and that nothing leads out of the tree. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <casemate/fsdev.h>

#include "tests/lib/fsd_client.h"

static void setup(void)
{
	fc_start(NULL);
}

static int call_name(uint32_t op, uint64_t dir, const char *name)
{
	return fc_call(op, dir, NULL, 0, name, NULL, NULL, 0);
}

static int call_rename(
	uint64_t dir, const char *name, uint64_t newdir, const char *newname, uint32_t flags)
{
	struct fuse_rename2_in a = { .newdir = newdir, .flags = flags };

	return fc_call(FUSE_RENAME2, dir, &a, sizeof(a), name, newname, NULL, 0);
}

START_TEST(test_lookup_and_missing)
{
	int64_t n;

	fc_host_file(fc_path("tree/a"), "hello");
	n = fc_lookup(1, "a");
	ck_assert_int_gt(n, 1);
	ck_assert_uint_eq(fc_entry_attr()->size, 5);
	ck_assert(S_ISREG(fc_entry_attr()->mode));
	ck_assert_int_eq(fc_lookup(1, "a"), n);
	ck_assert_int_eq(fc_lookup(1, "b"), -ENOENT);
	ck_assert_int_eq(fc_lookup((uint64_t)n, "x"), -ENOTDIR);
}
END_TEST

START_TEST(test_names_that_are_no_component)
{
	const char *bad[] = { "..", ".", "a/b", "/", "/etc/passwd", "../outside", "a/../..", "" };

	ck_assert_int_gt(fc_mkdir(1, "a", 0755), 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fuse_link_in l = { .oldnodeid = 1 };

		ck_assert_int_eq(fc_lookup(1, bad[i]), -EINVAL);
		ck_assert_int_eq(fc_mkdir(1, bad[i], 0755), -EINVAL);
		ck_assert_int_eq(fc_mknod(1, bad[i], S_IFREG | 0644), -EINVAL);
		ck_assert_int_eq(call_name(FUSE_UNLINK, 1, bad[i]), -EINVAL);
		ck_assert_int_eq(call_name(FUSE_RMDIR, 1, bad[i]), -EINVAL);
		ck_assert_int_eq(call_rename(1, bad[i], 1, "x", 0), -EINVAL);
		ck_assert_int_eq(call_rename(1, "a", 1, bad[i], 0), -EINVAL);
		ck_assert_int_eq(fc_call(FUSE_SYMLINK, 1, NULL, 0, bad[i], "t", NULL, 0), -EINVAL);
		ck_assert_int_eq(
			fc_call(FUSE_LINK, 1, &l, sizeof(l), bad[i], NULL, NULL, 0), -EINVAL);
	}
}
END_TEST

START_TEST(test_long_names)
{
	char name[300];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	ck_assert_int_gt(fc_mknod(1, name, S_IFREG | 0600), 1);
	ck_assert_int_gt(fc_lookup(1, name), 1);
	name[255] = 'n';
	name[256] = '\0';
	ck_assert_int_eq(fc_lookup(1, name), -ENAMETOOLONG);
	ck_assert_int_eq(fc_mknod(1, name, S_IFREG | 0600), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_symlinks_are_never_followed)
{
	struct fuse_open_in o = { .flags = O_RDONLY };
	int64_t n;

	ck_assert_int_eq(symlink("../outside", fc_path("tree/out")), 0);
	ck_assert_int_eq(symlink("..", fc_path("tree/up")), 0);
	n = fc_lookup(1, "out");
	ck_assert_int_gt(n, 1);
	ck_assert(S_ISLNK(fc_entry_attr()->mode));
	ck_assert_int_eq(
		fc_call(FUSE_OPEN, (uint64_t)n, &o, sizeof(o), NULL, NULL, NULL, 0), -ENXIO);
	ck_assert_int_eq(fc_read((uint64_t)n, 0, 0, 100), -ENXIO);
	ck_assert_int_eq(fc_write((uint64_t)n, 0, 0, "x", 1), -ENXIO);
	n = fc_lookup(1, "up");
	ck_assert_int_gt(n, 1);
	ck_assert_int_eq(fc_lookup((uint64_t)n, "outside"), -ENOTDIR);
	ck_assert_int_eq(fc_mknod((uint64_t)n, "new", S_IFREG | 0600), -ENOTDIR);
	ck_assert_int_eq(access(fc_path("new"), F_OK), -1);
}
END_TEST

START_TEST(test_create_through_symlink_is_refused)
{
	struct fuse_create_in c = { .flags = O_RDWR | O_CREAT, .mode = 0644 };

	ck_assert_int_eq(symlink("../planted", fc_path("tree/link")), 0);
	ck_assert_int_eq(fc_call(FUSE_CREATE, 1, &c, sizeof(c), "link", NULL, NULL, 0), -ELOOP);
	ck_assert_int_eq(access(fc_path("planted"), F_OK), -1);
	ck_assert_int_eq(symlink("../outside", fc_path("tree/link2")), 0);
	c.flags |= O_TRUNC;
	ck_assert_int_eq(fc_call(FUSE_CREATE, 1, &c, sizeof(c), "link2", NULL, NULL, 0), -ELOOP);
}
END_TEST

/* One thread swaps a directory with a link that leads out; the client must never see what lies there. */
static volatile bool race_stop;

static void *race_swap(void *arg)
{
	(void)arg;
	while (!race_stop)
		(void)renameat2(AT_FDCWD, fc_path("tree/d"), AT_FDCWD, fc_path("tree/evil"),
			RENAME_EXCHANGE);
	return NULL;
}

START_TEST(test_rename_race_never_leads_out)
{
	pthread_t t;
	int links = 0;

	ck_assert_int_eq(mkdir(fc_path("tree/d"), 0755), 0);
	ck_assert_int_eq(symlink("..", fc_path("tree/evil")), 0);
	race_stop = false;
	ck_assert_int_eq(pthread_create(&t, NULL, race_swap, NULL), 0);
	/* On a busy machine the other thread may come late. */
	for (int i = 0; i < 3000 || (!links && i < 300000); i++) {
		int64_t n = fc_lookup(1, "d");
		uint32_t mode;

		if (n < 0)
			continue;
		mode = fc_entry_attr()->mode;
		links += S_ISLNK(mode) ? 1 : 0;
		ck_assert_int_eq(
			fc_lookup((uint64_t)n, "outside"), S_ISLNK(mode) ? -ENOTDIR : -ENOENT);
		fc_forget((uint64_t)n, 1);
	}
	race_stop = true;
	pthread_join(t, NULL);
	ck_assert_int_gt(links, 0);
}
END_TEST

START_TEST(test_make_and_remove)
{
	int64_t d = fc_mkdir(1, "d", 0751), f;
	struct stat st;

	ck_assert_int_gt(d, 1);
	ck_assert_uint_eq(fc_entry_attr()->mode, S_IFDIR | 0751);
	f = fc_mknod((uint64_t)d, "f", S_IFREG | 0640);
	ck_assert_int_gt(f, 1);
	ck_assert_int_eq(stat(fc_path("tree/d/f"), &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0640);
	ck_assert_int_eq(fc_mknod((uint64_t)d, "f", S_IFREG | 0640), -EEXIST);
	ck_assert_int_eq(call_name(FUSE_RMDIR, 1, "d"), -ENOTEMPTY);
	ck_assert_int_eq(call_name(FUSE_UNLINK, 1, "d"), -EISDIR);
	ck_assert_int_eq(call_name(FUSE_RMDIR, (uint64_t)d, "f"), -ENOTDIR);
	ck_assert_int_eq(call_name(FUSE_UNLINK, (uint64_t)d, "f"), 0);
	ck_assert_int_eq(call_name(FUSE_RMDIR, 1, "d"), 0);
	/* The nodes live on: files are used after they lost their name. */
	ck_assert_uint_eq(fc_getattr((uint64_t)f)->nlink, 0);
	ck_assert_int_eq(fc_write((uint64_t)f, 0, 0, "data", 4), 4);
	ck_assert_int_eq(fc_read((uint64_t)f, 0, 0, 100), 4);
}
END_TEST

START_TEST(test_special_files)
{
	struct fuse_open_in o = { .flags = O_RDONLY };
	int64_t n = fc_mknod(1, "fifo", S_IFIFO | 0644);

	ck_assert_int_gt(n, 1);
	/* Opening it would block the server for ever. */
	ck_assert_int_eq(
		fc_call(FUSE_OPEN, (uint64_t)n, &o, sizeof(o), NULL, NULL, NULL, 0), -ENXIO);
	ck_assert_int_eq(fc_read((uint64_t)n, 0, 0, 10), -ENXIO);
	ck_assert_int_gt(fc_mknod(1, "sock", S_IFSOCK | 0644), 1);
	ck_assert_int_eq(fc_mknod(1, "dir", S_IFDIR | 0644), -EINVAL);
}
END_TEST

/* What stands for a device node: a node to the client, an empty file on the host. */
START_TEST(test_devices)
{
	static const uint32_t modes[] = { S_IFCHR | 0620, S_IFBLK | 0 };
	static const char attr[] = "user.casemate.device";
	struct fuse_mknod_in mk = { .rdev = (7 << 8) | 0x34 | (0x12 << 20) };
	struct fuse_getxattr_in g = { .size = 100 };
	struct fuse_open_in o = { .flags = O_RDONLY };
	char value[40] = "";
	struct stat st;

	if (setxattr(fc_path("tree"), "user.probe", "", 0, 0) < 0 && errno == EOPNOTSUPP)
		return; /* tmpfs of an old kernel */
	for (size_t i = 0; i < 2; i++) {
		const struct fuse_entry_out *e = (const void *)fc.payload;
		uint64_t n;

		mk.mode = modes[i];
		ck_assert_int_eq(fc_call(FUSE_MKNOD, 1, &mk, sizeof(mk), "dev", NULL, NULL, 0), 0);
		ck_assert_uint_eq(e->attr.mode, modes[i]);
		ck_assert_uint_eq(e->attr.rdev, mk.rdev);
		n = e->nodeid;
		ck_assert_int_eq(
			fc_call(FUSE_MKNOD, 1, &mk, sizeof(mk), "dev", NULL, NULL, 0), -EEXIST);
		ck_assert_int_eq(stat(fc_path("tree/dev"), &st), 0);
		ck_assert_uint_eq(st.st_mode, S_IFREG | (modes[i] & 07777));
		ck_assert_int_gt(getxattr(fc_path("tree/dev"), attr, value, sizeof(value)), 0);
		ck_assert_str_eq(value, i ? "b 7:4660" : "c 7:4660");
		ck_assert_int_eq(fc_call(FUSE_OPEN, n, &o, sizeof(o), NULL, NULL, NULL, 0), -ENXIO);
		ck_assert_int_eq(
			fc_call(FUSE_GETXATTR, n, &g, sizeof(g), attr, NULL, NULL, 0), -ENODATA);
		ck_assert_int_eq(
			fc_call(FUSE_REMOVEXATTR, n, NULL, 0, attr, NULL, NULL, 0), -EPERM);
		ck_assert_int_eq(fc_call(FUSE_LISTXATTR, n, &g, sizeof(g), NULL, NULL, NULL, 0), 0);
		ck_assert_uint_eq(fc.payload_len, 0);
		ck_assert_int_eq(call_name(FUSE_UNLINK, 1, "dev"), 0);
	}
}
END_TEST

/* Nothing else is one: not a file to which a client gives the attribute, nor one with content, nor one with a value of another form. */
START_TEST(test_no_devices)
{
	static const char attr[] = "user.casemate.device";
	struct fuse_setxattr_in s = { .size = 5 };
	uint64_t n = (uint64_t)fc_mknod(1, "file", S_IFREG | 0644);

	if (setxattr(fc_path("tree/file"), attr, "c 1:3 ", 6, 0) < 0 && errno == EOPNOTSUPP)
		return; /* tmpfs of an old kernel */
	ck_assert_uint_eq(fc_getattr(n)->mode, S_IFREG | 0644);
	ck_assert_int_eq(
		fc_call(FUSE_SETXATTR, n, &s, FUSE_COMPAT_SETXATTR_IN_SIZE, attr, NULL, "c 1:3", 5),
		-EPERM);
	ck_assert_int_eq(setxattr(fc_path("tree/file"), attr, "c 1:3", 5, 0), 0);
	ck_assert_uint_eq(fc_getattr(n)->mode, S_IFCHR | 0644);
	ck_assert_int_eq(truncate(fc_path("tree/file"), 1), 0);
	ck_assert_uint_eq(fc_getattr(n)->mode, S_IFREG | 0644);
}
END_TEST

START_TEST(test_host_device_is_never_opened)
{
	struct fuse_open_in o = { .flags = O_RDWR };
	int64_t n;

	if (mknod(fc_path("tree/null"), S_IFCHR | 0666, (1 << 8) | 3) < 0)
		return; /* not privileged */
	n = fc_lookup(1, "null");
	ck_assert_int_gt(n, 1);
	ck_assert_uint_eq(fc_entry_attr()->rdev, 0x103);
	ck_assert_int_eq(
		fc_call(FUSE_OPEN, (uint64_t)n, &o, sizeof(o), NULL, NULL, NULL, 0), -ENXIO);
	ck_assert_int_eq(fc_write((uint64_t)n, 0, 0, "x", 1), -ENXIO);
}
END_TEST

START_TEST(test_symlink_and_readlink)
{
	char big[5000];

	ck_assert_int_eq(fc_call(FUSE_SYMLINK, 1, NULL, 0, "l", "/target/path", NULL, 0), 0);
	ck_assert(S_ISLNK(fc_entry_attr()->mode));
	ck_assert_int_eq(
		fc_call(FUSE_READLINK, (uint64_t)fc_lookup(1, "l"), NULL, 0, NULL, NULL, NULL, 0),
		0);
	ck_assert_uint_eq(fc.payload_len, 12);
	ck_assert_mem_eq(fc.payload, "/target/path", 12);
	/* With the entry, where there is room: not one that fills it. */
	fc_lookup(1, "l");
	ck_assert_uint_eq(fc.payload_len, sizeof(struct fuse_entry_out) + 12);
	ck_assert_mem_eq(fc.payload + sizeof(struct fuse_entry_out), "/target/path", 12);
	memset(big, 'x', CM_FSDEV_TARGET);
	big[CM_FSDEV_TARGET] = '\0';
	ck_assert_int_eq(fc_call(FUSE_SYMLINK, 1, NULL, 0, "long", big, NULL, 0), 0);
	fc_lookup(1, "long");
	ck_assert_uint_eq(fc.payload_len, sizeof(struct fuse_entry_out));
	ck_assert_int_eq(fc_call(FUSE_READLINK, 1, NULL, 0, NULL, NULL, NULL, 0), -EINVAL);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	ck_assert_int_eq(fc_call(FUSE_SYMLINK, 1, NULL, 0, "m", big, NULL, 0), -ENAMETOOLONG);
	ck_assert_int_eq(fc_call(FUSE_SYMLINK, 1, NULL, 0, "m", "", NULL, 0), -ENOENT);
	/* Only one string where two are needed. */
	ck_assert_int_eq(fc_call(FUSE_SYMLINK, 1, NULL, 0, "m", NULL, NULL, 0), -EINVAL);
}
END_TEST

START_TEST(test_link)
{
	struct fuse_link_in l;
	int64_t f = fc_mknod(1, "f", S_IFREG | 0600);

	l.oldnodeid = (uint64_t)f;
	ck_assert_int_eq(fc_call(FUSE_LINK, 1, &l, sizeof(l), "g", NULL, NULL, 0), 0);
	ck_assert_uint_eq(fc_entry_attr()->nlink, 2);
	ck_assert_int_eq(fc_lookup(1, "g"), f);
	ck_assert_int_eq(fc_call(FUSE_LINK, 1, &l, sizeof(l), "g", NULL, NULL, 0), -EEXIST);
	ck_assert_int_eq(fc_call(FUSE_SYMLINK, 1, NULL, 0, "s", "../outside", NULL, 0), 0);
	/* A hard link of a symbolic link is the link, not what it names. */
	l.oldnodeid = (uint64_t)fc_lookup(1, "s");
	ck_assert_int_eq(fc_call(FUSE_LINK, 1, &l, sizeof(l), "t", NULL, NULL, 0), 0);
	ck_assert(S_ISLNK(fc_entry_attr()->mode));
	l.oldnodeid = 99999;
	ck_assert_int_eq(fc_call(FUSE_LINK, 1, &l, sizeof(l), "u", NULL, NULL, 0), -ESTALE);
}
END_TEST

START_TEST(test_rename)
{
	struct fuse_rename_in r1 = { .newdir = 1 };
	int64_t d = fc_mkdir(1, "d", 0755);
	struct stat st;

	fc_mknod(1, "a", S_IFREG | 0600);
	fc_mknod(1, "b", S_IFREG | 0600);
	ck_assert_int_eq(call_rename(1, "a", 1, "b", RENAME_NOREPLACE), -EEXIST);
	ck_assert_int_eq(call_rename(1, "a", (uint64_t)d, "c", 0), 0);
	ck_assert_int_eq(access(fc_path("tree/d/c"), F_OK), 0);
	ck_assert_int_eq(call_rename(1, "b", 1, "d", RENAME_EXCHANGE), 0);
	ck_assert_int_eq(access(fc_path("tree/b/c"), F_OK), 0);
	ck_assert_int_eq(call_rename(1, "b", 1, "z", 1u << 3), -EINVAL);
	ck_assert_int_eq(call_rename(1, "b", 1, "z", RENAME_WHITEOUT), 0);
	ck_assert_int_eq(stat(fc_path("tree/b"), &st), 0);
	ck_assert(S_ISCHR(st.st_mode) && !st.st_rdev);
	ck_assert_int_eq(unlink(fc_path("tree/b")), 0);
	ck_assert_int_eq(call_rename(1, "z", 1, "b", 0), 0);
	ck_assert_int_eq(call_rename(1, "b", 12345, "z", 0), -ESTALE);
	ck_assert_int_eq(call_rename(1, "b", (uint64_t)d, "inside", 0), -EINVAL);
	ck_assert_int_eq(fc_call(FUSE_RENAME, 1, &r1, sizeof(r1), "d", "e", NULL, 0), 0);
	ck_assert_int_eq(access(fc_path("tree/e"), F_OK), 0);
}
END_TEST

START_TEST(test_create_and_tmpfile)
{
	struct fuse_create_in c = { .flags = O_RDWR | O_CREAT | O_EXCL, .mode = 0644 };
	struct fuse_open_out o;
	struct fuse_link_in l;
	int64_t n;

	ck_assert_int_eq(fc_call(FUSE_CREATE, 1, &c, sizeof(c), "f", NULL, NULL, 0), 0);
	memcpy(&o, fc.payload + sizeof(struct fuse_entry_out), sizeof(o));
	ck_assert_uint_ne(o.fh, 0);
	n = fc_lookup(1, "f");
	ck_assert_int_eq(fc_write((uint64_t)n, o.fh, 3, "abc", 3), 3);
	ck_assert_int_eq(fc_read((uint64_t)n, o.fh, 0, 10), 6);
	ck_assert_int_eq(fc_call(FUSE_CREATE, 1, &c, sizeof(c), "f", NULL, NULL, 0), -EEXIST);
	c.flags = O_RDWR | O_CREAT | O_TRUNC;
	ck_assert_int_eq(fc_call(FUSE_CREATE, 1, &c, sizeof(c), "f", NULL, NULL, 0), 0);
	ck_assert_uint_eq(fc_entry_attr()->size, 0);

	ck_assert_int_eq(fc_call(FUSE_TMPFILE, 1, &c, sizeof(c), "/", NULL, NULL, 0), 0);
	ck_assert_uint_eq(fc_entry_attr()->nlink, 0);
	l.oldnodeid = ((const struct fuse_entry_out *)(const void *)fc.payload)->nodeid;
	ck_assert_int_eq(fc_call(FUSE_LINK, 1, &l, sizeof(l), "named", NULL, NULL, 0), 0);
	ck_assert_int_eq(access(fc_path("tree/named"), F_OK), 0);
}
END_TEST

START_TEST(test_owner_of_new_objects)
{
	struct fuse_create_in c = { .flags = O_RDWR | O_CREAT | O_EXCL, .mode = 0644 };
	struct stat st;

	if (geteuid() != 0)
		return;
	fc.uid = 1234;
	fc.gid = 4321;
	ck_assert_int_gt(fc_mkdir(1, "d", 0700), 1);
	ck_assert_uint_eq(fc_entry_attr()->uid, 1234);
	ck_assert_uint_eq(fc_entry_attr()->gid, 4321);
	/* Other users' directories stay open to the server: the client has checked. */
	ck_assert_int_gt(fc_mknod((uint64_t)fc_lookup(1, "d"), "f", S_IFREG | 0600), 1);
	ck_assert_int_eq(fc_call(FUSE_CREATE, 1, &c, sizeof(c), "g", NULL, NULL, 0), 0);
	ck_assert_int_eq(fc_call(FUSE_SYMLINK, 1, NULL, 0, "s", "t", NULL, 0), 0);
	ck_assert_int_eq(lstat(fc_path("tree/s"), &st), 0);
	ck_assert_uint_eq(st.st_uid, 1234);
	fc.uid = 0;
	fc.gid = 0;
	ck_assert_int_gt(fc_mknod((uint64_t)fc_lookup(1, "d"), "r", S_IFREG | 0600), 1);
	ck_assert_int_eq(stat(fc_path("tree/d/r"), &st), 0);
	ck_assert_uint_eq(st.st_uid, 0);
}
END_TEST

START_TEST(test_setgid_directory_gives_its_group)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(mkdir(fc_path("tree/d"), 0755), 0);
	ck_assert_int_eq(chown(fc_path("tree/d"), 0, 77), 0);
	ck_assert_int_eq(chmod(fc_path("tree/d"), 02755), 0);
	fc.uid = 1000;
	fc.gid = 1000;
	ck_assert_int_gt(fc_mkdir((uint64_t)fc_lookup(1, "d"), "sub", 0755), 1);
	ck_assert_uint_eq(fc_entry_attr()->gid, 77);
	ck_assert_uint_eq(fc_entry_attr()->mode, S_IFDIR | 02755);
}
END_TEST

static uint64_t volume(unsigned int i)
{
	char name[12];
	int64_t n;

	(void)snprintf(name, sizeof(name), "%u", i);
	n = fc_lookup(CM_FSDEV_VOLUMES_ID, name);
	ck_assert_int_gt(n, 1);
	return (uint64_t)n;
}

START_TEST(test_volume_names)
{
	static const char *const bad[] = { "0", "4", "64", "65536", "01", "1x", "-1", " 1", "x",
		"99999999999999999999" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(fc_lookup(CM_FSDEV_VOLUMES_ID, bad[i]), -ENOENT);
	ck_assert_uint_eq(volume(1), volume(1));
	ck_assert(S_ISDIR(fc_entry_attr()->mode));
	ck_assert_uint_ne(volume(1), volume(2));
	volume(3);
	ck_assert(S_ISREG(fc_entry_attr()->mode));
	/* The node that holds them can do nothing else. */
	ck_assert_int_eq(fc_mkdir(CM_FSDEV_VOLUMES_ID, "1", 0755), -ESTALE);
	ck_assert_int_eq(
		fc_call(FUSE_SYNCFS, CM_FSDEV_VOLUMES_ID, "\0\0\0\0\0\0\0", 8, NULL, NULL, NULL, 0),
		-ESTALE);
}
END_TEST

/* The same directory twice, once read-only: what is found through the one is never what was found through the other. */
START_TEST(test_volumes_are_read_only_by_themselves)
{
	struct fuse_setattr_in sa = { .valid = FATTR_SIZE };
	struct fuse_open_in o = { .flags = O_RDWR };
	struct fuse_link_in l;
	struct fuse_copy_file_range_in cp = { .len = 1 };
	uint64_t rw = volume(1), ro = volume(2), f, same, syncfs = 0;

	f = (uint64_t)fc_mknod(rw, "f", S_IFREG | 0644);
	same = (uint64_t)fc_lookup(ro, "f");
	ck_assert_uint_ne(f, same);
	ck_assert_int_eq(fc_write(f, 0, 0, "text", 4), 4);
	ck_assert_int_eq(fc_read(same, 0, 0, 10), 4);
	ck_assert_int_eq(fc_write(same, 0, 0, "x", 1), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_OPEN, same, &o, sizeof(o), NULL, NULL, NULL, 0), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_SETATTR, same, &sa, sizeof(sa), NULL, NULL, NULL, 0), -EROFS);
	ck_assert_int_eq(fc_mkdir(ro, "d", 0755), -EROFS);
	ck_assert_int_eq(fc_call(FUSE_UNLINK, ro, NULL, 0, "f", NULL, NULL, 0), -EROFS);
	/* From one root to another. */
	l.oldnodeid = same;
	ck_assert_int_eq(fc_call(FUSE_LINK, rw, &l, sizeof(l), "g", NULL, NULL, 0), -EXDEV);
	ck_assert_int_eq(call_rename(rw, "f", 1, "g", 0), -EXDEV);
	ck_assert_int_eq(call_rename(rw, "f", ro, "g", 0), -EXDEV);
	ck_assert_int_eq(call_rename(1, "f", rw, "g", 0), -EXDEV);
	cp.nodeid_out = same;
	ck_assert_int_eq(
		fc_call(FUSE_COPY_FILE_RANGE, f, &cp, sizeof(cp), NULL, NULL, NULL, 0), -EROFS);
	cp.nodeid_out = f;
	cp.off_out = 4;
	ck_assert_int_eq(
		fc_call(FUSE_COPY_FILE_RANGE, same, &cp, sizeof(cp), NULL, NULL, NULL, 0), 0);
	ck_assert_int_eq(fc_call(FUSE_SYNCFS, rw, &syncfs, 8, NULL, NULL, NULL, 0), 0);
}
END_TEST

START_TEST(test_a_file_as_a_volume)
{
	uint64_t n = volume(3);

	ck_assert_int_eq(fc_read(n, 0, 0, 10), 6);
	ck_assert_int_eq(fc_write(n, 0, 0, "SEC", 3), 3);
	ck_assert_int_eq(fc_lookup(n, "tree"), -ENOTDIR);
	ck_assert_int_eq(fc_lookup(n, ".."), -EINVAL);
	fc_forget(n, 1);
	ck_assert_int_eq(fc_read(n, 0, 0, 10), -ESTALE);
	ck_assert_int_eq(fc_read(volume(3), 0, 0, 10), 6);
}
END_TEST

/* ---- images */

static int image(uint32_t number, const char *path, int flags)
{
	int fd = open(path, flags);

	ck_assert_int_ge(fd, 0);
	return fsd_engine_image(fc.e, number, fd);
}

static int64_t image_lookup(uint32_t number)
{
	char name[12];

	(void)snprintf(name, sizeof(name), "%u", number);
	return fc_lookup(CM_FSDEV_VOLUMES_ID, name);
}

/* An image is looked up once, read, and gone when it is forgotten. */
START_TEST(test_image)
{
	unsigned int fds = fc_open_fds();
	int64_t n;

	fc_host_file(fc_path("image"), "an image");
	ck_assert_int_eq(image_lookup(65), -ENOENT);
	ck_assert_int_eq(image(4294967295u, fc_path("image"), O_RDONLY), 0);
	n = image_lookup(4294967295u);
	ck_assert_int_gt(n, 1);
	ck_assert_uint_eq(fc_entry_attr()->size, 8);
	ck_assert_int_eq(image_lookup(4294967295u), -ENOENT);
	ck_assert_int_eq(fc_lookup(CM_FSDEV_VOLUMES_ID, "4294967296"), -ENOENT);
	ck_assert_uint_eq(fc_getattr((uint64_t)n)->size, 8);
	ck_assert_int_eq(fc_read((uint64_t)n, 0, 3, 100), 5);
	ck_assert_mem_eq(fc.payload, "image", 5);
	ck_assert_uint_eq(fc_open_fds(), fds + 1);
	fc_forget((uint64_t)n, 1);
	ck_assert_int_eq(fc_read((uint64_t)n, 0, 0, 10), -ESTALE);
	ck_assert_uint_eq(fc_open_fds(), fds);
}
END_TEST

/* Whatever else is asked of it is refused: it is not of the served tree. */
START_TEST(test_image_is_only_read)
{
	static const uint32_t ops[] = { FUSE_SETATTR, FUSE_READLINK, FUSE_MKDIR, FUSE_UNLINK,
		FUSE_OPEN, FUSE_WRITE, FUSE_STATFS, FUSE_RELEASE, FUSE_FSYNC, FUSE_SETXATTR,
		FUSE_GETXATTR, FUSE_LISTXATTR, FUSE_FLUSH, FUSE_OPENDIR, FUSE_SETLK, FUSE_FALLOCATE,
		FUSE_LSEEK, FUSE_COPY_FILE_RANGE, FUSE_SETUPMAPPING, FUSE_SYNCFS, FUSE_LOOKUP };
	char arg[200] = { 0 };
	struct fuse_copy_file_range_in cp = { .len = 4 };
	int64_t n, f = fc_mknod(1, "f", S_IFREG | 0644);

	fc_host_file(fc_path("image"), "an image");
	ck_assert_int_eq(image(65, fc_path("image"), O_RDWR), 0);
	n = image_lookup(65);
	ck_assert_int_gt(n, 1);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		int r = ops[i] == FUSE_LOOKUP
				? fc_call(ops[i], (uint64_t)n, NULL, 0, "x", NULL, NULL, 0)
				: fc_call(ops[i], (uint64_t)n, arg, 128, "x", "y", NULL, 0);

		ck_assert_msg(r == -EOPNOTSUPP || r == -EINVAL || r == -ENOENT, "operation %u: %d",
			ops[i], r);
	}
	ck_assert_int_eq(fc_write((uint64_t)n, 0, 0, "x", 1), -EOPNOTSUPP);
	cp.nodeid_out = (uint64_t)n;
	ck_assert_int_eq(
		fc_call(FUSE_COPY_FILE_RANGE, (uint64_t)f, &cp, sizeof(cp), NULL, NULL, NULL, 0),
		-EROFS);
	ck_assert_int_eq(fc_read((uint64_t)n, 0, 0, 100), 8);
	ck_assert_mem_eq(fc.payload, "an image", 8);
}
END_TEST

START_TEST(test_images_that_are_none)
{
	unsigned int fds = fc_open_fds();

	fc_host_file(fc_path("image"), "an image");
	ck_assert_int_eq(image(64, fc_path("image"), O_RDONLY), -EINVAL);
	ck_assert_int_eq(image(0, fc_path("image"), O_RDONLY), -EINVAL);
	ck_assert_int_eq(image(65, fc_path("tree"), O_RDONLY), -EISDIR);
	ck_assert_int_eq(image(65, "/dev/null", O_RDONLY), -EINVAL);
	ck_assert_uint_eq(fc_open_fds(), fds);
	ck_assert_int_eq(image(65, fc_path("image"), O_RDONLY), 0);
	ck_assert_int_eq(image(65, fc_path("image"), O_RDONLY), -EINVAL);
	ck_assert_uint_eq(fc_open_fds(), fds + 1);
	fsd_engine_image_drop(fc.e, 66);
	ck_assert_uint_eq(fc_open_fds(), fds + 1);
	fsd_engine_image_drop(fc.e, 65);
	ck_assert_uint_eq(fc_open_fds(), fds);
	ck_assert_int_eq(image_lookup(65), -ENOENT);
}
END_TEST

/* Those that nobody takes do not grow the process, and a reset closes them. */
START_TEST(test_images_that_nobody_takes)
{
	unsigned int fds = fc_open_fds();

	fc_host_file(fc_path("image"), "an image");
	for (uint32_t i = 0; i < 3 * CM_FSDEV_IMAGES; i++)
		ck_assert_int_eq(image(100 + i, fc_path("image"), O_RDONLY), 0);
	ck_assert_uint_eq(fc_open_fds(), fds + CM_FSDEV_IMAGES);
	ck_assert_int_eq(image_lookup(100 + 2 * CM_FSDEV_IMAGES - 1), -ENOENT);
	ck_assert_int_gt(image_lookup(100 + 2 * CM_FSDEV_IMAGES), 1);
	fsd_engine_reset(fc.e);
	ck_assert_uint_eq(fc_open_fds(), fds);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsd_names");
	TCase *t = tcase_create("names");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, fc_stop);
	tcase_add_test(t, test_lookup_and_missing);
	tcase_add_test(t, test_names_that_are_no_component);
	tcase_add_test(t, test_long_names);
	tcase_add_test(t, test_symlinks_are_never_followed);
	tcase_add_test(t, test_create_through_symlink_is_refused);
	tcase_add_test(t, test_rename_race_never_leads_out);
	tcase_add_test(t, test_make_and_remove);
	tcase_add_test(t, test_special_files);
	tcase_add_test(t, test_devices);
	tcase_add_test(t, test_no_devices);
	tcase_add_test(t, test_host_device_is_never_opened);
	tcase_add_test(t, test_symlink_and_readlink);
	tcase_add_test(t, test_link);
	tcase_add_test(t, test_rename);
	tcase_add_test(t, test_create_and_tmpfile);
	tcase_add_test(t, test_owner_of_new_objects);
	tcase_add_test(t, test_setgid_directory_gives_its_group);
	tcase_add_test(t, test_volume_names);
	tcase_add_test(t, test_volumes_are_read_only_by_themselves);
	tcase_add_test(t, test_a_file_as_a_volume);
	tcase_add_test(t, test_image);
	tcase_add_test(t, test_image_is_only_read);
	tcase_add_test(t, test_images_that_are_none);
	tcase_add_test(t, test_images_that_nobody_takes);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
