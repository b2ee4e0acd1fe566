/* SPDX-License-Identifier: Apache-2.0 */
/* No tasks, no rights: the rooms above guest/mm in host tests. */
#include "task/task.h"

bool capable(int cap)
{
	(void)cap;
	return false;
}

void group_for_each(bool (*fn)(struct group *g, void *arg), void *arg)
{
	(void)fn;
	(void)arg;
}

struct group *group_find(int pid)
{
	(void)pid;
	return NULL;
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
