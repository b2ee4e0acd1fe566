/* SPDX-License-Identifier: Apache-2.0 */
/* Brings up the file systems that the sentry has itself. */
#include "fs/dev/dev.h"
#include "fs/internal.h"
#include "fs/nsfs.h"
#include "fs/overlay/overlay.h"
#include "fs/proc/proc.h"
#include "fs/tmpfs/tmpfs.h"

void fs_init(void)
{
	anon_init();
	tmpfs_init();
	chrdev_init();
	devtmpfs_init();
	proc_init();
	sysfs_init();
	nsfs_init();
	tty_init();
	overlay_init();
}
