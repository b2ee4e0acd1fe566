/* SPDX-License-Identifier: Apache-2.0 */
/* O_ASYNC: SIGIO, or what F_SETSIG chose, to the owner of a pipe, socket, terminal or inotify descriptor; who may be sent it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#include "net_tap.h"

#define RT (SIGRTMIN + 3)

/* The next of our signals within ms: its number; 0 = none. */
static int next_signal(siginfo_t *info, int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGURG);
	sigaddset(&set, RT);
	memset(info, 0, sizeof(*info));
	do
		sig = sigtimedwait(&set, info, &ts);
	while (sig < 0 && errno == EINTR);
	return sig < 0 ? 0 : sig;
}

/* "signal code band" of the next one; si_fd must be fd where there is one. */
static const char *told(int fd)
{
	static char text[80];
	siginfo_t info;
	int sig = next_signal(&info, 1000);

	if (!sig)
		return "none";
	if (sig == RT)
		snprintf(text, sizeof(text), "rt %d %#lx%s", info.si_code,
			(unsigned long)info.si_band, info.si_fd == fd ? "" : " other fd");
	else
		snprintf(text, sizeof(text), "%s %s", sig == SIGIO ? "io" : "urg",
			info.si_code == SI_KERNEL ? "kernel" : "?");
	return text;
}

static bool quiet(void)
{
	siginfo_t info;

	return next_signal(&info, 30) == 0;
}

static void drain(void)
{
	while (!quiet())
		;
}

static void async(int fd, int sig)
{
	is(fcntl(fd, F_SETOWN, getpid()), 0);
	is(fcntl(fd, F_SETSIG, sig), 0);
	is(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC), 0);
	ok(fcntl(fd, F_GETFL) & O_ASYNC, "F_GETFL shows O_ASYNC");
}

static void test_pipe(void)
{
	char buf[8192];
	int p[2];

	is(pipe(p), 0);
	async(p[0], 0);
	is(write(p[1], "a", 1), 1);
	is_text(told(p[0]), "io kernel", "a pipe, plain");
	is(fcntl(p[0], F_SETSIG, RT), 0);
	is(write(p[1], "b", 1), 1);
	is_text(told(p[0]), "rt 1 0x41", "a pipe that is not empty");
	is(fcntl(p[0], F_SETSIG, SIGIO), 0);
	is(write(p[1], "b", 1), 1);
	is_text(told(p[0]), "io ?", "SIGIO by F_SETSIG has a code");
	is(fcntl(p[0], F_SETSIG, RT), 0);
	ok(quiet(), "no more than that");
	async(p[1], RT);
	is(read(p[0], buf, 2), 2);
	is_text(told(p[1]), "rt 2 0x304", "the writing end");
	is(fcntl(p[1], F_SETFL, 0), 0);
	is(read(p[0], buf, 1), 1);
	ok(quiet(), "O_ASYNC taken away");
	close(p[1]);
	is_text(told(p[0]), "rt 1 0x41", "the last writer goes");
	ok(quiet(), "once");
	close(p[0]);
	is(pipe(p), 0);
	async(p[1], RT);
	close(p[0]);
	is_text(told(p[1]), "rt 2 0x304", "the last reader goes");
	close(p[1]);
	is(pipe(p), 0);
	async(p[0], RT);
	close(p[0]);
	ok(quiet(), "a closed end tells nothing");
	close(p[1]);
}

static void test_ioctl(void)
{
	int p[2], one = 1, zero = 0, e = eventfd(0, 0), r;
	unsigned long v = 1;

	is(pipe(p), 0);
	is(fcntl(p[0], F_SETOWN, getpid()), 0);
	is(fcntl(p[0], F_SETSIG, RT), 0);
	is(ioctl(p[0], FIOASYNC, &one), 0);
	is(write(p[1], "a", 1), 1);
	is_text(told(p[0]), "rt 1 0x41", "FIOASYNC");
	is(ioctl(p[0], FIOASYNC, &zero), 0);
	is(write(p[1], "a", 1), 1);
	ok(quiet(), "and off");
	close(p[0]);
	close(p[1]);

	is(ioctl(e, FIOASYNC, &one), -ENOTTY);
	is(ioctl(e, FIOASYNC, &zero), 0);
	is(fcntl(e, F_SETFL, O_ASYNC), 0);
	ok(!(fcntl(e, F_GETFL) & O_ASYNC), "an eventfd does not take the flag");
	is(fcntl(e, F_SETOWN, getpid()), 0);
	is(write(e, &v, 8), 8);
	ok(quiet(), "an eventfd sends no signals");
	close(e);
	r = open("/dev/null", O_RDWR | O_ASYNC);
	ok(r >= 0 && (fcntl(r, F_GETFL) & O_ASYNC), "a file may be opened so");
	is(ioctl(r, FIOASYNC, &zero), -ENOTTY);
	close(r);
}

