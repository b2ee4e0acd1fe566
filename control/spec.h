/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime configuration (config.json) as a struct. config.json is trusted but checked: a wrong type or a missing required
 * field is named by its JSON path, unknown fields are ignored. Strings belong to the parsed document, which the spec owns.
 */
#ifndef CM_CONTROL_SPEC_H
#define CM_CONTROL_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "casemate/rpc.h"
#include "common/err.h"

#define CM_SPEC_FILE_MAX (4u << 20) /* bytes of config.json */

struct cm_spec_strv {
	const char **v; /* n strings, then NULL */
	size_t n;
};

struct cm_spec_mount {
	const char *destination; /* absolute or relative to the root */
	const char *type; /* NULL when absent */
	const char *source; /* NULL when absent */
	struct cm_spec_strv options;
};

struct cm_spec_rlimit {
	const char *type; /* RLIMIT_* name */
	uint64_t soft, hard;
};

struct cm_spec_hook {
	const char *path; /* absolute */
	struct cm_spec_strv args; /* n = 0: the path alone */
	struct cm_spec_strv env;
	uint32_t timeout; /* seconds, 0 = none */
};

/* In the order in which they run. */
enum cm_hook_kind {
	CM_HOOK_PRESTART,
	CM_HOOK_CREATE_RUNTIME,
	CM_HOOK_CREATE_CONTAINER,
	CM_HOOK_START_CONTAINER,
	CM_HOOK_POSTSTART,
	CM_HOOK_POSTSTOP,
	CM_HOOK_KINDS
};

struct cm_spec_hooks {
	struct cm_spec_hook *v;
	size_t n;
};

#define CM_SPEC_ABSENT \
	INT64_MIN /* a number that the configuration does not have; -1 is "no limit" */

/* linux.resources as far as host cgroups take it. */
struct cm_spec_resources {
	int64_t memory_limit, memory_reservation, memory_swap, memory_swappiness; /* bytes */
	bool oom_disable; /* memory.disableOOMKiller */
	int64_t cpu_shares, cpu_quota, cpu_period, cpu_burst,
		cpu_idle; /* quota, period, burst: us */
	int64_t cpu_rt_runtime, cpu_rt_period; /* us */
	const char *cpus, *mems; /* lists; NULL when absent */
	int64_t pids_limit;
	json_t *unified; /* cgroup v2 file names and values; borrowed, NULL when absent */
	json_t *block_io, *hugepages, *network,
		*rdma; /* checked; borrowed, NULL when they ask for nothing */
};

struct cm_spec_device {
	const char *path;
	uint32_t mode; /* with its S_IFMT */
	uint32_t major, minor, uid, gid;
};

struct cm_spec_idmap {
	uint32_t container, host, size;
};

struct cm_spec_namespace {
	const char *type;
	const char *path; /* NULL: a new one */
};

struct cm_spec {
	json_t *doc; /* owns every string below */
	const char *oci_version;
	const char *root_path;
	bool root_readonly;
	bool terminal;
	uint32_t uid, gid, umask;
	uint32_t *groups; /* ngroups supplementary groups */
	size_t ngroups;
	struct cm_spec_strv args, env;
	const char *
		program; /* that is executed, NULL: args[0]; no configuration has it, but requests have */
	const char *cwd;
	bool no_new_privileges;
	bool has_caps; /* process.capabilities is present */
	uint64_t caps
		[CM_RPC_CAPSETS]; /* bit = capability number; unknown names are ignored as runc does */
	struct cm_spec_rlimit *rlimits;
	size_t nrlimits;
	const char *hostname, *domainname; /* NULL when absent */
	struct cm_spec_mount *mounts;
	size_t nmounts;
	struct cm_spec_strv masked_paths, readonly_paths;
	struct cm_spec_hooks hooks[CM_HOOK_KINDS];
	uint32_t policy, rt_priority; /* process.scheduler: SCHED_* */
	int nice;
	uint32_t personality; /* PER_* */
	int oom_score_adj;
	bool has_oom_score_adj;
	const char *cgroups_path; /* NULL when absent */
	bool has_resources;
	struct cm_spec_resources resources;
	struct cm_spec_device *devices;
	size_t ndevices;
	struct cm_spec_namespace *namespaces;
	size_t nnamespaces;
	struct cm_spec_idmap *uid_map, *gid_map;
	size_t nuid_map, ngid_map;
	const char *
		propagation; /* of the root directory's mount: a word such as "rshared"; NULL when absent */
	json_t *sysctl; /* names and values; borrowed, NULL when absent */
	json_t *seccomp; /* borrowed, NULL when absent */
	json_t *annotations; /* borrowed from doc, NULL when absent */
};

