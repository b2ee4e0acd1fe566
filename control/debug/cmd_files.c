/* SPDX-License-Identifier: Apache-2.0 */
/* maps, fds, mounts, locks: what tasks have. */
#include <config.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "control/debug/cmds.h"
#include "control/debug/tasks.h"

#define FILES_FDS_MAX	4096 /* descriptors looked at of one task */
#define FILES_INODES	4096 /* files with locks */
#define FILES_LOCKS_MAX 4096

static bool files_first(struct guest *g, const struct task_info *t, void *arg)
{
	*(struct task_info *)arg = *t;
	return t->as == 0;
}

/* The task that the argument names; without one the first that has memory. */
static int files_task(struct guest *g, const char *word, struct task_info *t, struct cm_err *err)
{
	uint64_t tid;

	memset(t, 0, sizeof(*t));
	if (!word) {
		tasks_each(g, files_first, t);
		return t->task ? 0 : cm_err_set(err, 0, "there is no task");
	}
	if (cmd_number("task", word, INT32_MAX, &tid, err) < 0)
		return -err->code;
	return tasks_find(g, (int)tid, t) ? 0 : cm_err_set(err, 0, "no task %s", word);
}

/* ---- maps */

static bool maps_one(struct guest *g, const struct vma_info *v, void *arg)
{
	char prot[5] = {
		v->flags & guest_const(g, C_VMA_READ) ? 'r' : '-',
		v->flags & guest_const(g, C_VMA_WRITE) ? 'w' : '-',
		v->flags & guest_const(g, C_VMA_EXEC) ? 'x' : '-',
		v->flags & guest_const(g, C_VMA_SHARED) ? 's' : 'p',
	};

	json_array_append_new(
		arg, json_pack("{s:o, s:o, s:s, s:o, s:I, s:I, s:s}", "start", json_hex(v->start),
			     "end", json_hex(v->end), "prot", prot, "offset",
			     json_hex(v->file ? v->pgoff * GUEST_PAGE : 0), "device",
			     (json_int_t)v->dev, "inode", (json_int_t)v->ino, "name", v->name));
	return true;
}

json_t *cmd_maps_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	struct task_info t;
	json_t *list;

	if (!g || cmd_words(argc, argv, 1, 1, err) < 0 || files_task(g, argv[1], &t, err) < 0)
		return NULL;
	list = json_array();
	tasks_vmas(g, t.as, maps_one, list);
	return list;
}

void cmd_maps_print(const json_t *o, FILE *f)
{
	const json_t *v;
	size_t i;

	json_array_foreach(o, i, v)
		fprintf(f, "%s-%s %s %s 00:%02llx %lld %s\n", json_text(v, "start") + 2,
			json_text(v, "end") + 2, json_text(v, "prot"), json_text(v, "offset"),
			json_number(v, "device"), json_number(v, "inode"), json_text(v, "name"));
}

/* ---- fds */

static const char *fds_kind(uint64_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFCHR:
		return "device";
	case S_IFIFO:
		return "pipe";
	case S_IFSOCK:
		return "socket";
	default:
		return "other";
	}
}

static json_t *fds_one(struct guest *g, unsigned fd, uint64_t file)
{
	static const char *const access[] = { "r", "w", "rw", "path" };
	uint64_t inode = guest_get(g, file, F_FILE_INODE), flags = guest_get(g, file, F_FILE_FLAGS);
	char path[TASK_PATH];

	tasks_file_path(g, file, path, sizeof(path));
	return json_pack("{s:I, s:s, s:s, s:s, s:I, s:o, s:o, s:I}", "fd", (json_int_t)fd, "path",
		path, "access", access[flags & O_ACCMODE], "kind",
		inode ? fds_kind(guest_get(g, inode, F_INODE_MODE)) : "none", "pos",
		(json_int_t)guest_get(g, file, F_FILE_POS), "flags", json_hex(flags), "file",
		json_hex(file), "inode",
		(json_int_t)(inode ? guest_get(g, inode, F_INODE_INO) : 0));
}

/* fn for every open descriptor of a task. */
static void fds_each(struct guest *g, const struct task_info *t,
	void (*fn)(
		struct guest *g, const struct task_info *t, unsigned fd, uint64_t file, void *arg),
	void *arg)
{
	uint64_t size = t->files ? guest_get(g, t->files, F_FDT_SIZE) : 0;
	uint64_t files = t->files ? guest_get(g, t->files, F_FDT_FILES) : 0, file;
	unsigned fd;

	for (fd = 0; fd < size && fd < FILES_FDS_MAX; fd++) {
		file = guest_number(g, files + 8ull * fd, 8);
		if (file)
			fn(g, t, fd, file, arg);
		if (g->failed > GUEST_PAGE)
			return; /* a table of nonsense */
	}
}

