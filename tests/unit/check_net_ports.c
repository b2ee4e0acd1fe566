/* SPDX-License-Identifier: Apache-2.0 */
/* The sentry's port table and byte streams, beside simple models of them. */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/errno.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "net/ports.h"
#include "net/stream.h"

/* ---- neighbours ---- */

static long allocated, pages;
static bool no_memory;

void *kmalloc(size_t size)
{
	allocated += !no_memory;
	return no_memory ? NULL : malloc(size);
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	return p ? memset(p, 0, size) : NULL;
}

void kfree(void *p)
{
	allocated -= p != NULL;
	free(p);
}

void *page_alloc_va(u32 order, u32 gfp)
{
	(void)gfp;
	pages += !no_memory;
	return no_memory ? NULL : malloc(PAGE_SIZE << order);
}

void page_free_va(void *va, u32 order)
{
	(void)order;
	pages -= va != NULL;
	free(va);
}

static size_t fault_after = SIZE_MAX; /* bytes until user memory ends */

static size_t move(struct uio *u, size_t n, void *to, const void *from)
{
	n = MIN(n, fault_after);
	if (fault_after != SIZE_MAX)
		fault_after -= n;
	memcpy(to, from, n);
	u->iov[0].base += n;
	u->left -= n;
	return n;
}

size_t uio_read(struct uio *u, void *buf, size_t n)
{
	return move(u, n, buf, (void *)(uintptr_t)u->iov[0].base);
}

size_t uio_write(struct uio *u, const void *buf, size_t n)
{
	return move(u, n, (void *)(uintptr_t)u->iov[0].base, buf);
}

static struct uio uio_of(struct iov *iov, void *buf, size_t len)
{
	*iov = (struct iov){ (uintptr_t)buf, len };
	return (struct uio){ .iov = iov, .niov = 1, .kernel = true, .left = len };
}

/* ---- ports ---- */

static struct port_table table;

static struct inet_addr v4(u8 a, u8 d)
{
	return (struct inet_addr){ { [10] = 0xff, [11] = 0xff, [12] = a, [15] = d } };
}

static struct inet_addr v6(u8 last)
{
	return (struct inet_addr){ { [15] = last } };
}

static struct port_entry entry(struct inet_addr a, bool reuse, bool reuseport, bool v6only)
{
	return (struct port_entry){
		.local = a, .reuse = reuse, .reuseport = reuseport, .v6only = v6only
	};
}

static void setup(void)
{
	port_table_init(&table);
	allocated = pages = 0;
	no_memory = false;
	fault_after = SIZE_MAX;
}

static void no_leak(void)
{
	ck_assert_int_eq(allocated, 0);
	ck_assert_int_eq(pages, 0);
}

START_TEST(test_conflicts)
{
	static const struct {
		bool v6a, v6b;
		u8 a, b; /* last byte of an address of loopback, 0 = wildcard */
		bool only_a, only_b, conflict;
	} cases[] = {
		{ false, false, 1, 1, false, false, true },
		{ false, false, 1, 2, false, false, false },
		{ false, false, 0, 2, false, false, true },
		{ false, false, 0, 0, false, false, true },
		{ true, false, 0, 0, false, false, true },
		{ true, false, 0, 0, true, false, false },
		{ true, false, 0, 1, false, false, true },
		{ true, false, 0, 1, true, false, false },
		{ true, false, 1, 0, false, false, false },
		{ true, true, 0, 1, true, false, true },
		{ true, true, 0, 0, true, true, true },
		{ true, true, 0, 0, true, false, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int flip = 0; flip < 2; flip++) {
			bool six[2] = { cases[i].v6a, cases[i].v6b };
			u8 last[2] = { cases[i].a, cases[i].b };
			bool only[2] = { cases[i].only_a, cases[i].only_b };
			struct port_entry e[2];
			int r;

			for (int k = 0; k < 2; k++) {
				int n = k ^ flip;

				e[k] = entry(six[n] ? v6(last[n]) : v4(last[n] ? 127 : 0, last[n]),
					false, false, only[n]);
			}
			ck_assert_int_eq(port_bind(&table, &e[0], 80, 0), 0);
			r = port_bind(&table, &e[1], 80, 0);
			ck_assert_msg(r == (cases[i].conflict ? -EADDRINUSE : 0), "case %zu, %d", i,
				flip);
			port_remove(&table, &e[1]);
			port_remove(&table, &e[0]);
		}
	}
	no_leak();
}
END_TEST

