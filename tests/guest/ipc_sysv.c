/* SPDX-License-Identifier: Apache-2.0 */
/* System V semaphores, message queues and shared memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define PAGE 4096L

union semun_arg {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static bool fails(long ret, int err)
{
	return ret == -1 && errno == err;
}

static bool child_ok(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int sem_val(int id, int num)
{
	return semctl(id, num, GETVAL);
}

/* Until somebody sleeps on semaphore num of the set. */
static void await(int id, int num, int cmd)
{
	while (semctl(id, num, cmd) == 0)
		usleep(1000);
}

static void test_sem_get(void)
{
	key_t key = 0x5e30000 + getpid();
	int id = semget(key, 3, IPC_CREAT | IPC_EXCL | 0600);
	struct semid_ds ds;
	union semun_arg arg = { .buf = &ds };

	ok(id >= 0, "semget makes a set");
	ok(semget(key, 0, 0) == id && semget(key, 3, IPC_CREAT) == id, "the key finds it");
	ok(fails(semget(key, 3, IPC_CREAT | IPC_EXCL), EEXIST), "IPC_EXCL: EEXIST");
	ok(fails(semget(key, 4, 0), EINVAL), "more semaphores than it has: EINVAL");
	ok(fails(semget(key + 77777, 1, 0), ENOENT), "an unknown key: ENOENT");
	ok(fails(semget(IPC_PRIVATE, 0, 0600), EINVAL), "a new set of none: EINVAL");
	ok(!semctl(id, 0, IPC_STAT, arg) && ds.sem_nsems == 3 && ds.sem_otime == 0 &&
			(ds.sem_perm.mode & 0777) == 0600 && ds.sem_perm.__key == key &&
			ds.sem_perm.uid == geteuid(),
		"IPC_STAT");
	ds.sem_perm.mode = 0640;
	ok(!semctl(id, 0, IPC_SET, arg) && !semctl(id, 0, IPC_STAT, arg) &&
			(ds.sem_perm.mode & 0777) == 0640,
		"IPC_SET changes the mode");
	ok(!semctl(id, 0, IPC_RMID) && fails(semctl(id, 0, GETVAL), EINVAL), "IPC_RMID");
	ok(fails(semctl(id, 0, IPC_RMID), EINVAL), "once");
}

static void test_sem_values(void)
{
	int id = semget(IPC_PRIVATE, 3, 0600);
	unsigned short all[3] = { 4, 5, 6 };
	union semun_arg arg = { .array = all };

	ok(!semctl(id, 0, SETALL, arg) && sem_val(id, 0) == 4 && sem_val(id, 2) == 6, "SETALL");
	arg.val = 32768;
	ok(fails(semctl(id, 1, SETVAL, arg), ERANGE), "SETVAL above the maximum: ERANGE");
	arg.val = 9;
	ok(!semctl(id, 1, SETVAL, arg) && sem_val(id, 1) == 9, "SETVAL");
	ok(semctl(id, 1, GETPID) == getpid(), "GETPID");
	arg.array = all;
	ok(!semctl(id, 0, GETALL, arg) && all[0] == 4 && all[1] == 9 && all[2] == 6, "GETALL");
	ok(fails(semctl(id, 3, GETVAL), EINVAL), "a number outside of the set: EINVAL");
	ok(fails(semctl(id, 0, 77), EINVAL), "an unknown command: EINVAL");
	semctl(id, 0, IPC_RMID);
}

