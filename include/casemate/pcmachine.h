/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PC that foreign kernels run on (casemate-vmm --machine=pc): the addresses that a kernel may use, and how the VMM tells its parent how a
 * run ended. docs/KVMTEST.md describes the machine for its users.
 */
#ifndef CASEMATE_PCMACHINE_H
#define CASEMATE_PCMACHINE_H

#include <stdint.h>

/* Ports. */
#define CM_PC_COM1	 0x3f8
#define CM_PC_DEBUG_EXIT 0xf4 /* a write ends the run; the value is its result */
#define CM_PC_DEBUG_PUTC 0xe9
#define CM_PC_CONSOLE \
	0xec /* reads as CM_PC_CONSOLE_ID; takes the address of a struct cm_pc_block */
#define CM_PC_CONSOLE_ID 0xc5
#define CM_PC_TEST_DATA	 0xe0 /* four bytes that remember what was written */
#define CM_PC_TEST_FLUSH 0xe4 /* takes a page out of the shadow page tables */
#define CM_PC_TEST_IRQ	 0x2000 /* one byte a line: level of interrupt line N */
#define CM_PC_TEST_IRQS	 24
#define CM_PC_CMOS	 0x70
#define CM_PC_FWCFG	 0x510
#define CM_PC_PM_EVENT	 0x600 /* status, enable */
#define CM_PC_PM_CONTROL 0x604
#define CM_PC_PM_TIMER	 0x608
#define CM_PC_BOCHS_OFF	 0x8900 /* the word "Shutdown" */
#define CM_PC_RESET	 0xcf9
#define CM_PC_SYSTEM_A	 0x92
#define CM_PC_KEYBOARD	 0x64

/* Memory. */
#define CM_PC_RAM_MIN	   (1ULL << 20)
#define CM_PC_RAM_MAX	   (64ULL << 30)
#define CM_PC_LOW_MAX	   0xc0000000ULL /* RAM below 4 GiB ends here, the rest goes on at 4 GiB */
#define CM_PC_FIRMWARE	   0xe0000ULL /* tables that the VMM writes, up to 1 MiB */
#define CM_PC_FIRMWARE_END 0x100000ULL
#define CM_PC_VIRTIO	   0xfeb00000ULL /* register pages, a stride apart */
#define CM_PC_VIRTIO_STEP  0x1000ULL
#define CM_PC_VIRTIO_IRQ   16 /* input of the I/O APIC of the first */
#define CM_PC_VIRTIO_MAX   8
#define CM_PC_TEST_RAM	   0xff000000ULL /* 64 KiB whose every access leaves the guest */
#define CM_PC_TEST_RAM_LEN 0x10000ULL

/* The note that an image may carry: name "casemate", this type, one word of the bits below. */
#define CM_PC_NOTE_NAME	   "casemate"
#define CM_PC_NOTE_MACHINE 1
#define CM_PC_NOTE_NO_PIC  1u /* uses neither PIC, PIT nor I/O APIC: starts and ends much faster */

/* Console output in one exit. */
struct cm_pc_block {
	uint64_t gpa;
	uint32_t len;
};
#define CM_PC_BLOCK_MAX 65536

/* How a run ended. */
enum cm_pc_end {
	CM_PC_END_EXIT = 1, /* value: written to the exit port */
	CM_PC_END_SHUTDOWN,
	CM_PC_END_RESET,
	CM_PC_END_CRASH, /* the guest cannot go on; the report says why */
	CM_PC_END_TIMEOUT, /* the report says where every vCPU stood */
	CM_PC_END_REFUSED, /* KVM did not do what this run needs */
	CM_PC_END_IMAGE, /* the image cannot be booted */
	CM_PC_END_UNSUPPORTED, /* there is no such machine: an unknown CPU model or feature */
	CM_PC_END_VMM /* the VMM itself failed */
};

#define CM_PC_TEXT 12288

/* One message on --result-fd (SOCK_SEQPACKET), cut behind `len` bytes of text: a line of what happened, then a report if there is one. */
struct cm_pc_result {
	uint32_t end; /* enum cm_pc_end */
	uint32_t value;
	uint64_t us; /* from the guest's first instruction to the end */
	uint32_t core; /* the VMM has a core file and waits for CM_PC_CORE_* */
	uint32_t len; /* bytes of text */
	char text[CM_PC_TEXT]; /* printable, lines end in '\n' */
};

#define CM_PC_CORE_WRITE 'c'
#define CM_PC_CORE_NONE	 'n'

#endif
