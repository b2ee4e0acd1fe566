/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests over a virtio-fs channel. A request travels in one run of arena pages: header and arguments, reply header and small reply, and
 * from the next page on the data of READ or WRITE. What the server wrote is copied out once and then checked.
 */
#include "fs/hostfs/conn.h"

#include "drivers/arena.h"
#include "drivers/fs_chan.h"
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "lib/atomic.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "syscall/trace.h"

#define CONN_MAX_DATA (256u * 1024)
#define CONN_SLOTS    8u
#define CONN_ERRNO    4095

/* A request that nobody waits for. */
struct conn_slot {
	struct fs_req req;
	void *page;
	bool busy; /* atomic */
};

struct hostfs_conn {
	char tag[40]; /* of the device; empty: the connection was cut */
	struct fs_chan *ch;
	u32 opening; /* of the channel */
	struct hostfs_conn *next; /* all that are open */
	u32 users;
	u32 max_data;
	u64 unique; /* atomic */
	struct conn_slot slot[CONN_SLOTS];
};

static struct hostfs_conn *conns;

/* Where the parts of a request lie, as offsets into its run of pages. */
struct conn_layout {
	u32 in_len; /* header and arguments, at 0 */
	u32 reply; /* reply header; a small reply follows it */
	u32 data; /* pages of READ or WRITE */
	u32 pages; /* of the run */
};

u32 hostfs_conn_max_data(const struct hostfs_conn *c)
{
	return c->max_data;
}

static void conn_layout(const struct hostfs_req *r, struct conn_layout *l)
{
	u32 end;

	l->in_len = sizeof(struct fuse_in_header);
	for (u32 i = 0; i < r->nargs; i++)
		l->in_len += r->arg[i].len;
	l->reply = ALIGN_UP(l->in_len, 8u);
	end = l->reply + (u32)sizeof(struct fuse_out_header) + r->out_size;
	l->data = ALIGN_UP(end, (u32)PAGE_SIZE);
	l->pages = (l->data >> PAGE_SHIFT) + r->npages;
}

static void conn_write_request(struct hostfs_conn *c, const struct hostfs_req *r, u8 *mem, u32 len)
{
	struct fuse_in_header h = { .len = len,
		.opcode = r->op,
		.unique = atomic_add(&c->unique, 2),
		.nodeid = r->nodeid,
		.uid = r->uid,
		.gid = r->gid };
	u8 *p = mem + sizeof(h);

	memcpy(mem, &h, sizeof(h));
	for (u32 i = 0; i < r->nargs; i++) {
		memcpy(p, r->arg[i].p, r->arg[i].len);
		p += r->arg[i].len;
	}
}

/* From the page cache into the arena, and back. */
static void conn_put_pages(const struct hostfs_req *r, u8 *data, u32 bytes)
{
	for (u32 i = 0; bytes; i++) {
		u32 n = MIN(bytes, (u32)PAGE_SIZE);

		memcpy(data + (i << PAGE_SHIFT), page_va(r->pages[i]), n);
		bytes -= n;
	}
}

static void conn_get_pages(const struct hostfs_req *r, const u8 *data, u32 bytes)
{
	for (u32 i = 0; bytes; i++) {
		u32 n = MIN(bytes, (u32)PAGE_SIZE);

		memcpy(page_va(r->pages[i]), data + (i << PAGE_SHIFT), n);
		bytes -= n;
	}
}

static void conn_segments(
	const struct hostfs_req *r, const struct conn_layout *l, u8 *mem, struct fs_req *q)
{
	bool write = r->op == FUSE_WRITE;
	u32 n = 0;

	q->seg[n++] = (struct fs_seg){ mem, l->in_len };
	if (write && r->page_bytes)
		q->seg[n++] = (struct fs_seg){ mem + l->data, r->page_bytes };
	q->nout = (u16)n;
	q->seg[n++] = (struct fs_seg){ mem + l->reply,
		(u32)sizeof(struct fuse_out_header) + r->out_size };
	if (!write && r->page_bytes)
		q->seg[n++] = (struct fs_seg){ mem + l->data, r->page_bytes };
	q->nin = (u16)n - q->nout;
}

/* The reply: header first, copied; then as much as it and the channel agree on. */
static int conn_read_reply(
	struct hostfs_req *r, const struct conn_layout *l, const u8 *mem, u32 written)
{
	struct fuse_out_header h;
	u32 len, small;

	if (written < sizeof(h))
		return -EIO;
	memcpy(&h, mem + l->reply, sizeof(h));
	if (h.error)
		return h.error < 0 && h.error >= -CONN_ERRNO ? h.error : -EIO;
	if (h.len < sizeof(h) || h.len > written)
		return -EIO;
	len = h.len - (u32)sizeof(h);
	small = MIN(len, r->out_size);
	if (small)
		memcpy(r->out, mem + l->reply + sizeof(h), small);
	if (len > small) {
		if (r->op == FUSE_WRITE || len - small > r->page_bytes)
			return -EIO;
		conn_get_pages(r, mem + l->data, len - small);
	}
	r->out_len = len;
	return 0;
}

