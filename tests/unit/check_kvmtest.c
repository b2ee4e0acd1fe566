/* SPDX-License-Identifier: Apache-2.0 */
/* casemate kvmtest: suite files, words, verdicts, TAP and JUnit. Nothing is booted. */
#include <config.h>

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/kvmtest/kvmtest.h"

/* Texts of structures that would own them. */
static char *text_of(const char *s)
{
	return (char *)(uintptr_t)s;
}

static struct kt_suite s;
static struct cm_err err;
static char reason[512];

static int parse(const char *text, bool kut)
{
	kt_suite_fini(&s);
	return kt_suite_parse(&s, text, strlen(text), "file", "dir", kut, &err);
}

static void refused(const char *text, bool kut, const char *why)
{
	ck_assert_int_lt(parse(text, kut), 0);
	ck_assert_msg(strstr(err.msg, why) != NULL, "'%s' does not hold '%s'", err.msg, why);
}

START_TEST(native_keys)
{
	ck_assert_int_eq(
		parse("# comment\n[one]\nfile = a.elf\nargs = x  y\nsmp=3\r\nmemory = 1G\n"
		      "timeout = 2.5\nexpect = ^a=b$\ndevice = rng\ndevice = blk=d.img,ro\n"
		      "device = vsock=/s\ncpu = max,-pcid\nirqchip = full\nformat = flat32\n"
		      "module = m\ngroups = a b\n[two]\nfile = /abs\nexpect-exit = 5\n",
			false),
		0);
	ck_assert_uint_eq(s.count, 2);
	ck_assert_str_eq(s.test[0].name, "one");
	ck_assert_str_eq(s.test[0].image, "dir/a.elf");
	ck_assert_str_eq(s.test[0].args, "x  y");
	ck_assert_uint_eq(s.test[0].cpus, 3);
	ck_assert_uint_eq(s.test[0].memory, 1u << 30);
	ck_assert_uint_eq(s.test[0].timeout_ms, 2500);
	ck_assert_str_eq(s.test[0].expect, "^a=b$");
	ck_assert(s.test[0].rng && s.test[0].blk_readonly && !s.test[0].console);
	ck_assert_str_eq(s.test[0].blk, "dir/d.img");
	ck_assert_str_eq(s.test[0].vsock, "/s");
	ck_assert_str_eq(s.test[0].irqchip, "full");
	ck_assert_str_eq(s.test[1].image, "/abs");
	ck_assert_int_eq(s.test[1].expect_exit, 5);
	ck_assert_uint_eq(s.test[1].timeout_ms, KT_TIMEOUT_MS);
}
END_TEST

START_TEST(native_refusals)
{
	refused("", false, "no test");
	refused("file = a\n", false, "file:1: 'file' before");
	refused("[a]\nfile = x\n[a]\n", false, "file:3: test 'a' comes twice");
	refused("[a]\n", false, "test 'a' has no file");
	refused("[a\nfile = x\n", false, "file:1: '[a' is not [name]");
	refused("[a]\nfile\n", false, "file:2: 'file' is not key = value");
	refused("[a]\nfoo = 1\n", false, "unknown key 'foo'");
	refused("[a]\nsmp = 0\n", false, "smp");
	refused("[a]\nsmp = 65\n", false, "smp");
	refused("[a]\nmemory = 1\n", false, "memory");
	refused("[a]\ntimeout = soon\n", false, "timeout");
	refused("[a]\ndevice = gpu\n", false, "device 'gpu'");
	refused("[a]\nirqchip = none\n", false, "irqchip: 'none'");
	refused("[a]\nexpect-exit = -1\n", false, "expect-exit");
	ck_assert_int_lt(kt_suite_parse(&s, "[a]\n\0", 5, "file", "dir", false, &err), 0);
}
END_TEST

