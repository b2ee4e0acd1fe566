/* SPDX-License-Identifier: Apache-2.0 */
/* Ancillary data: descriptors and credentials that travel with a message. */
#ifndef NET_SCM_H
#define NET_SCM_H

#include "net/abi.h"

struct file;

struct scm {
	struct file **files; /* references; NULL when there are none */
	u32 nfiles;
	bool has_cred; /* the sender named them itself, or the receiver asked */
	struct ucred cred;
};

void scm_init(struct scm *scm);
/* Drops the files. */
void scm_fini(struct scm *scm);
/* dst takes over what src holds. */
void scm_move(struct scm *dst, struct scm *src);
/* Another reference on every file (MSG_PEEK). 0 or -ENOMEM. */
int scm_copy(struct scm *dst, const struct scm *src);
/* Credentials of the calling task. */
void scm_fill_cred(struct ucred *out);
/* Parse len bytes of control data at user address p. 0, -EINVAL, -EBADF, -EPERM, -ENOMEM. */
int scm_read_user(struct scm *scm, uaddr_t p, u64 len);
/* Write what was received into the user's buffer of *len bytes, install descriptors; *len becomes the used length. MSG_CTRUNC goes
 * into *out_flags when something did not fit. 0 or -EFAULT. */
int scm_write_user(
	struct scm *scm, bool passcred, bool cloexec, uaddr_t p, u64 *len, u32 *out_flags);

#endif
