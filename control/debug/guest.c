/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the guest's memory. */
#include <config.h>
#include "control/debug/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <casemate/guestmem.h>

#include "control/debug/text.h"

#define GUEST_PRESENT  1u
#define GUEST_HUGE     0x80u
#define GUEST_DEPTH    64 /* of a tree */
#define GUEST_TEXT_MAX 4096

static const struct {
	const char *type, *field;
	char kind;
} guest_fields[] = {
#define FIELD(type, field, name) { #type, field, 'F' },
#define CONST(name)		 { "", #name, 'C' },
#define SYMBOL(name)		 { "", #name, 'S' },
#include "control/debug/fields.def"
#undef FIELD
#undef CONST
#undef SYMBOL
};

void guest_forget(struct guest *g)
{
	size_t i;

	g->failed = 0;
	for (i = 0; i < GUEST_CACHE; i++)
		g->cache[i].gpa = ~0ull;
}

int guest_init(struct guest *g, struct cm_err *err)
{
	size_t i;

	guest_forget(g);
	for (i = 0; i < GUEST_FIELDS; i++) {
		const char *type = guest_fields[i].type, *field = guest_fields[i].field;
		bool found;

		if (guest_fields[i].kind == 'S')
			found = image_symbol(g->img, field, &g->field[i].value, &g->field[i].size);
		else
			found = image_layout(
				g->img, type, field, &g->field[i].value, &g->field[i].size);
		/* The size of a type is its value. */
		if (found && guest_fields[i].kind == 'F' && !*field)
			g->field[i].value = g->field[i].size;
		if (!found)
			return cm_err_set(err, ENOENT, "the sentry's file does not describe %s%s%s",
				type, *type && *field ? "." : "", field);
	}
	return 0;
}

/* ---- memory */

static const uint8_t *guest_page(struct guest *g, uint64_t gpa)
{
	uint64_t at = gpa & ~(uint64_t)(GUEST_PAGE - 1);
	size_t slot = at / GUEST_PAGE % GUEST_CACHE;

	if (g->cache[slot].gpa == at)
		return g->cache[slot].data;
	g->cache[slot].gpa = ~0ull;
	if (g->read(g->arg, at, g->cache[slot].data, GUEST_PAGE) < 0)
		return NULL;
	g->cache[slot].gpa = at;
	return g->cache[slot].data;
}

int guest_read_phys(struct guest *g, uint64_t gpa, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len > 0) {
		size_t at = gpa % GUEST_PAGE;
		size_t n = len < GUEST_PAGE - at ? len : GUEST_PAGE - at;
		const uint8_t *page = guest_page(g, gpa);

		if (!page)
			return -EFAULT;
		memcpy(to, page + at, n);
		to += n;
		gpa += n;
		len -= n;
	}
	return 0;
}

int guest_kernel_pa(const struct guest *g, uint64_t va, uint64_t *gpa)
{
	uint64_t pa;

	if (va >= CM_KERNEL_BASE)
		pa = va - CM_KERNEL_BASE + CM_GPA_RAM;
	else if (va >= CM_DIRECT_MAP && va - CM_DIRECT_MAP < CM_GPA_RAM + g->ram_size)
		pa = va - CM_DIRECT_MAP;
	else
		return -EFAULT;
	if (pa >= CM_GPA_RAM && pa - CM_GPA_RAM >= g->ram_size)
		return -EFAULT;
	*gpa = pa;
	return 0;
}

int guest_read(struct guest *g, uint64_t va, void *buf, size_t len)
{
	uint64_t gpa;
	int r = guest_kernel_pa(g, va, &gpa);

	if (r == 0 && len > g->ram_size)
		r = -EFAULT;
	if (r == 0)
		r = guest_read_phys(g, gpa, buf, len);
	if (r < 0)
		g->failed++;
	return r;
}

uint64_t guest_number(struct guest *g, uint64_t va, size_t size)
{
	uint64_t v = 0;

	if (size > sizeof(v) || guest_read(g, va, &v, size) < 0)
		return 0;
	return v;
}

