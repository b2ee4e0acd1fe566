/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for casemate-vmm and casemate-fsd in tests of the control side: speaks the vsock socket's convention and the guest
 * protocol, and runs the program as an ordinary child on the host. So the life of a container is tested without KVM, and misbehaviour
 * of a guest can be ordered: the guest command line (--guest-cmdline) says how.
 *
 *   hang       never answer       die        end before answering       garbage    send no frames but noise
 *   badexit    send an exit event before the program started             bigframe   claim a frame of 4 GiB
 *   abi        another ABI version in HELLO                              nohello    answer START first
 * and, when the program runs:
 *   reset      end the control connection and live on                    noise      send no frame
 *   half       send half a frame, and nothing any more                   replay     answer START once more
 *   hangup     as reset, when asked to signal                            undying    take a SIGKILL, and nothing ends
 *   unasked    answer what was never asked                               othertype  answer a signal as if it were something else
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "casemate/abi_version.h"
#include "casemate/rpc.h"

#define STREAMS 4

static int stream_fd[STREAMS + 1]; /* by token */
static pid_t child;

static void fail(const char *what)
{
	dprintf(2, "fake-vmm: %s: %s\n", what, strerror(errno));
	_exit(3);
}

static void get(int fd, void *p, size_t n)
{
	char *c = p;

	while (n > 0) {
		ssize_t r = read(fd, c, n);

		if (r <= 0)
			_exit(r < 0 ? 3 : 0);
		c += r;
		n -= (size_t)r;
	}
}

static void put(int fd, const void *p, size_t n)
{
	if (send(fd, p, n, MSG_NOSIGNAL) != (ssize_t)n)
		fail("send");
}

/* "CONNECT <port>\n" -> the port, answered with OK. */
static unsigned accept_port(int fd)
{
	char line[32] = { 0 };
	unsigned port;

	for (size_t i = 0; i + 1 < sizeof(line); i++) {
		get(fd, line + i, 1);
		if (line[i] == '\n')
			break;
	}
	if (sscanf(line, "CONNECT %u", &port) != 1)
		fail("CONNECT");
	put(fd, "OK 5\n", 5);
	return port;
}

static void reply(int fd, const struct cm_rpc_hdr *q, int error, const void *p, size_t n)
{
	struct cm_rpc_hdr h = { .magic = CM_RPC_MAGIC, .version = CM_RPC_VERSION };

	h.type = q ? q->type | CM_RPC_REPLY : CM_RPC_EXITED;
	h.id = q ? q->id : 0;
	h.len = (uint32_t)n;
	h.error = error;
	put(fd, &h, sizeof(h));
	if (n > 0)
		put(fd, p, n);
}

static void accept_stream(int listener)
{
	struct cm_rpc_stream_hello h;
	int fd = accept(listener, NULL, NULL);

	if (fd < 0 || accept_port(fd) != CM_RPC_PORT_STREAM)
		fail("stream");
	get(fd, &h, sizeof(h));
	if (h.magic != CM_RPC_STREAM_MAGIC || h.token == 0 || h.token > STREAMS)
		fail("stream header");
	stream_fd[h.token] = fd;
}

static void run_child(const struct cm_rpc_start *s, char **argv, char **envp, const char *cwd)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 3; i++) {
		int fd = s->token[i] ? stream_fd[s->token[i]] : open("/dev/null", O_RDWR);

		dup2(fd, i);
	}
	for (int i = 3; i < 256; i++)
		close(i);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir(cwd) < 0)
		_exit(126);
	execve(argv[0], argv, envp);
	_exit(127);
}

/* The strings that follow the fixed part, in the order of rpc.h. */
static void start(int fd, int listener, const struct cm_rpc_hdr *q, char *body)
{
	struct cm_rpc_started started = { .pid = 1 };
	struct cm_rpc_error e = { .stage = CM_RPC_STAGE_LOOKUP };
	struct cm_rpc_start s;
	char **argv, **envp, *cwd = NULL, *p;

	memcpy(&s, body, sizeof(s));
	p = body + sizeof(s) + s.nrlimits * sizeof(struct cm_rpc_rlimit) +
	    s.nmounts * sizeof(struct cm_rpc_mount) + s.ngroups * sizeof(uint32_t);
	/* cwd is the fifth; three more of no use here. */
	for (int i = 0; i < 8; i++, p += strlen(p) + 1)
		cwd = i == 4 ? p : cwd;
	argv = calloc(s.argc + 1, sizeof(*argv));
	envp = calloc(s.envc + 1, sizeof(*envp));
	for (unsigned i = 0; i < s.argc; i++, p += strlen(p) + 1)
		argv[i] = p;
	for (unsigned i = 0; i < s.envc; i++, p += strlen(p) + 1)
		envp[i] = p;
	for (int i = 0; i < 3; i++) {
		while (s.token[i] && !stream_fd[s.token[i]])
			accept_stream(listener);
	}
	if (access(argv[0], X_OK) < 0) {
		reply(fd, q, errno, &e, sizeof(e));
		return;
	}
	child = fork();
	if (child == 0)
		run_child(&s, argv, envp, cwd);
	for (int i = 1; i <= STREAMS; i++) {
		if (stream_fd[i] > 0)
			close(stream_fd[i]);
	}
	reply(fd, q, 0, &started, sizeof(started));
}

