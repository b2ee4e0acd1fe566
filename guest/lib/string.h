/* SPDX-License-Identifier: Apache-2.0 */
/* The freestanding subset of <string.h> that the sentry has, with libc's semantics. */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#ifdef CM_HOST_TEST
#include <string.h>
#else
#include "lib/types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
#endif

#include "lib/types.h"

/* Copies at most size - 1 bytes and always terminates. Returns strlen(src): a result >= size means truncation. */
size_t str_copy(char *dst, const char *src, size_t size);

#endif
