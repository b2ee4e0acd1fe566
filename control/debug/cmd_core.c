/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command `core`: all of the guest's memory and its vCPUs as a file for gdb with the sentry's ELF file, or one process as a file for gdb with its
 * program. The vCPUs stand until it is written.
 */
#include <config.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <casemate/guestmem.h>

#include "common/cleanup.h"
#include "control/debug/cmds.h"
#include "control/debug/core.h"
#include "control/debug/core_task.h"
#include "control/debug/gdb.h"

#define CORE_BLOCK (64u << 10)
#define CORE_IMAGE (1ull << 30) /* bytes of RAM that the sentry's image map covers at most */

/* ---- the machine's memory */

static int dump_block(struct gdb_machine *m, struct core *c, int segment, uint64_t base,
	uint64_t gpa, uint64_t len)
{
	static uint8_t block[CORE_BLOCK];

	while (len > 0) {
		size_t n = len < sizeof(block) ? (size_t)len : sizeof(block);
		int r = dbg_read_phys(m->d, gpa, block, n);

		r = r ? r : core_write(c, segment, gpa - base, block, n);
		if (r < 0)
			return r;
		gpa += n;
		len -= n;
	}
	return 0;
}

/* Only the pages with anything in them. */
static int dump_ram(struct gdb_machine *m, struct core *c, int segment, uint64_t base, uint64_t len)
{
	uint64_t at = base, end = base + len;

	while (at < end) {
		struct cm_dbg_range q = { .gpa = at, .len = end - at }, a;
		int r = dbg_call(m->d, CM_DBG_FIND_DATA, &(struct dbg_buf){ &q, sizeof(q) }, 1, &a,
			sizeof(a));

		if (r >= 0 && (r != (int)sizeof(a) || a.gpa < at || a.gpa > end ||
				      a.len > end - a.gpa || (a.len == 0 && a.gpa == at)))
			r = -EPROTO;
		if (r < 0)
			return r;
		r = dump_block(m, c, segment, base, a.gpa, a.len);
		if (r < 0)
			return r;
		at = a.gpa + a.len;
	}
	return 0;
}

/* RAM where the sentry sees it: in the direct map, its start once more where the image is linked. The arena is in the direct map too. */
static int vm_segments(struct gdb_machine *m, struct core *c, int *segment)
{
	const struct cm_dbg_machine *machine = dbg_machine(m->d);
	unsigned i;

	for (i = 0; i < machine->nranges; i++) {
		uint64_t gpa = machine->range[i].gpa, len = machine->range[i].len;
		struct core_segment s = {
			.va = CM_DIRECT_MAP + gpa,
			.pa = gpa,
			.memory = len,
			.file = len,
			.flags = PF_R | PF_W | PF_X,
			.same = -1,
		};

		segment[i] = -1;
		if (machine->range[i].kind == CM_DBG_DAX)
			continue;
		segment[i] = core_add(c, &s);
		if (segment[i] < 0)
			return segment[i];
		if (machine->range[i].kind != CM_DBG_RAM)
			continue;
		s.va = CM_KERNEL_BASE;
		s.memory = s.file = len < CORE_IMAGE ? len : CORE_IMAGE;
		s.same = segment[i];
		if (core_add(c, &s) < 0)
			return -E2BIG;
	}
	return 0;
}

static int vm_threads(struct gdb_machine *m, struct core *c)
{
	uint32_t cpu;

	for (cpu = 0; cpu < GDB_CPUS; cpu++) {
		struct core_thread t = { .tid = (int32_t)cpu + 1 };
		struct rsp_regs regs;
		int r;

		if (!machine_has_cpu(m, cpu))
			continue;
		r = machine_get_regs(m, cpu, &regs);
		/* One that does not stop leaves no registers. */
		if (r == -EBUSY)
			continue;
		t.regs = &regs;
		r = r ? r : core_thread(c, &t);
		if (r < 0)
			return r;
	}
	return 0;
}

static int core_of_vm(struct gdb_machine *m, struct core *c)
{
	const struct cm_dbg_machine *machine = dbg_machine(m->d);
	int segment[CM_DBG_RANGES], r;
	char text[128];
	unsigned i;

	r = vm_threads(m, c);
	snprintf(text, sizeof(text), "backend=%s program=%s abi=%u",
		machine->backend == CM_DBG_PVM ? "pvm" : "std", machine->program, machine->abi);
	r = r ? r : core_note(c, "CASEMATE", 1, text, strlen(text) + 1);
	r = r ? r : vm_segments(m, c, segment);
	r = r ? r : core_headers(c);
	for (i = 0; i < machine->nranges && r == 0; i++) {
		if (machine->range[i].kind == CM_DBG_RAM)
			r = dump_ram(
				m, c, segment[i], machine->range[i].gpa, machine->range[i].len);
		else if (segment[i] >= 0)
			r = dump_block(m, c, segment[i], machine->range[i].gpa,
				machine->range[i].gpa, machine->range[i].len);
	}
	return r;
}

