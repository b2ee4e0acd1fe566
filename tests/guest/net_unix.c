/* SPDX-License-Identifier: Apache-2.0 */
/* AF_UNIX sockets: streams, datagrams, names, descriptors and credentials in flight, errors. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static socklen_t name_of(struct sockaddr_un *un, const char *path)
{
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	if (*path == '@') {
		memcpy(un->sun_path + 1, path + 1, strlen(path) - 1);
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	}
	snprintf(un->sun_path, sizeof(un->sun_path), "%s", path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

static void test_stream_pair(void)
{
	char buf[64];
	int s[2], n = 0;

	ok(!socketpair(AF_UNIX, SOCK_STREAM, 0, s), "socketpair makes a stream pair");
	ok(write(s[0], "hello", 5) == 5 && write(s[0], "world", 5) == 5, "writes are taken");
	ok(!ioctl(s[1], FIONREAD, &n) && n == 10, "FIONREAD counts what is queued");
	ok(recv(s[1], buf, 3, MSG_PEEK) == 3 && !memcmp(buf, "hel", 3), "MSG_PEEK leaves the data");
	ok(recv(s[1], buf, 7, MSG_PEEK) == 7 && !memcmp(buf, "hellowo", 7) &&
			recv(s[1], buf, sizeof(buf), MSG_PEEK) == 10 &&
			!memcmp(buf, "helloworld", 10),
		"a peek joins two writes");
	ok(read(s[1], buf, sizeof(buf)) == 10 && !memcmp(buf, "helloworld", 10),
		"a read joins two writes");
	ok(recv(s[1], buf, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN,
		"an empty stream gives EAGAIN");
	ok(!shutdown(s[0], SHUT_WR) && read(s[1], buf, 1) == 0, "shutdown gives end of file");
	ok(write(s[1], "x", 1) == 1 && read(s[0], buf, 1) == 1, "the other direction stays open");
	close(s[1]);
	ok(send(s[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE,
		"a write without reader gives EPIPE");
	close(s[0]);
}

/* What is written to an end that was closed is lost: EPIPE, whether something was written before or not. */
static void test_gone(int type)
{
	char c = 0;
	int s[2];

	if (socketpair(AF_UNIX, type, 0, s))
		return;
	close(s[1]);
	ok(send(s[0], &c, 1, MSG_NOSIGNAL) == -1 && errno == EPIPE, "a closed peer gives EPIPE");
	ok(write(s[0], "xyz", 3) == -1 && errno == EPIPE, "once more");
	close(s[0]);
}

static void test_reset(void)
{
	struct pollfd pf;
	socklen_t len = sizeof(int);
	int s[2], err = 0;
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		return;
	ok(write(s[0], "x", 1) == 1, "data for a peer that never reads");
	close(s[1]);
	ok(read(s[0], &c, 1) == -1 && errno == ECONNRESET, "gives ECONNRESET when it closes");
	ok(read(s[0], &c, 1) == 0, "and end of file after that");
	close(s[0]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		return;
	ok(write(s[0], "x", 1) == 1 && !close(s[1]), "the same once more");
	pf = (struct pollfd){ s[0], POLLIN | POLLOUT, 0 };
	ok(poll(&pf, 1, 0) == 1 && pf.revents == (POLLIN | POLLOUT | POLLERR | POLLHUP),
		"poll tells of a reset");
	ok(!getsockopt(s[0], SOL_SOCKET, SO_ERROR, &err, &len) && err == ECONNRESET,
		"so does SO_ERROR");
	ok(!getsockopt(s[0], SOL_SOCKET, SO_ERROR, &err, &len) && err == 0, "and takes it");
	ok(poll(&pf, 1, 0) == 1 && pf.revents == (POLLIN | POLLOUT | POLLHUP),
		"poll tells of the end alone");
	ok(read(s[0], &c, 1) == 0, "and read finds it");
	close(s[0]);
}

static void test_dgram_pair(void)
{
	char buf[64];
	int s[2];

	ok(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s), "socketpair makes a datagram pair");
	ok(send(s[0], "one", 3, 0) == 3 && send(s[0], "three", 5, 0) == 5, "datagrams are taken");
	ok(recv(s[1], buf, 2, MSG_TRUNC) == 3, "MSG_TRUNC tells the whole length");
	ok(recv(s[1], buf, sizeof(buf), 0) == 5, "boundaries are kept");
	ok(send(s[0], "", 0, 0) == 0 && recv(s[1], buf, sizeof(buf), 0) == 0,
		"an empty datagram arrives");
	close(s[0]);
	close(s[1]);
	ok(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), "socketpair makes a packet pair");
	ok(send(s[0], "ab", 2, 0) == 2 && send(s[0], "cd", 2, 0) == 2 &&
			recv(s[1], buf, 64, 0) == 2,
		"packets keep their boundaries");
	close(s[0]);
	ok(recv(s[1], buf, 64, 0) == 2 && recv(s[1], buf, 64, 0) == 0, "then comes the end");
	close(s[1]);
}

