/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that a directory certainly does not have. A directory that was made here starts empty, and in an exclusive mount only we add names,
 * so a Bloom filter of all names ever added answers most look-ups of new names without asking the server: creating a file then costs
 * one request instead of two. A name is never taken out; a full filter is thrown away and the server is asked again.
 */
#include "fs/hostfs/hostfs.h"

#include "lib/atomic.h"
#include "mm/slab.h"

#define NAMES_WORDS  128u /* 1 KiB */
#define NAMES_BITS   (NAMES_WORDS * 64)
#define NAMES_MAX    1500u /* about one wrong "perhaps" in 14 then */
#define NAMES_PROBES 3u

struct hostfs_names {
	u32 count;
	u64 bits[NAMES_WORDS];
};

static u32 names_bit(u32 hash, u32 probe)
{
	u64 h = ((u64)hash + probe * 0x9e3779b9u) * 0xff51afd7ed558ccdu;

	return (u32)(h >> 40) % NAMES_BITS;
}

void hostfs_names_start(struct hostfs_node *n)
{
	n->names = kzalloc(sizeof(*n->names)); /* without memory: no filter */
}

void hostfs_names_free(struct hostfs_node *n)
{
	kfree(n->names);
	n->names = NULL;
}

void hostfs_names_add(struct hostfs_node *n, u32 hash)
{
	struct hostfs_names *f = n->names;

	if (!f)
		return;
	if (++f->count > NAMES_MAX) {
		hostfs_names_free(n);
		return;
	}
	for (u32 i = 0; i < NAMES_PROBES; i++) {
		u32 b = names_bit(hash, i);

		f->bits[b / 64] |= 1UL << b % 64;
	}
}

bool hostfs_names_absent(const struct hostfs_node *n, u32 hash)
{
	const struct hostfs_names *f = n->names;

	if (!f)
		return false;
	for (u32 i = 0; i < NAMES_PROBES; i++) {
		u32 b = names_bit(hash, i);

		if (!(f->bits[b / 64] >> b % 64 & 1))
			return true;
	}
	return false;
}
