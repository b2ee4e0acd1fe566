/* SPDX-License-Identifier: Apache-2.0 */
/* Walks of the remapping tables. */
#include <config.h>
#include "vmm/pc/vtd.h"

#define VTD_ADDR       0x000ffffffffff000ull
#define VTD_PRESENT    1ull
#define VTD_NO_RECORDS 2ull /* fault processing disable, of context entries and interrupt entries */
#define VTD_PTE_READ   1ull
#define VTD_PTE_WRITE  2ull
#define VTD_PTE_LARGE  (1ull << 7)
#define VTD_PTE_SNOOP  (1ull << 11) /* snoop control is not offered */
#define VTD_LARGE_MAX  3 /* highest level that may map a page: 1 GiB */
#define VTD_RTADDR_TTM 0xc00ull /* translation table mode; 0 = the legacy one */

#define CE_TYPE(lo)  ((lo) >> 2 & 3u)
#define CE_TABLES    0u
#define CE_PASS	     2u
#define CE_WIDTH(hi) ((hi)&7u)
#define CE_RESERVED0 0xff0ull
#define CE_RESERVED1 0xffffffffff000080ull

#define MSG_HEAD      0xfee00000ull
#define MSG_FORMAT    0x10u /* remappable */
#define MSG_SUBHANDLE 0x08u
#define IRTE_RESERVED0 \
	0xffff00ffff00f000ull /* the posted format with it; ids of x2APIC are not offered */
#define IRTE_RESERVED1	 0xfffffffffff00000ull
#define IRTE_VECTOR(lo)	 ((uint32_t)((lo) >> 16) & 0xffu)
#define IRTE_DEST(lo)	 ((uint32_t)((lo) >> 40) & 0xffu)
#define IRTE_MODE(lo)	 ((uint32_t)((lo) >> 2) & 1u)
#define IRTE_HINT(lo)	 ((uint32_t)((lo) >> 3) & 1u)
#define IRTE_LEVEL(lo)	 ((uint32_t)((lo) >> 4) & 1u)
#define IRTE_DELIVER(lo) ((uint32_t)((lo) >> 5) & 7u)
#define IRTE_SID(hi)	 ((uint32_t)(hi)&0xffffu)
#define IRTE_SQ(hi)	 ((hi) >> 16 & 3u)
#define IRTE_SVT(hi)	 ((hi) >> 18 & 3u)

/* ---- memory */

static enum vtd_fault vtd_pages(const struct gmem *mem, uint64_t table, int level, uint64_t addr,
	bool write, struct vtd_place *out)
{
	uint64_t e, size;

	for (;; level--) {
		size = 1ull << (VTD_PAGE_BITS + 9 * (level - 1));
		if (gmem_read(mem, table + (addr / size & 511) * 8, &e, sizeof(e)) < 0)
			return VTD_TABLE_ACCESS;
		if (!(e & (write ? VTD_PTE_WRITE : VTD_PTE_READ)))
			return write ? VTD_NO_WRITE : VTD_NO_READ;
		table = e & VTD_ADDR;
		if (e & VTD_PTE_SNOOP)
			return VTD_TABLE_RESERVED;
		if (level == 1)
			break;
		if (!(e & VTD_PTE_LARGE))
			continue;
		if (level > VTD_LARGE_MAX || (table & (size - 1)))
			return VTD_TABLE_RESERVED;
		break;
	}
	out->gpa = table + (addr & (size - 1));
	out->len = size - (addr & (size - 1));
	return VTD_OK;
}

/* The device's entry: both halves, or why not. */
static enum vtd_fault vtd_context(
	const struct gmem *mem, uint64_t rtaddr, uint16_t sid, uint64_t ce[2])
{
	uint64_t root[2];

	if ((rtaddr & VTD_RTADDR_TTM) ||
		gmem_read(mem, (rtaddr & VTD_ADDR) + (sid >> 8) * sizeof(root), root,
			sizeof(root)) < 0)
		return VTD_ROOT_ACCESS;
	if (!(root[0] & VTD_PRESENT))
		return VTD_ROOT_ABSENT;
	if ((root[0] & 0xffe) || root[1])
		return VTD_ROOT_RESERVED;
	if (gmem_read(mem, (root[0] & VTD_ADDR) + (sid & 0xff) * 16u, ce, 16) < 0)
		return VTD_CONTEXT_ACCESS;
	return VTD_OK;
}

