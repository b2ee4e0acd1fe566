/* SPDX-License-Identifier: Apache-2.0 */
/* casemate-fsd: reads its inherited descriptors from argv, goes through the jail's stages, serves. */
#include <config.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/fsd/jail.h"
#include "vmm/fsd/server.h"

static const char main_usage[] =
	"usage: casemate-fsd --arena-fd=N --sock-fd=N --kick-fd=N --call-fd=N [--plug-fd=N] --root-fd=N[,ro]\n"
	"                    [option]...\n"
	"       casemate-fsd --plug-fd=N --root-fd=N[,ro] [option]...\n"
	"  --arena-fd=N  sealed memfd of the I/O arena\n"
	"  --sock-fd=N   device socket to the VMM\n"
	"  --kick-fd=N   eventfd: the VMM says that a queue has requests\n"
	"  --call-fd=N   eventfd: told the VMM when the guest wants an interrupt\n"
	"  --plug-fd=N   socket over which images come, and the four where they are not given, and whose\n"
	"                end is the server's\n"
	"  --root-fd=N[,ro]         O_PATH descriptor of the directory to serve; ro: refuse every change\n"
	"  --volume-fd=N[,ro][,rec] the same of a directory or file served besides; rec: with what is\n"
	"                mounted below it; may be given up to 64 times\n"
	"  --log-fd=N    where to complain (default 2)\n"
	"exit status: 0 the VMM or the socket hung up, 1 error\n";

#define MAIN_DEVICE_FDS 4 /* the first of the options: what a device is made of */

struct main_opts {
	int arena, sock, kick, call, plug, log;
	struct fsd_root roots[1 + CM_FSDEV_VOLUMES]; /* 0: the tree */
	unsigned int nroots;
};

static int main_fd(const char *s, int *out)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(s, &end, 10);
	if (*s < '0' || *s > '9' || *end || errno != 0 || v > 1 << 20)
		return -EINVAL;
	*out = (int)v;
	return 0;
}

/* N[,ro][,rec] */
static int main_root(const char *s, struct fsd_root *root)
{
	char number[16];
	size_t len = strcspn(s, ",");

	if (len >= sizeof(number))
		return -EINVAL;
	memcpy(number, s, len);
	number[len] = '\0';
	for (s += len; *s; s += len) {
		len = 1 + strcspn(s + 1, ",");
		if (len == 3 && strncmp(s, ",ro", len) == 0)
			root->readonly = true;
		else if (len == 4 && strncmp(s, ",rec", len) == 0)
			root->recursive = true;
		else
			return -EINVAL;
	}
	return main_fd(number, &root->fd);
}

/* An option that names a root: 0, 1 when it does not, or -errno. */
static int main_parse_root(const char *arg, struct main_opts *o)
{
	static const char root[] = "--root-fd=", volume[] = "--volume-fd=";

	if (strncmp(arg, root, sizeof(root) - 1) == 0)
		return main_root(arg + sizeof(root) - 1, &o->roots[0]);
	if (strncmp(arg, volume, sizeof(volume) - 1) != 0)
		return 1;
	if (o->nroots == 1 + CM_FSDEV_VOLUMES)
		return -E2BIG;
	return main_root(arg + sizeof(volume) - 1, &o->roots[o->nroots++]);
}

static int main_parse(int argc, char **argv, struct main_opts *o, struct cm_err *err)
{
	const struct {
		const char *name;
		int *fd;
	} opts[] = {
		{ "--arena-fd=", &o->arena },
		{ "--sock-fd=", &o->sock },
		{ "--kick-fd=", &o->kick },
		{ "--call-fd=", &o->call },
		{ "--log-fd=", &o->log },
		{ "--plug-fd=", &o->plug },
	};
	const size_t count = sizeof(opts) / sizeof(opts[0]);

	for (int i = 1; i < argc; i++) {
		size_t k = 0;
		int r = main_parse_root(argv[i], o);

		if (r < 0)
			return cm_err_set(err, -r, "'%s'", argv[i]);
		if (r == 0)
			continue;
		while (k < count && strncmp(argv[i], opts[k].name, strlen(opts[k].name)) != 0)
			k++;
		if (k == count)
			return cm_err_set(err, EINVAL, "unknown option '%s'", argv[i]);
		if (main_fd(argv[i] + strlen(opts[k].name), opts[k].fd) < 0)
			return cm_err_set(err, EINVAL, "'%s': not a descriptor", argv[i]);
	}
	for (size_t k = 0; k < MAIN_DEVICE_FDS; k++) {
		if ((*opts[k].fd < 0) != (o->arena < 0) || (o->arena < 0 && o->plug < 0))
			return cm_err_set(err, EINVAL, "%sN is missing", opts[k].name);
	}
	if (o->roots[0].fd < 0)
		return cm_err_set(err, EINVAL, "--root-fd=N is missing");
	return 0;
}

