/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount tree of a container: its root, what config.json mounts, and the paths that are hidden or read-only. Runs in the agent's
 * thread, with the kernel's own credentials; names are resolved inside the container's root, whatever links the image holds.
 */
#include "agent/internal.h"

#include <linux/mount.h>

#include "cgroup/cgroup.h"
#include "fs/internal.h"
#include "fs/mode.h"
#include "fs/mount.h"
#include "fs/overlay/overlay.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"

/* What config.json may ask for; MS_* of the ABI. */
#define ROOTFS_FLAGS \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | \
		MS_STRICTATIME | MS_NOSYMFOLLOW)
#define ROOTFS_LINKS  8 /* that lead to nothing, one after the other */
#define ROOTFS_KINDS  (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define ROOTFS_LOOKUP (LOOKUP_FOLLOW | LOOKUP_IN_ROOT)

static const char *const rootfs_types[CM_RPC_MOUNT_TYPES] = {
	[CM_RPC_MOUNT_PROC] = "proc",
	[CM_RPC_MOUNT_SYSFS] = "sysfs",
	[CM_RPC_MOUNT_TMPFS] = "tmpfs",
	[CM_RPC_MOUNT_DEVPTS] = "devpts",
	[CM_RPC_MOUNT_MQUEUE] = "mqueue",
	[CM_RPC_MOUNT_CGROUP2] = "cgroup2",
	[CM_RPC_MOUNT_DEV] = "devtmpfs",
	[CM_RPC_MOUNT_VOLUME_DIR] = "virtiofs",
	[CM_RPC_MOUNT_VOLUME_FILE] = "virtiofs",
};

/* Kinds that the sentry may lack: then there is an empty directory, for programs that only look whether it is mounted. */
static const char *rootfs_stand_in(u32 type)
{
	switch (type) {
	case CM_RPC_MOUNT_MQUEUE:
		return "size=0,mode=1777";
	default:
		return NULL;
	}
}

/* The host's tree below, changes in memory above. The lower mount belongs to no namespace of the container. */
static int rootfs_mount_overlay(const struct rpc_start *s, struct mount_ns *ns)
{
	struct mount_ns *below = mount_ns_create();
	char options[64] = "mode=755";
	struct path lower;
	int ret;

	if (!below)
		return -ENOMEM;
	ret = vfs_mount(below, "virtiofs", s->rootfs_tag, NULL, MS_RDONLY, "exclusive");
	if (ret == 0 && !mount_ns_root(below, &lower))
		ret = -ENOENT;
	if (ret < 0) {
		mount_ns_put(below);
		return ret;
	}
	if (s->fixed.overlay_size)
		str_format(
			options, sizeof(options), "size=%lu", (unsigned long)s->fixed.overlay_size);
	ret = overlay_mount_at(ns, &lower, NULL, options);
	path_put(&lower);
	if (ret < 0)
		mount_ns_put(below);
	return ret;
}

static int rootfs_mount_root(const struct rpc_start *s, struct mount_ns *ns)
{
	if (s->fixed.flags & CM_RPC_START_OVERLAY)
		return rootfs_mount_overlay(s, ns);
	return vfs_mount(ns, "virtiofs", s->rootfs_tag, NULL,
		s->fixed.flags & CM_RPC_START_READONLY ? MS_RDONLY : 0,
		s->fixed.flags & CM_RPC_START_CHANGES ? "shared" : "exclusive");
}

/* mkdir -p below root: what is missing appears with mode 0755. */
static int rootfs_make_dir(const struct path *root, const char *path)
{
	struct path at;
	size_t len = strlen(path);
	char *buf, *p;
	int ret = path_lookup(root, path, ROOTFS_LOOKUP, &at);

	if (ret == 0)
		path_put(&at);
	if (ret != -ENOENT)
		return ret;
	if (len >= PATH_MAX_LEN)
		return -ENAMETOOLONG;
	buf = kstrdup(path);
	if (!buf)
		return -ENOMEM;
	for (p = buf, ret = 0; ret == 0 && *p; p++) {
		if (p[1] != '/' && p[1] != '\0')
			continue;
		if (p[0] != '/') {
			char c = p[1];

			p[1] = '\0';
			ret = path_lookup(root, buf, ROOTFS_LOOKUP, &at);
			if (ret == 0)
				path_put(&at);
			else if (ret == -ENOENT)
				ret = vfs_mkdir(root, buf, 0755);
			p[1] = c;
		}
	}
	kfree(buf);
	return ret;
}

