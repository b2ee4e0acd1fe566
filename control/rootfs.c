/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a container's root directory. */
#include <config.h>
#include "control/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "common/device.h"

#define ROOTFS_LINKS 8 /* that lead to nothing, one after the other */

/* O_PATH descriptor with the given rules, or -1 with errno. */
static int rootfs_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | flags, .resolve = resolve };
	int fd;

	do {
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd;
}

int cm_rootfs_open(int bundle, const char *path, struct cm_err *err)
{
	uint64_t resolve = RESOLVE_NO_MAGICLINKS | (path[0] == '/' ? 0 : RESOLVE_BENEATH);
	int fd = rootfs_openat2(bundle, path, O_DIRECTORY, resolve);

	if (fd >= 0)
		return fd;
	if (errno == EXDEV)
		return cm_err_set(err, 0, "root.path: '%s' leads out of the bundle", path);
	if (errno == ENOTDIR)
		return cm_err_set(err, 0, "root.path: '%s' is not a directory", path);
	return cm_err_set(err, errno, "root.path: open '%s'", path);
}

static int rootfs_make_one(int dir, const char *name, bool file)
{
	int fd;

	if (!file)
		return mkdirat(dir, name, 0755);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);
	return fd < 0 ? -1 : close(fd);
}

static int rootfs_open_or_make(
	int rootfs, const char *path, const char *parent, const char *name, bool file)
{
	const uint64_t inside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
	int fd = rootfs_openat2(rootfs, path, 0, inside);
	cleanup_fd int dir = -1;

	if (fd >= 0 || errno != ENOENT)
		return fd;
	dir = rootfs_openat2(rootfs, parent, O_DIRECTORY, inside);
	if (dir < 0 || (rootfs_make_one(dir, name, file) < 0 && errno != EEXIST))
		return -1;
	return rootfs_openat2(rootfs, path, 0, inside);
}

static int rootfs_make_path(
	int rootfs, const char *path, bool file, unsigned links, struct cm_err *err);

