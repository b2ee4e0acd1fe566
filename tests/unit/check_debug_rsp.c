/* SPDX-License-Identifier: Apache-2.0 */
/* The engine of gdb's remote protocol, packet by packet. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fake_rsp.h"

static struct fake_rsp *f;

static void setup(void)
{
	f = calloc(1, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	fake_rsp_init(f, false);
}

static void teardown(void)
{
	free(f);
}

static void put(const void *p, size_t len)
{
	f->nsent = 0;
	f->sent[0] = '\0';
	rsp_input(&f->rsp, p, len);
}

/* Send the packet; the answer without acknowledgement, frame and sum, which are checked. */
static const char *ask_bytes(const char *text, size_t len)
{
	static char packet[40000], answer[40000];
	unsigned sum = 0, got;
	size_t i;
	char *end;

	packet[0] = '$';
	memcpy(packet + 1, text, len);
	for (i = 0; i < len; i++)
		sum += (unsigned char)text[i];
	i = len + 1;
	i += (size_t)snprintf(packet + i, sizeof(packet) - i, "#%02x", sum & 0xff);
	put(packet, i);
	if (!f->rsp.no_ack || f->sent[0] == '+')
		ck_assert_int_eq(f->sent[0], '+');
	if (!strchr(f->sent, '$'))
		return NULL;
	snprintf(answer, sizeof(answer), "%s", strrchr(f->sent, '$') + 1);
	end = strrchr(answer, '#');
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	ck_assert_int_eq(sscanf(end + 1, "%2x", &got), 1);
	for (sum = 0, i = 0; answer[i]; i++)
		sum += (unsigned char)answer[i];
	ck_assert_uint_eq(sum & 0xff, got);
	return answer;
}

static const char *ask(const char *text)
{
	return ask_bytes(text, strlen(text));
}

START_TEST(frames)
{
	put("$?#00", 5);
	ck_assert_str_eq(f->sent, "-");
	put("$?#zz", 5);
	ck_assert_str_eq(f->sent, "-");
	put("$?#3f", 5);
	ck_assert_str_eq(f->sent, "+$T05thread:1;#d7");
	put("-", 1);
	ck_assert_str_eq(f->sent, "$T05thread:1;#d7");
	put("+\x01garbage", 9);
	ck_assert_str_eq(f->sent, "");
	/* Byte by byte, one that was cut off before. */
	put("$m10", 4);
	put("$", 1);
	put("?#3", 3);
	ck_assert_str_eq(f->sent, "");
	put("f", 1);
	ck_assert_str_eq(f->sent, "+$T05thread:1;#d7");
	ck_assert_str_eq(ask("vMustReplyEmpty"), "");
	ck_assert_str_eq(ask(""), "");
	ck_assert_str_eq(ask("\xff\x01"), "");
}
END_TEST

START_TEST(no_acknowledgements)
{
	ck_assert_str_eq(ask("QStartNoAckMode"), "OK");
	put("$?#3f", 5);
	ck_assert_int_eq(f->sent[0], '$');
	put("-", 1);
	ck_assert_str_eq(f->sent, "");
}
END_TEST

START_TEST(too_long)
{
	static char big[RSP_PACKET + 20];
	unsigned i, sum = 0;

	memset(big, 'm', sizeof(big));
	big[0] = '$';
	for (i = 1; i < RSP_PACKET + 10; i++)
		sum += 'm';
	snprintf(big + RSP_PACKET + 10, 10, "#%02x", sum & 0xff);
	put(big, RSP_PACKET + 13);
	ck_assert_str_eq(f->sent, "-");
	ck_assert_str_eq(ask("qC"), "QC1");
}
END_TEST

