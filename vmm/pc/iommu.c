/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of a remapping unit. They stand in an array as the guest sees them; a table says for each word which bits a write changes and
 * what follows from it.
 */
#include <config.h>
#include "vmm/pc/iommu.h"

#include <string.h>

#define R_VERSION 0x00u
#define R_CAP	  0x08u
#define R_ECAP	  0x10u
#define R_GCMD	  0x18u
#define R_GSTS	  0x1cu
#define R_RTADDR  0x20u
#define R_CCMD	  0x28u
#define R_FSTS	  0x34u
#define R_FECTL	  0x38u
#define R_IQH	  0x80u
#define R_IQT	  0x88u
#define R_IQA	  0x90u
#define R_ICS	  0x9cu
#define R_IECTL	  0xa0u
#define R_IRTA	  0xb8u
#define R_IVA	  0xf0u
#define R_IOTLB	  0xf8u
#define R_FRCD	  0x200u

#define UNIT_VERSION 0x10u
/* 16-bit domains, 39 and 48 bits of address, 2 MiB and 1 GiB pages, page-selective invalidation, drains. */
#define CAP \
	(6ull | 0x6ull << 8 | (VTD_ADDR_BITS - 1ull) << 16 | (R_FRCD / 16ull) << 24 | 3ull << 34 | \
		1ull << 39 | (PC_IOMMU_RECORDS - 1ull) << 40 | 18ull << 48 | 3ull << 54)
/* Coherent walks, queued invalidation, interrupt remapping, pass-through. */
#define ECAP (1ull | 2ull | 8ull | 0x40ull | (R_IVA / 16ull) << 8 | 15ull << 20)

#define G_TRANSLATE 0x80000000u
#define G_SET_ROOT  0x40000000u
#define G_FLUSH	    0x08000000u
#define G_QUEUE	    0x04000000u
#define G_REMAP	    0x02000000u
#define G_SET_TABLE 0x01000000u
#define G_COMPAT    0x00800000u
#define G_SWITCHES  (G_TRANSLATE | G_QUEUE | G_REMAP | G_COMPAT)

#define FS_OVERFLOW 0x01u
#define FS_PENDING  0x02u
#define FS_QUEUE    0x10u
#define FS_CLEARED  (FS_OVERFLOW | FS_QUEUE) /* by a write of ones */
#define FS_INDEX    0xff00u

#define EV_MASK	   0x80000000u
#define EV_PENDING 0x40000000u

#define IQ_FIELD   0x7fff0u /* of head and tail: bytes */
#define IQA_WIDE   0x800u /* descriptors of 32 bytes */
#define QI_CONTEXT 1u
#define QI_IOTLB   2u
#define QI_IEC	   4u
#define QI_WAIT	   5u
#define WAIT_IRQ   0x10u
#define WAIT_WRITE 0x20u

#define RECORD_FULL 0x80000000u

static uint64_t get64(const struct pc_iommu *u, unsigned off)
{
	return u->reg[off / 4] | (uint64_t)u->reg[off / 4 + 1] << 32;
}

static void put64(struct pc_iommu *u, unsigned off, uint64_t v)
{
	u->reg[off / 4] = (uint32_t)v;
	u->reg[off / 4 + 1] = (uint32_t)(v >> 32);
}

/* ---- events: control, data, address and upper address follow each other */

static void event_send(struct pc_iommu *u, unsigned ctl)
{
	u->reg[ctl / 4] &= ~EV_PENDING;
	u->send(u->arg, get64(u, ctl + 8), u->reg[ctl / 4 + 1]);
}

static void event_raise(struct pc_iommu *u, unsigned ctl)
{
	if (u->reg[ctl / 4] & EV_MASK)
		u->reg[ctl / 4] |= EV_PENDING;
	else
		event_send(u, ctl);
}

static void event_written(struct pc_iommu *u, unsigned ctl)
{
	if ((u->reg[ctl / 4] & (EV_MASK | EV_PENDING)) == EV_PENDING)
		event_send(u, ctl);
}