/*
 * Parse len bytes of JSON. On success the caller owns *spec (cm_spec_destroy); on failure *spec is NULL and err names the place.
 * Errors: EINVAL, ENOMEM.
 */
int cm_spec_parse(const char *text, size_t len, struct cm_spec **spec, struct cm_err *err);

/*
 * jansson's integers end at 2^63-1, but configurations say RLIM_INFINITY as 2^64-1. Replace every longer run of digits outside strings by 2^63-1 and
 * blanks.
 */
void cm_spec_clamp_integers(char *s, size_t len);

/* The same for a parsed document; the reference to doc is consumed in any case. */
int cm_spec_from_json(json_t *doc, struct cm_spec **spec, struct cm_err *err);

/* Read and parse config.json in the directory dirfd (a regular file of at most CM_SPEC_FILE_MAX bytes). */
int cm_spec_load(int dirfd, struct cm_spec **spec, struct cm_err *err);

/* Any JSON object in a file ("-": what standard input holds), with the same limits. NULL with err set. */
json_t *cm_spec_load_object(const char *path, struct cm_err *err);

/* Append text, NAME=VALUE, to a list of such, or replace what has its name. */
void cm_spec_env_put(json_t *env, json_t *text);

/* The same for the environment of the process; what was taken from spec->env before is gone. 0 or -errno. */
int cm_spec_set_env(struct cm_spec *spec, const char *text, struct cm_err *err);

/* Free a spec; NULL is allowed. */
void cm_spec_destroy(struct cm_spec *spec);

/* The configuration that `casemate spec` writes: a shell in rootfs/ with runc's default mounts. A new reference. */
json_t *cm_spec_default(void);

/*
 * The hooks object of a configuration, or of a container's record (which holds one of the same form). 0 or -errno; the strings are those of the
 * object, which must live as long.
 */
int cm_spec_parse_hooks(json_t *obj, struct cm_spec_hooks hooks[CM_HOOK_KINDS], struct cm_err *err);
void cm_spec_free_hooks(struct cm_spec_hooks hooks[CM_HOOK_KINDS]);

/* The name of a kind of hooks in the configuration. */
const char *cm_hook_name(enum cm_hook_kind kind);

/* The resources object of a configuration, or of `update`. 0 or -errno with err naming what host cgroups are not asked for. */
int cm_spec_parse_resources(json_t *obj, struct cm_spec_resources *res, struct cm_err *err);

/* The same when the file holds one of `words`, which end in NULL; else *spec is NULL. For a look at what few configurations have. */
int cm_spec_load_if(int dirfd, const char *const *words, struct cm_spec **spec, struct cm_err *err);

/* The entry of linux.namespaces of a type, or NULL. */
const struct cm_spec_namespace *cm_spec_namespace_find(
	const struct cm_spec *spec, const char *type);

/* A mount of the host's files: of type "bind", or with the option "bind" or "rbind". */
bool cm_spec_mount_is_bind(const struct cm_spec_mount *m);

/* Capability number of a "CAP_..." name, -1 for an unknown one. */
int cm_spec_capability(const char *name);

/* Name of a capability number, NULL for an unknown one. */
const char *cm_spec_capability_name(int cap);

#endif
