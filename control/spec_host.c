/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of config.json that the host acts on: hooks and the resources of its cgroups. */
#include <config.h>
#include "control/spec_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- hooks */

static const char *const hook_names[CM_HOOK_KINDS] = {
	[CM_HOOK_PRESTART] = "prestart",
	[CM_HOOK_CREATE_RUNTIME] = "createRuntime",
	[CM_HOOK_CREATE_CONTAINER] = "createContainer",
	[CM_HOOK_START_CONTAINER] = "startContainer",
	[CM_HOOK_POSTSTART] = "poststart",
	[CM_HOOK_POSTSTOP] = "poststop",
};

const char *cm_hook_name(enum cm_hook_kind kind)
{
	return hook_names[kind];
}

static int hook_timeout(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	if (json_integer_value(v) <= 0)
		return cm_err_set(err, 0, "%s: must be above 0", path);
	return cm_spec_u32(v, path, dst, err);
}

static const struct spec_field hook_fields[] = {
	{ "path", SPEC_STRING, true, cm_spec_abspath, offsetof(struct cm_spec_hook, path) },
	{ "args", SPEC_ARRAY, false, cm_spec_strv, offsetof(struct cm_spec_hook, args) },
	{ "env", SPEC_ARRAY, false, cm_spec_strv, offsetof(struct cm_spec_hook, env) },
	{ "timeout", SPEC_INTEGER, false, hook_timeout, offsetof(struct cm_spec_hook, timeout) },
};

static int hooks_list(json_t *v, const char *path, struct cm_spec_hooks *hooks, struct cm_err *err)
{
	int r = cm_spec_check_type(v, SPEC_ARRAY, path, err);

	if (r == 0)
		r = cm_spec_array(v, sizeof(*hooks->v), &hooks->v, err);
	for (size_t i = 0; r == 0 && i < json_array_size(v); i++)
		r = cm_spec_element(v, i, path, hook_fields, SPEC_COUNT(hook_fields),
			&hooks->v[hooks->n++], err);
	return r;
}

int cm_spec_parse_hooks(json_t *obj, struct cm_spec_hooks hooks[CM_HOOK_KINDS], struct cm_err *err)
{
	int r = 0;

	memset(hooks, 0, CM_HOOK_KINDS * sizeof(*hooks));
	for (unsigned k = 0; r == 0 && k < CM_HOOK_KINDS; k++) {
		json_t *v = json_object_get(obj, hook_names[k]);
		char path[SPEC_PATH_MAX];

		snprintf(path, sizeof(path), "hooks.%s", hook_names[k]);
		if (v && !json_is_null(v))
			r = hooks_list(v, path, &hooks[k], err);
	}
	if (r < 0)
		cm_spec_free_hooks(hooks);
	return r;
}

void cm_spec_free_hooks(struct cm_spec_hooks hooks[CM_HOOK_KINDS])
{
	for (unsigned k = 0; k < CM_HOOK_KINDS; k++) {
		for (size_t i = 0; i < hooks[k].n; i++) {
			free(hooks[k].v[i].args.v);
			free(hooks[k].v[i].env.v);
		}
		free(hooks[k].v);
		hooks[k].v = NULL;
		hooks[k].n = 0;
	}
}

/* ---- resources */

/* A member that is checked piece by piece; one that is empty, or has zeros alone, asks for nothing. */
static int resources_host(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	json_t *e;
	const char *key;
	bool asks = json_array_size(v) > 0;

	(void)path;
	(void)err;
	json_object_foreach(v, key, e)
	{
		asks |= json_is_integer(e) ? json_integer_value(e) != 0
					   : json_array_size(e) || json_object_size(e);
	}
	*(json_t **)dst = asks ? v : NULL;
	return 0;
}

/* 0 is none; the kernel has limits of its own within these. */
static int resources_weight(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	json_int_t n = json_integer_value(v);

	(void)dst;
	return n < 0 || n > 1000
		       ? cm_err_set(err, 0, "%s: %lld is not from 1 to 1000", path, (long long)n)
		       : 0;
}

/* Values that are only looked at: dst is a struct of this type, which nobody reads. */
union scratch {
	uint32_t u32;
	int64_t i64;
	const char *text;
};

static int resources_file_word(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	if (strchr(json_string_value(v), '/'))
		return cm_err_set(err, 0, "%s: '%s'", path, json_string_value(v));
	return cm_spec_nonempty(v, path, dst, err);
}

