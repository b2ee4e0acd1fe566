/* SPDX-License-Identifier: Apache-2.0 */
/* A window of user memory at a fixed user address. */
#ifndef TESTS_FAKE_USER_H
#define TESTS_FAKE_USER_H

#include "arch.h"

#define FAKE_USER_BASE 0x400000UL
#define FAKE_USER_SIZE 65536UL
extern char fake_user_mem[FAKE_USER_SIZE];

#endif
