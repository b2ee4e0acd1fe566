/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of the caller that a process of the guest gets under the numbers that they have here: those of --preserve-fds, and before them those of
 * socket activation (sd_listen_fds(3)). A number that the caller has not open is left out.
 */
#ifndef CM_CONTROL_PRESERVE_H
#define CM_CONTROL_PRESERVE_H

#include <jansson.h>
#include "casemate/rpc.h"
#include "common/err.h"

struct cm_spec;

struct cm_preserve {
	unsigned count; /* --preserve-fds */
	unsigned listen; /* LISTEN_FDS, when it is meant for us */
	unsigned n;
	int fd[CM_RPC_FDS_MAX]; /* ours, close-on-exec */
};

/* The value of --preserve-fds. 0 or -EINVAL. */
int cm_preserve_option(struct cm_preserve *p, const char *text, struct cm_err *err);

/*
 * LISTEN_FDS of our environment. LISTEN_PID says who is meant: this process, or, as podman has it for whatever becomes number 1 of a container, 1; without it
 * we are, as with crun. 0 or -EINVAL.
 */
int cm_preserve_listen(struct cm_preserve *p, struct cm_err *err);

/* Find the descriptors and check that streams can stand for them. 0 or -errno. */
int cm_preserve_take(struct cm_preserve *p, struct cm_err *err);

/* Close what was taken: somebody else has it. */
void cm_preserve_close(struct cm_preserve *p);

/* LISTEN_FDS and LISTEN_PID for a container's first process, when there are any. 0 or -errno. */
int cm_preserve_env(const struct cm_preserve *p, struct cm_spec *spec, struct cm_err *err);

/* The numbers, as a new list: donated_fds of a call. */
json_t *cm_preserve_numbers(const struct cm_preserve *p);

#endif
