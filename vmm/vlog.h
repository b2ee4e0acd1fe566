/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VMM's one log: a descriptor that receives its own lines and the guest's text. Guest text is hostile: it is reduced to printable
 * ASCII, newlines and tabs, and limited to a budget, so that a guest cannot fill the host's disk. Any thread may call; one lock inside,
 * held across one write at a time.
 */
#ifndef CM_VMM_VLOG_H
#define CM_VMM_VLOG_H

#include <stddef.h>

#define VLOG_GUEST_BURST (1024u * 1024u) /* bytes of guest text that may come at once */
#define VLOG_GUEST_RATE	 (64u * 1024u) /* bytes a second afterwards */

/* Start-up only. Until then the log goes to descriptor 2. */
void vlog_init(int fd);

/* One line of the VMM itself, prefixed with its name; the newline is added. */
void vlog_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* len bytes of text from the guest, kept back until a line is complete. */
void vlog_guest(const void *text, size_t len);

/* Write out an incomplete line of the guest. */
void vlog_flush(void);

/* A finished block of trusted or already sanitised text, written at once. */
void vlog_block(const char *text, size_t len);

/* Replace everything in s[0..len) but printable ASCII, newline and tab by '?'. */
void vlog_sanitise(char *s, size_t len);

#endif
