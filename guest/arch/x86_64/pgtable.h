/* SPDX-License-Identifier: Apache-2.0 */
/* Page tables, as far as the architecture's own files share them; the rest of the contract is in arch.h. */
#ifndef ARCH_X86_64_PGTABLE_H
#define ARCH_X86_64_PGTABLE_H

#include "arch.h"

/* Top level page with nothing in the user half. */
extern paddr_t pgt_kernel_root;

/* Take the rights away that the boot tables below `top` give too generously; the caller flushes. */
void image_map_protect(u64 *top);
/* No CPU has root loaded when it returns. No thread that needs it exists; interrupts enabled. */
void tlb_forget(paddr_t root);
#endif
