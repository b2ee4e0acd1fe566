/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sentry's hostfs under the real VFS and page cache, against the real engine of casemate-fsd: what programs see, what the host sees,
 * and how many requests it costs.
 */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_fs_chan.h"
#include "fake_guest.h"
#include "fs/hostfs/hostfs.h"
#include "fs/internal.h"
#include "fs/path.h"
#include "lib/printf.h"

#include <linux/falloc.h>
#include <linux/fs.h>

static struct mount_ns *ns;
static struct path root;

static void mount_root(const char *options)
{
	ns = mount_ns_create();
	ck_assert_ptr_nonnull(ns);
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, NULL, 0, options), 0);
	ck_assert(mount_ns_root(ns, &root));
	fake_fs_reset_counts();
}

static void start(unsigned int max_nodes, const char *options)
{
	fake_ram(64);
	fake_fs_start(max_nodes);
	hostfs_init();
	mount_root(options);
}

static void setup(void)
{
	start(0, "exclusive");
}

static void setup_shared(void)
{
	start(0, "shared");
}

/* Everything is let go again: no reference, no lock, no arena page is left. */
static void teardown(void)
{
	path_put(&root);
	mount_ns_put(ns);
	ck_assert_uint_eq(fake_spin_held, 0);
	ck_assert_uint_eq(fake_sem_held, 0);
	ck_assert_uint_eq(fake_fs_count(FUSE_DESTROY), 1);
	fake_fs_stop();
}

static struct file *open_file(const char *name, u32 flags)
{
	struct file *f;

	ck_assert_int_eq(file_open(&root, name, flags, 0644, 0, &f), 0);
	return f;
}

static void put_text(const char *name, u32 flags, const char *text, u64 pos)
{
	struct file *f = open_file(name, O_RDWR | flags);

	ck_assert_int_eq(file_write_kernel(f, text, strlen(text), pos), (s64)strlen(text));
	if (f->ops->flush)
		ck_assert_int_eq(f->ops->flush(f), 0);
	file_put(f);
}

static const char *get_text(const char *name)
{
	static char buf[65536];
	struct file *f = open_file(name, O_RDONLY);
	s64 n = file_read_kernel(f, buf, sizeof(buf) - 1, 0);

	ck_assert_int_ge(n, 0);
	buf[n] = 0;
	file_put(f);
	return buf;
}

static int lookup_err(const char *name)
{
	struct path p;
	int err = path_lookup(&root, name, 0, &p);

	if (!err)
		path_put(&p);
	return err;
}

static struct inode *stat_inode(const char *name)
{
	struct inode *inode;
	struct path p;

	ck_assert_int_eq(path_lookup(&root, name, 0, &p), 0);
	inode = dentry_inode(p.dentry);
	ck_assert_int_eq(inode_refresh(inode), 0);
	path_put(&p); /* the dentry cache keeps it */
	return inode;
}

static struct path path_of(const char *name)
{
	struct path p;

	ck_assert_int_eq(path_lookup(&root, name, 0, &p), 0);
	return p;
}

/* ---- names */

START_TEST(test_lookup_is_cached)
{
	host_write("f", "hello");
	host_mkdir("d");
	host_write("d/g", "x");
	ck_assert_uint_eq(stat_inode("f")->size, 5);
	ck_assert_uint_eq(fake_fs_requests(), 1);
	ck_assert_int_eq(lookup_err("d/g"), 0);
	ck_assert_int_eq(lookup_err("none"), -ENOENT);
	ck_assert_uint_eq(fake_fs_requests(), 4);
	for (int i = 0; i < 10; i++) {
		stat_inode("f");
		stat_inode("d/g");
		ck_assert_int_eq(lookup_err("none"), -ENOENT);
	}
	ck_assert_uint_eq(fake_fs_requests(), 4);
	ck_assert_str_eq(get_text("f"), "hello");
	ck_assert_uint_eq(fake_fs_requests(), 5); /* READ and nothing else */
	ck_assert_str_eq(get_text("f"), "hello");
	ck_assert_uint_eq(fake_fs_requests(), 5);
}
END_TEST

