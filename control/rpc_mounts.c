/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of an OCI configuration in the START request. */
#include <config.h>
#include "control/rpc_mounts.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include "control/rpc_wire.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

#define MS_PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE | MS_REC)

/* What an option means besides its flags. */
enum mount_word {
	WORD_FLAG = 0,
	WORD_COPY_UP, /* tmpfs only */
	WORD_REFUSED,
};

struct mount_option {
	const char *name;
	unsigned long set, clear;
	enum mount_word word;
};

/* Options that are not data for the file system. The recursive ones are the same here: what lies below belongs to the mount. */
static const struct mount_option mount_options[] = {
	{ "defaults", 0, 0, 0 },
	{ "bind", 0, 0, 0 },
	{ "rbind", 0, 0, 0 },
	{ "ro", MS_RDONLY, 0, 0 },
	{ "rro", MS_RDONLY, 0, 0 },
	{ "rw", 0, MS_RDONLY, 0 },
	{ "rrw", 0, MS_RDONLY, 0 },
	{ "nosuid", MS_NOSUID, 0, 0 },
	{ "rnosuid", MS_NOSUID, 0, 0 },
	{ "suid", 0, MS_NOSUID, 0 },
	{ "rsuid", 0, MS_NOSUID, 0 },
	{ "nodev", MS_NODEV, 0, 0 },
	{ "rnodev", MS_NODEV, 0, 0 },
	{ "dev", 0, MS_NODEV, 0 },
	{ "rdev", 0, MS_NODEV, 0 },
	{ "noexec", MS_NOEXEC, 0, 0 },
	{ "rnoexec", MS_NOEXEC, 0, 0 },
	{ "exec", 0, MS_NOEXEC, 0 },
	{ "rexec", 0, MS_NOEXEC, 0 },
	{ "noatime", MS_NOATIME, MS_STRICTATIME, 0 },
	{ "rnoatime", MS_NOATIME, MS_STRICTATIME, 0 },
	{ "atime", 0, MS_NOATIME, 0 },
	{ "ratime", 0, MS_NOATIME, 0 },
	{ "nodiratime", MS_NODIRATIME, 0, 0 },
	{ "rnodiratime", MS_NODIRATIME, 0, 0 },
	{ "diratime", 0, MS_NODIRATIME, 0 },
	{ "rdiratime", 0, MS_NODIRATIME, 0 },
	{ "relatime", MS_RELATIME, MS_STRICTATIME, 0 },
	{ "rrelatime", MS_RELATIME, MS_STRICTATIME, 0 },
	{ "norelatime", 0, MS_RELATIME, 0 },
	{ "rnorelatime", 0, MS_RELATIME, 0 },
	{ "strictatime", MS_STRICTATIME, MS_RELATIME, 0 },
	{ "rstrictatime", MS_STRICTATIME, MS_RELATIME, 0 },
	{ "nostrictatime", 0, MS_STRICTATIME, 0 },
	{ "rnostrictatime", 0, MS_STRICTATIME, 0 },
	{ "nosymfollow", MS_NOSYMFOLLOW, 0, 0 },
	{ "rnosymfollow", MS_NOSYMFOLLOW, 0, 0 },
	{ "symfollow", 0, MS_NOSYMFOLLOW, 0 },
	{ "rsymfollow", 0, MS_NOSYMFOLLOW, 0 },
	{ "shared", MS_SHARED, MS_PROPAGATION, 0 },
	{ "rshared", MS_SHARED | MS_REC, MS_PROPAGATION, 0 },
	{ "private", MS_PRIVATE, MS_PROPAGATION, 0 },
	{ "rprivate", MS_PRIVATE | MS_REC, MS_PROPAGATION, 0 },
	{ "slave", MS_SLAVE, MS_PROPAGATION, 0 },
	{ "rslave", MS_SLAVE | MS_REC, MS_PROPAGATION, 0 },
	{ "unbindable", MS_UNBINDABLE, MS_PROPAGATION, 0 },
	{ "runbindable", MS_UNBINDABLE | MS_REC, MS_PROPAGATION, 0 },
	/* Without effect: the manual says so. */
	{ "sync", 0, 0, 0 },
	{ "async", 0, 0, 0 },
	{ "dirsync", 0, 0, 0 },
	{ "mand", 0, 0, 0 },
	{ "nomand", 0, 0, 0 },
	{ "lazytime", 0, 0, 0 },
	{ "nolazytime", 0, 0, 0 },
	{ "iversion", 0, 0, 0 },
	{ "noiversion", 0, 0, 0 },
	{ "silent", 0, 0, 0 },
	{ "loud", 0, 0, 0 },
	{ "tmpcopyup", 0, 0, WORD_COPY_UP },
	/* Ids cannot be mapped by a file system of another machine. */
	{ "idmap", 0, 0, WORD_REFUSED },
	{ "ridmap", 0, 0, WORD_REFUSED },
	{ "remount", 0, 0, WORD_REFUSED },
};