static void fds_collect(
	struct guest *g, const struct task_info *t, unsigned fd, uint64_t file, void *arg)
{
	json_t *o = fds_one(g, fd, file);

	json_object_set_new(o, "pid", json_integer(t->pid));
	json_array_append_new(arg, o);
}

static bool fds_of_leader(struct guest *g, const struct task_info *t, void *arg)
{
	/* Threads share the table as a rule. */
	if (t->tid == t->pid)
		fds_each(g, t, fds_collect, arg);
	return true;
}

json_t *cmd_fds_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	struct task_info t;
	json_t *list;

	if (!g || cmd_words(argc, argv, 0, 1, err) < 0)
		return NULL;
	if (argc > 1 && files_task(g, argv[1], &t, err) < 0)
		return NULL;
	list = json_array();
	if (argc > 1)
		fds_each(g, &t, fds_collect, list);
	else
		tasks_each(g, fds_of_leader, list);
	return list;
}

void cmd_fds_print(const json_t *o, FILE *f)
{
	const json_t *d;
	size_t i;

	fprintf(f, "   PID   FD MODE KIND              POS PATH\n");
	json_array_foreach(o, i, d) fprintf(f, "%6lld %4lld %-4s %-9s %11lld %s\n",
		json_number(d, "pid"), json_number(d, "fd"), json_text(d, "access"),
		json_text(d, "kind"), json_number(d, "pos"), json_text(d, "path"));
}

/* ---- mounts */

static json_t *mounts_one(struct guest *g, uint64_t mnt)
{
	uint64_t parent = guest_get(g, mnt, F_MOUNT_PARENT), sb = guest_get(g, mnt, F_MOUNT_SB);
	uint64_t flags = guest_get(g, mnt, F_MOUNT_FLAGS);
	char at[TASK_PATH], source[512], type[64], options[64];

	if (parent)
		tasks_path(g, parent, guest_get(g, mnt, F_MOUNT_POINT), at, sizeof(at));
	else
		snprintf(at, sizeof(at), "/");
	guest_string(g, guest_get(g, mnt, F_MOUNT_SOURCE), 120, source, sizeof(source));
	guest_string(g, guest_get(g, sb, F_SUPER_FSTYPE), 15, type, sizeof(type));
	snprintf(options, sizeof(options), "%s%s%s%s",
		flags & guest_const(g, C_MNT_RDONLY) ? "ro" : "rw",
		flags & guest_const(g, C_MNT_NOSUID) ? ",nosuid" : "",
		flags & guest_const(g, C_MNT_NODEV) ? ",nodev" : "",
		flags & guest_const(g, C_MNT_NOEXEC) ? ",noexec" : "");
	return json_pack("{s:I, s:I, s:s, s:s, s:s, s:s}", "id",
		(json_int_t)guest_get(g, mnt, F_MOUNT_ID), "parent",
		(json_int_t)(parent ? guest_get(g, parent, F_MOUNT_ID) : 0), "target", at, "source",
		source, "type", type, "options", options);
}

json_t *cmd_mounts_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	uint64_t pos = 0;
	struct task_info t;
	unsigned n = 0;
	json_t *list;

	if (!g || cmd_words(argc, argv, 0, 1, err) < 0 ||
		files_task(g, argc > 1 ? argv[1] : NULL, &t, err) < 0)
		return NULL;
	list = json_array();
	while (t.mnt_ns && n < FILES_INODES &&
		guest_list_next(g, guest_at(g, t.mnt_ns, F_MOUNTNS_MOUNTS), &pos, &n))
		json_array_append_new(list, mounts_one(g, pos - guest_const(g, F_MOUNT_NS_LINK)));
	return list;
}

void cmd_mounts_print(const json_t *o, FILE *f)
{
	const json_t *m;
	size_t i;

	json_array_foreach(o, i, m) fprintf(f, "%4lld %4lld %s on %s type %s (%s)\n",
		json_number(m, "id"), json_number(m, "parent"), json_text(m, "source"),
		json_text(m, "target"), json_text(m, "type"), json_text(m, "options"));
}

/* ---- locks */

struct locks {
	json_t *list;
	uint64_t *inode; /* seen */
	size_t ninodes, nlocks;
};

static void locks_of_inode(struct guest *g, struct locks *l, uint64_t inode, const char *path)
{
	static const char *const kinds[] = { "posix", "ofd", "flock" };
	uint64_t pos = 0, end;
	unsigned n = 0;
	json_t *o;

	while (l->nlocks < FILES_LOCKS_MAX &&
		guest_list_next(g, guest_at(g, inode, F_INODE_LOCKS), &pos, &n)) {
		uint64_t lock = pos - guest_const(g, F_LOCKF_LINK);
		uint64_t kind = guest_get(g, lock, F_LOCKF_KIND);

		end = guest_get(g, lock, F_LOCKF_END);
		o = json_pack("{s:s, s:b, s:I, s:o, s:o, s:s}", "kind",
			kind < 3 ? kinds[kind] : "unknown", "write",
			(int)guest_get(g, lock, F_LOCKF_WRITE), "pid",
			(json_int_t)(int32_t)guest_get(g, lock, F_LOCKF_PID), "start",
			json_hex(guest_get(g, lock, F_LOCKF_START)), "end",
			end == ~0ull ? json_string("eof") : json_hex(end), "path", path);
		json_array_append_new(l->list, o);
		l->nlocks++;
	}
}

