/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug server: a thread of its own that speaks include/casemate/debug.h with debuggers. Connections come as descriptors over --debug-fd
 * from the sandbox process, which has checked who they are from; it sleeps while there is nothing to do.
 */
#ifndef CM_VMM_DEBUG_SERVER_H
#define CM_VMM_DEBUG_SERVER_H

#include "common/err.h"

struct vm;

/* Start the thread; nothing without --debug-fd. It posts vm->debug_sealed. Main thread, once. 0 or -errno with err filled. */
int debug_start(struct vm *vm, struct cm_err *err);

#endif
