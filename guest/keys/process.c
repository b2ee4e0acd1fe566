/* SPDX-License-Identifier: Apache-2.0 */
/* The keyrings that a task has: its thread's, its process's, its session's and its user's. From numbers that programs give to keys. */
#include "keys/internal.h"

#include "kernel/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "task/internal.h"
#include "task/user_ns.h"

#define KEY_RING_PERM (KEY_POS(KEY_ALL) | KEY_USR(KEY_VIEW))

/* A keyring of the current task's user, with a reference. */
static int ring_create(const char *name, u32 perm, u32 flags, struct key **out)
{
	const struct cred *c = cred_current();

	return key_create(KEY_KIND_RING, name, c->uid, c->gid, perm, flags, out);
}

int key_install_thread(struct task *t)
{
	return t->keys.thread ? 0
			      : ring_create("_tid", KEY_RING_PERM, KEY_OVERRUN, &t->keys.thread);
}

int key_install_process(struct task *t)
{
	struct key **ring = &t->group->process_keyring;

	return *ring ? 0 : ring_create("_pid", KEY_RING_PERM, KEY_OVERRUN, ring);
}

/* ---- users ---- */

static int user_ring(const char *prefix, u32 uid, struct key **out)
{
	char name[24];

	str_format(name, sizeof(name), "%s.%u", prefix, uid_shown(uid));
	return key_create(KEY_KIND_RING, name, uid, ~0U,
		(KEY_POS(KEY_ALL) & ~KEY_POS(KEY_SETATTR)) | KEY_USR(KEY_ALL),
		KEY_IN_QUOTA | KEY_OF_USER_REG, out);
}

/* The keyrings of the current task's user are there. They stay. */
static int install_user(struct key_user **out)
{
	u32 uid = cred_current()->uid;
	struct key_user *u = key_user_of(uid);
	int ret = 0;

	if (!u)
		return -ENOMEM;
	if (!u->ring)
		ret = user_ring("_uid", uid, &u->ring);
	/* The first key that a user wanted may have been one too many: then nobody remembers him. */
	if (ret < 0)
		return ret;
	if (!u->session) {
		ret = user_ring("_uid_ses", uid, &u->session);
		if (!ret)
			ret = keyring_link(u->session, u->ring);
	}
	*out = u;
	return ret;
}

/* ---- sessions ---- */

/* Consumes the reference. */
static void set_session(struct task *t, struct key *ring)
{
	key_put(t->keys.session);
	t->keys.session = ring;
}

/* Somebody's keyring of that name that the current task may search. */
static struct key *ring_by_name(const char *name)
{
	struct key *k = NULL;

	while ((k = key_after(k))) {
		if (k->kind == KEY_KIND_RING && k->refs && !strcmp(k->desc, name) &&
			!(k->flags & (KEY_REVOKED | KEY_OF_USER_REG)) &&
			!key_permission(k, false, KEY_SEARCH))
			return k;
	}
	return NULL;
}

s64 key_join_session(const char *name)
{
	struct task *t = task_current();
	struct key *ring = name ? ring_by_name(name) : NULL;
	int ret;

	if (ring) {
		key_get(ring);
	} else if (name) {
		ret = ring_create(name, KEY_POS(KEY_ALL) | KEY_USR(KEY_VIEW | KEY_READ | KEY_LINK),
			KEY_IN_QUOTA, &ring);
		if (ret < 0)
			return ret;
	} else {
		ret = ring_create("_ses", KEY_POS(KEY_ALL) | KEY_USR(KEY_VIEW | KEY_READ),
			t->keys.session ? KEY_IN_QUOTA : KEY_OVERRUN, &ring);
		if (ret < 0)
			return ret;
	}
	set_session(t, ring);
	return ring->serial;
}

/* Without a session of its own a task has its user's, until it wants to put something there. */
static int install_session(struct task *t, bool create)
{
	struct key_user *u;
	s64 ret;

	if (t->keys.session)
		return 0;
	ret = install_user(&u);
	if (!ret && create)
		ret = key_join_session(NULL);
	else if (!ret)
		set_session(t, key_get(u->session));
	return (int)MIN(ret, 0L);
}

static int session_lookup(struct task *t, bool create, struct key **out)
{
	struct key_user *u = NULL;
	s64 ret = install_session(t, create);

	if (!ret && create) {
		ret = install_user(&u);
		if (!ret && t->keys.session == u->session)
			ret = key_join_session(NULL);
	}
	if (ret < 0)
		return (int)ret;
	*out = t->keys.session;
	return 0;
}

/* ---- numbers ---- */