START_TEST(test_reuse)
{
	struct port_entry a = entry(v4(127, 1), true, false, false), b = a, c = a;
	struct port_entry p = entry(v4(127, 1), false, true, false), q = p;

	ck_assert_int_eq(port_bind(&table, &a, 80, 0), 0);
	ck_assert_int_eq(port_bind(&table, &b, 80, 0), 0);
	ck_assert_int_eq(port_listen(&table, &a), 0);
	ck_assert_int_eq(port_listen(&table, &b), -EADDRINUSE);
	ck_assert_int_eq(port_bind(&table, &c, 80, 0), -EADDRINUSE);
	ck_assert_int_eq(port_bind(&table, &p, 81, 0), 0);
	ck_assert_int_eq(port_bind(&table, &q, 81, 0), 0);
	ck_assert_int_eq(port_listen(&table, &p), 0);
	ck_assert_int_eq(port_listen(&table, &q), 0);
	port_remove(&table, &a);
	port_remove(&table, &b);
	port_remove(&table, &q);
	q.uid = 5;
	ck_assert_int_eq(port_bind(&table, &q, 81, 0), -EADDRINUSE);
	port_remove(&table, &p);
	no_leak();
}
END_TEST

/* Every ephemeral port can be had once, whatever the seed, and none twice. */
START_TEST(test_ephemeral)
{
	u32 count = PORT_EPHEMERAL_MAX - PORT_EPHEMERAL_MIN + 1;
	struct port_entry *e = calloc(count + 1, sizeof(*e));
	u8 *seen = calloc(65536, 1);

	for (u32 i = 0; i <= count; i++) {
		int r;

		e[i] = entry(v4(127, 1), false, false, false);
		r = port_bind(&table, &e[i], 0, i * 7919);
		ck_assert_int_eq(r, i < count ? 0 : -EADDRINUSE);
		if (r)
			break;
		ck_assert_uint_ge(e[i].lport, PORT_EPHEMERAL_MIN);
		ck_assert_uint_le(e[i].lport, PORT_EPHEMERAL_MAX);
		ck_assert_uint_eq(seen[e[i].lport]++, 0);
	}
	for (u32 i = 0; i <= count; i++)
		port_remove(&table, &e[i]);
	free(e);
	free(seen);
	no_leak();
}
END_TEST

static struct port_entry conn(u16 lport, u16 rport)
{
	struct port_entry e = entry(v4(127, 1), false, false, false);

	e.remote = v4(127, 1);
	e.lport = lport;
	e.rport = rport;
	return e;
}

START_TEST(test_timewait)
{
	struct port_entry a = conn(0, 80), b = conn(0, 80);
	u64 second = 1000000000UL;
	u16 port;

	ck_assert_int_eq(port_connect(&table, &a, 5, 0), 0);
	port = a.lport;
	ck_assert_int_eq(port_connect(&table, &b, 5, 0), 0);
	ck_assert_uint_ne(b.lport, port);
	port_remove(&table, &b);
	port_timewait(&table, &a, kmalloc(sizeof(a)), 0);
	ck_assert_uint_eq(table.ntimewait, 1);
	ck_assert_int_eq(a.state, PORT_NONE);
	/* Within a second the name is not used again, later it is. */
	ck_assert_int_eq(port_connect(&table, &b, 5, second / 2), 0);
	ck_assert_uint_ne(b.lport, port);
	port_remove(&table, &b);
	b = entry(v4(127, 1), false, false, false);
	ck_assert_int_eq(port_bind(&table, &b, port, 0), -EADDRINUSE);
	b.reuse = true;
	ck_assert_int_eq(port_bind(&table, &b, port, 0), 0);
	port_remove(&table, &b);
	b = conn(0, 80);
	ck_assert_int_eq(port_connect(&table, &b, 5, 2 * second), 0);
	ck_assert_uint_eq(b.lport, port);
	ck_assert_uint_eq(table.ntimewait, 0);
	port_timewait(&table, &b, kmalloc(sizeof(a)), 2 * second);
	port_expire(&table, 61 * second);
	ck_assert_uint_eq(table.ntimewait, 1);
	port_expire(&table, 62 * second);
	ck_assert_uint_eq(table.ntimewait, 0);
	no_leak();
}
END_TEST