static int conn_call(struct hostfs_conn *c, struct hostfs_req *r)
{
	struct conn_layout l;
	struct fs_req q;
	u8 *mem;
	int err;

	conn_layout(r, &l);
	if (l.pages > ARENA_RUN_MAX)
		return -E2BIG;
	mem = arena_alloc_wait(l.pages);
	conn_write_request(c, r, mem, l.in_len + (r->op == FUSE_WRITE ? r->page_bytes : 0));
	if (r->op == FUSE_WRITE)
		conn_put_pages(r, mem + l.data, r->page_bytes);
	conn_segments(r, &l, mem, &q);
	r->out_len = 0;
	q.opening = c->opening;
	err = fs_chan_call(c->ch, &q);
	if (!err)
		err = conn_read_reply(r, &l, mem, q.written);
	if (unlikely(q.cut))
		fs_chan_keep(c->ch, c->opening, mem, l.pages);
	else
		arena_free(mem, l.pages);
	return err;
}

int hostfs_call(struct hostfs_conn *c, struct hostfs_req *r)
{
	u64 start;
	int err;

	if (likely(!(READ_ONCE(trace_enabled) & TRACE_FUSE)))
		return conn_call(c, r);
	start = clock_monotonic();
	err = conn_call(c, r);
	trace_fuse(r->op, r->nodeid, err ? err : (s64)r->out_len, clock_monotonic() - start);
	return err;
}

/* ---- requests without a reply */

static void conn_sent(struct fs_req *q)
{
	struct conn_slot *s = q->arg;

	atomic_store(&s->busy, false);
}

static struct conn_slot *conn_take_slot(struct hostfs_conn *c)
{
	for (u32 i = 0; i < CONN_SLOTS; i++) {
		if (!atomic_xchg(&c->slot[i].busy, true))
			return &c->slot[i];
	}
	return NULL;
}

void hostfs_send(struct hostfs_conn *c, struct hostfs_req *r)
{
	struct conn_slot *s = conn_take_slot(c);
	struct conn_layout l;
	struct fs_req *q;

	conn_layout(r, &l);
	if (!s || l.in_len > PAGE_SIZE) {
		/* As an ordinary request it is answered by an empty completion. */
		if (s)
			atomic_store(&s->busy, false);
		(void)hostfs_call(c, r);
		return;
	}
	if (unlikely(READ_ONCE(trace_enabled) & TRACE_FUSE))
		trace_fuse_sent(r->op, r->nodeid);
	conn_write_request(c, r, s->page, l.in_len);
	q = &s->req;
	q->opening = c->opening;
	q->seg[0] = (struct fs_seg){ s->page, l.in_len };
	q->nout = 1;
	q->nin = 0;
	q->done = conn_sent;
	q->arg = s;
	fs_chan_submit(c->ch, FS_CHAN_HIPRIO, &q, 1);
}

/* ---- life */

static int conn_handshake(struct hostfs_conn *c)
{
	struct fuse_init_in in = { .major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = CONN_MAX_DATA,
		.flags = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES |
			 FUSE_DO_READDIRPLUS | FUSE_WRITEBACK_CACHE | FUSE_PARALLEL_DIROPS |
			 FUSE_HANDLE_KILLPRIV | FUSE_MAX_PAGES };
	struct fuse_init_out out;
	struct hostfs_req r = { .op = FUSE_INIT, .out = &out, .out_size = sizeof(out) };
	int err;

	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	err = hostfs_call(c, &r);
	if (err)
		return err;
	if (r.out_len < sizeof(out) || out.major != FUSE_KERNEL_VERSION ||
		!(out.flags & FUSE_DO_READDIRPLUS))
		return -EPROTO;
	c->max_data = (u32)(MIN(out.max_write, CONN_MAX_DATA) & PAGE_MASK);
	return c->max_data ? 0 : -EPROTO;
}

static void conn_free(struct hostfs_conn *c)
{
	for (u32 i = 0; i < CONN_SLOTS; i++) {
		if (!c->slot[i].page)
			continue;
		/* Of a connection that was cut, a server that goes on may still take what lies there for requests. */
		if (c->ch)
			fs_chan_keep(c->ch, c->opening, c->slot[i].page, 1);
		else
			arena_free(c->slot[i].page, 1);
	}
	kfree(c);
}

int hostfs_conn_open(const char *tag, struct hostfs_conn **out)
{
	struct hostfs_conn *c;
	int err;

	if (strlen(tag) >= sizeof(c->tag))
		return -ENODEV;
	for (c = conns; c && strcmp(c->tag, tag);)
		c = c->next;
	if (c) {
		c->users++;
		*out = c;
		return 0;
	}
	c = kzalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	str_copy(c->tag, tag, sizeof(c->tag));
	err = fs_chan_open(tag, &c->ch);
	if (!err)
		c->opening = fs_chan_opening(c->ch);
	for (u32 i = 0; i < CONN_SLOTS && !err; i++) {
		c->slot[i].page = arena_alloc(1);
		err = c->slot[i].page ? 0 : -ENOMEM;
	}
	if (!err)
		err = conn_handshake(c);
	if (err) {
		if (c->ch)
			fs_chan_close(c->ch);
		conn_free(c);
		return err;
	}
	c->users = 1;
	c->next = conns;
	conns = c;
	*out = c;
	return 0;
}

/* DESTROY waits behind everything sent before it, except the high-priority queue: that ends with the channel. */
void hostfs_conn_close(struct hostfs_conn *c)
{
	struct hostfs_req r = { .op = FUSE_DESTROY };
	struct hostfs_conn **p = &conns;

	if (--c->users)
		return;
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	if (c->tag[0]) {
		(void)hostfs_call(c, &r);
		fs_chan_close(c->ch);
	}
	conn_free(c);
}

void hostfs_conn_cut(const char *tag)
{
	for (struct hostfs_conn *c = conns; c; c = c->next) {
		if (strcmp(c->tag, tag))
			continue;
		c->tag[0] = '\0';
		fs_chan_close(c->ch);
		return;
	}
}
