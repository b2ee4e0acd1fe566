/* SPDX-License-Identifier: Apache-2.0 */
/* Plain access to signal queues and ids: the sentry's headers and libc's cannot be seen by one file. */
#ifndef TESTS_TASK_PROBE_H
#define TESTS_TASK_PROBE_H

#include "lib/types.h"

void probe_init(void);
void probe_add(int sig, int value); /* value < 0: only the bit */
/* The value of the instance taken, -1 when there was only the bit, -2 when sig was not pending. */
int probe_take(int sig);
u64 probe_set(void);
int probe_remove(u64 mask); /* how many entries went */
int probe_first(u64 set);
int probe_action(int sig); /* enum sig_action */

/* Ids: a numbered task holds one. */
int probe_pid_alloc(void);
void probe_pid_free(int pid);
void probe_pid_use(int pid, bool session, int delta);

#endif
