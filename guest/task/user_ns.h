/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User namespaces: user_namespaces(7). The kernel's own ids are those of the first namespace; the maps translate at the border to programs. A
 * capability is held in a namespace: by credentials of that namespace that have it, by those of one above, and by the owner's in the parent.
 * A namespace is immutable but for its maps, which are written once each, and the setgroups switch.
 */
#ifndef TASK_USER_NS_H
#define TASK_USER_NS_H

#include "kernel/lock.h"
#include "task/ns.h"

#define USER_NS_LEVELS	32
#define USER_NS_EXTENTS 340
#define ID_NONE		0xffffffffu /* no such id here */
#define ID_OVERFLOW	65534u /* what programs see instead */
#define USER_NS_IDENTITY \
	{ \
		.n = 1, .extents = &user_ns_identity \
	}

struct cred;
struct file;

struct id_extent {
	u32 first; /* inside */
	u32 lower; /* the kernel's */
	u32 count;
};
struct id_map {
	u32 n; /* published after the extents */
	struct id_extent *extents;
};
extern struct id_extent user_ns_identity;

struct user_ns {
	struct ns ns; /* ns.owner: NULL */
	struct user_ns *parent; /* reference; NULL for the first */
	u32 level;
	u32 owner, group; /* kernel ids of the creator */
	bool parent_setfcap; /* the creator could give files capabilities in the parent */
	bool setgroups_denied;
	struct id_map uid, gid;
};
extern struct user_ns user_ns_root;

/* A new one for the credentials c, which move into it with all capabilities. 0, -ENOSPC, -EPERM (creator not mapped), -ENOMEM. */
int user_ns_create(struct cred *c);
/* One below the first, owned by root, with these maps: `lower` is the kernel's. NULL: no memory, or too many. */
struct user_ns *user_ns_make(
	const struct id_extent *uid, u32 nuid, const struct id_extent *gid, u32 ngid);
/* c enters ns with all capabilities: consumes a reference of ns. */
void user_ns_enter(struct cred *c, struct user_ns *ns);
void user_ns_get(struct user_ns *ns);
void user_ns_put(struct user_ns *ns); /* any context */
struct user_ns *user_ns_current(void); /* borrowed */
bool user_ns_contains(const struct user_ns *outer, const struct user_ns *inner);

/* Ids of programs to the kernel's and back: ID_NONE when there is none. */
u32 id_to_kernel(const struct id_map *m, u32 id);
u32 id_from_kernel(const struct id_map *m, u32 id);
/* In the current user namespace. *_shown: ID_OVERFLOW in place of ID_NONE. */
u32 uid_to_kernel(u32 uid);
u32 gid_to_kernel(u32 gid);
u32 uid_shown(u32 uid);
u32 gid_shown(u32 gid);

/* Is ns right below the credentials' namespace, and theirs? */
bool user_ns_owns(const struct cred *c, const struct user_ns *ns);
bool cred_ns_capable(const struct cred *c, const struct user_ns *ns, int cap);
bool ns_capable(const struct user_ns *ns, int cap); /* the current task, or a kernel thread */
bool file_ns_capable(
	const struct file *f, const struct user_ns *ns, int cap); /* whoever opened f */
/* With a capability of the current namespace over an object of these ids: they must be mapped there. */
bool capable_over(const struct cred *c, u32 uid, u32 gid, int cap);

u32 cred_root(const struct cred *c); /* uid 0 of its namespace; ID_NONE when that is not mapped */

/* Lines of "inside outside count" into v[USER_NS_EXTENTS]; `lower` is what the text says. How many, or -EINVAL. */
int user_map_parse(char *text, struct id_extent *v);
/* /proc/PID/uid_map and the like: the text of what programs wrote. Bytes taken or -errno. */
s64 user_ns_write_map(struct user_ns *ns, bool gid, const struct file *f, char *text, size_t len);
/* "allow" or "deny". */
s64 user_ns_write_setgroups(struct user_ns *ns, const struct file *f, char *text, size_t len);
bool user_ns_may_setgroups(const struct user_ns *ns);

#endif