static void test_semop(void)
{
	int id = semget(IPC_PRIVATE, 2, 0600);
	struct sembuf two[2] = { { 0, 1, 0 }, { 1, -1, IPC_NOWAIT } };
	struct sembuf far = { 2, 1, 0 };
	struct sembuf down = { 0, -1, 0 }, up = { 0, 1, 0 }, zero = { 0, 0, IPC_NOWAIT };
	struct timespec ts = { 0, 20000000 };
	pid_t pid;

	ok(fails(semop(id, two, 2), EAGAIN) && sem_val(id, 0) == 0,
		"operations that cannot all be done change nothing");
	ok(!semop(id, &up, 1) && fails(semop(id, &zero, 1), EAGAIN), "up; not zero then");
	ok(!semop(id, &down, 1) && !semop(id, &zero, 1), "down; zero then");
	ok(fails(semop(id, &far, 1), EFBIG), "a number outside of the set: EFBIG");
	ok(fails(semop(id, &up, 0), EINVAL), "no operations: EINVAL");
	ok(fails(semtimedop(id, &down, 1, &ts), EAGAIN), "semtimedop ends with EAGAIN");
	ts.tv_nsec = 1000000000;
	ok(fails(semtimedop(id, &down, 1, &ts), EINVAL), "a time that is none: EINVAL");
	pid = fork();
	if (pid == 0)
		_exit(semop(id, &down, 1) != 0);
	await(id, 0, GETNCNT);
	ok(semctl(id, 0, GETNCNT) == 1 && semctl(id, 0, GETZCNT) == 0, "GETNCNT counts a sleeper");
	ok(!semop(id, &up, 1) && child_ok(pid) && sem_val(id, 0) == 0, "which an increase wakes");
	pid = fork();
	if (pid == 0)
		_exit(!fails(semop(id, &down, 1), EIDRM));
	await(id, 0, GETNCNT);
	ok(!semctl(id, 0, IPC_RMID) && child_ok(pid), "removal wakes with EIDRM");
}

