/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between the VMM (front of a virtio-fs device) and casemate-fsd (which serves its queues), one struct a message over a
 * SOCK_SEQPACKET socket. Both ends drop a peer that sends another size or version.
 *
 * The VMM sends QUEUE_START for each queue when the guest's driver is ready, RESET when the device is reset (fsd forgets all queues;
 * messages that follow see the fresh state; its REPLY comes when no request is being served, from when on fsd touches nothing of the driver's). fsd
 * sends MAP and UNMAP. Each message but REPLY is answered by one REPLY with its `id` and a status; a sender may have several requests outstanding and
 * replies come in order.
 *
 * Doorbells and interrupts do not travel here: `kick` (eventfd, VMM to fsd: some queue has buffers) and `call` (eventfd, fsd to VMM:
 * some queue has used buffers and wants an interrupt).
 */
#ifndef CASEMATE_FSDEV_H
#define CASEMATE_FSDEV_H

#include <stdint.h>

#define CM_FSDEV_VERSION 1

/*
 * Devices without a server: tags "s1" .. "s15", each for a further container of the sandbox. The sandbox process plugs a server in with
 * a struct cm_fsdev_plug to the VMM (sock, kick, call by SCM_RIGHTS, in this order; answered by the same struct with the status) and one to
 * the server (arena, sock, kick, call; no answer). A server that hangs up is unplugged, and so is one for whose device the VMM gets a struct
 * without descriptors: requests that are open fail, and the driver has to
 * reset the device before the next one comes (-EBUSY until then). That ends only when the old one has hung up, which may have been stopped in the middle
 * of a request.
 */
#define CM_FSDEV_SPARES	    15
#define CM_FSDEV_SPARE_TAG  "s%u"
#define CM_FSDEV_PLUG_FDS   3 /* sock, kick, call */
#define CM_FSDEV_SERVER_FDS 4 /* arena, and those */

struct cm_fsdev_plug {
	uint32_t version; /* CM_FSDEV_VERSION */
	uint32_t device; /* 1 .. CM_FSDEV_SPARES */
	int32_t status; /* in the answer: 0 or -errno */
	uint32_t reserved;
};

/* The queues of a device: 0 = high priority (FORGET), 1.. = requests. */
#define CM_FSDEV_QUEUES 2

/*
 * A client of LOOKUP that offers room behind the entry finds a symbolic link's target there, without a NUL, when that is shorter than the room (CM_FSDEV_TARGET
 * bytes at most): each link on a path would be a request more.
 *
 * Besides the tree, whose root has FUSE_ROOT_ID, a server may serve volumes: LOOKUP of a decimal number (1 .. CM_FSDEV_VOLUMES) in the
 * node CM_FSDEV_VOLUMES_ID answers with that volume's root, a directory or a file. Nothing else can be done with that node.
 */
#define CM_FSDEV_VOLUMES    64
#define CM_FSDEV_VOLUMES_ID 0u
#define CM_FSDEV_TARGET	    256u

/*
 * Images: regular files that the sandbox process hands to a running server, over the socket that a device may have come by. The struct goes to the server with
 * one descriptor, open for reading alone, and comes back with the status. LOOKUP of the image's number in the node CM_FSDEV_VOLUMES_ID, once, answers with its
 * node, which can be read and nothing else; the server closes the file when the client has forgotten the node. An image that nobody looked up yet is
 * closed when a struct without descriptor says so, when the device is reset, or when CM_FSDEV_IMAGES later ones have come.
 */
#define CM_FSDEV_IMAGES	     128 /* not looked up yet */
#define CM_FSDEV_IMAGE_FIRST 65u /* numbers from here on, none twice in the life of a server */

struct cm_fsdev_image {
	uint32_t version; /* CM_FSDEV_VERSION */
	uint32_t image; /* its number */
	int32_t status; /* in the answer: 0 or -errno */
	uint32_t reserved;
};

enum cm_fsdev_op {
	CM_FSDEV_QUEUE_START = 1, /* VMM: `queue`, `size`, `desc`, `driver`, `device`, `features` */
	CM_FSDEV_RESET, /* VMM: no arguments */
	CM_FSDEV_MAP, /* fsd: `file_offset`, `len`, `window_offset`, `prot`, the file by SCM_RIGHTS */
	CM_FSDEV_UNMAP, /* fsd: `len`, `window_offset` */
	CM_FSDEV_REPLY /* either: `id`, `status` */
};

/* Values of `prot`. */
#define CM_FSDEV_READ  1u
#define CM_FSDEV_WRITE 2u

struct cm_fsdev_msg {
	uint32_t version; /* CM_FSDEV_VERSION */
	uint32_t op; /* enum cm_fsdev_op */
	uint64_t id; /* chosen by the requester, echoed in the reply */
	int32_t status; /* reply: 0 or -errno */
	uint32_t prot; /* MAP: CM_FSDEV_READ, CM_FSDEV_WRITE */
	uint64_t file_offset; /* MAP: bytes, page aligned */
	uint64_t len; /* MAP, UNMAP: bytes, page aligned, not 0 */
	uint64_t
		window_offset; /* MAP, UNMAP: bytes from the start of the DAX window, page aligned */
	uint32_t queue; /* QUEUE_START: index below CM_FSDEV_QUEUES */
	uint32_t size; /* QUEUE_START: entries */
	uint64_t desc; /* QUEUE_START: guest-physical addresses, in the arena */
	uint64_t driver;
	uint64_t device;
	uint64_t features; /* QUEUE_START: negotiated virtio features */
};

#endif
