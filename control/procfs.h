/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's PROCESS reply as an entry of ProcfsDump. Pure: bytes that a hostile guest chose in, JSON out. */
#ifndef CM_CONTROL_PROCFS_H
#define CM_CONTROL_PROCFS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* boot_ns: wall clock when the guest's clock began. A new reference, or NULL for what is no such reply. */
json_t *cm_procfs_entry(const void *payload, size_t len, int64_t boot_ns);

#endif
