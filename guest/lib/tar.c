/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of tar archives. */
#include "lib/tar.h"

#include "lib/printf.h"
#include "lib/string.h"

#define TAR_ID_MAX   07777777u /* what seven octal digits hold */
#define TAR_SIZE_MAX 077777777777UL

struct tar_block {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8];
	char type, target[100], magic[6], version[2], uname[32], gname[32], major[8], minor[8];
	char prefix[155], pad[12];
};
_Static_assert(sizeof(struct tar_block) == TAR_BLOCK, "tar header layout");

static u32 tar_digits(u64 v)
{
	u32 n = 1;

	for (; v >= 10; v /= 10)
		n++;
	return n;
}

void tar_pax_add(struct tar_pax *p, const char *name, const void *value, size_t len)
{
	size_t rest = strlen(name) + len + 3; /* blank, =, newline */
	size_t total = rest + tar_digits(rest);
	char head[24];
	size_t n;

	/* The length counts its own digits. */
	total = rest + tar_digits(total);
	n = (size_t)str_format(head, sizeof(head), "%lu ", (unsigned long)total);
	if (len > TAR_PAX_MAX || total > TAR_PAX_MAX - p->len) {
		p->failed = true;
		return;
	}
	memcpy(p->data + p->len, head, n);
	memcpy(p->data + p->len + n, name, strlen(name));
	n += strlen(name);
	p->data[p->len + n] = '=';
	memcpy(p->data + p->len + n + 1, value, len);
	p->data[p->len + total - 1] = '\n';
	p->len += total;
}

static void tar_pax_number(struct tar_pax *p, const char *name, s64 v)
{
	char text[24];
	int n = str_format(text, sizeof(text), "%ld", (long)v);

	tar_pax_add(p, name, text, (size_t)n);
}

void tar_pax_entry(struct tar_pax *p, const struct tar_entry *e)
{
	if (strlen(e->name) > sizeof(((struct tar_block *)0)->name))
		tar_pax_add(p, "path", e->name, strlen(e->name));
	if (strlen(e->target) > sizeof(((struct tar_block *)0)->target))
		tar_pax_add(p, "linkpath", e->target, strlen(e->target));
	if (e->size > TAR_SIZE_MAX)
		tar_pax_number(p, "size", (s64)e->size);
	if (e->uid > TAR_ID_MAX)
		tar_pax_number(p, "uid", e->uid);
	if (e->gid > TAR_ID_MAX)
		tar_pax_number(p, "gid", e->gid);
	if (e->mtime < 0 || e->mtime > (s64)TAR_SIZE_MAX)
		tar_pax_number(p, "mtime", e->mtime);
}

/* Octal digits and a NUL; what is too large is 0. */
static void tar_number(char *field, size_t size, u64 v)
{
	if (v >> (3 * (size - 1)))
		v = 0;
	field[--size] = '\0';
	while (size-- > 0) {
		field[size] = (char)('0' + (v & 7));
		v >>= 3;
	}
}

static void tar_text(char *field, size_t size, const char *text)
{
	size_t n = strlen(text);

	memcpy(field, text, n < size ? n : size);
}

void tar_header(u8 block[TAR_BLOCK], const struct tar_entry *e)
{
	struct tar_block b;
	u32 sum = 0;

	memset(&b, 0, sizeof(b));
	tar_text(b.name, sizeof(b.name), e->name);
	tar_text(b.target, sizeof(b.target), e->target);
	tar_number(b.mode, sizeof(b.mode), e->mode);
	tar_number(b.uid, sizeof(b.uid), e->uid);
	tar_number(b.gid, sizeof(b.gid), e->gid);
	tar_number(b.size, sizeof(b.size), e->size);
	tar_number(b.mtime, sizeof(b.mtime), e->mtime < 0 ? 0 : (u64)e->mtime);
	tar_number(b.major, sizeof(b.major), e->major);
	tar_number(b.minor, sizeof(b.minor), e->minor);
	b.type = e->type;
	memcpy(b.magic, "ustar", 6);
	memcpy(b.version, "00", 2);
	/* The sum counts its own field as blanks, and has a blank after the NUL. */
	memset(b.sum, ' ', sizeof(b.sum));
	memcpy(block, &b, sizeof(b));
	for (u32 i = 0; i < TAR_BLOCK; i++)
		sum += block[i];
	tar_number(b.sum, sizeof(b.sum) - 1, sum);
	memcpy(block, &b, sizeof(b));
}

void tar_pax_header(u8 block[TAR_BLOCK], const struct tar_pax *p)
{
	const struct tar_entry e = {
		.name = "PaxHeaders/entry", .target = "", .type = 'x', .mode = 0644, .size = p->len
	};

	tar_header(block, &e);
}
