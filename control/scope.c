/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes of systemd: names, and the calls by busctl(1). Interfaces: org.freedesktop.systemd1(5), systemd.resource-control(5). */
#include <config.h>
#include "control/scope.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/cgroup_internal.h"
#include "control/hooks.h"

#define SCOPE_ARGS	160
#define SCOPE_TIMEOUT	30 /* s, for an answer of systemd's, and for the scope to be there after it */
#define SCOPE_UNIT_NAME 255 /* systemd.unit(5) */
#define SCOPE_CPUS	256 /* that AllowedCPUs is told of: bytes of a set are words of a command line */
#define SCOPE_NO_LIMIT	"18446744073709551615"
#define SCOPE_BUSCTL	"/usr/bin/busctl"

/* ---- names */

/* The characters of a unit's name; a slice's cannot be escaped further, so it has no '/'. */
static bool scope_name_valid(const char *name)
{
	return *name && strlen(name) <= SCOPE_UNIT_NAME &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    ":_.\\-@") == strlen(name);
}

static bool scope_slice_valid(const char *slice)
{
	size_t n = strlen(slice);

	if (strcmp(slice, "-.slice") == 0)
		return true;
	return n > 6 && strcmp(slice + n - 6, ".slice") == 0 && scope_name_valid(slice) &&
	       slice[0] != '-' && slice[n - 7] != '-' && !strstr(slice, "--");
}

