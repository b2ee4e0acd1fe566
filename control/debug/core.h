/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing ELF64 core files: notes and segments are named first, then the headers are written, then the segments' bytes in any order. Zeroes are left
 * out, the file has holes there. Memory in use does not depend on what is dumped. Not thread-safe.
 */
#ifndef CM_DEBUG_CORE_H
#define CM_DEBUG_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/debug/rsp_regs.h"

#define CORE_SEGMENTS 60000u /* more need another format of the header */
#define CORE_NOTES    (16u << 20) /* bytes */
#define CORE_PAGE     4096u

struct core;

struct core_segment {
	uint64_t va, pa;
	uint64_t memory; /* bytes */
	uint64_t file; /* of them in the file, from the start; the rest is to be had elsewhere */
	uint32_t flags; /* PF_R and so on */
	int same; /* the number of an earlier segment whose bytes from the start are these, -1 = it has bytes of its own */
};

/* fd: an empty regular file; borrowed. NULL = no memory. */
struct core *core_create(int fd);
void core_destroy(struct core *c);

/* 0 or -errno (-E2BIG: too many). */
int core_note(struct core *c, const char *name, uint32_t type, const void *desc, size_t len);
/* The segment's number, or -errno. */
int core_add(struct core *c, const struct core_segment *s);
/* No more notes or segments: places everything and writes the headers. */
int core_headers(struct core *c);
/* Offset in the file of a segment, after core_headers. */
uint64_t core_offset(const struct core *c, int segment);
/* Bytes of a segment; those behind its end in the file are dropped. */
int core_write(struct core *c, int segment, uint64_t offset, const void *buf, size_t len);

/* ---- notes of threads */

struct core_thread {
	int32_t tid, ppid, pgrp, sid;
	uint32_t signal; /* that ended it, 0 = none */
	const struct rsp_regs *regs;
};
/* NT_PRSTATUS and NT_FPREGSET. */
int core_thread(struct core *c, const struct core_thread *t);

struct core_process {
	char state;
	int32_t pid, ppid, pgrp, sid;
	uint32_t uid, gid;
	const char *name, *args; /* cut to 15 and 79 bytes */
};
/* NT_PRPSINFO. */
int core_process(struct core *c, const struct core_process *p);

#endif
