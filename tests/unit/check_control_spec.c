/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: what is accepted, and the exact text for what is not. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "control/cgroup.h"
#include "control/spec.h"

#define OK_TEXT \
	"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}," \
	"\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\"}}"

static struct cm_spec *parse_ok(const char *text)
{
	struct cm_spec *spec;
	struct cm_err err = { 0 };

	ck_assert_msg(cm_spec_parse(text, strlen(text), &spec, &err) == 0, "%s", err.msg);
	return spec;
}

START_TEST(least_configuration)
{
	struct cm_spec *s = parse_ok(OK_TEXT);

	ck_assert_str_eq(s->root_path, "rootfs");
	ck_assert_str_eq(s->args.v[0], "sh");
	ck_assert_uint_eq(s->args.n, 1);
	ck_assert_ptr_null(s->args.v[1]);
	ck_assert_uint_eq(s->umask, 022);
	ck_assert_ptr_null(s->hostname);
	ck_assert(!s->has_caps);
	cm_spec_destroy(s);
}
END_TEST

START_TEST(full_configuration)
{
	struct cm_spec *s = parse_ok(
		"{\"ociVersion\":\"1.0.2-dev\",\"unknown\":{\"a\":[1]},\"hostname\":\"h\","
		"\"root\":{\"path\":\"/r\",\"readonly\":true},\"process\":{\"terminal\":false,"
		"\"user\":{\"uid\":5,\"gid\":6,\"umask\":18,\"additionalGids\":[7,8]},"
		"\"args\":[\"a\",\"b\"],\"env\":[\"X=1\"],\"cwd\":\"/w\",\"noNewPrivileges\":true,"
		"\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_FROM_THE_FUTURE\"],"
		"\"effective\":[\"CAP_CHOWN\"]},"
		"\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":18446744073709551615}]},"
		"\"mounts\":[{\"destination\":\"/p\",\"type\":\"proc\",\"source\":\"proc\","
		"\"options\":[\"ro\"]}],\"annotations\":{\"k\":\"v\"},"
		"\"linux\":{\"maskedPaths\":[\"/m\"],\"readonlyPaths\":null}}");

	ck_assert(s->root_readonly && s->no_new_privileges && s->has_caps);
	ck_assert_uint_eq(s->uid, 5);
	ck_assert_uint_eq(s->gid, 6);
	ck_assert_uint_eq(s->umask, 022);
	ck_assert_uint_eq(s->ngroups, 2);
	ck_assert_uint_eq(s->groups[1], 8);
	ck_assert_uint_eq(s->caps[CM_RPC_CAP_BOUNDING], 1u << 5);
	ck_assert_uint_eq(s->caps[CM_RPC_CAP_EFFECTIVE], 1);
	ck_assert_uint_eq(s->nrlimits, 1);
	ck_assert_uint_eq(s->rlimits[0].hard, UINT64_MAX);
	ck_assert_uint_eq(s->nmounts, 1);
	ck_assert_str_eq(s->mounts[0].options.v[0], "ro");
	ck_assert_uint_eq(s->masked_paths.n, 1);
	ck_assert_uint_eq(s->readonly_paths.n, 0);
	ck_assert_str_eq(json_string_value(json_object_get(s->annotations, "k")), "v");
	cm_spec_destroy(s);
}
END_TEST

