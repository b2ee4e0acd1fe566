/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the agent's files. */
#ifndef AGENT_INTERNAL_H
#define AGENT_INTERNAL_H

#include "agent/rpc_decode.h"
#include "drivers/vsock.h"
#include "fs/vfs.h"
#include "task/task.h"

#define AGENT_STREAMS 4 /* stdin, stdout, stderr, trace */

/* A vsock stream that serves as a file. It lives as long as the machine: an inode may point to it. */
struct agent_stream {
	struct vsock *sock; /* reference; NULL = slot is free */
	u64 token;
	u32 kind; /* enum cm_rpc_stream_kind */
	struct ref opens; /* files on it; at the last close both directions are shut */
};

/* ---- agent.c ---- */
/* Send a frame (h->len bytes of payload); waits for room. Any thread. */
void agent_send(const struct cm_rpc_hdr *h, const void *payload);
/* No task is left that could be traced: end the trace's stream. */
void agent_trace_end(void);

/* ---- stdio.c ---- */
/* Wait until the host has opened the stream with this token (a few seconds). NULL: it did not. */
struct agent_stream *agent_stream_get(struct vsock_listener *l, u64 token);
/* A file on the stream for flags O_RDONLY or O_WRONLY, owned by uid. NULL = no memory. */
struct file *agent_stream_file(struct agent_stream *s, u32 flags, u32 uid);
/* Read or write (all vectors) everything: 0, or -errno (-ECONNRESET at an early end). */
int agent_recv_all(struct vsock *s, void *buf, size_t len);
int agent_send_all(struct vsock *s, struct iov *iov, u32 niov);

/* ---- rootfs.c ---- */
/* Build the mount tree of a container. 0, or -errno with *stage and *index telling where. */
int agent_build_mounts(const struct rpc_start *s, struct mount_ns **out, u32 *stage, u32 *index);
/* The working directory exists in ns, made if it has to be. */
int agent_make_dir(struct mount_ns *ns, const char *path);

/* ---- container.c ---- */
/* 0 with the pid in *pid, or -errno. */
int agent_container_start(const struct rpc_start *s, struct vsock_listener *streams,
	struct cm_rpc_error *e, int *pid);
/* The host has been told of the start. */
void agent_container_announced(void);
int agent_container_signal(const struct cm_rpc_signal *q);
/* Records of the container's processes into out[max]; how many. */
u32 agent_container_ps(struct cm_rpc_proc *out, u32 max);
/* Write back its file systems. 0, or the first error; 0 without a container. */
int agent_container_sync(void);

#endif