START_TEST(test_find)
{
	struct port_entry any4 = entry(v4(0, 0), true, false, false),
			  any6 = entry(v6(0), true, false, true);
	struct port_entry one = entry(v4(127, 1), true, false, false);
	struct port_flow f = { .src = v4(127, 1), .dst = v4(127, 1), .sport = 4000, .dport = 53 };

	ck_assert_ptr_null(port_find(&table, &f, false));
	ck_assert_int_eq(port_bind(&table, &any4, 53, 0), 0);
	ck_assert_int_eq(port_bind(&table, &any6, 53, 0), 0);
	ck_assert_int_eq(port_bind(&table, &one, 53, 0), 0);
	ck_assert_ptr_eq(port_find(&table, &f, false), &one);
	ck_assert_ptr_null(port_find(&table, &f, true));
	f.dst = v4(127, 9);
	ck_assert_ptr_eq(port_find(&table, &f, false), &any4);
	f.dst = v6(1);
	ck_assert_ptr_eq(port_find(&table, &f, false), &any6);
	/* A connected socket hears its peer alone. */
	f.dst = v4(127, 1);
	one.remote = v4(127, 1);
	one.rport = 4001;
	ck_assert_ptr_eq(port_find(&table, &f, false), &any4);
	f.sport = 4001;
	ck_assert_ptr_eq(port_find(&table, &f, false), &one);
	port_remove(&table, &one);
	port_remove(&table, &any4);
	port_remove(&table, &any6);
	no_leak();
}
END_TEST

#define GROUP 4

START_TEST(test_group)
{
	struct port_entry g[GROUP];
	u32 hits[GROUP] = { 0 };

	for (u32 i = 0; i < GROUP; i++) {
		g[i] = entry(v4(127, 1), false, true, false);
		ck_assert_int_eq(port_bind(&table, &g[i], 53, 0), 0);
	}
	for (u16 port = 1000; port < 5000; port++) {
		struct port_flow f = {
			.src = v4(127, 1), .dst = v4(127, 1), .sport = port, .dport = 53
		};
		struct port_entry *e = port_find(&table, &f, false);

		ck_assert_ptr_eq(e, port_find(&table, &f, false));
		hits[e - g]++;
	}
	for (u32 i = 0; i < GROUP; i++) {
		ck_assert_uint_gt(hits[i], 600);
		port_remove(&table, &g[i]);
	}
	no_leak();
}
END_TEST

/* Random work; a walk sees each entry once, and nothing is left at the end. */
START_TEST(test_random)
{
	enum {
		N = 300
	};
	static struct port_entry e[N];
	u64 now = 0;

	srand(7);
	for (u32 step = 0; step < 20000; step++) {
		struct port_entry *x = &e[rand() % N];

		now += 50000000;
		no_memory = rand() % 50 == 0;
		if (x->state == PORT_CONNECTED && rand() % 2) {
			port_timewait(&table, x, kmalloc(sizeof(*x)), now);
		} else if (x->state != PORT_NONE) {
			port_remove(&table, x);
		} else if (rand() % 2) {
			*x = entry(v4(127, (u8)(rand() % 3)), rand() % 2, false, false);
			port_bind(&table, x, (u16)(rand() % 20), (u32)rand());
		} else {
			*x = conn(0, (u16)(1 + rand() % 20));
			port_connect(&table, x, (u32)rand() % 30, now);
		}
		no_memory = false;
		port_expire(&table, now);
		if (step % 100 == 0) {
			struct port_walk w = { 0 };
			u32 seen = 0, in = table.ntimewait;

			while (port_next(&table, &w))
				seen++;
			for (u32 i = 0; i < N; i++)
				in += e[i].state != PORT_NONE;
			ck_assert_uint_eq(seen, in);
		}
	}
	for (u32 i = 0; i < N; i++)
		port_remove(&table, &e[i]);
	port_expire(&table, ~0UL);
	no_leak();
}
END_TEST

