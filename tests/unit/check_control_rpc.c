/* SPDX-License-Identifier: Apache-2.0 */
/* The guest control protocol: the host's encoder against the guest's decoder, and both decoders against broken input. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/rpc_client.h"
#include "control/rpc_start.h"
#include "guest/agent/rpc_decode.h"

static const char config[] =
	"{\"ociVersion\":\"1.0.2\",\"hostname\":\"box\",\"root\":{\"path\":\"r\",\"readonly\":true},"
	"\"process\":{\"user\":{\"uid\":1000,\"gid\":100,\"additionalGids\":[4,5]},"
	"\"args\":[\"echo\",\"\",\"two words\"],\"env\":[\"A=1\",\"B=2\"],\"cwd\":\"/tmp\","
	"\"noNewPrivileges\":true,\"capabilities\":{\"bounding\":[\"CAP_KILL\"]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":10,\"hard\":20}]},"
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
	"\"options\":[\"nosuid\",\"mode=755\",\"ro\",\"size=64k\",\"rw\"]}],"
	"\"linux\":{\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":[\"/proc/sys\"]}}";

static struct cm_spec *spec_of(const char *text)
{
	struct cm_spec *spec;
	struct cm_err err = { 0 };

	ck_assert_msg(cm_spec_parse(text, strlen(text), &spec, &err) == 0, "%s", err.msg);
	return spec;
}

static void build(struct cm_buf *b, const char *text)
{
	const struct cm_rpc_start_options o = {
		.container = 1, .id = "c1", .overlay = true, .token = { 1, 2, 3 }
	};
	struct cm_spec *spec = spec_of(text);
	struct cm_err err = { 0 };

	cm_buf_init(b, CM_RPC_PAYLOAD_MAX);
	ck_assert_msg(cm_rpc_start_build(b, spec, &o, &err) == 0, "%s", err.msg);
	cm_spec_destroy(spec);
}

START_TEST(start_round_trip)
{
	struct rpc_start s;
	struct cm_buf b;
	char *v[8];

	build(&b, config);
	ck_assert_int_eq(rpc_decode_start(b.p, (u32)b.len, &s), 0);
	ck_assert_uint_eq(s.fixed.uid, 1000);
	ck_assert_uint_eq(s.fixed.gid, 100);
	ck_assert_uint_eq(s.fixed.flags,
		CM_RPC_START_OVERLAY | CM_RPC_START_READONLY | CM_RPC_START_NO_NEW_PRIVS);
	ck_assert_uint_eq(s.fixed.caps[CM_RPC_CAP_BOUNDING], 1u << 5);
	ck_assert_uint_eq(s.fixed.token[2], 3);
	ck_assert_uint_eq(s.groups[1], 5);
	ck_assert_uint_eq(s.rlimits[0].resource, RLIMIT_NOFILE);
	ck_assert_uint_eq(s.rlimits[0].hard, 20);
	ck_assert_str_eq(s.id, "c1");
	ck_assert_str_eq(s.hostname, "box");
	ck_assert_str_eq(s.cwd, "/tmp");
	rpc_strings(s.args, v, s.fixed.argc);
	ck_assert_str_eq(v[0], "echo");
	ck_assert_str_eq(v[1], "");
	ck_assert_str_eq(v[2], "two words");
	ck_assert_ptr_null(v[3]);
	rpc_strings(s.env, v, s.fixed.envc);
	ck_assert_str_eq(v[1], "B=2");
	ck_assert_uint_eq(s.fixed.nmounts, 2);
	ck_assert_uint_eq(s.mounts[0].type, CM_RPC_MOUNT_PROC);
	ck_assert_uint_eq(s.mounts[1].type, CM_RPC_MOUNT_DEV);
	ck_assert_uint_eq(s.mounts[1].flags, MS_NOSUID);
	rpc_strings(s.mount_words, v, 6);
	ck_assert_str_eq(v[0], "/proc");
	ck_assert_str_eq(v[1], "");
	ck_assert_str_eq(v[5], "mode=755,size=64k");
	ck_assert_str_eq(s.masked, "/proc/kcore");
	ck_assert_str_eq(s.readonly, "/proc/sys");
	cm_buf_fini(&b);
}
END_TEST

/* What a further container shares with others, and what no container may ask for. */
START_TEST(joins)
{
	static const struct {
		uint32_t container, pid, ipc, uts;
		int want;
	} cases[] = {
		{ 2, 1, 1, 1, 0 },
		{ 16, 0, 15, 1, 0 },
		{ 1, 0, 0, 0, 0 },
		{ 1, 2, 0, 0, -EINVAL }, /* the root container's are the first ones */
		{ 2, 2, 0, 0, -EINVAL }, /* its own are not there yet */
		{ 2, 0, 17, 0, -EINVAL },
		{ 17, 0, 0, 0, -EINVAL },
		{ 0, 0, 0, 0, -EINVAL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cm_rpc_start_options o = { .container = cases[i].container,
			.id = "c",
			.join = { cases[i].pid, cases[i].ipc, cases[i].uts } };
		struct cm_spec *spec = spec_of(config);
		struct cm_err err = { 0 };
		struct rpc_start s;
		struct cm_buf b;

		cm_buf_init(&b, CM_RPC_PAYLOAD_MAX);
		ck_assert_int_eq(cm_rpc_start_build(&b, spec, &o, &err), 0);
		ck_assert_msg(
			rpc_decode_start(b.p, (u32)b.len, &s) == cases[i].want, "case %zu", i);
		if (cases[i].want == 0) {
			ck_assert_uint_eq(s.fixed.join[CM_RPC_NS_IPC], cases[i].ipc);
			ck_assert_int_eq(strcmp(s.rootfs_tag, "root") == 0, s.fixed.container == 1);
		}
		cm_spec_destroy(spec);
		cm_buf_fini(&b);
	}
}
END_TEST

/* A container in the root container's files, with all that a request can say of a process. */
START_TEST(shared_round_trip)
{
	static const char text[] =
		"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"/\"},\"process\":"
		"{\"args\":[\"a\"],\"env\":[\"A=1\"],\"cwd\":\"/\"}}";
	struct cm_rpc_fd fds[2] = { { 9, 3, O_RDWR }, { 10, 1023, O_RDONLY } };
	json_t *secrets = json_pack("[s,s]", "B=2", "C=3");
	struct cm_rpc_start_options o = { .container = 2,
		.id = "c2",
		.shared = true,
		.no_home = true,
		.user = "me:us",
		.cgroup = "/r",
		.secrets = secrets,
		.fds = fds,
		.nfds = 2 };
	struct cm_spec *spec = spec_of(text);
	struct cm_err err = { 0 };
	struct rpc_start s;
	struct cm_buf b;
	char *v[4];

	spec->program = "/bin/b";
	cm_buf_init(&b, CM_RPC_PAYLOAD_MAX);
	ck_assert_int_eq(cm_rpc_start_build(&b, spec, &o, &err), 0);
	ck_assert_int_eq(rpc_decode_start(b.p, (u32)b.len, &s), 0);
	ck_assert_uint_eq(s.fixed.flags, CM_RPC_START_SHARED | CM_RPC_START_NO_HOME);
	ck_assert_str_eq(s.rootfs_tag, "");
	ck_assert_str_eq(s.file, "/bin/b");
	ck_assert_str_eq(s.user, "me:us");
	ck_assert_str_eq(s.initial_cgroup, "/r");
	ck_assert_uint_eq(s.fixed.envc, 3);
	ck_assert_uint_eq(s.fixed.nsecret, 2);
	rpc_strings(s.env, v, 3);
	ck_assert_str_eq(v[0], "A=1");
	ck_assert_str_eq(v[2], "C=3");
	ck_assert(s.fds[1].token == 10 && s.fds[1].fd == 1023 && s.fds[0].flags == O_RDWR);
	/* What no request may say: each change of the two records, and of the number of secrets. */
	for (int i = 0; i < 5; i++) {
		struct cm_rpc_fd bad[2] = { fds[0], fds[1] };

		bad[1].token = i == 0 ? 0 : 10;
		bad[1].fd = i == 1 ? 3 : i == 2 ? 1024 : i == 3 ? 2 : 1023;
		bad[1].flags = i == 4 ? 3 : 0;
		o.fds = bad;
		b.len = 0;
		ck_assert_int_eq(cm_rpc_start_build(&b, spec, &o, &err), 0);
		ck_assert_msg(rpc_decode_start(b.p, (u32)b.len, &s) == -EINVAL, "case %d", i);
	}
	o.fds = fds;
	o.container = 1;
	b.len = 0;
	ck_assert_int_eq(cm_rpc_start_build(&b, spec, &o, &err), 0);
	ck_assert_int_eq(rpc_decode_start(b.p, (u32)b.len, &s), -EINVAL);
	cm_buf_fini(&b);
	json_decref(secrets);
	cm_spec_destroy(spec);
}
END_TEST

/* Put a reply into what was read from the guest: what next says to it. */
static int reply_arrives(struct cm_rpc_client *c, uint16_t type, uint32_t id)
{
	struct cm_rpc_hdr h = { .magic = CM_RPC_MAGIC, .version = CM_RPC_VERSION, .type = type };
	struct cm_rpc_frame f;
	int n;

	h.id = id;
	cm_buf_add(&c->rx, &h, sizeof(h));
	n = cm_rpc_client_next(c, &f);
	cm_rpc_client_drop(c, (int)sizeof(h));
	return n;
}

START_TEST(replies_match_requests)
{
	const uint16_t ps = CM_RPC_PS | CM_RPC_REPLY, usage = CM_RPC_USAGE | CM_RPC_REPLY;
	struct cm_rpc_client c;
	int64_t a, b, id = 0;

	cm_rpc_client_init(&c);
	c.up = true;
	a = cm_rpc_client_request(&c, CM_RPC_PS, NULL, 0);
	b = cm_rpc_client_request(&c, CM_RPC_USAGE, NULL, 0);
	ck_assert(a > 0 && b > 0 && a != b);
	/* In another order is fine, of another type or of no request is not, and neither is one more. */
	ck_assert_int_eq(reply_arrives(&c, ps, (uint32_t)b), -EPROTO);
	ck_assert_int_gt(reply_arrives(&c, usage, (uint32_t)b), 0);
	ck_assert_int_eq(reply_arrives(&c, usage, (uint32_t)b), -EPROTO);
	ck_assert_int_eq(reply_arrives(&c, ps, (uint32_t)b + 1), -EPROTO);
	ck_assert_int_gt(reply_arrives(&c, ps, (uint32_t)a), 0);
	for (int i = 0; i < CM_RPC_CLIENT_OPEN; i++)
		ck_assert_int_gt(id = cm_rpc_client_request(&c, CM_RPC_PS, NULL, 0), 0);
	ck_assert_int_eq(cm_rpc_client_request(&c, CM_RPC_PS, NULL, 0), -ENOBUFS);
	ck_assert_int_gt(reply_arrives(&c, ps, (uint32_t)id), 0);
	ck_assert_int_gt(cm_rpc_client_request(&c, CM_RPC_PS, NULL, 0), 0);
	cm_rpc_client_fini(&c);
}
END_TEST

static const char volumes_config[] =
	"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},"
	"\"mounts\":[{\"destination\":\"/a\",\"source\":\"/etc\",\"options\":[\"rbind\",\"ro\",\"rprivate\"]},"
	"{\"destination\":\"/t\",\"type\":\"tmpfs\",\"options\":[\"tmpcopyup\",\"size=1m\"]},"
	"{\"destination\":\"/b\",\"type\":\"bind\",\"source\":\"file\",\"options\":[\"ro\",\"rw\"]}]}";

START_TEST(start_with_volumes)
{
	char dir[] = "/tmp/check-rpc.XXXXXX", file[64];
	struct cm_rpc_start_options o = { .container = 1, .id = "c1" };
	struct cm_spec *spec = spec_of(volumes_config);
	struct cm_err err = { 0 };
	struct cm_volumes vs;
	struct rpc_start s;
	struct cm_buf b;
	int bundle;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	bundle = open(dir, O_PATH | O_DIRECTORY);
	/* Nothing to bind yet. */
	ck_assert_int_eq(cm_volumes_open(&vs, spec, bundle, &err), -ENOENT);
	ck_assert_str_eq(err.msg, "mounts[2].source: open 'file': No such file or directory");
	snprintf(file, sizeof(file), "%s/file", dir);
	ck_assert_int_eq(close(open(file, O_CREAT | O_WRONLY, 0644)), 0);
	ck_assert_int_eq(cm_volumes_open(&vs, spec, bundle, &err), 0);
	ck_assert_uint_eq(vs.n, 2);
	ck_assert(vs.v[0].readonly && vs.v[0].recursive && vs.v[0].directory);
	ck_assert(!vs.v[1].readonly && !vs.v[1].recursive && !vs.v[1].directory);
	o.volumes = &vs;
	cm_buf_init(&b, CM_RPC_PAYLOAD_MAX);
	ck_assert_msg(cm_rpc_start_build(&b, spec, &o, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(rpc_decode_start(b.p, (u32)b.len, &s), 0);
	ck_assert_uint_eq(s.mounts[0].type, CM_RPC_MOUNT_VOLUME_DIR);
	ck_assert_uint_eq(s.mounts[0].volume, 1);
	ck_assert_uint_eq(s.mounts[0].flags, MS_RDONLY | MS_PRIVATE | MS_REC);
	ck_assert_uint_eq(s.mounts[1].type, CM_RPC_MOUNT_TMPFS);
	ck_assert_uint_eq(s.mounts[1].options, CM_RPC_MOUNT_COPY_UP);
	ck_assert_uint_eq(s.mounts[2].type, CM_RPC_MOUNT_VOLUME_FILE);
	ck_assert_uint_eq(s.mounts[2].volume, 2);
	ck_assert_uint_eq(s.mounts[2].flags, 0);
	cm_buf_fini(&b);
	/* A word that no bind mount knows. */
	spec->mounts[2].options.v[0] = "idmap";
	cm_buf_init(&b, CM_RPC_PAYLOAD_MAX);
	ck_assert_int_lt(cm_rpc_start_build(&b, spec, &o, &err), 0);
	ck_assert_str_eq(err.msg, "mounts[2].options: 'idmap' is not supported ('/b')");
	cm_buf_fini(&b);
	cm_volumes_close(&vs);
	close(bundle);
	unlink(file);
	rmdir(dir);
	cm_spec_destroy(spec);
}
END_TEST

START_TEST(mounts_that_make_no_sense)
{
	static const struct cm_rpc_mount bad[] = {
		{ .type = 0 },
		{ .type = CM_RPC_MOUNT_TYPES },
		{ .type = CM_RPC_MOUNT_PROC, .volume = 1 },
		{ .type = CM_RPC_MOUNT_PROC, .options = 2 },
		{ .type = CM_RPC_MOUNT_VOLUME_DIR },
		{ .type = CM_RPC_MOUNT_VOLUME_FILE, .volume = CM_FSDEV_VOLUMES + 1 },
	};
	struct rpc_start s;
	struct cm_buf b;

	build(&b, config);
	ck_assert_int_eq(rpc_decode_start(b.p, (u32)b.len, &s), 0);
	memcpy((void *)(uintptr_t)s.mounts, &bad[_i], sizeof(bad[_i]));
	ck_assert_int_eq(rpc_decode_start(b.p, (u32)b.len, &s), -EINVAL);
	cm_buf_fini(&b);
}
END_TEST

/* Every shorter and every longer payload is refused: nothing is read past the end, nothing is left over. */
START_TEST(start_of_wrong_length)
{
	struct rpc_start s;
	struct cm_buf b;

	build(&b, config);
	for (size_t n = 0; n < b.len; n++) {
		char *copy = malloc(n ? n : 1);

		memcpy(copy, b.p, n);
		ck_assert_int_lt(rpc_decode_start(copy, (u32)n, &s), 0);
		free(copy);
	}
	cm_buf_add(&b, "", 1);
	ck_assert_int_eq(rpc_decode_start(b.p, (u32)b.len, &s), -EPROTO);
	cm_buf_fini(&b);
}
END_TEST

START_TEST(start_with_wild_counts)
{
	static const size_t counts[] = {
		offsetof(struct cm_rpc_start, argc),
		offsetof(struct cm_rpc_start, envc),
		offsetof(struct cm_rpc_start, ngroups),
		offsetof(struct cm_rpc_start, nrlimits),
		offsetof(struct cm_rpc_start, nmounts),
		offsetof(struct cm_rpc_start, nmasked),
		offsetof(struct cm_rpc_start, nreadonly),
	};
	static const u32 values[] = { 0x7fffffff, 0x80000000, 0xffffffff, 0x15555556, 4096, 257 };
	struct rpc_start s;
	struct cm_buf b;

	build(&b, config);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			u32 old;

			memcpy(&old, b.p + counts[i], 4);
			memcpy(b.p + counts[i], &values[k], 4);
			ck_assert_int_lt(rpc_decode_start(b.p, (u32)b.len, &s), 0);
			memcpy(b.p + counts[i], &old, 4);
		}
	}
	ck_assert_int_eq(rpc_decode_start(b.p, (u32)b.len, &s), 0);
	cm_buf_fini(&b);
}
END_TEST

static const struct {
	const char *insert, *message;
} unsupported[] = {
	{ "\"mounts\":[{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[\"ro\",\"ridmap\"]}]",
		"mounts[0].options: 'ridmap' is not supported ('/x')" },
	{ "\"mounts\":[{\"destination\":\"/x\",\"type\":\"proc\",\"options\":[\"tmpcopyup\"]}]",
		"mounts[0].options: 'tmpcopyup' is not supported ('/x')" },
	{ "\"mounts\":[{\"destination\":\"/x\",\"type\":\"nfs\"}]",
		"mounts[0].type: 'nfs' is not supported ('/x')" },
	{ "\"mounts\":[{\"destination\":\"/x\"}]", "mounts[0].type: '' is not supported ('/x')" },
	{ "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"X\",\"soft\":1,"
	  "\"hard\":1}]}",
		"process.rlimits[0].type: unknown limit 'X'" },
	{ "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_AS\","
	  "\"soft\":2,\"hard\":1}]}",
		"process.rlimits[0]: soft limit is above the hard limit" },
};

START_TEST(start_refuses_what_the_guest_cannot)
{
	const struct cm_rpc_start_options o = { .container = 1, .id = "c" };
	struct cm_err err = { 0 };
	struct cm_spec *spec;
	struct cm_buf b;
	char text[1024];

	snprintf(text, sizeof(text),
		"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},"
		"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},%s}",
		unsupported[_i].insert);
	spec = spec_of(text);
	cm_buf_init(&b, CM_RPC_PAYLOAD_MAX);
	ck_assert_int_lt(cm_rpc_start_build(&b, spec, &o, &err), 0);
	ck_assert_str_eq(err.msg, unsupported[_i].message);
	cm_buf_fini(&b);
	cm_spec_destroy(spec);
}
END_TEST

START_TEST(start_too_large)
{
	const struct cm_rpc_start_options o = { .container = 1, .id = "c" };
	struct cm_spec *spec = spec_of(config);
	struct cm_err err = { 0 };
	char *huge = malloc(CM_RPC_PAYLOAD_MAX + 1);
	struct cm_buf b;

	memset(huge, 'x', CM_RPC_PAYLOAD_MAX);
	huge[CM_RPC_PAYLOAD_MAX] = '\0';
	spec->env.v[0] = huge;
	cm_buf_init(&b, CM_RPC_PAYLOAD_MAX);
	ck_assert_int_eq(cm_rpc_start_build(&b, spec, &o, &err), -E2BIG);
	cm_buf_fini(&b);
	cm_spec_destroy(spec);
	free(huge);
}
END_TEST

static const struct {
	int error;
	u32 stage;
	const char *arg, *message;
} failures[] = {
	{ ENOENT, CM_RPC_STAGE_LOOKUP, "foo", "exec: \"foo\": executable file not found in $PATH" },
	{ ENOENT, CM_RPC_STAGE_LOOKUP, "/foo",
		"exec: \"/foo\": stat /foo: no such file or directory" },
	{ EACCES, CM_RPC_STAGE_LOOKUP, "/x", "exec: \"/x\": permission denied" },
	{ ENOEXEC, CM_RPC_STAGE_EXEC, "/x", "exec /x: exec format error" },
	{ ENOENT, CM_RPC_STAGE_EXEC, "/x", "exec /x: no such file or directory" },
	{ ENOTDIR, CM_RPC_STAGE_CWD, "/x",
		"chdir to cwd (\"/tmp\") set in config.json failed: not a directory" },
	{ ENODEV, CM_RPC_STAGE_MOUNT, "/x", "mount '/proc': no such device" },
	{ EIO, 99, "/x", "start refused by the guest: input/output error" },
};

START_TEST(failure_has_the_words_of_runc)
{
	struct cm_rpc_error e = { .stage = failures[_i].stage };
	struct cm_rpc_frame f = { .payload = (const uint8_t *)&e };
	struct cm_spec *spec = spec_of(config);
	struct cm_err err = { 0 };

	spec->args.v[0] = failures[_i].arg;
	f.hdr.error = failures[_i].error;
	f.hdr.len = sizeof(e);
	ck_assert_int_eq(cm_rpc_start_error(&f, spec, &err), -failures[_i].error);
	ck_assert_str_eq(err.msg, failures[_i].message);
	cm_spec_destroy(spec);
}
END_TEST

static struct cm_rpc_hdr good_header(void)
{
	struct cm_rpc_hdr h = { .magic = CM_RPC_MAGIC, .version = CM_RPC_VERSION };

	h.type = CM_RPC_START | CM_RPC_REPLY;
	h.id = 1;
	h.len = 8;
	return h;
}

START_TEST(host_frames)
{
	uint8_t bytes[64] = { 0 };
	struct cm_rpc_hdr h = good_header();
	struct cm_rpc_frame f;

	memcpy(bytes, &h, sizeof(h));
	for (size_t n = 0; n < sizeof(h) + 8; n++)
		ck_assert_int_eq(cm_rpc_decode_frame(bytes, n, &f), 0);
	ck_assert_int_eq(cm_rpc_decode_frame(bytes, sizeof(bytes), &f), (int)sizeof(h) + 8);
	ck_assert_ptr_eq(f.payload, bytes + sizeof(h));
#define REFUSED(change) \
	do { \
		h = good_header(); \
		change; \
		memcpy(bytes, &h, sizeof(h)); \
		ck_assert_int_eq(cm_rpc_decode_frame(bytes, sizeof(bytes), &f), -EPROTO); \
	} while (0)
	REFUSED(h.magic++);
	REFUSED(h.version++);
	REFUSED(h.type = CM_RPC_START);
	REFUSED(h.type = CM_RPC_EVENT | 7);
	REFUSED(h.id = 0);
	REFUSED(h.error = -5);
	REFUSED(h.reserved = 1);
	REFUSED(h.len = CM_RPC_EVENT_MAX + 1);
	REFUSED(h.len = 0xffffffff);
	REFUSED(h.type = CM_RPC_EXITED);
#undef REFUSED
}
END_TEST

START_TEST(guest_headers)
{
	struct cm_rpc_hdr h = good_header();

#define REFUSED(change) \
	do { \
		h = good_header(); \
		h.type = CM_RPC_START; \
		change; \
		ck_assert_int_eq(rpc_check_header(&h), -EPROTO); \
	} while (0)
	h.type = CM_RPC_START;
	ck_assert_int_eq(rpc_check_header(&h), 0);
	REFUSED(h.magic = 0);
	REFUSED(h.version = 0);
	REFUSED(h.type |= CM_RPC_REPLY);
	REFUSED(h.type = CM_RPC_EXITED);
	REFUSED(h.id = 0);
	REFUSED(h.error = 1);
	REFUSED(h.reserved = 1);
	REFUSED(h.len = CM_RPC_PAYLOAD_MAX + 1);
#undef REFUSED
}
END_TEST

START_TEST(processes)
{
	struct cm_rpc_proc p[2] = { { .pid = 1 }, { .pid = 2 } }, out;
	struct cm_rpc_frame f = { .payload = (const uint8_t *)p };

	memset(p[1].comm, 'x', sizeof(p[1].comm));
	p[1].comm[0] = '\n';
	f.hdr.len = sizeof(p);
	ck_assert_int_eq(cm_rpc_decode_proc(&f, 1, &out), 1);
	ck_assert_str_eq(out.comm, "?xxxxxxxxxxxxxx");
	ck_assert_int_eq(cm_rpc_decode_proc(&f, 2, &out), 0);
	f.hdr.len--;
	ck_assert_int_eq(cm_rpc_decode_proc(&f, 0, &out), -EPROTO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control/rpc");
	TCase *t = tcase_create("rpc");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_test(t, replies_match_requests);
	tcase_add_test(t, start_round_trip);
	tcase_add_test(t, joins);
	tcase_add_test(t, shared_round_trip);
	tcase_add_test(t, start_with_volumes);
	tcase_add_loop_test(t, mounts_that_make_no_sense, 0, 6);
	tcase_add_test(t, start_of_wrong_length);
	tcase_add_test(t, start_with_wild_counts);
	tcase_add_loop_test(t, start_refuses_what_the_guest_cannot, 0,
		(int)(sizeof(unsupported) / sizeof(unsupported[0])));
	tcase_add_test(t, start_too_large);
	tcase_add_loop_test(
		t, failure_has_the_words_of_runc, 0, (int)(sizeof(failures) / sizeof(failures[0])));
	tcase_add_test(t, host_frames);
	tcase_add_test(t, guest_headers);
	tcase_add_test(t, processes);
	suite_add_tcase(suite, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
