/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostfs (mount type "virtiofs"): a directory of the host, served by casemate-fsd.
 *
 * Two kinds of mount. Exclusive (option "exclusive", a container's root file system): nobody else changes the tree, so names, negative
 * names and attributes are right for ever and writes stay in the page cache until the flusher, fsync, sync or the end of the sentry.
 * Shared: names and attributes are asked again when they are older than HOSTFS_VALID_NS, at open always; written data goes to the
 * host when a file is closed.
 *
 * A server serves the tree, which is a mount's root by default, and volumes (option "volume=N"), each a super of its own above one
 * connection: see casemate/fsdev.h. An image is a super too, whose root is a file: it is read by another file system (hostfs_image), never mounted.
 *
 * Files are never opened on the server: requests carry handle 0 and the server opens what it needs. So open(2) and close(2) of
 * a file whose name is cached cost no request in an exclusive mount.
 *
 * Locks: inode->lock as the VFS says; super lock (hash, lookup counts, forget queue) inside everything; write_pages takes none, because
 * the flusher, fsync and truncation call it with and without inode->lock.
 */
#ifndef FS_HOSTFS_H
#define FS_HOSTFS_H

#include "fs/hostfs/conn.h"
#include "fs/super.h"

#define HOSTFS_MAGIC	      65735546u /* FUSE_SUPER_MAGIC */
#define HOSTFS_VALID_NS	      1000000000UL
#define HOSTFS_BUCKETS	      8192u /* of a tree; powers of two */
#define HOSTFS_BUCKETS_VOLUME 512u
#define HOSTFS_FORGETS	      64u

struct hostfs_names;

struct hostfs_node {
	struct inode *inode;
	struct hostfs_node *hash_next; /* lock: super */
	u64 nodeid;
	u64 nlookup; /* that the server counts for us; lock: super */
	u64 fetched; /* CLOCK_MONOTONIC ns of the attributes (shared mounts) */
	u64 server_size; /* what the server's file is long; lock: super */
	char *target; /* of a symbolic link, once read */
	struct mutex
		dir_lock; /* protects: priming dentries while inode->lock is held for reading */
	struct hostfs_names
		*names; /* of a directory that was made here; lock: inode, for writing */
	u32 late; /* FATTR_* that go to the server with the last dirty page; atomic */
	bool no_caps; /* security.capability is known to be absent */
	bool no_acl; /* system.posix_acl_access is known to be absent */
	struct mapping mapping; /* regular files */
};

struct hostfs_super {
	struct hostfs_conn *conn;
	struct super *sb;
	struct hostfs_super *next; /* all supers, by tag; lock: hostfs_supers */
	u32 volume; /* number of a volume or an image; 0: the tree */
	u64 root_id; /* node of its root */
	bool exclusive;
	struct spinlock lock; /* protects: hash, nlookup of its nodes, forgets; rank 62 */
	struct waitq evicted; /* a dying node left the hash */
	u32 nforgets;
	struct fuse_forget_one forgets[HOSTFS_FORGETS];
	u32 nbuckets;
	struct hostfs_node *hash[];
};

static inline struct hostfs_node *hostfs_node(const struct inode *inode)
{
	return inode->priv;
}

static inline struct hostfs_super *hostfs_super(const struct super *sb)
{
	return sb->priv;
}

/* ---- node.c */
/* The inode of a reply, with a reference; the lookup that the reply counts is taken over, also on failure. 0 or -errno. */
int hostfs_iget(struct hostfs_super *hs, const struct fuse_entry_out *e, struct inode **out);
void hostfs_evict(struct inode *inode);
/* Tell the server about forgotten nodes now. */
void hostfs_flush_forgets(struct hostfs_super *hs);
/* Take attributes over from the server. Size and times of a file with unwritten data stay, and without inode->lock (`locked`: held for
 * writing) also those of one that is open for writing. Pages that do not belong to the new version are dropped. */
void hostfs_set_attr(struct inode *inode, const struct fuse_attr *a, bool locked);

/* ---- request helpers, node.c */
/* hostfs_call; when the server's table is full, cached names are dropped and it is tried again. */
int hostfs_call_entry(struct hostfs_super *hs, struct hostfs_req *r, struct fuse_entry_out *e);
/* The same for LOOKUP: the inode, with a reference, and what a link points to is remembered. */
int hostfs_call_lookup(struct hostfs_super *hs, struct hostfs_req *r, struct inode **out);
/* Remember the target of a symbolic link. */
void hostfs_set_target(struct hostfs_node *n, const char *target);
/* GETATTR and hostfs_set_attr. 0 or -errno. */
int hostfs_refresh(struct inode *inode, bool locked);
/* SETATTR; the reply's attributes in *out. */
int hostfs_send_setattr(struct inode *inode, struct fuse_setattr_in *a, struct fuse_attr *out);

/* ---- names.c: inode->lock of the directory is held for writing; hash is the dentry's */
void hostfs_names_start(struct hostfs_node *n);
void hostfs_names_free(struct hostfs_node *n);
void hostfs_names_add(struct hostfs_node *n, u32 hash);
bool hostfs_names_absent(const struct hostfs_node *n, u32 hash);

/* ---- dir.c */
extern const struct inode_ops hostfs_dir_ops, hostfs_dir_shared_ops;
extern const struct file_ops hostfs_dir_file_ops;

/* ---- attr.c */
int hostfs_getattr(struct inode *inode); /* shared mounts */
int hostfs_setattr(struct inode *inode, const struct setattr *a);
s64 hostfs_getxattr(struct inode *inode, const char *name, void *buf, size_t size);
int hostfs_setxattr(struct inode *inode, const char *name, const void *val, size_t size, int flags);
int hostfs_removexattr(struct inode *inode, const char *name);
s64 hostfs_listxattr(struct inode *inode, char *buf, size_t size);
extern const struct inode_ops hostfs_other_ops, hostfs_other_shared_ops; /* fifo, socket, device */
extern const struct inode_ops hostfs_link_ops, hostfs_link_shared_ops;

/* ---- file.c */
extern const struct inode_ops hostfs_file_inode_ops, hostfs_file_shared_ops;
extern const struct file_ops hostfs_file_ops, hostfs_file_shared_fops;
extern const struct mapping_ops hostfs_mapping_ops;
/* Bytes [off, off + bytes) of a file, without its page cache, into n pages, of which they are more than n - 1; the rest of the last one is as it was. 0,
 * -EIO where the file has fewer, or -errno. */
int hostfs_read_at(struct inode *inode, u64 off, struct page **pages, u32 n, u64 bytes);

/* Send the attributes that were kept back. */
void hostfs_send_late(struct inode *inode);

/*
 * The server of a tag goes away. What was written to its files and not to the host is lost, so sync first; what is still mounted or open of it has errors
 * from now on, and a later mount of the tag is another file system. Nothing happens when nobody has it.
 */
void hostfs_cut(const char *tag);

/*
 * The image with this number, which the host handed to the server of tag: a super with one reference whose root is a regular file, read-only. The number
 * is used up. It ends with super_abort. 0, -ENOENT, -errno.
 */
int hostfs_image(const char *tag, u32 number, struct super **out);

/* Boot: registers the file system. */
void hostfs_init(void);
/* Command line `fstest`: exercise the device "root", report, power off. */
__noreturn void hostfs_selftest(void);

#endif
