/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peer groups of mounts, and how a change of the tree spreads through them.
 *
 * Mounts of a group are peers: what is mounted below one appears below all, each copy a peer of the others. A mount may hear a group (its master is
 * one of the peers) without telling it anything; when it is shared, too, it tells its own peers. A copy at a mount that hears is a slave of
 * the copy at its master, and a peer of those at its own peers.
 */
#include "fs/mount_tree.h"

#include <linux/mount.h>

#include "lib/printf.h"

static u32 mount_last_group;

static u32 group_new(void)
{
	if (++mount_last_group ==
		0) /* numbers are for readers only: after four thousand million they come again */
		++mount_last_group;
	return mount_last_group;
}

/* The next of the ring; m itself when it is alone. */
static struct mount *peer_next(struct mount *m)
{
	return list_entry(m->peers.next, struct mount, peers);
}

/* ---- membership ---- */
static void mount_hear(struct mount *m, struct mount *master)
{
	list_del(&m->slave_link);
	m->master = master;
	if (master)
		list_add_tail(&master->slaves, &m->slave_link);
}

void mount_relate(struct mount *m, struct mount *from, u32 how)
{
	spin_lock(&mount_lock);
	if ((how & COPY_SLAVE) || ((how & COPY_SHARED_TO_SLAVE) && from->group)) {
		mount_hear(m, from);
		m->group = how & COPY_SHARE ? group_new() : 0;
	} else {
		m->group = from->group;
		if (from->group)
			list_add(&from->peers, &m->peers);
		mount_hear(m, from->master);
	}
	spin_unlock(&mount_lock);
}

/* Who takes m's place for those that hear it: a peer that shows the same if there is one, another, or its master. */
static struct mount *mount_heir(struct mount *m)
{
	struct mount *p = peer_next(m);

	if (p == m)
		return m->master;
	while (p != m && p->root != m->root)
		p = peer_next(p);
	return p != m ? p : peer_next(m);
}

/* m leaves its group and hears it from now on, or whom the group heard. */
static void mount_make_slave_locked(struct mount *m)
{
	struct mount *heir = mount_heir(m);

	while (!list_empty(&m->slaves))
		mount_hear(list_first_entry(&m->slaves, struct mount, slave_link), heir);
	list_del(&m->peers);
	m->group = 0;
	mount_hear(m, heir);
}

void mount_unrelate(struct mount *m)
{
	if (!m->group && !m->master)
		return;
	spin_lock(&mount_lock);
	mount_make_slave_locked(m);
	mount_hear(m, NULL);
	spin_unlock(&mount_lock);
}

void mount_set_kind(struct mount *m, u32 type)
{
	spin_lock(&mount_lock);
	if (type == MS_SHARED) {
		m->group = m->group ? m->group : group_new();
		m->flags &= ~MNT_UNBINDABLE;
	} else {
		mount_make_slave_locked(m);
	}
	if (type == MS_PRIVATE || type == MS_UNBINDABLE) {
		mount_hear(m, NULL);
		m->flags &= ~MNT_UNBINDABLE;
		m->flags |= type == MS_UNBINDABLE ? MNT_UNBINDABLE : 0;
	}
	spin_unlock(&mount_lock);
}

/* ---- who hears ---- */
static void heard_add(struct list_head *heard, struct mount *m)
{
	if (list_empty(&m->heard))
		list_add_tail(heard, &m->heard);
}

static void heard_clear(struct list_head *heard)
{
	while (!list_empty(heard)) {
		struct mount *m = list_first_entry(heard, struct mount, heard);

		m->model = NULL;
		list_del(&m->heard);
	}
}

/* Every mount that hears of what happens on `origin`, itself the first. */
static void heard_collect(struct list_head *heard, struct mount *origin)
{
	struct mount *m, *p, *s;

	heard_add(heard, origin);
	list_for_each_entry (m, heard, heard) {
		for (p = peer_next(m); p != m; p = peer_next(p))
			heard_add(heard, p);
		list_for_each_entry (s, &m->slaves, slave_link)
			heard_add(heard, s);
	}
}

/* ---- mounting ---- */
/* One change under way: copies of `top` for all that hear of `origin`. */
struct spread {
	struct mount *origin;
	struct dentry *place;
	u32 size; /* mounts of the tree */
	struct list_head heard, copies;
};

/* Is the mount in a tree that programs see, and the place in what it shows? */
static bool spread_reaches(const struct spread *s, const struct mount *m)
{
	return m->ns && !m->ns->anon && dentry_is_ancestor(m->root, s->place);
}

