/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the system. */
#include "task/uts.h"

#include "kernel/errno.h"
#include "kernel/lock.h"
#include "lib/string.h"

static struct spinlock uts_lock; /* protects: uts_name */
static struct new_utsname uts_name = {
	.sysname = UTS_SYSNAME,
	.nodename = "localhost",
	.release = UTS_RELEASE,
	.version = UTS_VERSION,
	.machine = UTS_MACHINE,
	.domainname = "(none)",
};

void uts_get(struct new_utsname *out)
{
	spin_lock(&uts_lock);
	*out = uts_name;
	spin_unlock(&uts_lock);
}

static int uts_set(char *field, const char *name, size_t len)
{
	if (len > __NEW_UTS_LEN)
		return -EINVAL;
	spin_lock(&uts_lock);
	memset(field, 0, __NEW_UTS_LEN + 1);
	memcpy(field, name, len);
	spin_unlock(&uts_lock);
	return 0;
}

int uts_set_hostname(const char *name, size_t len)
{
	return uts_set(uts_name.nodename, name, len);
}

int uts_set_domainname(const char *name, size_t len)
{
	return uts_set(uts_name.domainname, name, len);
}
