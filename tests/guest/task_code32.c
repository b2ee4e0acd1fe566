/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 32-bit code in a 64-bit program: there and back, faults, signals, int $0x80, the other instructions that ask for a system call, and what rt_sigreturn and
 * ptrace may put into CS, SS and RIP.
 *
 * The program is linked below 4 GiB, so its text is within reach. It goes there by jumps: far returns of user mode are broken in QEMU's TCG where the kernel
 * uses SMAP. Where the machine has no segment for 32-bit code, which is so on the software KVM alone
 * (docs/MACHINE.md; it is known by RDTSC, which cannot be forbidden there either), the parts that need it are left out, and jumping there must be a fault.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <ucontext.h>

#include "child_tap.h"
#include "ptrace_tap.h"

#define CODE32	   0x23u
#define CODE64	   0x33u
#define DATA	   0x2bu
#define STRICT_SS  4u /* UC_STRICT_RESTORE_SS */
#define STACK_SIZE 65536u
#define GIB4	   (1UL << 32)

/* Registers on the way in and as they come back; the stack must be below 4 GiB. */
struct call32 {
	uint64_t stack;
	uint32_t entry, eax, ebx, ecx, edx, esi, edi, ebp;
};

void call32(struct call32 *c);
/* The same without a way back: RSP may be anything. */
__attribute__((noreturn)) void jump32(uint32_t entry, uint64_t sp, uint32_t eax);
void code_values(void), code_int80(void), code_spin(void), code_trace(void);
void code_syscall(void), code_sysenter(void);
volatile uint32_t spin_count, spin_stop;

__asm__(".pushsection .text\n"
	"call32:\n\t"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n\t"
	"push %rdi\n\t"
	"mov %rsp, call32_sp(%rip)\n\t"
	"mov (%rdi), %rsp\n\t"
	"mov 8(%rdi), %eax\n\t"
	"mov %eax, jump32_target(%rip)\n\t"
	"mov 12(%rdi), %eax; mov 16(%rdi), %ebx; mov 20(%rdi), %ecx; mov 24(%rdi), %edx\n\t"
	"mov 28(%rdi), %esi; mov 36(%rdi), %ebp; mov 32(%rdi), %edi\n\t"
	"ljmpl *jump32_target(%rip)\n"
	"call32_return:\n\t"
	"mov call32_sp(%rip), %rsp\n\t"
	"pop %r8\n\t"
	"mov %eax, 12(%r8); mov %ebx, 16(%r8); mov %ecx, 20(%r8); mov %edx, 24(%r8)\n\t"
	"mov %esi, 28(%r8); mov %edi, 32(%r8); mov %ebp, 36(%r8)\n\t"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n\t"
	"ret\n"
	"jump32:\n\t"
	"mov %edi, jump32_target(%rip)\n\t"
	"mov %rsi, %rsp\n\t"
	"mov %edx, %eax\n\t"
	"ljmpl *jump32_target(%rip)\n"
	".code32\n"
	"back:\n\t"
	"ljmp $0x33, $call32_return\n"
	/* one byte increments are prefixes in 64-bit code; pushes and calls move by 4 */
	"code_values:\n\t"
	".byte 0x40\n\t"
	"push %ebx\n\t"
	"add (%esp), %eax\n\t"
	"pop %ebx\n\t"
	"call 1f\n\t"
	"jmp back\n"
	"1: add %ecx, %eax\n\t"
	"mov %esp, %edx\n\t"
	"ret\n"
	"code_int80:\n\t"
	"int $0x80\n\t"
	"jmp back\n"
	"code_spin:\n\t"
	"incl %ss:spin_count\n\t"
	"cmpl $0, %ss:spin_stop\n\t"
	"je code_spin\n\t"
	"jmp back\n"
	"code_trace:\n\t"
	".byte 0x40\n\t"
	"push %eax\n\t"
	"ud2\n"
	"code_syscall:\n\t"
	"syscall\n\t"
	"ud2\n"
	"code_sysenter:\n\t"
	"sysenter\n\t"
	"ud2\n"
	/* what faults, with a start and an end that is where the handler lets it go on */
	".macro FAULT name, insn:vararg\n"
	".globl fault_\\name, fault_\\name\\()_end\n"
	"fault_\\name: \\insn\n"
	"fault_\\name\\()_end: jmp back\n"
	".endm\n"
	"FAULT ud2, ud2\n"
	"FAULT null, movl %ss:16, %edx\n"
	"FAULT div, div %ecx\n"
	"FAULT aam, .byte 0xd4, 0\n"
	"FAULT int3, int3\n"
	"FAULT hlt, hlt\n"
	"FAULT int81, int $0x81\n"
	"FAULT far, ljmp $0x10, $0\n"
	"code_into:\n\t"
	"mov $0x7f, %cl\n\t"
	"inc %cl\n"
	"FAULT into, into\n"
	".code64\n"
	".popsection\n"
	".pushsection .data\n"
	"call32_sp: .quad 0\n"
	"jump32_target: .long 0; .word 0x23\n"
	".popsection\n");

