/* SPDX-License-Identifier: Apache-2.0 */
/* passwd(5) and group(5), as far as the start of a process needs it. Pure: for the host's tests too. */
#ifndef LIB_PASSWD_H
#define LIB_PASSWD_H

#include "lib/types.h"

/*
 * The home directory of the first user with this number in len bytes of text, which may be anything: terminated in out[size], or the empty string when
 * there is none that fits. Lines that are not complete are not looked at.
 */
void passwd_home(const char *text, size_t len, u32 uid, char *out, size_t size);

/*
 * The numbers of the first user with this name in len bytes of text, or of that with this number; a number that no line has is itself, with group 0.
 * false: neither.
 */
bool passwd_user(
	const char *text, size_t len, const char *name, size_t name_len, u32 *uid, u32 *gid);

/* The same for a group, in text of group(5). */
bool passwd_group(const char *text, size_t len, const char *name, size_t name_len, u32 *gid);

#endif