/* The program runs: what a guest does then that breaks the connection. */
static void misbehave_later(int fd, const struct cm_rpc_hdr *q, const char *mode)
{
	struct cm_rpc_started started = { .pid = 1 };
	struct cm_rpc_hdr other = *q;

	if (strcmp(mode, "replay") == 0)
		reply(fd, q, 0, &started, sizeof(started));
	other.id += 5;
	if (strcmp(mode, "unasked") == 0)
		reply(fd, &other, 0, &started, sizeof(started));
	if (strcmp(mode, "noise") == 0)
		put(fd, "this is not a frame of the protocol at all\n", 43);
	other.magic = CM_RPC_MAGIC;
	other.type |= CM_RPC_REPLY;
	if (strcmp(mode, "half") == 0)
		put(fd, &other, sizeof(other) / 2);
	if (strcmp(mode, "reset") == 0)
		close(fd);
	if (strcmp(mode, "half") == 0 || strcmp(mode, "reset") == 0)
		pause();
}

static void serve_frame(int fd, int listener, const char *mode)
{
	struct cm_rpc_hdr q;
	static char body[CM_RPC_PAYLOAD_MAX + 1];
	struct cm_rpc_hello hello = { CM_RPC_VERSION, CM_ABI_VERSION, 0, 0 };
	struct cm_rpc_signal sig;

	get(fd, &q, sizeof(q));
	if (q.magic != CM_RPC_MAGIC || q.len > CM_RPC_PAYLOAD_MAX)
		fail("frame");
	get(fd, body, q.len);
	switch (q.type) {
	case CM_RPC_HELLO:
		hello.abi += strcmp(mode, "abi") == 0;
		if (strcmp(mode, "nohello") != 0)
			reply(fd, &q, 0, &hello, sizeof(hello));
		break;
	case CM_RPC_START:
		start(fd, listener, &q, body);
		misbehave_later(fd, &q, mode);
		break;
	case CM_RPC_SIGNAL:
		memcpy(&sig, body, sizeof(sig));
		if (strcmp(mode, "hangup") == 0) {
			close(fd);
			pause();
		}
		if (strcmp(mode, "othertype") == 0)
			q.type = CM_RPC_WINSIZE;
		if (strcmp(mode, "undying") == 0 && sig.signo == SIGKILL)
			sig.signo = 0;
		reply(fd, &q, kill(child, sig.signo) < 0 ? errno : 0, NULL, 0);
		break;
	default:
		reply(fd, &q, ENOSYS, NULL, 0);
		break;
	}
}

static void misbehave(int fd, const char *mode)
{
	struct cm_rpc_exited ex = { .container = 1, .status = 0 };
	struct cm_rpc_hdr h = { .magic = CM_RPC_MAGIC, .version = CM_RPC_VERSION };

	if (strcmp(mode, "garbage") == 0) {
		put(fd, "this is not a frame of the protocol at all\n", 43);
	} else if (strcmp(mode, "badexit") == 0) {
		reply(fd, NULL, 0, &ex, sizeof(ex));
	} else if (strcmp(mode, "bigframe") == 0) {
		h.type = CM_RPC_START | CM_RPC_REPLY;
		h.id = 2;
		h.len = 0xffffffff;
		put(fd, &h, sizeof(h));
	} else if (strcmp(mode, "hang") == 0) {
		pause();
	}
}

/* Only there to interrupt poll. */
static void child_ended(int signo)
{
}

/* The child's end becomes the exit event. */
static void serve(int fd, int listener, const char *mode)
{
	struct sigaction wake = { .sa_handler = child_ended };

	sigaction(SIGCHLD, &wake, NULL);
	for (;;) {
		struct pollfd p[2] = { { fd, POLLIN, 0 }, { listener, POLLIN, 0 } };
		struct cm_rpc_exited ex = { .container = 1, .pid = 1 };
		int status;

		if (poll(p, 2, child > 0 ? 20 : -1) < 0)
			p[0].revents = p[1].revents = 0;
		if (p[1].revents)
			accept_stream(listener);
		if (p[0].revents)
			serve_frame(fd, listener, mode);
		if (child > 0 && waitpid(child, &status, WNOHANG) == child) {
			child = 0;
			ex.status = status;
			reply(fd, NULL, 0, &ex, sizeof(ex));
		}
	}
}

int main(int argc, char **argv)
{
	const char *mode = "";
	int listener = -1, fd;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--vsock-fd=", 11) == 0)
			listener = (int)strtol(argv[i] + 11, NULL, 10);
		if (strncmp(argv[i], "--cmdline=", 10) == 0)
			mode = argv[i] + 10;
	}
	if (listener < 0) /* the file server: serves nothing, lives as long as it is let */
		return pause();
	if (strcmp(mode, "die") == 0) {
		dprintf(2, "fake-vmm: told to die\n");
		return 3;
	}
	fcntl(listener, F_SETFL, 0);
	fd = accept(listener, NULL, NULL);
	if (fd < 0 || accept_port(fd) != CM_RPC_PORT_CONTROL)
		fail("control connection");
	misbehave(fd, mode);
	serve(fd, listener, mode);
	return 0;
}
