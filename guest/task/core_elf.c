/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF file of a core dump: header, program headers (notes, then one for each mapping), notes, memory. Of anonymous memory only pages that
 * are there are written, the rest are holes of the file. The process cannot change meanwhile but where it shares its memory with another;
 * the list of mappings is therefore taken once.
 */
#include <linux/elf.h>

#include "fs/vfs.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/core_map.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "task/coredump.h"
#include "task/ptrace.h"
#include "task/signal.h"

#define CORE_CHUNK_ORDER 4u
#define CORE_CHUNK	 (PAGE_SIZE << CORE_CHUNK_ORDER)
#define NOTE_NAME	 "CORE"
#define NOTE_NAME_XSAVE	 "LINUX"

struct core_prstatus {
	s32 signo, code, err;
	s16 cursig;
	u64 sigpend, sighold;
	s32 pid, ppid, pgrp, sid;
	s64 utime[2], stime[2], cutime[2], cstime[2];
	u64 reg[USER_REGS];
	s32 fpvalid;
};
_Static_assert(sizeof(struct core_prstatus) == 336, "struct elf_prstatus");

struct core_prpsinfo {
	s8 state, sname, zombie, nice;
	u64 flag;
	u32 uid, gid;
	s32 pid, ppid, pgrp, sid;
	char fname[16], psargs[80];
};
_Static_assert(sizeof(struct core_prpsinfo) == 136, "struct elf_prpsinfo");

/* Notes are made in memory first: their size comes before them. */
struct core_notes {
	u8 *data;
	size_t len, size;
	bool failed;
};

static void notes_put(struct core_notes *n, const void *data, size_t len)
{
	size_t size = n->size;
	u8 *more;

	while (n->len + len > size)
		size = size ? size * 2 : 4 * PAGE_SIZE;
	if (size != n->size && !n->failed) {
		more = krealloc(n->data, n->len, size);
		n->failed = !more;
		n->data = more ? more : n->data;
		n->size = more ? size : n->size;
	}
	if (n->failed)
		return;
	if (data)
		memcpy(n->data + n->len, data, len);
	else
		memset(n->data + n->len, 0, len);
	n->len += len;
}

static void notes_align(struct core_notes *n)
{
	notes_put(n, NULL, -n->len & 3);
}

static void note_head(struct core_notes *n, const char *name, u32 type, size_t len)
{
	struct elf64_note h = {
		.n_namesz = (u32)strlen(name) + 1,
		.n_descsz = (u32)len,
		.n_type = type,
	};

	notes_put(n, &h, sizeof(h));
	notes_put(n, name, h.n_namesz);
	notes_align(n);
}

static void note_put(struct core_notes *n, const char *name, u32 type, const void *data, size_t len)
{
	note_head(n, name, type, len);
	notes_put(n, data, len);
	notes_align(n);
}

static void time_put(s64 *tv, u64 ns)
{
	tv[0] = (s64)(ns / 1000000000UL);
	tv[1] = (s64)(ns % 1000000000UL / 1000);
}

static int parent_pid(const struct group *g)
{
	return g->parent ? g->parent->pid : 0;
}

static void note_prstatus(struct core_notes *n, struct task *t, int sig)
{
	struct core_prstatus s;
	struct group *g = t->group;

	memset(&s, 0, sizeof(s));
	s.signo = sig;
	s.cursig = (s16)sig;
	s.sigpend = t->pending.set;
	s.sighold = t->blocked;
	s.pid = t->tid;
	s.ppid = parent_pid(g);
	s.pgrp = g->pgid;
	s.sid = g->sid;
	time_put(s.utime, t->thread->utime_ns);
	time_put(s.stime, t->thread->stime_ns);
	time_put(s.cutime, g->child_utime);
	time_put(s.cstime, g->child_stime);
	user_regs_get(t, s.reg);
	s.fpvalid = 1;
	note_put(n, NOTE_NAME, NT_PRSTATUS, &s, sizeof(s));
}

