/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of CPUs as Linux takes them: "0-3,8", "all", "0-N:1/2" (of each group of 2 the first 1), see cpuset(7). Pure. */
#ifndef KERNEL_CPULIST_H
#define KERNEL_CPULIST_H

#include "lib/types.h"

/* The CPUs of a list as bits, of those below `count` <= 64. 0, -EINVAL, -ERANGE (one that there is not), -EOVERFLOW. */
int cpulist_parse(const char *text, u32 count, u64 *out);

#endif
