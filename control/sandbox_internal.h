/* SPDX-License-Identifier: Apache-2.0 */
/* State of the sandbox process, shared by its set-up (sandbox.c), its main loop (sandbox_loop.c), its processes and its calls. */
#ifndef CM_CONTROL_SANDBOX_INTERNAL_H
#define CM_CONTROL_SANDBOX_INTERNAL_H

#include <time.h>

#include "control/cgroup.h"
#include "control/container.h"
#include "control/events.h"
#include "control/namespaces.h"
#include "control/relay.h"
#include "control/rpc_client.h"
#include "control/sandbox.h"
#include "control/seccomp_profile.h"
#include "control/urpc.h"
#include "control/volumes.h"

#define SANDBOX_RELAYS 120 /* streams at a time; the vsock device has 128 connections */
#define SANDBOX_PROCS \
	128 /* processes that are remembered: alive, or ended and not the oldest ones */
#define VSOCK_PATH "vsock.sock"

/* A process that the guest was asked to start. */
struct sandbox_proc {
	bool used;
	uint32_t container; /* number of the one that it lives in */
	bool init; /* that one's first */
	int64_t id; /* ours, never used again */
	int pid; /* the guest's number, 0 until it answered */
	bool unwanted; /* its owner is gone: it is killed as soon as it has a number */
	uint64_t age; /* when it ended: the oldest is forgotten first */
	int64_t request; /* open EXEC, 0 = none */
	struct cm_spec *spec; /* of that request, owned */
	uint64_t token[3]; /* of its standard streams; 0 = none */
	uint64_t more[CM_RPC_FDS_MAX]; /* of nmore others */
	unsigned nmore;
	bool ended; /* status is known */
	bool complete; /* and what it wrote is out */
	int status; /* wait(2) encoding */
};

/* One container. */
struct sandbox_container {
	char *id; /* NULL = free slot */
	uint32_t number; /* in the guest protocol */
	enum cm_status status; /* changed by sandbox_container_change alone */
	struct cm_spec *spec; /* owned; NULL until it is known */
	struct cm_volumes volumes; /* until the file server runs: then only their numbers */
	struct cm_seccomp_program filter; /* of the configuration, until it is sent */
	int console_fd; /* slave side of its terminal, when an engine has the master; -1 = none */
	int64_t start_id, release_id; /* open START and RELEASE, 0 = none */
	struct timespec requested; /* wall clock: when its start was asked for */
	bool held; /* START asks for a held program */
	/* Of a further container: */
	pid_t pid; /* of the process that stands for it on the host */
	int server_fd; /* socket to its file server; -1 = none */
	struct cm_buf start; /* payload of START, until the server has its device */
	bool plugging; /* the VMM was asked for that */
	bool shared; /* no file server: it lives in the root container's files; one that cannot be started is forgotten */
	bool destroyed; /* it is forgotten as soon as it has ended */
	bool cut; /* its server was cut off, since it does not die */
	unsigned freezes; /* pauses of it alone that were not taken back */
	int64_t freeze_id; /* open FREEZE, 0 = none */
	int wait_status; /* wait(2) encoding, once stopped */
	bool oom_killed;
	long kill_deadline; /* ms: by then a SIGKILL must have shown effect; 0 = none */
	int64_t kill_id; /* open SIGNAL that set it: its reply gives the guest more time, once; 0 = none */
};

/* Did the guest make it, and is its program not at its end? */
static inline bool sandbox_container_is_up(const struct sandbox_container *k)
{
	return k->status == CM_CREATED || k->status == CM_RUNNING || k->status == CM_PAUSED;
}

/* Was its program let go, and has it not ended? */
static inline bool sandbox_container_runs(const struct sandbox_container *k)
{
	return k->status == CM_RUNNING || k->status == CM_PAUSED;
}

