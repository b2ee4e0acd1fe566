/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to the debug server of a VMM (include/casemate/debug.h). Not thread-safe. Whatever comes from the VMM is bounded here: a
 * reply that breaks the protocol ends the connection with -EPROTO, one that does not come with -ETIMEDOUT. Once the connection is gone every
 * call returns -ENOTCONN.
 */
#ifndef CM_DEBUG_CLIENT_H
#define CM_DEBUG_CLIENT_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <casemate/debug.h>

#include "common/err.h"

#define DBG_REPLY_MS 10000 /* that the VMM may take for a reply */
#define DBG_STOPS    64 /* stop events that wait to be fetched; more are lost */

struct dbg;

/* Attach to the VM of container `id` below the state directory `root`. NULL with err filled. */
struct dbg *dbg_attach(const char *root, const char *id, struct cm_err *err);

/* Speak over a connected stream socket that the VMM has; takes fd over, also on failure. */
struct dbg *dbg_open(int fd, struct cm_err *err);

/* Hang up; the VMM takes back pauses, breakpoints and so on. NULL is fine. */
void dbg_close(struct dbg *d);

const struct cm_dbg_machine *dbg_machine(const struct dbg *d);

/* To poll for events; -1 when the connection is gone. A readable descriptor: call dbg_event with timeout 0. */
int dbg_fd(const struct dbg *d);

struct dbg_buf {
	const void *p;
	size_t len;
};

/*
 * One request and its reply: the payload is the parts one after the other. Returns the bytes of the reply's payload (at most `room`; a longer
 * one is -EPROTO), or -errno: the VMM's or the connection's. Stop events that come before the reply are kept for dbg_event.
 */
int dbg_call(struct dbg *d, enum cm_dbg_type type, const struct dbg_buf *part, unsigned parts,
	void *reply, size_t room);

/* The next stop event: 1, 0 when none came in time (timeout_ms 0 = look, -1 = for ever), or -errno. */
int dbg_event(struct dbg *d, struct cm_dbg_stop *stop, int timeout_ms);

/* Shortcuts. st may be NULL. */
int dbg_status(struct dbg *d, struct cm_dbg_status *st);
int dbg_pause(struct dbg *d, uint32_t timeout_ms, uint32_t flags, struct cm_dbg_status *st);
int dbg_resume(struct dbg *d, uint32_t flags, struct cm_dbg_status *st);
int dbg_continue(struct dbg *d);

/* Registers of a stopped vCPU; any pointer may be NULL. */
int dbg_get_regs(struct dbg *d, uint32_t cpu, struct kvm_regs *r, struct kvm_sregs *s);
int dbg_set_regs(struct dbg *d, uint32_t cpu, const struct kvm_regs *r);
/* One set (CM_DBG_REGS_*) of exactly `size` bytes. */
int dbg_get_set(struct dbg *d, uint32_t cpu, uint32_t set, void *buf, size_t size);
int dbg_set_set(struct dbg *d, uint32_t cpu, uint32_t set, const void *buf, size_t size);

/* Guest-physical memory of any length, within one region. */
int dbg_read_phys(struct dbg *d, uint64_t gpa, void *buf, size_t len);
int dbg_write_phys(struct dbg *d, uint64_t gpa, const void *buf, size_t len);

#endif