START_TEST(default_is_valid)
{
	struct cm_spec *s;
	struct cm_err err = { 0 };

	ck_assert_msg(cm_spec_from_json(cm_spec_default(), &s, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(s->nmounts, 5);
	cm_spec_destroy(s);
}
END_TEST

START_TEST(big_numbers_stay_out_of_strings)
{
	struct cm_spec *s = parse_ok(
		"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\\\"99999999999999999999999\"},"
		"\"process\":{\"args\":[\"1\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_AS\","
		"\"soft\":99999999999999999999999,\"hard\":9223372036854775807}]}}");

	ck_assert_str_eq(s->root_path, "r\"99999999999999999999999");
	ck_assert_uint_eq(s->rlimits[0].soft, UINT64_MAX);
	cm_spec_destroy(s);
}
END_TEST

#define ROOT	     "\"root\":{\"path\":\"r\"}"
#define VER	     "\"ociVersion\":\"1.0.2\""
#define PROC	     "\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\"}"
#define WITH(x)	     "{" VER "," ROOT "," PROC "," x "}"
#define PROC_WITH(x) "{" VER "," ROOT ",\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\"," x "}}"

static const struct {
	const char *text, *message;
} bad[] = {
	{ "", "config.json: line 1 column 0: '[' or '{' expected near end of file" },
	{ "[]", "config.json: expected object, got array" },
	{ "{" ROOT "," PROC "}", "config.json: ociVersion: required field is missing" },
	{ "{\"ociVersion\":1," ROOT "," PROC "}",
		"config.json: ociVersion: expected string, got integer" },
	{ "{\"ociVersion\":\"2.0.0\"," ROOT "," PROC "}",
		"config.json: ociVersion: '2.0.0' is not supported, want 1.x" },
	{ "{" VER "," PROC "}", "config.json: root: required field is missing" },
	{ "{" VER ",\"root\":\"r\"," PROC "}", "config.json: root: expected object, got string" },
	{ "{" VER ",\"root\":{}," PROC "}", "config.json: root.path: required field is missing" },
	{ "{" VER ",\"root\":{\"path\":\"\"}," PROC "}",
		"config.json: root.path: must not be empty" },
	{ "{" VER ",\"root\":{\"path\":\"r\",\"readonly\":1}," PROC "}",
		"config.json: root.readonly: expected boolean, got integer" },
	{ "{" VER "," ROOT "}", "config.json: process: required field is missing" },
	{ "{" VER "," ROOT ",\"process\":[]}", "config.json: process: expected object, got array" },
	{ "{" VER "," ROOT ",\"process\":{\"cwd\":\"/\"}}",
		"config.json: process.args: required field is missing" },
	{ "{" VER "," ROOT ",\"process\":{\"args\":[],\"cwd\":\"/\"}}",
		"config.json: process.args: must not be empty" },
	{ "{" VER "," ROOT ",\"process\":{\"args\":[\"a\",7],\"cwd\":\"/\"}}",
		"config.json: process.args[1]: expected string, got integer" },
	{ "{" VER "," ROOT ",\"process\":{\"args\":[\"a\"]}}",
		"config.json: process.cwd: required field is missing" },
	{ "{" VER "," ROOT ",\"process\":{\"args\":[\"a\"],\"cwd\":\"x\"}}",
		"config.json: process.cwd: 'x' is not an absolute path" },
	{ PROC_WITH("\"terminal\":\"yes\""),
		"config.json: process.terminal: expected boolean, got string" },
	{ PROC_WITH("\"user\":{\"uid\":-1}"), "config.json: process.user.uid: -1 is out of range" },
	{ PROC_WITH("\"user\":{\"gid\":4294967295}"),
		"config.json: process.user.gid: 4294967295 is out of range" },
	{ PROC_WITH("\"user\":{\"uid\":1.5}"),
		"config.json: process.user.uid: expected integer, got number" },
	{ PROC_WITH("\"user\":{\"additionalGids\":[1,null]}"),
		"config.json: process.user.additionalGids[1]: expected integer, got null" },
	{ PROC_WITH("\"env\":{}"), "config.json: process.env: expected array, got object" },
	{ PROC_WITH("\"capabilities\":{\"ambient\":[0]}"),
		"config.json: process.capabilities.ambient[0]: expected string, got integer" },
	{ PROC_WITH("\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":1}]"),
		"config.json: process.rlimits[0].hard: required field is missing" },
	{ PROC_WITH("\"rlimits\":[3]"),
		"config.json: process.rlimits[0]: expected object, got integer" },
	{ WITH("\"mounts\":[{\"destination\":\"/a\"},{\"type\":\"proc\"}]"),
		"config.json: mounts[1].destination: required field is missing" },
	{ WITH("\"mounts\":[{\"destination\":\"/a\",\"options\":[true]}]"),
		"config.json: mounts[0].options[0]: expected string, got boolean" },
	{ WITH("\"annotations\":{\"k\":1}"),
		"config.json: annotations.k: expected string, got integer" },
	{ WITH("\"linux\":{\"maskedPaths\":\"/x\"}"),
		"config.json: linux.maskedPaths: expected array, got string" },
	{ WITH("\"hooks\":{\"poststop\":[{}]}"),
		"config.json: hooks.poststop[0].path: required field is missing" },
	{ WITH("\"hooks\":{\"poststop\":[{\"path\":\"x\"}]}"),
		"config.json: hooks.poststop[0].path: 'x' is not an absolute path" },
	{ WITH("\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":0}]}"),
		"config.json: hooks.poststop[0].timeout: must be above 0" },
	{ WITH("\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"args\":[1]}]}"),
		"config.json: hooks.poststop[0].args[0]: expected string, got integer" },
	{ WITH("\"hooks\":{\"poststop\":[3]}"),
		"config.json: hooks.poststop[0]: expected object, got integer" },
	{ WITH("\"hooks\":{\"prestart\":{}}"),
		"config.json: hooks.prestart: expected array, got object" },
	{ WITH("\"hooks\":{\"startContainer\":[{\"path\":\"x\"}]}"),
		"config.json: hooks.startContainer[0].path: 'x' is not an absolute path" },
	{ WITH("\"linux\":{\"namespaces\":[{\"type\":\"pod\"}]}"),
		"config.json: linux.namespaces[0].type: 'pod' is no namespace" },
	{ WITH("\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}"),
		"config.json: linux.namespaces[1].type: 'pid' is given twice" },
	{ WITH("\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":2}]}"),
		"config.json: linux.uidMappings: linux.namespaces has no user namespace" },
	{ WITH("\"linux\":{\"namespaces\":[{\"type\":\"user\"}],"
	       "\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":2}]}"),
		"config.json: linux.gidMappings: missing" },
	{ WITH("\"linux\":{\"namespaces\":[{\"type\":\"user\",\"path\":\"/x\"}],"
	       "\"gidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":2}]}"),
		"config.json: linux.uidMappings: the user namespace has a path" },
	{ WITH("\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":0}]}"),
		"config.json: linux.uidMappings[0].size: 0 is out of range" },
	{ WITH("\"domainname\":\"a\",\"linux\":{\"namespaces\":[{\"type\":\"uts\"}],"
	       "\"sysctl\":{\"kernel.domainname\":\"b\"}}"),
		"config.json: linux.sysctl.kernel.domainname: domainname is 'a'" },
	{ WITH("\"linux\":{\"rootfsPropagation\":\"both\"}"),
		"config.json: linux.rootfsPropagation: 'both' is no propagation" },
	{ WITH("\"linux\":{\"rootfsPropagation\":\"x\"}"),
		"config.json: linux.rootfsPropagation: 'x' is no propagation" },
	{ WITH("\"linux\":{\"intelRdt\":{\"closID\":\"x\"}}"),
		"config.json: linux.intelRdt: is not supported" },
	{ WITH("\"linux\":{\"personality\":{\"domain\":\"BSD\"}}"),
		"config.json: linux.personality.domain: only LINUX and LINUX32 are supported" },
	{ WITH("\"linux\":{\"sysctl\":{\"vm.swappiness\":\"1\"}}"),
		"config.json: linux.sysctl.vm.swappiness: does not belong to a namespace" },
	{ WITH("\"linux\":{\"sysctl\":{\"net.x\":1}}"),
		"config.json: linux.sysctl.net.x: expected string" },
	{ WITH("\"linux\":{\"devices\":[{\"path\":\"/x\",\"type\":\"d\"}]}"),
		"config.json: linux.devices[0].type: 'd' is no type of device" },
	{ WITH("\"linux\":{\"devices\":[{\"path\":\"x\",\"type\":\"c\"}]}"),
		"config.json: linux.devices[0].path: 'x' is not an absolute path" },
	{ WITH("\"linux\":{\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"../2MB\",\"limit\":1}]}}"),
		"config.json: linux.resources.hugepageLimits[0].pageSize: '../2MB'" },
	{ WITH("\"linux\":{\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"2MB\"}]}}"),
		"config.json: linux.resources.hugepageLimits[0].limit: required field is missing" },
	{ WITH("\"linux\":{\"resources\":{\"blockIO\":{\"weight\":1001}}}"),
		"config.json: linux.resources.blockIO.weight: 1001 is not from 1 to 1000" },
	{ WITH("\"linux\":{\"resources\":{\"blockIO\":{\"weightDevice\":[{\"major\":1}]}}}"),
		"config.json: linux.resources.blockIO.weightDevice[0].minor: required field is missing" },
	{ WITH("\"linux\":{\"resources\":{\"blockIO\":{\"throttleReadBpsDevice\":{}}}}"),
		"config.json: linux.resources.blockIO.throttleReadBpsDevice: expected array, got object" },
	{ WITH("\"linux\":{\"resources\":{\"network\":{\"classID\":-1}}}"),
		"config.json: linux.resources.network.classID: -1 is out of range" },
	{ WITH("\"linux\":{\"resources\":{\"rdma\":{\"x\":5}}}"),
		"config.json: linux.resources.rdma.x: expected object, got integer" },
	{ WITH("\"linux\":{\"resources\":{\"memory\":{\"limit\":\"x\"}}}"),
		"config.json: linux.resources.memory.limit: expected integer, got string" },
	{ WITH("\"linux\":{\"resources\":{\"unified\":{\"../x.y\":\"1\"}}}"),
		"config.json: linux.resources.unified.../x.y: expected a file of cgroup v2 and a string" },
	{ PROC_WITH("\"oomScoreAdj\":1001"),
		"config.json: process.oomScoreAdj: 1001 is out of range" },
	{ PROC_WITH("\"scheduler\":{\"policy\":\"SCHED_FIFO\"}"),
		"config.json: process.scheduler.priority: 0 is none of this policy" },
};

