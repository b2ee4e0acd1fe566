/* SPDX-License-Identifier: Apache-2.0 */
/* Escaping. */
#include <config.h>
#include "control/debug/text.h"

#include <stdio.h>

static const char *text_make(
	char *buf, size_t size, const char *src, size_t len, const char *doubled)
{
	size_t at = 0, i;

	for (i = 0; i < len && src[i]; i++) {
		unsigned char c = (unsigned char)src[i];
		size_t need = c == (unsigned char)*doubled ? 2 : c >= 0x20 && c < 0x7f ? 1 : 4;

		if (at + need >= size)
			break;
		if (need == 1)
			buf[at] = (char)c;
		else if (need == 2)
			buf[at] = buf[at + 1] = '\\';
		else
			snprintf(buf + at, size - at, "\\x%02x", c);
		at += need;
	}
	buf[at] = '\0';
	return buf;
}

const char *text_escape(char *buf, size_t size, const char *src, size_t len)
{
	return text_make(buf, size, src, len, "\\");
}

const char *text_printable(char *buf, size_t size, const char *src, size_t len)
{
	return text_make(buf, size, src, len, "");
}
