/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts that assembly and C share; pcpu.h and desc.c assert them. */
#ifndef ARCH_X86_64_ASM_H
#define ARCH_X86_64_ASM_H

/* struct pcpu, one for each vCPU, found by absolute address. */
#define PCPU_SHIFT    7
#define PCPU_USER_RSP 0
#define PCPU_KSTACK   8

/* struct regs */
#define REGS_SIZE     168
#define REGS_RAX      80
#define REGS_RDI      112
#define REGS_ORIG_RAX 120
#define REGS_RIP      128
#define REGS_CS	      136

#define ASM_MAX_CPUS	16
#define ASM_KSTACK_SIZE 16384

/* gpa of something in the image = its address + this (CM_GPA_RAM - CM_KERNEL_BASE) */
#define IMAGE_TO_GPA 0x180000000

#define PVM_MSR_PAGE	 0x4b564d10
#define PVM_MSR_MAGIC	 0x4b564d11
#define PVM_MSR_FEATURES 0x4b564d12
#define PVM_MAGIC	 0x4d5650
/* Privilege from the address; CR3 bit 12 cleared at exceptions and at SYSCALL; fault address in the shared page. */
#define PVM_OPTIONS 0x17
/* Besides, where the hypervisor has them: user mode is entered by an interrupt instruction with an IRET frame at RSP, without an exit. */
#define PVM_OPTIONS_RETURN 0x48
#define PVM_INT_RETURN	   0x17
/* pvm's services for kernels, number in RAX; the self-test alone tries one, from user mode. */
#define PVM_INT_CALL   0x1b
#define PVM_CALL_WRMSR 4099

#endif
