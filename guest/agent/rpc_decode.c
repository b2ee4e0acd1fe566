/* SPDX-License-Identifier: Apache-2.0 */
/* Guest side of the wire format of the control protocol. */
#include "agent/rpc_decode.h"

#include <casemate/fsdev.h>

#include "kernel/errno.h"
#include "lib/string.h"

#define RPC_CAPS_ALL ((1UL << 41) - 1) /* CAP_CHECKPOINT_RESTORE is the last */
#define RPC_FLAGS \
	(CM_RPC_START_OVERLAY | CM_RPC_START_READONLY | CM_RPC_START_NO_NEW_PRIVS | \
		CM_RPC_START_TTY | CM_RPC_START_HOLD | CM_RPC_START_SHARED | \
		CM_RPC_START_NO_HOME | CM_RPC_START_CHANGES)
#define RPC_EXEC_FLAGS (CM_RPC_START_NO_NEW_PRIVS | CM_RPC_START_TTY)

int rpc_check_header(const struct cm_rpc_hdr *h)
{
	if (h->magic != CM_RPC_MAGIC || h->version != CM_RPC_VERSION || h->reserved != 0 ||
		h->len > CM_RPC_PAYLOAD_MAX || h->id == 0 || h->error != 0 ||
		(h->type & (CM_RPC_REPLY | CM_RPC_EVENT)))
		return -EPROTO;
	return 0;
}

/* What is left of the payload. */
struct cursor {
	const char *p;
	u32 left;
};

/* n records of `size` bytes, or NULL when the payload is shorter. The product cannot wrap: counts are bounded before. */
static const void *rpc_take(struct cursor *c, u32 n, u32 size)
{
	const void *p = c->p;
	u32 bytes = n * size;

	if (bytes > c->left)
		return NULL;
	c->p += bytes;
	c->left -= bytes;
	return p;
}

/* n strings, each with its NUL inside the payload. */
static const char *rpc_take_strings(struct cursor *c, u32 n)
{
	const char *first = c->p;

	while (n-- > 0) {
		const char *nul = c->left ? memchr(c->p, 0, c->left) : NULL;

		if (!nul)
			return NULL;
		c->left -= (u32)(nul - c->p) + 1;
		c->p = nul + 1;
	}
	return first;
}

/* sched(7): 1 and 2 are the real-time policies; normal, batch and idle have no priority. */
static bool rpc_check_scheduler(const struct cm_rpc_start *s)
{
	if (s->nice < -20 || s->nice > 19)
		return false;
	switch (s->policy) {
	case 0:
	case 3:
	case 5:
		return s->rt_priority == 0;
	case 1:
	case 2:
		return s->rt_priority >= 1 && s->rt_priority <= 99;
	default:
		return false;
	}
}

static int rpc_check_fixed(const struct cm_rpc_start *s)
{
	u32 i;

	if (s->argc > CM_RPC_ARGS_MAX || s->envc > CM_RPC_ARGS_MAX ||
		s->ngroups > CM_RPC_GROUPS_MAX || s->nrlimits > CM_RPC_RLIMITS_MAX ||
		s->nmounts > CM_RPC_MOUNTS_MAX || s->nmasked > CM_RPC_PATHS_MAX ||
		s->nreadonly > CM_RPC_PATHS_MAX || s->ndevices > CM_RPC_DEVICES_MAX ||
		s->nsysctls > CM_RPC_SYSCTLS_MAX || s->ncgroup > CM_RPC_CGROUP_MAX ||
		s->nfilter > CM_RPC_FILTER_MAX || s->nuidmap > CM_RPC_IDMAPS_MAX ||
		s->ngidmap > CM_RPC_IDMAPS_MAX || s->nfds > CM_RPC_FDS_MAX)
		return -E2BIG;
	if (!s->nuidmap != !s->ngidmap)
		return -EINVAL;
	if (s->container == 0 || s->container > CM_RPC_CONTAINERS || s->argc == 0 ||
		(s->flags & ~RPC_FLAGS) || (s->umask & ~0777u) || s->uid == ~0u || s->gid == ~0u ||
		s->oom_score_adj < -1000 || s->oom_score_adj > 1000 || s->nsecret > s->envc)
		return -EINVAL;
	/* What has no file system of its own cannot ask for changes of one. */
	if ((s->flags & CM_RPC_START_SHARED) &&
		(s->container == 1 || s->nmounts || s->nmasked || s->nreadonly || s->ndevices ||
			(s->flags & (CM_RPC_START_OVERLAY | CM_RPC_START_READONLY))))
		return -EINVAL;
	/* Nor do others change it below an overlay. */
	if ((s->flags & CM_RPC_START_CHANGES) &&
		(s->flags & (CM_RPC_START_OVERLAY | CM_RPC_START_SHARED)))
		return -EINVAL;
	if (!rpc_check_scheduler(s))
		return -EINVAL;
	for (i = 0; i < CM_RPC_NS_KINDS; i++) {
		if (s->join[i] > CM_RPC_CONTAINERS || s->join[i] == s->container ||
			(s->join[i] && s->container == 1))
			return -EINVAL;
	}
	for (i = 0; i < CM_RPC_CAPSETS; i++) {
		if (s->caps[i] & ~RPC_CAPS_ALL)
			return -EINVAL;
	}
	return 0;
}