static int spread_copy(struct spread *s, struct mount *to, struct mount *model, u32 how)
{
	struct mount *c;
	int err;

	if (to->ns->nmounts + to->ns->npending + s->size > MOUNTS_MAX)
		return -ENOSPC;
	err = mount_copy_tree(model, model->root, how, &c);
	if (err)
		return err;
	to->ns->npending += s->size;
	c->onto = to;
	list_add_tail(&s->copies, &c->todo);
	return 0;
}

/*
 * Copies for the peer group of `first`, of which no member was met yet but the origin. model and how are those of the first copy; later ones are its
 * peers. What the members' slaves copy is left with each. Copies may join this very ring while it is walked: they reach nothing yet.
 */
static int spread_group(struct spread *s, struct mount *first, struct mount *model, u32 how)
{
	struct mount *m = first;
	int err = 0;

	do {
		heard_add(&s->heard, m);
		if (!err && m != s->origin && spread_reaches(s, m)) {
			err = spread_copy(s, m, model, how);
			if (!err)
				model = list_last_entry(&s->copies, struct mount, todo);
			how = COPY_SHARE;
		}
		m = peer_next(m);
	} while (m != first);
	do {
		m->model = model;
		m = peer_next(m);
	} while (m != first);
	return err;
}

static int spread_copies(struct spread *s, struct mount *top)
{
	struct mount *m, *slave;
	int err = spread_group(s, s->origin, top, COPY_SHARE);

	list_for_each_entry (m, &s->heard, heard) {
		list_for_each_entry (slave, &m->slaves, slave_link) {
			if (err || !list_empty(&slave->heard) || !slave->ns)
				continue;
			err = spread_group(
				s, slave, m->model, COPY_SLAVE | (slave->group ? COPY_SHARE : 0));
		}
	}
	heard_clear(&s->heard);
	return err;
}

/* Hangs a copy where it goes; what lies there already comes to lie on it. */
static void spread_commit(struct spread *s, struct mount *c)
{
	struct path at = { c->onto, s->place }, old;
	struct mount *there;

	list_del(&c->todo);
	c->onto = NULL;
	spin_lock(&mount_lock);
	there = mount_find_locked(at.mnt, at.dentry);
	spin_unlock(&mount_lock);
	if (at.mnt->ns->ns.owner != s->origin->ns->ns.owner)
		mount_lock_tree(c, true);
	if (there) {
		struct path on = { c, c->root };

		mount_unlink(there, &old);
		mount_link(there, &on);
		path_put(&old);
	}
	mount_link(c, &at);
	at.mnt->ns->npending = 0;
	mount_join_ns(c, at.mnt->ns);
}

static void spread_undo(struct spread *s)
{
	while (!list_empty(&s->copies)) {
		struct mount *c = list_first_entry(&s->copies, struct mount, todo);

		list_del(&c->todo);
		c->onto->ns->npending = 0;
		mount_detach_tree(c);
	}
}

/* The whole tree becomes shared; afterwards, for good or not. */
static void tree_share(struct mount *top)
{
	for (struct mount *m = top; m; m = mount_walk(m, top)) {
		if (!m->group) {
			mount_set_kind(m, MS_SHARED);
			m->flags |= MNT_NEWLY_SHARED;
		}
	}
}

static void tree_shared(struct mount *top, bool keep)
{
	for (struct mount *m = top; m; m = mount_walk(m, top)) {
		if (!(m->flags & MNT_NEWLY_SHARED))
			continue;
		m->flags &= ~MNT_NEWLY_SHARED;
		if (!keep)
			m->group = 0; /* its copies are gone: it is alone */
	}
}

int mount_graft(struct mount *top, const struct path *at)
{
	struct spread s = { .origin = at->mnt, .place = at->dentry, .size = mount_count(top) };
	struct mount_ns *ns = at->mnt->ns;
	int err = 0;

	if (!ns || ns->anon)
		return -EINVAL;
	if (top->ns != ns && ns->nmounts + s.size > MOUNTS_MAX)
		return -ENOSPC;
	list_init(&s.heard);
	list_init(&s.copies);
	if (at->mnt->group) {
		tree_share(top);
		ns->npending = top->ns == ns ? 0 : s.size;
		err = spread_copies(&s, top);
		ns->npending = 0;
		if (err)
			spread_undo(&s);
		tree_shared(top, !err);
	}
	if (err)
		return err;
	mount_link(top, at);
	mount_join_ns(top, ns);
	while (!list_empty(&s.copies))
		spread_commit(&s, list_first_entry(&s.copies, struct mount, todo));
	return 0;
}

