/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creation of the device models. All return 0 with *out set, or -errno; descriptors that are passed become the device's and are closed
 * with it, on failure they stay the caller's. Devices are created before the io thread runs and destroyed after it ended.
 */
#ifndef CM_VMM_VIRTIO_DEVICES_H
#define CM_VMM_VIRTIO_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guestlog;
struct virtio_dev;
struct virtio_env;

/* Entropy from the host's getrandom, at most CM_VIRTIO_RNG_MAX bytes a request. */
int virtio_rng_create(const struct virtio_env *env, struct virtio_dev **out);

/* Log output of the sentry: what the guest writes goes to `log`, which outlives the device. */
int virtio_console_create(
	const struct virtio_env *env, struct guestlog *log, struct virtio_dev **out);

/*
 * vsock by the hybrid UNIX-socket convention. listen_fd: listening SOCK_STREAM socket on which host programs say "CONNECT <port>\n" and
 * get "OK <host port>\n". Connections of the guest to host port N go to the socket "<name>_<N>" in the current directory of the process
 * (the jail's only one); name NULL refuses them all.
 */
int virtio_vsock_create(
	const struct virtio_env *env, int listen_fd, const char *name, struct virtio_dev **out);

struct virtio_fs_params {
	const char *tag; /* 1 to 36 bytes */
	int sock_fd, kick_fd,
		call_fd; /* to casemate-fsd, see include/casemate/fsdev.h; all -1 = a spare device */
	void *window; /* host mapping of the device's slice of the DAX window, all PROT_NONE; NULL = none */
	uint64_t window_gpa;
	uint64_t window_len; /* bytes, page aligned */
	bool writable; /* fsd may ask for PROT_WRITE mappings */
};

/*
 * Front of a virtio-fs device whose queues casemate-fsd serves; env->mem must list the I/O arena alone. The part of the window that
 * holds no file is mapped PROT_NONE: a guest that touches it gets what vm.c gives for an access to nothing.
 */
int virtio_fs_create(const struct virtio_env *env, const struct virtio_fs_params *params,
	struct virtio_dev **out);

/*
 * io thread: a server for a spare device, in place of the one that it had. The descriptors become the device's; on failure they stay the
 * caller's. 0, or -errno (-EINVAL: not a spare one; -EBUSY: the one that it had lives, and may have requests of the driver's in its hands).
 */
int virtio_fs_plug(struct virtio_dev *dev, int sock_fd, int kick_fd, int call_fd);

/* io thread: a spare device is without a server again: the driver sees it fail, and can reset it when the server has hung up. 0 or -EINVAL. */
int virtio_fs_unplug(struct virtio_dev *dev);

#endif
