/* SPDX-License-Identifier: Apache-2.0 */
/* The port table. */
#include "net/ports.h"

#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

#define EPHEMERAL_COUNT (PORT_EPHEMERAL_MAX - PORT_EPHEMERAL_MIN + 1)
#define TIMEWAIT_REUSE_AFTER \
	1000000000UL /* a name in TIME_WAIT may connect again, as with tcp_tw_reuse=2 */

struct port {
	struct list_head link; /* the bucket */
	struct list_head owners; /* bound or listening */
	struct list_head conns; /* connected, TIME_WAIT */
	u16 num;
	u32 net;
};

static const u8 mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

bool inet_addr_v4(const struct inet_addr *a)
{
	return !memcmp(a->b, mapped_prefix, sizeof(mapped_prefix));
}

bool inet_addr_any(const struct inet_addr *a)
{
	static const struct inet_addr zero;

	if (inet_addr_v4(a))
		return !memcmp(a->b + 12, zero.b, 4);
	return !memcmp(a->b, zero.b, sizeof(zero.b));
}

bool inet_addr_equal(const struct inet_addr *a, const struct inet_addr *b)
{
	return !memcmp(a->b, b->b, sizeof(a->b));
}

/* Does an entry bound to this address (not) hear what is sent to dst? */
static bool addr_hears(const struct port_entry *e, const struct inet_addr *dst)
{
	if (inet_addr_equal(&e->local, dst))
		return true;
	if (!inet_addr_any(&e->local))
		return false;
	if (inet_addr_v4(&e->local))
		return inet_addr_v4(dst);
	return !inet_addr_v4(dst) || !e->v6only;
}

/* Is there an address that both would hear? */
static bool addr_overlap(const struct port_entry *a, const struct port_entry *b)
{
	bool any_a = inet_addr_any(&a->local), any_b = inet_addr_any(&b->local);

	if (any_a && any_b)
		return inet_addr_v4(&a->local) == inet_addr_v4(&b->local) ||
		       !(inet_addr_v4(&a->local) ? b->v6only : a->v6only);
	return addr_hears(a, &b->local) || addr_hears(b, &a->local);
}

static bool entries_conflict(const struct port_entry *a, const struct port_entry *b)
{
	if (a == b || !addr_overlap(a, b))
		return false;
	if (a->reuse && b->reuse && b->state != PORT_LISTEN)
		return false;
	return !(a->reuseport && b->reuseport && a->uid == b->uid);
}

/* ---- ports and hashes ---- */

static struct list_head *port_bucket(struct port_table *t, u32 net, u16 num)
{
	return &t->ports[(num ^ net * 0x9e3779b1u) % PORT_BUCKETS];
}

static struct port *port_get(struct port_table *t, u32 net, u16 num)
{
	struct port *p;

	list_for_each_entry (p, port_bucket(t, net, num), link) {
		if (p->num == num && p->net == net)
			return p;
	}
	return NULL;
}

static struct port *port_get_or_make(struct port_table *t, u32 net, u16 num)
{
	struct port *p = port_get(t, net, num);

	if (p)
		return p;
	p = kmalloc(sizeof(*p));
	if (!p)
		return NULL;
	p->num = num;
	p->net = net;
	list_init(&p->owners);
	list_init(&p->conns);
	list_add(port_bucket(t, net, num), &p->link);
	return p;
}

static u32 flow_hash(const struct inet_addr *a, const struct inet_addr *b, u16 aport, u16 bport)
{
	u32 h = ((u32)aport << 16 | bport) * 0x9e3779b1u;

	/* Loopback addresses differ in their last bytes only. */
	h ^= ((u32)a->b[14] << 24 | (u32)a->b[15] << 16 | (u32)b->b[14] << 8 | b->b[15]);
	return h * 0x85ebca6bu >> 16;
}

static struct list_head *conn_bucket(struct port_table *t, const struct port_entry *e)
{
	return &t->conns[flow_hash(&e->local, &e->remote, e->lport, e->rport) % CONN_BUCKETS];
}

/* Another connection with the same four numbers. */
static struct port_entry *conn_find(struct port_table *t, const struct port_entry *like)
{
	struct port_entry *e;

