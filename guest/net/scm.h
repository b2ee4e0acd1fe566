/* SPDX-License-Identifier: Apache-2.0 */
/* Ancillary data: descriptors and credentials that travel with a message. */
#ifndef NET_SCM_H
#define NET_SCM_H

#include "net/abi.h"

struct file;
struct pid;

#define SOCK_CMSGS     4u
#define SOCK_CMSG_DATA 48u

/* Control data of the families' own levels, in kernel form. */
struct sock_cmsg {
	s32 level, type;
	u32 len;
	u8 data[SOCK_CMSG_DATA] __aligned(8);
};
struct sock_cmsgs {
	u32 n;
	struct sock_cmsg c[SOCK_CMSGS];
};

/* The sender: the pid is a reference or NULL. */
struct scm_cred {
	struct pid *pid;
	u32 uid, gid;
};

struct scm {
	struct file **files; /* references; NULL when there are none */
	u32 nfiles;
	bool has_cred; /* the sender named them itself, or the receiver asked */
	struct scm_cred cred;
	struct sock_cmsgs *
		extra; /* room for other levels' data: sent with the message, or received; NULL = not wanted */
};

void scm_init(struct scm *scm);
/* Drops the files and the sender. */
void scm_fini(struct scm *scm);
/* dst takes over what src holds. */
void scm_move(struct scm *dst, struct scm *src);
/* Another reference on every file (MSG_PEEK). 0 or -ENOMEM. */
int scm_copy(struct scm *dst, const struct scm *src);
/* Credentials of the calling task; *out holds some already, or zeroes. */
void scm_fill_cred(struct scm_cred *out);
void scm_copy_cred(struct scm_cred *dst, const struct scm_cred *src); /* the same for another's */
/* As the calling task sees them. */
struct ucred scm_user_cred(const struct scm_cred *c);
/* Parse len bytes of control data at user address p. 0, -EINVAL, -EBADF, -EPERM, -ENOMEM. */
int scm_read_user(struct scm *scm, uaddr_t p, u64 len);
/* One of another level for the receiver, of at most SOCK_CMSG_DATA bytes; dropped where nobody wants it. */
void scm_add(struct scm *scm, int level, int type, const void *data, u32 len);
/* Write what was received into the user's buffer of *len bytes, install descriptors; *len becomes the used length. MSG_CTRUNC goes
 * into *out_flags when something did not fit. 0 or -EFAULT. */
int scm_write_user(
	struct scm *scm, bool passcred, bool cloexec, uaddr_t p, u64 *len, u32 *out_flags);

#endif