START_TEST(refusal_names_the_place)
{
	struct cm_spec *s = (struct cm_spec *)1;
	struct cm_err err = { 0 };

	ck_assert_int_lt(cm_spec_parse(bad[_i].text, strlen(bad[_i].text), &s, &err), 0);
	ck_assert_str_eq(err.msg, bad[_i].message);
	ck_assert_ptr_null(s);
}
END_TEST

/* Namespaces that are found by their type. */
START_TEST(namespaces)
{
	static const char text[] = WITH(
		"\"linux\":{\"namespaces\":[{\"type\":\"network\",\"path\":\"/n\"},{\"type\":\"ipc\",\"path\":\"/x\"}]}");
	struct cm_err err = { 0 };
	struct cm_spec *s;

	ck_assert_int_eq(cm_spec_parse(text, strlen(text), &s, &err), 0);
	ck_assert_str_eq(cm_spec_namespace_find(s, "ipc")->path, "/x");
	ck_assert_ptr_null(cm_spec_namespace_find(s, "uts"));
	cm_spec_destroy(s);
}
END_TEST

START_TEST(host_and_linux)
{
	struct cm_spec *s = parse_ok(WITH(
		"\"hooks\":{\"prestart\":[{\"path\":\"/a\",\"timeout\":3},{\"path\":\"/b\",\"args\":[\"x\"]}]},"
		"\"linux\":{\"cgroupsPath\":\"/c\",\"resources\":{\"memory\":{\"limit\":-1},\"cpu\":{\"cpus\":\"0\"},"
		"\"blockIO\":{\"weight\":0},\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},"
		"\"devices\":[{\"path\":\"/d\",\"type\":\"c\",\"major\":1,\"minor\":2,\"fileMode\":384}],"
		"\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/n\"}],"
		"\"sysctl\":{\"net.a\":\"1\"},\"personality\":{\"domain\":\"LINUX\"}}"));

	ck_assert_uint_eq(s->hooks[CM_HOOK_PRESTART].n, 2);
	ck_assert_uint_eq(s->hooks[CM_HOOK_PRESTART].v[0].timeout, 3);
	ck_assert_str_eq(s->hooks[CM_HOOK_PRESTART].v[1].args.v[0], "x");
	ck_assert_str_eq(s->cgroups_path, "/c");
	ck_assert(s->has_resources);
	ck_assert_int_eq(s->resources.memory_limit, -1);
	ck_assert_int_eq(s->resources.cpu_shares, CM_SPEC_ABSENT);
	ck_assert_str_eq(s->resources.cpus, "0");
	ck_assert_uint_eq(s->devices[0].mode, S_IFCHR | 0600);
	ck_assert_uint_eq(s->devices[0].minor, 2);
	ck_assert_uint_eq(s->nnamespaces, 2);
	ck_assert_str_eq(s->namespaces[1].path, "/n");
	cm_spec_destroy(s);
}
END_TEST

