/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox process: forked from the command line (its pid is the container's OCI pid), it owns the container's state and control
 * socket, starts the VMM and the file server, speaks to the agent in the guest, and holds the exit status.
 *
 * It and the command talk over a SOCK_SEQPACKET pair in struct cm_sandbox_msg. Losing the command ends the container when it was not
 * started yet (or created, for `create`), and when die_with_parent is set.
 */
#ifndef CM_CONTROL_SANDBOX_H
#define CM_CONTROL_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/err.h"
#include "control/launch.h"
#include "control/preserve.h"
#include "control/spec.h"

struct cm_sandbox_options {
	const char *root; /* state directory */
	const char *id;
	const char
		*sandbox; /* id of the container whose sandbox it lives in; NULL = one of its own */
	const char *bundle; /* absolute path, for the record */
	int bundle_fd; /* the bundle's directory */
	struct cm_spec *spec; /* NULL: config.json of the bundle, parsed while the VMM starts */
	struct cm_launch_options vm;
	const char *core_dir; /* absolute: a core of a guest that died goes there; NULL = none */
	bool systemd; /* its host cgroup is a scope of systemd (control/scope.h) */
	bool pod; /* other containers will join it: paths of linux.namespaces are names for them */
	bool overlay; /* writes stay in the guest */
	bool create; /* the program waits for containerManager.StartRoot */
	bool detached; /* the command does not stay: it cannot be the terminal */
	int console_sock; /* connected: takes the master of the container's terminal; -1 = the standard streams are the terminal */
	bool keep; /* the record stays after the end, until delete */
	bool publish_first; /* someone will act on the start: the record and the control socket must be there */
	bool die_with_parent;
	struct cm_preserve preserve; /* descriptors for the program besides the standard ones */
	int trace_fd; /* takes the system call trace; -1 = no trace */
	int log_fd; /* takes the log of VMM, file server and guest as it comes; -1 = only kept for a crash report */
};

enum cm_sandbox_msg_kind {
	/* value: pid of the sandbox; the program runs, or the container is created; text: empty, or CM_STARTED_HOOKS */
	CM_MSG_STARTED = 1,
	CM_MSG_FAILED, /* value: errno, text: message; nothing is left of the container */
	CM_MSG_EXITED, /* value: wait status; text: what happened when the sandbox itself failed, or empty */
	CM_MSG_SIGNAL, /* command to sandbox; value: signal for the container's first process */
	CM_MSG_TERMINAL, /* the program has the command's terminal: it must be raw */
	CM_MSG_HOOKS, /* the record is written: the hooks that come before the program are to be run now */
	CM_MSG_SCOPE, /* value: pid of the sandbox, text: that of its VMM, or empty; systemd is to be asked for their scope now */
	CM_MSG_DONE, /* command to sandbox, what HOOKS and SCOPE wait for; value: 0 or errno, text: what failed */
	CM_MSG_WINSIZE, /* command to sandbox: size of the terminal; value: rows << 16 | columns */
};

#define CM_STARTED_HOOKS "hooks" /* the record holds hooks that the command has to run */

struct cm_sandbox_msg {
	uint32_t kind;
	int32_t value;
	char text[CM_ERR_MSG]; /* NUL-terminated; only the used part is sent */
};

/* Send / receive a message. Receive: 0 = the peer is gone, -errno, 1 = *m is filled and terminated. */
int cm_sandbox_send(int fd, enum cm_sandbox_msg_kind kind, int value, const char *text);
int cm_sandbox_receive(int fd, struct cm_sandbox_msg *m);

/* Ask the command for HOOKS or SCOPE and wait until it is done. 0, or -errno with what the command said. */
int cm_sandbox_ask(
	int fd, enum cm_sandbox_msg_kind kind, int value, const char *text, struct cm_err *err);

/* Body of the forked process. fd: its end of the pair. Returns the exit code of the process. */
int cm_sandbox_main(const struct cm_sandbox_options *o, int fd);

#endif