START_TEST(kut_keys)
{
	ck_assert_int_eq(
		parse("[x2apic]\nfile = apic.flat\nsmp = 2\n"
		      "qemu_params = -cpu qemu64,+x2apic,+tsc-deadline -m 2048\n"
		      "arch = x86_64\ntimeout = 30\ngroups = apic nodefault\n"
		      "[svm]\nfile = svm.flat\ntest_args = \"-a b\"\n"
		      "extra_params = -cpu max,+svm -m 4g -append 'c d'\naccel = kvm\n"
		      "[clock]\nfile = c.flat\ntest_args = \"10 `date +%s`\"\nsmp = $MAX_SMP\n",
			true),
		0);
	ck_assert_uint_eq(s.count, 3);
	ck_assert_str_eq(s.test[0].image, "dir/apic.flat");
	ck_assert_str_eq(s.test[0].cpu, "qemu64,+x2apic,+tsc-deadline");
	ck_assert_uint_eq(s.test[0].memory, 2048ull << 20);
	ck_assert_uint_eq(s.test[0].timeout_ms, 30000);
	ck_assert_uint_eq(s.test[0].skip_exit, KT_KUT_SKIPPED);
	ck_assert_ptr_null(s.test[0].skip);
	ck_assert_str_eq(s.test[1].args, "-a b c d");
	ck_assert_uint_eq(s.test[1].memory, 4ull << 30);
	ck_assert_uint_eq(s.test[1].timeout_ms, 90000);
	ck_assert_ptr_null(s.test[1].skip);
	ck_assert_int_eq(strncmp(s.test[2].args, "10 1", 4), 0);
	ck_assert_uint_eq(s.test[2].cpus, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
}
END_TEST

START_TEST(kut_iommu)
{
	ck_assert_int_eq(parse("[t]\nfile = f\nqemu_params = -M q35,kernel-irqchip=split "
			       "-device intel-iommu,intremap=on,eim=off -device edu\n",
				 true),
		0);
	ck_assert_ptr_null(s.test[0].skip);
	ck_assert(s.test[0].iommu && s.test[0].edu);
}
END_TEST

/* What cannot be done here is skipped, with the reason. */
static void skipped(const char *line, const char *why)
{
	char text[512];

	snprintf(text, sizeof(text), "[t]\nfile = f\n%s\n", line);
	ck_assert_int_eq(parse(text, true), 0);
	ck_assert_msg(s.test[0].skip != NULL, "not skipped: %s", line);
	ck_assert_msg(strstr(s.test[0].skip, why) != NULL, "'%s' does not hold '%s'",
		s.test[0].skip, why);
}

START_TEST(kut_skips)
{
	skipped("arch = i386", "i386 only");
	skipped("accel = tcg", "tcg only");
	skipped("machine = q35", "q35 only");
	skipped("check = /proc/version=none", "/proc/version is not none");
	skipped("check = /nonexistent=1 /x=2", "/nonexistent is not 1");
	skipped("qemu_params = -M q35,kernel-irqchip=split", "q35 is offered with");
	skipped("qemu_params = -M q35 -device intel-iommu,intremap=on,eim=on", "'eim=on'");
	skipped("qemu_params = -device e1000", "'e1000'");
	skipped("qemu_params = -foo bar", "'-foo'");
	skipped("qemu_params = -m", "'-m'");
	skipped("test_args = `uname -r`", "backquotes");
	skipped("test_args = $HOME", "shell expression");
	skipped("test_args = \"open", "quote");
	skipped("smp = $((1+1))", "shell expression");
	skipped("disabled_if = true", "shell");
}
END_TEST

START_TEST(kut_quoted_lines)
{
	ck_assert_int_eq(parse("[a]\nfile = f\nextra_params = \"\"\"-append 'x\ny' -m 64\"\"\"\n"
			       "[b]\nfile = g\n",
				 true),
		0);
	ck_assert_uint_eq(s.count, 2);
	ck_assert_str_eq(s.test[0].args, "x y");
	ck_assert_uint_eq(s.test[0].memory, 64u << 20);
	ck_assert_str_eq(s.test[1].name, "b");
	ck_assert_int_eq(parse("[a]\nfile = f\nextra_params = \"\"\"-m 64\nno end", true), 0);
}
END_TEST

START_TEST(words)
{
	char **w;

	ck_assert_int_eq(kt_words("  a\\ b 'c  d'\"e\\\"f\" '' \"\"", &w, &err), 4);
	ck_assert_str_eq(w[0], "a b");
	ck_assert_str_eq(w[1], "c  de\"f");
	ck_assert_str_eq(w[2], "");
	ck_assert_str_eq(w[3], "");
	kt_words_free(w);
	ck_assert_int_eq(kt_words("", &w, &err), 0);
	kt_words_free(w);
	ck_assert_int_lt(kt_words("'", &w, &err), 0);
	ck_assert_int_lt(kt_words("\"$(x)\"", &w, &err), 0);
}
END_TEST

/* ---- verdicts */

static enum kt_result verdict(const char *console, const char *expect, long expect_exit,
	enum cm_pc_end end, uint32_t value)
{
	struct cm_pc_result res = { .end = end, .value = value, .text = "what happened\nmore\n" };
	struct kt_console c;
	struct kt_test t;
	enum kt_result r;

	kt_test_init(&t);
	t.expect = (char *)(uintptr_t)expect;
	t.expect_exit = expect_exit;
	ck_assert_int_eq(kt_console_init(&c, expect, &err), 0);
	kt_console_feed(&c, console, strlen(console), NULL);
	kt_console_end(&c, NULL);
	r = kt_verdict(&t, &c, &res, reason, sizeof(reason));
	kt_console_fini(&c);
	return r;
}

START_TEST(exit_codes)
{
	ck_assert_int_eq(verdict("", NULL, -1, CM_PC_END_EXIT, 0), KT_PASSED);
	ck_assert_int_eq(verdict("", NULL, -1, CM_PC_END_EXIT, 1), KT_FAILED);
	ck_assert_str_eq(reason, "exit code 1, expected 0");
	ck_assert_int_eq(verdict("", NULL, -1, CM_PC_END_EXIT, 77), KT_SKIPPED);
	ck_assert_int_eq(verdict("", NULL, -1, CM_PC_END_EXIT, KT_KUT_SKIPPED), KT_FAILED);
	ck_assert_int_eq(verdict("", NULL, 77, CM_PC_END_EXIT, 77), KT_PASSED);
	ck_assert_int_eq(verdict("", NULL, 3, CM_PC_END_EXIT, 0), KT_FAILED);
	ck_assert_int_eq(verdict("", NULL, -1, CM_PC_END_SHUTDOWN, 0), KT_PASSED);
	ck_assert_int_eq(verdict("", NULL, 0, CM_PC_END_SHUTDOWN, 0), KT_FAILED);
	ck_assert_int_eq(verdict("", NULL, -1, CM_PC_END_RESET, 0), KT_FAILED);
}
END_TEST

START_TEST(other_ends)
{
	ck_assert_int_eq(verdict("", NULL, -1, CM_PC_END_CRASH, 0), KT_CRASHED);
	ck_assert_str_eq(reason, "what happened");
	ck_assert_int_eq(verdict("", NULL, -1, CM_PC_END_TIMEOUT, 0), KT_TIMED_OUT);
	ck_assert_int_eq(verdict("", NULL, -1, CM_PC_END_REFUSED, 0), KT_REFUSED);
	ck_assert_int_eq(verdict("", NULL, -1, CM_PC_END_IMAGE, 0), KT_NOT_BOOTABLE);
	ck_assert_int_eq(verdict("", NULL, -1, CM_PC_END_UNSUPPORTED, 0), KT_ERROR);
	ck_assert_int_eq(verdict("", NULL, -1, CM_PC_END_VMM, 0), KT_ERROR);
	ck_assert_int_eq(verdict("", NULL, -1, 99, 0), KT_ERROR);
}
END_TEST

START_TEST(expressions)
{
	ck_assert_int_eq(verdict("a\r\nhello world\r\n", "^hello w.*d$", -1, CM_PC_END_TIMEOUT, 0),
		KT_PASSED);
	ck_assert_int_eq(verdict("hello", "^hello$", -1, CM_PC_END_CRASH, 0), KT_PASSED);
	ck_assert_int_eq(verdict("hell\no\n", "hello", -1, CM_PC_END_EXIT, 0), KT_FAILED);
	ck_assert_int_eq(verdict("", "x", -1, CM_PC_END_TIMEOUT, 0), KT_TIMED_OUT);
	struct kt_console c;

	ck_assert_int_lt(kt_console_init(&c, "(", &err), 0);
}
END_TEST

START_TEST(tap)
{
	ck_assert_int_eq(
		verdict("1..2\nok 1 - a\nok 2 - b\n", NULL, -1, CM_PC_END_EXIT, 0), KT_PASSED);
	ck_assert_int_eq(verdict("ok 1\nnot ok 2\n1..2\n", NULL, -1, CM_PC_END_EXIT, 0), KT_FAILED);
	ck_assert_str_eq(reason, "TAP: 1 of 2 points not ok");
	ck_assert_int_eq(
		verdict("ok 1\nnot ok 2 # TODO x\n1..2\n", NULL, -1, CM_PC_END_SHUTDOWN, 0),
		KT_PASSED);
	ck_assert_int_eq(verdict("1..3\nok 1\n", NULL, -1, CM_PC_END_EXIT, 0), KT_FAILED);
	ck_assert_int_eq(
		verdict("1..1\nok 1\nBail out! x\n", NULL, -1, CM_PC_END_EXIT, 0), KT_FAILED);
	ck_assert_int_eq(verdict("1..0 # SKIP no\n", NULL, -1, CM_PC_END_EXIT, 0), KT_SKIPPED);
	ck_assert_int_eq(verdict("1..1\nok 1\n", NULL, -1, CM_PC_END_EXIT, 1), KT_FAILED);
	ck_assert_int_eq(verdict("not ok 1\n1..1\n", NULL, 0, CM_PC_END_EXIT, 0), KT_PASSED);
	ck_assert_int_eq(verdict("1..1\nok 1\n", NULL, -1, CM_PC_END_TIMEOUT, 0), KT_TIMED_OUT);
}
END_TEST

START_TEST(console_is_clean)
{
	static const char dirty[] = "a\x1b[31m\tb\r\n\xff\0c\rd";
	struct kt_console c;

	ck_assert_int_eq(kt_console_init(&c, NULL, &err), 0);
	kt_console_feed(&c, dirty, sizeof(dirty) - 1, NULL);
	kt_console_end(&c, NULL);
	ck_assert_str_eq(c.text, "a\\x1b[31m\tb\n\\xff\\x00c\\x0dd\n");
	kt_console_fini(&c);
}
END_TEST

START_TEST(console_is_bounded)
{
	static char block[65536];
	struct kt_console c;

	memset(block, 'x', sizeof(block));
	ck_assert_int_eq(kt_console_init(&c, "^x+$", &err), 0);
	for (int i = 0; i < 40; i++)
		kt_console_feed(&c, block, sizeof(block), NULL);
	ck_assert_uint_eq(c.len, KT_CONSOLE);
	ck_assert_uint_eq(c.dropped, 40 * sizeof(block) - KT_CONSOLE);
	ck_assert(!c.matched);
	kt_console_feed(&c, "\n", 1, NULL);
	ck_assert(c.matched);
	kt_console_fini(&c);
}
END_TEST

/* ---- output */

static char *printed(void (*fn)(FILE *f))
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fn(f);
	fclose(f);
	return text;
}

