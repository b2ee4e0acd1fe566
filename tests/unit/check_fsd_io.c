/* SPDX-License-Identifier: Apache-2.0 */
/* casemate-fsd, operations on contents and attributes: data, directories, modes, times, extended attributes, locks, DAX. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/lib/fsd_client.h"

#define BIG (1024u * 1024)

static uint8_t big[BIG];

static void setup(void)
{
	fc_start(NULL);
}

static uint64_t new_file(const char *name, const char *text)
{
	fc_host_file(fc_path("tree/%s", name), text);
	return (uint64_t)fc_lookup(1, name);
}

static uint64_t open_fh(uint32_t op, uint64_t node, uint32_t flags)
{
	struct fuse_open_in a = { .flags = flags };
	struct fuse_open_out o;

	ck_assert_int_eq(fc_call(op, node, &a, sizeof(a), NULL, NULL, NULL, 0), 0);
	memcpy(&o, fc.payload, sizeof(o));
	return o.fh;
}

static int release(uint32_t op, uint64_t node, uint64_t fh)
{
	struct fuse_release_in a = { .fh = fh };

	return fc_call(op, node, &a, sizeof(a), NULL, NULL, NULL, 0);
}

static int setattr(uint64_t node, struct fuse_setattr_in a)
{
	return fc_call(FUSE_SETATTR, node, &a, sizeof(a), NULL, NULL, NULL, 0);
}

START_TEST(test_read_write_without_handle)
{
	uint64_t n = new_file("f", "hello");

	ck_assert_int_eq(fc_read(n, 0, 0, 100), 5);
	ck_assert_mem_eq(fc.payload, "hello", 5);
	ck_assert_int_eq(fc_read(n, 0, 3, 1), 1);
	ck_assert_int_eq(fc_read(n, 0, 5, 100), 0);
	ck_assert_int_eq(fc_write(n, 0, 5, " world", 6), 6);
	ck_assert_int_eq(fc_read(n, 0, 0, 100), 11);
	ck_assert_mem_eq(fc.payload, "hello world", 11);
	ck_assert_int_eq(release(FUSE_RELEASE, n, 0), 0);
	ck_assert_int_eq(fc_read(n, 0, 6, 5), 5);
	ck_assert_int_eq(fc_read(1, 0, 0, 10), -EISDIR);
	ck_assert_int_eq(fc_write(1, 0, 0, "x", 1), -EISDIR);
}
END_TEST

/* A file that was written without a handle can be executed on the host after RELEASE. */
START_TEST(test_release_lets_the_host_execute)
{
	uint64_t n = new_file("prog", "");
	char path[600];
	int fd;

	fd = open("/bin/true", O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(read(fd, big, BIG), 0);
	close(fd);
	ck_assert_int_gt(fc_write(n, 0, 0, big, 64 * 1024), 0);
	ck_assert_int_eq(chmod(fc_path("tree/prog"), 0755), 0);
	(void)snprintf(path, sizeof(path), "%s", fc_path("tree/prog"));
	ck_assert_int_eq(execl(path, path, NULL), -1);
	ck_assert_int_eq(errno, ETXTBSY);
	ck_assert_int_eq(release(FUSE_RELEASE, n, 0), 0);
	ck_assert_int_eq(fc_getattr(n)->mode & 0111, 0111);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_RDLCK), 0); /* nobody has it open for writing */
	close(fd);
}
END_TEST

