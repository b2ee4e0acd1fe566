/* SPDX-License-Identifier: Apache-2.0 */
/* TAP for guest programs: ok() numbers the points, tap_end() prints the plan and gives the exit status. */
#ifndef TESTS_GUEST_TAP_H
#define TESTS_GUEST_TAP_H

#include <stdbool.h>
#include <stdio.h>

static int tap_count, tap_failed;

static inline void ok(bool cond, const char *text)
{
	printf("%sok %d - %s\n", cond ? "" : "not ", ++tap_count, text);
	fflush(stdout);
	tap_failed += !cond;
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_count);
	fflush(stdout);
	return tap_failed ? 1 : 0;
}

#endif