static void test_undo(void)
{
	int id = semget(IPC_PRIVATE, 2, 0600);
	struct sembuf ops[2] = { { 0, 3, SEM_UNDO }, { 1, 2, 0 } };
	pid_t pid = fork();

	if (pid == 0)
		_exit(semop(id, ops, 2) != 0);
	ok(child_ok(pid) && sem_val(id, 0) == 0 && sem_val(id, 1) == 2,
		"the end of a process undoes what SEM_UNDO asked for");
	semctl(id, 0, IPC_RMID);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void test_msg(void)
{
	struct {
		long type;
		char text[64];
	} m = { 3, "three" };
	int id = msgget(IPC_PRIVATE, 0600);
	struct msqid_ds ds;

	ok(id >= 0, "msgget makes a queue");
	ok(!msgsnd(id, &m, 6, 0), "msgsnd");
	m.type = 1;
	memcpy(m.text, "one", 4);
	ok(!msgsnd(id, &m, 4, 0), "and another");
	ok(!msgctl(id, IPC_STAT, &ds) && ds.msg_qnum == 2 && ds.msg_lspid == getpid() &&
			ds.msg_qbytes == 16384,
		"IPC_STAT counts them");
	ok(fails(msgrcv(id, &m, 64, 2, IPC_NOWAIT), ENOMSG), "a type that is not there: ENOMSG");
	ok(fails(msgrcv(id, &m, 2, 0, 0), E2BIG), "a buffer that is too small: E2BIG");
	ok(msgrcv(id, &m, 64, -3, 0) == 4 && m.type == 1, "a negative type takes the lowest");
	ok(msgrcv(id, &m, 2, 3, MSG_NOERROR) == 2 && m.type == 3, "MSG_NOERROR cuts");
	m.type = 0;
	ok(fails(msgsnd(id, &m, 1, 0), EINVAL), "type 0 cannot be sent: EINVAL");
	m.type = 1;
	ok(fails(msgsnd(id, &m, 8193, 0), EINVAL), "nor more than msgmax: EINVAL");
	ok(fails(msgsnd(id, (void *)1, 1, 0), EFAULT), "nor from nowhere: EFAULT");
	ok(!msgctl(id, IPC_RMID, NULL) && fails(msgsnd(id, &m, 1, 0), EINVAL), "IPC_RMID");
}

static void test_msg_sleep(void)
{
	struct {
		long type;
		char text[4096];
	} m = { 1, "" };
	struct sigaction sa = { .sa_handler = on_alarm };
	int id = msgget(IPC_PRIVATE, 0600);
	pid_t pid = fork();

	if (pid == 0)
		_exit(msgrcv(id, &m, sizeof(m.text), 0, 0) != 10);
	ok(!msgsnd(id, &m, 10, 0) && child_ok(pid), "msgrcv sleeps until there is a message");
	while (!msgsnd(id, &m, sizeof(m.text), IPC_NOWAIT))
		continue;
	ok(errno == EAGAIN, "a full queue: EAGAIN");
	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	ok(fails(msgsnd(id, &m, sizeof(m.text), 0), EINTR), "a signal ends msgsnd: EINTR");
	pid = fork();
	if (pid == 0)
		_exit(!fails(msgsnd(id, &m, sizeof(m.text), 0), EIDRM));
	usleep(20000);
	ok(!msgctl(id, IPC_RMID, NULL) && child_ok(pid), "removal wakes with EIDRM");
}

static void test_shm(void)
{
	int id = shmget(IPC_PRIVATE, 3 * PAGE - 100, 0600);
	struct shmid_ds ds;
	char *p, *q;
	pid_t pid;

	ok(id >= 0, "shmget makes a segment");
	p = shmat(id, NULL, 0);
	q = shmat(id, NULL, SHM_RDONLY);
	ok(p != (void *)-1 && q != (void *)-1 && p != q, "shmat maps it twice");
	p[PAGE] = 7;
	ok(q[PAGE] == 7 && q[0] == 0, "both show the same");
	ok(fails(mprotect(q, PAGE, PROT_READ | PROT_WRITE), EACCES),
		"a read-only attachment stays so");
	ok(!shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 2 && ds.shm_segsz == 3 * PAGE - 100 &&
			ds.shm_cpid == getpid(),
		"IPC_STAT");
	pid = fork();
	if (pid == 0) {
		p[0] = 9;
		_exit(shmctl(id, IPC_STAT, &ds) || ds.shm_nattch != 4);
	}
	ok(child_ok(pid) && q[0] == 9, "a child shares it and counts");
	ok(!shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 2, "until its end");
	ok(!munmap(p + PAGE, PAGE) && !shmdt(p) && fails(shmdt(p), EINVAL), "shmdt");
	ok(shmat(id, q, 0) == (void *)-1 && errno == EINVAL, "where something is: EINVAL");
	ok(shmat(id, q, SHM_REMAP) == q, "but with SHM_REMAP");
	ok(shmat(id, q + 8, 0) == (void *)-1 && errno == EINVAL, "an odd address: EINVAL");
	ok(!shmctl(id, IPC_RMID, NULL) && !shmctl(id, IPC_STAT, &ds) && (ds.shm_perm.mode & 01000),
		"a removed segment lives while it is attached");
	ok(q[0] == 9 && !shmdt(q) && fails(shmctl(id, IPC_STAT, &ds), EINVAL),
		"and goes with the last attachment");
	ok(fails(shmget(IPC_PRIVATE, 0, 0600), EINVAL), "no bytes: EINVAL");
}

static int remap(const void *at, unsigned long len)
{
	return (int)syscall(SYS_remap_file_pages, at, len, 0, 0, 0);
}

/* remap_file_pages takes an attachment away before it makes it anew. */
static void test_shm_remap(void)
{
	int id = shmget(IPC_PRIVATE, 2 * PAGE, 0600);
	char *p = shmat(id, NULL, 0), *q = shmat(id, NULL, 0);
	unsigned char there[2];
	struct shmid_ds ds;

	p[0] = 3;
	ok(!remap(p, 2 * PAGE) && p[0] == 3, "a segment is mapped anew");
	shmctl(id, IPC_RMID, NULL);
	ok(!remap(p, 2 * PAGE) && p[0] == 3,
		"a removed one, as long as there is another attachment");
	ok(!shmdt(q) && !remap(p, PAGE) && p[0] == 3, "or a part of this one");
	ok(remap(p, 2 * PAGE) == -1 && errno == EINVAL, "not when none is left: EINVAL");
	ok(mincore(p, PAGE, there) == -1 && errno == ENOMEM, "then it is gone");
	ok(fails(shmctl(id, IPC_STAT, &ds), EINVAL), "and the segment with it");
}

static void test_proc(void)
{
	char line[256] = "";
	int id = shmget(0x77123456, PAGE, IPC_CREAT | 0600), seen = 0, key, got;
	FILE *f;

	if (access("/proc/self", F_OK)) {
		mkdir("/proc", 0755);
		mount("proc", "/proc", "proc", 0, NULL);
	}
	f = fopen("/proc/sysvipc/shm", "r");

	ok(f && fgets(line, sizeof(line), f) && strstr(line, "shmid perms"), "/proc/sysvipc/shm");
	while (f && fgets(line, sizeof(line), f))
		seen |= sscanf(line, "%d %d", &key, &got) == 2 && key == 0x77123456 && got == id;
	ok(seen == 1, "lists the segment");
	if (f)
		fclose(f);
	shmctl(id, IPC_RMID, NULL);
}

int main(void)
{
	test_sem_get();
	test_sem_values();
	test_semop();
	test_undo();
	test_msg();
	test_msg_sleep();
	test_shm();
	test_shm_remap();
	test_proc();
	return tap_end();
}
