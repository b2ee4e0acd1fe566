/* SPDX-License-Identifier: Apache-2.0 */
/* A program for tests/oci/gdb.sh: it counts, says so, and sleeps. */
#include <time.h>
#include <unistd.h>

static volatile unsigned long ticks, kept;

static void __attribute__((noinline)) tick(void)
{
	ticks += 3;
}

int main(void)
{
	const struct timespec pause = { 0, 50000000 };

	for (;;) {
		tick();
		kept = 7; /* a write that changes nothing after the first one */
		if (write(STDOUT_FILENO, "\n", 1) < 0)
			return 1;
		nanosleep(&pause, NULL);
	}
}