/* Another reason for a fault event; while there is one already, the guest has been told. */
static void fault_status(struct pc_iommu *u, uint32_t bits)
{
	bool first = !(u->reg[R_FSTS / 4] & (FS_CLEARED | FS_PENDING));

	u->reg[R_FSTS / 4] |= bits;
	if (first)
		event_raise(u, R_FECTL);
}

/* `info`: the page of a memory access, or the entry's index in the top 16 bits. */
static void fault_record(
	struct pc_iommu *u, enum vtd_fault why, uint16_t sid, uint64_t info, bool read)
{
	uint32_t *r = &u->reg[R_FRCD / 4 + 4 * u->record];

	if (u->reg[R_FSTS / 4] & FS_OVERFLOW)
		return;
	if (r[3] & RECORD_FULL) {
		fault_status(u, FS_OVERFLOW);
		return;
	}
	r[0] = (uint32_t)info & ~0xfffu;
	r[1] = (uint32_t)(info >> 32);
	r[2] = sid;
	r[3] = RECORD_FULL | (uint32_t)read << 30 | (uint32_t)why;
	if (!(u->reg[R_FSTS / 4] & FS_PENDING)) {
		u->reg[R_FSTS / 4] &= ~FS_INDEX;
		u->reg[R_FSTS / 4] |= u->record << 8;
	}
	u->record = (u->record + 1) % PC_IOMMU_RECORDS;
	fault_status(u, FS_PENDING);
}

static void record_written(struct pc_iommu *u, unsigned off)
{
	u->reg[R_FSTS / 4] &= ~FS_PENDING;
	for (unsigned i = 0; i < PC_IOMMU_RECORDS; i++) {
		if (u->reg[R_FRCD / 4 + 4 * i + 3] & RECORD_FULL)
			u->reg[R_FSTS / 4] |= FS_PENDING;
	}
	if (!(u->reg[R_FSTS / 4] & (FS_CLEARED | FS_PENDING)))
		u->reg[R_FECTL / 4] &= ~EV_PENDING;
}

/* ---- the invalidation queue */

/* The guest waits for this: by a word in memory, an interrupt, or both. */
static void queue_wait(struct pc_iommu *u, const uint64_t d[2])
{
	uint32_t status = (uint32_t)(d[0] >> 32);
	bool told = u->reg[R_ICS / 4] & 1;

	if (d[0] & WAIT_WRITE)
		gmem_write(u->mem, d[1] & ~3ull, &status, sizeof(status));
	if (!(d[0] & WAIT_IRQ))
		return;
	u->reg[R_ICS / 4] |= 1;
	if (!told)
		event_raise(u, R_IECTL);
}

/* One descriptor. False when it cannot be. */
static bool queue_one(struct pc_iommu *u, uint64_t at)
{
	uint64_t d[2];

	if (gmem_read(u->mem, at, d, sizeof(d)) < 0)
		return false;
	switch (d[0] & 0xf) {
	case QI_CONTEXT:
	case QI_IOTLB:
		return true;
	case QI_IEC:
		u->changed(u->arg);
		return true;
	case QI_WAIT:
		queue_wait(u, d);
		return true;
	default:
		return false;
	}
}

/* To the tail, or to a descriptor that is wrong, where the queue stands until the guest has cleared the error. A queue's length bounds it. */
static void queue_run(struct pc_iommu *u)
{
	uint64_t base = get64(u, R_IQA);
	uint32_t size = 0x1000u << (base & 7), tail = u->reg[R_IQT / 4];
	uint32_t *head = &u->reg[R_IQH / 4];

	if (!(u->reg[R_GSTS / 4] & G_QUEUE) || (u->reg[R_FSTS / 4] & FS_QUEUE))
		return;
	while (*head != tail) {
		if ((base & IQA_WIDE) || tail >= size || *head >= size ||
			!queue_one(u, (base & ~0xfffull) + *head)) {
			fault_status(u, FS_QUEUE);
			return;
		}
		*head = (*head + 16) & (size - 1);
	}
}

