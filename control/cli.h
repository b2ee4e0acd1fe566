/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: global options, the commands, and what they share. */
#ifndef CM_CONTROL_CLI_H
#define CM_CONTROL_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include "common/err.h"
#include "control/sandbox.h"

#define CM_CLI_MEMORY (1ULL << 30) /* bytes of guest RAM when nothing is said */
#define CM_CLI_FAILED 1 /* exit code of a command that failed, as runc's */

struct cm_cli {
	const char *root; /* state directory */
	const char *log; /* file that gets error lines too; NULL = none */
	bool log_json;
	bool debug; /* show the log of VMM, file server and guest */
	bool systemd; /* host cgroups are scopes of systemd (control/scope.h) */
};

/*
 * A command: prints on stdout, returns its exit code, or -errno with err set: then main reports it and exits with CM_CLI_FAILED.
 * argv[0] is the command's name.
 */
typedef int (*cm_cli_run_fn)(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);

struct cm_cmd {
	const char *name;
	const char *summary; /* one line of `casemate --help` */
	cm_cli_run_fn run;
};

int cm_cmd_create(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_debug(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_delete(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_do(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_doctor(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_events(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_exec(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_features(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_kill(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_list(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_pause(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_ps(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_resume(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_run(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_spec(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_start(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_state(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_update(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);
int cm_cmd_wait(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);

/*
 * The next option of a command, as getopt_long gives it; options end at the first word that is none. -1 = no more, -2 = a wrong option
 * with err set. -h and --help print `help` and end the program.
 */
int cm_cli_option(int argc, char **argv, const char *shorts, const struct option *longs,
	const char *help, struct cm_err *err);

/* 0 when between min and max words follow the options, else -EINVAL with err set. */
int cm_cli_words(int argc, char **argv, int min, int max, struct cm_err *err);

/*
 * As cm_cli_words; the first word is a container's id or the beginning of one, and becomes the whole id (cm_state_find). With --log it stays as it
 * is: that is how engines call, which mean the id that they gave and nothing that resembles it.
 */
int cm_cli_id_words(
	const struct cm_cli *cli, int argc, char **argv, int min, int max, struct cm_err *err);

/* The same for one word. The result is word, or static. NULL with err set. */
char *cm_cli_id(const struct cm_cli *cli, char *word, struct cm_err *err);

/* Options of the sandbox that `run` and `do` share; the values of their `val`. */
enum cm_cli_vm_option {
	CM_OPT_MEMORY = 0x100,
	CM_OPT_CPUS,
	CM_OPT_TRACE,
	CM_OPT_TRACE_EXITS,
	CM_OPT_CMDLINE,
	CM_OPT_ON_PANIC,
	CM_OPT_CORE,
	CM_OPT_COMMAND /* first value that a command may use for its own */
};
#define CM_CLI_VM_LONGS \
	{ "memory", required_argument, NULL, CM_OPT_MEMORY }, \
		{ "cpus", required_argument, NULL, CM_OPT_CPUS }, \
		{ "trace", optional_argument, NULL, CM_OPT_TRACE }, \
		{ "trace-exits", no_argument, NULL, CM_OPT_TRACE_EXITS }, \
		{ "on-panic", required_argument, NULL, CM_OPT_ON_PANIC }, \
		{ "core-on-panic", required_argument, NULL, CM_OPT_CORE }, \
	{ \
		"guest-cmdline", required_argument, NULL, CM_OPT_CMDLINE \
	}
#define CM_CLI_VM_HELP \
	"  --memory SIZE        memory of the sandbox (default 1G, at least 16M)\n" \
	"  --cpus N             virtual CPUs (default: what host and limits leave)\n" \
	"  --trace[=FILE]       print the program's system calls, on stderr or into FILE\n" \
	"  --trace-exits        count VM exits by reason, print the counts at the end\n" \
	"  --on-panic WHAT      end (default), or hold: a guest that died, for debug\n" \
	"  --core-on-panic DIR  write a core of a guest that died into DIR\n" \
	"  --guest-cmdline STR  words for the sentry (for development)\n"

/* Defaults of the options above. */
void cm_cli_vm_init(const struct cm_cli *cli, struct cm_sandbox_options *o);

/* Take in one of them: 0, or -errno with err set. */
int cm_cli_vm_option(struct cm_sandbox_options *o, int option, struct cm_err *err);

/*
 * Run a sandbox to its end (or, detached, to the program's start): forks the sandbox process, forwards signals. Returns the program's
 * exit code (128 + n for signal n), or -errno with err set when it did not start.
 */
int cm_cli_run_sandbox(const struct cm_cli *cli, struct cm_sandbox_options *o, bool detach,
	const char *pid_file, struct cm_err *err);

/* Block the signals that are handed on to the program and get a descriptor to read them from. */
int cm_cli_signalfd(void);

/* Write a process id to a file that appears whole. */
int cm_cli_write_pid(const char *path, int pid, struct cm_err *err);

/* Exit code for a wait status: the code, or 128 + the signal. */
int cm_cli_exit_code(int status);

/*
 * Container id exists and is in one of the states whose bits (1 << enum cm_status) are set in `legal`: 0, else an error that names the
 * state and what was to be done ("cannot start container 'x' that is stopped").
 */
int cm_cli_need(const struct cm_cli *cli, const char *id, const char *verb, unsigned legal,
	struct cm_err *err);

/* Tell of a failure, on stderr and in the log. Returns CM_CLI_FAILED. */
int cm_cli_report(const struct cm_cli *cli, const struct cm_err *err);

/* Print a JSON value, indented, and a newline on stdout; consumes it. */
int cm_cli_print_json(json_t *o, struct cm_err *err);

#endif
