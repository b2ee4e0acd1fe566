/* SPDX-License-Identifier: Apache-2.0 */
/* passwd(5), as far as the start of a process needs it. Pure: for the host's tests too. */
#ifndef LIB_PASSWD_H
#define LIB_PASSWD_H

#include "lib/types.h"

/*
 * The home directory of the first user with this number in len bytes of text, which may be anything: terminated in out[size], or the empty string when
 * there is none that fits. Lines that are not complete are not looked at.
 */
void passwd_home(const char *text, size_t len, u32 uid, char *out, size_t size);

#endif
