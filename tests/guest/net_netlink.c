/* SPDX-License-Identifier: Apache-2.0 */
/* What programs ask about the network: rtnetlink, interface ioctls, /proc/net, /sys/class/net. Of the interfaces only lo is looked at. */
#define _GNU_SOURCE
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/un.h>

#include "net_tap.h"

static void test_getifaddrs(void)
{
	int v4 = 0, v6 = 0, link = 0;
	struct ifaddrs *all = NULL;

	is(getifaddrs(&all), 0);
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct sockaddr_in *in = (struct sockaddr_in *)i->ifa_addr,
				   *mask = (struct sockaddr_in *)i->ifa_netmask;
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)i->ifa_addr;

		if (strcmp(i->ifa_name, "lo") != 0 || !i->ifa_addr)
			continue;
		if (in->sin_family == AF_INET)
			v4 += in->sin_addr.s_addr == htonl(INADDR_LOOPBACK) &&
			      mask->sin_addr.s_addr == htonl(0xff000000);
		else if (in->sin_family == AF_INET6)
			v6 += IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
		else if (in->sin_family == AF_PACKET)
			link += (i->ifa_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING)) ==
				(IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
	}
	freeifaddrs(all);
	ok(v4 == 1 && v6 == 1 && link == 1, "getifaddrs lists lo with 127.0.0.1/8 and ::1");
	is(if_nametoindex("lo"), 1);
	ok(!if_nametoindex("nowhere") && errno == ENODEV, "no such interface");
}

struct request {
	struct nlmsghdr h;
	union {
		struct rtgenmsg g;
		struct ifinfomsg link;
		char room[64];
	};
};

static int nl_open(void)
{
	struct timeval tv = { 5, 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

static long nl_ask(int fd, int type, int flags, struct request *r, size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	r->h = (struct nlmsghdr){ .nlmsg_len = (unsigned)(NLMSG_HDRLEN + len),
		.nlmsg_type = (unsigned short)type,
		.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags),
		.nlmsg_seq = 77 };
	return sendto(fd, r, r->h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
}

/* Reads a dump; how many messages of the type, -1 when it does not end as it should. */
static int nl_dump(int fd, int type, unsigned portid)
{
	static char buf[65536];
	int n = 0;

	for (;;) {
		long len = recv(fd, buf, sizeof(buf), 0);

		if (len <= 0)
			return -1;
		for (struct nlmsghdr *h = (struct nlmsghdr *)buf; NLMSG_OK(h, len);
			h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_seq != 77 || h->nlmsg_pid != portid ||
				!(h->nlmsg_flags & NLM_F_MULTI))
				return -1;
			if (h->nlmsg_type == NLMSG_DONE)
				return n;
			n += h->nlmsg_type == type;
		}
	}
}

/* The error that answers a request, 1 = another answer. */
static int nl_error(int fd)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[8192];
	} answer;

	if (recv(fd, &answer, sizeof(answer), 0) < (long)NLMSG_LENGTH(sizeof(answer.e)) ||
		answer.h.nlmsg_type != NLMSG_ERROR)
		return 1;
	return answer.e.error;
}

