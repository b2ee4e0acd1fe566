/* SPDX-License-Identifier: Apache-2.0 */
/* Fake page tables, and user memory through them. */
#ifndef TESTS_FAKE_PGTABLE_H
#define TESTS_FAKE_PGTABLE_H

#include "mm/as.h"

extern struct as *fake_as; /* the current one: user copies go through it */
extern unsigned long fake_tlb_flushes, fake_faults;
extern void (*fake_tlb_hook)(void); /* what others do while a flush is under way; NULL = nothing */
extern int fake_last_fault; /* what mm_fault answered last */

#endif