static void test_unix(int type, const char *what)
{
	char line[80], buf[8];
	int s[2];

	is(socketpair(AF_UNIX, type, 0, s), 0);
	async(s[0], RT);
	is(send(s[1], "a", 1, 0), 1);
	snprintf(line, sizeof(line), "%s: data", what);
	is_text(told(s[0]), "rt 1 0x41", line);
	is(send(s[1], "b", 1, 0), 1);
	is_text(told(s[0]), "rt 1 0x41", line);
	is(recv(s[0], buf, 1, 0), 1);
	is(send(s[0], "c", 1, 0), 1);
	is(recv(s[1], buf, 1, 0), 1);
	ok(quiet(), "room that nobody asked for is not told");
	if (type != SOCK_DGRAM) {
		is(shutdown(s[1], SHUT_WR), 0);
		snprintf(line, sizeof(line), "%s: half shut", what);
		is_text(told(s[0]), "rt 1 0x41", line);
		close(s[1]);
		snprintf(line, sizeof(line), "%s: closed", what);
		is_text(told(s[0]), "rt 6 0x18", line);
	} else {
		close(s[1]);
	}
	ok(quiet(), "no more than that");
	close(s[0]);
}

static void test_unix_room(void)
{
	static char buf[65536];
	int s[2];

	is(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s), 0);
	async(s[0], RT);
	while (send(s[0], buf, sizeof(buf), 0) > 0)
		;
	ok(errno == EAGAIN, "it is full");
	ok(quiet(), "a full socket is quiet");
	while (recv(s[1], buf, sizeof(buf), 0) > 0)
		;
	is_text(told(s[0]), "rt 2 0x304", "there is room again");
	ok(quiet(), "told once");
	close(s[0]);
	close(s[1]);
}

static void test_tcp(void)
{
	char buf[8];
	int s[2];

	tcp_pair("127.0.0.1", s);
	async(s[1], RT);
	is(send(s[0], "a", 1, 0), 1);
	is_text(told(s[1]), "rt 1 0x41", "TCP: data");
	is(recv(s[1], buf, 1, 0), 1);
	is(send(s[0], "U", 1, MSG_OOB), 1);
	is_text(told(s[1]), "urg kernel", "TCP: urgent data");
	is_text(told(s[1]), "rt 5 0x82", "TCP: urgent data by F_SETSIG");
	is_text(told(s[1]), "rt 1 0x41", "TCP: urgent data is data");
	drain(); /* Linux tells the last more than once */
	is(recv(s[1], buf, 1, MSG_OOB), 1);
	is(shutdown(s[0], SHUT_WR), 0);
	is_text(told(s[1]), "rt 1 0x41", "TCP: the other end sends no more");
	drain();
	is(shutdown(s[1], SHUT_WR), 0);
	close(s[0]);
	close(s[1]);
	drain();
}

static void test_tcp_room(void)
{
	static char buf[1 << 20];
	long sent = 0, n;
	int s[2];

	tcp_pair("127.0.0.1", s);
	async(s[0], RT);
	fcntl(s[0], F_SETFL, O_NONBLOCK | O_ASYNC);
	while ((n = send(s[0], buf, sizeof(buf), 0)) > 0)
		sent += n;
	ok(errno == EAGAIN, "it is full");
	while (sent > 0) {
		n = recv(s[1], buf, sizeof(buf), 0);
		sent -= n;
	}
	is_text(told(s[0]), "rt 2 0x304", "TCP: there is room again");
	close(s[0]);
	close(s[1]);
	drain();
}

static void test_listener(void)
{
	int l = listener("127.0.0.1", 5), c;

	async(l, RT);
	c = dial("127.0.0.1", port_of(l));
	is_text(told(l), "rt 1 0x41", "a listener has a connection");
	close(c);
	close(l);
	drain();
}

