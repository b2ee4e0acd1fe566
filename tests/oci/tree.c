/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program for tests/oci/erofs.sh: lists a tree with all that is known of each file, so that two trees can be compared. `tree [-t] DIR`; -t: without times. One
 * line a name, in the order of names: path, type and mode, links (not of directories), owner, size (not of directories), device, time, sum of the contents,
 * target, extended attributes. The contents of files are read twice, by read(2) and by mmap(2), and must be the same.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LIST_MAX 65536

static bool times = true;

static void die(const char *what, const char *path)
{
	printf("%s %s: %m\n", what, path);
	exit(1);
}

static uint64_t sum_add(uint64_t sum, const uint8_t *p, size_t n)
{
	while (n--)
		sum = (sum ^ *p++) * 0x100000001b3u;
	return sum;
}

static void show_contents(const char *path, const struct stat *st)
{
	static uint8_t buf[70001];
	uint64_t sum = 0xcbf29ce484222325u, mapped = sum;
	int fd = open(path, O_RDONLY);
	off_t total = 0;
	ssize_t n;

	if (fd < 0)
		die("open", path);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		sum = sum_add(sum, buf, (size_t)n);
		total += n;
	}
	if (n < 0 || total != st->st_size)
		die("read", path);
	if (st->st_size) {
		uint8_t *p = mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_PRIVATE, fd, 0);

		if (p == MAP_FAILED)
			die("mmap", path);
		mapped = sum_add(mapped, p, (size_t)st->st_size);
		munmap(p, (size_t)st->st_size);
	}
	if (sum != mapped)
		die("other bytes by mmap", path);
	printf(" %016llx", (unsigned long long)sum);
	close(fd);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_xattrs(const char *path)
{
	static char list[LIST_MAX], value[LIST_MAX];
	ssize_t len = llistxattr(path, list, sizeof(list));
	char *names[256];
	unsigned int n = 0;

	if (len < 0)
		die("listxattr", path);
	for (char *s = list; s < list + len && n < 256; s += strlen(s) + 1)
		names[n++] = s;
	qsort(names, n, sizeof(names[0]), by_name);
	for (unsigned int i = 0; i < n; i++) {
		ssize_t size = lgetxattr(path, names[i], value, sizeof(value));

		/* What the host's security module adds is not the file's. */
		if (strcmp(names[i], "security.selinux") == 0)
			continue;
		if (size < 0)
			die("getxattr", path);
		printf(" %s=%zd:%016llx", names[i], size,
			(unsigned long long)sum_add(0, (uint8_t *)value, (size_t)size));
	}
}

static void show(const char *path)
{
	char target[4097];
	struct stat st;
	ssize_t n;

	if (lstat(path, &st) < 0)
		die("stat", path);
	printf("%s %o %u:%u", path, st.st_mode, st.st_uid, st.st_gid);
	if (!S_ISDIR(st.st_mode))
		printf(" %lu %lld", (unsigned long)st.st_nlink, (long long)st.st_size);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		printf(" %u,%u", major(st.st_rdev), minor(st.st_rdev));
	if (times)
		printf(" %lld.%09ld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	if (S_ISREG(st.st_mode))
		show_contents(path, &st);
	if (S_ISLNK(st.st_mode)) {
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			die("readlink", path);
		printf(" -> %.*s", (int)n, target);
	}
	show_xattrs(path);
	putchar('\n');
}

static int no_dots(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void walk(const char *dir)
{
	struct dirent **v;
	int n = scandir(dir, &v, no_dots, by_bytes);

	if (n < 0)
		die("scandir", dir);
	for (int i = 0; i < n; i++) {
		char *path;
		struct stat st;

		if (asprintf(&path, "%s/%s", dir, v[i]->d_name) < 0 || lstat(path, &st) < 0)
			die("stat", v[i]->d_name);
		if (v[i]->d_type != DT_UNKNOWN && v[i]->d_type != IFTODT(st.st_mode))
			die("another d_type", path);
		show(path);
		if (S_ISDIR(st.st_mode))
			walk(path);
		free(path);
		free(v[i]);
	}
	free(v);
}

int main(int argc, char **argv)
{
	times = !(argc > 2 && strcmp(argv[1], "-t") == 0);
	if (argc < 2 || chdir(argv[argc - 1]) < 0)
		die("chdir", argc < 2 ? "" : argv[argc - 1]);
	show(".");
	walk(".");
	return 0;
}
