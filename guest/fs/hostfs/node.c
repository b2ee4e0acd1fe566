/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes of hostfs: one for each node id that the server gave us and we have not forgotten. The server counts each reply with an entry as
 * one lookup; an inode carries that count until its end, which gives it back.
 */
#include "fs/hostfs/hostfs.h"

#include <casemate/fsdev.h>

#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/slab.h"

#define HOSTFS_SHRINK 2048u /* names dropped when the server's table is full */
#define HOSTFS_TRIES  8u

static struct kcache node_cache = KCACHE("hostfs_node", struct hostfs_node);

static struct hostfs_node **node_bucket(struct hostfs_super *hs, u64 nodeid)
{
	u64 h = nodeid * 0x9e3779b97f4a7c15u;

	return &hs->hash[(h >> 40) & (hs->nbuckets - 1)];
}

/* ---- forgetting */

static void forget_send(struct hostfs_super *hs, struct fuse_forget_one *list, u32 n)
{
	struct fuse_batch_forget_in head = { .count = n };
	struct hostfs_req r = { .op = FUSE_BATCH_FORGET };

	HOSTFS_ARG(&r, 0, &head, sizeof(head));
	HOSTFS_ARG(&r, 1, list, n * sizeof(*list));
	hostfs_send(hs->conn, &r);
}

void hostfs_flush_forgets(struct hostfs_super *hs)
{
	struct fuse_forget_one list[HOSTFS_FORGETS];
	u32 n;

	spin_lock(&hs->lock);
	n = hs->nforgets;
	memcpy(list, hs->forgets, n * sizeof(list[0]));
	hs->nforgets = 0;
	spin_unlock(&hs->lock);
	if (n)
		forget_send(hs, list, n);
}

/* Sleeps when the queue is full. */
static void node_forget(struct hostfs_super *hs, u64 nodeid, u64 nlookup)
{
	bool full;

	for (;;) {
		spin_lock(&hs->lock);
		full = hs->nforgets == HOSTFS_FORGETS;
		if (!full) {
			hs->forgets[hs->nforgets].nodeid = nodeid;
			hs->forgets[hs->nforgets].nlookup = nlookup;
			hs->nforgets++;
		}
		spin_unlock(&hs->lock);
		if (!full)
			return;
		hostfs_flush_forgets(hs);
	}
}

/* ---- attributes */

static struct timestamp attr_time(u64 sec, u32 nsec)
{
	return (struct timestamp){ (s64)sec, nsec < NSEC_PER_SEC ? nsec : 0 };
}

/* Data that only the page cache has, or will have in a moment: what the server says about size and times is old. */
static bool node_is_ahead(const struct inode *inode, bool locked)
{
	const struct mapping *m = inode->mapping;

	if (!m)
		return false;
	return READ_ONCE(m->ndirty) || READ_ONCE(m->nwriteback) ||
	       (!locked && atomic_load(&inode->writers) > 0);
}

void hostfs_set_attr(struct inode *inode, const struct fuse_attr *a, bool locked)
{
	struct hostfs_node *n = hostfs_node(inode);
	bool dirty = node_is_ahead(inode, locked);
	struct timestamp mtime = attr_time(a->mtime, a->mtimensec);
	bool changed = !dirty && inode->mapping &&
		       (inode->size != a->size || inode->mtime.sec != mtime.sec ||
			       inode->mtime.nsec != mtime.nsec);

	inode->mode = (inode->mode & S_IFMT) | (a->mode & 07777);
	inode->nlink = a->nlink;
	inode->uid = a->uid;
	inode->gid = a->gid;
	inode->blocks = a->blocks;
	inode->atime = attr_time(a->atime, a->atimensec);
	WRITE_ONCE(n->server_size, a->size);
	if (!dirty) {
		bool shorter = a->size < inode->size;

		WRITE_ONCE(inode->size, a->size);
		inode->mtime = mtime;
		inode->ctime = attr_time(a->ctime, a->ctimensec);
		if (changed && shorter)
			mapping_truncate(inode->mapping, a->size, ~0UL);
	}
	n->fetched = clock_monotonic();
	if (changed)
		mapping_invalidate(inode->mapping, 0, ~0UL);
}

