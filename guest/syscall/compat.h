/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of calls made by int $0x80. */
#ifndef SYSCALL_COMPAT_H
#define SYSCALL_COMPAT_H

#include "lib/types.h"

#define COMPAT_NONE ~0u /* no call has this number */
/* The 64-bit call that has this i386 number, or COMPAT_NONE. Pure. */
u32 compat_number(u32 nr);

#endif
