/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of raw sockets. */
#include "net/raw_packet.h"

#include <linux/in.h>
#include <linux/in6.h>

#include "kernel/errno.h"
#include "lib/atomic.h"
#include "lib/string.h"
#include "net/abi.h"

/* <linux/ip.h> has bit fields; these are offsets. */
#define IP_CLASS    1u
#define IP_LENGTH   2u
#define IP_ID	    4u
#define IP_FRAGMENT 6u
#define IP_LIFE	    8u
#define IP_PROTO    9u
#define IP_SUM	    10u
#define IP_SRC	    12u
#define IP_DST	    16u

#define DONT_FRAGMENT 0x4000u
#define ECHO_SUM      2u
#define ECHO_NUMBER   4u

static u16 packet_ids; /* atomic */

static void put16(u8 *at, u32 v)
{
	at[0] = (u8)(v >> 8);
	at[1] = (u8)v;
}

static u32 get16(const u8 *at)
{
	return (u32)at[0] << 8 | at[1];
}

/* The sum of words that the Internet's checksums are made of. */
static u32 sum_words(u32 sum, const u8 *data, u32 len)
{
	for (; len > 1; len -= 2, data += 2)
		sum += get16(data);
	return len ? sum + ((u32)*data << 8) : sum;
}

static u32 sum_fold(u32 sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16)) & 0xffff;
}

static u32 sum_pseudo6(const struct raw_packet *p)
{
	u32 sum = sum_words(0, p->src.b, sizeof(p->src.b));

	return sum_words(sum, p->dst.b, sizeof(p->dst.b)) + p->body_len + p->protocol;
}

static void header_sum(struct raw_packet *p, u32 len)
{
	put16(p->data + IP_SUM, 0);
	put16(p->data + IP_SUM, sum_fold(sum_words(0, p->data, len)));
}

static void header_id(struct raw_packet *p)
{
	put16(p->data + IP_ID, atomic_add(&packet_ids, (u16)1));
}

void raw_packet_make_header(struct raw_packet *p)
{
	u8 *h = p->data;

	memset(h, 0, RAW_HEADER);
	h[0] = 0x45;
	h[IP_CLASS] = p->class;
	put16(h + IP_LENGTH, p->len);
	header_id(p);
	put16(h + IP_FRAGMENT, DONT_FRAGMENT);
	h[IP_LIFE] = p->hops;
	h[IP_PROTO] = p->protocol;
	memcpy(h + IP_SRC, p->src.b + 12, 4);
	memcpy(h + IP_DST, p->dst.b + 12, 4);
	header_sum(p, RAW_HEADER);
}

int raw_packet_take_header(struct raw_packet *p)
{
	static const u8 none[4];
	u8 *h = p->data;
	u32 size;

	if (p->len < RAW_HEADER)
		return -EINVAL;
	size = (h[0] & 0xfu) * 4;
	if (size < RAW_HEADER || size > p->len)
		return -EINVAL;
	put16(h + IP_LENGTH, p->len);
	if (!get16(h + IP_ID))
		header_id(p);
	if (!memcmp(h + IP_SRC, none, 4))
		memcpy(h + IP_SRC, p->src.b + 12, 4);
	header_sum(p, size);
	p->class = h[IP_CLASS];
	p->hops = h[IP_LIFE];
	p->protocol = h[IP_PROTO];
	memcpy(p->src.b + 12, h + IP_SRC, 4);
	memcpy(p->dst.b + 12, h + IP_DST, 4);
	p->body = h + size;
	p->body_len = p->len - size;
	return 0;
}

int raw_packet_sum6(struct raw_packet *p, u32 at)
{
	u32 sum;

	if (at + 2 > p->body_len)
		return -EINVAL;
	put16(p->body + at, 0);
	sum = sum_fold(sum_words(sum_pseudo6(p), p->body, p->body_len));
	put16(p->body + at, sum ? sum : 0xffff);
	return 0;
}

/* Is it a good message of this type of ICMP, or of that of ICMPv6? */
static bool echo_type(const struct raw_packet *p, u8 type4, u8 type6)
{
	return p->protocol == (p->v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
	       p->body_len >= ECHO_HEADER && p->body[0] == (p->v4 ? type4 : type6) && !p->body[1] &&
	       !sum_fold(sum_words(p->v4 ? 0 : sum_pseudo6(p), p->body, p->body_len));
}

bool raw_packet_answer(const struct raw_packet *p, u16 *number)
{
	if (!echo_type(p, ICMP_ECHOREPLY, ICMPV6_ECHO_REPLY))
		return false;
	*number = (u16)get16(p->body + ECHO_NUMBER);
	return true;
}

bool raw_packet_ask(struct raw_packet *p, u16 number)
{
	if (p->body_len < ECHO_HEADER || p->body[0] != (p->v4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST) ||
		p->body[1])
		return false;
	put16(p->body + ECHO_NUMBER, number);
	if (!p->v4)
		return !raw_packet_sum6(p, ECHO_SUM);
	put16(p->body + ECHO_SUM, 0);
	put16(p->body + ECHO_SUM, sum_fold(sum_words(0, p->body, p->body_len)));
	raw_packet_make_header(p);
	return true;
}

bool raw_packet_echo(struct raw_packet *p)
{
	struct inet_addr src = p->src;

	if (!echo_type(p, ICMP_ECHO, ICMPV6_ECHO_REQUEST))
		return false;
	p->src = p->dst;
	p->dst = src;
	p->hops = 64;
	p->body[0] = p->v4 ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY;
	if (!p->v4)
		return !raw_packet_sum6(p, ECHO_SUM);
	put16(p->body + ECHO_SUM, 0);
	put16(p->body + ECHO_SUM, sum_fold(sum_words(0, p->body, p->body_len)));
	memcpy(p->data + IP_SRC, p->src.b + 12, 4);
	memcpy(p->data + IP_DST, p->dst.b + 12, 4);
	header_id(p);
	put16(p->data + IP_FRAGMENT, 0);
	p->data[IP_LIFE] = p->hops;
	header_sum(p, (u32)(p->body - p->data));
	return true;
}
