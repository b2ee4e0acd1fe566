/* SPDX-License-Identifier: Apache-2.0 */
/* String and memory functions. The compiler may call the mem* ones by itself, so none of them may be written with those calls. */
#include "lib/string.h"

size_t str_copy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src);

	if (size) {
		size_t n = MIN(len, size - 1);

		memcpy(dst, src, n);
		dst[n] = '\0';
	}
	return len;
}

#ifndef CM_HOST_TEST

/* Below this, the start-up of the string instructions costs more than a loop. */
#define STRING_REP_MIN 64

/* Unaligned words: the compiler must not assume their alignment or type. */
typedef u64 __attribute__((may_alias, aligned(1))) string_word_t;

void *memcpy(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if (n >= STRING_REP_MIN) {
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n)::"memory");
		return dst;
	}
	for (; n >= 8; n -= 8, d += 8, s += 8)
		*(string_word_t *)d = *(const string_word_t *)s;
	for (; n; n--) {
		*d++ = *s++;
		barrier();
	}
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	char *d = (char *)dst + n;
	const char *s = (const char *)src + n;

	if ((u64)dst - (u64)src >= n)
		return memcpy(dst, src, n);
	for (; n >= 8; n -= 8) {
		d -= 8;
		s -= 8;
		*(string_word_t *)d = *(const string_word_t *)s;
	}
	for (; n; n--) {
		*--d = *--s;
		barrier();
	}
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	char *d = dst;

	if (n >= STRING_REP_MIN) {
		__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
		return dst;
	}
	for (; n >= 8; n -= 8, d += 8)
		*(string_word_t *)d = 0x0101010101010101UL * (u8)c;
	for (; n; n--) {
		*d++ = (char)c;
		barrier();
	}
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n >= 8; n -= 8, x += 8, y += 8) {
		if (*(const string_word_t *)x != *(const string_word_t *)y)
			break;
	}
	for (; n; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const u8 *p = s;

	for (; n; n--, p++) {
		if (*p == (u8)c)
			return (void *)(uintptr_t)p;
	}
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (!*s)
			return (char *)(uintptr_t)found;
	}
}

#endif
