/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the loaders of foreign kernels: a plan that is accepted must be safe to copy and to start. */
#include <config.h>

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <casemate/pcmachine.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/pc/image.h"

#define LOW (4u << 20)

/* Both boot protocols: an ELF32 file with a multiboot header, a PVH note and two segments. */
struct seed_image {
	Elf32_Ehdr eh;
	Elf32_Phdr ph[3];
	uint32_t multiboot[8];
	struct {
		Elf32_Nhdr h;
		char name[4];
		uint32_t entry;
	} xen;
	char text[64];
};

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	struct seed_image s = {
		.eh = { .e_ident = ELFMAG,
			.e_type = ET_EXEC,
			.e_machine = EM_386,
			.e_entry = 0x100000,
			.e_phoff = offsetof(struct seed_image, ph),
			.e_phnum = 3,
			.e_phentsize = sizeof(Elf32_Phdr) },
		.ph = { { .p_type = PT_LOAD,
				.p_offset = offsetof(struct seed_image, text),
				.p_vaddr = 0x100000,
				.p_paddr = 0x100000,
				.p_filesz = 64,
				.p_memsz = 64 },
			{ .p_type = PT_NOTE,
				.p_offset = offsetof(struct seed_image, xen),
				.p_filesz = sizeof(s.xen),
				.p_align = 4 },
			{ .p_type = PT_LOAD,
				.p_vaddr = 0x101000,
				.p_paddr = 0x101000,
				.p_memsz = 8192 } },
		.multiboot = { 0x1badb002, 0x10000, -0x1badb002 - 0x10000, 0x100000, 0x100000, 0, 0,
			0x100004 },
		.xen = { { 4, 4, 18 }, "Xen", 0x100010 },
	};

	s.eh.e_ident[EI_CLASS] = ELFCLASS32;
	s.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	if (room < sizeof(s))
		return 0;
	memcpy(buf, &s, sizeof(s));
	return sizeof(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum pc_image_format formats[] = { PC_FORMAT_AUTO, PC_FORMAT_FLAT16,
		PC_FORMAT_FLAT32 };
	struct pc_image plan;
	struct cm_err err;

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (pc_image_parse(data, size, LOW, formats[i], &plan, &err) < 0)
			continue;
		uint8_t *ram = malloc(LOW);

		if (!ram)
			return 0;
		if (plan.end > LOW || plan.entry >= LOW)
			abort();
		pc_image_copy(data, &plan, ram);
		free(ram);
	}
	return 0;
}
