/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a VMM command line with what a file device needs: arena, socket and doorbells, and nobody at their other end. */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARENA_BYTES (16l << 20)

int main(int argc, char **argv)
{
	char arena_opt[32], fs_opt[64];
	int arena = memfd_create("arena", MFD_ALLOW_SEALING), kick = eventfd(0, 0),
	    call = eventfd(0, 0);
	char **args = calloc((size_t)argc + 2, sizeof(*args));
	int sock[2], i;

	if (argc < 2 || !args || arena < 0 || kick < 0 || call < 0 ||
		ftruncate(arena, ARENA_BYTES) < 0 ||
		fcntl(arena, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock) < 0) {
		perror("with_fs");
		return 127;
	}
	snprintf(arena_opt, sizeof(arena_opt), "--arena-fd=%d", arena);
	snprintf(fs_opt, sizeof(fs_opt), "--fs=root,sock=%d,kick=%d,call=%d", sock[0], kick, call);
	for (i = 1; i < argc; i++)
		args[i - 1] = argv[i];
	args[argc - 1] = arena_opt;
	args[argc] = fs_opt;
	execv(args[0], args);
	perror(args[0]);
	return 127;
}