enum vtd_fault vtd_translate(const struct gmem *mem, uint64_t rtaddr, uint16_t sid, uint64_t addr,
	bool write, struct vtd_place *out)
{
	uint64_t ce[2] = { 0 };
	enum vtd_fault why = vtd_context(mem, rtaddr, sid, ce);
	unsigned levels;

	out->quiet = why == VTD_OK && (ce[0] & VTD_NO_RECORDS);
	if (why != VTD_OK)
		return why;
	if (!(ce[0] & VTD_PRESENT))
		return VTD_CONTEXT_ABSENT;
	if ((ce[0] & CE_RESERVED0) || (ce[1] & CE_RESERVED1))
		return VTD_CONTEXT_RESERVED;
	levels = CE_WIDTH(ce[1]) + 2u;
	if (levels < 3 || levels > 4 || (CE_TYPE(ce[0]) != CE_TABLES && CE_TYPE(ce[0]) != CE_PASS))
		return VTD_CONTEXT_INVALID;
	if (addr >> (VTD_PAGE_BITS + 9 * levels))
		return VTD_TOO_WIDE;
	if (CE_TYPE(ce[0]) == CE_TABLES)
		return vtd_pages(mem, ce[0] & VTD_ADDR, (int)levels, addr, write, out);
	out->gpa = addr;
	out->len = (1ull << VTD_PAGE_BITS) - (addr & ((1ull << VTD_PAGE_BITS) - 1));
	return VTD_OK;
}

/* ---- interrupts */

/* May this sender use the entry? */
static enum vtd_fault vtd_verify(uint64_t hi, int sid)
{
	/* Bits of the function number that a qualifier leaves out. */
	static const uint32_t ignored[] = { 0, 4, 6, 7 };
	uint32_t have = (uint32_t)sid, want = IRTE_SID(hi), bus = have >> 8;

	switch (IRTE_SVT(hi)) {
	case 0:
		return VTD_OK;
	case 1:
		return sid == VTD_NO_SOURCE || !((have ^ want) & ~ignored[IRTE_SQ(hi)])
			       ? VTD_OK
			       : VTD_IR_SOURCE;
	case 2:
		return sid == VTD_NO_SOURCE || (bus >= want >> 8 && bus <= (want & 0xff))
			       ? VTD_OK
			       : VTD_IR_SOURCE;
	default:
		return VTD_IRTE_RESERVED;
	}
}

enum vtd_fault vtd_remap(
	const struct gmem *mem, uint64_t irta, bool compat, int sid, struct vtd_msg *m)
{
	uint32_t a = (uint32_t)m->addr, index = (a >> 5 & 0x7fff) | (a >> 2 & 1) << 15;
	uint64_t e[2];
	enum vtd_fault why;

	m->index = 0;
	m->quiet = false;
	if (!(a & MSG_FORMAT))
		return compat ? VTD_OK : VTD_IR_COMPAT;
	if ((a & MSG_SUBHANDLE) && m->data >> 16)
		return VTD_IR_RESERVED;
	if (a & MSG_SUBHANDLE)
		index += m->data & 0xffff;
	m->index = (uint16_t)index;
	if (index >> ((irta & 0xf) + 1))
		return VTD_IR_INDEX;
	if (gmem_read(mem, (irta & VTD_ADDR) + index * sizeof(e), e, sizeof(e)) < 0)
		return VTD_IR_ACCESS;
	m->quiet = (e[0] & VTD_NO_RECORDS) != 0;
	if (!(e[0] & VTD_PRESENT))
		return VTD_IR_ABSENT;
	/* Delivery modes 3 and 6 mean nothing. */
	if ((e[0] & IRTE_RESERVED0) || (e[1] & IRTE_RESERVED1) || IRTE_DELIVER(e[0]) == 3 ||
		IRTE_DELIVER(e[0]) == 6)
		return VTD_IRTE_RESERVED;
	why = vtd_verify(e[1], sid);
	if (why != VTD_OK)
		return why;
	m->addr = MSG_HEAD | IRTE_DEST(e[0]) << 12 | IRTE_HINT(e[0]) << 3 | IRTE_MODE(e[0]) << 2;
	m->data = IRTE_VECTOR(e[0]) | IRTE_DELIVER(e[0]) << 8 | IRTE_LEVEL(e[0]) << 15 |
		  IRTE_LEVEL(e[0]) << 14;
	return VTD_OK;
}
