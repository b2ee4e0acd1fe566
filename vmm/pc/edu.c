/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of the edu device. */
#include <config.h>
#include "vmm/pc/edu.h"

#include <errno.h>
#include <string.h>

#define EDU_BAR	     (1u << 20)
#define EDU_ID	     0x010000edu
#define EDU_AT	     0x40000u /* of the buffer, for its DMA; the guest cannot read it there */
#define EDU_MASK     0x0fffffffull /* it has 28 lines of address */
#define ST_INTERRUPT 0x80u /* when a factorial is done */
#define DMA_START    1u
#define DMA_FROM     2u /* the buffer, to memory */
#define DMA_NOTIFY   4u
#define INT_FACT     0x001u
#define INT_DMA	     0x100u

enum {
	E_ID = 0x00,
	E_ALIVE = 0x04,
	E_FACTORIAL = 0x08,
	E_STATUS = 0x20,
	E_INTERRUPTS = 0x24,
	E_RAISE = 0x60,
	E_ACK = 0x64,
	E_WIDE = 0x80, /* 4 or 8 bytes from here on, only 4 before */
	E_SOURCE = 0x80,
	E_TARGET = 0x88,
	E_COUNT = 0x90,
	E_COMMAND = 0x98
};

static void edu_raise(struct pc_edu *e, uint32_t bits)
{
	e->interrupts |= bits;
	if (e->interrupts)
		pc_pci_interrupt(e->pci, e->f, true);
}

static void edu_ack(struct pc_edu *e, uint32_t bits)
{
	e->interrupts &= ~bits;
	if (!e->interrupts)
		pc_pci_interrupt(e->pci, e->f, false);
}

/* In 32 bits: from 34 on it is zero. */
static void edu_factorial(struct pc_edu *e, uint32_t n)
{
	uint32_t v = n < 34 ? 1 : 0;

	while (v && n > 1)
		v *= n--;
	e->factorial = v;
	if (e->status & ST_INTERRUPT)
		edu_raise(e, INT_FACT);
}

static void edu_dma(struct pc_edu *e)
{
	bool from = e->command & DMA_FROM;
	uint64_t mine = (from ? e->source : e->target) - EDU_AT;

	/* What leaves the buffer moves nothing. */
	if (mine <= EDU_BUFFER && e->count <= EDU_BUFFER - mine && e->count > 0 &&
		pc_pci_master(e->f))
		e->dma(e->arg, e->f->devfn, (from ? e->target : e->source) & EDU_MASK,
			e->buffer + mine, (size_t)e->count, from);
	e->command &= ~(uint64_t)DMA_START;
	if (e->command & DMA_NOTIFY)
		edu_raise(e, INT_DMA);
}

static void edu_read(void *dev, uint64_t off, void *data, unsigned len)
{
	const struct pc_edu *e = dev;
	const struct {
		uint64_t off, value;
	} reg[] = {
		{ E_ID, EDU_ID },
		{ E_ALIVE, e->alive },
		{ E_FACTORIAL, e->factorial },
		{ E_STATUS, e->status },
		{ E_INTERRUPTS, e->interrupts },
		{ E_SOURCE, e->source },
		{ E_TARGET, e->target },
		{ E_COUNT, e->count },
		{ E_COMMAND, e->command },
	};

	memset(data, 0xff, len);
	if (len != 4 && (len != 8 || off < E_WIDE))
		return;
	for (size_t i = 0; i < sizeof(reg) / sizeof(reg[0]); i++) {
		if (reg[i].off == off)
			memcpy(data, &reg[i].value, len);
	}
}

static void edu_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_edu *e = dev;
	uint64_t v = 0;

	if (len != 4 && (len != 8 || off < E_WIDE))
		return;
	memcpy(&v, data, len);
	switch (off) {
	case E_ALIVE:
		e->alive = ~(uint32_t)v;
		break;
	case E_FACTORIAL:
		edu_factorial(e, (uint32_t)v);
		break;
	case E_STATUS:
		e->status = (uint32_t)v & ST_INTERRUPT;
		break;
	case E_RAISE:
		edu_raise(e, (uint32_t)v);
		break;
	case E_ACK:
		edu_ack(e, (uint32_t)v);
		break;
	case E_SOURCE:
		e->source = v;
		break;
	case E_TARGET:
		e->target = v;
		break;
	case E_COUNT:
		e->count = v;
		break;
	case E_COMMAND:
		e->command = v;
		if (v & DMA_START)
			edu_dma(e);
		break;
	default:
		break;
	}
}

static const struct bus_ops edu_ops = { .read = edu_read, .write = edu_write };

int pc_edu_init(struct pc_edu *e, struct pc_pci *pci,
	void (*dma)(void *arg, uint16_t sid, uint64_t addr, void *buf, size_t len, bool write),
	void *arg)
{
	*e = (struct pc_edu){ .pci = pci, .dma = dma, .arg = arg };
	e->f = pc_pci_add(pci, 0x11e81234, 0x00ff00, EDU_BAR, &edu_ops, e);
	return e->f ? 0 : -ENOSPC;
}
