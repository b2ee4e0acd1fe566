/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of cgroups and its members. */
#include "cgroup/internal.h"

#include "cgroup/cgroup_ns.h"
#include "fs/internal.h"
#include "kernel/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/internal.h"

struct mutex cgroup_mutex;
struct spinlock cgroup_lock = { .rank = 45 };
struct cgroup cgroup_root;

static struct kcache cgroup_cache = KCACHE("cgroup", struct cgroup);
static u64 cgroup_next_ino = 1;

static void cgroup_setup(struct cgroup *cg)
{
	ref_init(&cg->ref);
	list_init(&cg->children);
	list_init(&cg->sibling);
	list_init(&cg->tasks);
	list_init(&cg->inodes);
	waitq_init(&cg->note_wq);
	cg->ino = cgroup_next_ino++;
	cg->max_descendants = cg->max_depth = CGROUP_UNLIMITED;
	cg->pids_max = CGROUP_UNLIMITED;
}

/* ---- walking ---- */
struct cgroup *cgroup_next(struct cgroup *pos, struct cgroup *top)
{
	if (!list_empty(&pos->children))
		return list_first_entry(&pos->children, struct cgroup, sibling);
	for (; pos != top; pos = pos->parent) {
		if (pos->sibling.next != &pos->parent->children)
			return list_entry(pos->sibling.next, struct cgroup, sibling);
	}
	return NULL;
}

bool cgroup_contains(const struct cgroup *outer, const struct cgroup *inner)
{
	while (inner && inner != outer)
		inner = inner->parent;
	return inner != NULL;
}

struct cgroup *cgroup_child(struct cgroup *cg, const char *name)
{
	struct cgroup *c;

	list_for_each_entry (c, &cg->children, sibling) {
		if (!strcmp(c->name, name))
			return c;
	}
	return NULL;
}

u32 cgroup_descendants(struct cgroup *cg)
{
	u32 n = 0;

	for (struct cgroup *c = cgroup_next(cg, cg); c; c = cgroup_next(c, cg))
		n++;
	return n;
}

static const struct cgroup *cgroup_common(const struct cgroup *a, const struct cgroup *b)
{
	while (a != b) {
		if (a->level >= b->level)
			a = a->parent;
		else
			b = b->parent;
	}
	return a;
}

/* The components from `above` (left out) down to cg. */
static size_t cgroup_path_below(
	const struct cgroup *cg, const struct cgroup *above, char *buf, size_t size)
{
	size_t n;

	if (cg == above)
		return 0;
	n = cgroup_path_below(cg->parent, above, buf, size);
	if (n < size)
		n += (size_t)str_format(buf + n, size - n, "/%s", cg->name);
	return n;
}

size_t cgroup_path(const struct cgroup *cg, const struct cgroup *root, char *buf, size_t size)
{
	const struct cgroup *top = cgroup_common(cg, root);
	size_t n = 0;

	buf[0] = 0;
	for (const struct cgroup *c = root; c != top && n < size; c = c->parent)
		n += (size_t)str_format(buf + n, size - n, "/..");
	if (n < size)
		n += cgroup_path_below(cg, top, buf + n, size - n);
	if (!n)
		n = (size_t)str_format(buf, size, "/");
	return MIN(n, size - 1);
}

/* ---- life ---- */
void cgroup_get(struct cgroup *cg)
{
	ref_get(&cg->ref);
}

void cgroup_put(struct cgroup *cg)
{
	while (cg && ref_put(&cg->ref)) {
		struct cgroup *parent = cg->parent;

		memcg_quiesce();
		cpucg_free(cg);
		kfree(cg->name);
		kcache_free(&cgroup_cache, cg);
		cg = parent;
	}
}

static int cgroup_check_limits(struct cgroup *parent)
{
	u32 depth = 1;

	for (struct cgroup *c = parent; c; c = c->parent, depth++) {
		if (cgroup_descendants(c) >= c->max_descendants || depth > c->max_depth)
			return -EAGAIN;
	}
	return 0;
}

