/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ELF64 programs. */
#include "task/elf.h"

#include "kernel/errno.h"
#include "lib/string.h"

int elf_parse_header(const void *buf, size_t len, struct elf_image *img)
{
	Elf64_Ehdr h;

	memset(img, 0, sizeof(*img));
	if (len < sizeof(h))
		return -ENOEXEC;
	memcpy(&h, buf, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_ident[EI_CLASS] != ELFCLASS64 ||
		h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != EM_X86_64)
		return -ENOEXEC;
	if (h.e_type != ET_EXEC && h.e_type != ET_DYN)
		return -ENOEXEC;
	if (h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phnum == 0 || h.e_phnum > ELF_PHDRS_MAX)
		return -ENOEXEC;
	if (h.e_phoff > INT64_MAX - sizeof(Elf64_Phdr) * ELF_PHDRS_MAX)
		return -ENOEXEC;
	img->dynamic = h.e_type == ET_DYN;
	img->entry = h.e_entry;
	img->phoff = h.e_phoff;
	img->phnum = h.e_phnum;
	return 0;
}

static int elf_add_load(const Elf64_Phdr *p, u64 limit, struct elf_image *img)
{
	struct elf_segment *s;
	u64 end, file_end;

	if (p->p_memsz == 0)
		return 0;
	if (img->nsegments == ELF_LOADS_MAX)
		return -ENOEXEC;
	if (p->p_filesz > p->p_memsz || ((p->p_vaddr ^ p->p_offset) & (PAGE_SIZE - 1)))
		return -EINVAL;
	if (__builtin_add_overflow(p->p_vaddr, p->p_memsz, &end) || end > limit)
		return -EINVAL;
	if (__builtin_add_overflow(p->p_offset, p->p_filesz, &file_end) || file_end > INT64_MAX)
		return -EINVAL;
	s = &img->segment[img->nsegments];
	/* Ascending, as the specification says: later segments may not take pages away from earlier ones. */
	if (img->nsegments && p->p_vaddr < s[-1].vaddr + s[-1].memsz)
		return -EINVAL;
	s->vaddr = p->p_vaddr;
	s->memsz = p->p_memsz;
	s->filesz = p->p_filesz;
	s->offset = p->p_offset;
	s->flags = p->p_flags;
	if (!img->nsegments++)
		img->low = ALIGN_DOWN(p->p_vaddr, PAGE_SIZE);
	img->high = ALIGN_UP(end, PAGE_SIZE);
	if (p->p_align > img->align && (p->p_align & (p->p_align - 1)) == 0 &&
		p->p_align <= (1UL << 30))
		img->align = p->p_align;
	return 0;
}

static void elf_find_phdrs(struct elf_image *img)
{
	u64 end = img->phoff + img->phnum * sizeof(Elf64_Phdr);
	u32 i;

	for (i = 0; i < img->nsegments && !img->phdr_vaddr; i++) {
		const struct elf_segment *s = &img->segment[i];

		if (s->offset <= img->phoff && end <= s->offset + s->filesz)
			img->phdr_vaddr = s->vaddr + (img->phoff - s->offset);
	}
}

int elf_parse_segments(const Elf64_Phdr *ph, u64 limit, struct elf_image *img)
{
	int ret;
	u32 i;

	img->align = PAGE_SIZE;
	for (i = 0; i < img->phnum; i++) {
		const Elf64_Phdr *p = &ph[i];

		switch (p->p_type) {
		case PT_LOAD:
			ret = elf_add_load(p, limit, img);
			if (ret < 0)
				return ret;
			break;
		case PT_INTERP:
			if (img->interp_len)
				break;
			if (p->p_filesz < 2 || p->p_filesz > ELF_INTERP_MAX ||
				p->p_offset > INT64_MAX - ELF_INTERP_MAX)
				return -ENOEXEC;
			img->interp_offset = p->p_offset;
			img->interp_len = p->p_filesz;
			break;
		case PT_GNU_STACK:
			img->stack_seen = true;
			img->stack_exec = p->p_flags & PF_X;
			break;
		default:
			break;
		}
	}
	if (!img->nsegments)
		return -EINVAL;
	elf_find_phdrs(img);
	if (img->entry >= limit)
		return -EINVAL;
	return 0;
}
