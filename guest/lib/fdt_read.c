/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded device tree reader. The structure block is a list of 4-byte aligned big-endian tokens; fdt_token is the only function that
 * reads it, moves forward by at least four bytes each time and refuses to leave the block: every walk ends.
 */
#include "lib/fdt_read.h"

#define FDT_MAGIC	0xd00dfeedu
#define FDT_VERSION_MIN 16u /* last compatible version of the format that we read: 16 and 17 */
#define FDT_HEADER_SIZE 40u

enum fdt_kind {
	FDT_BEGIN = 1,
	FDT_END_NODE = 2,
	FDT_PROP = 3,
	FDT_NOP = 4,
	FDT_END = 9
};

struct fdt_token {
	uint32_t kind;
	const char *name; /* of the node or property */
	const uint8_t *value; /* property */
	uint32_t len;
	uint32_t next; /* offset of the token behind */
};

static uint32_t fdt_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t fdt_be64(const uint8_t *p)
{
	return (uint64_t)fdt_be32(p) << 32 | fdt_be32(p + 4);
}

/* Length of the string at s within `room` bytes, or `room` when it has no end. */
static uint32_t fdt_strnlen(const char *s, uint32_t room)
{
	uint32_t n = 0;

	while (n < room && s[n])
		n++;
	return n;
}

static bool fdt_streq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static bool fdt_range_ok(uint32_t offset, uint32_t len, uint32_t total)
{
	return offset <= total && len <= total - offset;
}

bool fdt_read_init(struct fdt_reader *r, const void *fdt, size_t size)
{
	const uint8_t *p = fdt;
	uint32_t total, structure, strings;

	if (size < FDT_HEADER_SIZE || fdt_be32(p) != FDT_MAGIC)
		return false;
	total = fdt_be32(p + 4);
	structure = fdt_be32(p + 8);
	strings = fdt_be32(p + 12);
	if (total > size || total > FDT_MAX_SIZE || fdt_be32(p + 20) < 17 ||
		fdt_be32(p + 24) > 17 || fdt_be32(p + 24) < FDT_VERSION_MIN)
		return false;
	r->strings_size = fdt_be32(p + 32);
	r->structure_size = fdt_be32(p + 36);
	if (structure % 4 != 0 || !fdt_range_ok(structure, r->structure_size, total) ||
		!fdt_range_ok(strings, r->strings_size, total))
		return false;
	r->structure = p + structure;
	r->strings = (const char *)p + strings;
	return true;
}

static bool fdt_token_prop(const struct fdt_reader *r, uint32_t at, struct fdt_token *t)
{
	uint32_t name;

	if (!fdt_range_ok(at, 12, r->structure_size))
		return false;
	t->len = fdt_be32(r->structure + at + 4);
	name = fdt_be32(r->structure + at + 8);
	if (!fdt_range_ok(at + 12, t->len, r->structure_size) || name >= r->strings_size)
		return false;
	t->name = r->strings + name;
	if (fdt_strnlen(t->name, r->strings_size - name) == r->strings_size - name)
		return false;
	t->value = r->structure + at + 12;
	/* The sizes are below FDT_MAX_SIZE: no overflow. */
	t->next = at + 12 + ((t->len + 3) & ~3u);
	return true;
}

/* Read the token at offset `at`. False behind the end and on damage. */
static bool fdt_token(const struct fdt_reader *r, uint32_t at, struct fdt_token *t)
{
	uint32_t room, len;

	if (at % 4 != 0 || !fdt_range_ok(at, 4, r->structure_size))
		return false;
	t->kind = fdt_be32(r->structure + at);
	t->next = at + 4;
	switch (t->kind) {
	case FDT_BEGIN:
		t->name = (const char *)r->structure + at + 4;
		room = r->structure_size - (at + 4);
		len = fdt_strnlen(t->name, room);
		if (len == room)
			return false;
		t->next = at + 4 + ((len + 4) & ~3u);
		return true;
	case FDT_PROP:
		return fdt_token_prop(r, at, t);
	case FDT_END_NODE:
	case FDT_NOP:
		return true;
	default:
		return false;
	}
}

static bool fdt_node_token(const struct fdt_reader *r, int node, struct fdt_token *t)
{
	return node >= 0 && fdt_token(r, (uint32_t)node, t) && t->kind == FDT_BEGIN;
}

int fdt_read_root(const struct fdt_reader *r)
{
	struct fdt_token t;
	uint32_t at = 0;

	while (fdt_token(r, at, &t)) {
		if (t.kind == FDT_BEGIN)
			return (int)at;
		if (t.kind != FDT_NOP)
			break;
		at = t.next;
	}
	return FDT_NONE;
}

int fdt_read_child(const struct fdt_reader *r, int node)
{
	struct fdt_token t;
	uint32_t at;

	if (!fdt_node_token(r, node, &t))
		return FDT_NONE;
	for (at = t.next; fdt_token(r, at, &t); at = t.next) {
		if (t.kind == FDT_BEGIN)
			return (int)at;
		if (t.kind == FDT_END_NODE)
			break;
	}
	return FDT_NONE;
}

