/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer with a limit. */
#include <config.h>
#include "control/buf.h"

#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 1024

void cm_buf_init(struct cm_buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void cm_buf_fini(struct cm_buf *b)
{
	free(b->p);
	cm_buf_init(b, b->max);
}

void *cm_buf_reserve(struct cm_buf *b, size_t n)
{
	size_t want;

	if (b->failed || n > b->max || b->len > b->max - n) {
		b->failed = true;
		return NULL;
	}
	want = b->cap ? b->cap : BUF_FIRST;
	while (want < b->len + n)
		want *= 2;
	if (want > b->max)
		want = b->max;
	if (want > b->cap) {
		char *p = realloc(b->p, want);

		if (!p) {
			b->failed = true;
			return NULL;
		}
		b->p = p;
		b->cap = want;
	}
	return b->p + b->len;
}

void cm_buf_add(struct cm_buf *b, const void *data, size_t n)
{
	void *to = cm_buf_reserve(b, n);

	if (to && n > 0) {
		memcpy(to, data, n);
		b->len += n;
	}
}

void cm_buf_add_str(struct cm_buf *b, const char *s)
{
	cm_buf_add(b, s ? s : "", s ? strlen(s) + 1 : 1);
}

void cm_buf_consume(struct cm_buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	b->len -= n;
	if (b->len > 0)
		memmove(b->p, b->p + n, b->len);
}
