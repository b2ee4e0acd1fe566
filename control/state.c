/* SPDX-License-Identifier: Apache-2.0 */
/* The on-disk record of a container. */
#include <config.h>
#include "control/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/parse.h"

#define STATE_FILE_MAX (1u << 20)

static const char *const status_names[] = {
	[CM_CREATING] = "creating",
	[CM_CREATED] = "created",
	[CM_RUNNING] = "running",
	[CM_PAUSED] = "paused",
	[CM_STOPPED] = "stopped",
};
_Static_assert(sizeof(status_names) / sizeof(status_names[0]) == CM_STATUS_COUNT, "a name each");

const char *cm_status_name(enum cm_status status)
{
	return status_names[status];
}

int cm_status_check(const char *id, enum cm_status from, enum cm_status to, struct cm_err *err)
{
	static const bool allowed[CM_STATUS_COUNT][CM_STATUS_COUNT] = {
		[CM_CREATING] = { [CM_CREATED] = true, [CM_STOPPED] = true },
		[CM_CREATED] = { [CM_RUNNING] = true, [CM_STOPPED] = true },
		[CM_RUNNING] = { [CM_PAUSED] = true, [CM_STOPPED] = true },
		[CM_PAUSED] = { [CM_RUNNING] = true, [CM_STOPPED] = true },
	};

	if ((unsigned)to < CM_STATUS_COUNT && allowed[from][to])
		return 0;
	return cm_err_set(err, 0, "container '%s' cannot go from %s to %s", id,
		cm_status_name(from), (unsigned)to < CM_STATUS_COUNT ? cm_status_name(to) : "?");
}

int cm_status_change(const char *id, enum cm_status *status, enum cm_status to, struct cm_err *err)
{
	int r = cm_status_check(id, *status, to, err);

	if (r == 0)
		*status = to;
	return r;
}

void cm_state_fini(struct cm_state *st)
{
	free(st->id);
	free(st->bundle);
	free(st->rootfs);
	free(st->sandbox);
	free(st->scope);
	json_decref(st->containers);
	json_decref(st->annotations);
	json_decref(st->hooks);
	json_decref(st->cgroups);
	memset(st, 0, sizeof(*st));
}

json_t *cm_state_json(const struct cm_state *st)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:i, s:s*, s:s*, s:s*, s:s, s:i, s:O*}",
		"ociVersion", "1.0.2", "id", st->id, "status", status_names[st->status], "pid",
		st->status == CM_STOPPED ? 0 : (int)st->pid, "bundle", st->bundle, "rootfs",
		st->rootfs, "sandbox", st->sandbox, "created", st->created, "owner", (int)st->owner,
		"annotations", st->annotations);

	if (o && st->exit_status >= 0)
		json_object_set_new(o, "exitStatus", json_integer(st->exit_status));
	if (o && st->oom_killed)
		json_object_set_new(o, "oomKilled", json_true());
	return o;
}

/* #syscalls:sandbox,member fsync */
static int state_sync(int fd)
{
	int r = fsync(fd) < 0 ? -errno : 0;

	/* Some file systems have nothing to sync a directory with. */
	return r == -EINVAL ? 0 : r;
}