/* Where a link at path leads, as a path from the root; NULL when it is none, or without memory. The caller frees it. */
static char *rootfs_link(const struct path *root, const char *path)
{
	char *to = kmalloc(2 * PATH_MAX_LEN);
	const char *name = strrchr(path, '/');
	size_t above = name ? (size_t)(name - path) + 1 : 0;
	s64 n = -EINVAL;
	struct path at;

	if (to && above < PATH_MAX_LEN && path_lookup(root, path, LOOKUP_IN_ROOT, &at) == 0) {
		memcpy(to, path, above);
		if (S_ISLNK(dentry_inode(at.dentry)->mode))
			n = inode_readlink(dentry_inode(at.dentry), to + above, PATH_MAX_LEN - 1);
		path_put(&at);
	}
	if (n <= 0 || n >= PATH_MAX_LEN) {
		kfree(to);
		return NULL;
	}
	to[above + (size_t)n] = '\0';
	if (to[above] == '/')
		memmove(to, to + above, (size_t)n + 1);
	return to;
}

/*
 * What has to be made so that there is something at path: where links that lead to nothing end, as every OCI runtime has it. The caller frees it. NULL
 * without memory.
 */
static char *rootfs_place(const struct path *root, const char *path)
{
	char *place = kstrdup(path), *next;
	struct path at;

	for (int links = 0; place && links < ROOTFS_LINKS; links++) {
		if (path_lookup(root, place, ROOTFS_LOOKUP, &at) == 0) {
			path_put(&at);
			break;
		}
		next = rootfs_link(root, place);
		if (!next)
			break;
		kfree(place);
		place = next;
	}
	return place;
}

int agent_make_dir(struct mount_ns *ns, const char *path)
{
	struct path root;
	char *place;
	int ret = -ENOMEM;

	if (!mount_ns_root(ns, &root))
		return -ENOENT;
	place = rootfs_place(&root, path);
	if (place)
		ret = rootfs_make_dir(&root, place);
	kfree(place);
	path_put(&root);
	return ret;
}

int agent_check_dir(struct mount_ns *ns, const char *path)
{
	struct path root, at;
	int ret;

	if (!mount_ns_root(ns, &root))
		return -ENOENT;
	ret = path_lookup(&root, path, ROOTFS_LOOKUP | LOOKUP_DIRECTORY, &at);
	path_put(&root);
	if (ret == 0)
		path_put(&at);
	return ret;
}

/* The directories above a path. */
static int rootfs_make_parent(struct mount_ns *ns, const char *path)
{
	size_t len = strlen(path);
	char *parent = kstrdup(path);
	int ret;

	if (!parent)
		return -ENOMEM;
	while (len > 0 && parent[len - 1] != '/')
		len--;
	parent[len] = '\0';
	ret = agent_make_dir(ns, len ? parent : "/");
	kfree(parent);
	return ret;
}

/* An empty file to mount a file on, and the directories above it. */
static int rootfs_make_file(struct mount_ns *ns, const char *path)
{
	struct path root, at;
	int ret = -ENOMEM;
	char *place;

	if (!mount_ns_root(ns, &root))
		return -ENOENT;
	place = rootfs_place(&root, path);
	if (place)
		ret = rootfs_make_parent(ns, place);
	if (ret == 0)
		ret = path_lookup(&root, place, ROOTFS_LOOKUP, &at);
	if (ret == 0)
		path_put(&at);
	else if (ret == -ENOENT)
		ret = vfs_mknod(&root, place, S_IFREG | 0755, 0);
	kfree(place);
	path_put(&root);
	return ret;
}

/* What was just mounted there; the caller puts it. */
static int rootfs_find(struct mount_ns *ns, const char *at, struct path *out)
{
	struct path root;
	int ret;

	if (!mount_ns_root(ns, &root))
		return -ENOENT;
	ret = path_lookup(&root, at, ROOTFS_LOOKUP, out);
	path_put(&root);
	return ret;
}

