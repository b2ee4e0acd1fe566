/* SPDX-License-Identifier: Apache-2.0 */
/* An I/O APIC as Intel's 82093AA is described. An edge at a masked input is lost, as there. */
#include <config.h>
#include "vmm/pc/ioapic.h"

#include <string.h>

#define IO_SELECT  0x00
#define IO_WINDOW  0x10
#define IO_VERSION 0x11u /* without a register for ends of interrupts */

#define E_VECTOR  0xffull
#define E_MODE	  0x0700ull
#define E_LOGICAL 0x0800ull /* in the remappable format the index' top bit */
#define E_STATUS  0x1000ull
#define E_WAITS	  0x4000ull /* remote IRR: sent, and not ended yet */
#define E_LEVEL	  0x8000ull
#define E_MASKED  0x10000ull
#define E_FIXED	  (E_STATUS | E_WAITS) /* not the guest's to write */

/* The entry's upper half becomes the address as it stands, in either format. */
static struct vtd_msg entry_message(uint64_t e)
{
	return (struct vtd_msg){
		.addr = 0xfee00000ull | (e >> 48) << 4 | (e & E_LOGICAL) >> 9,
		.data = (uint32_t)(e & (E_VECTOR | E_MODE | E_LEVEL)) | (e & E_LEVEL ? 0x4000 : 0),
	};
}

static void input_send(struct pc_ioapic *a, unsigned n)
{
	uint64_t *e = &a->entry[n];

	if ((*e & E_MASKED) || (*e & E_LEVEL && *e & E_WAITS))
		return;
	if (*e & E_LEVEL)
		*e |= E_WAITS;
	a->send(a->arg, entry_message(*e));
}

void pc_ioapic_init(struct pc_ioapic *a, void (*send)(void *arg, struct vtd_msg m),
	void (*changed)(void *arg), void *arg)
{
	*a = (struct pc_ioapic){ .send = send, .changed = changed, .arg = arg };
	for (unsigned i = 0; i < PC_IOAPIC_INPUTS; i++)
		a->entry[i] = E_MASKED;
}

void pc_ioapic_line(struct pc_ioapic *a, unsigned input, bool level)
{
	uint32_t bit = input < PC_IOAPIC_INPUTS ? 1u << input : 0;
	bool was = a->high & bit;

	a->high = level ? a->high | bit : a->high & ~bit;
	if (bit && level && !was)
		input_send(a, input);
}

void pc_ioapic_eoi(struct pc_ioapic *a, uint8_t vector)
{
	for (unsigned i = 0; i < PC_IOAPIC_INPUTS; i++) {
		uint64_t *e = &a->entry[i];

		if (!(*e & E_LEVEL) || !(*e & E_WAITS) || (*e & E_VECTOR) != vector)
			continue;
		*e &= ~E_WAITS;
		if (a->high >> i & 1)
			input_send(a, i);
	}
}

bool pc_ioapic_level(const struct pc_ioapic *a, unsigned input, struct vtd_msg *m)
{
	uint64_t e = a->entry[input];

	*m = entry_message(e);
	return (e & E_LEVEL) && !(e & E_MASKED);
}

/* ---- registers: an index, a window on what it selects */

static uint32_t window_get(const struct pc_ioapic *a)
{
	unsigned n = (a->select - 0x10u) / 2;

	if (a->select == 0 || a->select == 2)
		return (uint32_t)a->id << 24;
	if (a->select == 1)
		return IO_VERSION | (PC_IOAPIC_INPUTS - 1) << 16;
	if (a->select < 0x10 || n >= PC_IOAPIC_INPUTS)
		return 0;
	return (uint32_t)(a->entry[n] >> (a->select & 1 ? 32 : 0));
}

static void window_put(struct pc_ioapic *a, uint32_t v)
{
	unsigned n = (a->select - 0x10u) / 2;
	uint64_t *e = &a->entry[n < PC_IOAPIC_INPUTS ? n : 0], old = *e;

	if (a->select == 0)
		a->id = v >> 24 & 0xf;
	if (a->select < 0x10 || n >= PC_IOAPIC_INPUTS)
		return;
	if (a->select & 1)
		*e = (uint32_t)old | (uint64_t)v << 32;
	else
		*e = (old & ~0xffffffffull) | (v & ~E_FIXED & 0x1ffff) | (old & E_WAITS);
	/* An input that is an edge now waits for no end. */
	if (!(*e & E_LEVEL))
		*e &= ~E_WAITS;
	if ((old | *e) & E_LEVEL)
		a->changed(a->arg);
	if ((*e & E_LEVEL) && (a->high >> n & 1))
		input_send(a, n);
}

static void ioapic_read(void *dev, uint64_t off, void *data, unsigned len)
{
	const struct pc_ioapic *a = dev;
	uint32_t v = off == IO_SELECT ? a->select : off == IO_WINDOW ? window_get(a) : 0;

	memset(data, 0, len);
	memcpy(data, &v, len < sizeof(v) ? len : sizeof(v));
}

static void ioapic_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ioapic *a = dev;
	uint32_t v = 0;

	memcpy(&v, data, len < sizeof(v) ? len : sizeof(v));
	if (off == IO_SELECT)
		a->select = (uint8_t)v;
	else if (off == IO_WINDOW)
		window_put(a, v);
}

const struct bus_ops pc_ioapic_ops = { .read = ioapic_read, .write = ioapic_write };
