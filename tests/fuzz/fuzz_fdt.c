/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the sentry's device tree reader: nothing may be read outside the input, and every walk ends. */
#include <config.h>

#include "guest/lib/fdt_read.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/devtree.h"

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	static const struct devtree_machine m = {
		.ram = 64u << 20,
		.arena = 16u << 20,
		.cpus = 2,
		.cmdline = "a=b",
		.ndevices = 1,
		.device = { { .virtio_id = 26, .tag = "rootfs" } },
	};
	int r = devtree_build(&m, buf, room < 4096 ? room : 4096);

	return r < 0 ? 0 : (size_t)r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fdt_reader r;
	uint64_t base, len;
	int node;

	if (!fdt_read_init(&r, data, size))
		return 0;
	for (node = fdt_read_compatible(&r, FDT_NONE, "virtio,mmio"); node != FDT_NONE;
		node = fdt_read_compatible(&r, node, "virtio,mmio")) {
		fdt_read_reg(&r, node, 0, &base, &len);
		fdt_read_string(&r, node, "casemate,tag");
	}
	for (node = fdt_read_child(&r, fdt_read_root(&r)); node != FDT_NONE;
		node = fdt_read_sibling(&r, node))
		fdt_read_name(&r, node);
	fdt_read_string(&r, fdt_read_path(&r, "/chosen"), "bootargs");
	return 0;
}
