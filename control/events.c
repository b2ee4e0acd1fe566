/* SPDX-License-Identifier: Apache-2.0 */
/* The event channel: protobuf's wire format, as far as two small messages need it, and sending. */
#include <config.h>
#include "control/events.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PB_VARINT 0u
#define PB_BYTES  2u

/* Bytes that grow from the front; with size 0 from then on it did not fit. */
struct pb {
	uint8_t *p;
	size_t len, size;
};

static void pb_byte(struct pb *b, uint8_t byte)
{
	if (b->len < b->size)
		b->p[b->len++] = byte;
	else
		b->size = 0;
}

static void pb_varint(struct pb *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		pb_byte(b, (uint8_t)(v | 0x80));
	pb_byte(b, (uint8_t)v);
}

static void pb_raw(struct pb *b, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len-- > 0)
		pb_byte(b, *p++);
}

static void pb_number(struct pb *b, unsigned field, uint64_t v)
{
	pb_varint(b, field << 3 | PB_VARINT);
	pb_varint(b, v);
}

static void pb_bytes(struct pb *b, unsigned field, const void *data, size_t len)
{
	pb_varint(b, field << 3 | PB_BYTES);
	pb_varint(b, len);
	pb_raw(b, data, len);
}

static void pb_time(struct pb *b, unsigned field, const struct timespec *t)
{
	uint8_t buf[24];
	struct pb m = { buf, 0, sizeof(buf) };

	pb_number(&m, 1, (uint64_t)t->tv_sec);
	pb_number(&m, 2, (uint64_t)t->tv_nsec);
	pb_bytes(b, field, buf, m.len);
}

/* Any{type_url, value} with its length before it. */
static size_t event_frame(uint8_t *buf, size_t size, const char *type, const struct pb *value)
{
	uint8_t any[CM_EVENTS_FRAME];
	struct pb a = { any, 0, sizeof(any) }, frame = { buf, 0, size };

	pb_bytes(&a, 1, type, strlen(type));
	pb_bytes(&a, 2, value->p, value->len);
	pb_varint(&frame, a.len);
	pb_raw(&frame, any, a.len);
	return value->size && a.size && frame.size ? frame.len : 0;
}

size_t cm_events_encode_started(uint8_t *buf, size_t size, const char *id,
	const struct timespec *received, const struct timespec *completed)
{
	uint8_t value[CM_EVENTS_FRAME];
	struct pb v = { value, 0, sizeof(value) };

	pb_number(&v, 1, 1);
	pb_bytes(&v, 2, id, strlen(id));
	pb_time(&v, 3, received);
	pb_time(&v, 4, completed);
	return event_frame(buf, size, "type.googleapis.com/gvisor.ContainerStartedEvent", &v);
}

size_t cm_events_encode_exited(uint8_t *buf, size_t size, const char *id, int status)
{
	uint8_t value[CM_EVENTS_FRAME];
	struct pb v = { value, 0, sizeof(value) };

	pb_bytes(&v, 1, id, strlen(id));
	/* The default is not written. */
	if (status)
		pb_number(&v, 2, (uint32_t)status);
	return event_frame(buf, size, "type.googleapis.com/gvisor.ContainerExitEvent", &v);
}

void cm_events_init(struct cm_events *e)
{
	for (int i = 0; i < CM_EVENTS_CLIENTS; i++)
		e->fd[i] = -1;
}

/* #syscalls:sandbox getsockopt sendto close */
int cm_events_add(struct cm_events *e, int fd)
{
	socklen_t len = sizeof(int);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -ENOTSOCK;
	if (type != SOCK_STREAM)
		return -EPROTOTYPE;
	for (int i = 0; i < CM_EVENTS_CLIENTS; i++) {
		if (e->fd[i] < 0) {
			e->fd[i] = fd;
			return 0;
		}
	}
	return -EAGAIN;
}

bool cm_events_any(const struct cm_events *e)
{
	for (int i = 0; i < CM_EVENTS_CLIENTS; i++) {
		if (e->fd[i] >= 0)
			return true;
	}
	return false;
}

static void events_send(struct cm_events *e, const uint8_t *frame, size_t len)
{
	for (int i = 0; len && i < CM_EVENTS_CLIENTS; i++) {
		if (e->fd[i] < 0 ||
			send(e->fd[i], frame, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len)
			continue;
		close(e->fd[i]);
		e->fd[i] = -1;
	}
}

void cm_events_started(struct cm_events *e, const char *id, const struct timespec *received,
	const struct timespec *completed)
{
	uint8_t frame[CM_EVENTS_FRAME];

	events_send(
		e, frame, cm_events_encode_started(frame, sizeof(frame), id, received, completed));
}

void cm_events_exited(struct cm_events *e, const char *id, int status)
{
	uint8_t frame[CM_EVENTS_FRAME];

	events_send(e, frame, cm_events_encode_exited(frame, sizeof(frame), id, status));
}