/* ---- what follows from a write */

static void command_written(struct pc_iommu *u, unsigned off)
{
	uint32_t cmd = u->reg[R_GCMD / 4], *status = &u->reg[R_GSTS / 4], old = *status;

	u->reg[R_GCMD / 4] = 0;
	if (cmd & G_SET_ROOT)
		u->root = get64(u, R_RTADDR);
	if (cmd & G_SET_TABLE)
		u->table = get64(u, R_IRTA);
	*status = (old & ~G_SWITCHES) | (cmd & (G_SWITCHES | G_SET_ROOT | G_SET_TABLE));
	*status |= old & (G_SET_ROOT | G_SET_TABLE);
	if ((old ^ *status) & G_QUEUE)
		put64(u, R_IQH, 0);
	if ((cmd & G_SET_TABLE) || ((old ^ *status) & (G_REMAP | G_COMPAT)))
		u->changed(u->arg);
	queue_run(u);
}

static void context_written(struct pc_iommu *u, unsigned off)
{
	uint32_t *hi = &u->reg[R_CCMD / 4 + 1];

	/* Done, as coarse or fine as it was asked for. */
	if (*hi & 0x80000000u)
		*hi = (*hi & ~0x98000000u) | (*hi >> 2 & 0x18000000u);
}

static void iotlb_written(struct pc_iommu *u, unsigned off)
{
	uint32_t *hi = &u->reg[R_IOTLB / 4 + 1];

	if (*hi & 0x80000000u)
		*hi = (*hi & ~0x86000000u) | (*hi >> 3 & 0x06000000u);
}

static void status_written(struct pc_iommu *u, unsigned off)
{
	record_written(u, 0);
	queue_run(u);
}

static void complete_written(struct pc_iommu *u, unsigned off)
{
	if (!(u->reg[R_ICS / 4] & 1))
		u->reg[R_IECTL / 4] &= ~EV_PENDING;
}

static void tail_written(struct pc_iommu *u, unsigned off)
{
	queue_run(u);
}

/* Words that a write changes: bits it sets, bits it clears by ones. The rest is for reading. */
static const struct iommu_word {
	uint16_t off;
	uint32_t set, clear;
	void (*written)(struct pc_iommu *u, unsigned off);
} iommu_words[] = {
	{ R_GCMD, 0xffffffff, 0, command_written },
	{ R_RTADDR, 0xfffffc00, 0, NULL },
	{ R_RTADDR + 4, 0xffffffff, 0, NULL },
	{ R_CCMD, 0xffffffff, 0, NULL },
	{ R_CCMD + 4, 0xe0000003, 0, context_written },
	{ R_FSTS, 0, FS_CLEARED, status_written },
	{ R_FECTL, EV_MASK, 0, event_written },
	{ R_FECTL + 4, 0xffff, 0, NULL },
	{ R_FECTL + 8, 0xfffffffc, 0, NULL },
	{ R_FECTL + 12, 0xffffffff, 0, NULL },
	{ R_IQT, IQ_FIELD, 0, tail_written },
	{ R_IQA, 0xfffff807, 0, NULL },
	{ R_IQA + 4, 0xffffffff, 0, NULL },
	{ R_ICS, 0, 1, complete_written },
	{ R_IECTL, EV_MASK, 0, event_written },
	{ R_IECTL + 4, 0xffff, 0, NULL },
	{ R_IECTL + 8, 0xfffffffc, 0, NULL },
	{ R_IECTL + 12, 0xffffffff, 0, NULL },
	{ R_IRTA, 0xfffff00f, 0, NULL },
	{ R_IRTA + 4, 0xffffffff, 0, NULL },
	{ R_IVA, 0xffffffff, 0, NULL },
	{ R_IVA + 4, 0xffffffff, 0, NULL },
	{ R_IOTLB, 0xffffffff, 0, NULL },
	{ R_IOTLB + 4, 0xb003ffff, 0, iotlb_written },
	{ R_FRCD + 0x0c, 0, RECORD_FULL, record_written },
	{ R_FRCD + 0x1c, 0, RECORD_FULL, record_written },
	{ R_FRCD + 0x2c, 0, RECORD_FULL, record_written },
	{ R_FRCD + 0x3c, 0, RECORD_FULL, record_written },
};
_Static_assert(R_FRCD + 16 * PC_IOMMU_RECORDS == PC_IOMMU_BYTES, "the last registers");

