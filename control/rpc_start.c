/* SPDX-License-Identifier: Apache-2.0 */
/* The START request made of an OCI configuration, and the words for its failure. */
#include <config.h>
#include "control/rpc_start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include "control/cgroup.h"
#include "control/rpc_mounts.h"

#define START_ROOT_CACHE "io.casemate.root-cache"

static const struct {
	const char *name;
	uint32_t resource;
} start_rlimits[] = {
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_STACK", RLIMIT_STACK },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
};

#define COUNT(t) (sizeof(t) / sizeof((t)[0]))
_Static_assert(COUNT(start_rlimits) == CM_RPC_RLIMITS_MAX, "every limit fits");

static int start_add_rlimits(struct cm_buf *b, const struct cm_spec *spec, struct cm_err *err)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < spec->nrlimits; i++) {
		const struct cm_spec_rlimit *l = &spec->rlimits[i];
		struct cm_rpc_rlimit w = { .resource = UINT32_MAX };

		for (size_t k = 0; k < COUNT(start_rlimits); k++) {
			if (strcmp(l->type, start_rlimits[k].name) == 0)
				w.resource = start_rlimits[k].resource;
		}
		if (w.resource == UINT32_MAX)
			return cm_err_set(err, 0, "process.rlimits[%zu].type: unknown limit '%s'",
				i, l->type);
		if (seen & 1u << w.resource)
			return cm_err_set(err, 0, "process.rlimits[%zu].type: '%s' is given twice",
				i, l->type);
		if (l->soft > l->hard)
			return cm_err_set(err, 0,
				"process.rlimits[%zu]: soft limit is above the hard limit", i);
		seen |= 1u << w.resource;
		w.soft = l->soft;
		w.hard = l->hard;
		cm_buf_add(b, &w, sizeof(w));
	}
	return 0;
}

static int start_add_devices(struct cm_buf *b, const struct cm_spec *spec, struct cm_err *err)
{
	for (size_t i = 0; i < spec->ndevices; i++) {
		const struct cm_spec_device *d = &spec->devices[i];
		const struct cm_rpc_device w = { .mode = d->mode,
			.major = d->major,
			.minor = d->minor,
			.uid = d->uid,
			.gid = d->gid };

		if (d->major > 0xfff || d->minor > 0xfffff)
			return cm_err_set(err, 0, "linux.devices[%zu]: %u:%u is no device number",
				i, d->major, d->minor);
		cm_buf_add(b, &w, sizeof(w));
	}
	return 0;
}

static void start_add_idmap(struct cm_buf *b, const struct cm_spec_idmap *map, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct cm_rpc_idmap w = {
			.first = map[i].container, .lower = map[i].host, .count = map[i].size
		};

		cm_buf_add(b, &w, sizeof(w));
	}
}

static void start_add_strv(struct cm_buf *b, const struct cm_spec_strv *sv)
{
	for (size_t i = 0; i < sv->n; i++)
		cm_buf_add_str(b, sv->v[i]);
}

static int start_check_counts(
	const struct cm_spec *spec, const struct cm_rpc_start_options *o, struct cm_err *err)
{
	const struct {
		const char *path;
		size_t n, max;
	} limits[] = {
		{ "process.args", spec->args.n, CM_RPC_ARGS_MAX },
		{ "process.env", spec->env.n + json_array_size(o->secrets), CM_RPC_ARGS_MAX },
		{ "process.user.additionalGids", spec->ngroups, CM_RPC_GROUPS_MAX },
		{ "process.rlimits", spec->nrlimits, CM_RPC_RLIMITS_MAX },
		{ "mounts", spec->nmounts, CM_RPC_MOUNTS_MAX },
		{ "linux.maskedPaths", spec->masked_paths.n, CM_RPC_PATHS_MAX },
		{ "linux.readonlyPaths", spec->readonly_paths.n, CM_RPC_PATHS_MAX },
		{ "linux.devices", spec->ndevices, CM_RPC_DEVICES_MAX },
		{ "linux.uidMappings", spec->nuid_map, CM_RPC_IDMAPS_MAX },
		{ "linux.gidMappings", spec->ngid_map, CM_RPC_IDMAPS_MAX },
		{ "linux.sysctl", json_object_size(spec->sysctl), CM_RPC_SYSCTLS_MAX },
	};

	for (size_t i = 0; i < COUNT(limits); i++) {
		if (limits[i].n > limits[i].max)
			return cm_err_set(err, 0, "%s: %zu elements, at most %zu are supported",
				limits[i].path, limits[i].n, limits[i].max);
	}
	return 0;
}