/* A volume is a part of the host's tree, and told as such. */
static int rootfs_name_volume(struct mount_ns *ns, const char *source, const char *at)
{
	struct path p;
	int ret;

	if (source[0] != '/' || source[1] == '\0')
		return 0;
	ret = rootfs_find(ns, at, &p);
	if (ret < 0)
		return ret;
	p.mnt->sb->root_name = kstrdup(source);
	path_put(&p);
	return 0;
}

static int rootfs_mount_volume(const struct rpc_start *s, struct mount_ns *ns,
	const struct cm_rpc_mount *m, char *const words[3])
{
	const char *at = words[0];
	char options[32];
	int ret;

	ret = m->type == CM_RPC_MOUNT_VOLUME_DIR ? agent_make_dir(ns, at)
						 : rootfs_make_file(ns, at);
	if (ret < 0)
		return ret;
	str_format(options, sizeof(options), "shared,volume=%u", m->volume);
	ret = vfs_mount(ns, "virtiofs", s->rootfs_tag, at, m->flags & ROOTFS_FLAGS, options);
	return ret < 0 ? ret : rootfs_name_volume(ns, words[1], at);
}

/* A tmpfs that begins with the image's files: a layer in memory above them. */
static int rootfs_mount_copy_up(
	struct mount_ns *ns, const struct cm_rpc_mount *m, char *const words[3])
{
	struct path root, at;
	int ret;

	if (!mount_ns_root(ns, &root))
		return -ENOENT;
	ret = path_lookup(&root, words[0], ROOTFS_LOOKUP, &at);
	if (ret == 0) {
		ret = overlay_mount_at(ns, &at, words[0], words[2]);
		path_put(&at);
	}
	if (ret == 0)
		ret = path_lookup(&root, words[0], ROOTFS_LOOKUP, &at);
	path_put(&root);
	if (ret < 0)
		return ret;
	ret = mount_remount(&at, m->flags & ROOTFS_FLAGS, true);
	path_put(&at);
	return ret;
}

/* The container's cgroup is the root of what it sees. */
static int rootfs_mount_cgroup(const struct rpc_start *s, struct mount_ns *ns,
	const struct cm_rpc_mount *m, const char *at)
{
	char data[NAME_MAX_LEN + sizeof(CGROUPFS_ROOT) + 1];

	str_format(data, sizeof(data), CGROUPFS_ROOT "/%s", s->id);
	return vfs_mount(ns, "cgroup2", "cgroup", at, m->flags & ROOTFS_FLAGS, data);
}

/*
 * A container's /dev as runtimes make it: a tmpfs for those who read the table of mounts, and the multiplexer of terminals is that of the devpts
 * below it.
 */
static int rootfs_mount_dev(
	struct mount_ns *ns, const char *source, const char *at, u64 flags, const char *data)
{
	struct path dev;
	int ret = vfs_mount(ns, "devtmpfs", source, at, flags, data);

	if (ret == 0)
		ret = rootfs_find(ns, at, &dev);
	if (ret < 0)
		return ret;
	dev.mnt->sb->fstype = "tmpfs";
	ret = vfs_unlink(&dev, "ptmx");
	if (ret == 0)
		ret = vfs_symlink("pts/ptmx", &dev, "ptmx");
	path_put(&dev);
	return ret;
}

/* A tmpfs of a container is writable until all that lies in it is made. */
static bool rootfs_late_readonly(const struct cm_rpc_mount *m)
{
	return (m->type == CM_RPC_MOUNT_TMPFS || m->type == CM_RPC_MOUNT_DEV) &&
	       m->flags & MS_RDONLY;
}

/* Is there an option mode= in a list? */
static bool rootfs_names_mode(const char *options)
{
	while (options && strncmp(options, "mode=", 5)) {
		options = strchr(options, ',');
		options = options ? options + 1 : NULL;
	}
	return options != NULL;
}

/* A tmpfs that is told nothing else has the mode of the directory that it covers, if that was there: as with every OCI runtime. */
static int rootfs_mount_tmpfs(
	struct mount_ns *ns, const char *source, char *const words[3], u64 flags, int mode)
{
	struct path p;
	int ret = vfs_mount(ns, "tmpfs", source, words[0], flags, words[2]);

	if (ret == 0 && mode >= 0 && !rootfs_names_mode(words[2])) {
		ret = rootfs_find(ns, words[0], &p);
		if (ret == 0) {
			ret = vfs_chmod(&p, (u32)mode);
			path_put(&p);
		}
	}
	return ret;
}

