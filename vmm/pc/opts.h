/* SPDX-License-Identifier: Apache-2.0 */
/* Command line of casemate-vmm --machine=pc. All files come as descriptors. */
#ifndef CM_VMM_PC_OPTS_H
#define CM_VMM_PC_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/opts.h"
#include "vmm/pc/image.h"

#define PC_CPUS_MAX 64

enum pc_irqchip {
	PC_IRQCHIP_AUTO, /* full, unless the image's note says that it needs none */
	PC_IRQCHIP_FULL, /* PIC, PIT, I/O APIC, local APICs */
	PC_IRQCHIP_SPLIT /* local APICs alone */
};

struct pc_opts {
	struct opts vmm; /* what the stages look at: descriptors that stay open */
	uint64_t memory;
	unsigned cpus;
	enum pc_image_format format;
	enum pc_irqchip irqchip;
	const char *cpu; /* for pc_model_apply */
	const char *cmdline;
	const char *image_name; /* first word of a multiboot command line */
	uint32_t timeout_ms; /* 0 = none */
	bool trace;
	bool console, rng; /* virtio devices */
	bool edu, iommu; /* with PCI; a VT-d unit with split interrupt controllers */
	bool blk_readonly;
	int image_fd, module_fd, console_fd, input_fd, result_fd, core_fd, blk_fd;
};

/* Fill o from argv, which it points into. 0, or -errno with a one-line message. */
int pc_opts_parse(struct pc_opts *o, int argc, char **argv, struct cm_err *err);

/* Its help text. */
extern const char pc_opts_usage[];

#endif
