/* SPDX-License-Identifier: Apache-2.0 */
/* casemate spec: writes a default config.json. */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/cleanup.h"

static const char help[] =
	"usage: casemate spec [OPTIONS] [COMMAND [ARG...]]\n\n"
	"Write config.json, a configuration to start from: COMMAND, or a shell, in\n"
	"rootfs/. An existing file is not touched.\n\n"
	"  -b, --bundle DIR     where to write it (default: current directory)\n"
	"  --rootless           with a user namespace in which the caller is root\n";

#define SPEC_ROOTLESS CM_OPT_COMMAND

static const struct option longs[] = {
	{ "bundle", required_argument, NULL, 'b' },
	{ "rootless", no_argument, NULL, SPEC_ROOTLESS },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Put words in the place of process.args. */
static int spec_set_args(json_t *o, char *const *words, int n)
{
	json_t *args = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(args, json_string(words[i]));
	/* Words that are no UTF-8 cannot be written in JSON: jansson made NULL of them, which the array refused. */
	if (json_array_size(args) != (size_t)n) {
		json_decref(args);
		return -EILSEQ;
	}
	return json_object_set_new(json_object_get(o, "process"), "args", args);
}

/* One id is mapped: the group of terminals (an option of devpts) is none of them. */
static int spec_set_rootless(json_t *o)
{
	json_t *linux_ = json_object_get(o, "linux");
	json_t *mounts = json_object_get(o, "mounts");
	json_t *mount;
	size_t i;

	json_array_foreach(mounts, i, mount)
	{
		json_t *options = json_object_get(mount, "options");

		for (size_t k = json_array_size(options); k-- > 0;) {
			if (strncmp(json_string_value(json_array_get(options, k)), "gid=", 4) == 0)
				json_array_remove(options, k);
		}
	}
	return json_array_append_new(json_object_get(linux_, "namespaces"),
		       json_pack("{s:s}", "type", "user")) < 0 ||
			       json_object_set_new(linux_, "uidMappings",
				       json_pack("[{s:i, s:i, s:i}]", "containerID", 0, "hostID",
					       (int)geteuid(), "size", 1)) < 0 ||
			       json_object_set_new(linux_, "gidMappings",
				       json_pack("[{s:i, s:i, s:i}]", "containerID", 0, "hostID",
					       (int)getegid(), "size", 1)) < 0
		       ? -ENOMEM
		       : 0;
}

static int spec_write(json_t *o, const char *bundle, struct cm_err *err)
{
	cleanup_file FILE *f = NULL;
	int dir, fd;

	dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return cm_err_set(err, errno, "bundle '%s'", bundle);
	fd = openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	close(dir);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return cm_err_set(err, errno, "write '%s/config.json'", bundle);
	if (json_dumpf(o, f, JSON_INDENT(4)) < 0 || fputc('\n', f) == EOF || fflush(f) != 0)
		return cm_err_set(err, EIO, "write '%s/config.json'", bundle);
	return 0;
}

int cm_cmd_spec(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	const char *bundle = ".";
	bool rootless = false;
	json_t *o;
	int c;

	while ((c = cm_cli_option(argc, argv, "+:b:h", longs, help, err)) >= 0) {
		if (c == 'b')
			bundle = optarg;
		else
			rootless = true;
	}
	if (c == -2)
		return -err->code;
	o = cm_spec_default();
	if (!o || (rootless && spec_set_rootless(o) < 0)) {
		json_decref(o);
		return cm_err_set(err, ENOMEM, "default configuration");
	}
	if (optind < argc && spec_set_args(o, argv + optind, argc - optind)) {
		json_decref(o);
		return cm_err_set(err, EILSEQ, "command");
	}
	c = spec_write(o, bundle, err);
	json_decref(o);
	return c;
}
