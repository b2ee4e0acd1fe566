/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What casemate-fsd gives up before it reads its first request, in stages:
 *
 *   1 inherit   every descriptor but the named ones is closed
 *   2 prepare   /proc/self/fd is opened (to reopen nodes later), limits and creation credentials are set
 *   3 roots     a private clone of the served mount, nosuid,nodev,noexec,nosymfollow (and read-only), becomes the root of a new mount
 *               namespace; those of the volumes, made the same way, are attached nowhere. Without the right to mount: chroot in a user namespace where the user is root: what the guest's root makes is the
 *               user's, other owners cannot be given. No network or IPC namespace of its own: making one
 *               costs 0.8 ms, and the filter knows no call that could use either
 *   4 rights    Landlock on what is served, no new privileges, all capabilities but those of a file server, not dumpable, death with the
 *               parent
 *   5 filter    seccomp: the calls that the "#syscalls:fsd" comments name
 *
 * Kept capabilities: CHOWN, DAC_OVERRIDE, FOWNER, SETUID and SETGID (file system ids only: seccomp knows no other use). Not kept on
 * purpose: FSETID, so writes drop setuid bits; SETFCAP, so a guest cannot plant file capabilities on the host; MKNOD; DAC_READ_SEARCH,
 * which would open files by handle.
 */
#ifndef CM_VMM_FSD_JAIL_H
#define CM_VMM_FSD_JAIL_H

#include <stdbool.h>

#include "common/err.h"
#include "vmm/fsd/engine.h"

#define FSD_JAIL_KEEP 96 /* at most so many descriptors */

/* Stage 1. keep: the named descriptors, in any order. */
int fsd_jail_inherit(const int *keep, unsigned int n, int log_fd, struct cm_err *err);

/* Stage 2. *proc_fd is the caller's. */
int fsd_jail_prepare(int *proc_fd, struct cm_err *err);

/* How many nodes the descriptor limit allows besides handles and locks. */
unsigned int fsd_jail_max_nodes(void);

/* Stage 3. Each descriptor is replaced by that of the clone. */
int fsd_jail_roots(struct fsd_root *roots, unsigned int n, struct cm_err *err);

/* Stage 4. */
int fsd_jail_rights(const struct fsd_root *roots, unsigned int n, struct cm_err *err);

/* Stage 5. */
int fsd_jail_filter(struct cm_err *err);

#endif
