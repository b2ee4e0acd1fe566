/* SPDX-License-Identifier: Apache-2.0 */
/* Hyper-V messages and events. Pages and parameters lie in guest memory: they are copied in, or written where the guest said that they lie. */
#include <config.h>
#include "vmm/pc/hyperv.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "vmm/pc/pc.h"

#define HV_SINTS	  16
#define HV_SLOT		  256u /* bytes of a slot of either page */
#define HV_PENDING	  1 /* flag of a message: another one waits */
#define HV_POST_MESSAGE	  0x5c
#define HV_SIGNAL_EVENT	  0x5d
#define HV_FAST		  (1u << 16)
#define HV_SUCCESS	  0
#define HV_BAD_CODE	  2
#define HV_BAD_INPUT	  3
#define HV_BAD_CONNECTION 0x12
#define HV_NO_BUFFERS	  0x13
#define HV_RETRY_NS	  1000000u /* looks at a full slot while a message waits */

/* What the test device is asked to do. */
enum hv_command {
	HV_ROUTE_CREATE = 1,
	HV_ROUTE_DESTROY,
	HV_ROUTE_SET,
	HV_MESSAGE_CREATE,
	HV_MESSAGE_DESTROY,
	HV_EVENT_CREATE,
	HV_EVENT_DESTROY
};

_Static_assert(sizeof(struct pc_hv_message) == HV_SLOT, "a slot");

/* ---- routes: one interrupt line for each SINT of a vCPU that is in use */

static int hv_find_route(struct pc_hyperv *h, uint8_t cpu, uint8_t sint)
{
	for (int i = 0; i < HYPERV_ROUTES; i++) {
		if (h->route[i].used && h->route[i].cpu == cpu && h->route[i].sint == sint)
			return i;
	}
	return -1;
}

static void hv_update_routes(struct pc_hyperv *h)
{
	struct pc_sint_route more[HYPERV_ROUTES];
	unsigned n = 0;

	for (unsigned i = 0; i < HYPERV_ROUTES; i++) {
		if (h->route[i].used)
			more[n++] = (struct pc_sint_route){ HYPERV_FIRST_LINE + i, h->route[i].cpu,
				h->route[i].sint };
	}
	pc_set_routes(h->pc, more, n);
}

static int hv_make_route(struct pc_hyperv *h, uint8_t cpu, uint8_t sint)
{
	int i = hv_find_route(h, cpu, sint);

	if (i >= 0 || cpu >= h->pc->ncpus || sint >= HV_SINTS)
		return i;
	for (i = 0; i < HYPERV_ROUTES; i++) {
		if (h->route[i].used)
			continue;
		h->route[i].used = true;
		h->route[i].cpu = cpu;
		h->route[i].sint = sint;
		hv_update_routes(h);
		return i;
	}
	return -1;
}

static void hv_raise(struct pc_hyperv *h, unsigned route)
{
	pc_irq_line(h->pc, HYPERV_FIRST_LINE + route, true);
}

/* ---- connections */

static struct pc_hv_conn *hv_find_conn(struct pc_hyperv *h, uint32_t id, bool event)
{
	for (int i = 0; i < HYPERV_CONNS; i++) {
		if (h->conn[i].used && h->conn[i].event == event && h->conn[i].id == id)
			return &h->conn[i];
	}
	return NULL;
}

/* Put the message into its slot: true when it is there. A full slot is marked, so that the guest says when it is free. */
static bool hv_deliver(struct pc_hyperv *h, struct pc_hv_conn *c)
{
	uint64_t page = h->cpu[h->route[c->route].cpu].messages;
	struct pc_hv_message *slot;

	slot = page ? gmem_ptr(&h->pc->mem, page + HV_SLOT * h->route[c->route].sint, HV_SLOT, true)
		    : NULL;
	if (!slot)
		return true; /* nobody to deliver it to */
	if (__atomic_load_n(&slot->type, __ATOMIC_ACQUIRE) != 0) {
		__atomic_fetch_or(&slot->flags, HV_PENDING, __ATOMIC_SEQ_CST);
		return false;
	}
	memcpy(&slot->size, &c->message.size, HV_SLOT - offsetof(struct pc_hv_message, size));
	__atomic_store_n(&slot->type, c->message.type, __ATOMIC_RELEASE);
	hv_raise(h, c->route);
	return true;
}

