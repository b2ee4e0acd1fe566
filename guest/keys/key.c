/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: numbers, owners and their quotas, permissions, states, payloads. */
#include "fs/proc/proc.h"
#include "kernel/clock.h"
#include "kernel/random.h"
#include "keys/internal.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/internal.h"
#include "task/user_ns.h"

#define KEY_USERS_MAX 65536u

u64 key_max_keys = 200, key_max_bytes = 20000, key_root_max_keys = 1000000,
    key_root_max_bytes = 25000000;

static struct mutex key_mutex;
static struct rb_root key_tree;
static struct list_head key_dead = LIST_HEAD_INIT(key_dead);
static struct list_head key_users = LIST_HEAD_INIT(key_users);
static u32 key_user_count;

/* ---- types ---- */

static const char *const kind_names[KEY_KINDS] = {
	[KEY_KIND_USER] = "user",
	[KEY_KIND_LOGON] = "logon",
	[KEY_KIND_RING] = "keyring",
};

int key_kind_of(const char *type)
{
	for (u32 i = 0; i < KEY_KINDS; i++)
		if (!strcmp(type, kind_names[i]))
			return (int)i;
	return -ENODEV;
}

const char *key_kind_name(u32 kind)
{
	return kind_names[kind];
}

/* "service:name" */
static bool key_name_fits(u32 kind, const char *desc)
{
	const char *colon = strchr(desc, ':');

	return kind != KEY_KIND_LOGON || (colon && colon != desc);
}

u32 key_default_perm(u32 kind)
{
	u32 rights = KEY_VIEW | KEY_SEARCH | KEY_LINK | KEY_SETATTR | KEY_WRITE;

	return KEY_POS(rights | (kind == KEY_KIND_LOGON ? 0 : KEY_READ)) | KEY_USR(KEY_VIEW);
}

/* ---- users ---- */

static u64 user_max_keys(const struct key_user *u)
{
	return u->uid ? key_max_keys : key_root_max_keys;
}

static u64 user_max_bytes(const struct key_user *u)
{
	return u->uid ? key_max_bytes : key_root_max_bytes;
}

struct key_user *key_user_of(u32 uid)
{
	struct key_user *u;

	list_for_each_entry (u, &key_users, link)
		if (u->uid == uid)
			return u;
	if (key_user_count >= KEY_USERS_MAX)
		return NULL;
	u = kzalloc(sizeof(*u));
	if (!u)
		return NULL;
	u->uid = uid;
	list_add_tail(&key_users, &u->link);
	key_user_count++;
	return u;
}

struct key *key_user_session(u32 uid)
{
	struct key_user *u;

	list_for_each_entry (u, &key_users, link)
		if (u->uid == uid)
			return u->session;
	return NULL;
}

static void user_done(struct key_user *u)
{
	if (u->nkeys)
		return;
	list_del(&u->link);
	key_user_count--;
	kfree(u);
}

static bool user_fits(const struct key_user *u, u32 keys, u32 bytes)
{
	return u->qkeys + keys <= user_max_keys(u) && (u64)u->qbytes + bytes <= user_max_bytes(u);
}

static u32 key_name_bytes(const struct key *k)
{
	return (u32)strlen(k->desc) + 1;
}

int key_charge(struct key *k, u32 bytes)
{
	u32 all = key_name_bytes(k) + bytes;

	if (k->flags & KEY_IN_QUOTA) {
		if (all > k->charged && !user_fits(k->user, 0, all - k->charged))
			return -EDQUOT;
		k->user->qbytes += all - k->charged;
	}
	k->charged = all;
	return 0;
}

int key_chown(struct key *k, u32 uid)
{
	struct key_user *old = k->user, *u = key_user_of(uid);
	bool counted = k->flags & KEY_IN_QUOTA;

	if (!u)
		return -ENOMEM;
	if (u == old)
		return 0;
	if (counted && !user_fits(u, 1, k->charged)) {
		user_done(u);
		return -EDQUOT;
	}
	u->nkeys++;
	u->nikeys++;
	old->nkeys--;
	old->nikeys--;
	if (counted) {
		u->qkeys++;
		u->qbytes += k->charged;
		old->qkeys--;
		old->qbytes -= k->charged;
	}
	k->user = u;
	k->uid = uid;
	user_done(old);
	return 0;
}

