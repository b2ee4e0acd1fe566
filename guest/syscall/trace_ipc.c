/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of the IPC calls for the tracer. */
#include "syscall/trace_kinds.h"

#include "ipc/ipc.h"
#include "ipc/mqueue.h"
#include "mm/usercopy.h"

#define SEMBUF_SHOWN 4u

static const struct trace_flag ipc_get_flags[] = {
	{ IPC_CREAT, "IPC_CREAT" },
	{ IPC_EXCL, "IPC_EXCL" },
	{ SHM_HUGETLB, "SHM_HUGETLB" },
	{ SHM_NORESERVE, "SHM_NORESERVE" },
	{ 0, NULL },
};
static const char *const sem_commands[] = {
	[GETPID] = "GETPID",
	[GETVAL] = "GETVAL",
	[GETALL] = "GETALL",
	[GETNCNT] = "GETNCNT",
	[GETZCNT] = "GETZCNT",
	[SETVAL] = "SETVAL",
	[SETALL] = "SETALL",
	[SEM_STAT] = "SEM_STAT",
	[SEM_INFO] = "SEM_INFO",
	[SEM_STAT_ANY] = "SEM_STAT_ANY",
};
static const char *const msg_commands[] = {
	[MSG_STAT] = "MSG_STAT",
	[MSG_INFO] = "MSG_INFO",
	[MSG_STAT_ANY] = "MSG_STAT_ANY",
};
static const char *const shm_commands[] = {
	[SHM_LOCK] = "SHM_LOCK",
	[SHM_UNLOCK] = "SHM_UNLOCK",
	[SHM_STAT] = "SHM_STAT",
	[SHM_INFO] = "SHM_INFO",
	[SHM_STAT_ANY] = "SHM_STAT_ANY",
};
static const char *const ipc_commands[] = {
	[IPC_RMID] = "IPC_RMID",
	[IPC_SET] = "IPC_SET",
	[IPC_STAT] = "IPC_STAT",
	[IPC_INFO] = "IPC_INFO",
};

static void arg_ipckey(struct trace_arg_ctx *c)
{
	if ((s32)c->v == IPC_PRIVATE)
		trace_put(c->l, "IPC_PRIVATE");
	else
		trace_put(c->l, "0x%x", (u32)c->v);
}

static void arg_ipcget(struct trace_arg_ctx *c)
{
	u64 flags = (u32)c->v & ~0777u;

	if (flags) {
		trace_flags(c->l, ipc_get_flags, flags, NULL);
		trace_put(c->l, "|");
	}
	trace_put(c->l, "%#o", (u32)c->v & 0777);
}

static void ipc_command(struct trace_arg_ctx *c, const char *const *names, size_t n)
{
	if (c->v < ARRAY_SIZE(ipc_commands) && ipc_commands[c->v])
		trace_put(c->l, "%s", ipc_commands[c->v]);
	else if (c->v < n && names[c->v])
		trace_put(c->l, "%s", names[c->v]);
	else
		trace_put(c->l, "0x%lx", c->v);
}

static void arg_semcmd(struct trace_arg_ctx *c)
{
	ipc_command(c, sem_commands, ARRAY_SIZE(sem_commands));
}

static void arg_msgcmd(struct trace_arg_ctx *c)
{
	ipc_command(c, msg_commands, ARRAY_SIZE(msg_commands));
}

static void arg_shmcmd(struct trace_arg_ctx *c)
{
	ipc_command(c, shm_commands, ARRAY_SIZE(shm_commands));
}

static void arg_sembuf(struct trace_arg_ctx *c)
{
	u64 i, n = (u32)c->a->a[2];
	struct sembuf op;

	trace_put(c->l, "[");
	for (i = 0; i < n; i++) {
		if (i == SEMBUF_SHOWN ||
			copy_from_user(&op, c->v + i * sizeof(op), sizeof(op)) < 0) {
			trace_put(c->l, i ? ", ..." : "...");
			break;
		}
		trace_put(c->l, "%s{%u, %d, 0x%x}", i ? ", " : "", op.sem_num, op.sem_op,
			(u16)op.sem_flg);
	}
	trace_put(c->l, "]");
}

static void arg_mqattr(struct trace_arg_ctx *c)
{
	struct mq_attr attr;

	if (!c->v)
		trace_put(c->l, "NULL");
	else if (copy_from_user(&attr, c->v, sizeof(attr)) < 0)
		trace_put(c->l, "0x%lx", c->v);
	else
		trace_put(c->l, "{mq_flags=0x%lx, mq_maxmsg=%ld, mq_msgsize=%ld}",
			(u64)attr.mq_flags, (s64)attr.mq_maxmsg, (s64)attr.mq_msgsize);
}

const struct trace_kind trace_ipc_kinds[] = {
	{ "ipckey", arg_ipckey, false },
	{ "ipcget", arg_ipcget, false },
	{ "semcmd", arg_semcmd, false },
	{ "msgcmd", arg_msgcmd, false },
	{ "shmcmd", arg_shmcmd, false },
	{ "sembuf", arg_sembuf, false },
	{ "mqattr", arg_mqattr, false },
};
const size_t trace_ipc_kind_count = ARRAY_SIZE(trace_ipc_kinds);
