/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VMM's own lines and reports on the log descriptor. Text of the guest goes through guestlog.h. Any thread may call; what is passed is
 * written at once, and lost when nobody reads.
 */
#ifndef CM_VMM_VLOG_H
#define CM_VMM_VLOG_H

#include <stddef.h>

/* Start-up only. Until then the log goes to descriptor 2. */
void vlog_init(int fd);

/* One line of the VMM itself, prefixed with its name; the newline is added. */
void vlog_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A finished block of trusted or already sanitised text, written at once. */
void vlog_block(const char *text, size_t len);

/* Replace everything in s[0..len) but printable ASCII, newline and tab by '?'. */
void vlog_sanitise(char *s, size_t len);

#endif
