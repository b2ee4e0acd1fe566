/* SPDX-License-Identifier: Apache-2.0 */
/* No tasks, no rights: the rooms above guest/mm in host tests. */
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
