/* SPDX-License-Identifier: Apache-2.0 */
/* The host cgroup of a sandbox: where it lies, making and removing it. Limits: cgroup_limits.c. */
#include <config.h>
#include "control/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/cgroup_internal.h"

#define CGROUP_LINE 8192

/* Words of a mount's options that are not controllers. */
static bool cgroup_word_is_option(const char *w)
{
	static const char *const options[] = { "rw", "ro", "xattr", "noprefix", "clone_children",
		"cpuset_v2_mode", "nsdelegate", "memory_recursiveprot", "favordynmods" };

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(w, options[i]) == 0)
			return true;
	}
	return strncmp(w, "release_agent=", 14) == 0;
}

/* ",a,b," of the controllers in a mount's options. */
static char *cgroup_controllers(char *options)
{
	char *out = malloc(strlen(options) + 3), *p = out, *save;

	if (!out)
		return NULL;
	*p++ = ',';
	for (char *w = strtok_r(options, ",\n", &save); w; w = strtok_r(NULL, ",\n", &save)) {
		if (!cgroup_word_is_option(w))
			p = stpcpy(stpcpy(p, w), ",");
	}
	*p = '\0';
	return out;
}

bool cm_cgroup_has(const struct cm_cgroup_dir *d, const char *controller)
{
	char word[64];

	snprintf(word, sizeof(word), ",%s,", controller);
	return strstr(d->controllers, word) != NULL;
}

/* One hierarchy: where it is mounted, which of its directories that shows, what it controls. */
struct hierarchy {
	char *mount, *root, *controllers;
	bool v2;
};

/* A line of mountinfo(5). False: it is no cgroup. Strings point into the line. */
static bool hierarchy_parse(char *line, struct hierarchy *h)
{
	char *dash = strstr(line, " - "), *save, *type, *options;

	if (!dash)
		return false;
	*dash = '\0';
	type = strtok_r(dash + 3, " ", &save);
	strtok_r(NULL, " ", &save);
	options = strtok_r(NULL, " ", &save);
	if (!type || !options || strncmp(type, "cgroup", 6) != 0)
		return false;
	h->v2 = strcmp(type, "cgroup2") == 0;
	strtok_r(line, " ", &save);
	strtok_r(NULL, " ", &save);
	strtok_r(NULL, " ", &save);
	h->root = strtok_r(NULL, " ", &save);
	h->mount = strtok_r(NULL, " ", &save);
	h->controllers = options;
	return h->mount != NULL;
}

/* The caller's own directory in a hierarchy, from the top of its mount. 0 or -errno. */
static int hierarchy_own(const struct hierarchy *h, const char *controllers, char *out, size_t size)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[CGROUP_LINE];
	int r = -ENOENT;

	if (!f)
		return -errno;
	while (r < 0 && fgets(line, sizeof(line), f)) {
		char *c = strchr(line, ':'), *path = c ? strchr(c + 1, ':') : NULL, first[64];
		size_t n = strlen(h->root);

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		c++;
		snprintf(first, sizeof(first), ",%.*s,", (int)strcspn(c, ","), c);
		if (h->v2 ? *c != '\0' : !*c || !strstr(controllers, first))
			continue;
		if (strcmp(h->root, "/") != 0 && strncmp(path, h->root, n) == 0)
			path += n;
		snprintf(out, size, "%s", strcmp(path, "/") == 0 ? "" : path);
		r = 0;
	}
	fclose(f);
	return r;
}

static int cgroup_add(
	struct cm_cgroup *cg, const struct hierarchy *h, const char *path, struct cm_err *err)
{
	struct cm_cgroup_dir *d = &cg->dir[cg->n];
	char own[4096] = "";

	if (cg->n == CM_CGROUP_DIRS)
		return 0;
	d->v2 = h->v2;
	d->controllers = cgroup_controllers(h->controllers);
	if (!d->controllers)
		return cm_err_set(err, ENOMEM, "cgroup");
	cg->n++;
	if (hierarchy_own(h, d->controllers, own, sizeof(own)) < 0 && *path != '/')
		return cm_err_set(err, 0, "cgroup: no own group in '%s'", h->mount);
	if (asprintf(&d->home, "%s%s", h->mount, own) < 0)
		d->home = NULL;
	if (asprintf(&d->path, "%s%s/%s", h->mount, *path == '/' ? "" : own,
		    path + strspn(path, "/")) < 0)
		d->path = NULL;
	return d->home && d->path ? 0 : cm_err_set(err, ENOMEM, "cgroup");
}

