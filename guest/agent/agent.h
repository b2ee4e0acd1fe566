/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sentry's end of the control protocol (casemate/rpc.h). One kernel thread serves the control connection: it builds the container,
 * passes signals on and answers questions; the end of the container is told from the thread of its last task.
 *
 * The host's side is trusted with the container's configuration, but nothing that it sends is used before it is bounded and checked.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "lib/types.h"

struct fdt_reader;
struct group;

/*
 * Boot, last step: find the vsock device, listen, start the thread, make the device live. 0 or -errno: then nobody can ask for
 * anything and the machine may as well end. File systems and tasks must be ready.
 */
int agent_init(const struct fdt_reader *fdt);
/* Is g one of the root container's processes, or of no container? */
bool agent_is_root_container(const struct group *g);

#endif
