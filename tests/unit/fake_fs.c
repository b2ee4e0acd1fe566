/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighbours of guest/fs for host tests: one thread, allocation by malloc (so that sanitizers see every object), user memory = host memory.
 * Locks abort on any use that would hang.
 */
#include "fake_fs.h"

#include <asm/unistd.h>

#include "fs/dev/dev.h"
#include "fs/internal.h"
#include "fs/fdtable.h"
#include "fs/lease.h"
#include "fs/nsfs.h"
#include "fs/overlay/overlay.h"
#include "fs/proc/proc.h"
#include "kernel/clock.h"
#include "kernel/random.h"
#include "kernel/timer.h"
#include "lib/printf.h"
#include "mm/as.h"
#include "mm/reclaim.h"
#include "syscall/handlers.h"
#include "task/internal.h"
#include "task/task.h"
#include "task/time_ns.h"
#include "task/user_ns.h"

void *malloc(size_t n);
void *calloc(size_t n, size_t m);
void *realloc(void *p, size_t n);
void free(void *p);
__noreturn void abort(void);
int printf(const char *fmt, ...);

#define FAKE_CHECK(cond) \
	do { \
		if (!(cond)) { \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

unsigned fake_spin_held, fake_sem_held;
static unsigned long fake_objects;
static int fake_signal_sent;
static struct task fake_task;
static struct group fake_group;
static struct nsproxy fake_set = { .pid = &pid_ns_root };
static bool fake_running;

/* ---- locks ---- */
void spin_lock(struct spinlock *l)
{
	FAKE_CHECK(!l->locked);
	l->locked = 1;
	fake_spin_held++;
}
void spin_unlock(struct spinlock *l)
{
	FAKE_CHECK(l->locked);
	l->locked = 0;
	fake_spin_held--;
}
u64 spin_lock_irq(struct spinlock *l)
{
	spin_lock(l);
	return 0;
}
void spin_unlock_irq(struct spinlock *l, u64 flags)
{
	(void)flags;
	spin_unlock(l);
}
void mutex_lock(struct mutex *m)
{
	FAKE_CHECK(!m->owner && !fake_spin_held);
	m->owner = (struct thread *)m;
	fake_sem_held++;
}
void mutex_unlock(struct mutex *m)
{
	FAKE_CHECK(m->owner);
	m->owner = NULL;
	fake_sem_held--;
}
void rwsem_read_lock(struct rwsem *s)
{
	FAKE_CHECK(s->readers >= 0 && !fake_spin_held);
	s->readers++;
	fake_sem_held++;
}
void rwsem_read_unlock(struct rwsem *s)
{
	FAKE_CHECK(s->readers > 0);
	s->readers--;
	fake_sem_held--;
}
void rwsem_write_lock(struct rwsem *s)
{
	FAKE_CHECK(s->readers == 0 && !fake_spin_held);
	s->readers = -1;
	fake_sem_held++;
}
void rwsem_write_unlock(struct rwsem *s)
{
	FAKE_CHECK(s->readers == -1);
	s->readers = 0;
	fake_sem_held--;
}

/* ---- waiting: nobody else runs, so a sleep ends as if a signal had come ---- */
void waitq_init(struct waitq *wq)
{
	wq->lock = (struct spinlock)SPINLOCK_INIT;
	list_init(&wq->waiters);
}
void waitq_add(struct waitq *wq, struct waiter *w)
{
	list_add_tail(&wq->waiters, &w->link);
}
void waitq_remove(struct waitq *wq, struct waiter *w)
{
	(void)wq;
	list_del(&w->link);
}
bool waitq_active(struct waitq *wq)
{
	return !list_empty(&wq->waiters);
}
int waitq_wake(struct waitq *wq, int n, u64 key)
{
	struct waiter *w, *tmp;
	int woken = 0;

	list_for_each_entry_safe (w, tmp, &wq->waiters, link) {
		if (w->exclusive && n <= 0)
			break;
		if (w->wake && w->wake(w, key)) {
			woken++;
			n -= w->exclusive;
		}
	}
	return woken;
}
void wait_prepare(struct waitq *wq, struct waiter *w, bool intr)
{
	(void)wq;
	(void)w;
	(void)intr;
}
int wait_sleep(struct waiter *w, bool intr, u64 deadline)
{
	(void)w;
	FAKE_CHECK(intr && !fake_spin_held);
	return deadline == WAIT_FOREVER ? -ERESTARTSYS : -ETIMEDOUT;
}
void wait_finish(struct waitq *wq, struct waiter *w)
{
	(void)wq;
	(void)w;
}

/* ---- memory ---- */
void *kmalloc(size_t size)
{
	if (size > 4UL << 20)
		return NULL;
	fake_objects++;
	return malloc(size ? size : 1);
}
void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}
void kfree(void *p)
{
	if (p)
		fake_objects--;
	free(p);
}
char *kstrdup(const char *s)
{
	char *p = kmalloc(strlen(s) + 1);

	memcpy(p, s, strlen(s) + 1);
	return p;
}
void *kcache_alloc(struct kcache *c)
{
	return kmalloc(c->size);
}
void *kcache_zalloc(struct kcache *c)
{
	return kzalloc(c->size);
}
void kcache_free(struct kcache *c, void *obj)
{
	(void)c;
	FAKE_CHECK(obj);
	kfree(obj);
}

struct fake_page {
	struct page page;
	u8 *data;
};
struct page *page_alloc(u32 order, u32 gfp)
{
	struct fake_page *p = kzalloc(sizeof(*p));

	(void)gfp;
	p->data = calloc(1, PAGE_SIZE << order);
	ref_init(&p->page.ref);
	return &p->page;
}
struct page *mm_buffer_page(void)
{
	return page_alloc(0, GFP_USER);
}

void page_get(struct page *p)
{
	ref_get(&p->ref);
}
void page_put(struct page *p)
{
	if (!ref_put(&p->ref))
		return;
	free(((struct fake_page *)p)->data);
	kfree(p);
}
void *page_va(const struct page *p)
{
	return ((const struct fake_page *)p)->data;
}
void *page_alloc_va(u32 order, u32 gfp)
{
	(void)gfp;
	return kzalloc(PAGE_SIZE << order);
}
void page_free_va(void *va, u32 order)
{
	(void)order;
	kfree(va);
}
void page_stats(struct page_stats *s)
{
	memset(s, 0, sizeof(*s));
	s->total = 65536;
	s->free = 32768;
}

int copy_from_user(void *dst, uaddr_t src, size_t n)
{
	if (!src && n)
		return -EFAULT;
	memcpy(dst, (const void *)src, n);
	return 0;
}
int copy_to_user(uaddr_t dst, const void *src, size_t n)
{
	if (!dst && n)
		return -EFAULT;
	memcpy((void *)dst, src, n);
	return 0;
}
size_t copy_to_user_some(uaddr_t dst, const void *src, size_t n)
{
	return copy_to_user(dst, src, n) ? 0 : n;
}
s64 strncpy_from_user(char *dst, uaddr_t src, size_t size)
{
	size_t n;

	if (!src)
		return -EFAULT;
	n = strnlen((const char *)src, size);
	memcpy(dst, (const void *)src, MIN(n + 1, size));
	return n == size ? -ENAMETOOLONG : (s64)n;
}
void uio_init_kernel(struct uio *u, struct iov *storage, void *buf, size_t len)
{
	*storage = (struct iov){ (u64)buf, len };
	*u = (struct uio){ .iov = storage, .niov = 1, .kernel = true, .left = len };
}
void uio_init_user(struct uio *u, struct iov *storage, uaddr_t buf, size_t len)
{
	*storage = (struct iov){ buf, len };
	*u = (struct uio){ .iov = storage, .niov = 1, .left = len };
}
static size_t uio_step(struct uio *u, void *buf, size_t n, bool out)
{
	size_t done = 0;

	n = MIN(n, u->left);
	while (done < n) {
		size_t k = MIN(u->iov->len - u->skip, n - done);
		u8 *p = (u8 *)(u->iov->base + u->skip);

		if (!u->iov->base && k)
			break;
		if (buf)
			memcpy(out ? p : (u8 *)buf + done, out ? (u8 *)buf + done : p, k);
		done += k;
		u->skip += k;
		u->left -= k;
		if (u->skip == u->iov->len) {
			u->iov++;
			u->skip = 0;
		}
	}
	return done;
}
size_t uio_write(struct uio *u, const void *buf, size_t n)
{
	return uio_step(u, (void *)(u64)buf, n, true);
}
size_t uio_read(struct uio *u, void *buf, size_t n)
{
	return uio_step(u, buf, n, false);
}
void uio_advance(struct uio *u, size_t n)
{
	uio_step(u, NULL, n, true);
}

/* ---- page cache: one growing buffer a file ---- */
struct fake_map {
	u8 *data;
	u64 size;
};
static struct fake_map *fake_map(struct mapping *m)
{
	return (struct fake_map *)&m->tree;
}
void mapping_init(struct mapping *m, struct inode *inode, const struct mapping_ops *ops)
{
	memset(m, 0, sizeof(*m));
	m->inode = inode;
	m->ops = ops;
	list_init(&m->vmas);
}
void mapping_destroy(struct mapping *m)
{
	u64 pages = fake_map(m)->size / PAGE_SIZE;

	if (pages && m->ops->charge)
		m->ops->charge(m, -(s64)pages);
	free(fake_map(m)->data);
}
static int fake_map_grow(struct mapping *m, u64 size)
{
	struct fake_map *f = fake_map(m);
	int err;

	size = ALIGN_UP(size, PAGE_SIZE);
	if (size <= f->size)
		return 0;
	if (size > 1UL << 26)
		return -ENOSPC;
	err = m->ops->charge ? m->ops->charge(m, (s64)((size - f->size) / PAGE_SIZE)) : 0;
	if (err)
		return err;
	f->data = realloc(f->data, size);
	memset(f->data + f->size, 0, size - f->size);
	f->size = size;
	return 0;
}
s64 filemap_read(struct mapping *m, u64 *pos, struct uio *u)
{
	struct fake_map *f = fake_map(m);
	u64 size = m->inode->size, n;
	s64 done = 0;

	if (*pos >= size)
		return 0;
	n = MIN(size - *pos, u->left);
	while ((u64)done < n) {
		static const u8 zero[PAGE_SIZE];
		u64 at = *pos;
		const u8 *src = at < f->size ? f->data + at : zero;
		u64 k = MIN(n - (u64)done, at < f->size ? f->size - at : PAGE_SIZE);
		size_t got = uio_write(u, src, k);

		*pos += got;
		done += (s64)got;
		if (got < k)
			return done ? done : -EFAULT;
	}
	return done;
}
s64 filemap_write(struct mapping *m, u64 *pos, struct uio *u)
{
	u64 n = u->left;
	int err = fake_map_grow(m, *pos + n);
	size_t got;

	if (err)
		return err;
	got = uio_read(u, fake_map(m)->data + *pos, n);
	*pos += got;
	if (*pos > m->inode->size)
		m->inode->size = *pos;
	return got ? (s64)got : -EFAULT;
}
void mapping_truncate(struct mapping *m, u64 from, u64 to)
{
	struct fake_map *f = fake_map(m);

	if (from < f->size)
		memset(f->data + from, 0, MIN(to, f->size) - from);
}
/* One piece of memory without holes. */
u64 mapping_seek(struct mapping *m, u64 index, u64 end, bool data)
{
	(void)m;
	return data ? index : end;
}
int mapping_allocate(struct mapping *m, u64 first, u64 end)
{
	(void)first;
	return fake_map_grow(m, end * PAGE_SIZE);
}
void mapping_set_dirty(struct mapping *m, struct page *p)
{
	(void)m;
	(void)p;
}
int mapping_writeback(struct mapping *m, u64 from, u64 to)
{
	(void)m;
	(void)from;
	(void)to;
	return 0;
}
void mapping_invalidate(struct mapping *m, u64 from, u64 to)
{
	(void)m;
	(void)from;
	(void)to;
}
int filemap_sync_all(void)
{
	return 0;
}

/* ---- time, chance, log ---- */
static u64 fake_now = 1000000000;
u64 clock_monotonic(void)
{
	return fake_now += 1000;
}
u64 clock_realtime(void)
{
	return 1700000000UL * NSEC_PER_SEC + clock_monotonic();
}
u64 time_from_shown(int clock, u64 ns)
{
	(void)clock;
	return ns;
}
void random_bytes(void *buf, size_t len)
{
	memset(buf, 4, len);
}
void ktimer_init(struct ktimer *t, ktimer_fn fn)
{
	t->fn = fn;
}
void ktimer_arm(struct ktimer *t, u64 expires)
{
	t->expires = expires;
	t->armed = true;
}
bool ktimer_cancel(struct ktimer *t)
{
	bool was = t->armed;

	t->armed = false;
	return was;
}
void log_write(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}
__noreturn void panic(const char *fmt, ...)
{
	printf("# panic: %s\n", fmt);
	abort();
}

/* ---- one task ---- */
struct task *task_current(void)
{
	return fake_running ? &fake_task : NULL;
}
const struct cred *cred_current(void)
{
	return fake_task.cred;
}
bool capable(int cap)
{
	return fake_task.cred->cap_effective >> cap & 1;
}
void cred_get(struct cred *c)
{
	ref_get(&c->ref);
}
void cred_put(struct cred *c)
{
	if (ref_put(&c->ref))
		kfree(c);
}
struct cred *cred_dup(const struct cred *c)
{
	struct cred *n = kmalloc(sizeof(*n));

	*n = *c;
	ref_init(&n->ref);
	return n;
}
bool cred_in_group(const struct cred *c, u32 gid)
{
	return c->fsgid == gid;
}
int signal_send_task(struct task *t, int sig, const siginfo_t *info)
{
	(void)t;
	(void)info;
	fake_signal_sent = sig;
	return 0;
}
bool signal_pending(const struct task *t)
{
	(void)t;
	return false;
}
int signal_take(u64 mask, siginfo_t *info)
{
	(void)mask;
	(void)info;
	return 0;
}
u64 signal_peek(u64 mask)
{
	(void)mask;
	return 0;
}
void signal_mask_temporary(u64 set)
{
	(void)set;
}
void signal_mask_restore(void)
{
}

/* ---- process groups: the one task leads everything ---- */
void (*task_session_exit)(struct group *leader);
bool cred_has_cap(const struct cred *c, int cap)
{
	return c->cap_effective >> cap & 1;
}
bool capable_here(int cap)
{
	return capable(cap);
}
void nsfs_init(void)
{
}
struct nsproxy *nsproxy_current(void)
{
	return &fake_set;
}
void task_get(struct task *t)
{
	ref_get(&t->ref);
}
void group_get(struct group *g)
{
	ref_get(&g->ref);
}
void user_ref(struct user_acct *u)
{
	ref_get(&u->ref);
}
void user_put(struct user_acct *u)
{
	ref_put(&u->ref);
}
void file_set_owner(struct file *f)
{
	file_change_owner(f, F_OWNER_PID, fake_group.id, false);
}
void file_change_owner(struct file *f, s32 type, struct pid *pid, bool replace)
{
	if (f->owner && !replace)
		return;
	f->owner_type = type;
	pid_assign(&f->owner, pid);
}
struct pid *file_get_owner(struct file *f, s32 *type)
{
	*type = f->owner_type;
	return pid_get(f->owner);
}
void file_signal_owner(struct file *f, int fd, int code, s64 band)
{
	(void)f;
	(void)fd;
	(void)code;
	(void)band;
	fake_signal_sent = SIGIO;
}
int signal_send_pgrp(const struct pid *pgrp, int sig, const siginfo_t *info)
{
	(void)pgrp;
	return signal_send_task(NULL, sig, info);
}
bool signal_is_held(int sig)
{
	(void)sig;
	return false;
}
bool task_pgrp_orphaned(const struct pid *pgrp, const struct pid *session)
{
	(void)pgrp;
	(void)session;
	return false;
}

/* proc needs more of a machine than this */
void proc_init(void)
{
}
void sysfs_init(void)
{
}

/* ---- what tests call ---- */
void fake_fs_user(unsigned uid, unsigned gid)
{
	static struct user_acct account = { .ref = { 1 } };
	struct cred *c = kzalloc(sizeof(*c));

	ref_init(&c->ref);
	c->user_ns = &user_ns_root;
	c->user = &account;
	c->uid = c->euid = c->suid = c->fsuid = uid;
	c->gid = c->egid = c->sgid = c->fsgid = gid;
	c->cap_effective = c->cap_permitted = uid ? 0 : ~0UL;
	if (fake_task.cred)
		cred_put(fake_task.cred);
	fake_task.cred = c;
}

void fake_fs_mount(const char *type, const char *target, const char *data)
{
	int err = vfs_mount(fake_set.mnt, type, type, target, 0, data);

	FAKE_CHECK(!err);
}

void fake_fs_boot(void)
{
	static bool registered;
	struct path root;

	if (!registered)
		fs_init();
	registered = true;
	list_init(&fake_group.tasks);
	for (u32 i = 0; i < RLIM_NLIMITS; i++)
		fake_group.rlim[i] = (struct rlimit64){ ~0UL, ~0UL };
	fake_group.rlim[RLIMIT_NOFILE] = (struct rlimit64){ 1024, 4096 };
	fake_group.ns = &pid_ns_root;
	if (!fake_group.id)
		FAKE_CHECK(pid_alloc(&pid_ns_root, &fake_task, NULL, &fake_group.id) == 0);
	fake_group.pid = fake_group.sid = fake_group.pgid = 1;
	fake_group.pgrp = fake_group.session = fake_task.id = fake_group.id;
	if (list_empty(&pid_ns_root.groups))
		list_add_tail(&pid_ns_root.groups, &fake_group.ns_link);
	waitq_init(&fake_group.signalfd_wq);
	fake_task.group = &fake_group;
	fake_task.ns = &fake_set;
	fake_set.mnt = mount_ns_create();
	fake_fs_user(0, 0);
	fake_running = true;
	fake_task.files = fdtable_create();
	FAKE_CHECK(!vfs_mount(fake_set.mnt, "tmpfs", "tmpfs", NULL, 0, "mode=755"));
	FAKE_CHECK(mount_ns_root(fake_set.mnt, &root));
	fake_task.fs = fs_context_create(&root, &root, 022);
	path_put(&root);
}

/* The tree so far becomes the lower side of an overlay, which is the root from now on. */
void fake_fs_overlay(void)
{
	struct mount_ns *ns = mount_ns_create();
	struct path lower, root;

	FAKE_CHECK(mount_ns_root(fake_set.mnt, &lower));
	FAKE_CHECK(!overlay_mount_at(ns, &lower, NULL, ""));
	path_put(&lower);
	FAKE_CHECK(mount_ns_root(ns, &root));
	fs_context_put(fake_task.fs);
	fake_task.fs = fs_context_create(&root, &root, 022);
	path_put(&root);
	mount_ns_put(fake_set.mnt);
	fake_set.mnt = ns;
}

void fake_fs_shutdown(void)
{
	fdtable_put(fake_task.files);
	fs_context_put(fake_task.fs);
	mount_ns_put(fake_set.mnt);
	cred_put(fake_task.cred);
	memset(&fake_task, 0, sizeof(fake_task));
	fake_running = false;
}

void fake_fs_rlimit(int which, unsigned long value)
{
	fake_group.rlim[which].rlim_cur = value;
}

int fake_fs_signal(void)
{
	int sig = fake_signal_sent;

	fake_signal_sent = 0;
	return sig;
}

unsigned long fake_fs_objects(void)
{
	return fake_objects;
}

static const struct {
	long nr;
	syscall_fn fn;
} fake_calls[] = {
#define SYS(name, handler, args, level, note) { __NR_##name, handler },
#include "syscall/table_file.def"
#include "syscall/table_poll.def"
#include "syscall/table_mount.def"
#undef SYS
};

long fake_fs_call(long nr, long a0, long a1, long a2, long a3, long a4)
{
	struct sysargs a = { { (u64)a0, (u64)a1, (u64)a2, (u64)a3, (u64)a4, 0 } };

	for (u32 i = 0; i < ARRAY_SIZE(fake_calls); i++) {
		if (fake_calls[i].nr == nr) {
			long ret = fake_calls[i].fn(&fake_task, &a);

			FAKE_CHECK(!fake_spin_held && !fake_sem_held);
			return ret;
		}
	}
	return -ENOSYS;
}