static void locks_of_fd(
	struct guest *g, const struct task_info *t, unsigned fd, uint64_t file, void *arg)
{
	uint64_t inode = guest_get(g, file, F_FILE_INODE), head, pos = 0;
	struct locks *l = arg;
	char path[TASK_PATH];
	unsigned n = 0;
	size_t i;

	if (!inode || l->ninodes == FILES_INODES)
		return;
	head = guest_at(g, inode, F_INODE_LOCKS);
	if (!guest_list_next(g, head, &pos, &n))
		return;
	for (i = 0; i < l->ninodes; i++) {
		if (l->inode[i] == inode)
			return;
	}
	l->inode[l->ninodes++] = inode;
	locks_of_inode(g, l, inode, tasks_file_path(g, file, path, sizeof(path)));
}

/* A thread that waits for a lock of the sentry: which function wanted it. */
static void locks_kernel(struct locks *l, const struct stack_frame *f, unsigned n, json_t *who)
{
	unsigned i;

	for (i = 0; i + 1 < n; i++) {
		const char *name = f[i].name;

		if (!name ||
			(strncmp(name, "mutex_lock", 10) != 0 && strncmp(name, "rwsem_", 6) != 0 &&
				strncmp(name, "spin_lock", 9) != 0))
			continue;
		/* The outermost function of the lock's own. */
		while (i + 2 < n && f[i + 1].name && strncmp(f[i + 1].name, "spin_", 5) == 0)
			i++;
		json_object_set_new(who, "kind", json_string("sentry"));
		json_object_set_new(who, "function", json_string(f[i].name));
		json_object_set_new(who, "in", json_string(f[i + 1].name ? f[i + 1].name : "?"));
		json_array_append(l->list, who);
		break;
	}
	json_decref(who);
}

static bool locks_of_task(struct guest *g, const struct task_info *t, void *arg)
{
	struct stack_frame f[STACK_DEPTH];

	if (t->tid == t->pid)
		fds_each(g, t, locks_of_fd, arg);
	if (t->thread && !t->running && t->state == 'D')
		locks_kernel(arg, f, stack_sleeping(g, t->thread, f, STACK_DEPTH),
			json_pack("{s:i, s:s}", "tid", t->tid, "comm", t->comm));
	return true;
}

static void locks_of_cpus(struct session *s, struct guest *g, struct locks *l)
{
	struct stack_frame f[STACK_DEPTH];
	struct kvm_regs r;
	uint32_t cpu;

	for (cpu = 0; cpu < dbg_machine(s->d)->ncpus; cpu++) {
		if (dbg_get_regs(s->d, cpu, &r, NULL) == 0)
			locks_kernel(l, f, stack_unwind(g, r.rip, r.rbp, f, STACK_DEPTH),
				json_pack("{s:I}", "cpu", (json_int_t)cpu));
	}
}

json_t *cmd_locks_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	struct locks l = { 0 };

	if (!g || cmd_words(argc, argv, 0, 0, err) < 0)
		return NULL;
	l.inode = calloc(FILES_INODES, sizeof(*l.inode));
	l.list = json_array();
	if (l.inode) {
		tasks_each(g, locks_of_task, &l);
		locks_of_cpus(s, g, &l);
	}
	free(l.inode);
	return l.list;
}

void cmd_locks_print(const json_t *o, FILE *f)
{
	const json_t *l;
	size_t i;

	json_array_foreach(o, i, l)
	{
		if (strcmp(json_text(l, "kind"), "sentry") != 0)
			fprintf(f, "%s %s pid %lld [%s, %s] %s\n", json_text(l, "kind"),
				json_is_true(json_object_get(l, "write")) ? "write" : "read",
				json_number(l, "pid"), json_text(l, "start"), json_text(l, "end"),
				json_text(l, "path"));
		else if (json_object_get(l, "cpu"))
			fprintf(f, "vCPU %lld waits for a lock of the sentry: %s in %s\n",
				json_number(l, "cpu"), json_text(l, "function"),
				json_text(l, "in"));
		else
			fprintf(f, "task %lld %s waits for a lock of the sentry: %s in %s\n",
				json_number(l, "tid"), json_text(l, "comm"),
				json_text(l, "function"), json_text(l, "in"));
	}
}
