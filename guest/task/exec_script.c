/* SPDX-License-Identifier: Apache-2.0 */
/* The #! line of a script: pure. */
#include "task/exec_strings.h"

#include "kernel/errno.h"
#include "lib/string.h"

static bool script_blank(char c)
{
	return c == ' ' || c == '\t';
}

int exec_parse_script(char *buf, size_t len, char **interp, char **arg)
{
	char *end, *p, *q;
	bool cut;

	if (len < 3 || buf[0] != '#' || buf[1] != '!')
		return -ENOEXEC;
	end = memchr(buf, '\n', len);
	cut = !end && !memchr(buf, '\0', len);
	if (!end)
		end = memchr(buf, '\0', len);
	if (!end)
		end = buf + len - 1; /* the last byte gives way to the NUL */
	while (end > buf + 2 && script_blank(end[-1]))
		end--;
	for (p = buf + 2; p < end && script_blank(*p); p++)
		;
	if (p >= end || *p == '\0')
		return -ENOEXEC;
	for (q = p; q < end && !script_blank(*q); q++)
		;
	/* A path that the buffer cuts off would name another file. */
	if (q == end && cut)
		return -ENOEXEC;
	*end = '\0';
	*interp = p;
	*arg = NULL;
	if (q < end) {
		*q++ = '\0';
		while (q < end && script_blank(*q))
			q++;
		if (*q)
			*arg = q;
	}
	return 0;
}