START_TEST(test_read_write_with_handle)
{
	uint64_t n = new_file("f", "hello");
	uint64_t ro = open_fh(FUSE_OPEN, n, O_RDONLY), rw = open_fh(FUSE_OPEN, n, O_RDWR);

	ck_assert_int_eq(fc_write(n, ro, 0, "x", 1), -EBADF);
	ck_assert_int_eq(fc_write(n, rw, 0, "J", 1), 1);
	ck_assert_int_eq(fc_read(n, ro, 0, 1), 1);
	ck_assert_int_eq(fc.payload[0], 'J');
	ck_assert_int_eq(release(FUSE_RELEASE, n, ro), 0);
	ck_assert_int_eq(fc_read(n, ro, 0, 1), -EBADF);
	ck_assert_int_eq(release(FUSE_RELEASE, n, ro), -EBADF);
	/* The slot's next tenant has another handle. */
	ck_assert_uint_ne(open_fh(FUSE_OPEN, n, O_RDONLY), ro);
	ck_assert_int_eq(fc_read(n, 0x7fffffffffffffff, 0, 1), -EBADF);
	open_fh(FUSE_OPEN, n, O_RDWR | O_TRUNC);
	ck_assert_uint_eq(fc_getattr(n)->size, 0);
}
END_TEST

START_TEST(test_large_and_sparse)
{
	uint64_t n = new_file("f", "");

	for (size_t i = 0; i < BIG; i++)
		big[i] = (uint8_t)(i * 7 + i / 4096);
	ck_assert_int_eq(fc_write(n, 0, 4096, big, BIG), BIG);
	ck_assert_int_eq(fc_read(n, 0, 4096, BIG), BIG);
	ck_assert_mem_eq(fc.payload, big, BIG);
	ck_assert_int_eq(fc_write(n, 0, 1ull << 40, "end", 3), 3);
	ck_assert_uint_eq(fc_getattr(n)->size, (1ull << 40) + 3);
	ck_assert_int_eq(fc_write(n, 0, INT64_MAX - 1, "x", 1), -EINVAL);
	ck_assert_int_eq(fc_read(n, 0, UINT64_MAX, 1), -EINVAL);
	/* More than offered room: as much as fits. */
	fc.room = 16 + 10;
	ck_assert_int_eq(fc_read(n, 0, 4096, BIG), 10);
}
END_TEST

START_TEST(test_chained_buffers)
{
	struct {
		struct fuse_in_header h;
		struct fuse_write_in a;
	} q = { .h = { .opcode = FUSE_WRITE, .unique = 7 }, .a = { .size = 6 } };
	char d1[] = "ab", d2[] = "cdef";
	struct fuse_out_header oh;
	struct fuse_write_out w;
	uint64_t n = new_file("f", "");
	/* The header itself is split, the data lies in two pieces, and so does the reply. */
	struct iovec in[4] = { { &q, 13 }, { (char *)&q + 13, sizeof(q) - 13 }, { d1, 2 },
		{ d2, 4 } };
	struct iovec out[2] = { { &oh, sizeof(oh) }, { &w, sizeof(w) } };

	q.h.nodeid = n;
	q.h.len = sizeof(q) + 6;
	ck_assert_uint_eq(fsd_engine_handle(fc.e, in, 4, out, 2), sizeof(oh) + sizeof(w));
	ck_assert_int_eq(oh.error, 0);
	ck_assert_uint_eq(w.size, 6);
	ck_assert_int_eq(fc_read(n, 0, 0, 100), 6);
	ck_assert_mem_eq(fc.payload, "abcdef", 6);
}
END_TEST

/* ---- directories */

static unsigned int dir_count(
	uint64_t node, uint64_t fh, uint32_t size, bool plus, uint64_t *forget)
{
	struct fuse_read_in a = { .fh = fh, .size = size };
	unsigned int count = 0;

	for (;;) {
		size_t at = 0;

		ck_assert_int_eq(fc_call(plus ? FUSE_READDIRPLUS : FUSE_READDIR, node, &a,
					 sizeof(a), NULL, NULL, NULL, 0),
			0);
		ck_assert_uint_le(fc.payload_len, size);
		if (!fc.payload_len)
			return count;
		while (at < fc.payload_len) {
			const struct fuse_direntplus *p = (const void *)(fc.payload + at);
			const struct fuse_dirent *d = plus ? &p->dirent : (const void *)p;

			if (plus && p->entry_out.nodeid && forget)
				(*forget)++;
			if (plus && d->name[0] != '.')
				ck_assert_uint_eq(p->entry_out.attr.ino, d->ino);
			a.offset = d->off;
			at += plus ? FUSE_DIRENTPLUS_SIZE(p) : FUSE_DIRENT_SIZE(d);
			count++;
		}
		ck_assert_uint_eq(at, fc.payload_len);
	}
}

