/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the guest image loader and its symbol table: a plan that is accepted must be safe to copy. */
#include <config.h>

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <casemate/guestmem.h>

#include "common/err.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/loader.h"
#include "vmm/symtab.h"

#define RAM_BYTES (16u << 20)

/* Two segments, a symbol table and its strings. */
struct seed_image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	Elf64_Shdr sh[3];
	Elf64_Sym sym[2];
	char strings[16];
	char text[64];
};

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	struct seed_image s = {
		.eh = { .e_ident = ELFMAG,
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_entry = CM_KERNEL_IMAGE,
			.e_phoff = offsetof(struct seed_image, ph),
			.e_phnum = 2,
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_shoff = offsetof(struct seed_image, sh),
			.e_shnum = 3,
			.e_shentsize = sizeof(Elf64_Shdr) },
		.ph = { { .p_type = PT_LOAD,
				.p_offset = offsetof(struct seed_image, text),
				.p_vaddr = CM_KERNEL_IMAGE,
				.p_paddr = CM_GPA_RAM + CM_IMAGE_OFFSET,
				.p_filesz = 64,
				.p_memsz = 64 },
			{ .p_type = PT_LOAD,
				.p_vaddr = CM_KERNEL_IMAGE + 4096,
				.p_paddr = CM_GPA_RAM + CM_IMAGE_OFFSET + 4096,
				.p_filesz = 16,
				.p_memsz = 8192 } },
		.sh = { { .sh_type = SHT_NULL },
			{ .sh_type = SHT_SYMTAB,
				.sh_offset = offsetof(struct seed_image, sym),
				.sh_size = 2 * sizeof(Elf64_Sym),
				.sh_link = 2 },
			{ .sh_type = SHT_STRTAB,
				.sh_offset = offsetof(struct seed_image, strings),
				.sh_size = 16 } },
		.sym = { { 0 }, { .st_name = 1, .st_shndx = 1, .st_value = CM_KERNEL_IMAGE } },
		.strings = "\0_start",
	};

	s.eh.e_ident[EI_CLASS] = ELFCLASS64;
	s.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	if (room < sizeof(s))
		return 0;
	memcpy(buf, &s, sizeof(s));
	return sizeof(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loader_plan plan;
	struct symtab symbols;
	struct cm_err err;
	uint64_t offset;

	symtab_init(&symbols, data, size);
	symtab_find(&symbols, 0xffffffff80200010u, &offset);
	if (loader_parse(data, size, RAM_BYTES, &plan, &err) == 0) {
		void *ram = calloc(1, RAM_BYTES);

		if (!ram)
			return 0;
		loader_copy(data, &plan, ram);
		free(ram);
	}
	return 0;
}
