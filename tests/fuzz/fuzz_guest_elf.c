/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the sentry's ELF reader and #! lines: an accepted image must be safe to map. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "task/elf.h"
#include "task/exec_strings.h"
#include "tests/fuzz/fuzz.h"

#define LIMIT 0x00007ffffffff000UL

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr ph[3];
	} seed = {
		.h = { .e_ident = ELFMAG,
			.e_type = ET_DYN,
			.e_machine = EM_X86_64,
			.e_entry = 0x1000,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 3 },
		.ph = { { .p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_filesz = 4096,
				.p_memsz = 4096 },
			{ .p_type = PT_LOAD,
				.p_flags = PF_R | PF_W,
				.p_offset = 4096,
				.p_vaddr = 8192,
				.p_filesz = 100,
				.p_memsz = 9000 },
			{ .p_type = PT_INTERP, .p_offset = 64, .p_filesz = 20 } },
	};

	seed.h.e_ident[EI_CLASS] = ELFCLASS64;
	seed.h.e_ident[EI_DATA] = ELFDATA2LSB;
	if (room < sizeof(seed))
		return 0;
	memcpy(buf, &seed, sizeof(seed));
	return sizeof(seed);
}

static void check_image(const struct elf_image *img)
{
	u64 end = img->low;
	u32 i;

	if (!img->nsegments || img->nsegments > ELF_LOADS_MAX || img->high > LIMIT ||
		img->entry >= LIMIT || img->interp_len > ELF_INTERP_MAX)
		abort();
	for (i = 0; i < img->nsegments; i++) {
		const struct elf_segment *s = &img->segment[i];

		if (s->vaddr < end || s->filesz > s->memsz || s->vaddr + s->memsz > img->high ||
			s->offset + s->filesz < s->offset ||
			((s->vaddr ^ s->offset) & (PAGE_SIZE - 1)))
			abort();
		end = s->vaddr + s->memsz;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image img;
	char line[256], *interp, *arg;
	Elf64_Phdr *ph;
	size_t want;

	memset(line, 0, sizeof(line));
	memcpy(line, data, size < sizeof(line) ? size : sizeof(line));
	if (exec_parse_script(line, sizeof(line), &interp, &arg) == 0 &&
		(strlen(interp) >= sizeof(line) || !*interp ||
			(arg && (arg <= interp || strlen(arg) >= sizeof(line)))))
		abort();
	if (elf_parse_header(data, size, &img) < 0)
		return 0;
	want = img.phnum * sizeof(*ph);
	if (img.phoff > size || size - img.phoff < want)
		return 0;
	ph = malloc(want);
	memcpy(ph, data + img.phoff, want);
	if (elf_parse_segments(ph, LIMIT, &img) == 0)
		check_image(&img);
	free(ph);
	return 0;
}
