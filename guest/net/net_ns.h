/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network namespaces: network_namespaces(7). Each has ports, abstract AF_UNIX names and a loopback interface of its own, which is down at first,
 * and without addresses as long as it is down. A socket belongs to the namespace it was made in. Tables are shared by all: their entries carry the
 * namespace's number, which is never used again, so that they may outlive it.
 */
#ifndef NET_NET_NS_H
#define NET_NET_NS_H

#include "task/ns.h"

struct net_ns {
	struct ns ns;
	bool lo_up; /* atomic */
	u32 lo_mtu; /* nothing is cut to it; atomic */
	u32 ping_first,
		ping_last; /* groups that may have echo sockets; atomic: net.ipv4.ping_group_range, of no use when first is greater */
	u32 privileged_ports; /* ports below want CAP_NET_BIND_SERVICE: net.ipv4.ip_unprivileged_port_start; atomic */
};
extern struct net_ns net_ns_root; /* its loopback interface is up */

int net_ns_create(struct user_ns *owner, struct net_ns **out); /* 0, -ENOSPC, -ENOMEM */
void net_ns_get(struct net_ns *ns);
void net_ns_put(struct net_ns *ns);
struct net_ns *net_ns_current(void); /* borrowed */

#endif
