/* SPDX-License-Identifier: Apache-2.0 */
/* The volumes of a container. */
#include <config.h>
#include "control/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool volume_option(const struct cm_spec_mount *m, const char *option)
{
	for (size_t i = 0; i < m->options.n; i++) {
		if (strcmp(m->options.v[i], option) == 0)
			return true;
	}
	return false;
}

/* Of "ro" and "rw" the last counts. */
static bool volume_readonly(const struct cm_spec_mount *m)
{
	bool readonly = false;

	for (size_t i = 0; i < m->options.n; i++) {
		const char *o = m->options.v[i];

		if (strcmp(o, "ro") == 0 || strcmp(o, "rro") == 0)
			readonly = true;
		else if (strcmp(o, "rw") == 0 || strcmp(o, "rrw") == 0)
			readonly = false;
	}
	return readonly;
}

static int volume_open(
	struct cm_volume *v, const struct cm_spec_mount *m, int bundle, struct cm_err *err)
{
	struct stat st;

	if (!m->source || !*m->source)
		return cm_err_set(err, 0, "mounts[%zu].source: a bind mount needs one ('%s')",
			v->mount, m->destination);
	v->fd = openat(bundle, m->source, O_PATH | O_CLOEXEC);
	if (v->fd < 0 || fstat(v->fd, &st) < 0)
		return cm_err_set(err, errno, "mounts[%zu].source: open '%s'", v->mount, m->source);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		cm_err_set(err, 0, "mounts[%zu].source: '%s' is a device, which a guest cannot use",
			v->mount, m->source);
		err->code = ENOTSUP;
		return -ENOTSUP;
	}
	v->directory = S_ISDIR(st.st_mode);
	v->readonly = volume_readonly(m);
	v->recursive = volume_option(m, "rbind");
	return 0;
}

int cm_volumes_open(
	struct cm_volumes *vs, const struct cm_spec *spec, int bundle, struct cm_err *err)
{
	int r = 0;

	vs->n = 0;
	for (size_t i = 0; r == 0 && i < spec->nmounts; i++) {
		if (!cm_spec_mount_is_bind(&spec->mounts[i]))
			continue;
		if (vs->n == CM_FSDEV_VOLUMES) {
			r = cm_err_set(err, 0, "mounts[%zu]: at most %d bind mounts are supported",
				i, CM_FSDEV_VOLUMES);
			break;
		}
		vs->v[vs->n] = (struct cm_volume){ .mount = i, .fd = -1 };
		r = volume_open(&vs->v[vs->n++], &spec->mounts[i], bundle, err);
	}
	if (r < 0)
		cm_volumes_close(vs);
	return r;
}

void cm_volumes_close(struct cm_volumes *vs)
{
	for (unsigned i = 0; i < vs->n; i++) {
		if (vs->v[i].fd >= 0)
			close(vs->v[i].fd);
		vs->v[i].fd = -1;
	}
}

unsigned cm_volumes_number(const struct cm_volumes *vs, size_t mount)
{
	for (unsigned i = 0; vs && i < vs->n; i++) {
		if (vs->v[i].mount == mount)
			return i + 1;
	}
	return 0;
}
