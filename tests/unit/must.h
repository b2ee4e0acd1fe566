/* SPDX-License-Identifier: Apache-2.0 */
/* An assertion for hot loops: check's own ones talk through a pipe each time. */
#ifndef TESTS_MUST_H
#define TESTS_MUST_H

#include <check.h>

#define must(cond) \
	do { \
		if (!(cond)) \
			ck_abort_msg("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

#endif
