/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket of a sandbox, ROOT/ID/control.sock (0600): one JSON value a message, no length before it.
 * Request {"method":"containerManager.Signal","arg":...}, reply {"success":bool,"err":string,"result":any,"errno":int}; one call at a
 * time on a connection. Two members more are the client's choice: "id", a number or string that the reply repeats and by which the call can be
 * cancelled, and "deadline_ms", after which it is answered with ETIMEDOUT. Descriptors come with a request as SCM_RIGHTS, at most CM_URPC_FDS,
 * and may come with a reply. Only root and the owner of the sandbox may call (SO_PEERCRED).
 *
 * The server is part of the sandbox's main loop and never blocks: sizes and the number of clients are bounded; what a client does not read
 * of its reply waits, up to CM_URPC_REPLY bytes, and nothing more is taken from it meanwhile.
 */
#ifndef CM_CONTROL_URPC_H
#define CM_CONTROL_URPC_H

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/err.h"
#include "control/buf.h"

#define CM_URPC_CLIENTS	 128
#define CM_URPC_MESSAGE	 (512u << 10) /* bytes of a request */
#define CM_URPC_REPLY	 (4u << 20) /* bytes of a reply */
#define CM_URPC_ID	 128 /* bytes of an id */
#define CM_URPC_FDS	 128
#define CM_URPC_POLLFDS	 (CM_URPC_CLIENTS + 1)
#define CM_URPC_DEADLINE 10 /* seconds a client waits for a reply */

/* Values of the member Mode of containerManager.Signal. */
enum cm_urpc_mode {
	CM_URPC_PROCESS = 0,
	CM_URPC_ALL = 1,
	CM_URPC_FOREGROUND = 2,
	CM_URPC_PGRP = 3
};

struct cm_urpc_client {
	int fd; /* -1 = free slot */
	pid_t pid; /* of the process that connected */
	struct cm_buf rx;
	bool busy; /* a call has no reply yet: nothing more is read */
	struct cm_buf tx; /* rest of a reply: nothing more is read before it is out */
	int tx_fd; /* descriptor that goes with it, -1 = none */
	json_t *id; /* of the open call, NULL = none */
	long deadline_ms; /* of the open call as the client asked, relative; 0 = none */
	int fds[CM_URPC_FDS]; /* came with the request; a handler that keeps one puts -1 in its place */
	int nfds;
	/* the handler's marks */
	int call; /* what the open call waits for, 0 = nothing */
	int64_t key; /* of what it waits for */
	json_t *work; /* what is gathered for it; owned, NULL = nothing */
	uint64_t stream,
		moved; /* token of the stream that it fills, 0 = none; bytes that went through */
	uint32_t container; /* number of the container that the call is about, 0 = none */
	long deadline; /* ms, monotonic: for whom it waits for; 0 = none */
	long limit; /* ms, monotonic: the client's; 0 = none */
	int64_t owns; /* what ends with the connection, 0 = nothing */
	bool monitors; /* something is done for as long as the connection is open */
	bool waits; /* the answer to the open call will be followed by another */
};

/* Serve a call: reply at once (cm_urpc_reply) or later. arg is borrowed and may be NULL. */
typedef void (*cm_urpc_call_fn)(
	void *ctx, struct cm_urpc_client *c, const char *method, const json_t *arg);

/* The connection ends. */
typedef void (*cm_urpc_gone_fn)(void *ctx, struct cm_urpc_client *c);

struct cm_urpc_server {
	int fd;
	uid_t root,
		owner; /* who may call: the host's root and the sandbox's owner, as this process sees them */
	struct cm_urpc_client clients[CM_URPC_CLIENTS];
	cm_urpc_call_fn call;
	cm_urpc_gone_fn gone;
	void *ctx;
};

/* Everything closed, nobody connected. A process that moves to another user namespace says anew who may call. */
void cm_urpc_init(struct cm_urpc_server *s, cm_urpc_call_fn call, cm_urpc_gone_fn gone, void *ctx);

/* Listen on `path` (relative to the working directory: socket addresses are short). The umask must be 0177. */
int cm_urpc_listen(struct cm_urpc_server *s, const char *path, struct cm_err *err);
void cm_urpc_close(struct cm_urpc_server *s);

/* Fill CM_URPC_POLLFDS entries before poll, and serve what they say after it. */
void cm_urpc_poll_prepare(const struct cm_urpc_server *s, struct pollfd *fds);
void cm_urpc_poll_serve(struct cm_urpc_server *s, const struct pollfd *fds);

/* End the open call of c: code 0 = success with result (consumed, may be NULL), else -errno or errno and text. */
void cm_urpc_reply(struct cm_urpc_client *c, int code, const char *text, json_t *result);

/* The same for a success, with a descriptor, which is consumed. */
void cm_urpc_reply_fd(struct cm_urpc_client *c, json_t *result, int fd);

/* Instead of cm_urpc_reply: give the connection up after a reply of success; whoever holds a duplicate goes on with it. */
void cm_urpc_hand_over(struct cm_urpc_server *s, struct cm_urpc_client *c);

/* Client: call a method of container id below root. arg is consumed; *result (may be NULL) is a new reference or NULL. */
int cm_urpc_call(const char *root, const char *id, const char *method, json_t *arg, json_t **result,
	struct cm_err *err);

/*
 * Client: the connection of a debugger to the VMM of container id (debug.Attach): a stream socket that carries include/casemate/debug.h from
 * now on. The descriptor, or -errno with err set.
 */
int cm_urpc_attach(const char *root, const char *id, struct cm_err *err);

/*
 * Client, in steps: a connection, one call on it (arg is consumed; fds: n descriptors to pass), and its reply. Every wait ends after
 * CM_URPC_DEADLINE seconds, but that for the reply with patient set.
 */
int cm_urpc_open(const char *root, const char *id, struct cm_err *err);
int cm_urpc_send(
	int fd, const char *method, json_t *arg, const int *fds, int n, struct cm_err *err);
int cm_urpc_receive(int fd, bool patient, json_t **result, struct cm_err *err);

/* Client: containerManager.Signal. pid: of the process, 0 = the first. */
int cm_urpc_signal(const char *root, const char *id, int signo, int pid, enum cm_urpc_mode mode,
	struct cm_err *err);

#endif
