/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer with a limit. */
#ifndef CM_CONTROL_BUF_H
#define CM_CONTROL_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct cm_buf {
	char *p;
	size_t len; /* bytes in use */
	size_t cap; /* bytes allocated */
	size_t max; /* never grows beyond */
	bool failed; /* an append did not fit or found no memory: sticky, so a caller checks once */
};

/* Empty buffer that holds at most max bytes. */
void cm_buf_init(struct cm_buf *b, size_t max);
void cm_buf_fini(struct cm_buf *b);

/* Room for n more bytes at p + len, or NULL (failed is set). */
void *cm_buf_reserve(struct cm_buf *b, size_t n);
void cm_buf_add(struct cm_buf *b, const void *data, size_t n);
/* The string with its NUL; NULL adds an empty one. */
void cm_buf_add_str(struct cm_buf *b, const char *s);
/* Drop the first n bytes. */
void cm_buf_consume(struct cm_buf *b, size_t n);

#endif
