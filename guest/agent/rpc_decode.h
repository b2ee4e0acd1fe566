/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest side of the wire format of casemate/rpc.h: pure functions on bytes that were copied from the stream. The decoders check every
 * count and length before they use it and give out pointers into the caller's buffer, never copies.
 */
#ifndef AGENT_RPC_DECODE_H
#define AGENT_RPC_DECODE_H

#include "casemate/rpc.h"
#include "lib/types.h"

/* 0, or -EPROTO for a header that no sandbox process sends: magic, version, length, id 0, not a request. */
int rpc_check_header(const struct cm_rpc_hdr *h);

/* A checked START request; everything points into the payload. */
struct rpc_start {
	struct cm_rpc_start fixed;
	const struct cm_rpc_rlimit *rlimits; /* fixed.nrlimits */
	const struct cm_rpc_mount *mounts; /* fixed.nmounts */
	const struct cm_rpc_fd *fds; /* fixed.nfds */
	const struct cm_rpc_device *devices; /* fixed.ndevices */
	const struct cm_rpc_insn *filter; /* fixed.nfilter */
	const struct cm_rpc_idmap *uidmap, *gidmap; /* fixed.nuidmap, fixed.ngidmap */
	const u32 *groups; /* fixed.ngroups */
	const char *id, *rootfs_tag, *hostname, *domainname, *cwd, *file, *user, *initial_cgroup;
	const char *args; /* first of argc strings, each followed by the next */
	const char *env; /* first of envc strings */
	const char *mount_words; /* destination, source, data of each mount */
	const char *masked, *readonly;
	const char *device_paths;
	const char *sysctls; /* name, value of each */
	const char *cgroup; /* control file, value of each */
};

/*
 * Check a START payload of len bytes at p (8-byte aligned). 0; -EPROTO for a malformed one; -E2BIG for a count above its limit; -EINVAL
 * for values that make no sense (container number, capability or flag bits, mount types).
 */
int rpc_decode_start(const void *p, u32 len, struct rpc_start *out);

/* The same for EXEC: a START without mounts, paths and what concerns the whole container. */
int rpc_decode_exec(const void *p, u32 len, struct rpc_start *out);

struct rpc_file {
	struct cm_rpc_file fixed;
	const char *path;
};
struct rpc_mount {
	struct cm_rpc_mount_call fixed;
	const char *type, *source, *target, *data;
};
struct rpc_cgroup {
	struct cm_rpc_cgroup fixed;
	const char *path, *file, *value;
};
/* The payloads of FILE, MOUNT and CGROUP: 0 or -EPROTO. */
int rpc_decode_cgroup(const void *p, u32 len, struct rpc_cgroup *out);
int rpc_decode_file(const void *p, u32 len, struct rpc_file *out);
int rpc_decode_mount(const void *p, u32 len, struct rpc_mount *out);

/* Fill v[0..n) with n consecutive strings that start at s, v[n] with NULL. Returns what follows them. */
const char *rpc_strings(const char *s, char **v, u32 n);

#endif
