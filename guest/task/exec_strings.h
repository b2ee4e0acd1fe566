/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments and environment on their way from one program to the next: NUL-terminated strings one after another in page-sized
 * chunks, arguments first. A #! line puts its own arguments before them.
 */
#ifndef TASK_EXEC_STRINGS_H
#define TASK_EXEC_STRINGS_H

#include "lib/list.h"
#include "lib/types.h"

#define EXEC_STRING_MAX (128UL << 10) /* one string, as Linux's MAX_ARG_STRLEN */

struct exec_chunk {
	struct list_head link;
	u32 used;
	char data[4096 - 24];
};

struct exec_strings {
	struct list_head chunks;
	u64 bytes; /* in all chunks */
	u64 limit; /* bytes that strings and pointers may take */
	u32 argc, envc;
	u64 secret; /* bytes at the end that no dump shows */
	u64 first_len; /* bytes of the first argument with its NUL; a script's line replaces it */
	/* From #! lines, newest first when put on the stack: each replaces argv[0] by interpreter [argument] script. */
	char *prefix[16];
	u32 nprefix;
	bool drop_first;
};

void exec_strings_init(struct exec_strings *s, u64 stack_limit);
void exec_strings_fini(struct exec_strings *s);
/* Append one kernel string. 0, -E2BIG, -ENOMEM. */
int exec_strings_add(struct exec_strings *s, const char *str, size_t len);
/* A user vector of string pointers (0 = empty). Count, or -errno. */
s64 exec_strings_add_user(struct exec_strings *s, u64 vec);
/* What the program sees. */
u32 exec_strings_argc(const struct exec_strings *s);
/* Replace argv[0]: interpreter, optional argument, script. Copies. 0 or -ENOMEM, -ELOOP. */
int exec_strings_script(
	struct exec_strings *s, const char *interp, const char *arg, const char *script);
/* Parse the first bytes of a script in place. 0: *interp and *arg (NULL when none) point into buf. -ENOEXEC. */
int exec_parse_script(char *buf, size_t len, char **interp, char **arg);

#endif