int cgroup_create_locked(
	struct cgroup *parent, const char *name, u32 uid, u32 gid, u32 mode, struct cgroup **out)
{
	struct cgroup *cg;
	u64 flags;
	int err = cgroup_check_limits(parent);

	if (err)
		return err;
	cg = kcache_zalloc(&cgroup_cache);
	if (!cg)
		return -ENOMEM;
	cgroup_setup(cg);
	cg->parent = parent;
	cg->level = parent->level + 1;
	for (u32 i = 0; i < CG_FILES_MAX; i++)
		cg->attr[i] = (struct cg_attr){ uid, gid, i ? 0 : (u16)mode };
	cg->name = kstrdup(name);
	err = cg->name ? cpucg_create(cg) : -ENOMEM;
	if (!err)
		err = memcg_create(cg);
	if (err) {
		cpucg_free(cg);
		kfree(cg->name);
		kcache_free(&cgroup_cache, cg);
		return err;
	}
	cgroup_get(parent);
	flags = spin_lock_irq(&cgroup_lock);
	cg->freezers = parent->freezers;
	list_add_tail(&parent->children, &cg->sibling);
	spin_unlock_irq(&cgroup_lock, flags);
	if (parent->subtree & CG_CPU)
		cpucg_enabled(1);
	*out = cg;
	return 0;
}

int cgroup_remove_locked(struct cgroup *cg)
{
	u64 flags = spin_lock_irq(&cgroup_lock);

	if (!cg->parent || cg->live || !list_empty(&cg->children)) {
		spin_unlock_irq(&cgroup_lock, flags);
		return -EBUSY;
	}
	cg->dead = true;
	list_del(&cg->sibling);
	spin_unlock_irq(&cgroup_lock, flags);
	if (cg->parent->subtree & CG_CPU)
		cpucg_enabled(-1);
	cpucg_remove(cg);
	memcg_remove(cg);
	waitq_wake_all(&cg->note_wq);
	cgroup_put(cg);
	return 0;
}

int cgroup_remove(struct cgroup *cg)
{
	int err;

	mutex_lock(&cgroup_mutex);
	err = cg->dead ? -ENODEV : cgroup_remove_locked(cg);
	mutex_unlock(&cgroup_mutex);
	return err;
}

/* One step of cgroup_open: the child named by the first component of *path. */
static int cgroup_step(struct cgroup **at, const char **path, bool create)
{
	char name[CGROUP_NAME_MAX + 1];
	const char *end = strchr(*path, '/');
	size_t len = end ? (size_t)(end - *path) : strlen(*path);
	struct cgroup *child;
	int err = 0;

	if (len > CGROUP_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, *path, len);
	name[len] = 0;
	*path += len + (end ? 1 : 0);
	if (!len || !strcmp(name, "."))
		return 0;
	if (!strcmp(name, ".."))
		return -EINVAL;
	child = cgroup_child(*at, name);
	if (!child && !create)
		return -ENOENT;
	if (!child && ((*at)->subtree & CG_ALL) != CG_ALL)
		err = cgroup_enable(*at, CG_ALL, 0);
	if (!child && !err)
		err = cgroup_create_locked(*at, name, 0, 0, 0755, &child);
	if (!err)
		*at = child;
	return err;
}

int cgroup_open(const char *path, bool create, struct cgroup **out)
{
	struct cgroup *at = &cgroup_root;
	int err = 0;

	mutex_lock(&cgroup_mutex);
	while (!err && *path)
		err = cgroup_step(&at, &path, create);
	if (!err) {
		cgroup_get(at);
		*out = at;
	}
	mutex_unlock(&cgroup_mutex);
	return err;
}

/* ---- controllers ---- */
int cgroup_may_hold_tasks(const struct cgroup *cg)
{
	return cg->parent && cg->subtree ? -EBUSY : 0;
}

static void cgroup_disable_child(struct cgroup *c, u32 which)
{
	if (which & CG_CPU) {
		cpucg_reset(c);
		cpucg_enabled(-1);
	}
	if (which & CG_MEMORY)
		memcg_reset(c);
	if (which & CG_PIDS)
		atomic_store(&c->pids_max, CGROUP_UNLIMITED);
}

