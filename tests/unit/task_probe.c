/* SPDX-License-Identifier: Apache-2.0 */
/* Plain access to signal queues and ids for host tests. */
#include "tests/unit/task_probe.h"

#include "lib/string.h"
#include "mm/slab.h"
#include "task/internal.h"
#include "task/user_ns.h"

static struct sigpending pending;
static struct task owner;

bool ns_capable(const struct user_ns *ns, int cap)
{
	(void)ns;
	return cap >= 0;
}

void probe_init(void)
{
	sigpending_init(&pending);
	memset(pid_ns_root.chunks, 0, sizeof(pid_ns_root.chunks));
	pid_ns_root.last = 0;
}

void probe_add(int sig, int value)
{
	struct sigqueue *q = NULL;

	if (value >= 0) {
		q = kzalloc(sizeof(*q));
		q->info.si_signo = sig;
		q->info.si_errno = value;
	}
	sigpending_add(&pending, sig, q);
}

int probe_take(int sig)
{
	struct sigqueue *q;
	int value = -1;

	if (!(pending.set & SIGMASK(sig)))
		return -2;
	q = sigpending_take(&pending, sig);
	if (q)
		value = q->info.si_errno;
	kfree(q);
	return value;
}

u64 probe_set(void)
{
	return pending.set;
}

int probe_remove(u64 mask)
{
	struct list_head out;
	struct sigqueue *q, *next;
	int n = 0;

	list_init(&out);
	sigpending_remove(&pending, mask, &out);
	list_for_each_entry_safe (q, next, &out, link) {
		list_del(&q->link);
		kfree(q);
		n++;
	}
	return n;
}

int probe_first(u64 set)
{
	return sigset_first(set);
}

int probe_action(int sig)
{
	return (int)sig_default_action(sig);
}

int probe_pid_alloc(void)
{
	struct pid *p;
	int ret = pid_alloc(&pid_ns_root, &owner, NULL, &p);

	return ret < 0 ? ret : pid_nr_own(p);
}

void probe_pid_free(int pid)
{
	pid_set_task(pid_find_locked(&pid_ns_root, pid), NULL);
}

void probe_pid_use(int pid, bool session, int delta)
{
	pid_use(pid_find_locked(&pid_ns_root, pid), session ? PID_SESSION : PID_GROUP, delta);
}

struct user_ns user_ns_root;

/* As ns.c. */
struct nsproxy *nsproxy_current(void)
{
	static struct nsproxy set = { .pid = &pid_ns_root };

	return &set;
}

/* pid.c names these; no test reaches them. */
void task_get(struct task *t)
{
}

void group_get(struct group *g)
{
}
