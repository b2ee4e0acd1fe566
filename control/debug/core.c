/* SPDX-License-Identifier: Apache-2.0 */
/* ELF64 core files. */
#include <config.h>
#include "control/debug/core.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <unistd.h>

#define CORE_FXSAVE 512u
#define CORE_MXCSR  0xffbfu

struct core {
	int fd;
	uint8_t *notes;
	size_t notes_len, notes_room;
	Elf64_Phdr *segment;
	unsigned nsegments, segments_room;
};

struct core *core_create(int fd)
{
	struct core *c = calloc(1, sizeof(*c));

	if (c)
		c->fd = fd;
	return c;
}

void core_destroy(struct core *c)
{
	if (!c)
		return;
	free(c->notes);
	free(c->segment);
	free(c);
}

static int core_put(int fd, const void *p, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		p = (const uint8_t *)p + n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* ---- what is in it */

static size_t core_align(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

int core_note(struct core *c, const char *name, uint32_t type, const void *desc, size_t len)
{
	Elf64_Nhdr h = {
		.n_namesz = (Elf64_Word)strlen(name) + 1,
		.n_descsz = (Elf64_Word)len,
		.n_type = type,
	};
	size_t total = sizeof(h) + core_align(h.n_namesz) + core_align(len);
	uint8_t *p;

	if (len > CORE_NOTES || total > CORE_NOTES - c->notes_len)
		return -E2BIG;
	if (c->notes_len + total > c->notes_room) {
		size_t room = 2 * (c->notes_len + total);

		p = realloc(c->notes, room);
		if (!p)
			return -ENOMEM;
		c->notes = p;
		c->notes_room = room;
	}
	p = c->notes + c->notes_len;
	memset(p, 0, total);
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), name, h.n_namesz);
	if (len > 0)
		memcpy(p + sizeof(h) + core_align(h.n_namesz), desc, len);
	c->notes_len += total;
	return 0;
}

int core_add(struct core *c, const struct core_segment *s)
{
	if (s->same >= (int)c->nsegments)
		return -EINVAL;
	if (c->nsegments == CORE_SEGMENTS)
		return -E2BIG;
	if (c->nsegments == c->segments_room) {
		unsigned room = c->segments_room ? 2 * c->segments_room : 64;
		Elf64_Phdr *p = realloc(c->segment, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		c->segment = p;
		c->segments_room = room;
	}
	c->segment[c->nsegments] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = s->flags,
		.p_vaddr = s->va,
		.p_paddr = s->pa,
		.p_filesz = s->file,
		.p_memsz = s->memory,
		/* Until core_place: the number of the segment, or one that there is not. */
		.p_offset = s->same < 0 ? UINT64_MAX : (uint64_t)s->same,
		.p_align = CORE_PAGE,
	};
	return (int)c->nsegments++;
}

/* Where everything lies; the end of the file. */
static uint64_t core_place(struct core *c, Elf64_Phdr *note)
{
	uint64_t at = sizeof(Elf64_Ehdr) + (c->nsegments + 1ull) * sizeof(*note);
	unsigned i;

	*note = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = at,
		.p_filesz = c->notes_len,
		.p_align = 4,
	};
	at += c->notes_len;
	for (i = 0; i < c->nsegments; i++) {
		if (c->segment[i].p_offset < i) {
			c->segment[i].p_offset = c->segment[c->segment[i].p_offset].p_offset;
			continue;
		}
		at = (at + CORE_PAGE - 1) & ~(uint64_t)(CORE_PAGE - 1);
		c->segment[i].p_offset = at;
		at += c->segment[i].p_filesz;
	}
	return at;
}

