/* SPDX-License-Identifier: Apache-2.0 */
/* What a debugger reads of the structures that headers describe. Nothing of this is code or loaded data. */
#include "debug/layout.h"

#include "casemate/hypercall.h"
#include "fs/fdtable.h"
#include "fs/mount.h"
#include "fs/vfs.h"
#include "kernel/percpu.h"
#include "kernel/sched.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "mm/as.h"
#include "task/cred.h"
#include "task/internal.h"
#include "task/task.h"

DEBUG_CONST(KSTACK_SIZE);
DEBUG_CONST(CM_MAX_CPUS);
DEBUG_CONST(USER_TOP);
DEBUG_CONST(THREAD_RUNNABLE);
DEBUG_CONST(THREAD_SLEEP);
DEBUG_CONST(THREAD_SLEEP_INTR);
DEBUG_CONST(THREAD_DEAD);
DEBUG_CONST(GROUP_STOPPED);
DEBUG_CONST(GROUP_ZOMBIE);
DEBUG_CONST(PID_MAX);

DEBUG_FIELD(list_head, next);
DEBUG_FIELD(rb_root, node);
DEBUG_FIELD(rb_node, parent);
DEBUG_FIELD(rb_node, left);
DEBUG_FIELD(rb_node, right);

/* ---- scheduling */
DEBUG_SIZE(percpu);
DEBUG_FIELD(percpu, runq.running);
DEBUG_FIELD(percpu, runq.queued);
DEBUG_FIELD(percpu, idle);
DEBUG_FIELD(percpu, stamp);
DEBUG_FIELD(percpu, user);
DEBUG_FIELD(thread, ksp);
DEBUG_FIELD(thread, stack);
DEBUG_FIELD(thread, cpu);
DEBUG_FIELD(thread, state);
DEBUG_FIELD(thread, on_cpu);
DEBUG_FIELD(thread, interrupted);
DEBUG_FIELD(thread, task);
DEBUG_FIELD(thread, as);
DEBUG_FIELD(thread, utime_ns);
DEBUG_FIELD(thread, stime_ns);
DEBUG_FIELD(thread, nvcsw);
DEBUG_FIELD(thread, nivcsw);
DEBUG_FIELD(thread, arch.fsbase);
DEBUG_FIELD(thread, arch.gsbase);
DEBUG_FIELD(thread, arch.fpu);
DEBUG_FIELD(thread, arch.fpu_cpu);
DEBUG_FIELD(thread, name);
DEBUG_SIZE(regs);
DEBUG_FIELD(regs, r15);
DEBUG_FIELD(regs, rbp);
DEBUG_FIELD(regs, rax);
DEBUG_FIELD(regs, rdi);
DEBUG_FIELD(regs, orig_rax);
DEBUG_FIELD(regs, rip);
DEBUG_FIELD(regs, cs);
DEBUG_FIELD(regs, rflags);
DEBUG_FIELD(regs, rsp);
DEBUG_FIELD(regs, ss);

/* ---- tasks */
DEBUG_FIELD(pid_ns, groups);
DEBUG_FIELD(pid_ns, ngroups);
DEBUG_FIELD(group, ns_link);
DEBUG_FIELD(group, tasks);
DEBUG_FIELD(group, ntasks);
DEBUG_FIELD(group, leader);
DEBUG_FIELD(group, pid);
DEBUG_FIELD(group, parent);
DEBUG_FIELD(group, pgid);
DEBUG_FIELD(group, sid);
DEBUG_FIELD(group, state);
DEBUG_FIELD(group, exit_code);
DEBUG_FIELD(task, thread);
DEBUG_FIELD(task, group);
DEBUG_FIELD(task, group_link);
DEBUG_FIELD(task, tid);
DEBUG_FIELD(task, as);
DEBUG_FIELD(task, files);
DEBUG_FIELD(task, fs);
DEBUG_FIELD(task, ns);
DEBUG_FIELD(nsproxy, mnt);
DEBUG_FIELD(task, cred);
DEBUG_FIELD(task, blocked);
DEBUG_FIELD(task, pending.set);
DEBUG_FIELD(task, stopped);
DEBUG_FIELD(task, exiting);
DEBUG_FIELD(task, dead);
DEBUG_FIELD(task, start_time);
DEBUG_FIELD(task, comm);
DEBUG_FIELD(cred, uid);
DEBUG_FIELD(cred, gid);
DEBUG_FIELD(cred, euid);
DEBUG_FIELD(cred, egid);

