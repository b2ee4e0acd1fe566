/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded reader of a flattened device tree. Pure: no allocation, no recursion, no state but the reader. Every access is checked against
 * the block's size, so a damaged tree gives errors or missing properties, never a stray read or an endless loop. Pointers that it returns
 * lie in the block and live as long as it.
 *
 * A node is the offset of its begin token in the structure block: 0 or more. FDT_NONE means "no such node".
 */
#ifndef LIB_FDT_READ_H
#define LIB_FDT_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FDT_NONE     (-1)
#define FDT_MAX_SIZE (1u << 20) /* bytes; larger blocks are refused */

struct fdt_reader {
	const uint8_t *structure;
	uint32_t structure_size;
	const char *strings; /* its last byte need not be NUL: names are checked one by one */
	uint32_t strings_size;
};

/* Check the header of the block at `fdt`, `size` readable bytes of memory (the tree may be shorter). False if it is no device tree. */
bool fdt_read_init(struct fdt_reader *r, const void *fdt, size_t size);

/* The root node, or FDT_NONE. */
int fdt_read_root(const struct fdt_reader *r);

/* First child of a node; next node with the same parent. FDT_NONE at the end. */
int fdt_read_child(const struct fdt_reader *r, int node);
int fdt_read_sibling(const struct fdt_reader *r, int node);

/* Name with its unit address ("virtio@d0000000"), "" for the root, NULL on damage. */
const char *fdt_read_name(const struct fdt_reader *r, int node);

/*
 * The node at an absolute path ("/chosen", "/cpus/cpu@1"). A component without '@' also matches a name with any unit address, first one
 * first ("/memory").
 */
int fdt_read_path(const struct fdt_reader *r, const char *path);

/* The next node after `node` in tree order whose `compatible` list holds the string; begin with FDT_NONE. */
int fdt_read_compatible(const struct fdt_reader *r, int node, const char *compatible);

/* Value of a property and its length, or NULL. Empty properties have a non-NULL value and length 0. */
const void *fdt_read_prop(const struct fdt_reader *r, int node, const char *name, uint32_t *len);

/* False unless the property has exactly that size. */
bool fdt_read_u32(const struct fdt_reader *r, int node, const char *name, uint32_t *value);
bool fdt_read_u64(const struct fdt_reader *r, int node, const char *name, uint64_t *value);

/* Entry `index` of `reg` with two address and two size cells. */
bool fdt_read_reg(
	const struct fdt_reader *r, int node, unsigned int index, uint64_t *base, uint64_t *size);

/* A property that is one NUL-terminated string, or NULL. */
const char *fdt_read_string(const struct fdt_reader *r, int node, const char *name);

/* Copy a property of exactly `len` bytes. */
bool fdt_read_bytes(
	const struct fdt_reader *r, int node, const char *name, void *buf, uint32_t len);

#endif
