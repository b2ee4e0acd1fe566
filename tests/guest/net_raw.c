/* SPDX-License-Identifier: Apache-2.0 */
/* Raw sockets on loopback: ICMP and ICMPv6 echo, own protocols, headers, filters, checksums, names. */
#define _GNU_SOURCE
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

#include "net_tap.h"

#define OWN	    200 /* a protocol of nobody */
#define SOL_RAW_    255
#define ICMP_FILTER 1

static unsigned char buf[70000];

static unsigned checksum(const void *data, unsigned len)
{
	const unsigned char *p = data;
	unsigned sum = 0;

	for (unsigned i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (unsigned)p[i] << 8;
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16)) & 0xffff;
}

static struct icmphdr echo(int number)
{
	struct icmphdr h = { .type = ICMP_ECHO };

	h.un.echo.id = htons(77);
	h.un.echo.sequence = htons((unsigned short)number);
	h.checksum = htons((unsigned short)checksum(&h, sizeof(h)));
	return h;
}

static long get(int fd)
{
	return recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
}

static void test_echo(void)
{
	struct name n = name_of("127.0.0.1", 0), from = { .len = sizeof(from.in) };
	struct icmphdr h = echo(1);
	int s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

	is(sendto(s, &h, sizeof(h), 0, &n.sa, n.len), 8);
	is(await(s, POLLIN), POLLIN);
	is(recvfrom(s, buf, sizeof(buf), 0, &from.sa, &from.len), 28);
	ok(from.len == sizeof(from.in) && !from.in.sin_port &&
			from.in.sin_addr.s_addr == htonl(INADDR_LOOPBACK),
		"the sender, without a port");
	ok(buf[0] == 0x45 && buf[2] == 0 && buf[3] == 28 && buf[8] == 64 &&
			buf[9] == IPPROTO_ICMP && !checksum(buf, 20) &&
			!memcmp(buf + 12, "\x7f\0\0\1\x7f\0\0\1", 8),
		"a header of IP");
	ok(buf[20] == ICMP_ECHO, "one's own request");
	is(await(s, POLLIN), POLLIN);
	is(get(s), 28);
	ok(buf[20] == ICMP_ECHOREPLY && !checksum(buf, 20) && !checksum(buf + 20, 8) &&
			!memcmp(buf + 24, (char *)&h + 4, 4),
		"and its answer");
	is(get(s), -EAGAIN);
	/* A wrong checksum: no answer. */
	h.checksum ^= 1;
	is(sendto(s, &h, sizeof(h), 0, &n.sa, n.len), 8);
	is(get(s), 28);
	usleep(10000);
	is(get(s), -EAGAIN);
	close(s);
}

static void test_filter(void)
{
	struct name n = name_of("127.0.0.1", 0);
	unsigned filter = 1u << ICMP_ECHO, got = 0;
	socklen_t len = sizeof(got);
	struct icmphdr h = echo(2);
	int s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), o = socket(AF_INET, SOCK_RAW, OWN);

	is(setsockopt(s, SOL_RAW_, ICMP_FILTER, &filter, sizeof(filter)), 0);
	ok(!getsockopt(s, SOL_RAW_, ICMP_FILTER, &got, &len) && got == filter, "kept");
	is(setsockopt(o, SOL_RAW_, ICMP_FILTER, &filter, sizeof(filter)), -EOPNOTSUPP);
	is(sendto(s, &h, sizeof(h), 0, &n.sa, n.len), 8);
	is(await(s, POLLIN), POLLIN);
	is(get(s), 28);
	ok(buf[20] == ICMP_ECHOREPLY, "only the answer is heard");
	close(s);
	close(o);
}

