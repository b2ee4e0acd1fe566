/* SPDX-License-Identifier: Apache-2.0 */
/* The VMM's command line. Numbers of descriptors come from the sandbox process; nothing is read from the environment. */
#ifndef CM_VMM_OPTS_H
#define CM_VMM_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define OPTS_FS_MAX   13
#define OPTS_CPUS_MAX 64
#define OPTS_TAG_MAX  36 /* bytes of a virtio-fs tag */
#define OPTS_KEEP_MAX 8

struct opts_fs {
	char tag[OPTS_TAG_MAX + 1];
	int sock; /* SOCK_SEQPACKET to the file server */
	int kick; /* eventfd: buffers were added */
	int call; /* eventfd: buffers were used */
};

/* Descriptors are -1 when the option is absent. */
struct opts {
	int kvm_fd;
	int arena_fd;
	int vsock_fd;
	int vsock_dir_fd;
	int log_fd; /* default 2 */
	int ready_fd;
	int debug_fd;
	int plug_fd; /* -1 = no spare file devices */
	uint64_t memory; /* bytes */
	unsigned cpus;
	bool trace_exits;
	bool hold_on_panic;
	bool hold_debugged; /* with hold_on_panic: only while a debugger is connected */
	bool probe;
	bool help;
	const char *cmdline; /* never NULL */
	const char *guest_image; /* developer builds only; NULL = the embedded image */
	unsigned nfs;
	struct opts_fs fs[OPTS_FS_MAX];
	unsigned nkeep;
	int keep_fd[OPTS_KEEP_MAX]; /* more descriptors to stay open; -1 = none */
};

/* Fill o from argv (which o points into). Returns 0 or -errno with a one-line message. */
int opts_parse(struct opts *o, int argc, char **argv, struct cm_err *err);

/* The help text, for --help. */
extern const char opts_usage[];

#endif
