/* SPDX-License-Identifier: Apache-2.0 */
/* The PC's own filters: its devices need calls that a container's VMM must not have. */
#include <config.h>

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common/seccomp.h"
#include "vmm/pc/pc.h"
#include "vmm/pc/seccomp_pc.h"

int pc_seal_io(struct cm_err *err)
{
	return CM_SECCOMP_INSTALL(seccomp_filter_io, err);
}

int pc_seal_vcpu(struct cm_err *err)
{
	return CM_SECCOMP_INSTALL(seccomp_filter_vcpu, err);
}
