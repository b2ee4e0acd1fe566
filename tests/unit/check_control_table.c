/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox's table of containers, every change of status, roles in pods, and the record of a container in another one's sandbox. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/pod.h"
#include "control/sandbox_internal.h"

static struct sandbox s;
static char root[64];

/* A sandbox whose record is written, with its root container. */
static void setup(void)
{
	struct sandbox_container *k;
	struct cm_err err;

	snprintf(root, sizeof(root), "/tmp/check_table.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	memset(&s, 0, sizeof(s));
	cm_urpc_init(&s.urpc, sandbox_call, sandbox_call_gone, &s);
	ck_assert_int_eq(cm_container_create(&s.c, root, "r", "/bundle", &err), 0);
	ck_assert_int_eq(sandbox_container_new(&s, "r", &k, &err), 0);
	ck_assert_ptr_eq(k, sandbox_root(&s));
	ck_assert_uint_eq(k->number, 1);
	ck_assert_int_eq(sandbox_container_change(k, CM_CREATED, &err), 0);
}

static void teardown(void)
{
	char path[128];

	cm_container_remove(&s.c);
	snprintf(path, sizeof(path), "%s/.lock", root);
	unlink(path);
	ck_assert_int_eq(rmdir(root), 0);
}

START_TEST(every_change_of_status)
{
	static const char *const allowed[] = { "creating created", "creating stopped",
		"created running", "created stopped", "running paused", "running stopped",
		"paused running", "paused stopped" };
	struct cm_err err;

	for (int from = 0; from < CM_STATUS_COUNT; from++) {
		for (int to = 0; to < CM_STATUS_COUNT; to++) {
			enum cm_status status = (enum cm_status)from;
			char pair[32], text[64];
			bool ok = false;
			int r;

			snprintf(pair, sizeof(pair), "%s %s", cm_status_name(status),
				cm_status_name((enum cm_status)to));
			for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
				ok |= strcmp(pair, allowed[i]) == 0;
			r = cm_status_change("x", &status, (enum cm_status)to, &err);
			ck_assert_msg((r == 0) == ok, "%s", pair);
			ck_assert_int_eq(status, ok ? to : from);
			snprintf(text, sizeof(text), "container 'x' cannot go from %s to %s",
				cm_status_name((enum cm_status)from),
				cm_status_name((enum cm_status)to));
			if (!ok)
				ck_assert_str_eq(err.msg, text);
		}
	}
}
END_TEST

START_TEST(slots)
{
	struct sandbox_container *k, *first;
	struct cm_err err;
	char id[16];

	ck_assert_int_eq(sandbox_container_new(&s, "r", &k, &err), -EEXIST);
	ck_assert_int_eq(sandbox_container_new(&s, "../r", &k, &err), -EINVAL);
	ck_assert_int_eq(sandbox_container_new(&s, "", &k, &err), -EINVAL);
	for (int i = 2; i <= CM_RPC_CONTAINERS; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		ck_assert_int_eq(sandbox_container_new(&s, id, &k, &err), 0);
		ck_assert_uint_eq(k->number, (unsigned)i);
		ck_assert_int_eq(k->status, CM_CREATING);
		ck_assert_ptr_eq(sandbox_container_find(&s, id), k);
		ck_assert_ptr_eq(sandbox_container_at(&s, (uint32_t)i), k);
	}
	ck_assert_int_eq(sandbox_container_new(&s, "more", &k, &err), -ENOSPC);
	ck_assert_ptr_null(sandbox_container_at(&s, 0));
	ck_assert_ptr_null(sandbox_container_at(&s, CM_RPC_CONTAINERS + 1));
	ck_assert_ptr_null(sandbox_container_find(&s, "more"));
	first = sandbox_container_find(&s, "c5");
	sandbox_container_free(&s, first);
	ck_assert_ptr_null(sandbox_container_find(&s, "c5"));
	ck_assert_int_eq(sandbox_container_new(&s, "more", &k, &err), 0);
	ck_assert_ptr_eq(k, first);
	for (int i = 2; i <= CM_RPC_CONTAINERS; i++)
		sandbox_container_free(&s, sandbox_container_at(&s, (uint32_t)i));
}
END_TEST

START_TEST(stopped_is_final)
{
	struct sandbox_container *k = sandbox_root(&s);
	struct cm_err err;

	k->kill_deadline = 5;
	sandbox_container_stopped(k, 9);
	ck_assert_int_eq(k->status, CM_STOPPED);
	ck_assert_int_eq(k->kill_deadline, 0);
	sandbox_container_stopped(k, 0);
	ck_assert_int_eq(k->wait_status, 9);
	ck_assert_int_lt(sandbox_container_change(k, CM_RUNNING, &err), 0);
	ck_assert(!sandbox_container_is_up(k) && !sandbox_container_runs(k));
}
END_TEST

/* Two records, one truth: the sandbox's says what state the other's container is in. */
START_TEST(record_of_a_member)
{
	struct cm_container member;
	struct sandbox_container *k;
	struct cm_err err;
	struct cm_state st;

	ck_assert_int_eq(cm_container_create(&member, root, "m", "/other", &err), 0);
	member.st.sandbox = strdup("r");
	ck_assert_int_eq(cm_container_save(&member, &err), 0);
	ck_assert_int_eq(cm_state_load(root, "m", &st, &err), 0);
	ck_assert_int_eq(st.status, CM_CREATING);
	cm_state_fini(&st);
	ck_assert_int_eq(sandbox_container_new(&s, "m", &k, &err), 0);
	ck_assert_int_eq(sandbox_container_change(k, CM_CREATED, &err), 0);
	ck_assert_int_eq(sandbox_container_change(k, CM_RUNNING, &err), 0);
	ck_assert_int_eq(sandbox_save(&s, &err), 0);
	ck_assert_int_eq(cm_state_load(root, "m", &st, &err), 0);
	ck_assert_int_eq(st.status, CM_RUNNING);
	ck_assert_str_eq(st.sandbox, "r");
	ck_assert_str_eq(st.bundle, "/other");
	cm_state_fini(&st);
	k->oom_killed = true;
	sandbox_container_stopped(k, 9);
	ck_assert_int_eq(sandbox_save(&s, &err), 0);
	ck_assert_int_eq(cm_state_load(root, "m", &st, &err), 0);
	ck_assert(st.status == CM_STOPPED && st.exit_status == 9 && st.oom_killed);
	cm_state_fini(&st);
	/* One that the sandbox has forgotten is over, and so is one whose process is gone. */
	member.st.status = CM_RUNNING;
	ck_assert_int_eq(cm_container_save(&member, &err), 0);
	sandbox_container_free(&s, k);
	ck_assert_int_eq(cm_state_load(root, "m", &st, &err), 0);
	ck_assert(st.status == CM_STOPPED && st.pid == getpid());
	cm_state_fini(&st);
	cm_container_release(&member);
	ck_assert_int_eq(cm_state_load(root, "m", &st, &err), 0);
	ck_assert(st.status == CM_STOPPED && st.pid == 0);
	cm_state_fini(&st);
	ck_assert_int_eq(cm_container_delete(root, "m", false, &err), 0);
}
END_TEST

START_TEST(roles)
{
	static const struct {
		const char *type, *type_value, *id, *id_value;
		int role; /* -1 = refused */
	} cases[] = {
		{ "io.kubernetes.cri.container-type", "sandbox", "io.kubernetes.cri.sandbox-id",
			"p", CM_POD_SANDBOX },
		{ "io.kubernetes.cri.container-type", "container", "io.kubernetes.cri.sandbox-id",
			"p", CM_POD_CONTAINER },
		{ "io.kubernetes.cri-o.ContainerType", "container", "io.kubernetes.cri-o.SandboxID",
			"p", CM_POD_CONTAINER },
		{ "io.kubernetes.cri-o.ContainerType", "sandbox", "x", "y", CM_POD_SANDBOX },
		{ "io.kubernetes.cri.container-type", "container", "io.kubernetes.cri-o.SandboxID",
			"p", -1 },
		{ "io.kubernetes.cri.container-type", "container", "io.kubernetes.cri.sandbox-id",
			"../p", -1 },
		{ "io.kubernetes.cri.container-type", "other", "io.kubernetes.cri.sandbox-id", "p",
			-1 },
		{ "a", "container", "io.kubernetes.cri.sandbox-id", "p", CM_POD_NONE },
	};
	enum cm_pod_role role;
	const char *sandbox;
	struct cm_err err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *o = json_pack("{s:s, s:s}", cases[i].type, cases[i].type_value, cases[i].id,
			cases[i].id_value);
		int r = cm_pod_role(o, &role, &sandbox, &err);

		ck_assert_msg((r < 0) == (cases[i].role < 0), "case %zu", i);
		if (r == 0) {
			ck_assert_int_eq((int)role, cases[i].role);
			ck_assert((role == CM_POD_CONTAINER) == (sandbox != NULL));
		}
		json_decref(o);
	}
	ck_assert_int_eq(cm_pod_role(NULL, &role, &sandbox, &err), 0);
	ck_assert_int_eq((int)role, CM_POD_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control/table");
	TCase *t = tcase_create("table"), *pure = tcase_create("pure");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, slots);
	tcase_add_test(t, stopped_is_final);
	tcase_add_test(t, record_of_a_member);
	tcase_add_test(pure, every_change_of_status);
	tcase_add_test(pure, roles);
	suite_add_tcase(suite, t);
	suite_add_tcase(suite, pure);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