static void node_setup_ops(struct inode *inode, bool exclusive)
{
	switch (inode->mode & S_IFMT) {
	case S_IFDIR:
		inode->ops = exclusive ? &hostfs_dir_ops : &hostfs_dir_shared_ops;
		inode->fops = &hostfs_dir_file_ops;
		break;
	case S_IFREG:
		inode->ops = exclusive ? &hostfs_file_inode_ops : &hostfs_file_shared_ops;
		inode->fops = exclusive ? &hostfs_file_ops : &hostfs_file_shared_fops;
		break;
	case S_IFLNK:
		inode->ops = exclusive ? &hostfs_link_ops : &hostfs_link_shared_ops;
		break;
	default:
		inode->ops = exclusive ? &hostfs_other_ops : &hostfs_other_shared_ops;
		break;
	}
}

/* ---- finding and making inodes */

/* A new inode that nobody can find yet. NULL = no memory. */
static struct inode *node_create(struct hostfs_super *hs, const struct fuse_entry_out *e)
{
	struct hostfs_node *n = kcache_zalloc(&node_cache);
	struct inode *inode;

	if (!n)
		return NULL;
	inode = inode_create(hs->sb, e->attr.ino, e->attr.mode);
	if (!inode) {
		kcache_free(&node_cache, n);
		return NULL;
	}
	n->inode = inode;
	n->nodeid = e->nodeid;
	n->nlookup = 1;
	inode->priv = n;
	if (S_ISREG(inode->mode)) {
		mapping_init(&n->mapping, inode, &hostfs_mapping_ops);
		n->mapping.readahead = MAPPING_READAHEAD_MAX;
		inode->mapping = &n->mapping;
	}
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
		inode_init_special(inode, e->attr.rdev);
	node_setup_ops(inode, hs->exclusive);
	hostfs_set_attr(inode, &e->attr, true);
	return inode;
}

/* The node of an id if it is alive (with a reference). *dying: it is there, but on its way out. super lock held. */
static struct inode *node_find_locked(struct hostfs_super *hs, u64 nodeid, bool *dying)
{
	struct hostfs_node *n = *node_bucket(hs, nodeid);

	*dying = false;
	while (n && n->nodeid != nodeid)
		n = n->hash_next;
	if (!n)
		return NULL;
	if (!inode_get_live(n->inode)) {
		*dying = true;
		return NULL;
	}
	return n->inode;
}

static bool node_is_dying(struct hostfs_super *hs, u64 nodeid)
{
	struct hostfs_node *n;
	bool dying;

	spin_lock(&hs->lock);
	for (n = *node_bucket(hs, nodeid); n && n->nodeid != nodeid;)
		n = n->hash_next;
	dying = n && atomic_load(&n->inode->ref.count) <= 0;
	spin_unlock(&hs->lock);
	return dying;
}

/* The inode if it exists, counting the reply's lookup; waits for one that is being written back at its end. */
static struct inode *node_find(struct hostfs_super *hs, u64 nodeid)
{
	for (;;) {
		struct inode *inode;
		bool dying;

		spin_lock(&hs->lock);
		inode = node_find_locked(hs, nodeid, &dying);
		if (inode)
			hostfs_node(inode)->nlookup++;
		spin_unlock(&hs->lock);
		if (!dying)
			return inode;
		wait_event(&hs->evicted, !node_is_dying(hs, nodeid));
	}
}

/* Make the new inode known. False: somebody else was faster. */
static bool node_publish(struct hostfs_super *hs, struct hostfs_node *n)
{
	struct hostfs_node **b = node_bucket(hs, n->nodeid), *it;

	spin_lock(&hs->lock);
	for (it = *b; it && it->nodeid != n->nodeid;)
		it = it->hash_next;
	if (!it) {
		n->hash_next = *b;
		*b = n;
	}
	spin_unlock(&hs->lock);
	return !it;
}

/* A created inode that was never published. */
static void node_discard(struct inode *inode)
{
	struct hostfs_node *n = hostfs_node(inode);

	if (inode->mapping)
		mapping_destroy(inode->mapping);
	inode->mapping = NULL;
	inode->priv = NULL;
	kcache_free(&node_cache, n);
	inode_put(inode);
}

int hostfs_iget(struct hostfs_super *hs, const struct fuse_entry_out *e, struct inode **out)
{
	for (;;) {
		struct inode *inode = node_find(hs, e->nodeid);

		if (inode) {
			if ((inode->mode ^ e->attr.mode) & S_IFMT) {
				inode_put(inode);
				return -EIO;
			}
			if (!hs->exclusive)
				hostfs_set_attr(inode, &e->attr, false);
			*out = inode;
			return 0;
		}
		inode = node_create(hs, e);
		if (!inode) {
			node_forget(hs, e->nodeid, 1);
			return -ENOMEM;
		}
		if (node_publish(hs, hostfs_node(inode))) {
			*out = inode;
			return 0;
		}
		node_discard(inode);
	}
}

