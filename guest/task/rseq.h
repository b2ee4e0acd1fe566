/* SPDX-License-Identifier: Apache-2.0 */
/* Restartable sequences: the hooks of signals, fork and exec. */
#ifndef TASK_RSEQ_H
#define TASK_RSEQ_H

struct regs;
struct task;

/* A signal is about to be delivered to the current task: its frame must show the abort handler. */
void rseq_signal(struct task *t, struct regs *r);
void rseq_forget(struct task *t); /* exec */
void rseq_inherit(struct task *t, const struct task *parent); /* fork without CLONE_VM */

#endif