/* Find the hierarchies. v2 counts where it is alone. */
static int cgroup_find(struct cm_cgroup *cg, bool v2, const char *path, struct cm_err *err)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[CGROUP_LINE];
	int r = 0;

	if (!f)
		return cm_err_set(err, errno, "open '/proc/self/mountinfo'");
	while (r == 0 && fgets(line, sizeof(line), f)) {
		struct hierarchy h;
		struct stat st;

		/* One mounted over another is hidden, and may be there twice. */
		if (!hierarchy_parse(line, &h) || h.v2 != v2 || stat(h.mount, &st) < 0)
			continue;
		for (unsigned i = 0; i < cg->n && h.mount; i++) {
			size_t n = strlen(h.mount);

			if (strncmp(cg->dir[i].path, h.mount, n) == 0 && cg->dir[i].path[n] == '/')
				h.mount = NULL;
		}
		if (h.mount)
			r = cgroup_add(cg, &h, path, err);
		if (v2 && cg->n)
			break;
	}
	fclose(f);
	return r;
}

/* ---- files */

/* #syscalls:sandbox,member openat write close */
int cm_cgroup_write(const struct cm_cgroup_dir *d, const char *file, const char *text)
{
	char path[4096];
	cleanup_fd int fd = -1;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", d->path, file) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

ssize_t cm_cgroup_read(const char *dir, const char *file, char *buf, size_t size)
{
	char path[4096];
	cleanup_fd int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return n;
}

/* A new group of cpuset v1 has no CPUs and no memory, and takes no process: give it its parent's. */
static void cgroup_inherit_cpuset(const char *dir, const char *parent)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

	for (int i = 0; i < 2; i++) {
		struct cm_cgroup_dir d = { .path = (char *)(uintptr_t)dir };
		char have[4096], text[4096];

		if (cm_cgroup_read(dir, files[i], have, sizeof(have)) >= 0 && !*have &&
			cm_cgroup_read(parent, files[i], text, sizeof(text)) > 0)
			(void)cm_cgroup_write(&d, files[i], text);
	}
}

/* Let the children of a v2 group have its controllers; those that cannot be had are missed when their files are written. */
static void cgroup_enable(const char *dir)
{
	struct cm_cgroup_dir d = { .path = (char *)(uintptr_t)dir };
	char text[1024], word[64], *save;

	if (cm_cgroup_read(dir, "cgroup.controllers", text, sizeof(text)) < 0)
		return;
	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		snprintf(word, sizeof(word), "+%s", w);
		(void)cm_cgroup_write(&d, "cgroup.subtree_control", word);
	}
}

/* mkdir -p from the top of the hierarchy on. */
static int cgroup_mkdir(const struct cm_cgroup_dir *d)
{
	cleanup_free char *path = strdup(d->path);
	char parent[4096];
	char *p = path;

	if (!path)
		return -ENOMEM;
	while ((p = strchr(p + 1, '/')) != NULL || (p = path + strlen(path)) != NULL) {
		char c = *p;

		*p = '\0';
		snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path), path);
		if (access(path, F_OK) < 0) {
			if (d->v2)
				cgroup_enable(parent);
			if (mkdir(path, 0755) < 0 && errno != EEXIST)
				return -errno;
		}
		if (!d->v2 && cm_cgroup_has(d, "cpuset"))
			cgroup_inherit_cpuset(path, parent);
		if (!c)
			return 0;
		*p = c;
	}
	return 0;
}

/* ---- life */

bool cm_cgroup_wanted(const struct cm_spec *spec)
{
	return (spec->cgroups_path && *spec->cgroups_path) ||
	       (spec->has_resources && cm_cgroup_limits_anything(&spec->resources));
}

static int cgroup_check_path(const char *path, struct cm_err *err)
{
	const char *p = path;

	if (*path != '/' && strchr(path, ':'))
		return cm_err_set(err, 0,
			"linux.cgroupsPath: '%s' is for systemd's cgroups, which need --systemd-cgroup",
			path);
	while ((p = strstr(p, "..")) != NULL) {
		if ((p == path || p[-1] == '/') && (p[2] == '/' || p[2] == '\0'))
			return cm_err_set(err, 0, "linux.cgroupsPath: '%s' leads upwards", path);
		p += 2;
	}
	if (strspn(path, "/") == strlen(path))
		return cm_err_set(err, 0, "linux.cgroupsPath: '%s' is the root", path);
	return 0;
}

