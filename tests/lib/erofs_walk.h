/* SPDX-License-Identifier: Apache-2.0 */
/* Walks an EROFS image through the reader's pure part, whatever the image holds: for tests with images that are damaged. */
#ifndef TESTS_EROFS_WALK_H
#define TESTS_EROFS_WALK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Read the superblock, and from the root on up to some hundred inodes with their names, attributes and the first bytes of their data. What the reader
 * promises is checked by abort. The number of inodes read; 0: no image.
 */
unsigned int erofs_walk(const uint8_t *data, size_t size);

#endif
