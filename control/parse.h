/* SPDX-License-Identifier: Apache-2.0 */
/* Small words of the command line: sizes, numbers, signals, container ids. */
#ifndef CM_CONTROL_PARSE_H
#define CM_CONTROL_PARSE_H

#include <stdint.h>
#include "common/err.h"

#define CM_ID_MAX 128 /* characters of a container id */

/* "512M" -> bytes: a decimal number and an optional K, M, G or T (powers of 1024, "iB" or "B" may follow). `what` names it in err. */
int cm_parse_size(const char *text, const char *what, uint64_t *bytes, struct cm_err *err);

/* A decimal number in [min, max]. */
int cm_parse_number(
	const char *text, const char *what, long min, long max, long *value, struct cm_err *err);

/* "TERM", "SIGTERM", "15", "RTMIN+2", "0" -> signal number; -EINVAL for anything else. */
int cm_parse_signal(const char *text, int *signo, struct cm_err *err);

/* "SIGTERM"; a number in digits for one without a name. The result is static or in buf. */
const char *cm_signal_name(int signo, char *buf, unsigned size);

/* Letters, digits, '_', '+', '-' and '.'; not "." or ".."; at most CM_ID_MAX characters. */
int cm_id_check(const char *id, struct cm_err *err);

#endif
