/* SPDX-License-Identifier: Apache-2.0 */
/* The core's control files, what all files are made with, and access to them without a file system. */
#include "cgroup/internal.h"

#include "fs/internal.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/internal.h"

const struct cg_file *cg_files[CG_FILES_MAX];

static const struct {
	const char *name;
	u32 bit;
} cg_controllers[] = { { "cpu", CG_CPU }, { "memory", CG_MEMORY }, { "pids", CG_PIDS } };

/* ---- text ---- */
char *cg_word(char **cursor)
{
	char *p = *cursor, *word;

	while (*p == ' ' || *p == '\t' || *p == '\n')
		p++;
	if (!*p)
		return NULL;
	word = p;
	while (*p && *p != ' ' && *p != '\t' && *p != '\n')
		p++;
	if (*p)
		*p++ = 0;
	*cursor = p;
	return word;
}

int cg_parse_u64(const char *text, u64 *out)
{
	u64 v = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(v, 10UL, &v) ||
			__builtin_add_overflow(v, (u64)(*text - '0'), &v))
			return -EINVAL;
	}
	*out = v;
	return 0;
}

int cg_parse_max(const char *text, u64 *out)
{
	if (!strcmp(text, "max")) {
		*out = CGROUP_UNLIMITED;
		return 0;
	}
	return cg_parse_u64(text, out);
}

int cg_parse_pages(const char *text, s64 *out)
{
	static const char suffixes[] = "kmgt";
	size_t len = strlen(text);
	char digits[24];
	u32 shift = 0;
	u64 v;

	if (!strcmp(text, "max")) {
		*out = (s64)CGROUP_UNLIMITED;
		return 0;
	}
	if (!len || len >= sizeof(digits))
		return -EINVAL;
	str_copy(digits, text, sizeof(digits));
	for (u32 i = 0; suffixes[i]; i++) {
		if ((digits[len - 1] | 32) == suffixes[i])
			shift = 10 * (i + 1);
	}
	if (shift)
		digits[len - 1] = 0;
	if (cg_parse_u64(digits, &v))
		return -EINVAL;
	/* more than an address space holds is no limit */
	if (v >= CGROUP_UNLIMITED >> shift)
		*out = (s64)CGROUP_UNLIMITED;
	else
		*out = (s64)((v << shift) / PAGE_SIZE);
	return 0;
}

void cg_print_max(struct proc_buf *b, u64 v)
{
	if (v == CGROUP_UNLIMITED)
		proc_printf(b, "max\n");
	else
		proc_printf(b, "%lu\n", (unsigned long)v);
}

/* ---- members ---- */
/* The number of a process or thread for the reader: 0 where it is in another namespace. */
static int member_id(const struct task *t, bool threads)
{
	return pid_nr(threads ? t->id : t->group->id);
}

