/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gdb's way into a sandbox. A server (gdb_serve.c) joins one gdb, the protocol engine (rsp.h), and one of two targets, both on top of the
 * machine part (gdb_machine.c): the sentry with vCPUs as threads (gdb_vm.c), or one process with its tasks as threads (gdb_task.c).
 *
 * The VMM takes everything back when the connection ends, however it does: a target needs no clean-up of its own.
 */
#ifndef CM_DEBUG_GDB_H
#define CM_DEBUG_GDB_H

#include "control/debug/client.h"
#include "control/debug/guest.h"
#include "control/debug/rsp.h"

struct session;

#define GDB_BREAKS  256
#define GDB_HW	    4
#define GDB_CPUS    64
#define GDB_NO_CPU  0xffffffffu
#define GDB_SIGINT  2
#define GDB_SIGTRAP 5
#define GDB_SIGABRT 6
#define GDB_SIGSEGV 11

/* A software breakpoint. Several may lie on one byte (two processes that share a page, two addresses of one page). */
struct gdb_break {
	bool used;
	bool out; /* taken out for a step over it */
	uint64_t va, gpa;
};

struct gdb_hw {
	bool used;
	enum rsp_break kind;
	uint64_t va;
	uint32_t len; /* 1, 2, 4, 8 */
};

struct gdb_machine {
	struct dbg *d;
	struct guest *guest; /* the memory, by the same connection */
	bool held; /* by a pause of ours */
	bool event; /* by a stop event that was not continued */
	struct cm_dbg_stop stop; /* the event */
	bool foreign; /* it is the guest's own: a resume delivers it */
	bool trap_set; /* a trap flag was put into memory: the VMM is to know at the next resume */
	bool holding; /* vCPUs stand while another makes a step */
	uint32_t step; /* the vCPU that makes one, as of the last resume */
	struct cm_dbg_status status; /* as of the last stop */
	struct gdb_break brk[GDB_BREAKS];
	struct gdb_hw hw[GDB_HW];
	/* Do debug registers work? Found out by steps from under a breakpoint in one: no backend is believed. */
	enum {
		GDB_HW_UNKNOWN,
		GDB_HW_BROKEN,
		GDB_HW_WORKS
	} hw_state;
	bool hw_wanted; /* somebody asked */
	bool probing; /* by the last resume */
	unsigned probes; /* in vain so far */
	uint32_t only; /* of the last resume */
};

/* Stop the vCPUs and take the guest's debugging. */
int machine_start(struct gdb_machine *m, struct cm_err *err);
/* Stop a machine that runs. */
int machine_pause(struct gdb_machine *m);
/* Go on. step: this vCPU makes one step; only: the others stand meanwhile. GDB_NO_CPU for neither. */
int machine_resume(struct gdb_machine *m, uint32_t step, uint32_t only);
/* A step with the others standing does not come to its end, because it waits for them: let them go. */
int machine_unhold(struct gdb_machine *m);
/* Fetch a stop event that is there: 1, 0 or -errno. */
int machine_event(struct gdb_machine *m);
bool machine_has_cpu(const struct gdb_machine *m, uint32_t cpu);

int machine_break_add(struct gdb_machine *m, uint64_t va, uint64_t gpa);
int machine_break_del(struct gdb_machine *m, uint64_t va);
struct gdb_break *machine_break_at(struct gdb_machine *m, uint64_t gpa);
bool machine_break_is(const struct gdb_machine *m, uint64_t va);
/* Take the byte's breakpoints out of memory, and put all such back. */
int machine_break_lift(struct gdb_machine *m, uint64_t gpa);
void machine_break_restore(struct gdb_machine *m);
/* As ops->hardware. */
int machine_hw_works(struct gdb_machine *m);
int machine_hw(struct gdb_machine *m, enum rsp_break kind, uint64_t va, uint64_t len, bool set);
/* The breakpoint of the debug registers that a #DB is for, NULL = none. */
const struct gdb_hw *machine_hw_hit(const struct gdb_machine *m);

/* ---- memory; root as in CR3, 0 = the kernel's fixed map only */
struct gdb_page {
	uint64_t gpa, left, entry; /* bytes left in the page; of the page table, 0 = fixed map */
};
int gdb_page(
	struct gdb_machine *m, uint64_t root, uint64_t va, struct gdb_page *p); /* or -EFAULT */
/* Bytes from the start that could be read: 1 to len, or -errno. */
int gdb_read(struct gdb_machine *m, uint64_t root, uint64_t va, void *buf, size_t len);
/* want: bits that the table entries must have, else -EACCES. */
int gdb_write(struct gdb_machine *m, uint64_t root, uint64_t va, const void *buf, size_t len,
	uint64_t want);
/*
 * Is it just below the stack pointer, where gdb would build the frame of a call? In the sentry that memory is in use (by the handler of the trap
 * that the vCPU stands in), and in a program the stack is not executable, so that the call could not come back: better to refuse it at once.
 */
static inline bool gdb_below_stack(const struct rsp_regs *r, uint64_t va, size_t len)
{
	return va < r->gpr[7] && va + len > r->gpr[7] - 2048;
}
static inline bool gdb_is_kernel(uint64_t va)
{
	return va >> 63;
}

/* A vCPU's registers in gdb's form, and back. */
int machine_get_regs(struct gdb_machine *m, uint32_t cpu, struct rsp_regs *r);
int machine_set_regs(struct gdb_machine *m, uint32_t cpu, const struct rsp_regs *r);

struct gdb;

/* What the server asks of a target besides the protocol's operations; t is its state. */
struct gdb_target {
	struct rsp_ops ops;
	/* The state, with the machine stopped and *stop filled; NULL with err filled. */
	void *(*open)(struct gdb *g, struct rsp_stop *stop, struct cm_err *err);
	/* A stop event is in the machine: tell gdb, or let the machine go on. 0, or -errno: the machine is gone. */
	int (*event)(void *t);
	/* Nothing happened for a while: 0, or -errno when there is nothing to wait for. May be NULL. */
	int (*idle)(void *t);
	void (*close)(void *t);
};

extern const struct gdb_target gdb_target_vm, gdb_target_task;

struct gdb {
	struct session *s;
	struct gdb_machine m;
	struct rsp rsp;
	int in, out; /* gdb's connection */
	uint32_t pid; /* of the process to look at, 0 = the sentry */
};

/* Operations that are the same for both targets; t is struct gdb. */
void gdb_send(struct gdb *g, const void *p, size_t len);
char *gdb_monitor(struct gdb *g, const char *line);

#endif
