/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals: line editing, echo, signals, raw mode, job control, hang-up. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <termios.h>

#include "fs_tap.h"

static char buf[8192];
static int master, slave;

static void open_pair(void)
{
	char name[32];
	int n, unlock = 0;

	if (access("/dev/pts/ptmx", F_OK) < 0) {
		mkdir("/dev/pts", 0755);
		mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666,mode=620");
	}
	master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (master < 0)
		master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY);
	if (ioctl(master, TIOCGPTN, &n) || ioctl(master, TIOCSPTLCK, &unlock))
		perror("ptmx");
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	slave = open(name, O_RDWR | O_NOCTTY);
}

static void close_pair(void)
{
	close(slave);
	close(master);
}

static void type(const char *text)
{
	size_t n = strlen(text);

	if (write(master, text, n) != (ssize_t)n)
		ok(false, "typing");
}

/* What the master shows: it has time for as many bytes as are wanted, more are looked for a moment. */
static const char *screen(size_t want)
{
	struct pollfd f = { master, POLLIN, 0 };
	size_t n = 0;

	while (n < sizeof(buf) - 1 && poll(&f, 1, n < want ? 5000 : 20) == 1 &&
		(f.revents & POLLIN)) {
		ssize_t got = read(master, buf + n, sizeof(buf) - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	buf[n] = 0;
	return buf;
}

static void shows(const char *want, const char *text)
{
	const char *got = screen(strlen(want));

	if (strcmp(got, want)) {
		printf("# got: ");
		for (; *got; got++)
			printf(*got < ' ' || *got == 127 ? "<%02x>" : "%c", *got);
		printf("\n");
		got = "";
		ok(false, text);
		return;
	}
	ok(true, text);
}

static void reads(const char *want, const char *text)
{
	char line[5000];
	ssize_t n = read(slave, line, sizeof(line));

	ok(n == (ssize_t)strlen(want) && !memcmp(line, want, (size_t)n), text);
}

static void test_canonical(void)
{
	struct pollfd f;
	int n;

	open_pair();
	ok(isatty(slave) && isatty(master), "both ends are terminals");
	f = (struct pollfd){ slave, POLLIN, 0 };
	type("abd");
	is(poll(&f, 1, 20), 0);
	type("\177c\n");
	shows("abd\b \bc\r\n", "echo with an erased character");
	is(ioctl(slave, FIONREAD, &n), 0);
	is(n, 4);
	reads("abc\n", "the edited line");
	type("one two  three\027\025x\nsecond\n");
	shows("one two  three\b \b\b \b\b \b\b \b\b \b\b \b\b \b\b \b\b \b\b \b\b \b\b \b\b \b\b \bx\r\nsecond\r\n",
		"word and line kill");
	reads("x\n", "first line");
	reads("second\n", "second line");
	type("par\004");
	shows("par", "end of file is not echoed");
	reads("par", "a partial line by ^D");
	type("\004");
	reads("", "end of file");
	type("\026\003\n");
	shows("^\b^C\r\n", "a literal control character");
	reads("\003\n", "it is read");
	is(write(slave, "out\tput\n", 8), 8);
	shows("out\tput\r\n", "newline becomes return, newline");
	close_pair();
}

static void test_raw(void)
{
	struct termios t, old;
	char c[10];

	open_pair();
	is(tcgetattr(slave, &old), 0);
	t = old;
	cfmakeraw(&t);
	t.c_cc[VMIN] = 3;
	t.c_cc[VTIME] = 0;
	is(tcsetattr(slave, TCSANOW, &t), 0);
	type("\003\r\n");
	reads("\003\r\n", "raw bytes");
	shows("", "nothing is echoed");
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 1;
	is(tcsetattr(slave, TCSANOW, &t), 0);
	is(read(slave, c, 10), 0);
	type("z");
	is(read(slave, c, 10), 1);
	t.c_cc[VMIN] = 5;
	is(tcsetattr(slave, TCSANOW, &t), 0);
	type("ab");
	is(read(slave, c, 10), 2);
	is(fcntl(slave, F_SETFL, O_NONBLOCK), 0);
	is(read(slave, c, 10), -EAGAIN);
	is(write(slave, "x\n", 2), 2);
	shows("x\n", "no output processing");
	close_pair();
}

static volatile sig_atomic_t got_int, got_winch, got_hup;

static void on_signal(int sig)
{
	if (sig == SIGINT)
		got_int = 1;
	else if (sig == SIGWINCH)
		got_winch = 1;
	else if (sig == SIGHUP)
		got_hup = 1;
}

/* In a session of its own on the slave. The exit status tells which step failed. */
static void job_leader(int report)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int pgrp = 0, status;
	pid_t pid;
	char c;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGWINCH, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	close(master);
	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0))
		_exit(1);
	if (tcgetpgrp(slave) != getpid() || tcgetsid(slave) != getpid())
		_exit(2);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		_exit(read(slave, &c, 1) == 1 ? 0 : 9);
	}
	setpgid(pid, pid);
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status) ||
		WSTOPSIG(status) != SIGTTIN)
		_exit(3);
	if (tcsetpgrp(slave, pid) || ioctl(slave, TIOCGPGRP, &pgrp) || pgrp != pid)
		_exit(4);
	kill(pid, SIGCONT);
	if (write(report, "1", 1) != 1 || waitpid(pid, &status, 0) != pid || status)
		_exit(5);
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(slave, getpid()))
		_exit(6);
	if (write(report, "2", 1) != 1)
		_exit(7);
	while (!got_int || !got_winch)
		usleep(1000);
	if (open("/dev/tty", O_RDWR) < 0)
		_exit(8);
	if (write(report, "3", 1) != 1)
		_exit(10);
	while (!got_hup)
		usleep(1000);
	_exit(read(slave, &c, 1) == 0 && write(slave, "x", 1) < 0 && errno == EIO ? 0 : 11);
}

static void test_jobs(void)
{
	struct winsize w = { 10, 20, 0, 0 };
	int p[2], status;
	char c;
	pid_t pid;

	open_pair();
	is(pipe(p), 0);
	pid = fork();
	if (!pid)
		job_leader(p[1]);
	close(p[1]);
	is(read(p[0], &c, 1), 1);
	type("k\n");
	is(read(p[0], &c, 1), 1);
	type("\003");
	is(ioctl(master, TIOCSWINSZ, &w), 0);
	is(read(p[0], &c, 1), 1);
	close(slave);
	close(master);
	waitpid(pid, &status, 0);
	is(status, 0);
	close(p[0]);
}

static void test_ends(void)
{
	struct pollfd f;
	char c;

	open_pair();
	is(write(slave, "bye", 3), 3);
	close(slave);
	f = (struct pollfd){ master, POLLIN, 0 };
	is(poll(&f, 1, 1000), 1);
	ok((f.revents & (POLLIN | POLLHUP)) == (POLLIN | POLLHUP), "data and hang-up");
	shows("bye", "what was written before the slave went");
	is(read(master, &c, 1), -EIO);
	close(master);
	open_pair();
	close(master);
	is(read(slave, &c, 1), 0);
	is(write(slave, "x", 1), -EIO);
	close(slave);
}

int main(void)
{
	signal(SIGHUP, SIG_IGN);
	test_canonical();
	test_raw();
	test_jobs();
	test_ends();
	return tap_end();
}