int cgroup_enable(struct cgroup *cg, u32 set, u32 clear)
{
	struct cgroup *c;
	u32 on = set & ~cg->subtree, off = clear & cg->subtree;

	if (set & ~cgroup_controllers(cg))
		return -ENOENT;
	list_for_each_entry (c, &cg->children, sibling) {
		if (c->subtree & off)
			return -EBUSY;
	}
	if (on && cg->parent && !list_empty(&cg->tasks))
		return -EBUSY;
	list_for_each_entry (c, &cg->children, sibling) {
		if (on & CG_CPU)
			cpucg_enabled(1);
		cgroup_disable_child(c, off);
	}
	cg->subtree = (cg->subtree | on) & ~off;
	return 0;
}

/* ---- announcements ---- */
static struct waitq note_thread_wq;
static u32 note_thread_work;

void cgroup_note(struct cgroup *cg, enum cg_note which)
{
	atomic_add(&cg->note_seq[which], 1);
	waitq_wake(&cg->note_wq, INT_MAX, POLLPRI | POLLERR);
	if (likely(!atomic_load(&inotify_active)))
		return;
	atomic_or(&cg->note_pending, 1u << which);
	atomic_store(&note_thread_work, 1);
	waitq_wake_all(&note_thread_wq);
}

/* The next cgroup that has news for inotify, with a reference. */
static struct cgroup *note_next(void)
{
	struct cgroup *c;

	mutex_lock(&cgroup_mutex);
	for (c = &cgroup_root; c; c = cgroup_next(c, &cgroup_root)) {
		if (atomic_load(&c->note_pending)) {
			cgroup_get(c);
			break;
		}
	}
	mutex_unlock(&cgroup_mutex);
	return c;
}

/* inotify takes a mutex, and most events come from where none may be taken. */
static void note_thread(void *arg)
{
	struct cgroup *c;

	(void)arg;
	for (;;) {
		wait_event(&note_thread_wq, atomic_xchg(&note_thread_work, 0));
		while ((c = note_next())) {
			cgroupfs_notify(c);
			cgroup_put(c);
		}
	}
}

/* ---- members ---- */
struct cgroup *cgroup_current_root(void)
{
	return nsproxy_current()->cgroup->root;
}

struct cgroup *cgroup_of_task(struct task *t)
{
	u64 flags = spin_lock_irq(&cgroup_lock);
	struct cgroup *cg = t->cgroup;

	if (cg)
		cgroup_get(cg);
	spin_unlock_irq(&cgroup_lock, flags);
	return cg;
}

size_t cgroup_path_of(struct task *t, char *buf, size_t size)
{
	struct cgroup *cg = cgroup_of_task(t);
	size_t n;

	if (!cg)
		return (size_t)str_format(buf, size, "/");
	n = cgroup_path(cg, cgroup_current_root(), buf, size);
	if (cg->dead && n < size)
		n += (size_t)str_format(buf + n, size - n, " (deleted)");
	cgroup_put(cg);
	return n;
}

static void cgroup_set_member(struct task *t, struct cgroup *cg)
{
	cgroup_get(cg);
	t->cgroup = cg;
}

int cgroup_fork(struct task *t, struct task *parent, struct cgroup *into)
{
	u64 flags;
	int err = 0;

	if (into) {
		mutex_lock(&cgroup_mutex);
		err = into->dead ? -ENODEV : cgroup_may_hold_tasks(into);
	}
	flags = spin_lock_irq(&cgroup_lock);
	if (!err)
		cgroup_set_member(t, into ? into : parent->cgroup);
	spin_unlock_irq(&cgroup_lock, flags);
	if (into)
		mutex_unlock(&cgroup_mutex);
	if (err)
		return err;
	err = pidcg_charge(t->cgroup);
	if (err) {
		cgroup_put(t->cgroup);
		t->cgroup = NULL;
		return err;
	}
	return 0;
}

int cgroup_spawn(struct task *t, struct cgroup *cg)
{
	int err;

	if (!cg)
		cg = &cgroup_root;
	err = pidcg_charge(cg);
	if (err)
		return err;
	cgroup_set_member(t, cg);
	return 0;
}

