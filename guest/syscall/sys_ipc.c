/* SPDX-License-Identifier: Apache-2.0 */
/* System V IPC: semaphores, message queues, shared memory. */
#include "ipc/ipc.h"
#include "kernel/waitq.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "syscall/time_user.h"
#include "task/user_ns.h"

/* The uid, gid and mode of a user's *_ds for IPC_SET. */
static void change_from(struct ipc_change *c, const struct ipc64_perm *p)
{
	c->uid = uid_to_kernel(p->uid);
	c->gid = gid_to_kernel(p->gid);
	c->mode = p->mode;
}

/* ---- semaphores ---- */

s64 sys_semget(struct task *t, const struct sysargs *a)
{
	return sem_get((s32)a->a[0], (s32)a->a[1], (int)a->a[2]);
}

static s64 semop_user(int id, uaddr_t src, u64 n, u64 deadline)
{
	struct sembuf small[8];
	struct sembuf *ops = small;
	s64 ret;

	if (n < 1 || id < 0)
		return -EINVAL;
	if (n > ipc_limits()->semopm)
		return -E2BIG;
	if (n > ARRAY_SIZE(small)) {
		ops = kmalloc(n * sizeof(*ops));
		if (!ops)
			return -ENOMEM;
	}
	if (copy_from_user(ops, src, n * sizeof(*ops)) < 0)
		ret = -EFAULT;
	else
		ret = sem_op(id, ops, (u32)n, deadline);
	if (ops != small)
		kfree(ops);
	return ret;
}

s64 sys_semop(struct task *t, const struct sysargs *a)
{
	return semop_user((int)a->a[0], a->a[1], (u32)a->a[2], WAIT_FOREVER);
}

s64 sys_semtimedop(struct task *t, const struct sysargs *a)
{
	u64 deadline = WAIT_FOREVER;

	if (a->a[3]) {
		s64 ns = get_timespec(a->a[3]);

		if (ns < 0)
			return ns;
		deadline = deadline_after(ns);
	}
	return semop_user((int)a->a[0], a->a[1], (u32)a->a[2], deadline);
}

static s64 semctl_all(int id, int cmd, uaddr_t array)
{
	u64 n = 0;
	u16 *val;
	s64 ret = sem_count(id, &n);

	if (ret < 0)
		return ret;
	val = kmalloc(n * sizeof(*val));
	if (!val)
		return -ENOMEM;
	if (cmd == GETALL) {
		ret = sem_get_all(id, val, n);
		if (!ret)
			ret = copy_to_user(array, val, n * sizeof(*val));
	} else {
		ret = copy_from_user(val, array, n * sizeof(*val));
		if (!ret)
			ret = sem_set_all(id, val, n);
	}
	kfree(val);
	return ret;
}

static s64 semctl_stat(int id, enum ipc_by by, uaddr_t dst)
{
	struct semid64_ds ds;
	s64 ret = sem_stat(id, by, &ds);

	return ret >= 0 && copy_to_user(dst, &ds, sizeof(ds)) < 0 ? -EFAULT : ret;
}

static s64 semctl_info(bool used, uaddr_t dst)
{
	struct seminfo info;
	s64 ret = sem_info(used, &info);

	return copy_to_user(dst, &info, sizeof(info)) < 0 ? -EFAULT : ret;
}

static s64 semctl_set(int id, uaddr_t src)
{
	struct ipc_change c = { 0 };
	struct semid64_ds ds;

	if (copy_from_user(&ds, src, sizeof(ds)) < 0)
		return -EFAULT;
	change_from(&c, &ds.sem_perm);
	return sem_set(id, &c);
}

s64 sys_semctl(struct task *t, const struct sysargs *a)
{
	int id = (int)a->a[0], num = (int)a->a[1], cmd = (int)a->a[2];
	u64 arg = a->a[3];

	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case SEM_INFO:
		return semctl_info(cmd == SEM_INFO, arg);
	case IPC_STAT:
		return semctl_stat(id, IPC_BY_ID, arg);
	case SEM_STAT:
		return semctl_stat(id, IPC_BY_INDEX, arg);
	case SEM_STAT_ANY:
		return semctl_stat(id, IPC_BY_INDEX_ANY, arg);
	case IPC_SET:
		return semctl_set(id, arg);
	case IPC_RMID:
		return sem_remove(id);
	case GETALL:
	case SETALL:
		return semctl_all(id, cmd, arg);
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
		return sem_get_one(id, num, cmd);
	case SETVAL:
		return sem_set_one(id, num, (s32)arg);
	default:
		return -EINVAL;
	}
}

/* ---- message queues ---- */

s64 sys_msgget(struct task *t, const struct sysargs *a)
{
	return msg_get((s32)a->a[0], (int)a->a[1]);
}

s64 sys_msgsnd(struct task *t, const struct sysargs *a)
{
	int id = (int)a->a[0];
	u64 size = a->a[2];
	struct msg *m;
	s64 type, ret;

	if (get_user(type, a->a[1]) < 0)
		return -EFAULT;
	if (size > ipc_limits()->msgmax || id < 0 || type < 1)
		return -EINVAL;
	m = msg_alloc(type, size);
	if (!m)
		return -ENOMEM;
	if (copy_from_user(m->text, a->a[1] + sizeof(type), size) < 0)
		ret = -EFAULT;
	else
		ret = msg_send(id, m, (int)a->a[3]);
	if (ret < 0)
		msg_free(m);
	return ret;
}

