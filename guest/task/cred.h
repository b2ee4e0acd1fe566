/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: immutable once published, replaced as a whole. */
#ifndef TASK_CRED_H
#define TASK_CRED_H

#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/types.h"

#define CRED_NGROUPS_MAX 65536
#define CAP_COUNT	 41 /* CAP_CHECKPOINT_RESTORE + 1 */
#define CAP_ALL		 ((1UL << CAP_COUNT) - 1)

struct task;
struct user_ns;

/* What one real user id holds in all processes: RLIMIT_NPROC, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE are charged here. */
struct user_acct {
	struct ref ref;
	struct list_head link;
	u32 uid;
	s64 nproc, nsignals, mq_bytes, ninotify, pipe_pages; /* atomic */
};

struct cred {
	struct ref ref;
	u32 uid, gid, euid, egid, suid, sgid, fsuid, fsgid;
	u64 cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
	u32 securebits;
	u32 ngroups;
	u32 *groups; /* sorted, owned */
	struct user_acct *user; /* of uid; reference */
	struct user_ns *user_ns; /* where the capabilities are held; reference */
};

struct cred *cred_create(void); /* root with all capabilities; NULL = no memory */
struct cred *cred_dup(const struct cred *c);
void cred_get(struct cred *c);
void cred_put(struct cred *c);
/* Supplementary groups: sorts a copy. 0 or -ENOMEM. */
int cred_set_groups(struct cred *c, const u32 *groups, u32 n);
/* Change the real uid and with it the account. 0 or -ENOMEM (nothing changed). */
int cred_set_user(struct cred *c, u32 uid);
bool cred_in_group(const struct cred *c, u32 gid);
const struct cred *cred_current(void); /* borrowed, valid until the task changes it itself */
/* Publish c as the current task's; consumes the reference. */
void cred_install(struct cred *c);
bool capable(int cap); /* CAP_* of the current task in the first user namespace */
bool capable_here(int cap); /* in its own */
bool cred_has_cap(const struct cred *c, int cap); /* in its own */

/* Effects of a change of user ids on the capability sets (capabilities(7)); `old` holds the ids before. */
void cred_fix_caps(struct cred *c, const struct cred *old);
void cred_fix_fs_caps(struct cred *c, u32 old_fsuid);
/* What execve does to the sets and ids for a file with these attributes. True when the result is privileged (AT_SECURE). */
struct cred_exec_file {
	u32 mode, uid, gid;
	bool nosuid;
	bool no_new_privs; /* of the task */
};
bool cred_exec(struct cred *c, const struct cred_exec_file *f);

#endif
