/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of tar archives as POSIX.1-2001 (pax) has them. Pure: for the host's tests too. */
#ifndef LIB_TAR_H
#define LIB_TAR_H

#include "lib/types.h"

#define TAR_BLOCK   512u
#define TAR_PAX_MAX 65536u /* bytes of records of one entry */

struct tar_entry {
	const char *name, *target; /* target: of a symbolic link, else "" */
	char type; /* '0' file, '2' symbolic link, '3' character, '4' block device, '5' directory, '6' FIFO */
	u32 mode, uid, gid; /* mode: permissions alone */
	u32 major, minor;
	u64 size; /* bytes that follow */
	s64 mtime; /* seconds */
};

/* Records of an entry's extended header. */
struct tar_pax {
	char data[TAR_PAX_MAX];
	size_t len;
	bool failed; /* something did not fit */
};

/* Append "LENGTH NAME=VALUE\n". */
void tar_pax_add(struct tar_pax *p, const char *name, const void *value, size_t len);

/* Append what of e does not fit its header: long names, large numbers. */
void tar_pax_entry(struct tar_pax *p, const struct tar_entry *e);

/* The header of e. What does not fit is cut off: the records say it. */
void tar_header(u8 block[TAR_BLOCK], const struct tar_entry *e);

/* The header before p->len bytes of records. */
void tar_pax_header(u8 block[TAR_BLOCK], const struct tar_pax *p);

#endif
