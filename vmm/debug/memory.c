/* SPDX-License-Identifier: Apache-2.0 */
/* Guest-physical memory for the debugger, and breakpoints in it. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/debug/internal.h"
#include "vmm/vm.h"

#define DEBUG_PAGE    4096u
#define DEBUG_INT3    0xcc
#define DEBUG_RUN_MAX (1u << 20) /* bytes of one run that FIND_DATA answers with */
#define DEBUG_RESIDENT_MAX \
	(8ull << 30) /* RAM above this is not counted: the kernel would take too long */

/* ---- breakpoints */

/* The one at gpa, NULL when there is none. */
static struct debug_break *break_find(struct debug_server *s, uint64_t gpa)
{
	unsigned i;

	for (i = 0; i < s->nbreaks; i++) {
		if (s->breaks[i].owner && s->breaks[i].gpa == gpa)
			return &s->breaks[i];
	}
	return NULL;
}

static uint8_t *break_byte(const struct debug_server *s, uint64_t gpa)
{
	return gmem_ptr(&s->vm->mem, gpa, 1, true);
}

uint32_t debug_break_add(struct debug_server *s, struct debug_conn *c, uint64_t gpa)
{
	uint8_t *p = break_byte(s, gpa);
	unsigned i;

	if (!p)
		return EFAULT;
	if (break_find(s, gpa))
		return EEXIST;
	for (i = 0; i < DEBUG_BREAKS && s->breaks[i].owner; i++)
		;
	if (i == DEBUG_BREAKS)
		return ENOSPC;
	s->breaks[i] = (struct debug_break){ .gpa = gpa, .owner = c, .saved = *p };
	if (i >= s->nbreaks)
		s->nbreaks = i + 1;
	*p = DEBUG_INT3;
	return 0;
}

static void break_remove(struct debug_server *s, struct debug_break *b)
{
	uint8_t *p = break_byte(s, b->gpa);

	/* The page may have got another content since. */
	if (p && *p == DEBUG_INT3)
		*p = b->saved;
	b->owner = NULL;
}

uint32_t debug_break_del(struct debug_server *s, struct debug_conn *c, uint64_t gpa)
{
	struct debug_break *b = break_find(s, gpa);

	if (!b || b->owner != c)
		return ENOENT;
	break_remove(s, b);
	return 0;
}

void debug_break_release(struct debug_server *s, struct debug_conn *c)
{
	unsigned i;

	for (i = 0; i < s->nbreaks; i++) {
		if (s->breaks[i].owner == c)
			break_remove(s, &s->breaks[i]);
	}
}

/* ---- reading and writing */

static bool mem_inside(uint64_t gpa, uint32_t len, uint64_t base, uint64_t size)
{
	return gpa >= base && gpa - base < size && len <= size - (gpa - base);
}

/*
 * A page of the window may have no file behind it, or one that was cut: touching it would end this process. The kernel's copy into a pipe
 * fails instead.
 */
static uint32_t mem_read_dax(struct debug_server *s, uint64_t gpa, uint8_t *buf, uint32_t len)
{
	const uint8_t *p = s->vm->dax + (gpa - CM_GPA_DAX);

	/* #syscalls:dbg pipe2 read write */
	if (s->pipe[0] < 0 && pipe2(s->pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return (uint32_t)errno;
	while (len > 0) {
		uint32_t part = DEBUG_PAGE - (uint32_t)((uintptr_t)p % DEBUG_PAGE);
		ssize_t n;

		part = part < len ? part : len;
		n = write(s->pipe[1], p, part);
		if (n <= 0)
			return n < 0 ? (uint32_t)errno : EIO;
		n = read(s->pipe[0], buf, (size_t)n);
		if (n <= 0)
			return EIO;
		p += n;
		buf += n;
		len -= (uint32_t)n;
	}
	return 0;
}

uint32_t debug_mem_read(struct debug_server *s, uint64_t gpa, void *buf, uint32_t len)
{
	uint8_t *to = buf;
	unsigned i;

	if (mem_inside(gpa, len, CM_GPA_DAX, s->vm->dax_size))
		return mem_read_dax(s, gpa, buf, len);
	if (gmem_read(&s->vm->mem, gpa, buf, len) < 0)
		return EFAULT;
	for (i = 0; i < s->nbreaks; i++) {
		const struct debug_break *b = &s->breaks[i];

		if (b->owner && b->gpa >= gpa && b->gpa - gpa < len &&
			to[b->gpa - gpa] == DEBUG_INT3)
			to[b->gpa - gpa] = b->saved;
	}
	return 0;
}

uint32_t debug_mem_write(struct debug_server *s, uint64_t gpa, const void *buf, uint32_t len)
{
	const uint8_t *from = buf;
	unsigned i;

	if (mem_inside(gpa, len, CM_GPA_DAX, s->vm->dax_size))
		return EROFS;
	if (gmem_write(&s->vm->mem, gpa, buf, len) < 0)
		return EFAULT;
	for (i = 0; i < s->nbreaks; i++) {
		struct debug_break *b = &s->breaks[i];

		if (!b->owner || b->gpa < gpa || b->gpa - gpa >= len)
			continue;
		b->saved = from[b->gpa - gpa];
		*break_byte(s, b->gpa) = DEBUG_INT3;
	}
	return 0;
}

/* ---- where there is anything */

static bool mem_page_is_zero(const uint8_t *p)
{
	const uint64_t *w = (const uint64_t *)(const void *)p;
	size_t i;

	for (i = 0; i < DEBUG_PAGE / sizeof(*w); i += 8) {
		if (w[i] | w[i + 1] | w[i + 2] | w[i + 3] | w[i + 4] | w[i + 5] | w[i + 6] |
			w[i + 7])
			return false;
	}
	return true;
}

uint32_t debug_mem_find(struct debug_server *s, struct cm_dbg_range *r)
{
	uint64_t at, end;

	if ((r->gpa | r->len) % DEBUG_PAGE != 0)
		return EINVAL;
	if (r->gpa < CM_GPA_RAM || r->gpa - CM_GPA_RAM > s->vm->ram_size ||
		r->len > s->vm->ram_size - (r->gpa - CM_GPA_RAM))
		return EFAULT;
	at = r->gpa - CM_GPA_RAM;
	end = at + (r->len < CM_DBG_FIND_MAX ? r->len : CM_DBG_FIND_MAX);
	while (at < end && mem_page_is_zero(s->vm->ram + at))
		at += DEBUG_PAGE;
	r->gpa = CM_GPA_RAM + at;
	if (end - at > DEBUG_RUN_MAX)
		end = at + DEBUG_RUN_MAX;
	while (at < end && !mem_page_is_zero(s->vm->ram + at))
		at += DEBUG_PAGE;
	r->len = CM_GPA_RAM + at - r->gpa;
	return 0;
}

uint64_t debug_mem_resident(const struct vm *vm)
{
	enum {
		CHUNK = 64 << 20
	};
	static unsigned char map[CHUNK / DEBUG_PAGE];
	uint64_t at, pages = 0;
	size_t i;

	if (vm->ram_size > DEBUG_RESIDENT_MAX)
		return 0;
	for (at = 0; at < vm->ram_size; at += CHUNK) {
		size_t len = vm->ram_size - at < CHUNK ? vm->ram_size - at : CHUNK;

		/* #syscalls:dbg mincore */
		if (mincore(vm->ram + at, len, map) < 0)
			return 0;
		for (i = 0; i < len / DEBUG_PAGE; i++)
			pages += map[i] & 1;
	}
	return pages * DEBUG_PAGE;
}
