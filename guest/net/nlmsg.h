/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of netlink(7): putting together an answer, and walking over the attributes of a request. Pure: tested and fuzzed on the host. */
#ifndef NET_NLMSG_H
#define NET_NLMSG_H

#include <linux/netlink.h>

#include "lib/types.h"

#define NL_ANSWER_MAX 4096u

/* Whole messages, and with `done` the NLMSG_DONE that comes as a datagram of its own. */
struct nl_answer {
	u32 len;
	bool done;
	u8 buf[NL_ANSWER_MAX] __aligned(4);
};

/* Where an answer grows. What does not fit is left out: the caller's answers are known to fit. */
struct nl_writer {
	struct nl_answer *out;
	u32 seq, portid;
	u16 flags; /* of each message */
	struct nlmsghdr *msg; /* the current one */
};

/* Zeroed, rounded up to 4 bytes; NULL: the answer is full. */
void *nl_reserve(struct nl_writer *w, u32 len);
/* A message with room for its fixed part, which is returned; NULL: the answer is full. */
void *nl_begin(struct nl_writer *w, u16 type, u32 fixed);
void nl_end(struct nl_writer *w);
/* An attribute of this length, to be filled in; it is aligned to 4 bytes only. NULL: the answer is full. */
void *nl_attr(struct nl_writer *w, u16 type, u32 len);
void nl_put(struct nl_writer *w, u16 type, const void *data, u32 len);
void nl_put_u16(struct nl_writer *w, u16 type, u16 v);
void nl_put_u32(struct nl_writer *w, u16 type, u32 v);
void nl_put_string(struct nl_writer *w, u16 type, const char *s);
/* Attributes inside of one. */
struct nlattr *nl_nest(struct nl_writer *w, u16 type);
void nl_nest_end(struct nl_writer *w, struct nlattr *nest); /* NULL is allowed */

/* One attribute of a request. Walking ends where no whole one is left. */
struct nl_attr {
	const u8 *next, *end;
	u16 type; /* without NLA_F_* */
	u32 len;
	const u8 *data;
};
/* Begins behind the first `skip` bytes of a message, which holds h->nlmsg_len bytes. */
void nl_attrs(struct nl_attr *a, const struct nlmsghdr *h, u32 skip);
bool nl_attr_next(struct nl_attr *a);

#endif
