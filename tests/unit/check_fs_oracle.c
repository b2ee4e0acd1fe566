/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random file operations, each made twice: by Linux on a tmpfs directory that is the root (chroot) and by the sentry's VFS. Result, errno and
 * what stat says must agree. Skipped where chroot is not permitted.
 */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_fs.h"

#define STEPS 8000

static unsigned long seed;
static bool overlay; /* directories of the lower tree have one link and do not move */

static unsigned modes = 07777; /* that chmod gives */

static unsigned rnd(unsigned n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned)(seed >> 33) % n;
}

/* Paths with few names, so that operations meet; dots, slashes, long names and links among them. */
static void rnd_path(char *out)
{
	static const char *const part[] = { "a", "b", "c", "d", "l", "m", ".", "..", "a", "b" };
	unsigned n = rnd(4) + 1;
	char *p = out;

	if (rnd(6) == 0)
		*p++ = '/';
	for (unsigned i = 0; i < n; i++) {
		if (i)
			*p++ = '/';
		if (rnd(40) == 0)
			p += sprintf(p, "/");
		if (rnd(300) == 0) {
			memset(p, 'x', 256);
			p += rnd(2) ? 255 : 256;
			continue;
		}
		p += sprintf(p, "%s", part[rnd(10)]);
	}
	if (rnd(12) == 0)
		*p++ = '/';
	*p = 0;
	if (rnd(100) == 0)
		*out = 0;
}

/* Runs in a child without the test framework's files. */
#define same(cond, ...) \
	do { \
		if (!(cond)) { \
			printf("# seed %lu: ", seed); \
			printf(__VA_ARGS__); \
			printf("\n"); \
			fflush(stdout); \
			_exit(1); \
		} \
	} while (0)

static long host_call(long nr, long a0, long a1, long a2, long a3, long a4)
{
	long r = syscall(nr, a0, a1, a2, a3, a4);

	return r < 0 ? -errno : r;
}

struct both {
	long host, guest;
};

static struct both both(long nr, long a0, long a1, long a2, long a3, long a4)
{
	struct both b;

	b.host = host_call(nr, a0, a1, a2, a3, a4);
	b.guest = fake_fs_call(nr, a0, a1, a2, a3, a4);
	return b;
}

static char what[4300];

static struct both op_open(const char *p)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_CREAT,
		O_WRONLY | O_CREAT | O_EXCL, O_RDWR | O_TRUNC, O_RDONLY | O_DIRECTORY,
		O_RDONLY | O_NOFOLLOW, O_PATH, O_PATH | O_NOFOLLOW, O_CREAT | O_NOFOLLOW | O_RDWR,
		O_CREAT | O_TRUNC | O_WRONLY, O_TMPFILE | O_RDWR };
	int f = flags[rnd(sizeof(flags) / sizeof(flags[0]))];
	mode_t mode = (mode_t)rnd(2) ? 0644 : 02755;
	struct both b;

	snprintf(what, sizeof(what), "open(\"%s\", %o)", p, (unsigned)f);
	b.host = host_call(SYS_open, (long)p, f | O_NONBLOCK, mode, 0, 0);
	b.guest = fake_fs_call(SYS_open, (long)p, f | O_NONBLOCK, mode, 0, 0);
	if (b.host >= 0 && b.guest >= 0) {
		char buf[100];
		long h, g;
		unsigned n = rnd(100);

		memset(buf, 'z', sizeof(buf));
		h = host_call(SYS_write, b.host, (long)buf, n, 0, 0);
		g = fake_fs_call(SYS_write, b.guest, (long)buf, n, 0, 0);
		same(h == g, "write after %s: %ld %ld", what, h, g);
		h = host_call(SYS_pread64, b.host, (long)buf, 100, 3, 0);
		g = fake_fs_call(SYS_pread64, b.guest, (long)buf, 100, 3, 0);
		same(h == g, "pread after %s: %ld %ld", what, h, g);
		h = host_call(SYS_lseek, b.host, 5, SEEK_END, 0, 0);
		g = fake_fs_call(SYS_lseek, b.guest, 5, SEEK_END, 0, 0);
		if (!(f & (O_PATH | O_DIRECTORY)) || h < 0)
			same(h == g || (h < 0) == (g < 0), "lseek after %s: %ld %ld", what, h, g);
	}
	if (b.host >= 0)
		close((int)b.host);
	if (b.guest >= 0)
		fake_fs_call(SYS_close, b.guest, 0, 0, 0, 0);
	b.host = b.host < 0 ? b.host : 0;
	b.guest = b.guest < 0 ? b.guest : 0;
	return b;
}

static struct both op_stat(long nr, const char *p)
{
	struct stat h, g;
	struct both b;

