/* SPDX-License-Identifier: Apache-2.0 */
/* Mounting a tag or a volume of it. One that is mounted already gives the same super again: its nodes are known by their ids. */
#include "fs/hostfs/hostfs.h"

#include <casemate/fsdev.h>

#include "kernel/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"

static struct mutex hostfs_mount_lock; /* protects: hostfs_supers, mounting, connections */
static struct hostfs_super *hostfs_supers;

static int hostfs_statfs(struct super *sb, struct statfs_info *out)
{
	struct fuse_statfs_out reply;
	struct hostfs_req r = { .op = FUSE_STATFS,
		.nodeid = hostfs_super(sb)->root_id,
		.out = &reply,
		.out_size = sizeof(reply) };
	int err = hostfs_call(hostfs_super(sb)->conn, &r);

	if (err)
		return err;
	if (r.out_len != sizeof(reply))
		return -EIO;
	out->bsize = reply.st.bsize;
	out->blocks = reply.st.blocks;
	out->bfree = reply.st.bfree;
	out->bavail = reply.st.bavail;
	out->files = reply.st.files;
	out->ffree = reply.st.ffree;
	out->namelen = reply.st.namelen;
	return 0;
}

/* sync(2) goes on to the host's disk; the last umount only has to bring everything to the host. */
static int hostfs_sync(struct super *sb)
{
	struct hostfs_super *hs = hostfs_super(sb);
	struct fuse_syncfs_in in = { 0 };
	struct hostfs_req r = { .op = FUSE_SYNCFS, .nodeid = hs->root_id };
	int err = filemap_sync_all();

	hostfs_flush_forgets(hs);
	if (sb->readonly || atomic_load(&sb->active) <= 0)
		return err;
	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	return err ? err : hostfs_call(hs->conn, &r);
}

static void hostfs_destroy(struct super *sb)
{
	struct hostfs_super *hs = hostfs_super(sb), **p;

	/* The server may go on without us. */
	if (hs->conn)
		hostfs_flush_forgets(hs);
	mutex_lock(&hostfs_mount_lock);
	for (p = &hostfs_supers; *p && *p != hs;)
		p = &(*p)->next;
	if (*p)
		*p = hs->next;
	if (hs->conn)
		hostfs_conn_close(hs->conn);
	mutex_unlock(&hostfs_mount_lock);
	kfree(hs);
}

static int hostfs_show_options(struct super *sb, char *buf, size_t size)
{
	const struct hostfs_super *hs = hostfs_super(sb);
	const char *cache = hs->exclusive ? "exclusive" : "shared";

	if (hs->volume)
		return str_format(buf, size, "%s,volume=%u", cache, hs->volume);
	return str_format(buf, size, "%s", cache);
}

static const struct super_ops hostfs_super_ops = {
	.statfs = hostfs_statfs,
	.sync = hostfs_sync,
	.evict_inode = hostfs_evict,
	.destroy = hostfs_destroy,
	.show_options = hostfs_show_options,
};

/* The tree's root is known without a lookup; its attributes are not. */
static int super_ask_tree(struct hostfs_super *hs, struct fuse_entry_out *e)
{
	struct fuse_getattr_in in = { 0 };
	struct fuse_attr_out reply;
	struct hostfs_req r = {
		.op = FUSE_GETATTR, .nodeid = FUSE_ROOT_ID, .out = &reply, .out_size = sizeof(reply)
	};
	int err;

	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	err = hostfs_call(hs->conn, &r);
	if (err)
		return err;
	if (r.out_len != sizeof(reply) || !S_ISDIR(reply.attr.mode))
		return -EIO;
	memset(e, 0, sizeof(*e));
	e->nodeid = FUSE_ROOT_ID;
	e->attr = reply.attr;
	return 0;
}

static int super_ask_volume(struct hostfs_super *hs, struct fuse_entry_out *e)
{
	struct hostfs_req r = { .op = FUSE_LOOKUP, .nodeid = CM_FSDEV_VOLUMES_ID };
	char name[16];

	str_format(name, sizeof(name), "%u", hs->volume);
	HOSTFS_ARG(&r, 0, name, strlen(name) + 1);
	return hostfs_call_entry(hs, &r, e);
}

static int super_fill_root(struct hostfs_super *hs)
{
	struct fuse_entry_out e;
	struct inode *root;
	int err = hs->volume ? super_ask_volume(hs, &e) : super_ask_tree(hs, &e);

	if (err)
		return err;
	hs->root_id = e.nodeid;
	err = hostfs_iget(hs, &e, &root);
	return err ? err : super_set_root(hs->sb, root);
}

