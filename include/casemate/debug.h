/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug protocol between casemate-vmm and a debugger (casemate-debug, its gdb server). The VMM only moves registers and bytes of
 * guest-physical memory; whatever they mean is found out by the client.
 *
 * Connection. The client connects to the sandbox's control socket and calls "debug.Attach"; the sandbox process checks who it is and, after
 * the reply, hands the same connection to the VMM. From then on it carries frames.
 *
 * Frame = struct cm_dbg_hdr + `len` bytes. Little-endian, fixed layouts, natural alignment from the start of the payload. A request has an
 * id of the client's choice (never 0); its reply has the same id and type | CM_DBG_REPLY, and `error` 0 or a positive errno (then without
 * payload, but for CM_DBG_PAUSE). Requests of one connection are served in order, each when the reply of the one before is out. Events have
 * id 0 and come between replies. A frame that breaks a rule ends the connection; an unknown type gets ENOSYS. The end of the VM is the end of
 * the connection.
 *
 * A hang-up, however it comes, takes back what the connection did: its pauses, breakpoints, guest debugging and traces. Registers and memory
 * stay as written.
 *
 * Errors: EBUSY the vCPU is not stopped, or another connection has guest debugging; ENODEV no such vCPU, or not started; EFAULT not RAM, arena
 * or DAX window (or a page of the window without a file); EROFS a write to the DAX window, whose pages are the host's files; EOPNOTSUPP this KVM
 * lacks it; EINVAL a field out of range.
 */
#ifndef CASEMATE_DEBUG_H
#define CASEMATE_DEBUG_H

#include <stdint.h>

#define CM_DBG_MAGIC	   0x31444d43u /* "CMD1" */
#define CM_DBG_VERSION	   2
#define CM_DBG_CONNS	   8 /* connections at a time */
#define CM_DBG_PAYLOAD_MAX ((64u << 10) + 256) /* either direction */
#define CM_DBG_MEM_MAX	   (64u << 10) /* bytes of memory in one request */
#define CM_DBG_REPLY	   0x8000u
#define CM_DBG_EVENT	   0x4000u
#define CM_DBG_ALL_CPUS	   0xffffffffu

enum cm_dbg_type {
	CM_DBG_HELLO = 1, /* struct cm_dbg_hello; reply: struct cm_dbg_machine */
	CM_DBG_STATUS = 2, /* empty; reply: struct cm_dbg_status */
	CM_DBG_PAUSE =
		3, /* struct cm_dbg_pause; reply: struct cm_dbg_status, with error ETIMEDOUT too */
	CM_DBG_RESUME =
		4, /* struct cm_dbg_pause: takes one PAUSE of this connection back, or the kept one; reply: struct cm_dbg_status. EINVAL without one */
	CM_DBG_GET_REGS =
		5, /* struct cm_dbg_regs; reply: the same + the sets that it could read, in order of their bits */
	CM_DBG_SET_REGS =
		6, /* struct cm_dbg_regs + the sets in order of their bits; reply: empty */
	CM_DBG_READ = 7, /* struct cm_dbg_mem; reply: the bytes, all of them */
	CM_DBG_WRITE = 8, /* struct cm_dbg_mem + len bytes; reply: empty */
	CM_DBG_FIND_DATA =
		9, /* struct cm_dbg_range in RAM; reply: the same: the first pages that hold anything but zeroes */
	CM_DBG_EXITS = 10, /* struct cm_dbg_cpu; reply: struct cm_dbg_exit[] */
	CM_DBG_DEVICES = 11, /* empty; reply: struct cm_dbg_device[] */
	CM_DBG_GUEST_DEBUG = 12, /* struct cm_dbg_guest_debug; reply: empty */
	CM_DBG_BREAK_ADD =
		13, /* struct cm_dbg_mem, len 1: an int3 in RAM; reply: empty. EEXIST, ENOSPC */
	CM_DBG_BREAK_DEL = 14, /* struct cm_dbg_mem, len 1; reply: empty. ENOENT */
	CM_DBG_NMI = 15, /* struct cm_dbg_cpu; reply: empty */
	CM_DBG_TRACE_SET = 16, /* struct cm_dbg_trace_set; reply: empty */
	CM_DBG_TRACE_READ =
		17, /* struct cm_dbg_trace_read; reply: the same + struct cm_dbg_trace_entry[count] */
	CM_DBG_LET_GO =
		18, /* empty: a VM that is held after its guest died ends now; reply: empty. EINVAL when none is */
	CM_DBG_CONTINUE =
		19, /* empty: go on from a stop event; reply: struct cm_dbg_status. EINVAL without one */
	CM_DBG_STOPPED = CM_DBG_EVENT | 1, /* struct cm_dbg_stop: the VM stopped by itself */
};

