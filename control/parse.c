/* SPDX-License-Identifier: Apache-2.0 */
/* Small words of the command line: sizes, numbers, signals, container ids. */
#include <config.h>
#include "control/parse.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int parse_size_unit(const char *unit, unsigned *shift)
{
	static const char units[] = "kmgt";
	const char *u;

	*shift = 0;
	if (!*unit || strcasecmp(unit, "b") == 0)
		return 0;
	u = strchr(units, tolower((unsigned char)*unit));
	if (!u)
		return -EINVAL;
	*shift = (unsigned)(u - units + 1) * 10;
	unit++;
	return !*unit || strcasecmp(unit, "b") == 0 || strcasecmp(unit, "ib") == 0 ? 0 : -EINVAL;
}

int cm_parse_size(const char *text, const char *what, uint64_t *bytes, struct cm_err *err)
{
	unsigned long long n;
	unsigned shift;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || parse_size_unit(end, &shift) < 0)
		return cm_err_set(err, 0, "%s: '%s' is not a size (like 512M)", what, text);
	if (errno == ERANGE || (shift && n >> (63 - shift)) || n >> 63)
		return cm_err_set(err, 0, "%s: '%s' is too large", what, text);
	*bytes = (uint64_t)n << shift;
	return 0;
}

int cm_parse_number(
	const char *text, const char *what, long min, long max, long *value, struct cm_err *err)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (end == text || *end || isspace((unsigned char)*text))
		return cm_err_set(err, 0, "%s: '%s' is not a number", what, text);
	if (errno == ERANGE || n < min || n > max)
		return cm_err_set(
			err, 0, "%s: %s is out of range (%ld to %ld)", what, text, min, max);
	*value = n;
	return 0;
}

static int parse_signal_rt(const char *text, int *signo)
{
	struct cm_err err;
	long n = 0;

	if (strncasecmp(text, "RTMIN", 5) == 0) {
		text += 5;
		/* The kernel's first real-time signal: the C library keeps two for itself. */
		*signo = 34;
		if (*text == '\0')
			return 0;
		if (*text != '+' || cm_parse_number(text + 1, "", 0, 30, &n, &err) < 0)
			return -EINVAL;
		*signo += (int)n;
		return 0;
	}
	if (strncasecmp(text, "RTMAX", 5) != 0)
		return -EINVAL;
	text += 5;
	*signo = 64;
	if (*text == '\0')
		return 0;
	if (*text != '-' || cm_parse_number(text + 1, "", 0, 30, &n, &err) < 0)
		return -EINVAL;
	*signo -= (int)n;
	return 0;
}

int cm_parse_signal(const char *text, int *signo, struct cm_err *err)
{
	const char *name = text;
	long n;

	if (isdigit((unsigned char)*text)) {
		if (cm_parse_number(text, "signal", 0, 64, &n, err) < 0)
			return -err->code;
		*signo = (int)n;
		return 0;
	}
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	if (parse_signal_rt(name, signo) == 0)
		return 0;
	for (int i = 1; i < 32; i++) {
		const char *abbrev = sigabbrev_np(i);

		if (abbrev && strcasecmp(abbrev, name) == 0) {
			*signo = i;
			return 0;
		}
	}
	return cm_err_set(err, 0, "unknown signal '%s'", text);
}

const char *cm_signal_name(int signo, char *buf, unsigned size)
{
	const char *abbrev = signo > 0 && signo < 32 ? sigabbrev_np(signo) : NULL;

	if (abbrev)
		snprintf(buf, size, "SIG%s", abbrev);
	else
		snprintf(buf, size, "%d", signo);
	return buf;
}

int cm_id_check(const char *id, struct cm_err *err)
{
	size_t len = strlen(id);

	if (len == 0)
		return cm_err_set(err, 0, "container id cannot be empty");
	if (len > CM_ID_MAX)
		return cm_err_set(
			err, 0, "invalid container id: longer than %d characters", CM_ID_MAX);
	for (const char *p = id; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("_+-.", *p))
			return cm_err_set(err, 0,
				"invalid container id format: '%s' (letters, digits, _ + - .)", id);
	}
	if (strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
		return cm_err_set(err, 0, "invalid container id format: '%s'", id);
	return 0;
}