static void test_netlink(void)
{
	int fd = nl_open(), other = nl_open();
	struct sockaddr_nl name = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(name);
	struct request r;
	char buf[8192];

	ok(fd >= 0 && !bind(fd, (struct sockaddr *)&name, sizeof(name)), "a netlink socket");
	ok(!getsockname(fd, (struct sockaddr *)&name, &len) && len == sizeof(name) &&
			name.nl_pid == (unsigned)getpid(),
		"is named after the process");
	is(bind(other, (struct sockaddr *)&name, sizeof(name)), -EADDRINUSE);
	memset(&r, 0, sizeof(r));
	ok(nl_ask(fd, RTM_GETLINK, NLM_F_DUMP, &r, sizeof(r.link)) > 0 &&
			nl_dump(fd, RTM_NEWLINK, name.nl_pid) >= 1,
		"a dump of interfaces");
	ok(nl_ask(fd, RTM_GETADDR, NLM_F_DUMP, &r, sizeof(r.g)) > 0 &&
			nl_dump(fd, RTM_NEWADDR, name.nl_pid) >= 2,
		"a dump of addresses");
	ok(nl_ask(fd, RTM_GETROUTE, NLM_F_DUMP, &r, sizeof(struct rtmsg)) > 0 &&
			nl_dump(fd, RTM_NEWROUTE, name.nl_pid) >= 2,
		"a dump of routes");
	memset(&r, 0, sizeof(r));
	r.link.ifi_index = 1;
	nl_ask(fd, RTM_GETLINK, 0, &r, sizeof(r.link));
	ok(recv(fd, buf, sizeof(buf), MSG_PEEK | MSG_TRUNC) > NLMSG_HDRLEN &&
			((struct nlmsghdr *)buf)->nlmsg_type == RTM_NEWLINK,
		"one interface by its number");
	recv(fd, buf, sizeof(buf), 0);
	nl_ask(fd, RTM_GETLINK, NLM_F_ACK, &r, sizeof(r.link));
	len = (socklen_t)recv(fd, buf, sizeof(buf), 0);
	ok(((struct nlmsghdr *)buf)->nlmsg_len == len, "an answer is a datagram");
	is(-nl_error(fd), 0); /* the acknowledgement another */
	r.link.ifi_index = 12345;
	nl_ask(fd, RTM_GETLINK, 0, &r, sizeof(r.link));
	is(-nl_error(fd), ENODEV);
	memset(&r, 0, sizeof(r));
	nl_ask(fd, 15, NLM_F_ACK, &r, 0);
	is(-nl_error(fd), 0);
	nl_ask(fd, 1000, NLM_F_ACK, &r, 0);
	is(-nl_error(fd), EOPNOTSUPP);
	is(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), -EAGAIN);
	is(send(fd, buf, 3, 0), 3);
	is(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), -EAGAIN);
	is(socket(AF_NETLINK, SOCK_STREAM, 0), -ESOCKTNOSUPPORT);
	is(socket(AF_NETLINK, SOCK_RAW, 31), -EPROTONOSUPPORT);
	is(listen(fd, 1), -EOPNOTSUPP);
	is(accept(fd, NULL, NULL), -EOPNOTSUPP);
	close(other);
	close(fd);
}

static void test_ioctls(int family)
{
	int fd = socket(family, SOCK_DGRAM, 0), found = 0;
	struct ifreq r[16], one;
	struct ifconf c = { .ifc_len = sizeof(r), .ifc_req = r };

	is(ioctl(fd, SIOCGIFCONF, &c), 0);
	for (int i = 0; i < c.ifc_len / (int)sizeof(r[0]); i++) {
		struct sockaddr_in *in = (struct sockaddr_in *)&r[i].ifr_addr;

		found += !strcmp(r[i].ifr_name, "lo") &&
			 in->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
	}
	ok(found == 1, "SIOCGIFCONF lists lo");
	memset(&one, 0, sizeof(one));
	strcpy(one.ifr_name, "lo");
	is(ioctl(fd, SIOCGIFFLAGS, &one), 0);
	ok(one.ifr_flags == (IFF_UP | IFF_LOOPBACK | IFF_RUNNING), "its flags");
	is(ioctl(fd, SIOCGIFMTU, &one), 0);
	is(one.ifr_mtu, 65536);
	is(ioctl(fd, SIOCGIFINDEX, &one), 0);
	is(one.ifr_ifindex, 1);
	is(ioctl(fd, SIOCGIFHWADDR, &one), 0);
	is(one.ifr_hwaddr.sa_family, ARPHRD_LOOPBACK);
	if (family == AF_INET) {
		is(ioctl(fd, SIOCGIFNETMASK, &one), 0);
		ok(((struct sockaddr_in *)&one.ifr_netmask)->sin_addr.s_addr == htonl(0xff000000),
			"its mask");
	}
	one.ifr_ifindex = 1;
	is(ioctl(fd, SIOCGIFNAME, &one), 0);
	is_text(one.ifr_name, "lo", "its name");
	strcpy(one.ifr_name, "nowhere");
	is(ioctl(fd, SIOCGIFFLAGS, &one), -ENODEV);
	is(ioctl(fd, 0x1234, &one), -ENOTTY);
	close(fd);
}

