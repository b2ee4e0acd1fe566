/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dentry cache: names of every file system, positive and negative, in one hash table by (parent, name). One spinlock guards table, tree and
 * LRU; it is held for a few dozen instructions and never while a file system or the allocator is called. References go from 1 to 0 and
 * from 0 to 1 only with the lock held, so a dentry without users is either on the LRU or being freed by one CPU.
 */
#include "fs/internal.h"

#define DCACHE_BUCKETS	    8192u
#define DCACHE_UNUSED_MAX   16384u
#define DCACHE_SHRINK_BATCH 128u

static struct spinlock dcache_lock; /* protects: table, tree links, lru, names, flags */
static u64 dcache_moves; /* lock: dcache, to change it */
static struct dentry *dcache_table[DCACHE_BUCKETS];
static struct list_head dcache_lru = LIST_HEAD_INIT(dcache_lru); /* newest first */
static u32 dcache_unused;
static struct kcache dentry_cache = KCACHE("dentry", struct dentry);

u32 dentry_hash_name(const char *name, size_t len)
{
	u32 h = 0x811c9dc5u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (u8)name[i]) * 0x01000193u;
	return h;
}

static struct dentry **dcache_bucket(struct dentry *parent, u32 hash)
{
	u64 p = (u64)parent;

	hash ^= (u32)(p >> 6) * 0x9e3779b1u;
	hash ^= hash >> 15;
	return &dcache_table[hash % DCACHE_BUCKETS];
}

static void dentry_lru_remove(struct dentry *d)
{
	if (d->flags & DENTRY_ON_LRU) {
		list_del(&d->lru);
		d->flags &= ~DENTRY_ON_LRU;
		dcache_unused--;
	}
}

static void dentry_ref_locked(struct dentry *d)
{
	atomic_add(&d->ref.count, 1);
}

struct dentry *dcache_find(struct dentry *parent, const char *name, size_t len, u32 hash)
{
	struct dentry *d;

	spin_lock(&dcache_lock);
	for (d = *dcache_bucket(parent, hash); d; d = d->hash_next) {
		if (d->hash == hash && d->parent == parent && d->len == len &&
			!memcmp(d->name, name, len)) {
			dentry_ref_locked(d);
			break;
		}
	}
	spin_unlock(&dcache_lock);
	return d;
}

struct dentry *dentry_cached(struct dentry *parent, const char *name, size_t len)
{
	return dcache_find(parent, name, len, dentry_hash_name(name, len));
}

struct dentry *dentry_alloc(struct super *sb, struct dentry *parent, const char *name, size_t len)
{
	struct dentry *d = kcache_zalloc(&dentry_cache);

	if (!d)
		return NULL;
	d->name = d->iname;
	if (len >= sizeof(d->iname)) {
		d->name = kmalloc(len + 1);
		if (!d->name) {
			kcache_free(&dentry_cache, d);
			return NULL;
		}
	}
	memcpy(d->name, name, len);
	d->name[len] = 0;
	d->len = (u16)len;
	d->hash = dentry_hash_name(name, len);
	d->sb = sb;
	ref_init(&d->ref);
	list_init(&d->sibling);
	list_init(&d->children);
	list_init(&d->lru);
	d->parent = parent ? parent : d;
	if (parent) {
		spin_lock(&dcache_lock);
		dentry_ref_locked(parent);
		list_add(&parent->children, &d->sibling);
		spin_unlock(&dcache_lock);
	}
	return d;
}

static void dentry_hash_locked(struct dentry *d)
{
	struct dentry **b = dcache_bucket(d->parent, d->hash);

	d->hash_next = *b;
	*b = d;
	d->flags |= DENTRY_HASHED;
}

static void dentry_unhash_locked(struct dentry *d)
{
	struct dentry **b;

	if (!(d->flags & DENTRY_HASHED))
		return;
	for (b = dcache_bucket(d->parent, d->hash); *b != d; b = &(*b)->hash_next)
		;
	*b = d->hash_next;
	d->hash_next = NULL;
	d->flags &= ~DENTRY_HASHED;
}

void dcache_insert(struct dentry *d)
{
	spin_lock(&dcache_lock);
	dentry_hash_locked(d);
	spin_unlock(&dcache_lock);
}

