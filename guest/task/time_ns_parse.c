/* SPDX-License-Identifier: Apache-2.0 */
/* The text of /proc/PID/timens_offsets, as programs write it: pure, and a fuzz target (tests/fuzz/fuzz_time_offsets.c). */
#include "task/time_ns.h"

#include <linux/time.h>

#include "kernel/errno.h"
#include "lib/string.h"

#define OFFSET_NSEC_MAX 1000000000UL

static bool offset_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

static char *offset_skip(char *p)
{
	while (offset_blank(*p))
		p++;
	return p;
}

/* Digits, at least one; a number that does not fit in 63 bits is refused. */
static char *offset_digits(char *p, u64 *out)
{
	u64 v = 0;

	if (*p < '0' || *p > '9')
		return NULL;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (v > ((u64)INT64_MAX - 9) / 10)
			return NULL;
		v = v * 10 + (u64)(*p - '0');
	}
	*out = v;
	return p;
}

/* The word at p, which is terminated; *end: what follows it. */
static bool offset_clock(char *p, char **end, int *clock)
{
	char *s = p;

	while (*s && !offset_blank(*s))
		s++;
	*end = *s ? s + 1 : s;
	*s = 0;
	if (!strcmp(p, "monotonic") || !strcmp(p, "1"))
		*clock = CLOCK_MONOTONIC;
	else if (!strcmp(p, "boottime") || !strcmp(p, "7"))
		*clock = CLOCK_BOOTTIME;
	else
		return false;
	return true;
}

/* What follows the two numbers is not looked at, as in Linux. */
static bool offset_line(char *line, struct time_offset *o)
{
	char *p;
	bool negative;
	u64 sec, nsec;

	if (!offset_clock(offset_skip(line), &p, &o->clock))
		return false;
	p = offset_skip(p);
	negative = *p == '-';
	p = offset_digits(p + (negative || *p == '+'), &sec);
	if (!p || !offset_blank(*p))
		return false;
	p = offset_digits(offset_skip(p), &nsec);
	if (!p || nsec >= OFFSET_NSEC_MAX)
		return false;
	o->sec = negative ? -(s64)sec : (s64)sec;
	o->nsec = (u32)nsec;
	return true;
}

int time_offsets_parse(char *text, struct time_offset *v, size_t *used)
{
	char *line = text;
	u32 n = 0;

	*used = strlen(text);
	while (line) {
		char *end = strchr(line, '\n'), *next = NULL;

		if (end) {
			*end = 0;
			next = end[1] ? end + 1 : NULL;
		}
		if (!offset_line(line, &v[n]))
			return -EINVAL;
		n++;
		if (next && n == TIME_OFFSETS_MAX) {
			*used = (size_t)(next - text);
			break;
		}
		line = next;
	}
	return (int)n;
}
