/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz entry of the console's walkers: the input is a list of writes into the memory of a small sentry that has a task with an address space,
 * files and a stack. However they point, every walk ends and stays inside its buffers.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <casemate/guestmem.h>

#include "control/debug/tasks.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/fake_sentry.h"

#define WRITE 12 /* bytes of one in the input: place, kind, value */

static struct fake_sentry f;

static bool walk_vma(struct guest *g, const struct vma_info *v, void *arg)
{
	unsigned *n = arg;

	return ++*n < 1000;
}

static bool walk_task(struct guest *g, const struct task_info *t, void *arg)
{
	struct stack_frame fr[STACK_DEPTH];
	char path[TASK_PATH];
	unsigned n = 0, *tasks = arg, i;
	uint8_t byte;

	stack_wait_channel(fr, stack_sleeping(g, t->thread, fr, STACK_DEPTH));
	tasks_vmas(g, t->as, walk_vma, &n);
	for (i = 0; i < 4; i++)
		tasks_file_path(g,
			guest_number(g, guest_get(g, t->files, F_FDT_FILES) + 8ull * i, 8), path,
			sizeof(path));
	stack_unwind_user(g, tasks_root(g, t->as), t->arg[0], t->arg[1], fr, STACK_DEPTH);
	guest_read_user(g, tasks_root(g, t->as), t->arg[0], &byte, 1);
	/* A broken list has many: the first few are as good as all. */
	return ++*tasks < 8;
}

/* The task whose structures the input damages. */
static void set_up(void)
{
	uint64_t task, as, vma, files, mnt, dentry, thread, table, i;

	if (f.ram) {
		memset(f.ram, 0, FAKE_SENTRY_RAM);
		f.next = FAKE_SENTRY_RAM / 2;
	} else {
		fake_sentry_init(&f);
	}
	guest_forget(&f.g);
	task = fake_sentry_task(&f, 1);
	as = fake_sentry_new(&f);
	vma = fake_sentry_new(&f);
	files = fake_sentry_new(&f);
	mnt = fake_sentry_new(&f);
	dentry = fake_sentry_new(&f);
	thread = guest_get(&f.g, task, F_TASK_THREAD);
	table = CM_GPA_RAM + FAKE_SENTRY_RAM - 4 * 4096;
	fake_sentry_set(&f, task, F_TASK_AS, as);
	fake_sentry_set(&f, task, F_TASK_FILES, files);
	fake_sentry_set(&f, as, F_AS_VMAS, vma);
	fake_sentry_set(&f, as, F_AS_ROOT, table);
	fake_sentry_set(&f, vma, F_VMA_FILE, files);
	fake_sentry_set(&f, files, F_FDT_FILES, files);
	fake_sentry_set(&f, files, F_FILE_DENTRY, dentry);
	fake_sentry_set(&f, files, F_FILE_MNT, mnt);
	fake_sentry_set(&f, dentry, F_DENTRY_PARENT, dentry);
	fake_sentry_set(&f, thread, F_THREAD_STACK, thread & ~4095ull);
	fake_sentry_set(&f, thread, F_THREAD_KSP, thread + 512);
	for (i = 0; i < 3; i++)
		fake_sentry_put(&f, CM_DIRECT_MAP + table + 4096 * i, (table + 4096 * (i + 1)) | 7);
	guest_forget(&f.g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned tasks = 0;
	uint64_t v;
	uint32_t at;

	set_up();
	for (; size >= WRITE; data += WRITE, size -= WRITE) {
		memcpy(&at, data, sizeof(at));
		memcpy(&v, data + 4, sizeof(v));
		/* Values are addresses of its objects more often than not. */
		if (at & 0x80000000)
			v = CM_DIRECT_MAP + CM_GPA_RAM + FAKE_SENTRY_RAM / 2 +
			    v % (FAKE_SENTRY_RAM / 2);
		at = FAKE_SENTRY_RAM / 2 + (at & 0xffff) % (FAKE_SENTRY_RAM / 2) / 16 * 16;
		memcpy(f.ram + at, &v, sizeof(v));
	}
	tasks_each(&f.g, walk_task, &tasks);
	return 0;
}

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	size_t n = 20 * WRITE, i;

	for (i = 0; i < n; i++)
		buf[i] = (uint8_t)(i * 37);
	return n;
}