START_TEST(test_readdir)
{
	uint64_t forget = 0, fh;

	for (int i = 0; i < 1000; i++)
		fc_host_file(fc_path("tree/a-rather-long-name-of-file-%d", i), "");
	fh = open_fh(FUSE_OPENDIR, 1, O_RDONLY);
	ck_assert_uint_eq(dir_count(1, fh, 4096, false, NULL), 1002);
	ck_assert_uint_eq(dir_count(1, fh, 65536, false, NULL), 1002);
	ck_assert_uint_eq(dir_count(1, 0, 4096, false, NULL), 1002);
	ck_assert_uint_eq(dir_count(1, 0, 4096, true, &forget), 1002);
	ck_assert_uint_eq(forget, 1000);
	ck_assert_uint_eq(dir_count(1, 0, 262144, true, NULL), 1002);
	ck_assert_int_eq(release(FUSE_RELEASEDIR, 1, fh), 0);
	ck_assert_int_eq(fc_read(1, fh, 0, 10), -EBADF);
}
END_TEST

START_TEST(test_readdir_refusals)
{
	struct fuse_read_in a = { .size = 100 };
	uint64_t n = new_file("f", "");

	ck_assert_int_eq(fc_call(FUSE_READDIR, 1, &a, sizeof(a), NULL, NULL, NULL, 0), -EINVAL);
	a.size = 4096;
	ck_assert_int_eq(fc_call(FUSE_READDIR, n, &a, sizeof(a), NULL, NULL, NULL, 0), -ENOTDIR);
	a.fh = open_fh(FUSE_OPEN, n, O_RDONLY);
	ck_assert_int_eq(fc_call(FUSE_READDIR, 1, &a, sizeof(a), NULL, NULL, NULL, 0), -ENOTDIR);
	a.fh = open_fh(FUSE_OPENDIR, 1, O_RDONLY);
	ck_assert_int_eq(fc_read(n, a.fh, 0, 10), -EISDIR);
	a.offset = UINT64_MAX;
	ck_assert_int_eq(fc_call(FUSE_READDIR, 1, &a, sizeof(a), NULL, NULL, NULL, 0), -EINVAL);
}
END_TEST

START_TEST(test_root_hides_its_parent)
{
	struct fuse_read_in a = { .size = 4096 };
	size_t at = 0;
	bool seen = false;
	struct stat st;

	ck_assert_int_eq(stat(fc_path("tree"), &st), 0);
	ck_assert_int_eq(fc_call(FUSE_READDIR, 1, &a, sizeof(a), NULL, NULL, NULL, 0), 0);
	while (at < fc.payload_len) {
		const struct fuse_dirent *d = (const void *)(fc.payload + at);

		if (d->namelen == 2 && memcmp(d->name, "..", 2) == 0) {
			ck_assert_uint_eq(d->ino, st.st_ino);
			seen = true;
		}
		at += FUSE_DIRENT_SIZE(d);
	}
	ck_assert(seen);
}
END_TEST

/* ---- attributes */

