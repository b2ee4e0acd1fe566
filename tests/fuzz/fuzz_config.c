/* SPDX-License-Identifier: Apache-2.0 */
/* config.json, and the START request made of what it says: whatever is accepted must be decoded by the guest or refused with words. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "control/rpc_start.h"
#include "guest/agent/rpc_decode.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cm_rpc_start_options o = {
		.container = 1, .id = "fuzz", .token = { 1, 2, 3 }
	};
	struct cm_err err = { 0 };
	struct cm_spec *spec;
	struct rpc_start s;
	struct cm_buf b;

	if (cm_spec_parse((const char *)data, size, &spec, &err) < 0) {
		if (!err.msg[0] || err.code <= 0)
			abort();
		return 0;
	}
	cm_buf_init(&b, CM_RPC_PAYLOAD_MAX);
	if (cm_rpc_start_build(&b, spec, &o, &err) == 0 &&
		rpc_decode_start(b.p, (u32)b.len, &s) < 0)
		abort();
	cm_buf_fini(&b);
	cm_spec_destroy(spec);
	return 0;
}

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	json_t *o = cm_spec_default();
	size_t n = json_dumpb(o, (char *)buf, room, JSON_COMPACT);

	json_decref(o);
	return n <= room ? n : 0;
}
