/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Developer images: ways to break the sentry on purpose, for tests of the debugger. Boot option debugtest=KIND,MS: MS
 * milliseconds after the first program began
 *   loop      a kernel thread loops with interrupts off
 *   deadlock  a kernel thread waits with interrupts off for a spinlock that it holds
 *   panic     a kernel thread panics
 */
#ifndef DEBUG_FAULT_TEST_H
#define DEBUG_FAULT_TEST_H

/* Needs threads. Weak: absent from ordinary images. */
void fault_test_start(void) __attribute__((weak));

#endif