static unsigned char *stack; /* below 4 GiB, and what a call reads or writes */
static bool no_segment;

static uint64_t stack_top(void)
{
	return (uint64_t)stack + STACK_SIZE - 16;
}

static struct call32 prepare(void (*entry)(void))
{
	return (struct call32){ .stack = stack_top(), .entry = (uint32_t)(uintptr_t)entry };
}

static unsigned code_segment(void)
{
	unsigned cs;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	return cs;
}

static unsigned saved_cs(const ucontext_t *uc)
{
	return (uint16_t)uc->uc_mcontext.gregs[REG_CSGSFS];
}

static unsigned saved_ss(const ucontext_t *uc)
{
	return (uint16_t)((uint64_t)uc->uc_mcontext.gregs[REG_CSGSFS] >> 48);
}

static void set_segments(ucontext_t *uc, unsigned cs, unsigned ss)
{
	uint64_t both = (uint64_t)uc->uc_mcontext.gregs[REG_CSGSFS] & 0x0000ffffffff0000UL;

	uc->uc_mcontext.gregs[REG_CSGSFS] = (greg_t)(both | cs | (uint64_t)ss << 48);
}

static void handle(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigaction(sig, &sa, NULL);
}

/* Does a selector name a segment that is there? */
static bool segment_there(unsigned sel)
{
	bool there;
	unsigned rights;

	__asm__ volatile("lar %2, %1" : "=@ccz"(there), "=r"(rights) : "r"(sel));
	return there;
}

static int find_segment(void)
{
	if (segment_there(CODE32))
		return 0;
	return prctl(PR_SET_TSC, PR_TSC_SIGSEGV) ? 2 : 1;
}

/* ---- there and back ---- */
static int values(void)
{
	struct call32 c = prepare(code_values);

	c.eax = 1000;
	c.ebx = 200;
	c.ecx = 30;
	c.ebp = 4;
	call32(&c);
	return c.eax != 1231 || c.edx != c.stack - 4 || c.ebx != 200 || c.ecx != 30 || c.ebp != 4 ||
	       code_segment() != CODE64;
}

static pid_t spinner(void)
{
	cpu_set_t set;
	pid_t pid;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			__asm__ volatile("pause");
	}
	return pid;
}

/* A call that comes back by SYSRET after another program was interrupted; the stack's segment must be whole. */
static int after_calls(void)
{
	pid_t pid = spinner();
	int bad = 0;

	for (int i = 0; i < 100; i++) {
		usleep(1);
		bad |= values();
	}
	end(pid);
	return bad;
}

static volatile int alarms, alarms_there;

static void on_alarm(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	alarms++;
	alarms_there += saved_cs(uc) == CODE32;
	if (alarms == 30)
		spin_stop = 1;
}