START_TEST(test_setattr)
{
	uint64_t n = new_file("f", "0123456789");
	const struct fuse_attr *a;

	ck_assert_int_eq(
		setattr(n, (struct fuse_setattr_in){ .valid = FATTR_MODE, .mode = 0604 }), 0);
	ck_assert_int_eq(setattr(n, (struct fuse_setattr_in){ .valid = FATTR_SIZE, .size = 4 }), 0);
	ck_assert_int_eq(setattr(n, (struct fuse_setattr_in){ .valid = FATTR_ATIME | FATTR_MTIME,
					    .atime = 1000,
					    .atimensec = 5,
					    .mtime = 2000,
					    .mtimensec = 999999999 }),
		0);
	a = fc_getattr(n);
	ck_assert_uint_eq(a->mode, S_IFREG | 0604);
	ck_assert_uint_eq(a->size, 4);
	ck_assert_uint_eq(a->atime, 1000);
	ck_assert_uint_eq(a->atimensec, 5);
	ck_assert_uint_eq(a->mtime, 2000);
	ck_assert_uint_eq(a->mtimensec, 999999999);
	ck_assert_int_eq(setattr(n, (struct fuse_setattr_in){ .valid = FATTR_MTIME_NOW }), 0);
	ck_assert_uint_gt(fc_getattr(n)->mtime, 2000);
	ck_assert_int_eq(
		setattr(n, (struct fuse_setattr_in){ .valid = FATTR_SIZE, .size = 1ull << 63 }),
		-EINVAL);
	ck_assert_int_eq(
		setattr(1, (struct fuse_setattr_in){ .valid = FATTR_SIZE, .size = 0 }), -EISDIR);
	ck_assert_int_eq(setattr(n, (struct fuse_setattr_in){ .valid = FATTR_MTIME,
					    .mtimensec = 1000000000 }),
		-EINVAL);
}
END_TEST

START_TEST(test_attributes_of_a_symlink)
{
	uint64_t n;
	struct stat st;

	ck_assert_int_eq(symlink("../outside", fc_path("tree/l")), 0);
	n = (uint64_t)fc_lookup(1, "l");
	ck_assert_int_eq(setattr(n, (struct fuse_setattr_in){ .valid = FATTR_MODE, .mode = 0777 }),
		-EOPNOTSUPP);
	ck_assert_int_eq(
		setattr(n, (struct fuse_setattr_in){ .valid = FATTR_MTIME, .mtime = 99 }), 0);
	ck_assert_int_eq(setattr(n, (struct fuse_setattr_in){ .valid = FATTR_SIZE }), -EINVAL);
	ck_assert_int_eq(lstat(fc_path("tree/l"), &st), 0);
	ck_assert_int_eq(st.st_mtime, 99);
	if (geteuid() == 0) {
		ck_assert_int_eq(
			setattr(n, (struct fuse_setattr_in){ .valid = FATTR_UID, .uid = 5 }), 0);
		ck_assert_int_eq(stat(fc_path("outside"), &st), 0);
		ck_assert_uint_eq(st.st_uid, 0);
	}
	ck_assert_int_eq(stat(fc_path("outside"), &st), 0);
	ck_assert_int_ne(st.st_mtime, 99);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
}
END_TEST

START_TEST(test_chown_and_setid_bits)
{
	uint64_t n = new_file("f", "x");

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(
		setattr(n, (struct fuse_setattr_in){ .valid = FATTR_MODE, .mode = 06755 }), 0);
	ck_assert_uint_eq(fc_getattr(n)->mode & 07777, 06755);
	ck_assert_int_eq(setattr(n,
				 (struct fuse_setattr_in){
					 .valid = FATTR_UID | FATTR_GID, .uid = 10, .gid = 20 }),
		0);
	ck_assert_uint_eq(fc_getattr(n)->mode & 07777, 0755);
	/* The mode that comes with an owner stays, also setgid of a group that the server is not in. */
	ck_assert_int_eq(
		setattr(n, (struct fuse_setattr_in){ .valid = FATTR_UID | FATTR_GID | FATTR_MODE,
				   .uid = 11,
				   .gid = 21,
				   .mode = 06711 }),
		0);
	ck_assert_uint_eq(fc_getattr(n)->mode & 07777, 06711);
	ck_assert_uint_eq(fc_getattr(n)->uid, 11);
	ck_assert_uint_eq(fc_getattr(n)->gid, 21);
}
END_TEST