/* ---- numbers ---- */

static bool key_insert(struct key *k)
{
	struct rb_node **at = &key_tree.node, *parent = NULL;

	while (*at) {
		struct key *o = rb_entry(*at, struct key, node);

		parent = *at;
		if (k->serial == o->serial)
			return false;
		at = k->serial < o->serial ? &parent->left : &parent->right;
	}
	rb_insert(&key_tree, &k->node, parent, at);
	return true;
}

struct key *key_find(s32 serial)
{
	struct rb_node *at = key_tree.node;

	while (at) {
		struct key *k = rb_entry(at, struct key, node);

		if (serial == k->serial)
			return k->refs ? k : NULL;
		at = serial < k->serial ? at->left : at->right;
	}
	return NULL;
}

struct key *key_after(const struct key *k)
{
	struct rb_node *n = k ? rb_next(&k->node) : rb_first(&key_tree);

	return n ? rb_entry(n, struct key, node) : NULL;
}

/* Not to be guessed, as in Linux. */
static void key_number(struct key *k)
{
	do {
		random_bytes(&k->serial, sizeof(k->serial));
		k->serial &= 0x7fffffff;
	} while (k->serial < 3 || !key_insert(k));
}

/* ---- lives ---- */

static int key_alloc(u32 kind, const char *desc, struct key **out)
{
	struct key *k = kzalloc(sizeof(*k));

	*out = k;
	if (!k)
		return -ENOMEM;
	k->desc = kstrdup(desc);
	if (!k->desc) {
		kfree(k);
		return -ENOMEM;
	}
	k->refs = 1;
	k->kind = kind;
	list_init(&k->dead);
	return 0;
}

int key_create(u32 kind, const char *desc, u32 uid, u32 gid, u32 perm, u32 flags, struct key **out)
{
	struct key_user *u;
	struct key *k;
	int ret;

	if (!key_name_fits(kind, desc))
		return -EINVAL;
	u = key_user_of(uid);
	if (!u)
		return -EDQUOT;
	ret = key_alloc(kind, desc, &k);
	if (!ret && (flags & KEY_IN_QUOTA) && !user_fits(u, 1, key_name_bytes(k))) {
		kfree(k->desc);
		kfree(k);
		ret = -EDQUOT;
	}
	if (ret < 0) {
		user_done(u);
		return ret;
	}
	k->uid = uid;
	k->gid = gid;
	k->perm = perm;
	k->flags = flags;
	k->user = u;
	u->nkeys++;
	u->nikeys++;
	k->charged = key_name_bytes(k);
	if (flags & KEY_IN_QUOTA) {
		u->qkeys++;
		u->qbytes += k->charged;
	}
	key_number(k);
	*out = k;
	return 0;
}

struct key *key_get(struct key *k)
{
	k->refs++;
	return k;
}

void key_put(struct key *k)
{
	if (k && --k->refs == 0)
		list_add_tail(&key_dead, &k->dead);
}

static void key_free(struct key *k)
{
	struct key_user *u = k->user;

	list_del(&k->dead);
	keyring_clear(k);
	rb_erase(&key_tree, &k->node);
	u->nkeys--;
	u->nikeys--;
	if (k->flags & KEY_IN_QUOTA) {
		u->qkeys--;
		u->qbytes -= k->charged;
	}
	user_done(u);
	if (k->data)
		memset(k->data, 0, k->len);
	kfree(k->data);
	kfree(k->links);
	kfree(k->desc);
	kfree(k);
}

void key_enter(void)
{
	mutex_lock(&key_mutex);
}

void key_leave(void)
{
	while (!list_empty(&key_dead))
		key_free(list_first_entry(&key_dead, struct key, dead));
	mutex_unlock(&key_mutex);
}

/* ---- rights and states ---- */

int key_permission(const struct key *k, bool possessed, u32 rights)
{
	const struct cred *c = cred_current();
	u32 have = k->perm;

	if (k->uid == c->fsuid)
		have >>= 16;
	else if ((k->perm & 0x3f00) && (k->gid == c->fsgid || cred_in_group(c, k->gid)))
		have >>= 8;
	if (possessed)
		have |= k->perm >> 24;
	return (have & rights) == rights ? 0 : -EACCES;
}