/* ---- unmounting ---- */
/* What came to the place of m by propagation: the mounts on it at all that hear its parent; each with a reference. */
static void copies_collect(struct mount *m, struct list_head *copies)
{
	struct list_head heard = LIST_HEAD_INIT(heard);
	struct mount *p, *c;

	if (!m->parent || (!m->parent->group && list_empty(&m->parent->slaves)))
		return;
	heard_collect(&heard, m->parent);
	list_for_each_entry (p, &heard, heard) {
		if (p == m->parent)
			continue;
		spin_lock(&mount_lock);
		c = mount_find_locked(p, m->mountpoint);
		spin_unlock(&mount_lock);
		if (!c || !list_empty(&c->todo))
			continue;
		mount_get(c);
		list_add_tail(copies, &c->todo);
	}
	heard_clear(&heard);
}

/* A mount that lies on the whole of another, and nothing else is on that one. */
static struct mount *mount_sole_cover(struct mount *m)
{
	struct mount *first;

	if (list_empty(&m->children) || m->children.next != m->children.prev)
		return NULL;
	first = list_first_entry(&m->children, struct mount, siblings);
	return first->mountpoint == m->root ? first : NULL;
}

/* One copy goes, unless it carries something of its own; what covers it moves to its place. */
static void copy_remove(struct mount *c)
{
	struct mount *cover = mount_sole_cover(c);
	struct path at, old;

	if (!c->parent || (c->flags & MNT_LOCKED) || (!cover && !list_empty(&c->children)))
		return;
	at = (struct path){ c->parent, c->mountpoint };
	path_get(&at);
	if (cover)
		mount_unlink(cover, &old);
	mount_detach(c);
	if (cover) {
		mount_link(cover, &at);
		path_put(&old);
	}
	path_put(&at);
}

void mount_remove(struct mount *top)
{
	struct list_head copies = LIST_HEAD_INIT(copies);

	for (struct mount *m = top; m; m = mount_walk(m, top))
		copies_collect(m, &copies);
	mount_detach_tree(top);
	/* Children came after their parents. */
	while (!list_empty(&copies)) {
		struct mount *c = list_last_entry(&copies, struct mount, todo);

		list_del(&c->todo);
		copy_remove(c);
		mount_put(c);
	}
}

bool mount_copies_busy(struct mount *m)
{
	struct list_head copies = LIST_HEAD_INIT(copies);
	bool busy = false;

	copies_collect(m, &copies);
	while (!list_empty(&copies)) {
		struct mount *c = list_first_entry(&copies, struct mount, todo);

		list_del(&c->todo);
		/* Two: the tree's reference and ours. What carries other mounts stays anyhow. */
		if (list_empty(&c->children) && atomic_load(&c->ref.count) > 2)
			busy = true;
		mount_put(c);
	}
	return busy;
}

/* ---- what mountinfo says ---- */
static bool mount_below_root(struct mount *m, const struct path *root)
{
	struct dentry *d = m->root;

	while (m != root->mnt && m->parent) {
		d = m->mountpoint;
		m = m->parent;
	}
	return m == root->mnt && dentry_is_ancestor(root->dentry, d);
}

/* The nearest group above m that has a member under the root; 0: none. */
static u32 mount_dominating(struct mount *m, const struct mount_ns *ns, const struct path *root)
{
	for (m = m->master; m; m = m->master) {
		struct mount *p = m;

		do {
			if (p->ns == ns && mount_below_root(p, root))
				return p->group;
			p = peer_next(p);
		} while (p != m);
	}
	return 0;
}

void mount_show_relations(
	struct mount *m, const struct mount_ns *ns, const struct path *root, char *buf, size_t size)
{
	size_t n = 0;
	u32 above;

	*buf = 0;
	spin_lock(&mount_lock);
	if (m->group)
		n += (size_t)str_format(buf + n, size - n, " shared:%u", m->group);
	if (m->master) {
		n += (size_t)str_format(buf + n, size - n, " master:%u", m->master->group);
		above = mount_dominating(m, ns, root);
		if (above && above != m->master->group)
			n += (size_t)str_format(buf + n, size - n, " propagate_from:%u", above);
	}
	if (m->flags & MNT_UNBINDABLE)
		str_format(buf + n, size - n, " unbindable");
	spin_unlock(&mount_lock);
}
