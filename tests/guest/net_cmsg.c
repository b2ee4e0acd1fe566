/* SPDX-License-Identifier: Apache-2.0 */
/* Control data that sendmsg gives to one datagram: hop limits, classes of service; what of it the receiver sees. */
#define _GNU_SOURCE
#include <netinet/ip.h>

#include "net_tap.h"

/* What one datagram came with: -1 = not told. */
struct seen {
	int ttl, tos, hops, class;
};

static int bound(const char *host)
{
	struct name n = name_of(host, 0);
	int fd = socket(n.sa.sa_family, SOCK_DGRAM, 0);

	if (n.sa.sa_family == AF_INET6) {
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
		set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
		set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	}
	set_int(fd, IPPROTO_IP, IP_RECVTTL, 1);
	set_int(fd, IPPROTO_IP, IP_RECVTOS, 1);
	return bind(fd, &n.sa, n.len) ? -1 : fd;
}

static int more; /* MSG_MORE for what is sent */

/* Sends one byte with one control message. */
static long send_with(int fd, struct name *to, int level, int type, const void *data, size_t len)
{
	union {
		struct cmsghdr align;
		char b[64];
	} control = { .b = { 0 } };
	struct iovec iov = { (char[]){ "x" }, 1 };
	struct msghdr m = { .msg_name = &to->sa,
		.msg_namelen = to->len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(len) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	return sendmsg(fd, &m, more);
}

static long send_int(int fd, struct name *to, int level, int type, int value)
{
	return send_with(fd, to, level, type, &value, sizeof(value));
}

static struct seen receive(int fd)
{
	struct seen s = { -1, -1, -1, -1 };
	char buf[8], control[256];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };

	if (recvmsg(fd, &m, MSG_DONTWAIT) < 0)
		return s;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL)
			s.ttl = *(int *)CMSG_DATA(c);
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
			s.tos = *(unsigned char *)CMSG_DATA(c);
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)
			s.hops = *(int *)CMSG_DATA(c);
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
			s.class = *(int *)CMSG_DATA(c);
	}
	return s;
}

static void is_seen(struct seen got, int ttl, int tos, int hops, int class, const char *what)
{
	char line[160];

	snprintf(line, sizeof(line), "%s: ttl %d, tos %d, hops %d, class %d", what, got.ttl,
		got.tos, got.hops, got.class);
	ok(got.ttl == ttl && got.tos == tos && got.hops == hops && got.class == class, line);
}