	snprintf(what, sizeof(what), "%s(\"%s\")", nr == SYS_stat ? "stat" : "lstat", p);
	memset(&h, 0, sizeof(h));
	memset(&g, 0, sizeof(g));
	b.host = host_call(nr, (long)p, (long)&h, 0, 0, 0);
	b.guest = fake_fs_call(nr, (long)p, (long)&g, 0, 0, 0);
	same(h.st_mode == g.st_mode, "%s: mode %o %o", what, h.st_mode, g.st_mode);
	if (!overlay || !S_ISDIR(h.st_mode)) {
		same(h.st_nlink == g.st_nlink, "%s: nlink %lu %lu", what, h.st_nlink, g.st_nlink);
		same(h.st_size == g.st_size, "%s: size %ld %ld", what, h.st_size, g.st_size);
	}
	same(h.st_uid == g.st_uid && h.st_gid == g.st_gid, "%s: owner", what);
	return b;
}

static struct both op_readlink(const char *p)
{
	char h[100] = "", g[100] = "";
	struct both b;

	snprintf(what, sizeof(what), "readlink(\"%s\")", p);
	b.host = host_call(SYS_readlink, (long)p, (long)h, sizeof(h), 0, 0);
	b.guest = fake_fs_call(SYS_readlink, (long)p, (long)g, sizeof(g), 0, 0);
	same(!memcmp(h, g, sizeof(h)), "%s: '%s' '%s'", what, h, g);
	return b;
}

static struct both op_getcwd(void)
{
	char h[4096] = "", g[4096] = "";
	struct both b;

	snprintf(what, sizeof(what), "getcwd()");
	b.host = host_call(SYS_getcwd, (long)h, sizeof(h), 0, 0, 0);
	b.guest = fake_fs_call(SYS_getcwd, (long)g, sizeof(g), 0, 0, 0);
	same(!strcmp(h, g), "getcwd: '%s' '%s'", h, g);
	return b;
}

static bool is_dir(const char *p)
{
	struct stat st;

	return lstat(p, &st) == 0 && S_ISDIR(st.st_mode);
}

static struct both op_two_paths(unsigned which, const char *p, const char *q)
{
	static const unsigned rename_flags[] = { 0, 0, 0, 1, 2, 3, 8 };
	unsigned f;

	switch (which) {
	case 0:
		f = rename_flags[rnd(7)];
		if (overlay && (is_dir(p) || is_dir(q)))
			return (struct both){ 0, 0 };
		snprintf(what, sizeof(what), "rename(\"%s\", \"%s\", %u)", p, q, f);
		return both(SYS_renameat2, AT_FDCWD, (long)p, AT_FDCWD, (long)q, f);
	case 1:
		f = rnd(2) ? AT_SYMLINK_FOLLOW : 0;
		snprintf(what, sizeof(what), "link(\"%s\", \"%s\", %u)", p, q, f);
		return both(SYS_linkat, AT_FDCWD, (long)p, AT_FDCWD, (long)q, f);
	default:
		snprintf(what, sizeof(what), "symlink(\"%s\", \"%s\")", p, q);
		return both(SYS_symlink, (long)p, (long)q, 0, 0, 0);
	}
}

/* Distributions forbid in sticky directories what the kernel by itself, and the sentry, allow: proc(5), /proc/sys/fs/protected_*. */
static void avoid_protected(void)
{
	static const char *const names[] = { "symlinks", "hardlinks", "regular", "fifos" };
	char path[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		FILE *f;
		int on = 0;

		snprintf(path, sizeof(path), "/proc/sys/fs/protected_%s", names[i]);
		f = fopen(path, "re");
		if (f && fscanf(f, "%d", &on) == 1 && on)
			modes &= ~(unsigned)S_ISVTX;
		if (f)
			fclose(f);
	}
}

static struct both op_attr(unsigned which, const char *p)
{
	unsigned v = rnd(010000), id = rnd(3) * 500;

	switch (which) {
	case 0:
		snprintf(what, sizeof(what), "chmod(\"%s\", %o)", p, v & modes);
		return both(SYS_chmod, (long)p, (v & modes) | 0700, 0, 0, 0);
	case 1:
		snprintf(what, sizeof(what), "lchown(\"%s\", %d)", p, (int)id - 1);
		return both(SYS_lchown, (long)p, id ? (long)id : -1, id, 0, 0);
	case 2:
		snprintf(what, sizeof(what), "truncate(\"%s\", %u)", p, v);
		return both(SYS_truncate, (long)p, v, 0, 0, 0);
	case 3:
		snprintf(what, sizeof(what), "access(\"%s\", %u)", p, v & 7);
		return both(SYS_access, (long)p, v & 7, 0, 0, 0);
	default:
		snprintf(what, sizeof(what), "utimensat(\"%s\")", p);
		return both(
			SYS_utimensat, AT_FDCWD, (long)p, 0, rnd(2) ? AT_SYMLINK_NOFOLLOW : 0, 0);
	}
}

static struct both step(void)
{
	char p[2048], q[2048];