struct cm_dbg_hdr {
	uint32_t magic; /* CM_DBG_MAGIC */
	uint16_t version; /* CM_DBG_VERSION */
	uint16_t type; /* enum cm_dbg_type, | CM_DBG_REPLY */
	uint32_t id;
	uint32_t len; /* bytes of payload, at most CM_DBG_PAYLOAD_MAX */
	uint32_t error; /* replies: 0 or an errno */
	uint32_t reserved; /* 0 */
};
_Static_assert(sizeof(struct cm_dbg_hdr) == 24, "frame header layout");

struct cm_dbg_hello {
	uint32_t version; /* highest version that the client understands */
	uint32_t reserved;
};

enum cm_dbg_backend {
	CM_DBG_STD = 0, /* hardware KVM */
	CM_DBG_PVM = 1, /* software KVM */
};

enum cm_dbg_memory {
	CM_DBG_RAM = 1,
	CM_DBG_ARENA = 2,
	CM_DBG_DAX = 3, /* file pages: read only, pages without a file give EFAULT */
};

#define CM_DBG_RANGES	4
#define CM_DBG_BUILD_ID 20
struct cm_dbg_machine {
	uint32_t version; /* of the protocol */
	uint32_t abi; /* CM_ABI_VERSION: address map, hypercalls */
	uint32_t backend; /* enum cm_dbg_backend */
	uint32_t ncpus; /* that the VM can have; not all need be started */
	uint32_t tsc_khz;
	uint32_t build_id_len; /* 0 = the image has none */
	uint8_t build_id[CM_DBG_BUILD_ID]; /* NT_GNU_BUILD_ID of the guest's image */
	uint32_t nranges;
	struct {
		uint64_t gpa, len;
		uint32_t kind; /* enum cm_dbg_memory */
		uint32_t reserved;
	} range[CM_DBG_RANGES];
	char program[32]; /* name and version of the VMM, NUL-terminated */
};

enum cm_dbg_state {
	CM_DBG_RUNNING = 0,
	CM_DBG_PAUSED = 1, /* by a connection, or by a stop event that nobody continued */
	CM_DBG_HELD = 2, /* the guest panicked or crashed; waits for LET_GO */
	CM_DBG_ENDING = 3,
};

enum cm_dbg_cpu_state {
	CM_DBG_CPU_OFF = 0, /* not started */
	CM_DBG_CPU_RUNNING = 1,
	CM_DBG_CPU_STOPPED = 2, /* registers can be read and written */
	CM_DBG_CPU_ENDED = 3,
};

enum cm_dbg_reason {
	CM_DBG_NONE = 0,
	CM_DBG_TRAP = 1, /* breakpoint, watchpoint or single step: GUEST_DEBUG */
	CM_DBG_PANIC = 2, /* the guest reported one */
	CM_DBG_CRASH = 3, /* triple fault, or KVM could not go on */
};

struct cm_dbg_stop {
	uint32_t reason; /* enum cm_dbg_reason */
	uint32_t cpu;
	uint32_t
		exception; /* TRAP: 1 = #DB, 3 = #BP, else one that would be a panic: GD_INJECT lets it be */
	uint32_t reserved;
	uint64_t pc, dr6, dr7; /* TRAP */
};