static void cgroup_enter_locked(struct task *t)
{
	list_add_tail(&t->cgroup->tasks, &t->cgroup_link);
	cgroup_count_locked(t->cgroup, 1, 0);
	sched_set_cgroup(t->thread, t->cgroup);
	cgroup_freeze_moved_locked(t);
}

void cgroup_publish_locked(struct task *t, struct task *parent, bool follow)
{
	struct cgroup *old = t->cgroup;

	if (!old)
		return;
	spin_lock(&cgroup_lock);
	if (follow && parent->cgroup != old) {
		pidcg_move(old, parent->cgroup, 1);
		cgroup_set_member(t, parent->cgroup);
	}
	cgroup_enter_locked(t);
	spin_unlock(&cgroup_lock);
	/* not the last reference: cgroup_mutex is not held, but the parent was in there a moment ago */
	if (old != t->cgroup)
		cgroup_put(old);
}

void cgroup_exit_locked(struct task *t)
{
	if (!t->cgroup)
		return;
	spin_lock(&cgroup_lock);
	sched_set_cgroup(t->thread, NULL);
	list_del(&t->cgroup_link);
	cgroup_count_locked(t->cgroup, -1, 0);
	spin_unlock(&cgroup_lock);
}

void cgroup_release(struct task *t)
{
	if (t->cgroup)
		pidcg_move(t->cgroup, NULL, 1);
	cgroup_put(t->cgroup);
	t->cgroup = NULL;
}

/* One thread, alive or a zombie, goes over. Both locks held. */
static void cgroup_move_locked(struct task *t, struct cgroup *cg, u32 *moved)
{
	struct cgroup *from = t->cgroup;
	bool alive = !list_empty(&t->cgroup_link);

	if (!from || from == cg)
		return;
	if (alive) {
		list_del(&t->cgroup_link);
		cgroup_count_locked(from, -1, t->cg_frozen ? -1 : 0);
	}
	pidcg_move(from, cg, 1);
	cgroup_set_member(t, cg);
	if (alive) {
		list_add_tail(&cg->tasks, &t->cgroup_link);
		cgroup_count_locked(cg, 1, t->cg_frozen ? 1 : 0);
		sched_set_cgroup(t->thread, cg);
		cgroup_freeze_moved_locked(t);
	}
	/* the tree keeps `from` alive: cgroup_mutex is held, and it had a member */
	ref_put(&from->ref);
	++*moved;
}

void cgroup_attach(struct group *g, struct cgroup *cg)
{
	u64 flags = tree_lock();
	struct task *t;
	u32 moved = 0;

	spin_lock(&cgroup_lock);
	list_for_each_entry (t, &g->tasks, group_link)
		cgroup_move_locked(t, cg, &moved);
	spin_unlock(&cgroup_lock);
	tree_unlock(flags);
}

void cgroup_kill(struct cgroup *cg)
{
	u64 flags = tree_lock();
	struct task *t;

	spin_lock(&cgroup_lock);
	for (struct cgroup *c = cg; c; c = cgroup_next(c, cg)) {
		list_for_each_entry (t, &c->tasks, cgroup_link)
			signal_send_group(t->group, SIGKILL, NULL);
	}
	spin_unlock(&cgroup_lock);
	tree_unlock(flags);
}

bool cgroup_populated(struct cgroup *cg)
{
	return READ_ONCE(cg->live) != 0;
}

u32 cgroup_count(void)
{
	u32 n;

	mutex_lock(&cgroup_mutex);
	n = cgroup_descendants(&cgroup_root) + 1;
	mutex_unlock(&cgroup_mutex);
	return n;
}

void cgroup_init(void)
{
	cgroup_setup(&cgroup_root);
	memcg_init_root(&cgroup_root);
	panic_if(cpucg_create(&cgroup_root) < 0);
	cgroup_root.subtree = CG_ALL;
	cgroupfs_init();
	cgroup_freeze_init();
	waitq_init(&note_thread_wq);
	if (!kthread_run(note_thread, NULL, "cgroup"))
		panic("cgroup: no memory");
}
