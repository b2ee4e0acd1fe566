/* SPDX-License-Identifier: Apache-2.0 */
/* What the VFS of the sentry needs of rooms that a test of one file system leaves out: no tasks, no devices, no watchers. */
#include "fake_guest.h"

#include "cgroup/cgroup.h"
#include "fs/async.h"
#include "fs/internal.h"
#include "fs/lease.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "mm/filemap_internal.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "task/pid.h"
#include "task/task.h"

u32 inotify_active, dnotify_active;
const struct file_ops sock_inode_ops, chrdev_ops, blkdev_ops, fifo_ops;

/* Without a task there are no credentials, and none of these is reached. */
const struct cred *cred_current(void)
{
	panic("no task here");
}

bool cred_in_group(const struct cred *c, u32 gid)
{
	(void)c;
	(void)gid;
	panic("no task here");
}

bool capable(int cap)
{
	(void)cap;
	panic("no task here");
}

void cred_get(struct cred *c)
{
	(void)c;
	panic("no task here");
}

void cred_put(struct cred *c)
{
	(void)c;
	panic("no task here");
}

int signal_send_task(struct task *t, int sig, const siginfo_t *info)
{
	(void)t;
	(void)sig;
	(void)info;
	panic("no task here");
}

struct pid_ns pid_ns_root;
struct nsproxy *nsproxy_current(void)
{
	static struct nsproxy none;

	return &none;
}
bool cred_has_cap(const struct cred *c, int cap)
{
	(void)c;
	(void)cap;
	return false;
}
void pid_put(struct pid *p)
{
	(void)p;
}
void group_for_each_in(struct pid_ns *ns, bool (*fn)(struct group *g, void *arg), void *arg)
{
	(void)ns;
	(void)fn;
	(void)arg;
}

void inotify_event(struct inode *dir, struct inode *inode, u32 mask, const char *name, u32 cookie)
{
	(void)dir;
	(void)inode;
	(void)mask;
	(void)name;
	(void)cookie;
}

void file_notify(struct file *f, u32 mask)
{
	(void)f;
	(void)mask;
}

void notify_dentry(struct dentry *d, u32 mask)
{
	(void)d;
	(void)mask;
}

void lockf_release_file(struct file *f)
{
	(void)f;
}

int lease_break(struct inode *inode, bool write, bool wait)
{
	(void)inode;
	(void)write;
	(void)wait;
	return 0;
}

void lease_release(struct file *f)
{
	(void)f;
}

void dnotify_event(const struct inode *dir, u32 in)
{
	(void)dir;
	(void)in;
}

void dnotify_release(const struct file *f)
{
	(void)f;
}

void file_async_gone(struct file *f)
{
	(void)f;
}

void epoll_file_gone(struct file *f)
{
	(void)f;
}

int chrdev_open(struct inode *inode, struct file *f)
{
	(void)inode;
	(void)f;
	return -ENXIO;
}

int fifo_open(struct inode *inode, struct file *f)
{
	(void)inode;
	(void)f;
	return -ENXIO;
}

/* ---- memory without address spaces and without the reclaimer */

struct page *mm_alloc_page(u32 gfp)
{
	return page_alloc(0, gfp);
}

struct page *mm_try_page(u32 gfp)
{
	return page_alloc(0, gfp);
}

void memcg_account(const struct page *p, enum memcg_stat what, s64 n)
{
	(void)p;
	(void)what;
	(void)n;
}

void mm_thread_kick(void)
{
}

void filemap_start_flusher(void)
{
}

void lru_add(struct page *p)
{
	(void)p;
}

void lru_del(struct page *p)
{
	(void)p;
}

u64 lru_shrink(u64 want)
{
	(void)want;
	return 0;
}

void rmap_unmap(struct mapping *m, u64 first, u64 end, bool cows)
{
	(void)m;
	(void)first;
	(void)end;
	(void)cows;
}

void rmap_wrprotect(struct mapping *m, u64 first, u64 n)
{
	(void)m;
	(void)first;
	(void)n;
}

u64 clock_realtime(void)
{
	return 1700000000UL * NSEC_PER_SEC + clock_monotonic();
}