struct cm_dbg_status {
	uint32_t state; /* enum cm_dbg_state */
	uint32_t pauses; /* of all connections */
	uint32_t mine; /* of this connection */
	uint32_t conns;
	uint64_t uptime_ns; /* since the guest's first instruction */
	uint64_t memory_resident; /* bytes of guest RAM that the host has given, 0 = unknown */
	uint32_t traces; /* CM_DBG_TRACE_* that are on */
	uint32_t kept; /* 1 = there is a kept pause; counted in `pauses` */
	struct cm_dbg_stop stop; /* the last one; reason NONE before, and after it was continued */
	uint8_t cpu[64]; /* enum cm_dbg_cpu_state */
};

#define CM_DBG_PAUSE_MAX 5000
struct cm_dbg_pause {
	uint32_t
		timeout_ms; /* 0 = 1000, at most CM_DBG_PAUSE_MAX; on ETIMEDOUT the pause counts, vCPUs that still run stop when they can */
	uint32_t flags; /* CM_DBG_PAUSE_* */
};
#define CM_DBG_PAUSE_KEEP \
	0x1u /* a pause that outlives the connection; there is one a VM, RESUME of any connection with this flag ends it */

/* Bit N: set N, laid out as the structure of <linux/kvm.h> that is named. */
#define CM_DBG_REGS_GENERAL 0x01u /* struct kvm_regs */
#define CM_DBG_REGS_SYSTEM  0x02u /* struct kvm_sregs */
#define CM_DBG_REGS_DEBUG   0x04u /* struct kvm_debugregs */
#define CM_DBG_REGS_FPU	    0x08u /* struct kvm_fpu */
#define CM_DBG_REGS_XSAVE   0x10u /* struct kvm_xsave (4096 bytes) */
#define CM_DBG_REGS_EVENTS  0x20u /* struct kvm_vcpu_events */
#define CM_DBG_REGS_MP	    0x40u /* struct kvm_mp_state, then 4 bytes of 0 */
#define CM_DBG_REGS_MSRS    0x80u /* struct cm_dbg_msrs; only reading */
#define CM_DBG_REGS_ALL	    0xffu

struct cm_dbg_regs {
	uint32_t cpu;
	uint32_t sets; /* CM_DBG_REGS_*; in the reply those that follow */
};

#define CM_DBG_MSRS 16
struct cm_dbg_msrs {
	uint32_t count;
	uint32_t reserved;
	struct {
		uint32_t index, reserved;
		uint64_t value;
	} msr[CM_DBG_MSRS];
};

struct cm_dbg_cpu {
	uint32_t cpu; /* or CM_DBG_ALL_CPUS */
	uint32_t reserved;
};

struct cm_dbg_mem {
	uint64_t gpa;
	uint32_t len; /* 1 to CM_DBG_MEM_MAX; the range must lie in one region */
	uint32_t reserved;
};
/* READ shows the bytes under the breakpoints of BREAK_ADD, and WRITE writes under them. */

#define CM_DBG_FIND_MAX (64ull << 20) /* bytes looked through in one request */
struct cm_dbg_range {
	uint64_t gpa; /* page aligned */
	uint64_t
		len; /* multiple of the page size. Reply: 0 = none in [gpa of the request, gpa of the reply) */
};
/*
 * FIND_DATA: walk RAM like this: ask for [at, end); with len > 0 the reply is a run of pages, go on at its end; with len 0 go on at gpa of the
 * reply. Everything between is zeroes (or was never touched).
 */

#define CM_DBG_BUCKETS 24
struct cm_dbg_exit {
	uint32_t cpu;
	uint32_t reason; /* KVM_EXIT_*, or CM_DBG_EXIT_* */
	uint64_t count;
	uint64_t ticks; /* of the TSC, that the VMM spent on them */
	uint64_t bucket
		[CM_DBG_BUCKETS]; /* exits that took less than 2^(8 + i) ticks and not less than half of it; the first and last take the rest */
};

/* Those of KVM_EXIT_IO, a second time by what was asked for: hypercall enum cm_hc_op (0 = one that there is not), doorbells. */
#define CM_DBG_EXIT_CALL     0x1000u
#define CM_DBG_EXIT_DOORBELL 0x1100u

