/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's directory, lock and record: the only module that makes and removes what lies below the state root.
 *
 * ROOT (0711) / ID (0711) / state.json state.tmp control.sock (0600) vsock.sock (0600)
 *      / .lock, .empty (0711, the one directory that a VMM's jail shows)
 *
 * struct cm_container belongs to the sandbox process, which holds the lock for its whole life; everyone else uses cm_state_load and
 * cm_container_delete.
 */
#ifndef CM_CONTROL_CONTAINER_H
#define CM_CONTROL_CONTAINER_H

#include <stdbool.h>
#include "control/state.h"

struct cm_container {
	struct cm_state st;
	int rootfd; /* ROOT */
	int dirfd; /* ROOT/ID, locked exclusively */
	bool durable; /* somebody relies on the record: cm_container_save syncs it */
	bool known; /* ROOT has been synced since the directory was made */
};

/*
 * Make the directory of a new container, take its lock and write its first record (status creating, pid of the caller). Undone on
 * failure. Errors: -EEXIST for an id in use.
 */
int cm_container_create(struct cm_container *c, const char *root, const char *id,
	const char *bundle, struct cm_err *err);

/* Write the record. */
int cm_container_save(struct cm_container *c, struct cm_err *err);

/* O_PATH descriptor of ROOT/.empty, made when it is missing. */
int cm_container_empty_dir(struct cm_container *c, struct cm_err *err);

/* Remove the directory of a container (stopped, or never started) and release the lock. */
void cm_container_remove(struct cm_container *c);

/* Release the lock and keep the directory: what the record says stays readable. */
void cm_container_release(struct cm_container *c);

/*
 * The delete verb. Legal when created or stopped; with force in every state: the program is killed and given a moment to end in order, then the
 * sandbox process is. With force an unknown id is no error. Errors: -ENOENT, -EBUSY when not stopped.
 */
int cm_container_delete(const char *root, const char *id, bool force, struct cm_err *err);

#endif
