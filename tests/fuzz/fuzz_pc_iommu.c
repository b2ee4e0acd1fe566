/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz entry of the PC's remapping unit: the input is a list of steps, each a write into the guest's tables, an access of a register, a DMA
 * access or an interrupt. However tables, queue and registers point, every step ends, and what a walk finds lies in a page.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/pc/iommu.h"

#define STEP 12 /* bytes of one in the input: kind, place, value */
#define RAM  0x10000u

enum {
	DO_PUT,
	DO_REGISTER,
	DO_DMA,
	DO_INTERRUPT,
	DO_KINDS
};

static uint8_t ram[RAM];
static unsigned sent;

static void on_send(void *arg, uint64_t addr, uint32_t data)
{
	sent++;
}

static void on_change(void *arg)
{
	struct vtd_msg m = { .addr = 0xfee00030 };

	pc_iommu_remap(arg, VTD_NO_SOURCE, &m, false);
}

static void step(struct pc_iommu *u, const uint8_t *in)
{
	uint16_t place;
	uint64_t v;
	struct vtd_msg m;
	struct vtd_place at;

	memcpy(&place, in + 2, sizeof(place));
	memcpy(&v, in + 4, sizeof(v));
	switch (in[0] % DO_KINDS) {
	case DO_PUT:
		memcpy(ram + place / 8 * 8, &v, sizeof(v));
		break;
	case DO_REGISTER:
		pc_iommu_ops.write(u, place & 0x3f8, &v, 8);
		pc_iommu_ops.read(u, place & 0x3ff, &v, in[1] & 1 ? 4 : 8);
		break;
	case DO_DMA:
		if (pc_iommu_dma(u, place, v, in[1] & 1, &at) && (at.len == 0 || at.len > 1u << 30))
			abort();
		break;
	default:
		m = (struct vtd_msg){ .addr = v, .data = place };
		if (pc_iommu_remap(u, in[1], &m, true) && m.addr != v && m.addr >> 20 != 0xfee)
			abort();
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gmem mem = { 0 };
	struct pc_iommu u;
	uint64_t on = 0xc7000000;

	memset(ram, 0, sizeof(ram));
	gmem_add(&mem, 0, RAM, ram, true);
	pc_iommu_init(&u, &mem, on_send, on_change, &u);
	pc_iommu_ops.write(&u, 0x18, &on, 4);
	for (; size >= STEP; data += STEP, size -= STEP)
		step(&u, data);
	return 0;
}

static uint8_t *seed_step(uint8_t *p, uint8_t kind, uint16_t place, uint64_t v)
{
	p[0] = kind;
	p[1] = 0;
	memcpy(p + 2, &place, sizeof(place));
	memcpy(p + 4, &v, sizeof(v));
	return p + STEP;
}

/* A table of one page for device 0, an interrupt entry, a queue with a wait, then one use of each. */
size_t fuzz_seed(uint8_t *buf, size_t room)
{
	uint8_t *p = buf;

	if (room < 16 * STEP)
		return 0;
	p = seed_step(p, DO_PUT, 0x1000, 0x2001);
	p = seed_step(p, DO_PUT, 0x2000, 0x3001);
	p = seed_step(p, DO_PUT, 0x2008, 1);
	p = seed_step(p, DO_PUT, 0x3000, 0x4003);
	p = seed_step(p, DO_PUT, 0x4000, 0x5003);
	p = seed_step(p, DO_PUT, 0x5000, 0x6003);
	p = seed_step(p, DO_PUT, 0x7010, 0x310001);
	p = seed_step(p, DO_PUT, 0x8000, 0x1234ull << 32 | 0x35);
	p = seed_step(p, DO_PUT, 0x8008, 0x9000);
	p = seed_step(p, DO_REGISTER, 0x20, 0x1000);
	p = seed_step(p, DO_REGISTER, 0xb8, 0x7003);
	p = seed_step(p, DO_REGISTER, 0x90, 0x8000);
	p = seed_step(p, DO_REGISTER, 0x18, 0xc7000000);
	p = seed_step(p, DO_REGISTER, 0x88, 0x10);
	p = seed_step(p, DO_DMA, 0, 0x123);
	p = seed_step(p, DO_INTERRUPT, 0, 0xfee00030);
	return (size_t)(p - buf);
}