static void note_prpsinfo(struct core_notes *n, struct task *t)
{
	struct core_prpsinfo p;
	struct as *as = t->as;
	size_t i, len = MIN(as->arg_end - as->arg_start, sizeof(p.psargs) - 1);

	memset(&p, 0, sizeof(p));
	p.sname = 'R';
	p.nice = (s8)t->nice;
	p.flag = 0x400000;
	p.uid = t->cred->uid;
	p.gid = t->cred->gid;
	p.pid = t->group->pid;
	p.ppid = parent_pid(t->group);
	p.pgrp = t->group->pgid;
	p.sid = t->group->sid;
	memcpy(p.fname, t->comm, sizeof(p.fname));
	len = as_copy_from(as, p.psargs, as->arg_start, len);
	for (i = 0; i < len; i++) {
		if (!p.psargs[i])
			p.psargs[i] = ' ';
	}
	note_put(n, NOTE_NAME, NT_PRPSINFO, &p, sizeof(p));
}

static void note_auxv(struct core_notes *n, const struct as *as)
{
	u32 words = 0;

	while (words < AS_AUXV_WORDS - 2 && as->auxv[words])
		words += 2;
	note_put(n, NOTE_NAME, NT_AUXV, as->auxv, (words + 2) * sizeof(u64));
}

static void note_files(struct core_notes *n, const struct core_map *map)
{
	u64 head[2] = { 0, PAGE_SIZE };
	struct core_notes desc = { .data = NULL }, names = { .data = NULL };
	char *buf = kmalloc(PATH_MAX_LEN);
	u32 i;

	notes_put(&desc, head, sizeof(head));
	for (i = 0; i < map->n && buf; i++) {
		const struct core_area *a = &map->area[i];
		u64 range[3] = { a->start, a->end, a->pgoff };
		const char *path = NULL;

		if (a->file && a->file->path.dentry)
			path = path_to_string(&a->file->path, buf, PATH_MAX_LEN);
		if (!path)
			continue;
		notes_put(&desc, range, sizeof(range));
		notes_put(&names, path, strlen(path) + 1);
		head[0]++;
	}
	notes_put(&desc, names.data, names.len);
	n->failed |= !buf || names.failed || desc.failed;
	if (!n->failed) {
		memcpy(desc.data, head, sizeof(head));
		note_put(n, NOTE_NAME, NT_FILE, desc.data, desc.len);
	}
	kfree(desc.data);
	kfree(names.data);
	kfree(buf);
}

static void note_fpregs(struct core_notes *n, struct task *t)
{
	size_t size = user_xstate_size();
	u8 fx[USER_FPREGS_SIZE];
	u8 *area;

	user_fpregs_get(t, fx);
	note_put(n, NOTE_NAME, NT_PRFPREG, fx, sizeof(fx));
	if (!size)
		return;
	area = kmalloc(size);
	if (!area) {
		n->failed = true;
		return;
	}
	user_xstate_get(t, area);
	note_put(n, NOTE_NAME_XSAVE, NT_X86_XSTATE, area, size);
	kfree(area);
}

/* The thread that got the signal comes first. */
static void notes_make(
	struct core_notes *n, struct task *t, const siginfo_t *info, const struct core_map *map)
{
	struct task *pos;

	note_prstatus(n, t, info->si_signo);
	note_prpsinfo(n, t);
	note_put(n, NOTE_NAME, NT_SIGINFO, info, sizeof(*info));
	note_auxv(n, t->as);
	note_files(n, map);
	note_fpregs(n, t);
	/* The others are parked: nothing but this thread takes one out of the list, and no new one comes. */
	list_for_each_entry (pos, &t->group->tasks, group_link) {
		if (pos == t || !pos->parked)
			continue;
		note_prstatus(n, pos, info->si_signo);
		note_fpregs(n, pos);
	}
}

/* ---- the file ---- */

static int core_put(struct core_file *f, const void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t part = MIN(len - done, f->limit > f->pos ? f->limit - f->pos : 0UL);
		s64 n;

		if (!part)
			return -EFBIG;
		if (f->stop())
			return -EINTR;
		n = file_write_kernel(f->file, (const u8 *)data + done, part, f->pos);
		if (n <= 0)
			return n ? (int)n : -EIO;
		f->pos += (u64)n;
		done += (size_t)n;
	}
	return 0;
}

static u32 core_prot(u32 flags)
{
	return (flags & VMA_READ ? PF_R : 0) | (flags & VMA_WRITE ? PF_W : 0) |
	       (flags & VMA_EXEC ? PF_X : 0);
}