static void start_console_size(
	const struct cm_spec *spec, const struct cm_rpc_start_options *o, struct cm_rpc_start *s)
{
	const json_t *process = json_object_get(spec->doc, "process");
	const json_t *size = json_object_get(process, "consoleSize");
	json_int_t rows = json_integer_value(json_object_get(size, "height"));
	json_int_t cols = json_integer_value(json_object_get(size, "width"));

	s->rows = o->rows || o->cols ? o->rows : (uint16_t)(rows & 0xffff);
	s->cols = o->rows || o->cols ? o->cols : (uint16_t)(cols & 0xffff);
}

static void start_add_cgroup(void *arg, const char *file, const char *value)
{
	cm_buf_add_str(arg, file);
	cm_buf_add_str(arg, value);
}

static void start_count_cgroup(void *arg, const char *file, const char *value)
{
	(void)file;
	(void)value;
	++*(uint32_t *)arg;
}

static void start_add_fixed(struct cm_buf *b, const struct cm_spec *spec,
	const struct cm_rpc_start_options *o, uint32_t flags)
{
	struct cm_rpc_start s = {
		.flags = flags,
		.container = o->container,
		.uid = spec->uid,
		.gid = spec->gid,
		.umask = spec->umask,
		.argc = (uint32_t)spec->args.n,
		.envc = (uint32_t)(spec->env.n + json_array_size(o->secrets)),
		.ngroups = (uint32_t)spec->ngroups,
		.nrlimits = (uint32_t)spec->nrlimits,
		.nmounts = (uint32_t)spec->nmounts,
		.nmasked = (uint32_t)spec->masked_paths.n,
		.nreadonly = (uint32_t)spec->readonly_paths.n,
		.memory = cm_cgroup_guest_memory(&spec->resources, o->container == 1),
		.pids = cm_cgroup_guest_pids(&spec->resources),
		.oom_score_adj = spec->oom_score_adj,
		.ndevices = (uint32_t)spec->ndevices,
		.policy = spec->policy,
		.rt_priority = spec->rt_priority,
		.nice = spec->nice,
		.root_kind = cm_rpc_propagation(spec->propagation),
		.personality = spec->personality,
		.nuidmap = (uint32_t)spec->nuid_map,
		.ngidmap = (uint32_t)spec->ngid_map,
		.nsysctls = (uint32_t)json_object_size(spec->sysctl),
		.nfds = o->nfds,
		.nsecret = (uint32_t)json_array_size(o->secrets),
	};

	cm_cgroup_guest_files(&spec->resources, NULL, start_count_cgroup, &s.ncgroup);
	start_console_size(spec, o, &s);
	if (o->hold)
		s.flags |= CM_RPC_START_HOLD;
	if (spec->terminal)
		s.flags |= CM_RPC_START_TTY;
	if (o->seccomp) {
		s.nfilter = o->seccomp->n;
		s.filter_flags = o->seccomp->flags;
	}
	if (o->overlay)
		s.flags |= CM_RPC_START_OVERLAY;
	if (spec->root_readonly)
		s.flags |= CM_RPC_START_READONLY;
	if (spec->no_new_privileges)
		s.flags |= CM_RPC_START_NO_NEW_PRIVS;
	if (o->shared)
		s.flags |= CM_RPC_START_SHARED;
	if (o->no_home)
		s.flags |= CM_RPC_START_NO_HOME;
	memcpy(s.caps, spec->caps, sizeof(s.caps));
	memcpy(s.token, o->token, sizeof(s.token));
	memcpy(s.join, o->join, sizeof(s.join));
	cm_buf_add(b, &s, sizeof(s));
}