struct sandbox {
	const struct cm_sandbox_options *o;
	struct cm_container c; /* the record: sandbox_save writes what the table says */
	struct cm_launch l;
	struct sandbox_container table[CM_RPC_CONTAINERS];
	struct cm_rpc_client rpc;
	struct cm_urpc_server urpc;
	struct cm_relay *relays[SANDBOX_RELAYS]; /* NULL = free */
	struct sandbox_proc procs[SANDBOX_PROCS];
	uint64_t next_token, next_age;
	uint32_t next_image; /* number */
	int64_t next_proc;
	time_t boot_time; /* wall clock when the guest's clock began, about */
	int null_fd; /* takes the place of standard error when the program has closed its own; -1: the caller's stays */
	struct cm_namespaces ns;
	struct cm_cgroup cgroup; /* of the sandbox's processes; n = 0: that of the command */
	bool publish_first; /* the record must be there before anyone is told of the start */
	int done_fd, signal_fd, cli_fd, vsock_fd;
	int64_t hello_id, trace_id;
	bool published; /* control socket and record exist */
	bool vmm_gone, fsd_gone;
	bool killed; /* the command vanished or a kill was ordered: no complaint about the end */
	long deadline; /* ms, monotonic: for the start, or for the end after the guest hung up */
	long output_deadline; /* ms: of a container that was killed, what is not taken by then is dropped; 0 = none */
	struct {
		int fd; /* connection to the VMM's debug server; -1 = none yet */
		struct cm_buf rx;
		uint32_t next_id;
		uint32_t open; /* id of the request without reply, 0 = none */
		unsigned count; /* pauses that were not taken back */
	} pause;
	struct cm_events events;
	struct {
		int fd; /* memfd; valid with page */
		struct cm_usage_page *page; /* NULL = nobody asked yet */
		int64_t request; /* open USAGE, 0 = none */
		long due; /* ms: the next one */
	} usage;
	struct {
		int spawner; /* starts the debugger: control/spawner.h */
		int fd; /* what it writes, -1 = none runs */
		struct cm_buf text;
	} stacks;
	uint64_t log_left; /* bytes that log_fd may still get */
	struct cm_buf tail; /* end of the log */
};

/* Run until the program and its output ended, or the sandbox failed: 0, or -errno with err. */
int sandbox_loop(struct sandbox *s, struct cm_err *err);

/* Milliseconds of CLOCK_MONOTONIC. */
long sandbox_now_ms(void);

/*
 * Open the control socket and write the record. Done some ms after the start, when the program still runs, or before anyone is told of
 * the start: making and removing files would be a tenth of the life of a short program.
 */
int sandbox_publish(struct sandbox *s, struct cm_err *err);

/* Give a descriptor to whoever reads from the socket `to`. 0 or -errno. */
int sandbox_hand_over(int to, int fd);

/* Join the cgroup of the configuration, before the file server starts; remember what is to be done at the end. 0 or -errno. */
int sandbox_enter_host(struct sandbox *s, struct cm_err *err);

/* Run the hooks that come before the program. 0, or -errno: then it must not run. */
int sandbox_create_hooks(struct sandbox *s, struct cm_err *err);

/* Nothing of the container stays: remove its cgroup. The helpers are gone. */
void sandbox_leave_host(struct sandbox *s);

/* Take in what the log pipe holds. */
void sandbox_read_log(struct sandbox *s);

/* The last line of the log, without its end; empty when there is none. */
void sandbox_last_line(const struct sandbox *s, char *buf, size_t size);

/* An exit code or a signal: the rest of the guest's word is its fancy. */
int sandbox_status(int32_t status);

/* ---- sandbox_table.c ---- */
/* The container that the sandbox was made for: with its end the sandbox ends. */
struct sandbox_container *sandbox_root(struct sandbox *s);
/* NULL for one that is not known. */
struct sandbox_container *sandbox_container_find(struct sandbox *s, const char *id);
struct sandbox_container *sandbox_container_at(struct sandbox *s, uint32_t number);
/* A container with this id, in the state creating. -EINVAL, -EEXIST, -ENOSPC. */
int sandbox_container_new(
	struct sandbox *s, const char *id, struct sandbox_container **out, struct cm_err *err);
