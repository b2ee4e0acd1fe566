/* SPDX-License-Identifier: Apache-2.0 */
/* For guest programs about the inet families: addresses, listeners, pairs, and the readiness of a descriptor. */
#ifndef TESTS_GUEST_NET_TAP_H
#define TESTS_GUEST_NET_TAP_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "fs_tap.h"

struct name {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
};

/* A numeric address of either family. */
static inline struct name name_of(const char *host, unsigned port)
{
	struct name n = { .len = sizeof(n.in) };

	n.in.sin_family = AF_INET;
	n.in.sin_port = htons((unsigned short)port);
	if (inet_pton(AF_INET, host, &n.in.sin_addr) == 1)
		return n;
	n.len = sizeof(n.in6);
	memset(&n.in6, 0, sizeof(n.in6));
	n.in6.sin6_family = AF_INET6;
	n.in6.sin6_port = htons((unsigned short)port);
	inet_pton(AF_INET6, host, &n.in6.sin6_addr);
	return n;
}

static inline unsigned port_of(int fd)
{
	struct name n = { .len = sizeof(n.in6) };

	if (getsockname(fd, &n.sa, &n.len))
		return 0;
	return ntohs(n.sa.sa_family == AF_INET ? n.in.sin_port : n.in6.sin6_port);
}

/* "address port" of one side; the port is left out where the system chose it. */
static inline const char *text_of(int fd, int peer)
{
	static char text[80];
	struct name n = { .len = sizeof(n.in6) };
	char host[64] = "?";

	if ((peer ? getpeername : getsockname)(fd, &n.sa, &n.len))
		return "none";
	if (n.sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &n.in.sin_addr, host, sizeof(host));
	else
		inet_ntop(AF_INET6, &n.in6.sin6_addr, host, sizeof(host));
	snprintf(text, sizeof(text), "%s", host);
	return text;
}

static inline void is_text(const char *got, const char *want, const char *what)
{
	char line[200];

	snprintf(line, sizeof(line), "%s: %s", what, got);
	ok(!strcmp(got, want), line);
}

static inline int set_int(int fd, int level, int opt, int v)
{
	return setsockopt(fd, level, opt, &v, sizeof(v));
}

/* The value of an integer option, or -errno. */
static inline int get_int(int fd, int level, int opt)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return getsockopt(fd, level, opt, &v, &len) ? -errno : v;
}

/* What poll says at once. */
static inline int ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI };

	poll(&p, 1, 0);
	return p.revents;
}

/* Waits up to five seconds for any of the events. */
static inline int await(int fd, int events)
{
	struct pollfd p = { .fd = fd, .events = (short)events };

	return poll(&p, 1, 5000) == 1 ? p.revents : 0;
}

static inline int listener(const char *host, int backlog)
{
	struct name n = name_of(host, 0);
	int fd = socket(n.sa.sa_family, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, &n.sa, n.len) || listen(fd, backlog)) {
		printf("Bail out! no listener on %s\n", host);
		exit(1);
	}
	return fd;
}

static inline int dial(const char *host, unsigned port)
{
	struct name n = name_of(host, port);
	int fd = socket(n.sa.sa_family, SOCK_STREAM, 0), err;

	if (!connect(fd, &n.sa, n.len))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* s[0] connected, s[1] accepted. */
static inline void tcp_pair(const char *host, int s[2])
{
	int l = listener(host, 5);

	s[0] = dial(host, port_of(l));
	s[1] = accept(l, NULL, NULL);
	close(l);
	if (s[0] < 0 || s[1] < 0) {
		printf("Bail out! no connection on %s\n", host);
		exit(1);
	}
}

#endif
