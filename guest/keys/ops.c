/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of add_key(2), request_key(2) and keyctl(2): look keys up with the rights that are needed, do it, let go. */
#include <linux/capability.h>

#include "kernel/clock.h"
#include "kernel/errno.h"
#include "keys/internal.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/internal.h"
#include "task/user_ns.h"

/* How long a key that could not be made stays away, s. */
#define KEY_NEGATIVE_SECONDS 60

/* ---- making keys ---- */

/* Put a new key with this payload into ring. Its number; data is consumed when that succeeds. */
static s64 add_new(struct key *ring, u32 kind, const char *desc, void *data, size_t len)
{
	const struct cred *c = cred_current();
	struct key *k;
	s64 ret = key_create(
		kind, desc, c->fsuid, c->fsgid, key_default_perm(kind), KEY_IN_QUOTA, &k);

	if (ret < 0)
		return ret;
	ret = key_charge(k, (u32)len);
	if (!ret)
		ret = keyring_link(ring, k);
	if (!ret) {
		key_set_payload(k, data, len);
		ret = k->serial;
	}
	key_put(k);
	return ret;
}

static s64 add_or_update(
	struct key *ring, bool possessed, u32 kind, const char *desc, void *data, size_t len)
{
	struct key *k = kind == KEY_KIND_RING ? NULL : keyring_has(ring, kind, desc);
	s64 ret;

	if (!k || (k->flags & (KEY_REVOKED | KEY_INVALID)))
		return add_new(ring, kind, desc, data, len);
	ret = key_permission(k, possessed, KEY_WRITE);
	if (!ret)
		ret = key_set_payload(k, data, len);
	return ret < 0 ? ret : k->serial;
}

static s64 add_locked(const char *type, const char *desc, void *data, size_t len, s32 ring_id)
{
	bool possessed;
	struct key *ring;
	int kind;
	s64 ret = key_lookup(ring_id, LOOKUP_CREATE, KEY_WRITE, &ring, &possessed);

	if (ret < 0)
		return ret;
	kind = key_kind_of(type);
	if (kind < 0)
		ret = kind;
	else if (ring->kind != KEY_KIND_RING)
		ret = -ENOTDIR;
	else
		ret = key_check_payload((u32)kind, data, len);
	if (!ret && !desc)
		ret = -EINVAL;
	if (!ret)
		ret = add_or_update(ring, possessed, (u32)kind, desc, data, len);
	key_put(ring);
	return ret;
}

s64 key_op_add(const char *type, const char *desc, void *data, size_t len, s32 ring)
{
	s64 ret;

	key_enter();
	ret = add_locked(type, desc, data, len, ring);
	key_leave();
	if (ret < 0)
		kfree(data);
	return ret;
}

/* Nobody can make it: for a while those who ask again learn it at once. */
static s64 request_missing(u32 kind, const char *desc, struct key *dest)
{
	const struct cred *c = cred_current();
	struct key *k;
	int ret = 0;

	if (kind == KEY_KIND_RING)
		return -EPERM;
	if (!dest)
		ret = key_request_dest(&dest);
	if (!ret)
		ret = key_create(
			kind, desc, c->fsuid, c->fsgid, key_default_perm(kind), KEY_IN_QUOTA, &k);
	if (ret < 0)
		return ret;
	key_reject(k, -ENOKEY, KEY_NEGATIVE_SECONDS);
	ret = keyring_link(dest, k);
	key_put(k);
	return ret ? ret : -ENOENT;
}

static s64 request_locked(u32 kind, const char *desc, bool construct, struct key *dest)
{
	struct key_match m = { .kind = kind, .desc = desc, .skip_expired = true };
	struct key *k;
	s64 ret = key_search_process(&m, &k);

	if (!ret && dest)
		ret = keyring_link(dest, k);
	if (ret == -EAGAIN)
		return construct ? request_missing(kind, desc, dest) : -ENOKEY;
	return ret < 0 ? ret : k->serial;
}

