/* SPDX-License-Identifier: Apache-2.0 */
/* The ports through which the sentry asks for things (include/casemate/hypercall.h). */
#ifndef CM_VMM_HYPERCALL_H
#define CM_VMM_HYPERCALL_H

struct vm;

/* Claim the ports on the VM's PIO bus. 0 or -errno. */
int hypercall_init(struct vm *vm);

#endif
