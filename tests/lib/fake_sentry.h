/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sentry for tests of the debugger: an ELF file with symbols and layouts of its own making, and a RAM to put objects into. Every field
 * has 16 bytes of room and a size of 8.
 */
#ifndef TESTS_FAKE_SENTRY_H
#define TESTS_FAKE_SENTRY_H

#include "control/debug/guest.h"

#define FAKE_SENTRY_RAM	   (256u << 10)
#define FAKE_SENTRY_OBJECT 1024u /* bytes that every object gets */

struct fake_sentry {
	struct guest g;
	struct image *img;
	uint8_t *ram; /* FAKE_SENTRY_RAM bytes at CM_GPA_RAM */
	uint64_t next; /* offset of the next object */
};

/* The ELF file, in memory from malloc. */
uint8_t *fake_sentry_elf(size_t *size);
void fake_sentry_init(struct fake_sentry *f);
void fake_sentry_fini(struct fake_sentry *f);

/* Address of a new object, zeroes. */
uint64_t fake_sentry_new(struct fake_sentry *f);
/* Store a number at a kernel address, or in a field of the object. */
void fake_sentry_put(struct fake_sentry *f, uint64_t va, uint64_t v);
void fake_sentry_set(struct fake_sentry *f, uint64_t object, enum guest_field field, uint64_t v);
/* Make the field's list empty, or put the link `field` of the object at the end of it. */
void fake_sentry_list(struct fake_sentry *f, uint64_t head);
void fake_sentry_link(struct fake_sentry *f, uint64_t head, uint64_t last, uint64_t link);
/* A thread group with one task, as the only ones: the task's address. */
uint64_t fake_sentry_task(struct fake_sentry *f, int tid);

#endif