static void test_echo6(void)
{
	struct name n = name_of("::1", 0);
	struct icmp6_hdr h = { .icmp6_type = ICMP6_ECHO_REQUEST };
	struct icmp6_filter f;
	int s = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);

	h.icmp6_id = htons(5);
	h.icmp6_seq = htons(9);
	is(sendto(s, &h, sizeof(h), 0, &n.sa, n.len), 8);
	is(await(s, POLLIN), POLLIN);
	is(get(s), 8);
	ok(!memcmp(buf, "\x80\0\x7f\xad\0\5\0\11", 8), "the request with its checksum");
	is(await(s, POLLIN), POLLIN);
	is(get(s), 8);
	ok(!memcmp(buf, "\x81\0\x7e\xad\0\5\0\11", 8), "the answer");
	ICMP6_FILTER_SETBLOCKALL(&f);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &f);
	is(setsockopt(s, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof(f)), 0);
	is(sendto(s, &h, sizeof(h), 0, &n.sa, n.len), 8);
	is(await(s, POLLIN), POLLIN);
	is(get(s), 8);
	ok(buf[0] == ICMP6_ECHO_REPLY, "only the answer is heard");
	is(get_int(s, SOL_RAW_, IPV6_CHECKSUM), 2);
	is(set_int(s, SOL_RAW_, IPV6_CHECKSUM, 2), 0);
	is(set_int(s, IPPROTO_IPV6, IPV6_CHECKSUM, 2), -EINVAL);
	close(s);
}

static void test_own(void)
{
	struct name n = name_of("127.0.0.1", 0), o = name_of("127.0.0.2", 0);
	int a = socket(AF_INET, SOCK_RAW, OWN), b = socket(AF_INET, SOCK_RAW, OWN), v;

	is(sendto(a, "hello", 5, 0, &n.sa, n.len), 5);
	is(await(b, POLLIN), POLLIN);
	ok(!ioctl(b, FIONREAD, &v) && v == 25, "FIONREAD");
	is(recv(b, buf, 22, MSG_TRUNC), 25);
	is(get(a), 25);
	ok(!memcmp(buf + 20, "hello", 5), "the sender hears it, too");
	is(send(a, "x", 1, 0), -EDESTADDRREQ);
	is(bind(b, &o.sa, o.len), 0);
	is(sendto(a, "one", 3, 0, &n.sa, n.len), 3);
	is(sendto(a, "three", 5, 0, &o.sa, o.len), 5);
	is(await(b, POLLIN), POLLIN);
	is(get(b), 25);
	is(get(b), -EAGAIN);
	is(connect(a, &n.sa, n.len), 0);
	is(send(a, "four", 4, 0), 4);
	is_text(text_of(a, 0), "127.0.0.1", "a connected socket has an address");
	is(port_of(a), OWN);
	is(getpeername(a, &n.sa, &n.len), -ENOTCONN);
	is(sendto(a, buf, 65515, 0, &n.sa, n.len), 65515);
	is(sendto(a, buf, 65516, 0, &n.sa, n.len), -EMSGSIZE);
	n = name_of("192.0.2.1", 0);
	is(bind(b, &n.sa, n.len), -EADDRNOTAVAIL);
	is(listen(a, 1), -EOPNOTSUPP);
	is(accept(a, NULL, NULL), -EOPNOTSUPP);
	close(a);
	close(b);
}

static void test_header(void)
{
	struct name n = name_of("127.0.0.1", 0);
	struct iphdr h = { .ihl = 5, .version = 4, .ttl = 9, .protocol = OWN };
	int a = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), b = socket(AF_INET, SOCK_RAW, OWN);

	is(get_int(a, IPPROTO_IP, IP_HDRINCL), 1);
	is(get_int(b, IPPROTO_IP, IP_HDRINCL), 0);
	h.daddr = htonl(INADDR_LOOPBACK);
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + 20, "data", 4);
	is(sendto(a, buf, 24, 0, &n.sa, n.len), 24);
	is(await(b, POLLIN), POLLIN);
	is(get(b), 24);
	ok(buf[8] == 9 && buf[3] == 24 && !checksum(buf, 20) &&
			!memcmp(buf + 12, "\x7f\0\0\1", 4) && !memcmp(buf + 20, "data", 4),
		"the sender's header, completed");
	is(get(a), -EAGAIN);
	is(sendto(a, buf, 19, 0, &n.sa, n.len), -EINVAL);
	buf[0] = 0x4f;
	is(sendto(a, buf, 24, 0, &n.sa, n.len), -EINVAL);
	close(a);
	close(b);
}

int main(void)
{
	is(socket(AF_INET, SOCK_RAW, 0), -EPROTONOSUPPORT);
	is(socket(AF_INET, SOCK_RAW, 300), -EINVAL);
	test_echo();
	test_filter();
	test_echo6();
	test_own();
	test_header();
	return tap_end();
}
