/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the system: one set in each uts namespace. */
#include "task/uts.h"

#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/user_ns.h"

struct uts_ns uts_ns_root = {
	.ns = { .ref = { 1 }, .kind = NS_UTS, .inum = NS_INUM_UTS, .owner = &user_ns_root },
	.name = {
		.sysname = UTS_SYSNAME,
		.nodename = "localhost",
		.release = UTS_RELEASE,
		.version = UTS_VERSION,
		.machine = UTS_MACHINE,
		.domainname = "(none)",
	},
};

int uts_ns_create(struct uts_ns *from, struct user_ns *owner, struct uts_ns **out)
{
	struct uts_ns *ns;

	if (!ns_charge(NS_UTS))
		return -ENOSPC;
	ns = kzalloc(sizeof(*ns));
	if (!ns) {
		ns_uncharge(NS_UTS);
		return -ENOMEM;
	}
	ns_init(&ns->ns, NS_UTS, owner);
	spin_lock(&from->lock);
	ns->name = from->name;
	spin_unlock(&from->lock);
	*out = ns;
	return 0;
}

void uts_ns_get(struct uts_ns *ns)
{
	ref_get(&ns->ns.ref);
}

void uts_ns_put(struct uts_ns *ns)
{
	if (!ref_put(&ns->ns.ref))
		return;
	ns_fini(&ns->ns);
	kfree(ns);
}

void uts_get(struct new_utsname *out)
{
	struct uts_ns *ns = nsproxy_current()->uts;

	spin_lock(&ns->lock);
	*out = ns->name;
	spin_unlock(&ns->lock);
}

static int uts_set(struct uts_ns *ns, char *field, const char *name, size_t len)
{
	if (len > __NEW_UTS_LEN)
		return -EINVAL;
	spin_lock(&ns->lock);
	memset(field, 0, __NEW_UTS_LEN + 1);
	memcpy(field, name, len);
	spin_unlock(&ns->lock);
	return 0;
}

int uts_set_hostname(const char *name, size_t len)
{
	struct uts_ns *ns = nsproxy_current()->uts;

	return uts_set(ns, ns->name.nodename, name, len);
}

int uts_set_domainname(const char *name, size_t len)
{
	struct uts_ns *ns = nsproxy_current()->uts;

	return uts_set(ns, ns->name.domainname, name, len);
}
