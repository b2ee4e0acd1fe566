/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of NETLINK_GENERIC. The attributes of a request are collected in an array by their type, as Linux does: the last of a type counts,
 * unknown ones do not, and each must be as its family wants it.
 */
#include "net/genl.h"

#include <linux/cgroupstats.h>
#include <linux/genetlink.h>

#include "kernel/cpulist.h"
#include "kernel/errno.h"
#include "lib/string.h"

#define GENL_ID_TASKSTATS GENL_START_ALLOC
#define CTRL_VERSION	  2
#define CTRL_GROUP	  GENL_ID_CTRL /* of the families that come and go, which none does here */
#define CPULIST_MAX	  (100 + 6 * 64) /* bytes that Linux takes for 64 CPUs */
#define ATTR_MAX	  TASKSTATS_CMD_ATTR_MAX

enum attr_kind {
	ATTR_ANY,
	ATTR_U16,
	ATTR_U32,
	ATTR_STRING, /* not empty */
	ATTR_NAME /* at most GENL_NAMSIZ bytes with the 0 at the end */
};

struct attr {
	const u8 *data; /* NULL: not there */
	u32 len;
};

struct genl_call {
	struct nl_writer w;
	const struct genl_kernel *k;
	struct attr attrs[ATTR_MAX + 1];
};

struct genl_op {
	u8 cmd;
	u8 flags; /* GENL_* */
	u8 attr_max;
	const u8 *kinds; /* attr_max + 1 of enum attr_kind */
	s32 (*one)(struct genl_call *c);
	s32 (*dump)(struct genl_call *c);
};

struct genl_family {
	const char *name;
	u16 id;
	u8 version;
	u8 group; /* number of its one group, 0 = none */
	const char *group_name;
	u32 nops;
	const struct genl_op *ops;
};

/* ---- attributes ---- */

static s32 check_name(const u8 *s, u32 len)
{
	u32 head = MIN(len, (u32)GENL_NAMSIZ);

	if (!head || !memchr(s, '\0', head))
		return -EINVAL;
	return len - (s[len - 1] == '\0') > GENL_NAMSIZ - 1 ? -ERANGE : 0;
}

static s32 check_attr(u8 kind, const struct nl_attr *a)
{
	switch (kind) {
	case ATTR_U16:
		return a->len < sizeof(u16) ? -ERANGE : 0;
	case ATTR_U32:
		return a->len < sizeof(u32) ? -ERANGE : 0;
	case ATTR_STRING:
		return a->len < 1 ? -ERANGE : 0;
	case ATTR_NAME:
		return check_name(a->data, a->len);
	default:
		return 0;
	}
}

static s32 collect(struct genl_call *c, const struct genl_op *op, const struct nlmsghdr *h)
{
	struct nl_attr a;

	nl_attrs(&a, h, NLMSG_LENGTH(GENL_HDRLEN));
	while (nl_attr_next(&a)) {
		s32 r;

		if (!a.type || a.type > op->attr_max)
			continue;
		r = check_attr(op->kinds[a.type], &a);
		if (r)
			return r;
		c->attrs[a.type] = (struct attr){ a.data, a.len };
	}
	return 0;
}

static u32 attr_u32(const struct attr *a)
{
	u32 v;

	memcpy(&v, a->data, sizeof(v));
	return v;
}

static void message(struct nl_writer *w, u16 family, u8 cmd, u8 version)
{
	struct genlmsghdr *g = nl_begin(w, family, GENL_HDRLEN);

	if (!g)
		return;
	g->cmd = cmd;
	g->version = version;
}

/* ---- TASKSTATS ---- */

static void put_stats(struct nl_writer *w, bool process, u32 id, const struct taskstats *stats)
{
	struct nlattr *nest =
		nl_nest(w, process ? TASKSTATS_TYPE_AGGR_TGID : TASKSTATS_TYPE_AGGR_PID);

	nl_put_u32(w, process ? TASKSTATS_TYPE_TGID : TASKSTATS_TYPE_PID, id);
	nl_put(w, TASKSTATS_TYPE_STATS, stats, sizeof(*stats));
	nl_nest_end(w, nest);
}

static s32 stats_of(struct genl_call *c, bool process, const struct attr *id)
{
	struct taskstats stats;
	s32 r = c->k->stats(process, (s32)attr_u32(id), &stats);

	if (r)
		return r;
	message(&c->w, GENL_ID_TASKSTATS, TASKSTATS_CMD_NEW, TASKSTATS_GENL_VERSION);
	put_stats(&c->w, process, attr_u32(id), &stats);
	nl_end(&c->w);
	return 0;
}