int cm_cgroup_locate(struct cm_cgroup *cg, const struct cm_spec *spec, const char *id,
	const char *scope, struct cm_err *err)
{
	const char *own = spec->cgroups_path && *spec->cgroups_path ? spec->cgroups_path : id;
	const char *path = scope ? scope : own;
	int r = scope ? 0 : cgroup_check_path(path, err);

	memset(cg, 0, sizeof(*cg));
	if (r == 0)
		r = cgroup_find(cg, false, path, err);
	if (r == 0 && cg->n == 0)
		r = cgroup_find(cg, true, path, err);
	if (r == 0 && cg->n == 0 && spec->has_resources &&
		cm_cgroup_limits_anything(&spec->resources))
		r = cm_err_set(err, 0, "linux.resources: this host has no cgroups mounted");
	if (r < 0)
		cm_cgroup_fini(cg);
	return r;
}

int cm_cgroup_make(struct cm_cgroup *cg, const struct cm_spec *spec, struct cm_err *err)
{
	unsigned made = 0;
	int r = 0;

	for (; r == 0 && made < cg->n; made++) {
		r = cgroup_mkdir(&cg->dir[made]);
		if (r < 0)
			cm_err_set(err, -r, "make cgroup '%s'", cg->dir[made].path);
	}
	if (r == 0 && spec->has_resources)
		r = cm_cgroup_update(cg, &spec->resources, err);
	if (r < 0) {
		cg->n = made;
		(void)cm_cgroup_remove(cg, 0);
		cm_cgroup_fini(cg);
	}
	return r;
}

int cm_cgroup_join(const struct cm_cgroup *cg, pid_t pid, struct cm_err *err)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (unsigned i = 0; i < cg->n; i++) {
		int r = cm_cgroup_write(&cg->dir[i], "cgroup.procs", text);

		if (r < 0)
			return cm_err_set(err, -r, "join cgroup '%s'", cg->dir[i].path);
	}
	return 0;
}

void cm_cgroup_leave(const struct cm_cgroup *cg)
{
	for (unsigned i = 0; i < cg->n; i++) {
		struct cm_cgroup_dir home = { .path = cg->dir[i].home };

		if (home.path)
			(void)cm_cgroup_write(&home, "cgroup.procs", "0");
	}
}

/* #syscalls:sandbox,member unlinkat clock_nanosleep */
int cm_cgroup_remove(const struct cm_cgroup *cg, long ms)
{
	int first = 0;

	for (unsigned i = 0; i < cg->n; i++) {
		const struct timespec step = { .tv_nsec = 5000000 };

		while (unlinkat(AT_FDCWD, cg->dir[i].path, AT_REMOVEDIR) < 0 && errno != ENOENT) {
			if (errno == EBUSY && ms > 0) {
				nanosleep(&step, NULL);
				ms -= 5;
				continue;
			}
			if (first == 0)
				first = -errno;
			break;
		}
	}
	return first;
}

void cm_cgroup_fini(struct cm_cgroup *cg)
{
	for (unsigned i = 0; i < CM_CGROUP_DIRS; i++) {
		free(cg->dir[i].path);
		free(cg->dir[i].controllers);
		free(cg->dir[i].home);
	}
	memset(cg, 0, sizeof(*cg));
}

/* ---- the record */

json_t *cm_cgroup_json(const struct cm_cgroup *cg)
{
	json_t *a = json_array();

	for (unsigned i = 0; a && i < cg->n; i++)
		json_array_append_new(
			a, json_pack("{s:s, s:s, s:b}", "path", cg->dir[i].path, "controllers",
				   cg->dir[i].controllers, "v2", cg->dir[i].v2));
	return a;
}

int cm_cgroup_from_json(struct cm_cgroup *cg, const json_t *paths, struct cm_err *err)
{
	json_t *e;
	size_t i;

	memset(cg, 0, sizeof(*cg));
	json_array_foreach(paths, i, e)
	{
		const char *path, *controllers;
		int v2;

		if (cg->n == CM_CGROUP_DIRS || json_unpack(e, "{s:s, s:s, s:b}", "path", &path,
						       "controllers", &controllers, "v2", &v2) < 0)
			break;
		cg->dir[cg->n] = (struct cm_cgroup_dir){
			.path = strdup(path), .controllers = strdup(controllers), .v2 = v2
		};
		cg->n++;
		if (!cg->dir[cg->n - 1].path || !cg->dir[cg->n - 1].controllers) {
			cm_cgroup_fini(cg);
			return cm_err_set(err, ENOMEM, "cgroup");
		}
	}
	return 0;
}
