/* SPDX-License-Identifier: Apache-2.0 */
/* Linux's errno values and the kernel-internal restart codes, which never reach a program: signal delivery converts them. */
#ifndef KERNEL_ERRNO_H
#define KERNEL_ERRNO_H

#include <asm/errno.h>

#define ERESTARTSYS	      512 /* restart when the handler has SA_RESTART or there is none */
#define ERESTARTNOINTR	      513 /* restart always */
#define ERESTARTNOHAND	      514 /* restart only when no handler ran */
#define ERESTART_RESTARTBLOCK 516 /* restart through restart_syscall */

#endif
