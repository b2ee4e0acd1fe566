/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and keyrings: the operations of keyctl(2) with kernel memory, the lives of tasks, and what /proc shows. All may sleep. */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H

#include "lib/types.h"

struct key;
struct task;

#define KEY_TYPE_MAX	32
#define KEY_TEXT_MAX	4096 /* description, with its NUL */
#define KEY_PAYLOAD_MAX (1024u * 1024 - 1)

/* ---- operations of the current task; numbers as programs give them, special ones included. >= 0 or -errno ---- */
/* data: kmalloc'ed or NULL, consumed. desc NULL: none. The key's number. */
s64 key_op_add(const char *type, const char *desc, void *data, size_t len, s32 ring);
/* construct: who asks has something to make the key of. */
s64 key_op_request(const char *type, const char *desc, bool construct, s32 dest);
s64 key_op_ring_id(s32 id, bool create);
s64 key_op_join(const char *name); /* NULL: a new session keyring without a name */
s64 key_op_update(s32 id, void *data, size_t len); /* data consumed */
s64 key_op_revoke(s32 id);
s64 key_op_invalidate(s32 id);
s64 key_op_chown(s32 id, u32 uid, u32 gid); /* ~0: stays */
s64 key_op_setperm(s32 id, u32 perm);
s64 key_op_describe(s32 id, char **text); /* length with its NUL; the caller frees it */
s64 key_op_clear(s32 id);
s64 key_op_link(s32 id, s32 ring);
s64 key_op_unlink(s32 id, s32 ring);
s64 key_op_move(s32 id, s32 from, s32 to, u32 flags);
s64 key_op_search(s32 ring, const char *type, const char *desc, s32 dest);
s64 key_op_read(s32 id, void **data); /* length; the caller frees it */
s64 key_op_reqkey_dest(s32 dest); /* KEY_REQKEY_DEFL_*; the one before */
s64 key_op_timeout(s32 id, u32 seconds); /* 0: none */
s64 key_op_visible(s32 id); /* 0 when its attributes may be seen */

/* ---- tasks ---- */
int keys_fork(
	struct task *t, const struct task *parent, bool thread); /* t has nothing yet. 0, -ENOMEM */
void keys_exec(struct task *t);
void keys_exit(struct task *t, bool last);

/* ---- /proc ---- */
extern u64 key_max_keys, key_max_bytes, key_root_max_keys, key_root_max_bytes;
struct proc_buf;
void keys_show(struct proc_buf *b); /* what the current task may view */
void key_users_show(struct proc_buf *b);

#endif