START_TEST(memory)
{
	ck_assert_str_eq(ask("m1002,4"), "02030405");
	ck_assert_str_eq(ask("m1ffe,10"), "feff");
	ck_assert_str_eq(ask("m1000,0"), "");
	ck_assert_str_eq(ask("m0,4"), "E0e");
	ck_assert_str_eq(ask("m1000"), "E16");
	ck_assert_str_eq(ask("m,4"), "E16");
	ck_assert_str_eq(ask("m11111111111111111,4"), "E16");
	ck_assert_str_eq(ask("m1000,4x"), "E16");
	ck_assert_uint_eq(strlen(ask("m1000,ffffffffffffffff")), 2 * 4096);
	ck_assert_str_eq(ask("M1000,2:abcd"), "OK");
	ck_assert_uint_eq(f->memory[1], 0xcd);
	ck_assert_str_eq(ask("M1000,3:abcd"), "E16");
	ck_assert_str_eq(ask("M1000,2:abcx"), "E16");
	ck_assert_str_eq(ask("M1fff,2:abcd"), "E0e");
	ck_assert_str_eq(ask("X1000,0:"), "OK");
	ck_assert_str_eq(ask_bytes("X1000,3:\x01}\x03\xfe", 12), "OK");
	ck_assert_uint_eq(f->memory[1], 0x23);
	ck_assert_uint_eq(f->memory[2], 0xfe);
	ck_assert_str_eq(ask_bytes("X1000,4:\x01}\x03\xfe", 12), "E16");
}
END_TEST

START_TEST(registers)
{
	char set[4096], *all;
	const char *got = ask("p10");

	ck_assert_str_eq(got, "8877665544332211");
	ck_assert_str_eq(ask("P10=0100000000000000"), "OK");
	ck_assert_uint_eq(f->regs[0].rip, 1);
	ck_assert_str_eq(ask("P10=01"), "E16");
	ck_assert_str_eq(ask("P10"), "E16");
	ck_assert_str_eq(ask("p1000"), "E16");
	ck_assert_str_eq(ask("pzz"), "E16");
	/* orig_rax is for programs. */
	ck_assert_str_eq(ask("p3b"), "E16");
	got = ask("g");
	/* 16 + rip, flags and 6 segments, 8 of 10 bytes, 8 words, 16 of 16 bytes, mxcsr, two bases */
	ck_assert_uint_eq(strlen(got), 2 * (17 * 8 + 7 * 4 + 80 + 32 + 256 + 4 + 16));
	all = strdup(got);
	snprintf(set, sizeof(set), "Gee%s", all + 2);
	ck_assert_str_eq(ask(set), "OK");
	ck_assert_uint_eq(f->regs[0].gpr[0], 0xee);
	ck_assert_uint_eq(f->regs[0].rip, 1);
	set[100] = '\0';
	ck_assert_str_eq(ask(set), "E16");
	free(all);
	ck_assert_str_eq(ask("Hg2"), "OK");
	ck_assert_str_eq(ask("p0"), "bc0a000000000000");
	ck_assert_str_eq(ask("Hg7"), "E03");
	ck_assert_str_eq(ask("Hg-1"), "OK");
	ck_assert_str_eq(ask("p0"), "ee00000000000000");
}
END_TEST

START_TEST(description)
{
	char xml[RSP_PACKET];
	size_t offset, size;
	unsigned n;

	ck_assert_int_gt(rsp_regs_xml(xml, sizeof(xml), false), 0);
	ck_assert_ptr_null(strstr(xml, "orig_rax"));
	ck_assert_int_gt(rsp_regs_xml(xml, sizeof(xml), true), 0);
	ck_assert_ptr_nonnull(strstr(xml, "orig_rax"));
	ck_assert_int_lt(rsp_regs_xml(xml, 100, true), 0);
	n = rsp_regs_count(true);
	ck_assert_uint_eq(n, rsp_regs_count(false) + 1);
	ck_assert(!rsp_regs_find(n, true, &offset, &size));
	ck_assert(rsp_regs_find(n - 1, true, &offset, &size));
	ck_assert_uint_eq(offset, offsetof(struct rsp_regs, orig_rax));
	/* In pieces, to the end. */
	ck_assert_int_eq(ask("qXfer:features:read:target.xml:0,10")[0], 'm');
	ck_assert_int_eq(ask("qXfer:features:read:target.xml:100,3ff0")[0], 'l');
	ck_assert_str_eq(ask("qXfer:features:read:target.xml:ffffff,10"), "l");
	ck_assert_str_eq(ask("qXfer:features:read:other.xml:0,10"), "E02");
	ck_assert_str_eq(ask("qXfer:exec-file:read:1:0,fff"), "l/bin/a}\x03"
							      "b}\x04"
							      "c}]d}\ne");
	ck_assert_str_eq(ask("qXfer:exec-file:read:1:2,2"), "min");
	ck_assert_str_eq(ask("qXfer:auxv:read::0,1000"), "");
	ck_assert_str_eq(ask("qXfer:exec-file:read:1:0"), "E16");
	ck_assert_str_eq(ask("qXfer:exec-file:write:1:0"), "");
	ck_assert_str_eq(ask("qXfer:"), "");
	ck_assert_ptr_nonnull(strstr(ask("qXfer:threads:read::0,1000"), "thread &}\x03"
									"60;1&}\x03"
									"62;"));
}
END_TEST

