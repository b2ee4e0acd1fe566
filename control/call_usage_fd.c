/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage.UsageFD: a page of memory that a monitor maps and reads, without a call for each figure. The sandbox process writes it, at once and then
 * every half second for as long as one of the connections that asked for it is open; nobody else can write it, or change its size.
 */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "control/usage_page.h"

#define USAGE_EVERY_MS 500

/* #syscalls:sandbox memfd_create ftruncate munmap fcntl */
static int usage_make(struct sandbox *s)
{
	int fd = memfd_create("casemate-usage", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, CM_USAGE_SIZE) == 0)
		p = mmap(NULL, CM_USAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	/* What is mapped already stays writable, here alone. */
	if (p == MAP_FAILED ||
		fcntl(fd, F_ADD_SEALS,
			F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		int r = -errno;

		if (p != MAP_FAILED)
			munmap(p, CM_USAGE_SIZE);
		if (fd >= 0)
			close(fd);
		return r;
	}
	s->usage.fd = fd;
	s->usage.page = p;
	return 0;
}

static bool usage_wanted(const struct sandbox *s)
{
	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		if (s->urpc.clients[i].fd >= 0 && s->urpc.clients[i].monitors)
			return true;
	}
	return false;
}

static void usage_write(struct sandbox *s, const struct cm_rpc_usage *u)
{
	struct cm_usage_page *p = s->usage.page;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	atomic_fetch_add(&p->sequence, 1);
	p->version = CM_USAGE_VERSION;
	p->size = sizeof(*p);
	p->time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	p->total = u->total;
	p->free = u->free;
	p->anon = u->anon;
	p->cache = u->cache;
	p->cpu_ns = u->cpu_ns;
	p->processes = u->processes;
	atomic_fetch_add(&p->sequence, 1);
}

void call_usage_fd(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	int r = 0;

	if (json_integer_value(json_object_get(arg, "Version")) != CM_USAGE_VERSION) {
		cm_urpc_reply(c, EINVAL, "Version: 1 is the only one", NULL);
		return;
	}
	if (!s->usage.page)
		r = usage_make(s);
	if (r < 0)
		cm_urpc_reply(c, r, "make the page", NULL);
	else
		call_ask(s, sandbox_root(s), c, CALL_USAGE_FD, CM_RPC_USAGE);
}

void call_usage_page(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f)
{
	struct cm_rpc_usage u;
	int fd;

	if (cm_rpc_decode_usage(f, &u) < 0) {
		cm_urpc_reply(c, EPROTO, "answer of the guest", NULL);
		return;
	}
	usage_write(s, &u);
	fd = fcntl(s->usage.fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0) {
		cm_urpc_reply(c, errno, "give the page", NULL);
		return;
	}
	c->monitors = true;
	s->usage.due = sandbox_now_ms() + USAGE_EVERY_MS;
	cm_urpc_reply_fd(c, json_pack("{s:i}", "Size", CM_USAGE_SIZE), fd);
}

long sandbox_usage_tick(struct sandbox *s)
{
	struct cm_rpc_container q = { .container = sandbox_root(s)->number };
	long now = sandbox_now_ms();
	int64_t id;

	if (!s->usage.page || !usage_wanted(s) || !sandbox_container_is_up(sandbox_root(s)))
		return 0;
	if (now < s->usage.due)
		return s->usage.due;
	s->usage.due = now + USAGE_EVERY_MS;
	/* One that is not answered yet is waited for: a guest that hangs is asked once. */
	if (!s->usage.request && s->pause.count == 0) {
		id = cm_rpc_client_request(&s->rpc, CM_RPC_USAGE, &q, sizeof(q));
		s->usage.request = id > 0 ? id : 0;
	}
	return s->usage.due;
}

bool sandbox_usage_reply(struct sandbox *s, const struct cm_rpc_frame *f)
{
	struct cm_rpc_usage u;

	if (!s->usage.request || f->hdr.id != s->usage.request)
		return false;
	s->usage.request = 0;
	if (!f->hdr.error && cm_rpc_decode_usage(f, &u) == 0)
		usage_write(s, &u);
	return true;
}
