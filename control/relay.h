/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte streams between descriptors of the host (stdin, stdout, stderr, a trace file) and vsock streams of the guest. One thread each
 * that blocks in one direction at a time: a side that does not read stops the other (back-pressure) and nothing is stored but one
 * buffer. Pipes are spliced, so the bytes are not copied here.
 */
#ifndef CM_CONTROL_RELAY_H
#define CM_CONTROL_RELAY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/err.h"

struct cm_relay {
	uint16_t kind; /* enum cm_rpc_stream_kind */
	uint64_t token; /* never 0 for a stream that exists */
	int fd; /* host side, borrowed */
	int sock; /* guest side, owned; -1 = none */
	int done_fd; /* eventfd, borrowed: gets 1 when an output stream has ended */
	bool running; /* the thread was started */
};

/*
 * Connect a stream of the given kind through the vsock socket `path` and start its thread. token names it in START.
 * done_fd is an eventfd that counts ended output streams.
 */
int cm_relay_start(struct cm_relay *r, const char *path, uint16_t kind, uint64_t token, int fd,
	int done_fd, struct cm_err *err);

/* Is the descriptor the null device? Then no stream is needed. */
bool cm_relay_is_null(int fd);

/* Hang up the guest side; the thread ends by itself as soon as the host side lets it. */
void cm_relay_stop(struct cm_relay *r);

#endif
