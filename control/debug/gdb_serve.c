/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command `gdb`: waits for one gdb, serves it until it leaves, the VM ends or a signal comes. Where gdb connects: a UNIX socket (0600), a TCP port
 * of the loopback interface (anyone on this host may connect to it, the first one is taken), or, with "-", standard input and output.
 */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "control/debug/cmds.h"
#include "control/debug/gdb.h"

#define SERVE_HOLD_MS 300 /* that a step with the other vCPUs standing may take */
#define SERVE_IDLE_MS 1000 /* between two looks at whether a process is still there */
#define SERVE_SEND_MS 10000 /* that gdb may take to read an answer */
#define MONITOR_WORDS 32

struct serve_args {
	uint32_t pid;
	const char *where; /* NULL: a socket beside the sandbox's own */
};

/* ---- what both targets use */

static void serve_lost(struct gdb *g)
{
	if (g->in >= 0)
		close(g->in);
	if (g->out >= 0 && g->out != g->in)
		close(g->out);
	g->in = g->out = -1;
}

void gdb_send(struct gdb *g, const void *p, size_t len)
{
	while (len > 0 && g->out >= 0) {
		struct pollfd ready = { .fd = g->out, .events = POLLOUT };
		ssize_t n;

		if (poll(&ready, 1, SERVE_SEND_MS) <= 0) {
			serve_lost(g);
			return;
		}
		n = write(g->out, p, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			serve_lost(g);
		else if (n > 0) {
			p = (const char *)p + n;
			len -= (size_t)n;
		}
	}
}

/* Console commands write to stdout; here that is a text for gdb. */
char *gdb_monitor(struct gdb *g, const char *line)
{
	char *copy = strdup(line), *text = NULL, *argv[MONITOR_WORDS];
	struct cm_err err = { 0 };
	FILE *keep = stdout, *f;
	size_t len;
	int argc;

	f = copy ? open_memstream(&text, &len) : NULL;
	if (!f) {
		free(copy);
		return NULL;
	}
	stdout = f;
	argc = session_split(copy, argv, MONITOR_WORDS);
	if (argc < 0)
		fprintf(f, "too many words, or a quote is open\n");
	else if (argc > 0 && strcmp(argv[0], "gdb") == 0)
		fprintf(f, "gdb: there is one already\n");
	else if (argc > 0 && session_run(g->s, argc, argv, &err) < 0)
		fprintf(f, "%s\n", err.msg);
	stdout = keep;
	fclose(f);
	free(copy);
	return text;
}

static int serve_read_memory(void *arg, uint64_t gpa, void *buf, size_t len)
{
	return dbg_read_phys(arg, gpa, buf, len);
}

/* ---- listening */

static int listen_unix(const char *path, struct cm_err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(a.sun_path))
		return cm_err_set(err, ENAMETOOLONG, "listen for gdb on '%s'", path);
	memcpy(a.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cm_err_set(err, errno, "listen for gdb");
	fchmod(fd, 0600); /* the file of bind gets this mode */
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0) {
		close(fd);
		return cm_err_set(err, errno, "listen for gdb on '%s'", path);
	}
	return fd;
}

static int listen_port(uint16_t port, struct cm_err *err)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return cm_err_set(err, errno, "listen for gdb");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0) {
		close(fd);
		return cm_err_set(err, errno, "listen for gdb on port %u", port);
	}
	return fd;
}

/* Wait for one of two descriptors: 0 = the signal, 1 = the other. */
static int serve_wait(int signals, int fd)
{
	struct pollfd p[2] = { { .fd = signals, .events = POLLIN },
		{ .fd = fd, .events = POLLIN } };

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	return p[0].revents ? 0 : 1;
}

