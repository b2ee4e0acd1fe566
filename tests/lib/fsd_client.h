/* SPDX-License-Identifier: Apache-2.0 */
/* A FUSE client for tests: one engine on a temporary directory, requests built from parts, the last reply kept. */
#ifndef CM_TESTS_LIB_FSD_CLIENT_H
#define CM_TESTS_LIB_FSD_CLIENT_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/fsd/engine.h"

#define FC_ROOM	 (1200u * 1024)
#define FC_ROOTS 4 /* DIR/tree; DIR/volume, writable and as read-only; the file DIR/outside */

struct fsd_client {
	struct fsd_engine *e;
	struct fsd_config cfg;
	struct fsd_root roots[FC_ROOTS];
	char dir[64]; /* the served directory: DIR/tree; DIR/outside and DIR/volume are its siblings */
	uint32_t uid, gid; /* of the next requests */
	_Alignas(16) uint8_t in[FC_ROOM];
	_Alignas(16) uint8_t out[FC_ROOM];
	size_t room; /* bytes of reply offered; FC_ROOM by default */
	size_t reply_len; /* of the last call, header included; 0 = none */
	const uint8_t *payload; /* of the last reply */
	size_t payload_len;
};

extern struct fsd_client fc;

/* Make the directory and an engine that has answered INIT (init_flags). tune may change the configuration; NULL: none. */
void fc_start(void (*tune)(struct fsd_config *cfg));
void fc_stop(void);

/* A new engine on the same directory. */
void fc_restart(void (*tune)(struct fsd_config *cfg));
int fc_init(uint32_t flags);

/* One request: fixed part, up to two strings, further bytes. Returns the reply's error (0 or -errno), or 1 without a reply. */
int fc_call(uint32_t op, uint64_t node, const void *arg, size_t arg_len, const char *s1,
	const char *s2, const void *extra, size_t extra_len);

/* Shorthands; node ids or -errno as a negative value. */
int64_t fc_lookup(uint64_t dir, const char *name);
int64_t fc_mknod(uint64_t dir, const char *name, uint32_t mode);
int64_t fc_mkdir(uint64_t dir, const char *name, uint32_t mode);
int fc_forget(uint64_t node, uint64_t n);
int64_t fc_write(uint64_t node, uint64_t fh, uint64_t off, const void *buf, uint32_t len);
int64_t fc_read(uint64_t node, uint64_t fh, uint64_t off, uint32_t len);
/* The attributes of the last LOOKUP-like or GETATTR-like reply. */
const struct fuse_attr *fc_entry_attr(void);
const struct fuse_attr *fc_getattr(uint64_t node);

/* A path below DIR, printed like printf; valid until the fourth call after. */
const char *fc_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void fc_host_file(const char *path, const char *text);
/* Descriptors that the process has open. */
unsigned int fc_open_fds(void);

#endif