/* The permissions of what is at a path, or -errno. */
static int rootfs_mode_at(struct mount_ns *ns, const char *at)
{
	struct path p;
	int ret = rootfs_find(ns, at, &p);

	if (ret == 0) {
		ret = (int)(dentry_inode(p.dentry)->mode & 07777);
		path_put(&p);
	}
	return ret;
}

static int rootfs_mount_one(const struct rpc_start *s, struct mount_ns *ns,
	const struct cm_rpc_mount *m, char *const words[3])
{
	u64 flags = m->flags & ROOTFS_FLAGS & ~(u64)(rootfs_late_readonly(m) ? MS_RDONLY : 0);
	const char *source = words[1][0] ? words[1] : "none";
	int mode = m->type == CM_RPC_MOUNT_TMPFS ? rootfs_mode_at(ns, words[0]) : -ENOENT;
	int ret = agent_make_dir(ns, words[0]);

	if (ret < 0)
		return ret;
	if (m->options & CM_RPC_MOUNT_COPY_UP)
		return rootfs_mount_copy_up(ns, m, words);
	if (m->type == CM_RPC_MOUNT_CGROUP2)
		return rootfs_mount_cgroup(s, ns, m, words[0]);
	if (m->type == CM_RPC_MOUNT_DEV)
		return rootfs_mount_dev(ns, source, words[0], flags, words[2]);
	if (m->type == CM_RPC_MOUNT_TMPFS)
		return rootfs_mount_tmpfs(ns, source, words, flags, mode);
	ret = vfs_mount(ns, rootfs_types[m->type], source, words[0], flags, words[2]);
	if (ret == -ENODEV && rootfs_stand_in(m->type))
		ret = vfs_mount(ns, "tmpfs", rootfs_types[m->type], words[0], flags | MS_RDONLY,
			rootfs_stand_in(m->type));
	return ret;
}

static u32 rootfs_map(const struct cm_rpc_idmap *m, u32 n, u32 id)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if (id >= m[i].first && id - m[i].first < m[i].count)
			return m[i].lower + (id - m[i].first);
	}
	return id;
}

/* In a user namespace ids of config.json are its own: the root of what was mounted for it belongs to those. */
static int rootfs_own(const struct rpc_start *s, struct mount_ns *ns, const char *at)
{
	const struct inode *inode;
	struct path p;
	int ret;

	if (!s->fixed.nuidmap)
		return 0;
	ret = rootfs_find(ns, at, &p);
	if (ret < 0)
		return ret;
	inode = dentry_inode(p.dentry);
	ret = vfs_chown(&p, rootfs_map(s->uidmap, s->fixed.nuidmap, inode->uid),
		rootfs_map(s->gidmap, s->fixed.ngidmap, inode->gid));
	path_put(&p);
	return ret;
}

/* Owner and mode; where the host has made it, on a root that is read-only, it has them. */
static int rootfs_own_device(const struct path *at, const struct cm_rpc_device *d)
{
	const struct inode *inode = dentry_inode(at->dentry);
	u32 mode = d->mode & 07777;
	int ret = 0;

	/* The owner first: a change of it drops bits of the mode. */
	if (inode->uid != d->uid || inode->gid != d->gid)
		ret = vfs_chown(at, d->uid, d->gid);
	if (ret == 0 && (inode->mode & 07777) != mode)
		ret = vfs_chmod(at, mode);
	return ret;
}

/* One that is there already is made like the one that is asked for. */
static int rootfs_make_device(struct mount_ns *ns, const struct path *root,
	const struct cm_rpc_device *d, const char *path)
{
	u32 rdev = dev_make(d->major, d->minor);
	struct path at;
	int ret = path_lookup(root, path, LOOKUP_IN_ROOT, &at);

	if (ret == -ENOENT) {
		ret = rootfs_make_parent(ns, path);
		if (ret == 0)
			ret = vfs_mknod(root, path, d->mode, S_ISFIFO(d->mode) ? 0 : rdev);
		if (ret == 0)
			ret = path_lookup(root, path, LOOKUP_IN_ROOT, &at);
	} else if (ret == 0) {
		const struct inode *inode = dentry_inode(at.dentry);

		if ((inode->mode ^ d->mode) & S_IFMT ||
			(!S_ISFIFO(d->mode) && inode->rdev != rdev)) {
			path_put(&at);
			return -EEXIST;
		}
	}
	if (ret < 0)
		return ret;
	ret = rootfs_own_device(&at, d);
	path_put(&at);
	return ret;
}

