/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/cpulist.h"

#include "kernel/errno.h"

/* What one part of a list says: of first..last, in groups, those at the beginning of each. */
struct cpu_range {
	u32 first, last, used, group;
};

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_end(char c)
{
	return c == '\0' || c == '\n';
}

static bool ends_range(char c)
{
	return is_end(c) || is_space(c) || c == ',';
}

/* A number, or N for the last CPU. */
static int parse_number(const char **s, u32 last, u32 *out)
{
	u64 v = 0;

	if (**s == 'N') {
		*out = last;
		++*s;
		return 0;
	}
	if (**s < '0' || **s > '9')
		return -EINVAL;
	for (; **s >= '0' && **s <= '9'; ++*s) {
		v = v * 10 + (u64)(**s - '0');
		if (v > UINT32_MAX)
			return -EOVERFLOW;
	}
	*out = (u32)v;
	return 0;
}

static bool takes_all(const char **s)
{
	for (u32 i = 0; i < 3; i++) {
		if (((*s)[i] | 0x20) != "all"[i])
			return false;
	}
	*s += 3;
	return true;
}

/* first[-last] or "all" */
static int parse_bounds(const char **s, u32 count, struct cpu_range *r)
{
	int err;

	r->first = 0;
	r->last = count - 1;
	if (takes_all(s))
		return 0;
	err = parse_number(s, count - 1, &r->first);
	r->last = r->first;
	if (err || ends_range(**s))
		return err;
	if (**s != '-')
		return -EINVAL;
	++*s;
	return parse_number(s, count - 1, &r->last);
}

static int parse_range(const char **s, u32 count, struct cpu_range *r)
{
	int err = parse_bounds(s, count, r);

	r->used = r->group = 1;
	if (err || ends_range(**s))
		return err;
	if (**s != ':')
		return -EINVAL;
	++*s;
	err = parse_number(s, count - 1, &r->used);
	if (err)
		return err;
	if (**s != '/')
		return -EINVAL;
	++*s;
	return parse_number(s, count - 1, &r->group);
}

static int add_range(const struct cpu_range *r, u32 count, u64 *out)
{
	if (r->first > r->last || !r->group || r->used > r->group)
		return -EINVAL;
	if (r->last >= count)
		return -ERANGE;
	for (u32 i = r->first; i <= r->last; i++) {
		if ((i - r->first) % r->group < r->used)
			*out |= 1UL << i;
	}
	return 0;
}

int cpulist_parse(const char *text, u32 count, u64 *out)
{
	struct cpu_range r;
	int err = 0;

	*out = 0;
	while (!err) {
		while (!is_end(*text) && (is_space(*text) || *text == ','))
			text++;
		if (is_end(*text))
			return 0;
		err = parse_range(&text, count, &r);
		if (!err)
			err = add_range(&r, count, out);
	}
	return err;
}