/* What a mount asks for. */
struct hostfs_options {
	u32 volume;
	bool exclusive;
};

static int super_new(struct hostfs_conn *conn, const struct hostfs_options *o, struct super **out)
{
	u32 nbuckets = o->volume ? HOSTFS_BUCKETS_VOLUME : HOSTFS_BUCKETS;
	struct hostfs_super *hs = kzalloc(sizeof(*hs) + nbuckets * sizeof(hs->hash[0]));
	int err;

	if (hs)
		hs->sb = super_create(&hostfs_super_ops, "virtiofs", HOSTFS_MAGIC, hs);
	if (!hs || !hs->sb) {
		kfree(hs);
		hostfs_conn_close(conn);
		return -ENOMEM;
	}
	hs->conn = conn;
	hs->volume = o->volume;
	hs->exclusive = o->exclusive;
	hs->nbuckets = nbuckets;
	hs->lock.rank = 62;
	waitq_init(&hs->evicted);
	err = super_fill_root(hs);
	if (err) {
		mutex_unlock(&hostfs_mount_lock); /* destroy takes it */
		super_abort(hs->sb);
		mutex_lock(&hostfs_mount_lock);
		return err;
	}
	hs->next = hostfs_supers;
	hostfs_supers = hs;
	*out = hs->sb;
	return 0;
}

static int hostfs_option(const char *name, const char *value, struct hostfs_options *o)
{
	u64 n;

	if (!strcmp(name, "volume")) {
		if (!value || mount_option_number(value, 10, &n) || n == 0 || n > CM_FSDEV_VOLUMES)
			return -EINVAL;
		o->volume = (u32)n;
		return 0;
	}
	if (value)
		return -EINVAL;
	o->exclusive = !strcmp(name, "exclusive");
	return o->exclusive || !strcmp(name, "shared") ? 0 : -EINVAL;
}

static int hostfs_options(const char *data, struct hostfs_options *o)
{
	char *copy, *cursor, *name, *value;
	int err = 0;

	if (!data || !*data)
		return 0;
	copy = kstrdup(data);
	if (!copy)
		return -ENOMEM;
	for (cursor = copy; !err && mount_option_next(&cursor, &name, &value);)
		err = hostfs_option(name, value, o);
	kfree(copy);
	return err;
}

/* hostfs_mount_lock held. */
static int hostfs_mount_locked(const char *tag, const struct hostfs_options *o, struct super **out)
{
	struct hostfs_conn *conn;
	struct hostfs_super *hs;
	int err = hostfs_conn_open(tag, &conn);

	if (err)
		return err;
	for (hs = hostfs_supers; hs && (hs->conn != conn || hs->volume != o->volume);)
		hs = hs->next;
	if (!hs)
		return super_new(conn, o, out);
	hostfs_conn_close(conn); /* the super has its own use */
	if (atomic_load(&hs->sb->active) <= 0)
		return -EBUSY; /* its last umount is under way */
	*out = hs->sb;
	return 0;
}

static int hostfs_mount(const char *source, const char *data, u64 ms_flags, struct super **out)
{
	struct hostfs_options o = { 0 };
	int err = hostfs_options(data, &o);

	(void)ms_flags;
	if (err)
		return err;
	if (!source || !*source)
		return -EINVAL;
	mutex_lock(&hostfs_mount_lock);
	err = hostfs_mount_locked(source, &o, out);
	mutex_unlock(&hostfs_mount_lock);
	return err;
}

int hostfs_image(const char *tag, u32 number, struct super **out)
{
	const struct hostfs_options o = { .volume = number, .exclusive = true };
	struct hostfs_conn *conn;
	int err;

	if (number < CM_FSDEV_IMAGE_FIRST)
		return -EINVAL;
	mutex_lock(&hostfs_mount_lock);
	err = hostfs_conn_open(tag, &conn);
	if (!err)
		err = super_new(conn, &o, out);
	mutex_unlock(&hostfs_mount_lock);
	if (err)
		return err;
	(*out)->readonly = true;
	if (S_ISREG((*out)->root->inode->mode))
		return 0;
	super_abort(*out);
	return -EIO;
}

void hostfs_cut(const char *tag)
{
	mutex_lock(&hostfs_mount_lock);
	hostfs_conn_cut(tag);
	mutex_unlock(&hostfs_mount_lock);
}

void hostfs_init(void)
{
	static struct fs_type type = { .name = "virtiofs", .nodev = true, .mount = hostfs_mount };

	fs_register(&type);
}
