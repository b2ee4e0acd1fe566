/* SPDX-License-Identifier: Apache-2.0 */
/* NETLINK_ROUTE: answers about interfaces, addresses and routes. See rtnetlink(7). Pure: tested and fuzzed on the host. */
#ifndef NET_RTNL_H
#define NET_RTNL_H

#include <linux/netlink.h>

#include "lib/types.h"

#define RTNL_ANSWER_MAX 4096u

/* An answer: messages, and with `done` the NLMSG_DONE that comes as a datagram of its own. */
struct rtnl_answer {
	u32 len;
	bool done;
	u8 buf[RTNL_ANSWER_MAX] __aligned(4);
	struct {
		struct nlmsghdr h;
		s32 error;
	} end;
};

/* The network that is asked about. */
struct rtnl_net {
	bool admin; /* who asks may change it */
	bool lo_up; /* may be changed by the request */
	u32 lo_mtu;
};

/* Answers one request: `msg` holds h.nlmsg_len bytes, at least a header. */
void rtnl_request(const u8 *msg, u32 portid, struct rtnl_net *net, struct rtnl_answer *out);

#endif
