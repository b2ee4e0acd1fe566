/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces. */
#include "net/net_ns.h"

#include "kernel/errno.h"
#include "mm/slab.h"
#include "task/user_ns.h"

#define PRIVILEGED_PORTS 1024
#define LO_MTU		 65536u

struct net_ns net_ns_root = {
	.ns = { .ref = { 1 }, .kind = NS_NET, .inum = NS_INUM_NET, .owner = &user_ns_root },
	.lo_up = true,
	.lo_mtu = LO_MTU,
	.ping_first = 1,
	.privileged_ports = PRIVILEGED_PORTS,
};

int net_ns_create(struct user_ns *owner, struct net_ns **out)
{
	struct net_ns *ns;

	if (!ns_charge(NS_NET))
		return -ENOSPC;
	ns = kzalloc(sizeof(*ns));
	if (!ns) {
		ns_uncharge(NS_NET);
		return -ENOMEM;
	}
	ns_init(&ns->ns, NS_NET, owner);
	ns->lo_mtu = LO_MTU;
	ns->ping_first = 1;
	ns->privileged_ports = PRIVILEGED_PORTS;
	*out = ns;
	return 0;
}

void net_ns_get(struct net_ns *ns)
{
	ref_get(&ns->ns.ref);
}

void net_ns_put(struct net_ns *ns)
{
	if (!ref_put(&ns->ns.ref))
		return;
	ns_fini(&ns->ns);
	kfree(ns);
}

struct net_ns *net_ns_current(void)
{
	return nsproxy_current()->net;
}