/* As cm_status_change. */
int sandbox_container_change(struct sandbox_container *k, enum cm_status to, struct cm_err *err);
/* Its life is over, in whatever state it was; one that is stopped already stays as it is. */
void sandbox_container_stopped(struct sandbox_container *k, int wait_status);
/* Its OCI state, and ours; a new reference. */
json_t *sandbox_container_state(struct sandbox *s, const struct sandbox_container *k);
/* It has ended, or was never started: close what it holds. */
void sandbox_container_close(struct sandbox_container *k);
/* The same, answer everybody who waits, and forget it. */
void sandbox_container_free(struct sandbox *s, struct sandbox_container *k);
/* Write the record. */
int sandbox_save(struct sandbox *s, struct cm_err *err);

/* ---- sandbox_plug.c ---- */
/* n descriptors to whoever reads from the socket `to`, with len bytes of data. 0 or -errno. */
int sandbox_send_fds(int to, const void *data, size_t len, const int *fds, int n);
/* Make the server of a container a device; call_plugged is called later. 0 or -errno. */
int sandbox_plug(struct sandbox *s, struct sandbox_container *k, struct cm_err *err);
/* Something came from the VMM's end. */
void sandbox_plug_serve(struct sandbox *s);
/* Something came from the server of a container, if only its end: that, or nonsense, is the container's, too. */
void sandbox_server_serve(struct sandbox *s, struct sandbox_container *k);
/* The same of the root container's, which is watched as a process. */
void sandbox_image_serve(struct sandbox *s);
/* The server of a container hung up, or is to be cut off: the container is killed. */
void sandbox_server_hangup(struct sandbox *s, struct sandbox_container *k);

/* ---- call_subcontainer.c ---- */
/* The guest's reply to START of a further container. -errno when the guest makes no sense. */
int sandbox_sub_started(struct sandbox *s, struct sandbox_container *k,
	const struct cm_rpc_frame *f, struct cm_err *err);

/* ---- sandbox_fds.c ---- */
struct cm_rpc_start_options;
/* Process p gets descriptor fd (consumed) as `number`: *out for its start. 0, or -errno with err set. */
int sandbox_donate(struct sandbox *s, struct sandbox_proc *p, int fd, uint32_t number,
	struct cm_rpc_fd *out, struct cm_err *err);
/* `list` (NULL: empty) gives each of `given` descriptors a number of its own, from `from` on. 0, or -errno with err set. */
int sandbox_check_numbers(const json_t *list, size_t given, unsigned from, struct cm_err *err);
/* Process p gets fds (consumed) under the numbers of a checked list from 3 on; out, which so then names, must live as long as that. */
int sandbox_donate_list(struct sandbox *s, struct sandbox_proc *p, int *fds, const json_t *list,
	struct cm_rpc_fd out[CM_RPC_FDS_MAX], struct cm_rpc_start_options *so, struct cm_err *err);

/* ---- sandbox_proc.c ---- */
/*
 * Streams of a process, or the trace (kind CM_RPC_STREAM_TRACE, p NULL): connect it and give its token. own: the relay closes the
 * descriptors. -errno with err: own descriptors are closed then.
 */
int sandbox_stream(struct sandbox *s, uint16_t kind, int in_fd, int out_fd, bool own,
	uint64_t *token, struct cm_err *err);
/* Streams of a process for fds[3], one each, or one for all when tty. */
int sandbox_stdio(struct sandbox *s, struct sandbox_proc *p, const int fds[3], bool tty, bool own,
	struct cm_err *err);
