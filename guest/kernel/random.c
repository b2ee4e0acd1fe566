/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random bytes: ChaCha20 with fast key erasure. Each call takes the first half of a block as the next key and hands out key stream made
 * with the rest, so what was given out cannot be computed from a later state.
 */
#include "kernel/random.h"
#include "arch.h"
#include "kernel/lock.h"
#include "lib/chacha.h"
#include "lib/string.h"

static struct spinlock random_lock; /* irq; protects: random_key */
static u8 random_key[CHACHA_KEY];

void random_seed(const void *seed, size_t len)
{
	const u8 *p = seed;
	u8 block[CHACHA_BLOCK], hw[CHACHA_KEY];
	u32 nonce[3] = { 0 };
	u64 tsc = arch_rdtsc();
	u64 flags;

	arch_random(hw, sizeof(hw));
	memcpy(nonce, &tsc, sizeof(tsc));
	flags = spin_lock_irq(&random_lock);
	for (size_t i = 0; i < sizeof(random_key); i++)
		random_key[i] ^= hw[i];
	while (len) {
		size_t n = MIN(len, sizeof(random_key));

		for (size_t i = 0; i < n; i++)
			random_key[i] ^= p[i];
		chacha20_block(block, random_key, 0, nonce);
		memcpy(random_key, block, sizeof(random_key));
		p += n;
		len -= n;
	}
	spin_unlock_irq(&random_lock, flags);
}

void random_bytes(void *buf, size_t len)
{
	static const u32 nonce[3];
	u8 key[CHACHA_BLOCK], block[CHACHA_BLOCK];
	u8 *p = buf;
	u64 flags = spin_lock_irq(&random_lock);

	chacha20_block(key, random_key, 0, nonce);
	memcpy(random_key, key, sizeof(random_key));
	spin_unlock_irq(&random_lock, flags);

	/* The second half is this call's own key. */
	for (u32 counter = 1; len; counter++) {
		size_t n = MIN(len, sizeof(block));

		chacha20_block(block, key + CHACHA_KEY, counter, nonce);
		memcpy(p, block, n);
		p += n;
		len -= n;
	}
}
