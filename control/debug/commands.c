/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands. */
#include <config.h>

#include "control/debug/cmds.h"

const struct command commands[] = {
	{ "status", "", "state, uptime, vCPUs, memory, versions", 0, cmd_status_get,
		cmd_status_print },
	{ "regs", "[VCPU]", "registers of one vCPU, or of all", CMD_STOPPED, cmd_regs_get,
		cmd_regs_print },
	{ "exits", "[VCPU]", "VM exits by reason, with the time that the VMM took", 0,
		cmd_exits_get, cmd_exits_print },
	{ "devices", "", "virtio devices: features, queues, errors", 0, cmd_devices_get,
		cmd_devices_print },
	{ "pause", "", "stop all vCPUs until resume", 0, cmd_pause_get, NULL },
	{ "resume", "", "take pause back", 0, cmd_resume_get, NULL },
	{ "nmi", "[VCPU]", "send an NMI: the sentry dumps itself into the log", CMD_STOPPED,
		cmd_nmi_get, NULL },
	{ "kill", "", "end a guest that died and was held", 0, cmd_kill_get, NULL },
	{ "help", "[COMMAND]", "this list", 0, cmd_help_get, cmd_help_print },
	{ "quit", "", "leave; so does the end of input", 0, cmd_quit_get, NULL },
	{ NULL, NULL, NULL, 0, NULL, NULL },
};