START_TEST(x87)
{
	uint8_t area[512] = { 0 }, back[512] = { 0 };
	struct rsp_regs r;

	area[0] = 0x7f;
	area[1] = 0x03;
	area[3] = 0x38; /* top = 7 */
	area[4] = 0x80; /* st0 is in use */
	area[32 + 7] = 0x80; /* 1.0 */
	area[32 + 8] = 0xff;
	area[32 + 9] = 0x3f;
	area[24] = 0x80;
	area[25] = 0x1f;
	area[160] = 42;
	rsp_regs_from_fxsave(&r, area);
	ck_assert_uint_eq(r.x87[0], 0x37f);
	ck_assert_uint_eq(r.x87[2], 0x3fff);
	ck_assert_uint_eq(r.mxcsr, 0x1f80);
	ck_assert_uint_eq(r.xmm[0][0], 42);
	rsp_regs_to_fxsave(&r, back);
	ck_assert_mem_eq(area, back, sizeof(area));
}
END_TEST

START_TEST(breakpoints)
{
	ck_assert_str_eq(ask("Z0,1234,1"), "OK");
	ck_assert_uint_eq(f->brk, 0x1234);
	ck_assert_str_eq(ask("z0,1234,1"), "OK");
	ck_assert_uint_eq(f->brk, 0);
	ck_assert_str_eq(ask("Z4,10,8"), "OK");
	ck_assert_int_eq(f->brk_kind, RSP_WATCH_ACCESS);
	ck_assert_str_eq(ask("Z3,10,8"), "");
	ck_assert_str_eq(ask("Z5,10,8"), "");
	ck_assert_str_eq(ask("Z"), "E16");
	ck_assert_str_eq(ask("Z0,10"), "E16");
	ck_assert_str_eq(ask("Z0,10,1;X3,abc"), "E16");
}
END_TEST

START_TEST(running)
{
	ck_assert_str_eq(ask("vCont?"), "vCont;c;C;s;S");
	ck_assert_ptr_null(ask("vCont;c"));
	ck_assert_uint_eq(f->resumed.step, 0);
	ck_assert_uint_eq(f->resumed.only, 0);
	/* Only ^C counts now. */
	ck_assert_ptr_null(ask("g"));
	put("\x03", 1);
	ck_assert_uint_eq(f->interrupts, 1);
	f->nsent = 0;
	rsp_stopped(
		&f->rsp, &(struct rsp_stop){ .thread = 2, .signal = 5, .kind = RSP_BREAK_SOFT });
	ck_assert_ptr_nonnull(strstr(f->sent, "$T05thread:2;swbreak:;#"));
	put("\x03", 1);
	ck_assert_uint_eq(f->interrupts, 1);
	ck_assert_str_eq(ask("p0"), "bc0a000000000000");
	f->stop_at_once = true;
	ck_assert_str_eq(ask("vCont;s:1;c"), "T05thread:2;");
	ck_assert_uint_eq(f->resumed.step, 1);
	ck_assert_uint_eq(f->resumed.only, 0);
	ck_assert_str_eq(ask("vCont;s:2"), "T05thread:2;");
	ck_assert_uint_eq(f->resumed.step, 2);
	ck_assert_uint_eq(f->resumed.only, 2);
	ck_assert_str_eq(ask("vCont;S05:1;C0b:-1"), "T05thread:2;");
	ck_assert_uint_eq(f->resumed.step, 1);
	ck_assert_uint_eq(f->resumed.only, 0);
	ck_assert_str_eq(ask("vCont;c:1"), "T05thread:2;");
	ck_assert_uint_eq(f->resumed.step, 0);
	ck_assert_uint_eq(f->resumed.only, 1);
	ck_assert_str_eq(ask("s"), "T05thread:2;");
	ck_assert_uint_eq(f->resumed.step, 2);
	ck_assert_str_eq(ask("vCont"), "E16");
	ck_assert_str_eq(ask("vCont;x"), "E16");
	ck_assert_str_eq(ask("vCont;c:zz"), "E16");
	ck_assert_str_eq(ask("vCont;C"), "E16");
	ck_assert_uint_eq(f->resumes, 6);
}
END_TEST