/* a-b.slice is /a.slice/a-b.slice. */
static char *scope_path(const char *slice, const char *unit)
{
	size_t n = strlen(slice) - strlen(".slice"), size = 0;
	char *out = NULL;
	FILE *f = open_memstream(&out, &size);

	if (!f)
		return NULL;
	for (size_t i = 1; strcmp(slice, "-.slice") != 0 && i <= n; i++) {
		if (i == n || slice[i] == '-')
			fprintf(f, "/%.*s.slice", (int)i, slice);
	}
	fprintf(f, "/%s", unit);
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

static int scope_split(char *path, const char **slice, const char **prefix, const char **name)
{
	char *colon = strchr(path, ':'), *second = colon ? strchr(colon + 1, ':') : NULL;

	if (!second || strchr(second + 1, ':'))
		return -EINVAL;
	*colon = *second = '\0';
	*slice = *path ? path : "system.slice";
	*prefix = colon + 1;
	*name = second + 1;
	return 0;
}

int cm_scope_parse(struct cm_scope *s, const char *cgroups_path, const char *id, struct cm_err *err)
{
	cleanup_free char *copy = strdup(cgroups_path && *cgroups_path ? cgroups_path : "");
	const char *slice = "system.slice", *prefix = "casemate", *name = id;

	memset(s, 0, sizeof(*s));
	if (!copy)
		return cm_err_set(err, ENOMEM, "linux.cgroupsPath");
	if (*copy && scope_split(copy, &slice, &prefix, &name) < 0)
		return cm_err_set(err, EINVAL,
			"linux.cgroupsPath: '%s' is not of the form slice:prefix:name, which --systemd-cgroup wants",
			cgroups_path);
	if (!scope_slice_valid(slice))
		return cm_err_set(
			err, EINVAL, "linux.cgroupsPath: '%s' is no name of a slice", slice);
	s->slice = strdup(slice);
	if (asprintf(&s->unit, "%s%s%s.scope", prefix, *prefix ? "-" : "", name) < 0)
		s->unit = NULL;
	s->path = s->unit ? scope_path(slice, s->unit) : NULL;
	if (!s->slice || !s->path) {
		cm_scope_fini(s);
		return cm_err_set(err, ENOMEM, "linux.cgroupsPath");
	}
	if (*name && scope_name_valid(s->unit))
		return 0;
	cm_err_set(err, EINVAL, "linux.cgroupsPath: '%s' is no name of a scope", s->unit);
	cm_scope_fini(s);
	return -EINVAL;
}

void cm_scope_fini(struct cm_scope *s)
{
	free(s->slice);
	free(s->unit);
	free(s->path);
	memset(s, 0, sizeof(*s));
}

/* ---- calls */

struct scope_call {
	const char *argv[SCOPE_ARGS + 1]; /* ends in NULL */
	size_t argc;
	size_t count; /* of argv: that of the properties */
	unsigned properties;
	bool failed; /* no memory, or too many */
};

__attribute__((format(printf, 2, 3))) static void call_add(
	struct scope_call *c, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = c->argc < SCOPE_ARGS ? vasprintf(&text, fmt, ap) : -1;
	va_end(ap);
	if (n < 0)
		c->failed = true;
	else
		c->argv[c->argc++] = text;
}

static void call_fini(struct scope_call *c)
{
	for (size_t i = 0; i < c->argc; i++)
		free((char *)(uintptr_t)c->argv[i]);
}

static void call_begin(struct scope_call *c, const char *method, const char *signature)
{
	memset(c, 0, sizeof(*c));
	call_add(c, "busctl");
	call_add(c, "--system");
	call_add(c, "--timeout=%d", SCOPE_TIMEOUT);
	call_add(c, "call");
	call_add(c, "org.freedesktop.systemd1");
	call_add(c, "/org/freedesktop/systemd1");
	call_add(c, "org.freedesktop.systemd1.Manager");
	call_add(c, "%s", method);
	call_add(c, "%s", signature);
}

/* A list of properties follows, whose number stands before it. */
static void call_properties(struct scope_call *c)
{
	c->count = c->argc;
	call_add(c, "0");
}

static void call_properties_end(struct scope_call *c)
{
	char *text;

	if (c->failed)
		return;
	if (asprintf(&text, "%u", c->properties) < 0) {
		c->failed = true;
		return;
	}
	free((char *)(uintptr_t)c->argv[c->count]);
	c->argv[c->count] = text;
}

static void call_property(
	struct scope_call *c, const char *name, const char *type, const char *value)
{
	c->properties++;
	call_add(c, "%s", name);
	call_add(c, "%s", type);
	call_add(c, "%s", value);
}

/* -1, or 0 for a quota, is "no limit". */
static void call_number(struct scope_call *c, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	call_property(c, name, "t", value < 0 ? SCOPE_NO_LIMIT : text);
}

static int call_do(struct scope_call *c, struct cm_err *err)
{
	struct cm_spec_hook busctl = { .path = SCOPE_BUSCTL, .timeout = SCOPE_TIMEOUT + 5 };

	if (c->failed)
		return cm_err_set(err, ENOMEM, "systemd");
	busctl.args.v = c->argv;
	busctl.args.n = c->argc;
	if (cm_hooks_program(&busctl, err) < 0)
		return cm_err_wrap(err, "systemd");
	return 0;
}

/* ---- limits */

static bool scope_host_is_v2(void)
{
	return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
}

/* systemd counts in hundredths of a processor's percent: rounded up, so that it never gives less. */
static void scope_quota(struct scope_call *c, const struct cm_spec_resources *res)
{
	int64_t period =
		cm_cgroup_is_set(res->cpu_period) && res->cpu_period > 0 ? res->cpu_period : 100000;
	int64_t quota = cm_cgroup_is_set(res->cpu_quota) ? res->cpu_quota : 0;
	int64_t us = quota > 0 ? (int64_t)((__int128)quota * 1000000 / period) : -1;

	if (cm_cgroup_is_set(res->cpu_period))
		call_number(c, "CPUQuotaPeriodUSec", period);
	if (cm_cgroup_is_set(res->cpu_quota))
		call_number(c, "CPUQuotaPerSecUSec", us < 0 ? us : (us + 9999) / 10000 * 10000);
}

/* A list as bytes of a set. False: it cannot be said so; the file of the group says what is wrong. */
static bool scope_cpu_set(const char *list, unsigned char *set, size_t *len)
{
	unsigned long first, last;

	memset(set, 0, SCOPE_CPUS / 8);
	*len = 0;
	do {
		if (!cm_cgroup_list_range(&list, &first, &last) || last >= SCOPE_CPUS)
			return false;
		for (unsigned long i = first; i <= last; i++)
			set[i / 8] |= (unsigned char)(1U << i % 8);
		*len = last / 8 + 1 > *len ? last / 8 + 1 : *len;
	} while (*list++ == ',');
	return list[-1] == '\0';
}

static void scope_set(struct scope_call *c, const char *name, const char *list)
{
	unsigned char set[SCOPE_CPUS / 8];
	size_t len;

	if (!list || !*list || !scope_cpu_set(list, set, &len))
		return;
	c->properties++;
	call_add(c, "%s", name);
	call_add(c, "ay");
	call_add(c, "%zu", len);
	for (size_t i = 0; i < len; i++)
		call_add(c, "%u", set[i]);
}

static void scope_limits(struct scope_call *c, const struct cm_spec_resources *res)
{
	bool v2 = scope_host_is_v2();

	if (cm_cgroup_is_set(res->memory_limit))
		call_number(c, v2 ? "MemoryMax" : "MemoryLimit", res->memory_limit);
	if (v2 && cm_cgroup_is_set(res->memory_reservation))
		call_number(c, "MemoryLow", res->memory_reservation);
	if (v2 && cm_cgroup_is_set(res->memory_swap) && cm_cgroup_is_set(res->memory_limit) &&
		res->memory_swap >= res->memory_limit)
		call_number(c, "MemorySwapMax", res->memory_swap - res->memory_limit);
	if (cm_cgroup_is_set(res->cpu_shares) && res->cpu_shares > 0)
		call_number(c, v2 ? "CPUWeight" : "CPUShares",
			v2 ? cm_cgroup_v2_weight(res->cpu_shares) : res->cpu_shares);
	scope_quota(c, res);
	if (cm_cgroup_is_set(res->pids_limit))
		call_number(c, "TasksMax",
			res->pids_limit < 0 ? -1 : res->pids_limit + CM_CGROUP_OVERHEAD);
	if (v2) {
		scope_set(c, "AllowedCPUs", res->cpus);
		scope_set(c, "AllowedMemoryNodes", res->mems);
	}
}

/* ---- life */

/* Is the process in a group of systemd's hierarchy that ends in path? */
static bool scope_has(pid_t pid, const char *path)
{
	char file[64], line[8192];
	bool has = false;
	FILE *f;

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	f = fopen(file, "re");
	while (f && !has && fgets(line, sizeof(line), f)) {
		char *c = strchr(line, ':'), *at = c ? strchr(c + 1, ':') : NULL;

		if (!at || (strncmp(c, "::", 2) != 0 && strncmp(c, ":name=systemd:", 14) != 0))
			continue;
		at[strcspn(at, "\n")] = '\0';
		has = strcmp(at + 1, path) == 0;
	}
	if (f)
		fclose(f);
	return has;
}

/* The answer says that there is a job; when it is done the process has been moved. */
static int scope_wait(const struct cm_scope *s, pid_t pid, struct cm_err *err)
{
	const struct timespec step = { .tv_nsec = 2000000 };

	for (int i = 0; i < SCOPE_TIMEOUT * 500; i++) {
		if (scope_has(pid, s->path))
			return 0;
		nanosleep(&step, NULL);
	}
	cm_scope_stop(s->unit);
	return cm_err_set(err, ETIMEDOUT, "systemd: process %d is not in '%s' after %d s", (int)pid,
		s->path, SCOPE_TIMEOUT);
}

int cm_scope_start(const struct cm_scope *s, const struct cm_spec_resources *res,
	const pid_t pids[2], struct cm_err *err)
{
	struct scope_call c;
	int r;

	call_begin(&c, "StartTransientUnit", "ssa(sv)a(sa(sv))");
	call_add(&c, "%s", s->unit);
	call_add(&c, "fail");
	call_properties(&c);
	call_property(&c, "Description", "s", "casemate container");
	call_property(&c, "Slice", "s", s->slice);
	call_property(&c, "Delegate", "b", "true");
	call_property(&c, "DefaultDependencies", "b", "false");
	call_property(&c, "MemoryAccounting", "b", "true");
	call_property(&c, "CPUAccounting", "b", "true");
	call_property(&c, "TasksAccounting", "b", "true");
	c.properties++;
	call_add(&c, "PIDs");
	call_add(&c, "au");
	call_add(&c, "%d", pids[1] ? 2 : 1);
	for (int i = 0; i < 2 && pids[i]; i++)
		call_add(&c, "%d", (int)pids[i]);
	if (res)
		scope_limits(&c, res);
	call_properties_end(&c);
	call_add(&c, "0"); /* auxiliary units */
	r = call_do(&c, err);
	call_fini(&c);
	return r < 0 ? r : scope_wait(s, pids[0], err);
}

int cm_scope_update(const char *unit, const struct cm_spec_resources *res, struct cm_err *err)
{
	struct scope_call c;
	int r = 0;

	call_begin(&c, "SetUnitProperties", "sba(sv)");
	call_add(&c, "%s", unit);
	call_add(&c, "true"); /* until the next boot, as the scope itself */
	call_properties(&c);
	scope_limits(&c, res);
	call_properties_end(&c);
	if (c.properties || c.failed)
		r = call_do(&c, err);
	call_fini(&c);
	return r;
}

void cm_scope_stop(const char *unit)
{
	struct cm_err ignored;
	struct scope_call c;

	call_begin(&c, "StopUnit", "ss");
	call_add(&c, "%s", unit);
	call_add(&c, "replace");
	(void)call_do(&c, &ignored);
	call_fini(&c);
}