uint32_t cm_rpc_propagation(const char *word)
{
	for (size_t i = 0; word && i < sizeof(mount_options) / sizeof(mount_options[0]); i++) {
		if (mount_options[i].clear == MS_PROPAGATION &&
			strcmp(mount_options[i].name, word) == 0)
			return (uint32_t)mount_options[i].set;
	}
	return 0;
}

static const struct {
	const char *name;
	uint32_t type; /* enum cm_rpc_mount_type */
} mount_types[] = {
	{ "proc", CM_RPC_MOUNT_PROC },
	{ "sysfs", CM_RPC_MOUNT_SYSFS },
	{ "tmpfs", CM_RPC_MOUNT_TMPFS },
	{ "devpts", CM_RPC_MOUNT_DEVPTS },
	{ "mqueue", CM_RPC_MOUNT_MQUEUE },
	{ "cgroup", CM_RPC_MOUNT_CGROUP2 },
	{ "cgroup2", CM_RPC_MOUNT_CGROUP2 },
	{ "devtmpfs", CM_RPC_MOUNT_DEV },
};

#define COUNT(t) (sizeof(t) / sizeof((t)[0]))

static const struct mount_option *mount_option(const char *word)
{
	for (size_t i = 0; i < COUNT(mount_options); i++) {
		if (strcmp(word, mount_options[i].name) == 0)
			return &mount_options[i];
	}
	return NULL;
}

static int mount_type(const struct cm_spec_mount *m, size_t i, const struct cm_volumes *volumes,
	struct cm_rpc_mount *w, struct cm_err *err)
{
	w->volume = (uint16_t)cm_volumes_number(volumes, i);
	if (w->volume) {
		w->type = volumes->v[w->volume - 1].directory ? CM_RPC_MOUNT_VOLUME_DIR
							      : CM_RPC_MOUNT_VOLUME_FILE;
		return 0;
	}
	for (size_t k = 0; m->type && k < COUNT(mount_types); k++) {
		if (strcmp(m->type, mount_types[k].name) == 0) {
			w->type = mount_types[k].type;
			return 0;
		}
	}
	return cm_err_set(err, 0, "mounts[%zu].type: '%s' is not supported ('%s')", i,
		m->type ? m->type : "", m->destination);
}

static int mount_word(const struct cm_spec_mount *m, size_t i, const char *word,
	struct cm_rpc_mount *w, struct cm_err *err)
{
	const struct mount_option *o = mount_option(word);

	if (!o)
		return 0; /* data; a volume takes none, as bind mounts of Linux take none */
	if (o->word == WORD_REFUSED || (o->word == WORD_COPY_UP && w->type != CM_RPC_MOUNT_TMPFS))
		return cm_err_set(err, 0, "mounts[%zu].options: '%s' is not supported ('%s')", i,
			word, m->destination);
	w->flags = (w->flags & ~o->clear) | o->set;
	if (o->word == WORD_COPY_UP)
		w->options |= CM_RPC_MOUNT_COPY_UP;
	return 0;
}

int cm_rpc_add_mounts(struct cm_buf *b, const struct cm_spec *spec,
	const struct cm_volumes *volumes, struct cm_err *err)
{
	for (size_t i = 0; i < spec->nmounts; i++) {
		const struct cm_spec_mount *m = &spec->mounts[i];
		struct cm_rpc_mount w = { 0 };

		if (mount_type(m, i, volumes, &w, err) < 0)
			return -err->code;
		for (size_t k = 0; k < m->options.n; k++) {
			if (mount_word(m, i, m->options.v[k], &w, err) < 0)
				return -err->code;
		}
		/* Every runtime fills the container's /dev with the standard nodes. */
		if (w.type == CM_RPC_MOUNT_TMPFS && strcmp(m->destination, "/dev") == 0)
			w.type = CM_RPC_MOUNT_DEV;
		cm_buf_add(b, &w, sizeof(w));
	}
	return 0;
}

/* Words that are not flags, joined by commas. */
static void mount_add_data(struct cm_buf *b, const struct cm_spec_mount *m)
{
	bool first = true;

	for (size_t k = 0; k < m->options.n; k++) {
		if (mount_option(m->options.v[k]))
			continue;
		if (!first)
			cm_buf_add(b, ",", 1);
		cm_buf_add(b, m->options.v[k], strlen(m->options.v[k]));
		first = false;
	}
	cm_buf_add(b, "", 1);
}

void cm_rpc_add_mount_words(struct cm_buf *b, const struct cm_spec *spec)
{
	for (size_t i = 0; i < spec->nmounts; i++) {
		cm_buf_add_str(b, spec->mounts[i].destination);
		cm_buf_add_str(b, spec->mounts[i].source);
		mount_add_data(b, &spec->mounts[i]);
	}
}
