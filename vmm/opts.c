/* SPDX-License-Identifier: Apache-2.0 */
/* Command line of casemate-vmm: one table of options, each `--name` or `--name=value`. */
#include <config.h>
#include "vmm/opts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <casemate/guestmem.h>

#define OPTS_CMDLINE_MAX 4096

const char opts_usage[] =
	"usage: casemate-vmm --memory=BYTES [option]...\n"
	"  --memory=BYTES[K|M|G]  guest memory, a multiple of 2M\n"
	"  --cpus=N               virtual CPUs (default 1)\n"
	"  --cmdline=TEXT         command line of the guest kernel\n"
	"  --kvm-fd=N             open /dev/kvm (default: open it here)\n"
	"  --arena-fd=N           sealed memfd of the I/O arena\n"
	"  --vsock-fd=N           listening socket of the vsock device\n"
	"  --vsock-dir-fd=N       directory for connections that the guest opens\n"
	"  --fs=TAG,sock=N,kick=N,call=N   one virtio-fs device (repeatable)\n"
	"  --plug-fd=N            spare file devices; socket that brings servers for them\n"
	"  --log-fd=N             guest log and reports (default 2)\n"
	"  --ready-fd=N           closed when the guest runs\n"
	"  --debug-fd=N           socket that hands over connections of debuggers\n"
	"  --hold-on-panic        keep a guest that died until a debugger lets it go\n"
	"  --hold-while-debugged  the same, for as long as a debugger is connected\n"
	"  --trace-exits          count VM exits, print them at the end\n"
	"  --probe                print what this host's KVM offers and costs\n"
	"  --machine=pc           (first) another machine, with options of its own; then --help\n"
#ifdef CM_DEVEL
	"  --guest-image=FILE     boot this kernel (developer builds)\n"
#endif
	"exit status: 0 power off, 1 start error, 2 guest panic or crash, 3 failure of the VMM,\n"
	"4 the parent hung up\n";

static int opts_number(const char *name, const char *s, uint64_t max, uint64_t *out, char **end,
	struct cm_err *err)
{
	errno = 0;
	if (*s < '0' || *s > '9')
		return cm_err_set(err, 0, "--%s='%s': not a number", name, s);
	*out = strtoull(s, end, 10);
	if (errno != 0 || *out > max)
		return cm_err_set(
			err, 0, "--%s='%s': larger than %llu", name, s, (unsigned long long)max);
	return 0;
}

static int opts_plain(
	const char *name, const char *s, uint64_t max, uint64_t *out, struct cm_err *err)
{
	char *end;
	int r = opts_number(name, s, max, out, &end, err);

	if (r < 0)
		return r;
	if (*end)
		return cm_err_set(err, 0, "--%s='%s': junk after the number", name, s);
	return 0;
}

static int opts_fd(const char *name, const char *s, int *out, struct cm_err *err)
{
	uint64_t v;
	int r = opts_plain(name, s, 1 << 20, &v, err);

	if (r < 0)
		return r;
	*out = (int)v;
	return 0;
}

static int opts_memory(const char *s, struct opts *o, struct cm_err *err)
{
	static const char units[] = "KMG";
	uint64_t v;
	char *end;
	int r = opts_number("memory", s, UINT64_MAX, &v, &end, err);

	if (r < 0)
		return r;
	if (*end) {
		const char *u = strchr(units, *end);
		unsigned shift;

		if (!u || end[1])
			return cm_err_set(err, 0, "--memory='%s': junk after the number", s);
		shift = 10 * (unsigned)(u - units + 1);
		if (v > UINT64_MAX >> shift)
			return cm_err_set(err, 0, "--memory='%s': too large", s);
		v <<= shift;
	}
	if (v < CM_RAM_MIN || v > CM_RAM_MAX)
		return cm_err_set(err, 0, "--memory='%s': must be %lu to %lu MiB", s,
			CM_RAM_MIN >> 20, CM_RAM_MAX >> 20);
	if (v % (2u << 20) != 0)
		return cm_err_set(err, 0, "--memory='%s': not a multiple of 2 MiB", s);
	o->memory = v;
	return 0;
}

static int opts_cpus(const char *s, struct opts *o, struct cm_err *err)
{
	uint64_t v;
	int r = opts_plain("cpus", s, OPTS_CPUS_MAX, &v, err);

	if (r < 0)
		return r;
	if (v == 0)
		return cm_err_set(err, 0, "--cpus='%s': at least 1", s);
	o->cpus = (unsigned)v;
	return 0;
}

