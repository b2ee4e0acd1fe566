/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of a hostile guest, as the sandbox process reads them. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "control/procfs.h"
#include "control/rpc_start.h"
#include "control/rpc_wire.h"
#include "tests/fuzz/fuzz.h"

static void decode_all(const struct cm_rpc_frame *f, const struct cm_spec *spec)
{
	char text[CM_RPC_TEXT_MAX + 1];
	struct cm_rpc_started started;
	struct cm_rpc_exited exited;
	struct cm_rpc_hello hello;
	struct cm_rpc_limit limit;
	struct cm_rpc_usage usage;
	struct cm_rpc_proc proc;
	struct cm_rpc_error e;
	uint64_t copied;
	struct cm_err err;

	cm_rpc_decode_hello(f, &hello);
	cm_rpc_decode_started(f, &started);
	cm_rpc_decode_exited(f, &exited);
	cm_rpc_decode_limit(f, &limit);
	cm_rpc_decode_usage(f, &usage);
	cm_rpc_decode_copied(f, &copied);
	json_decref(cm_procfs_entry(f->payload, f->hdr.len, 0));
	cm_rpc_decode_error(f, &e, text);
	for (uint32_t i = 0; cm_rpc_decode_proc(f, i, &proc) > 0; i++) {
		if (memchr(proc.comm, 0, sizeof(proc.comm)) == NULL)
			abort();
	}
	if (f->hdr.error && (cm_rpc_start_error(f, spec, &err) >= 0 || !err.msg[0]))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cm_spec *spec;
	struct cm_rpc_frame f;
	struct cm_err err;
	int n;

	if (!spec && cm_spec_from_json(cm_spec_default(), &spec, &err) < 0)
		abort();
	while ((n = cm_rpc_decode_frame(data, size, &f)) > 0) {
		if ((size_t)n > size)
			abort();
		decode_all(&f, spec);
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	struct cm_rpc_hdr h = { .magic = CM_RPC_MAGIC, .version = CM_RPC_VERSION };
	size_t n = sizeof(h) + sizeof(struct cm_rpc_error) + 4;

	if (room < n)
		return 0;
	h.type = CM_RPC_START | CM_RPC_REPLY;
	h.id = 2;
	h.error = 2;
	h.len = (uint32_t)(n - sizeof(h));
	memset(buf, 'x', n);
	memcpy(buf, &h, sizeof(h));
	return n;
}
