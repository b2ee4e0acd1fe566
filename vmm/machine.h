/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's devices: which ones there are, at which page, and the way from the buses to them. */
#ifndef CM_VMM_MACHINE_H
#define CM_VMM_MACHINE_H

#include <stdint.h>

#include "common/err.h"

struct devtree_machine;
struct vm;

/* Create every device that the options ask for, in the order of machine.c's table. Main thread, once. 0 or -errno. */
int machine_create(struct vm *vm, struct cm_err *err);

/* Describe the devices in m->device[]. */
void machine_describe(const struct vm *vm, struct devtree_machine *m);

/* The driver rang. Numbers are the guest's: unknown ones are ignored. Any thread, never blocks. */
void machine_doorbell(struct vm *vm, uint32_t device, uint32_t queue);

#endif
