/* SPDX-License-Identifier: Apache-2.0 */
/* Core dumps: whether, where to, and holding the other threads meanwhile. Contract: coredump.h. */
#include "task/coredump.h"

#include "fs/internal.h"
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/slab.h"
#include "task/signal.h"
#include "task/uts.h"

#define CORE_NAME_MAX 256

/* On the stack of the thread that writes. */
struct core_dump {
	struct task *writer;
	struct waitq wq; /* the writer waits for the others, they for it */
};

static struct spinlock pattern_lock;
static char pattern[CORE_PATTERN_MAX] = "core";
u64 core_uses_pid;

void core_pattern_get(char *buf)
{
	spin_lock(&pattern_lock);
	memcpy(buf, pattern, sizeof(pattern));
	spin_unlock(&pattern_lock);
}

int core_pattern_set(const char *text, size_t len)
{
	if (len >= sizeof(pattern) || (len && text[0] == '|'))
		return -EINVAL;
	spin_lock(&pattern_lock);
	memset(pattern, 0, sizeof(pattern));
	memcpy(pattern, text, len);
	spin_unlock(&pattern_lock);
	return 0;
}

/* ---- threads ---- */

void coredump_park(struct task *t)
{
	struct group *g = t->group;
	struct core_dump *core;
	u64 flags = sig_lock(g);

	core = g->core;
	if (core && core->writer != t) {
		t->parked = true;
		waitq_wake_all(&core->wq);
	} else {
		core = NULL;
	}
	sig_unlock(g, flags);
	if (core)
		wait_event(&g->core_wq, !READ_ONCE(g->core));
}

static bool core_alone(struct task *t)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);
	struct task *pos;
	bool alone = true;

	list_for_each_entry (pos, &g->tasks, group_link)
		alone &= pos == t || pos->parked || pos->exiting;
	sig_unlock(g, flags);
	return alone;
}

/* The registers of the others are in memory once they sleep. */
static void core_settle(struct task *t)
{
	struct task *pos;
	u64 tree;
	bool moving;

	do {
		moving = false;
		tree = tree_lock();
		list_for_each_entry (pos, &t->group->tasks, group_link)
			moving |= pos->parked &&
				  (READ_ONCE(pos->thread->on_cpu) ||
					  READ_ONCE(pos->thread->state) != THREAD_SLEEP);
		tree_unlock(tree);
		if (moving)
			sched_yield_cpu();
	} while (moving);
}

/* Every other thread is on its way to coredump_park. False: the process ends already for another reason. */
static bool core_begin(struct task *t, struct core_dump *core, int sig)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);
	bool ok = !g->group_exit && !g->exec_task;

	if (ok) {
		g->core = core;
		signal_group_exit_locked(g, sig);
		signal_flush_locked(&t->pending, SIGMASK(SIGKILL));
		/* Only its own work from here on: no signal breaks off the writing but SIGKILL, which core_stopped sees. */
		t->exiting = true;
		signal_recalc_locked(t);
	}
	sig_unlock(g, flags);
	if (ok) {
		wait_event(&core->wq, core_alone(t));
		core_settle(t);
	}
	return ok;
}

static int core_end(struct task *t, int sig, bool dumped)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);

	t->exiting = false;
	g->core = NULL;
	g->exit_code = sig | (dumped ? 0x80 : 0);
	waitq_wake_all(&g->core_wq);
	sig_unlock(g, flags);
	return g->exit_code;
}

static bool core_stopped(void)
{
	return READ_ONCE(task_current()->group->pending.set) & SIGMASK(SIGKILL);
}

/* ---- the name ---- */

struct core_name {
	char *buf;
	size_t len;
	bool pid; /* %p was there */
};

static void name_put(struct core_name *n, const char *text)
{
	for (; *text && n->len < CORE_NAME_MAX - 1; text++)
		n->buf[n->len++] = *text;
	n->buf[n->len] = '\0';
}

static void name_number(struct core_name *n, u64 v)
{
	char text[24];

	str_format(text, sizeof(text), "%lu", v);
	name_put(n, text);
}