const char *guest_string(struct guest *g, uint64_t va, size_t max, char *buf, size_t size)
{
	char raw[GUEST_TEXT_MAX];
	size_t n = 0, part;

	max = max < sizeof(raw) ? max : sizeof(raw);
	/* Page by page: a string at the end of memory may be shorter than max. */
	while (n < max && !(n > 0 && memchr(raw, 0, n))) {
		part = GUEST_PAGE - (va + n) % GUEST_PAGE;
		part = part < max - n ? part : max - n;
		if (guest_read(g, va + n, raw + n, part) < 0)
			break;
		n += part;
	}
	return text_escape(buf, size, raw, n);
}

uint64_t guest_get(struct guest *g, uint64_t va, enum guest_field f)
{
	return guest_number(g, va + g->field[f].value, g->field[f].size);
}

const char *guest_text(struct guest *g, uint64_t va, enum guest_field f, char *buf, size_t size)
{
	return guest_string(g, va + g->field[f].value, g->field[f].size, buf, size);
}

bool guest_list_next(struct guest *g, uint64_t head, uint64_t *pos, unsigned *n)
{
	uint64_t gpa, next = guest_get(g, *pos ? *pos : head, F_LIST_NEXT);

	if (next == head || *n >= GUEST_LIST || guest_kernel_pa(g, next, &gpa) < 0)
		return false;
	++*n;
	*pos = next;
	return true;
}

unsigned guest_tree(struct guest *g, uint64_t root,
	bool (*fn)(struct guest *g, uint64_t node, void *arg), void *arg)
{
	uint64_t stack[GUEST_DEPTH], node = guest_get(g, root, F_RB_ROOT), gpa;
	unsigned depth = 0, n = 0;

	for (;;) {
		while (node && depth < GUEST_DEPTH && n + depth < GUEST_LIST &&
			guest_kernel_pa(g, node, &gpa) == 0) {
			stack[depth++] = node;
			node = guest_get(g, node, F_RB_LEFT);
		}
		if (depth == 0 || n >= GUEST_LIST)
			return n;
		node = stack[--depth];
		n++;
		if (!fn(g, node, arg))
			return n;
		node = guest_get(g, node, F_RB_RIGHT);
	}
}

/* ---- page tables */

void guest_walk(struct guest *g, uint64_t root, uint64_t va, struct guest_walk *w)
{
	uint64_t table = root & GUEST_MASK_PA;
	unsigned level;

	memset(w, 0, sizeof(*w));
	/* On pvm the even page of two is the kernel's, which maps both halves. */
	if (g->pvm)
		table &= ~(uint64_t)GUEST_PAGE;
	for (level = 4; level >= 1; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		struct guest_step *s = &w->step[w->steps++];

		s->level = level;
		s->index = va >> shift & 511;
		s->table = table;
		s->read = guest_read_phys(g, table + 8ull * s->index, &s->entry, 8) == 0;
		if (!s->read || !(s->entry & GUEST_PRESENT))
			return;
		if (level == 1 || (level <= 3 && s->entry & GUEST_HUGE)) {
			w->size = 1ull << shift;
			w->gpa = (s->entry & GUEST_MASK_PA & ~(w->size - 1)) | (va & (w->size - 1));
			w->mapped = true;
			return;
		}
		table = s->entry & GUEST_MASK_PA;
	}
}

int guest_read_user(struct guest *g, uint64_t root, uint64_t va, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len > 0) {
		size_t n = GUEST_PAGE - va % GUEST_PAGE;
		struct guest_walk w;
		int r;

		n = n < len ? n : len;
		guest_walk(g, root, va, &w);
		if (!w.mapped)
			return -EFAULT;
		r = guest_read_phys(g, w.gpa, to, n);
		if (r < 0)
			return r;
		to += n;
		va += n;
		len -= n;
	}
	return 0;
}