static void hv_on_timer(struct ev_timer *t)
{
	struct pc_hyperv *h = t->arg;
	bool waiting = false;

	pthread_mutex_lock(&h->lock);
	for (int i = 0; i < HYPERV_CONNS; i++) {
		struct pc_hv_conn *c = &h->conn[i];

		if (c->used && c->waiting)
			c->waiting = !hv_deliver(h, c);
		waiting = waiting || (c->used && c->waiting);
	}
	pthread_mutex_unlock(&h->lock);
	if (waiting)
		eventloop_timer_set(h->pc->loop, t, HV_RETRY_NS);
}

static void hv_on_retry(struct ev_work *w)
{
	struct pc_hyperv *h = w->arg;

	eventloop_timer_set(h->pc->loop, &h->timer, HV_RETRY_NS);
}

static uint64_t hv_post_message(struct pc_hyperv *h, uint64_t gpa)
{
	struct {
		uint32_t id, reserved, type, size;
		uint8_t payload[HYPERV_PAYLOAD];
	} in;
	struct pc_hv_conn *c;

	if (gmem_read(&h->pc->mem, gpa, &in, sizeof(in)) < 0 || in.size > HYPERV_PAYLOAD ||
		in.type == 0)
		return HV_BAD_INPUT;
	c = hv_find_conn(h, in.id, false);
	if (!c)
		return HV_BAD_CONNECTION;
	if (c->waiting)
		return HV_NO_BUFFERS;
	memset(&c->message, 0, sizeof(c->message));
	c->message.type = in.type;
	c->message.size = (uint8_t)in.size;
	memcpy(c->message.payload, in.payload, in.size);
	c->waiting = !hv_deliver(h, c);
	if (c->waiting)
		eventloop_post(&h->retry);
	return HV_SUCCESS;
}

/* The flag is that of the connection's number; one that is set already raises nothing. */
static uint64_t hv_signal_event(struct pc_hyperv *h, uint64_t param)
{
	struct pc_hv_conn *c = hv_find_conn(h, (uint32_t)param, true);
	uint64_t page;
	uint8_t *flags, bit;

	if (!c)
		return HV_BAD_CONNECTION;
	page = h->cpu[h->route[c->route].cpu].events;
	flags = page ? gmem_ptr(
			       &h->pc->mem, page + HV_SLOT * h->route[c->route].sint, HV_SLOT, true)
		     : NULL;
	if (!flags)
		return HV_SUCCESS;
	bit = (uint8_t)(1u << c->id % 8);
	if (!(__atomic_fetch_or(&flags[c->id / 8], bit, __ATOMIC_SEQ_CST) & bit))
		hv_raise(h, c->route);
	return HV_SUCCESS;
}

static uint64_t hv_call(struct pc_hyperv *h, uint64_t input, uint64_t param)
{
	uint64_t event;

	switch (input & 0xffff) {
	case HV_POST_MESSAGE:
		return input & HV_FAST ? HV_BAD_INPUT : hv_post_message(h, param);
	case HV_SIGNAL_EVENT:
		if (input & HV_FAST)
			return hv_signal_event(h, param);
		if (gmem_read(&h->pc->mem, param, &event, sizeof(event)) < 0)
			return HV_BAD_INPUT;
		return hv_signal_event(h, event);
	default:
		return HV_BAD_CODE;
	}
}

