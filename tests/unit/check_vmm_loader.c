/* SPDX-License-Identifier: Apache-2.0 */
/* The guest image loader and the symbol table on good and hostile ELF files. */
#include <config.h>

#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <casemate/guestmem.h>

#include "common/err.h"
#include "vmm/loader.h"
#include "vmm/symtab.h"

#define RAM    (16ull << 20)
#define BASE   (CM_GPA_RAM + CM_IMAGE_OFFSET)
#define U64MAX 0xffffffffffffffffull

/* A small image: text, data with bss, two symbols. */
struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[3];
	Elf64_Shdr sh[3];
	Elf64_Sym sym[3];
	char strings[32];
	char text[256];
};

static struct image img;
static struct loader_plan plan;
static struct cm_err err;

static void setup(void)
{
	memset(&img, 0, sizeof(img));
	memcpy(img.eh.e_ident, ELFMAG, SELFMAG);
	img.eh.e_ident[EI_CLASS] = ELFCLASS64;
	img.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	img.eh.e_type = ET_EXEC;
	img.eh.e_machine = EM_X86_64;
	img.eh.e_entry = CM_KERNEL_IMAGE + 16;
	img.eh.e_phoff = offsetof(struct image, ph);
	img.eh.e_phnum = 3;
	img.eh.e_phentsize = sizeof(Elf64_Phdr);
	img.eh.e_shoff = offsetof(struct image, sh);
	img.eh.e_shnum = 3;
	img.eh.e_shentsize = sizeof(Elf64_Shdr);
	img.ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
		.p_offset = offsetof(struct image, text),
		.p_vaddr = CM_KERNEL_IMAGE,
		.p_paddr = BASE,
		.p_filesz = 256,
		.p_memsz = 256 };
	img.ph[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
		.p_offset = offsetof(struct image, text),
		.p_vaddr = CM_KERNEL_IMAGE + 4096,
		.p_paddr = BASE + 4096,
		.p_filesz = 16,
		.p_memsz = 8192 };
	img.ph[2] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = U64MAX, .p_filesz = U64MAX };
	img.sh[1] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
		.sh_offset = offsetof(struct image, sym),
		.sh_size = sizeof(img.sym),
		.sh_link = 2 };
	img.sh[2] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
		.sh_offset = offsetof(struct image, strings),
		.sh_size = sizeof(img.strings) };
	memcpy(img.strings, "\0_start\0second", 15);
	img.sym[1] = (Elf64_Sym){ .st_name = 1, .st_shndx = 1, .st_value = CM_KERNEL_IMAGE };
	img.sym[2] = (Elf64_Sym){ .st_name = 8, .st_shndx = 1, .st_value = CM_KERNEL_IMAGE + 32 };
	memset(img.text, 0x90, sizeof(img.text));
}

static int parse(void)
{
	return loader_parse(&img, sizeof(img), RAM, &plan, &err);
}

START_TEST(good_image)
{
	char *ram = calloc(1, RAM);

	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(plan.nsegments, 2);
	ck_assert_uint_eq(plan.entry, CM_KERNEL_IMAGE + 16);
	ck_assert_uint_eq(plan.end, CM_IMAGE_OFFSET + 4096 + 8192);
	ck_assert_ptr_nonnull(ram);
	loader_copy(&img, &plan, ram);
	ck_assert_int_eq((uint8_t)ram[CM_IMAGE_OFFSET], 0x90);
	ck_assert_int_eq((uint8_t)ram[CM_IMAGE_OFFSET + 255], 0x90);
	ck_assert_int_eq(ram[CM_IMAGE_OFFSET + 256], 0);
	ck_assert_int_eq(ram[CM_IMAGE_OFFSET + 4096 + 16], 0);
	free(ram);
}
END_TEST

START_TEST(empty_segment_is_skipped)
{
	img.ph[1].p_memsz = img.ph[1].p_filesz = 0;
	img.ph[1].p_paddr = 0;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(plan.nsegments, 1);
}
END_TEST

START_TEST(truncated_file)
{
	size_t size;

	for (size = 0; size < offsetof(struct image, text) + 256; size++)
		ck_assert_int_lt(loader_parse(&img, size, RAM, &plan, &err), 0);
}
END_TEST

