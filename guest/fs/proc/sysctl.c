/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/sys: tables of numbers; the few that can be set check what they are given. */
#include "fs/internal.h"
#include "fs/proc/proc.h"

#include "fs/aio.h"
#include "fs/fdtable.h"
#include "fs/lease.h"
#include "fs/pipe.h"
#include "kernel/random.h"
#include "keys/keys.h"
#include "lib/printf.h"
#include "mm/as.h"
#include "mm/reclaim.h"
#include "task/coredump.h"
#include "task/internal.h"
#include "task/uts.h"

#define SHOW_TEXT(fn, fmt, ...) \
	static int fn(struct proc_buf *b, struct proc_ctx *c) \
	{ \
		(void)c; \
		proc_printf(b, fmt "\n", __VA_ARGS__); \
		return 0; \
	}
#define SHOW_NUMBER(fn, value) SHOW_TEXT(fn, "%lu", (u64)(value))

/* ---- kernel ---- */
SHOW_TEXT(show_ostype, "%s", UTS_SYSNAME)
SHOW_TEXT(show_osrelease, "%s", UTS_RELEASE)
SHOW_TEXT(show_version, "%s", UTS_VERSION)
static const struct proc_tunable pid_max_tunable = { .val = &pid_max, .min = 301, .max = PID_MAX };
SHOW_NUMBER(show_threads_max, PID_MAX)
SHOW_NUMBER(show_cap_last_cap, CAP_LAST_CAP)
SHOW_NUMBER(show_ngroups_max, 65536)
SHOW_NUMBER(show_zero, 0)
SHOW_NUMBER(show_one, 1)
SHOW_NUMBER(show_two, 2)

static int show_core_pattern(struct proc_buf *b, struct proc_ctx *c)
{
	char text[CORE_PATTERN_MAX];

	(void)c;
	core_pattern_get(text);
	proc_printf(b, "%s\n", text);
	return 0;
}

static s64 write_core_pattern(struct proc_ctx *c, char *text, size_t len)
{
	size_t n = len;

	(void)c;
	if (n && text[n - 1] == '\n')
		n--;
	return core_pattern_set(text, n) ?: (s64)len;
}

static const struct proc_tunable core_pid_tunable = { &core_uses_pid, 0, 1 };

static int show_hostname(struct proc_buf *b, struct proc_ctx *c)
{
	struct new_utsname u;

	(void)c;
	uts_get(&u);
	proc_printf(b, "%s\n", u.nodename);
	return 0;
}

static s64 write_hostname(struct proc_ctx *c, char *text, size_t len)
{
	size_t n = len;

	(void)c;
	/* As in Linux the permissions of the file decide. */
	if (n && text[n - 1] == '\n')
		n--;
	return uts_set_hostname(text, n) ?: (s64)len;
}

static s64 write_domainname(struct proc_ctx *c, char *text, size_t len)
{
	size_t n = len;

	(void)c;
	/* As in Linux the permissions of the file decide. */
	if (n && text[n - 1] == '\n')
		n--;
	return uts_set_domainname(text, n) ?: (s64)len;
}

static int show_domainname(struct proc_buf *b, struct proc_ctx *c)
{
	struct new_utsname u;

	(void)c;
	uts_get(&u);
	proc_printf(b, "%s\n", u.domainname);
	return 0;
}

/* Kept and shown; segments go with their last user only when they were removed. */
static u64 rmid_forced;
static const struct proc_tunable tunable_rmid_forced = { .val = &rmid_forced, .min = 0, .max = 1 };

/* ---- kernel/random ---- */
static void put_uuid(struct proc_buf *b, const u8 *r)
{
	proc_printf(b, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n",
		r[0], r[1], r[2], r[3], r[4], r[5], (r[6] & 15) | 0x40, r[7], (r[8] & 63) | 0x80,
		r[9], r[10], r[11], r[12], r[13], r[14], r[15]);
}

static int show_uuid(struct proc_buf *b, struct proc_ctx *c)
{
	u8 r[16];

	(void)c;
	random_bytes(r, sizeof(r));
	put_uuid(b, r);
	return 0;
}

static int show_boot_id(struct proc_buf *b, struct proc_ctx *c)
{
	static u8 id[16];
	static u8 ready;

	(void)c;
	if (!atomic_xchg(&ready, 1))
		random_bytes(id, sizeof(id));
	put_uuid(b, id);
	return 0;
}

SHOW_NUMBER(show_entropy, 256)

