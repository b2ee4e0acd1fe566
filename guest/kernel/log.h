/* SPDX-License-Identifier: Apache-2.0 */
/* The sentry's log: one line a call, `module: text`, without a final newline. Any context. Goes out in blocks. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include "lib/types.h"

enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG
};

void log_write(enum log_level level, const char *fmt, ...) __printf(2, 3);
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

/* Replaces the early sink (port 0xe9); text is len bytes, any context with interrupts off, must not log or sleep. */
void log_set_sink(void (*sink)(const char *text, size_t len));
void log_set_level(enum log_level max); /* what is less important is dropped; LOG_INFO at boot */
void log_flush(void); /* send what has gathered; any context */

/* Report registers, backtrace and last system calls to the VMM and end the machine. */
__noreturn void panic(const char *fmt, ...) __printf(1, 2);
#define panic_if(cond) \
	do { \
		if (unlikely(cond)) \
			panic("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

#endif
