/* SPDX-License-Identifier: Apache-2.0 */
/* Port and MMIO dispatch. */
#include <config.h>
#include "vmm/bus.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

int bus_add(struct bus *bus, uint64_t base, uint64_t len, const struct bus_ops *ops, void *dev)
{
	uint64_t end;
	unsigned i;

	if (len == 0 || __builtin_add_overflow(base, len, &end))
		return -EINVAL;
	for (i = 0; i < bus->count; i++) {
		const struct bus_range *r = &bus->range[i];

		if (base < r->base + r->len && r->base < end)
			return -EEXIST;
	}
	if (bus->count == BUS_RANGES_MAX)
		return -ENOSPC;
	bus->range[bus->count++] = (struct bus_range){
		.base = base,
		.len = len,
		.ops = ops,
		.dev = dev,
	};
	return 0;
}

static const struct bus_range *bus_find(const struct bus *bus, uint64_t addr, unsigned len)
{
	unsigned i;

	for (i = 0; i < bus->count; i++) {
		const struct bus_range *r = &bus->range[i];

		if (addr >= r->base && addr - r->base < r->len && len <= r->len - (addr - r->base))
			return r;
	}
	return NULL;
}

bool bus_read(const struct bus *bus, uint64_t addr, void *data, unsigned len)
{
	return bus_read_string(bus, addr, data, len, 1);
}

bool bus_write(const struct bus *bus, uint64_t addr, const void *data, unsigned len)
{
	return bus_write_string(bus, addr, data, len, 1);
}

bool bus_read_string(const struct bus *bus, uint64_t addr, void *data, unsigned len, unsigned count)
{
	const struct bus_range *r = bus_find(bus, addr, len);
	unsigned i;

	memset(data, 0xff, (size_t)len * count);
	if (!r || !r->ops->read)
		return false;
	for (i = 0; i < count; i++)
		r->ops->read(r->dev, addr - r->base, (char *)data + (size_t)i * len, len);
	return true;
}

bool bus_write_string(
	const struct bus *bus, uint64_t addr, const void *data, unsigned len, unsigned count)
{
	const struct bus_range *r = bus_find(bus, addr, len);
	unsigned i;

	if (!r || (!r->ops->write && !r->ops->write_string))
		return false;
	if (r->ops->write_string) {
		r->ops->write_string(r->dev, addr - r->base, data, len, count);
		return true;
	}
	for (i = 0; i < count; i++)
		r->ops->write(r->dev, addr - r->base, (const char *)data + (size_t)i * len, len);
	return true;
}
