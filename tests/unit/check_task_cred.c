/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials of the sentry: groups, accounts, capability rules of set-id calls and exec. */
#include <config.h>

#include <check.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdlib.h>

#include "task/cred.h"
#include "tests/unit/fake_guest.h"

static void setup(void)
{
	fake_ram(64);
}

START_TEST(test_groups)
{
	struct cred *c = cred_create(), *d;
	u32 g[100];
	u32 i;

	for (i = 0; i < 100; i++)
		g[i] = i * 7919 % 1009 + 1;
	ck_assert_int_eq(cred_set_groups(c, g, 100), 0);
	for (i = 1; i < 100; i++)
		ck_assert(c->groups[i - 1] <= c->groups[i]);
	for (i = 0; i < 100; i++)
		ck_assert(cred_in_group(c, g[i]));
	ck_assert(!cred_in_group(c, 5000));
	ck_assert(cred_in_group(c, c->fsgid));
	d = cred_dup(c);
	ck_assert(d->groups != c->groups && d->ngroups == 100);
	cred_put(c);
	ck_assert(cred_in_group(d, g[3]));
	cred_put(d);
}
END_TEST

START_TEST(test_accounts)
{
	struct cred *a = cred_create(), *b = cred_create();

	ck_assert_ptr_eq(a->user, b->user);
	ck_assert_int_eq(cred_set_user(b, 1000), 0);
	ck_assert_ptr_ne(a->user, b->user);
	ck_assert_uint_eq(b->user->uid, 1000);
	cred_put(a);
	cred_put(b);
}
END_TEST

static struct cred *with_ids(u32 uid, u32 euid, u32 suid)
{
	struct cred *c = cred_create();

	c->uid = uid;
	c->euid = c->fsuid = euid;
	c->suid = suid;
	return c;
}

START_TEST(test_setuid_caps)
{
	struct cred *old = with_ids(0, 0, 0), *c = with_ids(0, 1000, 0);

	cred_fix_caps(c, old);
	ck_assert_uint_eq(c->cap_effective, 0);
	ck_assert_uint_eq(c->cap_permitted, CAP_ALL);
	cred_put(c);
	c = with_ids(1000, 1000, 1000);
	c->cap_ambient = 1;
	cred_fix_caps(c, old);
	ck_assert_uint_eq(c->cap_permitted | c->cap_effective | c->cap_ambient, 0);
	cred_put(c);
	c = with_ids(1000, 1000, 1000);
	c->securebits = 1u << SECURE_KEEP_CAPS;
	cred_fix_caps(c, old);
	ck_assert_uint_eq(c->cap_permitted, CAP_ALL);
	ck_assert_uint_eq(c->cap_effective, 0);
	cred_put(c);
	c = with_ids(1000, 1000, 1000);
	c->securebits = 1u << SECURE_NO_SETUID_FIXUP;
	cred_fix_caps(c, old);
	ck_assert_uint_eq(c->cap_effective, CAP_ALL);
	cred_put(c);
	cred_put(old);
}
END_TEST

START_TEST(test_exec)
{
	struct cred_exec_file plain = { .mode = 0100755 };
	struct cred_exec_file setuid = { .mode = 0104755, .uid = 0 };
	struct cred *c = with_ids(1000, 1000, 1000);

	c->cap_permitted = c->cap_effective = 0;
	ck_assert(!cred_exec(c, &plain));
	ck_assert_uint_eq(c->cap_permitted, 0);
	ck_assert(cred_exec(c, &setuid));
	ck_assert_uint_eq(c->euid, 0);
	ck_assert_uint_eq(c->suid, 0);
	ck_assert_uint_eq(c->uid, 1000);
	ck_assert_uint_eq(c->cap_effective, CAP_ALL);
	cred_put(c);
	c = with_ids(1000, 1000, 1000);
	c->cap_permitted = c->cap_effective = 0;
	setuid.no_new_privs = true;
	ck_assert(!cred_exec(c, &setuid));
	ck_assert_uint_eq(c->euid, 1000);
	ck_assert_uint_eq(c->cap_effective, 0);
	setuid.no_new_privs = false;
	setuid.nosuid = true;
	ck_assert(!cred_exec(c, &setuid));
	cred_put(c);
	/* Ambient capabilities survive a plain program, the bounding set limits root. */
	c = with_ids(1000, 1000, 1000);
	c->cap_ambient = 1UL << CAP_CHOWN;
	ck_assert(!cred_exec(c, &plain));
	ck_assert_uint_eq(c->cap_effective, 1UL << CAP_CHOWN);
	cred_put(c);
	c = with_ids(0, 0, 0);
	c->cap_bounding = 1UL << CAP_KILL;
	ck_assert(!cred_exec(c, &plain));
	ck_assert_uint_eq(c->cap_effective, 1UL << CAP_KILL);
	cred_put(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("task_cred");
	TCase *tc = tcase_create("cred");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_groups);
	tcase_add_test(tc, test_accounts);
	tcase_add_test(tc, test_setuid_caps);
	tcase_add_test(tc, test_exec);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
