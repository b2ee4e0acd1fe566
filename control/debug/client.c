/* SPDX-License-Identifier: Apache-2.0 */
/* The debugger's end of the debug protocol. */
#include <config.h>
#include "control/debug/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/urpc.h"

struct dbg {
	int fd; /* -1 = the connection is gone */
	uint32_t next_id;
	struct cm_dbg_machine machine;
	struct cm_dbg_stop stop[DBG_STOPS];
	unsigned stop_first, stops; /* ring */
	size_t len; /* bytes in `in` */
	uint8_t in[sizeof(struct cm_dbg_hdr) + CM_DBG_PAYLOAD_MAX];
};

static int64_t client_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The connection is of no use any more. */
static int client_lost(struct dbg *d, int error)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	return error;
}

static int client_wait(struct dbg *d, short events, int64_t end)
{
	struct pollfd p = { .fd = d->fd, .events = events };
	int64_t left = end < 0 ? -1 : end - client_now_ms();
	int r = poll(&p, 1, end < 0 ? -1 : left > 0 ? (int)left : 0);

	if (r < 0 && errno != EINTR)
		return client_lost(d, -errno);
	return r > 0;
}

static int client_send(struct dbg *d, const void *p, size_t len, int64_t end)
{
	while (len > 0) {
		ssize_t n = send(d->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return client_lost(d, errno == EPIPE ? -ENOTCONN : -errno);
		if (n > 0) {
			p = (const uint8_t *)p + n;
			len -= (size_t)n;
		} else if (client_wait(d, POLLOUT, end) <= 0) {
			return client_lost(d, -ETIMEDOUT);
		}
	}
	return 0;
}

/* Get one whole frame to the start of d->in: 1, 0 when there is none by `end` (ms; -1 = wait for ever), -errno. */
static int client_frame(struct dbg *d, int64_t end, struct cm_dbg_hdr *h)
{
	for (;;) {
		ssize_t n;

		if (d->len >= sizeof(*h)) {
			memcpy(h, d->in, sizeof(*h));
			if (h->magic != CM_DBG_MAGIC || h->version != CM_DBG_VERSION ||
				h->len > CM_DBG_PAYLOAD_MAX)
				return client_lost(d, -EPROTO);
			if (d->len >= sizeof(*h) + h->len)
				return 1;
		}
		n = recv(d->fd, d->in + d->len, sizeof(d->in) - d->len, MSG_DONTWAIT);
		if (n == 0)
			return client_lost(d, -ENOTCONN);
		if (n > 0) {
			d->len += (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return client_lost(d, errno == ECONNRESET ? -ENOTCONN : -errno);
		if (end >= 0 && client_now_ms() >= end)
			return 0;
		if (client_wait(d, POLLIN, end) < 0)
			return -EIO;
	}
}

static void client_drop_frame(struct dbg *d, const struct cm_dbg_hdr *h)
{
	size_t n = sizeof(*h) + h->len;

	d->len -= n;
	memmove(d->in, d->in + n, d->len);
}

/* Keep a stop event; anything else that is no reply is a breach. */
static int client_event(struct dbg *d, const struct cm_dbg_hdr *h)
{
	if (h->type != CM_DBG_STOPPED || h->id != 0 || h->len != sizeof(struct cm_dbg_stop))
		return client_lost(d, -EPROTO);
	if (d->stops < DBG_STOPS) {
		memcpy(&d->stop[(d->stop_first + d->stops) % DBG_STOPS], d->in + sizeof(*h),
			sizeof(d->stop[0]));
		d->stops++;
	}
	client_drop_frame(d, h);
	return 0;
}

static int client_reply(
	struct dbg *d, const struct cm_dbg_hdr *q, void *reply, size_t room, int64_t end)
{
	struct cm_dbg_hdr h;
	int r;

	for (;;) {
		r = client_frame(d, end, &h);
		if (r < 0)
			return r;
		if (r == 0)
			return client_lost(d, -ETIMEDOUT);
		if (!(h.type & CM_DBG_EVENT))
			break;
		r = client_event(d, &h);
		if (r < 0)
			return r;
	}
	if (h.id != q->id || h.type != (q->type | CM_DBG_REPLY) || h.len > room || h.error > 4095)
		return client_lost(d, -EPROTO);
	if (h.len > 0)
		memcpy(reply, d->in + sizeof(h), h.len);
	client_drop_frame(d, &h);
	return h.error ? -(int)h.error : (int)h.len;
}

int dbg_call(struct dbg *d, enum cm_dbg_type type, const struct dbg_buf *part, unsigned parts,
	void *reply, size_t room)
{
	struct cm_dbg_hdr q = {
		.magic = CM_DBG_MAGIC,
		.version = CM_DBG_VERSION,
		.type = (uint16_t)type,
		.id = ++d->next_id,
	};
	int64_t end = client_now_ms() + DBG_REPLY_MS;
	unsigned i;
	int r;

	if (d->fd < 0)
		return -ENOTCONN;
	if (q.id == 0)
		q.id = d->next_id = 1;
	for (i = 0; i < parts; i++) {
		if (part[i].len > CM_DBG_PAYLOAD_MAX - q.len)
			return -EMSGSIZE;
		q.len += (uint32_t)part[i].len;
	}
	r = client_send(d, &q, sizeof(q), end);
	for (i = 0; i < parts && r == 0; i++)
		r = client_send(d, part[i].p, part[i].len, end);
	return r < 0 ? r : client_reply(d, &q, reply, room, end);
}

int dbg_event(struct dbg *d, struct cm_dbg_stop *stop, int timeout_ms)
{
	int64_t end = timeout_ms < 0 ? -1 : client_now_ms() + timeout_ms;
	struct cm_dbg_hdr h;
	int r;

	if (d->stops == 0) {
		if (d->fd < 0)
			return -ENOTCONN;
		r = client_frame(d, end, &h);
		if (r <= 0)
			return r;
		r = client_event(d, &h);
		if (r < 0)
			return r;
	}
	*stop = d->stop[d->stop_first];
	d->stop_first = (d->stop_first + 1) % DBG_STOPS;
	d->stops--;
	return 1;
}

/* ---- connecting */

static int client_check_machine(const struct cm_dbg_machine *m)
{
	if (m->version != CM_DBG_VERSION || m->ncpus == 0 ||
		m->ncpus > sizeof(((struct cm_dbg_status *)0)->cpu) || m->nranges > CM_DBG_RANGES ||
		m->build_id_len > CM_DBG_BUILD_ID)
		return -EPROTO;
	return memchr(m->program, 0, sizeof(m->program)) ? 0 : -EPROTO;
}

struct dbg *dbg_open(int fd, struct cm_err *err)
{
	struct cm_dbg_hello hello = { .version = CM_DBG_VERSION };
	struct dbg_buf part = { &hello, sizeof(hello) };
	struct dbg *d = calloc(1, sizeof(*d));
	int r;

	if (!d) {
		close(fd);
		cm_err_set(err, ENOMEM, "attach");
		return NULL;
	}
	d->fd = fd;
	r = dbg_call(d, CM_DBG_HELLO, &part, 1, &d->machine, sizeof(d->machine));
	if (r >= 0)
		r = r == (int)sizeof(d->machine) ? client_check_machine(&d->machine) : -EPROTO;
	if (r == 0)
		return d;
	if (r == -ENOTCONN)
		cm_err_set(err, ENOTCONN, "the VMM hung up (are there %d debuggers already?)",
			CM_DBG_CONNS);
	else
		cm_err_set(err, -r, "greet the VMM");
	dbg_close(d);
	return NULL;
}

struct dbg *dbg_attach(const char *root, const char *id, struct cm_err *err)
{
	int fd = cm_urpc_attach(root, id, err);

	return fd < 0 ? NULL : dbg_open(fd, err);
}

void dbg_close(struct dbg *d)
{
	if (!d)
		return;
	client_lost(d, 0);
	free(d);
}

const struct cm_dbg_machine *dbg_machine(const struct dbg *d)
{
	return &d->machine;
}

int dbg_fd(const struct dbg *d)
{
	return d->fd;
}

/* ---- shortcuts */

/* A call whose reply is a structure of one size. */
static int client_exact(
	struct dbg *d, enum cm_dbg_type type, const void *q, size_t len, void *reply, size_t size)
{
	struct dbg_buf part = { q, len };
	int r = dbg_call(d, type, &part, len ? 1 : 0, reply, size);

	if (r < 0)
		return r;
	return (size_t)r == size ? 0 : client_lost(d, -EPROTO);
}

int dbg_status(struct dbg *d, struct cm_dbg_status *st)
{
	return client_exact(d, CM_DBG_STATUS, NULL, 0, st, sizeof(*st));
}

static int client_pause(
	struct dbg *d, enum cm_dbg_type type, uint32_t ms, uint32_t flags, struct cm_dbg_status *st)
{
	struct cm_dbg_pause q = { .timeout_ms = ms, .flags = flags };
	struct cm_dbg_status unused;

	return client_exact(d, type, &q, sizeof(q), st ? st : &unused, sizeof(unused));
}

int dbg_pause(struct dbg *d, uint32_t timeout_ms, uint32_t flags, struct cm_dbg_status *st)
{
	return client_pause(d, CM_DBG_PAUSE, timeout_ms, flags, st);
}

int dbg_resume(struct dbg *d, uint32_t flags, struct cm_dbg_status *st)
{
	return client_pause(d, CM_DBG_RESUME, 0, flags, st);
}

int dbg_continue(struct dbg *d)
{
	struct cm_dbg_status st;

	return client_exact(d, CM_DBG_CONTINUE, NULL, 0, &st, sizeof(st));
}

int dbg_get_set(struct dbg *d, uint32_t cpu, uint32_t set, void *buf, size_t size)
{
	struct cm_dbg_regs q = { .cpu = cpu, .sets = set }, *out;
	uint8_t reply[sizeof(q) + 4096] __attribute__((aligned(8)));
	int r;

	if (size > sizeof(reply) - sizeof(q))
		return -EINVAL;
	r = dbg_call(
		d, CM_DBG_GET_REGS, &(struct dbg_buf){ &q, sizeof(q) }, 1, reply, sizeof(reply));
	if (r < 0)
		return r;
	if (r < (int)sizeof(q))
		return client_lost(d, -EPROTO);
	out = (struct cm_dbg_regs *)(void *)reply;
	if (out->sets != set)
		return -EOPNOTSUPP;
	if ((size_t)r != sizeof(q) + size)
		return client_lost(d, -EPROTO);
	memcpy(buf, reply + sizeof(q), size);
	return 0;
}

int dbg_set_set(struct dbg *d, uint32_t cpu, uint32_t set, const void *buf, size_t size)
{
	struct cm_dbg_regs q = { .cpu = cpu, .sets = set };
	const struct dbg_buf part[] = { { &q, sizeof(q) }, { buf, size } };
	int r = dbg_call(d, CM_DBG_SET_REGS, part, 2, NULL, 0);

	return r < 0 ? r : 0;
}

int dbg_get_regs(struct dbg *d, uint32_t cpu, struct kvm_regs *r, struct kvm_sregs *s)
{
	int e = r ? dbg_get_set(d, cpu, CM_DBG_REGS_GENERAL, r, sizeof(*r)) : 0;

	return e == 0 && s ? dbg_get_set(d, cpu, CM_DBG_REGS_SYSTEM, s, sizeof(*s)) : e;
}

int dbg_set_regs(struct dbg *d, uint32_t cpu, const struct kvm_regs *r)
{
	return dbg_set_set(d, cpu, CM_DBG_REGS_GENERAL, r, sizeof(*r));
}

int dbg_read_phys(struct dbg *d, uint64_t gpa, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len > 0) {
		struct cm_dbg_mem q = {
			.gpa = gpa,
			.len = (uint32_t)(len < CM_DBG_MEM_MAX ? len : CM_DBG_MEM_MAX),
		};
		int r = client_exact(d, CM_DBG_READ, &q, sizeof(q), p, q.len);

		if (r < 0)
			return r;
		gpa += q.len;
		p += q.len;
		len -= q.len;
	}
	return 0;
}

int dbg_write_phys(struct dbg *d, uint64_t gpa, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len > 0) {
		struct cm_dbg_mem q = {
			.gpa = gpa,
			.len = (uint32_t)(len < CM_DBG_MEM_MAX ? len : CM_DBG_MEM_MAX),
		};
		const struct dbg_buf part[] = { { &q, sizeof(q) }, { p, q.len } };
		int r = dbg_call(d, CM_DBG_WRITE, part, 2, NULL, 0);

		if (r < 0)
			return r;
		gpa += q.len;
		p += q.len;
		len -= q.len;
	}
	return 0;
}
