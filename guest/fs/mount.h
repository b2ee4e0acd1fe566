/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount tree. A namespace owns its mounts through a list; each attached mount holds one reference of itself for the tree and one on its
 * parent. mount_lock (spin, rank 36) protects the tree, the hash by mountpoint, flags and the namespace lists.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include "fs/vfs.h"
#include "task/ns.h"

#define MNT_RDONLY	1u
#define MNT_NOSUID	2u
#define MNT_NODEV	4u
#define MNT_NOEXEC	8u
#define MNT_NOATIME	16u
#define MNT_NODIRATIME	32u
#define MNT_RELATIME	64u
#define MNT_NOSYMFOLLOW 128u
/* In a namespace of less privilege: may not be taken away, as the mount may not. */
#define MNT_LOCK_RDONLY	 256u
#define MNT_LOCK_NOSUID	 512u
#define MNT_LOCK_NODEV	 1024u
#define MNT_LOCK_NOEXEC	 2048u
#define MNT_LOCK_ATIME	 4096u
#define MNT_LOCKED	 8192u
#define MNT_UNBINDABLE	 16384u
#define MNT_NEWLY_SHARED 32768u /* by the change that is under way */
#define MNT_LOCKS \
	(MNT_LOCK_RDONLY | MNT_LOCK_NOSUID | MNT_LOCK_NODEV | MNT_LOCK_NOEXEC | MNT_LOCK_ATIME)
#define MNT_ATIMES (MNT_NOATIME | MNT_NODIRATIME | MNT_RELATIME)

/* MNT_* of umount2(2). */
#define UMOUNT_FORCE  1u
#define UMOUNT_DETACH 2u
#define UMOUNT_EXPIRE 4u

struct mount {
	struct ref ref;
	struct super *sb; /* active reference */
	struct dentry *root; /* reference */
	struct mount *parent; /* reference while attached; NULL: root of a namespace or detached */
	struct dentry *mountpoint; /* reference while attached; in parent */
	struct list_head siblings, children;
	struct list_head ns_link;
	struct mount_ns *ns; /* NULL: detached */
	u32 flags; /* MNT_*; atomic */
	u32 id;
	u32 writers; /* regular files open for writing; atomic */
	bool expiring; /* umount2 with MNT_EXPIRE found it unused, and nobody used it since; atomic */
	char *source; /* device name as given */
	/* Propagation: changed under mount_tree_mutex and mount_lock. Only mounts of a tree are in groups, so these are no references. */
	u32 group; /* number of its peer group; 0: not shared */
	struct list_head peers; /* the others of the group, a ring without head */
	struct mount *master; /* whose group it hears; NULL: nobody's */
	struct list_head slaves, slave_link; /* who hears it */
	/* Scratch of one change, under mount_tree_mutex. */
	struct mount *copy; /* mount_copy_tree: what was made of it */
	struct mount *onto; /* of a copy to come: where it goes */
	struct mount *model; /* of one that hears: what its slaves copy */
	struct list_head heard, todo;
};

struct mount_ns {
	struct ns ns;
	struct list_head mounts; /* in order of mounting; lock: mount_lock */
	u32 nmounts;
	u32 npending; /* of the change that is under way */
	bool anon; /* mount_ns_anon */
	struct mount *root;
	struct waitq poll; /* /proc/PID/mounts changes */
	u64 event;
};

/* The mount on top of {mnt, d}, with a reference, or NULL. Cheap when d->mounts is 0. */
struct mount *mount_lookup(struct mount *mnt, struct dentry *d);
/* Replace p by what is mounted on it, all layers. True when it moved. */
bool path_follow_mounts(struct path *p);
/* From a mount's root up to its mountpoint. False at the top. */
bool path_follow_up(struct path *p);
/* Counts what changes the tree of mounts. */
u64 mount_changes(void);
/* A mount outside every namespace (anonymous files, memfd). NULL = no memory. */
struct mount *mount_create_internal(struct super *sb);
void mount_get(struct mount *m);
void mount_put(struct mount *m);
/* As mount_put and path_put, without that counting as a use of the mount (MNT_EXPIRE). */
void mount_put_unused(struct mount *m);
void path_put_unused(struct path *p);
struct mount_ns *mount_ns_current(void);
bool mount_may(void); /* CAP_SYS_ADMIN over the current mount namespace */

/* mount(2) on an already resolved target. */
/* A new instance that lies nowhere yet. */
int mount_make(
	struct fs_type *t, const char *source, u64 ms_flags, const char *data, struct mount **out);
int mount_new(const struct path *target, const char *fstype, const char *source, u64 ms_flags,
	const char *data);
/* A finished super at target below the namespace's root, or as its root. Consumes the super's creator reference. */
int mount_super(struct mount_ns *ns, struct super *sb, const char *source, const char *target,
	u64 ms_flags);
int mount_bind(const struct path *target, const struct path *from, bool recursive);
int mount_move(const struct path *target, const struct path *from);
int mount_remount(const struct path *target, u64 ms_flags, bool bind);
/* A copy of what lies at a path, in no namespace yet. 0, -EINVAL, -ENOMEM. */
int mount_clone(const struct path *from, bool recursive, struct mount **out);
/* The private mount `to` enters the groups of another one of the same file system. */
int mount_set_group(const struct path *to, const struct path *from);
struct mount_change {
	u32 set, clear; /* MNT_* */
	u32 kind; /* as mount_change_kind; 0: as it is */
	bool recursive;
};
int mount_change(const struct path *target, const struct mount_change *c);
/* MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, of the mount or of all below it. */
int mount_change_kind(const struct path *target, u32 type, bool recursive);
int mount_umount(struct path *target, u32 flags);
int mount_pivot_root(const struct path *new_root, const struct path *put_old);
struct fs_type *fs_type_find(const char *name);
/* Calls fn for every registered type, in order. */
void fs_type_for_each(void (*fn)(struct fs_type *t, void *arg), void *arg);
/* Copies of the mounts of a namespace for /proc: with references, n in *count; kfree the array after mount_put of each. */
struct mount **mount_ns_list(struct mount_ns *ns, u32 *count);
u32 mount_flags_from_ms(u64 ms_flags);
/* For mountinfo: " shared:N master:N propagate_from:N unbindable", as seen from a root in a namespace. */
void mount_show_relations(struct mount *m, const struct mount_ns *ns, const struct path *root,
	char *buf, size_t size);

#endif
