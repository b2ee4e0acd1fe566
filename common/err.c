/* SPDX-License-Identifier: Apache-2.0 */
/* The error value of host code. */
#include <config.h>
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A message is one line whatever an object's name holds. */
static void err_flatten(char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	}
}

int cm_err_set(struct cm_err *err, int code, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	if (code > 0)
		snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", strerror(code));
	err_flatten(err->msg);
	err->code = code > 0 ? code : EINVAL;
	return -err->code;
}

int cm_err_wrap(struct cm_err *err, const char *fmt, ...)
{
	char inner[CM_ERR_MSG];
	va_list ap;
	size_t len;

	memcpy(inner, err->msg, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", inner);
	err_flatten(err->msg);
	return -err->code;
}
