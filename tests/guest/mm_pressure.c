/* SPDX-License-Identifier: Apache-2.0 */
/* A page cache that fills the memory gives way to everything else: threads that read large files while others move bytes through sockets and pipes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>

#include "fs_tap.h"

#define READERS	    2
#define TMPFS_MAGIC 0x01021994

static off_t size; /* of each file: all together are larger than the memory */

static void *read_file(void *arg)
{
	static char buf[READERS][1 << 16];
	long i = (long)arg;
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "large%ld", i);
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, size))
		return NULL;
	while (read(fd, buf[i], sizeof(buf[i])) > 0)
		;
	close(fd);
	unlink(name);
	return NULL;
}

/* Everything up to the end: NULL when it came without an error. */
static void *drain(void *arg)
{
	static char buf[1 << 16];
	ssize_t n;

	do
		n = read(*(int *)arg, buf, sizeof(buf));
	while (n > 0);
	return n < 0 ? arg : NULL;
}

static int tcp_pair(int p[2])
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	p[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(l, (void *)&in, len) || listen(l, 1) || getsockname(l, (void *)&in, &len) ||
		connect(p[1], (void *)&in, len))
		return -1;
	p[0] = accept(l, NULL, NULL);
	return close(l);
}

static ssize_t by_sendfile(int to, int fd)
{
	return sendfile(to, fd, NULL, 1 << 20);
}

static ssize_t by_splice(int to, int fd)
{
	return splice(fd, NULL, to, NULL, 1 << 20, 0);
}

/* A file of the memory's size through `to` to a thread that reads it. */
static void send_file(const char *what, int from, int to, ssize_t (*move)(int to, int fd))
{
	pthread_t reader;
	off_t sum = 0;
	void *bad;
	ssize_t n;
	int fd = open(what, O_RDWR | O_CREAT | O_TRUNC, 0600);

	is(ftruncate(fd, size), 0);
	pthread_create(&reader, NULL, drain, &from);
	while ((n = move(to, fd)) > 0)
		sum += n;
	ok(!n && sum == size, what);
	close(to);
	pthread_join(reader, &bad);
	ok(!bad, "and its reader meets no error");
	close(from);
	close(fd);
	unlink(what);
}

int main(void)
{
	pthread_t t[READERS];
	struct sysinfo si;
	struct statfs fs;
	int p[2];

	setenv("TMPDIR", "/", 0); /* inside /tmp is memory */
	scratch();
	sysinfo(&si);
	statfs(".", &fs);
	/* Natively the machine need not be filled; nor where files are memory. */
	size = si.totalram > 1UL << 30 || fs.f_type == TMPFS_MAGIC ? 16 << 20 : (off_t)si.totalram;
	for (long i = 0; i < READERS; i++)
		pthread_create(&t[i], NULL, read_file, (void *)i);
	is(tcp_pair(p), 0);
	send_file("tcp", p[0], p[1], by_sendfile);
	is(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	send_file("unix", p[0], p[1], by_sendfile);
	is(pipe(p), 0);
	send_file("pipe", p[0], p[1], by_sendfile);
	is(pipe(p), 0);
	send_file("splice", p[0], p[1], by_splice);
	for (long i = 0; i < READERS; i++)
		pthread_join(t[i], NULL);
	return tap_end();
}
