/* SPDX-License-Identifier: Apache-2.0 */
/* The text of an id map, as programs write it: pure, and a fuzz target (tests/fuzz/fuzz_user_map.c). */
#include "task/user_ns.h"

#include "kernel/errno.h"

/* A decimal number and the blanks before it. */
static bool map_number(char **p, u32 *out)
{
	char *s = *p;
	u64 v = 0;

	while (*s == ' ' || *s == '\t')
		s++;
	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (u64)(*s - '0');
		if (v > ~0u)
			return false;
	}
	*p = s;
	*out = (u32)v;
	return *s == ' ' || *s == '\t' || *s == '\n' || *s == '\0';
}

static bool map_overlaps(const struct id_extent *v, u32 n, const struct id_extent *e)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if ((v[i].first <= e->first + (e->count - 1) &&
			    e->first <= v[i].first + (v[i].count - 1)) ||
			(v[i].lower <= e->lower + (e->count - 1) &&
				e->lower <= v[i].lower + (v[i].count - 1)))
			return true;
	}
	return false;
}

static bool map_line(char **p, struct id_extent *e)
{
	if (!map_number(p, &e->first) || !map_number(p, &e->lower) || !map_number(p, &e->count))
		return false;
	while (**p == ' ' || **p == '\t')
		++*p;
	if (**p == '\n')
		++*p;
	else if (**p)
		return false;
	return e->first != ID_NONE && e->lower != ID_NONE && e->count &&
	       e->first + (e->count - 1) >= e->first && e->lower + (e->count - 1) >= e->lower;
}

int user_map_parse(char *text, struct id_extent *v)
{
	u32 n = 0;

	while (*text) {
		if (n == USER_NS_EXTENTS || !map_line(&text, &v[n]) || map_overlaps(v, n, &v[n]))
			return -EINVAL;
		n++;
	}
	return n ? (int)n : -EINVAL;
}