int core_headers(struct core *c)
{
	Elf64_Ehdr eh = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(eh),
		.e_ehsize = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr),
	};
	Elf64_Phdr note;
	uint64_t end = core_place(c, &note);
	int r;

	eh.e_phnum = (Elf64_Half)(c->nsegments + 1);
	if (ftruncate(c->fd, (off_t)end) < 0)
		return -errno;
	r = core_put(c->fd, &eh, sizeof(eh), 0);
	r = r ? r : core_put(c->fd, &note, sizeof(note), sizeof(eh));
	r = r ? r
	      : core_put(c->fd, c->segment, c->nsegments * sizeof(*c->segment),
			sizeof(eh) + sizeof(note));
	return r ? r : core_put(c->fd, c->notes, c->notes_len, note.p_offset);
}

uint64_t core_offset(const struct core *c, int segment)
{
	return c->segment[segment].p_offset;
}

static bool core_is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

int core_write(struct core *c, int segment, uint64_t offset, const void *buf, size_t len)
{
	const Elf64_Phdr *s = &c->segment[segment];
	const uint8_t *p = buf;

	if (offset >= s->p_filesz)
		return 0;
	len = len < s->p_filesz - offset ? len : (size_t)(s->p_filesz - offset);
	while (len > 0) {
		size_t part = CORE_PAGE - offset % CORE_PAGE;
		int r = 0;

		part = part < len ? part : len;
		if (!core_is_zero(p, part))
			r = core_put(c->fd, p, part, s->p_offset + offset);
		if (r < 0)
			return r;
		p += part;
		offset += part;
		len -= part;
	}
	return 0;
}

/* ---- threads and processes */

/* In the order of struct user_regs_struct. */
static void core_regs(elf_gregset_t out, const struct rsp_regs *r)
{
	const uint64_t *g = r->gpr;
	const uint64_t v[27] = { g[15], g[14], g[13], g[12], g[6], g[1], g[11], g[10], g[9], g[8],
		g[0], g[2], g[3], g[4], g[5], r->orig_rax, r->rip, r->seg[0], r->eflags, g[7],
		r->seg[1], r->fs_base, r->gs_base, r->seg[2], r->seg[3], r->seg[4], r->seg[5] };

	_Static_assert(sizeof(v) == sizeof(elf_gregset_t), "the kernel's layout");
	memcpy(out, v, sizeof(v));
}

int core_thread(struct core *c, const struct core_thread *t)
{
	const uint32_t mask = CORE_MXCSR;
	uint8_t fpu[CORE_FXSAVE] = { 0 };
	struct elf_prstatus s;
	int r;

	memset(&s, 0, sizeof(s));
	s.pr_info.si_signo = (int)t->signal;
	s.pr_cursig = (short)t->signal;
	s.pr_pid = t->tid;
	s.pr_ppid = t->ppid;
	s.pr_pgrp = t->pgrp;
	s.pr_sid = t->sid;
	s.pr_fpvalid = 1;
	core_regs(s.pr_reg, t->regs);
	rsp_regs_to_fxsave(t->regs, fpu);
	memcpy(fpu + 28, &mask, sizeof(mask));
	r = core_note(c, "CORE", NT_PRSTATUS, &s, sizeof(s));
	return r ? r : core_note(c, "CORE", NT_FPREGSET, fpu, sizeof(fpu));
}

int core_process(struct core *c, const struct core_process *p)
{
	static const char states[] = "RSDTZW";
	const char *at = strchr(states, p->state);
	struct elf_prpsinfo s;

	memset(&s, 0, sizeof(s));
	s.pr_state = (char)(at && p->state ? at - states : 0);
	s.pr_sname = p->state;
	s.pr_zomb = p->state == 'Z';
	s.pr_uid = p->uid;
	s.pr_gid = p->gid;
	s.pr_pid = p->pid;
	s.pr_ppid = p->ppid;
	s.pr_pgrp = p->pgrp;
	s.pr_sid = p->sid;
	snprintf(s.pr_fname, sizeof(s.pr_fname), "%s", p->name);
	snprintf(s.pr_psargs, sizeof(s.pr_psargs), "%s", p->args);
	return core_note(c, "CORE", NT_PRPSINFO, &s, sizeof(s));
}