START_TEST(watch_stop)
{
	f->stop_at_once = false;
	ask("c");
	f->nsent = 0;
	rsp_stopped(&f->rsp,
		&(struct rsp_stop){
			.thread = 1, .signal = 5, .kind = RSP_WATCH_WRITE, .address = 0xfff0 });
	ck_assert_ptr_nonnull(strstr(f->sent, "$T05thread:1;watch:fff0;#"));
	ask("c");
	f->nsent = 0;
	rsp_exited(&f->rsp, 0);
	ck_assert_ptr_nonnull(strstr(f->sent, "$W00#"));
}
END_TEST

static const char *stop(uint32_t thread, int kind)
{
	f->nsent = 0;
	f->sent[0] = '\0';
	rsp_stopped(&f->rsp, &(struct rsp_stop){ .thread = thread, .signal = 5, .kind = kind });
	return f->sent;
}

/* No debug registers that work. */
START_TEST(soft_hardware)
{
	f->hardware = 0;
	ck_assert_str_eq(ask("Z3,1000,4"), "");
	ck_assert_str_eq(ask("Z4,1000,4"), "");
	ck_assert_str_eq(ask("Z2,9999,4"), "E0e");
	ck_assert_str_eq(ask("Z2,1000,0"), "E16");
	ck_assert_str_eq(ask("Z2,1000,41"), "E16");
	/* A breakpoint by other means is told as what gdb asked for. */
	ck_assert_str_eq(ask("Z1,1234,1"), "OK");
	ck_assert_uint_eq(f->brk, 0x1234);
	ck_assert_int_eq(f->brk_kind, RSP_BREAK_SOFT);
	ask("c");
	ck_assert_uint_eq(f->resumed.step, 0);
	f->regs[0].rip = 0x1234;
	ck_assert_ptr_nonnull(strstr(stop(1, RSP_BREAK_SOFT), "hwbreak:;"));
	f->regs[0].rip = 0x1235;
	ask("c");
	ck_assert_ptr_nonnull(strstr(stop(1, RSP_BREAK_SOFT), "swbreak:;"));
	ck_assert_str_eq(ask("z1,1234,1"), "OK");
	ck_assert_uint_eq(f->brk, 0);
	/* A watchpoint: steps of one thread until the bytes change. */
	ck_assert_str_eq(ask("Z2,1010,8"), "OK");
	f->memory[0x17]++;
	ask("c");
	ck_assert_uint_eq(f->resumed.step, 1);
	ck_assert_uint_eq(f->resumed.only, 0);
	ck_assert_str_eq(stop(1, -1), "");
	ck_assert_str_eq(stop(1, -1), "");
	ck_assert_uint_eq(f->resumed.step, 1);
	f->memory[0x18]++;
	ck_assert_str_eq(stop(1, -1), "");
	f->memory[0x17]++;
	ck_assert_ptr_nonnull(strstr(stop(1, -1), "$T05thread:1;watch:1010;#"));
	/* What gdb steps itself is told, what others stop for, too. */
	ask("vCont;s:2");
	ck_assert_uint_eq(f->resumed.step, 2);
	ck_assert_uint_eq(f->resumed.only, 2);
	ck_assert_ptr_nonnull(strstr(stop(2, -1), "$T05thread:2;#"));
	ask("vCont;s:2");
	f->memory[0x10]++;
	ck_assert_ptr_nonnull(strstr(stop(2, -1), "watch:1010;"));
	ask("c");
	ck_assert_ptr_nonnull(strstr(stop(1, RSP_BREAK_SOFT), "$T05thread:1;swbreak:;#"));
	ck_assert_str_eq(ask("z2,1010,8"), "OK");
	ask("c");
	ck_assert_uint_eq(f->resumed.step, 0);
}
END_TEST

