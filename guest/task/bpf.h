/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classic BPF as seccomp uses it (seccomp(2)): a program of at most BPF_MAXINSNS instructions over struct seccomp_data, no loops, an accumulator, an
 * index register and sixteen words of scratch memory. Pure code, tested and fuzzed on the host.
 */
#ifndef TASK_BPF_H
#define TASK_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "lib/types.h"

/*
 * 0 when the program can run: every instruction is one of seccomp's, jumps stay inside, loads stay inside the data and are aligned, scratch
 * words are written before they are read on every path, no division by a constant 0, the last instruction returns. Else -EINVAL. scratch: room for n words.
 */
int bpf_check(const struct sock_filter *f, u32 n, u16 *scratch);

/* Run a checked program. */
u32 bpf_run(const struct sock_filter *f, const struct seccomp_data *data);

#endif