/* A link that leads to nothing: what it leads to is made, inside the root. -1 with errno when path is no link. */
static int rootfs_make_target(int rootfs, const char *path, const char *parent, bool file,
	unsigned links, struct cm_err *err)
{
	cleanup_fd int link =
		rootfs_openat2(rootfs, path, O_NOFOLLOW, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	cleanup_free char *whole = NULL;
	char to[PATH_MAX];
	ssize_t n = link < 0 ? -1 : readlinkat(link, "", to, sizeof(to) - 1);

	if (n < 0 || links == 0) {
		errno = n < 0 ? ENOENT : ELOOP;
		return -1;
	}
	to[n] = '\0';
	if (asprintf(&whole, "%s/%s", to[0] == '/' ? "" : parent, to) < 0) {
		errno = ENOMEM;
		return -1;
	}
	if (rootfs_make_path(rootfs, whole, file, links - 1, err) < 0) {
		errno = err->code;
		return -1;
	}
	return rootfs_openat2(rootfs, path, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

static int rootfs_make_path(
	int rootfs, const char *path, bool file, unsigned links, struct cm_err *err)
{
	cleanup_free char *whole = strdup(path);
	cleanup_free char *parent = strdup("/");
	char *p = whole;

	if (!whole || !parent)
		return cm_err_set(err, ENOMEM, "mount point '%s'", path);
	while (*(p += strspn(p, "/"))) {
		char *end = p + strcspn(p, "/"), c = *end;
		cleanup_fd int fd = -1;
		bool last;

		*end = '\0';
		last = file && !end[c ? 1 + strspn(end + 1, "/") : 0];
		fd = rootfs_open_or_make(rootfs, whole, parent, p, last);
		if (fd < 0 && errno == ENOENT)
			fd = rootfs_make_target(rootfs, whole, parent, last, links, err);
		if (fd < 0)
			return cm_err_set(err, errno, "make mount point '%s'", path);
		free(parent);
		parent = strdup(whole);
		if (!parent)
			return cm_err_set(err, ENOMEM, "mount point '%s'", path);
		*end = c;
		p = end;
	}
	return 0;
}

int cm_rootfs_make(int rootfs, const char *path, bool file, struct cm_err *err)
{
	mode_t old = umask(022); /* the image's, not that of our own files */
	int r = rootfs_make_path(rootfs, path, file, ROOTFS_LINKS, err);

	umask(old);
	return r;
}

/* Does the path lie in one of the first n mounts? */
static bool rootfs_in_mount(const struct cm_spec *spec, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++) {
		const char *other = spec->mounts[i].destination;
		size_t len = strlen(other);

		if (strncmp(path, other, len) == 0 && path[len] == '/')
			return true;
	}
	return false;
}

static int rootfs_make_node(int dir, const char *name, const struct cm_spec_device *d)
{
	cleanup_fd int fd = -1;
	int r = 0;

	if (S_ISFIFO(d->mode) && mkfifoat(dir, name, d->mode & 07777) < 0)
		return -errno;
	/* A FIFO that nobody writes to is opened at once so. */
	fd = openat(dir, name,
		O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
			(S_ISFIFO(d->mode) ? O_RDONLY : O_WRONLY | O_CREAT | O_EXCL),
		0600);
	if (fd < 0)
		return -errno;
	if (!S_ISFIFO(d->mode))
		r = cm_device_mark(fd, d->mode, d->major, d->minor);
	/* The owner first: a change of it drops bits of the mode. */
	if (r == 0 && (fchown(fd, d->uid, d->gid) < 0 || fchmod(fd, d->mode & 07777) < 0))
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, name, 0);
	return r;
}

/* A node of linux.devices. What is there already is the guest's to judge. */
static int rootfs_make_device(int rootfs, const struct cm_spec_device *d, struct cm_err *err)
{
	const uint64_t inside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
	const char *name = strrchr(d->path, '/') + 1;
	cleanup_free char *parent = strndup(d->path, (size_t)(name - d->path));
	cleanup_fd int at = rootfs_openat2(rootfs, d->path, O_NOFOLLOW, inside);
	cleanup_fd int dir = -1;
	int r;

	if (at >= 0 || !parent)
		return parent ? 0 : cm_err_set(err, ENOMEM, "make '%s'", d->path);
	if (cm_rootfs_make(rootfs, parent, false, err) < 0)
		return -err->code;
	dir = rootfs_openat2(rootfs, parent, O_DIRECTORY, inside);
	r = dir < 0 ? -errno : rootfs_make_node(dir, name, d);
	return r < 0 ? cm_err_set(err, -r, "make '%s'", d->path) : 0;
}

int cm_rootfs_prepare(int rootfs, const struct cm_spec *spec, const struct cm_volumes *volumes,
	struct cm_err *err)
{
	struct cm_err ignored; /* the guest says what is wrong with the directory to work in */

	if (!rootfs_in_mount(spec, spec->nmounts, spec->cwd))
		cm_rootfs_make(rootfs, spec->cwd, false, &ignored);
	for (size_t i = 0; i < spec->nmounts; i++) {
		const char *at = spec->mounts[i].destination;
		unsigned v = cm_volumes_number(volumes, i);

		if (!rootfs_in_mount(spec, i, at) &&
			cm_rootfs_make(rootfs, at, v && !volumes->v[v - 1].directory, err) < 0)
			return -err->code;
	}
	for (size_t i = 0; i < spec->ndevices; i++) {
		const struct cm_spec_device *d = &spec->devices[i];

		if (!rootfs_in_mount(spec, spec->nmounts, d->path) &&
			strncmp(d->path, "/dev/", 5) != 0 && rootfs_make_device(rootfs, d, err) < 0)
			return cm_err_wrap(err, "linux.devices[%zu]", i);
	}
	return 0;
}
