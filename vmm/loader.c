/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded ELF64 loader. */
#include <config.h>
#include "vmm/loader.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <casemate/guestmem.h>

static int loader_header(const void *image, size_t size, Elf64_Ehdr *eh, struct cm_err *err)
{
	uint64_t end;

	if (size < sizeof(*eh))
		return cm_err_set(
			err, 0, "guest image: %zu bytes, too short for an ELF header", size);
	memcpy(eh, image, sizeof(*eh));
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
		eh->e_ident[EI_DATA] != ELFDATA2LSB)
		return cm_err_set(err, 0, "guest image: not a little-endian ELF64 file");
	if (eh->e_machine != EM_X86_64 || eh->e_type != ET_EXEC)
		return cm_err_set(err, 0, "guest image: machine %u type %u, want x86-64 ET_EXEC",
			eh->e_machine, eh->e_type);
	if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum == 0)
		return cm_err_set(err, 0, "guest image: %u program headers of %u bytes",
			eh->e_phnum, eh->e_phentsize);
	if (__builtin_add_overflow(eh->e_phoff, (uint64_t)eh->e_phnum * sizeof(Elf64_Phdr), &end) ||
		end > size)
		return cm_err_set(err, 0, "guest image: program headers outside the file");
	return 0;
}

static int loader_add(const Elf64_Phdr *ph, unsigned index, size_t size, uint64_t ram,
	struct loader_plan *plan, struct cm_err *err)
{
	struct loader_segment s = {
		.offset = ph->p_offset,
		.filesz = ph->p_filesz,
		.memsz = ph->p_memsz,
	};
	uint64_t end;

	if (__builtin_add_overflow(s.offset, s.filesz, &end) || end > size || s.filesz > s.memsz)
		return cm_err_set(err, 0, "guest image: segment %u outside the file", index);
	if (ph->p_paddr < CM_GPA_RAM + CM_IMAGE_OFFSET)
		return cm_err_set(err, 0, "guest image: segment %u at %#llx, below the image area",
			index, (unsigned long long)ph->p_paddr);
	s.ram_offset = ph->p_paddr - CM_GPA_RAM;
	if (__builtin_add_overflow(s.ram_offset, s.memsz, &end) || end > ram)
		return cm_err_set(err, ENOMEM,
			"guest image: segment %u ends beyond %llu bytes of memory", index,
			(unsigned long long)ram);
	if (s.ram_offset < plan->end)
		return cm_err_set(err, 0, "guest image: segment %u overlaps another", index);
	if (plan->nsegments == LOADER_SEGMENTS_MAX)
		return cm_err_set(
			err, 0, "guest image: more than %d segments", LOADER_SEGMENTS_MAX);
	plan->segment[plan->nsegments++] = s;
	plan->end = end;
	return 0;
}

static bool loader_holds_entry(const Elf64_Phdr *ph, uint64_t entry)
{
	return entry >= ph->p_vaddr && entry - ph->p_vaddr < ph->p_filesz;
}

int loader_parse(
	const void *image, size_t size, uint64_t ram, struct loader_plan *plan, struct cm_err *err)
{
	bool entry_found = false;
	Elf64_Ehdr eh;
	unsigned i;
	int r;

	r = loader_header(image, size, &eh, err);
	if (r < 0)
		return r;
	memset(plan, 0, sizeof(*plan));
	plan->entry = eh.e_entry;
	plan->end = CM_IMAGE_OFFSET;
	for (i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, (const char *)image + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type != PT_LOAD || ph.p_memsz == 0)
			continue;
		r = loader_add(&ph, i, size, ram, plan, err);
		if (r < 0)
			return r;
		entry_found = entry_found || loader_holds_entry(&ph, eh.e_entry);
	}
	if (!entry_found)
		return cm_err_set(err, 0, "guest image: entry %#llx in no segment",
			(unsigned long long)eh.e_entry);
	return 0;
}

void loader_copy(const void *image, const struct loader_plan *plan, void *ram)
{
	unsigned i;

	for (i = 0; i < plan->nsegments; i++) {
		const struct loader_segment *s = &plan->segment[i];

		memcpy((char *)ram + s->ram_offset, (const char *)image + s->offset, s->filesz);
	}
}
