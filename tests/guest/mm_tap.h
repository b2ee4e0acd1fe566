/* SPDX-License-Identifier: Apache-2.0 */
/* TAP points, and probing memory that may not be there, for the mm programs. */
#ifndef TESTS_GUEST_MM_TAP_H
#define TESTS_GUEST_MM_TAP_H

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

static sigjmp_buf probe_env;
static volatile int probe_signal, probe_code;
static void *volatile probe_addr;

static inline void probe_handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	probe_signal = sig;
	probe_code = info->si_code;
	probe_addr = info->si_addr;
	siglongjmp(probe_env, 1);
}

static inline void probe_setup(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = probe_handler;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

/* 0 when a byte at p can be read (written), else the signal. */
static inline int probe_read(volatile char *p)
{
	probe_signal = 0;
	if (!sigsetjmp(probe_env, 1))
		(void)*p;
	return probe_signal;
}

static inline int probe_write(volatile char *p)
{
	probe_signal = 0;
	if (!sigsetjmp(probe_env, 1))
		*p = 1;
	return probe_signal;
}

#endif
