/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces: ports, names and a loopback interface of their own. */
#define _GNU_SOURCE
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "net_tap.h"

static int ns_open(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static unsigned long ns_number(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

static int bind_to(const char *host, unsigned port, int type)
{
	struct name n = name_of(host, port);
	int fd = socket(n.sa.sa_family, type | SOCK_CLOEXEC, 0);

	return bind(fd, &n.sa, n.len) ? -errno : fd;
}

static int connect_to(int fd, const char *host, unsigned port)
{
	struct name n = name_of(host, port);

	return connect(fd, &n.sa, n.len) ? -errno : 0;
}

/* connect with a socket of our own. */
static int reach(const char *host, unsigned port)
{
	struct name n = name_of(host, port);
	int fd = socket(n.sa.sa_family, SOCK_STREAM, 0), r = connect_to(fd, host, port);

	close(fd);
	return r;
}

static int lo_flags(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), ret = ioctl(fd, SIOCGIFFLAGS, &r);

	close(fd);
	return ret ? -errno : r.ifr_flags;
}

static int lo_set(int fd, short flags)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = flags };

	return ioctl(fd, SIOCSIFFLAGS, &r) ? -errno : 0;
}

/* RTM_NEWLINK or RTM_NEWADDR about lo: the error of its answer. */
static int nl_request(const void *req, size_t len)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[512];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	long n = send(fd, req, len, 0) < 0 ? -1 : recv(fd, &answer, sizeof(answer), 0);

	close(fd);
	return n < (long)sizeof(answer.h) + 4 || answer.h.nlmsg_type != NLMSG_ERROR
		       ? -999
		       : answer.e.error;
}

static int nl_link(unsigned flags, unsigned change)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg m;
	} req = { .h = { .nlmsg_len = sizeof(req),
			  .nlmsg_type = RTM_NEWLINK,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.m = { .ifi_index = 1, .ifi_flags = flags, .ifi_change = change } };

	return nl_request(&req, sizeof(req));
}

static int nl_address(void)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
		struct rtattr a;
		unsigned char addr[4];
	} req = { .h = { .nlmsg_len = sizeof(req),
			  .nlmsg_type = RTM_NEWADDR,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL },
		.m = { .ifa_family = AF_INET, .ifa_prefixlen = 8, .ifa_index = 1 },
		.a = { .rta_len = RTA_LENGTH(4), .rta_type = IFA_LOCAL },
		.addr = { 127, 0, 0, 1 } };

	return nl_request(&req, sizeof(req));
}

