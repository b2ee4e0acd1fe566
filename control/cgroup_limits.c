/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of linux.resources as files of a cgroup. As with every OCI runtime 0 asks for nothing and -1 for no limit. */
#include <config.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "casemate/guestmem.h"
#include "control/cgroup_internal.h"

#define MIB (1024 * 1024)
/* Sandbox process, VMM, file server and the used part of the I/O arena. */
#define OVERHEAD_BYTES (24 * MIB)

bool cm_cgroup_limits_anything(const struct cm_spec_resources *r)
{
	return cm_cgroup_is_set(r->memory_limit) || cm_cgroup_is_set(r->memory_reservation) ||
	       cm_cgroup_is_set(r->memory_swap) || r->memory_swappiness != CM_SPEC_ABSENT ||
	       cm_cgroup_is_set(r->cpu_shares) || cm_cgroup_is_set(r->cpu_quota) ||
	       cm_cgroup_is_set(r->cpu_period) || cm_cgroup_is_set(r->cpu_burst) ||
	       cm_cgroup_is_set(r->cpu_idle) || cm_cgroup_is_set(r->cpu_rt_runtime) ||
	       cm_cgroup_is_set(r->cpu_rt_period) || (r->cpus && *r->cpus) ||
	       (r->mems && *r->mems) || cm_cgroup_is_set(r->pids_limit) || r->oom_disable ||
	       json_object_size(r->unified) > 0 || r->block_io || r->hugepages || r->network ||
	       r->rdma;
}

/* What a limit is made of, and where it stands in each kind of hierarchy. */
struct limit {
	const char *name; /* in linux.resources */
	const char *controller, *v1, *v2; /* v2 NULL: written by a function of its own */
	size_t offset;
	bool zero; /* 0 is a value */
};

#define AT(m) offsetof(struct cm_spec_resources, m)
static const struct limit limits[] = {
	{ "cpu.shares", "cpu", "cpu.shares", NULL, AT(cpu_shares), false },
	{ "cpu.period", "cpu", "cpu.cfs_period_us", NULL, AT(cpu_period), false },
	{ "cpu.quota", "cpu", "cpu.cfs_quota_us", NULL, AT(cpu_quota), false },
	{ "cpu.burst", "cpu", "cpu.cfs_burst_us", "cpu.max.burst", AT(cpu_burst), false },
	{ "cpu.idle", "cpu", "cpu.idle", "cpu.idle", AT(cpu_idle), false },
	{ "cpu.realtimePeriod", "cpu", "cpu.rt_period_us", NULL, AT(cpu_rt_period), false },
	{ "cpu.realtimeRuntime", "cpu", "cpu.rt_runtime_us", NULL, AT(cpu_rt_runtime), false },
	{ "memory.limit", "memory", "memory.limit_in_bytes", "memory.max", AT(memory_limit),
		false },
	{ "memory.swap", "memory", "memory.memsw.limit_in_bytes", NULL, AT(memory_swap), false },
	{ "memory.reservation", "memory", "memory.soft_limit_in_bytes", "memory.low",
		AT(memory_reservation), false },
	{ "memory.swappiness", "memory", "memory.swappiness", NULL, AT(memory_swappiness), true },
	{ "pids.limit", "pids", "pids.max", "pids.max", AT(pids_limit), false },
};
#undef AT

int cm_cgroup_failed(const char *name, const struct cm_cgroup_dir *d, const char *file, int r,
	struct cm_err *err)
{
	return cm_err_set(err, -r, "linux.resources.%s: write '%s/%s'", name, d->path, file);
}

static void limit_text(const struct limit *l, int64_t v, bool v2, char *buf, size_t size)
{
	if (v < 0 && (v2 || strcmp(l->controller, "pids") == 0))
		snprintf(buf, size, "max");
	else if (strcmp(l->controller, "pids") == 0)
		snprintf(buf, size, "%lld", (long long)v + CM_CGROUP_OVERHEAD);
	else
		snprintf(buf, size, "%lld", (long long)v);
}

static int limit_set(const struct cm_cgroup_dir *d, const struct limit *l,
	const struct cm_spec_resources *res, struct cm_err *err)
{
	int64_t v = *(const int64_t *)((const char *)res + l->offset);
	const char *file = d->v2 ? l->v2 : l->v1;
	char text[32];
	int r;

	if (v == CM_SPEC_ABSENT || (v == 0 && !l->zero) || !file)
		return 0;
	limit_text(l, v, d->v2, text, sizeof(text));
	r = cm_cgroup_write(d, file, text);
	return r < 0 ? cm_cgroup_failed(l->name, d, file, r, err) : 0;
}

