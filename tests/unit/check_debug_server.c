/* SPDX-License-Identifier: Apache-2.0 */
/* The debug server and its client: both ends of the protocol, over a machine without vCPUs. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <casemate/guestmem.h>

#include "control/debug/client.h"
#include "vmm/debug/server.h"
#include "vmm/vm.h"

#define RAM (1u << 20)

static struct vm vm;
static struct opts opts = { .vsock_fd = -1, .log_fd = -1, .cpus = 1, .cmdline = "" };
static int hand = -1;

static void set_up(void)
{
	struct cm_err err;
	int sp[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sp), 0);
	hand = sp[0];
	opts.debug_fd = sp[1];
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	vm.opts = &opts;
	vm.ncpus = 1;
	vm.cpu[0].vm = &vm;
	vm.tsc_khz = 1000;
	atomic_store(&vm.status, -1);
	sem_init(&vm.debug_sealed, 0, 0);
	pause_init(&vm.pause);
	vm.ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	vm.ram_size = RAM;
	ck_assert_int_eq(gmem_add(&vm.mem, CM_GPA_RAM, RAM, vm.ram, true), 0);
	/* A window with one page behind it. */
	vm.dax = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	vm.dax_size = 8192;
	mprotect(vm.dax, 4096, PROT_READ);
	ck_assert_int_eq(debug_start(&vm, &err), 0);
}

static int connect_server(void)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	int sp[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sp), 0);
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &sp[1], sizeof(int));
	ck_assert_int_eq(sendmsg(hand, &m, 0), 1);
	close(sp[1]);
	return sp[0];
}

static struct dbg *attach(void)
{
	struct cm_err err;
	struct dbg *d = dbg_open(connect_server(), &err);

	ck_assert_msg(d != NULL, "%s", err.msg);
	return d;
}

START_TEST(machine_and_status)
{
	struct dbg *d = attach();
	const struct cm_dbg_machine *m = dbg_machine(d);
	struct cm_dbg_status st;

	ck_assert_uint_eq(m->ncpus, 1);
	ck_assert_uint_eq(m->nranges, 2);
	ck_assert_uint_eq(m->range[0].len, RAM);
	ck_assert_int_eq(dbg_status(d, &st), 0);
	ck_assert_uint_eq(st.state, CM_DBG_RUNNING);
	ck_assert_uint_eq(st.cpu[0], CM_DBG_CPU_OFF);
	ck_assert_int_eq(dbg_get_regs(d, 0, &(struct kvm_regs){ 0 }, NULL), -ENODEV);
	ck_assert_int_eq(dbg_get_regs(d, 1, &(struct kvm_regs){ 0 }, NULL), -ENODEV);
	dbg_close(d);
}
END_TEST

START_TEST(memory_moves)
{
	static uint8_t out[200000], in[200000];
	struct dbg *d = attach();
	size_t i;

	for (i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7);
	ck_assert_int_eq(dbg_write_phys(d, CM_GPA_RAM + 100, out, sizeof(out)), 0);
	ck_assert_int_eq(dbg_read_phys(d, CM_GPA_RAM + 100, in, sizeof(in)), 0);
	ck_assert_int_eq(memcmp(in, out, sizeof(in)), 0);
	ck_assert_int_eq(dbg_read_phys(d, CM_GPA_RAM + RAM - 1, in, 2), -EFAULT);
	ck_assert_int_eq(dbg_read_phys(d, ~0ull, in, 1), -EFAULT);
	ck_assert_int_eq(dbg_write_phys(d, 0, in, 1), -EFAULT);
	/* The window: what has no file is an error and not the end of the VMM; nothing writes to files. */
	ck_assert_int_eq(dbg_read_phys(d, CM_GPA_DAX, in, 4096), 0);
	ck_assert_int_eq(dbg_read_phys(d, CM_GPA_DAX + 4096, in, 1), -EFAULT);
	ck_assert_int_eq(dbg_write_phys(d, CM_GPA_DAX, in, 1), -EROFS);
	dbg_close(d);
}
END_TEST

static int break_call(struct dbg *d, enum cm_dbg_type type, uint64_t gpa)
{
	struct cm_dbg_mem q = { .gpa = gpa, .len = 1 };

	return dbg_call(d, type, &(struct dbg_buf){ &q, sizeof(q) }, 1, NULL, 0);
}

