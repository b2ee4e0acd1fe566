/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between a command and the process that stands for its container: see sandbox.h. */
#include <config.h>
#include "control/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* #syscalls:sandbox,member sendto recvfrom */

int cm_sandbox_send(int fd, enum cm_sandbox_msg_kind kind, int value, const char *text)
{
	struct cm_sandbox_msg m = { .kind = kind, .value = value };
	size_t len;

	snprintf(m.text, sizeof(m.text), "%s", text ? text : "");
	len = offsetof(struct cm_sandbox_msg, text) + strlen(m.text) + 1;
	return send(fd, &m, len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int cm_sandbox_receive(int fd, struct cm_sandbox_msg *m)
{
	ssize_t n;

	memset(m, 0, sizeof(*m));
	do {
		n = recv(fd, m, sizeof(*m), 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	if ((size_t)n < offsetof(struct cm_sandbox_msg, text))
		return -EPROTO;
	m->text[sizeof(m->text) - 1] = '\0';
	return 1;
}

int cm_sandbox_ask(
	int fd, enum cm_sandbox_msg_kind kind, int value, const char *text, struct cm_err *err)
{
	struct cm_sandbox_msg m;

	cm_sandbox_send(fd, kind, value, text);
	do {
		if (cm_sandbox_receive(fd, &m) <= 0)
			return cm_err_set(err, EPIPE, "the command is gone");
		if (m.kind == CM_MSG_SIGNAL)
			return cm_err_set(err, 0, "interrupted by signal %d", m.value);
	} while (m.kind != CM_MSG_DONE);
	if (m.value == 0)
		return 0;
	cm_err_set(err, 0, "%s", m.text);
	err->code = m.value;
	return -m.value;
}
