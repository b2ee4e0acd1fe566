/* SPDX-License-Identifier: Apache-2.0 */
/* casemate spec: writes a default config.json. */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "common/cleanup.h"

static const char help[] =
	"usage: casemate spec [OPTIONS]\n\n"
	"Write config.json, a configuration to start from: a shell in rootfs/. An existing\n"
	"file is not touched.\n\n"
	"  -b, --bundle DIR     where to write it (default: current directory)\n";

static const struct option longs[] = {
	{ "bundle", required_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int cm_cmd_spec(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	cleanup_file FILE *f = NULL;
	const char *bundle = ".";
	json_t *o;
	int c, dir, fd;

	while ((c = cm_cli_option(argc, argv, "+:b:h", longs, help, err)) >= 0) {
		if (c == 'b')
			bundle = optarg;
	}
	if (c == -2 || cm_cli_words(argc, argv, 0, 0, err) < 0)
		return -err->code;
	dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return cm_err_set(err, errno, "bundle '%s'", bundle);
	fd = openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	close(dir);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return cm_err_set(err, errno, "write '%s/config.json'", bundle);
	o = cm_spec_default();
	c = o ? json_dumpf(o, f, JSON_INDENT(4)) : -1;
	json_decref(o);
	if (c < 0 || fputc('\n', f) == EOF || fflush(f) != 0)
		return cm_err_set(err, EIO, "write '%s/config.json'", bundle);
	return 0;
}
