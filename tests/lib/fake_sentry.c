/* SPDX-License-Identifier: Apache-2.0 */
/* A sentry for tests of the debugger. */
#include <config.h>

#include "tests/lib/fake_sentry.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <casemate/guestmem.h>

#define ELF_ROOM     65536u
#define ELF_SECTIONS 5
#define IMAGE_BASE   (CM_KERNEL_BASE + 0x10000)
#define SYMBOL_SIZE  0x1000u

struct layout {
	char type[24], field[24];
	uint64_t value, size;
};

static const struct {
	const char *type, *field;
	char kind;
} fields[] = {
#define FIELD(type, field, name) { #type, field, 'F' },
#define CONST(name)		 { "", #name, 'C' },
#define SYMBOL(name)		 { "", #name, 'S' },
#include "control/debug/fields.def"
#undef FIELD
#undef CONST
#undef SYMBOL
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static uint64_t constant(const char *name, size_t i)
{
	if (strcmp(name, "KSTACK_SIZE") == 0)
		return 4096;
	if (strcmp(name, "CM_MAX_CPUS") == 0)
		return 2;
	if (strcmp(name, "TRACE_RING_SIZE") == 0 || strcmp(name, "NMI_TEXT") == 0)
		return 512;
	if (strncmp(name, "THREAD_", 7) == 0 || strncmp(name, "GROUP_", 6) == 0)
		return i % 4;
	return 1ull << i % 32;
}

/* A field's place is that of its number within its type. */
static uint64_t place(size_t i)
{
	uint64_t n = 0;
	size_t k;

	for (k = 0; k < i; k++)
		n += strcmp(fields[k].type, fields[i].type) == 0 && *fields[k].field;
	return 16 * n;
}

static size_t add_string(char *strings, size_t *len, const char *s)
{
	size_t at = *len;

	memcpy(strings + at, s, strlen(s) + 1);
	*len += strlen(s) + 1;
	return at;
}

struct parts {
	struct layout layout[FIELDS];
	Elf64_Sym sym[FIELDS + 3];
	char strings[FIELDS * 32];
	size_t layouts, syms, len;
};

static void add_symbol(struct parts *p, const char *name, unsigned char type)
{
	Elf64_Sym s = {
		.st_name = (Elf64_Word)add_string(p->strings, &p->len, name),
		.st_info = ELF64_ST_INFO(STB_GLOBAL, type),
		.st_shndx = 1,
		.st_value = IMAGE_BASE + p->syms * SYMBOL_SIZE,
		.st_size = SYMBOL_SIZE,
	};

	p->sym[p->syms++] = s;
}

static void fill_parts(struct parts *p)
{
	size_t i;

	p->len = 1;
	add_symbol(p, "function", STT_FUNC);
	add_symbol(p, "trap_kernel_entry", STT_NOTYPE);
	for (i = 0; i < FIELDS; i++) {
		struct layout *l = &p->layout[p->layouts];

		if (fields[i].kind == 'S') {
			add_symbol(p, fields[i].field, STT_OBJECT);
			continue;
		}
		strncpy(l->type, fields[i].type, sizeof(l->type) - 1);
		strncpy(l->field, fields[i].field, sizeof(l->field) - 1);
		l->value = fields[i].kind == 'C' ? constant(fields[i].field, i) : place(i);
		l->size = fields[i].kind == 'C' ? 0 : *fields[i].field ? 8 : 512;
		p->layouts++;
	}
}

static void put_section(uint8_t *elf, size_t *at, Elf64_Shdr *sh, const void *data, size_t len)
{
	memcpy(elf + *at, data, len);
	sh->sh_offset = *at;
	sh->sh_size = len;
	*at = (*at + len + 7) & ~(size_t)7;
}

uint8_t *fake_sentry_elf(size_t *size)
{
	static const char names[] = "\0casemate_layout\0.strtab";
	static struct parts p;
	Elf64_Shdr sh[ELF_SECTIONS] = { 0 };
	Elf64_Ehdr eh = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
		.e_machine = EM_X86_64,
		.e_shentsize = sizeof(sh[0]),
		.e_shnum = ELF_SECTIONS,
		.e_shstrndx = 4,
	};
	uint8_t *elf = calloc(1, ELF_ROOM);
	size_t at = sizeof(eh);

	if (!elf)
		abort();
	memset(&p, 0, sizeof(p));
	fill_parts(&p);
	sh[1].sh_type = SHT_PROGBITS;
	sh[1].sh_name = 1;
	put_section(elf, &at, &sh[1], p.layout, p.layouts * sizeof(p.layout[0]));
	sh[2].sh_type = SHT_SYMTAB;
	sh[2].sh_link = 3;
	put_section(elf, &at, &sh[2], p.sym, p.syms * sizeof(p.sym[0]));
	sh[3].sh_type = SHT_STRTAB;
	put_section(elf, &at, &sh[3], p.strings, p.len);
	sh[4].sh_type = SHT_STRTAB;
	put_section(elf, &at, &sh[4], names, sizeof(names));
	eh.e_shoff = at;
	memcpy(elf + at, sh, sizeof(sh));
	at += sizeof(sh);
	memcpy(elf, &eh, sizeof(eh));
	*size = at;
	return elf;
}

