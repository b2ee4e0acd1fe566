/* SPDX-License-Identifier: Apache-2.0 */
/* linux.seccomp by libseccomp. */
#include <config.h>
#include "control/seccomp_profile.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/cleanup.h"

#define COUNT(t)     (sizeof(t) / sizeof((t)[0]))
#define PROFILE_ARGS 6

static int profile_bad(struct cm_err *err, const char *where, const char *what)
{
	return cm_err_set(err, 0, "linux.seccomp.%s: %s", where, what);
}

/* An action by name; those with a number take errnoRet, EPERM by default. */
static int profile_action(
	json_t *name, json_t *ret, const char *where, uint32_t *action, struct cm_err *err)
{
	static const struct {
		const char *name;
		uint32_t action;
		bool number;
	} actions[] = {
		{ "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, false },
		{ "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false },
		{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false },
		{ "SCMP_ACT_TRAP", SCMP_ACT_TRAP, false },
		{ "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true },
		{ "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true },
		{ "SCMP_ACT_LOG", SCMP_ACT_LOG, false },
		{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false },
	};
	const char *s = json_string_value(name);
	json_int_t number = json_is_integer(ret) ? json_integer_value(ret) : EPERM;

	if (!s)
		return profile_bad(err, where, "an action is missing");
	if (number < 0 || number > UINT16_MAX)
		return profile_bad(err, where, "errnoRet is out of range");
	for (size_t i = 0; i < COUNT(actions); i++) {
		if (strcmp(s, actions[i].name) == 0) {
			*action = actions[i].action | (actions[i].number ? (uint32_t)number : 0);
			return 0;
		}
	}
	cm_err_set(err, 0, "linux.seccomp.%s: action '%s' is not supported", where, s);
	err->code = ENOTSUP;
	return -ENOTSUP;
}

static int profile_flags(json_t *flags, uint32_t *out, struct cm_err *err)
{
	static const struct {
		const char *name;
		uint32_t flag;
	} known[] = {
		{ "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
		{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
		{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	};
	json_t *e;
	size_t i;

	*out = 0;
	json_array_foreach(flags, i, e)
	{
		const char *s = json_string_value(e);
		size_t k = 0;

		while (k < COUNT(known) && (!s || strcmp(s, known[k].name) != 0))
			k++;
		if (k == COUNT(known))
			return cm_err_set(err, 0, "linux.seccomp.flags[%zu]: '%s' is not supported",
				i, s ? s : "");
		*out |= known[k].flag;
	}
	return 0;
}

static int profile_arg(json_t *a, struct scmp_arg_cmp *out, const char *where, struct cm_err *err)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} ops[] = {
		{ "SCMP_CMP_NE", SCMP_CMP_NE },
		{ "SCMP_CMP_LT", SCMP_CMP_LT },
		{ "SCMP_CMP_LE", SCMP_CMP_LE },
		{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
		{ "SCMP_CMP_GE", SCMP_CMP_GE },
		{ "SCMP_CMP_GT", SCMP_CMP_GT },
		{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
	};
	const char *op = json_string_value(json_object_get(a, "op"));
	json_int_t index = json_integer_value(json_object_get(a, "index"));
	uint64_t value = (uint64_t)json_integer_value(json_object_get(a, "value"));
	uint64_t two = (uint64_t)json_integer_value(json_object_get(a, "valueTwo"));

	if (index < 0 || index >= PROFILE_ARGS)
		return profile_bad(err, where, "the index of an argument is out of range");
	for (size_t i = 0; op && i < COUNT(ops); i++) {
		if (strcmp(op, ops[i].name) == 0) {
			*out = (struct scmp_arg_cmp){ .arg = (unsigned)index,
				.op = ops[i].op,
				.datum_a = value,
				.datum_b = two };
			return 0;
		}
	}
	return profile_bad(err, where, "the comparison of an argument is unknown");
}

struct profile_rule {
	char where[32];
	uint32_t action;
	struct scmp_arg_cmp arg[PROFILE_ARGS * 4];
	unsigned nargs;
	bool repeated; /* an argument is named twice: each comparison is a rule of its own, as with runc */
};

static int profile_add(
	scmp_filter_ctx ctx, const struct profile_rule *r, int nr, struct cm_err *err)
{
	int ret = 0;

	if (!r->repeated)
		ret = seccomp_rule_add_array(ctx, r->action, nr, r->nargs, r->arg);
	for (unsigned i = 0; ret == 0 && r->repeated && i < r->nargs; i++)
		ret = seccomp_rule_add_array(ctx, r->action, nr, 1, &r->arg[i]);
	return ret < 0 ? cm_err_set(err, -ret, "linux.seccomp.%s", r->where) : 0;
}

static int profile_rule_args(struct profile_rule *r, json_t *args, struct cm_err *err)
{
	unsigned seen = 0;
	json_t *a;
	size_t i;

	json_array_foreach(args, i, a)
	{
		if (r->nargs == COUNT(r->arg))
			return profile_bad(err, r->where, "too many arguments");
		if (profile_arg(a, &r->arg[r->nargs], r->where, err) < 0)
			return -err->code;
		r->repeated |= seen & 1u << r->arg[r->nargs].arg;
		seen |= 1u << r->arg[r->nargs++].arg;
	}
	return 0;
}

/* Rules that say what is the default anyway make the program longer, and libseccomp refuses them. */
static int profile_syscalls(scmp_filter_ctx ctx, json_t *list, uint32_t def, struct cm_err *err)
{
	json_t *e, *name;
	size_t i, k;

	json_array_foreach(list, i, e)
	{
		struct profile_rule r = { .nargs = 0 };
		json_t *names = json_object_get(e, "names");

		snprintf(r.where, sizeof(r.where), "syscalls[%zu]", i);
		if (json_array_size(names) == 0)
			return profile_bad(err, r.where, "names are missing");
		if (profile_action(json_object_get(e, "action"), json_object_get(e, "errnoRet"),
			    r.where, &r.action, err) < 0 ||
			profile_rule_args(&r, json_object_get(e, "args"), err) < 0)
			return -err->code;
		if (r.action == def)
			continue;
		json_array_foreach(names, k, name)
		{
			int nr = json_is_string(name)
					 ? seccomp_syscall_resolve_name(json_string_value(name))
					 : __NR_SCMP_ERROR;

			if (nr != __NR_SCMP_ERROR && profile_add(ctx, &r, nr, err) < 0)
				return -err->code;
		}
	}
	return 0;
}

static int profile_export(scmp_filter_ctx ctx, struct cm_seccomp_program *out, struct cm_err *err)
{
	cleanup_fd int fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct stat st;
	int r = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);

	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0)
		return cm_err_set(err, -r, "linux.seccomp");
	out->n = (uint32_t)((size_t)st.st_size / sizeof(*out->insn));
	if (out->n > CM_RPC_FILTER_MAX)
		return cm_err_set(err, 0, "linux.seccomp: the program is too long");
	out->insn = malloc((size_t)st.st_size);
	if (!out->insn || pread(fd, out->insn, (size_t)st.st_size, 0) != st.st_size)
		return cm_err_set(err, ENOMEM, "linux.seccomp");
	return 0;
}

static int profile_check_type(json_t *profile, const char *name, bool array, struct cm_err *err)
{
	json_t *v = json_object_get(profile, name);

	if (!v || json_is_null(v) || (array ? json_is_array(v) : json_is_string(v)))
		return 0;
	return profile_bad(err, name, array ? "expected array" : "expected string");
}

int cm_seccomp_compile(json_t *profile, struct cm_seccomp_program *out, struct cm_err *err)
{
	scmp_filter_ctx ctx;
	uint32_t def;
	int r;

	memset(out, 0, sizeof(*out));
	if (profile_check_type(profile, "defaultAction", false, err) < 0 ||
		profile_check_type(profile, "syscalls", true, err) < 0 ||
		profile_check_type(profile, "flags", true, err) < 0)
		return -err->code;
	if (json_object_get(profile, "listenerPath"))
		return profile_bad(err, "listenerPath", "is not supported");
	if (profile_action(json_object_get(profile, "defaultAction"),
		    json_object_get(profile, "defaultErrnoRet"), "defaultAction", &def, err) < 0 ||
		profile_flags(json_object_get(profile, "flags"), &out->flags, err) < 0)
		return -err->code;
	ctx = seccomp_init(def);
	if (!ctx)
		return cm_err_set(err, ENOMEM, "linux.seccomp");
	/* A binary tree instead of a list, where this libseccomp can: it is run at every call. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r = profile_syscalls(ctx, json_object_get(profile, "syscalls"), def, err);
	if (r == 0)
		r = profile_export(ctx, out, err);
	seccomp_release(ctx);
	if (r < 0)
		cm_seccomp_program_fini(out);
	return r;
}

void cm_seccomp_program_fini(struct cm_seccomp_program *p)
{
	free(p->insn);
	memset(p, 0, sizeof(*p));
}