START_TEST(test_statfs_and_access)
{
	struct fuse_access_in a = { .mask = R_OK };
	struct fuse_statfs_out s;
	uint64_t n = new_file("f", "x");

	ck_assert_int_eq(fc_call(FUSE_STATFS, 1, NULL, 0, NULL, NULL, NULL, 0), 0);
	memcpy(&s, fc.payload, sizeof(s));
	ck_assert_uint_gt(s.st.blocks, 0);
	ck_assert_uint_ge(s.st.namelen, 255);
	fc.uid = 77;
	fc.gid = 77;
	ck_assert_int_eq(fc_call(FUSE_ACCESS, n, &a, sizeof(a), NULL, NULL, NULL, 0), 0);
	a.mask = W_OK;
	ck_assert_int_eq(fc_call(FUSE_ACCESS, n, &a, sizeof(a), NULL, NULL, NULL, 0), -EACCES);
	fc.uid = 0;
	ck_assert_int_eq(fc_call(FUSE_ACCESS, n, &a, sizeof(a), NULL, NULL, NULL, 0), 0);
	a.mask = X_OK;
	ck_assert_int_eq(fc_call(FUSE_ACCESS, n, &a, sizeof(a), NULL, NULL, NULL, 0), -EACCES);
}
END_TEST

START_TEST(test_xattrs)
{
	struct fuse_setxattr_in s = { .size = 5 };
	struct fuse_getxattr_in g = { .size = 100 };
	uint64_t n = new_file("f", "x");
	char v[10];

	if (setxattr(fc_path("tree/f"), "user.probe", "", 0, 0) < 0 && errno == EOPNOTSUPP)
		return; /* tmpfs of an old kernel */
	ck_assert_int_eq(removexattr(fc_path("tree/f"), "user.probe"), 0);
	/* The short form of the request, as INIT negotiated. */
	ck_assert_int_eq(fc_call(FUSE_SETXATTR, n, &s, FUSE_COMPAT_SETXATTR_IN_SIZE, "user.k", NULL,
				 "value", 5),
		0);
	ck_assert_int_eq(getxattr(fc_path("tree/f"), "user.k", v, sizeof(v)), 5);
	ck_assert_int_eq(fc_call(FUSE_GETXATTR, n, &g, sizeof(g), "user.k", NULL, NULL, 0), 0);
	ck_assert_uint_eq(fc.payload_len, 5);
	ck_assert_mem_eq(fc.payload, "value", 5);
	g.size = 3;
	ck_assert_int_eq(
		fc_call(FUSE_GETXATTR, n, &g, sizeof(g), "user.k", NULL, NULL, 0), -ERANGE);
	g.size = 0;
	ck_assert_int_eq(fc_call(FUSE_GETXATTR, n, &g, sizeof(g), "user.k", NULL, NULL, 0), 0);
	ck_assert_uint_eq(*(const uint32_t *)(const void *)fc.payload, 5);
	g.size = 100;
	ck_assert_int_eq(fc_call(FUSE_LISTXATTR, n, &g, sizeof(g), NULL, NULL, NULL, 0), 0);
	ck_assert_mem_eq(fc.payload, "user.k", 7);
	ck_assert_int_eq(fc_call(FUSE_REMOVEXATTR, n, NULL, 0, "user.k", NULL, NULL, 0), 0);
	ck_assert_int_eq(
		fc_call(FUSE_GETXATTR, n, &g, sizeof(g), "user.k", NULL, NULL, 0), -ENODATA);
	/* A value shorter than announced. */
	s.size = 50;
	ck_assert_int_eq(fc_call(FUSE_SETXATTR, n, &s, FUSE_COMPAT_SETXATTR_IN_SIZE, "user.k", NULL,
				 "value", 5),
		-EINVAL);
	s.size = 1u << 31;
	ck_assert_int_eq(fc_call(FUSE_SETXATTR, n, &s, FUSE_COMPAT_SETXATTR_IN_SIZE, "user.k", NULL,
				 "value", 5),
		-EINVAL);
	/* The long form. */
	ck_assert_int_eq(fc_init(FUSE_SETXATTR_EXT), 0);
	n = (uint64_t)fc_lookup(1, "f");
	s.size = 2;
	ck_assert_int_eq(fc_call(FUSE_SETXATTR, n, &s, sizeof(s), "user.l", NULL, "ab", 2), 0);
	ck_assert_int_eq(getxattr(fc_path("tree/f"), "user.l", v, sizeof(v)), 2);
}
END_TEST

