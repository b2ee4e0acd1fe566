/* SPDX-License-Identifier: Apache-2.0 */
/* Mount option strings. */
#include "fs/internal.h"

bool mount_option_next(char **cursor, char **name, char **value)
{
	char *s = *cursor, *comma, *eq;

	while (s && *s == ',')
		s++;
	if (!s || !*s)
		return false;
	comma = strchr(s, ',');
	if (comma)
		*comma = 0;
	*cursor = comma ? comma + 1 : NULL;
	eq = strchr(s, '=');
	if (eq)
		*eq = 0;
	*name = s;
	*value = eq ? eq + 1 : NULL;
	return true;
}

static u32 option_suffix_shift(char c)
{
	switch (c) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	default:
		return 0;
	}
}

int mount_option_number(const char *value, u32 base, u64 *out)
{
	u64 v = 0;
	u32 shift;

	if (!value || *value < '0' || *value > '9')
		return -EINVAL;
	for (; *value >= '0' && *value < (char)('0' + base); value++) {
		if (__builtin_mul_overflow(v, base, &v) ||
			__builtin_add_overflow(v, (u64)(*value - '0'), &v))
			return -EINVAL;
	}
	shift = base == 10 ? option_suffix_shift(*value) : 0;
	if (shift)
		value++;
	if (*value || (shift && v >> (64 - shift)))
		return -EINVAL;
	*out = v << shift;
	return 0;
}