	rnd_path(p);
	rnd_path(q);
	switch (rnd(16)) {
	case 0:
		snprintf(what, sizeof(what), "mkdir(\"%s\")", p);
		return both(SYS_mkdir, (long)p, rnd(4) ? 0755 : 02775, 0, 0, 0);
	case 1:
		snprintf(what, sizeof(what), "rmdir(\"%s\")", p);
		return both(SYS_rmdir, (long)p, 0, 0, 0, 0);
	case 2:
		snprintf(what, sizeof(what), "unlink(\"%s\")", p);
		return both(SYS_unlink, (long)p, 0, 0, 0, 0);
	case 3:
		return op_two_paths(2, p, q);
	case 4:
		return op_two_paths(1, p, q);
	case 5:
	case 6:
		return op_two_paths(0, p, q);
	case 7:
		snprintf(what, sizeof(what), "mknod(\"%s\")", p);
		return both(SYS_mknod, (long)p, (rnd(2) ? S_IFIFO : S_IFREG) | 0666, 0, 0, 0);
	case 8:
		return op_stat(SYS_stat, p);
	case 9:
		return op_stat(SYS_lstat, p);
	case 10:
		return op_readlink(p);
	case 11:
		if (rnd(4))
			return op_getcwd();
		snprintf(what, sizeof(what), "chdir(\"%s\")", p);
		return both(SYS_chdir, (long)p, 0, 0, 0, 0);
	case 12:
	case 13:
		return op_attr(rnd(5), p);
	default:
		return op_open(p);
	}
}

static void in_chroot(unsigned uid)
{
	char dir[] = "/dev/shm/fs-oracle-XXXXXX";

	if (!mkdtemp(dir) || chroot(dir) < 0 || chdir("/") < 0)
		_exit(77);
	umask(022);
	fake_fs_boot();
	chmod("/", 0777);
	fake_fs_call(SYS_chmod, (long)"/", 0777, 0, 0, 0);
	if (uid) {
		if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
			_exit(77);
		fake_fs_user(uid, uid);
	}
}

/* Removes everything in the sentry's tree: no inode may stay behind. */
static void guest_clear(const char *dir)
{
	char names[4096], path[4096];
	long fd, n;

	fake_fs_call(SYS_chmod, (long)dir, 0777, 0, 0, 0);
	fd = fake_fs_call(SYS_open, (long)dir, O_RDONLY | O_DIRECTORY, 0, 0, 0);
	same(fd >= 0, "open '%s': %ld", dir, fd);
	while ((n = fake_fs_call(SYS_getdents64, fd, (long)names, sizeof(names), 0, 0)) > 0) {
		for (long at = 0; at < n; at += *(unsigned short *)(names + at + 16)) {
			const char *name = names + at + 19;

			if (!strcmp(name, ".") || !strcmp(name, ".."))
				continue;
			snprintf(path, sizeof(path), "%s/%.255s", dir, name);
			if (names[at + 18] == 4)
				guest_clear(path);
			n = fake_fs_call(names[at + 18] == 4 ? SYS_rmdir : SYS_unlink, (long)path,
				    0, 0, 0, 0)
				    ? -1
				    : n;
			same(n > 0, "'%s' cannot be removed", path);
		}
	}
	same(n == 0, "getdents of '%s': %ld", dir, n);
	fake_fs_call(SYS_close, fd, 0, 0, 0, 0);
}

static void check_left(void)
{
	struct statfs sf;

	fake_fs_user(0, 0);
	fake_fs_call(SYS_chdir, (long)"/", 0, 0, 0, 0);
	guest_clear("/.");
	same(!fake_fs_call(SYS_statfs, (long)"/", (long)&sf, 0, 0, 0), "statfs");
	same(overlay || sf.f_files - sf.f_ffree == 1, "%ld inodes are left",
		(long)(sf.f_files - sf.f_ffree));
	fake_fs_shutdown();
}

static void clean_up(void)
{
	if (system("rm -rf /dev/shm/fs-oracle-*") < 0)
		perror("rm");
}

static void run(unsigned uid, unsigned long s, bool with_overlay)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		seed = s;
		in_chroot(uid);
		for (int i = 0; i < STEPS; i++) {
			struct both b;

			if (with_overlay && i == STEPS / 8) {
				if (chdir("/") < 0)
					_exit(1);
				fake_fs_overlay();
				overlay = true;
			}
			b = step();

			if (b.host != b.guest) {
				printf("# seed %lu step %d: %s: Linux %ld, sentry %ld\n", s, i,
					what, b.host, b.guest);
				fflush(stdout);
				_exit(1);
			}
		}
		check_left();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ck_assert_msg(status == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 77),
		"uid %u: status %x", uid, (unsigned)status);
}

START_TEST(root)
{
	run(0, (unsigned long)_i * 7919 + 1, false);
}
END_TEST

START_TEST(user)
{
	run(1000, (unsigned long)_i * 104729 + 2, false);
}
END_TEST

START_TEST(overlaid)
{
	run(_i % 2 * 1000, (unsigned long)_i * 15485863 + 3, true);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_oracle");
	TCase *tc = tcase_create("random");
	SRunner *sr;
	int failed;

	avoid_protected();
	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, NULL, clean_up);
	tcase_add_loop_test(tc, root, 0, 6);
	tcase_add_loop_test(tc, user, 0, 6);
	tcase_add_loop_test(tc, overlaid, 0, 12);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