static void test_udp(void)
{
	struct name n = name_of("127.0.0.1", 0);
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);

	is(bind(a, &n.sa, n.len), 0);
	n = name_of("127.0.0.1", port_of(a));
	async(a, RT);
	is(sendto(b, "x", 1, 0, &n.sa, n.len), 1);
	is_text(told(a), "rt 1 0x41", "UDP: a datagram");
	ok(quiet(), "no more than that");
	close(a);
	close(b);
}

static void test_tty(void)
{
	struct termios t;
	char buf[8];
	int m, s;

	is(openpty(&m, &s, NULL, NULL, NULL), 0);
	tcgetattr(s, &t);
	cfmakeraw(&t);
	tcsetattr(s, TCSANOW, &t);
	async(s, RT);
	is(write(m, "a", 1), 1);
	is_text(told(s), "rt 1 0x41", "a terminal: input");
	is(read(s, buf, 8), 1);
	close(s);
	close(m);
	drain();
}

static void test_inotify(void)
{
	int i = inotify_init1(0), f;

	is(inotify_add_watch(i, ".", IN_CREATE) > 0, 1);
	async(i, RT);
	f = open("new", O_CREAT | O_RDWR, 0600);
	is_text(told(i), "rt 1 0x41", "inotify: an event");
	close(f);
	close(i);
	unlink("new");
}

/* Owners that are a thread, a process, a group. */
static void test_owners(void)
{
	struct f_owner_ex ex = { F_OWNER_TID, (int)syscall(SYS_gettid) };
	int p[2], up[2], status;
	siginfo_t info;
	pid_t child;
	char c;

	is(pipe(p), 0);
	is(pipe(up), 0);
	is(fcntl(p[0], F_SETSIG, RT), 0);
	is(fcntl(p[0], F_SETFL, O_ASYNC), 0);
	is(write(p[1], "a", 1), 1);
	ok(quiet(), "a pipe has no owner at first");
	is(fcntl(p[0], F_SETOWN_EX, &ex), 0);
	is(write(p[1], "a", 1), 1);
	is_text(told(p[0]), "rt 1 0x41", "to a thread");
	child = fork();
	if (!child) {
		setpgid(0, 0);
		if (write(up[1], "r", 1) != 1)
			_exit(9);
		_exit(next_signal(&info, 3000) == RT && info.si_fd == p[0] ? 0 : 1);
	}
	is(read(up[0], &c, 1), 1);
	is(fcntl(p[0], F_SETOWN, -child), 0);
	is(write(p[1], "a", 1), 1);
	is(waitpid(child, &status, 0), child);
	is(status, 0);
	ok(quiet(), "to a group, nobody else");
	close(p[0]);
	close(p[1]);
	close(up[0]);
	close(up[1]);
}

/* Who set the owner must be one who may signal it. */
static void test_permission(void)
{
	int p[2], down[2], status;
	pid_t child;
	char c;

	is(pipe(p), 0);
	is(pipe(down), 0);
	child = fork();
	if (!child) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(1);
		if (fcntl(p[0], F_SETOWN, getppid()) || fcntl(p[0], F_SETSIG, RT) ||
			fcntl(p[0], F_SETFL, O_ASYNC))
			_exit(2);
		if (write(p[1], "a", 1) != 1)
			_exit(3);
		_exit(read(down[0], &c, 1) == 1 ? 0 : 4);
	}
	ok(quiet(), "a user's file tells a process of root nothing");
	is(fcntl(p[0], F_SETOWN, getpid()), 0);
	is(write(p[1], "a", 1), 1);
	is_text(told(p[0]), "rt 1 0x41", "until root itself becomes the owner");
	is(write(down[1], "x", 1), 1);
	is(waitpid(child, &status, 0), child);
	is(status, 0);
	close(p[0]);
	close(p[1]);
	close(down[0]);
	close(down[1]);
}

int main(void)
{
	sigset_t set;

	scratch();
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGURG);
	sigaddset(&set, RT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	test_pipe();
	test_ioctl();
	test_unix(SOCK_STREAM, "stream");
	test_unix(SOCK_SEQPACKET, "seqpacket");
	test_unix(SOCK_DGRAM, "dgram");
	test_unix_room();
	test_tcp();
	test_tcp_room();
	test_listener();
	test_udp();
	test_tty();
	test_inotify();
	test_owners();
	test_permission();
	return tap_end();
}