START_TEST(test_create_and_unlink_cost)
{
	struct file *f = open_file("f", O_RDWR | O_CREAT | O_EXCL);

	ck_assert_uint_eq(host_mode("f"), S_IFREG | 0644);
	file_put(f);
	ck_assert_uint_eq(fake_fs_requests(), 2); /* LOOKUP, MKNOD */
	ck_assert_int_eq(vfs_unlink(&root, "f"), 0);
	ck_assert_uint_eq(host_mode("f"), 0);
	fake_fs_reset_counts();
	for (int i = 0; i < 10; i++) {
		file_put(open_file("f", O_RDWR | O_CREAT | O_EXCL));
		ck_assert_int_eq(vfs_unlink(&root, "f"), 0);
	}
	/* The missing name is known: MKNOD, UNLINK and the note that the node is forgotten. */
	ck_assert_uint_eq(fake_fs_requests(), 30);
	ck_assert_uint_eq(fake_fs_count(FUSE_LOOKUP), 0);
}
END_TEST

START_TEST(test_unlinked_file_lives_and_dies)
{
	struct file *f = open_file("f", O_RDWR | O_CREAT);
	char buf[10];

	ck_assert_int_eq(file_write_kernel(f, "data", 4, 0), 4);
	ck_assert_int_eq(vfs_unlink(&root, "f"), 0);
	ck_assert_uint_eq(f->inode->nlink, 0);
	ck_assert_int_eq(file_read_kernel(f, buf, sizeof(buf), 0), 4);
	ck_assert_int_eq(mapping_writeback(f->inode->mapping, 0, ~0UL), 0);
	ck_assert_int_eq(file_write_kernel(f, "more", 4, 4), 4);
	fake_fs_reset_counts();
	file_put(f);
	ck_assert_uint_eq(fake_fs_count(FUSE_WRITE), 0); /* nobody will read it */
	ck_assert_uint_eq(fake_fs_count(FUSE_BATCH_FORGET), 1); /* and its blocks are free now */
}
END_TEST

START_TEST(test_mkdir_rename_link_symlink)
{
	char buf[100];
	struct path p;

	ck_assert_int_eq(vfs_mkdir(&root, "d", 0755), 0);
	ck_assert_uint_eq(host_mode("d"), S_IFDIR | 0755);
	ck_assert_uint_eq(dentry_inode(root.dentry)->nlink, 3);
	put_text("d/a", O_CREAT, "A", 0);
	put_text("b", O_CREAT, "B", 0);
	p = path_of("b");
	ck_assert_int_eq(vfs_link(&p, &root, "c"), 0);
	path_put(&p);
	ck_assert_uint_eq(stat_inode("b")->nlink, 2);
	ck_assert_ptr_eq(stat_inode("b"), stat_inode("c"));
	ck_assert_int_eq(vfs_rename(&root, "d/a", &root, "c", 0), 0);
	ck_assert_uint_eq(stat_inode("b")->nlink, 1);
	ck_assert_int_eq(lookup_err("d/a"), -ENOENT);
	ck_assert_int_eq(filemap_sync_all(), 0);
	ck_assert_str_eq(host_read("c"), "A");
	ck_assert_int_eq(vfs_rename(&root, "b", &root, "c", RENAME_NOREPLACE), -EEXIST);
	ck_assert_int_eq(vfs_rename(&root, "b", &root, "c", RENAME_EXCHANGE), 0);
	ck_assert_str_eq(get_text("b"), "A");
	ck_assert_str_eq(host_read("b"), "A");
	ck_assert_int_eq(vfs_mkdir(&root, "e", 0700), 0);
	ck_assert_int_eq(vfs_rename(&root, "d", &root, "e/d", 0), 0);
	ck_assert_uint_eq(host_mode("e/d"), S_IFDIR | 0755);
	ck_assert_int_eq(vfs_rmdir(&root, "e"), -ENOTEMPTY);
	ck_assert_int_eq(vfs_rmdir(&root, "e/d"), 0);
	ck_assert_int_eq(vfs_rmdir(&root, "e"), 0);
	ck_assert_uint_eq(dentry_inode(root.dentry)->nlink, 2);
	ck_assert_int_eq(vfs_symlink("b", &root, "l"), 0);
	ck_assert_str_eq(get_text("l"), "A");
	fake_fs_reset_counts();
	ck_assert_int_eq(inode_readlink(stat_inode("l"), buf, sizeof(buf)), 1);
	ck_assert_str_eq(get_text("l"), "A");
	ck_assert_uint_eq(fake_fs_requests(), 0);
	/* A link that is found comes with its target. */
	host_symlink("b", "found");
	fake_fs_reset_counts();
	ck_assert_int_eq(inode_readlink(stat_inode("found"), buf, sizeof(buf)), 1);
	ck_assert_int_eq(buf[0], 'b');
	ck_assert_uint_eq(fake_fs_requests(), 1);
}
END_TEST

