/* SPDX-License-Identifier: Apache-2.0 */
/* casemate delete: removes what is left of a container. */
#include <config.h>
#include "control/cli.h"

#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include "common/cleanup.h"
#include "control/container.h"

static const char help[] =
	"usage: casemate delete [OPTIONS] ID\n"
	"       casemate delete [OPTIONS] --regex PATTERN\n\n"
	"Remove container ID, which is stopped or was never started.\n\n"
	"  -f, --force          kill it when it is not stopped; ID must be whole, and an\n"
	"                       unknown one is no error\n"
	"  -r, --regex          all whose id matches an extended regular expression\n";

static const struct option longs[] = {
	{ "force", no_argument, NULL, 'f' },
	{ "regex", no_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Every one is tried; the first error counts. */
static int delete_matching(const char *root, const regex_t *re, bool force, struct cm_err *err)
{
	cleanup_dir DIR *d = opendir(root);
	struct dirent *e;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0
				       : cm_err_set(err, errno, "open state directory '%s'", root);
	while ((e = readdir(d)) != NULL) {
		struct cm_err one = { 0 };

		if (e->d_name[0] == '.' || regexec(re, e->d_name, 0, NULL, 0) != 0)
			continue;
		if (cm_container_delete(root, e->d_name, force, &one) < 0 && r == 0) {
			*err = one;
			r = -one.code;
		}
	}
	return r;
}

static int delete_regex(const char *root, const char *pattern, bool force, struct cm_err *err)
{
	regex_t re;
	int r = regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB);

	if (r != 0)
		return cm_err_set(err, EINVAL, "--regex: '%s'", pattern);
	r = delete_matching(root, &re, force, err);
	regfree(&re);
	return r;
}

/*
 * Engines and scripts force the deletion of an id of which they do not know whether anything is left, and an unknown one is no error: its
 * beginning must then not be that of another one, which lives.
 */
static int delete_forced(const struct cm_cli *cli, const char *id, struct cm_err *err)
{
	char whole[CM_ID_MAX + 1];
	struct cm_err ignored;

	if (!cli->log && cm_state_find(cli->root, id, whole, &ignored) == 0 &&
		strcmp(id, whole) != 0)
		fprintf(stderr,
			"casemate: no container '%s'; with --force '%s' is not taken for '%s'\n",
			id, id, whole);
	return cm_container_delete(cli->root, id, true, err);
}

int cm_cmd_delete(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	bool force = false, regex = false;
	int c;

	while ((c = cm_cli_option(argc, argv, ":frh", longs, help, err)) >= 0) {
		force |= c == 'f';
		regex |= c == 'r';
	}
	if (c == -2 || cm_cli_words(argc, argv, 1, 1, err) < 0)
		return -err->code;
	if (regex)
		return delete_regex(cli->root, argv[optind], force, err);
	if (force)
		return delete_forced(cli, argv[optind], err);
	if (cm_cli_id_words(cli, argc, argv, 1, 1, err) < 0)
		return -err->code;
	return cm_container_delete(cli->root, argv[optind], false, err);
}