s64 sys_msgrcv(struct task *t, const struct sysargs *a)
{
	int id = (int)a->a[0];
	struct msg *m = NULL;
	u64 size = a->a[2];
	s64 ret;

	if (id < 0 || (s64)size < 0)
		return -EINVAL;
	ret = msg_receive(id, size, (s64)a->a[3], (int)a->a[4], &m);
	if (ret < 0)
		return ret;
	size = MIN(size, m->size);
	ret = (s64)size;
	if (put_user(m->type, a->a[1]) < 0 ||
		copy_to_user(a->a[1] + sizeof(m->type), m->text, size) < 0)
		ret = -EFAULT;
	msg_free(m);
	return ret;
}

static s64 msgctl_stat(int id, enum ipc_by by, uaddr_t dst)
{
	struct msqid64_ds ds;
	s64 ret = msg_stat(id, by, &ds);

	return ret >= 0 && copy_to_user(dst, &ds, sizeof(ds)) < 0 ? -EFAULT : ret;
}

static s64 msgctl_info(bool used, uaddr_t dst)
{
	struct msginfo info;
	s64 ret = msg_info(used, &info);

	return copy_to_user(dst, &info, sizeof(info)) < 0 ? -EFAULT : ret;
}

static s64 msgctl_set(int id, uaddr_t src)
{
	struct ipc_change c = { 0 };
	struct msqid64_ds ds;

	if (copy_from_user(&ds, src, sizeof(ds)) < 0)
		return -EFAULT;
	change_from(&c, &ds.msg_perm);
	c.qbytes = ds.msg_qbytes;
	return msg_set(id, &c);
}

s64 sys_msgctl(struct task *t, const struct sysargs *a)
{
	int id = (int)a->a[0], cmd = (int)a->a[1];

	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case MSG_INFO:
		return msgctl_info(cmd == MSG_INFO, a->a[2]);
	case IPC_STAT:
		return msgctl_stat(id, IPC_BY_ID, a->a[2]);
	case MSG_STAT:
		return msgctl_stat(id, IPC_BY_INDEX, a->a[2]);
	case MSG_STAT_ANY:
		return msgctl_stat(id, IPC_BY_INDEX_ANY, a->a[2]);
	case IPC_SET:
		return msgctl_set(id, a->a[2]);
	case IPC_RMID:
		return msg_remove(id);
	default:
		return -EINVAL;
	}
}

/* ---- shared memory ---- */

s64 sys_shmget(struct task *t, const struct sysargs *a)
{
	return shm_get_segment((s32)a->a[0], a->a[1], (int)a->a[2]);
}

s64 sys_shmat(struct task *t, const struct sysargs *a)
{
	return shm_attach((int)a->a[0], a->a[1], (int)a->a[2]);
}

s64 sys_shmdt(struct task *t, const struct sysargs *a)
{
	return shm_detach(a->a[0]);
}

static s64 shmctl_stat(int id, enum ipc_by by, uaddr_t dst)
{
	struct shmid64_ds ds;
	s64 ret = shm_stat(id, by, &ds);

	return ret >= 0 && copy_to_user(dst, &ds, sizeof(ds)) < 0 ? -EFAULT : ret;
}

static s64 shmctl_info(uaddr_t dst)
{
	struct shminfo64 info;
	s64 ret = shm_limits(&info);

	return copy_to_user(dst, &info, sizeof(info)) < 0 ? -EFAULT : ret;
}

static s64 shmctl_usage(uaddr_t dst)
{
	struct shm_info info;
	s64 ret = shm_usage(&info);

	return copy_to_user(dst, &info, sizeof(info)) < 0 ? -EFAULT : ret;
}

static s64 shmctl_set(int id, uaddr_t src)
{
	struct ipc_change c = { 0 };
	struct shmid64_ds ds;

	if (copy_from_user(&ds, src, sizeof(ds)) < 0)
		return -EFAULT;
	change_from(&c, &ds.shm_perm);
	return shm_set(id, &c);
}

s64 sys_shmctl(struct task *t, const struct sysargs *a)
{
	int id = (int)a->a[0], cmd = (int)a->a[1];

	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
		return shmctl_info(a->a[2]);
	case SHM_INFO:
		return shmctl_usage(a->a[2]);
	case IPC_STAT:
		return shmctl_stat(id, IPC_BY_ID, a->a[2]);
	case SHM_STAT:
		return shmctl_stat(id, IPC_BY_INDEX, a->a[2]);
	case SHM_STAT_ANY:
		return shmctl_stat(id, IPC_BY_INDEX_ANY, a->a[2]);
	case IPC_SET:
		return shmctl_set(id, a->a[2]);
	case IPC_RMID:
		return shm_remove(id);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return shm_lock(id, cmd == SHM_LOCK);
	default:
		return -EINVAL;
	}
}
