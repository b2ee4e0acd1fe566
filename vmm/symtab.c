/* SPDX-License-Identifier: Apache-2.0 */
/* Symbol look-up in an ELF64 image. */
#include <config.h>
#include "vmm/symtab.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#define SYMTAB_FAR (1u << 20) /* bytes above the last symbol where its name means nothing */

static bool symtab_section(
	const char *image, size_t size, const Elf64_Ehdr *eh, unsigned index, Elf64_Shdr *sh)
{
	uint64_t at, end;

	if (index >= eh->e_shnum || eh->e_shentsize != sizeof(*sh))
		return false;
	if (__builtin_add_overflow(eh->e_shoff, (uint64_t)index * sizeof(*sh), &at) ||
		__builtin_add_overflow(at, sizeof(*sh), &end) || end > size)
		return false;
	memcpy(sh, image + at, sizeof(*sh));
	return !__builtin_add_overflow(sh->sh_offset, sh->sh_size, &end) && end <= size;
}

void symtab_init(struct symtab *t, const void *image, size_t size)
{
	const char *base = image;
	Elf64_Shdr sym, str;
	Elf64_Ehdr eh;
	unsigned i;

	memset(t, 0, sizeof(*t));
	if (size < sizeof(eh))
		return;
	memcpy(&eh, image, sizeof(eh));
	for (i = 0; i < eh.e_shnum; i++) {
		if (!symtab_section(base, size, &eh, i, &sym) || sym.sh_type != SHT_SYMTAB)
			continue;
		if (!symtab_section(base, size, &eh, sym.sh_link, &str) || str.sh_size == 0 ||
			base[str.sh_offset + str.sh_size - 1] != '\0')
			return;
		t->symbols = base + sym.sh_offset;
		t->count = sym.sh_size / sizeof(Elf64_Sym);
		t->strings = base + str.sh_offset;
		t->strings_size = str.sh_size;
		return;
	}
}

const char *symtab_find(const struct symtab *t, uint64_t addr, uint64_t *offset)
{
	const char *best = NULL;
	uint64_t best_value = 0;
	size_t i;

	for (i = 0; i < t->count; i++) {
		Elf64_Sym s;

		memcpy(&s, t->symbols + i * sizeof(s), sizeof(s));
		if (s.st_shndx == SHN_UNDEF || s.st_shndx >= SHN_LORESERVE ||
			s.st_name >= t->strings_size || t->strings[s.st_name] == '\0' ||
			ELF64_ST_TYPE(s.st_info) > STT_FUNC)
			continue;
		/* Of two names for one address take the last: globals follow locals in the table. */
		if (s.st_value <= addr && s.st_value >= best_value) {
			best_value = s.st_value;
			best = t->strings + s.st_name;
		}
	}
	if (!best || addr - best_value > SYMTAB_FAR)
		return NULL;
	*offset = addr - best_value;
	return best;
}

/* The description of the build id in the notes [p, p + len), its length in *size; NULL when it is not there. */
static const char *symtab_note(const char *p, size_t len, size_t *size)
{
	while (len > sizeof(Elf64_Nhdr)) {
		size_t name, desc, whole;
		Elf64_Nhdr n;

		memcpy(&n, p, sizeof(n));
		name = ((size_t)n.n_namesz + 3) & ~(size_t)3;
		desc = ((size_t)n.n_descsz + 3) & ~(size_t)3;
		whole = sizeof(n) + name + desc;
		if (whole > len)
			return NULL;
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == sizeof(ELF_NOTE_GNU) &&
			memcmp(p + sizeof(n), ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0) {
			*size = n.n_descsz;
			return p + sizeof(n) + name;
		}
		p += whole;
		len -= whole;
	}
	return NULL;
}

size_t symtab_build_id(const void *image, size_t size, uint8_t *id, size_t room)
{
	const char *base = image, *desc;
	Elf64_Shdr note;
	Elf64_Ehdr eh;
	size_t len;
	unsigned i;

	if (size < sizeof(eh))
		return 0;
	memcpy(&eh, image, sizeof(eh));
	for (i = 0; i < eh.e_shnum; i++) {
		if (!symtab_section(base, size, &eh, i, &note) || note.sh_type != SHT_NOTE)
			continue;
		desc = symtab_note(base + note.sh_offset, note.sh_size, &len);
		if (!desc)
			continue;
		len = len < room ? len : room;
		memcpy(id, desc, len);
		return len;
	}
	return 0;
}
