/* SPDX-License-Identifier: Apache-2.0 */
/* For guest programs about files: a scratch directory and one-line expectations of results and errnos. */
#ifndef TESTS_GUEST_FS_TAP_H
#define TESTS_GUEST_FS_TAP_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

/* The expression must give value, or -errno. */
#define is(expr, want) \
	is_result(({ \
		errno = 0; \
		long r_ = (long)(expr); \
		r_ < 0 ? -(long)errno : r_; \
	}), \
		want, #expr)

static inline void is_result(long got, long want, const char *text)
{
	char line[300];

	if (got == want)
		snprintf(line, sizeof(line), "%s", text);
	else
		snprintf(line, sizeof(line), "%s: %ld, wanted %ld", text, got, want);
	ok(got == want, line);
}

static inline void scratch(void)
{
	static char dir[] = "/tmp/fs-test-XXXXXX";

	mkdir("/tmp", 01777);
	if (!mkdtemp(dir) || chdir(dir) < 0) {
		printf("Bail out! no scratch directory\n");
		exit(1);
	}
}

#endif