static int main_jail(struct main_opts *o, int *proc_fd, struct cm_err *err)
{
	int keep[6 + 1 + CM_FSDEV_VOLUMES] = { o->arena, o->sock, o->kick, o->call };
	unsigned int n = o->arena < 0 ? 0 : MAIN_DEVICE_FDS;
	int r;

	if (o->plug >= 0)
		keep[n++] = o->plug;
	for (unsigned int i = 0; i < o->nroots; i++)
		keep[n++] = o->roots[i].fd;
	/* The log may be a standard descriptor; the others may not. */
	if (o->log >= 3)
		keep[n++] = o->log;
	r = fsd_jail_inherit(keep, n, o->log, err);
	if (r == 0)
		r = fsd_jail_prepare(proc_fd, err);
	if (r == 0)
		r = fsd_jail_roots(o->roots, o->nroots, err);
	return r;
}

/* Wait for the device: from the sandbox process, which may be trusted. 0, 1 when nobody will bring one, or -errno. */
static int main_plug(struct main_opts *o, struct cm_err *err)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(CM_FSDEV_SERVER_FDS * sizeof(int))];
	} control;
	struct cm_fsdev_plug m;
	struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
	struct msghdr h = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fds[CM_FSDEV_SERVER_FDS];
	const struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(o->plug, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 1;
	c = n == (ssize_t)sizeof(m) ? CMSG_FIRSTHDR(&h) : NULL;
	if (!c || m.version != CM_FSDEV_VERSION || c->cmsg_level != SOL_SOCKET ||
		c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(fds)))
		return cm_err_set(err, EPROTO, "wait for a device");
	memcpy(fds, CMSG_DATA(c), sizeof(fds));
	o->arena = fds[0];
	o->sock = fds[1];
	o->kick = fds[2];
	o->call = fds[3];
	return 0;
}

static int main_serve(const struct main_opts *o, int proc_fd, struct cm_err *err)
{
	static struct fsd_server s;
	struct fsd_config cfg = {
		.roots = o->roots,
		.nroots = o->nroots,
		.proc_fd = proc_fd,
		.dax = &fsd_server_dax,
		.dax_ctx = &s,
		.max_nodes = fsd_jail_max_nodes(),
	};
	int r = fsd_server_map_arena(&s, o->arena);

	if (r < 0)
		return cm_err_set(err, -r, "arena");
	close(o->arena);
	s.sock = o->sock;
	s.plug = o->plug;
	s.kick = o->kick;
	s.call = o->call;
	s.log_fd = o->log;
	r = fsd_engine_create(&cfg, &s.engine);
	if (r == 0)
		r = fsd_server_init(&s);
	if (r < 0)
		return cm_err_set(err, -r, "start");
	r = fsd_jail_rights(o->roots, o->nroots, err);
	if (r == 0)
		r = fsd_jail_filter(err);
	if (r < 0)
		return r;
	r = fsd_server_run(&s);
	return r < 0 ? cm_err_set(err, -r, "serve") : 0;
}

/* #syscalls:fsd exit_group */
int main(int argc, char **argv)
{
	/* The tree brings the mounts below it along. */
	static struct main_opts o = { .arena = -1,
		.sock = -1,
		.kick = -1,
		.call = -1,
		.plug = -1,
		.log = 2,
		.roots = { { .fd = -1, .recursive = true } },
		.nroots = 1 };
	struct cm_err err;
	int proc_fd;
	int r = main_parse(argc, argv, &o, &err);

	if (r < 0 && argc < 2) {
		(void)!write(o.log, main_usage, strlen(main_usage));
		return 1;
	}
	if (r == 0)
		r = main_jail(&o, &proc_fd, &err);
	if (r == 0 && o.arena < 0)
		r = main_plug(&o, &err);
	if (r == 0)
		r = main_serve(&o, proc_fd, &err);
	if (r < 0)
		dprintf(o.log, "casemate-fsd: %s\n", err.msg);
	_exit(r < 0);
}