static void serve(const char *path)
{
	struct sockaddr_un un, peer;
	socklen_t len = name_of(&un, path), plen = sizeof(peer);
	struct ucred cred = { 0 };
	socklen_t clen = sizeof(cred);
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c, a, c2;
	char buf[8];

	ok(connect(l, (struct sockaddr *)&un, len) == -1 &&
			(errno == ENOENT || errno == ECONNREFUSED),
		"connecting to nobody fails");
	ok(!bind(l, (struct sockaddr *)&un, len), "bind");
	c2 = socket(AF_UNIX, SOCK_STREAM, 0);
	ok(bind(c2, (struct sockaddr *)&un, len) == -1 && errno == EADDRINUSE,
		"the name is taken: EADDRINUSE");
	ok(connect(c2, (struct sockaddr *)&un, len) == -1 && errno == ECONNREFUSED,
		"not listening: ECONNREFUSED");
	ok(!listen(l, 5), "listen");
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	ok(!connect(c, (struct sockaddr *)&un, len), "connect before accept");
	ok(write(c, "early", 5) == 5, "data may be sent before accept");
	a = accept4(l, (struct sockaddr *)&peer, &plen, SOCK_CLOEXEC);
	ok(a >= 0 && plen == sizeof(sa_family_t), "accept; the client has no name");
	ok(read(a, buf, sizeof(buf)) == 5, "the early data arrives");
	ok(!getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &clen) && cred.pid == getpid() &&
			cred.uid == getuid(),
		"SO_PEERCRED names the listener");
	plen = sizeof(peer);
	ok(!getpeername(c, (struct sockaddr *)&peer, &plen) && plen == len &&
			!memcmp(&peer, &un, len),
		"getpeername gives the server's name");
	ok(connect(c, (struct sockaddr *)&un, len) == -1 && errno == EISCONN,
		"a second connect gives EISCONN");
	close(c2);
	close(c);
	close(a);
	close(l);
}

static void test_names(void)
{
	struct stat st;

	unlink("net_unix.sock");
	serve("net_unix.sock");
	ok(!stat("net_unix.sock", &st) && S_ISSOCK(st.st_mode),
		"the socket's file stays after close");
	unlink("net_unix.sock");
	serve("@net_unix_abstract");
}

static void test_rights(void)
{
	char control[CMSG_SPACE(sizeof(int))], data = 'd', buf[8];
	struct iovec iov = { &data, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int s[2], p[2], fd = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) || pipe(p))
		return;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &p[1], sizeof(int));
	ok(sendmsg(s[0], &m, 0) == 1, "a descriptor is sent");
	close(p[1]);
	memset(control, 0, sizeof(control));
	m.msg_controllen = sizeof(control);
	ok(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC) == 1 && m.msg_controllen == CMSG_SPACE(sizeof(int)),
		"and received with its message");
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	ok(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC), "MSG_CMSG_CLOEXEC sets the flag");
	ok(m.msg_flags == MSG_CMSG_CLOEXEC, "and comes back");
	ok(write(fd, "x", 1) == 1 && read(p[0], buf, 1) == 1, "it is the same pipe");
	close(fd);
	ok(read(p[0], buf, 1) == 0, "closing it closes the last writer");
	close(p[0]);
	close(s[0]);
	close(s[1]);
}