/* Borrowed in *out. */
static int special_key(s32 id, u32 flags, struct key **out)
{
	struct task *t = task_current();
	bool create = flags & LOOKUP_CREATE;
	struct key_user *u;
	int ret = 0;

	switch (id) {
	case KEY_SPEC_THREAD_KEYRING:
		if (create)
			ret = key_install_thread(t);
		*out = t->keys.thread;
		break;
	case KEY_SPEC_PROCESS_KEYRING:
		if (create)
			ret = key_install_process(t);
		*out = t->group->process_keyring;
		break;
	case KEY_SPEC_SESSION_KEYRING:
		return session_lookup(t, create, out);
	case KEY_SPEC_USER_KEYRING:
	case KEY_SPEC_USER_SESSION_KEYRING:
		ret = install_user(&u);
		if (!ret)
			*out = id == KEY_SPEC_USER_KEYRING ? u->ring : u->session;
		break;
	case KEY_SPEC_REQKEY_AUTH_KEY:
	case KEY_SPEC_REQUESTOR_KEYRING:
		return -ENOKEY;
	default:
		return -EINVAL;
	}
	return ret ?: *out ? 0 : -ENOKEY;
}

int key_lookup(s32 id, u32 flags, u32 rights, struct key **out, bool *possessed)
{
	bool mine = id < 0;
	struct key *k = NULL;
	int ret = 0;

	if (id < 1) {
		ret = special_key(id, flags, &k);
	} else {
		struct key *found;

		k = key_find(id);
		if (k) {
			struct key_match m = { .exact = k };

			mine = key_search_process(&m, &found) == 0;
		} else {
			ret = -ENOKEY;
		}
	}
	if (!ret && !(flags & LOOKUP_NAKED))
		ret = flags & LOOKUP_PARTIAL ? key_validate(k) : key_usable(k);
	if (!ret && rights)
		ret = key_permission(k, mine, rights);
	if (ret < 0)
		return ret;
	if (possessed)
		*possessed = mine;
	*out = key_get(k);
	return 0;
}

int key_search_process(const struct key_match *m, struct key **out)
{
	struct task *t = task_current();
	struct key *rings[3] = { t->keys.thread, t->group->process_keyring, t->keys.session };
	int ret = 0, other = -EAGAIN;

	if (!rings[2])
		rings[2] = key_user_session(cred_current()->uid);
	for (u32 i = 0; i < ARRAY_SIZE(rings); i++) {
		int err = rings[i] ? keyring_search(rings[i], true, m, out) : -EAGAIN;

		if (!err)
			return 0;
		if (!rings[i])
			continue;
		/* A negative key tells more than none; and where one keyring has nothing, what keys of another are like does not count. */
		if (err == -ENOKEY || (err == -EAGAIN && !ret))
			ret = err;
		else if (err != -EAGAIN)
			other = err;
	}
	return ret ? ret : other;
}

/* ---- requests ---- */

int key_request_dest(struct key **out)
{
	struct task *t = task_current();
	u32 where = t->keys.reqkey_dest;
	struct key_user *u;
	int ret = install_user(&u);

	if (ret < 0)
		return ret;
	*out = NULL;
	if ((!where || where == KEY_REQKEY_DEFL_THREAD_KEYRING) && t->keys.thread)
		*out = t->keys.thread;
	else if ((!where || where == KEY_REQKEY_DEFL_PROCESS_KEYRING) && t->group->process_keyring)
		*out = t->group->process_keyring;
	else if ((!where || where == KEY_REQKEY_DEFL_SESSION_KEYRING) && t->keys.session)
		*out = t->keys.session;
	else if (where == KEY_REQKEY_DEFL_USER_KEYRING)
		*out = u->ring;
	else
		*out = u->session;
	return key_permission(*out, true, KEY_WRITE);
}

/* ---- lives ---- */

int keys_fork(struct task *t, const struct task *parent, bool thread)
{
	int ret = 0;

	if (!parent->keys.session && !parent->keys.reqkey_dest && !(thread && parent->keys.thread))
		return 0;
	key_enter();
	/* A thread whose maker had one has one of its own. */
	if (thread && parent->keys.thread)
		ret = key_install_thread(t);
	if (parent->keys.session)
		t->keys.session = key_get(parent->keys.session);
	t->keys.reqkey_dest = parent->keys.reqkey_dest;
	key_leave();
	return ret;
}

static void drop_ring(struct key **ring)
{
	key_put(*ring);
	*ring = NULL;
}

void keys_exec(struct task *t)
{
	if (!t->keys.thread && !t->group->process_keyring)
		return;
	key_enter();
	drop_ring(&t->keys.thread);
	drop_ring(&t->group->process_keyring);
	key_leave();
}

void keys_exit(struct task *t, bool last)
{
	if (!t->keys.session && !t->keys.thread && !(last && t->group->process_keyring))
		return;
	key_enter();
	drop_ring(&t->keys.thread);
	drop_ring(&t->keys.session);
	if (last)
		drop_ring(&t->group->process_keyring);
	key_leave();
}
