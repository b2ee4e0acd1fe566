/* SPDX-License-Identifier: Apache-2.0 */
/* State of the sandbox process, shared by its set-up (sandbox.c) and its main loop (sandbox_loop.c). */
#ifndef CM_CONTROL_SANDBOX_INTERNAL_H
#define CM_CONTROL_SANDBOX_INTERNAL_H

#include "control/container.h"
#include "control/relay.h"
#include "control/rpc_client.h"
#include "control/sandbox.h"
#include "control/urpc.h"
#include "control/volumes.h"

#define SANDBOX_RELAYS	  4
#define SANDBOX_CONTAINER 1 /* the container's number in the guest protocol */

struct sandbox {
	const struct cm_sandbox_options *o;
	struct cm_container c;
	struct cm_launch l;
	struct cm_spec *spec; /* owned, until the program runs */
	struct cm_volumes volumes; /* until the file server runs: then only their numbers */
	struct cm_rpc_client rpc;
	struct cm_urpc_server urpc;
	struct cm_relay relays[SANDBOX_RELAYS];
	int nrelays;
	unsigned outputs; /* output streams that have not ended */
	int done_fd, signal_fd, cli_fd, vsock_fd;
	int64_t hello_id, start_id, trace_id;
	bool started; /* the guest runs the program */
	bool published; /* control socket and a record that says running exist */
	bool exited; /* status is the program's */
	bool vmm_gone, fsd_gone;
	bool killed; /* the command vanished or a kill was ordered: no complaint about the end */
	int status; /* wait(2) encoding */
	long deadline; /* ms, monotonic: for the start, or for the end after the guest hung up */
	uint64_t log_left; /* bytes that log_fd may still get */
	struct cm_buf tail; /* end of the log */
};

/* Run until the program and its output ended, or the sandbox failed: 0, or -errno with err. */
int sandbox_loop(struct sandbox *s, struct cm_err *err);

/*
 * Open the control socket and write the record. Done some ms after the start, when the program still runs, or before anyone is told of
 * the start: making and removing files would be a tenth of the life of a short program.
 */
int sandbox_publish(struct sandbox *s, struct cm_err *err);

/* Serve a call on the control socket; ctx is the struct sandbox. */
void sandbox_call(void *ctx, struct cm_urpc_client *c, const char *method, const json_t *arg);

/* A reply of the guest to a signal request, or (f NULL) the end of the container: answer the clients that wait for it. */
void sandbox_call_reply(struct sandbox *s, const struct cm_rpc_frame *f);

/* Ask the guest to signal; the reply is matched by the id returned. -errno when it cannot be asked. */
int64_t sandbox_signal(struct sandbox *s, int signo, int pid, uint32_t mode);

/* Give a descriptor to whoever reads from the socket `to`. 0 or -errno. */
int sandbox_hand_over(int to, int fd);

/* Take in what the log pipe holds. */
void sandbox_read_log(struct sandbox *s);

/* The last line of the log, without its end; empty when there is none. */
void sandbox_last_line(const struct sandbox *s, char *buf, size_t size);

#endif