static const struct proc_entry random_table[] = {
	PROC_FILE("boot_id", show_boot_id),
	PROC_FILE("entropy_avail", show_entropy),
	PROC_FILE("poolsize", show_entropy),
	PROC_FILE("uuid", show_uuid),
	{ .name = NULL },
};

/* ---- kernel/keys ---- */
static const struct proc_tunable keys_tunable = { .val = &key_max_keys, .max = INT_MAX };
static const struct proc_tunable keys_bytes_tunable = { .val = &key_max_bytes, .max = INT_MAX };
static const struct proc_tunable keys_root_tunable = { .val = &key_root_max_keys, .max = INT_MAX };
static const struct proc_tunable keys_root_bytes_tunable = { .val = &key_root_max_bytes,
	.max = INT_MAX };

static const struct proc_entry keys_table[] = {
	PROC_TUNABLE("maxbytes", &keys_bytes_tunable),
	PROC_TUNABLE("maxkeys", &keys_tunable),
	PROC_TUNABLE("root_maxbytes", &keys_root_bytes_tunable),
	PROC_TUNABLE("root_maxkeys", &keys_root_tunable),
	{ .name = NULL },
};

static const struct proc_entry kernel_table[] = {
	PROC_FILE("cap_last_cap", show_cap_last_cap),
	PROC_TUNE("core_pattern", show_core_pattern, write_core_pattern),
	PROC_TUNABLE("core_uses_pid", &core_pid_tunable),
	PROC_TUNE("domainname", show_domainname, write_domainname),
	PROC_TUNE("hostname", show_hostname, write_hostname),
	PROC_FILE("dmesg_restrict", show_one),
	PROC_DIR("keys", keys_table),
	PROC_FILE("kptr_restrict", show_one),
	PROC_TUNE("msg_next_id", proc_msg_next_id_show, proc_msg_next_id_write),
	PROC_TUNABLE("msgmax", &proc_tunable_msgmax),
	PROC_TUNABLE("msgmnb", &proc_tunable_msgmnb),
	PROC_TUNABLE("msgmni", &proc_tunable_msgmni),
	PROC_FILE("ngroups_max", show_ngroups_max),
	PROC_FILE("osrelease", show_osrelease),
	PROC_FILE("ostype", show_ostype),
	PROC_FILE("overflowgid", show_zero),
	PROC_FILE("overflowuid", show_zero),
	PROC_TUNABLE("pid_max", &pid_max_tunable),
	PROC_DIR("random", random_table),
	PROC_FILE("randomize_va_space", show_two),
	PROC_TUNE("sem", proc_sem_show, proc_sem_write),
	PROC_TUNE("sem_next_id", proc_sem_next_id_show, proc_sem_next_id_write),
	PROC_TUNE("shm_next_id", proc_shm_next_id_show, proc_shm_next_id_write),
	PROC_TUNABLE("shmall", &proc_tunable_shmall),
	PROC_TUNABLE("shmmax", &proc_tunable_shmmax),
	PROC_TUNABLE("shmmni", &proc_tunable_shmmni),
	PROC_TUNABLE("shm_rmid_forced", &tunable_rmid_forced),
	PROC_FILE("tainted", show_zero),
	PROC_FILE("threads-max", show_threads_max),
	PROC_FILE("version", show_version),
	{ .name = NULL },
};

/* ---- vm ---- */
static const struct proc_tunable map_count_tunable = {
	.val = &as_max_vmas, .min = 0, .max = INT_MAX
};
SHOW_NUMBER(show_min_addr, 65536)
SHOW_NUMBER(show_swappiness, 60)
SHOW_NUMBER(show_overcommit_ratio, 50)

static u64 drop_caches;
static const struct proc_tunable drop_tunable = { .val = &drop_caches, .min = 1, .max = 4 };

static s64 write_drop_caches(struct proc_ctx *c, char *text, size_t len)
{
	s64 ret = proc_tunable_write(c, text, len);

	if (ret < 0)
		return ret;
	if (READ_ONCE(drop_caches) & 2)
		dcache_shrink(~0UL);
	if (READ_ONCE(drop_caches) & 1)
		mm_drop_clean();
	return ret;
}

