/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as their own files see them. Everything here is protected by key_mutex, which key_enter takes. */
#ifndef KEYS_INTERNAL_H
#define KEYS_INTERNAL_H

#include <linux/keyctl.h>

#include "keys/keys.h"
#include "lib/list.h"
#include "lib/rbtree.h"

/* Rights, the same for possessor, user, group and others. */
#define KEY_VIEW    1u
#define KEY_READ    2u
#define KEY_WRITE   4u
#define KEY_SEARCH  8u
#define KEY_LINK    16u
#define KEY_SETATTR 32u
#define KEY_ALL	    63u
#define KEY_POS(r)  ((u32)(r) << 24)
#define KEY_USR(r)  ((u32)(r) << 16)

#define KEY_LINK_BYTES 4u /* what a link costs its keyring */
#define KEY_DEPTH      6u /* keyrings in keyrings that a search looks into */

enum key_kind {
	KEY_KIND_USER,
	KEY_KIND_LOGON, /* as user, and never read by programs */
	KEY_KIND_RING,
	KEY_KINDS
};

/* Who is charged: all keys of one user id of the first namespace. Lives while it has keys. */
struct key_user {
	struct list_head link;
	u32 uid;
	u32 nkeys, nikeys; /* keys; those with a payload or an error */
	u32 qkeys, qbytes; /* within the quota */
	struct key *ring, *session; /* references; made at their first use */
};

#define KEY_REVOKED	1u
#define KEY_INVALID	2u
#define KEY_IN_QUOTA	4u /* counts, and makes a full quota an error */
#define KEY_OVERRUN	8u /* counts nothing */
#define KEY_OF_USER_REG 16u /* a user's own keyring: not found by name */

struct key {
	struct rb_node node; /* by serial */
	struct list_head dead; /* nobody holds it: key_leave will free it */
	u32 refs;
	s32 serial;
	u32 kind; /* enum key_kind */
	u32 uid, gid; /* of the first namespace */
	u32 perm, flags;
	s32 error; /* -errno of a negative key, 0 */
	u64 expiry; /* CLOCK_REALTIME ns, 0 = never */
	struct key_user *user;
	u32 charged; /* bytes */
	char *desc;
	void *data;
	u32 len;
	struct key **links; /* keyrings: references */
	u32 nlinks, maxlinks;
	u64 walk; /* the last search that saw it, and how deep */
	u32 depth;
};

void key_enter(void);
void key_leave(void);

/* ---- key.c ---- */
int key_kind_of(const char *type); /* or -ENODEV */
const char *key_kind_name(u32 kind);
/* With a reference in *out; flags: KEY_IN_QUOTA or KEY_OVERRUN. 0, -EINVAL (a description that the type does not take), -EDQUOT, -ENOMEM. */
int key_create(u32 kind, const char *desc, u32 uid, u32 gid, u32 perm, u32 flags, struct key **out);
struct key *key_get(struct key *k);
void key_put(struct key *k); /* NULL is allowed */
struct key *key_find(s32 serial); /* borrowed */
struct key *key_after(const struct key *k); /* by number, NULL: the first; borrowed */
struct key *key_user_session(u32 uid); /* borrowed; NULL: it has none */
struct key_user *key_user_of(u32 uid); /* made when it is not there; NULL = no memory */
int key_charge(
	struct key *k, u32 bytes); /* what k takes from now on, besides its name. 0, -EDQUOT */
int key_chown(struct key *k, u32 uid); /* 0, -EDQUOT, -ENOMEM */
u32 key_default_perm(u32 kind);
/* Do the current task's ids, or possession, give all the rights? 0 or -EACCES. */
int key_permission(const struct key *k, bool possessed, u32 rights);
int key_validate(const struct key *k); /* 0, -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED */
int key_usable(const struct key *k); /* the same, and -errno of a negative key */
int key_check_payload(u32 kind, const void *data, size_t len);
int key_set_payload(struct key *k, void *data, size_t len); /* consumed when it succeeds */
void key_reject(struct key *k, int error, u32 seconds);
void key_revoke(struct key *k);

/* ---- keyring.c ---- */
struct key_match {
	const struct key *exact; /* this key, in any state; NULL: by kind and name */
	u32 kind;
	const char *desc;
	bool skip_expired; /* as if it was not there */
};
/* The key that `ring` links directly, or NULL; borrowed. */
struct key *keyring_has(const struct key *ring, u32 kind, const char *desc);
/* In the place of another of its kind and name. 0, -ENOTDIR, -EKEYREVOKED, -EDEADLK, -ELOOP, -EDQUOT, -ENOMEM. */
int keyring_link(struct key *ring, struct key *k);
int keyring_unlink(struct key *ring, const struct key *k); /* 0, -ENOTDIR, -ENOENT */
void keyring_clear(struct key *ring);
/* The current task looks for a key in and below a keyring. 0 and a borrowed key, -EAGAIN: not there, or why it may not be had. */
int keyring_search(struct key *ring, bool possessed, const struct key_match *m, struct key **out);
/* k is invalid: nothing links it any more. */
void keyring_purge(const struct key *k);

/* ---- process.c ---- */
#define LOOKUP_CREATE  1u /* make a keyring that the task does not have yet */
#define LOOKUP_PARTIAL 2u /* negative keys too */
#define LOOKUP_NAKED   4u /* no rights are asked for here, and any state will do */
/* From a number of keyctl(2) to a key with a reference; *possessed may be NULL. rights 0: nothing but the state is checked. */
int key_lookup(s32 id, u32 flags, u32 rights, struct key **out, bool *possessed);
/* In all keyrings of the current task. As keyring_search. */
int key_search_process(const struct key_match *m, struct key **out);
/* A new session keyring, or the one that has this name. Its number or -errno. */
s64 key_join_session(const char *name);
/* Where a key that was requested goes; borrowed in *out, NULL: nowhere. */
int key_request_dest(struct key **out);
int key_install_thread(struct task *t);
int key_install_process(struct task *t);

#endif
