/* SPDX-License-Identifier: Apache-2.0 */
/* From pages of a file to the address spaces that map them. No spinlock held by the caller; waits for TLB flushes on other CPUs. */
#ifndef MM_RMAP_H
#define MM_RMAP_H

#include "lib/types.h"

struct mapping;

/* Remove the entries of pages [first, end) from every address space; with cows also the private copies of them (truncate). */
void rmap_unmap(struct mapping *m, u64 first, u64 end, bool cows);
/* Write-protect the shared mappings of pages [first, first + n). */
void rmap_wrprotect(struct mapping *m, u64 first, u64 n);

#endif
