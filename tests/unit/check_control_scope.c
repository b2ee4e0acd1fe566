/* SPDX-License-Identifier: Apache-2.0 */
/* Names of systemd's slices and scopes from linux.cgroupsPath. */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "control/scope.h"

static const struct {
	const char *cgroups_path;
	const char *slice, *unit, *path; /* NULL: it is refused */
	const char *error; /* a part of it */
} cases[] = {
	{ "machine.slice:libpod:abc", "machine.slice", "libpod-abc.scope",
		"/machine.slice/libpod-abc.scope", NULL },
	{ "a-b-c.slice:x:y", "a-b-c.slice", "x-y.scope", "/a.slice/a-b.slice/a-b-c.slice/x-y.scope",
		NULL },
	{ "-.slice:x:y", "-.slice", "x-y.scope", "/x-y.scope", NULL },
	{ ":x:y", "system.slice", "x-y.scope", "/system.slice/x-y.scope", NULL },
	{ "s.slice::y", "s.slice", "y.scope", "/s.slice/y.scope", NULL },
	{ "", "system.slice", "casemate-id.scope", "/system.slice/casemate-id.scope", NULL },
	{ NULL, "system.slice", "casemate-id.scope", "/system.slice/casemate-id.scope", NULL },
	{ "/a/path", NULL, NULL, NULL, "'/a/path' is not of the form slice:prefix:name" },
	{ "s.slice:x", NULL, NULL, NULL, "is not of the form" },
	{ "s.slice:x:y:z", NULL, NULL, NULL, "is not of the form" },
	{ "s:x:y", NULL, NULL, NULL, "'s' is no name of a slice" },
	{ ".slice:x:y", NULL, NULL, NULL, "'.slice' is no name of a slice" },
	{ "a--b.slice:x:y", NULL, NULL, NULL, "is no name of a slice" },
	{ "-a.slice:x:y", NULL, NULL, NULL, "is no name of a slice" },
	{ "a-.slice:x:y", NULL, NULL, NULL, "is no name of a slice" },
	{ "../a.slice:x:y", NULL, NULL, NULL, "is no name of a slice" },
	{ "s.slice:../x:y", NULL, NULL, NULL, "'../x-y.scope' is no name of a scope" },
	{ "s.slice:x:", NULL, NULL, NULL, "'x-.scope' is no name of a scope" },
	{ "s.slice:x:a b", NULL, NULL, NULL, "is no name of a scope" },
};

START_TEST(test_names)
{
	const char *error = cases[_i].error;
	struct cm_err err = { 0 };
	struct cm_scope s;
	int r = cm_scope_parse(&s, cases[_i].cgroups_path, "id", &err);

	if (error) {
		ck_assert_int_lt(r, 0);
		ck_assert_msg(strstr(err.msg, "linux.cgroupsPath: ") == err.msg, "%s", err.msg);
		ck_assert_msg(strstr(err.msg, error) != NULL, "%s", err.msg);
		return;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_str_eq(s.slice, cases[_i].slice);
	ck_assert_str_eq(s.unit, cases[_i].unit);
	ck_assert_str_eq(s.path, cases[_i].path);
	cm_scope_fini(&s);
}
END_TEST

START_TEST(test_long_name)
{
	char path[400] = "s.slice:x:";
	struct cm_err err = { 0 };
	struct cm_scope s;

	memset(path + strlen(path), 'n', 300);
	ck_assert_int_lt(cm_scope_parse(&s, path, "id", &err), 0);
	ck_assert_ptr_null(s.unit);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("control_scope");
	TCase *tc = tcase_create("core");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, test_names, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, test_long_name);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
