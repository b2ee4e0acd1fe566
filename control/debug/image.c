/* SPDX-License-Identifier: Apache-2.0 */
/* Symbols and layouts of the sentry's ELF file. */
#include <config.h>
#include "control/debug/image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

#define IMAGE_MAX (256u << 20)
#define IMAGE_FAR (1u << 20) /* bytes above the last symbol where its name means nothing */

/* As guest/debug/layout.h has it. */
struct image_layout {
	char type[24], field[24];
	uint64_t value, size;
};

struct image_symbol {
	uint64_t addr, size;
	const char *name;
	bool global;
};

struct image {
	char *path;
	char *data;
	size_t size;
	struct image_symbol *symbol; /* ascending by address, then locals before globals */
	size_t symbols;
	const struct image_layout *layout;
	size_t layouts;
};

static bool image_section(const struct image *img, const Elf64_Ehdr *eh, unsigned i, Elf64_Shdr *sh)
{
	uint64_t at, end;

	if (i >= eh->e_shnum || eh->e_shentsize != sizeof(*sh) ||
		__builtin_add_overflow(eh->e_shoff, (uint64_t)i * sizeof(*sh), &at) ||
		__builtin_add_overflow(at, sizeof(*sh), &end) || end > img->size)
		return false;
	memcpy(sh, img->data + at, sizeof(*sh));
	if (sh->sh_type == SHT_NOBITS)
		return true;
	return !__builtin_add_overflow(sh->sh_offset, sh->sh_size, &end) && end <= img->size;
}

/* Is the section a table of strings, which ends in a NUL? */
static bool image_strings(const struct image *img, const Elf64_Shdr *sh)
{
	return sh->sh_type == SHT_STRTAB && sh->sh_size > 0 &&
	       img->data[sh->sh_offset + sh->sh_size - 1] == '\0';
}

static int image_compare(const void *a, const void *b)
{
	const struct image_symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->global - y->global;
}

static int image_read_symbols(struct image *img, const Elf64_Shdr *sym, const Elf64_Shdr *str)
{
	size_t n = sym->sh_size / sizeof(Elf64_Sym), i;

	img->symbol = calloc(n + 1, sizeof(*img->symbol));
	if (!img->symbol)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		Elf64_Sym s;

		memcpy(&s, img->data + sym->sh_offset + i * sizeof(s), sizeof(s));
		if (s.st_shndx == SHN_UNDEF || s.st_shndx >= SHN_LORESERVE ||
			s.st_name >= str->sh_size || ELF64_ST_TYPE(s.st_info) > STT_FUNC ||
			!img->data[str->sh_offset + s.st_name])
			continue;
		img->symbol[img->symbols++] = (struct image_symbol){
			.addr = s.st_value,
			.size = s.st_size,
			.name = img->data + str->sh_offset + s.st_name,
			.global = ELF64_ST_BIND(s.st_info) != STB_LOCAL,
		};
	}
	qsort(img->symbol, img->symbols, sizeof(*img->symbol), image_compare);
	return 0;
}

static int image_read(struct image *img, struct cm_err *err)
{
	Elf64_Shdr sh, str, names;
	Elf64_Ehdr eh;
	unsigned i;
	int r;

	if (img->size < sizeof(eh) || memcmp(img->data, ELFMAG, SELFMAG) != 0)
		return cm_err_set(err, 0, "not an ELF file");
	memcpy(&eh, img->data, sizeof(eh));
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64 ||
		!image_section(img, &eh, eh.e_shstrndx, &names) || !image_strings(img, &names))
		return cm_err_set(err, 0, "not a sentry");
	for (i = 0; i < eh.e_shnum; i++) {
		if (!image_section(img, &eh, i, &sh))
			continue;
		if (sh.sh_type == SHT_SYMTAB && !img->symbol &&
			image_section(img, &eh, sh.sh_link, &str) && image_strings(img, &str)) {
			r = image_read_symbols(img, &sh, &str);
			if (r < 0)
				return cm_err_set(err, -r, "read the symbols");
		}
		if (sh.sh_type != SHT_PROGBITS || sh.sh_name >= names.sh_size ||
			strcmp(img->data + names.sh_offset + sh.sh_name, "casemate_layout") != 0 ||
			sh.sh_offset % 8 != 0)
			continue;
		img->layout = (const struct image_layout *)(const void *)(img->data + sh.sh_offset);
		img->layouts = sh.sh_size / sizeof(*img->layout);
	}
	if (img->symbols == 0 || img->layouts == 0)
		return cm_err_set(err, 0, "without symbols or the table of layouts");
	return 0;
}

static struct image *image_finish(struct image *img, struct cm_err *err)
{
	if (image_read(img, err) == 0)
		return img;
	image_free(img);
	return NULL;
}