static void test_v4(void)
{
	int a = bound("127.0.0.1"), b = bound("127.0.0.1");
	struct name to = name_of("127.0.0.1", port_of(b));

	is(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	is_seen(receive(b), 64, 0, -1, -1, "nothing asked for");
	is(send_int(a, &to, IPPROTO_IP, IP_TTL, 7), 1);
	is_seen(receive(b), 7, 0, -1, -1, "IP_TTL");
	is(send_int(a, &to, IPPROTO_IP, IP_TOS, 0x48), 1);
	is_seen(receive(b), 64, 0x48, -1, -1, "IP_TOS");
	is(send_with(a, &to, IPPROTO_IP, IP_TOS, "\x20", 1), 1);
	is_seen(receive(b), 64, 0x20, -1, -1, "IP_TOS of one byte");
	is(set_int(a, IPPROTO_IP, IP_TTL, 9), 0);
	is(set_int(a, IPPROTO_IP, IP_TOS, 0x10), 0);
	is(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	is_seen(receive(b), 9, 0x10, -1, -1, "the socket's own");
	is(send_int(a, &to, IPPROTO_IP, IP_TTL, 255), 1);
	is_seen(receive(b), 255, 0x10, -1, -1, "IP_TTL above the socket's own");
	is(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	is_seen(receive(b), 9, 0x10, -1, -1, "which holds for one datagram");
	is(send_int(a, &to, IPPROTO_IP, IP_TTL, 0), -EINVAL);
	is(send_int(a, &to, IPPROTO_IP, IP_TTL, 256), -EINVAL);
	is(send_int(a, &to, IPPROTO_IP, IP_TOS, 256), -EINVAL);
	is(send_int(a, &to, IPPROTO_IP, IP_TOS, -1), -EINVAL);
	is(send_with(a, &to, IPPROTO_IP, IP_TTL, "\x20", 1), -EINVAL);
	is(send_int(a, &to, IPPROTO_IP, IP_RECVERR, 1), -EINVAL);
	is(send_int(a, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, 7), 1);
	is_seen(receive(b), 9, 0x10, -1, -1, "IPv6's are not for IPv4");
	is(send_int(a, &to, IPPROTO_TCP, 1, 7), 1);
	is_seen(receive(b), 9, 0x10, -1, -1, "nor TCP's");
	is_seen(receive(b), -1, -1, -1, -1, "what was refused was not sent");
	close(a);
	close(b);
}

static void test_v6(void)
{
	int a = bound("::1"), b = bound("::1");
	struct name to = name_of("::1", port_of(b));

	is(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	is_seen(receive(b), -1, -1, 64, 0, "nothing asked for");
	is(send_int(a, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, 7), 1);
	is_seen(receive(b), -1, -1, 7, 0, "IPV6_HOPLIMIT");
	is(send_int(a, &to, IPPROTO_IPV6, IPV6_TCLASS, 0x48), 1);
	is_seen(receive(b), -1, -1, 64, 0x48, "IPV6_TCLASS");
	is(set_int(a, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9), 0);
	is(set_int(a, IPPROTO_IPV6, IPV6_TCLASS, 0x10), 0);
	is(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	is_seen(receive(b), -1, -1, 9, 0x10, "the socket's own");
	is(send_int(a, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, 0), 1);
	is_seen(receive(b), -1, -1, 0, 0x10, "IPV6_HOPLIMIT of 0");
	is(send_int(a, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, -1), 1);
	is_seen(receive(b), -1, -1, 9, 0x10, "IPV6_HOPLIMIT of -1 is the socket's own");
	is(send_int(a, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, 256), -EINVAL);
	is(send_int(a, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, -2), -EINVAL);
	is(send_int(a, &to, IPPROTO_IPV6, IPV6_TCLASS, 256), -EINVAL);
	is(send_with(a, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, "\x20", 1), -EINVAL);
	is(send_int(a, &to, IPPROTO_IPV6, IPV6_RECVERR, 1), -EINVAL);
	is(send_int(a, &to, IPPROTO_IP, IP_TTL, 7), 1);
	is_seen(receive(b), -1, -1, 9, 0x10, "IPv4's are not for IPv6");
	close(a);
	close(b);
}

/* IPv4 through sockets of IPv6. */
static void test_mapped(void)
{
	int a = bound("::"), b = bound("::");
	struct name to = name_of("::ffff:127.0.0.1", port_of(b));

	is(set_int(a, IPPROTO_IP, IP_TTL, 11), 0);
	is(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	is_seen(receive(b), 11, 0, -1, -1, "the socket's own");
	is(send_int(a, &to, IPPROTO_IP, IP_TTL, 7), 1);
	is_seen(receive(b), 7, 0, -1, -1, "IP_TTL");
	is(send_int(a, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, 7), 1);
	is_seen(receive(b), 11, 0, -1, -1, "IPV6_HOPLIMIT is not for IPv4");
	close(a);
	close(b);
}

static void test_more(void)
{
	int a = bound("127.0.0.1"), b = bound("127.0.0.1");
	struct name to = name_of("127.0.0.1", port_of(b));

	more = MSG_MORE;
	is(send_int(a, &to, IPPROTO_IP, IP_TTL, 9), 1);
	more = 0;
	is(send_int(a, &to, IPPROTO_IP, IP_TTL, 7), 1);
	is_seen(receive(b), 9, 0, -1, -1, "the first part of a datagram decides");
	close(a);
	close(b);
}

int main(void)
{
	test_v4();
	test_v6();
	test_mapped();
	test_more();
	return tap_end();
}