/* The tag of the file server's device. */
static void start_add_tag(struct cm_buf *b, const struct cm_rpc_start_options *o)
{
	char tag[16] = "root";

	if (o->container > 1)
		(void)snprintf(tag, sizeof(tag), CM_FSDEV_SPARE_TAG, o->container - 1);
	cm_buf_add_str(b, o->shared ? "" : tag);
}

static void start_add_env(
	struct cm_buf *b, const struct cm_spec *spec, const struct cm_rpc_start_options *o)
{
	const json_t *e;
	size_t i;

	start_add_strv(b, &spec->env);
	json_array_foreach(o->secrets, i, e)
	{
		cm_buf_add_str(b, json_string_value(e));
	}
}

/* The annotation of a root directory that others change: 0 with its flag added, or -EINVAL. */
static int start_root_cache(
	const struct cm_spec *spec, const struct cm_rpc_start_options *o, struct cm_err *err)
{
	const char *cache = json_string_value(json_object_get(spec->annotations, START_ROOT_CACHE));

	if (!cache || strcmp(cache, "exclusive") == 0)
		return 0;
	if (strcmp(cache, "shared") != 0)
		return cm_err_set(err, 0,
			"annotations." START_ROOT_CACHE ": '%s' is neither exclusive nor shared",
			cache);
	if (o->overlay)
		return cm_err_set(err, 0,
			"annotations." START_ROOT_CACHE
			": what is below an overlay cannot be shared");
	return CM_RPC_START_CHANGES;
}

int cm_rpc_start_build(struct cm_buf *b, const struct cm_spec *spec,
	const struct cm_rpc_start_options *o, struct cm_err *err)
{
	const char *name;
	json_t *value;
	int cache = start_root_cache(spec, o, err);

	if (cache < 0 || start_check_counts(spec, o, err) < 0)
		return -err->code;
	start_add_fixed(b, spec, o, (uint32_t)cache);
	if (start_add_rlimits(b, spec, err) < 0 || cm_rpc_add_mounts(b, spec, o->volumes, err) < 0)
		return -err->code;
	cm_buf_add(b, o->fds, o->nfds * sizeof(*o->fds));
	if (start_add_devices(b, spec, err) < 0)
		return -err->code;
	if (o->seccomp)
		cm_buf_add(b, o->seccomp->insn, o->seccomp->n * sizeof(*o->seccomp->insn));
	start_add_idmap(b, spec->uid_map, spec->nuid_map);
	start_add_idmap(b, spec->gid_map, spec->ngid_map);
	cm_buf_add(b, spec->groups, spec->ngroups * sizeof(*spec->groups));
	cm_buf_add_str(b, o->id);
	start_add_tag(b, o);
	cm_buf_add_str(b, spec->hostname);
	cm_buf_add_str(b, spec->domainname);
	cm_buf_add_str(b, spec->cwd);
	cm_buf_add_str(b, spec->program);
	cm_buf_add_str(b, o->user);
	cm_buf_add_str(b, o->cgroup);
	start_add_strv(b, &spec->args);
	start_add_env(b, spec, o);
	cm_rpc_add_mount_words(b, spec);
	start_add_strv(b, &spec->masked_paths);
	start_add_strv(b, &spec->readonly_paths);
	for (size_t i = 0; i < spec->ndevices; i++)
		cm_buf_add_str(b, spec->devices[i].path);
	json_object_foreach(spec->sysctl, name, value)
	{
		cm_buf_add_str(b, name);
		cm_buf_add_str(b, json_string_value(value));
	}
	cm_cgroup_guest_files(&spec->resources, NULL, start_add_cgroup, b);
	if (b->failed)
		return cm_err_set(err, E2BIG, "process.args and process.env");
	return 0;
}

int cm_rpc_exec_build(struct cm_buf *b, const struct cm_spec *spec,
	const struct cm_rpc_start_options *o, struct cm_err *err)
{
	/* The process alone; the rest is the container's and was sent with START. */
	struct cm_spec process = *spec;

	process.mounts = NULL;
	process.nmounts = 0;
	process.masked_paths.n = process.readonly_paths.n = 0;
	process.root_readonly = false;
	process.nuid_map = process.ngid_map = 0;
	process.hostname = process.domainname = NULL;
	return cm_rpc_start_build(b, &process, o, err);
}

