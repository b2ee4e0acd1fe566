/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The on-disk record of a container: ROOT/ID/state.json, replaced as a whole (temporary file + rename). One that somebody is told of outlives a power
 * failure: it is synced before, so that the hooks and cgroups of its end are known after it. ROOT is usually a tmpfs, where that costs nothing.
 *
 * The directory ROOT/ID is locked (flock) by the sandbox process for as long as it lives, so whoever can take the lock knows that the
 * sandbox is gone, whatever the record says: no pid is ever compared. ROOT/.lock is held while a container directory is made or removed.
 */
#ifndef CM_CONTROL_STATE_H
#define CM_CONTROL_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>
#include "common/err.h"
#include "control/parse.h"

#define CM_STATE_VERSION 1

/*
 * OCI life of a container. The only changes allowed (cm_status_change checks them):
 *   creating -> created   the guest made the container: its program was found, and not executed
 *   created  -> running   the guest executed the program
 *   running  -> paused    the virtual CPUs, or its own threads, stand still
 *   paused   -> running   they go on
 *   any      -> stopped   the program ended, or could not be started, or any process of the sandbox ended
 * stopped is final.
 */
enum cm_status {
	CM_CREATING,
	CM_CREATED,
	CM_RUNNING,
	CM_PAUSED,
	CM_STOPPED,
	CM_STATUS_COUNT
};

struct cm_state {
	char *id;
	enum cm_status status;
	pid_t pid; /* of the sandbox process; 0 when it is gone */
	pid_t vmm_pid, fsd_pid; /* 0 when not started */
	char *bundle; /* absolute path */
	char *rootfs; /* as configured, for people; NULL before the configuration was read */
	char created[32]; /* RFC 3339, UTC */
	uid_t owner;
	int exit_status; /* wait(2) encoding, -1 while unknown */
	json_t *annotations; /* a reference, or NULL */
	char *scope; /* the unit of systemd that its cgroup is; NULL = none */
	json_t *hooks; /* those that are still to run, as in the configuration; a reference, or NULL */
	json_t *cgroups; /* cm_cgroup_json; a reference, or NULL */
	char *sandbox; /* id of the container whose sandbox this one lives in; NULL = its own */
	json_t *containers; /* the others of this one's sandbox: {ID: {status, exitStatus, oomKilled}}; a reference, or NULL */
	bool oom_killed; /* the guest killed a process of the container for want of memory */
};

const char *cm_status_name(enum cm_status status);

/* Is the change of container id allowed? 0, or -EINVAL with err naming both states. */
int cm_status_check(const char *id, enum cm_status from, enum cm_status to, struct cm_err *err);

/* The one place where a status changes: as cm_status_check; nothing is changed when it is not allowed. */
int cm_status_change(const char *id, enum cm_status *status, enum cm_status to, struct cm_err *err);

/* Free the members. */
void cm_state_fini(struct cm_state *st);

/* Write the record of st into the directory dirfd; durable: it is on the disk, whole, when this returns, else the one before may be. */
int cm_state_save(int dirfd, const struct cm_state *st, bool durable, struct cm_err *err);

/* Read the record in the directory dirfd as it was written. -ENOENT without message text of its own when there is none. */
int cm_state_read(int dirfd, struct cm_state *st, struct cm_err *err);

/*
 * The truth about container id below the directory root: the record, with the status stopped and pid 0 when the sandbox is gone. The status of a container
 * that lives in another one's sandbox stands in that one's record, which the sandbox process alone writes. A
 * directory without a readable record counts as stopped. Errors: -ENOENT "container 'x' does not exist", -EINVAL for a bad id.
 */
int cm_state_load(const char *root, const char *id, struct cm_state *st, struct cm_err *err);

/*
 * The whole id that `word` means below root: word itself where there is such a container, else the only id that begins with it; word as it is when
 * none does, for whoever uses it to find out. Errors: -EINVAL for a bad id, or several that begin so (err names them).
 */
int cm_state_find(const char *root, const char *word, char id[CM_ID_MAX + 1], struct cm_err *err);

/* The OCI state object of st (ociVersion, id, status, pid, bundle, annotations) plus ours. A new reference, NULL without memory. */
json_t *cm_state_json(const struct cm_state *st);

#endif