static const struct iommu_word *word_find(uint64_t off)
{
	for (size_t i = 0; i < sizeof(iommu_words) / sizeof(iommu_words[0]); i++) {
		if (iommu_words[i].off == off)
			return &iommu_words[i];
	}
	return NULL;
}

/* ---- interface */

void pc_iommu_init(struct pc_iommu *u, const struct gmem *mem,
	void (*send)(void *arg, uint64_t addr, uint32_t data), void (*changed)(void *arg),
	void *arg)
{
	*u = (struct pc_iommu){ .mem = mem, .send = send, .changed = changed, .arg = arg };
	u->reg[R_VERSION / 4] = UNIT_VERSION;
	put64(u, R_CAP, CAP);
	put64(u, R_ECAP, ECAP);
	u->reg[R_FECTL / 4] = u->reg[R_IECTL / 4] = EV_MASK;
}

static bool iommu_access(uint64_t off, unsigned len)
{
	return (len == 4 || len == 8) && off % len == 0;
}

static void iommu_read(void *dev, uint64_t off, void *data, unsigned len)
{
	const struct pc_iommu *u = dev;

	memset(data, iommu_access(off, len) ? 0 : 0xff, len);
	if (iommu_access(off, len) && off + len <= PC_IOMMU_BYTES)
		memcpy(data, &u->reg[off / 4], len);
}

static void iommu_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_iommu *u = dev;
	const struct iommu_word *w[2] = { NULL, NULL };
	unsigned n = len / 4, i;
	uint32_t v[2];

	if (!iommu_access(off, len))
		return;
	memcpy(v, data, len);
	for (i = 0; i < n; i++) {
		uint32_t *r;

		w[i] = word_find(off + 4 * i);
		if (!w[i])
			continue;
		r = &u->reg[w[i]->off / 4];
		*r = (*r & ~w[i]->set & ~(v[i] & w[i]->clear)) | (v[i] & w[i]->set);
	}
	/* Both words of a wide register count before either does anything. */
	for (i = 0; i < n; i++) {
		if (w[i] && w[i]->written)
			w[i]->written(u, w[i]->off);
	}
}

const struct bus_ops pc_iommu_ops = { .read = iommu_read, .write = iommu_write };

bool pc_iommu_dma(
	struct pc_iommu *u, uint16_t sid, uint64_t addr, bool write, struct vtd_place *out)
{
	enum vtd_fault why;

	if (!(u->reg[R_GSTS / 4] & G_TRANSLATE)) {
		*out = (struct vtd_place){ .gpa = addr,
			.len = (1u << VTD_PAGE_BITS) - (addr & ((1u << VTD_PAGE_BITS) - 1)) };
		return true;
	}
	why = vtd_translate(u->mem, u->root, sid, addr, write, out);
	if (why != VTD_OK && !out->quiet)
		fault_record(u, why, sid, addr, !write);
	return why == VTD_OK;
}

bool pc_iommu_remap(struct pc_iommu *u, int sid, struct vtd_msg *m, bool record)
{
	enum vtd_fault why;

	if (!(u->reg[R_GSTS / 4] & G_REMAP))
		return true;
	why = vtd_remap(u->mem, u->table, u->reg[R_GSTS / 4] & G_COMPAT, sid, m);
	if (why != VTD_OK && record && !m->quiet)
		fault_record(u, why, sid < 0 ? 0 : (uint16_t)sid, (uint64_t)m->index << 48, false);
	return why == VTD_OK;
}