/* gdb's connection in g->in and g->out: 1, 0 when a signal came first, or -errno. */
static int serve_accept(struct gdb *g, const char *where, int signals, struct cm_err *err)
{
	char *end;
	unsigned long port = strtoul(where, &end, 10);
	bool tcp = end != where && !*end;
	cleanup_fd int fd = -1;
	int on = 1, got;

	if (strcmp(where, "-") == 0) {
		g->in = dup(STDIN_FILENO);
		g->out = dup(STDOUT_FILENO);
		return 1;
	}
	if (tcp && (port == 0 || port > 65535))
		return cm_err_set(err, 0, "port '%s': not between 1 and 65535", where);
	fd = tcp ? listen_port((uint16_t)port, err) : listen_unix(where, err);
	if (fd < 0)
		return fd;
	fprintf(stderr, "casemate debug: waiting for gdb: target remote %s%s\n", tcp ? ":" : "",
		where);
	got = serve_wait(signals, fd);
	if (got) {
		g->in = g->out = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (g->in < 0)
			got = cm_err_set(err, errno, "accept gdb's connection");
		else if (tcp)
			setsockopt(g->in, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	if (!tcp)
		unlink(where);
	return got;
}

/* ---- serving */

/* The machine or the process is gone. */
static void serve_end(struct gdb *g)
{
	rsp_exited(&g->rsp, 0);
	serve_lost(g);
}

static bool serve_machine(struct gdb *g, const struct gdb_target *target, void *state)
{
	int r = machine_event(&g->m);
	bool some = r > 0;

	if (r > 0)
		r = target->event(state);
	if (r < 0)
		serve_end(g);
	return some;
}

static void serve_timeout(struct gdb *g, const struct gdb_target *target, void *state)
{
	int r = g->m.holding ? machine_unhold(&g->m) : 0;

	if (r == 0 && g->m.event)
		r = target->event(state);
	else if (r == 0 && target->idle)
		r = target->idle(state);
	if (r < 0)
		serve_end(g);
}

static void serve_gdb(struct gdb *g)
{
	char buf[4096];
	ssize_t n = read(g->in, buf, sizeof(buf));

	if (n > 0)
		rsp_input(&g->rsp, buf, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		serve_lost(g);
	if (g->rsp.detached)
		serve_lost(g);
}

/* How long to wait for gdb or the machine: for ever, unless it runs and may do so in vain. */
static int serve_patience(const struct gdb *g, const struct gdb_target *target)
{
	if (!g->rsp.running)
		return -1;
	if (g->m.holding)
		return SERVE_HOLD_MS;
	return target->idle ? SERVE_IDLE_MS : -1;
}

static void serve_loop(struct gdb *g, const struct gdb_target *target, void *state, int signals)
{
	while (g->in >= 0) {
		struct pollfd p[] = {
			{ .fd = signals, .events = POLLIN },
			{ .fd = g->in, .events = POLLIN },
			{ .fd = -1, .events = POLLIN },
		};
		bool some = false;
		int r;

		/* Stop events may have come with a reply, that to going on from the last one, too. */
		if (!g->m.event && g->rsp.running)
			some = serve_machine(g, target, state);
		if (g->in < 0)
			return;
		p[2].fd = g->rsp.running ? dbg_fd(g->m.d) : -1;
		r = poll(p, 3, some ? 0 : serve_patience(g, target));
		if ((r < 0 && errno != EINTR) || p[0].revents)
			return;
		if (r == 0 && !some)
			serve_timeout(g, target, state);
		else if (r > 0 && p[1].revents)
			serve_gdb(g);
	}
}

static int serve(struct gdb *g, int signals, struct cm_err *err)
{
	const struct gdb_target *target = g->pid ? &gdb_target_task : &gdb_target_vm;
	struct rsp_stop stop;
	void *state;
	int r = machine_start(&g->m, err);

	if (r < 0)
		return r;
	state = target->open(g, &stop, err);
	if (!state)
		return -err->code;
	rsp_init(&g->rsp, &target->ops, state, &stop);
	serve_loop(g, target, state, signals);
	target->close(state);
	return 0;
}

static int serve_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int serve_parse(struct serve_args *a, int argc, char **argv, struct cm_err *err)
{
	uint64_t pid;
	int i, r;

	*a = (struct serve_args){ 0 };
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-p") == 0) {
			if (++i == argc)
				return cm_err_set(err, 0, "gdb: -p needs a process id");
			r = cmd_number("process id", argv[i], INT32_MAX, &pid, err);
			if (r == 0 && pid == 0)
				r = cm_err_set(err, 0, "process id '0': there is none");
			if (r < 0)
				return r;
			a->pid = (uint32_t)pid;
		} else if (a->where || (argv[i][0] == '-' && argv[i][1])) {
			return cm_err_set(err, 0, "gdb: unexpected argument '%s'", argv[i]);
		} else {
			a->where = argv[i];
		}
	}
	return 0;
}

/* The guest's memory through gdb's own connection, so that the vCPUs stand while it is read. */
static struct guest *serve_guest(struct session *s, struct dbg *d, struct cm_err *err)
{
	const struct guest *theirs = session_guest(s, err);
	struct guest *g = theirs ? malloc(sizeof(*g)) : NULL;

	if (!g) {
		if (theirs)
			cm_err_set(err, ENOMEM, "gdb");
		return NULL;
	}
	*g = *theirs;
	g->read = serve_read_memory;
	g->arg = d;
	guest_forget(g);
	return g;
}

static int serve_attach(struct gdb *g, const struct serve_args *a, int signals, struct cm_err *err)
{
	cleanup_free char *own = NULL;
	int r;

	if (!a->where && asprintf(&own, "%s/%s/gdb.sock", g->s->root, g->s->id) < 0)
		return cm_err_set(err, ENOMEM, "gdb");
	g->m.d = dbg_attach(g->s->root, g->s->id, err);
	if (!g->m.d)
		return -1;
	g->m.guest = serve_guest(g->s, g->m.d, err);
	if (!g->m.guest)
		return -1;
	r = serve_accept(g, a->where ? a->where : own, signals, err);
	return r > 0 ? serve(g, signals, err) : r;
}

static int serve_all(struct session *s, const struct serve_args *a, struct cm_err *err)
{
	struct gdb *g = calloc(1, sizeof(*g));
	cleanup_fd int signals = serve_signals();
	int r = -1;

	if (!g || signals < 0) {
		cm_err_set(err, errno, "gdb");
	} else {
		g->s = s;
		g->pid = a->pid;
		g->in = g->out = -1;
		r = serve_attach(g, a, signals, err);
		serve_lost(g);
		free(g->m.guest);
		dbg_close(g->m.d);
	}
	free(g);
	return r;
}

json_t *cmd_gdb_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct serve_args a;

	if (serve_parse(&a, argc, argv, err) < 0 || serve_all(s, &a, err) < 0)
		return NULL;
	return json_null();
}
