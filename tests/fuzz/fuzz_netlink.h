/* SPDX-License-Identifier: Apache-2.0 */
/* For fuzz entries of netlink requests: an answer is a row of whole messages. */
#ifndef TESTS_FUZZ_NETLINK_H
#define TESTS_FUZZ_NETLINK_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/nlmsg.h"

/* A request of its own memory, exactly as large, so that a read beyond it is seen; for free(). NULL: no request. */
static inline struct nlmsghdr *fuzz_request(const uint8_t *data, size_t size)
{
	struct nlmsghdr *h;

	if (size < sizeof(*h) || size > 32768)
		return NULL;
	h = malloc(size);
	memcpy(h, data, size);
	h->nlmsg_len = (uint32_t)size;
	return h;
}

static inline void check_answer(const struct nl_answer *a)
{
	uint32_t at = 0;

	while (at < a->len) {
		struct nlmsghdr h;

		if (a->len - at < sizeof(h))
			abort();
		memcpy(&h, a->buf + at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > a->len - at)
			abort();
		at += NLMSG_ALIGN(h.nlmsg_len);
	}
}

#endif
