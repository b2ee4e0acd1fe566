/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPC namespaces: tables, limits and POSIX queues of their own. A namespace lives as long as a task is in it or a segment of it is attached
 * somewhere; then no object has users, and all are removed.
 */
#include "ipc/internal.h"

#include "kernel/log.h"
#include "task/user_ns.h"

static const struct ipc_limits ipc_default_limits = {
	.shmmax = ~0UL - (1UL << 24),
	.shmall = ~0UL - (1UL << 24),
	.shmmni = 4096,
	.msgmax = 8192,
	.msgmnb = 16384,
	.msgmni = 32000,
	.semmsl = 32000,
	.semmns = 1024000000,
	.semopm = 500,
	.semmni = 32000,
	.next_id = { -1, -1, -1 },
};

struct ipc_ns ipc_ns_root;

static int ipc_ns_init(struct ipc_ns *ns)
{
	int kind;

	ns->limits = ipc_default_limits;
	ns->mq_limits = (struct mq_limits){ 256, 10, 8192, 10, 8192 };
	for (kind = 0; kind < IPC_KINDS; kind++) {
		ns->ids[kind].ns = ns;
		ns->ids[kind].kind = (enum ipc_kind)kind;
		ns->ids[kind].highest = -1;
	}
	return mq_ns_init(ns);
}

int ipc_ns_create(struct user_ns *owner, struct ipc_ns **out)
{
	struct ipc_ns *ns;
	int ret;

	if (!ns_charge(NS_IPC))
		return -ENOSPC;
	ns = kzalloc(sizeof(*ns));
	ret = ns ? ipc_ns_init(ns) : -ENOMEM;
	if (ret < 0) {
		kfree(ns);
		ns_uncharge(NS_IPC);
		return ret;
	}
	ns_init(&ns->ns, NS_IPC, owner);
	*out = ns;
	return 0;
}

void ipc_ns_get(struct ipc_ns *ns)
{
	ref_get(&ns->ns.ref);
}

static void ipc_ns_clear(struct ipc_ids *ids)
{
	int i;

	for (i = 0; i <= ids->highest; i++) {
		struct ipc_obj *o = ids->slot[i];

		if (o) {
			ipc_unlink(ids, o);
			ipc_put(ids, o);
		}
	}
}

void ipc_ns_put(struct ipc_ns *ns)
{
	int kind;

	if (!ref_put(&ns->ns.ref))
		return;
	shm_ns_clear(&ns->ids[IPC_SHM]);
	ipc_ns_clear(&ns->ids[IPC_SEM]);
	ipc_ns_clear(&ns->ids[IPC_MSG]);
	for (kind = 0; kind < IPC_KINDS; kind++)
		kfree(ns->ids[kind].slot);
	mq_ns_fini(ns);
	ns_fini(&ns->ns);
	kfree(ns);
}

void ipc_init(void)
{
	ipc_ns_root.ns = (struct ns){
		.ref = { 1 }, .kind = NS_IPC, .inum = NS_INUM_IPC, .owner = &user_ns_root
	};
	panic_if(ipc_ns_init(&ipc_ns_root) < 0);
}
