/* SPDX-License-Identifier: Apache-2.0 */
/* Boot: what the architecture's start code calls. */
#ifndef KERNEL_MAIN_H
#define KERNEL_MAIN_H

#include "lib/types.h"

struct fdt_reader;

/* First: memory, CPUs, clock and command line from the device tree. */
void main_read_fdt(const void *fdt);
/* CPU 0 works, interrupts are off. */
__noreturn void kmain(void);

/* The device tree, valid for ever. */
const struct fdt_reader *main_fdt(void);
/* Value of `key=value` on the command line, "" for a bare `key`, NULL when it is not there. Not NUL-terminated: *len bytes. */
const char *main_option(const char *key, size_t *len);

#endif
