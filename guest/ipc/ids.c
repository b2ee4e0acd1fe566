/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers, keys and permissions of System V objects. An id is a place in the table plus a sequence number above it. */
#include "ipc/internal.h"

#include <linux/capability.h>

#include "kernel/clock.h"
#include "task/user_ns.h"

#define IPC_SEQ_MAX   (INT_MAX >> IPC_INDEX_BITS)
#define IPC_TABLE_MIN 16u

s64 ipc_now(void)
{
	return (s64)(clock_realtime() / NSEC_PER_SEC);
}

struct pid *ipc_pid(void)
{
	return task_current()->group->id;
}

struct ipc_limits *ipc_limits(void)
{
	return &ipc_ns_current()->limits;
}

static int ids_grow(struct ipc_ids *ids)
{
	u32 size = ids->size ? ids->size * 2 : IPC_TABLE_MIN;
	struct ipc_obj **slot;

	if (ids->size >= IPC_ID_MAX)
		return -ENOSPC;
	slot = krealloc(ids->slot, ids->size * sizeof(*slot), size * sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	memset(slot + ids->size, 0, (size - ids->size) * sizeof(*slot));
	ids->slot = slot;
	ids->size = size;
	return 0;
}

static s64 ids_place(struct ipc_ids *ids)
{
	u32 i;
	int err;

	for (i = 0; i < ids->size; i++) {
		if (!ids->slot[i])
			return i;
	}
	err = ids_grow(ids);
	return err ? err : (s64)i;
}

/* The id that a checkpoint tool asked for by {sem,msg,shm}_next_id, if its place is free. */
static s64 ids_place_wanted(struct ipc_ids *ids, s32 want, u32 *seq)
{
	u32 i = IPC_INDEX(want);

	while (i >= ids->size) {
		int err = ids_grow(ids);

		if (err)
			return err;
	}
	*seq = (u32)want >> IPC_INDEX_BITS;
	return ids->slot[i] ? ids_place(ids) : (s64)i;
}

s64 ipc_add(struct ipc_ids *ids, struct ipc_obj *o, int flags, u64 max)
{
	const struct cred *c = cred_current();
	s32 want = ids->ns->limits.next_id[ids->kind];
	u32 seq = ids->seq;
	s64 at;

	if (ids->used >= max || ids->used >= IPC_ID_MAX)
		return -ENOSPC;
	at = want >= 0 ? ids_place_wanted(ids, want, &seq) : ids_place(ids);
	if (at < 0)
		return at;
	ids->ns->limits.next_id[ids->kind] = -1;
	o->refs = 1;
	o->ids = ids;
	o->uid = o->cuid = c->euid;
	o->gid = o->cgid = c->egid;
	o->mode = (u32)flags & 0777;
	o->seq = seq;
	o->id = (int)(seq << IPC_INDEX_BITS | (u32)at);
	ids->seq = (seq + 1) % (IPC_SEQ_MAX + 1);
	ids->slot[at] = o;
	ids->used++;
	ids->highest = MAX(ids->highest, (int)at);
	return o->id;
}

struct ipc_obj *ipc_find(struct ipc_ids *ids, int id, s64 *err)
{
	struct ipc_obj *o = NULL;

	if (id >= 0 && IPC_INDEX(id) < ids->size)
		o = ids->slot[IPC_INDEX(id)];
	if (o && o->id == id)
		return o;
	*err = -EINVAL;
	return NULL;
}

struct ipc_obj *ipc_find_by(struct ipc_ids *ids, int id, enum ipc_by by, s64 *err)
{
	struct ipc_obj *o;

	if (by == IPC_BY_ID)
		return ipc_find(ids, id, err);
	/* As in Linux an id names its place, too. */
	o = id >= 0 && IPC_INDEX(id) < ids->size ? ids->slot[IPC_INDEX(id)] : NULL;
	if (!o)
		*err = -EINVAL;
	return o;
}

struct ipc_obj *ipc_find_key(struct ipc_ids *ids, s32 key)
{
	int i;

	for (i = 0; i <= ids->highest; i++) {
		if (ids->slot[i] && ids->slot[i]->key == key)
			return ids->slot[i];
	}
	return NULL;
}

void ipc_unlink(struct ipc_ids *ids, struct ipc_obj *o)
{
	ids->slot[IPC_INDEX(o->id)] = NULL;
	ids->used--;
	while (ids->highest >= 0 && !ids->slot[ids->highest])
		ids->highest--;
	o->dead = true;
}

void ipc_put(struct ipc_ids *ids, struct ipc_obj *o)
{
	static void (*const ipc_free[IPC_KINDS])(struct ipc_obj *) = {
		[IPC_SEM] = sem_free,
		[IPC_MSG] = msg_queue_free,
		[IPC_SHM] = segment_free,
	};

	if (--o->refs == 0)
		ipc_free[ids->kind](o);
}

int ipc_access(const struct ipc_obj *o, u32 flags)
{
	const struct cred *c = cred_current();
	u32 want = (flags >> 6 | flags >> 3 | flags) & 7;
	u32 granted = o->mode;

	if (c->euid == o->cuid || c->euid == o->uid)
		granted >>= 6;
	else if (cred_in_group(c, o->cgid) || cred_in_group(c, o->gid))
		granted >>= 3;
	return (want & ~granted) && !ns_capable(o->ids->ns->ns.owner, CAP_IPC_OWNER) ? -EACCES : 0;
}

int ipc_owner(const struct ipc_obj *o)
{
	const struct cred *c = cred_current();

	return c->euid == o->cuid || c->euid == o->uid ||
			       ns_capable(o->ids->ns->ns.owner, CAP_SYS_ADMIN)
		       ? 0
		       : -EPERM;
}

struct ipc_obj *ipc_get_existing(struct ipc_ids *ids, s32 key, int flags, s64 *err)
{
	struct ipc_obj *o = key == IPC_PRIVATE ? NULL : ipc_find_key(ids, key);

	*err = 0;
	if (!o && key != IPC_PRIVATE && !(flags & IPC_CREAT))
		*err = -ENOENT;
	if (o && (flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		*err = -EEXIST;
	return *err ? NULL : o;
}

void ipc_set_perm(struct ipc_obj *o, const struct ipc_change *c)
{
	o->uid = c->uid;
	o->gid = c->gid;
	o->mode = (o->mode & ~0777u) | (c->mode & 0777);
}

void ipc_fill_perm(struct ipc64_perm *p, const struct ipc_obj *o)
{
	p->key = o->key;
	p->uid = uid_shown(o->uid);
	p->gid = gid_shown(o->gid);
	p->cuid = uid_shown(o->cuid);
	p->cgid = gid_shown(o->cgid);
	p->mode = o->mode;
	p->seq = (u16)o->seq;
}
