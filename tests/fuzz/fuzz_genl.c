/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the sentry's generic netlink requests: whatever is asked, the answer is a row of whole messages, and what the sentry is asked makes sense. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>

#include "net/genl.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_netlink.h"

#define CPUS 5

static int32_t some_stats(bool process, int32_t id, struct taskstats *out)
{
	memset(out, process ? 1 : 2, sizeof(*out));
	return id & 1 ? -3 : 0;
}

static int32_t some_listen(struct exit_listener *l, u64 cpus, bool on)
{
	if (l || cpus >> CPUS)
		abort();
	return on ? 0 : -22;
}

static bool some_open(uint32_t fd)
{
	return fd < 3;
}

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	struct {
		struct nlmsghdr h;
		struct genlmsghdr g;
		struct nlattr id;
		uint32_t pid;
		struct nlattr list;
		char cpus[16];
		struct nlattr name;
		char family[12];
	} seed = {
		.h = { .nlmsg_len = sizeof(seed),
			.nlmsg_type = GENL_START_ALLOC,
			.nlmsg_flags = NLM_F_REQUEST },
		.g = { .cmd = TASKSTATS_CMD_GET },
		.id = { .nla_len = 8, .nla_type = TASKSTATS_CMD_ATTR_PID },
		.list = { .nla_len = 20, .nla_type = TASKSTATS_CMD_ATTR_REGISTER_CPUMASK },
		.cpus = "0-N:1/2,1-3,all",
		.name = { .nla_len = 14, .nla_type = CTRL_ATTR_FAMILY_NAME },
		.family = "TASKSTATS",
	};

	if (room < sizeof(seed))
		return 0;
	memcpy(buf, &seed, sizeof(seed));
	return sizeof(seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nl_answer answer;
	struct genl_kernel k = { .admin = size && !(data[0] & 1),
		.cpus = CPUS,
		.stats = some_stats,
		.listen = some_listen,
		.is_open = some_open };
	struct nlmsghdr *h = fuzz_request(data, size);

	if (h && !genl_request(h, 7, &k, &answer))
		check_answer(&answer);
	free(h);
	return 0;
}