void dentry_get(struct dentry *d)
{
	atomic_add(&d->ref.count, 1);
}

/* Takes an unreferenced dentry out of every structure; the caller frees it with the lock dropped. */
static void dentry_unlink_locked(struct dentry *d)
{
	d->flags |= DENTRY_DEAD;
	dentry_unhash_locked(d);
	dentry_lru_remove(d);
	list_del(&d->sibling);
}

/* Frees a dead dentry; the parent whose reference it held, or NULL for a root. Sleeps: the inode may go with it. */
static struct dentry *dentry_free(struct dentry *d)
{
	struct dentry *parent = d->parent == d ? NULL : d->parent;

	if (d->inode)
		inode_put(d->inode);
	if (d->name != d->iname)
		kfree(d->name);
	kcache_free(&dentry_cache, d);
	return parent;
}

/* Worth keeping without users: its name can be found from a root. Names in removed directories would keep those alive. */
static bool dentry_worth_keeping(const struct dentry *d)
{
	const struct dentry *p = d->parent;

	return (d->flags & DENTRY_HASHED) && !d->sb->no_dcache &&
	       ((p->flags & DENTRY_HASHED) || p->parent == p);
}

/* Drops one reference with the lock held. True: nobody wants it any more and it is unlinked. */
static bool dentry_put_locked(struct dentry *d)
{
	if (atomic_sub(&d->ref.count, 1) > 0)
		return false;
	if (dentry_worth_keeping(d)) {
		if (!(d->flags & DENTRY_ON_LRU)) {
			list_add(&dcache_lru, &d->lru);
			d->flags |= DENTRY_ON_LRU;
			dcache_unused++;
		}
		return false;
	}
	dentry_unlink_locked(d);
	return true;
}

void dentry_put(struct dentry *d)
{
	while (d) {
		s32 old = atomic_load(&d->ref.count);
		bool dead, full;

		while (old > 1) {
			if (atomic_cas(&d->ref.count, &old, old - 1))
				return;
		}
		spin_lock(&dcache_lock);
		dead = dentry_put_locked(d);
		full = dcache_unused > DCACHE_UNUSED_MAX;
		spin_unlock(&dcache_lock);
		d = dead ? dentry_free(d) : NULL;
		if (full)
			dcache_shrink(DCACHE_SHRINK_BATCH);
	}
}

/* The oldest unreferenced dentry without users, unlinked; NULL when there is none. */
static struct dentry *dcache_take_oldest(void)
{
	struct dentry *d = NULL;

	spin_lock(&dcache_lock);
	while (!list_empty(&dcache_lru)) {
		d = list_last_entry(&dcache_lru, struct dentry, lru);
		dentry_lru_remove(d);
		if (atomic_load(&d->ref.count) == 0) {
			dentry_unlink_locked(d);
			break;
		}
		d = NULL;
	}
	spin_unlock(&dcache_lock);
	return d;
}

size_t dcache_shrink(size_t n)
{
	size_t done = 0;

	while (done < n) {
		struct dentry *d = dcache_take_oldest();

		if (!d)
			break;
		done++;
		while (d) {
			struct dentry *parent = dentry_free(d);
			bool dead = false;

			if (parent) {
				spin_lock(&dcache_lock);
				dead = dentry_put_locked(parent);
				spin_unlock(&dcache_lock);
			}
			d = dead ? parent : NULL;
		}
	}
	return done;
}

/* First descendant without users, unlinked, or NULL. Depth is bounded by the walk itself, not by recursion. */
static struct dentry *dcache_take_leaf(struct dentry *root)
{
	struct dentry *d = root, *next;

	spin_lock(&dcache_lock);
	for (;;) {
		struct dentry *c;

		next = NULL;
		list_for_each_entry (c, &d->children, sibling) {
			if (!list_empty(&c->children)) {
				next = c;
				break;
			}
			if (atomic_load(&c->ref.count) == 0) {
				dentry_unlink_locked(c);
				spin_unlock(&dcache_lock);
				return c;
			}
		}
		if (!next)
			break;
		d = next;
	}
	spin_unlock(&dcache_lock);
	return NULL;
}

void dcache_prune(struct dentry *d)
{
	struct dentry *leaf;

	while ((leaf = dcache_take_leaf(d)) != NULL)
		dentry_put(dentry_free(leaf));
}

