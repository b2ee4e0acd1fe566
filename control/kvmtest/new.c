/* SPDX-License-Identifier: Apache-2.0 */
/* casemate kvmtest new: a directory with an example, its header, a Makefile and a suite that passes. */
#include <config.h>
#include "control/kvmtest/kvmtest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/cleanup.h"

/* files.S */
extern const char kt_file_header[], kt_file_source[], kt_file_makefile[], kt_file_suite[];

static const struct {
	const char *name, *text;
} new_files[] = {
	{ "kvmtest.h", kt_file_header },
	{ "example.c", kt_file_source },
	{ "Makefile", kt_file_makefile },
	{ "kvmtest.cfg", kt_file_suite },
};
#define NEW_FILES (sizeof(new_files) / sizeof(new_files[0]))

static int new_file(int dir, const char *path, size_t i, struct cm_err *err)
{
	const char *p = new_files[i].text;
	size_t len = strlen(p);
	cleanup_fd int fd =
		openat(dir, new_files[i].name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return cm_err_set(err, errno, "create '%s/%s'", path, new_files[i].name);
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n <= 0)
			return cm_err_set(
				err, n < 0 ? errno : EIO, "write '%s/%s'", path, new_files[i].name);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int kt_new(const char *path, struct cm_err *err)
{
	bool made = mkdir(path, 0777) == 0;
	cleanup_fd int dir = -1;
	size_t i, done;
	int r = 0;

	if (!made && errno != EEXIST)
		return cm_err_set(err, errno, "create '%s'", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return cm_err_set(err, errno, "open '%s'", path);
	/* Nothing is overwritten, and nothing half done is left. */
	for (i = 0; i < NEW_FILES; i++) {
		if (faccessat(dir, new_files[i].name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return cm_err_set(err, EEXIST, "'%s/%s'", path, new_files[i].name);
	}
	for (done = 0; done < NEW_FILES && r == 0; done++)
		r = new_file(dir, path, done, err);
	if (r == 0) {
		printf("%s: an example to start from; run `make check` there\n", path);
		return 0;
	}
	for (i = 0; i < done; i++)
		unlinkat(dir, new_files[i].name, 0);
	if (made)
		rmdir(path);
	return r;
}
