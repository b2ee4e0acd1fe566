/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of Hyper-V's interface that KVM leaves to its user: messages and events of connections, and a test device that makes connections
 * which send back what they get. Only with the CPU option hv_passthrough.
 */
#ifndef CM_VMM_PC_HYPERV_H
#define CM_VMM_PC_HYPERV_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/eventloop.h"
#include "vmm/pc/opts.h"

#define HYPERV_ROUTES	  32
#define HYPERV_CONNS	  32
#define HYPERV_PAYLOAD	  240
#define HYPERV_TEST_PORT  0x3000
#define HYPERV_FIRST_LINE 32 /* interrupt line of route 0 */

struct pc;
struct kvm_run;

/* A slot of a vCPU's message page. */
struct pc_hv_message {
	uint32_t type; /* 0 = the slot is free */
	uint8_t size, flags;
	uint16_t reserved;
	uint64_t sender;
	uint8_t payload[HYPERV_PAYLOAD];
};

struct pc_hyperv {
	struct pc *pc;
	struct ev_work retry;
	struct ev_timer timer;

	pthread_mutex_t lock; /* protects: the rest */
	struct {
		bool used;
		uint8_t cpu, sint;
	} route[HYPERV_ROUTES];
	struct pc_hv_conn {
		bool used, event, waiting; /* waiting: `message` did not fit yet */
		uint8_t id, route;
		struct pc_hv_message message;
	} conn[HYPERV_CONNS];
	struct {
		uint64_t messages, events; /* pages; 0 = off */
	} cpu[PC_CPUS_MAX];
};

/* Claim the test port. 0 or -errno. */
int pc_hyperv_init(struct pc_hyperv *h, struct pc *pc);

/* A vCPU's exit of kind KVM_EXIT_HYPERV. Its thread calls. */
void pc_hyperv_exit(struct pc_hyperv *h, unsigned cpu, struct kvm_run *run);

#endif