static struct kt_test one;
static struct kt_outcome outcome;

static void print_tap(FILE *f)
{
	kt_print_tap(f, 3, &one, &outcome);
}

START_TEST(tap_output)
{
	char *text;

	one.name = text_of("a<b");
	outcome = (struct kt_outcome){ .result = KT_PASSED, .reason = "exit code 0" };
	text = printed(print_tap);
	ck_assert_str_eq(text, "ok 3 - a<b\n");
	free(text);
	outcome.result = KT_SKIPPED;
	text = printed(print_tap);
	ck_assert_str_eq(text, "ok 3 - a<b # SKIP exit code 0\n");
	free(text);
	outcome = (struct kt_outcome){ .result = KT_CRASHED,
		.reason = "why",
		.report = text_of("r1\nr2\n"),
		.console = text_of("c\n"),
		.tries = 2 };
	text = printed(print_tap);
	ck_assert_str_eq(
		text, "not ok 3 - a<b\n# guest crashed: why\n# try 2\n# r1\n# r2\n# console: c\n");
	free(text);
}
END_TEST

START_TEST(junit_output)
{
	char path[] = "/tmp/check_kvmtest.XXXXXX", text[4096];
	struct kt_outcome o[2] = { { .result = KT_FAILED,
					   .reason = "a \"<&>\"",
					   .console = text_of("x\x01y\n"),
					   .total_us = 1500000 },
		{ .result = KT_SKIPPED, .reason = "no" } };
	struct kt_test t[2] = { { .name = text_of("a<b") }, { .name = text_of("c") } };
	struct kt_suite js = { .name = text_of("suite"), .test = t, .outcome = o, .count = 2 };
	int fd = mkstemp(path);
	ssize_t n;

	ck_assert_int_eq(kt_write_junit(&js, path, &err), 0);
	n = read(fd, text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	close(fd);
	unlink(path);
	ck_assert_ptr_nonnull(strstr(
		text, "tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"1.500000\""));
	ck_assert_ptr_nonnull(strstr(text, "name=\"a&lt;b\""));
	ck_assert_ptr_nonnull(
		strstr(text, "<failure type=\"failed\" message=\"a &quot;&lt;&amp;&gt;&quot;\">"));
	ck_assert_ptr_nonnull(strstr(text, "x\\x01y"));
	ck_assert_ptr_nonnull(strstr(text, "<skipped message=\"no\"/>"));
	ck_assert_int_lt(kt_write_junit(&js, "/nonexistent/x", &err), 0);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("kvmtest");
	Suite *suite = suite_create("kvmtest");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, native_keys);
	tcase_add_test(tc, native_refusals);
	tcase_add_test(tc, kut_keys);
	tcase_add_test(tc, kut_iommu);
	tcase_add_test(tc, kut_skips);
	tcase_add_test(tc, kut_quoted_lines);
	tcase_add_test(tc, words);
	tcase_add_test(tc, exit_codes);
	tcase_add_test(tc, other_ends);
	tcase_add_test(tc, expressions);
	tcase_add_test(tc, tap);
	tcase_add_test(tc, console_is_clean);
	tcase_add_test(tc, console_is_bounded);
	tcase_add_test(tc, tap_output);
	tcase_add_test(tc, junit_output);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
