/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an image is and where its parts go: multiboot 1 (ELF32, ELF64, or by the addresses in its header), PVH (ELF with the Xen note) and
 * flat binaries. The image is whatever a user names: every field is bounded, nothing is copied before all of it has been checked.
 */
#ifndef CM_VMM_PC_IMAGE_H
#define CM_VMM_PC_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define PC_SEGMENTS_MAX	  64
#define PC_FLAT16_BASE	  0x7c00u /* where a boot sector goes */
#define PC_FLAT32_BASE	  0x100000u
#define PC_MULTIBOOT_HEAD 8192u /* the header lies in the first bytes of the image */

enum pc_image_format {
	PC_FORMAT_AUTO, /* ELF or multiboot; a flat binary has nothing to tell it by */
	PC_FORMAT_FLAT16, /* real mode at PC_FLAT16_BASE */
	PC_FORMAT_FLAT32 /* flat protected mode at PC_FLAT32_BASE */
};

enum pc_image_kind {
	PC_KIND_MULTIBOOT,
	PC_KIND_PVH,
	PC_KIND_FLAT16,
	PC_KIND_FLAT32
};

struct pc_segment {
	uint64_t offset; /* bytes into the image */
	uint64_t filesz; /* bytes copied */
	uint64_t gpa;
	uint64_t memsz; /* bytes occupied; >= filesz, the rest stays zero */
};

struct pc_image {
	enum pc_image_kind kind;
	uint32_t entry; /* guest-physical */
	uint32_t note; /* CM_PC_NOTE_*, 0 without a note */
	uint64_t end; /* behind the highest segment */
	unsigned nsegments;
	struct pc_segment segment[PC_SEGMENTS_MAX];
};

/*
 * Parse image/size for a machine with `low` bytes of RAM from address 0. Segments must lie in RAM, leave the firmware's area alone and not
 * overlap; the entry must lie in bytes of the image. 0, or -errno with a one-line reason in err.
 */
int pc_image_parse(const void *image, size_t size, uint64_t low, enum pc_image_format format,
	struct pc_image *out, struct cm_err *err);

/* Copy the segments into `ram`, fresh (zero) memory of at least out->end bytes. */
void pc_image_copy(const void *image, const struct pc_image *plan, void *ram);

#endif
