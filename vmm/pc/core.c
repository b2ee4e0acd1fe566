/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF core of the machine: RAM as segments at its physical addresses, a register note for each vCPU. Pages of zeros become holes. vCPU
 * threads have ended.
 */
#include <config.h>

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

#include "vmm/pc/pc.h"

#define CORE_PAGE 4096u
#define CORE_SEGS 3u /* notes, RAM from 0, RAM from 4 GiB */

struct core_note {
	Elf64_Nhdr head;
	char name[8];
	struct elf_prstatus status;
} __attribute__((packed));

static int core_put(int fd, const void *p, size_t len, uint64_t at)
{
	while (len > 0) {
		/* #syscalls:io pwrite64 ftruncate */
		ssize_t n = pwrite(fd, p, len, (off_t)at);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p = (const char *)p + n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

static bool core_is_zero(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, CORE_PAGE - 1) == 0;
}

/* Runs of pages with content at a time. */
static int core_memory(int fd, const uint8_t *ram, uint64_t size, uint64_t at)
{
	uint64_t off = 0, end;
	int r = 0;

	while (off < size && r == 0) {
		if (core_is_zero(ram + off)) {
			off += CORE_PAGE;
			continue;
		}
		for (end = off + CORE_PAGE; end < size && !core_is_zero(ram + end);
			end += CORE_PAGE)
			;
		r = core_put(fd, ram + off, end - off, at + off);
		off = end;
	}
	return r;
}

static void core_registers(struct pc_cpu *c, struct core_note *n)
{
	struct user_regs_struct u = { 0 };
	struct kvm_sregs s = { 0 };
	struct kvm_regs r = { 0 };

	memset(n, 0, sizeof(*n));
	n->head = (Elf64_Nhdr){ 5, sizeof(n->status), NT_PRSTATUS };
	memcpy(n->name, "CORE", 5);
	n->status.pr_pid = (pid_t)c->index + 1;
	if (kvm_get_regs(c->fd, &r) < 0 || kvm_get_sregs(c->fd, &s) < 0)
		return;
	u.rax = r.rax, u.rbx = r.rbx, u.rcx = r.rcx, u.rdx = r.rdx;
	u.rsi = r.rsi, u.rdi = r.rdi, u.rbp = r.rbp, u.rsp = r.rsp;
	u.r8 = r.r8, u.r9 = r.r9, u.r10 = r.r10, u.r11 = r.r11;
	u.r12 = r.r12, u.r13 = r.r13, u.r14 = r.r14, u.r15 = r.r15;
	u.rip = r.rip, u.eflags = r.rflags;
	u.cs = s.cs.selector, u.ss = s.ss.selector, u.ds = s.ds.selector, u.es = s.es.selector;
	u.fs = s.fs.selector, u.gs = s.gs.selector;
	u.fs_base = s.fs.base, u.gs_base = s.gs.base;
	memcpy(&n->status.pr_reg, &u, sizeof(u));
}

static Elf64_Phdr core_load(uint64_t gpa, uint64_t size, uint64_t offset)
{
	return (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_offset = offset,
		.p_vaddr = gpa,
		.p_paddr = gpa,
		.p_filesz = size,
		.p_memsz = size,
		.p_align = CORE_PAGE,
	};
}

int pc_core_write(struct pc *pc)
{
	uint64_t notes = sizeof(Elf64_Ehdr) + CORE_SEGS * sizeof(Elf64_Phdr);
	uint64_t bytes = pc->ncpus * sizeof(struct core_note);
	uint64_t low = (notes + bytes + CORE_PAGE - 1) & ~(uint64_t)(CORE_PAGE - 1);
	uint64_t high = low + pc->low_size;
	struct {
		Elf64_Ehdr e;
		Elf64_Phdr p[CORE_SEGS];
	} head = {
		.e = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			       EV_CURRENT },
			.e_type = ET_CORE,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = pc->high_size ? 3 : 2 },
		.p = { { .p_type = PT_NOTE, .p_offset = notes, .p_filesz = bytes, .p_align = 4 },
			core_load(0, pc->low_size, low),
			core_load(4ULL << 30, pc->high_size, high) },
	};
	int fd = pc->opts->core_fd, r = core_put(fd, &head, sizeof(head), 0);
	struct core_note n;

	for (unsigned i = 0; i < pc->ncpus && r == 0; i++) {
		core_registers(&pc->cpu[i], &n);
		r = core_put(fd, &n, sizeof(n), notes + i * sizeof(n));
	}
	if (r == 0)
		r = core_memory(fd, pc->low, pc->low_size, low);
	if (r == 0 && pc->high_size)
		r = core_memory(fd, pc->high, pc->high_size, high);
	if (r == 0 && ftruncate(fd, (off_t)(high + pc->high_size)) < 0)
		r = -errno;
	return r;
}