/* A list of CPUs or memory nodes. */
static int limit_list(const struct cm_cgroup_dir *d, const char *name, const char *file,
	const char *list, struct cm_err *err)
{
	int r = list && *list ? cm_cgroup_write(d, file, list) : 0;

	return r < 0 ? cm_cgroup_failed(name, d, file, r, err) : 0;
}

static int limits_v1(
	const struct cm_cgroup_dir *d, const struct cm_spec_resources *res, struct cm_err *err)
{
	struct cm_spec_resources now = *res;
	int r = 0;

	/* No limit of memory: none of both together either, which otherwise stays below it. */
	if (now.memory_limit == -1 && !cm_cgroup_is_set(now.memory_swap) &&
		cm_cgroup_has(d, "memory"))
		(void)cm_cgroup_write(d, "memory.memsw.limit_in_bytes", "-1");
	/* A higher limit of both has to come first. */
	if (cm_cgroup_is_set(now.memory_swap) && cm_cgroup_has(d, "memory")) {
		char text[32];

		snprintf(text, sizeof(text), "%lld", (long long)now.memory_swap);
		if (cm_cgroup_write(d, "memory.memsw.limit_in_bytes", text) == -ENOENT)
			return cm_cgroup_failed(
				"memory.swap", d, "memory.memsw.limit_in_bytes", -ENOENT, err);
	}
	for (size_t i = 0; r == 0 && i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (cm_cgroup_has(d, limits[i].controller))
			r = limit_set(d, &limits[i], &now, err);
	}
	if (r == 0 && res->oom_disable && cm_cgroup_has(d, "memory")) {
		r = cm_cgroup_write(d, "memory.oom_control", "1");
		if (r < 0)
			cm_cgroup_failed(
				"memory.disableOOMKiller", d, "memory.oom_control", r, err);
	}
	if (r == 0 && cm_cgroup_has(d, "cpuset"))
		r = limit_list(d, "cpu.cpus", "cpuset.cpus", res->cpus, err);
	if (r == 0 && cm_cgroup_has(d, "cpuset"))
		r = limit_list(d, "cpu.mems", "cpuset.mems", res->mems, err);
	return r;
}

/* ---- v2: what is said differently there */

int64_t cm_cgroup_v2_weight(int64_t shares)
{
	int64_t s = shares < 2 ? 2 : shares;

	s = s > 262144 ? 262144 : s;
	return 1 + (s - 2) * 9999 / 262142;
}

/* False: nothing is asked for. */
static bool v2_weight(const struct cm_spec_resources *res, char *text, size_t size)
{
	snprintf(text, size, "%lld", (long long)cm_cgroup_v2_weight(res->cpu_shares));
	return cm_cgroup_is_set(res->cpu_shares);
}

/* before: what the file holds, NULL: it is new. A quota alone keeps the period, and the other way round, as on v1. */
static bool v2_cpu_max(
	const struct cm_spec_resources *res, const char *before, char *text, size_t size)
{
	char quota[24] = "max";
	long long period = 100000;

	if (before)
		(void)sscanf(before, "%23s %lld", quota, &period);
	if (cm_cgroup_is_set(res->cpu_quota) && res->cpu_quota > 0)
		snprintf(quota, sizeof(quota), "%lld", (long long)res->cpu_quota);
	else if (cm_cgroup_is_set(res->cpu_quota))
		snprintf(quota, sizeof(quota), "max");
	snprintf(text, size, "%s %lld", quota,
		cm_cgroup_is_set(res->cpu_period) ? (long long)res->cpu_period : period);
	return cm_cgroup_is_set(res->cpu_quota) || cm_cgroup_is_set(res->cpu_period);
}

static int v2_cpu(
	const struct cm_cgroup_dir *d, const struct cm_spec_resources *res, struct cm_err *err)
{
	char text[64], before[64];
	bool known = cm_cgroup_read(d->path, "cpu.max", before, sizeof(before)) > 0;
	int r = 0;

	if (v2_weight(res, text, sizeof(text))) {
		r = cm_cgroup_write(d, "cpu.weight", text);
		if (r < 0)
			return cm_cgroup_failed("cpu.shares", d, "cpu.weight", r, err);
	}
	if (v2_cpu_max(res, known ? before : NULL, text, sizeof(text))) {
		r = cm_cgroup_write(d, "cpu.max", text);
		if (r < 0)
			return cm_cgroup_failed("cpu.quota", d, "cpu.max", r, err);
	}
	return 0;
}

