/* SPDX-License-Identifier: Apache-2.0 */
/* casemate do: runs a command in a throw-away sandbox that sees this host's files and changes none of them. */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/cleanup.h"

#define DO_NOT_FOUND	  127
#define DO_NOT_EXECUTABLE 126

static const char help[] =
	"usage: casemate do [OPTIONS] [--] COMMAND [ARGUMENTS]\n\n"
	"Run COMMAND in a new sandbox with this host's files below, read-only, and memory\n"
	"above: what it writes is gone afterwards. Environment and current directory are\n"
	"kept. The exit code is the command's, 128+n when signal n ended it, 127 when it\n"
	"was not found, 126 when it cannot be executed.\n\n"
	"  --cwd DIR            current directory of the command\n"
	"  --env NAME=VALUE     set a variable (repeatable)\n"
	"  --root DIR           files to show instead of /\n" CM_CLI_VM_HELP;

static const struct option longs[] = {
	{ "cwd", required_argument, NULL, CM_OPT_COMMAND },
	{ "env", required_argument, NULL, CM_OPT_COMMAND + 1 },
	{ "root", required_argument, NULL, CM_OPT_COMMAND + 2 },
	CM_CLI_VM_LONGS,
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static json_t *do_mount(const char *where, const char *type, const char *data)
{
	return json_pack("{s:s, s:s, s:s, s:[s, s, s*]}", "destination", where, "type", type,
		"source", type, "options", "nosuid", "noexec", data);
}

static json_t *do_strings(char *const *v)
{
	json_t *a = json_array();

	/* Words that are no UTF-8 cannot be said in JSON; they would vanish silently. */
	for (; a && *v; v++) {
		if (json_array_append_new(a, json_string(*v)) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *do_capabilities(void)
{
	json_t *a = json_array();

	for (int i = 0; i < 64; i++) {
		const char *name = cm_spec_capability_name(i);

		if (name && geteuid() == 0)
			json_array_append_new(a, json_string(name));
	}
	return a;
}

/* The caller's identity and environment, all capabilities of a root that owns nothing but its sandbox. */
static json_t *do_config(char *const *args, char *const *env, const char *cwd, const char *root)
{
	json_t *caps = do_capabilities();
	json_t *o = json_pack("{s:s, s:{s:s, s:b}, s:s, s:[o, o, o, o, o]}", "ociVersion", "1.0.2",
		"root", "path", root, "readonly", 0, "hostname", "casemate", "mounts",
		do_mount("/proc", "proc", NULL), do_mount("/dev", "tmpfs", "mode=755"),
		do_mount("/dev/pts", "devpts", NULL), do_mount("/dev/shm", "tmpfs", "mode=1777"),
		do_mount("/sys", "sysfs", "ro"));
	json_t *p = json_pack("{s:{s:i, s:i}, s:o, s:o, s:s, s:{s:O, s:O, s:O}}", "user", "uid",
		(int)geteuid(), "gid", (int)getegid(), "args", do_strings(args), "env",
		do_strings(env), "cwd", cwd, "capabilities", "bounding", caps, "effective", caps,
		"permitted", caps);

	json_decref(caps);
	if (!o || !p || json_object_set_new(o, "process", p) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int do_fail(int r, const char *cmd, struct cm_err *err, const struct cm_cli *cli)
{
	if (r != -ENOENT && r != -EACCES && r != -ENOEXEC)
		return r;
	if (!strstr(err->msg, "exec"))
		return r;
	fprintf(stderr, "casemate: %s\n", err->msg);
	return r == -ENOENT ? DO_NOT_FOUND : DO_NOT_EXECUTABLE;
}

static int do_run(const struct cm_cli *cli, struct cm_sandbox_options *o, char **argv,
	const char *cwd, const char *root, struct cm_err *err)
{
	json_t *config = do_config(argv, environ, cwd, root);
	char id[32];
	int r;

	if (!config)
		return cm_err_set(err, 0, "do: a word or a variable is not valid UTF-8");
	if (cm_spec_from_json(config, &o->spec, err) < 0)
		return -err->code;
	snprintf(id, sizeof(id), "do-%d", (int)getpid());
	o->id = id;
	o->bundle = "/";
	o->bundle_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	o->overlay = true;
	o->die_with_parent = true;
	if (o->bundle_fd < 0)
		return cm_err_set(err, errno, "open '/'");
	r = cm_cli_run_sandbox(cli, o, false, NULL, err);
	return r < 0 ? do_fail(r, argv[0], err, cli) : r;
}

int cm_cmd_do(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	cleanup_free char *here = getcwd(NULL, 0);
	const char *cwd = here ? here : "/", *root = "/";
	struct cm_sandbox_options o;
	int c;

	cm_cli_vm_init(cli, &o);
	while ((c = cm_cli_option(argc, argv, "+:h", longs, help, err)) >= 0) {
		switch (c) {
		case CM_OPT_COMMAND:
			cwd = optarg;
			break;
		case CM_OPT_COMMAND + 1:
			if (!strchr(optarg, '=') || putenv(optarg) != 0)
				return cm_err_set(err, 0, "--env: '%s' is not NAME=VALUE", optarg);
			break;
		case CM_OPT_COMMAND + 2:
			root = optarg;
			cwd = cwd == here ? "/" : cwd;
			break;
		default:
			if (cm_cli_vm_option(&o, c, err) < 0)
				return -err->code;
			break;
		}
	}
	if (c == -2 || cm_cli_words(argc, argv, 1, INT32_MAX, err) < 0)
		return -err->code;
	if (root[0] != '/')
		return cm_err_set(err, 0, "--root: '%s' is not an absolute path", root);
	return do_run(cli, &o, argv + optind, cwd, root, err);
}