/* ---- the command */

struct core_args {
	uint32_t pid;
	bool on_panic; /* wait for the guest's death first */
	bool let_go; /* a guest that died and was held ends afterwards */
	const char *file;
};

static int args_parse(struct core_args *a, int argc, char **argv, struct cm_err *err)
{
	uint64_t pid;
	int i;

	*a = (struct core_args){ 0 };
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-p") == 0) {
			if (++i == argc)
				return cm_err_set(err, 0, "core: -p needs a process id");
			if (cmd_number("process id", argv[i], INT32_MAX, &pid, err) < 0)
				return -1;
			if (pid == 0)
				return cm_err_set(err, 0, "process id '0': there is none");
			a->pid = (uint32_t)pid;
		} else if (strcmp(argv[i], "--on-panic") == 0) {
			a->on_panic = true;
		} else if (strcmp(argv[i], "--let-go") == 0) {
			a->let_go = true;
		} else if (a->file || argv[i][0] == '-') {
			return cm_err_set(err, 0, "core: unexpected argument '%s'", argv[i]);
		} else {
			a->file = argv[i];
		}
	}
	return a->file ? 0 : cm_err_set(err, 0, "core: FILE is missing");
}

static int core_to(struct session *s, const struct core_args *a, int fd, struct cm_err *err)
{
	struct gdb *g = calloc(1, sizeof(*g));
	struct core *c = core_create(fd);
	int r = g && c ? 0 : -ENOMEM;

	if (r == 0) {
		g->s = s;
		g->pid = a->pid;
		g->m.d = s->d;
		r = dbg_status(s->d, &g->m.status);
	}
	if (r == 0 && a->pid) {
		g->m.guest = session_guest(s, err);
		r = g->m.guest ? core_of_task(g, c, err) : -1;
	} else if (r == 0) {
		r = core_of_vm(&g->m, c);
		if (r < 0)
			cmd_error(r, err, "write the core");
	} else {
		cmd_error(r, err, "core");
	}
	core_destroy(c);
	free(g);
	return r;
}

/* Wait until the guest dies and is held: 1; 0 when the VM ends without that. */
static int wait_for_death(struct session *s, struct cm_err *err)
{
	struct cm_dbg_stop stop;
	struct cm_dbg_status st;
	int r = dbg_status(s->d, &st);

	while (r == 0 && st.state != CM_DBG_HELD) {
		r = dbg_event(s->d, &stop, -1);
		r = r < 0 ? r : dbg_status(s->d, &st);
	}
	if (r == -ENOTCONN)
		return 0;
	return r < 0 ? cmd_error(r, err, "wait for the guest's death") : 1;
}

static int core_write_file(
	struct session *s, const struct core_args *a, struct stat *st, struct cm_err *err)
{
	/* Whoever may read it reads everything that the guest knows. */
	cleanup_fd int fd = open(a->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return cm_err_set(err, errno, "create '%s'", a->file);
	r = dbg_pause(s->d, 0, 0, NULL);
	if (r < 0 && r != -ETIMEDOUT) {
		cmd_error(r, err, "stop the vCPUs");
	} else {
		r = core_to(s, a, fd, err);
		dbg_resume(s->d, 0, NULL);
	}
	if (r == 0 && fstat(fd, st) < 0)
		r = cm_err_set(err, errno, "'%s'", a->file);
	if (r < 0)
		unlink(a->file);
	return r;
}

json_t *cmd_core_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct core_args a;
	struct stat st;
	int r = args_parse(&a, argc, argv, err);

	if (r == 0 && a.on_panic) {
		r = wait_for_death(s, err);
		if (r == 0)
			return json_null();
	}
	if (r < 0)
		return NULL;
	r = core_write_file(s, &a, &st, err);
	if (a.let_go)
		dbg_call(s->d, CM_DBG_LET_GO, NULL, 0, NULL, 0);
	if (r < 0)
		return NULL;
	return json_pack("{s:s, s:I, s:I}", "file", a.file, "bytes", (json_int_t)st.st_size,
		"stored", (json_int_t)st.st_blocks * 512);
}

void cmd_core_print(const json_t *o, FILE *f)
{
	if (json_is_null(o))
		return;
	fprintf(f, "%s: %lld MiB, %lld KiB of them on disk\n", json_text(o, "file"),
		json_number(o, "bytes") >> 20, json_number(o, "stored") >> 10);
}