/* memory.swap is memory and swap together. */
static int v2_swap(
	const struct cm_cgroup_dir *d, const struct cm_spec_resources *res, struct cm_err *err)
{
	char text[32] = "max";
	int r;

	if (!cm_cgroup_is_set(res->memory_swap))
		return 0;
	if (res->memory_swap > 0) {
		if (!cm_cgroup_is_set(res->memory_limit) || res->memory_limit < 0 ||
			res->memory_swap < res->memory_limit)
			return cm_err_set(err, 0,
				"linux.resources.memory.swap: %lld is below the limit of memory",
				(long long)res->memory_swap);
		snprintf(text, sizeof(text), "%lld",
			(long long)(res->memory_swap - res->memory_limit));
	}
	r = cm_cgroup_write(d, "memory.swap.max", text);
	return r < 0 ? cm_cgroup_failed("memory.swap", d, "memory.swap.max", r, err) : 0;
}

static int v2_unified(
	const struct cm_cgroup_dir *d, const struct cm_spec_resources *res, struct cm_err *err)
{
	const char *key;
	json_t *e;

	json_object_foreach(res->unified, key, e)
	{
		int r = cm_cgroup_write(d, key, json_string_value(e));

		if (r < 0)
			return cm_cgroup_failed("unified", d, key, r, err);
	}
	return 0;
}

static int limits_v2(
	const struct cm_cgroup_dir *d, const struct cm_spec_resources *res, struct cm_err *err)
{
	int r = v2_cpu(d, res, err);

	for (size_t i = 0; r == 0 && i < sizeof(limits) / sizeof(limits[0]); i++)
		r = limit_set(d, &limits[i], res, err);
	if (r == 0)
		r = v2_swap(d, res, err);
	if (r == 0)
		r = limit_list(d, "cpu.cpus", "cpuset.cpus", res->cpus, err);
	if (r == 0)
		r = limit_list(d, "cpu.mems", "cpuset.mems", res->mems, err);
	return r < 0 ? r : v2_unified(d, res, err);
}

int cm_cgroup_update(
	const struct cm_cgroup *cg, const struct cm_spec_resources *res, struct cm_err *err)
{
	int r = 0;

	if (cg->n && !cg->dir[0].v2 && json_object_size(res->unified) > 0)
		return cm_err_set(err, 0,
			"linux.resources.unified: this host's cgroups are not of version 2");
	for (unsigned i = 0; r == 0 && i < cg->n; i++)
		r = cg->dir[i].v2 ? limits_v2(&cg->dir[i], res, err)
				  : limits_v1(&cg->dir[i], res, err);
	return r < 0 ? r : cm_cgroup_update_io(cg, res, err);
}

/* ---- what the guest gets */

bool cm_cgroup_list_range(const char **at, unsigned long *first, unsigned long *last)
{
	char *end;

	*first = *last = strtoul(*at, &end, 10);
	if (end == *at)
		return false;
	*at = end;
	if (*end != '-')
		return true;
	*last = strtoul(++*at, &end, 10);
	if (end == *at || *last < *first)
		return false;
	*at = end;
	return true;
}

/* CPUs in a list; 0: it is none, which the host's group is going to say. */
static unsigned list_count(const char *list)
{
	unsigned long first, last;
	unsigned n = 0;

	do {
		if (!cm_cgroup_list_range(&list, &first, &last))
			return 0;
		n += last - first < CM_CPUS_MAX ? (unsigned)(last - first) + 1 : CM_CPUS_MAX;
		n = n < CM_CPUS_MAX ? n : CM_CPUS_MAX;
	} while (*list++ == ',');
	return list[-1] == '\0' || list[-1] == '\n' ? n : 0;
}

/* How many a quota of microseconds per period keeps busy; 0: it is none. */
static unsigned quota_count(int64_t quota, int64_t period)
{
	if (!cm_cgroup_is_set(quota) || quota < 0)
		return 0;
	period = cm_cgroup_is_set(period) && period > 0 ? period : 100000;
	quota = quota / period + (quota % period != 0);
	return quota < CM_CPUS_MAX ? (unsigned)quota : CM_CPUS_MAX;
}

