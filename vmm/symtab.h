/* SPDX-License-Identifier: Apache-2.0 */
/* Looks up the names of guest addresses in the symbol table of a guest image, for reports. Reads the image only; bounded against any file. */
#ifndef CM_VMM_SYMTAB_H
#define CM_VMM_SYMTAB_H

#include <stddef.h>
#include <stdint.h>

struct symtab {
	const char *symbols; /* Elf64_Sym entries, maybe unaligned */
	size_t count;
	const char *strings;
	size_t strings_size;
};

/* Find .symtab of `image`, which must outlive t. An image without one gives an empty table. */
void symtab_init(struct symtab *t, const void *image, size_t size);

/* Name of the function or object at or below `addr`, NULL when there is none; *offset = distance from it. */
const char *symtab_find(const struct symtab *t, uint64_t addr, uint64_t *offset);

/* Copy the image's build id (NT_GNU_BUILD_ID, at most `room` bytes) and return its length, 0 when it has none. */
size_t symtab_build_id(const void *image, size_t size, uint8_t *id, size_t room);

#endif
