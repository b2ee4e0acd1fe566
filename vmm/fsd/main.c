/* SPDX-License-Identifier: Apache-2.0 */
/* casemate-fsd: reads its inherited descriptors from argv, goes through the jail's stages, serves. */
#include <config.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/fsd/jail.h"
#include "vmm/fsd/server.h"

static const char main_usage[] =
	"usage: casemate-fsd --arena-fd=N --sock-fd=N --kick-fd=N --call-fd=N --root-fd=N [option]...\n"
	"  --arena-fd=N  sealed memfd of the I/O arena\n"
	"  --sock-fd=N   device socket to the VMM\n"
	"  --kick-fd=N   eventfd: the VMM says that a queue has requests\n"
	"  --call-fd=N   eventfd: told the VMM when the guest wants an interrupt\n"
	"  --root-fd=N   O_PATH descriptor of the directory to serve\n"
	"  --readonly    refuse every change\n"
	"  --log-fd=N    where to complain (default 2)\n"
	"exit status: 0 the VMM hung up, 1 error\n";

struct main_opts {
	int arena, sock, kick, call, root, log;
	bool readonly;
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
		{ "--root-fd=", &o->root },
		{ "--log-fd=", &o->log },
	};
	const size_t count = sizeof(opts) / sizeof(opts[0]);

	for (int i = 1; i < argc; i++) {
		size_t k = 0;

		if (strcmp(argv[i], "--readonly") == 0) {
			o->readonly = true;
			continue;
		}
		while (k < count && strncmp(argv[i], opts[k].name, strlen(opts[k].name)) != 0)
			k++;
		if (k == count)
			return cm_err_set(err, EINVAL, "unknown option '%s'", argv[i]);
		if (main_fd(argv[i] + strlen(opts[k].name), opts[k].fd) < 0)
			return cm_err_set(err, EINVAL, "'%s': not a descriptor", argv[i]);
	}
	for (size_t k = 0; k < count; k++) {
		if (*opts[k].fd < 0)
			return cm_err_set(err, EINVAL, "%sN is missing", opts[k].name);
	}
	return 0;
}

static int main_jail(struct main_opts *o, int *proc_fd, struct cm_err *err)
{
	const int keep[] = { o->arena, o->sock, o->kick, o->call, o->root, o->log };
	/* The log may be a standard descriptor; the others may not. */
	unsigned int n = o->log < 3 ? 5 : 6;
	int r = fsd_jail_inherit(keep, n, o->log, err);

	if (r == 0)
		r = fsd_jail_prepare(proc_fd, err);
	if (r == 0)
		r = fsd_jail_tree(&o->root, o->readonly, err);
	return r;
}

static int main_serve(const struct main_opts *o, int proc_fd, struct cm_err *err)
{
	static struct fsd_server s;
	struct fsd_config cfg = {
		.root_fd = o->root,
		.proc_fd = proc_fd,
		.readonly = o->readonly,
		.dax = &fsd_server_dax,
		.dax_ctx = &s,
		.max_nodes = fsd_jail_max_nodes(),
	};
	int r = fsd_server_map_arena(&s, o->arena);

	if (r < 0)
		return cm_err_set(err, -r, "arena");
	close(o->arena);
	s.sock = o->sock;
	s.kick = o->kick;
	s.call = o->call;
	s.log_fd = o->log;
	r = fsd_engine_create(&cfg, &s.engine);
	if (r == 0)
		r = fsd_server_init(&s);
	if (r < 0)
		return cm_err_set(err, -r, "start");
	r = fsd_jail_rights(o->root, o->readonly, err);
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
	struct main_opts o = {
		.arena = -1, .sock = -1, .kick = -1, .call = -1, .root = -1, .log = 2
	};
	struct cm_err err;
	int proc_fd;
	int r = main_parse(argc, argv, &o, &err);

	if (r < 0 && argc < 2) {
		(void)!write(o.log, main_usage, strlen(main_usage));
		return 1;
	}
	if (r == 0)
		r = main_jail(&o, &proc_fd, &err);
	if (r == 0)
		r = main_serve(&o, proc_fd, &err);
	if (r < 0)
		dprintf(o.log, "casemate-fsd: %s\n", err.msg);
	_exit(r < 0);
}
