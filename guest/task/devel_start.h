/* SPDX-License-Identifier: Apache-2.0 */
/* Developer images: a program from an embedded archive. Not linked into ordinary images. */
#ifndef TASK_DEVEL_START_H
#define TASK_DEVEL_START_H

/* Called at the end of the boot when the image has it. */
void devel_start(void) __attribute__((weak));

#endif
