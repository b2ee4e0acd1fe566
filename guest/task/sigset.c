/* SPDX-License-Identifier: Apache-2.0 */
/* Pure signal sets and queues. */
#include "task/task.h"

#include "task/sigset.h"

#define SIG_SYNC_SET \
	(SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) | \
		SIGMASK(SIGFPE) | SIGMASK(SIGSYS))
#define SIG_CORE_SET \
	(SIGMASK(SIGQUIT) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) | SIGMASK(SIGABRT) | \
		SIGMASK(SIGFPE) | SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGSYS) | \
		SIGMASK(SIGXCPU) | SIGMASK(SIGXFSZ))
#define SIG_IGNORE_SET (SIGMASK(SIGCHLD) | SIGMASK(SIGURG) | SIGMASK(SIGWINCH))
#define SIG_STOP_SET   (SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU))

enum sig_action sig_default_action(int sig)
{
	u64 bit = SIGMASK(sig);

	if (bit & SIG_IGNORE_SET)
		return SIG_ACT_IGNORE;
	if (bit & SIG_STOP_SET)
		return SIG_ACT_STOP;
	if (sig == SIGCONT)
		return SIG_ACT_CONT;
	return bit & SIG_CORE_SET ? SIG_ACT_CORE : SIG_ACT_TERM;
}

bool sig_is_stop(int sig)
{
	return SIGMASK(sig) & SIG_STOP_SET;
}

bool sig_kernel_only(int sig)
{
	return sig == SIGKILL || sig == SIGSTOP;
}

int sigset_first(u64 set)
{
	if (!set)
		return 0;
	if (set & SIG_SYNC_SET)
		set &= SIG_SYNC_SET;
	return __builtin_ctzl(set) + 1;
}

void sigpending_init(struct sigpending *p)
{
	list_init(&p->queue);
	p->set = 0;
}

void sigpending_add(struct sigpending *p, int sig, struct sigqueue *q)
{
	if (q)
		list_add_tail(&p->queue, &q->link);
	p->set |= SIGMASK(sig);
}

struct sigqueue *sigpending_take(struct sigpending *p, int sig)
{
	struct sigqueue *first = NULL;
	struct sigqueue *q;

	list_for_each_entry (q, &p->queue, link) {
		if (q->info.si_signo != sig)
			continue;
		if (first) {
			list_del(&first->link);
			return first;
		}
		first = q;
	}
	p->set &= ~SIGMASK(sig);
	if (first)
		list_del(&first->link);
	return first;
}

void sigpending_remove(struct sigpending *p, u64 mask, struct list_head *out)
{
	struct sigqueue *q, *next;

	p->set &= ~mask;
	list_for_each_entry_safe (q, next, &p->queue, link) {
		if (SIGMASK(q->info.si_signo) & mask) {
			list_del(&q->link);
			list_add_tail(out, &q->link);
		}
	}
}
