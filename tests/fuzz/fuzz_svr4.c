/* SPDX-License-Identifier: Apache-2.0 */
/* The list of shared libraries in the memory of a program that lies. */
#include <config.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/debug/gdb_task.h"
#include "tests/fuzz/fuzz.h"

#define BASE 0x1000u

struct image {
	const uint8_t *data;
	size_t size;
};

static int image_read(void *arg, uint64_t addr, void *buf, size_t len)
{
	const struct image *m = arg;

	if (addr < BASE || addr - BASE >= m->size)
		return -EFAULT;
	addr -= BASE;
	len = len < m->size - addr ? len : m->size - addr;
	memcpy(buf, m->data + addr, len);
	return (int)len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t auxv[] = { AT_PHDR, BASE, AT_PHNUM, size ? data[size - 1] : 0, AT_NULL, 0 };
	struct image m = { data, size };
	struct svr4_memory mem = { image_read, &m };
	char *text = NULL;
	size_t len = 0;

	if (svr4_libraries(&mem, auxv, sizeof(auxv) / sizeof(auxv[0]), &text, &len) == 0 &&
		(len != strlen(text) || strncmp(text, "<library-list-svr4", 18) != 0))
		abort();
	free(text);
	return 0;
}

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	/* Program headers, dynamic section, r_debug, two link maps, a name; the last byte is the number of program headers. */
	struct {
		Elf64_Phdr phdr[2];
		Elf64_Dyn dyn[2];
		uint64_t debug[5];
		uint64_t map[2][5];
		char name[15];
		uint8_t count;
	} s;

	if (room < sizeof(s))
		return 0;
	memset(&s, 0, sizeof(s));
	s.phdr[0].p_type = PT_PHDR;
	s.phdr[0].p_vaddr = BASE;
	s.phdr[1].p_type = PT_DYNAMIC;
	s.phdr[1].p_vaddr = BASE + ((uintptr_t)&s.dyn - (uintptr_t)&s);
	s.dyn[0].d_tag = DT_DEBUG;
	s.dyn[0].d_un.d_ptr = BASE + ((uintptr_t)&s.debug - (uintptr_t)&s);
	s.debug[1] = BASE + ((uintptr_t)&s.map[0] - (uintptr_t)&s);
	s.map[0][3] = BASE + ((uintptr_t)&s.map[1] - (uintptr_t)&s);
	s.map[1][1] = BASE + ((uintptr_t)&s.name - (uintptr_t)&s);
	memcpy(s.name, "/lib/a<b>.so", 13);
	s.count = 2;
	memcpy(buf, &s, sizeof(s));
	return sizeof(s);
}
