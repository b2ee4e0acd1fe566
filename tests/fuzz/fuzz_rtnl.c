/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the sentry's rtnetlink requests: whatever is asked, the answer is a row of whole messages. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <linux/rtnetlink.h>

#include "net/rtnl.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_netlink.h"

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg m;
		struct rtattr a;
		uint8_t dst[4];
	} seed = {
		.h = { .nlmsg_len = sizeof(seed),
			.nlmsg_type = RTM_GETROUTE,
			.nlmsg_flags = NLM_F_REQUEST },
		.m = { .rtm_family = 2 },
		.a = { .rta_len = RTA_LENGTH(4), .rta_type = RTA_DST },
		.dst = { 127, 0, 0, 1 },
	};

	if (room < sizeof(seed))
		return 0;
	memcpy(buf, &seed, sizeof(seed));
	return sizeof(seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nl_answer answer;
	struct rtnl_net net = { .admin = size & 1, .lo_up = size & 2 };
	struct nlmsghdr *h = fuzz_request(data, size);

	if (h && !rtnl_request(h, 7, &net, &answer))
		check_answer(&answer);
	free(h);
	return 0;
}
