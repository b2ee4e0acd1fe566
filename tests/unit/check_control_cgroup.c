/* SPDX-License-Identifier: Apache-2.0 */
/* Limits as files of a cgroup, of either version: written into a directory that has some of its files. */
#include <config.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cgroup.h"

#define FILES 4

static const struct {
	const char *resources; /* linux.resources */
	bool v2;
	const char *controllers; /* of v1 */
	const char *files[FILES]; /* that the group has */
	const char *texts[FILES]; /* what is in each afterwards; NULL: nothing was written */
	const char *error; /* a part of it; NULL: there is none */
} cases[] = {
	{ "{\"blockIO\":{\"weight\":500}}", true, "", { "io.weight" }, { "4950" }, NULL },
	{ "{\"blockIO\":{\"weight\":10}}", true, "", { "io.weight" }, { "1" }, NULL },
	{ "{\"blockIO\":{\"weight\":1000}}", true, "", { "io.weight" }, { "10000" }, NULL },
	{ "{\"blockIO\":{\"weight\":500}}", true, "", { "io.weight", "io.bfq.weight" },
		{ NULL, "500" }, NULL },
	{ "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":16,\"weight\":10}]}}", true, "",
		{ "io.weight" }, { "8:16 1" }, NULL },
	{ "{\"blockIO\":{\"leafWeight\":500}}", true, "", { "io.weight" }, { NULL },
		"blockIO.leafWeight: cgroups of version 2" },
	{ "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":7}]}}", true,
		"", { "io.max" }, { "8:0 rbps=7" }, NULL },
	{ "{\"blockIO\":{\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":0}]}}",
		true, "", { "io.max" }, { "8:0 wiops=max" }, NULL },
	{ "{\"blockIO\":{\"weight\":500}}", true, "", { NULL }, { NULL },
		"linux.resources.blockIO.weight: write" },
	{ "{\"blockIO\":{\"weight\":500,\"leafWeight\":20}}", false, ",blkio,",
		{ "blkio.weight", "blkio.bfq.weight", "blkio.leaf_weight" }, { "500", NULL, "20" },
		NULL },
	{ "{\"blockIO\":{\"weight\":500,\"weightDevice\":[{\"major\":1,\"minor\":2,\"weight\":3}]}}",
		false, ",blkio,", { "blkio.bfq.weight", "blkio.bfq.weight_device" },
		{ "500", "1:2 3" }, NULL },
	{ "{\"blockIO\":{\"weightDevice\":[{\"major\":1,\"minor\":2,\"leafWeight\":3}]}}", false,
		",blkio,", { "blkio.leaf_weight_device" }, { "1:2 3" }, NULL },
	{ "{\"blockIO\":{\"throttleWriteBpsDevice\":[{\"major\":8,\"minor\":1,\"rate\":9}],"
	  "\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":2,\"rate\":0}]}}",
		false, ",blkio,",
		{ "blkio.throttle.write_bps_device", "blkio.throttle.read_iops_device" },
		{ "8:1 9", "8:2 0" }, NULL },
	{ "{\"blockIO\":{\"weight\":500}}", false, ",cpu,", { "blkio.weight" }, { NULL },
		"linux.resources.blockIO: this host has no cgroup with blkio" },
	{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4096}]}", false, ",hugetlb,",
		{ "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.rsvd.limit_in_bytes" },
		{ "4096", "4096" }, NULL },
	{ "{\"hugepageLimits\":[{\"pageSize\":\"1GB\",\"limit\":0}]}", true, "",
		{ "hugetlb.1GB.max" }, { "0" }, NULL },
	{ "{\"network\":{\"classID\":5,\"priorities\":[{\"name\":\"lo\",\"priority\":2}]}}", false,
		",net_cls,net_prio,", { "net_cls.classid", "net_prio.ifpriomap" }, { "5", "lo 2" },
		NULL },
	{ "{\"network\":{\"classID\":5}}", true, "", { NULL }, { NULL },
		"linux.resources.network" },
	{ "{\"network\":{\"classID\":0,\"priorities\":[]}}", true, "", { NULL }, { NULL }, NULL },
	{ "{\"rdma\":{\"mlx5_1\":{\"hcaObjects\":4}}}", true, "", { "rdma.max" },
		{ "mlx5_1 hca_object=4" }, NULL },
	{ "{\"rdma\":{\"mlx5_1\":{\"hcaHandles\":4}}}", false, ",cpu,", { NULL }, { NULL },
		"no cgroup with rdma" },
	{ "{\"cpu\":{\"quota\":5000}}", true, "", { "cpu.max" }, { "5000 100000" }, NULL },
	{ "{\"cpu\":{\"quota\":-1,\"period\":7000}}", true, "", { "cpu.max" }, { "max 7000" },
		NULL },
};

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "we");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static void check_text(const char *name, const char *text)
{
	char got[256] = "";
	FILE *f = fopen(in_dir(name), "re");

	ck_assert_ptr_nonnull(f);
	if (fgets(got, sizeof(got), f))
		ck_assert_str_eq(got, text ? text : "");
	ck_assert_str_eq(got, text ? text : "");
	fclose(f);
}

