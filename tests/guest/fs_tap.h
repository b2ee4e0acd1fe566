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

/* The runner removes $TMPDIR; inside there is none, and everything goes with the guest. */
static inline void scratch(void)
{
	const char *top = getenv("TMPDIR");
	char dir[200];

	mkdir("/tmp", 01777);
	snprintf(dir, sizeof(dir), "%s/fs-test-XXXXXX", top ? top : "/tmp");
	if (!mkdtemp(dir) || chdir(dir) < 0) {
		printf("Bail out! no scratch directory\n");
		exit(1);
	}
}

#endif