static void test_cred(void)
{
	char control[CMSG_SPACE(sizeof(struct ucred))], data;
	struct iovec iov = { &data, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct ucred u = { 0 };
	struct cmsghdr *c;
	int s[2], on = 1;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, s))
		return;
	ok(!setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), "SO_PASSCRED");
	ok(send(s[0], "x", 1, 0) == 1 && recvmsg(s[1], &m, 0) == 1, "a plain message");
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_CREDENTIALS)
		memcpy(&u, CMSG_DATA(c), sizeof(u));
	ok(u.pid == getpid() && u.uid == getuid() && u.gid == getgid(),
		"carries the sender's credentials");
	close(s[0]);
	close(s[1]);
}

static void test_blocking(void)
{
	static char block[65536];
	struct pollfd pfd;
	long total = 0;
	int s[2], status;
	ssize_t n;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		return;
	while ((n = send(s[0], block, sizeof(block), MSG_DONTWAIT)) > 0)
		total += n;
	ok(n == -1 && errno == EAGAIN && total > 0, "a full stream gives EAGAIN");
	pfd = (struct pollfd){ .fd = s[0], .events = POLLOUT };
	ok(poll(&pfd, 1, 0) == 0, "poll says that it is full");
	pid = fork();
	if (pid == 0) {
		close(s[0]);
		while ((n = read(s[1], block, sizeof(block))) > 0)
			total -= n;
		_exit(total == -1000000 ? 0 : 1);
	}
	close(s[1]);
	for (int left = 1000000; left > 0; left -= (int)n) {
		n = write(s[0], block, (size_t)(left < 65536 ? left : 65536));
		if (n <= 0)
			break;
	}
	close(s[0]);
	ok(waitpid(pid, &status, 0) == pid && status == 0,
		"a blocking writer and a reader move 1 MB");
}

static void test_poll_hup(void)
{
	struct pollfd pfd;
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		return;
	pfd = (struct pollfd){ .fd = s[0], .events = POLLIN | POLLOUT | POLLRDHUP };
	ok(poll(&pfd, 1, 0) == 1 && pfd.revents == POLLOUT, "an idle stream is writable");
	close(s[1]);
	ok(poll(&pfd, 1, 0) == 1 && pfd.revents == (POLLIN | POLLOUT | POLLHUP | POLLRDHUP),
		"a closed peer is POLLHUP");
	close(s[0]);
}

/* Control data of another level is of no interest to AF_UNIX, and does not come out at the other end, whoever sent it. */
static void test_other_level(void)
{
	union {
		char room[CMSG_SPACE(12) + CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char c = 'x';
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	struct cmsghdr *h;
	int s[2], status = -1;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, s))
		return;
	if (!fork()) {
		memset(&control, 0, sizeof(control));
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = 0; /* IPPROTO_IP */
		h->cmsg_type = 8;
		h->cmsg_len = CMSG_LEN(12);
		h = CMSG_NXTHDR(&m, h);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &s[0], sizeof(int));
		_exit(sendmsg(s[0], &m, 0) != 1);
	}
	wait(&status);
	ok(status == 0, "control data of another level is passed over");
	memset(&control, 0, sizeof(control));
	ok(recvmsg(s[1], &m, 0) == 1, "the message arrives");
	h = CMSG_FIRSTHDR(&m);
	ok(h && h->cmsg_type == SCM_RIGHTS && !CMSG_NXTHDR(&m, h) && !(m.msg_flags & MSG_CTRUNC),
		"with the descriptor alone");
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_stream_pair();
	signal(SIGPIPE, SIG_IGN);
	test_gone(SOCK_STREAM);
	test_gone(SOCK_SEQPACKET);
	signal(SIGPIPE, SIG_DFL);
	test_reset();
	test_dgram_pair();
	test_names();
	test_rights();
	test_cred();
	test_other_level();
	test_blocking();
	test_poll_hup();
	ok(socket(AF_UNIX, 77, 0) == -1 && (errno == ESOCKTNOSUPPORT || errno == EINVAL),
		"a wrong type is refused");
	ok(send(1, "x", 1, 0) == -1 && (errno == ENOTSOCK), "a file is no socket: ENOTSOCK");
	return tap_end();
}