START_TEST(test_mknod_kinds)
{
	int r;

	ck_assert_int_eq(vfs_mknod(&root, "fifo", S_IFIFO | 0600, 0), 0);
	ck_assert_uint_eq(host_mode("fifo"), S_IFIFO | 0600);
	ck_assert_int_eq(vfs_mknod(&root, "sock", S_IFSOCK | 0600, 0), 0);
	ck_assert(S_ISFIFO(stat_inode("fifo")->mode));
	r = vfs_mknod(&root, "dev", S_IFCHR | 0600, 0x103);
	if (r == -EPERM) /* a file system without user attributes */
		return;
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(host_mode("dev"), S_IFREG | 0600);
	ck_assert_uint_eq(stat_inode("dev")->mode, S_IFCHR | 0600);
	ck_assert_uint_eq(stat_inode("dev")->rdev, 0x103);
}
END_TEST

START_TEST(test_tmpfile_gets_a_name)
{
	struct file *f = open_file(".", O_TMPFILE | O_RDWR);

	ck_assert_uint_eq(f->inode->nlink, 0);
	ck_assert_int_eq(file_write_kernel(f, "tmp", 3, 0), 3);
	ck_assert_int_eq(vfs_link(&f->path, &root, "named"), 0);
	file_put(f);
	ck_assert_int_eq(filemap_sync_all(), 0);
	ck_assert_str_eq(host_read("named"), "tmp");
	ck_assert_str_eq(get_text("named"), "tmp");
}
END_TEST

/* ---- reading directories */

struct collect {
	struct dir_emit d;
	unsigned int n, limit;
	char last[256];
};

static bool collect_emit(
	struct dir_emit *d, const char *name, size_t len, u64 ino, u32 type, u64 off)
{
	struct collect *c = container_of(d, struct collect, d);

	(void)ino;
	(void)type;
	(void)off;
	if (c->n == c->limit)
		return false;
	memcpy(c->last, name, len);
	c->last[len] = 0;
	c->n++;
	return true;
}

/* Reads on with at most `limit` entries; returns how many came. */
static unsigned int read_some(struct file *f, unsigned int limit)
{
	struct collect c = { .d = { .emit = collect_emit, .pos = f->pos }, .limit = limit };

	rwsem_read_lock(&f->inode->lock);
	ck_assert_int_eq(f->ops->readdir(f, &c.d), 0);
	rwsem_read_unlock(&f->inode->lock);
	f->pos = c.d.pos;
	return c.n;
}

START_TEST(test_readdir)
{
	struct file *f;
	unsigned int n, all = 0;

	host_many("some-name-", 1500);
	f = open_file(".", O_RDONLY | O_DIRECTORY);
	while ((n = read_some(f, 7)) > 0)
		all += n;
	ck_assert_uint_eq(all, 1502);
	ck_assert_uint_le(fake_fs_requests(), 8);
	/* Every name is known now. */
	fake_fs_reset_counts();
	ck_assert_uint_eq(stat_inode("some-name-777")->size, 0);
	ck_assert_uint_eq(fake_fs_requests(), 0);
	f->pos = 0;
	ck_assert_uint_eq(read_some(f, 10000), 1502);
	file_put(f);
}
END_TEST

START_TEST(test_readdir_of_a_small_directory_is_one_request)
{
	struct file *f;

	host_mkdir("d");
	host_write("d/x", "");
	f = open_file("d", O_RDONLY | O_DIRECTORY);
	fake_fs_reset_counts();
	ck_assert_uint_eq(read_some(f, 100), 3);
	ck_assert_uint_eq(read_some(f, 100), 0);
	ck_assert_uint_eq(fake_fs_requests(), 1);
	ck_assert_int_eq(vfs_unlink(&root, "d/x"), 0);
	f->pos = 0;
	ck_assert_uint_eq(read_some(f, 100), 2);
	file_put(f);
}
END_TEST

/* ---- contents */