s64 key_op_request(const char *type, const char *desc, bool construct, s32 dest_id)
{
	int kind = key_kind_of(type);
	struct key *dest = NULL;
	s64 ret = 0;

	key_enter();
	if (dest_id)
		ret = key_lookup(dest_id, LOOKUP_CREATE, KEY_WRITE, &dest, NULL);
	if (!ret && kind < 0)
		ret = -ENOKEY;
	if (!ret)
		ret = request_locked((u32)kind, desc, construct, dest);
	key_put(dest);
	key_leave();
	return ret;
}

/* ---- one key ---- */

/* Do fn to the key that is found. */
static s64 with_key(
	s32 id, u32 flags, u32 rights, s64 (*fn)(struct key *k, u64 a, u64 b), u64 a, u64 b)
{
	struct key *k;
	s64 ret;

	key_enter();
	ret = key_lookup(id, flags, rights, &k, NULL);
	if (!ret) {
		ret = fn(k, a, b);
		key_put(k);
	}
	key_leave();
	return ret;
}

static s64 do_number(struct key *k, u64 a, u64 b)
{
	return k->serial;
}

s64 key_op_ring_id(s32 id, bool create)
{
	return with_key(id, create ? LOOKUP_CREATE : 0, KEY_SEARCH, do_number, 0, 0);
}

static s64 do_nothing(struct key *k, u64 a, u64 b)
{
	return 0;
}

s64 key_op_visible(s32 id)
{
	return with_key(id, LOOKUP_PARTIAL, KEY_VIEW, do_nothing, 0, 0);
}

static s64 do_update(struct key *k, u64 data, u64 len)
{
	int ret;

	if (k->kind == KEY_KIND_RING)
		return -EOPNOTSUPP;
	ret = key_check_payload(k->kind, (void *)data, len);
	return ret ? ret : key_set_payload(k, (void *)data, len);
}

s64 key_op_update(s32 id, void *data, size_t len)
{
	s64 ret = with_key(id, 0, KEY_WRITE, do_update, (u64)data, len);

	if (ret < 0)
		kfree(data);
	return ret;
}

static s64 do_revoke(struct key *k, u64 a, u64 b)
{
	key_revoke(k);
	return 0;
}

s64 key_op_revoke(s32 id)
{
	s64 ret = with_key(id, 0, KEY_WRITE, do_revoke, 0, 0);

	return ret == -EACCES ? with_key(id, 0, KEY_SETATTR, do_revoke, 0, 0) : ret;
}

static s64 do_invalidate(struct key *k, u64 a, u64 b)
{
	k->flags |= KEY_INVALID;
	keyring_purge(k);
	return 0;
}

s64 key_op_invalidate(s32 id)
{
	return with_key(id, 0, KEY_SEARCH, do_invalidate, 0, 0);
}

static s64 do_chown(struct key *k, u64 uid, u64 gid)
{
	const struct cred *c = cred_current();
	bool give = uid != ~0U && uid != k->uid;
	int ret = 0;

	if (!capable(CAP_SYS_ADMIN) && (give || (gid != ~0U && gid != k->gid && gid != c->fsgid &&
							!cred_in_group(c, (u32)gid))))
		return -EACCES;
	if (give)
		ret = key_chown(k, (u32)uid);
	if (!ret && gid != ~0U)
		k->gid = (u32)gid;
	return ret;
}

s64 key_op_chown(s32 id, u32 uid, u32 gid)
{
	if (uid == ~0U && gid == ~0U)
		return 0;
	return with_key(id, LOOKUP_CREATE | LOOKUP_PARTIAL, KEY_SETATTR, do_chown, uid, gid);
}

static s64 do_setperm(struct key *k, u64 perm, u64 b)
{
	if (!capable(CAP_SYS_ADMIN) && k->uid != cred_current()->fsuid)
		return -EACCES;
	k->perm = (u32)perm;
	return 0;
}

s64 key_op_setperm(s32 id, u32 perm)
{
	if (perm & ~0x3f3f3f3fU)
		return -EINVAL;
	return with_key(id, LOOKUP_CREATE | LOOKUP_PARTIAL, KEY_SETATTR, do_setperm, perm, 0);
}