/* Each row breaks one field of the good image. */
static const struct {
	size_t offset;
	size_t width;
	uint64_t value;
} damages[] = {
	{ 0, 1, 'X' },
	{ EI_CLASS, 1, ELFCLASS32 },
	{ EI_DATA, 1, ELFDATA2MSB },
	{ offsetof(struct image, eh.e_machine), 2, EM_AARCH64 },
	{ offsetof(struct image, eh.e_type), 2, ET_DYN },
	{ offsetof(struct image, eh.e_phentsize), 2, 55 },
	{ offsetof(struct image, eh.e_phnum), 2, 0 },
	{ offsetof(struct image, eh.e_phnum), 2, 0xffff },
	{ offsetof(struct image, eh.e_phoff), 8, U64MAX },
	{ offsetof(struct image, eh.e_phoff), 8, sizeof(struct image) },
	{ offsetof(struct image, eh.e_entry), 8, 0 },
	{ offsetof(struct image, eh.e_entry), 8, CM_KERNEL_IMAGE + 256 },
	{ offsetof(struct image, ph[0].p_offset), 8, U64MAX },
	{ offsetof(struct image, ph[0].p_offset), 8, sizeof(struct image) },
	{ offsetof(struct image, ph[0].p_filesz), 8, U64MAX },
	{ offsetof(struct image, ph[0].p_filesz), 8, 257 },
	{ offsetof(struct image, ph[0].p_memsz), 8, 255 },
	{ offsetof(struct image, ph[0].p_memsz), 8, U64MAX },
	{ offsetof(struct image, ph[0].p_memsz), 8, RAM },
	{ offsetof(struct image, ph[0].p_memsz), 8, 4097 },
	{ offsetof(struct image, ph[0].p_paddr), 8, 0 },
	{ offsetof(struct image, ph[0].p_paddr), 8, BASE - 1 },
	{ offsetof(struct image, ph[0].p_paddr), 8, CM_GPA_RAM + RAM },
	{ offsetof(struct image, ph[0].p_paddr), 8, U64MAX },
	{ offsetof(struct image, ph[1].p_paddr), 8, BASE },
	{ offsetof(struct image, ph[1].p_memsz), 8, RAM - CM_IMAGE_OFFSET - 4095 },
};

START_TEST(damaged_field)
{
	ck_assert(damages[_i].offset + damages[_i].width <= sizeof(img));
	memcpy((char *)&img + damages[_i].offset, &damages[_i].value, damages[_i].width);
	ck_assert_int_lt(parse(), 0);
	ck_assert_int_gt((int)strlen(err.msg), 0);
}
END_TEST

START_TEST(too_many_segments)
{
	static char big[sizeof(Elf64_Ehdr) + 40 * sizeof(Elf64_Phdr)];
	Elf64_Phdr ph = img.ph[0];
	unsigned i;

	img.eh.e_phoff = sizeof(Elf64_Ehdr);
	img.eh.e_phnum = 40;
	memcpy(big, &img.eh, sizeof(img.eh));
	for (i = 0; i < 40; i++) {
		ph.p_offset = 0;
		ph.p_paddr = BASE + i * 4096u;
		memcpy(big + sizeof(Elf64_Ehdr) + i * sizeof(ph), &ph, sizeof(ph));
	}
	ck_assert_int_lt(loader_parse(big, sizeof(big), RAM, &plan, &err), 0);
}
END_TEST

START_TEST(symbols)
{
	struct symtab t;
	uint64_t off = 99;

	symtab_init(&t, &img, sizeof(img));
	ck_assert_str_eq(symtab_find(&t, CM_KERNEL_IMAGE + 5, &off), "_start");
	ck_assert_uint_eq(off, 5);
	ck_assert_str_eq(symtab_find(&t, CM_KERNEL_IMAGE + 32, &off), "second");
	ck_assert_uint_eq(off, 0);
	ck_assert_ptr_null(symtab_find(&t, CM_KERNEL_IMAGE - 1, &off));
	ck_assert_ptr_null(symtab_find(&t, U64MAX, &off));
}
END_TEST

START_TEST(hostile_symbols)
{
	struct symtab t;
	uint64_t off;
	size_t size;

	for (size = 0; size <= sizeof(img); size++) {
		symtab_init(&t, &img, size);
		symtab_find(&t, CM_KERNEL_IMAGE + 40, &off);
	}
	img.sym[1].st_name = 0xffffffff;
	img.sym[2].st_name = 32;
	symtab_init(&t, &img, sizeof(img));
	ck_assert_ptr_null(symtab_find(&t, CM_KERNEL_IMAGE + 40, &off));
	img.strings[31] = 'x'; /* no end */
	symtab_init(&t, &img, sizeof(img));
	ck_assert_ptr_null(symtab_find(&t, CM_KERNEL_IMAGE + 40, &off));
	img.sh[1].sh_size = U64MAX;
	symtab_init(&t, &img, sizeof(img));
	ck_assert_uint_eq(t.count, 0);
	img.eh.e_shoff = U64MAX - 8;
	symtab_init(&t, &img, sizeof(img));
	ck_assert_uint_eq(t.count, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("loader");
	TCase *tc = tcase_create("loader");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, good_image);
	tcase_add_test(tc, empty_segment_is_skipped);
	tcase_add_test(tc, truncated_file);
	tcase_add_loop_test(tc, damaged_field, 0, sizeof(damages) / sizeof(damages[0]));
	tcase_add_test(tc, too_many_segments);
	tcase_add_test(tc, symbols);
	tcase_add_test(tc, hostile_symbols);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