START_TEST(test_write_back)
{
	struct file *f = open_file("f", O_RDWR | O_CREAT);

	fake_fs_reset_counts();
	for (u64 i = 0; i < 1000; i++)
		ck_assert_int_eq(file_write_kernel(f, "0123456789", 10, i * 10), 10);
	ck_assert_uint_eq(fake_fs_requests(), 0);
	ck_assert_int_eq(host_size("f"), 0);
	ck_assert_uint_eq(f->inode->blocks, 24);
	f->inode->mtime.sec = 12345;
	ck_assert_int_eq(f->ops->fsync(f, 0, ~0UL, false), 0);
	ck_assert_int_eq(host_size("f"), 10000);
	ck_assert_int_eq(host_mtime("f"), 12345);
	ck_assert_uint_eq(fake_fs_requests(), 3); /* WRITE, SETATTR of the time, FSYNC */
	ck_assert_uint_eq(f->inode->size, 10000);
	file_put(f);
}
END_TEST

START_TEST(test_data_reaches_the_host_at_sync_and_at_the_end)
{
	put_text("a", O_CREAT, "synced", 0);
	ck_assert_int_eq(filemap_sync_all(), 0);
	ck_assert_str_eq(host_read("a"), "synced");
	put_text("b", O_CREAT, "evicted", 0);
	ck_assert_str_eq(host_read("b"), "");
	while (dcache_shrink(1000))
		;
	ck_assert_str_eq(host_read("b"), "evicted");
	put_text("c", O_CREAT, "umounted", 0);
	path_put(&root);
	mount_ns_put(ns);
	ck_assert_str_eq(host_read("c"), "umounted");
	ns = NULL;
	mount_root("exclusive");
	ck_assert_str_eq(get_text("c"), "umounted");
	ck_assert_str_eq(get_text("b"), "evicted");
}
END_TEST

START_TEST(test_large_file)
{
	const u64 size = 3 << 20;
	char *out = malloc(size), *in = malloc(size);
	struct file *f = open_file("big", O_RDWR | O_CREAT);

	for (u64 i = 0; i < size; i++)
		out[i] = (char)(i * 31 + (i >> 12));
	fake_fs_reset_counts();
	ck_assert_int_eq(file_write_kernel(f, out, size, 0), (s64)size);
	ck_assert_int_eq(mapping_writeback(f->inode->mapping, 0, ~0UL), 0);
	ck_assert_uint_eq(fake_fs_count(FUSE_WRITE), 12); /* 256 KiB each */
	mapping_invalidate(f->inode->mapping, 0, ~0UL);
	fake_fs_reset_counts();
	ck_assert_int_eq(file_read_kernel(f, in, size, 0), (s64)size);
	ck_assert_uint_le(fake_fs_count(FUSE_READ), 13);
	ck_assert_int_eq(memcmp(in, out, size), 0);
	file_put(f);
	free(in);
	free(out);
}
END_TEST

START_TEST(test_partial_overwrite_and_holes)
{
	struct inode *inode;

	host_write("f", "hello, world");
	put_text("f", 0, "HELLO", 0);
	ck_assert_str_eq(get_text("f"), "HELLO, world");
	put_text("f", 0, "end", 100000);
	inode = stat_inode("f");
	ck_assert_uint_eq(inode->size, 100003);
	ck_assert_int_eq(filemap_sync_all(), 0);
	ck_assert_int_eq(host_size("f"), 100003);
	mapping_invalidate(inode->mapping, 0, ~0UL);
	ck_assert_str_eq(get_text("f"), "HELLO, world"); /* up to the first zero */
}
END_TEST

START_TEST(test_truncate)
{
	struct path p;
	struct file *f;
	char buf[20] = { 0 };

	put_text("f", O_CREAT, "0123456789", 0);
	p = path_of("f");
	ck_assert_int_eq(vfs_truncate(&p, 4), 0);
	ck_assert_int_eq(vfs_truncate(&p, 8), 0);
	f = open_file("f", O_RDWR);
	ck_assert_int_eq(file_read_kernel(f, buf, sizeof(buf), 0), 8);
	ck_assert_int_eq(memcmp(buf, "0123\0\0\0\0", 8), 0);
	ck_assert_int_eq(filemap_sync_all(), 0);
	ck_assert_int_eq(host_size("f"), 8);
	ck_assert_str_eq(host_read("f"), "0123");
	file_put(f);
	file_put(open_file("f", O_RDWR | O_TRUNC));
	ck_assert_int_eq(host_size("f"), 0);
	fake_fs_reset_counts();
	file_put(open_file("f", O_RDWR | O_TRUNC)); /* empty already */
	ck_assert_uint_eq(fake_fs_requests(), 0);
	path_put(&p);
}
END_TEST

