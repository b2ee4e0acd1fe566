/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guest and VMM agree on about our virtio devices beyond the standard (register offsets, status bits, rings and packet headers
 * come from the kernel's uapi headers <linux/virtio_*.h>).
 */
#ifndef CASEMATE_VIRTIO_ABI_H
#define CASEMATE_VIRTIO_ABI_H

/* Largest queue that any device of ours offers in QueueNumMax. */
#define CM_VIRTIO_QUEUE_MAX 256

/* rng: a request gets at most this many bytes. */
#define CM_VIRTIO_RNG_MAX 65536

/* vsock: the CIDs of the two ends, and the largest payload of one packet in either direction. */
#define CM_VSOCK_HOST_CID   2
#define CM_VSOCK_GUEST_CID  3
#define CM_VSOCK_PACKET_MAX 65536

#endif
