/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error value of host code: every fallible function of control/ and of the start of the helpers ends in `struct cm_err *err` and
 * returns 0 or more on success, -errno on failure with err filled. Messages are lower case, name the object and are wrapped once a
 * layer ("open 'x': permission denied"); main prints them once. No allocation.
 */
#ifndef CM_COMMON_ERR_H
#define CM_COMMON_ERR_H

#define CM_ERR_MSG 1024

struct cm_err {
	int code; /* errno value, > 0 */
	char msg[CM_ERR_MSG]; /* NUL-terminated, one line */
};

/* Fill err with the formatted message; with code > 0, ": strerror(code)" follows it. Returns -code (-EINVAL for code 0). */
int cm_err_set(struct cm_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Prefix the message that err holds with "text: ". Returns -err->code. */
int cm_err_wrap(struct cm_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