static unsigned unified_count(json_t *unified)
{
	const char *max = json_string_value(json_object_get(unified, "cpu.max"));
	long long quota = 0, period = 0;

	if (!max || sscanf(max, "%lld %lld", &quota, &period) < 1)
		return 0;
	return quota_count(quota, period);
}

static void at_most(unsigned *n, unsigned limit)
{
	if (limit && limit < *n)
		*n = limit;
}

unsigned cm_cgroup_cpus(const struct cm_spec_resources *res)
{
	const char *list;
	unsigned n = 1;
	cpu_set_t set;

	/* A host with more CPUs than the set has bits (EINVAL) has enough. */
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = (unsigned)CPU_COUNT(&set);
	else if (errno == EINVAL)
		n = CM_CPUS_MAX;
	at_most(&n, CM_CPUS_MAX);
	if (!res)
		return n;
	at_most(&n, quota_count(res->cpu_quota, res->cpu_period));
	at_most(&n, unified_count(res->unified));
	list = json_string_value(json_object_get(res->unified, "cpuset.cpus"));
	at_most(&n, list ? list_count(list) : 0);
	at_most(&n, res->cpus ? list_count(res->cpus) : 0);
	return n;
}

uint64_t cm_cgroup_guest_memory(const struct cm_spec_resources *res, bool whole)
{
	int64_t limit = res->memory_limit;

	if (!cm_cgroup_is_set(limit) || limit < 0)
		return 0;
	if (!whole)
		return (uint64_t)limit;
	/* Small limits are shared rather than taken off: a guest of nothing could not start. */
	return (uint64_t)(limit >= 2 * OVERHEAD_BYTES ? limit - OVERHEAD_BYTES : limit / 2);
}

uint32_t cm_cgroup_guest_pids(const struct cm_spec_resources *res)
{
	int64_t limit = res->pids_limit;

	return cm_cgroup_is_set(limit) && limit > 0 && limit <= UINT32_MAX ? (uint32_t)limit : 0;
}

/* Files of the guest that `unified` may name; memory.max and pids.max go another way. */
static bool guest_knows(const char *file)
{
	static const char *const files[] = { "cpu.max", "cpu.max.burst", "cpu.weight",
		"memory.high", "memory.low", "memory.min", "memory.oom.group" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (strcmp(file, files[i]) == 0)
			return true;
	}
	return false;
}

/* A number of a v2 file. */
static void guest_number(int64_t v, const char *file,
	void (*add)(void *arg, const char *file, const char *value), void *arg)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)v);
	if (cm_cgroup_is_set(v))
		add(arg, file, v < 0 ? "max" : text);
}

void cm_cgroup_guest_files(const struct cm_spec_resources *res, const char *cpu_max,
	void (*add)(void *arg, const char *file, const char *value), void *arg)
{
	const char *key;
	char text[64];
	json_t *e;

	if (v2_weight(res, text, sizeof(text)))
		add(arg, "cpu.weight", text);
	if (v2_cpu_max(res, cpu_max, text, sizeof(text)))
		add(arg, "cpu.max", text);
	guest_number(res->memory_reservation, "memory.low", add, arg);
	json_object_foreach(res->unified, key, e)
	{
		if (guest_knows(key))
			add(arg, key, json_string_value(e));
	}
}

const char *cm_cgroup_limits_host(const struct cm_spec_resources *res)
{
	const struct {
		bool asks;
		const char *name;
	} members[] = {
		{ cm_cgroup_is_set(res->memory_swap), "memory.swap" },
		{ res->memory_swappiness != CM_SPEC_ABSENT, "memory.swappiness" },
		{ res->oom_disable, "memory.disableOOMKiller" },
		{ cm_cgroup_is_set(res->cpu_burst), "cpu.burst" },
		{ cm_cgroup_is_set(res->cpu_idle), "cpu.idle" },
		{ cm_cgroup_is_set(res->cpu_rt_runtime), "cpu.realtimeRuntime" },
		{ cm_cgroup_is_set(res->cpu_rt_period), "cpu.realtimePeriod" },
		{ res->cpus && *res->cpus, "cpu.cpus" },
		{ res->mems && *res->mems, "cpu.mems" },
		{ res->block_io != NULL, "blockIO" },
		{ res->hugepages != NULL, "hugepageLimits" },
		{ res->network != NULL, "network" },
		{ res->rdma != NULL, "rdma" },
	};
	const char *key;
	json_t *e;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (members[i].asks)
			return members[i].name;
	}
	json_object_foreach(res->unified, key, e)
	{
		if (!guest_knows(key))
			return key;
	}
	return NULL;
}
