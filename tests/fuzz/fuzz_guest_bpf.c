/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the sentry's BPF validator: what it takes runs to its end inside its own bounds (the sanitizers look). */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "task/bpf.h"
#include "tests/fuzz/fuzz.h"

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	static const struct sock_filter seed[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xc000003e, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_ST, 15),
		BPF_STMT(BPF_LDX | BPF_MEM, 15),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	if (room < sizeof(seed))
		return 0;
	memcpy(buf, seed, sizeof(seed));
	return sizeof(seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_data d = { .nr = 1, .arch = 0xc000003e };
	size_t n = size / sizeof(struct sock_filter);
	struct sock_filter *f;
	u16 *scratch;

	if (!n || n > BPF_MAXINSNS)
		return 0;
	/* Exactly as large as they have to be. */
	f = malloc(n * sizeof(*f));
	scratch = malloc(n * sizeof(*scratch));
	if (!f || !scratch)
		abort();
	memcpy(f, data, n * sizeof(*f));
	for (size_t i = 0; i < 6 && i < n; i++)
		d.args[i] = f[i].k;
	if (bpf_check(f, (u32)n, scratch) == 0)
		(void)bpf_run(f, &d);
	free(scratch);
	free(f);
	return 0;
}
