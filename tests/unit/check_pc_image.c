/* SPDX-License-Identifier: Apache-2.0 */
/* The loaders of foreign kernels: every kind that boots, and a refusal with its reason for what does not. */
#include <config.h>

#include <check.h>
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <casemate/pcmachine.h>

#include "vmm/pc/image.h"

#define LOW	 (16ull << 20)
#define BASE	 0x100000u
#define MB_MAGIC 0x1badb002u

/* One file that can be either class: header, two segments, notes, a multiboot header, text. */
struct image32 {
	Elf32_Ehdr eh;
	Elf32_Phdr ph[3];
	uint32_t mb[8];
	char text[64];
};

struct image64 {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[4];
	struct {
		Elf64_Nhdr h;
		char name[4];
		uint64_t entry;
	} __attribute__((packed)) xen;
	struct {
		Elf64_Nhdr h;
		char name[12];
		uint32_t bits;
	} ours;
	uint32_t mb[3];
	char text[64];
};

static struct image32 i32;
static struct image64 i64;
static struct pc_image out;
static struct cm_err err;

static void setup(void)
{
	memset(&i32, 0, sizeof(i32));
	memset(&i64, 0, sizeof(i64));
	memcpy(i32.eh.e_ident, ELFMAG, SELFMAG);
	i32.eh.e_ident[EI_CLASS] = ELFCLASS32;
	i32.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	i32.eh.e_type = ET_EXEC;
	i32.eh.e_machine = EM_386;
	i32.eh.e_entry = BASE + 4;
	i32.eh.e_phoff = offsetof(struct image32, ph);
	i32.eh.e_phnum = 2;
	i32.eh.e_phentsize = sizeof(Elf32_Phdr);
	i32.ph[0] = (Elf32_Phdr){ .p_type = PT_LOAD,
		.p_offset = offsetof(struct image32, text),
		.p_vaddr = BASE,
		.p_paddr = BASE,
		.p_filesz = 64,
		.p_memsz = 4096 };
	i32.ph[1] = (Elf32_Phdr){
		.p_type = PT_LOAD, .p_vaddr = BASE + 4096, .p_paddr = BASE + 4096, .p_memsz = 8192
	};
	i32.mb[0] = MB_MAGIC;
	i32.mb[2] = -MB_MAGIC;

	memcpy(i64.eh.e_ident, ELFMAG, SELFMAG);
	i64.eh.e_ident[EI_CLASS] = ELFCLASS64;
	i64.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	i64.eh.e_type = ET_EXEC;
	i64.eh.e_machine = EM_X86_64;
	i64.eh.e_entry = 0xffffffff80000000u;
	i64.eh.e_phoff = offsetof(struct image64, ph);
	i64.eh.e_phnum = 3;
	i64.eh.e_phentsize = sizeof(Elf64_Phdr);
	i64.ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
		.p_offset = offsetof(struct image64, text),
		.p_vaddr = 0xffffffff80000000u,
		.p_paddr = BASE,
		.p_filesz = 64,
		.p_memsz = 64 };
	i64.ph[1] = (Elf64_Phdr){ .p_type = PT_NOTE,
		.p_offset = offsetof(struct image64, xen),
		.p_filesz = sizeof(i64.xen) + sizeof(i64.ours),
		.p_align = 4 };
	i64.ph[2] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_vaddr = 0x200000, .p_paddr = 0x200000, .p_memsz = 4096
	};
	i64.xen.h = (Elf64_Nhdr){ 4, 8, 18 };
	memcpy(i64.xen.name, "Xen", 4);
	i64.xen.entry = BASE + 8;
	i64.ours.h = (Elf64_Nhdr){ 9, 4, CM_PC_NOTE_MACHINE };
	memcpy(i64.ours.name, "casemate", 9);
	i64.ours.bits = CM_PC_NOTE_NO_PIC;
}

static int parse32(void)
{
	return pc_image_parse(&i32, sizeof(i32), LOW, PC_FORMAT_AUTO, &out, &err);
}

static int parse64(void)
{
	return pc_image_parse(&i64, sizeof(i64), LOW, PC_FORMAT_AUTO, &out, &err);
}

/* The image is refused, and the reason holds the text. */
static void refused(int r, const char *text)
{
	ck_assert_int_lt(r, 0);
	ck_assert_msg(strstr(err.msg, text) != NULL, "'%s' does not hold '%s'", err.msg, text);
}