#define CM_DBG_QUEUES 4
struct cm_dbg_device {
	uint32_t index; /* of the virtio page */
	uint32_t virtio_id;
	uint32_t phase; /* 0 idle, 1 starting, 2 running, 3 stopping */
	uint32_t status; /* virtio status bits */
	uint64_t offered, features; /* by the device, accepted by the driver */
	uint32_t isr;
	uint32_t failed; /* 1 = the driver broke a rule, the device rests until it is reset */
	char name[16];
	char tag[40]; /* of a file device */
	uint32_t nqueues;
	uint32_t error_queue; /* the one that `error` is about + 1, or 0 */
	char error
		[64]; /* what went wrong last, also before the last reset; NUL-terminated, empty = nothing */
	struct {
		uint32_t size, ready;
		uint64_t desc, driver, device; /* gpa of the three parts */
		uint16_t avail, used; /* indices as they stand in guest memory, 0 when not ready */
		uint16_t seen,
			reserved; /* avail index up to which the VMM took buffers; file devices: 0, the file server has them */
	} queue[CM_DBG_QUEUES];
};

#define CM_DBG_GD_ENABLE 0x1u /* off: every other field is ignored, guest debugging ends */
#define CM_DBG_GD_STEP	 0x2u
#define CM_DBG_GD_SW	 0x4u /* int3 stops the VM */
#define CM_DBG_GD_HW	 0x8u /* dr[] and dr7 are used */
#define CM_DBG_GD_INJECT \
	0x10u /* the exception that stopped this vCPU is the guest's own: it gets it */
#define CM_DBG_GD_HOLD \
	0x20u /* this vCPU stands when the others go on, until the next GUEST_DEBUG without it */
#define CM_DBG_GD_TRAP \
	0x40u /* the client put a trap flag into saved registers: a #DB that comes when nobody debugs any more is taken for that */
#define CM_DBG_GD_ALL 0x7fu
struct cm_dbg_guest_debug {
	uint32_t cpu; /* or CM_DBG_ALL_CPUS; must be stopped */
	uint32_t flags; /* CM_DBG_GD_* */
	uint64_t dr[4];
	uint64_t dr7;
};
/*
 * One connection at a time debugs; STOPPED with reason TRAP goes to it alone, the others to all. At a stop all vCPUs are stopped as by a PAUSE
 * that belongs to the event; CONTINUE takes it back. Further vCPUs that trapped meanwhile are told one after the other, each after a CONTINUE.
 */

#define CM_DBG_TRACE_EXITS 0x1u
#define CM_DBG_TRACE_VSOCK 0x2u
struct cm_dbg_trace_set {
	uint32_t kinds; /* CM_DBG_TRACE_* that this connection wants */
	uint32_t reserved;
};

struct cm_dbg_trace_entry {
	uint64_t tsc;
	uint32_t kind; /* one CM_DBG_TRACE_* */
	uint32_t cpu;
	uint32_t what; /* exits: reason; vsock: VIRTIO_VSOCK_OP_* */
	uint32_t
		flags; /* exits: bit 0 = write, bits 8.. = bytes of one access; vsock: bit 0 = from the guest */
	uint64_t
		addr; /* exits: port or guest-physical address; vsock: source port << 32 | destination port */
	uint64_t value; /* exits: what was written or read; vsock: bytes of payload */
	uint64_t ticks; /* exits: that the VMM took */
};

#define CM_DBG_TRACE_BATCH 1024
struct cm_dbg_trace_read {
	uint64_t
		next; /* number of the first entry wanted, from 0; in the reply the one after the last given */
	uint64_t lost; /* reply: wanted entries that are gone */
	uint32_t count; /* wanted, at most CM_DBG_TRACE_BATCH; in the reply given */
	uint32_t reserved;
};

_Static_assert(sizeof(struct cm_dbg_machine) == 176, "machine layout");
_Static_assert(sizeof(struct cm_dbg_status) == 144, "status layout");
_Static_assert(sizeof(struct cm_dbg_exit) == 24 + 8 * CM_DBG_BUCKETS, "exit layout");
_Static_assert(sizeof(struct cm_dbg_trace_entry) == 48, "trace layout");

#endif
