/* SPDX-License-Identifier: Apache-2.0 */
/* The VMM's log. */
#include <config.h>
#include "vmm/vlog.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* protects: every field of the structure below but fd, which never changes after the start. */
static pthread_mutex_t vlog_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	int fd;
	size_t used; /* bytes in line */
	uint64_t budget; /* bytes of guest text that may still be written */
	uint64_t refilled; /* CLOCK_MONOTONIC ns of the last refill */
	uint64_t dropped; /* bytes since the budget ran out */
	char line[1024];
} vlog = { .fd = STDERR_FILENO, .budget = VLOG_GUEST_BURST };

static uint64_t vlog_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void vlog_write(const char *s, size_t len)
{
	while (len > 0) {
		ssize_t n = write(vlog.fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		/* Nobody reads, or a non-blocking pipe is full: the text is lost, the guest runs on. */
		if (n <= 0)
			return;
		s += n;
		len -= (size_t)n;
	}
}

void vlog_init(int fd)
{
	vlog.fd = fd;
	vlog.refilled = vlog_now();
}

void vlog_sanitise(char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((s[i] < 0x20 || s[i] > 0x7e) && s[i] != '\n' && s[i] != '\t')
			s[i] = '?';
	}
}

static void vlog_refill(void)
{
	uint64_t now = vlog_now();
	uint64_t ns = now - vlog.refilled;
	uint64_t add;

	if (ns > 60u * 1000000000ull)
		ns = 60u * 1000000000ull;
	add = ns * VLOG_GUEST_RATE / 1000000000u;
	if (add == 0)
		return;
	vlog.refilled = now;
	vlog.budget = vlog.budget + add < VLOG_GUEST_BURST ? vlog.budget + add : VLOG_GUEST_BURST;
}

static void vlog_flush_locked(void)
{
	size_t len = vlog.used;

	vlog.used = 0;
	if (len == 0)
		return;
	if (vlog.budget < len)
		vlog_refill();
	if (vlog.budget < len) {
		vlog.dropped += len;
		return;
	}
	if (vlog.dropped > 0) {
		char note[80];
		int n = snprintf(note, sizeof(note), "[%llu bytes of guest log dropped]\n",
			(unsigned long long)vlog.dropped);

		vlog.dropped = 0;
		vlog_write(note, (size_t)n);
	}
	vlog.budget -= len;
	vlog_write(vlog.line, len);
}

void vlog_guest(const void *text, size_t len)
{
	const char *s = text;
	size_t i;

	pthread_mutex_lock(&vlog_lock);
	for (i = 0; i < len; i++) {
		vlog.line[vlog.used] = s[i];
		vlog_sanitise(&vlog.line[vlog.used], 1);
		vlog.used++;
		if (vlog.line[vlog.used - 1] == '\n' || vlog.used == sizeof(vlog.line))
			vlog_flush_locked();
	}
	pthread_mutex_unlock(&vlog_lock);
}

void vlog_flush(void)
{
	pthread_mutex_lock(&vlog_lock);
	if (vlog.used > 0 && vlog.used < sizeof(vlog.line))
		vlog.line[vlog.used++] = '\n';
	vlog_flush_locked();
	pthread_mutex_unlock(&vlog_lock);
}

void vlog_block(const char *text, size_t len)
{
	vlog_flush();
	pthread_mutex_lock(&vlog_lock);
	vlog_write(text, len);
	pthread_mutex_unlock(&vlog_lock);
}

void vlog_printf(const char *fmt, ...)
{
	char line[512] = "casemate-vmm: ";
	size_t len = strlen(line);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	len = strlen(line);
	line[len++] = '\n';
	vlog_block(line, len);
}
