/* SPDX-License-Identifier: Apache-2.0 */
/* Port devices other than COM1: exit, debug output, test device, CMOS, fw_cfg, ACPI power management, resets. */
#ifndef CM_VMM_PC_PORTS_H
#define CM_VMM_PC_PORTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <casemate/pcmachine.h>

#define PC_CMOS_BYTES 128

struct pc;

struct pc_ports {
	struct pc *pc;

	pthread_mutex_t lock; /* protects: the rest */
	uint8_t cmos_index;
	uint8_t cmos[PC_CMOS_BYTES];
	uint64_t cmos_update; /* second of the last update that the guest was told of */
	uint8_t fwcfg[8]; /* the selected entry */
	unsigned fwcfg_len, fwcfg_at;
	uint8_t test_data[4];
	uint8_t test_ram[CM_PC_TEST_RAM_LEN];
	uint16_t pm_enable, pm_status, pm_control;
	unsigned off_chars; /* of "Shutdown" that came so far */
	uint8_t system_a;
};

/* Claim the ports. 0 or -errno. */
int pc_ports_init(struct pc_ports *p, struct pc *pc);

#endif