void dcache_kill_tree(struct dentry *root)
{
	dcache_prune(root);
	spin_lock(&dcache_lock);
	dentry_unhash_locked(root);
	spin_unlock(&dcache_lock);
	dentry_put(root);
}

void dentry_set_inode(struct dentry *d, struct inode *inode)
{
	atomic_store(&d->inode, inode);
}

void dentry_drop(struct dentry *d)
{
	spin_lock(&dcache_lock);
	dentry_unhash_locked(d);
	spin_unlock(&dcache_lock);
}

void dentry_delete(struct dentry *d)
{
	struct inode *inode = NULL;

	dcache_prune(d);
	spin_lock(&dcache_lock);
	if (atomic_load(&d->ref.count) == 1 && (d->flags & DENTRY_HASHED)) {
		inode = d->inode;
		atomic_store(&d->inode, (struct inode *)NULL);
	} else {
		dentry_unhash_locked(d);
	}
	spin_unlock(&dcache_lock);
	if (inode)
		inode_put(inode);
}

void dentry_prime(
	struct dentry *parent, const char *name, size_t len, struct inode *inode, void *priv)
{
	struct dentry *d = dentry_cached(parent, name, len);

	if (!d) {
		d = dentry_alloc(parent->sb, parent, name, len);
		if (d) {
			d->inode = inode;
			d->priv = priv;
			dcache_insert(d);
			dentry_put(d);
			return;
		}
	} else {
		if (atomic_load(&d->inode) == inode)
			atomic_store(&d->priv, priv);
		dentry_put(d);
	}
	inode_put(inode);
}

/* Exchanges the names of a and b; inline names are copied. */
static void dentry_swap_names(struct dentry *a, struct dentry *b)
{
	char *an = a->name == a->iname ? NULL : a->name;
	char *bn = b->name == b->iname ? NULL : b->name;
	char tmp[DENTRY_INLINE_NAME];
	u16 len = a->len;
	u32 hash = a->hash;

	memcpy(tmp, a->iname, sizeof(tmp));
	memcpy(a->iname, b->iname, sizeof(tmp));
	memcpy(b->iname, tmp, sizeof(tmp));
	a->name = bn ? bn : a->iname;
	b->name = an ? an : b->iname;
	a->len = b->len;
	b->len = len;
	a->hash = b->hash;
	b->hash = hash;
}

/* Both dentries change places in the tree, each with its parent's reference. */
static void dentry_swap_locked(struct dentry *a, struct dentry *b)
{
	struct dentry *ap = a->parent, *bp = b->parent;

	atomic_add(&dcache_moves, 1);
	dentry_unhash_locked(a);
	dentry_unhash_locked(b);
	dentry_swap_names(a, b);
	list_del(&a->sibling);
	list_del(&b->sibling);
	a->parent = bp;
	b->parent = ap;
	list_add(&bp->children, &a->sibling);
	list_add(&ap->children, &b->sibling);
}

void dentry_move(struct dentry *d, struct dentry *target)
{
	spin_lock(&dcache_lock);
	dentry_swap_locked(d, target);
	dentry_hash_locked(d);
	spin_unlock(&dcache_lock);
}

void dentry_swap(struct dentry *a, struct dentry *b)
{
	spin_lock(&dcache_lock);
	dentry_swap_locked(a, b);
	dentry_hash_locked(a);
	dentry_hash_locked(b);
	spin_unlock(&dcache_lock);
}

u64 dentry_moves(void)
{
	return atomic_load(&dcache_moves);
}

bool dentry_is_ancestor(struct dentry *anc, struct dentry *d)
{
	bool found;

	spin_lock(&dcache_lock);
	while (d != anc && d->parent != d)
		d = d->parent;
	found = d == anc;
	spin_unlock(&dcache_lock);
	return found;
}

struct dentry *dentry_get_parent(struct dentry *d)
{
	struct dentry *p;

	spin_lock(&dcache_lock);
	p = d->parent;
	dentry_ref_locked(p);
	spin_unlock(&dcache_lock);
	return p;
}

void dentry_copy_name(struct dentry *d, char *buf, size_t size)
{
	spin_lock(&dcache_lock);
	str_copy(buf, d->name, size);
	spin_unlock(&dcache_lock);
}
