/* SPDX-License-Identifier: Apache-2.0 */
/* The filters that tools/gen-seccomp builds, on children that make allowed and forbidden calls. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/seccomp.h"
#include "tests/unit/seccomp_test.h"

/* #syscalls:test exit_group getpid write tgkill gettid rt_sigreturn prctl sigaltstack -- the last two are the sanitizers' */
/* #syscalls:test ioctl[1=FIONREAD,TIOCGWINSZ] mmap[2&PROT_EXEC=0] */
/* #syscalls:test ioctl[1=TIOCGPGRP] */

static void call_getpid(void)
{
	if (getppid() == 0)
		_exit(1);
}

static void call_allowed(void)
{
	int n;

	getpid();
	ioctl(0, FIONREAD, &n);
	ioctl(0, TIOCGPGRP, &n);
	if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		_exit(1);
}

static void call_ioctl(void)
{
	int n = 0;

	ioctl(0, FIONBIO, &n);
}

static void call_mmap_exec(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Wait status of a child that installs the filter and calls fn. */
static int filtered(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct cm_err err;

		close(STDERR_FILENO);
		cm_seccomp_report_calls();
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			CM_SECCOMP_INSTALL(seccomp_filter_test, &err) < 0)
			_exit(2);
		fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void expect_killed(void (*fn)(void))
{
	int status = filtered(fn);

	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGSYS);
}

START_TEST(allowed_calls_pass)
{
	int status = filtered(call_allowed);

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(unnamed_call_kills)
{
	expect_killed(call_getpid);
}
END_TEST

START_TEST(other_ioctl_kills)
{
	expect_killed(call_ioctl);
}
END_TEST

START_TEST(masked_argument_kills)
{
	expect_killed(call_mmap_exec);
}
END_TEST

START_TEST(install_fails_with_empty_filter)
{
	struct cm_err err;

	ck_assert_int_eq(cm_seccomp_install(seccomp_filter_test, 0, "nothing", &err), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("seccomp");
	TCase *tc = tcase_create("seccomp");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, allowed_calls_pass);
	tcase_add_test(tc, unnamed_call_kills);
	tcase_add_test(tc, other_ioctl_kills);
	tcase_add_test(tc, masked_argument_kills);
	tcase_add_test(tc, install_fails_with_empty_filter);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
