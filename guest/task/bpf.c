/* SPDX-License-Identifier: Apache-2.0 */
/* The validator and the interpreter of seccomp's classic BPF. */
#include "task/bpf.h"

#include "kernel/errno.h"
#include "lib/string.h"

/* ---- checking */

static int check_load(const struct sock_filter *f)
{
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return f->k < sizeof(struct seccomp_data) && f->k % 4 == 0 ? 0 : -EINVAL;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
		return 0;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return f->k < BPF_MEMWORDS ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int check_alu(const struct sock_filter *f)
{
	u32 op = BPF_OP(f->code);

	if (f->code & ~(u32)(BPF_ALU | 0xf0 | BPF_X))
		return -EINVAL;
	if (op == BPF_NEG)
		return f->code == (BPF_ALU | BPF_NEG) ? 0 : -EINVAL;
	/* What Linux lets seccomp use: no modulus. */
	if (op != BPF_ADD && op != BPF_SUB && op != BPF_MUL && op != BPF_DIV && op != BPF_AND &&
		op != BPF_OR && op != BPF_XOR && op != BPF_LSH && op != BPF_RSH)
		return -EINVAL;
	if (BPF_SRC(f->code) == BPF_X)
		return 0;
	if (op == BPF_DIV && f->k == 0)
		return -EINVAL;
	return (op == BPF_LSH || op == BPF_RSH) && f->k >= 32 ? -EINVAL : 0;
}

/* `left`: instructions that follow. */
static int check_jump(const struct sock_filter *f, u32 left)
{
	u32 op = BPF_OP(f->code);

	if (f->code == (BPF_JMP | BPF_JA))
		return f->k < left ? 0 : -EINVAL;
	if (f->code & ~(u32)(BPF_JMP | 0xf0 | BPF_X))
		return -EINVAL;
	if (op != BPF_JEQ && op != BPF_JGT && op != BPF_JGE && op != BPF_JSET)
		return -EINVAL;
	return f->jt < left && f->jf < left ? 0 : -EINVAL;
}

static int check_insn(const struct sock_filter *f, u32 left)
{
	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX:
		return check_load(f);
	case BPF_ALU:
		return check_alu(f);
	case BPF_JMP:
		return check_jump(f, left);
	case BPF_RET:
		return f->code == (BPF_RET | BPF_K) || f->code == (BPF_RET | BPF_A) ? 0 : -EINVAL;
	default: /* BPF_MISC */
		return f->code == (BPF_MISC | BPF_TAX) || f->code == (BPF_MISC | BPF_TXA) ? 0
											  : -EINVAL;
	}
}

/*
 * Scratch words that every path to an instruction has written. Jumps go forward only, so one pass is enough: what reaches an instruction is known
 * when its turn comes. seen[i] gathers by intersection what jumps to i bring along.
 */
static int check_memory(const struct sock_filter *f, u32 n, u16 *seen)
{
	u16 valid = 0;

	memset(seen, 0xff, n * sizeof(*seen));
	for (u32 i = 0; i < n; i++) {
		valid &= seen[i];
		switch (f[i].code) {
		case BPF_ST:
		case BPF_STX:
			valid |= (u16)(1u << f[i].k);
			break;
		case BPF_LD | BPF_MEM:
		case BPF_LDX | BPF_MEM:
			if (!(valid & 1u << f[i].k))
				return -EINVAL;
			break;
		case BPF_JMP | BPF_JA:
			seen[i + 1 + f[i].k] &= valid;
			valid = 0xffff;
			break;
		default:
			if (BPF_CLASS(f[i].code) == BPF_JMP) {
				seen[i + 1 + f[i].jt] &= valid;
				seen[i + 1 + f[i].jf] &= valid;
				valid = 0xffff;
			}
			break;
		}
	}
	return 0;
}

int bpf_check(const struct sock_filter *f, u32 n, u16 *scratch)
{
	if (!n || n > BPF_MAXINSNS || BPF_CLASS(f[n - 1].code) != BPF_RET)
		return -EINVAL;
	for (u32 i = 0; i < n; i++) {
		if (check_insn(&f[i], n - 1 - i) < 0)
			return -EINVAL;
	}
	return check_memory(f, n, scratch);
}

/* ---- running */

static u32 run_alu(u32 op, u32 a, u32 v, bool *done)
{
	switch (op) {
	case BPF_ADD:
		return a + v;
	case BPF_SUB:
		return a - v;
	case BPF_MUL:
		return a * v;
	case BPF_DIV:
		*done = v == 0; /* the program ends with 0, as in Linux */
		return v ? a / v : 0;
	case BPF_AND:
		return a & v;
	case BPF_OR:
		return a | v;
	case BPF_XOR:
		return a ^ v;
	case BPF_LSH:
		return a << (v & 31);
	case BPF_RSH:
		return a >> (v & 31);
	default:
		return -a;
	}
}

static bool run_test(u32 op, u32 a, u32 v)
{
	switch (op) {
	case BPF_JEQ:
		return a == v;
	case BPF_JGT:
		return a > v;
	case BPF_JGE:
		return a >= v;
	default:
		return a & v;
	}
}

static u32 run_word(const struct seccomp_data *data, u32 at)
{
	u32 v;

	memcpy(&v, (const char *)data + at, sizeof(v));
	return v;
}

struct bpf_state {
	u32 a, x, mem[BPF_MEMWORDS];
};

/* Everything that neither jumps nor computes nor returns. */
static void run_move(
	struct bpf_state *s, const struct sock_filter *f, const struct seccomp_data *data)
{
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		s->a = run_word(data, f->k);
		break;
	case BPF_LD | BPF_W | BPF_LEN:
		s->a = sizeof(*data);
		break;
	case BPF_LDX | BPF_W | BPF_LEN:
		s->x = sizeof(*data);
		break;
	case BPF_LD | BPF_IMM:
		s->a = f->k;
		break;
	case BPF_LDX | BPF_IMM:
		s->x = f->k;
		break;
	case BPF_LD | BPF_MEM:
		s->a = s->mem[f->k];
		break;
	case BPF_LDX | BPF_MEM:
		s->x = s->mem[f->k];
		break;
	case BPF_ST:
		s->mem[f->k] = s->a;
		break;
	case BPF_STX:
		s->mem[f->k] = s->x;
		break;
	case BPF_MISC | BPF_TAX:
		s->x = s->a;
		break;
	default: /* BPF_MISC | BPF_TXA */
		s->a = s->x;
		break;
	}
}

u32 bpf_run(const struct sock_filter *f, const struct seccomp_data *data)
{
	struct bpf_state s;

	s.a = s.x = 0;
	for (;; f++) {
		u32 v = BPF_SRC(f->code) == BPF_X ? s.x : f->k;
		bool done = false;

		switch (BPF_CLASS(f->code)) {
		case BPF_RET:
			return f->code == (BPF_RET | BPF_A) ? s.a : f->k;
		case BPF_ALU:
			s.a = run_alu(BPF_OP(f->code), s.a, v, &done);
			if (done)
				return 0;
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				f += f->k;
			else
				f += run_test(BPF_OP(f->code), s.a, v) ? f->jt : f->jf;
			break;
		default:
			run_move(&s, f, data);
			break;
		}
	}
}
