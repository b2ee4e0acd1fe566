/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ordinary core of one process: its tasks' registers, the notes that gdb looks for, and every page that it has. Pages of files that are not
 * there are left to the files; private memory that was never touched is zeroes.
 */
#include <config.h>
#include "control/debug/core_task.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/debug/gdb_task.h"

#define CORE_ARGS 80u
#define CORE_AUXV 512u

/* A run of pages of one mapping. */
struct run {
	uint64_t start, end;
	int segment;
};

struct dump {
	struct gdb_task *st;
	struct core *c;
	struct run *run;
	unsigned nruns, runs_room;
	FILE *files, *names; /* NT_FILE's two parts */
	uint64_t nfiles;
	int error; /* the first one */
};

static bool page_present(struct dump *d, uint64_t va)
{
	struct gdb_page p;

	return gdb_page(&d->st->g->m, d->st->root, va, &p) == 0;
}

static uint32_t vma_flags(struct guest *g, uint64_t flags)
{
	return (flags & guest_const(g, C_VMA_READ) ? PF_R : 0) |
	       (flags & guest_const(g, C_VMA_WRITE) ? PF_W : 0) |
	       (flags & guest_const(g, C_VMA_EXEC) ? PF_X : 0);
}

static int dump_segment(struct dump *d, uint64_t start, uint64_t end, bool stored, uint32_t flags)
{
	struct core_segment s = {
		.va = start,
		.memory = end - start,
		.file = stored ? end - start : 0,
		.flags = flags,
		.same = -1,
	};
	int n = core_add(d->c, &s);

	if (n < 0 || !stored)
		return n < 0 ? n : 0;
	if (d->nruns == d->runs_room) {
		unsigned room = d->runs_room ? 2 * d->runs_room : 64;
		struct run *more = realloc(d->run, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		d->run = more;
		d->runs_room = room;
	}
	d->run[d->nruns++] = (struct run){ start, end, n };
	return 0;
}

/* A mapping of a file: what is there and what is not, in turn. */
static int dump_file(struct dump *d, const struct vma_info *v, uint32_t flags)
{
	uint64_t start = v->start, at;
	bool there = page_present(d, start);
	int r = 0;

	for (at = start + CORE_PAGE; at < v->end && r == 0; at += CORE_PAGE) {
		bool now = page_present(d, at);

		if (now == there)
			continue;
		r = dump_segment(d, start, at, there, flags);
		start = at;
		there = now;
	}
	return r ? r : dump_segment(d, start, v->end, there, flags);
}

static void dump_name(struct dump *d, const struct vma_info *v)
{
	const uint64_t entry[3] = { v->start, v->end, v->pgoff };

	fwrite(entry, sizeof(entry), 1, d->files);
	fwrite(v->name, strlen(v->name) + 1, 1, d->names);
	d->nfiles++;
}

static bool dump_vma(struct guest *g, const struct vma_info *v, void *arg)
{
	struct dump *d = arg;
	uint32_t flags = vma_flags(g, v->flags);

	if (v->start % CORE_PAGE || v->end % CORE_PAGE || v->start >= v->end)
		return true;
	if (!(flags & PF_R))
		d->error = dump_segment(d, v->start, v->end, false, flags);
	else if (v->file || v->flags & guest_const(g, C_VMA_SHARED))
		d->error = dump_file(d, v, flags);
	else
		d->error = dump_segment(d, v->start, v->end, true, flags);
	if (d->error == 0 && v->file)
		dump_name(d, v);
	return d->error == 0;
}

/* Zeroes for what the guest keeps out of its own dumps, too. */
static void dump_hide(struct dump *d, uint64_t va, uint8_t page[CORE_PAGE])
{
	struct guest *g = d->st->g->m.guest;
	uint64_t start = guest_get(g, d->st->as, F_AS_ENV_SECRET);
	uint64_t end = guest_get(g, d->st->as, F_AS_ENV_END);

	if (!start)
		return;
	start = start > va ? start : va;
	end = end < va + CORE_PAGE ? end : va + CORE_PAGE;
	if (start < end)
		memset(page + (start - va), 0, end - start);
}

static int dump_run(struct dump *d, const struct run *r)
{
	struct gdb_machine *m = &d->st->g->m;
	uint8_t page[CORE_PAGE];
	uint64_t va;

	for (va = r->start; va < r->end; va += CORE_PAGE) {
		struct gdb_page p;
		int e = gdb_page(m, d->st->root, va, &p);

		/* Never touched: zeroes. */
		if (e < 0)
			continue;
		e = dbg_read_phys(m->d, p.gpa, page, sizeof(page));
		dump_hide(d, va, page);
		e = e == -EFAULT ? 0
		    : e		 ? e
				 : core_write(d->c, r->segment, va - r->start, page, sizeof(page));
		if (e < 0)
			return e;
	}
	return 0;
}

/* ---- notes */

static void note_args(struct gdb_task *st, char *args)
{
	struct guest *g = st->g->m.guest;
	uint64_t at = guest_get(g, st->as, F_AS_ARG_START),
		 end = guest_get(g, st->as, F_AS_ARG_END);
	int n, i;

	memset(args, 0, CORE_ARGS);
	n = gdb_read(&st->g->m, st->root, at, args,
		end - at < CORE_ARGS - 1 ? (size_t)(end - at) : CORE_ARGS - 1);
	for (i = 0; i + 1 < n; i++)
		args[i] = args[i] ? args[i] : ' ';
}

static int note_process(struct dump *d, const struct task_info *t)
{
	char args[CORE_ARGS];
	struct core_process p = {
		.state = t->state,
		.pid = t->pid,
		.ppid = t->ppid,
		.pgrp = t->pgid,
		.sid = t->sid,
		.uid = t->uid,
		.name = t->comm,
		.args = args,
	};

	note_args(d->st, args);
	return core_process(d->c, &p);
}

static int note_files(
	struct dump *d, const char *files, size_t files_len, const char *names, size_t names_len)
{
	const uint64_t head[2] = { d->nfiles, CORE_PAGE };
	size_t len = sizeof(head) + files_len + names_len;
	char *p = malloc(len);
	int r;

	if (!p)
		return -ENOMEM;
	memcpy(p, head, sizeof(head));
	memcpy(p + sizeof(head), files, files_len);
	memcpy(p + sizeof(head) + files_len, names, names_len);
	/* NT_FILE */
	r = core_note(d->c, "CORE", 0x46494c45, p, len);
	free(p);
	return r;
}

static int note_auxv(struct dump *d)
{
	struct guest *g = d->st->g->m.guest;
	uint8_t auxv[CORE_AUXV];
	int r = guest_read(g, guest_at(g, d->st->as, F_AS_AUXV), auxv, sizeof(auxv));

	return r ? r : core_note(d->c, "CORE", NT_AUXV, auxv, sizeof(auxv));
}

static int note_thread(struct dump *d, const struct gdb_thread *k, const struct task_info *t)
{
	struct core_thread n = { k->tid, t->ppid, t->pgid, t->sid, 0, NULL };
	struct rsp_regs regs;
	int r = task_get_regs(d->st, k, &regs);

	n.regs = &regs;
	return r ? r : core_thread(d->c, &n);
}

/* The first task and what is told of the process, then the others, as gdb wants it. */
static int dump_notes(struct dump *d)
{
	struct task_info t;
	unsigned i;
	int r;

	if (!tasks_find(d->st->g->m.guest, d->st->task[0].tid, &t))
		return -ESRCH;
	r = note_thread(d, &d->st->task[0], &t);
	r = r ? r : note_process(d, &t);
	r = r ? r : note_auxv(d);
	for (i = 1; i < d->st->ntasks && r == 0; i++)
		r = note_thread(d, &d->st->task[i], &t);
	return r;
}

/* The mappings, and the note of those with a file. */
static int dump_mappings(struct dump *d)
{
	char *files = NULL, *names = NULL;
	size_t files_len, names_len;
	int r = -ENOMEM;

	d->files = open_memstream(&files, &files_len);
	d->names = open_memstream(&names, &names_len);
	if (d->files && d->names) {
		tasks_vmas(d->st->g->m.guest, d->st->as, dump_vma, d);
		r = d->error;
	}
	if (d->files && fclose(d->files) != 0)
		r = r ? r : -ENOMEM;
	if (d->names && fclose(d->names) != 0)
		r = r ? r : -ENOMEM;
	r = r ? r : note_files(d, files, files_len, names, names_len);
	free(files);
	free(names);
	return r;
}

static int dump_all(struct dump *d)
{
	int r = gdb_task_refresh(d->st);
	unsigned i;

	r = r ? r : dump_notes(d);
	r = r ? r : dump_mappings(d);
	r = r ? r : core_headers(d->c);
	for (i = 0; i < d->nruns && r == 0; i++)
		r = dump_run(d, &d->run[i]);
	return r;
}

int core_of_task(struct gdb *g, struct core *c, struct cm_err *err)
{
	struct gdb_task *st = calloc(1, sizeof(*st));
	struct dump d = { .st = st, .c = c };
	int r = -ENOMEM;

	if (st) {
		st->g = g;
		r = dump_all(&d);
	}
	free(d.run);
	free(st);
	if (r == -ESRCH)
		return cm_err_set(err, 0, "no process %u in the sandbox", g->pid);
	return r < 0 ? cm_err_set(err, -r, "write the core of process %u", g->pid) : 0;
}
