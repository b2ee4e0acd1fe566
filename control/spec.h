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
	json_t *annotations; /* borrowed from doc, NULL when absent */
};

/*
 * Parse len bytes of JSON. On success the caller owns *spec (cm_spec_destroy); on failure *spec is NULL and err names the place.
 * Errors: EINVAL, ENOMEM.
 */
int cm_spec_parse(const char *text, size_t len, struct cm_spec **spec, struct cm_err *err);

/* The same for a parsed document; the reference to doc is consumed in any case. */
int cm_spec_from_json(json_t *doc, struct cm_spec **spec, struct cm_err *err);

/* Read and parse config.json in the directory dirfd (a regular file of at most CM_SPEC_FILE_MAX bytes). */
int cm_spec_load(int dirfd, struct cm_spec **spec, struct cm_err *err);

/* Any JSON object in a file, with the same limits. NULL with err set. */
json_t *cm_spec_load_object(const char *path, struct cm_err *err);

/* Free a spec; NULL is allowed. */
void cm_spec_destroy(struct cm_spec *spec);

/* The configuration that `casemate spec` writes: a shell in rootfs/ with runc's default mounts. A new reference. */
json_t *cm_spec_default(void);

/* A mount of the host's files: of type "bind", or with the option "bind" or "rbind". */
bool cm_spec_mount_is_bind(const struct cm_spec_mount *m);

/* Capability number of a "CAP_..." name, -1 for an unknown one. */
int cm_spec_capability(const char *name);

/* Name of a capability number, NULL for an unknown one. */
const char *cm_spec_capability_name(int cap);

#endif
