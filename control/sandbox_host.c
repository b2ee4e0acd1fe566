/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox's place on the host: cgroup, OOM score, and the hooks of its creation. */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/host.h"
#include "control/rpc_start.h"
#include "control/sandbox_internal.h"

/* A lower score needs a right that an administrator may not have given; the guest's own processes get theirs in any case. */
static void host_oom_score(pid_t pid, int score)
{
	char path[64], text[16];
	cleanup_fd int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid); /* of the host */
	snprintf(text, sizeof(text), "%d", score);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		return; /* what stays is the caller's score */
}

static int host_cgroup(struct sandbox *s, struct cm_err *err)
{
	int r = cm_host_cgroup(s->o, s->cli_fd, sandbox_root(s)->spec, &s->c.st, &s->cgroup, err);

	/* It was started before the configuration was read. */
	return r < 0 ? r : cm_cgroup_join(&s->cgroup, s->l.vmm_pid, err);
}

int sandbox_enter_host(struct sandbox *s, struct cm_err *err)
{
	struct sandbox_container *k = sandbox_root(s);
	int r = host_cgroup(s, err);

	if (r == 0 && k->spec->seccomp)
		r = cm_seccomp_compile(k->spec->seccomp, &k->filter, err);
	if (r == 0 && k->spec->has_oom_score_adj) {
		host_oom_score(s->c.st.pid, k->spec->oom_score_adj);
		host_oom_score(s->c.st.vmm_pid, k->spec->oom_score_adj);
	}
	if (r == 0)
		r = cm_host_keep_hooks(&s->c.st, k->spec, err);
	if (s->c.st.hooks || s->c.st.cgroups)
		s->publish_first = true;
	return r;
}

static bool host_has_create_hooks(const struct cm_spec *spec)
{
	size_t n = 0;

	for (unsigned k = CM_HOOK_PRESTART; k <= CM_HOOK_CREATE_CONTAINER; k++)
		n += spec->hooks[k].n;
	return n > 0;
}

/* The command runs them: this process may be in namespaces of its own. */
int sandbox_create_hooks(struct sandbox *s, struct cm_err *err)
{
	if (!host_has_create_hooks(sandbox_root(s)->spec))
		return 0;
	if (sandbox_save(s, err) < 0)
		return -err->code;
	return cm_sandbox_ask(s->cli_fd, CM_MSG_HOOKS, 0, NULL, err);
}

void sandbox_leave_host(struct sandbox *s)
{
	if (!s->cgroup.n)
		return;
	cm_cgroup_leave(&s->cgroup);
	(void)cm_cgroup_remove(&s->cgroup, 1000);
}
