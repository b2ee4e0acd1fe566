/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A debugging session and its commands. A command gathers its answer as JSON; `print` shows that to people, --json prints it as it is. Whatever
 * comes from the guest is made printable text when it is read (text.h), so neither form can carry control characters.
 */
#ifndef CM_DEBUG_SESSION_H
#define CM_DEBUG_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "common/err.h"
#include "control/debug/client.h"
#include "control/debug/guest.h"

struct session {
	const char *root, *id;
	int fd; /* of the connection, when whoever started us made it; else -1 */
	const char
		*image_path; /* of the sentry's ELF file as asked for, NULL = the installed one */
	struct dbg *d;
	struct image *img; /* the two below: made when first needed, see session_guest */
	struct guest *g;
	/* cmd_trace.c: what is on, and what was shown already of the sentry's ring and the VMM's */
	unsigned traced;
	uint64_t trace_seen, trace_next;
	bool json;
	bool interactive; /* more commands follow on this connection */
	bool quit;
};

/* The vCPUs stand while `get` runs. */
#define CMD_STOPPED 0x1u

struct command {
	const char *name;
	const char *args; /* for help; empty = none */
	const char *help; /* one line */
	unsigned flags; /* CMD_* */
	/* The answer (a new reference), or NULL with err filled. argv[0] is the command's name. */
	json_t *(*get)(struct session *s, int argc, char **argv, struct cm_err *err);
	void (*print)(const json_t *o, FILE *f); /* NULL = nothing to show */
};

/* All of them, in the order of the help; the last has no name. commands.c. */
extern const struct command commands[];

/* Split a line of the prompt at spaces ('...' and "..." keep them): the number of words, or -EINVAL. Changes the line. */
int session_split(char *line, char **argv, int max);

/* The guest's memory with the sentry's symbols and layouts, or NULL with err filled. What was read before the present command is forgotten. */
struct guest *session_guest(struct session *s, struct cm_err *err);

/* Run one command and show its answer on stdout: 0, or -errno with err filled. */
int session_run(struct session *s, int argc, char **argv, struct cm_err *err);

/* Prompt until the end. */
int session_prompt(struct session *s, struct cm_err *err);

/* ---- for commands */

/* 0 when between min and max words follow the command's name. */
int cmd_words(int argc, char **argv, int min, int max, struct cm_err *err);
/* An unsigned number, decimal or 0x..., at most max. */
int cmd_number(const char *what, const char *s, uint64_t max, uint64_t *out, struct cm_err *err);
/* The error of a failed call of client.h. */
int cmd_error(int r, struct cm_err *err, const char *what);
/* A vCPU's number. */
int cmd_cpu(const struct session *s, const char *text, uint32_t *cpu, struct cm_err *err);
/* An address: a number, or a symbol of the sentry with +offset. */
int cmd_address(struct session *s, const char *text, uint64_t *va, struct cm_err *err);
/* "name+0x12", or "" where the sentry has no name. Returns buf. */
const char *cmd_symbol(const struct guest *g, uint64_t va, char *buf, size_t size);
/* A 64-bit value as JSON: "0x...". */
json_t *json_hex(uint64_t v);
/* A string or number member of o for printing; "" when it is absent. */
const char *json_text(const json_t *o, const char *key);
long long json_number(const json_t *o, const char *key);

#endif
