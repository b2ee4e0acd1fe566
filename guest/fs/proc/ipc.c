/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/sysvipc, and the tunables of System V and POSIX IPC in /proc/sys. */
#include "fs/proc/proc.h"

#include "ipc/ipc.h"
#include "ipc/mqueue.h"
#include "kernel/errno.h"
#include "lib/string.h"

/* ---- numbers that can be set ---- */

/* The next decimal number of a text; false at its end or when it is none. */
static bool tunable_next(char **p, s64 *out)
{
	char *s = *p;
	bool minus;
	u64 v = 0;

	while (*s == ' ' || *s == '\t')
		s++;
	minus = *s == '-';
	s += minus;
	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(v, 10UL, &v) ||
			__builtin_add_overflow(v, (u64)(*s - '0'), &v))
			return false;
	}
	*p = s;
	*out = minus ? -(s64)v : (s64)v;
	return *s == '\0' || *s == '\n' || *s == ' ' || *s == '\t';
}

static const struct proc_tunable *tunable_of(struct proc_ctx *c)
{
	return list_entry(c, struct proc_node, ctx)->entry->data;
}

static u64 *tunable_place(const struct proc_tunable *t)
{
	return t->val ? t->val : t->place(t);
}

int proc_tunable_show(struct proc_buf *b, struct proc_ctx *c)
{
	proc_printf(b, "%lu\n", READ_ONCE(*tunable_place(tunable_of(c))));
	return 0;
}

s64 proc_tunable_write(struct proc_ctx *c, char *text, size_t len)
{
	const struct proc_tunable *t = tunable_of(c);
	s64 v;

	if (!tunable_next(&text, &v) || (u64)v < t->min || (u64)v > t->max)
		return -EINVAL;
	WRITE_ONCE(*tunable_place(t), (u64)v);
	return (s64)len;
}

static u64 *limit_place(const struct proc_tunable *t)
{
	return (u64 *)((char *)ipc_limits() + t->offset);
}

static u64 *mq_limit_place(const struct proc_tunable *t)
{
	return (u64 *)((char *)mq_limits() + t->offset);
}

#define TUNABLE(n, low, high) \
	const struct proc_tunable proc_tunable_##n = { .place = limit_place, \
		.offset = offsetof(struct ipc_limits, n), \
		.min = low, \
		.max = high }
#define MQ_TUNABLE(n, low, high) \
	static const struct proc_tunable proc_tunable_##n = { .place = mq_limit_place, \
		.offset = offsetof(struct mq_limits, n), \
		.min = low, \
		.max = high }

TUNABLE(msgmax, 0, 4UL << 20);
TUNABLE(msgmnb, 0, INT_MAX);
TUNABLE(msgmni, 0, IPC_ID_MAX);
TUNABLE(shmall, 0, ~0UL);
TUNABLE(shmmax, 0, ~0UL);
TUNABLE(shmmni, 0, IPC_ID_MAX);
MQ_TUNABLE(queues_max, 0, INT_MAX);
MQ_TUNABLE(msg_max, 1, 65536);
MQ_TUNABLE(msgsize_max, 128, 16UL << 20);
MQ_TUNABLE(msg_default, 1, 65536);
MQ_TUNABLE(msgsize_default, 128, 16UL << 20);

const struct proc_entry proc_mqueue_table[] = {
	PROC_TUNABLE("msg_default", &proc_tunable_msg_default),
	PROC_TUNABLE("msg_max", &proc_tunable_msg_max),
	PROC_TUNABLE("msgsize_default", &proc_tunable_msgsize_default),
	PROC_TUNABLE("msgsize_max", &proc_tunable_msgsize_max),
	PROC_TUNABLE("queues_max", &proc_tunable_queues_max),
	{ .name = NULL },
};

int proc_sem_show(struct proc_buf *b, struct proc_ctx *c)
{
	proc_printf(b, "%lu\t%lu\t%lu\t%lu\n", ipc_limits()->semmsl, ipc_limits()->semmns,
		ipc_limits()->semopm, ipc_limits()->semmni);
	return 0;
}

s64 proc_sem_write(struct proc_ctx *c, char *text, size_t len)
{
	struct ipc_limits *l = ipc_limits();
	u64 *const place[] = { &l->semmsl, &l->semmns, &l->semopm, &l->semmni };
	static const u64 max[] = { 65536, INT_MAX, 1000, IPC_ID_MAX };
	s64 v[ARRAY_SIZE(place)];
	size_t n, i;

	for (n = 0; n < ARRAY_SIZE(place) && tunable_next(&text, &v[n]); n++) {
		if (v[n] < 0 || (u64)v[n] > max[n])
			return -EINVAL;
	}
	for (i = 0; i < n; i++)
		WRITE_ONCE(*place[i], (u64)v[i]);
	return n ? (s64)len : -EINVAL;
}

#define NEXT_ID(n, kind) \
	int proc_##n##_show(struct proc_buf *b, struct proc_ctx *c) \
	{ \
		proc_printf(b, "%d\n", READ_ONCE(ipc_limits()->next_id[kind])); \
		return 0; \
	} \
	s64 proc_##n##_write(struct proc_ctx *c, char *text, size_t len) \
	{ \
		s64 v; \
		if (!tunable_next(&text, &v) || v < -1 || v > INT_MAX) \
			return -EINVAL; \
		WRITE_ONCE(ipc_limits()->next_id[kind], (s32)v); \
		return (s64)len; \
	}
NEXT_ID(sem_next_id, IPC_SEM)
NEXT_ID(msg_next_id, IPC_MSG)
NEXT_ID(shm_next_id, IPC_SHM)

/* ---- /proc/sysvipc ---- */

static int sysvipc_msg(struct proc_buf *b, struct proc_ctx *c)
{
	return proc_sysvipc_msg(b);
}

static int sysvipc_sem(struct proc_buf *b, struct proc_ctx *c)
{
	return proc_sysvipc_sem(b);
}

static int sysvipc_shm(struct proc_buf *b, struct proc_ctx *c)
{
	return proc_sysvipc_shm(b);
}

const struct proc_entry proc_sysvipc_table[] = {
	PROC_FILE("msg", sysvipc_msg),
	PROC_FILE("sem", sysvipc_sem),
	PROC_FILE("shm", sysvipc_shm),
	{ .name = NULL },
};
