/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target defines. */
#ifndef CM_TESTS_FUZZ_H
#define CM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* One input, not to be changed or kept. Returns 0; a bug shows as a crash. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Optional: writes one valid input of at most `room` bytes, from which the replay makes mutations. Returns its size. */
size_t fuzz_seed(uint8_t *buf, size_t room) __attribute__((weak));

#endif
