/* SPDX-License-Identifier: Apache-2.0 */
/* Servers for the spare file devices. */
#ifndef CM_VMM_PLUG_H
#define CM_VMM_PLUG_H

struct vm;

/* Listen on opts->plug_fd, if there is one; the spare devices exist. 0 or -errno. */
int plug_init(struct vm *vm);

#endif
