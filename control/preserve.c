/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors of the caller for a process of the guest. */
#include <config.h>
#include "control/preserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "control/parse.h"
#include "control/relay.h"
#include "control/spec.h"

#define PRESERVE_MAX (CM_RPC_FD_NUMBERS - 3)

int cm_preserve_option(struct cm_preserve *p, const char *text, struct cm_err *err)
{
	long n;

	if (cm_parse_number(text, "--preserve-fds", 0, PRESERVE_MAX, &n, err) < 0)
		return -err->code;
	p->count = (unsigned)n;
	return 0;
}

/* Is LISTEN_FDS for this process? */
static bool preserve_is_ours(void)
{
	const char *pid = getenv("LISTEN_PID");
	char own[16];

	snprintf(own, sizeof(own), "%d", getpid());
	return !pid || strcmp(pid, own) == 0 || strcmp(pid, "1") == 0;
}

int cm_preserve_listen(struct cm_preserve *p, struct cm_err *err)
{
	const char *text = getenv("LISTEN_FDS");
	long n;

	if (!text || !*text || !preserve_is_ours())
		return 0;
	if (cm_parse_number(text, "LISTEN_FDS", 0, PRESERVE_MAX, &n, err) < 0)
		return -err->code;
	p->listen = (unsigned)n;
	return 0;
}

/* The caller's descriptors came through execve; what we have opened ourselves is closed by that. */
static bool preserve_is_open(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

int cm_preserve_take(struct cm_preserve *p, struct cm_err *err)
{
	for (unsigned i = 0; i < p->listen + p->count && i < PRESERVE_MAX; i++) {
		int fd = 3 + (int)i;

		if (!preserve_is_open(fd))
			continue;
		if (cm_relay_mode(fd, err) < 0)
			return cm_err_wrap(err, "%s: descriptor %d",
				i < p->listen ? "LISTEN_FDS" : "--preserve-fds", fd);
		if (p->n == CM_RPC_FDS_MAX)
			return cm_err_set(err, E2BIG,
				"--preserve-fds: more than %u descriptors are open",
				CM_RPC_FDS_MAX);
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return cm_err_set(err, errno, "--preserve-fds: descriptor %d", fd);
		p->fd[p->n++] = fd;
	}
	return 0;
}

void cm_preserve_close(struct cm_preserve *p)
{
	while (p->n > 0)
		close(p->fd[--p->n]);
}

int cm_preserve_env(const struct cm_preserve *p, struct cm_spec *spec, struct cm_err *err)
{
	char count[32];

	if (!p->listen)
		return 0;
	snprintf(count, sizeof(count), "LISTEN_FDS=%u", p->listen);
	if (cm_spec_set_env(spec, count, err) < 0)
		return -err->code;
	return cm_spec_set_env(spec, "LISTEN_PID=1", err);
}

json_t *cm_preserve_numbers(const struct cm_preserve *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < p->n; i++)
		json_array_append_new(list, json_integer(p->fd[i]));
	return list;
}
