/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte streams between descriptors of the host (stdin, stdout, stderr, a terminal, a trace file) and vsock streams of the guest. One thread
 * a direction that blocks in one place at a time: a side that does not read stops the other (back-pressure) and nothing is stored but one
 * buffer. Pipes are spliced, so the bytes are not copied here. Input is waited for together with the guest's hang-up: what is typed after a
 * program's end stays where it is, for the next reader.
 */
#ifndef CM_CONTROL_RELAY_H
#define CM_CONTROL_RELAY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/err.h"

struct cm_relay {
	uint16_t kind; /* enum cm_rpc_stream_kind */
	uint64_t token; /* never 0 for a stream that exists */
	int in_fd, out_fd; /* host side; -1 = no such direction */
	bool in_tty; /* in_fd is a terminal */
	bool own; /* the descriptors are ours to close */
	int sock; /* guest side, owned; -1 = none */
	int done_fd; /* eventfd, borrowed: gets 1 when a thread ended, and when `want` is reached */
	atomic_int live; /* threads; with the last one the struct is the owner's alone */
	atomic_ullong moved; /* bytes written to out_fd */
	atomic_ullong want; /* tell when that many were moved */
};

/* A relay without descriptors. */
void cm_relay_init(struct cm_relay *r, uint16_t kind, uint64_t token, int done_fd);

/* Connect the stream through the vsock socket `path` and start its threads. After a failure cm_relay_fini is still due. */
int cm_relay_start(struct cm_relay *r, const char *path, struct cm_err *err);

/* Does the relay write to the host? */
bool cm_relay_is_output(const struct cm_relay *r);

/*
 * How fd is open, O_RDONLY, O_WRONLY or O_RDWR, when a stream can stand for it: a pipe, a connected stream socket, a terminal or another character
 * device, a regular file that is not open both ways. Else -EBADF or -ENOTSUP, and err says why not.
 */
int cm_relay_mode(int fd, struct cm_err *err);

/* Is the descriptor the null device? Then no stream is needed. */
bool cm_relay_is_null(int fd);

/* Hang up the guest side; the threads end by themselves as soon as the host side lets them. */
void cm_relay_stop(struct cm_relay *r);

/* Close what it holds. Only when no thread lives. */
void cm_relay_fini(struct cm_relay *r);

#endif
