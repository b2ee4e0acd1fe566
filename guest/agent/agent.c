/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's thread: control connection, frames, one table of request handlers. */
#include "agent/agent.h"

#include "agent/internal.h"
#include "arch.h"
#include "casemate/abi_version.h"
#include "casemate/hypercall.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "syscall/trace.h"

#define AGENT_BACKLOG 64

static struct vsock_listener *agent_control, *agent_streams;
static struct vsock *agent_conn;
static struct mutex agent_tx; /* one frame at a time; protects: agent_conn against sends */

void agent_send(const struct cm_rpc_hdr *h, const void *payload)
{
	struct cm_rpc_hdr out = *h;
	struct iov iov[2] = { { (u64)&out, sizeof(out) }, { (u64)payload, out.len } };

	out.magic = CM_RPC_MAGIC;
	out.version = CM_RPC_VERSION;
	mutex_lock(&agent_tx);
	/* In one go: a packet more is an exit more. */
	if (agent_conn)
		agent_send_all(agent_conn, iov, out.len ? 2 : 1);
	mutex_unlock(&agent_tx);
}

struct request {
	const struct cm_rpc_hdr *hdr;
	void *payload; /* hdr->len bytes, 16-byte aligned; NULL when the handler kept it */
};

static void agent_reply(const struct request *q, int error, const void *payload, u32 len)
{
	struct cm_rpc_hdr h = {
		.type = q->hdr->type | CM_RPC_REPLY,
		.id = q->hdr->id,
		.error = error < 0 ? -error : 0,
		.len = len,
	};

	agent_send(&h, payload);
}

static void agent_hello(struct request *q)
{
	const struct cm_rpc_hello hello = { .version = CM_RPC_VERSION, .abi = CM_ABI_VERSION };

	agent_reply(q, 0, &hello, sizeof(hello));
}

static void agent_reply_started(const struct request *q, u32 container, int ret,
	const struct cm_rpc_error *e, const struct cm_rpc_started *started)
{
	if (ret < 0) {
		agent_reply(q, ret, e, sizeof(*e));
		return;
	}
	agent_reply(q, 0, started, sizeof(*started));
	agent_container_announced(container, started->pid);
}

static void agent_start(struct request *q)
{
	struct cm_rpc_started started = { 0 };
	struct cm_rpc_error e = { 0 };
	struct rpc_start s;
	int ret = rpc_decode_start(q->payload, q->hdr->len, &s);

	if (ret == 0)
		ret = agent_container_start(&s, &q->payload, agent_streams, &e, &started.pid);
	agent_reply_started(q, s.fixed.container, ret, &e, &started);
}

static void agent_exec(struct request *q)
{
	struct cm_rpc_started started = { 0 };
	struct cm_rpc_error e = { 0 };
	struct rpc_start s;
	int ret = rpc_decode_exec(q->payload, q->hdr->len, &s);

	if (ret == 0)
		ret = agent_container_exec(&s, agent_streams, &e, &started.pid);
	agent_reply_started(q, s.fixed.container, ret, &e, &started);
}

static void agent_release(struct request *q)
{
	const struct cm_rpc_container *c = q->payload;
	struct cm_rpc_error e = { 0 };
	int ret = agent_container_release(c->container, &e);

	/* The program goes first, until it waits or its time slice is over: the next command may be a signal for which it has to be ready. */
	if (ret == 0)
		sched_yield_cpu();
	agent_reply(q, ret, &e, ret < 0 ? sizeof(e) : 0);
	agent_container_released(c->container);
}

static void agent_usage(struct request *q)
{
	const struct cm_rpc_container *c = q->payload;
	struct cm_rpc_usage u;
	int ret = agent_container_usage(c->container, &u);

	agent_reply(q, ret, &u, ret < 0 ? 0 : sizeof(u));
}

static void agent_winsize(struct request *q)
{
	agent_reply(q, agent_container_winsize(q->payload), NULL, 0);
}

static void agent_limit(struct request *q)
{
	struct cm_rpc_limit before = { 0 };
	int ret = agent_limit_change(q->payload, &before);

	agent_reply(q, ret, &before, ret < 0 ? 0 : sizeof(before));
}

static void agent_signal(struct request *q)
{
	const struct cm_rpc_signal *s = q->payload;
	int ret = -EINVAL;

	if (s->signo >= 0 && s->signo <= SIG_MAX && s->pid >= 0 && s->mode <= CM_RPC_SIGNAL_PGRP &&
		(s->mode != CM_RPC_SIGNAL_ALL || s->pid == 0) &&
		(s->mode != CM_RPC_SIGNAL_PGRP || s->pid != 0))
		ret = agent_container_signal(s);
	agent_reply(q, ret, NULL, 0);
}

