/* SPDX-License-Identifier: Apache-2.0 */
#include "task/taskstats.h"

#include <linux/acct.h>
#include <linux/time.h>

#include "fs/vfs.h"
#include "kernel/clock.h"
#include "lib/string.h"
#include "mm/as.h"
#include "task/signal.h"
#include "task/user_ns.h"

#define KIB_PER_PAGE (PAGE_SIZE / 1024)

/* The sums of a thread, or of several: they are added. */
static void add_cpu(struct taskstats *s, const struct thread *th, struct cpu_time ct)
{
	u64 sum = cpu_time_sum(ct);

	s->cpu_run_real_total += sum;
	s->cpu_scaled_run_real_total += sum;
	s->cpu_run_virtual_total += sum;
	s->ac_utime += ct.user / NSEC_PER_USEC;
	s->ac_stime += ct.system / NSEC_PER_USEC;
	s->nvcsw += th->nvcsw;
	s->nivcsw += th->nivcsw;
	s->cpu_count += th->nvcsw + th->nivcsw;
}

static u64 usec_since(u64 start)
{
	return (clock_monotonic() - start) / NSEC_PER_USEC;
}

static void fill_times(struct taskstats *s, struct task *t, u64 process_start)
{
	s->ac_etime = usec_since(t->start_time);
	s->ac_tgetime = usec_since(process_start);
	s->ac_btime64 =
		clock_realtime() / NSEC_PER_SEC - s->ac_etime * NSEC_PER_USEC / NSEC_PER_SEC;
	s->ac_btime = (u32)MIN(s->ac_btime64, (u64)UINT32_MAX);
	s->ac_utimescaled = s->ac_utime;
	s->ac_stimescaled = s->ac_stime;
}

/* Who it is, in the numbers of a namespace; when its process began. */
static u64 fill_numbers(struct taskstats *s, struct task *t, const struct pid_ns *pids)
{
	struct group *g = t->group;
	u64 flags = tree_lock();
	u64 start = g->leader ? g->leader->start_time : t->start_time;
	bool leads = g->leader == t;

	s->ac_pid = (u32)pid_nr_ns(t->id, pids);
	s->ac_tgid = (u32)pid_nr_ns(g->id, pids);
	s->ac_ppid = g->parent ? (u32)pid_nr_ns(g->parent->id, pids) : 0;
	if (leads)
		s->ac_exitcode = (u32)t->exit_code;
	if (leads && !g->did_exec)
		s->ac_flag |= AFORK;
	tree_unlock(flags);
	return start;
}

static void fill_owner(struct taskstats *s, struct task *t, const struct user_ns *users)
{
	struct cred *c = task_cred(t);
	u32 uid = id_from_kernel(&users->uid, c->uid), gid = id_from_kernel(&users->gid, c->gid);

	cred_put(c);
	s->ac_uid = uid == ID_NONE ? ID_OVERFLOW : uid;
	s->ac_gid = gid == ID_NONE ? ID_OVERFLOW : gid;
}

static void fill_program(struct taskstats *s, struct as *as)
{
	rwsem_read_lock(&as->lock);
	if (as->exe) {
		s->ac_exe_dev = super_st_dev(as->exe->inode->sb);
		s->ac_exe_inode = as->exe->inode->ino;
	}
	rwsem_read_unlock(&as->lock);
}

static void fill_memory(struct taskstats *s, struct task *t)
{
	struct as *as = task_get_as(t);
	u64 rss;

	s->ac_minflt = t->min_flt;
	s->ac_majflt = t->maj_flt;
	if (!as)
		return;
	rss = (u64)(as->rss_anon + as->rss_file + as->rss_shmem);
	s->hiwater_rss = MAX(as->hiwater_rss, rss) * KIB_PER_PAGE;
	s->hiwater_vm = MAX(as->hiwater_vm, as->total_vm) * KIB_PER_PAGE;
	fill_program(s, as);
	as_put(as);
}

/* What goes to and from files is told in whole KiB. */
static void fill_io(struct taskstats *s, const struct io_count *io)
{
	s->read_char = io->rchar;
	s->write_char = io->wchar;
	s->read_syscalls = io->syscr;
	s->write_syscalls = io->syscw;
	s->read_bytes = ALIGN_DOWN(io->read_bytes, 1024UL);
	s->write_bytes = ALIGN_DOWN(io->write_bytes, 1024UL);
	s->cancelled_write_bytes = ALIGN_DOWN(io->cancelled, 1024UL);
}

/* How it ended, of one that does. */
static void fill_end(struct taskstats *s, const struct task *t)
{
	if (!t->exiting)
		return;
	if (t->exit_code & 0x7f)
		s->ac_flag |= AXSIG;
	if (t->exit_code & 0x80)
		s->ac_flag |= ACORE;
}

void taskstats_of_task(struct task *t, const struct pid_ns *pids, const struct user_ns *users,
	struct taskstats *out)
{
	memset(out, 0, sizeof(*out));
	out->version = TASKSTATS_VERSION;
	if (t->thread)
		add_cpu(out, t->thread, thread_cpu_time(t->thread));
	fill_times(out, t, fill_numbers(out, t, pids));
	fill_owner(out, t, users);
	fill_memory(out, t);
	fill_end(out, t);
	fill_io(out, &t->io);
	out->ac_nice = (u8)t->nice;
	out->ac_sched = (u8)t->policy;
	memcpy(out->ac_comm, t->comm, sizeof(t->comm));
	out->ac_comm[sizeof(t->comm) - 1] = '\0';
}

void taskstats_of_group(struct group *g, struct taskstats *out)
{
	u64 dead, flags;
	struct task *t;

	memset(out, 0, sizeof(*out));
	out->version = TASKSTATS_VERSION;
	flags = sig_lock(g);
	dead = g->dead_utime + g->dead_stime;
	out->cpu_run_real_total = out->cpu_scaled_run_real_total = out->cpu_run_virtual_total =
		dead;
	list_for_each_entry (t, &g->tasks, group_link) {
		if (t->dead || !t->thread)
			continue;
		add_cpu(out, t->thread, thread_cpu_time(t->thread));
		out->ac_etime += usec_since(t->start_time);
	}
	sig_unlock(g, flags);
}
