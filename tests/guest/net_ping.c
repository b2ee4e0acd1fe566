/* SPDX-License-Identifier: Apache-2.0 */
/* Echo sockets on loopback, icmp(7): who may have one, their numbers, requests and answers, beside raw sockets. */
#define _GNU_SOURCE
#include <grp.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <sys/mount.h>

#include "child_tap.h"
#include "net_tap.h"

static unsigned char buf[70000];

/* ---- net.ipv4.ping_group_range ---- */

static int range_fd;

/* What it says after a write; the write's error. */
static const char *range(const char *text)
{
	static char line[64];
	ssize_t n = pwrite(range_fd, text, strlen(text), 0);

	if (n != (ssize_t)strlen(text))
		return "error";
	memset(line, 0, sizeof(line));
	n = pread(range_fd, line, sizeof(line) - 1, 0);
	if (n > 0 && line[n - 1] == '\n')
		line[n - 1] = '\0';
	return line;
}

static int echo_socket(int family)
{
	return socket(family, SOCK_DGRAM, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static int of_a_group(void)
{
	gid_t groups[] = { 3, 8 };

	if (setgroups(0, NULL) || setgid(5) || echo_socket(AF_INET) != -1 || errno != EACCES)
		return 1;
	return setgroups(2, groups) || echo_socket(AF_INET) < 0 || echo_socket(AF_INET6) < 0;
}

static int in_another_net(void)
{
	return unshare(CLONE_NEWNET) || echo_socket(AF_INET) != -1 || errno != EACCES;
}

static void test_range(void)
{
	range_fd = open("/proc/sys/net/ipv4/ping_group_range", O_RDWR);
	ok(echo_socket(AF_INET) == -1 && errno == EACCES, "nobody may, at first");
	is_text(range("5 3"), "1\t0", "an empty range");
	is_text(range("0 0\n"), "0\t0", "one group");
	is_text(range("7"), "1\t0", "half of a range");
	is_text(range("0 4294967295"), "error", "one that is too large");
	is_text(range("6 9"), "6\t9", "some groups");
	ok(in_child(of_a_group) == 0, "who is in one may");
	is_text(range("0 2147483647"), "0\t2147483647", "all groups");
	ok(in_child(in_another_net) == 0, "in this network alone");
	is(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6), -EPROTONOSUPPORT);
	close(range_fd);
}

/* ---- requests ---- */

static void request(int family)
{
	memset(buf, 0, 64);
	buf[0] = family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	buf[7] = 9; /* sequence */
	memcpy(buf + 8, "abcdefgh", 8);
}

static void test_echo(const char *host, int family)
{
	struct name n = name_of(host, 77), from = { .len = sizeof(from.in6) };
	int s = echo_socket(family);
	unsigned number;

	ok(port_of(s) == 0, "no number at first");
	request(family);
	is(send(s, buf, 16, 0), -EDESTADDRREQ);
	is(sendto(s, buf, 7, 0, &n.sa, n.len), -EINVAL);
	is(sendto(s, buf, 16, MSG_OOB, &n.sa, n.len), -EOPNOTSUPP);
	is(sendto(s, buf, 65536, 0, &n.sa, n.len), -EMSGSIZE);
	buf[1] = 1;
	is(sendto(s, buf, 16, 0, &n.sa, n.len), -EINVAL);
	buf[0] = family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
	buf[1] = 0;
	is(sendto(s, buf, 16, 0, &n.sa, n.len), -EINVAL);
	request(family);
	is(sendto(s, buf, 16, 0, &n.sa, n.len), 16);
	number = port_of(s);
	ok(number != 0, "a number with the first request");
	is(await(s, POLLIN), POLLIN);
	memset(buf, 0, 64);
	is(recvfrom(s, buf, sizeof(buf), 0, &from.sa, &from.len), 16);
	ok(buf[0] == (family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) &&
			buf[4] * 256u + buf[5] == number && buf[7] == 9 &&
			!memcmp(buf + 8, "abcdefgh", 8),
		"the answer, without a header of IP");
	ok(from.len == n.len && from.in.sin_port == 0, "its sender has no port");
	is(recv(s, buf, 64, MSG_DONTWAIT), -EAGAIN);
	is(bind(s, &n.sa, n.len), -EINVAL);
	close(s);
}

static void test_names(void)
{
	struct name n = name_of("127.0.0.1", 77), foreign = name_of("10.0.0.1", 78);
	struct name six = name_of("::1", 77), mapped = name_of("::ffff:127.0.0.1", 77);
	int s = echo_socket(AF_INET), t = echo_socket(AF_INET), u = echo_socket(AF_INET6);

	is(bind(s, &n.sa, n.len), 0);
	ok(port_of(s) == 77, "bind gives a number");
	is(bind(t, &n.sa, n.len), 0);
	is(bind(t, &foreign.sa, foreign.len), -EADDRNOTAVAIL);
	is(connect(t, &foreign.sa, foreign.len), -ENETUNREACH);
	is(shutdown(t, SHUT_RD), -ENOTCONN);
	close(t);
	is(connect(s, &n.sa, n.len), 0);
	is_text(text_of(s, 1), "127.0.0.1", "connected");
	request(AF_INET);
	is(send(s, buf, 8, 0), 8);
	is(await(s, POLLIN), POLLIN);
	is(recv(s, buf, 4, MSG_TRUNC), 4);
	is(sendto(s, buf, 16, 0, &six.sa, six.len), -EINVAL); /* it is an answer now */
	request(AF_INET);
	is(sendto(s, buf, 16, 0, &six.sa, six.len), -EAFNOSUPPORT);
	request(AF_INET6);
	is(sendto(u, buf, 16, 0, &mapped.sa, mapped.len), -EINVAL);
	is(sendto(u, buf, 16, 0, &n.sa, n.len), -EINVAL);
	is(get_int(s, SOL_SOCKET, SO_PROTOCOL), IPPROTO_ICMP);
	is(listen(s, 1), -EOPNOTSUPP);
	close(s);
	close(u);
}

/* ---- beside raw sockets ---- */

static unsigned checksum(const unsigned char *p, unsigned len)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (unsigned)p[i] << 8;
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16)) & 0xffff;
}

