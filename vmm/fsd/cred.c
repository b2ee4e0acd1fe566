/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user that creates: file system ids of the process follow the request, so that a new object has its owner from the first moment
 * (a chown after the fact could be turned against another file by someone who renames in a shared tree). Securebits keep the
 * capabilities of the process over the change.
 */
#include <config.h>
#include "vmm/fsd/internal.h"

#include <errno.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>

void fsd_creds_prepare(void)
{
	int bits = prctl(PR_GET_SECUREBITS);

	if (bits >= 0)
		(void)prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
	umask(0);
}

/* setfsuid and setfsgid report no failure: ask again. #syscalls:fsd setfsuid setfsgid */
int fsd_creds_set_gid(struct fsd_engine *e, uint32_t gid)
{
	if (gid == e->fsgid)
		return 0;
	setfsgid(gid);
	e->fsgid = (uint32_t)setfsgid((gid_t)-1);
	return gid == e->fsgid ? 0 : -EPERM;
}

int fsd_creds_set(struct fsd_engine *e, uint32_t uid, uint32_t gid)
{
	int r = fsd_creds_set_gid(e, gid);

	if (r < 0 || uid == e->fsuid)
		return r;
	setfsuid(uid);
	e->fsuid = (uint32_t)setfsuid((uid_t)-1);
	return uid == e->fsuid ? 0 : -EPERM;
}
