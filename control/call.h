/* SPDX-License-Identifier: Apache-2.0 */
/* Methods of the control socket, shared by the files that implement them (sandbox_call.c, call_*.c). */
#ifndef CM_CONTROL_CALL_H
#define CM_CONTROL_CALL_H

#include "casemate/fsdev.h"
#include "control/sandbox_internal.h"

/* What an open call waits for: cm_urpc_client.call. From CALL_GUEST on, key is the id of a request to the guest. */
enum call_kind {
	CALL_NONE = 0,
	CALL_WAIT, /* the end of the client's container */
	CALL_WAIT_PID, /* the end of its process whose number is key */
	CALL_RELEASE, /* the start of its program */
	CALL_STACKS, /* the text of the debugger */
	CALL_STREAM, /* the end of a stream whose bytes the guest has sent */
	CALL_START, /* its own start */
	CALL_DESTROY, /* its end */
	CALL_PAUSE, /* the VMM's answer to a pause or resume */
	CALL_FREEZE, /* the guest's, of its container alone */
	CALL_IMAGE, /* the file server's word that it has the image whose number is key */
	CALL_GUEST, /* an empty reply */
	CALL_MOUNT_IMAGE, /* the same, when an image was to be mounted */
	CALL_KILL, /* the same, or the end of the container */
	CALL_PS,
	CALL_PS_JSON,
	CALL_PS_TABLE,
	CALL_EVENT,
	CALL_USAGE,
	CALL_LIMIT,
	CALL_USAGE_FD,
	CALL_DUMP,
	CALL_FILE,
	CALL_CGROUP,
	CALL_EXEC, /* the start of a process */
	CALL_EXEC_WAIT, /* the same, and then its end */
};

#define CALL_GUEST_MS \
	9000 /* for an answer of the guest or the VMM; a client waits a little longer */

/* ---- call_guest.c ---- */
/* The container that the call names; NULL: the call is answered. */
struct sandbox_container *call_container(
	struct sandbox *s, struct cm_urpc_client *c, const json_t *cid);

/* Can the guest be asked about k? false: the call is answered, ESRCH for one that is not up, else EAGAIN for one that is paused. */
bool call_ready(struct sandbox *s, const struct sandbox_container *k, struct cm_urpc_client *c);

/*
 * The same for what starts a task in k: EAGAIN as well while k alone is paused, or is about to be, since the task would stand still before it is what was
 * asked for. All that only asks the guest about k, its processes, files, groups and limits, or signals, is answered as at any other time.
 */
bool call_ready_to_run(
	struct sandbox *s, const struct sandbox_container *k, struct cm_urpc_client *c);

/* Wait for the guest's reply to a request that was queued, or answer why it was not (a negative number). */
void call_await(struct cm_urpc_client *c, enum call_kind kind, int64_t request);

/* Ask the guest about a container. */
void call_ask(struct sandbox *s, const struct sandbox_container *k, struct cm_urpc_client *c,
	enum call_kind kind, uint16_t type);

/* Send a request about container k; the call waits for the reply. */
void call_request(struct sandbox *s, const struct sandbox_container *k, struct cm_urpc_client *c,
	enum call_kind kind, uint16_t type, const void *payload, uint32_t len);

/* Queue a request made of `size` bytes and n strings (NULL: empty). Its id, or -errno (-ENAMETOOLONG: they do not fit). */
int64_t call_send(struct sandbox *s, uint16_t type, const void *fixed, size_t size,
	const char *const words[], size_t n);

/* Calls that take one request after the other have a list in c->work, "todo": take the first off. A new reference; NULL: none is left. */
json_t *call_next(struct cm_urpc_client *c);

/* ---- call_cgroups.c ---- */
void call_read_control(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_write_control(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
/* A reply to one of their requests. */
void call_controlled(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f);

/* ---- call_events.c ---- */
void call_events(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_reap(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);

/* ---- call_log.c ---- */
void call_log_change(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);

/* ---- call_procfs.c ---- */
void call_procfs_dump(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
/* A reply to one of its requests. */
void call_dumped(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f);

/* ---- call_usage_fd.c ---- */
void call_usage_fd(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_usage_page(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f);

/* ---- call_files.c ---- */
void call_fs_cat(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_fs_read(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_fs_tar(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_fs_mount(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_fs_umount(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_mount(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_copied(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f);
/* Did bytes move since the deadline was set? Then there is a new one. */
bool call_files_progress(struct sandbox *s, struct cm_urpc_client *c);

/* ---- call_image.c ---- */
/* What is to be mounted, and where: checked; strings may be NULL. */
struct call_image {
	const char *source, *target;
	json_int_t flags;
};
/* Mount the image that came with the call in container k. */
void call_image_mount(struct sandbox *s, struct sandbox_container *k, struct cm_urpc_client *c,
	const struct call_image *m);
/* The file server at the end of a socket has taken an image, or not. */
void call_image_taken(struct sandbox *s, int sock, const struct cm_fsdev_image *m);
/* The guest's reply to its mount. */
void call_image_mounted(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f);

/* ---- sandbox_freeze.c ---- */
/* Pause or resume container k alone. */
void call_freeze(
	struct sandbox *s, struct sandbox_container *k, bool pause, struct cm_urpc_client *c);
/* Are there containers besides k that could go on while it is paused? */
bool call_freeze_is_due(struct sandbox *s, const struct sandbox_container *k);

/* ---- sandbox_pause.c ---- */
void call_pause(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_resume(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);

/* Signal with checked arguments; the numbers of mode are those of enum cm_urpc_mode. */
void call_send_signal(struct sandbox *s, struct sandbox_container *k, struct cm_urpc_client *c,
	json_int_t signo, json_int_t pid, json_int_t mode);

/* ---- call_compat.c ---- */
void call_exit_status(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_is_running(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_shutdown(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_signal_container(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_signal_process(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
/* A PS reply as one string: an array of numbers, or a table. */
json_t *call_ps_string(const struct sandbox *s, const struct cm_rpc_frame *f, bool json);
/* A method that there will be. */
bool call_is_later(const char *method);

/* ---- call_start_container.c ---- */
void call_start_container(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);

/* ---- call_subcontainer.c ---- */
void call_create_sub(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_start_sub(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_destroy_sub(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
/* The VMM has taken its file server, or not. */
void call_plugged(struct sandbox *s, struct sandbox_container *k, int status);

/* ---- call_exec.c ---- */
void call_execute_wait(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
void call_execute(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
/* The guest's reply to EXEC; c is NULL when the caller is gone. */
void call_executed(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f);

/* ---- call_stacks.c ---- */
void call_stacks(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);

/* ---- call_limit.c ---- */
void call_limit(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg);
json_t *call_limit_result(const struct cm_rpc_frame *f);

/* ---- call_result.c: replies of the guest as JSON; NULL for one that makes no sense ---- */
json_t *call_ps_result(const struct sandbox *s, const struct cm_rpc_frame *f);
/* id: in runc's form of statistics of that container; NULL: as Usage.Collect gives it. */
json_t *call_usage_result(const struct cm_rpc_frame *f, const char *id);

#endif
