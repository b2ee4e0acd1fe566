/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the agent's files. */
#ifndef AGENT_INTERNAL_H
#define AGENT_INTERNAL_H

#include "agent/rpc_decode.h"
#include "drivers/vsock.h"
#include "fs/vfs.h"
#include "task/task.h"

#define AGENT_STREAMS VSOCK_SOCKS
#define CM_AGENT_TAG  40

/* A vsock stream that serves as a file, or carries a terminal's bytes. */
struct agent_stream {
	struct vsock *sock; /* reference; NULL = slot is free */
	u64 token; /* never used again: a slot is known by it */
	u32 kind; /* enum cm_rpc_stream_kind */
	u32 opens; /* users; with the last one both directions are shut and the slot is free. 0 = not taken yet */
	u64 sent; /* bytes written to it */
};

/* What task_spawn borrows, in one allocation's care: lives until the program is executed. */
struct agent_launch;

struct agent_container;

/* A process that the host asked for, until its end was told. */
struct agent_process {
	struct agent_container *container;
	struct list_head link; /* the container's lock */
	int pid; /* in the container's pid namespace; 0 = not started yet; the container's lock */
	bool init; /* the container's first */
	bool announced; /* the host knows of the start: it may be told of the end */
	u64 token[3];
	u64 more[CM_RPC_FDS_MAX]; /* of its other descriptors; 0 = none */
	struct file *tty; /* master side of its terminal, or NULL */
};

/*
 * A container. Slot i of the table is number i + 1 of the protocol. The agent's thread makes it (START) and is the only one that looks for it; the thread of
 * its first process's last task takes it apart, up to the moment in which `used` is false again: then nothing of it is left. Until then that thread and
 * the agent's share it under its lock, and the agent's finds it ended. The root container, number 1, is never taken apart.
 */
struct agent_container {
	bool used; /* atomic */
	u32 number;
	struct spinlock lock; /* protects: pid, exited, busy, processes */
	struct nsproxy *set; /* its namespaces, mounts included */
	struct mount_ns *ns; /* those mounts */
	struct user_ns
		*user; /* whose ids and capabilities its programs have; NULL: the first one's */
	struct cgroup *cgroup; /* of all its processes */
	struct {
		u64 memory; /* bytes, 0 = all there is */
		u32 pids; /* 0 = no limit */
	} limit; /* agent's thread */
	char tag[CM_AGENT_TAG]; /* of its file server's device */
	int pid; /* of the first task; 0 = none yet */
	bool exited; /* its first process ended, or START did not get so far */
	bool busy; /* the agent's thread works in it */
	bool elsewhere; /* its first program began in a cgroup that is not below its own; agent's thread */
	struct waitq wq; /* a process was announced or released, or left the list */
	struct list_head processes;
	struct seccomp_filter
		*filter; /* of all its processes; set once, before the first; NULL: none */
	struct agent_launch *held; /* the first program, until RELEASE */
	bool releasing; /* ... and is let go: the host is told how that went before it is told of the end. atomic */
};

/*
 * The agent's thread works in the container with this number, in its namespaces, until agent_container_leave: its end waits for that. NULL: there is none, or
 * it ended.
 */
struct agent_container *agent_container_enter(u32 number);
void agent_container_leave(struct agent_container *c);
/* It ended: kill what is left of it, wait for that, and let go of all it has. Not for the root container. May sleep long. */
void agent_container_end(struct agent_container *c);

/* ---- agent.c ---- */
/* Send a frame (h->len bytes of payload); waits for room. Any thread. */
void agent_send(const struct cm_rpc_hdr *h, const void *payload);
/* No task is left that could be traced: end the trace's stream. */
void agent_trace_end(void);

/* ---- stdio.c ---- */
/* Wait until the host has opened the stream with this token (a few seconds) and take it. NULL: it did not. */
struct agent_stream *agent_stream_get(struct vsock_listener *l, u64 token);
/* A file on the stream for flags O_RDONLY, O_WRONLY or O_RDWR, owned by uid. NULL = no memory. */
struct file *agent_stream_file(struct agent_stream *s, u32 flags, u32 uid);
/* Give a stream that was taken back: the last user shuts it. */
void agent_stream_put(struct agent_stream *s);
/* Hang up the streams of a request that failed, as far as nobody took them. */
void agent_stream_drop(const u64 token[3]);
void agent_stream_drop_all(const struct rpc_start *s);
/* Bytes written to the stream with this token; CM_RPC_SENT_ALL when it is shut. */
u64 agent_stream_sent(u64 token);
/* Read or write (all vectors) everything: 0, or -errno (-ECONNRESET at an early end). */
int agent_recv_all(struct vsock *s, void *buf, size_t len);
int agent_send_all(struct vsock *s, struct iov *iov, u32 niov);