int key_validate(const struct key *k)
{
	if (k->flags & KEY_INVALID)
		return -ENOKEY;
	if (k->flags & KEY_REVOKED)
		return -EKEYREVOKED;
	return k->expiry && clock_realtime() >= k->expiry ? -EKEYEXPIRED : 0;
}

int key_usable(const struct key *k)
{
	return k->error ? k->error : key_validate(k);
}

/* ---- payloads ---- */

int key_check_payload(u32 kind, const void *data, size_t len)
{
	if (kind == KEY_KIND_RING)
		return len ? -EINVAL : 0;
	return data && len && len <= 32767 ? 0 : -EINVAL;
}

static void key_drop_payload(struct key *k)
{
	if (k->data)
		memset(k->data, 0, k->len);
	kfree(k->data);
	k->data = NULL;
	k->len = 0;
}

int key_set_payload(struct key *k, void *data, size_t len)
{
	int ret = key_charge(k, (u32)len);

	if (ret < 0)
		return ret;
	key_drop_payload(k);
	k->data = data;
	k->len = (u32)len;
	k->error = 0;
	k->expiry = 0;
	return 0;
}

void key_reject(struct key *k, int error, u32 seconds)
{
	k->error = error;
	k->expiry = clock_realtime() + seconds * NSEC_PER_SEC;
}

void key_revoke(struct key *k)
{
	if (k->flags & KEY_REVOKED)
		return;
	k->flags |= KEY_REVOKED;
	if (k->kind == KEY_KIND_RING)
		keyring_clear(k);
	else
		key_drop_payload(k);
	key_charge(k, 0);
}

/* ---- /proc ---- */

static void show_timeout(struct proc_buf *b, const struct key *k)
{
	static const struct {
		u64 seconds;
		char unit;
	} units[] = { { 7 * 24 * 3600, 'w' }, { 24 * 3600, 'd' }, { 3600, 'h' }, { 60, 'm' },
		{ 1, 's' } };
	u64 now = clock_realtime(), left;
	u32 i = 0;

	if (!k->expiry || now >= k->expiry) {
		proc_printf(b, "%s", k->expiry ? "expd" : "perm");
		return;
	}
	left = (k->expiry - now) / NSEC_PER_SEC;
	while (i + 1 < ARRAY_SIZE(units) && left < units[i].seconds)
		i++;
	proc_printf(b, "%3lu%c", left / units[i].seconds, units[i].unit);
}

static void key_show(struct proc_buf *b, const struct key *k)
{
	proc_printf(b, "%08x I%c%c%c-%c%c %5u ", (u32)k->serial, k->flags & KEY_REVOKED ? 'R' : '-',
		k->refs ? '-' : 'D', k->flags & KEY_IN_QUOTA ? 'Q' : '-', k->error ? 'N' : '-',
		k->flags & KEY_INVALID ? 'i' : '-', k->refs);
	show_timeout(b, k);
	proc_printf(b, " %08x %5d %5d %-9.9s %s", k->perm, (int)uid_shown(k->uid),
		(int)gid_shown(k->gid), kind_names[k->kind], k->desc);
	if (k->kind == KEY_KIND_RING && !k->nlinks)
		proc_printf(b, ": empty");
	else if (!k->error)
		proc_printf(b, ": %u", k->kind == KEY_KIND_RING ? k->nlinks : k->len);
	proc_printf(b, "\n");
}

void keys_show(struct proc_buf *b)
{
	struct key *k = NULL;

	key_enter();
	while ((k = key_after(k))) {
		struct key_match m = { .exact = k };
		struct key *found;

		if (!key_permission(k, key_search_process(&m, &found) == 0, KEY_VIEW))
			key_show(b, k);
	}
	key_leave();
}

void key_users_show(struct proc_buf *b)
{
	struct key_user *u;

	key_enter();
	list_for_each_entry (u, &key_users, link)
		proc_printf(b, "%5u: %5u %u/%u %u/%lu %u/%lu\n", uid_shown(u->uid), u->nkeys + 1,
			u->nkeys, u->nikeys, u->qkeys, user_max_keys(u), u->qbytes,
			user_max_bytes(u));
	key_leave();
}
