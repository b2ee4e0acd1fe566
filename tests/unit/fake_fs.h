/* SPDX-License-Identifier: Apache-2.0 */
/* The sentry's file systems inside a host test: system calls by number against guest/fs over one-threaded stand-ins for its neighbours. */
#ifndef TESTS_FAKE_FS_H
#define TESTS_FAKE_FS_H

/* Fresh task, namespace and tmpfs root, user 0 with all capabilities. */
void fake_fs_boot(void);
/* The result of a system call handler: >= 0 or -errno. Would-be sleeps end with -512 (ERESTARTSYS). */
long fake_fs_call(long nr, long a0, long a1, long a2, long a3, long a4);
void fake_fs_user(unsigned uid, unsigned gid); /* uid 0: all capabilities, else none */
void fake_fs_rlimit(int which, unsigned long value);
void fake_fs_mount(const char *type, const char *target, const char *data);
void fake_fs_overlay(void); /* the tree so far becomes the lower side of an overlay, the new root */
int fake_fs_signal(void); /* last signal sent, and forget it */
unsigned long fake_fs_objects(void); /* live kernel allocations */
void fake_fs_shutdown(void); /* drops task and namespace: nothing may be left */
extern unsigned fake_spin_held, fake_sem_held;

#endif