START_TEST(test_setuid_survives_late_write_back)
{
	struct path p;

	put_text("prog", O_CREAT, "#!", 0);
	p = path_of("prog");
	ck_assert_int_eq(vfs_chmod(&p, 04755), 0);
	path_put(&p);
	ck_assert_int_eq(filemap_sync_all(), 0);
	ck_assert_uint_eq(host_mode("prog"), S_IFREG | 04755);
	ck_assert_str_eq(host_read("prog"), "#!");
	/* The same without anything to wait for. */
	p = path_of("prog");
	ck_assert_int_eq(vfs_chmod(&p, 06711), 0);
	ck_assert_uint_eq(host_mode("prog"), S_IFREG | 06711);
	path_put(&p);
}
END_TEST

START_TEST(test_chown_and_times)
{
	struct timestamp at = { 111, 0 }, mt = { 222, 333 };
	struct path p;

	put_text("f", O_CREAT, "late", 0);
	p = path_of("f");
	if (geteuid() == 0) {
		ck_assert_int_eq(vfs_chown(&p, 5, 6), 0);
		ck_assert_uint_eq(host_uid("f"), 5);
		ck_assert_uint_eq(stat_inode("f")->gid, 6);
	}
	ck_assert_int_eq(vfs_utimes(&p, &at, &mt), 0);
	ck_assert_int_eq(filemap_sync_all(), 0);
	ck_assert_int_eq(host_mtime("f"), 222);
	ck_assert_int_eq(stat_inode("f")->mtime.sec, 222);
	path_put(&p);
}
END_TEST

START_TEST(test_xattrs)
{
	struct path p;
	char v[20];

	put_text("f", O_CREAT, "x", 0);
	p = path_of("f");
	ck_assert_int_eq(vfs_setxattr(&p, "user.k", "value", 5, 0), 0);
	ck_assert_int_eq(vfs_getxattr(&p, "user.k", v, sizeof(v)), 5);
	ck_assert_int_eq(memcmp(v, "value", 5), 0);
	ck_assert_int_eq(vfs_getxattr(&p, "user.k", v, 0), 5);
	ck_assert_int_eq(vfs_getxattr(&p, "user.k", v, 2), -ERANGE);
	ck_assert_int_eq(vfs_listxattr(&p, v, sizeof(v)), 7);
	ck_assert_int_eq(vfs_removexattr(&p, "user.k"), 0);
	ck_assert_int_eq(vfs_getxattr(&p, "user.k", v, sizeof(v)), -ENODATA);
	/* The question of every exec is answered from memory the second time. */
	ck_assert_int_eq(vfs_getxattr(&p, "security.capability", v, sizeof(v)), -ENODATA);
	fake_fs_reset_counts();
	ck_assert_int_eq(vfs_getxattr(&p, "security.capability", v, sizeof(v)), -ENODATA);
	ck_assert_uint_eq(fake_fs_requests(), 0);
	path_put(&p);
}
END_TEST

START_TEST(test_fallocate_seek_copy)
{
	struct file *f = open_file("f", O_RDWR | O_CREAT), *g = open_file("g", O_RDWR | O_CREAT);
	char buf[32] = { 0 };

	ck_assert_int_eq(f->ops->fallocate(f, 0, 0, 1 << 20), 0);
	ck_assert_uint_eq(f->inode->size, 1 << 20);
	ck_assert_int_eq(file_write_kernel(f, "middle", 6, 600000), 6);
	ck_assert_int_eq(
		f->ops->fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65536), 0);
	ck_assert_int_eq(
		f->ops->fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 600001, 2), 0);
	ck_assert_int_eq(file_read_kernel(f, buf, 6, 600000), 6);
	ck_assert_int_eq(memcmp(buf, "m\0\0dle", 6), 0);
	ck_assert_int_ge(f->ops->llseek(f, 0, SEEK_DATA), 65536);
	ck_assert_int_eq(f->ops->llseek(f, 1 << 20, SEEK_DATA), -ENXIO);
	ck_assert_int_eq(f->ops->llseek(f, -3, SEEK_END), (1 << 20) - 3);
	ck_assert_int_eq(g->ops->copy_range(f, 600000, g, 10, 6), -EXDEV); /* not worth a request */
	ck_assert_int_eq(mapping_writeback(f->inode->mapping, 0, ~0UL), 0);
	ck_assert_int_eq(g->ops->copy_range(f, 600000, g, 10, 200000), 200000);
	ck_assert_uint_eq(g->inode->size, 200010);
	ck_assert_int_eq(file_read_kernel(g, buf, 20, 0), 20);
	ck_assert_int_eq(memcmp(buf + 10, "m\0\0dle", 6), 0);
	file_put(f);
	file_put(g);
}
END_TEST

