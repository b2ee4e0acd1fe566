/* SPDX-License-Identifier: Apache-2.0 */
/* Core files as written: headers, notes, places, holes. */
#include <config.h>

#include <check.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/debug/core.h"

static int fd;
static struct core *c;

static void setup(void)
{
	fd = memfd_create("core", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	c = core_create(fd);
	ck_assert_ptr_nonnull(c);
}

static void teardown(void)
{
	core_destroy(c);
	close(fd);
}

static void get(void *p, size_t len, uint64_t at)
{
	ck_assert_int_eq(pread(fd, p, len, (off_t)at), (ssize_t)len);
}

static Elf64_Phdr header(unsigned i)
{
	Elf64_Phdr p;

	get(&p, sizeof(p), sizeof(Elf64_Ehdr) + i * sizeof(p));
	return p;
}

START_TEST(segments)
{
	struct core_segment s = { 0x1000, 0x5000, 0x3000, 0x3000, PF_R | PF_W, -1 };
	uint8_t page[CORE_PAGE], back[CORE_PAGE];
	Elf64_Phdr a, b, rest;
	Elf64_Ehdr eh;
	struct stat st;

	memset(page, 7, sizeof(page));
	ck_assert_int_eq(core_add(c, &s), 0);
	s.va = 0xffff0000;
	s.memory = s.file = 0x1000;
	s.same = 0;
	ck_assert_int_eq(core_add(c, &s), 1);
	s.va = 0x8000;
	s.memory = 0x2000;
	s.file = 0;
	s.same = -1;
	ck_assert_int_eq(core_add(c, &s), 2);
	s.same = 3;
	ck_assert_int_eq(core_add(c, &s), -EINVAL);
	ck_assert_int_eq(core_headers(c), 0);
	get(&eh, sizeof(eh), 0);
	ck_assert_mem_eq(eh.e_ident, ELFMAG, SELFMAG);
	ck_assert_uint_eq(eh.e_type, ET_CORE);
	ck_assert_uint_eq(eh.e_phnum, 4);
	a = header(1);
	b = header(2);
	rest = header(3);
	ck_assert_uint_eq(header(0).p_type, PT_NOTE);
	ck_assert_uint_eq(a.p_offset % CORE_PAGE, 0);
	ck_assert_uint_eq(a.p_offset, core_offset(c, 0));
	ck_assert_uint_eq(a.p_paddr, 0x5000);
	ck_assert_uint_eq(b.p_offset, a.p_offset);
	ck_assert_uint_eq(b.p_vaddr, 0xffff0000);
	ck_assert_uint_eq(rest.p_filesz, 0);
	ck_assert_uint_eq(rest.p_memsz, 0x2000);

	/* Over the end of the segment, and beyond it. */
	ck_assert_int_eq(core_write(c, 0, 0x2800, page, sizeof(page)), 0);
	ck_assert_int_eq(core_write(c, 0, 0x3000, page, sizeof(page)), 0);
	ck_assert_int_eq(core_write(c, 2, 0, page, sizeof(page)), 0);
	get(back, 0x800, a.p_offset + 0x2800);
	ck_assert_mem_eq(back, page, 0x800);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq((uint64_t)st.st_size, a.p_offset + 0x3000);
}
END_TEST

START_TEST(holes)
{
	struct core_segment s = { 0, 0, 64 << 20, 64 << 20, PF_R, -1 };
	static uint8_t block[64 << 10];
	struct stat st;
	unsigned i;

	core_add(c, &s);
	ck_assert_int_eq(core_headers(c), 0);
	for (i = 0; i < 1024; i++)
		ck_assert_int_eq(core_write(c, 0, i * sizeof(block), block, sizeof(block)), 0);
	block[5] = 1;
	ck_assert_int_eq(core_write(c, 0, 0, block, sizeof(block)), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_gt(st.st_size, 64 << 20);
	ck_assert_int_le(st.st_blocks * 512, 64 << 10);
}
END_TEST

/* The n-th note; desc gets its content. */
static Elf64_Nhdr note(unsigned n, char *name, void *desc, size_t room)
{
	uint64_t at = header(0).p_offset;
	Elf64_Nhdr h;

	for (;;) {
		get(&h, sizeof(h), at);
		at += sizeof(h);
		if (n-- == 0)
			break;
		at += (h.n_namesz + 3u) / 4 * 4 + (h.n_descsz + 3u) / 4 * 4;
	}
	get(name, h.n_namesz, at);
	ck_assert_uint_le(h.n_descsz, room);
	get(desc, h.n_descsz, at + (h.n_namesz + 3u) / 4 * 4);
	return h;
}

START_TEST(notes)
{
	struct rsp_regs regs = { .rip = 0x1234, .fs_base = 0x77, .orig_rax = UINT64_MAX };
	struct core_thread t = { 42, 1, 40, 40, 11, &regs };
	struct core_process p = { 'S', 40, 1, 40, 40, 1000, 100, "a-name-that-is-too-long",
		"args" };
	struct elf_prstatus status;
	struct elf_prpsinfo info;
	uint8_t fpu[512];
	char name[16], text[16];
	Elf64_Nhdr h;

	regs.gpr[7] = 0x7ff0;
	regs.mxcsr = 0x1f80;
	regs.xmm[15][15] = 9;
	ck_assert_int_eq(core_thread(c, &t), 0);
	ck_assert_int_eq(core_process(c, &p), 0);
	ck_assert_int_eq(core_note(c, "CASEMATE", 1, "abc", 4), 0);
	ck_assert_int_eq(core_headers(c), 0);
	h = note(0, name, &status, sizeof(status));
	ck_assert_str_eq(name, "CORE");
	ck_assert_uint_eq(h.n_type, NT_PRSTATUS);
	ck_assert_uint_eq(h.n_descsz, sizeof(status));
	ck_assert_int_eq(status.pr_pid, 42);
	ck_assert_int_eq(status.pr_cursig, 11);
	ck_assert_uint_eq(status.pr_reg[16], 0x1234);
	ck_assert_uint_eq(status.pr_reg[19], 0x7ff0);
	ck_assert_uint_eq(status.pr_reg[21], 0x77);
	ck_assert_uint_eq(status.pr_reg[15], UINT64_MAX);
	h = note(1, name, fpu, sizeof(fpu));
	ck_assert_uint_eq(h.n_type, NT_FPREGSET);
	ck_assert_uint_eq(fpu[24] | fpu[25] << 8, 0x1f80);
	ck_assert_uint_eq(fpu[160 + 255], 9);
	h = note(2, name, &info, sizeof(info));
	ck_assert_uint_eq(h.n_type, NT_PRPSINFO);
	ck_assert_str_eq(info.pr_fname, "a-name-that-is-");
	ck_assert_int_eq(info.pr_sname, 'S');
	ck_assert_int_eq(info.pr_state, 1);
	ck_assert_uint_eq(info.pr_uid, 1000);
	h = note(3, name, text, sizeof(text));
	ck_assert_str_eq(name, "CASEMATE");
	ck_assert_str_eq(text, "abc");
}
END_TEST

START_TEST(limits)
{
	static char big[CORE_NOTES / 2];
	struct core_segment s = { 0, 0, 0x1000, 0, PF_R, -1 };
	unsigned i;

	ck_assert_int_eq(core_note(c, "CORE", 1, big, sizeof(big)), 0);
	ck_assert_int_eq(core_note(c, "CORE", 1, big, sizeof(big)), -E2BIG);
	for (i = 0; i < CORE_SEGMENTS; i++)
		ck_assert_int_ge(core_add(c, &s), 0);
	ck_assert_int_eq(core_add(c, &s), -E2BIG);
	ck_assert_int_eq(core_headers(c), 0);
}
END_TEST

START_TEST(refused)
{
	struct core_segment s = { 0, 0, 0x1000, 0x1000, PF_R, -1 };
	int closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct core *bad = core_create(closed);

	ck_assert_ptr_nonnull(bad);
	core_add(bad, &s);
	ck_assert_int_lt(core_headers(bad), 0);
	core_destroy(bad);
	close(closed);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("debug_core");
	TCase *t = tcase_create("debug_core");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, segments);
	tcase_add_test(t, holes);
	tcase_add_test(t, notes);
	tcase_add_test(t, limits);
	tcase_add_test(t, refused);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