static const struct spec_field weight_fields[] = {
	{ "major", SPEC_INTEGER, true, cm_spec_u32, 0 },
	{ "minor", SPEC_INTEGER, true, cm_spec_u32, 0 },
	{ "weight", SPEC_INTEGER, false, resources_weight, 0 },
	{ "leafWeight", SPEC_INTEGER, false, resources_weight, 0 },
};

static const struct spec_field rate_fields[] = {
	{ "major", SPEC_INTEGER, true, cm_spec_u32, 0 },
	{ "minor", SPEC_INTEGER, true, cm_spec_u32, 0 },
	{ "rate", SPEC_INTEGER, true, cm_spec_i64, 0 },
};

static const struct spec_field hugepage_fields[] = {
	{ "pageSize", SPEC_STRING, true, resources_file_word, 0 },
	{ "limit", SPEC_INTEGER, true, cm_spec_i64, 0 },
};

static const struct spec_field priority_fields[] = {
	{ "name", SPEC_STRING, true, cm_spec_nonempty, 0 },
	{ "priority", SPEC_INTEGER, true, cm_spec_u32, 0 },
};

static const struct spec_field rdma_fields[] = {
	{ "hcaHandles", SPEC_INTEGER, false, cm_spec_u32, 0 },
	{ "hcaObjects", SPEC_INTEGER, false, cm_spec_u32, 0 },
};

static int resources_elements(
	json_t *v, const char *path, const struct spec_field *fields, size_t n, struct cm_err *err)
{
	union scratch value;
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(v); i++)
		r = cm_spec_element(v, i, path, fields, n, &value, err);
	return r;
}

static int resources_weights(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	(void)dst;
	return resources_elements(v, path, weight_fields, SPEC_COUNT(weight_fields), err);
}

static int resources_rates(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	(void)dst;
	return resources_elements(v, path, rate_fields, SPEC_COUNT(rate_fields), err);
}

static int resources_hugepages(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	int r = resources_elements(v, path, hugepage_fields, SPEC_COUNT(hugepage_fields), err);

	return r < 0 ? r : resources_host(v, path, dst, err);
}

static int resources_priorities(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	(void)dst;
	return resources_elements(v, path, priority_fields, SPEC_COUNT(priority_fields), err);
}

static int resources_class(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	union scratch value;

	(void)dst;
	return cm_spec_u32(v, path, &value, err);
}

static int resources_rdma(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	union scratch value;
	const char *key;
	json_t *e;
	int r = 0;

	json_object_foreach(v, key, e)
	{
		char member[SPEC_PATH_MAX];

		snprintf(member, sizeof(member), "%s.%s", path, key);
		r = cm_spec_check_type(e, SPEC_OBJECT, member, err);
		if (r == 0)
			r = cm_spec_apply(
				rdma_fields, SPEC_COUNT(rdma_fields), e, member, &value, err);
		if (r < 0)
			return r;
	}
	return resources_host(v, path, dst, err);
}

static int resources_unified(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	const char *key;
	json_t *e;

	json_object_foreach(v, key, e)
	{
		if (!json_is_string(e) || strchr(key, '/') || !strchr(key, '.'))
			return cm_err_set(err, 0,
				"%s.%s: expected a file of cgroup v2 and a string", path, key);
	}
	return cm_spec_json(v, path, dst, err);
}