static const struct {
	const char *resources;
	unsigned most; /* CPUs of a host that has more */
} cpus[] = {
	{ "{\"cpu\":{\"quota\":1,\"period\":100000}}", 1 },
	{ "{\"cpu\":{\"quota\":100001}}", 2 },
	{ "{\"cpu\":{\"quota\":100000,\"period\":25000}}", 4 },
	{ "{\"cpu\":{\"quota\":-1}}", 16 },
	{ "{\"cpu\":{\"quota\":0}}", 16 },
	{ "{\"cpu\":{\"quota\":9223372036854775807,\"period\":1}}", 16 },
	{ "{\"cpu\":{\"cpus\":\"0\"}}", 1 },
	{ "{\"cpu\":{\"cpus\":\"0,2-3\"}}", 3 },
	{ "{\"cpu\":{\"cpus\":\"0-4294967295\"}}", 16 },
	{ "{\"cpu\":{\"cpus\":\"0,x\"}}", 16 },
	{ "{\"cpu\":{\"cpus\":\"\"}}", 16 },
	{ "{\"unified\":{\"cpu.max\":\"150000 100000\"}}", 2 },
	{ "{\"unified\":{\"cpu.max\":\"max\"}}", 16 },
	{ "{\"unified\":{\"cpuset.cpus\":\"1\"},\"cpu\":{\"quota\":300000}}", 1 },
};

