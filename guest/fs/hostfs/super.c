/* SPDX-License-Identifier: Apache-2.0 */
/* Mounting a tag. A tag that is mounted already gives the same super again: the server has one session. */
#include "fs/hostfs/hostfs.h"

#include "kernel/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"

static struct mutex hostfs_mount_lock; /* protects: hostfs_supers, mounting */
static struct hostfs_super *hostfs_supers;

static int hostfs_statfs(struct super *sb, struct statfs_info *out)
{
	struct fuse_statfs_out reply;
	struct hostfs_req r = {
		.op = FUSE_STATFS, .nodeid = FUSE_ROOT_ID, .out = &reply, .out_size = sizeof(reply)
	};
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
	struct hostfs_req r = { .op = FUSE_SYNCFS, .nodeid = FUSE_ROOT_ID };
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

	mutex_lock(&hostfs_mount_lock);
	for (p = &hostfs_supers; *p && *p != hs;)
		p = &(*p)->next;
	if (*p)
		*p = hs->next;
	mutex_unlock(&hostfs_mount_lock);
	if (hs->conn)
		hostfs_conn_close(hs->conn);
	kfree(hs);
}

static int hostfs_show_options(struct super *sb, char *buf, size_t size)
{
	return str_format(buf, size, "%s", hostfs_super(sb)->exclusive ? "exclusive" : "shared");
}

static const struct super_ops hostfs_super_ops = {
	.statfs = hostfs_statfs,
	.sync = hostfs_sync,
	.evict_inode = hostfs_evict,
	.destroy = hostfs_destroy,
	.show_options = hostfs_show_options,
};

/* The root is known without a lookup; its attributes are not. */
static int super_fill_root(struct hostfs_super *hs)
{
	struct fuse_entry_out e = { .nodeid = FUSE_ROOT_ID };
	struct fuse_getattr_in in = { 0 };
	struct fuse_attr_out reply;
	struct hostfs_req r = {
		.op = FUSE_GETATTR, .nodeid = FUSE_ROOT_ID, .out = &reply, .out_size = sizeof(reply)
	};
	struct inode *root;
	int err;

	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	err = hostfs_call(hs->conn, &r);
	if (err)
		return err;
	if (r.out_len != sizeof(reply) || !S_ISDIR(reply.attr.mode))
		return -EIO;
	e.attr = reply.attr;
	err = hostfs_iget(hs, &e, &root);
	return err ? err : super_set_root(hs->sb, root);
}

static int super_new(const char *tag, bool exclusive, struct super **out)
{
	struct hostfs_super *hs = kzalloc(sizeof(*hs));
	int err;

	if (!hs)
		return -ENOMEM;
	str_copy(hs->tag, tag, sizeof(hs->tag));
	hs->exclusive = exclusive;
	hs->lock.rank = 62;
	waitq_init(&hs->evicted);
	hs->sb = super_create(&hostfs_super_ops, "virtiofs", HOSTFS_MAGIC, hs);
	if (!hs->sb) {
		kfree(hs);
		return -ENOMEM;
	}
	err = hostfs_conn_open(tag, &hs->conn);
	if (!err)
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

static int hostfs_options(const char *data, bool *exclusive)
{
	char *copy, *cursor, *name, *value;
	int err = 0;

	*exclusive = false;
	if (!data || !*data)
		return 0;
	copy = kstrdup(data);
	if (!copy)
		return -ENOMEM;
	for (cursor = copy; !err && mount_option_next(&cursor, &name, &value);) {
		if (!strcmp(name, "exclusive") && !value)
			*exclusive = true;
		else if (strcmp(name, "shared") != 0 || value)
			err = -EINVAL;
	}
	kfree(copy);
	return err;
}

static int hostfs_mount(const char *source, const char *data, u64 ms_flags, struct super **out)
{
	struct hostfs_super *hs;
	bool exclusive;
	int err = hostfs_options(data, &exclusive);

	(void)ms_flags;
	if (err)
		return err;
	if (!source || !*source || strlen(source) >= sizeof(hs->tag))
		return -EINVAL;
	mutex_lock(&hostfs_mount_lock);
	for (hs = hostfs_supers; hs && strcmp(hs->tag, source) != 0;)
		hs = hs->next;
	if (!hs) {
		err = super_new(source, exclusive, out);
	} else if (atomic_load(&hs->sb->active) <= 0) {
		err = -EBUSY; /* its last umount is under way */
	} else {
		*out = hs->sb;
	}
	mutex_unlock(&hostfs_mount_lock);
	return err;
}

void hostfs_init(void)
{
	static struct fs_type type = { .name = "virtiofs", .nodev = true, .mount = hostfs_mount };

	fs_register(&type);
}
