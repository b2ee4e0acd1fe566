/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NETLINK_GENERIC: the families "nlctrl" and "TASKSTATS", see <linux/genetlink.h>, <linux/taskstats.h>. Pure but for what a struct genl_kernel asks: tested and
 * fuzzed on the host.
 */
#ifndef NET_GENL_H
#define NET_GENL_H

#include <linux/taskstats.h>

#include "net/nlmsg.h"

struct exit_listener;

/* Who asks, and the answers. */
struct genl_kernel {
	bool admin; /* CAP_NET_ADMIN in the first user namespace */
	u32 cpus; /* how many there are, at most 64 */
	struct exit_listener *listener; /* who asks, as somebody who listens */
	/* Of a thread, or of a process: by number where the caller lives. 0 or -ESRCH. */
	s32 (*stats)(bool process, s32 id, struct taskstats *out);
	/* Begin or end listening to what ends on these CPUs. 0 or -errno. */
	s32 (*listen)(struct exit_listener *l, u64 cpus, bool on);
	bool (*is_open)(u32 fd); /* a descriptor of the caller's */
};

/* Answers one request, which is one (NLM_F_REQUEST) and holds h->nlmsg_len bytes. 0, or -errno: then what the answer holds is nothing. */
s32 genl_request(
	const struct nlmsghdr *h, u32 portid, const struct genl_kernel *k, struct nl_answer *out);

/* What listeners are told of the end of thread pid; of process tgid too, unless `process` is NULL. */
void genl_exit_record(struct nl_answer *out, u32 seq, u32 pid, const struct taskstats *thread,
	u32 tgid, const struct taskstats *process);

#endif