	list_for_each_entry (e, conn_bucket(t, like), hash_link) {
		if (e != like && e->net == like->net && e->lport == like->lport &&
			e->rport == like->rport && inet_addr_equal(&e->local, &like->local) &&
			inet_addr_equal(&e->remote, &like->remote))
			return e;
	}
	return NULL;
}

void port_table_init(struct port_table *t)
{
	for (u32 i = 0; i < PORT_BUCKETS; i++)
		list_init(&t->ports[i]);
	for (u32 i = 0; i < CONN_BUCKETS; i++)
		list_init(&t->conns[i]);
	list_init(&t->timewait);
	t->ntimewait = 0;
}

static void entry_insert(struct port_table *t, struct port *p, struct port_entry *e, u8 state)
{
	e->port = p;
	e->state = state;
	if (state == PORT_BOUND) {
		list_add(&p->owners, &e->link);
		return;
	}
	list_add(&p->conns, &e->link);
	list_add(conn_bucket(t, e), &e->hash_link);
}

void port_remove(struct port_table *t, struct port_entry *e)
{
	struct port *p = e->port;

	if (e->state == PORT_NONE)
		return;
	list_del(&e->link);
	if (e->state >= PORT_CONNECTED)
		list_del(&e->hash_link);
	if (e->state == PORT_TIMEWAIT) {
		list_del(&e->tw_link);
		t->ntimewait--;
	}
	e->state = PORT_NONE;
	e->port = NULL;
	if (list_empty(&p->owners) && list_empty(&p->conns)) {
		list_del(&p->link);
		kfree(p);
	}
}

/* ---- bind and listen ---- */

static bool list_conflicts(struct list_head *list, const struct port_entry *e)
{
	struct port_entry *o;

	list_for_each_entry (o, list, link) {
		if (entries_conflict(e, o))
			return true;
	}
	return false;
}

static int bind_to(struct port_table *t, struct port_entry *e, u16 num)
{
	struct port *p = port_get(t, e->net, num);

	if (p && (list_conflicts(&p->owners, e) || list_conflicts(&p->conns, e)))
		return -EADDRINUSE;
	p = port_get_or_make(t, e->net, num);
	if (!p)
		return -ENOMEM;
	e->lport = num;
	entry_insert(t, p, e, PORT_BOUND);
	return 0;
}

int port_bind(struct port_table *t, struct port_entry *e, u16 num, u32 seed)
{
	int r = -EADDRINUSE;

	if (num)
		return bind_to(t, e, num);
	for (u32 i = 0; i < EPHEMERAL_COUNT && r == -EADDRINUSE; i++)
		r = bind_to(t, e, (u16)(PORT_EPHEMERAL_MIN + (seed + i) % EPHEMERAL_COUNT));
	return r;
}

int port_listen(struct port_table *t, struct port_entry *e)
{
	(void)t;
	if (list_conflicts(&e->port->owners, e))
		return -EADDRINUSE;
	e->state = PORT_LISTEN;
	return 0;
}

/* ---- connections ---- */

/* May e have its four numbers? A stale TIME_WAIT makes room. */
static bool tuple_free(struct port_table *t, const struct port_entry *e, u64 now)
{
	struct port_entry *other = conn_find(t, e);

	if (!other)
		return true;
	if (other->state != PORT_TIMEWAIT ||
		other->expires > now + PORT_TIMEWAIT_NS - TIMEWAIT_REUSE_AFTER)
		return false;
	port_remove(t, other);
	kfree(other);
	return true;
}

static int connect_bound(struct port_table *t, struct port_entry *e, u64 now)
{
	struct port *p = e->port;

	if (!tuple_free(t, e, now))
		return -EADDRNOTAVAIL;
	list_del(&e->link);
	entry_insert(t, p, e, PORT_CONNECTED);
	return 0;
}

int port_connect(struct port_table *t, struct port_entry *e, u32 seed, u64 now)
{
	if (e->state != PORT_NONE)
		return connect_bound(t, e, now);
	for (u32 i = 0; i < EPHEMERAL_COUNT; i++) {
		u16 num = (u16)(PORT_EPHEMERAL_MIN + (seed + i) % EPHEMERAL_COUNT);
		struct port *p = port_get(t, e->net, num);

		e->lport = num;
		if (p && (!list_empty(&p->owners) || !tuple_free(t, e, now)))
			continue;
		p = port_get_or_make(t, e->net, num);
		if (!p)
			return -ENOMEM;
		entry_insert(t, p, e, PORT_CONNECTED);
		return 0;
	}
	e->lport = 0;
	return -EADDRNOTAVAIL;
}

