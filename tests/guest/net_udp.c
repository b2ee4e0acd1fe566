/* SPDX-License-Identifier: Apache-2.0 */
/* UDP over loopback: datagrams, names, connected sockets, refusals, control data, limits. */
#define _GNU_SOURCE
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/uio.h>
#include <linux/errqueue.h>

#include "net_tap.h"

static int bound(const char *host, unsigned port)
{
	struct name n = name_of(host, port);
	int fd = socket(n.sa.sa_family, SOCK_DGRAM, 0), err;

	if (!bind(fd, &n.sa, n.len))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static long send_to(int fd, const char *text, const char *host, unsigned port)
{
	struct name n = name_of(host, port);

	return sendto(fd, text, strlen(text), 0, &n.sa, n.len);
}

static void test_datagrams(const char *host)
{
	struct name from = { .len = sizeof(from.in6) };
	int a = bound(host, 0), b = bound(host, 0), n = 0;
	char buf[64];

	is(send_to(a, "one", host, port_of(b)), 3);
	is(send_to(a, "three", host, port_of(b)), 5);
	is(send_to(a, "", host, port_of(b)), 0);
	ok(await(b, POLLIN) == POLLIN, "readable");
	ok(!ioctl(b, FIONREAD, &n) && n == 3, "FIONREAD tells the first one's length");
	is(ioctl(b, SIOCATMARK, &n), -ENOTTY);
	is(recv(b, buf, 64, MSG_PEEK), 3);
	is(recvfrom(b, buf, 64, 0, &from.sa, &from.len), 3);
	ok((from.sa.sa_family == AF_INET ? from.len == sizeof(from.in)
					 : from.len == sizeof(from.in6)) &&
			ntohs(from.in.sin_port) == port_of(a),
		"recvfrom names the sender");
	is(recv(b, buf, 2, MSG_TRUNC), 5);
	is(recv(b, buf, 64, 0), 0);
	is(recv(b, buf, 64, MSG_DONTWAIT), -EAGAIN);
	is(send(a, "x", 1, 0), -EDESTADDRREQ);
	is(send_to(a, "x", host, 0), -EINVAL);
	is(ready(a), POLLOUT);
	is(listen(a, 1), -EOPNOTSUPP);
	is(accept(a, NULL, NULL), -EOPNOTSUPP);
	is(get_int(a, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	is(get_int(a, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
	close(a);
	close(b);
}

static void test_connected(const char *host)
{
	int a = bound(host, 0), b = bound(host, 0), c = bound(host, 0);
	struct name n = name_of(host, port_of(b)), none = { .len = sizeof(none.sa) };
	char buf[8];

	is_text(text_of(a, 1), "none", "no peer");
	is(connect(a, &n.sa, n.len), 0);
	is_text(text_of(a, 1), host, "the peer");
	is(send(a, "hi", 2, 0), 2);
	is(recv(b, buf, 8, 0), 2);
	is(send_to(c, "stranger", host, port_of(a)), 8);
	is(recv(a, buf, 8, MSG_DONTWAIT), -EAGAIN);
	is(send_to(b, "friend", host, port_of(a)), 6);
	is(recv(a, buf, 8, 0), 6);
	is(send_to(a, "other", host, port_of(c)), 5);
	is(recv(c, buf, 8, 0), 5);
	none.sa.sa_family = AF_UNSPEC;
	is(connect(a, &none.sa, none.len), 0);
	is_text(text_of(a, 1), "none", "no peer again");
	is(send_to(a, "other", host, port_of(c)), 5);
	is(recv(c, buf, 8, 0), 5);
	close(a);
	a = socket(n.sa.sa_family, SOCK_DGRAM, 0);
	ok(!connect(a, &n.sa, n.len) && port_of(a) >= 1024, "connect gives a port");
	is_text(text_of(a, 0), host, "and an address");
	is(connect(a, &none.sa, none.len), 0);
	ok(port_of(a) == 0, "which go when the peer goes");
	close(a);
	close(b);
	close(c);
}

static void test_refused(const char *host)
{
	int a = bound(host, 0), b = bound(host, 0);
	struct name n = name_of(host, port_of(b));
	char c;

	close(b);
	is(sendto(a, "x", 1, 0, &n.sa, n.len), 1);
	is(recv(a, &c, 1, MSG_DONTWAIT), -EAGAIN);
	is(connect(a, &n.sa, n.len), 0);
	is(send(a, "x", 1, 0), 1);
	ok((await(a, POLLIN) & POLLERR) == POLLERR, "nobody there: an error is pending");
	is(recv(a, &c, 1, MSG_DONTWAIT), -ECONNREFUSED);
	is(recv(a, &c, 1, MSG_DONTWAIT), -EAGAIN);
	is(send(a, "x", 1, 0), 1);
	is(send(a, "x", 1, 0), -ECONNREFUSED);
	is(send(a, "x", 1, 0), 1);
	is(get_int(a, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	is(get_int(a, SOL_SOCKET, SO_ERROR), 0);
	close(a);
}

static void test_error_queue(void)
{
	int a = bound("127.0.0.1", 0), b = bound("127.0.0.1", 0), port = (int)port_of(b);
	char buf[16], control[256];
	struct name n;
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &n.sa,
		.msg_namelen = sizeof(n.in6),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct sock_extended_err *e;
	struct cmsghdr *c;

	close(b);
	is(set_int(a, IPPROTO_IP, IP_RECVERR, 1), 0);
	is(recvmsg(a, &m, MSG_ERRQUEUE), -EAGAIN);
	is(send_to(a, "lost", "127.0.0.1", (unsigned)port), 4);
	ok((await(a, POLLIN) & POLLERR) == POLLERR,
		"an unconnected socket with IP_RECVERR learns too");
	m.msg_controllen = sizeof(control);
	m.msg_namelen = sizeof(n.in6);
	is(recvmsg(a, &m, MSG_ERRQUEUE), 4);
	ok(!memcmp(buf, "lost", 4) && (m.msg_flags & MSG_ERRQUEUE), "the datagram comes back");
	ok(ntohs(n.in.sin_port) == port, "with where it went");
	c = CMSG_FIRSTHDR(&m);
	e = c ? (struct sock_extended_err *)CMSG_DATA(c) : NULL;
	ok(c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR, "and control data");
	ok(e && e->ee_errno == ECONNREFUSED && e->ee_origin == SO_EE_ORIGIN_ICMP &&
			e->ee_type == 3 && e->ee_code == 3,
		"that says: port unreachable");
	is(ready(a), POLLOUT);
	close(a);
}

/* The control data of a message that b receives. */
static struct cmsghdr *received(int fd, struct msghdr *m)
{
	static char buf[64], control[256];
	static struct iovec iov;

	iov = (struct iovec){ buf, sizeof(buf) };
	*m = (struct msghdr){ .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	if (recvmsg(fd, m, 0) < 0)
		return NULL;
	return CMSG_FIRSTHDR(m);
}

static void test_pktinfo(void)
{
	int a = bound("127.0.0.1", 0), b = bound("0.0.0.0", 0), a6 = bound("::1", 0),
	    b6 = bound("::", 0);
	struct in6_pktinfo *p6;
	struct in_pktinfo *p, src;
	struct cmsghdr *c;
	struct msghdr m;
	struct name n = name_of("127.0.0.1", port_of(b)), from = { .len = sizeof(from.in) };
	struct iovec iov = { (char[]){ "x" }, 1 };
	char control[CMSG_SPACE(sizeof(src))], buf[4];
	struct msghdr out = { .msg_name = &n.sa,
		.msg_namelen = n.len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };

	is(set_int(b, IPPROTO_IP, IP_PKTINFO, 1), 0);
	is(send_to(a, "x", "127.0.0.5", port_of(b)), 1);
	c = received(b, &m);
	p = c ? (struct in_pktinfo *)CMSG_DATA(c) : NULL;
	ok(c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO && p->ipi_ifindex == 1 &&
			p->ipi_addr.s_addr == htonl(0x7f000005) &&
			p->ipi_spec_dst.s_addr == htonl(0x7f000005),
		"IP_PKTINFO tells where a datagram went");
	is(set_int(b6, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1), 0);
	is(set_int(b6, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1), 0);
	is(send_to(a6, "x", "::1", port_of(b6)), 1);
	c = received(b6, &m);
	p6 = c ? (struct in6_pktinfo *)CMSG_DATA(c) : NULL;
	ok(c && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
			p6->ipi6_ifindex == 1 && IN6_IS_ADDR_LOOPBACK(&p6->ipi6_addr),
		"IPV6_PKTINFO too");
	c = c ? CMSG_NXTHDR(&m, c) : NULL;
	ok(c && c->cmsg_type == IPV6_HOPLIMIT && *(int *)CMSG_DATA(c) == 64, "and IPV6_HOPLIMIT");
	close(a);
	a = bound("0.0.0.0", 0);
	memset(control, 0, sizeof(control));
	memset(&src, 0, sizeof(src));
	src.ipi_spec_dst.s_addr = htonl(0x7f000007);
	c = (struct cmsghdr *)control;
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(src));
	memcpy(CMSG_DATA(c), &src, sizeof(src));
	is(sendmsg(a, &out, 0), 1);
	is(recvfrom(b, buf, 4, 0, &from.sa, &from.len), 1);
	ok(from.in.sin_addr.s_addr == htonl(0x7f000007), "IP_PKTINFO chooses the source");
	close(a);
	close(b);
	close(a6);
	close(b6);
}

static void test_limits(void)
{
	static char big[65536];
	int a = bound("127.0.0.1", 0), b = bound("127.0.0.1", 0);
	struct name n = name_of("127.0.0.1", port_of(b)),
		    all = name_of("127.255.255.255", port_of(b));
	long got = 0;

	is(sendto(a, big, 65507, 0, &n.sa, n.len), 65507);
	is(recv(b, big, sizeof(big), 0), 65507);
	is(sendto(a, big, 65508, 0, &n.sa, n.len), -EMSGSIZE);
	for (int i = 0; i < 100; i++)
		sendto(a, big, 60000, 0, &n.sa, n.len);
	while (recv(b, big, sizeof(big), MSG_DONTWAIT) == 60000)
		got++;
	ok(got > 0 && got < 100, "what the queue has no room for is dropped");
	is(sendto(a, "ab", 2, MSG_MORE, &n.sa, n.len), 2);
	is(recv(b, big, sizeof(big), MSG_DONTWAIT), -EAGAIN);
	is(sendto(a, "cde", 3, 0, &n.sa, n.len), 3);
	is(recv(b, big, sizeof(big), 0), 5);
	ok(!memcmp(big, "abcde", 5), "MSG_MORE makes one datagram of two sends");
	is(sendto(a, big, 1, MSG_OOB, &n.sa, n.len), -EOPNOTSUPP);
	is(sendto(a, big, 1, 0, &all.sa, all.len), -EACCES);
	is(sendto(a, big, 1, 0, &n.sa, 4), -EINVAL);
	close(a);
	close(b);
}

static void test_bind(void)
{
	int a = bound("127.0.0.1", 0), b = bound("0.0.0.0", 0), c;
	struct name n = name_of("0.0.0.0", port_of(b));
	char buf[8];

	is(bound("127.0.0.1", port_of(a)), -EADDRINUSE);
	is(bound("0.0.0.0", port_of(a)), -EADDRINUSE);
	is(bound("::", port_of(a)), -EADDRINUSE);
	set_int(b, SOL_SOCKET, SO_REUSEADDR, 1);
	c = socket(AF_INET, SOCK_DGRAM, 0);
	set_int(c, SOL_SOCKET, SO_REUSEADDR, 1);
	n = name_of("127.0.0.1", port_of(b));
	is(bind(c, &n.sa, n.len), 0);
	is(send_to(a, "c", "127.0.0.1", port_of(b)), 1);
	is(send_to(a, "bb", "127.0.0.2", port_of(b)), 2);
	is(recv(c, buf, 8, 0), 1);
	is(recv(b, buf, 8, 0), 2);
	close(a);
	close(b);
	close(c);
	b = bound("::", 0);
	a = socket(AF_INET, SOCK_DGRAM, 0);
	is(send_to(a, "mapped", "127.0.0.1", port_of(b)), 6);
	is(recv(b, buf, 8, 0), 6);
	is(send_to(b, "back", "::ffff:127.0.0.1", port_of(a)), 4);
	is(recv(a, buf, 8, 0), 4);
	is(send_to(b, "back", "127.0.0.1", port_of(a)), 4);
	is(recv(a, buf, 8, 0), 4);
	close(a);
	close(b);
}

static void test_shutdown(void)
{
	int a = bound("127.0.0.1", 0);
	struct name n = name_of("127.0.0.1", port_of(a));
	char c;

	is(shutdown(a, SHUT_RDWR), -ENOTCONN);
	close(a);
	a = bound("127.0.0.1", 0);
	n = name_of("127.0.0.1", port_of(a));
	is(connect(a, &n.sa, n.len), 0);
	is(send(a, "self", 4, 0), 4);
	is(recv(a, &c, 1, 0), 1);
	is(shutdown(a, SHUT_RDWR), 0);
	is(recv(a, &c, 1, 0), 0);
	is(send(a, "x", 1, MSG_NOSIGNAL), -EPIPE);
	ok((ready(a) & (POLLIN | POLLHUP | POLLRDHUP)) == (POLLIN | POLLHUP | POLLRDHUP),
		"both ways shut");
	close(a);
	is(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), -EPROTONOSUPPORT);
}

static void test_mmsg(void)
{
	int a = bound("127.0.0.1", 0), b = bound("127.0.0.1", 0);
	struct name n = name_of("127.0.0.1", port_of(b));
	struct timespec ts = { 1, 0 };
	struct mmsghdr mm[4];
	struct iovec iov[4];
	char buf[4][8];

	is(connect(a, &n.sa, n.len), 0);
	memset(mm, 0, sizeof(mm));
	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ buf[i], (size_t)i + 1 };
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	is(sendmmsg(a, mm, 4, 0), 4);
	for (int i = 0; i < 4; i++)
		iov[i].iov_len = 8;
	is(recvmmsg(b, mm, 4, 0, &ts), 4);
	ok(mm[0].msg_len == 1 && mm[3].msg_len == 4, "recvmmsg tells each length");
	close(a);
	close(b);
}

#define IPPROTO_UDPLITE_ 136
#define SEND_CSCOV	 10
#define RECV_CSCOV	 11

static int lite(const char *host)
{
	struct name n = name_of(host, 0);
	int fd = socket(n.sa.sa_family, SOCK_DGRAM, IPPROTO_UDPLITE_);

	if (fd >= 0)
		bind(fd, &n.sa, n.len);
	return fd;
}

static void test_lite(const char *host)
{
	int a = lite(host), b = lite(host), u = bound(host, 0);
	char buf[64];

	ok(a >= 0 && b >= 0, "UDP-Lite sockets");
	is(get_int(a, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDPLITE_);
	is(send_to(a, "hello", host, port_of(b)), 5);
	is(recv(b, buf, 64, 0), 5);
	is(send_to(u, "udp", host, port_of(b)), 3);
	is(recv(b, buf, 64, MSG_DONTWAIT), -EAGAIN);
	is(get_int(a, IPPROTO_UDPLITE_, SEND_CSCOV), 0);
	is(get_int(a, IPPROTO_UDPLITE_, RECV_CSCOV), 0);
	is(set_int(a, IPPROTO_UDPLITE_, SEND_CSCOV, 3), 0);
	is(get_int(a, IPPROTO_UDPLITE_, SEND_CSCOV), 8);
	is(set_int(a, IPPROTO_UDPLITE_, SEND_CSCOV, 100000), 0);
	is(get_int(a, IPPROTO_UDPLITE_, SEND_CSCOV), 65535);
	is(set_int(a, IPPROTO_UDPLITE_, SEND_CSCOV, 20), 0);
	is(get_int(u, IPPROTO_UDPLITE_, SEND_CSCOV), 0);
	is(set_int(u, IPPROTO_UDPLITE_, SEND_CSCOV, 20), -ENOPROTOOPT);
	/* 20 bytes of 8 + 14 are covered. */
	is(send_to(a, "fourteen bytes", host, port_of(b)), 14);
	is(recv(b, buf, 64, 0), 14);
	is(set_int(b, IPPROTO_UDPLITE_, RECV_CSCOV, 21), 0);
	is(send_to(a, "fourteen bytes", host, port_of(b)), 14);
	is(recv(b, buf, 64, MSG_DONTWAIT), -EAGAIN);
	is(send_to(a, "twelve bytes", host, port_of(b)), 12);
	is(recv(b, buf, 64, 0), 12);
	is(set_int(b, IPPROTO_UDPLITE_, RECV_CSCOV, 20), 0);
	is(send_to(a, "fourteen bytes", host, port_of(b)), 14);
	is(recv(b, buf, 64, 0), 14);
	is(set_int(b, IPPROTO_UDPLITE_, RECV_CSCOV, 0), 0);
	is(send_to(a, "fourteen bytes", host, port_of(b)), 14);
	is(recv(b, buf, 64, MSG_DONTWAIT), -EAGAIN);
	is(set_int(a, IPPROTO_UDPLITE_, SEND_CSCOV, 0), 0);
	is(send_to(a, "fourteen bytes", host, port_of(b)), 14);
	is(recv(b, buf, 64, 0), 14);
	close(a);
	close(b);
	close(u);
}

int main(void)
{
	test_datagrams("127.0.0.1");
	test_datagrams("::1");
	test_connected("127.0.0.1");
	test_connected("::1");
	test_refused("127.0.0.1");
	test_refused("::1");
	test_error_queue();
	test_pktinfo();
	test_limits();
	test_bind();
	test_shutdown();
	test_mmsg();
	test_lite("127.0.0.1");
	test_lite("::1");
	return tap_end();
}