START_TEST(breakpoints_hide_and_go)
{
	struct dbg *d = attach(), *e = attach();
	uint8_t v = 0x90;
	unsigned i;

	vm.ram[10] = 0x55;
	ck_assert_int_eq(break_call(d, CM_DBG_BREAK_ADD, CM_GPA_RAM + 10), 0);
	ck_assert_int_eq(break_call(e, CM_DBG_BREAK_ADD, CM_GPA_RAM + 10), -EEXIST);
	ck_assert_int_eq(break_call(e, CM_DBG_BREAK_DEL, CM_GPA_RAM + 10), -ENOENT);
	ck_assert_uint_eq(vm.ram[10], 0xcc);
	ck_assert_int_eq(dbg_read_phys(d, CM_GPA_RAM + 10, &v, 1), 0);
	ck_assert_uint_eq(v, 0x55);
	v = 0x66;
	ck_assert_int_eq(dbg_write_phys(e, CM_GPA_RAM + 10, &v, 1), 0);
	ck_assert_uint_eq(vm.ram[10], 0xcc);
	ck_assert_int_eq(break_call(d, CM_DBG_BREAK_ADD, CM_GPA_RAM + RAM), -EFAULT);
	ck_assert_int_eq(break_call(d, CM_DBG_BREAK_ADD, CM_GPA_DAX), -EFAULT);
	dbg_close(d);
	/* Taken back some time after the hang-up. */
	for (i = 0; i < 1000 && __atomic_load_n(&vm.ram[10], __ATOMIC_RELAXED) == 0xcc; i++)
		poll(NULL, 0, 10);
	ck_assert_uint_eq(vm.ram[10], 0x66);
	dbg_close(e);
}
END_TEST

START_TEST(breakpoints_are_bounded)
{
	struct dbg *d = attach();
	unsigned i;
	int r = 0;

	for (i = 0; i < 10000 && r == 0; i++)
		r = break_call(d, CM_DBG_BREAK_ADD, CM_GPA_RAM + i);
	ck_assert_int_eq(r, -ENOSPC);
	dbg_close(d);
}
END_TEST

START_TEST(data_is_found)
{
	struct dbg *d = attach();
	struct cm_dbg_range q = { .gpa = CM_GPA_RAM, .len = RAM };
	struct dbg_buf part = { &q, sizeof(q) };

	vm.ram[3 * 4096 + 5] = 1;
	vm.ram[4 * 4096] = 1;
	ck_assert_int_eq(dbg_call(d, CM_DBG_FIND_DATA, &part, 1, &q, sizeof(q)), sizeof(q));
	ck_assert_uint_eq(q.gpa, CM_GPA_RAM + 3 * 4096);
	ck_assert_uint_eq(q.len, 2 * 4096);
	q.gpa += q.len;
	q.len = CM_GPA_RAM + RAM - q.gpa;
	ck_assert_int_eq(dbg_call(d, CM_DBG_FIND_DATA, &part, 1, &q, sizeof(q)), sizeof(q));
	ck_assert_uint_eq(q.len, 0);
	ck_assert_uint_eq(q.gpa, CM_GPA_RAM + RAM);
	q.len = 4096;
	ck_assert_int_eq(dbg_call(d, CM_DBG_FIND_DATA, &part, 1, &q, sizeof(q)), -EFAULT);
	q.gpa = 12;
	ck_assert_int_eq(dbg_call(d, CM_DBG_FIND_DATA, &part, 1, &q, sizeof(q)), -EINVAL);
	dbg_close(d);
}
END_TEST

START_TEST(pauses_are_counted)
{
	struct dbg *d = attach(), *e = attach();
	struct cm_dbg_status st;
	unsigned i;

	ck_assert_int_eq(dbg_resume(d, 0, NULL), -EINVAL);
	ck_assert_int_eq(dbg_pause(d, 0, 0, NULL), 0);
	ck_assert_int_eq(dbg_pause(d, 0, 0, NULL), 0);
	ck_assert_int_eq(dbg_pause(e, 0, CM_DBG_PAUSE_KEEP, &st), 0);
	ck_assert_uint_eq(st.pauses, 3);
	ck_assert_uint_eq(st.mine, 0);
	ck_assert_int_eq(dbg_resume(e, 0, NULL), -EINVAL);
	dbg_close(d);
	for (i = 0; i < 1000 && dbg_status(e, &st) == 0 && st.pauses != 1; i++)
		poll(NULL, 0, 10);
	ck_assert_uint_eq(st.state, CM_DBG_PAUSED);
	ck_assert_uint_eq(atomic_load(&vm.pause.wanted), 1);
	ck_assert_int_eq(dbg_resume(e, CM_DBG_PAUSE_KEEP, &st), 0);
	ck_assert_uint_eq(st.state, CM_DBG_RUNNING);
	dbg_close(e);
}
END_TEST

