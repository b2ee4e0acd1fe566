/* SPDX-License-Identifier: Apache-2.0 */
#include "net/taskstats.h"

#include <linux/acct.h>

#include "fs/fdtable.h"
#include "fs/vfs.h"
#include "kernel/errno.h"
#include "mm/slab.h"
#include "net/genl.h"
#include "net/netlink.h"
#include "task/signal.h"
#include "task/taskstats.h"
#include "task/user_ns.h"

static struct mutex listeners_lock; /* protects: listeners */
static struct list_head listeners = LIST_HEAD_INIT(listeners);
static u32 numbers[64]; /* of the records of each CPU; atomic */

static s32 answer_stats(bool process, s32 id, struct taskstats *out)
{
	struct task *t = task_find(id);

	if (!t)
		return -ESRCH;
	if (process)
		taskstats_of_group(t->group, out);
	else
		taskstats_of_task(t, pid_ns_current(), user_ns_current(), out);
	task_put(t);
	return 0;
}

static void set_cpus(struct exit_listener *l, u64 cpus)
{
	mutex_lock(&listeners_lock);
	l->cpus = cpus;
	list_del(&l->link);
	list_init(&l->link);
	if (cpus)
		list_add_tail(&listeners, &l->link);
	mutex_unlock(&listeners_lock);
}

/* Numbers and ids of what is told are those of the first namespaces. */
static s32 answer_listen(struct exit_listener *l, u64 cpus, bool on)
{
	if (user_ns_current() != &user_ns_root || pid_ns_current() != &pid_ns_root)
		return -EINVAL;
	set_cpus(l, on ? l->cpus | cpus : l->cpus & ~cpus);
	return 0;
}

static bool answer_is_open(u32 fd)
{
	struct file *f = fd_get((int)fd);

	if (f)
		file_put(f);
	return f != NULL;
}

const struct genl_kernel *taskstats_ask(struct genl_kernel *k)
{
	k->cpus = cpu_count();
	k->stats = answer_stats;
	k->listen = answer_listen;
	k->is_open = answer_is_open;
	return k;
}

void taskstats_unlisten(struct exit_listener *l)
{
	set_cpus(l, 0);
}

static void tell(u32 cpu, const struct nl_answer *record)
{
	struct exit_listener *l;

	mutex_lock(&listeners_lock);
	list_for_each_entry (l, &listeners, link) {
		if (l->cpus & (1UL << cpu))
			netlink_tell_exit(l, record->buf, record->len);
	}
	mutex_unlock(&listeners_lock);
}

/* As Linux: a process that never had two threads is told of as one thread. */
static void make_record(struct task *t, bool last, u32 seq, struct nl_answer *record)
{
	struct group *g = t->group;
	struct taskstats thread, process;
	bool two = last && g->had_threads;

	taskstats_of_task(t, &pid_ns_root, &user_ns_root, &thread);
	if (last)
		thread.ac_flag |= AGROUP;
	if (two)
		taskstats_of_group(g, &process);
	genl_exit_record(
		record, seq, thread.ac_pid, &thread, thread.ac_tgid, two ? &process : NULL);
}

void taskstats_exit(struct task *t, bool last)
{
	u32 cpu = cpu_id();
	struct nl_answer *record;

	if (list_empty(&listeners))
		return;
	record = kmalloc(sizeof(*record));
	if (!record)
		return;
	make_record(t, last, atomic_add(&numbers[cpu], 1u) - 1, record);
	tell(cpu, record);
	kfree(record);
}
