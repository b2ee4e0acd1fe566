/* SPDX-License-Identifier: Apache-2.0 */
/* The commands' functions, for the table in commands.c. See session.h for what they do. */
#ifndef CM_DEBUG_CMDS_H
#define CM_DEBUG_CMDS_H

#include "control/debug/session.h"

#define CMD_GET(name) \
	json_t *name##_get(struct session *s, int argc, char **argv, struct cm_err *err)
#define CMD_PRINT(name) void name##_print(const json_t *o, FILE *f)

CMD_GET(cmd_status);
CMD_PRINT(cmd_status);
CMD_GET(cmd_pause);
CMD_GET(cmd_resume);
CMD_GET(cmd_kill);
CMD_GET(cmd_nmi);
CMD_PRINT(cmd_nmi);
CMD_GET(cmd_regs);
CMD_PRINT(cmd_regs);
CMD_GET(cmd_exits);
CMD_PRINT(cmd_exits);
CMD_GET(cmd_devices);
CMD_PRINT(cmd_devices);
CMD_GET(cmd_stack);
CMD_PRINT(cmd_stack);
CMD_GET(cmd_tasks);
CMD_PRINT(cmd_tasks);
CMD_GET(cmd_top);
CMD_PRINT(cmd_top);
CMD_GET(cmd_maps);
CMD_PRINT(cmd_maps);
CMD_GET(cmd_fds);
CMD_PRINT(cmd_fds);
CMD_GET(cmd_mounts);
CMD_PRINT(cmd_mounts);
CMD_GET(cmd_locks);
CMD_PRINT(cmd_locks);
CMD_GET(cmd_mem);
CMD_PRINT(cmd_mem);
CMD_GET(cmd_xlate);
CMD_PRINT(cmd_xlate);
CMD_GET(cmd_dis);
CMD_PRINT(cmd_dis);
CMD_GET(cmd_trace);
CMD_PRINT(cmd_trace);
CMD_GET(cmd_log);
CMD_PRINT(cmd_log);
CMD_GET(cmd_core);
CMD_PRINT(cmd_core);
CMD_GET(cmd_gdb);
CMD_GET(cmd_help);
CMD_PRINT(cmd_help);
CMD_GET(cmd_quit);

#endif
