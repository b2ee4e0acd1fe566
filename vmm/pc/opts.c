/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the PC: `--name=value`, or a plain word; two tables. */
#include <config.h>
#include "vmm/pc/opts.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <casemate/pcmachine.h>

#include "vmm/pc/firmware.h"

const char pc_opts_usage[] =
	"usage: casemate-vmm --machine=pc --memory=BYTES --image-fd=N [option]...\n"
	"  --cpus=N --timeout-ms=N --cmdline=TEXT --image-name=TEXT --cpu=MODEL,FEATURES\n"
	"  --format=auto|flat16|flat32 --irqchip=auto|full|split\n"
	"  --virtio=console|rng --blk-fd=N --blk-readonly --vsock-fd=N --vsock-dir-fd=N\n"
	"  --kvm-fd=N --module-fd=N --console-fd=N --input-fd=N --log-fd=N --result-fd=N\n"
	"  --core-fd=N --trace --edu --iommu\n";

enum pc_kind {
	KIND_NUMBER,
	KIND_NUMBER64,
	KIND_FD,
	KIND_TEXT,
	KIND_FLAG
};

#define AT(member) offsetof(struct pc_opts, member)

static const struct pc_option {
	const char *name;
	enum pc_kind kind;
	size_t at;
	uint64_t min, max;
} pc_options[] = {
	{ "memory", KIND_NUMBER64, AT(memory), 2 * CM_PC_RAM_MIN, CM_PC_RAM_MAX },
	{ "cpus", KIND_NUMBER, AT(cpus), 1, PC_CPUS_MAX },
	{ "timeout-ms", KIND_NUMBER, AT(timeout_ms), 0, UINT32_MAX },
	{ "cmdline", KIND_TEXT, AT(cmdline), 0, PC_CMDLINE_MAX - 1 },
	{ "image-name", KIND_TEXT, AT(image_name), 0, 255 },
	{ "cpu", KIND_TEXT, AT(cpu), 0, 512 },
	{ "kvm-fd", KIND_FD, AT(vmm.kvm_fd), 0, 0 },
	{ "log-fd", KIND_FD, AT(vmm.log_fd), 0, 0 },
	{ "vsock-fd", KIND_FD, AT(vmm.vsock_fd), 0, 0 },
	{ "vsock-dir-fd", KIND_FD, AT(vmm.vsock_dir_fd), 0, 0 },
	{ "image-fd", KIND_FD, AT(image_fd), 0, 0 },
	{ "module-fd", KIND_FD, AT(module_fd), 0, 0 },
	{ "console-fd", KIND_FD, AT(console_fd), 0, 0 },
	{ "input-fd", KIND_FD, AT(input_fd), 0, 0 },
	{ "result-fd", KIND_FD, AT(result_fd), 0, 0 },
	{ "core-fd", KIND_FD, AT(core_fd), 0, 0 },
	{ "blk-fd", KIND_FD, AT(blk_fd), 0, 0 },
	{ "trace", KIND_FLAG, AT(trace), 0, 0 },
	{ "edu", KIND_FLAG, AT(edu), 0, 0 },
	{ "iommu", KIND_FLAG, AT(iommu), 0, 0 },
	{ "blk-readonly", KIND_FLAG, AT(blk_readonly), 0, 0 },
};

/* Words that an option may have, with what they set. */
static const struct pc_choice {
	const char *name, *value;
	size_t at;
	unsigned set;
	bool flag;
} pc_choices[] = {
	{ "machine", "pc", 0, 0, false },
	{ "format", "auto", AT(format), PC_FORMAT_AUTO, false },
	{ "format", "flat16", AT(format), PC_FORMAT_FLAT16, false },
	{ "format", "flat32", AT(format), PC_FORMAT_FLAT32, false },
	{ "irqchip", "auto", AT(irqchip), PC_IRQCHIP_AUTO, false },
	{ "irqchip", "full", AT(irqchip), PC_IRQCHIP_FULL, false },
	{ "irqchip", "split", AT(irqchip), PC_IRQCHIP_SPLIT, false },
	{ "virtio", "console", AT(console), true, true },
	{ "virtio", "rng", AT(rng), true, true },
};

static int opts_number(const struct pc_option *d, const char *s, uint64_t *v, struct cm_err *err)
{
	uint64_t max = d->kind == KIND_FD ? 1 << 20 : d->max;
	char *end;

	errno = 0;
	*v = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end || errno)
		return cm_err_set(err, 0, "--%s='%s': not a number", d->name, s);
	if (*v < d->min || *v > max)
		return cm_err_set(err, 0, "--%s='%s': must be %llu to %llu", d->name, s,
			(unsigned long long)d->min, (unsigned long long)max);
	return 0;
}