/* A loop that never enters the kernel, beside one that does not either, with signals. */
static int interrupted(void)
{
	struct itimerval every = { { 0, 2000 }, { 0, 2000 } }, off = { 0 };
	struct call32 c = prepare(code_spin);
	pid_t pid = spinner();

	c.eax = 1;
	c.ebx = 22;
	c.ecx = 333;
	c.edx = 4444;
	c.esi = 55555;
	c.edi = 666666;
	c.ebp = 7777777;
	handle(SIGALRM, on_alarm, 0);
	setitimer(ITIMER_REAL, &every, NULL);
	call32(&c);
	setitimer(ITIMER_REAL, &off, NULL);
	end(pid);
	if (!spin_count || alarms_there < 20)
		return 1;
	return c.eax != 1 || c.ebx != 22 || c.ecx != 333 || c.edx != 4444 || c.esi != 55555 ||
	       c.edi != 666666 || c.ebp != 7777777;
}

/* ---- faults ---- */
#define FAULT_CODE(name) extern char fault_##name[], fault_##name##_end[]
FAULT_CODE(ud2);
FAULT_CODE(null);
FAULT_CODE(div);
FAULT_CODE(aam);
FAULT_CODE(int3);
FAULT_CODE(hlt);
FAULT_CODE(int81);
FAULT_CODE(far);
FAULT_CODE(into);
void code_into(void);

enum fault_addr {
	NO_ADDR,
	AT_CODE,
	AT_16
};

struct fault {
	const char *what;
	void *entry; /* NULL: start */
	char *start, *end, *rip;
	int sig, code, trap;
	enum fault_addr addr;
};

#define FAULT(name) NULL, fault_##name, fault_##name##_end
static const struct fault faults[] = {
	{ "ud2", FAULT(ud2), fault_ud2, SIGILL, ILL_ILLOPN, 6, AT_CODE },
	{ "a null pointer", FAULT(null), fault_null, SIGSEGV, SEGV_MAPERR, 14, AT_16 },
	{ "division by zero", FAULT(div), fault_div, SIGFPE, FPE_INTDIV, 0, AT_CODE },
	{ "AAM by zero", FAULT(aam), fault_aam, SIGFPE, FPE_INTDIV, 0, AT_CODE },
	{ "int3", FAULT(int3), fault_int3_end, SIGTRAP, SI_KERNEL, 3, NO_ADDR },
	{ "hlt", FAULT(hlt), fault_hlt, SIGSEGV, SI_KERNEL, 13, NO_ADDR },
	{ "an interrupt that is not its own", FAULT(int81), fault_int81, SIGSEGV, SI_KERNEL, 13,
		NO_ADDR },
	{ "a jump into the kernel", FAULT(far), fault_far, SIGSEGV, SI_KERNEL, 13, NO_ADDR },
	{ "into", code_into, fault_into, fault_into_end, fault_into_end, SIGSEGV, SI_KERNEL, 4,
		NO_ADDR },
};

static const struct fault *expected;
static volatile int fault_bad;

static int fault_check(int sig, const siginfo_t *si, const ucontext_t *uc)
{
	const greg_t *g = uc->uc_mcontext.gregs;
	const struct fault *f = expected;
	void *addr = f->addr == AT_CODE ? f->start : f->addr == AT_16 ? (void *)16 : NULL;

	if (sig != f->sig || si->si_code != f->code || si->si_addr != addr)
		return 2;
	if ((char *)g[REG_RIP] != f->rip || g[REG_TRAPNO] != f->trap)
		return 3;
	if (saved_cs(uc) != CODE32 || saved_ss(uc) != DATA || (uc->uc_flags & STRICT_SS))
		return 4;
	return code_segment() != CODE64 ? 5 : 0;
}

static void on_fault(int sig, siginfo_t *si, void *ucontext)
{
	ucontext_t *uc = ucontext;

	fault_bad = fault_check(sig, si, uc);
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)expected->end;
	uc->uc_mcontext.gregs[REG_RAX] = 4711;
}

static int fault_part(void)
{
	const struct fault *f = expected;
	struct call32 c = prepare(f->entry ? f->entry : (void (*)(void))f->start);

	handle(f->sig, on_fault, 0);
	fault_bad = 1;
	c.ebx = 12;
	call32(&c);
	return fault_bad ? fault_bad : c.eax != 4711 || c.ebx != 12 ? 6 : 0;
}

