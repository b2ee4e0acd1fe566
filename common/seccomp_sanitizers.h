/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that the sanitizers' run time makes in any thread. gen-seccomp reads this file in sanitizer builds only; the leak checker,
 * which traces its own process, cannot work in a jail (ASAN_OPTIONS=detect_leaks=0).
 *
 * #syscalls:io,vcpu,fsd,sandbox,member,exec sigaltstack prctl sched_getaffinity sched_yield readlink getrandom prlimit64 gettimeofday getrusage
 */