/* Of the host's CPUs those that the limits leave; this process may run on no more than there are. */
START_TEST(cpus_within_limits)
{
	json_t *obj = json_loads(cpus[_i].resources, 0, NULL);
	struct cm_spec_resources res;
	struct cm_err err = { 0 };
	cpu_set_t set;
	unsigned all;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	all = (unsigned)CPU_COUNT(&set) < 16 ? (unsigned)CPU_COUNT(&set) : 16;
	ck_assert_uint_eq(cm_cgroup_cpus(NULL), all);
	ck_assert_int_eq(cm_spec_parse_resources(obj, &res, &err), 0);
	ck_assert_uint_eq(cm_cgroup_cpus(&res), cpus[_i].most < all ? cpus[_i].most : all);
	json_decref(obj);
}
END_TEST

START_TEST(capability_names)
{
	ck_assert_int_eq(cm_spec_capability("CAP_CHOWN"), 0);
	ck_assert_int_eq(cm_spec_capability("CAP_CHECKPOINT_RESTORE"), 40);
	ck_assert_int_eq(cm_spec_capability("CAP_NONE"), -1);
	for (int i = 0; i < 41; i++)
		ck_assert_int_eq(cm_spec_capability(cm_spec_capability_name(i)), i);
	ck_assert_ptr_null(cm_spec_capability_name(41));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control/spec");
	TCase *t = tcase_create("spec");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_test(t, least_configuration);
	tcase_add_test(t, full_configuration);
	tcase_add_test(t, default_is_valid);
	tcase_add_test(t, big_numbers_stay_out_of_strings);
	tcase_add_loop_test(t, refusal_names_the_place, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(t, host_and_linux);
	tcase_add_test(t, namespaces);
	tcase_add_test(t, capability_names);
	tcase_add_loop_test(t, cpus_within_limits, 0, (int)(sizeof(cpus) / sizeof(cpus[0])));
	suite_add_tcase(suite, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
