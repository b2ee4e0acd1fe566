/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event channel: stream sockets of clients that want to know of starts and ends of containers, in gVisor's form: each event a protobuf message
 * inside google.protobuf.Any, before it the length of that as a varint. A client that does not read is dropped; nothing here blocks.
 */
#ifndef CM_CONTROL_EVENTS_H
#define CM_CONTROL_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define CM_EVENTS_CLIENTS 16
#define CM_EVENTS_FRAME	  512 /* bytes of the longest event */

struct cm_events {
	int fd[CM_EVENTS_CLIENTS]; /* -1 = none */
};

void cm_events_init(struct cm_events *e);

/* Take a connected stream socket over. 0; -ENOTSOCK, -EPROTOTYPE, -EAGAIN (too many): then it stays the caller's. */
int cm_events_add(struct cm_events *e, int fd);

/* Is there anybody? Who hung up is found out by sending. */
bool cm_events_any(const struct cm_events *e);

/* Send gvisor.ContainerStartedEvent; the two times are of the request to start and of its end. */
void cm_events_started(struct cm_events *e, const char *id, const struct timespec *received,
	const struct timespec *completed);

/* Send gvisor.ContainerExitEvent; status as of wait(2). */
void cm_events_exited(struct cm_events *e, const char *id, int status);

/* The frame of either event, for tests: its length, or 0 when it does not fit. */
size_t cm_events_encode_started(uint8_t *buf, size_t size, const char *id,
	const struct timespec *received, const struct timespec *completed);
size_t cm_events_encode_exited(uint8_t *buf, size_t size, const char *id, int status);

#endif
