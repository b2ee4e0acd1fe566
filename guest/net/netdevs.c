/* SPDX-License-Identifier: Apache-2.0 */
/* What interfaces there are. Pure: fuzzed on the host with the answers about them. */
#include "net/abi.h"
#include "net/netdev.h"

#define IFF_LO_UP	0x49u /* IFF_UP | IFF_LOOPBACK | IFF_RUNNING */
#define IFF_LO_DOWN	0x8u /* IFF_LOOPBACK */
#define ARPHRD_LOOPBACK 772 /* <linux/if_arp.h> needs a libc */

#define LO(up_flags, addresses) \
	{ \
		.name = "lo", .index = 1, .flags = up_flags, .type = ARPHRD_LOOPBACK, \
		.txqlen = 1000, .naddrs = addresses, \
		.addrs = { \
			{ AF_INET, { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } }, 8 }, \
			{ AF_INET6, { { [15] = 1 } }, 128 }, \
		}, \
	}

const struct netdev *netdevs_of(bool lo_up)
{
	static const struct netdev down = LO(IFF_LO_DOWN, 0), up = LO(IFF_LO_UP, 2);

	return lo_up ? &up : &down;
}
