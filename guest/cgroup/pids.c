/* SPDX-License-Identifier: Apache-2.0 */
/* The pids controller: how many tasks there may be. Zombies count until they are collected. */
#include "cgroup/internal.h"

#include "kernel/errno.h"
#include "lib/string.h"

static void pidcg_add(struct cgroup *cg, const struct cgroup *end, u64 n)
{
	for (; cg && cg != end; cg = cg->parent) {
		u64 now = atomic_add(&cg->pids, n);

		if ((s64)n > 0 && now > READ_ONCE(cg->pids_peak))
			WRITE_ONCE(cg->pids_peak, now);
	}
}

static void pidcg_hit(struct cgroup *cg)
{
	atomic_add(&cg->pids_hits_local, 1);
	cgroup_note(cg, CG_NOTE_PIDS_LOCAL);
	for (; cg; cg = cg->parent) {
		atomic_add(&cg->pids_hits, 1);
		cgroup_note(cg, CG_NOTE_PIDS);
	}
}

int pidcg_charge(struct cgroup *cg)
{
	struct cgroup *c;

	for (c = cg; c; c = c->parent) {
		u64 now = atomic_add(&c->pids, 1);

		if (now > READ_ONCE(c->pids_max)) {
			pidcg_add(cg, c->parent, ~0UL);
			pidcg_hit(c);
			return -EAGAIN;
		}
		if (now > READ_ONCE(c->pids_peak))
			WRITE_ONCE(c->pids_peak, now);
	}
	return 0;
}

void pidcg_move(struct cgroup *from, struct cgroup *to, u64 n)
{
	pidcg_add(from, NULL, -n);
	pidcg_add(to, NULL, n);
}

/* ---- files ---- */
static int pids_current_show(struct proc_buf *b, struct cgroup *cg)
{
	proc_printf(b, "%lu\n", (unsigned long)atomic_load(&cg->pids));
	return 0;
}

static int pids_peak_show(struct proc_buf *b, struct cgroup *cg)
{
	proc_printf(b, "%lu\n", (unsigned long)READ_ONCE(cg->pids_peak));
	return 0;
}

static int pids_max_show(struct proc_buf *b, struct cgroup *cg)
{
	cg_print_max(b, cg->pids_max);
	return 0;
}

static int pids_max_write(struct cgroup *cg, char *text, struct file *opener)
{
	u64 v;
	int err = cg_parse_max(text, &v);

	(void)opener;
	if (!err && v != CGROUP_UNLIMITED && v > (1UL << 22))
		err = -EINVAL;
	if (!err)
		atomic_store(&cg->pids_max, v);
	return err;
}

static int pids_events_show(struct proc_buf *b, struct cgroup *cg)
{
	proc_printf(b, "max %lu\n", (unsigned long)atomic_load(&cg->pids_hits));
	return 0;
}

static int pids_events_local_show(struct proc_buf *b, struct cgroup *cg)
{
	proc_printf(b, "max %lu\n", (unsigned long)atomic_load(&cg->pids_hits_local));
	return 0;
}

const struct cg_file cg_pids_files[] = {
	{ "pids.current", 0444, CG_PIDS, CG_ON_OTHER, CG_NOTE_NONE, pids_current_show, NULL },
	{ "pids.events", 0444, CG_PIDS, CG_ON_OTHER, CG_NOTE_PIDS, pids_events_show, NULL },
	{ "pids.events.local", 0444, CG_PIDS, CG_ON_OTHER, CG_NOTE_PIDS_LOCAL,
		pids_events_local_show, NULL },
	{ "pids.max", 0644, CG_PIDS, CG_ON_OTHER, CG_NOTE_NONE, pids_max_show, pids_max_write },
	{ "pids.peak", 0444, CG_PIDS, CG_ON_OTHER, CG_NOTE_NONE, pids_peak_show, NULL },
	{ .name = NULL },
};
