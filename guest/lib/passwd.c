/* SPDX-License-Identifier: Apache-2.0 */
/* Reading passwd(5) and group(5). */
#include "lib/passwd.h"

#include "lib/string.h"

#define PASSWD_FIELDS 7 /* name, password, uid, gid, comment, home, shell */
#define PASSWD_UID    2
#define PASSWD_GID    3
#define PASSWD_HOME   5
#define GROUP_FIELDS  4 /* name, password, gid, members */

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

/* A decimal number below that which means none; false for anything else. */
static bool passwd_number(const struct passwd_field *f, u32 *out)
{
	u64 v = 0;

	if (f->len == 0 || f->len > 10)
		return false;
	for (size_t i = 0; i < f->len; i++) {
		if (f->s[i] < '0' || f->s[i] > '9')
			return false;
		v = v * 10 + (u64)(f->s[i] - '0');
	}
	*out = (u32)v;
	return v < ~0u;
}

static bool passwd_same(const struct passwd_field *a, const struct passwd_field *b)
{
	return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

/* Take a line of `fields` fields off the text. false: the text is at its end. Others are left out. */
static bool passwd_line(
	const char **text, size_t *len, u32 fields, struct passwd_field f[PASSWD_FIELDS])
{
	while (*len > 0) {
		const char *line = *text;
		size_t n = 0, skip;

		while (n < *len && line[n] != '\n')
			n++;
		skip = n + (n < *len);
		*text += skip;
		*len -= skip;
		if (passwd_split(line, n, f) == fields)
			return true;
	}
	return false;
}

void passwd_home(const char *text, size_t len, u32 uid, char *out, size_t size)
{
	struct passwd_field f[PASSWD_FIELDS];
	u32 n;

	out[0] = '\0';
	while (passwd_line(&text, &len, PASSWD_FIELDS, f)) {
		if (!passwd_number(&f[PASSWD_UID], &n) || n != uid)
			continue;
		if (f[PASSWD_HOME].len >= size)
			return;
		memcpy(out, f[PASSWD_HOME].s, f[PASSWD_HOME].len);
		out[f[PASSWD_HOME].len] = '\0';
		return;
	}
}

bool passwd_user(
	const char *text, size_t len, const char *name, size_t name_len, u32 *uid, u32 *gid)
{
	const struct passwd_field want = { name, name_len };
	struct passwd_field f[PASSWD_FIELDS];
	bool by_number = passwd_number(&want, uid);
	u32 number = by_number ? *uid : 0, u, g;

	while (name_len && passwd_line(&text, &len, PASSWD_FIELDS, f)) {
		if (!passwd_number(&f[PASSWD_UID], &u) || !passwd_number(&f[PASSWD_GID], &g))
			continue;
		if (passwd_same(&f[0], &want) || (by_number && u == number)) {
			*uid = u;
			*gid = g;
			return true;
		}
	}
	*gid = 0;
	return by_number;
}

bool passwd_group(const char *text, size_t len, const char *name, size_t name_len, u32 *gid)
{
	const struct passwd_field want = { name, name_len };
	struct passwd_field f[PASSWD_FIELDS];
	u32 g;

	while (name_len && passwd_line(&text, &len, GROUP_FIELDS, f)) {
		if (passwd_same(&f[0], &want) && passwd_number(&f[PASSWD_UID], &g)) {
			*gid = g;
			return true;
		}
	}
	return passwd_number(&want, gid);
}
