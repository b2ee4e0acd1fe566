/* SPDX-License-Identifier: Apache-2.0 */
/* The ioctls of interfaces. All that can be changed from inside is whether one is up, and its MTU. */
#include "net/netdev.h"

#include <linux/capability.h>
#include <linux/sockios.h>

#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "net/abi.h"
#include "net/inet.h"
#include "net/net_ns.h"
#include "task/user_ns.h"

#define IF_NAME_SIZE   16u
#define IPV6_MTU_LEAST 1280

/* struct ifreq of the user ABI. */
struct user_ifreq {
	char name[IF_NAME_SIZE];
	union {
		u8 raw[24];
		u16 family;
		s16 flags;
		s32 number;
	};
};

struct user_ifconf {
	s32 len;
	u32 pad;
	uaddr_t buf;
};

static const struct netdev *devs_of(const struct net_ns *net)
{
	return netdevs_of(READ_ONCE(net->lo_up));
}

static const struct netdev *find_name(const struct netdev *devs, const char *name)
{
	for (u32 i = 0; i < NETDEVS_COUNT; i++) {
		if (!strncmp(devs[i].name, name, IF_NAME_SIZE))
			return &devs[i];
	}
	return NULL;
}

static void put_addr4(struct user_ifreq *r, u32 addr_host_order)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	u32 addr = __builtin_bswap32(addr_host_order);

	memcpy(&sin.sin_addr, &addr, sizeof(addr));
	memset(r->raw, 0, sizeof(r->raw));
	memcpy(r->raw, &sin, sizeof(sin));
}

/* The device's first IPv4 address; false when it has none. */
static bool addr4(const struct netdev *d, u32 *addr, u32 *mask)
{
	for (u32 i = 0; i < d->naddrs; i++) {
		const struct netdev_addr *a = &d->addrs[i];

		if (a->family != AF_INET)
			continue;
		memcpy(addr, a->addr.b + 12, sizeof(*addr));
		*addr = __builtin_bswap32(*addr);
		*mask = ~0u << (32 - a->prefix);
		return true;
	}
	return false;
}

static s64 get_addr(const struct netdev *d, u32 cmd, struct user_ifreq *r)
{
	u32 addr, mask;

	if (!addr4(d, &addr, &mask))
		return -EADDRNOTAVAIL;
	put_addr4(r, cmd == SIOCGIFNETMASK ? mask : cmd == SIOCGIFBRDADDR ? 0 : addr);
	return 0;
}

static s64 get_one(const struct netdev *d, u32 cmd, struct user_ifreq *r)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
		r->flags = (s16)d->flags;
		return 0;
	case SIOCGIFINDEX:
		r->number = d->index;
		return 0;
	case SIOCGIFMETRIC:
		r->number = 0;
		return 0;
	case SIOCGIFTXQLEN:
		r->number = (s32)d->txqlen;
		return 0;
	case SIOCGIFHWADDR:
		memset(r->raw, 0, sizeof(r->raw));
		r->family = d->type;
		return 0;
	case SIOCGIFMAP:
		memset(r->raw, 0, sizeof(r->raw));
		return 0;
	default:
		return get_addr(d, cmd, r);
	}
}

static s64 ioctl_one(const struct net_ns *net, u32 cmd, uaddr_t arg)
{
	struct user_ifreq r;
	const struct netdev *d;
	s64 ret;

	if (get_user(r, arg))
		return -EFAULT;
	d = find_name(devs_of(net), r.name);
	ret = !d ? -ENODEV : cmd == SIOCGIFMTU ? 0 : get_one(d, cmd, &r);
	if (cmd == SIOCGIFMTU)
		r.number = (s32)READ_ONCE(net->lo_mtu);
	if (!ret && copy_to_user(arg, &r, sizeof(r)))
		return -EFAULT;
	return ret;
}

static s64 ioctl_name(const struct netdev *devs, uaddr_t arg)
{
	struct user_ifreq r;

	if (get_user(r, arg))
		return -EFAULT;
	for (u32 i = 0; i < NETDEVS_COUNT; i++) {
		if (devs[i].index != r.number)
			continue;
		memset(r.name, 0, sizeof(r.name));
		memcpy(r.name, devs[i].name, strlen(devs[i].name));
		return copy_to_user(arg, &r, sizeof(r)) ? -EFAULT : 0;
	}
	return -ENODEV;
}

/* Lists the interfaces that have an IPv4 address; without a buffer, how many bytes that takes. */
static s64 ioctl_conf(const struct netdev *devs, uaddr_t arg)
{
	struct user_ifconf c;
	s32 used = 0;

	if (get_user(c, arg))
		return -EFAULT;
	for (u32 i = 0; i < NETDEVS_COUNT; i++) {
		struct user_ifreq r = { .name = "" };
		u32 addr, mask;

		if (!addr4(&devs[i], &addr, &mask))
			continue;
		memcpy(r.name, devs[i].name, strlen(devs[i].name));
		put_addr4(&r, addr);
		if (c.buf && c.len - used < (s32)sizeof(r))
			break;
		if (c.buf && copy_to_user(c.buf + (u32)used, &r, sizeof(r)))
			return -EFAULT;
		used += (s32)sizeof(r);
	}
	return put_user(used, arg);
}

/* What is to be changed of an interface that there is, by one who may. */
static s64 ioctl_get_change(struct net_ns *net, uaddr_t arg, struct user_ifreq *r)
{
	if (get_user(*r, arg))
		return -EFAULT;
	if (!ns_capable(net->ns.owner, CAP_NET_ADMIN))
		return -EPERM;
	return find_name(devs_of(net), r->name) ? 0 : -ENODEV;
}

/* An interface goes up or down; its other flags are what they are. */
static s64 ioctl_set_flags(struct net_ns *net, uaddr_t arg)
{
	struct user_ifreq r;
	s64 err = ioctl_get_change(net, arg, &r);

	if (err)
		return err;
	WRITE_ONCE(net->lo_up, (r.flags & NETDEV_UP) != 0);
	return 0;
}

/* Kept and shown. Below what IPv6 wants, where Linux takes the addresses away, it stays as it is. */
static s64 ioctl_set_mtu(struct net_ns *net, uaddr_t arg)
{
	struct user_ifreq r;
	s64 err = ioctl_get_change(net, arg, &r);

	if (err)
		return err;
	if (r.number < IPV6_MTU_LEAST)
		return -EINVAL;
	WRITE_ONCE(net->lo_mtu, (u32)r.number);
	return 0;
}

s64 netdev_ioctl(struct net_ns *net, u32 cmd, uaddr_t arg)
{
	switch (cmd) {
	case SIOCGIFCONF:
		return ioctl_conf(devs_of(net), arg);
	case SIOCGIFNAME:
		return ioctl_name(devs_of(net), arg);
	case SIOCGIFFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
	case SIOCGIFINDEX:
	case SIOCGIFTXQLEN:
	case SIOCGIFMAP:
		return ioctl_one(net, cmd, arg);
	case SIOCSIFFLAGS:
		return ioctl_set_flags(net, arg);
	case SIOCSIFMTU:
		return ioctl_set_mtu(net, arg);
	case SIOCSIFADDR:
	case SIOCSIFDSTADDR:
	case SIOCSIFBRDADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFMETRIC:
	case SIOCSIFHWADDR:
	case SIOCSIFNAME:
	case SIOCSIFTXQLEN:
	case SIOCADDRT:
	case SIOCDELRT:
		return -EPERM;
	case SIOCETHTOOL:
		return -EOPNOTSUPP;
	default:
		return -ENOTTY;
	}
}
