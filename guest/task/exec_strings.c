/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments and environment on their way from one program to the next. */
#include "task/exec_strings.h"

#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "mm/usercopy.h"

#define EXEC_LIMIT_MIN (128UL << 10)
#define EXEC_LIMIT_MAX (6UL << 20)

_Static_assert(sizeof(struct exec_chunk) == PAGE_SIZE, "a chunk is a page");

void exec_strings_init(struct exec_strings *s, u64 stack_limit)
{
	memset(s, 0, sizeof(*s));
	list_init(&s->chunks);
	s->limit = MIN(MAX(stack_limit / 4, EXEC_LIMIT_MIN), EXEC_LIMIT_MAX);
}

void exec_strings_fini(struct exec_strings *s)
{
	struct exec_chunk *c, *next;

	list_for_each_entry_safe (c, next, &s->chunks, link)
		page_free_va(c, 0);
	list_init(&s->chunks);
	while (s->nprefix)
		kfree(s->prefix[--s->nprefix]);
}

/* The chunk to go on writing to, with room; NULL = no memory. */
static struct exec_chunk *exec_strings_room(struct exec_strings *s)
{
	struct exec_chunk *c;

	if (!list_empty(&s->chunks)) {
		c = list_last_entry(&s->chunks, struct exec_chunk, link);
		if (c->used < sizeof(c->data))
			return c;
	}
	c = page_alloc_va(0, 0);
	if (!c)
		return NULL;
	c->used = 0;
	list_add_tail(&s->chunks, &c->link);
	return c;
}

static int exec_strings_charge(struct exec_strings *s, u64 n)
{
	s->bytes += n;
	return s->bytes > s->limit ? -E2BIG : 0;
}

int exec_strings_add(struct exec_strings *s, const char *str, size_t len)
{
	size_t left = len + 1;

	while (left) {
		struct exec_chunk *c = exec_strings_room(s);
		size_t n;

		if (!c)
			return -ENOMEM;
		n = MIN(left, sizeof(c->data) - c->used);
		memcpy(c->data + c->used, str, n);
		c->used += (u32)n;
		str += n;
		left -= n;
		if (exec_strings_charge(s, n) < 0)
			return -E2BIG;
	}
	return 0;
}

/* One user string; its length with the NUL, or -errno. */
static s64 exec_strings_add_one(struct exec_strings *s, uaddr_t src)
{
	u64 total = 0;

	for (;;) {
		struct exec_chunk *c = exec_strings_room(s);
		size_t room;
		s64 n;

		if (!c)
			return -ENOMEM;
		room = sizeof(c->data) - c->used;
		n = strncpy_from_user(c->data + c->used, src + total, room);
		if (n == -ENAMETOOLONG) {
			if (copy_from_user(c->data + c->used, src + total, room) < 0)
				return -EFAULT;
			n = (s64)room;
			room = 0;
		} else if (n < 0) {
			return n;
		} else {
			n++;
		}
		c->used += (u32)n;
		total += (u64)n;
		if (total > EXEC_STRING_MAX || exec_strings_charge(s, (u64)n) < 0)
			return -E2BIG;
		if (room)
			return (s64)total;
	}
}

s64 exec_strings_add_user(struct exec_strings *s, u64 vec)
{
	u32 n = 0;

	while (vec) {
		uaddr_t p;
		s64 len;

		if (get_user(p, vec + n * sizeof(p)) < 0)
			return -EFAULT;
		if (!p)
			break;
		if (exec_strings_charge(s, sizeof(p)) < 0)
			return -E2BIG;
		len = exec_strings_add_one(s, p);
		if (len < 0)
			return len;
		if (!s->first_len)
			s->first_len = (u64)len;
		n++;
	}
	return n;
}

u32 exec_strings_argc(const struct exec_strings *s)
{
	return s->argc - (s->drop_first ? 1 : 0) + s->nprefix;
}

int exec_strings_script(
	struct exec_strings *s, const char *interp, const char *arg, const char *script)
{
	const char *add[3] = { script, arg, interp };
	u32 i;

	if (s->nprefix + ARRAY_SIZE(add) > ARRAY_SIZE(s->prefix))
		return -ELOOP;
	/* The script's name stands where argv[0], or the name of a script above it, stood. */
	if (s->nprefix)
		kfree(s->prefix[--s->nprefix]);
	else
		s->drop_first = s->argc > 0;
	for (i = 0; i < ARRAY_SIZE(add); i++) {
		if (!add[i])
			continue;
		s->prefix[s->nprefix] = kstrdup(add[i]);
		if (!s->prefix[s->nprefix])
			return -ENOMEM;
		s->nprefix++;
	}
	return 0;
}
