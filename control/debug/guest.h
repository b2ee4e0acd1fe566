/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's memory as the walkers see it: by guest-physical address through a function of the caller (a VM, a core, a test), by virtual
 * address through the fixed map or page tables, by the fields of the sentry's structures.
 *
 * Nothing in it is to be trusted. A read that fails gives zeroes and is counted; lists and trees are followed for a bounded number of steps.
 */
#ifndef CM_DEBUG_GUEST_H
#define CM_DEBUG_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "control/debug/image.h"

#define GUEST_PAGE    4096u
#define GUEST_CACHE   64 /* pages kept between guest_forget calls */
#define GUEST_LIST    65536 /* links followed in one list or tree */
#define GUEST_CPUS    64
#define GUEST_MASK_PA 0x000ffffffffff000ull

enum guest_field {
#define FIELD(type, field, name) F_##name,
#define CONST(name)		 C_##name,
#define SYMBOL(name)		 S_##name,
#include "control/debug/fields.def"
#undef FIELD
#undef CONST
#undef SYMBOL
	GUEST_FIELDS
};

struct guest {
	/* The owner's. read: 0 or -errno, all or nothing. */
	int (*read)(void *arg, uint64_t gpa, void *buf, size_t len);
	void *arg;
	uint64_t ram_gpa, ram_size;
	bool pvm;
	const struct image *img;
	/* The time-stamp counter at which the vCPUs stand, and its kHz; 0 = unknown: of running threads there is only what was charged to them. */
	uint64_t tsc;
	uint32_t tsc_khz;
	/* guest.c's */
	struct {
		uint64_t value, size;
	} field[GUEST_FIELDS];
	unsigned failed; /* reads that failed since guest_forget */
	struct {
		uint64_t gpa; /* ~0 = empty */
		uint8_t data[GUEST_PAGE];
	} cache[GUEST_CACHE];
};

/* The caller has set its members. -ENOENT when the image lacks what fields.def names: err says what. */
int guest_init(struct guest *g, struct cm_err *err);

/* The guest ran: what was read before counts no longer. */
void guest_forget(struct guest *g);

static inline uint64_t guest_const(const struct guest *g, enum guest_field f)
{
	return g->field[f].value;
}

/* ---- memory */

/* Physical, any length; through the cache. 0 or -errno. */
int guest_read_phys(struct guest *g, uint64_t gpa, void *buf, size_t len);
/* Virtual address of the kernel by the two fixed ranges: gpa, or -EFAULT. */
int guest_kernel_pa(const struct guest *g, uint64_t va, uint64_t *gpa);
/* Kernel memory by virtual address. 0 or -errno (also counted). */
int guest_read(struct guest *g, uint64_t va, void *buf, size_t len);
/* A number of 1, 2, 4 or 8 bytes; 0 when it cannot be read. */
uint64_t guest_number(struct guest *g, uint64_t va, size_t size);
/* A string of the kernel, escaped for a terminal: at most max bytes of it. Returns buf. */
const char *guest_string(struct guest *g, uint64_t va, size_t max, char *buf, size_t size);

/* The field of the object at va as a number (1, 2, 4 or 8 bytes). */
uint64_t guest_get(struct guest *g, uint64_t va, enum guest_field f);
/* Its address. */
static inline uint64_t guest_at(const struct guest *g, uint64_t va, enum guest_field f)
{
	return va + g->field[f].value;
}
/* A char array in an object, escaped. Returns buf. */
const char *guest_text(struct guest *g, uint64_t va, enum guest_field f, char *buf, size_t size);

/*
 * Walk a list: `head` is its head's address; *pos is 0 at first. True with *pos the next link; false at the end, when a link is no kernel
 * address, or after GUEST_LIST links. *n counts and starts at 0.
 */
bool guest_list_next(struct guest *g, uint64_t head, uint64_t *pos, unsigned *n);

/* In-order walk of an rb tree. fn returns false to stop. Returns the number of nodes visited, at most GUEST_LIST; depth is bounded too. */
unsigned guest_tree(struct guest *g, uint64_t root,
	bool (*fn)(struct guest *g, uint64_t node, void *arg), void *arg);

/* ---- page tables */

struct guest_step {
	unsigned level; /* 4 = PML4 ... 1 = page table */
	unsigned index;
	uint64_t table; /* gpa of the table */
	uint64_t entry;
	bool read; /* the entry could be read */
};

struct guest_walk {
	struct guest_step step[4];
	unsigned steps;
	bool mapped; /* the last entry is a present leaf */
	uint64_t gpa; /* then: of the address itself */
	uint64_t size; /* then: bytes that the leaf maps */
};

/* Walk from the top-level table at `root` (CR3; its low bits are ignored). */
void guest_walk(struct guest *g, uint64_t root, uint64_t va, struct guest_walk *w);

/* Memory at a virtual address of an address space. 0, -EFAULT where nothing is mapped, or -errno. */
int guest_read_user(struct guest *g, uint64_t root, uint64_t va, void *buf, size_t len);

#endif