static s32 listen(const struct genl_call *c, const struct attr *list, bool on)
{
	char text[CPULIST_MAX + 1];
	u64 cpus;
	s32 r;

	if (list->len > CPULIST_MAX)
		return -E2BIG;
	memcpy(text, list->data, list->len);
	text[list->len] = '\0';
	r = cpulist_parse(text, c->k->cpus, &cpus);
	return r ? r : c->k->listen(c->k->listener, cpus, on);
}

static s32 taskstats_get(struct genl_call *c)
{
	const struct attr *a = c->attrs;

	if (a[TASKSTATS_CMD_ATTR_REGISTER_CPUMASK].data)
		return listen(c, &a[TASKSTATS_CMD_ATTR_REGISTER_CPUMASK], true);
	if (a[TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK].data)
		return listen(c, &a[TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK], false);
	if (a[TASKSTATS_CMD_ATTR_PID].data)
		return stats_of(c, false, &a[TASKSTATS_CMD_ATTR_PID]);
	if (a[TASKSTATS_CMD_ATTR_TGID].data)
		return stats_of(c, true, &a[TASKSTATS_CMD_ATTR_TGID]);
	return -EINVAL;
}

/* Of a directory of cgroup v1, which there is none of. */
static s32 cgroupstats_get(struct genl_call *c)
{
	const struct attr *fd = &c->attrs[CGROUPSTATS_CMD_ATTR_FD];

	return fd->data && !c->k->is_open(attr_u32(fd)) ? 0 : -EINVAL;
}

static const u8 taskstats_kinds[] = {
	[TASKSTATS_CMD_ATTR_PID] = ATTR_U32,
	[TASKSTATS_CMD_ATTR_TGID] = ATTR_U32,
	[TASKSTATS_CMD_ATTR_REGISTER_CPUMASK] = ATTR_STRING,
	[TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK] = ATTR_STRING,
};
static const u8 cgroupstats_kinds[] = { [CGROUPSTATS_CMD_ATTR_FD] = ATTR_U32 };
static const struct genl_op taskstats_ops[] = {
	{ TASKSTATS_CMD_GET, GENL_ADMIN_PERM | GENL_CMD_CAP_DO | GENL_CMD_CAP_HASPOL,
		TASKSTATS_CMD_ATTR_MAX, taskstats_kinds, taskstats_get, NULL },
	{ CGROUPSTATS_CMD_GET, GENL_CMD_CAP_DO | GENL_CMD_CAP_HASPOL, CGROUPSTATS_CMD_ATTR_MAX,
		cgroupstats_kinds, cgroupstats_get, NULL },
};

/* ---- nlctrl ---- */

static s32 ctrl_get(struct genl_call *c);
static s32 ctrl_dump(struct genl_call *c);

static const u8 ctrl_kinds[] = {
	[CTRL_ATTR_FAMILY_ID] = ATTR_U16,
	[CTRL_ATTR_FAMILY_NAME] = ATTR_NAME,
};
static const struct genl_op ctrl_ops[] = {
	{ CTRL_CMD_GETFAMILY, GENL_CMD_CAP_DO | GENL_CMD_CAP_DUMP | GENL_CMD_CAP_HASPOL,
		CTRL_ATTR_FAMILY_NAME, ctrl_kinds, ctrl_get, ctrl_dump },
};
static const struct genl_family families[] = {
	{ "nlctrl", GENL_ID_CTRL, CTRL_VERSION, CTRL_GROUP, "notify", ARRAY_SIZE(ctrl_ops),
		ctrl_ops },
	{ TASKSTATS_GENL_NAME, GENL_ID_TASKSTATS, TASKSTATS_GENL_VERSION, 0, NULL,
		ARRAY_SIZE(taskstats_ops), taskstats_ops },
};

static const struct genl_family *family_of(u32 id)
{
	for (u32 i = 0; i < ARRAY_SIZE(families); i++) {
		if (families[i].id == id)
			return &families[i];
	}
	return NULL;
}

static const struct genl_family *family_named(const char *name)
{
	for (u32 i = 0; i < ARRAY_SIZE(families); i++) {
		if (!strcmp(families[i].name, name))
			return &families[i];
	}
	return NULL;
}

static void put_ops(struct nl_writer *w, const struct genl_family *f)
{
	struct nlattr *all = nl_nest(w, CTRL_ATTR_OPS);

	for (u32 i = 0; i < f->nops; i++) {
		struct nlattr *one = nl_nest(w, (u16)(i + 1));

		nl_put_u32(w, CTRL_ATTR_OP_ID, f->ops[i].cmd);
		nl_put_u32(w, CTRL_ATTR_OP_FLAGS, f->ops[i].flags);
		nl_nest_end(w, one);
	}
	nl_nest_end(w, all);
}