START_TEST(test_fallocate_seek_copy)
{
	struct fuse_fallocate_in f = { .length = 65536 };
	struct fuse_lseek_in l = { .whence = SEEK_DATA };
	struct fuse_copy_file_range_in c = { .len = 5 };
	uint64_t n = new_file("f", ""), m = new_file("g", "hello"), pos;

	ck_assert_int_eq(fc_call(FUSE_FALLOCATE, n, &f, sizeof(f), NULL, NULL, NULL, 0), 0);
	ck_assert_uint_eq(fc_getattr(n)->size, 65536);
	f.mode = 0x8000;
	ck_assert_int_eq(
		fc_call(FUSE_FALLOCATE, n, &f, sizeof(f), NULL, NULL, NULL, 0), -EOPNOTSUPP);
	ck_assert_int_eq(setattr(n, (struct fuse_setattr_in){ .valid = FATTR_SIZE, .size = 0 }), 0);
	ck_assert_int_eq(fc_write(n, 0, 1 << 20, "x", 1), 1);
	ck_assert_int_eq(fc_call(FUSE_LSEEK, n, &l, sizeof(l), NULL, NULL, NULL, 0), 0);
	memcpy(&pos, fc.payload, sizeof(pos));
	ck_assert_uint_eq(pos, 1 << 20);
	l.whence = SEEK_SET;
	ck_assert_int_eq(fc_call(FUSE_LSEEK, n, &l, sizeof(l), NULL, NULL, NULL, 0), -EINVAL);
	l.whence = SEEK_HOLE;
	l.offset = UINT64_MAX;
	ck_assert_int_eq(fc_call(FUSE_LSEEK, n, &l, sizeof(l), NULL, NULL, NULL, 0), -ENXIO);
	c.nodeid_out = n;
	c.off_out = 100;
	ck_assert_int_eq(fc_call(FUSE_COPY_FILE_RANGE, m, &c, sizeof(c), NULL, NULL, NULL, 0), 0);
	ck_assert_int_eq(fc_read(n, 0, 100, 5), 5);
	ck_assert_mem_eq(fc.payload, "hello", 5);
	c.nodeid_out = 424242;
	ck_assert_int_eq(
		fc_call(FUSE_COPY_FILE_RANGE, m, &c, sizeof(c), NULL, NULL, NULL, 0), -ESTALE);
	c.nodeid_out = n;
	c.off_out = UINT64_MAX;
	ck_assert_int_eq(
		fc_call(FUSE_COPY_FILE_RANGE, m, &c, sizeof(c), NULL, NULL, NULL, 0), -EINVAL);
}
END_TEST

START_TEST(test_sync)
{
	struct fuse_fsync_in f = { .fsync_flags = 1 };
	struct fuse_flush_in fl = { 0 };
	struct fuse_syncfs_in s = { 0 };
	uint64_t n = new_file("f", "x"), fh = open_fh(FUSE_OPEN, n, O_RDWR);

	ck_assert_int_eq(fc_call(FUSE_FSYNC, n, &f, sizeof(f), NULL, NULL, NULL, 0), 0);
	f.fh = fh;
	ck_assert_int_eq(fc_call(FUSE_FSYNC, n, &f, sizeof(f), NULL, NULL, NULL, 0), 0);
	ck_assert_int_eq(fc_call(FUSE_FSYNCDIR, n, &f, sizeof(f), NULL, NULL, NULL, 0), -ENOTDIR);
	ck_assert_int_eq(fc_call(FUSE_FSYNCDIR, 1, &f, sizeof(f), NULL, NULL, NULL, 0), 0);
	fl.fh = fh;
	ck_assert_int_eq(fc_call(FUSE_FLUSH, n, &fl, sizeof(fl), NULL, NULL, NULL, 0), 0);
	ck_assert_int_eq(fc_call(FUSE_SYNCFS, 1, &s, sizeof(s), NULL, NULL, NULL, 0), 0);
}
END_TEST

/* ---- locks */

