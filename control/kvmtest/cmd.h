/* SPDX-License-Identifier: Apache-2.0 */
/* The command: casemate kvmtest. */
#ifndef CM_CONTROL_KVMTEST_CMD_H
#define CM_CONTROL_KVMTEST_CMD_H

#include "control/cli.h"

int cm_cmd_kvmtest(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err);

/* casemate kvmtest suite; argv[0] is "suite". */
int kt_cmd_suite(int argc, char **argv, struct cm_err *err);

/* As cm_cli_option, but options and words may be mixed, and *name is the long option's. */
int kt_cmd_option(int argc, char **argv, const char *shorts, const struct option *longs,
	const char *text, const char **name, struct cm_err *err);

#endif
