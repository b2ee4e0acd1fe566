/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pause of one container: its cgroup is frozen. The reply comes when every thread stands, from a thread that waits for that; one that does not, since it
 * sleeps for something that no signal ends, takes the freeze back.
 */
#include "agent/internal.h"

#include "cgroup/cgroup.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "mm/slab.h"

#define FREEZE_NS      (2 * NSEC_PER_SEC) /* for all threads to stand */
#define FREEZE_LOOK_NS (NSEC_PER_MSEC / 2)

struct freeze {
	struct cm_rpc_hdr hdr; /* of the request: for the reply */
	struct cgroup *cg; /* reference */
};

static void freeze_thread(void *arg)
{
	struct freeze *f = arg;
	u64 deadline = clock_monotonic() + FREEZE_NS;
	struct cm_rpc_hdr h = { .type = f->hdr.type | CM_RPC_REPLY, .id = f->hdr.id };

	while (!cgroup_is_frozen(f->cg) && clock_monotonic() < deadline)
		sched_sleep_until(clock_monotonic() + FREEZE_LOOK_NS, false);
	if (!cgroup_is_frozen(f->cg)) {
		h.error = EBUSY;
		(void)cgroup_write_file(f->cg, "cgroup.freeze", "0");
	}
	cgroup_put(f->cg);
	kfree(f);
	agent_send(&h, NULL);
}

static int freeze_start(struct agent_container *c, const struct cm_rpc_hdr *hdr)
{
	struct freeze *f = kzalloc(sizeof(*f));
	int ret = f ? cgroup_write_file(c->cgroup, "cgroup.freeze", "1") : -ENOMEM;

	if (ret == 0) {
		f->hdr = *hdr;
		f->cg = c->cgroup;
		cgroup_get(f->cg);
		if (agent_thread_run(freeze_thread, f, "freeze"))
			return 0;
		cgroup_put(f->cg);
		(void)cgroup_write_file(c->cgroup, "cgroup.freeze", "0");
		ret = -ENOMEM;
	}
	kfree(f);
	return ret;
}

int agent_freeze(const struct cm_rpc_hdr *hdr, u32 number)
{
	struct agent_container *c = agent_container_enter(number);
	int ret;

	if (!c)
		return -ESRCH;
	ret = c->elsewhere ? -EOPNOTSUPP : freeze_start(c, hdr);
	agent_container_leave(c);
	return ret;
}

int agent_thaw(u32 number)
{
	struct agent_container *c = agent_container_enter(number);
	int ret;

	if (!c)
		return -ESRCH;
	ret = cgroup_write_file(c->cgroup, "cgroup.freeze", "0");
	agent_container_leave(c);
	return ret;
}