static void test_raw(void)
{
	struct name n = name_of("127.0.0.1", 99);
	int r = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), s = echo_socket(AF_INET), heard = 0;
	unsigned char reply[8] = { ICMP_ECHOREPLY, 0, 0, 0, 0, 99, 0, 1 };
	unsigned sum = checksum(reply, 8);

	is(bind(s, &n.sa, n.len), 0);
	reply[2] = (unsigned char)(sum >> 8);
	reply[3] = (unsigned char)sum;
	is(sendto(r, reply, 8, 0, &n.sa, n.len), 8);
	is(await(s, POLLIN), POLLIN);
	is(recv(s, buf, 64, 0), 8);
	reply[3] ^= 1;
	is(sendto(r, reply, 8, 0, &n.sa, n.len), 8);
	reply[3] ^= 1;
	reply[5]++;
	is(sendto(r, reply, 8, 0, &n.sa, n.len), 8);
	usleep(10000);
	is(recv(s, buf, 64, MSG_DONTWAIT), -EAGAIN);
	while (recv(r, buf, 64, MSG_DONTWAIT) > 0)
		;
	request(AF_INET);
	is(sendto(s, buf, 8, 0, &n.sa, n.len), 8);
	is(await(s, POLLIN), POLLIN);
	while (recv(r, buf, 64, MSG_DONTWAIT) > 0)
		heard++;
	ok(heard == 2, "a raw socket hears request and answer");
	close(r);
	close(s);
}

/* A network and a /proc of one's own, whose settings may be written. */
static void own_net(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int s;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("proc", "/proc", "proc", 0, NULL))
		printf("Bail out! no namespaces\n");
	s = socket(AF_INET, SOCK_DGRAM, 0);
	ifr.ifr_flags = IFF_UP;
	ok(s >= 0 && ioctl(s, SIOCSIFFLAGS, &ifr) == 0, "a network of one's own");
	close(s);
}

int main(void)
{
	own_net();
	test_range();
	test_echo("127.0.0.1", AF_INET);
	test_echo("::1", AF_INET6);
	test_names();
	test_raw();
	return tap_end();
}
