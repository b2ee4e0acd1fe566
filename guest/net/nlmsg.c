/* SPDX-License-Identifier: Apache-2.0 */
#include "net/nlmsg.h"

#include "lib/string.h"

#define NL_ALIGN(n) ALIGN_UP((u32)(n), 4u)

void *nl_reserve(struct nl_writer *w, u32 len)
{
	u32 at = w->out->len, step = NL_ALIGN(len);

	if (step > NL_ANSWER_MAX - at)
		return NULL;
	w->out->len += step;
	return memset(w->out->buf + at, 0, step);
}

void *nl_begin(struct nl_writer *w, u16 type, u32 fixed)
{
	w->msg = nl_reserve(w, NLMSG_HDRLEN);
	if (!w->msg)
		return NULL;
	w->msg->nlmsg_type = type;
	w->msg->nlmsg_flags = w->flags;
	w->msg->nlmsg_seq = w->seq;
	w->msg->nlmsg_pid = w->portid;
	return nl_reserve(w, fixed);
}

void nl_end(struct nl_writer *w)
{
	w->msg->nlmsg_len = (u32)(w->out->buf + w->out->len - (u8 *)w->msg);
}

void *nl_attr(struct nl_writer *w, u16 type, u32 len)
{
	struct nlattr *a = nl_reserve(w, (u32)NLA_HDRLEN + len);

	if (!a)
		return NULL;
	a->nla_type = type;
	a->nla_len = (u16)(NLA_HDRLEN + len);
	return a + 1;
}

void nl_put(struct nl_writer *w, u16 type, const void *data, u32 len)
{
	void *room = nl_attr(w, type, len);

	if (room)
		memcpy(room, data, len);
}

void nl_put_u16(struct nl_writer *w, u16 type, u16 v)
{
	nl_put(w, type, &v, sizeof(v));
}

void nl_put_u32(struct nl_writer *w, u16 type, u32 v)
{
	nl_put(w, type, &v, sizeof(v));
}

void nl_put_string(struct nl_writer *w, u16 type, const char *s)
{
	nl_put(w, type, s, (u32)strlen(s) + 1);
}

struct nlattr *nl_nest(struct nl_writer *w, u16 type)
{
	struct nlattr *a = nl_reserve(w, NLA_HDRLEN);

	if (a)
		a->nla_type = type;
	return a;
}

void nl_nest_end(struct nl_writer *w, struct nlattr *nest)
{
	if (nest)
		nest->nla_len = (u16)(w->out->buf + w->out->len - (u8 *)nest);
}

void nl_attrs(struct nl_attr *a, const struct nlmsghdr *h, u32 skip)
{
	const u8 *msg = (const u8 *)h;

	*a = (struct nl_attr){ .next = msg + MIN(skip, h->nlmsg_len), .end = msg + h->nlmsg_len };
}

bool nl_attr_next(struct nl_attr *a)
{
	u32 left = (u32)(a->end - a->next);
	struct nlattr h;

	if (left < sizeof(h))
		return false;
	memcpy(&h, a->next, sizeof(h));
	if (h.nla_len < sizeof(h) || h.nla_len > left)
		return false;
	a->type = h.nla_type & NLA_TYPE_MASK;
	a->len = (u32)(h.nla_len - sizeof(h));
	a->data = a->next + sizeof(h);
	a->next += MIN(NL_ALIGN(h.nla_len), left);
	return true;
}
