/* SPDX-License-Identifier: Apache-2.0 */
/* ChaCha20, little-endian machines. */
#include "lib/chacha.h"
#include "lib/string.h"

static u32 chacha_rotl(u32 v, u32 n)
{
	return v << n | v >> (32 - n);
}

static void chacha_quarter(u32 *s, u32 a, u32 b, u32 c, u32 d)
{
	s[a] += s[b];
	s[d] = chacha_rotl(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = chacha_rotl(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = chacha_rotl(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = chacha_rotl(s[b] ^ s[c], 7);
}

void chacha20_block(u8 out[CHACHA_BLOCK], const u8 key[CHACHA_KEY], u32 counter, const u32 nonce[3])
{
	u32 start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	u32 s[16];

	memcpy(start + 4, key, CHACHA_KEY);
	start[12] = counter;
	memcpy(start + 13, nonce, 12);
	memcpy(s, start, sizeof(s));
	for (u32 i = 0; i < 10; i++) {
		chacha_quarter(s, 0, 4, 8, 12);
		chacha_quarter(s, 1, 5, 9, 13);
		chacha_quarter(s, 2, 6, 10, 14);
		chacha_quarter(s, 3, 7, 11, 15);
		chacha_quarter(s, 0, 5, 10, 15);
		chacha_quarter(s, 1, 6, 11, 12);
		chacha_quarter(s, 2, 7, 8, 13);
		chacha_quarter(s, 3, 4, 9, 14);
	}
	for (u32 i = 0; i < 16; i++)
		s[i] += start[i];
	memcpy(out, s, CHACHA_BLOCK);
}