static int update(const char *resources, bool v2, const char *controllers, struct cm_err *err)
{
	struct cm_cgroup cg = {
		.dir[0] = { .path = dir, .controllers = (char *)(uintptr_t)controllers, .v2 = v2 },
		.n = 1
	};
	json_t *doc = json_loads(resources, 0, NULL);
	struct cm_spec_resources res;
	int r;

	ck_assert_ptr_nonnull(doc);
	r = cm_spec_parse_resources(doc, &res, err);
	if (r == 0)
		r = cm_cgroup_update(&cg, &res, err);
	json_decref(doc);
	return r;
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/check_cgroup.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(files_of_limits)
{
	struct cm_err err = { 0 };
	int r;

	for (int i = 0; i < FILES && cases[_i].files[i]; i++)
		put(cases[_i].files[i], "");
	r = update(cases[_i].resources, cases[_i].v2, cases[_i].controllers, &err);
	if (cases[_i].error)
		ck_assert_msg(r < 0 && strstr(err.msg, cases[_i].error), "%s", err.msg);
	else
		ck_assert_msg(r == 0, "%s", err.msg);
	for (int i = 0; i < FILES && cases[_i].files[i]; i++) {
		check_text(cases[_i].files[i], cases[_i].texts[i]);
		unlink(in_dir(cases[_i].files[i]));
	}
}
END_TEST

/* What an update does not name stays, though both are one file. */
START_TEST(quota_and_period_alone)
{
	struct cm_err err = { 0 };

	put("cpu.max", "20000 50000\n");
	ck_assert_int_eq(update("{\"cpu\":{\"quota\":30000}}", true, "", &err), 0);
	check_text("cpu.max", "30000 50000\n");
	ck_assert_int_eq(update("{\"cpu\":{\"period\":60000}}", true, "", &err), 0);
	check_text("cpu.max", "30000 60000\n");
	unlink(in_dir("cpu.max"));
}
END_TEST

static const struct {
	const char *resources, *name;
} members[] = {
	{ "{\"memory\":{\"limit\":1,\"reservation\":1},\"pids\":{\"limit\":1},\"cpu\":{\"shares\":1,\"quota\":1,\"period\":1}}",
		NULL },
	{ "{\"unified\":{\"cpu.max\":\"max\"}}", NULL },
	{ "{\"unified\":{\"cpuset.cpus\":\"0\"}}", "cpuset.cpus" },
	{ "{\"memory\":{\"swap\":1}}", "memory.swap" },
	{ "{\"cpu\":{\"cpus\":\"0\"}}", "cpu.cpus" },
	{ "{\"blockIO\":{\"weight\":1}}", "blockIO" },
	{ "{\"blockIO\":{\"weight\":0}}", NULL },
	{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":0}]}", "hugepageLimits" },
};

START_TEST(what_needs_the_host)
{
	json_t *doc = json_loads(members[_i].resources, 0, NULL);
	struct cm_spec_resources res;
	struct cm_err err = { 0 };
	const char *name;

	ck_assert_int_eq(cm_spec_parse_resources(doc, &res, &err), 0);
	name = cm_cgroup_limits_host(&res);
	ck_assert((name == NULL) == (members[_i].name == NULL));
	if (name)
		ck_assert_str_eq(name, members[_i].name);
	json_decref(doc);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control/cgroup");
	TCase *t = tcase_create("cgroup");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, files_of_limits, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, quota_and_period_alone);
	tcase_add_loop_test(t, what_needs_the_host, 0, sizeof(members) / sizeof(members[0]));
	suite_add_tcase(suite, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
