/* SPDX-License-Identifier: Apache-2.0 */
/* The network interfaces of the sandbox: the loopback device, until there are others. See netdevice(7). */
#ifndef NET_NETDEV_H
#define NET_NETDEV_H

#include "net/ports.h"

#define NETDEV_ADDRS_MAX 2u
#define NETDEV_UP	 1u /* IFF_UP; <linux/if.h> needs a libc */
#define NETDEV_LOWER_UP	 0x10000u /* IFF_LOWER_UP, which ioctls do not show */

struct netdev_addr {
	u32 family;
	struct inet_addr addr;
	u8 prefix; /* bits of the network */
};

struct netdev {
	const char *name;
	s32 index;
	u32 flags; /* IFF_* */
	u16 type; /* ARPHRD_* */
	u32 txqlen;
	u32 naddrs;
	struct netdev_addr addrs[NETDEV_ADDRS_MAX];
};

#define NETDEVS_COUNT 1u
/* The interfaces of a namespace, by what its loopback interface is: one that is down has no addresses. */
const struct netdev *netdevs_of(bool lo_up);

struct net_ns;
/* The ioctls of every socket: SIOCGIFCONF and the like. 0, or -errno; -ENOTTY: not one of them. */
s64 netdev_ioctl(struct net_ns *net, u32 cmd, uaddr_t arg);

#endif
