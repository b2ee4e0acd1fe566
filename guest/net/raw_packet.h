/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of raw sockets: headers, checksums, echo. Pure: what a program sends is parsed here, bounded by its length. */
#ifndef NET_RAW_PACKET_H
#define NET_RAW_PACKET_H

#include "net/ports.h"

#define RAW_HEADER     20u /* of IPv4 without options */
#define RAW_PACKET_MAX 65535u
#define ECHO_HEADER    8u /* of ICMP's and ICMPv6's echo */

struct raw_packet {
	bool v4;
	u8 protocol, hops, class;
	struct inet_addr src, dst;
	u8 *data; /* len bytes; IPv4: begins with the header */
	u32 len;
	u8 *body; /* in data, behind the header */
	u32 body_len;
};

/* The first RAW_HEADER bytes of data become the header; the rest is the body. */
void raw_packet_make_header(struct raw_packet *p);
/* data begins with a header that the sender made: completes it as Linux does, takes over its addresses and protocol. 0, -EINVAL. */
int raw_packet_take_header(struct raw_packet *p);
/* The checksum of an IPv6 body, pseudo header included, goes to this place. 0, -EINVAL (outside). */
int raw_packet_sum6(struct raw_packet *p, u32 at);
/* Is it a good ICMP or ICMPv6 echo answer? Then *number is whose. */
bool raw_packet_answer(const struct raw_packet *p, u16 *number);
/* The body, if it is an echo request, gets this number and its checksum, the packet its header. False: it is none. */
bool raw_packet_ask(struct raw_packet *p, u16 number);
/* A good ICMP or ICMPv6 echo request becomes its answer. */
bool raw_packet_echo(struct raw_packet *p);

#endif