static int core_headers(struct core_file *f, const struct core_map *map, size_t notes, u64 *data)
{
	u64 head = sizeof(Elf64_Ehdr) + (map->n + 1UL) * sizeof(Elf64_Phdr);
	Elf64_Ehdr e = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (u16)(map->n + 1),
	};
	Elf64_Phdr p = { .p_type = PT_NOTE, .p_offset = head, .p_filesz = notes, .p_align = 4 };
	u64 offset;
	u32 i;
	int ret = core_put(f, &e, sizeof(e));

	if (ret == 0)
		ret = core_put(f, &p, sizeof(p));
	offset = *data = ALIGN_UP(head + notes, PAGE_SIZE);
	for (i = 0; i < map->n && ret == 0; i++) {
		const struct core_area *a = &map->area[i];

		p = (Elf64_Phdr){
			.p_type = PT_LOAD,
			.p_flags = core_prot(a->flags),
			.p_offset = offset,
			.p_vaddr = a->start,
			.p_filesz = a->dump,
			.p_memsz = a->end - a->start,
			.p_align = PAGE_SIZE,
		};
		offset += a->dump;
		ret = core_put(f, &p, sizeof(p));
	}
	return ret;
}

/* Zeroes for the part of buf, n bytes of the process at `from`, that is in no dump. */
static void core_hide(const struct as *as, u8 *buf, uaddr_t from, size_t n)
{
	uaddr_t start = MAX(as->env_secret, from), end = MIN(as->env_end, from + n);

	if (as->env_secret && start < end)
		memset(buf + (start - from), 0, end - start);
}

/* Bytes [from, to) of the process, to the position `pos` of the file. What cannot be read stays a hole. */
static int core_copy(struct core_file *f, struct as *as, uaddr_t from, uaddr_t to, u64 pos, u8 *buf)
{
	while (from < to) {
		size_t n = MIN(to - from, (u64)CORE_CHUNK);
		size_t got = as_copy_from(as, buf, from, n);
		int ret;

		core_hide(as, buf, from, got);
		f->pos = pos;
		ret = core_put(f, buf, got);
		if (ret < 0)
			return ret;
		if (got < n)
			n = ALIGN_DOWN(got, PAGE_SIZE) + PAGE_SIZE;
		from += n;
		pos += n;
	}
	return 0;
}

static int core_area(
	struct core_file *f, struct as *as, const struct core_area *a, u64 pos, u8 *buf)
{
	uaddr_t from = a->start, end = a->start + a->dump, to;
	int ret;

	if (!a->sparse)
		return core_copy(f, as, from, end, pos, buf);
	while (as_core_run(as, &from, &to, end)) {
		ret = core_copy(f, as, from, to, pos + (from - a->start), buf);
		if (ret < 0)
			return ret;
		from = to;
	}
	return 0;
}

/* The last byte is written even where a hole would end the file. */
static int core_finish(struct core_file *f, u64 end)
{
	if (f->pos >= end)
		return 0;
	f->pos = end - 1;
	return core_put(f, "", 1);
}

static int core_memory(struct core_file *f, struct as *as, const struct core_map *map, u64 pos)
{
	u8 *buf = page_alloc_va(CORE_CHUNK_ORDER, 0);
	int ret = buf ? 0 : -ENOMEM;
	u32 i;

	for (i = 0; i < map->n && ret == 0; i++) {
		ret = core_area(f, as, &map->area[i], pos, buf);
		pos += map->area[i].dump;
	}
	if (ret == 0)
		ret = core_finish(f, pos);
	if (buf)
		page_free_va(buf, CORE_CHUNK_ORDER);
	return ret;
}

int core_write(struct core_file *f, struct task *t, const siginfo_t *info)
{
	struct core_notes notes = { .data = NULL };
	struct core_map map;
	u64 data;
	int ret = as_core_map(t->as, READ_ONCE(t->group->dump_filter), &map);

	if (ret < 0)
		return ret;
	notes_make(&notes, t, info, &map);
	ret = notes.failed ? -ENOMEM : core_headers(f, &map, notes.len, &data);
	if (ret == 0)
		ret = core_put(f, notes.data, notes.len);
	if (ret == 0)
		ret = core_memory(f, t->as, &map, data);
	kfree(notes.data);
	as_core_unmap(&map);
	return ret;
}
