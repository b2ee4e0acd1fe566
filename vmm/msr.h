/* SPDX-License-Identifier: Apache-2.0 */
/* The model-specific registers that a guest may touch; every other one raises #GP in the guest before KVM's own code sees it. */
#ifndef CM_VMM_MSR_H
#define CM_VMM_MSR_H

/* Install the list on the VM. 0 or -errno. */
int msr_filter(int vm_fd);

#endif