/* ---- streams ---- */

static u8 pattern(u64 pos)
{
	return (u8)(pos * 31 >> 3);
}

/* Writes, and shows it. */
static s64 write_shown(struct stream *s, struct uio *u)
{
	s64 r = stream_write(s, u);

	stream_show(s, s->head);
	return r;
}

/* Random reads, peeks, writes and discards against the pattern of all bytes ever written, of which some are not shown at first. */
START_TEST(test_stream)
{
	static const u32 caps[] = { 1, 4096, 10000, 262144 };
	static u8 buf[300000];
	struct stream s = { 0 };
	u64 wrote = 0, shown = 0, got = 0, bad = 0;

	srand(3);
	ck_assert_int_eq(stream_init(&s, caps[_i]), 0);
	for (u32 step = 0; step < 3000; step++) {
		size_t n = (size_t)(rand() % (rand() % 8 ? 9000 : 270000));
		struct iov iov;
		struct uio u = uio_of(&iov, buf, n);
		u64 used = stream_used(&s);
		s64 r;

		ck_assert_uint_eq(used, shown - got);
		ck_assert_uint_eq(stream_held(&s), wrote - shown);
		if (rand() % 2) {
			for (size_t i = 0; i < n; i++)
				buf[i] = pattern(wrote + i);
			r = stream_write(&s, &u);
			ck_assert_int_eq(r, (s64)MIN(n, caps[_i] - (wrote - got)));
			wrote += (u64)r;
			if (rand() % 3) {
				u64 end = rand() % 2 ? wrote : shown + (wrote - shown) / 2;

				ck_assert(stream_show(&s, end) == (end > shown));
				ck_assert(!stream_show(&s, shown));
				shown = end;
			}
		} else if (rand() % 4) {
			u64 skip = rand() % 2 ? 0 : used / 2;
			bool peek = rand() % 2;

			r = peek ? stream_peek(&s, &u, skip) : stream_read(&s, &u);
			skip = peek ? skip : 0;
			ck_assert_int_eq(r, (s64)MIN(n, used - skip));
			for (s64 i = 0; i < r; i++)
				bad += buf[i] != pattern(got + skip + (u64)i);
			got += peek ? 0 : (u64)r;
		} else {
			r = (s64)stream_discard(&s, n);
			ck_assert_int_eq(r, (s64)MIN(n, used));
			got += (u64)r;
		}
	}
	ck_assert_uint_eq(bad, 0);
	stream_fini(&s);
	no_leak();
}
END_TEST

START_TEST(test_stream_faults)
{
	static u8 buf[20000];
	struct stream s = { 0 };
	struct iov iov;
	struct uio u = uio_of(&iov, buf, sizeof(buf));

	ck_assert_int_eq(stream_init(&s, 100000), 0);
	fault_after = 0;
	ck_assert_int_eq(write_shown(&s, &u), -EFAULT);
	ck_assert_uint_eq(stream_used(&s), 0);
	fault_after = 5000;
	ck_assert_int_eq(write_shown(&s, &u), 5000);
	u = uio_of(&iov, buf, sizeof(buf));
	fault_after = 4500;
	ck_assert_int_eq(stream_read(&s, &u), 4500);
	u = uio_of(&iov, buf, sizeof(buf));
	ck_assert_int_eq(stream_read(&s, &u), -EFAULT);
	ck_assert_uint_eq(stream_used(&s), 500);
	fault_after = SIZE_MAX;
	stream_discard(&s, 500);
	no_memory = true;
	u = uio_of(&iov, buf, 10000);
	ck_assert_int_ge(write_shown(&s, &u), 1); /* the page that is there and the spare one */
	u = uio_of(&iov, buf, 10000);
	ck_assert_int_eq(write_shown(&s, &u), -ENOBUFS);
	no_memory = false;
	stream_fini(&s);
	no_leak();
}
END_TEST