static int setlk(uint32_t op, uint64_t n, uint64_t owner, uint32_t type, uint64_t from, uint64_t to,
	uint32_t flags)
{
	struct fuse_lk_in a = { .owner = owner, .lk = { from, to, type, 0 }, .lk_flags = flags };

	return fc_call(op, n, &a, sizeof(a), NULL, NULL, NULL, 0);
}

START_TEST(test_record_locks)
{
	uint64_t n = new_file("f", "0123456789");
	struct fuse_flush_in fl = { .lock_owner = 1 };
	struct fuse_lk_out o;
	struct flock host = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	int fd = open(fc_path("tree/f"), O_RDWR);

	ck_assert_int_eq(setlk(FUSE_SETLK, n, 1, F_WRLCK, 0, 4, 0), 0);
	ck_assert_int_eq(setlk(FUSE_SETLK, n, 2, F_WRLCK, 4, 6, 0), -EAGAIN);
	/* Never waits. */
	ck_assert_int_eq(setlk(FUSE_SETLKW, n, 2, F_RDLCK, 0, INT64_MAX, 0), -EAGAIN);
	ck_assert_int_eq(setlk(FUSE_SETLK, n, 2, F_WRLCK, 5, 6, 0), 0);
	ck_assert_int_eq(setlk(FUSE_SETLK, n, 1, F_RDLCK, 0, 4, 0), 0);
	/* The host sees them. */
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &host), -1);
	ck_assert_int_eq(setlk(FUSE_GETLK, n, 3, F_WRLCK, 0, INT64_MAX, 0), 0);
	memcpy(&o, fc.payload, sizeof(o));
	ck_assert_uint_eq(o.lk.type, F_RDLCK);
	ck_assert_uint_eq(o.lk.end, 4);
	ck_assert_int_eq(setlk(FUSE_SETLK, n, 2, F_UNLCK, 0, INT64_MAX, 0), 0);
	ck_assert_int_eq(fc_call(FUSE_FLUSH, n, &fl, sizeof(fl), NULL, NULL, NULL, 0), 0);
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &host), 0);
	close(fd);
	ck_assert_int_eq(setlk(FUSE_SETLK, n, 1, F_WRLCK, 5, 4, 0), -EINVAL);
	ck_assert_int_eq(setlk(FUSE_SETLK, n, 1, 9, 0, 4, 0), -EINVAL);
	ck_assert_int_eq(setlk(FUSE_SETLK, n, 1, F_RDLCK, 0, UINT64_MAX, 0), -EINVAL);
}
END_TEST

START_TEST(test_flock)
{
	uint64_t n = new_file("f", "x");
	int fd = open(fc_path("tree/f"), O_RDWR);

	ck_assert_int_eq(setlk(FUSE_SETLK, n, 1, F_RDLCK, 0, 0, FUSE_LK_FLOCK), 0);
	ck_assert_int_eq(setlk(FUSE_SETLK, n, 2, F_RDLCK, 0, 0, FUSE_LK_FLOCK), 0);
	ck_assert_int_eq(setlk(FUSE_SETLK, n, 3, F_WRLCK, 0, 0, FUSE_LK_FLOCK), -EAGAIN);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), -1);
	ck_assert_int_eq(setlk(FUSE_SETLK, n, 1, F_UNLCK, 0, 0, FUSE_LK_FLOCK), 0);
	ck_assert_int_eq(fc_forget(n, 1), 1); /* the node takes its locks along */
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
}
END_TEST

START_TEST(test_lock_table_is_bounded)
{
	uint64_t n = new_file("f", "x");
	unsigned int fds = fc_open_fds();
	uint64_t i = 1;

	while (setlk(FUSE_SETLK, n, i, F_RDLCK, 0, 0, 0) == 0)
		i++;
	ck_assert_uint_gt(i, 500);
	ck_assert_uint_lt(i, 2000);
	ck_assert_int_eq(setlk(FUSE_SETLK, n, i, F_RDLCK, 0, 0, 0), -ENOLCK);
	fc_forget(n, 1);
	ck_assert_uint_le(fc_open_fds(), fds);
}
END_TEST

