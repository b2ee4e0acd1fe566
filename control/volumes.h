/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The volumes of a container: what its configuration binds into it from the host, opened once, by the side that may be trusted with paths.
 * casemate-fsd gets the descriptors, the guest gets numbers.
 */
#ifndef CM_CONTROL_VOLUMES_H
#define CM_CONTROL_VOLUMES_H

#include "casemate/fsdev.h"
#include "control/spec.h"

struct cm_volume {
	size_t mount; /* index in the configuration's mounts */
	int fd; /* O_PATH */
	bool readonly, recursive, directory;
};

struct cm_volumes {
	struct cm_volume v[CM_FSDEV_VOLUMES]; /* v[i] is volume i + 1 of the file server */
	unsigned n;
};

/*
 * Open the source of each bind mount; relative ones start at the bundle. 0, or -errno with everything closed and err naming the mount. What
 * is opened is a directory, a file, a FIFO or a socket: device nodes of the host are refused.
 */
int cm_volumes_open(
	struct cm_volumes *vs, const struct cm_spec *spec, int bundle, struct cm_err *err);
void cm_volumes_close(struct cm_volumes *vs);

/* The number of the volume of mounts[mount], 0 = it is none. */
unsigned cm_volumes_number(const struct cm_volumes *vs, size_t mount);

#endif