/* Threads ended, or moved what was waited for. */
void sandbox_streams_done(struct sandbox *s);
/* Output streams of the root container that have not ended. */
bool sandbox_has_output(const struct sandbox *s);
/* A slot for a new process; NULL: too many live. */
struct sandbox_proc *sandbox_proc_new(struct sandbox *s, const struct sandbox_container *k);
struct sandbox_proc *sandbox_proc_find(
	struct sandbox *s, const struct sandbox_container *k, int pid);
struct sandbox_proc *sandbox_proc_init(struct sandbox *s, const struct sandbox_container *k);
struct sandbox_proc *sandbox_proc_of_request(struct sandbox *s, int64_t request);
/* It was not started: free its slot and streams. */
void sandbox_proc_drop(struct sandbox *s, struct sandbox_proc *p);
/* It ended; sent: see struct cm_rpc_exited. */
void sandbox_proc_ended(
	struct sandbox *s, struct sandbox_proc *p, int status, const uint64_t sent[CM_RPC_SENT]);

/* Bytes that went through the stream with this token; 0 when there is none. */
uint64_t sandbox_stream_moved(const struct sandbox *s, uint64_t token);
/* Hang up the streams that were opened for clients who do not wait for them any more. */
void sandbox_streams_sweep(struct sandbox *s);

/* ---- call_files.c ---- */
/* The stream of some client ended. */
void sandbox_call_stream_ended(struct sandbox *s, uint64_t token, uint64_t moved);

/* ---- call_usage_fd.c ---- */
/* Renew the page when it is time; the next time to call this, 0 = never. */
long sandbox_usage_tick(struct sandbox *s);
/* Is this the reply to that? Then it is taken. */
bool sandbox_usage_reply(struct sandbox *s, const struct cm_rpc_frame *f);

/* ---- sandbox_call.c ---- */
/* Serve a call on the control socket; ctx is the struct sandbox. */
void sandbox_call(void *ctx, struct cm_urpc_client *c, const char *method, const json_t *arg);
/* The connection of a client ends. */
void sandbox_call_gone(void *ctx, struct cm_urpc_client *c);
/* A reply of the guest that is not the loop's: answer the client that waits for it. */
void sandbox_call_reply(struct sandbox *s, const struct cm_rpc_frame *f);
/* What a process waiter waits for has come. */
void sandbox_call_ended(struct sandbox *s, const struct sandbox_proc *p);
/* The end of a container: answer everybody who waits for something of it. */
void sandbox_call_end(struct sandbox *s, const struct sandbox_container *k);
/* Answer the clients whose time is over; the next time to call this, 0 = never. */
long sandbox_call_deadlines(struct sandbox *s);
/* A further container was started (code 0), or not. */
void sandbox_call_started(
	struct sandbox *s, const struct sandbox_container *k, int code, const char *text);
/* The container's program was executed (code 0), or not. */
void sandbox_call_released(
	struct sandbox *s, const struct sandbox_container *k, int code, const char *text);

/* ---- call_stacks.c ---- */
/* To poll for the debugger's answer; -1 = nobody waits for one. */
int sandbox_stacks_fd(struct sandbox *s);
/* Something of it is there. */
void sandbox_stacks_serve(struct sandbox *s);

/* ---- sandbox_freeze.c ---- */
/* Is this the guest's reply to a pause or resume of one container? Then it is taken. */
bool sandbox_freeze_reply(struct sandbox *s, const struct cm_rpc_frame *f);

/* ---- sandbox_pause.c ---- */
/* A new connection to the VMM's debug server, or -errno. */
int sandbox_debug_connect(struct sandbox *s);
/* Something came from the VMM. */
void sandbox_pause_serve(struct sandbox *s);
/* Take back every pause: a program is about to be killed. */
void sandbox_unpause(struct sandbox *s);

/* Ask the guest to signal; the reply is matched by the id returned (0: there is nothing to ask). -errno when it cannot be asked. */
int64_t sandbox_signal(
	struct sandbox *s, struct sandbox_container *k, int signo, int pid, uint32_t mode);

#endif