/* ---- memory */
DEBUG_CONST(AS_MAX_VMAS);
DEBUG_CONST(AS_AUXV_WORDS);
DEBUG_CONST(VMA_READ);
DEBUG_CONST(VMA_WRITE);
DEBUG_CONST(VMA_EXEC);
DEBUG_CONST(VMA_SHARED);
DEBUG_CONST(VMA_STACK);
DEBUG_CONST(VMA_HEAP);
DEBUG_CONST(VMA_VDSO);
DEBUG_CONST(VMA_VVAR);
DEBUG_FIELD(as, vmas);
DEBUG_FIELD(as, nvmas);
DEBUG_FIELD(as, pt.root);
DEBUG_FIELD(as, total_vm);
DEBUG_FIELD(as, rss_anon);
DEBUG_FIELD(as, rss_file);
DEBUG_FIELD(as, rss_shmem);
DEBUG_FIELD(as, exe);
DEBUG_FIELD(as, auxv);
DEBUG_FIELD(as, brk_start);
DEBUG_FIELD(as, brk);
DEBUG_FIELD(as, arg_start);
DEBUG_FIELD(as, env_secret);
DEBUG_FIELD(as, env_end);
DEBUG_FIELD(as, arg_end);
DEBUG_FIELD(vma, node);
DEBUG_FIELD(vma, start);
DEBUG_FIELD(vma, end);
DEBUG_FIELD(vma, flags);
DEBUG_FIELD(vma, file);
DEBUG_FIELD(vma, pgoff);

/* ---- files */
DEBUG_FIELD(file, path.mnt);
DEBUG_FIELD(file, path.dentry);
DEBUG_FIELD(file, inode);
DEBUG_FIELD(file, flags);
DEBUG_FIELD(file, pos);
DEBUG_FIELD(file, anon_name);
DEBUG_FIELD(dentry, parent);
DEBUG_FIELD(dentry, len);
DEBUG_FIELD(dentry, name);
DEBUG_FIELD(dentry, inode);
DEBUG_FIELD(inode, sb);
DEBUG_FIELD(inode, ino);
DEBUG_FIELD(inode, mode);
DEBUG_FIELD(inode, nlink);
DEBUG_FIELD(inode, size);
DEBUG_FIELD(inode, locks);
DEBUG_FIELD(super, fstype);
DEBUG_FIELD(super, dev);
DEBUG_FIELD(super, readonly);
DEBUG_CONST(MNT_RDONLY);
DEBUG_CONST(MNT_NOSUID);
DEBUG_CONST(MNT_NODEV);
DEBUG_CONST(MNT_NOEXEC);
DEBUG_CONST(MNT_NOATIME);
DEBUG_CONST(MNT_RELATIME);
DEBUG_FIELD(mount, sb);
DEBUG_FIELD(mount, root);
DEBUG_FIELD(mount, parent);
DEBUG_FIELD(mount, mountpoint);
DEBUG_FIELD(mount, ns_link);
DEBUG_FIELD(mount, flags);
DEBUG_FIELD(mount, id);
DEBUG_FIELD(mount, source);
DEBUG_FIELD(mount_ns, mounts);
DEBUG_FIELD(fs_context, cwd.mnt);
DEBUG_FIELD(fs_context, cwd.dentry);
DEBUG_FIELD(fs_context, root.mnt);
DEBUG_FIELD(fs_context, root.dentry);
DEBUG_FIELD(mutex, owner);