START_TEST(test_statfs)
{
	struct statfs_info s;

	ck_assert_int_eq(vfs_statfs(&root, &s), 0);
	ck_assert_uint_gt(s.blocks, 0);
	ck_assert_uint_eq(s.type, HOSTFS_MAGIC);
}
END_TEST

/* What unpacking an archive does: one request a file now, two when the data goes to the host. */
START_TEST(test_unpacking_costs_few_requests)
{
	struct timestamp t = { 1000, 0 };
	char name[32];
	struct path p;

	ck_assert_int_eq(vfs_mkdir(&root, "new", 0755), 0);
	fake_fs_reset_counts();
	for (int i = 0; i < 100; i++) {
		(void)str_format(name, sizeof(name), "new/file-%d", i);
		put_text(name, O_CREAT | O_EXCL, "content", 0);
		p = path_of(name);
		ck_assert_int_eq(vfs_chmod(&p, 0755), 0);
		ck_assert_int_eq(vfs_utimes(&p, &t, &t), 0);
		path_put(&p);
	}
	ck_assert_uint_le(fake_fs_requests(), 105); /* now and then the filter says "perhaps" */
	fake_fs_reset_counts();
	ck_assert_int_eq(filemap_sync_all(), 0);
	ck_assert_uint_eq(fake_fs_requests(), 200);
	ck_assert_uint_eq(host_mode("new/file-7"), S_IFREG | 0755);
	ck_assert_int_eq(host_mtime("new/file-7"), 1000);
	ck_assert_str_eq(host_read("new/file-99"), "content");
}
END_TEST

START_TEST(test_names_of_a_new_directory)
{
	char name[32];

	host_write("outside", "1");
	ck_assert_int_eq(vfs_mkdir(&root, "d", 0755), 0);
	ck_assert_int_eq(vfs_mkdir(&root, "e", 0755), 0);
	put_text("e/m", O_CREAT, "moved", 0);
	ck_assert_int_eq(vfs_rename(&root, "e/m", &root, "d/m", 0), 0);
	for (int i = 0; i < 3000; i++) { /* more than the filter holds */
		(void)str_format(name, sizeof(name), "d/%d", i);
		ck_assert_int_eq(vfs_mknod(&root, name, S_IFREG | 0600, 0), 0);
		if (i == 700)
			while (dcache_shrink(1000))
				;
		(void)str_format(name, sizeof(name), "d/%d", i / 2);
		ck_assert_int_eq(lookup_err(name), 0);
	}
	ck_assert_str_eq(get_text("d/m"), "moved");
	ck_assert_int_eq(lookup_err("d/none"), -ENOENT);
	while (dcache_shrink(1000))
		;
	ck_assert_int_eq(lookup_err("d/123"), 0);
}
END_TEST

START_TEST(test_kept_back_attributes_are_not_lost)
{
	struct path p;
	struct file *f;

	/* Truncation drops the last dirty page, and with it the request that would have brought the mode. */
	put_text("a", O_CREAT, "data", 0);
	p = path_of("a");
	ck_assert_int_eq(vfs_chmod(&p, 0600), 0);
	ck_assert_uint_eq(host_mode("a"), S_IFREG | 0644);
	ck_assert_int_eq(vfs_truncate(&p, 0), 0);
	ck_assert_uint_eq(host_mode("a"), S_IFREG | 0600);
	path_put(&p);
	f = open_file("b", O_RDWR | O_CREAT);
	ck_assert_int_eq(file_write_kernel(f, "x", 1, 0), 1);
	ck_assert_int_eq(vfs_chmod(&f->path, 0640), 0);
	ck_assert_int_eq(f->ops->fsync(f, 0, ~0UL, true), 0);
	ck_assert_uint_eq(host_mode("b"), S_IFREG | 0640);
	ck_assert_int_eq(file_write_kernel(f, "x", 1, 0), 1);
	ck_assert_int_eq(vfs_chmod(&f->path, 0604), 0);
	file_put(f);
	while (dcache_shrink(1000))
		;
	ck_assert_uint_eq(host_mode("b"), S_IFREG | 0604);
	ck_assert_uint_eq(stat_inode("b")->mode, S_IFREG | 0604);
}
END_TEST

