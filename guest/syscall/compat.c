/* SPDX-License-Identifier: Apache-2.0 */
/*
 * int $0x80: the i386 numbers of calls. A 64-bit program that does this has the arguments in other registers, 32 bits of each. Only calls are here
 * that mean the same with such arguments, no structure of another layout and no signed 64-bit number among them; the rest is ENOSYS. The call
 * itself is the 64-bit one.
 */
#include "syscall/compat.h"

#include <asm/unistd.h>

#include "lib/types.h"

#define I386_CALLS 356u

/* 0 is read, which i386 has at 3: so 0 stands for none, and NR() counts from 1. */
#define NR(name) (__NR_##name + 1)

static const u16 compat_numbers[I386_CALLS] = {
	[1] = NR(exit),
	[3] = NR(read),
	[4] = NR(write),
	[5] = NR(open),
	[6] = NR(close),
	[10] = NR(unlink),
	[12] = NR(chdir),
	[15] = NR(chmod),
	[20] = NR(getpid),
	[29] = NR(pause),
	[33] = NR(access),
	[36] = NR(sync),
	[37] = NR(kill),
	[38] = NR(rename),
	[39] = NR(mkdir),
	[40] = NR(rmdir),
	[41] = NR(dup),
	[42] = NR(pipe),
	[60] = NR(umask),
	[63] = NR(dup2),
	[64] = NR(getppid),
	[65] = NR(getpgrp),
	[66] = NR(setsid),
	[83] = NR(symlink),
	[85] = NR(readlink),
	[91] = NR(munmap),
	[118] = NR(fsync),
	[125] = NR(mprotect),
	[132] = NR(getpgid),
	[133] = NR(fchdir),
	[147] = NR(getsid),
	[158] = NR(sched_yield),
	[199] = NR(getuid),
	[200] = NR(getgid),
	[201] = NR(geteuid),
	[202] = NR(getegid),
	[224] = NR(gettid),
	[238] = NR(tkill),
	[252] = NR(exit_group),
	[270] = NR(tgkill),
	[318] = NR(getcpu),
	[330] = NR(dup3),
	[331] = NR(pipe2),
	[355] = NR(getrandom),
};

u32 compat_number(u32 nr)
{
	u32 n = nr < I386_CALLS ? compat_numbers[nr] : 0;

	return n ? n - 1 : COMPAT_NONE;
}