/* A reader stops before the marked byte, also a peek or a discard that began earlier, until the mark is taken away. */
START_TEST(test_stream_mark)
{
	static u8 buf[3 * PAGE_SIZE], out[3 * PAGE_SIZE];
	struct stream s = { 0 };
	struct iov iov;
	struct uio u = uio_of(&iov, buf, PAGE_SIZE);

	ck_assert_int_eq(stream_init(&s, sizeof(buf)), 0);
	ck_assert_int_eq(write_shown(&s, &u), PAGE_SIZE);
	ck_assert_int_eq(stream_reserve(&s), 1);
	stream_put_marked(&s, 'U');
	u = uio_of(&iov, buf, PAGE_SIZE);
	ck_assert_int_eq(write_shown(&s, &u), PAGE_SIZE);
	u = uio_of(&iov, out, sizeof(out));
	ck_assert_int_eq(stream_peek(&s, &u, 0), PAGE_SIZE);
	u = uio_of(&iov, out, sizeof(out));
	ck_assert_int_eq(stream_peek(&s, &u, PAGE_SIZE + 1), PAGE_SIZE);
	u = uio_of(&iov, out, sizeof(out));
	ck_assert_int_eq(stream_read(&s, &u), PAGE_SIZE);
	ck_assert_int_eq(stream_read(&s, &u), 0);
	ck_assert_uint_eq(stream_discard(&s, 10), 0);
	s.stop = STREAM_NO_STOP;
	u = uio_of(&iov, out, sizeof(out));
	ck_assert_int_eq(stream_read(&s, &u), PAGE_SIZE + 1);
	ck_assert_uint_eq(out[0], 'U');
	u = uio_of(&iov, buf, sizeof(buf));
	ck_assert_int_eq(write_shown(&s, &u), sizeof(buf));
	ck_assert_int_eq(stream_reserve(&s), 0);
	stream_discard(&s, sizeof(buf));
	stream_fini(&s);
	no_leak();
}
END_TEST

/* All streams together keep to the limit, and each still moves. */
START_TEST(test_stream_limit)
{
	static u8 buf[100000];
	struct stream s[4] = { 0 };
	u64 before = stream_pages_max;

	stream_pages_max = 10;
	for (int i = 0; i < 4; i++) {
		struct iov iov;
		struct uio u = uio_of(&iov, buf, sizeof(buf));

		ck_assert_int_eq(stream_init(&s[i], sizeof(buf)), 0);
		ck_assert_int_ge(write_shown(&s[i], &u), (s64)PAGE_SIZE);
		ck_assert(!stream_writable(&s[i]));
	}
	ck_assert_int_eq(pages, 10 + 3);
	for (int i = 0; i < 4; i++) {
		stream_discard(&s[i], sizeof(buf));
		ck_assert(stream_writable(&s[i]));
		stream_fini(&s[i]);
	}
	stream_pages_max = before;
	no_leak();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net_ports");
	TCase *ports = tcase_create("ports"), *streams = tcase_create("streams");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(ports, setup, NULL);
	tcase_add_test(ports, test_conflicts);
	tcase_add_test(ports, test_reuse);
	tcase_add_test(ports, test_ephemeral);
	tcase_add_test(ports, test_timewait);
	tcase_add_test(ports, test_find);
	tcase_add_test(ports, test_group);
	tcase_add_test(ports, test_random);
	tcase_add_checked_fixture(streams, setup, NULL);
	tcase_add_loop_test(streams, test_stream, 0, 4);
	tcase_add_test(streams, test_stream_faults);
	tcase_add_test(streams, test_stream_mark);
	tcase_add_test(streams, test_stream_limit);
	tcase_set_timeout(ports, 60);
	tcase_set_timeout(streams, 60);
	suite_add_tcase(s, ports);
	suite_add_tcase(s, streams);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
