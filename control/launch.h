/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start of the helper processes of a sandbox. Each gets exactly the descriptors named in its arguments, numbered from 3, a log pipe
 * as standard output and error, /dev/null as standard input, an empty environment, default signals, and dies with the sandbox process
 * (PDEATHSIG: so they are started by its main thread).
 */
#ifndef CM_CONTROL_LAUNCH_H
#define CM_CONTROL_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "common/err.h"
#include "control/volumes.h"

#define CM_LAUNCH_FDS 96

enum cm_hold {
	CM_HOLD_NOT,
	CM_HOLD, /* until it is told to end */
	CM_HOLD_FOR_CORE /* until its core is written */
};

struct cm_launch_options {
	uint64_t memory; /* bytes of guest RAM */
	unsigned cpus; /* 0: as many as cm_cgroup_cpus says */
	enum cm_hold hold_on_panic; /* does a guest that died wait for a debugger? */
	bool trace_exits; /* count VM exits by reason, report at the end */
	const char *cmdline; /* for the sentry; may be empty */
};

struct cm_launch {
	pid_t vmm_pid, fsd_pid; /* 0 = not running */
	int vmm_pidfd, fsd_pidfd; /* readable when the process ended; -1 = none */
	int log_fd; /* read end of the log pipe, non-blocking */
	int log_wr; /* its write end, until both helpers run */
	int debug_fd; /* connections of debuggers are handed to the VMM over it */
	int fsd_sock, fsd_kick, fsd_call; /* the file server's ends, until it runs */
	int arena; /* of the I/O; for the file servers of further containers */
	int plug_fd; /* brings them to the VMM: struct cm_fsdev_plug */
	int image_fd; /* brings images to the root container's file server: struct cm_fsdev_image */
};

void cm_launch_init(struct cm_launch *l);

/*
 * Start casemate-vmm. vsock_fd: listening socket of the vsock device; vsock_dir: O_PATH of the directory it stands in. Both stay the
 * caller's. Errors name /dev/kvm or the program.
 */
int cm_launch_vmm(struct cm_launch *l, const struct cm_launch_options *o, int vsock_fd,
	int vsock_dir, struct cm_err *err);

/* Start casemate-fsd on the tree rootfs (O_PATH directory) and the volumes; all stay the caller's. */
int cm_launch_fsd(struct cm_launch *l, int rootfs, bool readonly, const struct cm_volumes *volumes,
	struct cm_err *err);

/*
 * Start casemate-fsd without a device: that comes over the socket plug (its end; the caller's stays open), and the server ends with it. errfd takes what it
 * has to say. The pid, or -errno.
 */
pid_t cm_launch_server(int plug, int errfd, int rootfs, bool readonly,
	const struct cm_volumes *volumes, struct cm_err *err);

/* Kill what runs; cm_launch_fini waits for it. */
void cm_launch_kill(struct cm_launch *l);

/* Kill what runs, wait for it, close everything. */
void cm_launch_fini(struct cm_launch *l);

/*
 * Start `path` with the n descriptors fds as 3.., errfd as standard output and error. argv ends in NULL. Returns the pid; errors include those of
 * execve.
 */
pid_t cm_launch_spawn(
	const char *path, char *const argv[], const int *fds, int n, int errfd, struct cm_err *err);

/* Path of a helper program: in CASEMATE_LIBEXECDIR (for tests) or the compiled-in directory. */
const char *cm_launch_path(const char *name, char *buf, size_t size);

#endif
