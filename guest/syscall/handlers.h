/* SPDX-License-Identifier: Apache-2.0 */
/* Prototypes of all system call handlers, from table.def. */
#ifndef SYSCALL_HANDLERS_H
#define SYSCALL_HANDLERS_H

#include "syscall/syscall.h"

#define SYS(name, handler, args, level, note) s64 handler(struct task *t, const struct sysargs *a);
#include "syscall/table.def"
#undef SYS

#endif