static void agent_ps(struct request *q)
{
	u32 max = CM_RPC_EVENT_MAX / sizeof(struct cm_rpc_proc);
	const struct cm_rpc_container *c = q->payload;
	struct cm_rpc_proc *p;

	max = MIN(max, CM_RPC_PROCS_MAX);
	p = kmalloc(max * sizeof(*p));
	if (!p) {
		agent_reply(q, -ENOMEM, NULL, 0);
		return;
	}
	agent_reply(q, 0, p, agent_container_ps(c->container, p, max) * (u32)sizeof(*p));
	kfree(p);
}

static struct agent_stream *agent_trace_stream;

/* Whole lines; a host that does not read stops the program that is traced, and one that is gone loses them. */
static void agent_trace_sink(const char *text, size_t len)
{
	struct iov iov = { (u64)text, len };

	agent_send_all(agent_trace_stream->sock, &iov, 1);
}

void agent_trace_end(void)
{
	trace_stop();
	if (agent_trace_stream)
		vsock_shutdown(agent_trace_stream->sock, VSOCK_SHUT_RD | VSOCK_SHUT_WR);
}

static void agent_trace(struct request *q)
{
	const struct cm_rpc_trace *t = q->payload;
	int ret = 0;

	if (!t->on) {
		trace_stop();
	} else if (!t->token) {
		trace_start(NULL);
	} else {
		agent_trace_stream = agent_stream_get(agent_streams, t->token);
		if (agent_trace_stream)
			trace_start(agent_trace_sink);
		else
			ret = -ETIMEDOUT;
	}
	agent_reply(q, ret, NULL, 0);
}

static void agent_freeze_request(struct request *q)
{
	const struct cm_rpc_container *c = q->payload;
	int ret = agent_freeze(q->hdr, c->container);

	if (ret < 0)
		agent_reply(q, ret, NULL, 0);
}

static void agent_thaw_request(struct request *q)
{
	const struct cm_rpc_container *c = q->payload;

	agent_reply(q, agent_thaw(c->container), NULL, 0);
}

static void agent_log(struct request *q)
{
	const struct cm_rpc_log *l = q->payload;

	if ((l->which & ~(CM_RPC_LOG_LEVEL | CM_RPC_LOG_CALLS)) || l->reserved ||
		l->level > LOG_DEBUG || l->calls > 1) {
		agent_reply(q, -EINVAL, NULL, 0);
		return;
	}
	if (l->which & CM_RPC_LOG_LEVEL)
		log_set_level((enum log_level)l->level);
	if (l->which & CM_RPC_LOG_CALLS) {
		trace_only(l->only);
		if (l->calls)
			trace_start(NULL);
		else
			trace_stop();
	}
	agent_reply(q, 0, NULL, 0);
}

static void agent_process(struct request *q)
{
	struct inspect_reply *r = kmalloc(sizeof(*r));
	int ret = r ? agent_inspect(q->payload, r) : -ENOMEM;

	agent_reply(q, ret, r ? r->data : NULL, ret < 0 ? 0 : (u32)r->len);
	kfree(r);
}

static void agent_file(struct request *q)
{
	struct rpc_file f;
	int ret = rpc_decode_file(q->payload, q->hdr->len, &f);

	if (ret == 0)
		ret = agent_file_read(q->hdr, &f, agent_streams);
	if (ret < 0)
		agent_reply(q, ret, NULL, 0);
}

static void agent_tar_request(struct request *q)
{
	struct rpc_file f;
	int ret = rpc_decode_file(q->payload, q->hdr->len, &f);

	if (ret == 0)
		ret = agent_tar(q->hdr, &f, agent_streams);
	if (ret < 0)
		agent_reply(q, ret, NULL, 0);
}

static void agent_mount_request(struct request *q)
{
	struct rpc_mount m;
	int ret = rpc_decode_mount(q->payload, q->hdr->len, &m);

	agent_reply(q, ret == 0 ? agent_mount(&m) : ret, NULL, 0);
}

static void agent_cgroup_request(struct request *q)
{
	char *buf = kmalloc(CM_RPC_CGROUP_TEXT);
	struct rpc_cgroup g;
	s64 ret = buf ? rpc_decode_cgroup(q->payload, q->hdr->len, &g) : -ENOMEM;

	if (ret == 0)
		ret = agent_cgroup(&g, buf, CM_RPC_CGROUP_TEXT);
	agent_reply(q, ret < 0 ? (int)ret : 0, buf,
		ret > 0 ? (u32)MIN(ret, CM_RPC_CGROUP_TEXT - 1) : 0);
	kfree(buf);
}

