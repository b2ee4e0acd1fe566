/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading ELF64 programs: pure, bounded, fuzzed. The bytes come from a file that anybody may have written. elf_parse_header says how many
 * program headers to read, elf_parse_segments turns them into a checked list of segments.
 */
#ifndef TASK_ELF_H
#define TASK_ELF_H

#include <linux/elf.h>

#include "lib/types.h"

#define ELF_PHDRS_MAX  128
#define ELF_LOADS_MAX  32
#define ELF_INTERP_MAX 4096 /* bytes of the interpreter's path with its NUL */

struct elf_segment {
	u64 vaddr; /* as linked */
	u64 memsz, filesz, offset; /* bytes */
	u32 flags; /* PF_* */
};

struct elf_image {
	bool dynamic; /* ET_DYN: may be placed anywhere */
	u64 entry; /* as linked */
	u64 phoff; /* of the table in the file */
	u32 phnum;
	u64 phdr_vaddr; /* where the table is in memory, as linked; 0 = in no segment */
	u64 low, high; /* page-aligned span of all segments */
	u64 align; /* largest alignment wanted, a power of two >= PAGE_SIZE */
	bool stack_seen, stack_exec; /* PT_GNU_STACK */
	u64 interp_offset, interp_len; /* PT_INTERP; len 0 = none */
	u32 nsegments;
	struct elf_segment segment[ELF_LOADS_MAX];
};

/* First bytes of the file (len of them). 0, -ENOEXEC: no ELF64 x86-64 program. */
int elf_parse_header(const void *buf, size_t len, struct elf_image *img);
/* The img->phnum headers. `limit`: addresses must stay below. 0, -ENOEXEC, -EINVAL. */
int elf_parse_segments(const Elf64_Phdr *ph, u64 limit, struct elf_image *img);

#endif
