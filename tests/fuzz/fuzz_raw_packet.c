/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the sentry's raw packets: headers that programs make themselves, checksums anywhere, echo requests. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "net/raw_packet.h"
#include "tests/fuzz/fuzz.h"

/* The first two bytes choose what is done with the rest: an echo request with its header. */
size_t fuzz_seed(uint8_t *buf, size_t room)
{
	static const uint8_t seed[] = { 1, 2, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 127, 0, 0, 1,
		127, 0, 0, 1, 8, 0, 0xf7, 0xb1, 0, 0x4d, 0, 1 };

	if (room < sizeof(seed))
		return 0;
	memcpy(buf, seed, sizeof(seed));
	return sizeof(seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct raw_packet p = { .v4 = size && data[0] & 1, .protocol = 58 };
	uint32_t at = size > 1 ? data[1] : 0;
	uint16_t number;
	int r;

	if (size < 2 || size - 2 > RAW_PACKET_MAX)
		return 0;
	p.len = (uint32_t)size - 2;
	p.data = malloc(p.len ? p.len : 1); /* exactly as large: an access beyond it is seen */
	memcpy(p.data, data + 2, p.len);
	p.body = p.data;
	p.body_len = p.len;
	r = p.v4 ? raw_packet_take_header(&p) : raw_packet_sum6(&p, at);
	if (!r && (p.body < p.data || p.body + p.body_len != p.data + p.len))
		abort();
	/* What was answered is no request any more, but an answer. */
	if (!r && raw_packet_echo(&p) && (!raw_packet_answer(&p, &number) || raw_packet_echo(&p)))
		abort();
	/* What is asked is a good request. */
	if (!r && p.protocol == (p.v4 ? 1 : 58) && raw_packet_ask(&p, (uint16_t)at) &&
		!raw_packet_echo(&p))
		abort();
	free(p.data);
	return 0;
}
