/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a VMM with casemate-fsd behind a file device: fs_pair DIR FSD VMM [VMM option]... The device's tag is "root". */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARENA_BYTES (16l << 20)
#define VMM_ARGS    32

struct pair {
	int arena, kick, call, root, sock[2];
};

static int pair_make(struct pair *p, const char *dir)
{
	p->arena = memfd_create("arena", MFD_ALLOW_SEALING);
	p->kick = eventfd(0, 0);
	p->call = eventfd(0, 0);
	p->root = open(dir, O_PATH | O_DIRECTORY);
	if (p->arena < 0 || p->kick < 0 || p->call < 0 || p->root < 0 ||
		ftruncate(p->arena, ARENA_BYTES) < 0 ||
		fcntl(p->arena, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -1;
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p->sock);
}

static void run_fsd(const struct pair *p, const char *prog)
{
	char a[5][32];

	close(p->sock[0]);
	(void)snprintf(a[0], sizeof(a[0]), "--arena-fd=%d", p->arena);
	(void)snprintf(a[1], sizeof(a[1]), "--sock-fd=%d", p->sock[1]);
	(void)snprintf(a[2], sizeof(a[2]), "--kick-fd=%d", p->kick);
	(void)snprintf(a[3], sizeof(a[3]), "--call-fd=%d", p->call);
	(void)snprintf(a[4], sizeof(a[4]), "--root-fd=%d", p->root);
	execl(prog, prog, a[0], a[1], a[2], a[3], a[4], NULL);
	perror(prog);
	_exit(127);
}

int main(int argc, char **argv)
{
	char arena_opt[32], fs_opt[64], *args[VMM_ARGS];
	struct pair p;
	int n = 0;

	if (argc < 4 || argc > VMM_ARGS || pair_make(&p, argv[1]) < 0) {
		perror("fs_pair");
		return 127;
	}
	if (fork() == 0)
		run_fsd(&p, argv[2]);
	close(p.sock[1]);
	(void)snprintf(arena_opt, sizeof(arena_opt), "--arena-fd=%d", p.arena);
	(void)snprintf(fs_opt, sizeof(fs_opt), "--fs=root,sock=%d,kick=%d,call=%d", p.sock[0],
		p.kick, p.call);
	for (int i = 3; i < argc; i++)
		args[n++] = argv[i];
	args[n++] = arena_opt;
	args[n++] = fs_opt;
	args[n] = NULL;
	execv(args[0], args);
	perror(args[0]);
	return 127;
}
