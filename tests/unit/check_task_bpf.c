/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp's BPF: random programs get the same judgement from this machine's kernel. What they compute is tested in tests/guest/seccomp_basic.c.
 */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "task/bpf.h"

#define ROUNDS	 40
#define PROGRAMS 100
#define LEN_MAX	 12

static u16 scratch[BPF_MAXINSNS];

static u32 any(u32 n)
{
	return (u32)random() % n;
}

/* Mostly codes that exist, mostly operands at the border of what is allowed. */
static struct sock_filter random_insn(u32 left)
{
	static const u16 codes[] = { BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_W | BPF_LEN,
		BPF_LD | BPF_IMM, BPF_LD | BPF_MEM, BPF_LDX | BPF_W | BPF_LEN, BPF_LDX | BPF_IMM,
		BPF_LDX | BPF_MEM, BPF_ST, BPF_STX, BPF_ALU | BPF_ADD | BPF_K,
		BPF_ALU | BPF_ADD | BPF_X, BPF_ALU | BPF_SUB | BPF_K, BPF_ALU | BPF_SUB | BPF_X,
		BPF_ALU | BPF_MUL | BPF_K, BPF_ALU | BPF_MUL | BPF_X, BPF_ALU | BPF_DIV | BPF_K,
		BPF_ALU | BPF_DIV | BPF_X, BPF_ALU | BPF_MOD | BPF_K, BPF_ALU | BPF_AND | BPF_K,
		BPF_ALU | BPF_OR | BPF_X, BPF_ALU | BPF_XOR | BPF_X, BPF_ALU | BPF_LSH | BPF_K,
		BPF_ALU | BPF_LSH | BPF_X, BPF_ALU | BPF_RSH | BPF_K, BPF_ALU | BPF_RSH | BPF_X,
		BPF_ALU | BPF_NEG, BPF_ALU | BPF_NEG | BPF_X, BPF_JMP | BPF_JA,
		BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JEQ | BPF_X, BPF_JMP | BPF_JGT | BPF_K,
		BPF_JMP | BPF_JGE | BPF_X, BPF_JMP | BPF_JSET | BPF_K, BPF_RET | BPF_K,
		BPF_RET | BPF_A, BPF_RET | BPF_X, BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA,
		BPF_LD | BPF_H | BPF_ABS, BPF_LD | BPF_W | BPF_IND, BPF_LDX | BPF_B | BPF_MSH };
	struct sock_filter f = { .code = codes[any(sizeof(codes) / sizeof(codes[0]))],
		.jt = (u8)any(left + 2),
		.jf = (u8)any(left + 2) };

	if (any(40) == 0)
		f.code = (u16)random();
	switch (any(4)) {
	case 0:
		f.k = any(20);
		break;
	case 1:
		f.k = any(20) * 4;
		break;
	case 2:
		f.k = any(left + 2);
		break;
	default:
		f.k = any(8) ? any(3) : (u32)random() << 1;
		break;
	}
	return f;
}

static u32 random_program(struct sock_filter *f)
{
	u32 n = 1 + any(LEN_MAX);

	for (u32 i = 0; i < n; i++)
		f[i] = random_insn(n - 1 - i);
	if (any(10))
		f[n - 1] = (struct sock_filter)BPF_STMT(
			any(2) ? BPF_RET | BPF_K : BPF_RET | BPF_A, SECCOMP_RET_ALLOW);
	return n;
}

/* The program after a jump to its last instruction, which allows: what it would say does not matter, only whether it is taken. */
static u32 harmless_program(struct sock_filter *all)
{
	u32 n = random_program(all + 2);

	all[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 0);
	all[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, (u8)(n - 1), 0);
	all[n + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return n + 2;
}

/* In a process of its own, for what is taken stays. Its exit code: 0, 1 = a difference, 77 = no seccomp here. */
static int compare_with_kernel(unsigned seed, int *taken)
{
	srandom(seed);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return 77;
	for (int i = 0; i < PROGRAMS; i++) {
		struct sock_filter all[LEN_MAX + 2];
		u32 n = harmless_program(all);
		struct sock_fprog p = { (u16)n, all };
		int ours = bpf_check(all, n, scratch);
		int kernel = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) < 0 ? -errno : 0;

		if (kernel == -ENOSYS || kernel == -EACCES)
			return 77;
		if (ours != kernel)
			return 1;
		*taken += kernel == 0;
	}
	return 0;
}

START_TEST(same_judgement_as_the_kernel)
{
	int taken = 0, status = 0;

	for (unsigned round = 1; round <= ROUNDS; round++) {
		pid_t pid = fork();

		if (pid == 0) {
			int r = compare_with_kernel(round, &taken);

			_exit(r ? r : taken ? 2 : 0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) != 1, "seed %u: status %d",
			round, status);
		if (WEXITSTATUS(status) == 77)
			return;
		taken |= WEXITSTATUS(status) == 2;
	}
	/* Both verdicts were seen. */
	ck_assert_int_eq(taken, 1);
}
END_TEST

START_TEST(values)
{
	const struct seccomp_data d = { .nr = 7, .arch = 0x1234, .args = { 0x1122334455667788 } };
	const struct sock_filter high[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						    offsetof(struct seccomp_data, args) + 4),
		BPF_STMT(BPF_RET | BPF_A, 0) };
	const struct sock_filter shift[] = { BPF_STMT(BPF_LDX | BPF_IMM, 33),
		BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0),
		BPF_STMT(BPF_RET | BPF_A, 0) };

	ck_assert_int_eq(bpf_check(high, 2, scratch), 0);
	ck_assert_uint_eq(bpf_run(high, &d), 0x11223344);
	ck_assert_int_eq(bpf_check(shift, 4, scratch), 0);
	ck_assert_uint_eq(bpf_run(shift, &d), 2);
	ck_assert_int_eq(bpf_check(high, 0, scratch), -EINVAL);
	ck_assert_int_eq(bpf_check(high, BPF_MAXINSNS + 1, scratch), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("task_bpf");
	TCase *t = tcase_create("bpf");
	SRunner *sr;
	int failed;

	tcase_add_test(t, values);
	tcase_add_test(t, same_judgement_as_the_kernel);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