START_TEST(multiboot_elf32)
{
	ck_assert_int_eq(parse32(), 0);
	ck_assert_int_eq(out.kind, PC_KIND_MULTIBOOT);
	ck_assert_uint_eq(out.entry, BASE + 4);
	ck_assert_uint_eq(out.nsegments, 2);
	ck_assert_uint_eq(out.end, BASE + 3 * 4096);
	ck_assert_uint_eq(out.note, 0);
}
END_TEST

START_TEST(pvh_elf64)
{
	ck_assert_int_eq(parse64(), 0);
	ck_assert_int_eq(out.kind, PC_KIND_PVH);
	ck_assert_uint_eq(out.entry, BASE + 8);
	ck_assert_uint_eq(out.note, CM_PC_NOTE_NO_PIC);
}
END_TEST

START_TEST(multiboot_elf64)
{
	i64.xen.h.n_type = 17;
	refused(parse64(), "neither a multiboot header nor a PVH note");
	i64.mb[0] = MB_MAGIC;
	i64.mb[2] = -MB_MAGIC;
	ck_assert_int_eq(parse64(), 0);
	ck_assert_int_eq(out.kind, PC_KIND_MULTIBOOT);
	/* The entry is a link address; the guest starts at the physical one. */
	ck_assert_uint_eq(out.entry, BASE);
}
END_TEST

START_TEST(multiboot_by_addresses)
{
	uint32_t file[32] = { 0 };

	file[2] = MB_MAGIC;
	file[3] = 0x10000;
	file[4] = -(MB_MAGIC + 0x10000);
	file[5] = BASE + 8; /* header */
	file[6] = BASE; /* load */
	file[7] = BASE + 64; /* end */
	file[8] = BASE + 4096; /* bss */
	file[9] = BASE + 40; /* entry */
	ck_assert_int_eq(pc_image_parse(file, sizeof(file), LOW, PC_FORMAT_AUTO, &out, &err), 0);
	ck_assert_int_eq(out.kind, PC_KIND_MULTIBOOT);
	ck_assert_uint_eq(out.segment[0].offset, 0);
	ck_assert_uint_eq(out.segment[0].filesz, 64);
	ck_assert_uint_eq(out.segment[0].memsz, 4096);
	file[9] = BASE + 64;
	refused(pc_image_parse(file, sizeof(file), LOW, PC_FORMAT_AUTO, &out, &err), "entry");
	file[9] = BASE;
	file[5] = BASE + 16;
	refused(pc_image_parse(file, sizeof(file), LOW, PC_FORMAT_AUTO, &out, &err),
		"does not fit");
	file[5] = BASE + 8;
	file[7] = BASE - 4;
	refused(pc_image_parse(file, sizeof(file), LOW, PC_FORMAT_AUTO, &out, &err), "load end");
	file[7] = 0xfffffff0;
	file[8] = 0;
	refused(pc_image_parse(file, sizeof(file), LOW, PC_FORMAT_AUTO, &out, &err),
		"outside the file");
	file[7] = BASE + 64;
	file[8] = BASE + 4;
	refused(pc_image_parse(file, sizeof(file), LOW, PC_FORMAT_AUTO, &out, &err), "bss end");
	file[3] = 0;
	file[4] = -MB_MAGIC;
	refused(pc_image_parse(file, sizeof(file), LOW, PC_FORMAT_AUTO, &out, &err),
		"without addresses");
	file[3] = 4;
	file[4] = -(MB_MAGIC + 4);
	refused(pc_image_parse(file, sizeof(file), LOW, PC_FORMAT_AUTO, &out, &err),
		"asks for 0x4");
}
END_TEST

START_TEST(flat)
{
	char text[600] = "text";

	ck_assert_int_eq(pc_image_parse(text, sizeof(text), LOW, PC_FORMAT_FLAT16, &out, &err), 0);
	ck_assert_uint_eq(out.entry, PC_FLAT16_BASE);
	ck_assert_int_eq(pc_image_parse(text, sizeof(text), LOW, PC_FORMAT_FLAT32, &out, &err), 0);
	ck_assert_uint_eq(out.entry, PC_FLAT32_BASE);
	refused(pc_image_parse(text, 0, LOW, PC_FORMAT_FLAT32, &out, &err), "empty");
	refused(pc_image_parse(text, sizeof(text), LOW, PC_FORMAT_AUTO, &out, &err),
		"neither ELF nor multiboot");
}
END_TEST