/* strerror with runc's lower-case first letter. */
static const char *start_reason(int code, char *buf, size_t size)
{
	snprintf(buf, size, "%s", strerror(code));
	if (buf[0] >= 'A' && buf[0] <= 'Z' && buf[1] >= 'a')
		buf[0] = (char)(buf[0] - 'A' + 'a');
	return buf;
}

static int start_error_lookup(int code, const char *arg, const char *reason, struct cm_err *err)
{
	if (!strchr(arg, '/') && code == ENOENT)
		return cm_err_set(err, 0, "exec: \"%s\": executable file not found in $PATH", arg);
	if (code == ENOENT)
		return cm_err_set(err, 0, "exec: \"%s\": stat %s: %s", arg, arg, reason);
	return cm_err_set(err, 0, "exec: \"%s\": %s", arg, reason);
}

static const char *start_sysctl_name(const struct cm_spec *spec, uint32_t index)
{
	const char *name;
	json_t *value;

	json_object_foreach(spec->sysctl, name, value)
	{
		if (index-- == 0)
			return name;
	}
	return "?";
}

int cm_rpc_start_error(const struct cm_rpc_frame *f, const struct cm_spec *spec, struct cm_err *err)
{
	char text[CM_RPC_TEXT_MAX + 1], reason[128];
	const char *arg = spec->program ? spec->program : spec->args.v[0];
	struct cm_rpc_error e;
	int code = f->hdr.error > 0 && f->hdr.error < 4096 ? f->hdr.error : EPROTO;

	cm_rpc_decode_error(f, &e, text);
	start_reason(code, reason, sizeof(reason));
	switch ((enum cm_rpc_stage)e.stage) {
	case CM_RPC_STAGE_LOOKUP:
		start_error_lookup(code, arg, reason, err);
		break;
	case CM_RPC_STAGE_EXEC:
		cm_err_set(err, 0, "exec %s: %s", arg, reason);
		break;
	case CM_RPC_STAGE_CWD:
		cm_err_set(err, 0, "chdir to cwd (\"%s\") set in config.json failed: %s", spec->cwd,
			reason);
		break;
	case CM_RPC_STAGE_MOUNT:
		if (e.index < spec->nmounts)
			cm_err_set(err, 0, "mount '%s': %s", spec->mounts[e.index].destination,
				reason);
		else
			cm_err_set(err, 0, "mount %u: %s", e.index, reason);
		break;
	case CM_RPC_STAGE_DEVICE:
		cm_err_set(err, 0, "config.json: linux.devices[%u]: make '%s': %s", e.index,
			e.index < spec->ndevices ? spec->devices[e.index].path : "?", reason);
		break;
	case CM_RPC_STAGE_SYSCTL:
		cm_err_set(err, 0, "config.json: linux.sysctl.%s: %s",
			start_sysctl_name(spec, e.index), reason);
		break;
	case CM_RPC_STAGE_USER:
		cm_err_set(err, 0, "user: %s", reason);
		break;
	case CM_RPC_STAGE_CGROUP:
		if (e.index == CM_RPC_CGROUP_MAX) {
			cm_err_set(err, 0, "initial_cgroups: %s", reason);
			break;
		}
		cm_err_set(err, 0, "config.json: linux.resources: the guest's cgroup: %s", reason);
		break;
	case CM_RPC_STAGE_SECCOMP:
		cm_err_set(err, 0, "config.json: linux.seccomp: %s", reason);
		break;
	case CM_RPC_STAGE_ROOTFS:
		cm_err_set(err, 0, "mount root file system: %s", reason);
		break;
	default:
		cm_err_set(err, 0, "start refused by the guest: %s", reason);
		break;
	}
	if (text[0]) {
		char head[CM_ERR_MSG];

		memcpy(head, err->msg, sizeof(head));
		cm_err_set(err, 0, "%.400s (%s)", head, text);
	}
	err->code = code;
	return -code;
}