/* #syscalls:sandbox,member openat write rename renameat close */
static int state_write(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The record as text for free(), or NULL. */
static char *state_text(const struct cm_state *st)
{
	json_t *o = cm_state_json(st);
	char *text;

	if (!o)
		return NULL;
	json_object_set_new(o, "version", json_integer(CM_STATE_VERSION));
	json_object_set_new(o, "vmmPid", json_integer(st->vmm_pid));
	json_object_set_new(o, "fsdPid", json_integer(st->fsd_pid));
	if (st->scope)
		json_object_set_new(o, "scope", json_string(st->scope));
	if (st->hooks)
		json_object_set(o, "hooks", st->hooks);
	if (st->cgroups)
		json_object_set(o, "cgroups", st->cgroups);
	if (st->containers)
		json_object_set(o, "containers", st->containers);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

int cm_state_save(int dirfd, const struct cm_state *st, bool durable, struct cm_err *err)
{
	cleanup_free char *text = state_text(st);
	cleanup_fd int fd = -1;
	int r;

	if (!text)
		return cm_err_set(err, ENOMEM, "write state of '%s'", st->id);
	fd = openat(
		dirfd, "state.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return cm_err_set(err, errno, "write state of '%s'", st->id);
	r = state_write(fd, text, strlen(text));
	/* The bytes before the name: a name without them would be an empty record. */
	if (r == 0 && durable)
		r = state_sync(fd);
	if (r == 0 && renameat(dirfd, "state.tmp", dirfd, "state.json") < 0)
		r = -errno;
	if (r == 0 && durable)
		r = state_sync(dirfd);
	return r < 0 ? cm_err_set(err, -r, "write state of '%s'", st->id) : 0;
}

/* CM_STATUS_COUNT for no name of a status. */
static enum cm_status status_of_name(const char *name)
{
	int i = 0;

	while (i < CM_STATUS_COUNT && strcmp(name, status_names[i]) != 0)
		i++;
	return (enum cm_status)i;
}

static int state_unpack(json_t *o, struct cm_state *st)
{
	const char *id, *status, *created, *bundle = NULL, *rootfs = NULL, *sandbox = NULL;
	const char *scope = json_string_value(json_object_get(o, "scope"));
	int version, pid, vmm, fsd, owner, exit_status = -1;
	json_t *annotations = NULL;

	if (json_unpack(o, "{s:i, s:s, s:s, s:i, s:i, s:i, s:s, s:i, s?s, s?s, s?s, s?i, s?o}",
		    "version", &version, "id", &id, "status", &status, "pid", &pid, "vmmPid", &vmm,
		    "fsdPid", &fsd, "created", &created, "owner", &owner, "bundle", &bundle,
		    "rootfs", &rootfs, "sandbox", &sandbox, "exitStatus", &exit_status,
		    "annotations", &annotations) < 0 ||
		version != CM_STATE_VERSION)
		return -EINVAL;
	st->status = status_of_name(status);
	if (st->status == CM_STATUS_COUNT)
		return -EINVAL;
	st->pid = pid;
	st->vmm_pid = vmm;
	st->fsd_pid = fsd;
	st->owner = (uid_t)owner;
	st->exit_status = exit_status;
	snprintf(st->created, sizeof(st->created), "%s", created);
	st->annotations = json_incref(annotations);
	st->hooks = json_incref(json_object_get(o, "hooks"));
	st->cgroups = json_incref(json_object_get(o, "cgroups"));
	st->oom_killed = json_is_true(json_object_get(o, "oomKilled"));
	st->containers = json_incref(json_object_get(o, "containers"));
	st->id = strdup(id);
	st->bundle = bundle ? strdup(bundle) : NULL;
	st->rootfs = rootfs ? strdup(rootfs) : NULL;
	st->sandbox = sandbox ? strdup(sandbox) : NULL;
	st->scope = scope ? strdup(scope) : NULL;
	return st->id && (!bundle || st->bundle) && (!rootfs || st->rootfs) &&
			       (!sandbox || st->sandbox) && (!scope || st->scope)
		       ? 0
		       : -ENOMEM;
}

/* For json_load_callback: json_loadfd asks for a byte at a time. */
static size_t state_bytes(void *buf, size_t size, void *fd)
{
	ssize_t n;

	do
		n = read(*(const int *)fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? (size_t)-1 : (size_t)n;
}

int cm_state_read(int dirfd, struct cm_state *st, struct cm_err *err)
{
	cleanup_fd int fd = openat(dirfd, "state.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	json_error_t jerr;
	struct stat sb;
	json_t *o;
	int r;

	memset(st, 0, sizeof(*st));
	st->exit_status = -1;
	if (fd < 0)
		return cm_err_set(err, errno, "read state");
	if (fstat(fd, &sb) < 0 || sb.st_size > STATE_FILE_MAX)
		return cm_err_set(err, EFBIG, "read state");
	o = json_load_callback(state_bytes, &fd, 0, &jerr);
	if (!o)
		return cm_err_set(err, 0, "read state: %s", jerr.text);
	r = state_unpack(o, st);
	json_decref(o);
	if (r < 0) {
		cm_state_fini(st);
		return cm_err_set(
			err, -r, "read state: not a record of version %d", CM_STATE_VERSION);
	}
	return 0;
}

/* Is the sandbox process alive? A lock that cannot be taken is held by it; closing dirfd gives it back. */
static bool state_locked(int dirfd)
{
	return flock(dirfd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* What the record of the sandbox says of a container in it. One that it does not know is over. */
static void state_in_sandbox(int rootfd, struct cm_state *st)
{
	cleanup_fd int dirfd =
		openat(rootfd, st->sandbox, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct cm_state sandbox = { 0 };
	const json_t *entry = NULL;
	struct cm_err ignored;

	if (dirfd >= 0 && state_locked(dirfd) && cm_state_read(dirfd, &sandbox, &ignored) == 0)
		entry = json_object_get(sandbox.containers, st->id);
	if (entry) {
		const char *name = json_string_value(json_object_get(entry, "status"));
		enum cm_status status = name ? status_of_name(name) : CM_STATUS_COUNT;

		st->status = status == CM_STATUS_COUNT ? CM_STOPPED : status;
		st->oom_killed = json_is_true(json_object_get(entry, "oomKilled"));
		if (st->status == CM_STOPPED)
			st->exit_status =
				(int)json_integer_value(json_object_get(entry, "exitStatus"));
	} else if (st->status != CM_CREATING) {
		st->status = CM_STOPPED;
	}
	cm_state_fini(&sandbox);
}

int cm_state_load(const char *root, const char *id, struct cm_state *st, struct cm_err *err)
{
	cleanup_fd int rootfd = -1;
	cleanup_fd int dirfd = -1;
	struct cm_err ignored;
	bool alive;

	memset(st, 0, sizeof(*st));
	if (cm_id_check(id, err) < 0)
		return -err->code;
	rootfd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rootfd >= 0)
		dirfd = openat(rootfd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dirfd < 0) {
		int code = errno;

		if (code == ENOENT || code == ENOTDIR) {
			cm_err_set(err, 0, "container '%s' does not exist", id);
			err->code = ENOENT;
			return -ENOENT;
		}
		return cm_err_set(err, code, "container '%s'", id);
	}
	/* Before the record: a sandbox that ends in between has written its last record. */
	alive = state_locked(dirfd);
	if (cm_state_read(dirfd, st, &ignored) < 0) {
		st->id = strdup(id);
		st->status = alive ? CM_CREATING : CM_STOPPED;
		st->exit_status = -1;
		if (!st->id)
			return cm_err_set(err, ENOMEM, "container '%s'", id);
	}
	if (alive && st->sandbox)
		state_in_sandbox(rootfd, st);
	if (!alive) {
		st->status = CM_STOPPED;
		st->pid = 0;
	}
	return 0;
}
