/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the mount tree share: mount.c (life, links, namespaces), propagate.c (peer groups), mount_ops.c (mount(2) and its like).
 * mount_tree_mutex is held around every function here, mount_lock by none of their callers unless the name says _locked.
 *
 * A tree that is being built hangs together like an attached one (hash, children, references) and belongs to no namespace: nobody finds it.
 */
#ifndef FS_MOUNT_TREE_H
#define FS_MOUNT_TREE_H

#include "fs/internal.h"

#define MOUNTS_MAX 4096u /* of a namespace */

extern struct spinlock mount_lock;
extern struct mutex mount_tree_mutex;

/* ---- mount.c ---- */
/* Consumes one active count of sb, which the caller took. One reference; NULL = no memory. */
struct mount *mount_create(struct super *sb, struct dentry *root, const char *source, u32 flags);
/* The mount at a place of another, borrowed, or NULL. */
struct mount *mount_find_locked(struct mount *parent, struct dentry *d);
/* All of a tree, parents first: the next one after m, or NULL. */
struct mount *mount_walk(struct mount *m, struct mount *top);
/* As mount_walk, without what is below m. */
struct mount *mount_walk_past(struct mount *m, struct mount *top);
u32 mount_count(struct mount *top);
/* Hangs m at a place, with references of its own; the caller's of m becomes the tree's. */
void mount_link(struct mount *m, const struct path *at);
/* Takes m from its place, which with its references goes to *old. */
void mount_unlink(struct mount *m, struct path *old);
/* The tree becomes part of a namespace that has room for it. */
void mount_join_ns(struct mount *top, struct mount_ns *ns);
/* Takes m out of tree and namespace and drops the tree's reference. It has no children. */
void mount_detach(struct mount *m);
/* m and all below it: detached, or of a tree that was built in vain. */
void mount_detach_tree(struct mount *top);
/* What is reachable from a directory of a mount, in no namespace yet. -ENOMEM. */
enum {
	COPY_SHARE = 1, /* peers of the originals; with COPY_SLAVE, of a group of their own */
	COPY_SLAVE = 2,
	COPY_SHARED_TO_SLAVE = 4, /* of shared ones only */
	COPY_UNBINDABLE = 8, /* these too */
	COPY_TOP = 16 /* nothing that lies below */
};
int mount_copy_tree(struct mount *from, struct dentry *dir, u32 how, struct mount **out);
/* For a namespace of less privilege: what the tree's flags forbid stays forbidden; with top, it cannot be removed as a whole. */
void mount_lock_tree(struct mount *top, bool whole);
void mount_ns_changed(struct mount_ns *ns);
/* A namespace that nobody can enter, for a tree that is held by a descriptor. NULL = no memory. */
struct mount_ns *mount_ns_anon(void);

/* ---- propagate.c ---- */
/* The copy m of `from` enters from's groups, as `how` (COPY_*) says. */
void mount_relate(struct mount *m, struct mount *from, u32 how);
/* m hears nothing and tells nothing any more; who heard it hears its peers, or whom it heard. */
void mount_unrelate(struct mount *m);
/* type: MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE. */
void mount_set_kind(struct mount *m, u32 type);
/* Hangs a tree that was built, or taken from its place, at `at`, and copies of it wherever that is heard. 0 with the reference consumed, -ENOSPC, -ENOMEM. */
int mount_graft(struct mount *top, const struct path *at);
/* Detaches m and all below it, and what came to be by propagation of these. */
void mount_remove(struct mount *m);
/* Does somebody use one of the copies that would go with m? */
bool mount_copies_busy(struct mount *m);

#endif