/* linux.devices. 0, or -errno with *index the one that cannot be. */
static int rootfs_devices(const struct rpc_start *s, struct mount_ns *ns, u32 *index)
{
	const char *at = s->device_paths;
	struct path root;
	int ret = 0;

	if (!mount_ns_root(ns, &root))
		return -ENOENT;
	for (*index = 0; *index < s->fixed.ndevices; ++*index) {
		ret = rootfs_make_device(ns, &root, &s->devices[*index], at);
		if (ret < 0)
			break;
		at += strlen(at) + 1;
	}
	path_put(&root);
	return ret;
}

/*
 * As with every OCI runtime there are the default devices (OCI runtime 1.0.2, config-linux "Default Devices") when config.json does not
 * mount anything on /dev: ours, since device nodes of the image never lead to a device.
 */
static int rootfs_default_dev(const struct rpc_start *s, struct mount_ns *ns)
{
	const char *word = s->mount_words;
	struct path root, dev;
	bool is_dir;

	for (u32 i = 0; i < s->fixed.nmounts; i++) {
		char *words[4];

		word = rpc_strings(word, words, 3);
		if (!strcmp(words[0], "/dev"))
			return 0;
	}
	if (!mount_ns_root(ns, &root))
		return -ENOENT;
	is_dir = path_lookup(&root, "/dev", LOOKUP_IN_ROOT, &dev) == 0;
	path_put(&root);
	if (!is_dir)
		return 0;
	is_dir = S_ISDIR(dev.dentry->inode->mode);
	path_put(&dev);
	return is_dir ? rootfs_mount_dev(ns, "tmpfs", "/dev", MS_NOSUID, "mode=755") : 0;
}

/* How a new mount propagates, when config.json says so. */
static int rootfs_kind(struct mount_ns *ns, u64 flags, const char *path)
{
	u32 kind = flags & ROOTFS_KINDS;
	struct path root, at;
	int ret;

	if (!kind)
		return 0;
	if (kind & (kind - 1))
		return -EINVAL;
	if (!mount_ns_root(ns, &root))
		return -ENOENT;
	ret = path_lookup(&root, path, ROOTFS_LOOKUP, &at);
	path_put(&root);
	if (ret < 0)
		return ret;
	ret = mount_change_kind(&at, kind, flags & MS_REC);
	path_put(&at);
	return ret;
}

