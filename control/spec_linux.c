/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of config.json that concern the guest's kernel, and the refusal of what a guest cannot do. */
#include <config.h>
#include "control/spec_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/types.h>

__attribute__((format(printf, 2, 3))) static int refuse(struct cm_err *err, const char *fmt, ...);

static int refuse(struct cm_err *err, const char *fmt, ...)
{
	char text[CM_ERR_MSG];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cm_err_set(err, 0, "%s", text);
	err->code = ENOTSUP;
	return -ENOTSUP;
}

static int linux_oom_score(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec *spec = dst;
	json_int_t n = json_integer_value(v);

	if (n < -1000 || n > 1000)
		return cm_err_set(err, 0, "%s: %lld is out of range", path, (long long)n);
	spec->oom_score_adj = (int)n;
	spec->has_oom_score_adj = true;
	return 0;
}

/* ---- devices */

static int device_type(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	static const struct {
		const char *name;
		uint32_t type;
	} types[] = {
		{ "c", S_IFCHR },
		{ "u", S_IFCHR },
		{ "b", S_IFBLK },
		{ "p", S_IFIFO },
	};

	for (size_t i = 0; i < SPEC_COUNT(types); i++) {
		if (strcmp(json_string_value(v), types[i].name) == 0) {
			*(uint32_t *)dst |= types[i].type;
			return 0;
		}
	}
	return cm_err_set(err, 0, "%s: '%s' is no type of device", path, json_string_value(v));
}

static int device_mode(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	uint32_t *mode = dst;

	*mode = (*mode & S_IFMT) | (uint32_t)(json_integer_value(v) & 07777);
	return 0;
}

/* Slashes at its end mean nothing, as for the other runtimes. */
static int device_path(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	const char *s = json_string_value(v);
	size_t n = strlen(s);

	while (n > 0 && s[n - 1] == '/')
		n--;
	if (n > 0 && s[n] && json_string_setn(v, s, n) < 0)
		return cm_err_set(err, ENOMEM, "%s", path);
	if (n == 0 && *s == '/')
		return cm_err_set(err, 0, "%s: '%s' is the root directory", path, s);
	return cm_spec_abspath(v, path, dst, err);
}

#define AT(m) offsetof(struct cm_spec_device, m)
static const struct spec_field device_fields[] = {
	{ "path", SPEC_STRING, true, device_path, AT(path) },
	{ "type", SPEC_STRING, true, device_type, AT(mode) },
	{ "fileMode", SPEC_INTEGER, false, device_mode, AT(mode) },
	{ "major", SPEC_INTEGER, false, cm_spec_u32, AT(major) },
	{ "minor", SPEC_INTEGER, false, cm_spec_u32, AT(minor) },
	{ "uid", SPEC_INTEGER, false, cm_spec_u32, AT(uid) },
	{ "gid", SPEC_INTEGER, false, cm_spec_u32, AT(gid) },
};
#undef AT

static int linux_devices(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec *spec = dst;
	int r = cm_spec_array(v, sizeof(*spec->devices), &spec->devices, err);

	for (size_t i = 0; r == 0 && i < json_array_size(v); i++) {
		spec->devices[spec->ndevices].mode = 0666;
		r = cm_spec_element(v, i, path, device_fields, SPEC_COUNT(device_fields),
			&spec->devices[spec->ndevices++], err);
	}
	return r;
}

/* ---- namespaces and ids */

static const struct spec_field namespace_fields[] = {
	{ "type", SPEC_STRING, true, cm_spec_nonempty, offsetof(struct cm_spec_namespace, type) },
	{ "path", SPEC_STRING, false, cm_spec_string, offsetof(struct cm_spec_namespace, path) },
};

static int namespace_check(
	const struct cm_spec *spec, size_t i, const char *path, struct cm_err *err)
{
	static const char *const known[] = { "pid", "ipc", "uts", "network", "mount", "user",
		"cgroup", "time" };
	const struct cm_spec_namespace *ns = &spec->namespaces[i];
	size_t k = 0;

	while (k < SPEC_COUNT(known) && strcmp(ns->type, known[k]) != 0)
		k++;
	if (k == SPEC_COUNT(known))
		return cm_err_set(err, 0, "%s[%zu].type: '%s' is no namespace", path, i, ns->type);
	for (k = 0; k < i; k++) {
		if (strcmp(ns->type, spec->namespaces[k].type) == 0)
			return cm_err_set(
				err, 0, "%s[%zu].type: '%s' is given twice", path, i, ns->type);
	}
	return 0;
}

const struct cm_spec_namespace *cm_spec_namespace_find(const struct cm_spec *spec, const char *type)
{
	for (size_t i = 0; i < spec->nnamespaces; i++) {
		if (strcmp(spec->namespaces[i].type, type) == 0)
			return &spec->namespaces[i];
	}
	return NULL;
}