#define AT(m) offsetof(struct cm_spec_resources, m)
static const struct spec_field resources_fields[] = {
	{ "memory", SPEC_OBJECT, false, NULL, 0 },
	{ "memory.limit", SPEC_INTEGER, false, cm_spec_i64, AT(memory_limit) },
	{ "memory.reservation", SPEC_INTEGER, false, cm_spec_i64, AT(memory_reservation) },
	{ "memory.swap", SPEC_INTEGER, false, cm_spec_i64, AT(memory_swap) },
	{ "memory.swappiness", SPEC_INTEGER, false, cm_spec_i64, AT(memory_swappiness) },
	{ "memory.disableOOMKiller", SPEC_BOOLEAN, false, cm_spec_bool, AT(oom_disable) },
	{ "cpu", SPEC_OBJECT, false, NULL, 0 },
	{ "cpu.shares", SPEC_INTEGER, false, cm_spec_i64, AT(cpu_shares) },
	{ "cpu.quota", SPEC_INTEGER, false, cm_spec_i64, AT(cpu_quota) },
	{ "cpu.period", SPEC_INTEGER, false, cm_spec_i64, AT(cpu_period) },
	{ "cpu.burst", SPEC_INTEGER, false, cm_spec_i64, AT(cpu_burst) },
	{ "cpu.idle", SPEC_INTEGER, false, cm_spec_i64, AT(cpu_idle) },
	{ "cpu.realtimeRuntime", SPEC_INTEGER, false, cm_spec_i64, AT(cpu_rt_runtime) },
	{ "cpu.realtimePeriod", SPEC_INTEGER, false, cm_spec_i64, AT(cpu_rt_period) },
	{ "cpu.cpus", SPEC_STRING, false, cm_spec_string, AT(cpus) },
	{ "cpu.mems", SPEC_STRING, false, cm_spec_string, AT(mems) },
	{ "pids", SPEC_OBJECT, false, NULL, 0 },
	{ "pids.limit", SPEC_INTEGER, false, cm_spec_i64, AT(pids_limit) },
	{ "blockIO", SPEC_OBJECT, false, resources_host, AT(block_io) },
	{ "blockIO.weight", SPEC_INTEGER, false, resources_weight, 0 },
	{ "blockIO.leafWeight", SPEC_INTEGER, false, resources_weight, 0 },
	{ "blockIO.weightDevice", SPEC_ARRAY, false, resources_weights, 0 },
	{ "blockIO.throttleReadBpsDevice", SPEC_ARRAY, false, resources_rates, 0 },
	{ "blockIO.throttleWriteBpsDevice", SPEC_ARRAY, false, resources_rates, 0 },
	{ "blockIO.throttleReadIOPSDevice", SPEC_ARRAY, false, resources_rates, 0 },
	{ "blockIO.throttleWriteIOPSDevice", SPEC_ARRAY, false, resources_rates, 0 },
	{ "hugepageLimits", SPEC_ARRAY, false, resources_hugepages, AT(hugepages) },
	{ "network", SPEC_OBJECT, false, resources_host, AT(network) },
	{ "network.classID", SPEC_INTEGER, false, resources_class, 0 },
	{ "network.priorities", SPEC_ARRAY, false, resources_priorities, 0 },
	{ "rdma", SPEC_OBJECT, false, resources_rdma, AT(rdma) },
	{ "unified", SPEC_OBJECT, false, resources_unified, AT(unified) },
};
#undef AT

static int resources_parse(
	json_t *obj, const char *prefix, struct cm_spec_resources *res, struct cm_err *err)
{
	*res = (struct cm_spec_resources){
		.memory_limit = CM_SPEC_ABSENT,
		.memory_reservation = CM_SPEC_ABSENT,
		.memory_swap = CM_SPEC_ABSENT,
		.memory_swappiness = CM_SPEC_ABSENT,
		.cpu_shares = CM_SPEC_ABSENT,
		.cpu_quota = CM_SPEC_ABSENT,
		.cpu_period = CM_SPEC_ABSENT,
		.cpu_burst = CM_SPEC_ABSENT,
		.cpu_idle = CM_SPEC_ABSENT,
		.cpu_rt_runtime = CM_SPEC_ABSENT,
		.cpu_rt_period = CM_SPEC_ABSENT,
		.pids_limit = CM_SPEC_ABSENT,
	};
	return cm_spec_apply(resources_fields, SPEC_COUNT(resources_fields), obj, prefix, res, err);
}

int cm_spec_parse_resources(json_t *obj, struct cm_spec_resources *res, struct cm_err *err)
{
	return resources_parse(obj, "", res, err);
}

static int host_resources(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec *spec = dst;

	spec->has_resources = true;
	return resources_parse(v, path, &spec->resources, err);
}

static int host_hooks(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec *spec = dst;

	(void)path;
	return cm_spec_parse_hooks(v, spec->hooks, err);
}

static const struct spec_field host_fields[] = {
	{ "hooks", SPEC_OBJECT, false, host_hooks, 0 },
	{ "linux.cgroupsPath", SPEC_STRING, false, cm_spec_string,
		offsetof(struct cm_spec, cgroups_path) },
	{ "linux.resources", SPEC_OBJECT, false, host_resources, 0 },
};

int cm_spec_parse_host(json_t *doc, struct cm_spec *spec, struct cm_err *err)
{
	return cm_spec_apply(host_fields, SPEC_COUNT(host_fields), doc, "", spec, err);
}

void cm_spec_destroy_host(struct cm_spec *spec)
{
	cm_spec_free_hooks(spec->hooks);
}