static void agent_shutdown(struct request *q)
{
	const struct cm_rpc_shutdown *s = q->payload;
	int ret = s->flags & CM_RPC_SHUTDOWN_SYNC ? agent_container_sync() : 0;

	agent_reply(q, ret, NULL, 0);
	log_flush();
	arch_power_off(CM_OFF_DONE);
}

/* Indexed by request type; size = bytes of a fixed payload, 0 = any. A missing function answers ENOSYS. */
static const struct {
	void (*run)(struct request *q);
	u32 size;
} agent_requests[] = {
	[CM_RPC_HELLO] = { agent_hello, sizeof(struct cm_rpc_hello) },
	[CM_RPC_START] = { agent_start, 0 },
	[CM_RPC_SIGNAL] = { agent_signal, sizeof(struct cm_rpc_signal) },
	[CM_RPC_PS] = { agent_ps, sizeof(struct cm_rpc_container) },
	[CM_RPC_TRACE] = { agent_trace, sizeof(struct cm_rpc_trace) },
	[CM_RPC_WINSIZE] = { agent_winsize, sizeof(struct cm_rpc_winsize) },
	[CM_RPC_RELEASE] = { agent_release, sizeof(struct cm_rpc_container) },
	[CM_RPC_EXEC] = { agent_exec, 0 },
	[CM_RPC_USAGE] = { agent_usage, sizeof(struct cm_rpc_container) },
	[CM_RPC_LIMIT] = { agent_limit, sizeof(struct cm_rpc_limit) },
	[CM_RPC_LOG] = { agent_log, sizeof(struct cm_rpc_log) },
	[CM_RPC_PROCESS] = { agent_process, sizeof(struct cm_rpc_process) },
	[CM_RPC_FILE] = { agent_file, 0 },
	[CM_RPC_MOUNT] = { agent_mount_request, 0 },
	[CM_RPC_CGROUP] = { agent_cgroup_request, 0 },
	[CM_RPC_TAR] = { agent_tar_request, 0 },
	[CM_RPC_FREEZE] = { agent_freeze_request, sizeof(struct cm_rpc_container) },
	[CM_RPC_THAW] = { agent_thaw_request, sizeof(struct cm_rpc_container) },
	[CM_RPC_SHUTDOWN] = { agent_shutdown, sizeof(struct cm_rpc_shutdown) },
};

static void agent_dispatch(struct request *q)
{
	u32 type = q->hdr->type;

	if (type >= ARRAY_SIZE(agent_requests) || !agent_requests[type].run)
		agent_reply(q, -ENOSYS, NULL, 0);
	else if (agent_requests[type].size && agent_requests[type].size != q->hdr->len)
		agent_reply(q, -EPROTO, NULL, 0);
	else
		agent_requests[type].run(q);
}

/* One frame from the connection to its handler. 0, or why the connection is of no more use. */
static int agent_serve_one(void)
{
	struct cm_rpc_hdr h;
	struct request q = { .hdr = &h };
	int ret = agent_recv_all(agent_conn, &h, sizeof(h));

	if (ret == 0)
		ret = rpc_check_header(&h);
	if (ret == 0 && h.len) {
		q.payload = kmalloc(h.len);
		ret = q.payload ? agent_recv_all(agent_conn, q.payload, h.len) : -ENOMEM;
	}
	if (ret == 0)
		agent_dispatch(&q);
	kfree(q.payload);
	return ret;
}

static void agent_thread(void *arg)
{
	int ret = vsock_accept(agent_control, 0, &agent_conn);

	/* The only one in the life of the sandbox: any other is refused. */
	vsock_unlisten(agent_control);
	while (ret == 0)
		ret = agent_serve_one();
	/* Without the sandbox process nobody can reach the container. */
	log_warn("agent: control connection ended, error %d", ret);
	agent_container_sync();
	log_flush();
	arch_power_off(CM_OFF_DONE);
}

int agent_init(const struct fdt_reader *fdt)
{
	int ret = vsock_init(fdt);

	if (ret == 0)
		ret = vsock_listen(CM_RPC_PORT_CONTROL, 1, &agent_control);
	if (ret == 0)
		ret = vsock_listen(CM_RPC_PORT_STREAM, AGENT_BACKLOG, &agent_streams);
	if (ret == 0 && !kthread_run(agent_thread, NULL, "agent"))
		ret = -ENOMEM;
	/* Live only now: no connection of the host finds nobody listening. */
	return ret == 0 ? vsock_start() : ret;
}
