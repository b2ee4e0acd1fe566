/* SPDX-License-Identifier: Apache-2.0 */
/* The sentry's ELF reader and #! lines: what is accepted, what is refused. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "task/elf.h"
#include "task/exec_strings.h"

#define LIMIT 0x00007ffffffff000UL

static Elf64_Ehdr header(void)
{
	Elf64_Ehdr h = {
		.e_ident = ELFMAG,
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_entry = 0x1100,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
	};

	h.e_ident[EI_CLASS] = ELFCLASS64;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	return h;
}

START_TEST(test_header)
{
	Elf64_Ehdr h = header();
	struct elf_image img;

	ck_assert_int_eq(elf_parse_header(&h, sizeof(h), &img), 0);
	ck_assert(img.dynamic && img.phnum == 3 && img.entry == 0x1100);
	ck_assert_int_eq(elf_parse_header(&h, sizeof(h) - 1, &img), -ENOEXEC);
	h.e_ident[EI_CLASS] = ELFCLASS32;
	ck_assert_int_eq(elf_parse_header(&h, sizeof(h), &img), -ENOEXEC);
	h = header();
	h.e_machine = EM_386;
	ck_assert_int_eq(elf_parse_header(&h, sizeof(h), &img), -ENOEXEC);
	h = header();
	h.e_type = ET_REL;
	ck_assert_int_eq(elf_parse_header(&h, sizeof(h), &img), -ENOEXEC);
	h = header();
	h.e_phnum = 0xffff;
	ck_assert_int_eq(elf_parse_header(&h, sizeof(h), &img), -ENOEXEC);
	h = header();
	h.e_phoff = ~0UL;
	ck_assert_int_eq(elf_parse_header(&h, sizeof(h), &img), -ENOEXEC);
	h = header();
	h.e_phentsize = 1;
	ck_assert_int_eq(elf_parse_header(&h, sizeof(h), &img), -ENOEXEC);
}
END_TEST

static int segments(const Elf64_Phdr *ph, unsigned n, struct elf_image *img)
{
	Elf64_Ehdr h = header();

	h.e_phnum = (Elf64_Half)n;
	ck_assert_int_eq(elf_parse_header(&h, sizeof(h), img), 0);
	return elf_parse_segments(ph, LIMIT, img);
}

START_TEST(test_segments)
{
	Elf64_Phdr ph[] = {
		{ .p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_filesz = 0x2000,
			.p_memsz = 0x2000 },
		{ .p_type = PT_LOAD,
			.p_flags = PF_R | PF_W,
			.p_offset = 0x2e00,
			.p_vaddr = 0x3e00,
			.p_filesz = 0x300,
			.p_memsz = 0x900 },
		{ .p_type = PT_INTERP, .p_offset = 0x300, .p_filesz = 28 },
		{ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W },
	};
	struct elf_image img;

	ck_assert_int_eq(segments(ph, 4, &img), 0);
	ck_assert_uint_eq(img.nsegments, 2);
	ck_assert_uint_eq(img.low, 0);
	ck_assert_uint_eq(img.high, 0x5000);
	ck_assert_uint_eq(img.interp_len, 28);
	ck_assert(img.stack_seen && !img.stack_exec);
	ck_assert_uint_eq(img.phdr_vaddr, sizeof(Elf64_Ehdr));
	ck_assert_uint_eq(img.align, 4096);
	ph[0].p_align = 0x200000;
	ck_assert_int_eq(segments(ph, 4, &img), 0);
	ck_assert_uint_eq(img.align, 0x200000);
	ph[0].p_align = 0x3000;
	ck_assert_int_eq(segments(ph, 4, &img), 0);
	ck_assert_uint_eq(img.align, 4096);
}
END_TEST

START_TEST(test_bad_segments)
{
	Elf64_Phdr good = {
		.p_type = PT_LOAD, .p_vaddr = 0x400000, .p_filesz = 0x1000, .p_memsz = 0x1000
	};
	Elf64_Phdr ph[ELF_LOADS_MAX + 1];
	struct elf_image img;
	unsigned i;

	ph[0] = good;
	ph[0].p_filesz = 0x2000;
	ck_assert_int_eq(segments(ph, 1, &img), -EINVAL);
	ph[0] = good;
	ph[0].p_offset = 0x10;
	ck_assert_int_eq(segments(ph, 1, &img), -EINVAL);
	ph[0] = good;
	ph[0].p_memsz = ~0UL - 0x1000;
	ck_assert_int_eq(segments(ph, 1, &img), -EINVAL);
	ph[0] = good;
	ph[0].p_vaddr = LIMIT - 0x1000;
	ck_assert_int_eq(segments(ph, 1, &img), 0);
	ph[0].p_memsz++;
	ck_assert_int_eq(segments(ph, 1, &img), -EINVAL);
	ph[0] = good;
	ph[0].p_offset = INT64_MAX - 0xfff;
	ck_assert_int_eq(segments(ph, 1, &img), -EINVAL);
	ph[0] = good;
	ph[1] = good;
	ck_assert_int_eq(segments(ph, 2, &img), -EINVAL);
	ph[0].p_type = PT_NOTE;
	ck_assert_int_eq(segments(ph, 1, &img), -EINVAL);
	for (i = 0; i <= ELF_LOADS_MAX; i++) {
		ph[i] = good;
		ph[i].p_vaddr += i * 0x1000UL;
	}
	ck_assert_int_eq(segments(ph, ELF_LOADS_MAX, &img), 0);
	ck_assert_int_eq(segments(ph, ELF_LOADS_MAX + 1, &img), -ENOEXEC);
	ph[1] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_filesz = ELF_INTERP_MAX + 1 };
	ck_assert_int_eq(segments(ph, 2, &img), -ENOEXEC);
}
END_TEST

static int script(const char *text, char **interp, char **arg)
{
	static char buf[256];

	memset(buf, 0, sizeof(buf));
	memcpy(buf, text, strnlen(text, sizeof(buf)));
	return exec_parse_script(buf, sizeof(buf), interp, arg);
}

START_TEST(test_script)
{
	char *interp, *arg, longest[300];

	ck_assert_int_eq(script("#!/bin/sh\necho", &interp, &arg), 0);
	ck_assert_str_eq(interp, "/bin/sh");
	ck_assert_ptr_null(arg);
	ck_assert_int_eq(script("#!  /usr/bin/env  python3 -u \t\n", &interp, &arg), 0);
	ck_assert_str_eq(interp, "/usr/bin/env");
	ck_assert_str_eq(arg, "python3 -u");
	ck_assert_int_eq(script("#!/bin/sh", &interp, &arg), 0);
	ck_assert_str_eq(interp, "/bin/sh");
	ck_assert_int_eq(script("#!\n", &interp, &arg), -ENOEXEC);
	ck_assert_int_eq(script("#! \t \n", &interp, &arg), -ENOEXEC);
	ck_assert_int_eq(script("/bin/sh", &interp, &arg), -ENOEXEC);
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "#!/", 3);
	longest[299] = '\0';
	ck_assert_int_eq(script(longest, &interp, &arg), -ENOEXEC);
	longest[20] = ' ';
	ck_assert_int_eq(script(longest, &interp, &arg), 0);
	ck_assert_uint_eq(strlen(interp), 18);
	ck_assert_uint_eq(strlen(arg), 255 - 21);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("task_elf");
	TCase *tc = tcase_create("elf");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, test_header);
	tcase_add_test(tc, test_segments);
	tcase_add_test(tc, test_bad_segments);
	tcase_add_test(tc, test_script);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
