/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container may use of the guest: memory and tasks. Set with its start, changed by LIMIT while it runs. A limit below what is in use
 * takes away what can be had without harm, the cached pages; what else is missing is missed by the next program that asks for memory.
 */
#include "agent/internal.h"

#include "cgroup/cgroup.h"
#include "kernel/log.h"
#include "lib/printf.h"
#include "mm/page.h"
#include "mm/reclaim.h"

#define LIMIT_STEP   1024u /* pages to ask for at a time */
#define LIMIT_ROUNDS 256u

static void limit_write(const struct agent_container *c, const char *file, u64 v)
{
	char text[24] = "max";
	int ret;

	if (v)
		str_format(text, sizeof(text), "%lu", (unsigned long)v);
	ret = cgroup_write_file(c->cgroup, file, text);
	if (ret < 0)
		log_warn("agent: %s: error %d", file, ret);
}

void agent_limit_set(struct agent_container *c, u64 memory, u32 pids)
{
	c->limit.memory = memory;
	c->limit.pids = pids;
	/* The root container's is also that of the sandbox. */
	if (c->number == 1)
		page_set_limit(memory ? memory >> PAGE_SHIFT : ~0UL);
	limit_write(c, "memory.max", memory);
	limit_write(c, "pids.max", pids);
}

/* Caches make room for a lower limit. */
static void limit_make_room(void)
{
	struct page_stats st;

	for (u32 i = 0; i < LIMIT_ROUNDS; i++) {
		page_stats(&st);
		if (st.free || !mm_reclaim(LIMIT_STEP))
			break;
	}
	mm_thread_kick();
}

s64 agent_cgroup(const struct rpc_cgroup *q, char *buf, size_t size)
{
	struct cgroup *cg;
	s64 ret = cgroup_open(q->path, false, &cg);

	if (ret < 0)
		return ret;
	ret = q->fixed.write ? cgroup_write_file(cg, q->file, q->value)
			     : cgroup_read_file(cg, q->file, buf, size);
	cgroup_put(cg);
	return ret;
}

int agent_limit_change(const struct cm_rpc_limit *q, struct cm_rpc_limit *before)
{
	struct agent_container *c;

	if ((q->which & ~(CM_RPC_LIMIT_MEMORY | CM_RPC_LIMIT_PIDS)) || q->reserved)
		return -EINVAL;
	c = agent_container_enter(q->container);
	if (!c)
		return -ESRCH;
	*before = (struct cm_rpc_limit){ .container = q->container,
		.which = q->which,
		.memory = c->limit.memory,
		.pids = c->limit.pids };
	agent_limit_set(c, q->which & CM_RPC_LIMIT_MEMORY ? q->memory : c->limit.memory,
		q->which & CM_RPC_LIMIT_PIDS ? q->pids : c->limit.pids);
	if (q->which & CM_RPC_LIMIT_MEMORY)
		limit_make_room();
	agent_container_leave(c);
	return 0;
}
