/* SPDX-License-Identifier: Apache-2.0 */
/* Links from keyrings to keys, and searches through them. */
#include "kernel/errno.h"
#include "keys/internal.h"
#include "lib/string.h"
#include "mm/slab.h"

static u64 key_walks; /* numbers searches, so that each visits a keyring once a level */

static bool key_is(const struct key *k, u32 kind, const char *desc)
{
	return k->kind == kind && !strcmp(k->desc, desc);
}

static u32 link_place(const struct key *ring, u32 kind, const char *desc)
{
	u32 i;

	for (i = 0; i < ring->nlinks; i++)
		if (key_is(ring->links[i], kind, desc))
			break;
	return i;
}

struct key *keyring_has(const struct key *ring, u32 kind, const char *desc)
{
	u32 i = link_place(ring, kind, desc);

	return i < ring->nlinks ? ring->links[i] : NULL;
}

/* Was ring seen by this walk, at this level or above? */
static bool walk_seen(struct key *ring, u32 depth)
{
	if (ring->walk == key_walks && ring->depth <= depth)
		return true;
	ring->walk = key_walks;
	ring->depth = depth;
	return false;
}

/* Would a link of `top` into `ring` make a circle? 0, -EDEADLK, -ELOOP: nested too deeply. */
static int ring_circle(const struct key *ring, struct key *top, u32 depth)
{
	int ret = 0;

	if (top == ring)
		return -EDEADLK;
	if (depth == KEY_DEPTH)
		return -ELOOP;
	if (walk_seen(top, depth))
		return 0;
	for (u32 i = 0; i < top->nlinks && !ret; i++)
		if (top->links[i]->kind == KEY_KIND_RING)
			ret = ring_circle(ring, top->links[i], depth + 1);
	return ret;
}

static int ring_grow(struct key *ring)
{
	u32 max = ring->maxlinks ? 2 * ring->maxlinks : 4;
	struct key **links;

	if (ring->nlinks < ring->maxlinks)
		return 0;
	links = krealloc(ring->links, ring->maxlinks * sizeof(links[0]), max * sizeof(links[0]));
	if (!links)
		return -ENOMEM;
	ring->links = links;
	ring->maxlinks = max;
	return 0;
}

static int link_allowed(struct key *ring, struct key *k)
{
	if (ring->kind != KEY_KIND_RING)
		return -ENOTDIR;
	if (ring->flags & KEY_REVOKED)
		return -EKEYREVOKED;
	if (k->kind != KEY_KIND_RING)
		return 0;
	key_walks++;
	return ring_circle(ring, k, 0);
}

int keyring_link(struct key *ring, struct key *k)
{
	int ret = link_allowed(ring, k);
	u32 i;

	if (ret < 0)
		return ret;
	i = link_place(ring, k->kind, k->desc);
	if (i < ring->nlinks) {
		key_get(k);
		key_put(ring->links[i]);
		ring->links[i] = k;
		return 0;
	}
	ret = ring_grow(ring);
	if (!ret)
		ret = key_charge(ring, (ring->nlinks + 1) * KEY_LINK_BYTES);
	if (!ret)
		ring->links[ring->nlinks++] = key_get(k);
	return ret;
}

static void link_remove(struct key *ring, u32 i)
{
	struct key *k = ring->links[i];

	ring->nlinks--;
	memmove(&ring->links[i], &ring->links[i + 1], (ring->nlinks - i) * sizeof(ring->links[0]));
	key_charge(ring, ring->nlinks * KEY_LINK_BYTES);
	key_put(k);
}

int keyring_unlink(struct key *ring, const struct key *k)
{
	if (ring->kind != KEY_KIND_RING)
		return -ENOTDIR;
	for (u32 i = 0; i < ring->nlinks; i++) {
		if (ring->links[i] == k) {
			link_remove(ring, i);
			return 0;
		}
	}
	return -ENOENT;
}

void keyring_clear(struct key *ring)
{
	u32 n = ring->nlinks;

	ring->nlinks = 0;
	for (u32 i = 0; i < n; i++)
		key_put(ring->links[i]);
	if (n)
		key_charge(ring, 0);
}

void keyring_purge(const struct key *k)
{
	struct key *ring = NULL;

	while ((ring = key_after(ring)))
		if (ring->kind == KEY_KIND_RING)
			keyring_unlink(ring, k);
}

/* ---- searches ---- */

static bool matches(const struct key *k, const struct key_match *m)
{
	return m->exact ? k == m->exact : key_is(k, m->kind, m->desc);
}

/* May the searcher have a key that matches? */
static int found_usable(const struct key *k, bool possessed, const struct key_match *m)
{
	int ret = 0;

	if (!m->exact)
		ret = k->flags & KEY_INVALID ? -EKEYREVOKED : key_validate(k);
	if (!ret)
		ret = key_permission(k, possessed, KEY_SEARCH);
	return ret || m->exact ? ret : k->error;
}

static bool ring_walk(struct key *ring, bool possessed, const struct key_match *m, u32 depth,
	int *why, struct key **out)
{
	int ret;

	if ((ring->flags & (KEY_REVOKED | KEY_INVALID)) || walk_seen(ring, depth))
		return false;
	for (u32 i = 0; i < ring->nlinks; i++) {
		struct key *k = ring->links[i];

		if (!matches(k, m))
			continue;
		ret = found_usable(k, possessed, m);
		if (ret == -EKEYEXPIRED && m->skip_expired)
			continue;
		*why = ret;
		if (ret)
			continue;
		*out = k;
		return true;
	}
	for (u32 i = 0; i < ring->nlinks && depth + 1 < KEY_DEPTH; i++) {
		struct key *k = ring->links[i];

		if (k->kind == KEY_KIND_RING && !key_permission(k, possessed, KEY_SEARCH) &&
			ring_walk(k, possessed, m, depth + 1, why, out))
			return true;
	}
	return false;
}

int keyring_search(struct key *ring, bool possessed, const struct key_match *m, struct key **out)
{
	int why = -EAGAIN;
	int ret;

	if (ring->kind != KEY_KIND_RING)
		return -ENOTDIR;
	ret = key_permission(ring, possessed, KEY_SEARCH);
	if (ret < 0)
		return ret;
	/* The keyring itself may be what is looked for. */
	if (matches(ring, m)) {
		ret = found_usable(ring, possessed, m);
		*out = ring;
		return ret;
	}
	key_walks++;
	return ring_walk(ring, possessed, m, 0, &why, out) ? 0 : why;
}