static int rootfs_mounts(const struct rpc_start *s, struct mount_ns *ns, u32 *index)
{
	const char *word = s->mount_words;
	u32 i;

	for (i = 0; i < s->fixed.nmounts; i++) {
		char *words[4];
		int ret;

		word = rpc_strings(word, words, 3);
		*index = i;
		if (s->mounts[i].volume)
			ret = rootfs_mount_volume(s, ns, &s->mounts[i], words);
		else
			ret = rootfs_mount_one(s, ns, &s->mounts[i], words);
		if (ret == 0 && (s->mounts[i].type == CM_RPC_MOUNT_TMPFS ||
					s->mounts[i].type == CM_RPC_MOUNT_DEV))
			ret = rootfs_own(s, ns, words[0]);
		if (ret == 0)
			ret = rootfs_kind(ns, s->mounts[i].flags, words[0]);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* What comes last of mounting; *index as above. */
static int rootfs_finish_mounts(const struct rpc_start *s, struct mount_ns *ns, u32 *index)
{
	const char *word = s->mount_words;
	struct path root, at;
	int ret = 0;

	if (!mount_ns_root(ns, &root))
		return -ENOENT;
	for (*index = 0; ret == 0 && *index < s->fixed.nmounts; ++*index) {
		const struct cm_rpc_mount *m = &s->mounts[*index];
		char *words[4];

		word = rpc_strings(word, words, 3);
		if (!rootfs_late_readonly(m))
			continue;
		ret = path_lookup(&root, words[0], ROOTFS_LOOKUP, &at);
		if (ret < 0)
			break;
		ret = mount_remount(&at, m->flags & ROOTFS_FLAGS, true);
		path_put(&at);
	}
	path_put(&root);
	return ret;
}

/* Hide a directory behind an empty one, a file behind /dev/null. */
static int rootfs_mask(
	struct mount_ns *ns, const struct path *root, const struct path *at, const char *path)
{
	struct path null;
	int ret;

	if (S_ISDIR(at->dentry->inode->mode))
		return vfs_mount(ns, "tmpfs", "tmpfs", path, MS_RDONLY, "size=0");
	ret = path_lookup(root, "/dev/null", ROOTFS_LOOKUP, &null);
	if (ret < 0)
		return ret;
	ret = S_ISCHR(null.dentry->inode->mode) ? mount_bind(at, &null, false) : -ENODEV;
	path_put(&null);
	return ret;
}

/* The flags of mount(2) that a mount has. */
static u64 rootfs_ms_flags(u32 flags)
{
	u64 ms = flags & (MNT_NOATIME | MNT_RELATIME) ? 0 : MS_STRICTATIME;

	for (u64 bit = 1; bit <= ROOTFS_FLAGS; bit <<= 1) {
		/* With strict times a flag is its own and no other. */
		if (bit & ROOTFS_FLAGS && flags & mount_flags_from_ms(bit | MS_STRICTATIME))
			ms |= bit;
	}
	return ms;
}

static int rootfs_protect(struct mount_ns *ns, const struct path *root, const char *path, bool mask)
{
	struct path at;
	int ret = path_lookup(root, path, ROOTFS_LOOKUP, &at);

	/* What does not exist needs no protection. */
	if (ret == -ENOENT || ret == -ENOTDIR)
		return 0;
	if (ret < 0)
		return ret;
	if (mask) {
		ret = rootfs_mask(ns, root, &at, path);
		path_put(&at);
		return ret;
	}
	ret = mount_bind(&at, &at, true);
	path_put(&at);
	if (ret == 0)
		ret = path_lookup(root, path, ROOTFS_LOOKUP, &at);
	if (ret < 0)
		return ret;
	/* What the mount above forbids stays forbidden. */
	ret = mount_remount(&at, MS_RDONLY | rootfs_ms_flags(at.mnt->flags), true);
	path_put(&at);
	return ret;
}

static int rootfs_protect_all(struct mount_ns *ns, const char *paths, u32 n, bool mask)
{
	struct path root;
	int ret = 0;

	if (!mount_ns_root(ns, &root))
		return -ENOENT;
	while (ret == 0 && n-- > 0) {
		ret = rootfs_protect(ns, &root, paths, mask);
		if (ret < 0)
			log_warn("agent: protect %s: error %d", paths, ret);
		paths += strlen(paths) + 1;
	}
	path_put(&root);
	return ret;
}

int agent_build_mounts(const struct rpc_start *s, struct mount_ns **out, u32 *stage, u32 *index)
{
	struct mount_ns *ns = mount_ns_create();
	int ret;

	if (!ns)
		return -ENOMEM;
	*stage = CM_RPC_STAGE_ROOTFS;
	ret = rootfs_mount_root(s, ns);
	if (ret == 0) {
		*stage = CM_RPC_STAGE_MOUNT;
		ret = rootfs_default_dev(s, ns);
	}
	if (ret == 0) {
		ret = rootfs_mounts(s, ns, index);
	}
	if (ret == 0) {
		*stage = CM_RPC_STAGE_DEVICE;
		ret = rootfs_devices(s, ns, index);
	}
	if (ret == 0) {
		*stage = CM_RPC_STAGE_MOUNT;
		ret = rootfs_finish_mounts(s, ns, index);
	}
	if (ret == 0) {
		*stage = CM_RPC_STAGE_ROOTFS;
		ret = rootfs_protect_all(ns, s->masked, s->fixed.nmasked, true);
	}
	if (ret == 0)
		ret = rootfs_protect_all(ns, s->readonly, s->fixed.nreadonly, false);
	/* Last, since nothing can be bound out of an unbindable mount. */
	if (ret == 0)
		ret = rootfs_kind(ns, s->fixed.root_kind, "/");
	if (ret < 0) {
		mount_ns_put(ns);
		return ret;
	}
	*out = ns;
	return 0;
}
