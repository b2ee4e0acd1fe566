/* SPDX-License-Identifier: Apache-2.0 */
/* Escaped, rate-limited, non-blocking log output of the guest. */
#include <config.h>

#include "vmm/guestlog.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/eventloop.h"

/* A pipe that polls writable takes this much without blocking (PIPE_BUF). */
#define GUESTLOG_BLOCK 4096

static const char prefix[] = "guest: ";

struct guestlog {
	int fd;
	pthread_mutex_t lock; /* protects: the members below */
	uint64_t tokens; /* bytes that may be written now */
	uint64_t refilled; /* time of the last refill, ns */
	uint64_t dropped; /* input bytes since the last notice */
	bool mid_line; /* the last byte written was not a newline */
	size_t len;
	char block[GUESTLOG_BLOCK];
};

struct guestlog *guestlog_create(int fd)
{
	struct guestlog *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->fd = fd;
	log->tokens = GUESTLOG_BURST;
	log->refilled = eventloop_now();
	pthread_mutex_init(&log->lock, NULL);
	return log;
}

void guestlog_destroy(struct guestlog *log)
{
	if (!log)
		return;
	pthread_mutex_destroy(&log->lock);
	free(log);
}

static void guestlog_refill_locked(struct guestlog *log)
{
	uint64_t now = eventloop_now();
	uint64_t ms = (now - log->refilled) / 1000000;
	uint64_t add;

	if (ms == 0)
		return;
	/* Longer pauses than this fill the bucket anyway; the cap keeps the product small. */
	add = ms > 60000 ? GUESTLOG_BURST : ms * GUESTLOG_RATE / 1000;
	log->tokens = log->tokens + add > GUESTLOG_BURST ? GUESTLOG_BURST : log->tokens + add;
	log->refilled = now;
}

/* Would a write of a block be taken at once? */
static bool guestlog_ready(const struct guestlog *log)
{
	struct pollfd p = { .fd = log->fd, .events = POLLOUT };

	/* #syscalls:io poll */
	/* #syscalls:vcpu poll */
	return log->fd >= 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) &&
	       !(p.revents & (POLLERR | POLLHUP));
}

/* Write the block out; it is gone whether the descriptor took it or not. */
static bool guestlog_flush_locked(struct guestlog *log)
{
	size_t len = log->len;
	ssize_t r;

	log->len = 0;
	if (len == 0)
		return true;
	if (len > log->tokens || !guestlog_ready(log))
		return false;
	/* #syscalls:io write */
	/* #syscalls:vcpu write */
	r = write(log->fd, log->block, len);
	if (r < 0)
		return false;
	log->tokens -= (size_t)r;
	return (size_t)r == len;
}

/* Append the output form of one byte: at most prefix + 4 characters. */
static void guestlog_put_locked(struct guestlog *log, uint8_t c)
{
	char *p = log->block + log->len;
	size_t room = sizeof(log->block) - log->len;
	int n = 0;

	if (!log->mid_line) {
		memcpy(p, prefix, sizeof(prefix) - 1);
		n = sizeof(prefix) - 1;
	}
	if (c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f))
		p[n++] = (char)c;
	else
		n += snprintf(p + n, room - (size_t)n, "\\x%02x", c);
	log->mid_line = c != '\n';
	log->len += (size_t)n;
}

/* Tell about losses once there is room again. */
static void guestlog_notice_locked(struct guestlog *log)
{
	if (!log->dropped)
		return;
	log->len =
		(size_t)snprintf(log->block, sizeof(log->block), "%s[%llu bytes of log dropped]\n",
			log->mid_line ? "\n" : "", (unsigned long long)log->dropped);
	if (guestlog_flush_locked(log)) {
		log->dropped = 0;
		log->mid_line = false;
	}
}

void guestlog_write(struct guestlog *log, const void *text, size_t len)
{
	const uint8_t *p = text;
	size_t i, sent = 0; /* input bytes looked at, and those that are out */

	pthread_mutex_lock(&log->lock);
	guestlog_refill_locked(log);
	guestlog_notice_locked(log);
	for (i = 0; i < len && !log->dropped; i++) {
		guestlog_put_locked(log, p[i]);
		if (log->len + sizeof(prefix) + 4 <= sizeof(log->block) && i + 1 < len)
			continue;
		if (!guestlog_flush_locked(log))
			break;
		sent = i + 1;
	}
	log->dropped += len - sent;
	pthread_mutex_unlock(&log->lock);
}