/* ---- failures */

START_TEST(test_errors_of_the_server)
{
	struct file *f;

	fake_fs_fail(FUSE_MKNOD, ENOSPC);
	ck_assert_int_eq(file_open(&root, "f", O_RDWR | O_CREAT, 0644, 0, &f), -ENOSPC);
	fake_fs_fail(FUSE_LOOKUP, EIO);
	ck_assert_int_eq(lookup_err("other"), -EIO);
	fake_fs_fail(0, 0);
	f = open_file("f", O_RDWR | O_CREAT);
	ck_assert_int_eq(file_write_kernel(f, "lost", 4, 0), 4);
	fake_fs_fail(FUSE_WRITE, ENOSPC);
	ck_assert_int_eq(f->ops->fsync(f, 0, ~0UL, false), -ENOSPC); /* told once */
	ck_assert_int_eq(f->ops->fsync(f, 0, ~0UL, false), 0);
	fake_fs_fail(FUSE_READ, EIO);
	mapping_invalidate(f->inode->mapping, 0, ~0UL);
	f->inode->size = 4;
	hostfs_node(f->inode)->server_size = 4;
	ck_assert_int_eq(file_read_kernel(f, (char[4]){ 0 }, 4, 0), -EIO);
	fake_fs_fail(FUSE_SETATTR, EPERM);
	{
		struct path p = path_of("f");

		ck_assert_int_eq(vfs_chmod(&p, 0777), -EPERM);
		ck_assert_uint_eq(stat_inode("f")->mode & 0777, 0644);
		path_put(&p);
	}
	fake_fs_fail(0, 0);
	file_put(f);
}
END_TEST

static void setup_small(void)
{
	start(200, "exclusive");
}

START_TEST(test_full_server_table)
{
	char name[32];

	host_many("n", 1000);
	for (int i = 0; i < 1000; i++) {
		(void)str_format(name, sizeof(name), "n%d", i);
		ck_assert_int_eq(lookup_err(name), 0);
	}
	ck_assert_int_eq(lookup_err("n0"), 0);
}
END_TEST

/* ---- shared mounts */

START_TEST(test_shared_sees_changes)
{
	host_write("f", "one");
	ck_assert_str_eq(get_text("f"), "one");
	host_write("f", "three");
	ck_assert_str_eq(get_text("f"), "three"); /* looked at again when opened */
	ck_assert_int_eq(lookup_err("g"), -ENOENT);
	host_write("g", "new");
	ck_assert_str_eq(get_text("g"), "new"); /* a missing name is not kept */
	host_write("f", "longer than before");
	fake_now += 2 * HOSTFS_VALID_NS;
	ck_assert_uint_eq(stat_inode("f")->size, 18);
	host_unlink("f");
	fake_now += 2 * HOSTFS_VALID_NS;
	ck_assert_int_eq(lookup_err("f"), -ENOENT);
	host_mkdir("f");
	ck_assert_int_eq(lookup_err("f"), 0);
}
END_TEST

/* Each open asks about the file that it found: that must not keep the name alive. */
START_TEST(test_shared_sees_another_file_in_the_place_of_one)
{
	host_write("f", "old");
	ck_assert_str_eq(get_text("f"), "old");
	host_write("f.new", "new");
	host_rename("f.new", "f");
	for (int i = 0; i < 8; i++) {
		fake_now += HOSTFS_VALID_NS / 4;
		get_text("f");
	}
	ck_assert_str_eq(get_text("f"), "new");
	host_write("f.new", "newer");
	host_rename("f.new", "f");
	fake_now += HOSTFS_VALID_NS + 1;
	ck_assert_str_eq(get_text("f"), "newer");
}
END_TEST

START_TEST(test_shared_caches_for_a_second)
{
	host_write("f", "x");
	stat_inode("f");
	fake_fs_reset_counts();
	stat_inode("f");
	stat_inode("f");
	ck_assert_uint_eq(fake_fs_requests(), 0);
}
END_TEST

START_TEST(test_shared_writes_at_close)
{
	put_text("f", O_CREAT, "data", 0);
	ck_assert_str_eq(host_read("f"), "data");
	ck_assert_uint_eq(fake_fs_count(FUSE_RELEASE), 1);
	put_text("f", 0, "DA", 0);
	ck_assert_str_eq(host_read("f"), "DAta");
}
END_TEST

