/* SPDX-License-Identifier: Apache-2.0 */
/* The VMM's log. */
#include <config.h>
#include "vmm/vlog.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int vlog_fd = STDERR_FILENO;

void vlog_init(int fd)
{
	vlog_fd = fd;
}

void vlog_sanitise(char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((s[i] < 0x20 || s[i] > 0x7e) && s[i] != '\n' && s[i] != '\t')
			s[i] = '?';
	}
}

void vlog_block(const char *s, size_t len)
{
	while (len > 0) {
		/* #syscalls:io,vcpu write */
		ssize_t n = write(vlog_fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		/* Nobody reads, or a non-blocking pipe is full. */
		if (n <= 0)
			return;
		s += n;
		len -= (size_t)n;
	}
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