/* ---- DAX */

static struct {
	int fd;
	uint64_t foff, len, moff;
	bool write;
	unsigned int unmaps;
} dax;

static int dax_map(void *ctx, int fd, uint64_t foff, uint64_t len, uint64_t moff, bool write)
{
	ck_assert_ptr_eq(ctx, &dax);
	dax.fd = fd;
	dax.foff = foff;
	dax.len = len;
	dax.moff = moff;
	dax.write = write;
	return len ? 0 : -EINVAL;
}

static int dax_unmap(void *ctx, uint64_t moff, uint64_t len)
{
	ck_assert_ptr_eq(ctx, &dax);
	dax.unmaps++;
	return 0;
}

static const struct fsd_dax_ops dax_ops = { .map = dax_map, .unmap = dax_unmap };

static void tune_dax(struct fsd_config *cfg)
{
	cfg->dax = &dax_ops;
	cfg->dax_ctx = &dax;
}

START_TEST(test_dax)
{
	struct fuse_setupmapping_in a = { .foffset = 4096, .len = 8192, .moffset = 65536 };
	struct fuse_removemapping_in r = { .count = 2 };
	struct fuse_removemapping_one two[2] = { { 65536, 4096 }, { 69632, 4096 } };
	uint64_t n = new_file("f", "x");

	ck_assert_int_eq(
		fc_call(FUSE_SETUPMAPPING, n, &a, sizeof(a), NULL, NULL, NULL, 0), -ENOSYS);
	fc_restart(tune_dax);
	n = (uint64_t)fc_lookup(1, "f");
	ck_assert_int_eq(fc_call(FUSE_SETUPMAPPING, n, &a, sizeof(a), NULL, NULL, NULL, 0), 0);
	ck_assert_uint_eq(dax.foff, 4096);
	ck_assert_uint_eq(dax.len, 8192);
	ck_assert_uint_eq(dax.moff, 65536);
	ck_assert_int_eq(fcntl(dax.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	a.flags = FUSE_SETUPMAPPING_FLAG_WRITE;
	ck_assert_int_eq(fc_call(FUSE_SETUPMAPPING, n, &a, sizeof(a), NULL, NULL, NULL, 0), 0);
	ck_assert(dax.write);
	ck_assert_int_eq(
		fc_call(FUSE_SETUPMAPPING, 1, &a, sizeof(a), NULL, NULL, NULL, 0), -EINVAL);
	ck_assert_int_eq(
		fc_call(FUSE_REMOVEMAPPING, n, &r, sizeof(r), NULL, NULL, two, sizeof(two)), 0);
	ck_assert_uint_eq(dax.unmaps, 2);
	r.count = 1u << 30;
	ck_assert_int_eq(
		fc_call(FUSE_REMOVEMAPPING, n, &r, sizeof(r), NULL, NULL, two, sizeof(two)),
		-EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsd_io");
	TCase *t = tcase_create("io");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, fc_stop);
	tcase_add_test(t, test_read_write_without_handle);
	tcase_add_test(t, test_release_lets_the_host_execute);
	tcase_add_test(t, test_read_write_with_handle);
	tcase_add_test(t, test_large_and_sparse);
	tcase_add_test(t, test_chained_buffers);
	tcase_add_test(t, test_readdir);
	tcase_add_test(t, test_readdir_refusals);
	tcase_add_test(t, test_root_hides_its_parent);
	tcase_add_test(t, test_setattr);
	tcase_add_test(t, test_attributes_of_a_symlink);
	tcase_add_test(t, test_chown_and_setid_bits);
	tcase_add_test(t, test_statfs_and_access);
	tcase_add_test(t, test_xattrs);
	tcase_add_test(t, test_fallocate_seek_copy);
	tcase_add_test(t, test_sync);
	tcase_add_test(t, test_record_locks);
	tcase_add_test(t, test_flock);
	tcase_add_test(t, test_lock_table_is_bounded);
	tcase_add_test(t, test_dax);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