/* ---- int $0x80 ---- */
static uint32_t int80(uint32_t nr, uint32_t bx, uint32_t cx, uint32_t dx)
{
	struct call32 c = prepare(code_int80);

	c.eax = nr;
	c.ebx = bx;
	c.ecx = cx;
	c.edx = dx;
	c.esi = 5;
	c.edi = 6;
	call32(&c);
	return c.ebx == bx && c.ecx == cx && c.edx == dx && c.esi == 5 && c.edi == 6 ? c.eax
										     : 0xdead;
}

static int pipe_ends[2];

static void on_alarm_write(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	alarms_there += saved_cs(uc) == CODE32;
	if (write(pipe_ends[1], "xyz", 3) != 3)
		abort();
}

static int int80_read(int flags)
{
	struct itimerval once = { { 0, 0 }, { 0, 30000 } };

	handle(SIGALRM, on_alarm_write, flags);
	setitimer(ITIMER_REAL, &once, NULL);
	return (int)int80(3, (uint32_t)pipe_ends[0], (uint32_t)(uintptr_t)stack, 100);
}

static int int80_calls(void)
{
	if (int80(20, 1, 2, 3) != (uint32_t)getpid() || int80(9999, 1, 2, 3) != (uint32_t)-ENOSYS)
		return 1;
	handle(SIGUSR1, on_alarm, 0);
	if (int80(37, (uint32_t)getpid(), SIGUSR1, 0) != 0 || alarms_there != 1)
		return 2;
	if (pipe(pipe_ends))
		return 3;
	memcpy(stack, "abc", 3);
	if (int80(4, (uint32_t)pipe_ends[1], (uint32_t)(uintptr_t)stack, 3) != 3 ||
		int80(3, (uint32_t)pipe_ends[0], (uint32_t)(uintptr_t)stack + 8, 10) != 3 ||
		memcmp(stack + 8, "abc", 3) != 0)
		return 4;
	if (int80_read(SA_RESTART) != 3 || memcmp(stack, "xyz", 3) != 0)
		return 5;
	return int80_read(0) != -EINTR || alarms_there != 3 ? 6 : 0;
}

/* ---- what ends in a signal, wherever it comes from ---- */
static sigjmp_buf out;
static siginfo_t out_info;
static ucontext_t out_uc;
static char out_stack[65536];

static void on_out(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	out_info = *si;
	memcpy(&out_uc, uc, offsetof(ucontext_t, uc_sigmask));
	siglongjmp(out, 1);
}

static void catch_all(void)
{
	stack_t ss = { .ss_sp = out_stack, .ss_size = sizeof(out_stack) };

	sigaltstack(&ss, NULL);
	handle(SIGSEGV, on_out, SA_ONSTACK);
	handle(SIGILL, on_out, SA_ONSTACK);
	handle(SIGBUS, on_out, SA_ONSTACK);
}

static int jump_signal(void (*entry)(void), uint64_t sp, uint32_t eax)
{
	if (sigsetjmp(out, 1))
		return out_info.si_signo;
	jump32((uint32_t)(uintptr_t)entry, sp, eax);
}

/*
 * SYSCALL is no instruction there on Intel's processors, SYSENTER not on AMD's. Linux serves the others and returns to where a 32-bit program would go on and
 * there is nothing: a signal in any case, and nothing else.
 */
static int no_calls(void (*entry)(void))
{
	static const uint64_t sps[] = { 0, 0x7ffff000, 0xfffffffc, 0x7fffffffe000, 1UL << 62,
		0xffff888000100000, 0xffffffff80200000, -16UL };

	catch_all();
	for (size_t i = 0; i < sizeof(sps) / sizeof(sps[0]); i++) {
		int sig = jump_signal(entry, i ? sps[i] : stack_top(), 20);

		if ((sig != SIGILL && sig != SIGSEGV) || values())
			return (int)i + 1;
	}
	return 0;
}

static int no_syscall(void)
{
	return no_calls(code_syscall);
}

static int no_sysenter(void)
{
	return no_calls(code_sysenter);
}

