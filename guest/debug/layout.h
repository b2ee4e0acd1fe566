/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of layouts: where the fields are that a debugger reads from outside (control/debug/layout.c). Each entry is a record in a
 * section of the ELF file that is never loaded. A field that goes away breaks the build here; one that the debugger wants and that is not in
 * the table breaks its test. Structures that one .c file keeps to itself are described there.
 */
#ifndef DEBUG_LAYOUT_H
#define DEBUG_LAYOUT_H

#include "lib/types.h"

/* 64 bytes; known to the reader. */
struct debug_layout {
	char type[24];
	char field[24]; /* empty: the size of the type */
	u64 value; /* offset, or the value of a constant */
	u64 size;
};

#define DEBUG_CAT_(a, b) a##b
#define DEBUG_CAT(a, b)	 DEBUG_CAT_(a, b)
#define DEBUG_ENTRY(type, field, value, size) \
	static const struct debug_layout DEBUG_CAT(debug_layout_, __COUNTER__) \
		__attribute__((used, section("casemate_layout"))) = { type, field, value, size }

/* struct type's field (which may lie in an inner structure). */
#define DEBUG_FIELD(type, field) \
	DEBUG_ENTRY(#type, #field, offsetof(struct type, field), sizeof(((struct type *)0)->field))
#define DEBUG_SIZE(type) DEBUG_ENTRY(#type, "", 0, sizeof(struct type))
/* A number with a name. */
#define DEBUG_CONST(name) DEBUG_ENTRY("", #name, (u64)(name), 0)

#endif