static int lines_of(const char *path)
{
	FILE *f = fopen(path, "r");
	int n = 0, c;

	while (f && (c = fgetc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

static struct sockaddr_un unix_name(const char *name, socklen_t *len)
{
	struct sockaddr_un u = { .sun_family = AF_UNIX };

	/* an @ begins an abstract one */
	strcpy(u.sun_path, name);
	if (name[0] == '@')
		u.sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	return u;
}

static int unix_listen(const char *name)
{
	socklen_t len;
	struct sockaddr_un u = unix_name(name, &len);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return bind(fd, (struct sockaddr *)&u, len) || listen(fd, 5) ? -errno : fd;
}

static int unix_reach(const char *name)
{
	socklen_t len;
	struct sockaddr_un u = unix_name(name, &len);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0),
	    r = connect(fd, (struct sockaddr *)&u, len) ? -errno : 0;

	close(fd);
	return r;
}

static void test_loopback(void)
{
	int fd, a, b;

	is(lo_flags(), IFF_LOOPBACK);
	is(reach("127.0.0.1", 80), -ENETUNREACH);
	is(bind_to("::1", 0, SOCK_STREAM), -EADDRNOTAVAIL);
	fd = bind_to("0.0.0.0", 8080, SOCK_DGRAM);
	ok(fd >= 0, "a wildcard can be bound to");
	is(connect_to(fd, "127.0.0.1", 9), -ENETUNREACH);
	is(lines_of("/proc/self/net/if_inet6"), 0);
	is(nl_address(), 0);
	is(lo_set(fd, IFF_UP), 0);
	is(lo_flags(), IFF_LOOPBACK | IFF_UP | IFF_RUNNING);
	is(lines_of("/proc/self/net/if_inet6"), 1);
	is(reach("127.0.0.1", 80), -ECONNREFUSED);
	is(reach("::1", 80), -ECONNREFUSED);
	is(nl_link(0, IFF_UP), 0);
	is(lo_flags(), IFF_LOOPBACK);
	is(nl_link(IFF_UP, IFF_UP), 0);
	is(lo_flags(), IFF_LOOPBACK | IFF_UP | IFF_RUNNING);
	close(fd);
	a = bind_to("127.0.0.1", 0, SOCK_STREAM);
	listen(a, 5);
	b = socket(AF_INET, SOCK_STREAM, 0);
	is(connect_to(b, "127.0.0.1", port_of(a)), 0);
	is(send(b, "x", 1, 0), 1);
	close(a);
	close(b);
}

static void test_separate(void)
{
	int outside = ns_open(), inside, old, tcp, fd,
	    listener = bind_to("127.0.0.1", 0, SOCK_STREAM);
	unsigned port = port_of(listener);
	int abstract = unix_listen("@casemate-ns-net"), path = unix_listen("/tmp/casemate-ns-net");
	char proc[64], tag[32];
	FILE *f;
	int found = 0, lines = lines_of("/proc/self/net/tcp");

	listen(listener, 5);
	old = socket(AF_INET, SOCK_STREAM, 0);
	is(unshare(CLONE_NEWNET), 0);
	inside = ns_open();
	ok(ns_number(outside) && ns_number(inside) && ns_number(outside) != ns_number(inside),
		"unshare made another one");
	test_loopback();
	is(reach("127.0.0.1", port), -ECONNREFUSED);
	is(connect_to(old, "127.0.0.1", port), 0);
	ok(accept(listener, NULL, NULL) >= 0, "a socket stays where it was made");
	tcp = bind_to("127.0.0.1", port, SOCK_STREAM);
	ok(tcp >= 0 && !listen(tcp, 5), "the same port is free here");
	is(lines_of("/proc/self/net/tcp"), 2);
	is(unix_reach("@casemate-ns-net"), -ECONNREFUSED);
	is(unix_reach("/tmp/casemate-ns-net"), 0);
	fd = unix_listen("@casemate-ns-net");
	ok(fd >= 0, "the same abstract name is free here");
	is(unix_reach("@casemate-ns-net"), 0);
	close(fd);
	is(setns(outside, CLONE_NEWUTS), -EINVAL);
	is(setns(outside, CLONE_NEWNET), 0);
	fd = ns_open();
	ok(ns_number(fd) == ns_number(outside), "setns leads back");
	close(fd);
	is(reach("127.0.0.1", port), 0);
	is(unix_reach("@casemate-ns-net"), 0);
	ok(lines_of("/proc/self/net/tcp") > lines, "and what is listed");
	snprintf(proc, sizeof(proc), "/proc/%d/net/tcp", (int)getpid());
	snprintf(tag, sizeof(tag), ":%04X 00000000:0000 0A", port);
	f = fopen(proc, "r");
	for (char line[256]; f && fgets(line, sizeof(line), f);)
		found += strstr(line, tag) != NULL;
	ok(found == 1, "the listener of the other one is not listed");
	if (f)
		fclose(f);
	unlink("/tmp/casemate-ns-net");
	close(tcp);
	close(old);
	close(inside);
	close(outside);
	close(listener);
	close(abstract);
	close(path);
}

/* An unprivileged user with a network of his own: capabilities count over it, and over no other. */
static int as_user(int outside)
{
	int fd, low = bind_to("0.0.0.0", 80, SOCK_STREAM);

	if (low != -EACCES)
		return 1;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (unshare(CLONE_NEWNET) != -1 || errno != EPERM)
		return 2;
	if (syscall(SYS_clone, CLONE_NEWCGROUP | SIGCHLD, 0, 0, 0, 0) != -1 || errno != EPERM)
		return 8;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return 3;
	if (bind_to("0.0.0.0", 80, SOCK_STREAM) < 0)
		return 4;
	if (lo_set(fd, IFF_UP) != -EPERM || ioctl(fd, SIOCSIFFLAGS, (void *)8) != -1 ||
		errno != EFAULT)
		return 5;
	close(fd);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (lo_set(fd, IFF_UP) || reach("127.0.0.1", 81) != -ECONNREFUSED)
		return 6;
	if (setns(outside, CLONE_NEWNET) != -1 || errno != EPERM)
		return 7;
	return 0;
}

static void test_user(void)
{
	int outside = ns_open(), status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(1000) || setuid(1000))
			_exit(99);
		_exit(as_user(outside));
	}
	waitpid(pid, &status, 0);
	is(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
	close(outside);
}

/* clone: the child has another; its sockets end with it. */
static void test_clone(void)
{
	int status = -1, own = ns_open();
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(ns_number(ns_open()) == ns_number(own) || lo_flags() != IFF_LOOPBACK);
	waitpid(pid, &status, 0);
	is(status, 0);
	close(own);
	for (int i = 0; i < 500; i++) {
		pid = (pid_t)syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);
		if (pid == 0)
			_exit(bind_to("0.0.0.0", 7, SOCK_STREAM) < 0 ||
				socket(AF_NETLINK, SOCK_RAW, 0) < 0);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
			status = 1;
			break;
		}
	}
	is(status, 0);
}

static int mtu(int fd, unsigned long what, int value)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_mtu = value };

	return ioctl(fd, what, &r) ? -errno : r.ifr_mtu;
}

static int mtu_of_peer(void)
{
	struct name n = name_of("127.0.0.1", 9);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), v;

	v = connect(fd, &n.sa, n.len) ? -errno : get_int(fd, IPPROTO_IP, IP_MTU);
	close(fd);
	return v;
}

/* In a namespace of its own: it has its MTU, and so have its connections. */
static int set_mtu(void)
{
	int fd;

	if (unshare(CLONE_NEWNET))
		return 1;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (mtu(fd, SIOCGIFMTU, 0) != 65536 || lo_set(fd, IFF_UP) || mtu_of_peer() != 65535)
		return 2;
	if (mtu(fd, SIOCSIFMTU, -1) != -EINVAL)
		return 3;
	if (mtu(fd, SIOCSIFMTU, 1500) != 1500 || mtu(fd, SIOCGIFMTU, 0) != 1500)
		return 4;
	if (mtu_of_peer() != 1500)
		return 5;
	if (setgid(1000) || setuid(1000) || mtu(fd, SIOCSIFMTU, 2000) != -EPERM)
		return 6;
	return mtu(fd, SIOCGIFMTU, 0) == 1500 ? 0 : 7;
}

static void test_mtu(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), before = mtu(fd, SIOCGIFMTU, 0), status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(set_mtu());
	waitpid(pid, &status, 0);
	is(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
	is(mtu(fd, SIOCGIFMTU, 0), before);
	is(get_int(fd, SOL_SOCKET, SO_NO_CHECK), 0);
	is(set_int(fd, SOL_SOCKET, SO_NO_CHECK, 5), 0);
	is(get_int(fd, SOL_SOCKET, SO_NO_CHECK), 1);
	close(fd);
}

int main(void)
{
	test_separate();
	test_user();
	test_clone();
	test_mtu();
	return tap_end();
}