struct image *image_parse(const void *data, size_t size, struct cm_err *err)
{
	struct image *img = calloc(1, sizeof(*img));

	if (img)
		img->data = malloc(size + 1);
	if (!img || !img->data) {
		free(img);
		cm_err_set(err, ENOMEM, "read the sentry");
		return NULL;
	}
	memcpy(img->data, data, size);
	img->size = size;
	return image_finish(img, err);
}

void image_free(struct image *img)
{
	if (!img)
		return;
	free(img->symbol);
	free(img->data);
	free(img->path);
	free(img);
}

const char *image_path(const struct image *img)
{
	return img->path;
}

/* The notes lie in a section of their own. */
static bool image_has_id(const struct image *img, const uint8_t *id, size_t len)
{
	Elf64_Ehdr eh;
	Elf64_Shdr sh;
	Elf64_Nhdr n;
	unsigned i;

	memcpy(&eh, img->data, sizeof(eh));
	for (i = 0; i < eh.e_shnum; i++) {
		if (!image_section(img, &eh, i, &sh) || sh.sh_type != SHT_NOTE ||
			sh.sh_size < sizeof(n) + sizeof(ELF_NOTE_GNU) + len)
			continue;
		memcpy(&n, img->data + sh.sh_offset, sizeof(n));
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == sizeof(ELF_NOTE_GNU) &&
			n.n_descsz == len &&
			memcmp(img->data + sh.sh_offset + sizeof(n) + sizeof(ELF_NOTE_GNU), id,
				len) == 0)
			return true;
	}
	return false;
}

static char *image_default_path(void)
{
	const char *dir = secure_getenv("CASEMATE_LIBEXECDIR");
	char *path;

	if (!dir)
		return strdup(CM_PKGLIBDIR "/sentry.elf");
	return asprintf(&path, "%s/guest/sentry.elf", dir) < 0 ? NULL : path;
}

static int image_slurp(struct image *img, struct cm_err *err)
{
	cleanup_fd int fd = open(img->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cm_err_set(err, errno, "open");
	if (!S_ISREG(st.st_mode) || st.st_size > IMAGE_MAX)
		return cm_err_set(err, 0, "not a file of a sentry's size");
	img->data = malloc((size_t)st.st_size + 1);
	if (!img->data)
		return cm_err_set(err, ENOMEM, "read");
	while (img->size < (size_t)st.st_size) {
		n = read(fd, img->data + img->size, (size_t)st.st_size - img->size);
		if (n < 0)
			return cm_err_set(err, errno, "read");
		if (n == 0)
			break;
		img->size += (size_t)n;
	}
	return 0;
}

struct image *image_load(
	const char *path, const uint8_t *build_id, size_t id_len, struct cm_err *err)
{
	struct image *img = calloc(1, sizeof(*img));

	if (img)
		img->path = path ? strdup(path) : image_default_path();
	if (!img || !img->path) {
		free(img);
		cm_err_set(err, ENOMEM, "read the sentry");
		return NULL;
	}
	if (image_slurp(img, err) < 0 || image_read(img, err) < 0) {
		cm_err_wrap(err, "sentry '%s'", img->path);
	} else if (id_len > 0 && !image_has_id(img, build_id, id_len)) {
		cm_err_set(err, 0, "sentry '%s': not the one that runs (see --sentry)", img->path);
	} else {
		return img;
	}
	image_free(img);
	return NULL;
}

bool image_symbol(const struct image *img, const char *name, uint64_t *addr, uint64_t *size)
{
	size_t i;

	for (i = 0; i < img->symbols; i++) {
		if (strcmp(img->symbol[i].name, name) != 0)
			continue;
		*addr = img->symbol[i].addr;
		if (size)
			*size = img->symbol[i].size;
		return true;
	}
	return false;
}

const char *image_name(const struct image *img, uint64_t addr, uint64_t *offset)
{
	size_t low = 0, high = img->symbols;

	/* The last symbol at or below: the first one above is `low`. */
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (img->symbol[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0 || addr - img->symbol[low - 1].addr > IMAGE_FAR)
		return NULL;
	*offset = addr - img->symbol[low - 1].addr;
	return img->symbol[low - 1].name;
}

bool image_layout(const struct image *img, const char *type, const char *field, uint64_t *value,
	uint64_t *size)
{
	size_t i;

	for (i = 0; i < img->layouts; i++) {
		const struct image_layout *l = &img->layout[i];

		if (strncmp(l->type, type, sizeof(l->type)) != 0 ||
			strncmp(l->field, field, sizeof(l->field)) != 0)
			continue;
		*value = l->value;
		if (size)
			*size = l->size;
		return true;
	}
	return false;
}