static void node_unhash(struct hostfs_super *hs, struct hostfs_node *n)
{
	struct hostfs_node **p;

	spin_lock(&hs->lock);
	for (p = node_bucket(hs, n->nodeid); *p != n;)
		p = &(*p)->hash_next;
	*p = n->hash_next;
	spin_unlock(&hs->lock);
	waitq_wake_all(&hs->evicted);
}

/* The last reference is gone. A file without a name takes its unwritten data along; another one's is written first. */
void hostfs_evict(struct inode *inode)
{
	struct hostfs_super *hs = hostfs_super(inode->sb);
	struct hostfs_node *n = hostfs_node(inode);
	bool unlinked = !inode->nlink;

	if (!n)
		return;
	if (inode->mapping) {
		int err = unlinked ? 0 : mapping_writeback(inode->mapping, 0, ~0UL);

		if (!unlinked)
			hostfs_send_late(inode);
		if (err)
			log_write(LOG_WARN, "hostfs: inode %lu: write-back failed: %d",
				(unsigned long)inode->ino, err);
		mapping_destroy(inode->mapping);
		inode->mapping = NULL;
	}
	node_unhash(hs, n);
	node_forget(hs, n->nodeid, n->nlookup);
	if (unlinked)
		hostfs_flush_forgets(hs); /* until then the host keeps the file's blocks */
	inode->priv = NULL;
	kfree(n->target);
	hostfs_names_free(n);
	kcache_free(&node_cache, n);
}

/* ---- requests */

/* With the reply's room set. The reply has the entry at least. */
static int node_call_entry(struct hostfs_super *hs, struct hostfs_req *r)
{
	const struct fuse_entry_out *e = r->out;
	int err = -ENFILE;

	for (u32 i = 0; i < HOSTFS_TRIES && err == -ENFILE; i++) {
		if (i) {
			dcache_shrink(HOSTFS_SHRINK);
			hostfs_flush_forgets(hs);
		}
		err = hostfs_call(hs->conn, r);
	}
	if (err)
		return err;
	return r->out_len >= sizeof(*e) && e->nodeid ? 0 : -EIO;
}

int hostfs_call_entry(struct hostfs_super *hs, struct hostfs_req *r, struct fuse_entry_out *e)
{
	r->out = e;
	r->out_size = sizeof(*e);
	return node_call_entry(hs, r);
}

int hostfs_call_lookup(struct hostfs_super *hs, struct hostfs_req *r, struct inode **out)
{
	struct {
		struct fuse_entry_out e;
		char target[CM_FSDEV_TARGET];
	} reply;
	int err;

	r->out = &reply;
	r->out_size = sizeof(reply) - 1;
	err = node_call_entry(hs, r);
	if (err)
		return err;
	err = hostfs_iget(hs, &reply.e, out);
	if (err || !S_ISLNK((*out)->mode) || r->out_len == sizeof(reply.e))
		return err;
	reply.target[r->out_len - sizeof(reply.e)] = '\0';
	hostfs_set_target(hostfs_node(*out), reply.target);
	return 0;
}

int hostfs_refresh(struct inode *inode, bool locked)
{
	struct fuse_getattr_in in = { 0 };
	struct fuse_attr_out out;
	struct hostfs_req r = { .op = FUSE_GETATTR,
		.nodeid = hostfs_node(inode)->nodeid,
		.out = &out,
		.out_size = sizeof(out) };
	int err;

	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	err = hostfs_call(hostfs_super(inode->sb)->conn, &r);
	if (err)
		return err;
	if (r.out_len != sizeof(out) || ((out.attr.mode ^ inode->mode) & S_IFMT))
		return -EIO;
	hostfs_set_attr(inode, &out.attr, locked);
	return 0;
}

int hostfs_send_setattr(struct inode *inode, struct fuse_setattr_in *a, struct fuse_attr *out)
{
	struct fuse_attr_out reply;
	struct hostfs_req r = { .op = FUSE_SETATTR,
		.nodeid = hostfs_node(inode)->nodeid,
		.out = &reply,
		.out_size = sizeof(reply) };
	int err;

	HOSTFS_ARG(&r, 0, a, sizeof(*a));
	err = hostfs_call(hostfs_super(inode->sb)->conn, &r);
	if (err)
		return err;
	if (r.out_len != sizeof(reply))
		return -EIO;
	*out = reply.attr;
	return 0;
}
