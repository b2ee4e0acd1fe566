/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of a hostile sandbox process, as the agent in the guest reads them. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "control/rpc_start.h"
#include "guest/agent/rpc_decode.h"
#include "tests/fuzz/fuzz.h"

static void walk_start(const struct rpc_start *s)
{
	char **v = calloc(CM_RPC_ARGS_MAX + 1, sizeof(*v));
	size_t sum = 0;

	if (!v)
		abort();
	rpc_strings(s->args, v, s->fixed.argc);
	for (u32 i = 0; i < s->fixed.argc; i++)
		sum += strlen(v[i]);
	rpc_strings(s->env, v, s->fixed.envc);
	sum += strlen(s->file) + strlen(s->user) + strlen(s->initial_cgroup);
	for (u32 i = 0; i < s->fixed.nfds; i++) {
		if (s->fds[i].fd < 3 || s->fds[i].fd >= CM_RPC_FD_NUMBERS)
			abort();
	}
	if (s->fixed.nsecret > s->fixed.envc)
		abort();
	rpc_strings(s->mount_words, v, 3 * s->fixed.nmounts);
	rpc_strings(s->masked, v, s->fixed.nmasked);
	rpc_strings(s->readonly, v, s->fixed.nreadonly);
	for (u32 i = 0; i < s->fixed.ngroups; i++)
		sum += s->groups[i];
	if (sum == SIZE_MAX)
		abort();
	free(v);
}

static void walk_calls(const void *p, u32 len)
{
	struct rpc_file f;
	struct rpc_mount m;
	struct rpc_cgroup g;
	size_t sum = 0;

	if (rpc_decode_file(p, len, &f) == 0)
		sum += strlen(f.path);
	if (rpc_decode_mount(p, len, &m) == 0)
		sum += strlen(m.type) + strlen(m.source) + strlen(m.target) + strlen(m.data);
	if (rpc_decode_cgroup(p, len, &g) == 0)
		sum += strlen(g.path) + strlen(g.file) + strlen(g.value);
	if (sum > 3 * (size_t)len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cm_rpc_hdr h;
	struct rpc_start s;
	char *copy;

	if (size < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	if (rpc_check_header(&h) < 0)
		return 0;
	size -= sizeof(h);
	if (size > CM_RPC_PAYLOAD_MAX)
		return 0;
	/* The agent's buffer is aligned and of the frame's size. */
	copy = malloc(size ? size : 1);
	if (!copy)
		abort();
	memcpy(copy, data + sizeof(h), size);
	if (rpc_decode_exec(copy, (u32)size, &s) == 0 && s.fixed.nmounts != 0)
		abort();
	walk_calls(copy, (u32)size);
	if (rpc_decode_start(copy, (u32)size, &s) == 0) {
		walk_start(&s);
		/* Numbers index tables. */
		for (int i = 0; i < CM_RPC_NS_KINDS; i++) {
			if (s.fixed.join[i] > CM_RPC_CONTAINERS)
				abort();
		}
		if (s.fixed.container < 1 || s.fixed.container > CM_RPC_CONTAINERS)
			abort();
	}
	free(copy);
	return 0;
}

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	const struct cm_rpc_start_options o = { .container = 2, .id = "fuzz", .join = { 1, 1, 0 } };
	struct cm_buf payload, frame;
	struct cm_spec *spec;
	struct cm_err err;
	size_t n = 0;

	cm_buf_init(&payload, CM_RPC_PAYLOAD_MAX);
	cm_buf_init(&frame, 2 * CM_RPC_PAYLOAD_MAX);
	if (cm_spec_from_json(cm_spec_default(), &spec, &err) < 0 ||
		cm_rpc_start_build(&payload, spec, &o, &err) < 0)
		abort();
	cm_rpc_encode(&frame, CM_RPC_START, 1, payload.p, (uint32_t)payload.len);
	if (frame.len <= room) {
		memcpy(buf, frame.p, frame.len);
		n = frame.len;
	}
	cm_spec_destroy(spec);
	cm_buf_fini(&payload);
	cm_buf_fini(&frame);
	return n;
}
