/* SPDX-License-Identifier: Apache-2.0 */
/* What a broken or hostile gdb may send: raw bytes, and the same as the content of one packet with a right sum. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/lib/fake_rsp.h"

static void as_packet(struct fake_rsp *f, const uint8_t *data, size_t size)
{
	char sum[4];
	unsigned n = 0;
	size_t i;

	for (i = 0; i < size; i++)
		n += data[i];
	rsp_input(&f->rsp, "$", 1);
	rsp_input(&f->rsp, data, size);
	snprintf(sum, sizeof(sum), "#%02x", n & 0xff);
	rsp_input(&f->rsp, sum, 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake_rsp f;

	fake_rsp_init(&f, size % 2);
	f.stop_at_once = true;
	as_packet(&f, data, size);
	rsp_input(&f.rsp, data, size);
	/* Without debug registers: watchpoints by steps, each of which ends here. */
	f.stop_at_once = false;
	f.hardware = size % 3 == 0 ? -EAGAIN : 0;
	as_packet(&f, (const uint8_t *)"Z2,1000,8", 9);
	rsp_input(&f.rsp, data, size);
	rsp_stopped(&f.rsp, &(struct rsp_stop){ .thread = 1, .signal = 5, .kind = -1 });
	if (f.rsp.len > RSP_PACKET || f.rsp.out_len != 0)
		abort();
	return 0;
}

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	static const char seed[] =
		"vCont;s:1;c$m1000,10#2a$qXfer:threads:read::0,fff#00$P10=0011#00";

	if (room < sizeof(seed) - 1)
		return 0;
	memcpy(buf, seed, sizeof(seed) - 1);
	return sizeof(seed) - 1;
}