static int opts_set(struct pc_opts *o, const struct pc_option *d, const char *s, struct cm_err *err)
{
	char *at = (char *)o + d->at;
	uint64_t v = 0;
	int r = 0;

	if ((d->kind == KIND_FLAG) != (s == NULL))
		return cm_err_set(
			err, 0, s ? "--%s takes no value" : "--%s needs a value", d->name);
	if (d->kind == KIND_TEXT && strlen(s) > d->max)
		return cm_err_set(err, 0, "--%s: longer than %llu bytes", d->name,
			(unsigned long long)d->max);
	if (d->kind != KIND_TEXT && d->kind != KIND_FLAG)
		r = opts_number(d, s, &v, err);
	if (r < 0)
		return r;
	switch (d->kind) {
	case KIND_NUMBER:
		*(uint32_t *)(void *)at = (uint32_t)v;
		break;
	case KIND_NUMBER64:
		*(uint64_t *)(void *)at = v;
		break;
	case KIND_FD:
		*(int *)(void *)at = (int)v;
		break;
	case KIND_TEXT:
		*(const char **)(void *)at = s;
		break;
	case KIND_FLAG:
		*(bool *)at = true;
		break;
	}
	return 0;
}

static int opts_choose(
	struct pc_opts *o, const char *name, size_t len, const char *value, struct cm_err *err)
{
	bool known = false;

	for (size_t i = 0; i < sizeof(pc_choices) / sizeof(pc_choices[0]); i++) {
		const struct pc_choice *c = &pc_choices[i];
		char *at = (char *)o + c->at;

		if (strncmp(c->name, name, len) != 0 || c->name[len])
			continue;
		known = true;
		if (!value || strcmp(c->value, value) != 0)
			continue;
		if (c->flag)
			*(bool *)at = true;
		else if (c->at)
			*(unsigned *)(void *)at = c->set;
		return 0;
	}
	if (known)
		return cm_err_set(
			err, 0, "--%.*s='%s' is not known", (int)len, name, value ? value : "");
	return cm_err_set(err, 0, "unknown option '--%s'", name);
}

static int opts_one(struct pc_opts *o, const char *arg, struct cm_err *err)
{
	const char *name = arg + 2, *value = strchr(arg, '=');
	size_t len;

	if (strncmp(arg, "--", 2) != 0)
		return cm_err_set(err, 0, "unexpected argument '%s'", arg);
	len = value ? (size_t)(value - name) : strlen(name);
	for (size_t i = 0; i < sizeof(pc_options) / sizeof(pc_options[0]); i++) {
		const struct pc_option *d = &pc_options[i];

		if (strncmp(d->name, name, len) == 0 && !d->name[len])
			return opts_set(o, d, value ? value + 1 : NULL, err);
	}
	return opts_choose(o, name, len, value ? value + 1 : NULL, err);
}

int pc_opts_parse(struct pc_opts *o, int argc, char **argv, struct cm_err *err)
{
	int i, r;

	*o = (struct pc_opts){
		.vmm = { .kvm_fd = -1,
			.arena_fd = -1,
			.vsock_fd = -1,
			.vsock_dir_fd = -1,
			.debug_fd = -1,
			.log_fd = 2,
			.ready_fd = -1 },
		.cpus = 1,
		.cpu = "max",
		.cmdline = "",
		.image_name = "kernel",
		.image_fd = -1,
		.module_fd = -1,
		.console_fd = 1,
		.input_fd = -1,
		.result_fd = -1,
		.core_fd = -1,
		.blk_fd = -1,
	};
	for (i = 1; i < argc; i++) {
		r = opts_one(o, argv[i], err);
		if (r < 0)
			return r;
	}
	if (o->memory == 0 || o->image_fd < 0)
		return cm_err_set(err, 0, "--memory=BYTES or --image-fd=N is missing");
	if (o->iommu && o->irqchip == PC_IRQCHIP_FULL)
		return cm_err_set(err, 0, "--iommu has split interrupt controllers");
	if (o->memory % 0x1000 != 0)
		return cm_err_set(err, 0, "--memory: not whole pages");
	int keep[] = { o->image_fd, o->module_fd, o->console_fd, o->input_fd, o->result_fd,
		o->core_fd, o->blk_fd };

	_Static_assert(sizeof(keep) / sizeof(keep[0]) <= OPTS_KEEP_MAX, "all fit");
	memcpy(o->vmm.keep_fd, keep, sizeof(keep));
	o->vmm.nkeep = sizeof(keep) / sizeof(keep[0]);
	return 0;
}
