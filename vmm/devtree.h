/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the flattened device tree through which the sentry learns of its machine. */
#ifndef CM_VMM_DEVTREE_H
#define CM_VMM_DEVTREE_H

#include <stddef.h>
#include <stdint.h>

#define DEVTREE_SEED 64 /* bytes of /chosen/rng-seed */

struct devtree_device {
	uint32_t index; /* page of the virtio window; the vector is CM_VECTOR_VIRTIO + index */
	uint32_t virtio_id;
	const char *tag; /* virtio-fs only, else NULL */
};

struct devtree_machine {
	uint64_t ram; /* bytes */
	uint64_t arena; /* bytes, 0 = none */
	uint64_t dax; /* bytes, 0 = none */
	unsigned cpus;
	uint32_t tsc_khz;
	uint64_t realtime_ns; /* CLOCK_REALTIME when the guest's TSC was `tsc` */
	uint64_t tsc;
	const char *cmdline;
	uint8_t seed[DEVTREE_SEED];
	unsigned ndevices;
	struct devtree_device device[16];
};

/* Write the tree into buf. Returns its size in bytes, or -ENOSPC when it does not fit in `size`. */
int devtree_build(const struct devtree_machine *m, void *buf, size_t size);

#endif