/* The line of a file of /proc/net that contains the text, "" when there is none. */
static const char *line_of(const char *path, const char *text)
{
	static char line[512];
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, text)) {
			fclose(f);
			return line;
		}
	}
	if (f)
		fclose(f);
	return "";
}

static void test_proc_tcp(void)
{
	int l = listener("127.0.0.1", 5), l6 = listener("::1", 5),
	    fd = dial("127.0.0.1", port_of(l));
	unsigned long ino = 0;
	unsigned state = 0;
	struct stat st;
	char text[64];

	snprintf(text, sizeof(text), " 0100007F:%04X 00000000:0000 ", port_of(l));
	ok(sscanf(line_of("/proc/net/tcp", text), "%*s %*s %*s %X %*s %*s %*s %*s %*s %lu", &state,
		   &ino) == 2 &&
			state == TCP_LISTEN,
		"/proc/net/tcp shows a listener");
	ok(!fstat(l, &st) && st.st_ino == ino, "with the inode of its socket");
	snprintf(text, sizeof(text), " 0100007F:%04X 0100007F:%04X ", port_of(fd), port_of(l));
	state = 0;
	sscanf(line_of("/proc/self/net/tcp", text), "%*s %*s %*s %X", &state);
	ok(state == TCP_ESTABLISHED, "and a connection");
	snprintf(text, sizeof(text), " 00000000000000000000000001000000:%04X ", port_of(l6));
	ok(*line_of("/proc/net/tcp6", text), "/proc/net/tcp6 shows one of IPv6");
	close(fd);
	close(l);
	close(l6);
}

static void test_proc_rest(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "\0net_netlink test" };
	struct name n = name_of("127.0.0.1", 0);
	int u = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_DGRAM, 0);
	char text[64];

	bind(d, &n.sa, n.len);
	snprintf(text, sizeof(text), " 0100007F:%04X 00000000:0000 07 ", port_of(d));
	ok(*line_of("/proc/net/udp", text), "/proc/net/udp shows a socket");
	bind(u, (struct sockaddr *)&un, 2 + 17);
	listen(u, 1);
	ok(*line_of("/proc/net/unix", " 00000000 00010000 0001 01 ") &&
			*line_of("/proc/net/unix", "@net_netlink test"),
		"/proc/net/unix shows a listener and its name");
	ok(*line_of("/proc/net/dev", "lo:"), "/proc/net/dev lists lo");
	ok(*line_of("/proc/net/if_inet6", "00000000000000000000000000000001 01 80 10 80       lo"),
		"/proc/net/if_inet6 lists ::1");
	ok(*line_of("/proc/net/route", "Iface\tDestination"), "/proc/net/route");
	ok(*line_of("/proc/net/sockstat", "TCP: inuse"), "/proc/net/sockstat");
	ok(*line_of("/sys/class/net/lo/mtu", "65536"), "/sys/class/net/lo/mtu");
	ok(*line_of("/sys/class/net/lo/type", "772"), "/sys/class/net/lo/type");
	ok(*line_of("/proc/sys/net/core/somaxconn", "4096"), "somaxconn");
	ok(*line_of("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999"),
		"ip_local_port_range");
	close(u);
	close(d);
}

int main(void)
{
	test_getifaddrs();
	test_netlink();
	test_ioctls(AF_INET);
	test_ioctls(AF_UNIX);
	test_proc_tcp();
	test_proc_rest();
	return tap_end();
}