int fdt_read_sibling(const struct fdt_reader *r, int node)
{
	unsigned int depth = 1;
	struct fdt_token t;
	uint32_t at;

	if (!fdt_node_token(r, node, &t))
		return FDT_NONE;
	for (at = t.next; fdt_token(r, at, &t); at = t.next) {
		if (t.kind == FDT_BEGIN) {
			if (depth == 0)
				return (int)at;
			depth++;
		} else if (t.kind == FDT_END_NODE) {
			if (depth == 0)
				break; /* the parent's end */
			depth--;
		}
	}
	return FDT_NONE;
}

const char *fdt_read_name(const struct fdt_reader *r, int node)
{
	struct fdt_token t;

	return fdt_node_token(r, node, &t) ? t.name : NULL;
}

/* One path component of `len` bytes against a node's name. */
static bool fdt_name_matches(const char *name, const char *part, uint32_t len)
{
	bool unit = false;
	uint32_t i;

	for (i = 0; i < len; i++) {
		if (name[i] != part[i])
			return false;
		unit = unit || part[i] == '@';
	}
	return name[len] == '\0' || (!unit && name[len] == '@');
}

int fdt_read_path(const struct fdt_reader *r, const char *path)
{
	int node = fdt_read_root(r);

	while (node != FDT_NONE) {
		uint32_t len = 0;

		while (*path == '/')
			path++;
		if (*path == '\0')
			return node;
		while (path[len] && path[len] != '/')
			len++;
		node = fdt_read_child(r, node);
		while (node != FDT_NONE && !fdt_name_matches(fdt_read_name(r, node), path, len))
			node = fdt_read_sibling(r, node);
		path += len;
	}
	return FDT_NONE;
}

static bool fdt_list_holds(const char *list, uint32_t len, const char *s)
{
	uint32_t at = 0;

	while (at < len) {
		uint32_t n = fdt_strnlen(list + at, len - at);

		if (n == len - at)
			return false; /* the last one has no end */
		if (fdt_streq(list + at, s))
			return true;
		at += n + 1;
	}
	return false;
}

int fdt_read_compatible(const struct fdt_reader *r, int node, const char *compatible)
{
	struct fdt_token t;
	uint32_t at = 0;

	if (node != FDT_NONE) {
		if (!fdt_node_token(r, node, &t))
			return FDT_NONE;
		at = t.next;
	}
	for (; fdt_token(r, at, &t); at = t.next) {
		const void *list;
		uint32_t len;

		if (t.kind != FDT_BEGIN)
			continue;
		list = fdt_read_prop(r, (int)at, "compatible", &len);
		if (list && fdt_list_holds(list, len, compatible))
			return (int)at;
	}
	return FDT_NONE;
}

const void *fdt_read_prop(const struct fdt_reader *r, int node, const char *name, uint32_t *len)
{
	struct fdt_token t;
	uint32_t at;

	if (!fdt_node_token(r, node, &t))
		return NULL;
	/* Properties stand before the first child. */
	for (at = t.next; fdt_token(r, at, &t); at = t.next) {
		if (t.kind == FDT_BEGIN || t.kind == FDT_END_NODE)
			break;
		if (t.kind == FDT_PROP && fdt_streq(t.name, name)) {
			*len = t.len;
			return t.value;
		}
	}
	return NULL;
}

bool fdt_read_u32(const struct fdt_reader *r, int node, const char *name, uint32_t *value)
{
	uint32_t len;
	const uint8_t *p = fdt_read_prop(r, node, name, &len);

	if (!p || len != 4)
		return false;
	*value = fdt_be32(p);
	return true;
}

bool fdt_read_u64(const struct fdt_reader *r, int node, const char *name, uint64_t *value)
{
	uint32_t len;
	const uint8_t *p = fdt_read_prop(r, node, name, &len);

	if (!p || len != 8)
		return false;
	*value = fdt_be64(p);
	return true;
}

bool fdt_read_reg(
	const struct fdt_reader *r, int node, unsigned int index, uint64_t *base, uint64_t *size)
{
	uint32_t len;
	const uint8_t *p = fdt_read_prop(r, node, "reg", &len);

	if (!p || index >= len / 16)
		return false;
	*base = fdt_be64(p + index * 16u);
	*size = fdt_be64(p + index * 16u + 8);
	return true;
}

const char *fdt_read_string(const struct fdt_reader *r, int node, const char *name)
{
	uint32_t len;
	const char *s = fdt_read_prop(r, node, name, &len);

	if (!s || len == 0 || fdt_strnlen(s, len) != len - 1)
		return NULL;
	return s;
}

bool fdt_read_bytes(const struct fdt_reader *r, int node, const char *name, void *buf, uint32_t len)
{
	const uint8_t *p;
	uint8_t *out = buf;
	uint32_t have, i;

	p = fdt_read_prop(r, node, name, &have);
	if (!p || have != len)
		return false;
	for (i = 0; i < len; i++)
		out[i] = p[i];
	return true;
}