START_TEST(flat_too_large)
{
	size_t size = CM_PC_FIRMWARE - PC_FLAT16_BASE + 1;
	char *big = calloc(1, size);

	refused(pc_image_parse(big, size, LOW, PC_FORMAT_FLAT16, &out, &err), "firmware");
	ck_assert_int_eq(pc_image_parse(big, size - 1, LOW, PC_FORMAT_FLAT16, &out, &err), 0);
	free(big);
}
END_TEST

START_TEST(segments)
{
	i32.ph[1].p_vaddr = i32.ph[1].p_paddr = BASE + 4095;
	refused(parse32(), "overlap");
	setup();
	i32.ph[1].p_paddr = LOW - 4096;
	refused(parse32(), "beyond");
	setup();
	i32.ph[1].p_paddr = 0xfffff000;
	refused(parse32(), "beyond");
	setup();
	i32.ph[1].p_paddr = 0xdf000;
	refused(parse32(), "firmware");
	setup();
	i32.ph[0].p_filesz = 5000;
	refused(parse32(), "outside the file");
	setup();
	i32.ph[0].p_memsz = 63;
	refused(parse32(), "larger in the file");
	setup();
	i64.ph[0].p_offset = UINT64_MAX - 4;
	refused(parse64(), "outside the file");
	setup();
	i64.ph[2].p_memsz = UINT64_MAX - 4;
	refused(parse64(), "beyond");
	setup();
	i32.ph[0].p_type = i32.ph[1].p_type = PT_NULL;
	refused(parse32(), "without a segment");
}
END_TEST

START_TEST(entries)
{
	i32.eh.e_entry = BASE + 64; /* zeros behind the file's part */
	refused(parse32(), "entry");
	setup();
	i32.eh.e_entry = 0xffffffff;
	refused(parse32(), "entry");
	setup();
	i64.xen.entry = 0x200000;
	refused(parse64(), "entry");
}
END_TEST

START_TEST(headers)
{
	size_t cut;

	/* Cut anywhere: refused, or still whole. */
	for (cut = 0; cut < sizeof(i64); cut++)
		ck_assert_int_lt(pc_image_parse(&i64, cut, LOW, PC_FORMAT_AUTO, &out, &err), 0);
	for (cut = 0; cut < sizeof(i32); cut++)
		ck_assert_int_lt(pc_image_parse(&i32, cut, LOW, PC_FORMAT_AUTO, &out, &err), 0);
	i32.eh.e_machine = EM_ARM;
	refused(parse32(), "machine");
	setup();
	i32.eh.e_type = ET_DYN;
	refused(parse32(), "ELF type");
	setup();
	i32.eh.e_phnum = 0xffff;
	refused(parse32(), "program headers");
	setup();
	i64.eh.e_phoff = UINT64_MAX - 8;
	refused(parse64(), "outside the file");
	setup();
	i32.eh.e_ident[EI_DATA] = ELFDATA2MSB;
	refused(parse32(), "little-endian");
}
END_TEST

START_TEST(broken_notes_are_no_notes)
{
	i64.xen.h.n_namesz = 0xfffffffe;
	refused(parse64(), "neither");
	setup();
	i64.xen.h.n_descsz = 0xffffffff;
	refused(parse64(), "neither");
	setup();
	i64.ph[1].p_offset = UINT64_MAX - 2;
	refused(parse64(), "neither");
	setup();
	i64.xen.h.n_descsz = 2;
	refused(parse64(), "neither");
}
END_TEST

START_TEST(copy)
{
	char *ram = calloc(1, LOW);

	memset(i32.text, 'x', sizeof(i32.text));
	ck_assert_int_eq(parse32(), 0);
	pc_image_copy(&i32, &out, ram);
	ck_assert_int_eq(ram[BASE - 1], 0);
	ck_assert_int_eq(ram[BASE], 'x');
	ck_assert_int_eq(ram[BASE + 63], 'x');
	ck_assert_int_eq(ram[BASE + 64], 0);
	free(ram);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("pc_image");
	Suite *s = suite_create("pc_image");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, multiboot_elf32);
	tcase_add_test(tc, pvh_elf64);
	tcase_add_test(tc, multiboot_elf64);
	tcase_add_test(tc, multiboot_by_addresses);
	tcase_add_test(tc, flat);
	tcase_add_test(tc, flat_too_large);
	tcase_add_test(tc, segments);
	tcase_add_test(tc, entries);
	tcase_add_test(tc, headers);
	tcase_add_test(tc, broken_notes_are_no_notes);
	tcase_add_test(tc, copy);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