static void put_group(struct nl_writer *w, const struct genl_family *f)
{
	struct nlattr *all, *one;

	if (!f->group)
		return;
	all = nl_nest(w, CTRL_ATTR_MCAST_GROUPS);
	one = nl_nest(w, 1);
	nl_put_u32(w, CTRL_ATTR_MCAST_GRP_ID, f->group);
	nl_put_string(w, CTRL_ATTR_MCAST_GRP_NAME, f->group_name);
	nl_nest_end(w, one);
	nl_nest_end(w, all);
}

static void put_family(struct nl_writer *w, const struct genl_family *f)
{
	message(w, GENL_ID_CTRL, CTRL_CMD_NEWFAMILY, CTRL_VERSION);
	nl_put_string(w, CTRL_ATTR_FAMILY_NAME, f->name);
	nl_put_u16(w, CTRL_ATTR_FAMILY_ID, f->id);
	nl_put_u32(w, CTRL_ATTR_VERSION, f->version);
	nl_put_u32(w, CTRL_ATTR_HDRSIZE, 0);
	nl_put_u32(w, CTRL_ATTR_MAXATTR, 0); /* it differs from command to command */
	put_ops(w, f);
	put_group(w, f);
	nl_end(w);
}

/* A name counts more than a number. */
static s32 ctrl_get(struct genl_call *c)
{
	const struct attr *id = &c->attrs[CTRL_ATTR_FAMILY_ID],
			  *name = &c->attrs[CTRL_ATTR_FAMILY_NAME];
	const struct genl_family *f = NULL;
	u16 nr;

	if (!id->data && !name->data)
		return -EINVAL;
	if (name->data) {
		f = family_named((const char *)name->data);
	} else {
		memcpy(&nr, id->data, sizeof(nr));
		f = family_of(nr);
	}
	if (!f)
		return -ENOENT;
	put_family(&c->w, f);
	return 0;
}

static s32 ctrl_dump(struct genl_call *c)
{
	for (u32 i = 0; i < ARRAY_SIZE(families); i++)
		put_family(&c->w, &families[i]);
	return 0;
}

/* ---- requests ---- */

static const struct genl_op *op_of(const struct genl_family *f, u8 cmd)
{
	for (u32 i = 0; i < f->nops; i++) {
		if (f->ops[i].cmd == cmd)
			return &f->ops[i];
	}
	return NULL;
}

static s32 find_op(const struct nlmsghdr *h, bool dump, bool admin, const struct genl_op **out)
{
	const struct genl_family *f = family_of(h->nlmsg_type);
	struct genlmsghdr g;
	const struct genl_op *op;

	if (!f)
		return -ENOENT;
	if (h->nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN))
		return -EINVAL;
	memcpy(&g, (const u8 *)h + NLMSG_HDRLEN, sizeof(g));
	op = op_of(f, g.cmd);
	if (!op || (dump && !op->dump))
		return -EOPNOTSUPP;
	if ((op->flags & GENL_ADMIN_PERM) && !admin)
		return -EPERM;
	*out = op;
	return 0;
}

s32 genl_request(
	const struct nlmsghdr *h, u32 portid, const struct genl_kernel *k, struct nl_answer *out)
{
	bool dump = (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	struct genl_call c = { .w = { .out = out,
				       .seq = h->nlmsg_seq,
				       .portid = portid,
				       .flags = dump ? NLM_F_MULTI : 0 },
		.k = k };
	const struct genl_op *op = NULL;
	s32 r = find_op(h, dump, k->admin, &op);

	out->len = 0;
	out->done = false;
	if (!r && !dump)
		r = collect(&c, op, h);
	if (!r)
		r = dump ? op->dump(&c) : op->one(&c);
	out->done = !r && dump;
	return r;
}

void genl_exit_record(struct nl_answer *out, u32 seq, u32 pid, const struct taskstats *thread,
	u32 tgid, const struct taskstats *process)
{
	struct nl_writer w = { .out = out, .seq = seq };

	out->len = 0;
	out->done = false;
	message(&w, GENL_ID_TASKSTATS, TASKSTATS_CMD_NEW, TASKSTATS_GENL_VERSION);
	put_stats(&w, false, pid, thread);
	if (process)
		put_stats(&w, true, tgid, process);
	nl_end(&w);
}
