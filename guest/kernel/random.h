/* SPDX-License-Identifier: Apache-2.0 */
/* Cryptographic random bytes: seeded at boot from the device tree's rng-seed and the processor, never blocks. Any context. */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include "lib/types.h"

void random_bytes(void *buf, size_t len);
/* Mix in a seed and what the processor has. */
void random_seed(const void *seed, size_t len);

#endif