static s64 do_describe(struct key *k, u64 out, u64 b)
{
	char **text = (char **)out;
	size_t size = strlen(k->desc) + 64;

	*text = kmalloc(size);
	if (!*text)
		return -ENOMEM;
	return str_format(*text, size, "%s;%d;%d;%08x;%s", key_kind_name(k->kind),
		       (int)uid_shown(k->uid), (int)gid_shown(k->gid), k->perm, k->desc) +
	       1;
}

s64 key_op_describe(s32 id, char **text)
{
	*text = NULL;
	return with_key(id, LOOKUP_PARTIAL, KEY_VIEW, do_describe, (u64)text, 0);
}

static s64 do_clear(struct key *k, u64 a, u64 b)
{
	if (k->kind != KEY_KIND_RING)
		return -ENOTDIR;
	keyring_clear(k);
	return 0;
}

s64 key_op_clear(s32 id)
{
	return with_key(id, LOOKUP_CREATE, KEY_WRITE, do_clear, 0, 0);
}

static s64 do_timeout(struct key *k, u64 seconds, u64 b)
{
	k->expiry = seconds ? clock_realtime() + seconds * NSEC_PER_SEC : 0;
	return 0;
}

s64 key_op_timeout(s32 id, u32 seconds)
{
	return with_key(id, LOOKUP_CREATE | LOOKUP_PARTIAL, KEY_SETATTR, do_timeout, seconds, 0);
}

/* ---- reading ---- */

static s64 read_ring(const struct key *k, void **data)
{
	s32 *ids = kmalloc(MAX(k->nlinks, 1u) * sizeof(ids[0]));

	if (!ids)
		return -ENOMEM;
	for (u32 i = 0; i < k->nlinks; i++)
		ids[i] = k->links[i]->serial;
	*data = ids;
	return (s64)(k->nlinks * sizeof(ids[0]));
}

static s64 read_payload(const struct key *k, void **data)
{
	if (k->kind == KEY_KIND_RING)
		return read_ring(k, data);
	if (k->kind == KEY_KIND_LOGON)
		return -EOPNOTSUPP;
	*data = kmalloc(MAX(k->len, 1u));
	if (!*data)
		return -ENOMEM;
	memcpy(*data, k->data, k->len);
	return k->len;
}

s64 key_op_read(s32 id, void **data)
{
	bool possessed = false;
	struct key *k;
	s64 ret;

	*data = NULL;
	key_enter();
	ret = key_lookup(id, LOOKUP_NAKED, 0, &k, &possessed);
	if (ret < 0) {
		key_leave();
		return -ENOKEY;
	}
	ret = k->error ? -ENOKEY : key_permission(k, possessed, KEY_READ);
	/* Who found it by a search may read it as well. */
	if (ret == -EACCES && possessed)
		ret = 0;
	if (!ret)
		ret = key_validate(k);
	if (!ret)
		ret = read_payload(k, data);
	key_put(k);
	key_leave();
	return ret;
}

/* ---- keyrings ---- */

s64 key_op_join(const char *name)
{
	s64 ret;

	key_enter();
	ret = key_join_session(name);
	key_leave();
	return ret;
}

/* Two keys, the keyring first. Both references, or none. */
static s64 lookup_pair(s32 ring_id, u32 ring_flags, struct key **ring, s32 id, u32 flags,
	u32 rights, struct key **k)
{
	s64 ret = key_lookup(ring_id, ring_flags, KEY_WRITE, ring, NULL);

	if (ret < 0)
		return ret;
	ret = key_lookup(id, flags, rights, k, NULL);
	if (ret < 0)
		key_put(*ring);
	return ret;
}

s64 key_op_link(s32 id, s32 ring_id)
{
	struct key *ring, *k;
	s64 ret;

	key_enter();
	ret = lookup_pair(ring_id, LOOKUP_CREATE, &ring, id, LOOKUP_CREATE, KEY_LINK, &k);
	if (!ret) {
		ret = keyring_link(ring, k);
		key_put(k);
		key_put(ring);
	}
	key_leave();
	return ret;
}