static int faults_without_segment(void)
{
	catch_all();
	return jump_signal(code_values, stack_top(), 0) != SIGSEGV;
}

/* The last instruction of the 4 GiB: it goes on at 0. */
static int end_wraps(void)
{
	unsigned char *page = mmap((void *)(GIB4 - 4096), 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (page != (unsigned char *)(GIB4 - 4096))
		return 1;
	memcpy(page + 4094, "\xcd\x80", 2);
	catch_all();
	if (jump_signal((void (*)(void))(page + 4094), stack_top(), 20) != SIGSEGV)
		return 2;
	return (uint32_t)out_uc.uc_mcontext.gregs[REG_RIP] != 0 ||
	       out_uc.uc_mcontext.gregs[REG_RAX] != getpid();
}

/* ---- what rt_sigreturn may load ---- */
static struct {
	unsigned cs, ss;
	uint64_t rip;
	bool old;
} go;

static void on_go(int sig, siginfo_t *si, void *ucontext)
{
	ucontext_t *uc = ucontext;

	(void)sig;
	(void)si;
	set_segments(uc, go.cs, go.ss);
	if (go.old)
		uc->uc_flags &= ~(unsigned long)STRICT_SS;
	if (go.rip) {
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)go.rip;
		uc->uc_mcontext.gregs[REG_RSP] = (greg_t)stack_top();
	}
}

/* The signal that it ends in, 0: it goes on. */
static int sigreturn_to(unsigned cs, unsigned ss, uint64_t rip)
{
	go.cs = cs;
	go.ss = ss;
	go.rip = rip;
	catch_all();
	handle(SIGUSR1, on_go, 0);
	if (sigsetjmp(out, 1))
		return out_info.si_signo;
	raise(SIGUSR1);
	return 0;
}

/* A general protection fault with this error code, in which the registers are as they were given. */
static bool refused(unsigned cs, unsigned ss, uint64_t rip, int error)
{
	const greg_t *g = out_uc.uc_mcontext.gregs;

	return sigreturn_to(cs, ss, rip) == SIGSEGV && out_info.si_code == SI_KERNEL &&
	       g[REG_TRAPNO] == 13 && g[REG_ERR] == error && saved_cs(&out_uc) == (cs | 3) &&
	       saved_ss(&out_uc) == (ss | 3) && (uint64_t)g[REG_RIP] == rip;
}

static int selectors_refused(void)
{
	uint64_t rip = (uintptr_t)fault_ud2;

	if (!refused(DATA, DATA, rip, DATA & ~3) || !refused(0x10, DATA, rip, 0x10) ||
		!refused(0x7b, DATA, rip, 0x78))
		return 1;
	return !refused(CODE64, 0, rip, 0) || !refused(CODE64, CODE64, rip, CODE64 & ~3);
}

/* Programs from before the field was there. */
static int old_programs(void)
{
	go.old = true;
	return sigreturn_to(CODE64, 0, 0) != 0;
}

static bool arrived(unsigned cs, uint64_t rip)
{
	return sigreturn_to(cs, DATA, rip) == SIGILL && saved_cs(&out_uc) == CODE32 &&
	       (uint32_t)out_uc.uc_mcontext.gregs[REG_RIP] == (uintptr_t)fault_ud2;
}

static int sigreturn32(void)
{
	uint64_t rip = (uintptr_t)fault_ud2;

	if (!arrived(CODE32, rip) || !arrived(CODE32 & ~3u, rip))
		return 1;
	if (!refused(CODE32, 0, rip, 0) || !refused(CODE32, CODE32, rip, CODE32 & ~3))
		return 2;
	return values();
}

/* Processors take the lower half of the address, Intel's if it is canonical; a fault is right, too. */
static int sigreturn_above(void)
{
	static const uint64_t high[] = { GIB4, 0x7fff00000000, 0xffffffff00000000,
		0xffff000000000000, 0x1234567800000000 };

	for (size_t i = 0; i < sizeof(high) / sizeof(high[0]); i++) {
		uint64_t rip = high[i] | (uintptr_t)fault_ud2;

		if (!arrived(CODE32, rip) && out_info.si_signo != SIGSEGV)
			return (int)i + 1;
	}
	return values();
}

