/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of the I/O arena: memory that out-of-process device servers see. Whatever lies there can change at any moment under the hands of
 * a hostile server: copy out once, check the copy, use the copy.
 */
#ifndef DRIVERS_ARENA_H
#define DRIVERS_ARENA_H

#include "lib/types.h"

struct fdt_reader;

/* Largest run of pages that one allocation may ask for. */
#define ARENA_RUN_MAX 256u

/* Find the arena in the device tree. 0 or -ENODEV. */
int arena_init(const struct fdt_reader *fdt);

/* A run of contiguous pages (1 to ARENA_RUN_MAX), not zeroed; NULL when there is none. Any context. */
void *arena_alloc(u32 pages);
/* The same, sleeping until there is one. Never NULL. */
void *arena_alloc_wait(u32 pages);
/* Any context. */
void arena_free(void *p, u32 pages);

/* Does [p, p + len) lie in the arena? */
bool arena_contains(const void *p, size_t len);

u32 arena_free_pages(void);

#endif
