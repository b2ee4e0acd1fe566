/* SPDX-License-Identifier: Apache-2.0 */
/* The shared libraries of a dynamically linked program, by the list that its dynamic linker keeps for debuggers. All of it is the program's. */
#include <config.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/debug/gdb_task.h"

#define SVR4_PHDRS   64u
#define SVR4_DYNAMIC 512u
#define SVR4_MAPS    1024u
#define SVR4_NAME    1024u

/* struct link_map of <link.h>, its public part; struct r_debug: version, map, brk, state, base */
struct svr4_map {
	uint64_t addr, name, dynamic, next, prev;
};

static bool svr4_read(const struct svr4_memory *m, uint64_t at, void *buf, size_t len)
{
	return m->read(m->arg, at, buf, len) == (int)len;
}

static uint64_t svr4_auxv(const uint64_t *auxv, size_t words, uint64_t type)
{
	size_t i;

	for (i = 0; i + 1 < words && auxv[i] != AT_NULL; i += 2) {
		if (auxv[i] == type)
			return auxv[i + 1];
	}
	return 0;
}

/* Address of the program's dynamic section, 0 = it has none. */
static uint64_t svr4_dynamic(const struct svr4_memory *m, uint64_t phdr, uint64_t count)
{
	uint64_t base = 0, dynamic = 0;
	bool found = false;
	Elf64_Phdr p;
	uint64_t i;

	for (i = 0; i < count && i < SVR4_PHDRS; i++) {
		if (!svr4_read(m, phdr + i * sizeof(p), &p, sizeof(p)))
			return 0;
		if (p.p_type == PT_PHDR)
			base = phdr - p.p_vaddr;
		if (p.p_type == PT_DYNAMIC) {
			dynamic = p.p_vaddr;
			found = true;
		}
	}
	return found ? base + dynamic : 0;
}

/* Address of struct r_debug, 0 = not known (yet). */
static uint64_t svr4_debug(const struct svr4_memory *m, uint64_t dynamic)
{
	unsigned i;

	for (i = 0; i < SVR4_DYNAMIC; i++) {
		Elf64_Dyn d;

		if (!svr4_read(m, dynamic + i * sizeof(d), &d, sizeof(d)) || d.d_tag == DT_NULL)
			return 0;
		if (d.d_tag == DT_DEBUG)
			return d.d_un.d_ptr;
	}
	return 0;
}

static void svr4_name(const struct svr4_memory *m, uint64_t at, char *name)
{
	size_t n = 0;

	while (n < SVR4_NAME - 1 && svr4_read(m, at + n, &name[n], 1) && name[n])
		n++;
	name[n] = '\0';
}

static void svr4_escape(FILE *f, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c >= 0x7f || strchr("<>&\"'", c))
			fprintf(f, "&#x%x;", c < 0x20 ? '?' : c);
		else
			fputc(c, f);
	}
}

static void svr4_list(const struct svr4_memory *m, uint64_t debug, FILE *f)
{
	uint64_t head[2], at;
	struct svr4_map map;
	char name[SVR4_NAME];
	unsigned i;

	if (!debug || !svr4_read(m, debug, head, sizeof(head))) {
		fprintf(f, "<library-list-svr4 version=\"1.0\"/>");
		return;
	}
	fprintf(f, "<library-list-svr4 version=\"1.0\" main-lm=\"0x%llx\">",
		(unsigned long long)head[1]);
	for (i = 0, at = head[1]; at && i < SVR4_MAPS; i++, at = map.next) {
		if (!svr4_read(m, at, &map, sizeof(map)))
			break;
		svr4_name(m, map.name, name);
		/* The first is the program itself. */
		if (i == 0 || !*name)
			continue;
		fprintf(f, "<library name=\"");
		svr4_escape(f, name);
		fprintf(f, "\" lmid=\"0x0\" lm=\"0x%llx\" l_addr=\"0x%llx\" l_ld=\"0x%llx\"/>",
			(unsigned long long)at, (unsigned long long)map.addr,
			(unsigned long long)map.dynamic);
	}
	fprintf(f, "</library-list-svr4>");
}

int svr4_libraries(
	const struct svr4_memory *m, const uint64_t *auxv, size_t words, char **text, size_t *len)
{
	uint64_t dynamic =
		svr4_dynamic(m, svr4_auxv(auxv, words, AT_PHDR), svr4_auxv(auxv, words, AT_PHNUM));
	FILE *f = open_memstream(text, len);

	if (!f)
		return -ENOMEM;
	svr4_list(m, dynamic ? svr4_debug(m, dynamic) : 0, f);
	return fclose(f) == 0 ? 0 : -ENOMEM;
}
