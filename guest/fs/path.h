/* SPDX-License-Identifier: Apache-2.0 */
/* The path walker's state, for path.c, open.c and vfs_ops.c. */
#ifndef FS_PATH_H
#define FS_PATH_H

#include "fs/internal.h"

enum last_type {
	LAST_NORM,
	LAST_DOT,
	LAST_DOTDOT,
	LAST_ROOT
};

struct walk_frame {
	char *buf; /* owned, NULL = the caller's string */
	const char *rest;
};

struct walk {
	struct path cur; /* references */
	struct path root; /* references */
	const struct cred *cred; /* NULL = the kernel itself */
	u32 flags; /* LOOKUP_* */
	u64 changes; /* of the tree, when the walk began */
	u32 links; /* symbolic links followed so far */
	u32 depth; /* frames in use */
	const char *name; /* what is left of the current string */
	char *buf; /* current string when it is a link's body, owned */
	const char *last; /* last component: in the current string, not terminated */
	u32 last_len, last_hash;
	enum last_type last_type;
	bool trailing; /* slashes after the last component */
	struct walk_frame frames[SYMLINKS_MAX];
};

/* Start at base (NULL: cwd) or the root for an absolute name. 0 or -errno; walk_end in any case after success. */
int walk_begin(struct walk *w, const struct path *base, const char *name, u32 flags);
/* Resolve all but the last component: w->cur is its directory. */
int walk_parent(struct walk *w);
/* Resolve the last component in w->cur and replace it; follows links when `follow`. */
int walk_last(struct walk *w, bool follow);
/* The dentry of the last component (LAST_NORM), negative or positive, with a reference; dir lock not held / held for writing. */
struct dentry *walk_lookup(struct walk *w, int *err);
struct dentry *walk_lookup_locked(struct walk *w, int *err);
/* The last component's dentry d is a link: continue in its body up to the next last component. Consumes nothing. */
int walk_follow_last(struct walk *w, struct dentry *d);
void walk_end(struct walk *w);
/* path_lookup with other credentials for the search permissions (access(2)). */
int path_lookup_cred(const struct path *base, const char *name, u32 flags, const struct cred *c,
	struct path *out);
/* Hands w->cur over. */
void walk_take(struct walk *w, struct path *out);

#endif