static int linux_namespaces(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec *spec = dst;
	int r = cm_spec_array(v, sizeof(*spec->namespaces), &spec->namespaces, err);

	for (size_t i = 0; r == 0 && i < json_array_size(v); i++) {
		struct cm_spec_namespace *ns = &spec->namespaces[spec->nnamespaces++];

		r = cm_spec_element(
			v, i, path, namespace_fields, SPEC_COUNT(namespace_fields), ns, err);
		if (ns->path && !*ns->path)
			ns->path = NULL;
		if (r == 0)
			r = namespace_check(spec, i, path, err);
	}
	return r;
}

/* A range may be of all ids. */
static int idmap_size(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	json_int_t n = json_integer_value(v);

	if (n < 1 || n > UINT32_MAX)
		return cm_err_set(err, 0, "%s: %lld is out of range", path, (long long)n);
	*(uint32_t *)dst = (uint32_t)n;
	return 0;
}

static const struct spec_field idmap_fields[] = {
	{ "containerID", SPEC_INTEGER, true, cm_spec_u32,
		offsetof(struct cm_spec_idmap, container) },
	{ "hostID", SPEC_INTEGER, true, cm_spec_u32, offsetof(struct cm_spec_idmap, host) },
	{ "size", SPEC_INTEGER, true, idmap_size, offsetof(struct cm_spec_idmap, size) },
};

static int linux_idmap(
	json_t *v, const char *path, struct cm_spec_idmap **map, size_t *n, struct cm_err *err)
{
	int r = cm_spec_array(v, sizeof(**map), map, err);

	for (size_t i = 0; r == 0 && i < json_array_size(v); i++)
		r = cm_spec_element(
			v, i, path, idmap_fields, SPEC_COUNT(idmap_fields), &(*map)[(*n)++], err);
	return r;
}

static int linux_uid_map(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec *spec = dst;

	return linux_idmap(v, path, &spec->uid_map, &spec->nuid_map, err);
}

static int linux_gid_map(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec *spec = dst;

	return linux_idmap(v, path, &spec->gid_map, &spec->ngid_map, err);
}

/* ---- sysctl: those that belong to a namespace; the others would be the host's with every other runtime */