/* ---- tracers ---- */
static void traced_exit(void)
{
	_exit(7);
}

static bool at(pid_t pid, int sig, void (*code)(void), unsigned plus, unsigned cs)
{
	struct user_regs_struct r;

	return stopped_by(wait_pid(pid), sig) &&
	       trace(PTRACE_GETREGS, pid, 0, (unsigned long)&r) == 0 &&
	       r.rip == (uintptr_t)code + plus && r.cs == cs;
}

static long poke_cs(pid_t pid, unsigned cs)
{
	return trace(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, cs), cs);
}

static int traced_steps(pid_t pid, struct user_regs_struct r)
{
	r.rip = (uintptr_t)code_trace;
	r.rsp = stack_top();
	r.rax = 41;
	r.orig_rax = -1UL;
	if (trace(PTRACE_SETREGS, pid, 0, (unsigned long)&r) || poke_cs(pid, CODE32))
		return 1;
	trace(PTRACE_SINGLESTEP, pid, 0, 0);
	if (!at(pid, SIGTRAP, code_trace, 1, CODE32))
		return 2;
	trace(PTRACE_SINGLESTEP, pid, 0, 0);
	if (!at(pid, SIGTRAP, code_trace, 2, CODE32))
		return 3;
	trace(PTRACE_GETREGS, pid, 0, (unsigned long)&r);
	if (r.rax != 42 || r.rsp != stack_top() - 4)
		return 4;
	trace(PTRACE_CONT, pid, 0, 0);
	return !at(pid, SIGILL, code_trace, 2, CODE32);
}

static int traced(void)
{
	pid_t pid = traced_child(traced_exit);
	struct user_regs_struct regs, r;
	int bad;

	trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);
	if (poke_cs(pid, 0x10) != -1 || errno != EIO || poke_cs(pid, 0) != -1 || errno != EIO)
		return 11;
	/* what there is not is a fault when it goes on */
	r = regs;
	r.rip = (uintptr_t)code_trace;
	r.cs = DATA;
	if (trace(PTRACE_SETREGS, pid, 0, (unsigned long)&r))
		return 12;
	trace(PTRACE_CONT, pid, 0, 0);
	if (!at(pid, SIGSEGV, code_trace, 0, DATA))
		return 13;
	bad = no_segment ? 0 : traced_steps(pid, regs);
	if (bad)
		return bad;
	if (trace(PTRACE_SETREGS, pid, 0, (unsigned long)&regs))
		return 14;
	trace(PTRACE_CONT, pid, 0, 0);
	return child_status(pid) != 7;
}

/* A point whose part needs the segment. */
static void part32(const char *name, int (*fn)(void), const char *text)
{
	child_part(name, no_segment ? 0 : in_child(fn), text);
}

#define PART32(fn, text) part32(#fn, fn, text)

int main(void)
{
	int found = in_child(find_segment);

	stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	no_segment = found == 2;
	ok(stack != MAP_FAILED && (found == 0 || found == 2), "there is a segment for 32-bit code");
	if (no_segment)
		child_part("no segment", in_child(faults_without_segment), "jumping there");
	else
		PART(values, "jumping there");
	PART32(values, "values go there and come back");
	PART32(after_calls, "the stack is usable there after calls");
	PART32(interrupted, "interrupts and signals there");
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		expected = &faults[i];
		part32(expected->what, fault_part, expected->what);
	}
	PART32(int80_calls, "int $0x80 there");
	PART32(no_syscall, "SYSCALL there is a signal");
	PART32(no_sysenter, "SYSENTER there is a signal");
	PART32(end_wraps, "the end of its 4 GiB");
	PART(selectors_refused, "sigreturn: segments that there are not");
	PART(old_programs, "sigreturn: without a stack segment");
	PART32(sigreturn32, "sigreturn: into 32-bit code");
	PART32(sigreturn_above, "sigreturn: above 4 GiB");
	PART(traced, "a tracer leads there");
	return tap_end();
}