static int members_show(struct proc_buf *b, struct cgroup *cg, bool threads)
{
	u64 flags = spin_lock_irq(&cgroup_lock);
	u32 n = 0, room = 0;
	struct task *t;
	int *ids;

	list_for_each_entry (t, &cg->tasks, cgroup_link)
		room++;
	spin_unlock_irq(&cgroup_lock, flags);
	ids = kmalloc((room + 1) * sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	flags = spin_lock_irq(&cgroup_lock);
	list_for_each_entry (t, &cg->tasks, cgroup_link) {
		int id = member_id(t, threads);

		if (n < room && (!n || ids[n - 1] != id))
			ids[n++] = id;
	}
	spin_unlock_irq(&cgroup_lock, flags);
	for (u32 i = 0; i < n; i++) {
		bool seen = false;

		for (u32 k = 0; k < i && !threads && !seen; k++)
			seen = ids[k] == ids[i];
		if (!seen && ids[i])
			proc_printf(b, "%d\n", ids[i]);
	}
	kfree(ids);
	return 0;
}

static int procs_show(struct proc_buf *b, struct cgroup *cg)
{
	return members_show(b, cg, false);
}

static int threads_show(struct proc_buf *b, struct cgroup *cg)
{
	return members_show(b, cg, true);
}

static struct cgroup *common_ancestor(struct cgroup *a, struct cgroup *b)
{
	while (!cgroup_contains(a, b))
		a = a->parent;
	return a;
}

/* May the opener move a process from one cgroup to the other? cgroup_mutex held. */
static int move_allowed(struct cgroup *from, struct cgroup *to, struct file *opener)
{
	struct cgroup *root = cgroup_current_root();

	if (!opener)
		return 0;
	if (!cgroup_contains(root, from) || !cgroup_contains(root, to))
		return -ENOENT;
	return cgroupfs_may_write(
		opener, common_ancestor(from, to), cg_file_find(to, "cgroup.procs"));
}

static int member_move(struct cgroup *cg, struct task *t, struct file *opener, bool thread)
{
	struct cgroup *from = cgroup_of_task(t);
	int err;

	if (!from)
		return -EINVAL; /* a thread of the kernel */
	mutex_lock(&cgroup_mutex);
	err = cg->dead ? -ENODEV : move_allowed(from, cg, opener);
	if (!err)
		err = cgroup_may_hold_tasks(cg);
	/* Threads of one process are in different cgroups of a threaded subtree only, and there is none. */
	if (!err && thread && from != cg)
		err = -EOPNOTSUPP;
	if (!err)
		cgroup_attach(t->group, cg);
	mutex_unlock(&cgroup_mutex);
	cgroup_put(from);
	return err;
}

static int member_write(struct cgroup *cg, const char *text, struct file *opener, bool thread)
{
	struct task *t = task_current();
	u64 id;
	int err = cg_parse_u64(text, &id);

	if (err || id > INT32_MAX)
		return -EINVAL;
	if (id) {
		t = task_find((int)id);
		if (!t)
			return -ESRCH;
	} else if (t) {
		task_get(t);
	} else {
		return -EINVAL;
	}
	err = READ_ONCE(t->dead) && !thread && !READ_ONCE(t->group->nlive)
		      ? -ESRCH
		      : member_move(cg, t, opener, thread);
	task_put(t);
	return err;
}

static int procs_write(struct cgroup *cg, char *text, struct file *opener)
{
	return member_write(cg, text, opener, false);
}

static int threads_write(struct cgroup *cg, char *text, struct file *opener)
{
	return member_write(cg, text, opener, true);
}

/* ---- the rest of the core ---- */
static void print_controllers(struct proc_buf *b, u32 bits)
{
	const char *sep = "";

	for (u32 i = 0; i < ARRAY_SIZE(cg_controllers); i++) {
		if (bits & cg_controllers[i].bit) {
			proc_printf(b, "%s%s", sep, cg_controllers[i].name);
			sep = " ";
		}
	}
	if (bits)
		proc_printf(b, "\n");
}

static int controllers_show(struct proc_buf *b, struct cgroup *cg)
{
	print_controllers(b, cgroup_controllers(cg));
	return 0;
}

static int subtree_show(struct proc_buf *b, struct cgroup *cg)
{
	print_controllers(b, cg->subtree);
	return 0;
}

static u32 controller_bit(const char *name)
{
	for (u32 i = 0; i < ARRAY_SIZE(cg_controllers); i++) {
		if (!strcmp(name, cg_controllers[i].name))
			return cg_controllers[i].bit;
	}
	return 0;
}

static int subtree_write(struct cgroup *cg, char *text, struct file *opener)
{
	u32 set = 0, clear = 0;
	char *word;
	int err;

	(void)opener;
	while ((word = cg_word(&text))) {
		u32 bit = controller_bit(word + 1);

		if ((*word != '+' && *word != '-') || !bit)
			return -EINVAL;
		if (*word == '+') {
			set |= bit;
			clear &= ~bit;
		} else {
			clear |= bit;
			set &= ~bit;
		}
	}
	mutex_lock(&cgroup_mutex);
	err = cg->dead ? -ENODEV : cgroup_enable(cg, set, clear);
	mutex_unlock(&cgroup_mutex);
	return err;
}

static int events_show(struct proc_buf *b, struct cgroup *cg)
{
	u64 flags = spin_lock_irq(&cgroup_lock);
	bool populated = cg->live, frozen = cgroup_is_frozen(cg);

	spin_unlock_irq(&cgroup_lock, flags);
	proc_printf(b, "populated %d\nfrozen %d\n", populated, frozen);
	return 0;
}

static int freeze_show(struct proc_buf *b, struct cgroup *cg)
{
	proc_printf(b, "%d\n", cg->freeze);
	return 0;
}

static int freeze_write(struct cgroup *cg, char *text, struct file *opener)
{
	u64 v;
	int err = cg_parse_u64(text, &v);

	(void)opener;
	if (!err && v > 1)
		err = -ERANGE;
	if (err)
		return err;
	mutex_lock(&cgroup_mutex);
	if (cg->dead)
		err = -ENODEV;
	else
		cgroup_set_freeze(cg, v);
	mutex_unlock(&cgroup_mutex);
	return err;
}

static int kill_write(struct cgroup *cg, char *text, struct file *opener)
{
	u64 v;
	int err = cg_parse_u64(text, &v);

	(void)opener;
	if (!err && v != 1)
		err = -ERANGE;
	if (!err)
		cgroup_kill(cg);
	return err;
}

static int type_show(struct proc_buf *b, struct cgroup *cg)
{
	(void)cg;
	proc_printf(b, "domain\n");
	return 0;
}

static int type_write(struct cgroup *cg, char *text, struct file *opener)
{
	(void)cg;
	(void)opener;
	return strcmp(text, "threaded") ? -EINVAL : -EOPNOTSUPP;
}

static int stat_show(struct proc_buf *b, struct cgroup *cg)
{
	proc_printf(b, "nr_descendants %u\nnr_dying_descendants 0\n", cgroup_descendants(cg));
	return 0;
}

static int limit_write(u64 *field, const char *text)
{
	u64 v;
	int err = cg_parse_max(text + (*text == '-'), &v);

	if (!err && (*text == '-' || (v != CGROUP_UNLIMITED && v > INT32_MAX)))
		err = -ERANGE;
	if (!err)
		WRITE_ONCE(*field, v);
	return err;
}

static int max_descendants_show(struct proc_buf *b, struct cgroup *cg)
{
	cg_print_max(b, cg->max_descendants);
	return 0;
}

static int max_descendants_write(struct cgroup *cg, char *text, struct file *opener)
{
	(void)opener;
	return limit_write(&cg->max_descendants, text);
}

static int max_depth_show(struct proc_buf *b, struct cgroup *cg)
{
	cg_print_max(b, cg->max_depth);
	return 0;
}

static int max_depth_write(struct cgroup *cg, char *text, struct file *opener)
{
	(void)opener;
	return limit_write(&cg->max_depth, text);
}

const struct cg_file cg_core_files[] = {
	{ "cgroup.controllers", 0444, 0, CG_ON_ALL, CG_NOTE_NONE, controllers_show, NULL },
	{ "cgroup.events", 0444, 0, CG_ON_OTHER, CG_NOTE_EVENTS, events_show, NULL },
	{ "cgroup.freeze", 0644, 0, CG_ON_OTHER, CG_NOTE_NONE, freeze_show, freeze_write },
	{ "cgroup.kill", 0200, 0, CG_ON_OTHER, CG_NOTE_NONE, NULL, kill_write },
	{ "cgroup.max.depth", 0644, 0, CG_ON_ALL, CG_NOTE_NONE, max_depth_show, max_depth_write },
	{ "cgroup.max.descendants", 0644, 0, CG_ON_ALL, CG_NOTE_NONE, max_descendants_show,
		max_descendants_write },
	{ "cgroup.procs", 0644, 0, CG_ON_ALL, CG_NOTE_NONE, procs_show, procs_write },
	{ "cgroup.stat", 0444, 0, CG_ON_ALL, CG_NOTE_NONE, stat_show, NULL },
	{ "cgroup.subtree_control", 0644, 0, CG_ON_ALL, CG_NOTE_NONE, subtree_show, subtree_write },
	{ "cgroup.threads", 0644, 0, CG_ON_ALL, CG_NOTE_NONE, threads_show, threads_write },
	{ "cgroup.type", 0644, 0, CG_ON_OTHER, CG_NOTE_NONE, type_show, type_write },
	{ .name = NULL },
};

/* ---- finding and using them ---- */
bool cg_file_there(const struct cgroup *cg, const struct cg_file *f)
{
	return f && (f->where & (cg->parent ? CG_ON_OTHER : CG_ON_ROOT)) &&
	       !(f->controller & ~cgroup_controllers(cg));
}

u32 cg_file_find(const struct cgroup *cg, const char *name)
{
	for (u32 i = 1; i < CG_FILES_MAX && cg_files[i]; i++) {
		if (!strcmp(cg_files[i]->name, name))
			return cg_file_there(cg, cg_files[i]) ? i : 0;
	}
	return 0;
}

void cg_files_init(void)
{
	static const struct cg_file *const tables[] = { cg_core_files, cg_cpu_files,
		cg_memory_files, cg_pids_files };
	u32 n = 1;

	for (u32 t = 0; t < ARRAY_SIZE(tables); t++) {
		for (const struct cg_file *f = tables[t]; f->name; f++) {
			panic_if(n == CG_FILES_MAX);
			cg_files[n++] = f;
		}
	}
}

static const struct cg_file *cg_file_of(struct cgroup *cg, const char *name)
{
	u32 i;

	mutex_lock(&cgroup_mutex);
	i = cg->dead ? 0 : cg_file_find(cg, name);
	mutex_unlock(&cgroup_mutex);
	return i ? cg_files[i] : NULL;
}

s64 cgroup_read_file(struct cgroup *cg, const char *file, char *buf, size_t size)
{
	const struct cg_file *f = cg_file_of(cg, file);
	struct proc_buf b = { NULL, 0, 0, false };
	s64 ret;

	if (!f || !f->show)
		return f ? -EOPNOTSUPP : -ENOENT;
	mutex_lock(&cgroup_mutex);
	ret = f->show(&b, cg);
	mutex_unlock(&cgroup_mutex);
	if (!ret && (b.failed || b.len + 1 > size))
		ret = b.failed ? -ENOMEM : -EOVERFLOW;
	if (!ret) {
		memcpy(buf, b.text, b.len);
		buf[b.len] = 0;
		ret = (s64)b.len;
	}
	kfree(b.text);
	return ret;
}

int cgroup_write_file(struct cgroup *cg, const char *file, const char *text)
{
	const struct cg_file *f = cg_file_of(cg, file);
	char *copy;
	int ret;

	if (!f || !f->write)
		return f ? -EOPNOTSUPP : -ENOENT;
	copy = kstrdup(text);
	if (!copy)
		return -ENOMEM;
	ret = f->write(cg, copy, NULL);
	kfree(copy);
	return ret;
}
