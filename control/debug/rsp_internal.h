/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the two halves of the engine: packets (rsp.c) and what they ask (rsp_cmd.c). */
#ifndef CM_DEBUG_RSP_INTERNAL_H
#define CM_DEBUG_RSP_INTERNAL_H

#include "control/debug/rsp.h"

/* ---- the answer being made */
void rsp_add(struct rsp *r, const void *p, size_t len);
void rsp_add_text(struct rsp *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rsp_add_hex(struct rsp *r, const void *p, size_t len);
void rsp_add_error(struct rsp *r, int error); /* of a failed operation: -errno */
/* Send it. */
void rsp_flush(struct rsp *r);

/* ---- reading a packet: each moves *p on */
bool rsp_get_hex(const char **p, uint64_t *v); /* at least one digit, at most 16 */
bool rsp_get_char(const char **p, char c);
/* An even number of digits up to the end of the packet, at most `room` bytes: how many, or -EINVAL. */
int rsp_get_bytes(const char *p, const char *end, void *buf, size_t room);

/* ---- hardware breakpoints and watchpoints, whether or not there is hardware for them (rsp_watch.c) */

/* Z1 to Z4. As ops->breakpoint. */
int rsp_hardware(struct rsp *r, enum rsp_break kind, uint64_t addr, uint64_t len, bool set);
/* Go on as gdb wants. As ops->resume. */
int rsp_watch_resume(struct rsp *r, const struct rsp_resume *how);
/* The target stopped: is gdb to be told? *stop may be changed. False: it runs again. */
bool rsp_watch_stopped(struct rsp *r, struct rsp_stop *stop);

/* Act on the packet in r->in. */
void rsp_command(struct rsp *r);

#endif
