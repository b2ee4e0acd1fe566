/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log. An exit to the VMM costs 15 us, so lines gather in a buffer; it goes out when it is full, when a CPU has nothing to do, and
 * at once for warnings and errors.
 */
#include "kernel/log.h"
#include "arch.h"
#include "kernel/clock.h"
#include "kernel/lock.h"
#include "lib/printf.h"

#define LOG_BUFFER 4096
#define LOG_LINE   256

static struct spinlock log_lock; /* irq; protects: the rest */
static char log_buffer[LOG_BUFFER] __aligned(4096);
static size_t log_used;
static enum log_level log_max = LOG_INFO;
static void (*log_sink)(const char *text, size_t len) = arch_log_early;

static const char log_letters[] = "EWID";

static void log_flush_locked(void)
{
	if (log_used)
		log_sink(log_buffer, log_used);
	log_used = 0;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	u64 us = clock_monotonic() / NSEC_PER_USEC;
	u64 flags;
	size_t room, n;
	va_list ap;

	if (level > log_max)
		return;
	flags = spin_lock_irq(&log_lock);
	if (log_used + LOG_LINE > LOG_BUFFER)
		log_flush_locked();
	room = LOG_LINE - 1;
	n = (size_t)str_format(log_buffer + log_used, room, "[%3lu.%06lu] %c ", us / 1000000,
		us % 1000000, log_letters[level]);
	va_start(ap, fmt);
	n += (size_t)str_vformat(log_buffer + log_used + n, room - n, fmt, ap);
	va_end(ap);
	n = MIN(n, room - 1);
	log_buffer[log_used + n] = '\n';
	log_used += n + 1;
	if (level <= LOG_WARN)
		log_flush_locked();
	spin_unlock_irq(&log_lock, flags);
}

void log_flush(void)
{
	u64 flags;

	if (!READ_ONCE(log_used))
		return;
	flags = spin_lock_irq(&log_lock);
	log_flush_locked();
	spin_unlock_irq(&log_lock, flags);
}

void log_set_level(enum log_level max)
{
	log_max = max;
}

void log_set_sink(void (*sink)(const char *text, size_t len))
{
	u64 flags = spin_lock_irq(&log_lock);

	log_flush_locked();
	log_sink = sink;
	spin_unlock_irq(&log_lock, flags);
}