/* TAG,sock=N,kick=N,call=N in this order; the tag may hold anything but a comma. */
static int opts_fs(const char *s, struct opts *o, struct cm_err *err)
{
	struct opts_fs *fs = &o->fs[o->nfs];
	struct {
		const char *key;
		int *fd;
	} part[] = { { ",sock=", &fs->sock }, { ",kick=", &fs->kick }, { ",call=", &fs->call } };
	size_t tag = strcspn(s, ",");
	const char *at = s + tag;
	size_t i;

	if (o->nfs == OPTS_FS_MAX)
		return cm_err_set(err, 0, "--fs='%s': more than %d devices", s, OPTS_FS_MAX);
	if (tag == 0 || tag > OPTS_TAG_MAX)
		return cm_err_set(err, 0, "--fs='%s': tag of %zu bytes", s, tag);
	memcpy(fs->tag, s, tag);
	for (i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		size_t len = strlen(part[i].key);
		uint64_t v;
		char *end;

		if (strncmp(at, part[i].key, len) != 0)
			return cm_err_set(err, 0, "--fs='%s': expected '%s'", s, part[i].key);
		if (opts_number("fs", at + len, 1 << 20, &v, &end, err) < 0)
			return -err->code;
		*part[i].fd = (int)v;
		at = end;
	}
	if (*at)
		return cm_err_set(err, 0, "--fs='%s': junk at the end", s);
	o->nfs++;
	return 0;
}

static int opts_text(const char *name, const char *s, const char **out, struct cm_err *err)
{
	if (strlen(s) >= OPTS_CMDLINE_MAX)
		return cm_err_set(err, 0, "--%s: longer than %d bytes", name, OPTS_CMDLINE_MAX);
	*out = s;
	return 0;
}

static int opts_guest_image(const char *s, struct opts *o, struct cm_err *err)
{
#ifdef CM_DEVEL
	return opts_text("guest-image", s, &o->guest_image, err);
#else
	return cm_err_set(err, 0, "--guest-image='%s': not a developer build", s);
#endif
}

static int opts_value(struct opts *o, const char *name, const char *value, struct cm_err *err)
{
	struct {
		const char *name;
		int *fd;
	} fds[] = {
		{ "kvm-fd", &o->kvm_fd },
		{ "arena-fd", &o->arena_fd },
		{ "vsock-fd", &o->vsock_fd },
		{ "log-fd", &o->log_fd },
		{ "vsock-dir-fd", &o->vsock_dir_fd },
		{ "ready-fd", &o->ready_fd },
		{ "debug-fd", &o->debug_fd },
		{ "plug-fd", &o->plug_fd },
	};
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (strcmp(name, fds[i].name) == 0)
			return opts_fd(name, value, fds[i].fd, err);
	}
	if (strcmp(name, "memory") == 0)
		return opts_memory(value, o, err);
	if (strcmp(name, "cpus") == 0)
		return opts_cpus(value, o, err);
	if (strcmp(name, "fs") == 0)
		return opts_fs(value, o, err);
	if (strcmp(name, "cmdline") == 0)
		return opts_text(name, value, &o->cmdline, err);
	if (strcmp(name, "guest-image") == 0)
		return opts_guest_image(value, o, err);
	return cm_err_set(err, 0, "unknown option '--%s=%s'", name, value);
}

static int opts_flag(struct opts *o, const char *name, struct cm_err *err)
{
	if (strcmp(name, "trace-exits") == 0)
		o->trace_exits = true;
	else if (strcmp(name, "hold-on-panic") == 0)
		o->hold_on_panic = true;
	else if (strcmp(name, "hold-while-debugged") == 0)
		o->hold_on_panic = o->hold_debugged = true;
	else if (strcmp(name, "probe") == 0)
		o->probe = true;
	else if (strcmp(name, "help") == 0)
		o->help = true;
	else
		return cm_err_set(err, 0, "unknown option '--%s' or missing value", name);
	return 0;
}

static int opts_one(struct opts *o, const char *arg, struct cm_err *err)
{
	const char *eq = strchr(arg, '=');
	char name[32];
	size_t len;

	if (strncmp(arg, "--", 2) != 0)
		return cm_err_set(err, 0, "unexpected argument '%s'", arg);
	arg += 2;
	if (!eq)
		return opts_flag(o, arg, err);
	len = (size_t)(eq - arg);
	if (len >= sizeof(name))
		return cm_err_set(err, 0, "unknown option '--%s'", arg);
	memcpy(name, arg, len);
	name[len] = '\0';
	return opts_value(o, name, eq + 1, err);
}

int opts_parse(struct opts *o, int argc, char **argv, struct cm_err *err)
{
	int i, r;

	*o = (struct opts){
		.kvm_fd = -1,
		.arena_fd = -1,
		.vsock_fd = -1,
		.vsock_dir_fd = -1,
		.log_fd = 2,
		.ready_fd = -1,
		.debug_fd = -1,
		.plug_fd = -1,
		.cpus = 1,
		.cmdline = "",
	};
	for (i = 1; i < argc; i++) {
		r = opts_one(o, argv[i], err);
		if (r < 0)
			return r;
	}
	if (o->memory == 0 && !o->probe && !o->help)
		return cm_err_set(err, 0, "--memory=BYTES is missing");
	if ((o->nfs > 0 || o->plug_fd >= 0) && o->arena_fd < 0)
		return cm_err_set(err, 0, "--fs and --plug-fd need --arena-fd");
	if (o->plug_fd >= 0 && o->nfs > 1)
		return cm_err_set(err, 0, "--plug-fd: with one --fs only");
	if (o->hold_on_panic && o->debug_fd < 0)
		return cm_err_set(
			err, 0, "--hold-on-panic and --hold-while-debugged need --debug-fd");
	return 0;
}