static const struct proc_entry vm_table[] = {
	{ .name = "drop_caches",
		.mode = S_IFREG | 0200,
		.write = write_drop_caches,
		.data = &drop_tunable },
	PROC_TUNABLE("max_map_count", &map_count_tunable),
	PROC_FILE("mmap_min_addr", show_min_addr),
	PROC_FILE("nr_hugepages", show_zero),
	PROC_FILE("overcommit_memory", show_one),
	PROC_FILE("overcommit_ratio", show_overcommit_ratio),
	PROC_FILE("swappiness", show_swappiness),
	{ .name = NULL },
};

/* ---- fs ---- */
static const struct proc_tunable nr_open_tunable = {
	.val = &fd_nr_open, .min = 64, .max = 1073741816
};
SHOW_NUMBER(show_aio_max, AIO_MAX_EVENTS)
SHOW_NUMBER(show_aio_nr, aio_count())
SHOW_NUMBER(show_file_max, 1048576)
SHOW_TEXT(show_file_nr, "%lu\t0\t%u", atomic_load(&files_open), 1048576)

static const struct proc_tunable queued_tunable = {
	.val = &inotify_limits.queued, .min = 0, .max = INT_MAX
};
static const struct proc_tunable instances_tunable = {
	.val = &inotify_limits.instances, .min = 0, .max = INT_MAX
};
static const struct proc_tunable watches_tunable = {
	.val = &inotify_limits.watches, .min = 0, .max = INT_MAX
};
static const struct proc_entry inotify_table[] = {
	PROC_TUNABLE("max_queued_events", &queued_tunable),
	PROC_TUNABLE("max_user_instances", &instances_tunable),
	PROC_TUNABLE("max_user_watches", &watches_tunable),
	{ .name = NULL },
};

static const struct proc_tunable pipe_size_tunable = {
	.val = &pipe_max_size, .min = PAGE_SIZE, .max = PIPE_HARD_MAX
};
static const struct proc_tunable pipe_soft_tunable = {
	.val = &pipe_user_soft, .min = 0, .max = INT64_MAX
};
static const struct proc_tunable pipe_hard_tunable = {
	.val = &pipe_user_hard, .min = 0, .max = INT64_MAX
};
static const struct proc_tunable lease_tunable = {
	.val = &lease_break_time, .min = 0, .max = INT_MAX
};

static const struct proc_entry fs_table[] = {
	PROC_FILE("aio-max-nr", show_aio_max),
	PROC_FILE("aio-nr", show_aio_nr),
	PROC_FILE("file-max", show_file_max),
	PROC_FILE("file-nr", show_file_nr),
	PROC_DIR("inotify", inotify_table),
	PROC_TUNABLE("lease-break-time", &lease_tunable),
	PROC_DIR("mqueue", proc_mqueue_table),
	PROC_TUNABLE("nr_open", &nr_open_tunable),
	PROC_TUNABLE("pipe-max-size", &pipe_size_tunable),
	PROC_TUNABLE("pipe-user-pages-hard", &pipe_hard_tunable),
	PROC_TUNABLE("pipe-user-pages-soft", &pipe_soft_tunable),
	PROC_FILE("protected_fifos", show_zero),
	PROC_FILE("protected_hardlinks", show_zero),
	PROC_FILE("protected_regular", show_zero),
	PROC_FILE("protected_symlinks", show_zero),
	PROC_FILE("suid_dumpable", show_zero),
	{ .name = NULL },
};

const struct proc_entry proc_sys_table[] = {
	PROC_DIR("fs", fs_table),
	PROC_DIR("kernel", kernel_table),
	PROC_DIR("net", proc_sys_net_table),
	PROC_DIR("vm", vm_table),
	{ .name = NULL },
};

/* The entry of a name like "net.core.somaxconn", or NULL. */
static const struct proc_entry *sysctl_find(const char *name)
{
	const struct proc_entry *e = proc_sys_table;

	for (;;) {
		size_t n = 0;

		while (name[n] && name[n] != '.')
			n++;
		while (e->name && (strncmp(e->name, name, n) != 0 || e->name[n]))
			e++;
		if (!e->name || !name[n])
			return e->name ? e : NULL;
		if (!e->children)
			return NULL;
		e = e->children;
		name += n + 1;
	}
}

int sysctl_set(const char *name, const char *value)
{
	struct proc_node node = { .entry = sysctl_find(name) };
	char *text;
	s64 ret;

	if (!node.entry)
		return -ENOENT;
	if (!node.entry->write)
		return -EROFS;
	text = kstrdup(value);
	if (!text)
		return -ENOMEM;
	ret = node.entry->write(&node.ctx, text, strlen(text));
	kfree(text);
	return ret < 0 ? (int)ret : 0;
}