START_TEST(test_mounts)
{
	ck_assert_int_eq(vfs_mkdir(&root, "sub", 0755), 0);
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", "nosuchtag", "/sub", 0, NULL), -ENODEV);
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, "/sub", 0, "bogus"), -EINVAL);
	/* The same tag once more is the same file system. */
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, "/sub", 0, NULL), 0);
	put_text("x", O_CREAT, "y", 0);
	ck_assert_str_eq(get_text("sub/x"), "y");
}
END_TEST

/* Volumes: a directory twice, once read-only, and a file; beside the tree, above one connection. */
START_TEST(test_volumes)
{
	ck_assert_int_eq(vfs_mkdir(&root, "v", 0755), 0);
	ck_assert_int_eq(vfs_mkdir(&root, "r", 0755), 0);
	put_text("f", O_CREAT, "below", 0);
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, "/v", 0, "volume=0"), -EINVAL);
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, "/v", 0, "volume=65"), -EINVAL);
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, "/v", 0, "volume=9"), -ENOENT);
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, "/f", 0, "volume=1"), -ENOTDIR);
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, "/v", 0, "volume=3"), -ENOTDIR);
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, "/v", 0, "shared,volume=1"), 0);
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, "/r", 0, "volume=2"), 0);
	ck_assert_int_eq(vfs_mount(ns, "virtiofs", FAKE_FS_TAG, "/f", 0, "volume=3"), 0);
	ck_assert_str_eq(get_text("f"), "secret");
	put_text("f", 0, "SEC", 0);
	ck_assert_str_eq(host_read("../outside"), "SECret");
	put_text("v/x", O_CREAT, "through", 0);
	ck_assert_str_eq(host_read("../volume/x"), "through"); /* at close */
	ck_assert_str_eq(get_text("r/x"), "through");
	ck_assert_int_eq(vfs_mkdir(&root, "r/y", 0755), -EROFS);
	ck_assert_int_eq(vfs_mkdir(&root, "v/y", 0755), 0);
	ck_assert_int_eq(lookup_err("r/y"), 0);
	host_write("../volume/x", "changed outside");
	ck_assert_str_eq(get_text("v/x"), "changed outside");
}
END_TEST

static TCase *tcase(Suite *s, const char *name, void (*up)(void))
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, up, teardown);
	tcase_set_timeout(t, 20);
	suite_add_tcase(s, t);
	return t;
}

static void add_exclusive(TCase *t)
{
	tcase_add_test(t, test_lookup_is_cached);
	tcase_add_test(t, test_create_and_unlink_cost);
	tcase_add_test(t, test_unlinked_file_lives_and_dies);
	tcase_add_test(t, test_mkdir_rename_link_symlink);
	tcase_add_test(t, test_mknod_kinds);
	tcase_add_test(t, test_tmpfile_gets_a_name);
	tcase_add_test(t, test_readdir);
	tcase_add_test(t, test_readdir_of_a_small_directory_is_one_request);
	tcase_add_test(t, test_write_back);
	tcase_add_test(t, test_data_reaches_the_host_at_sync_and_at_the_end);
	tcase_add_test(t, test_large_file);
	tcase_add_test(t, test_partial_overwrite_and_holes);
	tcase_add_test(t, test_truncate);
	tcase_add_test(t, test_setuid_survives_late_write_back);
	tcase_add_test(t, test_chown_and_times);
	tcase_add_test(t, test_xattrs);
	tcase_add_test(t, test_fallocate_seek_copy);
	tcase_add_test(t, test_statfs);
	tcase_add_test(t, test_unpacking_costs_few_requests);
	tcase_add_test(t, test_names_of_a_new_directory);
	tcase_add_test(t, test_kept_back_attributes_are_not_lost);
	tcase_add_test(t, test_errors_of_the_server);
	tcase_add_test(t, test_mounts);
	tcase_add_test(t, test_volumes);
}

int main(void)
{
	Suite *s = suite_create("guest_hostfs");
	TCase *t;
	SRunner *sr;
	int failed;

	add_exclusive(tcase(s, "exclusive", setup));
	t = tcase(s, "small", setup_small);
	tcase_add_test(t, test_full_server_table);
	t = tcase(s, "shared", setup_shared);
	tcase_add_test(t, test_shared_sees_changes);
	tcase_add_test(t, test_shared_sees_another_file_in_the_place_of_one);
	tcase_add_test(t, test_shared_caches_for_a_second);
	tcase_add_test(t, test_shared_writes_at_close);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