/* A vCPU that the guest asks for while another has breakpoints would run without them. */
START_TEST(none_starts_while_debugged)
{
	struct vcpu *c = &vm.cpu[1];

	vm.ncpus = 2;
	c->vm = &vm;
	atomic_store(&vm.cpu[0].debug_flags, CM_DBG_GD_ENABLE | CM_DBG_GD_SW);
	ck_assert(!pause_may_start(c));
	ck_assert_int_eq(c->state, CM_DBG_CPU_OFF);
	atomic_store(&vm.cpu[0].debug_flags, 0);
	ck_assert(pause_may_start(c));
	/* Who pauses waits for it from now on; there is no thread to kick yet. */
	pause_add(&vm);
	ck_assert(!pause_wait(&vm, 10));
	pause_leave(c);
	ck_assert(pause_wait(&vm, 10));
	pause_remove(&vm);
	vm.ncpus = 1;
}
END_TEST

START_TEST(requests_are_checked)
{
	struct dbg *d = attach();
	uint8_t reply[4096], junk[64] = { 0xff, 0xff, 0xff, 0xff };
	unsigned type, len;

	/* Every type with every length: an error, or an answer; never the end. */
	for (type = 1; type < 40; type++) {
		if (type == CM_DBG_PAUSE || type == CM_DBG_READ)
			continue;
		for (len = 0; len <= sizeof(junk); len++) {
			dbg_call(d, type, &(struct dbg_buf){ junk, len }, 1, reply, sizeof(reply));
			ck_assert_int_ge(dbg_fd(d), 0);
		}
	}
	ck_assert_int_eq(dbg_call(d, 99, NULL, 0, NULL, 0), -ENOSYS);
	ck_assert_int_eq(dbg_call(d, CM_DBG_LET_GO, NULL, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(dbg_call(d, CM_DBG_CONTINUE, NULL, 0, reply, sizeof(reply)), -EINVAL);
	dbg_close(d);
}
END_TEST

/* ---- the client against a VMM that lies */

static void answer(const void *p, size_t len, int expected)
{
	struct cm_err err;
	int sp[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sp), 0);
	ck_assert_int_eq(write(sp[1], p, len), (ssize_t)len);
	shutdown(sp[1], SHUT_WR);
	ck_assert_ptr_null(dbg_open(sp[0], &err));
	ck_assert_int_eq(err.code, expected);
	close(sp[1]);
}

START_TEST(lies_are_refused)
{
	struct {
		struct cm_dbg_hdr h;
		struct cm_dbg_machine m;
	} a = { .h = { .magic = CM_DBG_MAGIC,
			.version = CM_DBG_VERSION,
			.type = CM_DBG_HELLO | CM_DBG_REPLY,
			.id = 1,
			.len = sizeof(a.m) },
		.m = { .version = CM_DBG_VERSION, .ncpus = 1 } },
	  b;

	answer("", 0, ENOTCONN);
	answer(&a, sizeof(a.h) + 3, ENOTCONN);
	b = a;
	b.h.magic = 0;
	answer(&b, sizeof(b), EPROTO);
	b = a;
	b.h.id = 2;
	answer(&b, sizeof(b), EPROTO);
	b = a;
	b.h.len = CM_DBG_PAYLOAD_MAX + 1;
	answer(&b, sizeof(b), EPROTO);
	b = a;
	b.h.len = sizeof(b.m) - 8;
	answer(&b, sizeof(b) - 8, EPROTO);
	b = a;
	b.m.ncpus = 65;
	answer(&b, sizeof(b), EPROTO);
	b = a;
	b.m.nranges = CM_DBG_RANGES + 1;
	answer(&b, sizeof(b), EPROTO);
	b = a;
	memset(b.m.program, 'x', sizeof(b.m.program));
	answer(&b, sizeof(b), EPROTO);
	b = a;
	b.h.error = EBUSY;
	answer(&b, sizeof(b), EBUSY);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("debug_server");
	TCase *t = tcase_create("server");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, machine_and_status);
	tcase_add_test(t, memory_moves);
	tcase_add_test(t, breakpoints_hide_and_go);
	tcase_add_test(t, breakpoints_are_bounded);
	tcase_add_test(t, data_is_found);
	tcase_add_test(t, pauses_are_counted);
	tcase_add_test(t, none_starts_while_debugged);
	tcase_add_test(t, requests_are_checked);
	tcase_add_test(t, lies_are_refused);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
