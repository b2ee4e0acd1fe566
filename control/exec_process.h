/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI process object that `casemate exec` asks for: from a file, or the container's own with what the command line says. */
#ifndef CM_CONTROL_EXEC_PROCESS_H
#define CM_CONTROL_EXEC_PROCESS_H

#include <jansson.h>
#include <stdbool.h>
#include "common/err.h"

struct cm_exec_words {
	const char *file; /* --process; the rest is for the command line alone, but for tty */
	char **argv; /* ends in NULL */
	const char *cwd, *user;
	bool tty, no_new_privs;
	json_t *env, *groups, *caps; /* lists, NULL when empty */
};

/* Take in one more of -e, -g, -c. */
int cm_exec_words_add(struct cm_exec_words *w, int option, const char *text, struct cm_err *err);

/* A new reference, or NULL with err set. */
json_t *cm_exec_process(
	const char *root, const char *id, const struct cm_exec_words *w, struct cm_err *err);

#endif