s64 key_op_unlink(s32 id, s32 ring_id)
{
	struct key *ring, *k;
	s64 ret;

	key_enter();
	ret = lookup_pair(ring_id, 0, &ring, id, LOOKUP_PARTIAL | LOOKUP_NAKED, 0, &k);
	if (!ret) {
		ret = keyring_unlink(ring, k);
		key_put(k);
		key_put(ring);
	}
	key_leave();
	return ret;
}

static s64 move_locked(struct key *k, struct key *from, struct key *to, u32 flags)
{
	struct key *other;
	s64 ret;

	if (from->kind != KEY_KIND_RING || to->kind != KEY_KIND_RING)
		return -ENOTDIR;
	if (keyring_has(from, k->kind, k->desc) != k)
		return -ENOENT;
	if (from == to)
		return 0;
	other = keyring_has(to, k->kind, k->desc);
	if (other && (flags & KEYCTL_MOVE_EXCL))
		return -EEXIST;
	ret = keyring_link(to, k);
	return ret ? ret : keyring_unlink(from, k);
}

s64 key_op_move(s32 id, s32 from_id, s32 to_id, u32 flags)
{
	struct key *k, *from, *to;
	s64 ret;

	if (flags & ~(u32)KEYCTL_MOVE_EXCL)
		return -EINVAL;
	key_enter();
	ret = lookup_pair(from_id, 0, &from, id, LOOKUP_CREATE, KEY_LINK, &k);
	if (!ret) {
		ret = key_lookup(to_id, LOOKUP_CREATE, KEY_WRITE, &to, NULL);
		if (!ret) {
			ret = move_locked(k, from, to, flags);
			key_put(to);
		}
		key_put(k);
		key_put(from);
	}
	key_leave();
	return ret;
}

static s64 search_locked(struct key *ring, bool possessed, int kind, const char *desc, s32 dest_id)
{
	struct key_match m = { .kind = (u32)kind, .desc = desc };
	struct key *k, *dest = NULL;
	s64 ret = 0;

	if (dest_id)
		ret = key_lookup(dest_id, LOOKUP_CREATE, KEY_WRITE, &dest, NULL);
	if (!ret && kind < 0)
		ret = -ENOKEY;
	if (!ret)
		ret = keyring_search(ring, possessed, &m, &k);
	if (ret == -EAGAIN)
		ret = -ENOKEY;
	if (!ret && dest)
		ret = key_permission(k, possessed, KEY_LINK) ?: keyring_link(dest, k);
	key_put(dest);
	return ret < 0 ? ret : k->serial;
}

s64 key_op_search(s32 ring_id, const char *type, const char *desc, s32 dest_id)
{
	struct key *ring;
	bool possessed;
	s64 ret;

	key_enter();
	ret = key_lookup(ring_id, 0, KEY_SEARCH, &ring, &possessed);
	if (!ret) {
		ret = search_locked(ring, possessed, key_kind_of(type), desc, dest_id);
		key_put(ring);
	}
	key_leave();
	return ret;
}

s64 key_op_reqkey_dest(s32 dest)
{
	struct task *t = task_current();
	s64 old = t->keys.reqkey_dest;
	int ret = 0;

	if (dest == KEY_REQKEY_DEFL_NO_CHANGE)
		return old;
	if (dest < KEY_REQKEY_DEFL_DEFAULT || dest > KEY_REQKEY_DEFL_USER_SESSION_KEYRING)
		return -EINVAL;
	key_enter();
	if (dest == KEY_REQKEY_DEFL_THREAD_KEYRING)
		ret = key_install_thread(t);
	if (dest == KEY_REQKEY_DEFL_PROCESS_KEYRING)
		ret = key_install_process(t);
	key_leave();
	if (ret < 0)
		return ret;
	t->keys.reqkey_dest = (u32)dest;
	return old;
}
