/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Port and MMIO dispatch: ranges of an address space to device operations. Filled at the start, read-only afterwards, so look-ups from
 * vCPU threads take no lock.
 */
#ifndef CM_VMM_BUS_H
#define CM_VMM_BUS_H

#include <stdbool.h>
#include <stdint.h>

#define BUS_RANGES_MAX 24

/*
 * off is the distance from the start of the range and off + len lies inside it; len is 1, 2, 4 or 8. Either may be NULL: reads give all
 * ones, writes vanish. `write_string` takes `count` elements of len bytes for one port; without it `write` is called for each.
 */
struct bus_ops {
	void (*read)(void *dev, uint64_t off, void *data, unsigned len);
	void (*write)(void *dev, uint64_t off, const void *data, unsigned len);
	void (*write_string)(
		void *dev, uint64_t off, const void *data, unsigned len, unsigned count);
};

struct bus_range {
	uint64_t base;
	uint64_t len;
	const struct bus_ops *ops;
	void *dev;
};

struct bus {
	unsigned count;
	struct bus_range range[BUS_RANGES_MAX];
};

/* Claim [base, base + len). 0, -EINVAL (empty or wraps), -EEXIST (overlap) or -ENOSPC. Start-up only. */
int bus_add(struct bus *bus, uint64_t base, uint64_t len, const struct bus_ops *ops, void *dev);

/* One access. False when no range holds all its bytes or the device lacks the operation; a read then gives all ones. */
bool bus_read(const struct bus *bus, uint64_t addr, void *data, unsigned len);
bool bus_write(const struct bus *bus, uint64_t addr, const void *data, unsigned len);

/* `count` accesses of len bytes to the same address, as string I/O makes them. */
bool bus_read_string(
	const struct bus *bus, uint64_t addr, void *data, unsigned len, unsigned count);
bool bus_write_string(
	const struct bus *bus, uint64_t addr, const void *data, unsigned len, unsigned count);

#endif
