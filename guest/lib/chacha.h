/* SPDX-License-Identifier: Apache-2.0 */
/* The ChaCha20 block function of RFC 8439. */
#ifndef LIB_CHACHA_H
#define LIB_CHACHA_H

#include "lib/types.h"

#define CHACHA_KEY   32
#define CHACHA_BLOCK 64

/* One block of key stream: state words 12..15 are the counter and the nonce as the RFC has them. */
void chacha20_block(
	u8 out[CHACHA_BLOCK], const u8 key[CHACHA_KEY], u32 counter, const u32 nonce[3]);

#endif
