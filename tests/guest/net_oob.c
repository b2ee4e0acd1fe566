/* SPDX-License-Identifier: Apache-2.0 */
/* Urgent data of AF_UNIX streams, as Linux has it since 6.12; older ones differ in what follows a byte that was read. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/un.h>

#include "net_tap.h"
#include "release_tap.h"

#define MSG_NEW linux_before(6, 12) ||

static int s[2];

static void pair(void)
{
	if (s[0] || s[1]) {
		close(s[0]);
		close(s[1]);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) {
		printf("Bail out! no pair\n");
		exit(1);
	}
}

static int put(const char *text, int flags)
{
	ssize_t n = send(s[0], text, strlen(text), flags);

	return n < 0 ? -errno : (int)n;
}

/* What is read at once, "" at the end, "?" when there is nothing, "!" for EINVAL. */
static const char *get(int flags, size_t room)
{
	static char buf[16];
	ssize_t n = recv(s[1], buf, room, flags | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? "?" : errno == EINVAL ? "!" : "error";
	buf[n] = '\0';
	return buf;
}

static bool reads(const char *want)
{
	return !strcmp(get(0, 9), want);
}

static bool urgent(const char *want)
{
	return !strcmp(get(MSG_OOB, 9), want);
}

static int mark(void)
{
	int at = -1;

	return ioctl(s[1], SIOCATMARK, &at) ? -errno : at;
}

static int queued(void)
{
	int n = -1;

	return ioctl(s[1], FIONREAD, &n) ? -errno : n;
}

static int polled(void)
{
	struct pollfd p = { .fd = s[1], .events = POLLIN | POLLPRI };

	poll(&p, 1, 0);
	return p.revents;
}

static volatile sig_atomic_t urgs;

static void on_urg(int sig)
{
	urgs += sig == SIGURG;
}

static void test_byte(void)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	pair();
	ok(urgent("!") && mark() == 0 && polled() == 0, "nothing urgent: EINVAL");
	is(put("", MSG_OOB), -EOPNOTSUPP);
	signal(SIGURG, on_urg);
	fcntl(s[1], F_SETOWN, getpid());
	is(put("abc", MSG_OOB), 3);
	ok(urgs == 1, "SIGURG");
	ok(polled() == (POLLIN | POLLPRI) && mark() == 0 && queued() == 3, "poll sees it");
	ok(!strcmp(get(MSG_OOB | MSG_PEEK, 9), "c"), "a peek");
	ok(recvmsg(s[1], &m, MSG_OOB) == 1 && byte == 'c' && (m.msg_flags & MSG_OOB), "the byte");
	ok(urgent("!"), "is read once");
	ok(MSG_NEW(polled() == POLLIN && queued() == 2), "poll sees the rest");
	ok(reads("ab"), "which is read");
	ok(MSG_NEW(reads("?") && queued() == 0), "and is all");
	put("de", 0);
	ok(MSG_NEW reads("de"), "the stream goes on");
}

static void test_unread(void)
{
	pair();
	put("abc", MSG_OOB);
	put("de", 0);
	ok(queued() == 5 && reads("ab"), "a read stops before the mark");
	ok(mark() == 1, "where it stands");
	ok(reads("de") && urgent("!"), "the next one drops the byte");
	pair();
	put("abc", MSG_OOB);
	ok(!strcmp(get(0, 1), "a") && mark() == 0 && !strcmp(get(0, 1), "b") && mark() == 1,
		"byte by byte");
	ok(MSG_NEW(reads("?") && polled() == 0), "and nothing behind");
	pair();
	put("abc", MSG_OOB);
	close(s[0]);
	ok(reads("ab") && (MSG_NEW reads("")) && (MSG_NEW urgent("!")), "before the end");
	s[0] = dup(s[1]);
	pair();
	put("abc", MSG_OOB);
	ok(!strcmp(get(MSG_WAITALL, 9), "ab"), "MSG_WAITALL");
}

static void test_divides(void)
{
	pair();
	put("abc", MSG_OOB);
	put("de", 0);
	ok(urgent("c") && (MSG_NEW reads("ab")) && (MSG_NEW mark() == 1) && (MSG_NEW reads("de")),
		"a byte that was read divides");
}

static void test_two(void)
{
	pair();
	put("ab", MSG_OOB);
	put("cd", MSG_OOB);
	put("e", 0);
	ok(urgent("d") && (MSG_NEW reads("abc")) && (MSG_NEW reads("e")),
		"the first of two becomes an ordinary one");
	pair();
	put("ab", MSG_OOB);
	put("cd", MSG_OOB);
	put("e", 0);
	ok(reads("abc") && mark() == 1 && reads("e"), "also when none is read");
	pair();
	put("ab", MSG_OOB);
	ok(urgent("b"), "the first is read");
	put("cd", MSG_OOB);
	put("e", 0);
	ok((MSG_NEW reads("ac")) && (MSG_NEW reads("e")) && (MSG_NEW urgent("!")),
		"and the second is not");
}

static void test_inline(void)
{
	pair();
	set_int(s[1], SOL_SOCKET, SO_OOBINLINE, 1);
	put("abc", MSG_OOB);
	put("de", 0);
	ok(urgent("!") && polled() == (POLLIN | POLLPRI), "in line");
	ok(reads("ab") && mark() == 1, "a read stops, too");
	ok((MSG_NEW reads("cde")) && (MSG_NEW polled() == 0), "and goes on with the byte");
}

static void test_peeks(void)
{
	pair();
	put("abc", MSG_OOB);
	put("de", 0);
	ok(!strcmp(get(MSG_PEEK, 9), "ab") && !strcmp(get(0, 2), "ab"),
		"a peek stops before the mark");
	ok((MSG_NEW !strcmp(get(MSG_PEEK, 9), "de")) && mark() == 1 && reads("de"),
		"and there passes over it");
	pair();
	put("a", MSG_OOB);
	ok(mark() == 1 && queued() == 1 && (MSG_NEW !strcmp(get(MSG_PEEK, 9), "?")),
		"one byte alone");
	ok((MSG_NEW reads("?")) && (MSG_NEW polled() == 0), "is dropped");
	pair();
	put("a", MSG_OOB);
	ok(urgent("a") && (MSG_NEW reads("?")) && (MSG_NEW polled() == 0), "or read");
}

static void test_others(void)
{
	static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET };

	for (int i = 0; i < 2; i++) {
		close(s[0]);
		close(s[1]);
		if (socketpair(AF_UNIX, types[i], 0, s))
			return;
		is(put("a", MSG_OOB), -EOPNOTSUPP);
		ok(recv(s[1], &i, 0, MSG_OOB) == -1 && errno == EOPNOTSUPP, "nor is any read");
	}
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_byte();
	test_unread();
	test_divides();
	test_two();
	test_inline();
	test_peeks();
	test_others();
	return tap_end();
}
