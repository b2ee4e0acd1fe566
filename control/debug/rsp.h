/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gdb's remote serial protocol, the stub's side, without any I/O of its own: bytes of gdb go in by rsp_input, answers come out by the target's
 * `send`. What a packet does is done by the operations of an abstract target. All-stop, one process.
 *
 * Everything that gdb sends is bounded and checked here: packets longer than RSP_PACKET are dropped with a negative acknowledgement, a packet
 * that is not understood gets the empty answer, one that is malformed E22. Not thread-safe. No operation may call back into the engine but
 * rsp_stopped and rsp_exited from `resume`.
 */
#ifndef CM_DEBUG_RSP_H
#define CM_DEBUG_RSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/debug/rsp_regs.h"

#define RSP_PACKET  16384u /* bytes of a packet's content, both ways */
#define RSP_THREADS 4096u /* that gdb is told of */

enum rsp_break {
	RSP_BREAK_SOFT = 0, /* the numbers are those of Z packets */
	RSP_BREAK_HARD = 1,
	RSP_WATCH_WRITE = 2,
	RSP_WATCH_READ = 3,
	RSP_WATCH_ACCESS = 4
};

struct rsp_stop {
	uint32_t thread;
	uint8_t signal; /* gdb's number: 5 = SIGTRAP, 2 = SIGINT, 11 = SIGSEGV */
	int kind; /* -1 = none of ours, else enum rsp_break: which kind was hit */
	uint64_t address; /* watchpoints: what was accessed */
};

struct rsp_resume {
	uint32_t step; /* thread that makes one step, 0 = none */
	uint32_t only; /* all others stay where they are; 0 = everything runs */
};

/* Operations return 0 or more on success and -errno on failure. */
struct rsp_ops {
	bool app; /* a Linux program: orig_rax, auxv, libraries */
	/* Send bytes to gdb. A failure is found by whoever owns the connection. */
	void (*send)(void *t, const void *p, size_t len);
	/* Ids of at most max threads, in ascending order; how many. */
	int (*threads)(void *t, uint32_t *ids, unsigned max);
	bool (*alive)(void *t, uint32_t thread);
	/* One line about it. */
	void (*describe)(void *t, uint32_t thread, char *buf, size_t room);
	int (*get_regs)(void *t, uint32_t thread, struct rsp_regs *r);
	int (*set_regs)(void *t, uint32_t thread, const struct rsp_regs *r);
	/* Bytes from the start that could be read: 1 to len, or -errno. */
	int (*read)(void *t, uint32_t thread, uint64_t addr, void *buf, size_t len);
	int (*write)(void *t, uint32_t thread, uint64_t addr, const void *buf, size_t len);
	/* -EOPNOTSUPP: this kind is not there. */
	int (*breakpoint)(void *t, enum rsp_break kind, uint64_t addr, uint64_t len, bool set);
	/* Do debug registers work? 1, 0, or -EAGAIN: the next steps will show it. */
	int (*hardware)(void *t);
	/* A stop is told by rsp_stopped, at once or later. */
	int (*resume)(void *t, const struct rsp_resume *r);
	/* gdb's ^C while the target runs: it shall stop soon. */
	void (*interrupt)(void *t);
	/* Bytes of a qXfer object (malloc'ed, *len): auxv, exec-file, libraries-svr4. -EOPNOTSUPP: unknown. */
	int (*object)(void *t, const char *name, char **data, size_t *len);
	/* A command of `monitor`; its answer (malloc'ed text), NULL = none. */
	char *(*monitor)(void *t, const char *line);
	/* Breakpoints out, everything runs. */
	void (*detach)(void *t);
};

#define RSP_WATCHES   8u
#define RSP_WATCH_MAX 64u /* bytes of one */

/* A hardware breakpoint or watchpoint that was set before debug registers were known to work. */
struct rsp_watch {
	bool used;
	bool real; /* it is in a debug register by now */
	enum rsp_break kind;
	uint64_t addr;
	uint32_t len;
	uint8_t old[RSP_WATCH_MAX]; /* what was there when the target went on */
};

struct rsp {
	const struct rsp_ops *ops;
	void *target;
	bool no_ack;
	bool running; /* no stop was told since the last resume */
	bool silent; /* the packet at hand gets no answer now */
	bool detached; /* gdb left: the connection is to be closed */
	uint32_t general; /* thread of g, m and so on */
	struct rsp_watch watch[RSP_WATCHES];
	uint32_t stepped; /* thread that makes a step for the watchpoints' sake, 0 = none */
	struct rsp_resume slow; /* what gdb wanted then */
	struct rsp_stop stop; /* the last one told */
	enum {
		RSP_IDLE,
		RSP_BODY,
		RSP_ESCAPE,
		RSP_SUM1,
		RSP_SUM2
	} state;
	uint8_t sum, want;
	bool overflow;
	size_t len; /* bytes of the packet */
	uint32_t next_thread; /* qsThreadInfo goes on here */
	char in[RSP_PACKET + 1];
	size_t out_len;
	bool out_full; /* the answer did not fit */
	char out[RSP_PACKET];
	char last[2 * RSP_PACKET + 4]; /* the last packet as sent, for a repetition */
	size_t last_len;
};

/* The target stands already: `stop` says why. */
void rsp_init(struct rsp *r, const struct rsp_ops *ops, void *target, const struct rsp_stop *stop);

/* Bytes from gdb. */
void rsp_input(struct rsp *r, const void *bytes, size_t len);

/* The target, which ran, stopped. */
void rsp_stopped(struct rsp *r, const struct rsp_stop *stop);

/* The target is gone; status as an exit code. */
void rsp_exited(struct rsp *r, uint8_t status);

#endif