static int rpc_check_mount(const struct cm_rpc_mount *m)
{
	bool volume = m->type == CM_RPC_MOUNT_VOLUME_DIR || m->type == CM_RPC_MOUNT_VOLUME_FILE;

	if (m->type == 0 || m->type >= CM_RPC_MOUNT_TYPES || (m->options & ~CM_RPC_MOUNT_COPY_UP) ||
		volume != (m->volume != 0) || m->volume > CM_FSDEV_VOLUMES)
		return -EINVAL;
	return 0;
}

static bool rpc_is_device(u32 mode)
{
	u32 type = mode & 0170000;

	return !(mode & ~0177777u) && (type == 0020000 || type == 0060000 || type == 0010000);
}

/* No empty range, none that wraps, and no id twice. */
static int rpc_check_idmap(const struct cm_rpc_idmap *m, u32 n)
{
	u32 i, k;

	for (i = 0; i < n; i++) {
		if (m[i].count == 0 || m[i].first > ~0u - m[i].count ||
			m[i].lower > ~0u - m[i].count)
			return -EINVAL;
		for (k = 0; k < i; k++) {
			if ((m[k].first < m[i].first + m[i].count &&
				    m[i].first < m[k].first + m[k].count) ||
				(m[k].lower < m[i].lower + m[i].count &&
					m[i].lower < m[k].lower + m[k].count))
				return -EINVAL;
		}
	}
	return 0;
}

static int rpc_check_fds(const struct rpc_start *s)
{
	u32 i, k;

	for (i = 0; i < s->fixed.nfds; i++) {
		const struct cm_rpc_fd *f = &s->fds[i];

		if (!f->token || f->fd < 3 || f->fd >= CM_RPC_FD_NUMBERS || f->flags > 2)
			return -EINVAL;
		for (k = 0; k < i; k++) {
			if (s->fds[k].fd == f->fd)
				return -EINVAL;
		}
	}
	return 0;
}

static int rpc_check_records(const struct rpc_start *s)
{
	u32 i;

	if (rpc_check_fds(s) < 0)
		return -EINVAL;
	for (i = 0; i < s->fixed.nmounts; i++) {
		if (rpc_check_mount(&s->mounts[i]) < 0)
			return -EINVAL;
	}
	for (i = 0; i < s->fixed.ndevices; i++) {
		if (!rpc_is_device(s->devices[i].mode) || s->devices[i].major > 0xfff ||
			s->devices[i].minor > 0xfffff)
			return -EINVAL;
	}
	for (i = 0; i < s->fixed.nrlimits; i++) {
		if (s->rlimits[i].resource >= CM_RPC_RLIMITS_MAX ||
			s->rlimits[i].soft > s->rlimits[i].hard)
			return -EINVAL;
	}
	if (rpc_check_idmap(s->uidmap, s->fixed.nuidmap) < 0)
		return -EINVAL;
	return rpc_check_idmap(s->gidmap, s->fixed.ngidmap);
}

/* Does a path lead upwards? */
static bool rpc_leads_up(const char *path)
{
	for (; *path; path++) {
		if (path[0] == '.' && path[1] == '.')
			return true;
	}
	return false;
}

