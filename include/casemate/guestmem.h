/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest-physical and guest-virtual address map. Fixed: the VMM builds it, the sentry is linked for it.
 *
 *   gpa 0x0000_4000_0000  I/O arena: shared memfd, virtqueues and buffers of out-of-process devices
 *   gpa 0x0000_8000_0000  DAX window: file pages mapped by the VMM
 *   gpa 0x0000_d000_0000  virtio-mmio register pages, one 4 KiB page a device
 *   gpa 0x0000_fee0_0000  local APIC
 *   gpa 0x0001_0000_0000  RAM: one slot, never moved; everything below 4 GiB is devices
 *
 * RAM starts with CM_BOOT_* pages (offsets from the start of RAM), the sentry's image follows at 2 MiB.
 */
#ifndef CASEMATE_GUESTMEM_H
#define CASEMATE_GUESTMEM_H

#define CM_GPA_ARENA	 0x40000000UL
#define CM_ARENA_MAX	 0x20000000UL /* bytes */
#define CM_ARENA_DEFAULT (16UL << 20)
#define CM_GPA_DAX	 0x80000000UL
#define CM_DAX_MAX	 0x40000000UL
#define CM_DAX_DEFAULT	 (256UL << 20) /* KVM needs 0.5 ms for the tables of a GiB */
#define CM_GPA_VIRTIO	 0xd0000000UL
#define CM_VIRTIO_STRIDE 0x1000UL
#define CM_VIRTIO_MAX	 20
#define CM_GPA_LAPIC	 0xfee00000UL
#define CM_GPA_RAM	 0x100000000UL
#define CM_RAM_MIN	 (16UL << 20)
#define CM_RAM_MAX	 (64UL << 30)
#define CM_CPUS_MAX	 16 /* vCPUs that the sentry uses */

/* Kernel half. va = pa + CM_DIRECT_MAP for every gpa; the image also at CM_KERNEL_BASE + (pa - CM_GPA_RAM). */
#define CM_DIRECT_MAP	0xffff888000000000UL
#define CM_KERNEL_BASE	0xffffffff80000000UL
#define CM_KERNEL_IMAGE 0xffffffff80200000UL /* link address: gpa CM_GPA_RAM + 2 MiB */

/*
 * Boot pages, made by the VMM. The boot page tables map, with 2 MiB pages: [0, CM_GPA_RAM + RAM size) at CM_DIRECT_MAP,
 * the first 1 GiB of RAM (at most the RAM size) at CM_KERNEL_BASE. Every entry has P, W and U set at every level: pvm needs U; on std the
 * sentry takes it away in the PML4 before it enters user mode.
 */
#define CM_BOOT_PML4 \
	0x2000UL /* offset from CM_GPA_RAM; the even page of two (pvm: CR3 bit 12 is the switch) */
#define CM_BOOT_GDT	0x4000UL
#define CM_BOOT_TABLES	0x10000UL /* page tables, up to CM_BOOT_FDT */
#define CM_BOOT_FDT	0x100000UL /* flattened device tree, at most CM_BOOT_FDT_MAX */
#define CM_BOOT_FDT_MAX 0x10000UL
#define CM_IMAGE_OFFSET 0x200000UL

/*
 * Registers at the entry of every vCPU: RIP = ELF entry, RDI = gpa of the device tree, RSI = vCPU index, CR3 = boot PML4,
 * long mode, IF clear, RSP = 0. vCPU 0 runs at once, the others when CM_HC_CPU_START names them.
 */

/*
 * An access to a page of the DAX window behind which there is no file page (nothing mapped, or the file was cut) raises a machine check,
 * vector 18, at the instruction; its address is not told. In user mode it means SIGBUS, in a kernel copy an error.
 *
 * Interrupt vectors: device N of the virtio page table raises CM_VECTOR_VIRTIO + N on vCPU 0.
 */
#define CM_VECTOR_VIRTIO 0x30
/* On pvm an NMI that finds a program running breaks it; this interrupt takes its place then, since a program can always be interrupted. */
#define CM_VECTOR_DEBUG 0xe0

#endif
