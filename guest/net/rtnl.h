/* SPDX-License-Identifier: Apache-2.0 */
/* NETLINK_ROUTE: answers about interfaces, addresses and routes. See rtnetlink(7). Pure: tested and fuzzed on the host. */
#ifndef NET_RTNL_H
#define NET_RTNL_H

#include "net/nlmsg.h"

/* The network that is asked about. */
struct rtnl_net {
	bool admin; /* who asks may change it */
	bool lo_up; /* may be changed by the request */
	u32 lo_mtu;
};

/* Answers one request, which is one (NLM_F_REQUEST) and holds h->nlmsg_len bytes. 0, or -errno: then what the answer holds is nothing. */
s32 rtnl_request(const struct nlmsghdr *h, u32 portid, struct rtnl_net *net, struct nl_answer *out);

#endif