int port_accept(struct port_table *t, struct port_entry *e)
{
	struct port *p = port_get_or_make(t, e->net, e->lport);
	struct port_entry *old;

	if (!p)
		return -ENOMEM;
	entry_insert(t, p, e, PORT_CONNECTED);
	old = conn_find(t, e);
	if (old && old->state == PORT_TIMEWAIT) {
		port_remove(t, old);
		kfree(old);
	}
	return 0;
}

void port_timewait(struct port_table *t, struct port_entry *e, struct port_entry *tw, u64 now)
{
	struct port *p = e->port;

	if (!tw || e->state != PORT_CONNECTED || t->ntimewait >= PORT_TIMEWAIT_MAX) {
		kfree(tw);
		port_remove(t, e);
		return;
	}
	*tw = *e;
	tw->reuse = true; /* nobody uses the name any more */
	tw->expires = now + PORT_TIMEWAIT_NS;
	entry_insert(t, p, tw, PORT_TIMEWAIT);
	list_add_tail(&t->timewait, &tw->tw_link);
	t->ntimewait++;
	port_remove(t, e);
}

void port_expire(struct port_table *t, u64 now)
{
	while (!list_empty(&t->timewait)) {
		struct port_entry *e = list_first_entry(&t->timewait, struct port_entry, tw_link);

		if (e->expires > now)
			break;
		port_remove(t, e);
		kfree(e);
	}
}

/* ---- look-up ---- */

/* How well e fits, 0 = not at all. */
static u32 entry_score(const struct port_entry *e, const struct port_flow *f)
{
	u32 score = 1;

	if (!addr_hears(e, &f->dst))
		return 0;
	if (e->rport) {
		if (e->rport != f->sport || !inet_addr_equal(&e->remote, &f->src))
			return 0;
		score += 8;
	}
	if (!inet_addr_any(&e->local))
		score += 4;
	if (inet_addr_v4(&e->local))
		score += 2;
	return score;
}

struct port_entry *port_find(struct port_table *t, const struct port_flow *flow, bool listening)
{
	struct port *p = port_get(t, flow->net, flow->dport);
	struct port_entry *e, *best = NULL;
	u32 best_score = 0, same = 0, hash;

	if (!p)
		return NULL;
	hash = flow_hash(&flow->src, &flow->dst, flow->sport, flow->dport);
	list_for_each_entry (e, &p->owners, link) {
		u32 score = listening && e->state != PORT_LISTEN ? 0 : entry_score(e, flow);

		if (score > best_score) {
			best = e;
			best_score = score;
			same = 1;
		} else if (score && score == best_score && e->reuseport && best->reuseport) {
			/* One of n with the same chance, always the same one for a flow. */
			same++;
			hash = hash * 0x9e3779b1u + 1;
			if ((hash >> 8) % same == 0)
				best = e;
		}
	}
	return best;
}

/* ---- walk ---- */

static struct list_head *walk_list(struct port_walk *w)
{
	return w->conns ? &w->port->conns : &w->port->owners;
}

/* The next port that has a place in the walk; false at the end. */
static bool walk_port(struct port_table *t, struct port_walk *w)
{
	struct list_head *next = w->port ? w->port->link.next : NULL;

	if (next && next == &t->ports[w->bucket]) {
		w->bucket++;
		next = NULL;
	}
	for (; !next; w->bucket++) {
		if (w->bucket >= PORT_BUCKETS)
			return false;
		if (!list_empty(&t->ports[w->bucket])) {
			next = t->ports[w->bucket].next;
			break;
		}
	}
	w->port = list_entry(next, struct port, link);
	w->conns = false;
	w->entry = NULL;
	return true;
}

struct port_entry *port_next(struct port_table *t, struct port_walk *w)
{
	for (;;) {
		struct list_head *next;

		if (w->port) {
			next = w->entry ? w->entry->link.next : walk_list(w)->next;
			if (next != walk_list(w)) {
				w->entry = list_entry(next, struct port_entry, link);
				return w->entry;
			}
			w->entry = NULL;
			if (!w->conns) {
				w->conns = true;
				continue;
			}
		}
		if (!walk_port(t, w))
			return NULL;
	}
}