/* Nobody knows yet. */
START_TEST(untried_hardware)
{
	f->hardware = -EAGAIN;
	ck_assert_str_eq(ask("Z2,1010,8"), "OK");
	ck_assert_str_eq(ask("Z4,1020,4"), "OK");
	f->brk_kind = -1;
	ask("c");
	ck_assert_uint_eq(f->resumed.step, 1);
	ck_assert_str_eq(stop(1, -1), "");
	ck_assert_int_eq(f->brk_kind, -1);
	/* It works: from now on at full speed. */
	f->hardware = 1;
	ck_assert_str_eq(stop(1, -1), "");
	ck_assert_int_eq(f->brk_kind, RSP_WATCH_ACCESS);
	ck_assert_uint_eq(f->brk, 0x1020);
	ck_assert_uint_eq(f->resumed.step, 0);
	stop(1, RSP_WATCH_ACCESS);
	ck_assert_str_eq(ask("z4,1020,4"), "OK");
	ck_assert_uint_eq(f->brk, 0);
	ck_assert_str_eq(ask("z2,1010,8"), "OK");
	/* It does not: nothing else can watch reads. */
	f->hardware = -EAGAIN;
	ck_assert_str_eq(ask("Z4,1020,4"), "OK");
	ask("c");
	f->hardware = 0;
	stop(1, -1);
	ck_assert_ptr_nonnull(strstr(f->sent, "$O576174636870"));
	ck_assert_ptr_nonnull(strstr(f->sent, "$T05thread:1;#"));
}
END_TEST

START_TEST(threads_and_queries)
{
	ck_assert_str_eq(ask("qfThreadInfo"), "m1,2");
	ck_assert_str_eq(ask("qsThreadInfo"), "l");
	ck_assert_str_eq(ask("T2"), "OK");
	ck_assert_str_eq(ask("T9"), "E03");
	ck_assert_str_eq(ask("qThreadExtraInfo,1"), "746872656164203c313e");
	ck_assert_str_eq(ask("qAttached:1"), "1");
	ck_assert_ptr_nonnull(strstr(ask("qSupported:swbreak+"), "qXfer:features:read+"));
	ck_assert_ptr_null(strstr(ask("qSupported"), "auxv"));
	fake_rsp_init(f, true);
	ck_assert_ptr_nonnull(strstr(ask("qSupported"), "auxv"));
}
END_TEST

START_TEST(monitor)
{
	const char *p;
	unsigned n = 0;

	ck_assert_str_eq(ask("qRcmd,6869"), "OK");
	ck_assert_ptr_nonnull(strstr(f->sent, "$O3c68693e#"));
	ck_assert_str_eq(ask("qRcmd,6"), "E16");
	ck_assert_str_eq(ask("qRcmd,00"), "E16");
	ck_assert_str_eq(ask("qRcmd,626967"), "OK");
	for (p = f->sent; (p = strstr(p, "$O")); p++)
		n++;
	ck_assert_uint_ge(n, 2);
}
END_TEST

START_TEST(leaving)
{
	ck_assert_str_eq(ask("D"), "OK");
	ck_assert_uint_eq(f->detaches, 1);
	ck_assert(f->rsp.detached);
	put("$?#3f", 5);
	ck_assert_str_eq(f->sent, "");
	fake_rsp_init(f, false);
	ck_assert_str_eq(ask("k"), "OK");
	ck_assert_uint_eq(f->detaches, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("debug_rsp");
	TCase *t = tcase_create("debug_rsp");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, frames);
	tcase_add_test(t, no_acknowledgements);
	tcase_add_test(t, too_long);
	tcase_add_test(t, memory);
	tcase_add_test(t, registers);
	tcase_add_test(t, description);
	tcase_add_test(t, x87);
	tcase_add_test(t, breakpoints);
	tcase_add_test(t, running);
	tcase_add_test(t, watch_stop);
	tcase_add_test(t, soft_hardware);
	tcase_add_test(t, untried_hardware);
	tcase_add_test(t, threads_and_queries);
	tcase_add_test(t, monitor);
	tcase_add_test(t, leaving);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
