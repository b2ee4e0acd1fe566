/* SPDX-License-Identifier: Apache-2.0 */
/* casemate features: prints what this runtime supports as the features JSON of the OCI runtime specification. */
#include <config.h>
#include "control/cli.h"

#include <errno.h>

static const char help[] = "usage: casemate features\n\n"
			   "Print what is supported as OCI features JSON.\n";

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static json_t *features_capabilities(void)
{
	json_t *a = json_array();
	const char *name;

	for (int i = 0; (name = cm_spec_capability_name(i)) != NULL; i++)
		json_array_append_new(a, json_string(name));
	return a;
}

int cm_cmd_features(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	json_t *o;

	if (cm_cli_option(argc, argv, "+:h", longs, help, err) == -2 ||
		cm_cli_words(argc, argv, 0, 0, err) < 0)
		return -err->code;
	o = json_pack("{s:s, s:s, s:[], s:[s,s,s,s,s,s,s,s,s,s,s,s,s], s:{s:[s,s,s,s], s:o,"
		      " s:{s:b, s:b, s:b, s:b, s:b}, s:{s:b}, s:{s:b}, s:{s:b}}}",
		"ociVersionMin", "1.0.0", "ociVersionMax", "1.0.2", "hooks", "mountOptions", "ro",
		"rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "relatime",
		"strictatime", "sync", "defaults", "linux", "namespaces", "pid", "ipc", "uts",
		"mount", "capabilities", features_capabilities(), "cgroup", "v1", 0, "v2", 0,
		"systemd", 1, "systemdUser", 0, "rdma", 0, "seccomp", "enabled", 0, "apparmor",
		"enabled", 0, "selinux", "enabled", 0);
	return cm_cli_print_json(o, err);
}
