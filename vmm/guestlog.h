/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that the guest produces (console device, log port and log hypercall) on its way to the log descriptor. The guest can neither block
 * the VMM, nor fill the disk, nor speak to a terminal: every line is prefixed, bytes that are not printable ASCII are escaped, a token
 * bucket bounds the rate, and what the descriptor does not take at once is dropped and counted.
 *
 * Any thread may call; a lock inside serialises.
 */
#ifndef CM_VMM_GUESTLOG_H
#define CM_VMM_GUESTLOG_H

#include <stddef.h>

#define GUESTLOG_BURST 262144 /* bytes that may come at once */
#define GUESTLOG_RATE  65536 /* bytes a second for ever */

struct guestlog;

/* Log to fd, which stays the caller's (-1 = discard). NULL when memory is short. */
struct guestlog *guestlog_create(int fd);
void guestlog_destroy(struct guestlog *log);

/* Log len bytes. Never fails and never blocks. */
void guestlog_write(struct guestlog *log, const void *text, size_t len);

#endif