/* Messages and events of KVM itself (timers) go their own way: only the pages are of interest. */
static void hv_synic(struct pc_hyperv *h, unsigned cpu, const struct kvm_run *run)
{
	uint64_t on = run->hyperv.u.synic.control & 1;
	uint64_t messages = run->hyperv.u.synic.msg_page, events = run->hyperv.u.synic.evt_page;

	h->cpu[cpu].messages = on && (messages & 1) ? messages & ~0xfffULL : 0;
	h->cpu[cpu].events = on && (events & 1) ? events & ~0xfffULL : 0;
}

void pc_hyperv_exit(struct pc_hyperv *h, unsigned cpu, struct kvm_run *run)
{
	pthread_mutex_lock(&h->lock);
	if (run->hyperv.type == KVM_EXIT_HYPERV_SYNIC)
		hv_synic(h, cpu, run);
	else if (run->hyperv.type == KVM_EXIT_HYPERV_HCALL)
		run->hyperv.u.hcall.result =
			hv_call(h, run->hyperv.u.hcall.input, run->hyperv.u.hcall.params[0]);
	pthread_mutex_unlock(&h->lock);
}

/* ---- test device */

static void hv_make_conn(struct pc_hyperv *h, uint8_t id, uint8_t cpu, uint8_t sint, bool event)
{
	int route = hv_make_route(h, cpu, sint);

	for (int i = 0; i < HYPERV_CONNS && route >= 0; i++) {
		if (h->conn[i].used)
			continue;
		h->conn[i] = (struct pc_hv_conn){
			.used = true, .event = event, .id = id, .route = (uint8_t)route
		};
		return;
	}
}

static void hv_drop_conn(struct pc_hyperv *h, uint8_t id, bool event)
{
	struct pc_hv_conn *c = hv_find_conn(h, id, event);

	if (c)
		c->used = false;
}

static void hv_drop_route(struct pc_hyperv *h, int route)
{
	if (route < 0)
		return;
	for (int i = 0; i < HYPERV_CONNS; i++) {
		if (h->conn[i].used && h->conn[i].route == route)
			return; /* still in use */
	}
	h->route[route].used = false;
	hv_update_routes(h);
}

static void hv_test_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_hyperv *h = dev;
	uint8_t b[4] = { 0 }; /* SINT, vCPU, command, connection */

	memcpy(b, data, len < sizeof(b) ? len : sizeof(b));
	pthread_mutex_lock(&h->lock);
	switch ((enum hv_command)b[2]) {
	case HV_ROUTE_CREATE:
		hv_make_route(h, b[1], b[0]);
		break;
	case HV_ROUTE_DESTROY:
		hv_drop_route(h, hv_find_route(h, b[1], b[0]));
		break;
	case HV_ROUTE_SET:
		if (hv_find_route(h, b[1], b[0]) >= 0)
			hv_raise(h, (unsigned)hv_find_route(h, b[1], b[0]));
		break;
	case HV_MESSAGE_CREATE:
	case HV_EVENT_CREATE:
		hv_make_conn(h, b[3], b[1], b[0], b[2] == HV_EVENT_CREATE);
		break;
	case HV_MESSAGE_DESTROY:
	case HV_EVENT_DESTROY:
		hv_drop_conn(h, b[3], b[2] == HV_EVENT_DESTROY);
		break;
	}
	pthread_mutex_unlock(&h->lock);
}

static const struct bus_ops hv_test_ops = { .write = hv_test_write };

int pc_hyperv_init(struct pc_hyperv *h, struct pc *pc)
{
	int r;

	memset(h, 0, sizeof(*h));
	h->pc = pc;
	pthread_mutex_init(&h->lock, NULL);
	h->retry = (struct ev_work){ .fn = hv_on_retry, .arg = h };
	h->timer = (struct ev_timer){ .fn = hv_on_timer, .arg = h };
	r = eventloop_work_add(pc->loop, &h->retry);
	return r < 0 ? r : bus_add(&pc->pio, HYPERV_TEST_PORT, 4, &hv_test_ops, h);
}
