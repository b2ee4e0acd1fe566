/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COM1, a 16550A: output to the console descriptor, input from a pipe, interrupt 4. Output is gathered and written at the end of a line, when
 * the buffer is full, and soon after the guest stopped in the middle of one.
 */
#ifndef CM_VMM_PC_SERIAL_H
#define CM_VMM_PC_SERIAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/eventloop.h"

#define SERIAL_FIFO 16
#define SERIAL_OUT  1024

struct pc;

struct pc_serial {
	struct pc *pc;
	int out_fd, in_fd; /* -1 = none */

	pthread_mutex_t lock; /* protects: the rest, from vCPU threads and the io thread */
	uint8_t dll, dlm, ier, lcr, mcr, scr, fcr;
	bool thr_empty; /* its interrupt is pending */
	bool level; /* of the interrupt line */
	uint8_t fifo[SERIAL_FIFO];
	unsigned fifo_len;
	char out[SERIAL_OUT];
	unsigned out_len;
	bool late; /* the flush timer is on its way */

	/* io thread */
	struct ev_source in;
	struct ev_work refill, flush;
	struct ev_timer flush_timer;
	bool watching; /* `in` is in the loop */
};

/* Claim the ports and watch the input. 0 or -errno. */
int pc_serial_init(struct pc_serial *s, struct pc *pc, int out_fd, int in_fd);

/* Write as the debug ports do: no registers, no interrupt. */
void pc_serial_write(struct pc_serial *s, const char *text, size_t len);

/* Write what is gathered. Any thread. */
void pc_serial_flush(struct pc_serial *s);

#endif
