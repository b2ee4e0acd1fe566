/* SPDX-License-Identifier: Apache-2.0 */
/* No tasks, no rights: the rooms above guest/mm in host tests. */
#include "cgroup/cgroup.h"
#include "task/pid.h"
#include "task/task.h"

bool capable(int cap)
{
	(void)cap;
	return false;
}

void group_for_each_in(struct pid_ns *ns, bool (*fn)(struct group *g, void *arg), void *arg)
{
	(void)ns;
	(void)fn;
	(void)arg;
}

struct pid_ns pid_ns_root;

bool signal_pending(const struct task *t)
{
	(void)t;
	return false;
}

void group_get(struct group *g)
{
	(void)g;
}

void group_put(struct group *g)
{
	(void)g;
}

int signal_send_group(struct group *g, int sig, const siginfo_t *info)
{
	(void)g;
	(void)sig;
	(void)info;
	return 0;
}

/* ---- no cgroups either: nobody is charged */
struct cgroup *memcg_charge(struct page *p, bool force, struct cgroup **high)
{
	(void)p;
	(void)force;
	(void)high;
	return NULL;
}

bool memcg_try_charge(struct page *p)
{
	(void)p;
	return true;
}

void memcg_account(const struct page *p, enum memcg_stat what, s64 n)
{
	(void)p;
	(void)what;
	(void)n;
}

bool memcg_may_swap(const struct page *p)
{
	(void)p;
	return true;
}

void memcg_swap(u16 id, s64 n)
{
	(void)id;
	(void)n;
}

bool memcg_owns(const struct cgroup *cg, const struct page *p)
{
	(void)cg;
	(void)p;
	return false;
}

bool memcg_protects(const struct page *p, bool low)
{
	(void)p;
	(void)low;
	return false;
}

u64 memcg_cache(const struct cgroup *cg)
{
	(void)cg;
	return 0;
}

u64 memcg_limit(const struct cgroup *cg)
{
	(void)cg;
	return 0;
}

void memcg_event(struct cgroup *cg, enum memcg_event e)
{
	(void)cg;
	(void)e;
}

u64 memcg_high_delay(const struct cgroup *cg)
{
	(void)cg;
	return 0;
}

struct cgroup *memcg_oom_group(struct cgroup *victim, struct cgroup *cause)
{
	(void)victim;
	(void)cause;
	return NULL;
}

struct cgroup *cgroup_of_task(struct task *t)
{
	(void)t;
	return NULL;
}

bool cgroup_contains(const struct cgroup *outer, const struct cgroup *inner)
{
	(void)outer;
	(void)inner;
	return true;
}

void cgroup_kill(struct cgroup *cg)
{
	(void)cg;
}

void cgroup_put(struct cgroup *cg)
{
	(void)cg;
}