/* Text that a program chose must not leave the directory. */
static void name_flat(struct core_name *n, const char *text)
{
	size_t start = n->len;

	if (!strcmp(text, ".") || !strcmp(text, "..")) {
		name_put(n, text[1] ? "!!" : "!");
		return;
	}
	name_put(n, *text ? text : "!");
	for (; start < n->len; start++) {
		if (n->buf[start] == '/')
			n->buf[start] = '!';
	}
}

static void name_exe(struct core_name *n, struct task *t, bool base)
{
	char *buf = kmalloc(PATH_MAX_LEN);
	const char *path = NULL, *slash;

	if (buf && t->as->exe)
		path = path_to_string(&t->as->exe->path, buf, PATH_MAX_LEN);
	slash = path && base ? strrchr(path, '/') : NULL;
	name_flat(n, slash ? slash + 1 : path ? path : t->comm);
	kfree(buf);
}

static void name_special(struct core_name *n, char c, struct task *t, int sig)
{
	struct new_utsname uts;

	switch (c) {
	case '%':
		name_put(n, "%");
		return;
	case 'p':
	case 'P':
		n->pid = true;
		name_number(n, (u64)t->group->pid);
		return;
	case 'i':
	case 'I':
		name_number(n, (u64)t->tid);
		return;
	case 'u':
		name_number(n, t->cred->uid);
		return;
	case 'g':
		name_number(n, t->cred->gid);
		return;
	case 'd':
		name_number(n, t->group->dumpable);
		return;
	case 's':
		name_number(n, (u64)sig);
		return;
	case 't':
		name_number(n, clock_realtime() / NSEC_PER_SEC);
		return;
	case 'h':
		uts_get(&uts);
		name_flat(n, uts.nodename);
		return;
	case 'e':
		name_flat(n, t->comm);
		return;
	case 'f':
	case 'E':
		name_exe(n, t, c == 'f');
		return;
	case 'c':
		name_number(n, rlimit_soft(t->group, RLIMIT_CORE));
		return;
	default:
		return;
	}
}

static void core_name(char *buf, struct task *t, int sig)
{
	char text[CORE_PATTERN_MAX];
	struct core_name n = { .buf = buf };
	const char *p;

	core_pattern_get(text);
	buf[0] = '\0';
	for (p = text; *p; p++) {
		char c[2] = { *p, '\0' };

		if (*p != '%')
			name_put(&n, c);
		else if (*++p)
			name_special(&n, *p, t, sig);
		else
			break;
	}
	if (core_uses_pid && !n.pid) {
		name_put(&n, ".");
		name_number(&n, (u64)t->group->pid);
	}
}

/* ---- the file ---- */

/* A new file of the user's own. What has the name already goes, as in Linux: links are not followed, other names keep what they have. */
static int core_open(struct task *t, int sig, struct file **out)
{
	char name[CORE_NAME_MAX];
	int ret;

	core_name(name, t, sig);
	if (!name[0])
		return -ENOENT;
	(void)vfs_unlink(NULL, name);
	ret = file_open(
		NULL, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_LARGEFILE, 0600, 0, out);
	if (ret == 0 && (*out)->inode->uid != t->cred->fsuid) {
		file_put(*out);
		ret = -EACCES;
	}
	return ret;
}

static bool core_to_file(struct task *t, int sig, const siginfo_t *info)
{
	struct core_file f = { .limit = rlimit_soft(t->group, RLIMIT_CORE), .stop = core_stopped };
	int ret;

	if (core_open(t, sig, &f.file) < 0)
		return false;
	ret = core_write(&f, t, info);
	file_put(f.file);
	/* What the limit cut off is a core all the same. */
	return ret == 0 || ret == -EFBIG;
}

int coredump(struct task *t, int sig, const siginfo_t *info)
{
	struct group *g = t->group;
	struct core_dump core = { .writer = t };

	if (!t->as || !g->dumpable || rlimit_soft(g, RLIMIT_CORE) < PAGE_SIZE)
		return sig;
	waitq_init(&core.wq);
	if (!core_begin(t, &core, sig))
		return sig;
	return core_end(t, sig, core_to_file(t, sig, info));
}
