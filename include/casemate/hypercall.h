/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sentry asks of the VMM by port I/O. An exit costs 15 us on the slower backend: requests are batched.
 *
 * CM_PORT_LOG: bytes of the early log; every byte is an exit, even of `rep outsb`. CM_HC_LOG takes blocks.
 * CM_PORT_DOORBELL: outl (device << 16 | queue): the queue has new buffers.
 * CM_PORT_CALL: outl (gpa of a struct cm_hypercall >> 12). The block is page aligned; the VMM copies it once, does the request,
 * writes `status` back (0 or -errno) before the vCPU runs on.
 */
#ifndef CASEMATE_HYPERCALL_H
#define CASEMATE_HYPERCALL_H

#include <stdint.h>

#define CM_PORT_LOG	 0x00e9
#define CM_PORT_DOORBELL 0x0d00
#define CM_PORT_CALL	 0x0d04

enum cm_hc_op {
	CM_HC_NONE = 0,
	CM_HC_MMIO_BATCH, /* arg0 = gpa of struct cm_mmio_op[], arg1 = count (<= CM_MMIO_BATCH_MAX): register accesses in order */
	CM_HC_POWER_OFF, /* arg0 = reason (enum cm_off): the VMM process ends in order */
	CM_HC_PANIC, /* arg0 = gpa of struct cm_panic: report, then as power off */
	CM_HC_CPU_START, /* arg0 = vCPU index; -EAGAIN while a debugger has breakpoints: ask again later */
	CM_HC_MEM_RELEASE, /* arg0 = gpa of struct cm_range[], arg1 = count (<= CM_RANGES_MAX): pages are free, content may vanish */
	CM_HC_LOG, /* arg0 = gpa of text, arg1 = length (<= CM_LOG_MAX): one block of the sentry's log */
	CM_HC_TRAP, /* arg0 = gpa of struct cm_trap_regs, arg1 = vector (1, 3, or one that the kernel cannot handle): returns when the debugger lets
			go on with the registers as they are then; -ENOENT: none wants it, the exception is the guest's own */
	CM_HC_COUNT
};

enum cm_off {
	CM_OFF_DONE = 0, /* all containers ended */
	CM_OFF_PANIC = 1
};

struct cm_hypercall {
	uint32_t op;
	int32_t status;
	uint64_t arg[6];
};

struct cm_mmio_op {
	uint32_t device; /* index of the virtio page */
	uint32_t offset; /* register; bit 31 set = read, the VMM stores the result in `value` */
	uint64_t value;
};
#define CM_MMIO_READ	  0x80000000u
#define CM_MMIO_BATCH_MAX 128

struct cm_range {
	uint64_t gpa; /* page aligned, in RAM */
	uint64_t len; /* bytes, multiple of the page size */
};
#define CM_RANGES_MAX 512
#define CM_LOG_MAX    4096

/* Registers where the exception happened; 8-byte aligned, in RAM. The debugger may change them. */
struct cm_trap_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t orig_rax;
	uint64_t rip, cs, rflags, rsp, ss;
};

#define CM_PANIC_TEXT	  512
#define CM_PANIC_DEPTH	  32
#define CM_PANIC_SYSCALLS 16
/* Everything a panic report needs; the VMM symbolises the addresses from the embedded image. */
struct cm_panic {
	uint32_t cpu;
	uint32_t depth; /* entries of `stack` */
	uint64_t regs[16]; /* rax rbx rcx rdx rsi rdi rbp rsp r8..r15 */
	uint64_t rip, rflags, cr2, cr3, vector, error;
	uint64_t stack[CM_PANIC_DEPTH];
	int32_t pid; /* task that ran, 0 for none */
	uint32_t nsyscalls; /* entries of `syscalls`, newest last */
	struct {
		int32_t pid;
		uint32_t nr;
		int64_t ret;
	} syscalls[CM_PANIC_SYSCALLS];
	char text[CM_PANIC_TEXT]; /* NUL-terminated reason */
};

#endif