static int fake_read(void *arg, uint64_t gpa, void *buf, size_t len)
{
	const struct fake_sentry *f = arg;

	if (gpa < CM_GPA_RAM || gpa - CM_GPA_RAM >= FAKE_SENTRY_RAM ||
		len > FAKE_SENTRY_RAM - (gpa - CM_GPA_RAM))
		return -EFAULT;
	memcpy(buf, f->ram + (gpa - CM_GPA_RAM), len);
	return 0;
}

void fake_sentry_init(struct fake_sentry *f)
{
	struct cm_err err;
	uint8_t *elf;
	size_t size;

	memset(f, 0, sizeof(*f));
	elf = fake_sentry_elf(&size);
	f->img = image_parse(elf, size, &err);
	free(elf);
	f->ram = calloc(1, FAKE_SENTRY_RAM);
	f->g.read = fake_read;
	f->g.arg = f;
	f->g.ram_gpa = CM_GPA_RAM;
	f->g.ram_size = FAKE_SENTRY_RAM;
	f->g.img = f->img;
	/* Behind what the symbols name. */
	f->next = FAKE_SENTRY_RAM / 2;
	if (!f->img || !f->ram || guest_init(&f->g, &err) < 0)
		abort();
}

void fake_sentry_fini(struct fake_sentry *f)
{
	image_free(f->img);
	free(f->ram);
}

uint64_t fake_sentry_new(struct fake_sentry *f)
{
	uint64_t va = CM_DIRECT_MAP + CM_GPA_RAM + f->next;

	f->next += FAKE_SENTRY_OBJECT;
	if (f->next > FAKE_SENTRY_RAM)
		abort();
	return va;
}

void fake_sentry_put(struct fake_sentry *f, uint64_t va, uint64_t v)
{
	uint64_t gpa;

	if (guest_kernel_pa(&f->g, va, &gpa) < 0 || gpa < CM_GPA_RAM)
		abort();
	memcpy(f->ram + (gpa - CM_GPA_RAM), &v, sizeof(v));
}

void fake_sentry_set(struct fake_sentry *f, uint64_t object, enum guest_field field, uint64_t v)
{
	fake_sentry_put(f, guest_at(&f->g, object, field), v);
}

void fake_sentry_list(struct fake_sentry *f, uint64_t head)
{
	fake_sentry_put(f, guest_at(&f->g, head, F_LIST_NEXT), head);
}

void fake_sentry_link(struct fake_sentry *f, uint64_t head, uint64_t last, uint64_t link)
{
	fake_sentry_put(f, guest_at(&f->g, last, F_LIST_NEXT), link);
	fake_sentry_put(f, guest_at(&f->g, link, F_LIST_NEXT), head);
}

uint64_t fake_sentry_task(struct fake_sentry *f, int tid)
{
	uint64_t groups = guest_at(&f->g, guest_const(&f->g, S_pid_ns_root), F_PIDNS_GROUPS);
	uint64_t group = fake_sentry_new(f), task = fake_sentry_new(f), thread = fake_sentry_new(f);
	uint64_t tasks = guest_at(&f->g, group, F_GROUP_TASKS);

	fake_sentry_link(f, groups, groups, guest_at(&f->g, group, F_GROUP_NS_LINK));
	fake_sentry_link(f, tasks, tasks, guest_at(&f->g, task, F_TASK_GROUP_LINK));
	fake_sentry_set(f, group, F_GROUP_PID, (uint64_t)tid);
	fake_sentry_set(f, task, F_TASK_TID, (uint64_t)tid);
	fake_sentry_set(f, task, F_TASK_THREAD, thread);
	fake_sentry_set(f, thread, F_THREAD_TASK, task);
	return task;
}