/* ---- rootfs.c ---- */
/* Build the mount tree of a container. 0, or -errno with *stage and *index telling where. */
int agent_build_mounts(const struct rpc_start *s, struct mount_ns **out, u32 *stage, u32 *index);
/* The user of s, by name or number: its uid and gid. 0, -ENOENT for one that there is not, or -errno. */
int agent_user(struct mount_ns *ns, const char *user, u32 *uid, u32 *gid);
/* "HOME=..." from the container's /etc/passwd for kfree(); NULL when envp has one, or without memory. */
char *agent_home(struct mount_ns *ns, char *const envp[], u32 uid);
/* The working directory exists in ns, made if it has to be. */
int agent_make_dir(struct mount_ns *ns, const char *path);
/* It is a directory of ns: 0 or -errno. */
int agent_check_dir(struct mount_ns *ns, const char *path);

/* ---- container.c ---- */
/* 0 with the pid in *pid, or -errno. payload: what s points into; NULL afterwards when it is kept for the release. */
int agent_container_start(const struct rpc_start *s, void **payload, struct vsock_listener *streams,
	struct cm_rpc_error *e, int *pid);
/* Execute the program of a held start. */
int agent_container_release(u32 number, struct cm_rpc_error *e);
/* One more process: 0 with the pid in *pid, or -errno. */
int agent_container_exec(const struct rpc_start *s, struct vsock_listener *streams,
	struct cm_rpc_error *e, int *pid);
/* The host has been told of the start of this process. */
void agent_container_announced(u32 number, int pid);
/* The host knows the outcome of agent_container_release. */
void agent_container_released(u32 number);
int agent_container_signal(const struct cm_rpc_signal *q);
/* Records of the container's processes into out[max]; how many. */
u32 agent_container_ps(u32 number, struct cm_rpc_proc *out, u32 max);
/* 0 or -ESRCH. */
int agent_container_usage(u32 number, struct cm_rpc_usage *u);
/* A process of a container, with a reference, or NULL. The agent works in it. */
struct group *agent_container_group(struct agent_container *c, int pid);
/* Window size of the terminal of process pid (0: the first one). */
int agent_container_winsize(const struct cm_rpc_winsize *w);
/* Write back all file systems. 0, or the first error. */
int agent_container_sync(void);

/* ---- files.c ---- */
/* Copy a file into a stream: 0 when the reply will be sent at its end, or -errno. */
int agent_file_read(
	const struct cm_rpc_hdr *hdr, const struct rpc_file *q, struct vsock_listener *streams);
/* Mount or unmount in a container. 0 or -errno. */
int agent_mount(const struct rpc_mount *q);

/* ---- inspect.c ---- */
struct inspect_reply {
	size_t len;
	u8 data[CM_RPC_EVENT_MAX];
};
/* Everything about a process of a container: 0 with the reply's payload in *r, or -ESRCH. */
int agent_inspect(const struct cm_rpc_process *q, struct inspect_reply *r);

/* ---- freeze.c ---- */
/* Let a container's threads stand still: 0 when the reply will be sent, or -errno; -EOPNOTSUPP: they are not all in its cgroup. */
int agent_freeze(const struct cm_rpc_hdr *hdr, u32 number);
/* They go on. 0 or -errno. */
int agent_thaw(u32 number);

/* ---- limit.c ---- */
/* Bytes of memory and tasks of the container; 0 = no limit. */
void agent_limit_set(struct agent_container *c, u64 memory, u32 pids);
/* Change what q names. 0 with what was set before, or -EINVAL. */
/* Read a control file of any cgroup into buf, or write one: bytes, 0, or -errno. */
s64 agent_cgroup(const struct rpc_cgroup *q, char *buf, size_t size);
int agent_limit_change(const struct cm_rpc_limit *q, struct cm_rpc_limit *before);

/* ---- process.c ---- */
/* Start the program of s in the container; the process appears on its list. The pid, or -errno. held: as task_spawn's, the launch to release;
 * everything that s points into must stay until then. */
int agent_process_start(struct agent_container *c, const struct rpc_start *s, bool init,
	struct vsock_listener *streams, struct agent_launch **held, struct cm_rpc_error *e);
/* Execute a held program; frees the launch and the payload that it was given. */
int agent_process_release(struct agent_launch *l, struct cm_rpc_error *e);
void agent_launch_keep(struct agent_launch *l, void *payload);

/* ---- tar.c ---- */
/* What a container's root has above its image, as an archive into a stream: 0 when the reply will be sent at its end, or -errno; -EOPNOTSUPP: the root is
 * no overlay, -EAGAIN: one is being made. */
int agent_tar(
	const struct cm_rpc_hdr *hdr, const struct rpc_file *q, struct vsock_listener *streams);

/* ---- thread.c ---- */
/* Run fn(arg) in a thread of its own, which is put away when fn has returned. false = no memory. Agent's thread. */
bool agent_thread_run(void (*fn)(void *arg), void *arg, const char *name);

/* ---- tty.c ---- */
/* A terminal of the container whose other end is the stream s (consumed): the master in *master, the slave as three descriptors. */
int agent_tty_create(const struct agent_container *c, struct agent_stream *s, u32 uid, u16 rows,
	u16 cols, struct file **master, struct file *stdio[3]);

#endif
