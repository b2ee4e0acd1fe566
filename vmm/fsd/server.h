/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of casemate-fsd: takes requests from the virtqueues in the arena, and images from the sandbox process, hands them to the
 * engine and obeys the VMM on the device socket. One thread. After work it watches the rings for a while, with doorbells turned off, before it sleeps again: up to
 * FSD_POLL_NS where that pays, and ever less where it does not, because the client waits for this very processor.
 */
#ifndef CM_VMM_FSD_SERVER_H
#define CM_VMM_FSD_SERVER_H

#include <stdint.h>

#include <casemate/fsdev.h>

#include "vmm/fsd/engine.h"
#include "vmm/gmem.h"
#include "vmm/virtio/queue.h"

#define FSD_POLL_NS	250000 /* at most */
#define FSD_POLL_MIN_NS 3000
#define FSD_POLL_PROBE	8 /* every so many polls the full time is tried again */

struct fsd_server {
	struct gmem mem; /* the arena alone */
	struct vq queue[CM_FSDEV_QUEUES];
	struct vq_chain chain;
	struct fsd_engine *engine;
	int sock, kick, call, epoll; /* borrowed but epoll */
	int plug; /* brings images; its end is the server's; -1 = none; borrowed */
	int log_fd;
	uint64_t poll_ns; /* how long to watch the rings next time */
	unsigned int polls;
	uint64_t map_id; /* of the last MAP or UNMAP sent */
	bool serving; /* a request is in the engine */
	bool reset_pending; /* RESET came meanwhile, and is answered behind that request */
	uint64_t reset_id;
	bool hangup; /* the VMM is gone */
};

/* Map the arena (a memfd that can neither shrink nor grow). 0 or -errno. */
int fsd_server_map_arena(struct fsd_server *s, int arena_fd);

/* Make the epoll set; engine and descriptors are set. 0 or -errno. */
int fsd_server_init(struct fsd_server *s);

/* Serve until the VMM hangs up: 0. -errno when the loop itself fails. */
int fsd_server_run(struct fsd_server *s);

/* The engine's way to the DAX window, with the server as context. */
extern const struct fsd_dax_ops fsd_server_dax;

#endif
