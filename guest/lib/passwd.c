/* SPDX-License-Identifier: Apache-2.0 */
/* Reading passwd(5). */
#include "lib/passwd.h"

#include "lib/string.h"

#define PASSWD_FIELDS 7 /* name, password, uid, gid, comment, home, shell */
#define PASSWD_UID    2
#define PASSWD_HOME   5

struct passwd_field {
	const char *s;
	size_t len;
};

/* Split a line of len bytes; the number of fields, of which no more than PASSWD_FIELDS are stored. */
static u32 passwd_split(const char *line, size_t len, struct passwd_field f[PASSWD_FIELDS])
{
	u32 n = 0;
	size_t from = 0;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && line[i] != ':')
			continue;
		if (n < PASSWD_FIELDS)
			f[n] = (struct passwd_field){ line + from, i - from };
		n++;
		from = i + 1;
	}
	return n;
}

static bool passwd_is_number(const struct passwd_field *f, u32 number)
{
	u64 v = 0;

	if (f->len == 0 || f->len > 10)
		return false;
	for (size_t i = 0; i < f->len; i++) {
		if (f->s[i] < '0' || f->s[i] > '9')
			return false;
		v = v * 10 + (u64)(f->s[i] - '0');
	}
	return v == number;
}

void passwd_home(const char *text, size_t len, u32 uid, char *out, size_t size)
{
	out[0] = '\0';
	while (len > 0) {
		struct passwd_field f[PASSWD_FIELDS];
		size_t n = 0;

		while (n < len && text[n] != '\n')
			n++;
		if (passwd_split(text, n, f) == PASSWD_FIELDS &&
			passwd_is_number(&f[PASSWD_UID], uid)) {
			if (f[PASSWD_HOME].len >= size)
				return;
			memcpy(out, f[PASSWD_HOME].s, f[PASSWD_HOME].len);
			out[f[PASSWD_HOME].len] = '\0';
			return;
		}
		n += n < len;
		text += n;
		len -= n;
	}
}
