/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI process object that `casemate exec` asks for when the command line says it: the container's own, changed. The command sends what
 * changes, as one JSON object; the sandbox process, which has the container's, makes the new one. One call is a wake-up of each less than two.
 */
#ifndef CM_CONTROL_EXEC_PROCESS_H
#define CM_CONTROL_EXEC_PROCESS_H

#include <jansson.h>
#include <stdbool.h>
#include "common/err.h"

struct cm_exec_words {
	char **argv; /* ends in NULL */
	const char *cwd, *user;
	bool tty, no_new_privs;
	json_t *env, *groups, *caps; /* lists, NULL when empty */
};

/* Take in one more of -e, -g, -c. */
int cm_exec_words_add(struct cm_exec_words *w, int option, const char *text, struct cm_err *err);

/*
 * The words as an object: args, terminal, noNewPrivileges and, where said, cwd, uid, gid, additionalGids, env and capabilities (what is added to
 * each of these lists). A new reference, or NULL with err set.
 */
json_t *cm_exec_words_json(const struct cm_exec_words *w, struct cm_err *err);

/* A container's process object changed by words from anywhere: members of a wrong kind are in the result, for cm_spec_from_json to refuse. NULL: no process. */
json_t *cm_exec_process(const json_t *process, const json_t *words);

#endif
