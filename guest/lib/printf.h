/* SPDX-License-Identifier: Apache-2.0 */
/* Formatting: %d %i %u %x %X %o %p %s %c %% with flags 0 - # +, width, precision, h hh l ll z. No floating point. */
#ifndef LIB_PRINTF_H
#define LIB_PRINTF_H

#include "lib/types.h"

/* Always terminates when size > 0. Returns the length that the whole text needs, as C99. */
int str_vformat(char *buf, size_t size, const char *fmt, va_list ap);
int str_format(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

#endif
