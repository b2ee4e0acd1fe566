/* SPDX-License-Identifier: Apache-2.0 */
/* The VMM's command line: values, defaults, and a message that names what was wrong. */
#include <config.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "vmm/opts.h"

static struct opts o;
static struct cm_err err;

/* Up to four arguments; NULL ends the list early. */
static int parse(const char *a, const char *b, const char *c, const char *d)
{
	const char *in[] = { "casemate-vmm", a, b, c, d };
	static char text[5][512];
	char *argv[6];
	int n;

	for (n = 0; n < 5 && in[n]; n++) {
		snprintf(text[n], sizeof(text[n]), "%s", in[n]);
		argv[n] = text[n];
	}
	argv[n] = NULL;
	return opts_parse(&o, n, argv, &err);
}

START_TEST(defaults)
{
	ck_assert_int_eq(parse("--memory=64M", NULL, NULL, NULL), 0);
	ck_assert_uint_eq(o.memory, 64u << 20);
	ck_assert_uint_eq(o.cpus, 1);
	ck_assert_int_eq(o.log_fd, 2);
	ck_assert_int_eq(o.kvm_fd, -1);
	ck_assert_int_eq(o.vsock_dir_fd, -1);
	ck_assert_str_eq(o.cmdline, "");
	ck_assert(!o.trace_exits);
	ck_assert_uint_eq(o.nfs, 0);
}
END_TEST

START_TEST(values)
{
	ck_assert_int_eq(parse("--memory=1G", "--cpus=4", "--cmdline=a=b c", "--trace-exits"), 0);
	ck_assert_uint_eq(o.memory, 1u << 30);
	ck_assert_uint_eq(o.cpus, 4);
	ck_assert_str_eq(o.cmdline, "a=b c");
	ck_assert(o.trace_exits);
	ck_assert_int_eq(parse("--memory=67108864", "--kvm-fd=3", "--log-fd=7", NULL), 0);
	ck_assert_uint_eq(o.memory, 64u << 20);
	ck_assert_int_eq(o.kvm_fd, 3);
	ck_assert_int_eq(o.log_fd, 7);
	ck_assert_int_eq(parse("--memory=65536K", NULL, NULL, NULL), 0);
}
END_TEST

START_TEST(file_servers)
{
	ck_assert_int_eq(parse("--memory=64M", "--arena-fd=4", "--fs=root,sock=5,kick=6,call=7",
				 "--fs=vol 1,sock=8,kick=9,call=10"),
		0);
	ck_assert_uint_eq(o.nfs, 2);
	ck_assert_str_eq(o.fs[0].tag, "root");
	ck_assert_int_eq(o.fs[0].sock, 5);
	ck_assert_int_eq(o.fs[0].kick, 6);
	ck_assert_int_eq(o.fs[0].call, 7);
	ck_assert_str_eq(o.fs[1].tag, "vol 1");
	ck_assert_int_eq(o.fs[1].call, 10);
}
END_TEST

static const struct {
	const char *arg;
	const char *message; /* part of it */
} wrong[] = {
	{ "--memory=", "not a number" },
	{ "--memory=-1", "not a number" },
	{ "--memory=64X", "junk" },
	{ "--memory=64MB", "junk" },
	{ "--memory=1M", "must be 16 to 65536 MiB" },
	{ "--memory=128G", "must be 16 to 65536 MiB" },
	{ "--memory=99999999999999999999", "larger than" },
	{ "--memory=18014398509481984K", "too large" },
	{ "--memory=33M", "multiple of 2 MiB" },
	{ "--memory", "missing value" },
	{ "--cpus=0", "at least 1" },
	{ "--cpus=65", "larger than 64" },
	{ "--cpus=2x", "junk" },
	{ "--kvm-fd=-1", "not a number" },
	{ "--kvm-fd=99999999", "larger" },
	{ "--fs=root", "expected ',sock='" },
	{ "--fs=,sock=1,kick=2,call=3", "tag of 0 bytes" },
	{ "--fs=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,sock=1,kick=2,call=3", "tag of" },
	{ "--fs=root,sock=1,call=2,kick=3", "expected ',kick='" },
	{ "--fs=root,sock=1,kick=2,call=3,x", "junk" },
	{ "--fs=root,sock=,kick=2,call=3", "not a number" },
	{ "--frobnicate", "unknown option '--frobnicate'" },
	{ "--frobnicate=1", "unknown option '--frobnicate=1'" },
	{ "--a-name-that-is-much-longer-than-any-option=1", "unknown option" },
	{ "memory", "unexpected argument 'memory'" },
	{ "", "unexpected argument ''" },
};

START_TEST(wrong_option)
{
	ck_assert_int_lt(parse(wrong[_i].arg, "--arena-fd=3", NULL, NULL), 0);
	ck_assert_msg(strstr(err.msg, wrong[_i].message) != NULL, "'%s' gave '%s'", wrong[_i].arg,
		err.msg);
}
END_TEST

START_TEST(missing_options)
{
	ck_assert_int_lt(parse("--cpus=1", NULL, NULL, NULL), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "--memory"));
	ck_assert_int_lt(parse("--memory=64M", "--fs=r,sock=1,kick=2,call=3", NULL, NULL), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "--arena-fd"));
	ck_assert_int_eq(parse("--probe", NULL, NULL, NULL), 0);
	ck_assert_int_eq(parse("--help", NULL, NULL, NULL), 0);
}
END_TEST

START_TEST(bounded_lists)
{
	char *argv[OPTS_FS_MAX + 3];
	static char fs[] = "--fs=r,sock=1,kick=2,call=3", memory[] = "--memory=64M";
	int i;

	argv[0] = memory;
	for (i = 1; i < OPTS_FS_MAX + 3; i++)
		argv[i] = fs;
	ck_assert_int_lt(opts_parse(&o, OPTS_FS_MAX + 3, argv, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "more than"));
}
END_TEST

START_TEST(guest_image_needs_developer_build)
{
	int r = parse("--memory=64M", "--guest-image=/x", NULL, NULL);

#ifdef CM_DEVEL
	ck_assert_int_eq(r, 0);
	ck_assert_str_eq(o.guest_image, "/x");
#else
	ck_assert_int_lt(r, 0);
#endif
}
END_TEST

int main(void)
{
	Suite *s = suite_create("opts");
	TCase *tc = tcase_create("opts");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, defaults);
	tcase_add_test(tc, values);
	tcase_add_test(tc, file_servers);
	tcase_add_loop_test(tc, wrong_option, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, missing_options);
	tcase_add_test(tc, bounded_lists);
	tcase_add_test(tc, guest_image_needs_developer_build);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