int rpc_decode_start(const void *p, u32 len, struct rpc_start *out)
{
	struct cursor c = { p, len };
	const struct cm_rpc_start *s = &out->fixed;
	const void *fixed = rpc_take(&c, 1, sizeof(*s));
	int ret;

	if (!fixed)
		return -EPROTO;
	memcpy(&out->fixed, fixed, sizeof(out->fixed));
	ret = rpc_check_fixed(s);
	if (ret < 0)
		return ret;
	out->rlimits = rpc_take(&c, s->nrlimits, sizeof(*out->rlimits));
	out->mounts = rpc_take(&c, s->nmounts, sizeof(*out->mounts));
	out->fds = rpc_take(&c, s->nfds, sizeof(*out->fds));
	out->devices = rpc_take(&c, s->ndevices, sizeof(*out->devices));
	out->filter = rpc_take(&c, s->nfilter, sizeof(*out->filter));
	out->uidmap = rpc_take(&c, s->nuidmap, sizeof(*out->uidmap));
	out->gidmap = rpc_take(&c, s->ngidmap, sizeof(*out->gidmap));
	out->groups = rpc_take(&c, s->ngroups, sizeof(*out->groups));
	if (!out->rlimits || !out->mounts || !out->fds || !out->devices || !out->filter ||
		!out->uidmap || !out->gidmap || !out->groups)
		return -EPROTO;
	ret = rpc_check_records(out);
	if (ret < 0)
		return ret;
	out->id = rpc_take_strings(&c, 1);
	out->rootfs_tag = rpc_take_strings(&c, 1);
	out->hostname = rpc_take_strings(&c, 1);
	out->domainname = rpc_take_strings(&c, 1);
	out->cwd = rpc_take_strings(&c, 1);
	out->file = rpc_take_strings(&c, 1);
	out->user = rpc_take_strings(&c, 1);
	out->initial_cgroup = rpc_take_strings(&c, 1);
	out->args = rpc_take_strings(&c, s->argc);
	out->env = rpc_take_strings(&c, s->envc);
	out->mount_words = rpc_take_strings(&c, 3 * s->nmounts);
	out->masked = rpc_take_strings(&c, s->nmasked);
	out->readonly = rpc_take_strings(&c, s->nreadonly);
	out->device_paths = rpc_take_strings(&c, s->ndevices);
	out->sysctls = rpc_take_strings(&c, 2 * s->nsysctls);
	out->cgroup = rpc_take_strings(&c, 2 * s->ncgroup);
	if (!out->id || !out->rootfs_tag || !out->hostname || !out->domainname || !out->cwd ||
		!out->file || !out->user || !out->initial_cgroup || !out->args || !out->env ||
		!out->mount_words || !out->masked || !out->readonly || !out->device_paths ||
		!out->sysctls || !out->cgroup || c.left != 0)
		return -EPROTO;
	return out->cwd[0] == '/' && !rpc_leads_up(out->initial_cgroup) ? 0 : -EINVAL;
}

int rpc_decode_exec(const void *p, u32 len, struct rpc_start *out)
{
	int ret = rpc_decode_start(p, len, out);
	const struct cm_rpc_start *s = &out->fixed;

	if (ret == 0 && (s->nmounts || s->nmasked || s->nreadonly || s->nuidmap ||
				(s->flags & ~RPC_EXEC_FLAGS)))
		return -EINVAL;
	return ret;
}

/* The fixed part, then n strings up to the end of the payload: the first, or NULL. */
static const char *rpc_take_call(struct cursor *c, void *fixed, u32 size, u32 n)
{
	const void *p = rpc_take(c, 1, size);
	const char *first = p ? rpc_take_strings(c, n) : NULL;

	if (!first || c->left)
		return NULL;
	memcpy(fixed, p, size);
	return first;
}

int rpc_decode_file(const void *p, u32 len, struct rpc_file *out)
{
	struct cursor c = { p, len };

	out->path = rpc_take_call(&c, &out->fixed, sizeof(out->fixed), 1);
	return out->path && out->fixed.reserved == 0 && out->fixed.token ? 0 : -EPROTO;
}

int rpc_decode_mount(const void *p, u32 len, struct rpc_mount *out)
{
	struct cursor c = { p, len };
	const char *word = rpc_take_call(&c, &out->fixed, sizeof(out->fixed), 4);
	char *v[5];

	if (!word || out->fixed.what < CM_RPC_MOUNT_NEW || out->fixed.what > CM_RPC_MOUNT_IMAGE ||
		(out->fixed.what == CM_RPC_MOUNT_IMAGE) != (out->fixed.image != 0) ||
		out->fixed.reserved)
		return -EPROTO;
	rpc_strings(word, v, 4);
	out->type = v[0];
	out->source = v[1];
	out->target = v[2];
	out->data = v[3];
	return 0;
}

int rpc_decode_cgroup(const void *p, u32 len, struct rpc_cgroup *out)
{
	struct cursor c = { p, len };
	const char *word = rpc_take_call(&c, &out->fixed, sizeof(out->fixed), 3);
	char *v[4];

	if (!word || out->fixed.write > 1 || out->fixed.reserved)
		return -EPROTO;
	rpc_strings(word, v, 3);
	out->path = v[0];
	out->file = v[1];
	out->value = v[2];
	return rpc_leads_up(out->path) || strchr(out->file, '/') ? -EINVAL : 0;
}

const char *rpc_strings(const char *s, char **v, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		v[i] = (char *)(unsigned long)s;
		s += strlen(s) + 1;
	}
	v[n] = NULL;
	return s;
}
