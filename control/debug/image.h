/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sentry's ELF file on disk, which is trusted: symbols and the table of layouts. (All reads of the file are bounded all the same: it may be
 * cut, or another file.)
 */
#ifndef CM_DEBUG_IMAGE_H
#define CM_DEBUG_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct image;

/*
 * Load `path`, NULL = the installed file. build_id (of the running sentry, id_len bytes; 0 = do not compare) must be the file's. NULL with err
 * filled.
 */
struct image *image_load(
	const char *path, const uint8_t *build_id, size_t id_len, struct cm_err *err);
/* The same from memory, which is copied. */
struct image *image_parse(const void *data, size_t size, struct cm_err *err);
void image_free(struct image *img);
const char *image_path(const struct image *img);

/* Address of a symbol; false when there is none. size may be NULL. */
bool image_symbol(const struct image *img, const char *name, uint64_t *addr, uint64_t *size);

/* The function or object at or below addr, NULL = none near; *offset = distance from it. Not changed by later calls. */
const char *image_name(const struct image *img, uint64_t addr, uint64_t *offset);

/* Offset and size of type.field ("" = the type itself), or value of a constant (type ""); false when the table lacks it. */
bool image_layout(const struct image *img, const char *type, const char *field, uint64_t *value,
	uint64_t *size);

#endif