static bool sysctl_namespaced(const char *name)
{
	static const char *const names[] = { "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni",
		"kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
		"kernel.shm_rmid_forced", "kernel.domainname" };

	for (size_t i = 0; i < SPEC_COUNT(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return strncmp(name, "net.", 4) == 0 || strncmp(name, "fs.mqueue.", 10) == 0;
}

static int linux_sysctl(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	const char *key;
	json_t *e;

	json_object_foreach(v, key, e)
	{
		if (!json_is_string(e))
			return cm_err_set(err, 0, "%s.%s: expected string", path, key);
		if (!sysctl_namespaced(key))
			return refuse(err, "%s.%s: does not belong to a namespace", path, key);
	}
	return cm_spec_json(v, path, dst, err);
}

static bool spec_has_namespace(const struct cm_spec *spec, const char *type)
{
	for (size_t i = 0; i < spec->nnamespaces; i++) {
		if (strcmp(spec->namespaces[i].type, type) == 0)
			return true;
	}
	return false;
}

static const char *sysctl_namespace(const char *name)
{
	if (strncmp(name, "net.", 4) == 0)
		return "network";
	return strcmp(name, "kernel.domainname") == 0 ? "uts" : "ipc";
}

/* A parameter of a namespace that the container shares would be the host's: nobody may set that. */
static int sysctl_check(const struct cm_spec *spec, struct cm_err *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(spec->sysctl, name, value)
	{
		const char *type = sysctl_namespace(name);

		if (!spec_has_namespace(spec, type))
			return refuse(err, "linux.sysctl.%s: linux.namespaces has no %s namespace",
				name, type);
		if (strcmp(type, "uts") == 0 && spec->domainname &&
			strcmp(spec->domainname, json_string_value(value)) != 0)
			return cm_err_set(err, 0, "linux.sysctl.%s: domainname is '%s'", name,
				spec->domainname);
	}
	return 0;
}

/* Maps are of a user namespace that is made for the container, and that has both. */
static int idmap_check(const struct cm_spec *spec, struct cm_err *err)
{
	const struct cm_spec_namespace *ns = cm_spec_namespace_find(spec, "user");

	if (!spec->nuid_map && !spec->ngid_map)
		return 0;
	if (!ns)
		return cm_err_set(
			err, 0, "linux.uidMappings: linux.namespaces has no user namespace");
	if (ns->path)
		return cm_err_set(err, 0, "linux.uidMappings: the user namespace has a path");
	if (!spec->nuid_map || !spec->ngid_map)
		return cm_err_set(err, 0, "linux.%s: missing",
			spec->nuid_map ? "gidMappings" : "uidMappings");
	return 0;
}

/* ---- words */

static int linux_propagation(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	static const char *const words[] = { "", "private", "rprivate", "slave", "rslave",
		"unbindable", "runbindable", "shared", "rshared" };
	const char *s = json_string_value(v);

	for (size_t i = 0; i < SPEC_COUNT(words); i++) {
		if (strcmp(s, words[i]) == 0)
			return cm_spec_string(v, path, dst, err);
	}
	return cm_err_set(err, 0, "%s: '%s' is no propagation", path, s);
}

static int linux_personality(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	const char *domain = json_string_value(json_object_get(v, "domain"));
	struct cm_spec *spec = dst;

	if (json_array_size(json_object_get(v, "flags")) > 0)
		return refuse(err, "%s.flags: are not supported", path);
	if (domain && strcmp(domain, "LINUX32") == 0)
		spec->personality = PER_LINUX32;
	else if (domain && strcmp(domain, "LINUX") != 0)
		return refuse(err, "%s.domain: only LINUX and LINUX32 are supported", path);
	return 0;
}

/* ---- scheduler */

static int scheduler_policy(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	static const struct {
		const char *name;
		uint32_t policy;
	} policies[] = {
		{ "SCHED_OTHER", SCHED_OTHER },
		{ "SCHED_FIFO", SCHED_FIFO },
		{ "SCHED_RR", SCHED_RR },
		{ "SCHED_BATCH", SCHED_BATCH },
		{ "SCHED_IDLE", SCHED_IDLE },
	};
	struct cm_spec *spec = dst;

	for (size_t i = 0; i < SPEC_COUNT(policies); i++) {
		if (strcmp(json_string_value(v), policies[i].name) == 0) {
			spec->policy = policies[i].policy;
			return 0;
		}
	}
	return refuse(err, "%s: '%s' is not supported", path, json_string_value(v));
}

static int scheduler_nice(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec *spec = dst;
	json_int_t n = json_integer_value(v);

	if (n < -20 || n > 19)
		return cm_err_set(err, 0, "%s: %lld is out of range", path, (long long)n);
	spec->nice = (int)n;
	return 0;
}

static const struct spec_field scheduler_fields[] = {
	{ "policy", SPEC_STRING, true, scheduler_policy, 0 },
	{ "nice", SPEC_INTEGER, false, scheduler_nice, 0 },
	{ "priority", SPEC_INTEGER, false, cm_spec_u32, offsetof(struct cm_spec, rt_priority) },
};

static int linux_scheduler(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec *spec = dst;
	bool real_time;
	int r = cm_spec_apply(scheduler_fields, SPEC_COUNT(scheduler_fields), v, path, spec, err);

	if (r < 0)
		return r;
	real_time = spec->policy == SCHED_FIFO || spec->policy == SCHED_RR;
	if (real_time ? spec->rt_priority < 1 || spec->rt_priority > 99 : spec->rt_priority != 0)
		return cm_err_set(
			err, 0, "%s.priority: %u is none of this policy", path, spec->rt_priority);
	return 0;
}

/* An object that asks for what this runtime does not do. */
static int linux_refused(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	if (json_object_size(v) == 0)
		return 0;
	return refuse(err, "%s: is not supported", path);
}

#define AT(m) offsetof(struct cm_spec, m)
static const struct spec_field linux_fields[] = {
	{ "process.oomScoreAdj", SPEC_INTEGER, false, linux_oom_score, 0 },
	{ "process.scheduler", SPEC_OBJECT, false, linux_scheduler, 0 },
	{ "linux.devices", SPEC_ARRAY, false, linux_devices, 0 },
	{ "linux.namespaces", SPEC_ARRAY, false, linux_namespaces, 0 },
	{ "linux.uidMappings", SPEC_ARRAY, false, linux_uid_map, 0 },
	{ "linux.gidMappings", SPEC_ARRAY, false, linux_gid_map, 0 },
	{ "linux.sysctl", SPEC_OBJECT, false, linux_sysctl, AT(sysctl) },
	{ "linux.seccomp", SPEC_OBJECT, false, cm_spec_json, AT(seccomp) },
	{ "linux.rootfsPropagation", SPEC_STRING, false, linux_propagation, AT(propagation) },
	{ "linux.intelRdt", SPEC_OBJECT, false, linux_refused, 0 },
	{ "linux.personality", SPEC_OBJECT, false, linux_personality, 0 },
	{ "linux.timeOffsets", SPEC_OBJECT, false, linux_refused, 0 },
};
#undef AT

int cm_spec_parse_linux(json_t *doc, struct cm_spec *spec, struct cm_err *err)
{
	int r = cm_spec_apply(linux_fields, SPEC_COUNT(linux_fields), doc, "", spec, err);

	if (r == 0)
		r = idmap_check(spec, err);
	return r < 0 ? r : sysctl_check(spec, err);
}

void cm_spec_destroy_linux(struct cm_spec *spec)
{
	free(spec->devices);
	free(spec->namespaces);
	free(spec->uid_map);
	free(spec->gid_map);
}
